package bundle

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

func TestIsObjectName(t *testing.T) {
	for name, want := range map[string]bool{
		"": true, "web": true, "1234": true, "ip-10-0-1-5.eu-west-1.compute.internal": true, "POD.18eb25b29c08c0aa": true, "knp.default.x": true, "system:node": true,
		"web;reboot": false, "web\nreboot": false, "$(reboot)": false, "`reboot`": false, "web x": false, "--all": false, "a'b": false, "a\"b": false, "a|b": false, "wéb": false,
	} {
		if got := isObjectName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// What no API server takes for a name is in no command that a diagnosis prints: other tools' bundles and netcause's own.
func TestMisnamedObjectsAreLeftOut(t *testing.T) {
	list := `{"apiVersion":"v1","kind":"List","items":[
		{"apiVersion":"v1","kind":"Service","metadata":{"name":"web;\nreboot","namespace":"kube-system"}},
		{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"kube-system"}},
		{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"$(reboot)"}},
		{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"kube-system"},"spec":{"nodeName":"--all"}}]}`
	check := func(s *facts.Snapshot) {
		t.Helper()
		if c := s.Cluster; len(c.Services.Value) != 1 || c.Services.Value[0].Metadata.Name != "web" || len(c.Pods.Value) != 0 {
			t.Errorf("%+v, %+v", c.Services.Value, c.Pods.Value)
		}
		if p := s.Inputs[0].Problem; !strings.Contains(p, "objects of names that no API server takes are left out") || !strings.Contains(p, "web;\\nreboot") {
			t.Errorf("problem %q", p)
		}
	}
	check(read(t, folderOf(t, map[string]string{"objects.json": list})))

	c := &facts.Cluster{Services: facts.ReadGroup([]facts.Service{
		{Metadata: facts.ObjectMeta{Name: "web;\nreboot", Namespace: "kube-system"}}, {Metadata: facts.ObjectMeta{Name: "web", Namespace: "kube-system"}},
	})}
	path := filepath.Join(t.TempDir(), "own.tar.gz")
	if err := Write(t.Context(), path, &facts.Snapshot{Cluster: c}, Options{}); err != nil {
		t.Fatal(err)
	}
	check(read(t, path))
}
