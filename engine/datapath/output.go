package datapath

import (
	"fmt"
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// RouteOutput is what routing does with a packet of this machine's own: ip_route_output_key_hash_rcu of net/ipv4/route.c
// and ip6_route_output. The source address of each decision is f.Src, or what the kernel chooses where that is invalid; it
// stays invalid where the facts do not tell.
func (n *Namespace) RouteOutput(f Flow) (decisions []Decision, sources []netip.Addr) {
	decisions, sources = n.routeOutput(f)
	return written(decisions), sources
}

// SocketOutput is what a socket of this machine gets: RouteOutput, and in IPv6, where that finds no way for a packet without a
// source, another try with the source that is chosen, which rules may ask for (ip6_dst_lookup_tail of
// net/ipv6/ip6_output.c).
func (n *Namespace) SocketOutput(f Flow) (decisions []Decision, sources []netip.Addr) {
	decisions, sources = n.socketOutput(f)
	return written(decisions), sources
}

func (n *Namespace) socketOutput(f Flow) (decisions []Decision, sources []netip.Addr) {
	decisions, sources = n.routeOutput(f)
	if f.Src.IsValid() || f.Dst.Is4() || len(decisions) != 1 || decisions[0].Action != "drop" && decisions[0].Action != "reject" ||
		n.facts.Addresses.Status != facts.Read {
		return decisions, sources
	}
	if f.Src = n.selectAddress6("", f.Dst); f.Src.IsValid() {
		return n.routeOutput(f)
	}
	return decisions, sources
}

func (n *Namespace) routeOutput(f Flow) (decisions []Decision, sources []netip.Addr) {
	f.Iif = "lo"
	one := func(d Decision, src netip.Addr) ([]Decision, []netip.Addr) { return []Decision{d}, []netip.Addr{src} }
	if f.Src.IsValid() && f.Dst.Is4() && (f.Src.IsMulticast() || f.Src == broadcast4 || f.Src.As4()[0] == 0) {
		return one(decide("drop", fmt.Sprintf("%s may not be a source", f.Src), Result{}), f.Src)
	}
	look := f
	if f.Dst.IsLinkLocalUnicast() && f.Dst.Is6() {
		look.Dst = f.Dst.WithZone("")
	}
	r := n.Lookup(look)
	switch {
	case r.Type == "unknown":
		return one(decide("unknown", r.Reason, r), f.Src)
	case r.Type == "local", r.Type == "broadcast", r.Type == "multicast", r.Type == "anycast":
		src := f.Src
		if !src.IsValid() {
			src = n.sourceFor(r, Way{Dev: r.Route.Dev}, f.Dst)
		}
		d := n.own(f, r)
		d.Way = Way{Dev: "lo", Probability: 1}
		if r.Type != "local" && !n.mayLeave(src, r.Route.Dev) {
			d = decide("drop", fmt.Sprintf("the source %s may not leave by %s: route_localnet is 0", src, r.Route.Dev), r)
		}
		return one(d, src)
	case !r.found() && f.Oif != "" && f.Dst.Is4():
		// "Apparently, routing tables are wrong. Assume, that the destination is on link."
		src := f.Src
		if !src.IsValid() {
			src = n.selectAddress(f.Oif, netip.Addr{}, scopeLink)
		}
		d := decide("forward", fmt.Sprintf("no route to %s: taken to be on the link of %s, which the sender is bound to", f.Dst, f.Oif), r)
		d.Way = Way{Dev: f.Oif, Probability: 1}
		return one(d, src)
	case !r.found():
		d := n.noRoute(f, r)
		return one(d, f.Src)
	}
	for _, way := range n.defaults(r, f) {
		r := r
		if way.route != nil {
			r.Route = way.route
		}
		src := f.Src
		if !src.IsValid() {
			src = n.sourceFor(r, way, f.Dst)
		}
		d := decide("forward", "", r)
		d.dst = f.Dst
		if !n.mayLeave(src, way.Dev) {
			d = decide("drop", fmt.Sprintf("the source %s may not leave by %s: route_localnet is 0", src, way.Dev), r)
		}
		d.Way, d.Probability = way, way.Probability
		decisions, sources = append(decisions, d), append(sources, src)
	}
	return decisions, sources
}

// mayLeave is __mkroute_output's check of a loopback address as source.
func (n *Namespace) mayLeave(src netip.Addr, dev string) bool {
	return !src.Is4() || !src.IsLoopback() || dev == "lo" || n.maxConf(dev, "route_localnet").on() == yes
}
