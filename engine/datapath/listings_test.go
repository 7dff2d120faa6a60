package datapath

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
)

// TestParseListingsOfTables hands in what a sosreport has: a listing for each table, and none of the others.
func TestParseListingsOfTables(t *testing.T) {
	const head = " pkts bytes target     prot opt in     out     source               destination         \n"
	n := facts.NetNS{
		NFTables: facts.ReadGroup(facts.Listing{Format: "nft"}, "nft list ruleset"),
		IPTablesLegacy: facts.Group[facts.Listing]{
			Meta: facts.Meta{
				Status:  facts.Read,
				Sources: []facts.Source{"iptables_-t_nat_-nvL", "iptables_-S", "lsmod"},
				Raw: []facts.Raw{
					{Name: "iptables_-t_nat_-nvL", Data: []byte("Chain PREROUTING (policy ACCEPT 0 packets, 0 bytes)\n" + head +
						"    0     0 DNAT       6    --  *      *       0.0.0.0/0            10.96.0.1            tcp dpt:80 to:10.244.1.5:8080\n")},
					{Name: "iptables_-S", Data: []byte("-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n")},
					{Name: "lsmod"},
				},
			},
			Value: facts.Listing{Format: facts.IPTablesList, Tables: []string{"nat", "filter", "raw"}},
		},
	}
	l, err := ParseListings(&n)
	if err != nil {
		t.Fatal(err)
	}
	p := netfilter.Packet{Src: netip.MustParseAddr("10.244.0.9"), Dst: netip.MustParseAddr("10.96.0.1"), Proto: "tcp", Sport: 999, Dport: 80, CtState: "NEW"}
	got := l.Rules.Traverse(netfilter.HookPrerouting, p)
	if len(got) != 1 || got[0].Packet.Dst != netip.MustParseAddr("10.244.1.5") {
		t.Fatalf("%+v", got)
	}
	if s := l.Source(*got[0].Hops[0]); s != "iptables_-t_nat_-nvL, line 3" {
		t.Errorf("source %q", s)
	}
	if when := strings.Join(got[0].When, "; "); !strings.Contains(when, "iptables-legacy -t mangle -nvL, which was not read") || strings.Contains(when, "-t raw") {
		t.Errorf("conditions %s", when)
	}
	got = l.Rules.Traverse(netfilter.HookForward, p)
	if len(got) != 1 || got[0].Verdict != netfilter.VerdictDrop || l.Source(*got[0].Hops[0]) != "iptables_-S, line 2" {
		t.Errorf("%+v", got)
	}
}
