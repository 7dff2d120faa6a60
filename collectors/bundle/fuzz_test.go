package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

// FuzzRead reads any bytes as a bundle. What it takes for one must survive writing and reading again.
func FuzzRead(f *testing.F) {
	small := minimal(
		textEntry("x/nodes/n1/links.json", `{"status":"read","raw":[{"name":"ip link","file":"raw/a"}],"value":[{"ifname":"lo"}]}`),
		textEntry("x/nodes/n1/raw/a", "1: lo"),
		textEntry("x/nodes/n1/netns/a/namespace.json", `{"id":"a"}`),
		textEntry("x/nodes/n1/netns/a/sysctls.json", `{"status":"read","value":{"a":{"value":"1"}}}`),
		textEntry("x/cluster/cluster.json", `{}`),
		textEntry("x/cluster/services.json", `{"status":"denied","value":[{"spec":{"ports":[{"targetPort":"http"}]}}]}`),
	).tar(f)
	f.Add(small)
	f.Add(compress(f, small))
	f.Add(compress(f, small)[:200])
	f.Add(append(compress(f, small[:512]), compress(f, small[512:])...))
	f.Add(minimal(specialEntry(tar.TypeSymlink, "x/nodes/n1/links.json", "/etc/passwd")).tar(f))
	f.Add(minimal(textEntry("../x", "")).tar(f))
	f.Add(minimal(textEntry(strings.Repeat("long/", 60)+"a", "")).tar(f)[:1024])
	f.Add([]byte("*nat\nCOMMIT\n"))

	f.Fuzz(readAnything)
}

// FuzzReadEntry puts any entry into a good bundle: bytes that were changed at random seldom get past a tar header.
func FuzzReadEntry(f *testing.F) {
	f.Add("x/nodes/n1/links.json", `{"status":"read","value":[{"ifname":"lo","mtu":65536,"vxlan":{"id":1,"local":"10.0.0.1"}},null]}`)
	f.Add("x/nodes/n1/routes.json", `{"status":"failed","reason":"a","sources":["ip route"],"value":[{"dst":"0.0.0.0/0","nexthops":[{}]}]}`)
	f.Add("x/nodes/n1/sysctls.json", `{"status":"read","value":{"net.ipv4.ip_forward":{"value":"1"}}}`)
	f.Add("x/nodes/n1/cni.json", `{"status":"read","value":{"dir":"/","files":[{"plugins":[{"type": [ 1.0, "<a>" ]}]}]}}`)
	f.Add("x/nodes/n1/host.json", `{"status":"read","raw":[{"name":"a","file":"raw/a"}],"value":{"os_release":{"ID":"debian"}}}`)
	f.Add("x/nodes/n1/netns/a/namespace.json", `{"id":"a","pod":{"namespace":"default","name":"cli"}}`)
	f.Add("x/nodes/n2/node.json", `{"name":"n2"}`)
	f.Add("x/nodes/n1/raw/a", "text")
	f.Add("x/cluster/cluster.json", `{"server":"https://10.0.0.1"}`)
	f.Add("y/manifest.json", goodManifest)
	f.Add("../x", "")
	f.Fuzz(func(t *testing.T, name, text string) {
		header := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text))}
		if err := tar.NewWriter(io.Discard).WriteHeader(&header); err != nil {
			t.Skip("no tar archive has such a name")
		}
		readAnything(t, minimal(entry{header, text}).tar(t))
	})
}

func readAnything(t *testing.T, data []byte) {
	limits := Limits{FileSize: 1 << 20, TotalSize: 4 << 20, Files: 500, Ratio: 50}
	snapshot, err := readBytes(t.Context(), data, limits)
	if err != nil {
		if snapshot != nil {
			t.Fatal("there are an error and a snapshot")
		}
		if !errors.Is(err, ErrNotBundle) && !errors.As(err, new(*FormatError)) &&
			!errors.As(err, new(*LimitError)) && !errors.As(err, new(*VersionError)) {
			t.Fatalf("an error without a type: %v", err)
		}
		return
	}
	files, err := layOut(snapshot, Options{})
	if err != nil {
		t.Fatalf("what was read is not written: %v", err)
	}
	var b bytes.Buffer
	if err := pack(t.Context(), &b, "x", files, time.Time{}); err != nil {
		t.Fatal(err)
	}
	again, err := readBytes(t.Context(), b.Bytes(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	again.Inputs = again.Inputs[1:] // the new bundle's
	if diff := cmp.Diff(layOutText(t, snapshot), layOutText(t, again)); diff != "" {
		t.Error(diff)
	}
}

// layOutText is a snapshot as the files of its bundle: in memory there is more than one form of the same JSON.
func layOutText(t *testing.T, snapshot *facts.Snapshot) map[string]string {
	t.Helper()
	files, err := layOut(snapshot, Options{CollectedAt: collected})
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range files {
		texts[file.name] = string(file.data)
	}
	return texts
}
