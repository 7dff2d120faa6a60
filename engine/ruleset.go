package engine

import (
	"fmt"
	"slices"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
)

// ruleset is a node's netfilter, with what of it was read.
type ruleset struct {
	*netfilter.Ruleset
	listings *datapath.Listings
	// known and unknown are the groups of facts of IPv4 that were and were not read.
	known, unknown []string
	// lookedAt are the listings, as evidence of what is not in them.
	lookedAt []Evidence
}

// rulesetOf parses the listings of a node's own namespace; of a nil node nothing was read.
func rulesetOf(node *facts.Node) (*ruleset, error) {
	if node == nil {
		node = &facts.Node{}
	}
	listings, err := datapath.ParseListings(&node.NetNS)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", node.Name, err)
	}
	// None is null for a rule: it counts them.
	r := &ruleset{Ruleset: listings.Rules, listings: listings, known: []string{}, unknown: []string{}, lookedAt: []Evidence{}}
	iptables := map[string]*netfilter.Listing{"iptables_nft": r.IPTables, "iptables_legacy": r.IPTablesLegacy}
	for _, g := range []struct {
		name  string
		group *facts.Group[facts.Listing]
	}{
		{"iptables_nft", &node.IPTablesNFT}, {"iptables_legacy", &node.IPTablesLegacy}, {"nftables", &node.NFTables}, {"ipvs", &node.IPVS},
	} {
		// A listing of single tables may lack the one with the Services.
		if parsed := iptables[g.name]; g.group.Status != facts.Read || parsed != nil && !parsed.Shows("nat") {
			r.unknown = append(r.unknown, g.name)
			continue
		}
		r.known = append(r.known, g.name)
		r.lookedAt = append(r.lookedAt, lookedAt(node.Name, g.name, g.group))
	}
	// nft shows iptables-nft's tables too, and kube-proxy's IPVS mode leaves its chains in iptables.
	r.unknown = slices.DeleteFunc(r.unknown, func(name string) bool {
		return name == "iptables_nft" && r.NFT != nil || name == "ipvs" && (r.NFT != nil || r.IPTables != nil)
	})
	return r, nil
}

func lookedAt(node, name string, g *facts.Group[facts.Listing]) Evidence {
	e := Evidence{Fact: collectCommands[name] + " on " + node, Value: "no Service rules of kube-proxy", Source: facts.Source(name)}
	if len(facts.Text(g)) == 0 {
		e.Value = "empty"
	}
	if len(g.Sources) > 0 {
		e.Source = g.Sources[min(max(slices.Index(g.Value.Tables, "nat"), 0), len(g.Sources)-1)]
	}
	return e
}

func (r *ruleset) evidence(h netfilter.Hop) Evidence {
	return Evidence{Fact: fmt.Sprintf("%s %s", h.Backend, h.Chain), Value: h.Rule, Source: r.listings.Source(h)}
}
