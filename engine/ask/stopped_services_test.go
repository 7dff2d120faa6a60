package ask

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/engine/facts"
)

func TestAskStoppedServices(t *testing.T) {
	ready, not := true, false
	service := func(name, address string, port int32) facts.Service {
		return facts.Service{
			Metadata: facts.ObjectMeta{Namespace: "default", Name: name},
			Spec:     facts.ServiceSpec{ClusterIP: address, Ports: []facts.ServicePort{{Name: "p", Port: port}}},
		}
	}
	slice := func(name string, port int32, is *bool, address, node string) facts.EndpointSlice {
		return facts.EndpointSlice{
			Metadata:  facts.ObjectMeta{Namespace: "default", Labels: map[string]string{"kubernetes.io/service-name": name}},
			Ports:     []facts.EndpointPort{{Name: "p", Port: port}},
			Endpoints: []facts.Endpoint{{Addresses: []string{address}, NodeName: node, Conditions: facts.EndpointConditions{Ready: is}}},
		}
	}
	object := func(name, address, cidr string) facts.NodeObject {
		return facts.NodeObject{
			Metadata: facts.ObjectMeta{Name: name}, Spec: facts.NodeSpec{PodCIDR: cidr},
			Status: facts.NodeStatus{Addresses: []facts.NodeAddress{{Type: "InternalIP", Address: address}}},
		}
	}
	cluster := &facts.Cluster{
		Nodes: facts.ReadGroup([]facts.NodeObject{object("n1", "192.0.2.1", "10.244.1.0/24"), object("n2", "192.0.2.2", "10.244.2.0/24")}),
		Services: facts.ReadGroup([]facts.Service{
			service("far", "10.96.0.1", 80), service("near", "10.96.0.2", 80), service("api", "10.96.0.3", 443), service("down", "10.96.0.4", 80),
		}),
		EndpointSlices: facts.ReadGroup([]facts.EndpointSlice{
			slice("far", 8080, &ready, "10.244.2.9", "n2"), slice("near", 9090, nil, "10.244.1.9", "n1"),
			slice("api", 6443, &ready, "192.0.2.1", "n1"), slice("down", 7070, &not, "10.244.2.8", "n2"),
		}),
	}
	route := func(dst, dev string) facts.Route {
		return facts.Route{Type: "unicast", Dst: netip.MustParsePrefix(dst), Dev: dev, Table: facts.TableMain}
	}
	for _, c := range []struct {
		name, filter string
		want         []stoppedServices
	}{
		{"nothing", ":FORWARD ACCEPT [0:0]\n", nil},
		{
			"to a Pod of another node", ":FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -m tcp --dport 8080 -j REJECT\n",
			[]stoppedServices{{Verdict: "reject", Hook: "forward", Services: []string{"default/far:p"}, Count: 1, Way: "10.244.1.2 to 10.244.2.9 TCP port 8080", Proto: "tcp", Port: 8080, Dst: "10.244.2.9"}},
		},
		{
			"from another node to a Pod of this one", ":FORWARD ACCEPT [0:0]\n-A FORWARD -i flannel.1 -o cni0 -p tcp -m tcp --dport 9090 -j DROP\n",
			[]stoppedServices{{Verdict: "drop", Hook: "forward", Services: []string{"default/near:p"}, Count: 1, Way: "10.244.2.2 to 10.244.1.9 TCP port 9090", Proto: "tcp", Port: 9090, Dst: "10.244.1.9"}},
		},
		{
			"a program of the node", ":INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -j REJECT\n",
			[]stoppedServices{{Verdict: "reject", Hook: "input", Services: []string{"default/api:p"}, Count: 1, Way: "192.0.2.2 to 192.0.2.1 TCP port 6443", Proto: "tcp", Port: 6443, Dst: "192.0.2.1", Whole: true}},
		},
		{
			"the node's own connections", ":OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.244.2.0/24 -p tcp -m tcp --dport 8080 -j DROP\n",
			[]stoppedServices{{Verdict: "drop", Hook: "output", Services: []string{"default/far:p"}, Count: 1, Way: "192.0.2.1 to 10.244.2.9 TCP port 8080", Proto: "tcp", Port: 8080, Dst: "10.244.2.9"}},
		},
		// Another rule's fault, a Service without endpoints, and policies, are none of this.
		{"all that is forwarded", ":FORWARD DROP [0:0]\n", nil},
		{"a Service that has no ready endpoint", ":FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -m tcp --dport 7070 -j REJECT\n", nil},
		{"a NetworkPolicy", ":FORWARD ACCEPT [0:0]\n:cali-FORWARD - [0:0]\n-A FORWARD -j cali-FORWARD\n-A cali-FORWARD -p tcp -m tcp --dport 8080 -j DROP\n", nil},
		{"kube-proxy's own", ":FORWARD ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A FORWARD -j KUBE-SERVICES\n-A KUBE-SERVICES -p tcp -m tcp --dport 8080 -j REJECT\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &facts.Node{Name: "n1"}
			n.Addresses = facts.ReadGroup([]facts.Address{{Dev: "eth0", Local: netip.MustParseAddr("192.0.2.1"), Family: "inet", Prefixlen: 24}})
			n.Routes = facts.ReadGroup([]facts.Route{route("0.0.0.0/0", "eth0"), route("10.244.1.0/24", "cni0"), route("10.244.2.0/24", "flannel.1")})
			n.IPTablesNFT, n.IPTablesLegacy = listed("*filter\n"+c.filter+"COMMIT\n", "iptables-save"), listed("", "iptables-legacy-save")
			n.NFTables = facts.ReadGroup(facts.Listing{Format: "nft-json"}, "nft -j list ruleset")
			in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{n}, Cluster: cluster})
			got, err := askStoppedServices(in, []any{"n1"})
			if err != nil {
				t.Fatal(err)
			}
			answer := got.(stoppedServicesAnswer)
			if diff := cmp.Diff(c.want, answer.Stopped, cmpopts.IgnoreFields(stoppedServices{}, "Rule"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("stopped (-want +got):\n%s", diff)
			}
			if answer.Asked != 3 || answer.Unknown != nil {
				t.Errorf("asked %d, want 3; unknown %+v", answer.Asked, answer.Unknown)
			}
		})
	}
}
