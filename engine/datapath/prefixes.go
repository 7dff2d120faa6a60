package datapath

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// fib are the routes of a namespace by table: the forwarding information base.
type fib map[int]*table

// table finds the routes around an address, the longest prefix first. A table has few different lengths, so each is
// tried: a lookup costs one map access per length, whatever the number of routes.
type table struct {
	lengths [2][]int // of IPv4 and IPv6, descending
	// routes to one prefix are in the order in which the kernel tries them.
	routes map[netip.Prefix][]*entry
}

// entry is a route with what of it does not depend on a packet.
type entry struct {
	*facts.Route
	// ways are its nexthops where all of them can always be used; nil where that is to be looked at.
	ways []Way
}

func newEntry(r *facts.Route) *entry {
	e := &entry{Route: r}
	hops := r.Nexthops
	if len(hops) == 0 {
		if r.Dev == "" {
			return e
		}
		hops = []facts.Nexthop{{Via: r.Via, Dev: r.Dev, Weight: 1, Flags: r.Flags}}
	}
	total := 0
	for _, hop := range hops {
		if slices.Contains(hop.Flags, "dead") || slices.Contains(hop.Flags, "linkdown") || slices.Contains(r.Flags, "dead") {
			return e
		}
		total += max(hop.Weight, 1)
	}
	for _, hop := range hops {
		e.ways = append(e.ways, Way{Dev: hop.Dev, Via: hop.Via, Probability: float64(max(hop.Weight, 1)) / float64(total)})
	}
	return e
}

func newFIB(routes []facts.Route) fib {
	f := fib{}
	for i := range routes {
		r := &routes[i]
		t := f[r.Table]
		if t == nil {
			t = &table{routes: map[netip.Prefix][]*entry{}}
			f[r.Table] = t
		}
		prefix := r.Dst.Masked()
		t.routes[prefix] = append(t.routes[prefix], newEntry(r))
		lengths := &t.lengths[familyIndex(prefix.Addr())]
		if !slices.Contains(*lengths, prefix.Bits()) {
			*lengths = append(*lengths, prefix.Bits())
		}
	}
	for _, t := range f {
		for _, lengths := range t.lengths {
			slices.SortFunc(lengths, func(a, b int) int { return b - a })
		}
		for _, routes := range t.routes {
			if len(routes) > 1 {
				slices.SortStableFunc(routes, routeOrder)
			}
		}
	}
	return f
}

// routeOrder is fib_find_alias of net/ipv4/fib_trie.c, the higher TOS first, then the lower metric; in IPv6 the longer
// source prefix comes before all (fib6_node_lookup_1 of net/ipv6/ip6_fib.c).
func routeOrder(a, b *entry) int {
	return cmp.Or(cmp.Compare(fromBits(b.Route), fromBits(a.Route)), cmp.Compare(b.TOS, a.TOS), cmp.Compare(a.Metric, b.Metric))
}

func fromBits(r *facts.Route) int {
	if r.From == "" {
		return 0
	}
	p, err := netip.ParsePrefix(r.From)
	if err != nil {
		return 0
	}
	return p.Bits()
}

func familyIndex(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}
