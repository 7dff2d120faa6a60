package ask

import (
	"net/netip"
	"testing"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// blackholed is a node n1 that throws packets to 203.0.113.0/24 away, and has no other way out but eth0's subnet.
func blackholed() *facts.Snapshot {
	n := &facts.Node{Name: "n1"}
	n.Links = facts.ReadGroup([]facts.Link{{Source: "ip -d link show dev eth0", Ifname: "eth0", LinkType: "ether", MTU: 1500, Flags: []string{"UP", "LOWER_UP"}}})
	n.Addresses = facts.ReadGroup([]facts.Address{{Dev: "eth0", Family: "inet", Local: netip.MustParseAddr("192.0.2.1"), Prefixlen: 24, Scope: "global"}})
	route := func(kind, dst, dev string) facts.Route {
		return facts.Route{Source: "ip route show table main", Type: kind, Dst: netip.MustParsePrefix(dst), Dev: dev, Family: "inet", Table: facts.TableMain}
	}
	n.Routes = facts.ReadGroup([]facts.Route{route("unicast", "192.0.2.0/24", "eth0"), route("blackhole", "203.0.113.0/24", "")})
	n.Rules = facts.ReadGroup([]facts.RoutingRule{
		{Family: "inet", Priority: 0, Action: "lookup", Table: facts.TableLocal, SuppressPrefixlength: -1},
		{Family: "inet", Priority: 32766, Action: "lookup", Table: facts.TableMain, SuppressPrefixlength: -1},
		{Family: "inet", Priority: 32767, Action: "lookup", Table: facts.TableDefault, SuppressPrefixlength: -1},
	})
	n.IPTablesNFT, n.IPTablesLegacy, n.NFTables = facts.ReadGroup(facts.Listing{}), facts.ReadGroup(facts.Listing{}), facts.ReadGroup(facts.Listing{})
	return &facts.Snapshot{Nodes: []*facts.Node{n}}
}

func TestAskTrace(t *testing.T) {
	in := NewIncident(blackholed())
	ask := func(from, to string) traceAnswer {
		t.Helper()
		got, err := askTrace(in, []any{from, to, ""})
		if err != nil {
			t.Fatal(err)
		}
		return got.(traceAnswer)
	}
	thrown := ask("node/n1", "ip/203.0.113.7:80")
	if thrown.Verdict != datapath.Dropped || thrown.EndsAt.Stage != datapath.StageRoute || thrown.EndsAt.Source != "ip route show table main" || len(thrown.Hops) != 1 {
		t.Errorf("thrown away: %+v", thrown)
	}
	away := ask("node/n1", "ip/192.0.2.9:80")
	if away.Verdict != datapath.Unknown || away.EndsAt.Device != "eth0" || away.Hops[0].Packet != "192.0.2.1:50000 > 192.0.2.9:80" {
		t.Errorf("to nobody among the facts: %+v", away)
	}
	if nobody := ask("pod/a/b", "ip/192.0.2.9:80"); nobody.Verdict != datapath.Unknown || nobody.Error == "" || nobody.Hops == nil {
		t.Errorf("from nobody: %+v", nobody)
	}
}
