package engine

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
)

// ruleset is a node's netfilter as parsed once, with where each listing came from.
type ruleset struct {
	netfilter.Ruleset
	sources map[netfilter.Backend]facts.Source
	// known and unknown are the groups of facts of IPv4 that were and were not read.
	known, unknown []string
	// lookedAt are the listings, as evidence of what is not in them.
	lookedAt []Evidence
}

// rulesetOf parses the listings of a node's own namespace.
func rulesetOf(node *facts.Node) (*ruleset, error) {
	// None is null for a rule: it counts them.
	r := &ruleset{known: []string{}, unknown: []string{}, lookedAt: []Evidence{}, sources: map[netfilter.Backend]facts.Source{}}
	if node == nil {
		r.unknown = []string{"iptables_nft", "iptables_legacy", "nftables", "ipvs"}
		return r, nil
	}
	parse := func(name string, g *facts.Group[facts.Listing], set func(text string) error, backends ...netfilter.Backend) error {
		ipv4 := name != "ip6tables_nft" && name != "ip6tables_legacy"
		if g.Status != facts.Read {
			if ipv4 {
				r.unknown = append(r.unknown, name)
			}
			return nil
		}
		text := facts.Text(g)
		if err := set(unsafe.String(unsafe.SliceData(text), len(text))); err != nil {
			return fmt.Errorf("parse %s of %s: %w", name, node.Name, err)
		}
		source := facts.Source(name)
		if len(g.Sources) > 0 {
			source = g.Sources[0]
		}
		for _, backend := range backends {
			r.sources[backend] = source
		}
		if ipv4 {
			r.known = append(r.known, name)
			value := "no Service rules of kube-proxy"
			if len(text) == 0 {
				value = "empty"
			}
			r.lookedAt = append(r.lookedAt, Evidence{Fact: collectCommands[name] + " on " + node.Name, Value: value, Source: source})
		}
		return nil
	}
	listing := func(at **netfilter.Listing, parse func(string) (*netfilter.Listing, error)) func(string) error {
		return func(text string) (err error) {
			*at, err = parse(text)
			return err
		}
	}
	save := func(backend netfilter.Backend, family string) func(string) (*netfilter.Listing, error) {
		return func(text string) (*netfilter.Listing, error) {
			return netfilter.ParseIPTablesSave(text, backend, family)
		}
	}
	for _, err := range []error{
		parse("iptables_nft", &node.IPTablesNFT, listing(&r.IPTables, save(netfilter.IPTablesNFT, "ip")), netfilter.IPTablesNFT),
		parse("iptables_legacy", &node.IPTablesLegacy, listing(&r.IPTablesLegacy, save(netfilter.IPTablesLegacy, "ip")), netfilter.IPTablesLegacy),
		parse("ip6tables_nft", &node.IP6TablesNFT, listing(&r.IP6Tables, save(netfilter.IPTablesNFT, "ip6"))),
		parse("ip6tables_legacy", &node.IP6TablesLegacy, listing(&r.IP6TablesLegacy, save(netfilter.IPTablesLegacy, "ip6"))),
		parse("nftables", &node.NFTables, listing(&r.NFT, netfilter.ParseNFT), netfilter.NFTables),
		parse("ipvs", &node.IPVS, func(text string) (err error) {
			r.IPVS, err = netfilter.ParseIPVS(text)
			return err
		}, netfilter.IPVS),
	} {
		if err != nil {
			return nil, err
		}
	}
	// nft shows iptables-nft's tables too, and kube-proxy's IPVS mode leaves its chains in iptables.
	r.unknown = slices.DeleteFunc(r.unknown, func(name string) bool {
		return name == "iptables_nft" && r.NFT != nil || name == "ipvs" && (r.NFT != nil || r.IPTables != nil)
	})
	if node.Addresses.Status == facts.Read {
		for _, a := range node.Addresses.Value {
			r.LocalAddrs = append(r.LocalAddrs, a.Local)
		}
	}
	return r, nil
}

// source is where a hop stands: the listing and its line.
func (r *ruleset) source(backend netfilter.Backend, line int) facts.Source {
	source, ok := r.sources[backend]
	if !ok {
		source = r.sources[netfilter.NFTables]
	}
	return facts.Source(fmt.Sprintf("%s, line %d", source, line))
}

func (r *ruleset) evidence(h netfilter.Hop) Evidence {
	return Evidence{Fact: fmt.Sprintf("%s %s", h.Backend, h.Chain), Value: h.Rule, Source: r.source(h.Backend, h.Line)}
}
