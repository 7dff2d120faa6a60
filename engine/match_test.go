package engine

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func TestMatchNodes(t *testing.T) {
	collected := func(name, host, address string) *facts.Node {
		n := node(name)
		n.Host = facts.ReadGroup(facts.Host{Hostname: host, MachineID: "m-" + host, BootID: "b-" + host})
		n.Addresses = facts.ReadGroup([]facts.Address{{Family: "inet", Local: netip.MustParseAddr(address)}})
		return n
	}
	object := func(name, address string, labels map[string]string, info facts.NodeInfo) facts.NodeObject {
		return facts.NodeObject{
			Metadata: facts.ObjectMeta{Name: name, Labels: labels},
			Status:   facts.NodeStatus{Addresses: []facts.NodeAddress{{Type: "InternalIP", Address: address}}, NodeInfo: info},
		}
	}
	for _, c := range []struct {
		name    string
		nodes   []*facts.Node
		objects []facts.NodeObject
		want    []string
	}{
		{
			"by name",
			[]*facts.Node{collected("n1", "n1", "192.0.2.1")},
			[]facts.NodeObject{object("n1", "10.0.0.1", nil, facts.NodeInfo{}), object("n2", "10.0.0.2", nil, facts.NodeInfo{})},
			[]string{"n1"},
		},
		{
			"by the short host name",
			[]*facts.Node{collected("n1.example.org", "n1.example.org", "192.0.2.1")},
			[]facts.NodeObject{object("n1", "10.0.0.1", nil, facts.NodeInfo{})},
			[]string{"n1"},
		},
		{
			"by label",
			[]*facts.Node{collected("ip-10-0-0-1", "ip-10-0-0-1", "192.0.2.1")},
			[]facts.NodeObject{object("i-0abc", "10.0.0.1", map[string]string{"kubernetes.io/hostname": "ip-10-0-0-1"}, facts.NodeInfo{})},
			[]string{"i-0abc"},
		},
		{
			"two namespaces of one machine, by address",
			[]*facts.Node{collected("vm", "vm", "10.0.0.1"), collected("vm", "vm", "10.0.0.2")},
			[]facts.NodeObject{object("n1", "10.0.0.1", nil, facts.NodeInfo{}), object("n2", "10.0.0.2", nil, facts.NodeInfo{})},
			[]string{"n1", "n2"},
		},
		{
			"a client of the same machine is none of its nodes",
			[]*facts.Node{collected("vm", "vm", "192.0.2.9")},
			[]facts.NodeObject{
				object("n1", "10.0.0.1", nil, facts.NodeInfo{MachineID: "m-vm", BootID: "b-vm"}),
				object("n2", "10.0.0.2", nil, facts.NodeInfo{MachineID: "m-vm", BootID: "b-vm"}),
			},
			[]string{"vm"},
		},
		{
			"by machine and boot id",
			[]*facts.Node{collected("renamed", "renamed", "192.0.2.1")},
			[]facts.NodeObject{object("n1", "10.0.0.1", nil, facts.NodeInfo{MachineID: "m-renamed", BootID: "b-renamed"})},
			[]string{"n1"},
		},
		{
			"an address that two Nodes claim tells nothing",
			[]*facts.Node{collected("vm", "vm", "10.0.0.1")},
			[]facts.NodeObject{object("n1", "10.0.0.1", nil, facts.NodeInfo{}), object("n2", "10.0.0.1", nil, facts.NodeInfo{})},
			[]string{"vm"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			MatchNodes(&facts.Snapshot{Nodes: c.nodes, Cluster: &facts.Cluster{Nodes: facts.ReadGroup(c.objects)}})
			var got []string
			for _, n := range c.nodes {
				got = append(got, n.Name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}
