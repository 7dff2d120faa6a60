package netfilter

import (
	"math"
	"net/netip"
	"testing"
)

// TestKernelIPTablesList lists kube-proxy's chains for some Services by the tools themselves, in every form, and asks for
// each Service.
func TestKernelIPTablesList(t *testing.T) {
	const services = 300
	for _, c := range []struct {
		backend Backend
		tool    string
	}{{IPTablesNFT, "iptables-nft"}, {IPTablesLegacy, "iptables-legacy"}} {
		ns := newNetns(t, c.tool, c.tool+"-restore", c.tool+"-save")
		ns.run(kubeProxySave(services), c.tool+"-restore")
		saved, err := ParseIPTablesSave(ns.run("", c.tool+"-save"), c.backend, "ip")
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range [][]string{{"-nvL"}, {"-vnxL"}, {"-nL"}, {"-nvL", "--line-numbers"}, {"-S"}, {"-vS"}} {
			var texts []TableText
			for _, table := range []string{"nat", "mangle", "filter", "raw"} {
				texts = append(texts, TableText{table, ns.run("", append([]string{c.tool, "-t", table}, form...)...)})
			}
			l, err := ParseIPTablesTables(append(texts, TableText{Table: "security"}), c.backend, "ip")
			if err != nil {
				t.Fatal(err)
			}
			if p, n := l.Problems(); n > 0 {
				t.Errorf("%s %v: problems %v", c.tool, form, p)
			}
			if rules, n := l.NotModelled(3); n > 0 {
				t.Errorf("%s %v: not modelled %v", c.tool, form, rules)
			}
			if l.Rules() != saved.Rules() {
				t.Errorf("%s %v: %d rules, %d saved", c.tool, form, l.Rules(), saved.Rules())
			}
			r := &Ruleset{NFT: &Listing{}, IPTables: &Listing{}, IPTablesLegacy: &Listing{}, LocalAddrs: []netip.Addr{}, BroadcastAddrs: []netip.Addr{}}
			if c.backend == IPTablesNFT {
				r.IPTables = l
			} else {
				r.IPTablesLegacy = l
			}
			for i := range services {
				p := syn()
				p.Dst = clusterIP(i)
				got := r.Traverse(HookPrerouting, p)
				share, ways := 1.0/3, 3
				if form[0] == "-nL" { // the interfaces are not known, nor then what happens
					share, ways = share/2, ways+1
				}
				if len(got) != ways || got[0].NAT.Kind != "DNAT" || math.Abs(got[1].Probability-share) > 1e-9 || (len(got[0].When) > 0) != (form[0] == "-nL") {
					t.Fatalf("%s %v: Service %d: %s", c.tool, form, i, tellAll(got))
				}
			}
			path := (&Ruleset{IPTablesLegacy: l}).ServicePath(clusterIP(7), "tcp", 80)
			if path.Status != StatusTranslated || len(path.Endpoints) != 3 {
				t.Errorf("%s %v: %s", c.tool, form, brief(path))
			}
		}
	}
}
