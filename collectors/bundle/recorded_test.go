package bundle

import (
	"archive/tar"
	"bytes"
	"cmp"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/engine/facts"
)

const healthy = "testdata/flannel-cluster-healthy.tar.gz"

// What sos and kubectl wrote of a cluster of two nodes is all there.
func TestReadRecorded(t *testing.T) {
	snapshot, files, err := ReadFiles(t.Context(), []string{healthy}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Unparsed > 0 {
			t.Errorf("%s: %d lines were not understood, %s", f.Name, f.Unparsed, f.FirstUnparsed)
		}
	}
	for _, input := range snapshot.Inputs {
		if input.Problem != "" {
			t.Errorf("%s: %s", input.Name, input.Problem)
		}
	}
	if names := []string{snapshot.Nodes[0].Name, snapshot.Nodes[1].Name}; !slices.Equal(names, []string{"n1", "n2"}) || len(snapshot.Nodes) != 2 {
		t.Fatalf("the nodes are %v", names)
	}
	n1 := snapshot.Nodes[0]
	status := map[string]facts.Status{}
	for _, g := range slices.Concat(n1.Groups(), n1.NetNS.Groups()) {
		status[g.Name] = g.Group.GetMeta().Status
	}
	read := []string{
		"host", "namespaces", "links", "addresses", "routes", "rules", "neighbours", "fdb", "sysctls", "listeners", "conntrack", "conntrack_entries",
		"nftables", "iptables_legacy", "ip6tables_legacy",
	}
	for name, got := range status {
		want := facts.Absent
		if slices.Contains(read, name) {
			want = facts.Read
		}
		if got != want && name != "iptables_nft" && name != "ip6tables_nft" {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	counts := map[string]int{
		"links": len(n1.Links.Value), "addresses": len(n1.Addresses.Value), "routes": len(n1.Routes.Value), "rules": len(n1.Rules.Value),
		"neighbours": len(n1.Neighbours.Value), "fdb": len(n1.FDB.Value), "listeners": len(n1.Listeners.Value), "namespaces": len(n1.Namespaces),
	}
	want := map[string]int{"links": 6, "addresses": 10, "routes": 28, "rules": 5, "neighbours": 18, "fdb": 20, "listeners": 3, "namespaces": 2}
	if diff := gocmp.Diff(want, counts); diff != "" {
		t.Error(diff)
	}
	i := slices.IndexFunc(n1.Links.Value, func(l facts.Link) bool { return l.Ifname == "flannel.1" })
	vxlan := &facts.VXLAN{ID: 1, Local: netip.MustParseAddr("10.153.204.15"), Port: 8472, Link: "enp26s0f0"}
	if diff := gocmp.Diff(vxlan, n1.Links.Value[i].VXLAN, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
	if n1.Links.Value[i].Source != "healthy/sosreport-n1/sos_commands/networking/ip_-s_-d_link:14" {
		t.Errorf("the source is %s", n1.Links.Value[i].Source)
	}
	for _, ns := range n1.Namespaces {
		if ns.Pod == nil || ns.Pod.Name != ns.ID || ns.Routes.Status != facts.Read || ns.Links.Status != facts.Read {
			t.Errorf("namespace %s: %+v, routes %v, links %v", ns.ID, ns.Pod, ns.Routes.Status, ns.Links.Status)
		}
	}
	c := snapshot.Cluster
	for _, g := range c.Groups() {
		want := facts.Read
		if g.Name == "namespaces" || g.Name == "statefulsets" || g.Name == "otherpolicies" || g.Name == "version" {
			want = facts.Absent
		}
		if got := g.Group.GetMeta(); got.Status != want {
			t.Errorf("cluster.%s is %v: %s", g.Name, got.Status, got.Reason)
		}
	}
	if len(c.Nodes.Value) != 2 || len(c.Pods.Value) != 4 || len(c.Services.Value) != 4 || len(c.EndpointSlices.Value) != 4 {
		t.Errorf("%d nodes, %d pods, %d services, %d slices", len(c.Nodes.Value), len(c.Pods.Value), len(c.Services.Value), len(c.EndpointSlices.Value))
	}
}

func TestReadRecordedFaults(t *testing.T) {
	off := read(t, "testdata/flannel-cluster-ip-forward-off.tar.gz").Nodes[0]
	if s := off.Sysctls.Value["net.ipv4.ip_forward"]; s.Value != "0" || !strings.HasPrefix(string(s.Source), "ip-forward-off/sosreport-n1/sos_commands/kernel/sysctl_-a:") {
		t.Errorf("%+v", s)
	}
	missing := read(t, "testdata/flannel-cluster-route-missing.tar.gz").Nodes[0]
	if slices.ContainsFunc(missing.Routes.Value, func(r facts.Route) bool { return r.Dst == netip.MustParsePrefix("10.233.65.0/24") }) {
		t.Error("n1 has the route")
	}
}

// comparable is a snapshot as the files of netcause's bundle, without where it was read and what its folder is called.
func comparable(t *testing.T, snapshot *facts.Snapshot) map[string]string {
	t.Helper()
	other := *snapshot
	other.Inputs = nil
	texts := layOutText(t, &other)
	for name := range texts {
		if name == manifestName || strings.Contains(name, "/raw/") {
			delete(texts, name)
		}
	}
	return texts
}

func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	nettest.NeedTool(t, name)
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

// However it is packed, a bundle holds the same facts.
func TestReadRepackedRecorded(t *testing.T) {
	want := comparable(t, read(t, healthy))
	archive := gunzip(t, readFile(t, healthy))
	pack := func(name string, data []byte) []byte {
		return entries{textEntry("case/notes.txt", "a letter"), textEntry("case/attachments/"+name, string(data))}.tar(t)
	}
	for name, path := range map[string]func(t *testing.T) string{
		"tar":     func(t *testing.T) string { return onDisk(t, "x", archive) },
		"tar.xz":  func(t *testing.T) string { return onDisk(t, "x", run(t, archive, "xz", "-c")) },
		"tar.zst": func(t *testing.T) string { return onDisk(t, "x", run(t, archive, "zstd", "-c", "-")) },
		"tar.bz2": func(t *testing.T) string { return onDisk(t, "x", run(t, archive, "bzip2", "-c")) },
		"in another": func(t *testing.T) string {
			return onDisk(t, "x", compress(t, pack("x.tar.gz", readFile(t, healthy))))
		},
		"in a folder's folder": func(t *testing.T) string {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "a/b/x"), readFile(t, healthy), 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		},
		"folder": func(t *testing.T) string {
			dir := t.TempDir()
			run(t, archive, "tar", "xf", "-", "-C", dir)
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := gocmp.Diff(want, comparable(t, read(t, path(t)))); diff != "" {
				t.Error(diff)
			}
		})
	}

	three := onDisk(t, "x", pack("y.tar", pack("x.tar.gz", readFile(t, healthy))))
	_, files, err := ReadFiles(t.Context(), []string{three, healthy}, Limits{})
	if err == nil {
		t.Errorf("nothing of the archive was of use, and there is no error: %+v", files)
	}
}

// untar is an archive's files.
func untar(t testing.TB, archive []byte) entries {
	t.Helper()
	var all entries
	r := tar.NewReader(bytes.NewReader(archive))
	for header, err := r.Next(); err == nil; header, err = r.Next() {
		var text bytes.Buffer
		if _, err := text.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			all = append(all, textEntry(header.Name, text.String()))
		}
	}
	return all
}

