package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// same are the options under which a snapshot and what was read of its bundle are equal: all that JSON does not tell
// apart is an empty text from none.
var same = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Data" }, cmp.Comparer(bytes.Equal)),
}

// withInput is what reading a bundle of the snapshot gives.
func withInput(snapshot *facts.Snapshot, path, problem string) *facts.Snapshot {
	read := *snapshot
	bundle := facts.Input{Kind: "bundle", Name: path, CollectedAt: collectedAt(snapshot, Options{}), Problem: problem}
	read.Inputs = append([]facts.Input{bundle}, snapshot.Inputs...)
	return &read
}

func read(t testing.TB, paths ...string) *facts.Snapshot {
	t.Helper()
	snapshot, err := Read(t.Context(), paths, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// entry is one of a tar archive.
type entry struct {
	header tar.Header
	text   string
}

type entries []entry

func textEntry(name, text string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o600}, text}
}

func specialEntry(kind byte, name, link string) entry {
	return entry{tar.Header{Typeflag: kind, Name: name, Linkname: link}, ""}
}

// tar is the archive. It ends where an entry has not the text that its header claims.
func (e entries) tar(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, entry := range e {
		if err := w.WriteHeader(&entry.header); err != nil {
			t.Fatal(err)
		}
		if int64(len(entry.text)) != entry.header.Size {
			return b.Bytes()
		}
		if _, err := w.Write([]byte(entry.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compress(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readBytes reads what a file x has.
func readBytes(ctx context.Context, data []byte, limits Limits) (*facts.Snapshot, error) {
	in := newIntake(&meter{Limits: limits.withDefaults()})
	if err := in.file(ctx, "x", bytes.NewReader(data), int64(len(data)), time.Time{}, 1); err != nil {
		return nil, err
	}
	return in.snapshot(ctx)
}

func onDisk(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// unpackTo writes an archive's files to a folder.
func unpackTo(t testing.TB, dir string, archive []byte) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(archive))
	for header, err := r.Next(); err == nil; header, err = r.Next() {
		path := filepath.Join(dir, header.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.ReadFrom(r)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	snapshot := richSnapshot()
	packed := writeBundle(t, "incident.tar.gz", snapshot, Options{})
	archive := gunzip(t, readFile(t, packed))
	dir := t.TempDir()
	unpackTo(t, dir, archive)

	for name, path := range map[string]string{
		"tar.gz":                packed,
		"tar":                   onDisk(t, "incident", archive),
		"folder":                filepath.Join(dir, "incident"),
		"folder of the folder":  dir,
		"gzip in several parts": onDisk(t, "x.tar.gz", append(compress(t, archive[:1000]), compress(t, archive[1000:])...)),
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(withInput(snapshot, path, ""), read(t, path), same); diff != "" {
				t.Error(diff)
			}
		})
	}

	t.Run("again", func(t *testing.T) {
		once := read(t, packed)
		path := writeBundle(t, "again.tar.gz", once, Options{})
		if diff := cmp.Diff(withInput(once, path, ""), read(t, path), same); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("of nothing", func(t *testing.T) {
		path := writeBundle(t, "x.tar.gz", &facts.Snapshot{}, Options{CollectedAt: collected})
		want := &facts.Snapshot{Inputs: []facts.Input{{Kind: "bundle", Name: path, CollectedAt: collected}}}
		if diff := cmp.Diff(want, read(t, path), same); diff != "" {
			t.Error(diff)
		}
	})
}

// What people do to an archive between writing and reading must not matter.
func TestReadRepacked(t *testing.T) {
	snapshot := richSnapshot()
	archive := gunzip(t, readFile(t, writeBundle(t, "incident.tar.gz", snapshot, Options{})))
	var repacked entries
	r := tar.NewReader(bytes.NewReader(archive))
	for header, err := r.Next(); err == nil; header, err = r.Next() {
		var text bytes.Buffer
		if _, err := text.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		name := strings.Replace(header.Name, "incident/", "./", 1)
		if strings.HasSuffix(name, "nodes/n1/raw/iptables-legacy-save_-c") {
			text.WriteString("masked\n")
		}
		repacked = append(repacked, textEntry(name, text.String()))
	}
	slices.Reverse(repacked)
	repacked = append(
		entries{
			{header: tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "of git archive"}}},
			specialEntry(tar.TypeDir, "./", ""), specialEntry(tar.TypeDir, "./nodes/", ""),
			textEntry("./._manifest.json", "of a Mac"), textEntry("./notes.txt", "see nodes/n1"), textEntry("./nodes/n1/._links.json", "of a Mac"),
			textEntry("./nodes/n1/wireguard.json", `{"status":"read"}`), textEntry("./cluster/httproutes.json", `{"status":"read"}`),
			textEntry("./nodes/n1/netns/cni-5f0e%3A1/tc.json", "{}"), textEntry("./nodes/n1/raw/unused", ""), textEntry("./nodes/x.json", ""),
		}, repacked...)

	path := onDisk(t, "x.tar.gz", compress(t, repacked.tar(t)))
	got := read(t, path)
	want := withInput(snapshot, path, "groups of facts that this netcause does not know were skipped: cluster/httproutes.json, "+
		"nodes/n1/._links.json, nodes/n1/netns/cni-5f0e%3A1/tc.json, nodes/n1/wireguard.json; "+
		"files that are not as they were collected: nodes/n1/raw/iptables-legacy-save_-c")
	want.Nodes[1].IPTablesLegacy.Raw[0].Data = []byte("*nat\nCOMMIT\nmasked\n")
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
}

func TestReadNewerMinor(t *testing.T) {
	path := onDisk(t, "x.tar", entries{
		textEntry("x/manifest.json", `{"format":"netcause-bundle","version":1,"compression":{"of":"texts"},"cluster":false}`),
		textEntry("x/nodes/n1/node.json", `{"name":"n1","role":"worker"}`),
		textEntry("x/nodes/n1/links.json", `{"status":"read","took":"1s","value":[{"ifname":"lo","color":"blue"}]}`),
	}.tar(t))
	got := read(t, path).Nodes[0]
	if diff := cmp.Diff(facts.ReadGroup([]facts.Link{{Ifname: "lo"}}), got.Links, same); diff != "" || got.Name != "n1" {
		t.Errorf("%s: %s", got.Name, diff)
	}
}

const (
	goodManifest = `{"format":"netcause-bundle","version":1,"cluster":false}`
	goodNode     = `{"name":"n1"}`
)

// minimal is a good bundle with more entries behind.
func minimal(more ...entry) entries {
	return append(entries{textEntry("x/manifest.json", goodManifest), textEntry("x/nodes/n1/node.json", goodNode)}, more...)
}

func TestReadHostileEntries(t *testing.T) {
	ascending := func(n int) entries {
		var e entries
		for i := range n {
			e = append(e, textEntry(fmt.Sprintf("x/%d", i), ""))
		}
		return e
	}
	for _, test := range []struct {
		name    string
		entries entries
		limits  Limits
		want    error // without its Path
	}{
		{"parent", minimal(textEntry("x/nodes/../../../etc/cron.d/x", "x")), Limits{}, &FormatError{
			Entry: "x/nodes/../../../etc/cron.d/x", Offset: -1, Problem: "path outside the archive",
		}},
		{"parent alone", entries{textEntry("../x", "x")}, Limits{}, &FormatError{
			Entry: "../x", Offset: -1, Problem: "path outside the archive",
		}},
		{"parent folder", minimal(specialEntry(tar.TypeDir, "x/../../", "")), Limits{}, &FormatError{
			Entry: "x/../../", Offset: -1, Problem: "path outside the archive",
		}},
		{"parent in Windows' way", minimal(textEntry(`x\..\..\x`, "x")), Limits{}, &FormatError{
			Entry: `x\..\..\x`, Offset: -1, Problem: "path outside the archive",
		}},
		{"absolute", minimal(textEntry("/etc/passwd", "x")), Limits{}, &FormatError{
			Entry: "/etc/passwd", Offset: -1, Problem: "path outside the archive",
		}},
		{"long path", minimal(textEntry(strings.Repeat("a/", 3000)+"a", "")), Limits{}, &FormatError{
			Entry: strings.Repeat("a/", 2048), Offset: -1, Problem: "path of 6001 bytes",
		}},
		{"symbolic link", minimal(specialEntry(tar.TypeSymlink, "x/nodes/n1/links.json", "/etc/shadow")), Limits{}, &FormatError{
			Entry: "x/nodes/n1/links.json", Offset: -1, Problem: "it is a symbolic link: a bundle has only files",
		}},
		{"hard link", minimal(specialEntry(tar.TypeLink, "x/nodes/n1/links.json", "/etc/shadow")), Limits{}, &FormatError{
			Entry: "x/nodes/n1/links.json", Offset: -1, Problem: "it is a hard link: a bundle has only files",
		}},
		{"device", append(entries{specialEntry(tar.TypeChar, "x/zero", "")}, minimal()...), Limits{}, &FormatError{
			Entry: "x/zero", Offset: -1, Problem: "it is a device: a bundle has only files",
		}},
		{"FIFO", minimal(specialEntry(tar.TypeFifo, "x/p", "")), Limits{}, &FormatError{
			Entry: "x/p", Offset: -1, Problem: "it is a FIFO: a bundle has only files",
		}},
		{"twice", minimal(textEntry("x/./nodes//n1/node.json", `{"name":"n2"}`)), Limits{}, &FormatError{
			Entry: "x/nodes/n1/node.json", Offset: -1, Problem: "it is in the archive twice",
		}},
		{"too many files", ascending(1001), Limits{Files: 1000}, &LimitError{
			Entry: "x/1000", Limit: LimitFiles, Max: 1000, Problem: "too many files",
		}},
		{"large file", minimal(textEntry("x/nodes/a", strings.Repeat("a", 4097))), Limits{FileSize: 4096}, &LimitError{
			Entry: "x/nodes/a", Limit: LimitFileSize, Max: 4096, Problem: "4097 bytes are too many for one file",
		}},
		{"large in all", minimal(textEntry("x/nodes/a", strings.Repeat("a", 8000)), textEntry("x/nodes/b", strings.Repeat("a", 8000))), Limits{TotalSize: 16000}, &LimitError{
			Entry: "x/nodes/b", Limit: LimitTotalSize, Max: 16000, Problem: "it unpacks to too many bytes",
		}},
	} {
		for packed, path := range map[string]string{
			"tar":    onDisk(t, "x", test.entries.tar(t)),
			"tar.gz": onDisk(t, "x", compress(t, test.entries.tar(t))),
		} {
			t.Run(test.name+"/"+packed, func(t *testing.T) {
				snapshot, err := Read(t.Context(), []string{path}, test.limits)
				if snapshot != nil {
					t.Error("there is a snapshot")
				}
				setPath(test.want, path)
				if diff := cmp.Diff(test.want, err, cmpopts.IgnoreFields(FormatError{}, "Err")); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func setPath(err error, path string) {
	switch err := err.(type) {
	case *FormatError:
		err.Path = path
	case *LimitError:
		err.Path = path
	case *VersionError:
		err.Path = path
	}
}

// members is a gzip file whose last member comes n times.
func members(t testing.TB, first, repeated []byte, n int) []byte {
	return append(compress(t, first), bytes.Repeat(compress(t, repeated), n)...)
}

func TestReadBombs(t *testing.T) {
	// The headers alone, without what they claim.
	claims := func(size int64, name string) []byte {
		return minimal(entry{header: tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size}}).tar(t)
	}
	zeros := make([]byte, 1<<20)
	sparse := minimal(entry{header: tar.Header{Typeflag: tar.TypeReg, Name: "x/nodes/s", Format: tar.FormatGNU}}).tar(t)
	block := sparse[len(sparse)-1024-512:][:512]
	block[156] = tar.TypeGNUSparse
	copy(block[483:], "03777777777\x00") // its real size
	copy(block[148:156], "        ")
	sum := 0
	for _, c := range block {
		sum += int(c)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	nulls := `{"status":"read","value":[` + strings.Repeat("null,", 400_000) + `null]}`

	for _, test := range []struct {
		name   string
		data   []byte
		limits Limits
		want   error // without its Path
	}{
		{"10 GB of zeros", members(t, claims(10<<30, "x/nodes/n1/raw/zeros"), zeros, 10_240), Limits{}, &LimitError{
			Entry: "x/nodes/n1/raw/zeros", Limit: LimitFileSize, Max: 512 << 20, Problem: "10737418240 bytes are too many for one file",
		}},
		{"500 MB of zeros", members(t, claims(500<<20, "x/nodes/n1/raw/zeros"), zeros, 500), Limits{}, &LimitError{
			Entry: "x/nodes/n1/raw/zeros", Limit: LimitRatio, Max: 200, Problem: "it unpacks to too many times its size",
		}},
		{"500 MB of zeros that nobody wants", members(t, claims(500<<20, "zeros"), zeros, 500), Limits{}, &LimitError{
			Limit: LimitRatio, Max: 200, Problem: "it unpacks to too many times its size",
		}},
		{"zeros behind the end", members(t, minimal().tar(t), zeros, 10_240), Limits{}, &LimitError{
			Limit: LimitRatio, Max: 200, Problem: "it unpacks to too many times its size",
		}},
		{"a claim in gzip", compress(t, claims(60<<20, "x/nodes/n1/raw/a")), Limits{}, &FormatError{
			Entry: "x/nodes/n1/raw/a", Offset: -1, Problem: "truncated: it should have 62914560 bytes, more than the archive has",
		}},
		{"a claim in tar", claims(500<<20, "x/nodes/n1/raw/a"), Limits{}, &FormatError{
			Entry: "x/nodes/n1/raw/a", Offset: -1, Problem: "truncated: it should have 524288000 bytes, more than the archive has",
		}},
		{"sparse", sparse, Limits{}, &FormatError{Entry: "x/nodes/s", Offset: -1, Problem: "it is a sparse file: a bundle has only files"}},
		{"large out of small JSON", compress(t, minimal(textEntry("x/nodes/n1/links.json", nulls)).tar(t)), Limits{}, &LimitError{
			Entry: "x/nodes/n1/links.json", Limit: LimitRatio, Max: 200, Problem: "its facts take too many bytes of memory for their size",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := onDisk(t, "x", test.data)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			snapshot, err := Read(t.Context(), []string{path}, test.limits)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if snapshot != nil {
				t.Error("there is a snapshot")
			}
			setPath(test.want, path)
			if diff := cmp.Diff(test.want, err, cmpopts.IgnoreFields(FormatError{}, "Err")); diff != "" {
				t.Error(diff)
			}
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d bytes: %v, %d MiB allocated: %v", len(test.data), took, allocated, err)
			if allocated > 40 {
				t.Errorf("%d MiB were allocated", allocated)
			}
		})
	}
}

// A bundle that was cut anywhere is known for it, and so is one with a flipped bit.
func TestReadDamaged(t *testing.T) {
	snapshot := &facts.Snapshot{
		Nodes:  []*facts.Node{{Name: "n1", Host: facts.ReadGroup(facts.Host{Hostname: "n1"}, "uname")}},
		Inputs: []facts.Input{{Kind: "node", Name: "n1", CollectedAt: collected}},
	}
	snapshot.Nodes[0].Host.Raw = []facts.Raw{{Name: "uname", Data: bytes.Repeat([]byte("Linux n1\n"), 100)}}
	packed := readFile(t, writeBundle(t, "x.tar.gz", snapshot, Options{}))
	archive := gunzip(t, packed)
	r := func(data []byte) (*facts.Snapshot, error) {
		return readBytes(t.Context(), data, Limits{})
	}
	damaged := func(t *testing.T, what string, data []byte) {
		t.Helper()
		snapshot, err := r(data)
		if _, ok := errors.AsType[*FormatError](err); !ok || snapshot != nil {
			t.Errorf("%s: got %v", what, err)
		}
	}
	whole, err := r(packed)
	if err != nil {
		t.Fatal(err)
	}
	for n := 2; n < len(packed); n++ {
		damaged(t, fmt.Sprintf("gzip cut to %d bytes", n), packed[:n])
	}
	end := len(archive) - 1024 // from here on it only says that it ends
	for n := 512; n < end-512; n += 8 {
		damaged(t, fmt.Sprintf("tar cut to %d bytes", n), archive[:n])
	}
	for i := range packed {
		if i < 2 || i >= 3 && i < 10 { // the magic; flags, time and system, without a checksum
			continue
		}
		flipped := bytes.Clone(packed)
		flipped[i] ^= 1 << (i % 8)
		// In a text that repeats itself, a copy from elsewhere can be the same.
		if got, err := r(flipped); err != nil || !cmp.Equal(whole, got, same) {
			damaged(t, fmt.Sprintf("a bit of byte %d flipped", i), flipped)
		}
	}
	damaged(t, "garbage behind", append(bytes.Clone(packed), "garbage"...))

	_, err = r(packed[:len(packed)-1]) // only the checksum is cut
	if want := fmt.Sprintf("x: truncated: the archive ends here (byte %d)", len(archive)); fmt.Sprint(err) != want {
		t.Errorf("got %v", err)
	}
	last := bytes.Index(archive, []byte("x/nodes/n1/raw/uname\x00")) // the start of the last header
	_, err = r(archive[:last])
	if want := "x: x/nodes/n1/raw/uname: truncated: 1 of 3 files that the manifest names are missing, this one first"; fmt.Sprint(err) != want {
		t.Errorf("got %v", err)
	}
	_, err = r(archive[:last+512+100])
	if want := "x: x/nodes/n1/raw/uname: truncated: the archive ends here (byte 100)"; fmt.Sprint(err) != want {
		t.Errorf("got %v", err)
	}
}

func TestReadMalformed(t *testing.T) {
	manifest := func(text string) entries { return entries{textEntry("x/manifest.json", text)} }
	node := func(name, text string) entries { return minimal(textEntry("x/nodes/n1/"+name, text)) }
	for _, test := range []struct {
		name    string
		entries entries
		want    string // behind the path
	}{
		{"cut manifest", manifest(`{"format":"netcause-bundle","vers`), `x/manifest.json:1: not the JSON it should be: unexpected end of JSON input (byte 33)`},
		{"no version", manifest(`{"format":"netcause-bundle"}`), `x/manifest.json: there is no version 0 of the format`},
		{"word for version", manifest(`{"format":"netcause-bundle","version":"1"}`), `x/manifest.json:1: not the JSON it should be: json: cannot unmarshal string into Go struct field .version of type int (byte 41)`},
		{"newer", manifest(`{"format":"netcause-bundle","version":7}`), `bundle version 7 is newer than this netcause reads (1): upgrade netcause`},
		{
			"newer, and all else changed",
			append(manifest(`{"format":"netcause-bundle","version":7,"nodes":{},"entries":"none"}`), specialEntry(tar.TypeSymlink, "x/nodes", "y")),
			`bundle version 7 is newer than this netcause reads (1): upgrade netcause`,
		},
		{
			"manifest names what is outside",
			manifest(`{"format":"netcause-bundle","version":1,"entries":[{"name":"../x"}]}`),
			`x/manifest.json: it names the file ../x, which is not one of a bundle, or twice`,
		},
		{"node without name", minimal(textEntry("x/nodes/n2/node.json", "{}")), `x/nodes/n2/node.json: the node has no name`},
		{"node without file", minimal(textEntry("x/nodes/n2/links.json", `{"status":"read"}`)), `x/nodes/n2/node.json: it is missing`},
		{"node twice", minimal(textEntry("x/nodes/n2/node.json", goodNode)), `x/nodes/n2/node.json: node n1 is in x/nodes/n1/node.json too`},
		{"namespace without file", node("netns/a/links.json", `{"status":"read"}`), `x/nodes/n1/netns/a/namespace.json: it is missing`},
		{"namespace without id", node("netns/a/namespace.json", `{}`), `x/nodes/n1/netns/a/namespace.json: the network namespace has no id`},
		{
			"namespace twice",
			append(node("netns/a/namespace.json", `{"id":"a"}`), textEntry("x/nodes/n1/netns/b/namespace.json", `{"id":"a"}`)),
			`x/nodes/n1/netns/b/namespace.json: network namespace a is in x/nodes/n1/netns/a/namespace.json too`,
		},
		{"cluster without file", minimal(textEntry("x/cluster/pods.json", `{"status":"read"}`)), `x/cluster/cluster.json: it is missing`},
		{"no JSON", node("links.json", "links\n"), `x/nodes/n1/links.json:1: not the JSON it should be: invalid character 'l' looking for beginning of value (byte 1)`},
		{
			"bad JSON in line 3",
			node("links.json", "{\"status\":\"read\",\"value\":[\n{},\n{\"ifname\":lo}\n]}\n"),
			`x/nodes/n1/links.json:3: not the JSON it should be: invalid character 'l' looking for beginning of value (byte 42)`,
		},
		{
			"bad type in line 3",
			node("links.json", "{\"status\":\"read\",\"value\":[\n{},\n{\"mtu\":\"1500\"}\n]}\n"),
			`x/nodes/n1/links.json:3: not the JSON it should be: json: cannot unmarshal string into Go struct field Link.value.mtu of type int (byte 44)`,
		},
		{"bad address", node("addresses.json", `{"status":"read","value":[{"local":"10.0.0.999"}]}`), `x/nodes/n1/addresses.json: not the JSON it should be: ParseAddr("10.0.0.999"): IPv4 field has value >255`},
		{"unknown status", node("links.json", `{"status":"guessed"}`), `x/nodes/n1/links.json: not the JSON it should be: unknown status "guessed" of a group of facts`},
		{"no status", node("links.json", `{"value":[]}`), `x/nodes/n1/links.json: it does not say with what status the facts were read`},
		{"null", node("links.json", `null`), `x/nodes/n1/links.json: it does not say with what status the facts were read`},
		{"deep", node("links.json", strings.Repeat("[", 100_000)), `x/nodes/n1/links.json:1: not the JSON it should be: invalid character '[' exceeded max depth (byte 10001)`},
		{"text that is not there", node("links.json", `{"status":"read","raw":[{"name":"a","file":"raw/a"}]}`), `x/nodes/n1/links.json: its text raw/a is not in the bundle`},
		{"text outside", node("links.json", `{"status":"read","raw":[{"name":"a","file":"raw/../../../../../etc/shadow"}]}`), `x/nodes/n1/links.json: its text raw/../../../../../etc/shadow is not in the bundle`},
		{"text that is none", node("links.json", `{"status":"read","raw":[{"name":"a","file":"node.json"}]}`), `x/nodes/n1/links.json: its text node.json is not in the bundle`},
		{"escape in a name", minimal(textEntry("x/nodes/\x1b[2J/node.json", "{")), `"x/nodes/\x1b[2J/node.json":1: not the JSON it should be: unexpected end of JSON input (byte 1)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := onDisk(t, "x.tar.gz", compress(t, test.entries.tar(t)))
			snapshot, err := Read(t.Context(), []string{path}, Limits{})
			if diff := cmp.Diff(path+": "+test.want, fmt.Sprint(err)); diff != "" || snapshot != nil {
				t.Error(diff)
			}
			_, isFormat := errors.AsType[*FormatError](err)
			_, isVersion := errors.AsType[*VersionError](err)
			if !isFormat && !isVersion {
				t.Errorf("the error is a %T", err)
			}
		})
	}
}

func TestReadNotBundle(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	other := entries{
		textEntry("sos/version.txt", "sosreport (version 4.0)"), specialEntry(tar.TypeSymlink, "sos/ip_addr", "sos_commands/ip"),
		textEntry("sos/manifest.json", `[{"Config":"x"}]`),
	}.tar(t)
	const (
		tars = ": no bundle of a known format: it is no tar archive, compressed or not, and no output that is known"
		none = ": no bundle of a known format: there is no tar archive in the compressed file"
	)
	read := ": no bundle of a known format: read are " + knownFormats()
	for _, test := range []struct{ name, path, want string }{
		{"text", onDisk(t, "x.tar.gz", []byte(strings.Repeat("a letter\n", 1000))), tars},
		{"nothing", onDisk(t, "x.tar.gz", nil), tars},
		{"text in gzip", onDisk(t, "x.tar.gz", compress(t, []byte(strings.Repeat("*nat\n", 1000)))), none},
		{"short text in gzip", onDisk(t, "x.tar.gz", compress(t, []byte("*nat\n"))), none},
		{"nothing in gzip", onDisk(t, "x.tar.gz", compress(t, nil)), read},
		{"empty archive", onDisk(t, "x.tar.gz", compress(t, entries{}.tar(t))), read},
		{"other archive", onDisk(t, "x.tar.gz", compress(t, other)), read},
		{"other tar", onDisk(t, "x.tar", other), read},
		{"folder", t.TempDir(), read},
		{"FIFO", fifo, ": no bundle of a known format: it is no file or folder"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Read(t.Context(), []string{test.path}, Limits{})
			if diff := cmp.Diff(test.path+test.want, fmt.Sprint(err)); diff != "" || !errors.Is(err, ErrNotBundle) {
				t.Error(diff)
			}
		})
	}
}

func TestReadChecksum(t *testing.T) {
	bundle := onDisk(t, "x.tar", minimal().tar(t))
	sum := bundle + ".sha256"
	if err := os.WriteFile(sum, []byte("357134c628eb71ca7e3efe96d80e50bd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, files, err := ReadFiles(t.Context(), []string{bundle, sum}, Limits{})
	if err != nil || !slices.ContainsFunc(files, func(f File) bool { return f.Bundle == sum && f.PassedOver != "" }) {
		t.Errorf("%v, %+v", err, files)
	}
	if _, err := Read(t.Context(), []string{sum}, Limits{}); !errors.Is(err, ErrNotBundle) {
		t.Errorf("without its file: %v", err)
	}
}

func TestReadFolder(t *testing.T) {
	unpacked := func(t *testing.T) string {
		dir := t.TempDir()
		unpackTo(t, dir, minimal().tar(t))
		return filepath.Join(dir, "x")
	}
	for _, test := range []struct {
		name   string
		make   func(path string) error
		limits Limits
		want   string
	}{
		{"link", func(path string) error { return os.Symlink("/etc/passwd", path) }, Limits{}, ": nodes/n1/a: it is a symbolic link: a bundle has only files"},
		{"FIFO", func(path string) error { return unix.Mkfifo(path, 0o600) }, Limits{}, ": nodes/n1/a: it is a FIFO: a bundle has only files"},
		{"too many files", func(path string) error { return os.Mkdir(path, 0o700) }, Limits{Files: 5}, ": nodes/n1/node.json: too many files: the limit is 5, --max-files raises it"},
		{"large file", func(string) error { return nil }, Limits{FileSize: 20}, ": manifest.json: 56 bytes are too many for one file: the limit is 20, --max-file-size raises it"},
		{"large in all", func(path string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), "links.json"), make([]byte, 400), 0o600)
		}, Limits{TotalSize: 450}, ": nodes/n1/links.json: it unpacks to too many bytes: the limit is 450, --max-total-size raises it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := unpacked(t)
			if err := test.make(filepath.Join(dir, "nodes/n1/a")); err != nil {
				t.Fatal(err)
			}
			_, err := Read(t.Context(), []string{dir}, test.limits)
			if diff := cmp.Diff(dir+test.want, fmt.Sprint(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	cancel(reason)
	dir := t.TempDir()
	unpackTo(t, dir, minimal().tar(t))
	for _, path := range []string{
		dir, onDisk(t, "x.tar", minimal().tar(t)), onDisk(t, "x.tar.gz", compress(t, minimal().tar(t))),
	} {
		if snapshot, err := Read(ctx, []string{path}, Limits{}); !errors.Is(err, reason) || snapshot != nil {
			t.Errorf("got %v", err)
		}
	}
}

func TestLimitsOverAllBundles(t *testing.T) {
	path := onDisk(t, "x.tar", minimal().tar(t))
	if _, err := Read(t.Context(), []string{path, path, path}, Limits{Files: 6}); err != nil {
		t.Error(err)
	}
	for _, limits := range []Limits{{Files: 5}, {TotalSize: 3*int64(len(goodManifest)+len(goodNode)) - 1}} {
		if _, err := Read(t.Context(), []string{path, path, path}, limits); !errors.As(err, new(*LimitError)) {
			t.Errorf("%+v: got %v", limits, err)
		}
	}
}

func TestCountJSON(t *testing.T) {
	for _, test := range []struct {
		text string
		want jsonCount
	}{
		{``, jsonCount{}},
		{`1`, jsonCount{}},
		{`[]`, jsonCount{}},
		{` [ ] `, jsonCount{}},
		{`[1, 23,null]`, jsonCount{inner: 3}},
		{`{"status":"read","sources":["a"],"value":[ {"b":["c","]},[\"\\"]},[],[[]]]}`, jsonCount{outer: 4, inner: 3, members: 4}},
		{`{"value":{"a":{},"b":{"c":[]}}}`, jsonCount{members: 4}},
		{`["a,b\\",",\","]`, jsonCount{inner: 2}},
		{`[[[`, jsonCount{inner: 1, outer: 1}},
		{`]]},"`, jsonCount{}},
		{strings.Repeat("[", 20_000), jsonCount{outer: 1, inner: 9999}},
	} {
		if diff := cmp.Diff(test.want, countJSON([]byte(test.text)), cmp.AllowUnexported(jsonCount{})); diff != "" {
			t.Errorf("%.50s: %s", test.text, diff)
		}
	}
}

// A listing is kept in memory once: room for it is made when its header is read, and nothing is copied after.
func TestReadMakesNoCopies(t *testing.T) {
	var listing bytes.Buffer
	for i := range 50_000 {
		fmt.Fprintf(&listing, "[%d:%d] -A KUBE-SVC-%08X -m comment --comment \"default/svc\" -j KUBE-SEP-%08X\n", i, i*60, i*7919, i*104729)
	}
	node := &facts.Node{Name: "n1", NetNS: facts.NetNS{IPTablesNFT: facts.ReadGroup(facts.Listing{Format: "iptables-save"})}}
	node.IPTablesNFT.Raw = []facts.Raw{{Name: "iptables-nft-save_-c", Data: listing.Bytes()}}
	packed := writeBundle(t, "x.tar.gz", &facts.Snapshot{Nodes: []*facts.Node{node}}, Options{})
	archive := onDisk(t, "x.tar", gunzip(t, readFile(t, packed)))
	folder := t.TempDir()
	unpackTo(t, folder, readFile(t, archive))

	for _, path := range []string{packed, archive, folder} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := read(t, path)
		runtime.ReadMemStats(&after)
		text := facts.Text(&got.Nodes[0].IPTablesNFT)
		if !bytes.Equal(text, listing.Bytes()) {
			t.Errorf("%s: the listing is not what it was", path)
		}
		if extra := int(after.TotalAlloc-before.TotalAlloc) - len(text); extra > 2<<20 {
			t.Errorf("%s: %d bytes were allocated beside a listing of %d", path, extra, len(text))
		}
	}
}
