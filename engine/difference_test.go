package engine

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func TestDifferences(t *testing.T) {
	machine := func(name string, mtu int, address string, more ...facts.Link) *facts.Node {
		n := &facts.Node{Name: name}
		n.Links = facts.ReadGroup(append([]facts.Link{
			{Ifname: "eth0", MTU: mtu, Address: "02:00:00:00:00:0" + address, Source: "ip link", Flags: []string{"UP"}},
			{Ifname: "veth1234abcd", MTU: mtu, Source: "ip link"},
		}, more...))
		n.Addresses = facts.ReadGroup([]facts.Address{{Dev: "eth0", Family: "inet", Local: netip.MustParseAddr("192.0.2." + address), Prefixlen: 24, Source: "ip address"}})
		n.KubeletConfig = facts.ReadGroup(facts.KubeletConfig{NodeIP: "192.0.2." + address, ClusterDomain: name + ".local", Source: "config.yaml"})
		return n
	}
	for _, c := range []struct {
		name  string
		nodes []*facts.Node
		want  []string
	}{
		{"a value", []*facts.Node{machine("n1", 1400, "1"), machine("n2", 1500, "2"), machine("n3", 1500, "3")}, []string{
			"links[eth0].mtu: 1400, elsewhere 1500 (ip link)",
		}},
		{"peers that differ tell nothing", []*facts.Node{machine("n1", 1400, "1"), machine("n2", 1500, "2"), machine("n3", 9000, "3")}, nil},
		{"a link more", []*facts.Node{machine("n1", 1500, "1", facts.Link{Ifname: "tun0", MTU: 1420, Source: "ip link"}), machine("n2", 1500, "2"), machine("n3", 1500, "3")}, []string{
			"links[tun0]: there, elsewhere  (ip link)",
		}},
		{"a link less", []*facts.Node{machine("n1", 1500, "1"), machine("n2", 1500, "2", facts.Link{Ifname: "cni0"}), machine("n3", 1500, "3", facts.Link{Ifname: "cni0"})}, []string{
			"links[cni0]: , elsewhere there ()",
		}},
		{"addresses come last", []*facts.Node{machine("n1", 1400, "1"), machine("n2", 1500, "2")}, []string{
			"links[eth0].mtu: 1400, elsewhere 1500 (ip link)",
			"addresses[eth0 inet].local: 192.0.2.1, elsewhere 192.0.2.2 (ip address)",
			"kubelet_config.nodeIP: 192.0.2.1, elsewhere 192.0.2.2 (config.yaml)",
			"links[eth0].address: 02:00:00:00:00:01, elsewhere 02:00:00:00:00:02 (ip link)",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := See(&facts.Snapshot{Nodes: c.nodes}).Differences("n1")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range list {
				got = append(got, fmt.Sprintf("%s: %s, elsewhere %s (%s)", d.Path, d.Here, d.Elsewhere, d.Source))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := See(&facts.Snapshot{Nodes: []*facts.Node{node("n1")}}).Differences("n1"); err == nil {
		t.Error("a node alone was compared")
	}
}
