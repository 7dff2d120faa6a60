package ask

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func TestAskReversePath(t *testing.T) {
	route := func(dst, dev string) facts.Route {
		return facts.Route{Source: "ip route", Type: "unicast", Dst: netip.MustParsePrefix(dst), Family: "inet", Dev: dev, Table: facts.TableMain}
	}
	address := func(dev, local string) facts.Address {
		return facts.Address{Dev: dev, Family: "inet", Local: netip.MustParseAddr(local), Prefixlen: 24}
	}
	n := &facts.Node{Name: "n1"}
	n.Routes = facts.ReadGroup([]facts.Route{route("0.0.0.0/0", "eth0"), route("10.1.0.0/24", "eth1")})
	n.Rules = facts.ReadGroup([]facts.RoutingRule{
		{Family: "inet", Priority: 0, Action: "lookup", Table: facts.TableLocal, SuppressPrefixlength: -1},
		{Family: "inet", Priority: 32766, Action: "lookup", Table: facts.TableMain, SuppressPrefixlength: -1},
		{Family: "inet", Priority: 32767, Action: "lookup", Table: facts.TableDefault, SuppressPrefixlength: -1},
	})
	n.Addresses = facts.ReadGroup([]facts.Address{address("eth0", "192.0.2.1"), address("eth1", "10.1.0.1")})
	for _, c := range []struct {
		name, all, dev, src string
		verdict             string
		filter              int
		back                string
	}{
		{"strict, and the way back is another device", "0", "1", "203.0.113.7", "drop", 1, "eth0"},
		{"strict for all", "1", "0", "203.0.113.7", "drop", 1, "eth0"},
		{"loose is the greater", "1", "2", "203.0.113.7", "pass", 2, "eth0"},
		{"off", "0", "0", "203.0.113.7", "pass", 0, "eth0"},
		{"strict, and symmetric", "1", "1", "10.1.0.9", "pass", 1, "eth1"},
		{"not read", "", "", "203.0.113.7", "unknown", -1, "eth0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			values := map[string]facts.Sysctl{"net.ipv4.conf.all.accept_local": {Value: "0"}, "net.ipv4.conf.eth1.accept_local": {Value: "0"}}
			for name, value := range map[string]string{"net.ipv4.conf.all.rp_filter": c.all, "net.ipv4.conf.eth1.rp_filter": c.dev} {
				if value != "" {
					values[name] = facts.Sysctl{Value: value}
				}
			}
			n.Sysctls = facts.ReadGroup(values)
			in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{n}})
			got, err := askReversePath(in, []any{"n1", map[string]any{"src": c.src, "dst": "10.1.0.1", "iif": "eth1"}})
			if err != nil {
				t.Fatal(err)
			}
			answer := got.(reversePathAnswer)
			if diff := cmp.Diff([]any{c.verdict, c.filter, c.back}, []any{answer.Verdict, answer.Filter, answer.Dev}); diff != "" {
				t.Errorf("verdict, filter, way back (-want +got):\n%s", diff)
			}
		})
	}
}
