package datapath

import (
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// defaults are the ways by several default routes of one table, all usable for the flow, for a packet of this machine's own:
// fib_select_default of net/ipv4/fib_semantics.c takes another of them as soon as a gateway is not freshly confirmed, so
// that the facts do not tell which.
func (n *Namespace) defaults(r Result, f Flow) []Way {
	if f.Oif != "" || r.Route.Dst.Bits() != 0 || f.Dst.Is6() || len(r.Route.Nexthops) > 0 {
		return r.Ways
	}
	var ways []Way
	last := r.Route
	for _, e := range n.fib[r.Route.Table].routes[r.Route.Dst.Masked()] {
		route := e.Route
		if route.TOS != 0 && route.TOS != f.TOS&iptosMask || slices.Contains(route.Flags, "dead") {
			continue
		}
		if route.Metric > last.Metric && route.TOS == last.TOS {
			if last.TOS != 0 {
				continue
			}
			break
		}
		last = route
		hop := firstNexthop(route)
		if route.Type != "unicast" || scopeNumber(route.Scope) != scopeNumber(r.Route.Scope) || hop.Dev == "" || !hop.Via.IsValid() {
			continue
		}
		if len(ways) == 0 && route != r.Route {
			break
		}
		ways = append(ways, Way{Dev: hop.Dev, Via: hop.Via, route: route})
	}
	if len(ways) < 2 {
		return r.Ways
	}
	for i := range ways {
		ways[i].Probability = 1 / float64(len(ways))
	}
	return ways
}

func firstNexthop(r *facts.Route) facts.Nexthop {
	if len(r.Nexthops) > 0 {
		return r.Nexthops[0]
	}
	return facts.Nexthop{Via: r.Via, Dev: r.Dev}
}
