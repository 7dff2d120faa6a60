package engine

import (
	"net/netip"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// fib are the routes of a node by table: the forwarding information base.
type fib map[int]*routingTable

// routingTable finds the longest prefix around an address. A table has few different lengths, so each is tried, the
// longest first.
type routingTable struct {
	lengths  [2][]int // of IPv4 and IPv6, descending
	byPrefix map[netip.Prefix]*facts.Route
}

// newFIB indexes routes. Of several to one prefix the one of lowest metric counts, then the first; one whose device is
// gone ("dead") does not.
func newFIB(routes []facts.Route) fib {
	f := fib{}
	for i := range routes {
		r := &routes[i]
		if slices.Contains(r.Flags, "dead") {
			continue
		}
		t := f[r.Table]
		if t == nil {
			t = &routingTable{byPrefix: map[netip.Prefix]*facts.Route{}}
			f[r.Table] = t
		}
		prefix := r.Dst.Masked()
		if best, ok := t.byPrefix[prefix]; !ok || r.Metric < best.Metric {
			t.byPrefix[prefix] = r
		}
		lengths := &t.lengths[family(prefix.Addr())]
		if !slices.Contains(*lengths, prefix.Bits()) {
			*lengths = append(*lengths, prefix.Bits())
		}
	}
	for _, t := range f {
		for _, lengths := range t.lengths {
			slices.SortFunc(lengths, func(a, b int) int { return b - a })
		}
	}
	return f
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// lookup is the route of a table for an address, nil where it has none.
func (f fib) lookup(table int, address netip.Addr) *facts.Route {
	t := f[table]
	if t == nil {
		return nil
	}
	for _, length := range t.lengths[family(address)] {
		prefix, err := address.Prefix(length)
		if err != nil {
			continue
		}
		if r := t.byPrefix[prefix]; r != nil {
			return r
		}
	}
	return nil
}
