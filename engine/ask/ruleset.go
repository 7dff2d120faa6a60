package ask

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
	// v4 and v6 are what was read of each family.
	v4, v6 readListings
}

// readListings are the groups of facts of a family that were and were not read.
type readListings struct {
	known, unknown []string
	// lookedAt are the listings, as evidence of what is not in them.
	lookedAt []facts.Evidence
}

// rulesetOf is that of a node's own namespace, of the listings that the model walks packets by; of a nil node nothing was
// read.
func rulesetOf(node *facts.Node, model *datapath.Model) (*ruleset, error) {
	listings := &datapath.Listings{Rules: &netfilter.Ruleset{}}
	if node == nil {
		node = &facts.Node{}
	} else {
		var err error
		if listings, err = model.Namespace(node.Name, "").Listings(); err != nil {
			return nil, fmt.Errorf("node %s: %w", node.Name, err)
		}
	}
	r := &ruleset{Ruleset: listings.Rules, listings: listings}
	r.v4 = r.read(node, "iptables", &node.IPTablesNFT, &node.IPTablesLegacy, r.IPTables, r.IPTablesLegacy)
	r.v6 = r.read(node, "ip6tables", &node.IP6TablesNFT, &node.IP6TablesLegacy, r.IP6Tables, r.IP6TablesLegacy)
	return r, nil
}

// read says of a family, by its program, what was read.
func (r *ruleset) read(
	node *facts.Node, program string, nft, legacy *facts.Group[facts.Listing], parsedNFT, parsedLegacy *netfilter.Listing,
) readListings {
	// None is null for a rule: it counts them.
	read := readListings{known: []string{}, unknown: []string{}, lookedAt: []facts.Evidence{}}
	for _, g := range []struct {
		name   string
		group  *facts.Group[facts.Listing]
		parsed *netfilter.Listing
	}{
		{program + "_nft", nft, parsedNFT}, {program + "_legacy", legacy, parsedLegacy}, {"nftables", &node.NFTables, nil}, {"ipvs", &node.IPVS, nil},
	} {
		// A listing of single tables may lack the one with the Services.
		if g.group.Status != facts.Read || g.parsed != nil && !g.parsed.Shows("nat") {
			read.unknown = append(read.unknown, g.name)
			continue
		}
		read.known = append(read.known, g.name)
		read.lookedAt = append(read.lookedAt, lookedAt(node.Name, g.name, g.group))
	}
	// nft shows iptables-nft's tables too, and kube-proxy's IPVS mode leaves its chains in iptables.
	read.unknown = slices.DeleteFunc(read.unknown, func(name string) bool {
		return name == program+"_nft" && r.NFT != nil || name == "ipvs" && (r.NFT != nil || parsedNFT != nil)
	})
	return read
}

func lookedAt(node, name string, g *facts.Group[facts.Listing]) facts.Evidence {
	e := facts.Evidence{Fact: facts.ShownBy(name) + " on " + node, Value: "no Service rules of kube-proxy", Source: facts.Source(name)}
	if len(facts.Text(g)) == 0 {
		e.Value = "empty"
	}
	if len(g.Sources) > 0 {
		e.Source = g.Sources[min(max(slices.Index(g.Value.Tables, "nat"), 0), len(g.Sources)-1)]
	}
	return e
}

func (r *ruleset) evidence(h netfilter.Hop) facts.Evidence {
	return facts.Evidence{Fact: fmt.Sprintf("%s %s", h.Backend, h.Chain), Value: h.Rule, Source: r.listings.Source(h)}
}
