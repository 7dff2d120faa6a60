package redact

import (
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

func TestMisspeltSelector(t *testing.T) {
	for _, tt := range []struct {
		selected, has string
		near          bool
	}{
		{"wbe", "web", true},
		{"payment-api", "payments-api", true},
		{"kube-dnss", "kube-dns", true},
		{"web-1", "web-2", false},
		{"cart", "shop", false},
		{"ab", "ba", false},
		{"web", "web", false},
	} {
		s := &facts.Snapshot{Cluster: &facts.Cluster{}}
		s.Cluster.Services = facts.ReadGroup([]facts.Service{{
			Metadata: facts.ObjectMeta{Name: "front-door", Namespace: "default"}, Spec: facts.ServiceSpec{Selector: map[string]string{"app": tt.selected}},
		}})
		s.Cluster.Pods = facts.ReadGroup([]facts.Pod{{Metadata: facts.ObjectMeta{Name: "p-0", Namespace: "default", Labels: map[string]string{"app": tt.has}}}})
		n := newNames(nil)
		n.noteSnapshot(s)
		n.settle()
		selected, _ := n.replace(tt.selected, true)
		has, _ := n.replace(tt.has, true)
		if near := nearlySame(selected, has); near != tt.near || (selected == has) != (tt.selected == tt.has) {
			t.Errorf("%s and %s became %s and %s", tt.selected, tt.has, selected, has)
		}
		if selected == tt.selected {
			t.Errorf("%s stayed", selected)
		}
	}
}

// TestKindsAreFar keeps what stands for different names from being taken for misspellings of each other.
func TestKindsAreFar(t *testing.T) {
	kinds := []kind{aNode, aNamespace, aService, aWorkload, aPod, aValue, aZone, aPort, aName, aWord}
	for _, a := range kinds {
		for _, b := range kinds {
			for _, number := range []string{"-1", "-10", "-100", "-1000"} {
				if nearlySame(string(a)+number, string(b)+number) {
					t.Errorf("%s and %s are nearly the same", a, b)
				}
			}
		}
	}
}
