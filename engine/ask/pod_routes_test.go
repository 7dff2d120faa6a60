package ask

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func TestAskPodRoutes(t *testing.T) {
	object := func(name string, cidrs ...string) facts.NodeObject {
		return facts.NodeObject{Metadata: facts.ObjectMeta{Name: name}, Spec: facts.NodeSpec{PodCIDRs: cidrs}}
	}
	route := func(dst, via, kind string, metric int) facts.Route {
		r := facts.Route{Type: kind, Dst: netip.MustParsePrefix(dst), Dev: "flannel.1", Metric: metric, Table: facts.TableMain, Family: "inet"}
		if via != "" {
			r.Via = netip.MustParseAddr(via)
		}
		return r
	}
	n1, n2 := &facts.Node{Name: "n1"}, &facts.Node{Name: "n2"}
	n1.Routes = facts.ReadGroup([]facts.Route{
		route("10.244.1.0/24", "", "unicast", 0), // its own bridge
		route("10.244.2.0/24", "10.244.2.0", "unicast", 0),
		route("10.244.3.0/24", "10.244.3.0", "unicast", 100),
		route("10.244.3.0/24", "", "blackhole", 0), // which is taken first
		route("10.244.0.0/16", "192.0.2.9", "unicast", 0),
	})
	n2.Routes = facts.ReadGroup([]facts.Route{route("0.0.0.0/0", "192.0.2.254", "unicast", 0)})
	in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{n1, n2}, Cluster: &facts.Cluster{Nodes: facts.ReadGroup([]facts.NodeObject{
		object("n1", "10.244.1.0/24"), object("n2", "10.244.2.0/24", "fd00:2::/64"), object("n3", "10.244.3.0/24"), object("n4", "10.244.4.0/24"),
	})}})
	for _, c := range []struct {
		node, own, others string
		exact             []string
	}{
		{"n1", "10.244.2.0/24", "", []string{"10.244.2.0/24"}},
		{"n2", "", "10.244.2.0/24", []string{}},
		{"n3", "", "10.244.3.0/24", []string{}},
		{"n4", "", "", []string{}},
	} {
		got, err := askPodRoutes(in, []any{c.node})
		if err != nil {
			t.Fatal(err)
		}
		answer := got.(podRoutesAnswer)
		shown := func(r *podRoute) string {
			if r == nil {
				return ""
			}
			return r.Route.Dst.String()
		}
		if shown(answer.Own) != c.own || shown(answer.Others) != c.others {
			t.Errorf("%s: own %s, others %s", c.node, shown(answer.Own), shown(answer.Others))
		}
		if diff := cmp.Diff(c.exact, answer.Exact); diff != "" {
			t.Errorf("%s: %s", c.node, diff)
		}
	}
}