// each cuts an archive into one for each folder of it at the second level.
func each(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	parts := map[string]entries{}
	for _, e := range untar(t, archive) {
		if folders := strings.SplitN(e.header.Name, "/", 3); len(folders) == 3 {
			parts[folders[1]] = append(parts[folders[1]], e)
		}
	}
	archives := map[string][]byte{}
	for name, part := range parts {
		archives[name] = compress(t, part.tar(t))
	}
	return archives
}

// A fleet of archives, each in a folder of its own, is one incident, in whatever order they are named.
func TestReadFleet(t *testing.T) {
	want := comparable(t, read(t, healthy))
	parts := each(t, gunzip(t, readFile(t, healthy)))
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	dir := t.TempDir()
	var paths []string
	for name, data := range parts {
		path := filepath.Join(dir, name, "attachment")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	if diff := gocmp.Diff(want, comparable(t, read(t, dir))); diff != "" {
		t.Error(diff)
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Compare(b, a) })
	got := read(t, paths...)
	slices.SortFunc(got.Nodes, func(a, b *facts.Node) int { return cmp.Compare(a.Name, b.Name) })
	if diff := gocmp.Diff(want, comparable(t, got)); diff != "" {
		t.Error(diff)
	}
}

// A cut archive gives what stands before the cut, and says that it is cut.
func TestReadCutRecorded(t *testing.T) {
	packed := readFile(t, healthy)
	archive := gunzip(t, packed)
	for name, data := range map[string][]byte{
		"tar.gz": packed[:len(packed)*3/4], "tar": archive[:len(archive)*3/4], "tar.xz": nil, "tar.zst": nil,
	} {
		t.Run(name, func(t *testing.T) {
			switch name {
			case "tar.xz":
				whole := run(t, archive, "xz", "-c", "--block-size=100000")
				data = whole[:len(whole)*3/4]
			case "tar.zst":
				whole := run(t, archive, "zstd", "-c", "-")
				data = whole[:len(whole)*3/4]
			}
			path := onDisk(t, "x", data)
			snapshot := read(t, path)
			if len(snapshot.Nodes) == 0 {
				t.Fatal("there are no nodes")
			}
			said := false
			for _, input := range snapshot.Inputs {
				said = said || strings.Contains(input.Problem, "truncated") && strings.HasPrefix(input.Name, path)
			}
			if !said {
				t.Errorf("nothing says that it was cut: %+v", snapshot.Inputs)
			}
		})
	}
}

// A file beyond a limit is left out and named; the others are read.
func TestReadLargeFileAmongOthers(t *testing.T) {
	snapshot := read(t, healthy)
	size := int64(len(facts.Text(&snapshot.Nodes[0].NFTables)))
	limited, err := Read(t.Context(), []string{healthy}, Limits{FileSize: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	if limited.Nodes[0].Sysctls.Status != facts.Absent || limited.Nodes[0].Routes.Status != facts.Read || size > 20_000 {
		t.Errorf("sysctls %v, routes %v", limited.Nodes[0].Sysctls.Status, limited.Nodes[0].Routes.Status)
	}
	if !slices.ContainsFunc(limited.Inputs, func(i facts.Input) bool {
		return strings.Contains(i.Problem, "sysctl_-a: ") && strings.Contains(i.Problem, "--max-file-size raises it")
	}) {
		t.Errorf("%+v", limited.Inputs)
	}
}
