package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/netcause/netcause/engine/facts"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// writeBundle writes a snapshot below the test's folder.
func writeBundle(t testing.TB, name string, snapshot *facts.Snapshot, options Options) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := Write(t.Context(), path, snapshot, options); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// gunzip is data without its compression.
func gunzip(t testing.TB, data []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return unpacked
}

func TestWriteLayout(t *testing.T) {
	node := &facts.Node{Name: "n1", Host: facts.ReadGroup(facts.Host{Hostname: "n1", Kernel: "6.1.0"}, "uname -r")}
	node.Links = facts.ReadGroup([]facts.Link{{Ifname: "lo", MTU: 65536}, {Ifname: "eth0", MTU: 1500}}, "ip -d link")
	node.Sysctls = facts.ReadGroup(map[string]facts.Sysctl{"net.ipv4.ip_forward": {Value: "0"}, "a": {Value: "<1>"}})
	node.ResolvConf = facts.Unread[facts.ResolvConf](facts.Denied, "read /etc/resolv.conf")
	node.ResolvConf.Raw = []facts.Raw{{Name: "etc/resolv.conf", Data: []byte("nameserver 10.96.0.10\n")}}
	node.Namespaces = []*facts.Namespace{{ID: "cni-1", Pod: &facts.PodReference{Namespace: "default", Name: "cli"}}}
	node.Namespaces[0].Addresses = facts.ReadGroup([]facts.Address{})
	snapshot := &facts.Snapshot{
		Nodes: []*facts.Node{node}, Cluster: &facts.Cluster{Server: "https://10.0.0.1"},
		Symptoms: []string{"dns-failure"},
		Inputs:   []facts.Input{{Kind: "node", Name: "n1", CollectedAt: collected}},
	}
	path := writeBundle(t, "incident.tar.gz", snapshot, Options{Tool: "v0.1.0"})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}

	var got strings.Builder
	archive := tar.NewReader(bytes.NewReader(gunzip(t, readFile(t, path))))
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Mode != 0o600 || !header.ModTime.Equal(collected.Truncate(time.Second)) {
			t.Errorf("%s: mode %o, time %v", header.Name, header.Mode, header.ModTime)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(header.Name, ".json") && !json.Valid(text) {
			t.Errorf("%s is not JSON", header.Name)
		}
		got.WriteString("-- " + header.Name + " --\n")
		got.Write(text)
	}
	golden := filepath.Join("testdata", "layout.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(readFile(t, golden)), got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWriteIsDeterministic(t *testing.T) {
	options := Options{Tool: "v0.1.0", CollectedAt: collected}
	first := readFile(t, writeBundle(t, "incident.tar.gz", richSnapshot(), options))
	for range 5 {
		if again := readFile(t, writeBundle(t, "incident.tar.gz", richSnapshot(), options)); !bytes.Equal(first, again) {
			t.Fatal("the same snapshot gave other bytes")
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	unencodable := facts.ReadGroup([]facts.Service{{Spec: facts.ServiceSpec{Ports: []facts.ServicePort{{TargetPort: func() {}}}}}})
	for _, test := range []struct {
		name     string
		snapshot *facts.Snapshot
		want     string
	}{
		{"no snapshot", nil, "there is no snapshot"},
		{"no name", &facts.Snapshot{Nodes: []*facts.Node{{}}}, "a node of the snapshot has no name"},
		{"nil node", &facts.Snapshot{Nodes: []*facts.Node{nil}}, "a node of the snapshot has no name"},
		{"node twice", &facts.Snapshot{Nodes: []*facts.Node{{Name: "n1"}, {Name: "n1"}}}, `node "n1" is in the snapshot twice`},
		{
			"namespace without id",
			&facts.Snapshot{Nodes: []*facts.Node{{Name: "n1", Namespaces: []*facts.Namespace{{}}}}},
			`a network namespace of node "n1" has no id`,
		},
		{
			"namespace twice",
			&facts.Snapshot{Nodes: []*facts.Node{{Name: "n1", Namespaces: []*facts.Namespace{{ID: "a"}, {ID: "a"}}}}},
			`network namespace "a" of node "n1" is in the snapshot twice`,
		},
		{"no JSON", &facts.Snapshot{Cluster: &facts.Cluster{Services: unencodable}}, "cluster/services.json: json: unsupported type: func()"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.tar.gz")
			err := Write(t.Context(), path, test.snapshot, Options{})
			if want := "write bundle " + path + ": " + test.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			nothingIn(t, filepath.Dir(path))
		})
	}
}

func nothingIn(t *testing.T, dir string, but ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if diff := cmp.Diff(but, names); diff != "" {
		t.Error(diff)
	}
}

func TestWriteKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.tar.gz")
	if err := os.WriteFile(path, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	snapshot := &facts.Snapshot{Nodes: []*facts.Node{{Name: "n1"}}}
	if err := Write(t.Context(), path, snapshot, Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	// One that comes to be there between the look and the end is kept as well.
	part := path + ".part"
	if err := os.WriteFile(part, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := publish(part, path, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got := readFile(t, path); string(got) != "precious" {
		t.Errorf("the file is %q now", got)
	}
	if err := os.Remove(part); err != nil {
		t.Fatal(err)
	}

	if err := Write(t.Context(), path, snapshot, Options{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Read(t.Context(), []string{path}, Limits{}); err != nil {
		t.Error(err)
	}
	nothingIn(t, filepath.Dir(path), "x.tar.gz")

	if err := Write(t.Context(), t.TempDir(), snapshot, Options{Overwrite: true}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder was overwritten: %v", err)
	}
	if err := Write(t.Context(), filepath.Join(path, "y.tar.gz"), snapshot, Options{}); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// cancelling ends a context while it is read.
type cancelling struct {
	cancel context.CancelFunc
	r      io.Reader
}

func (c cancelling) Read(p []byte) (int, error) {
	c.cancel()
	return c.r.Read(p)
}

func TestWriteCancelled(t *testing.T) {
	snapshot := richSnapshot()
	snapshot.Nodes[0].IPTablesNFT = facts.ReadGroup(facts.Listing{Format: "iptables-save"})
	snapshot.Nodes[0].IPTablesNFT.Raw = []facts.Raw{{Name: "iptables-nft-save", Data: make([]byte, 4<<20)}}
	path := filepath.Join(t.TempDir(), "x.tar.gz")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, path, snapshot, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	nothingIn(t, filepath.Dir(path))

	ctx, cancel = context.WithCancel(t.Context())
	r := contextReader{ctx, cancelling{cancel, bytes.NewReader(make([]byte, 1<<20))}}
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) || n == 0 || n == 1<<20 {
		t.Errorf("read %d: %v", n, err)
	}
}

func TestSafeNames(t *testing.T) {
	long := strings.Repeat("a/", 500)
	for _, test := range []struct{ name, want string }{
		{"etc/resolv.conf", "etc/resolv.conf"},
		{"/etc//resolv.conf", "etc/resolv.conf"},
		{"iptables-nft-save_-c", "iptables-nft-save_-c"},
		{"../../etc/passwd", "%2E./%2E./etc/passwd"},
		{".", "%2E"},
		{"", "_"},
		{"/", "_"},
		{"-rf", "%2Drf"},
		{`a\b:c*"<>|%`, "a%5Cb%3Ac%2A%22%3C%3E%7C%25"},
		{"a\x00\n\x1b[31m", "a%00%0A%1B%5B31m"},
		{"é", "%C3%A9"},
	} {
		if got := safePath(test.name); got != test.want {
			t.Errorf("%q: got %q, want %q", test.name, got, test.want)
		}
	}
	if a, b := safePath(long), safePath(long+"b"); len(a) != longestComponent || a == b {
		t.Errorf("got %q and %q", a, b)
	}
	if a, b := safeComponent(strings.Repeat("é", 99)), safeComponent(strings.Repeat("é", 98)); len(a) != longestComponent || a == b {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestTopFolder(t *testing.T) {
	for path, want := range map[string]string{
		"/a/incident-1.tar.gz": "incident-1", "x": "x", "..tar.gz": "_", ".hidden.tar.gz": "hidden", "a b.tar.gz": "a%20b",
	} {
		if got := topFolder(path); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}
