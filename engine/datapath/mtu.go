package datapath

import (
	"fmt"

	"github.com/netcause/netcause/engine/facts"
)

// mtu is how long a packet may be on its way out by a route: ip_dst_mtu_maybe_forward of include/net/ip.h. The route's own
// MTU counts before the device's; path MTUs learned from others are no fact.
func (n *Namespace) mtu(r Result, dev string) (mtu int, source facts.Source, ok bool) {
	if r.Route != nil && r.Route.MTU > 0 {
		return r.Route.MTU, r.Route.Source, true
	}
	if n.facts.Links.Status != facts.Read || n.links[dev] == nil || n.links[dev].MTU == 0 {
		return 0, "", false
	}
	return n.links[dev].MTU, n.links[dev].Source, true
}

// tooLong says whether a packet does not fit its way, and what its sender is told: ip_forward and ip6_forward, before the
// FORWARD hook. IPv6 never fragments on the way; IPv4 does where DF is not set.
func (n *Namespace) tooLong(p Packet, d Decision) (text string, source facts.Source, long bool) {
	if p.Length == 0 || p.Dst.Is4() && !p.DF {
		return "", "", false
	}
	mtu, source, ok := n.mtu(d.Result, d.Way.Dev)
	if !ok || p.Length <= mtu {
		return "", "", false
	}
	icmp := "icmp fragmentation-needed"
	if p.Dst.Is6() {
		icmp = "icmpv6 packet-too-big"
	}
	from := "this machine"
	if back := n.Lookup(Flow{Dst: p.Src, Iif: "lo"}); back.found() && len(back.Ways) > 0 {
		if a := n.sourceFor(back, back.Ways[0], p.Src); a.IsValid() {
			from = a.String()
		}
	}
	return fmt.Sprintf("%d bytes do not fit the MTU of %d on %s: %s tells %s by %s", p.Length, mtu, d.Way.Dev, from, p.Src, icmp), source, true
}
