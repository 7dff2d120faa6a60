package datapath

import (
	"fmt"
	"net/netip"
	"slices"
	"unsafe"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
)

// Listings are a namespace's netfilter listings, parsed once, with where each was read.
type Listings struct {
	Rules   *netfilter.Ruleset
	sources map[listingKey]facts.Source
}

// listingKey is a listing: iptables has one for each family, the others have one for all, under the empty family. What
// lists single tables has one for each.
type listingKey struct {
	backend netfilter.Backend
	family  string
	table   string
}

// ParseListings parses the listings that were read; the others stay nil. The error is of the first that is not understood
// at all.
func ParseListings(n *facts.NetNS) (*Listings, error) {
	l := &Listings{Rules: &netfilter.Ruleset{}, sources: map[listingKey]facts.Source{}}
	var failed error
	read := func(g *facts.Group[facts.Listing], backend netfilter.Backend, family string, parse func(text string) error) {
		if g.Status != facts.Read || failed != nil {
			return
		}
		// A listing can be 100 MB long and nobody writes to it: its text is not copied.
		text := facts.Text(g)
		if err := parse(unsafe.String(unsafe.SliceData(text), len(text))); err != nil {
			failed = fmt.Errorf("parse %s %s: %w", backend, family, err)
		}
		if len(g.Sources) > 0 {
			l.sources[listingKey{backend: backend, family: family}] = g.Sources[0]
		}
		for i, table := range g.Value.Tables[:min(len(g.Value.Tables), len(g.Sources))] {
			l.sources[listingKey{backend, family, table}] = g.Sources[i]
		}
	}
	iptables := func(g *facts.Group[facts.Listing], at **netfilter.Listing, backend netfilter.Backend, family string) {
		read(g, backend, family, func(text string) (err error) {
			if g.Value.Format == facts.IPTablesList {
				*at, err = netfilter.ParseIPTablesTables(tableTexts(g), backend, family)
			} else {
				*at, err = netfilter.ParseIPTablesSave(text, backend, family)
			}
			return err
		})
	}
	r := l.Rules
	iptables(&n.IPTablesNFT, &r.IPTables, netfilter.IPTablesNFT, "ip")
	iptables(&n.IPTablesLegacy, &r.IPTablesLegacy, netfilter.IPTablesLegacy, "ip")
	iptables(&n.IP6TablesNFT, &r.IP6Tables, netfilter.IPTablesNFT, "ip6")
	iptables(&n.IP6TablesLegacy, &r.IP6TablesLegacy, netfilter.IPTablesLegacy, "ip6")
	read(&n.NFTables, netfilter.NFTables, "", func(text string) (err error) {
		r.NFT, err = netfilter.ParseNFT(text)
		return err
	})
	read(&n.IPVS, netfilter.IPVS, "", func(text string) (err error) {
		r.IPVS, err = netfilter.ParseIPVS(text)
		return err
	})
	read(&n.IPSet, "ipset", "", func(text string) (err error) {
		r.IPSet, err = netfilter.ParseIPSet(text)
		return err
	})
	if n.Addresses.Status == facts.Read {
		r.LocalAddrs, r.InterfaceAddrs, r.BroadcastAddrs = []netip.Addr{}, map[string][]netip.Addr{}, []netip.Addr{}
		for _, a := range n.Addresses.Value {
			r.LocalAddrs = append(r.LocalAddrs, a.Local)
			r.InterfaceAddrs[a.Dev] = append(r.InterfaceAddrs[a.Dev], a.Local)
			if a.Broadcast.IsValid() {
				r.BroadcastAddrs = append(r.BroadcastAddrs, a.Broadcast)
			}
		}
	}
	return l, failed
}

// tableTexts are the texts of a listing of single tables.
func tableTexts(g *facts.Group[facts.Listing]) []netfilter.TableText {
	var texts []netfilter.TableText
	for i, table := range g.Value.Tables[:min(len(g.Value.Tables), len(g.Raw))] {
		texts = append(texts, netfilter.TableText{Table: table, Text: string(g.Raw[i].Data)})
	}
	return texts
}

// readFilter is false where no listing at all was read.
func readFilter(n *facts.NetNS) bool {
	return slices.ContainsFunc([]facts.Status{
		n.IPTablesNFT.Status, n.IPTablesLegacy.Status, n.NFTables.Status, n.IP6TablesNFT.Status, n.IP6TablesLegacy.Status,
	}, func(s facts.Status) bool { return s == facts.Read })
}

// Source is where a hop's rule stands: its listing and the line of it.
func (l *Listings) Source(h netfilter.Hop) facts.Source {
	s, ok := l.sources[listingKey{h.Backend, h.Family, h.Table}]
	for _, key := range [...]listingKey{
		{backend: h.Backend, family: h.Family}, {backend: h.Backend}, {backend: netfilter.NFTables},
	} {
		if !ok {
			s, ok = l.sources[key]
		}
	}
	if s == "" {
		s = facts.Source(h.Backend)
	}
	return facts.Source(fmt.Sprintf("%s, line %d", s, h.Line))
}
