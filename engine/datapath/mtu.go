package datapath

import (
	"fmt"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// mtu is how long a packet may be on its way out by a route: ip_dst_mtu_maybe_forward of include/net/ip.h. The route's own
// MTU counts before the device's; path MTUs learned from others are no fact.
func (n *Namespace) mtu(r Result, dev string) (limit Oversize, source facts.Source, ok bool) {
	if r.Route != nil && r.Route.MTU > 0 {
		return Oversize{Dev: dev, Route: r.Route.Dst.String(), MTU: r.Route.MTU}, r.Route.Source, true
	}
	if n.facts.Links.Status != facts.Read || n.links[dev] == nil || n.links[dev].MTU == 0 {
		return Oversize{}, "", false
	}
	return Oversize{Dev: dev, MTU: n.links[dev].MTU}, n.links[dev].Source, true
}

// tooLong ends the way of a packet that does not fit it, and says what its sender is told: ip_forward and ip6_forward, before
// the FORWARD hook. IPv6 never fragments on the way; IPv4 does where DF is not set.
func (s state) tooLong(n *Namespace, stage Stage, d *Decision) []Branch {
	p := s.pkt
	if p.Length == 0 || p.Dst.Is4() && !p.DF {
		return nil
	}
	limit, source, ok := n.mtu(d.Result, d.Way.Dev)
	if !ok || p.Length <= limit.MTU {
		return nil
	}
	limit.Length = p.Length
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
	what := "on " + limit.Dev
	if limit.Route != "" {
		what = fmt.Sprintf("of route %s dev %s", limit.Route, limit.Dev)
	}
	told := fmt.Sprintf("%s tells %s by %s", from, p.Src, icmp)
	if stage == StageOutput {
		told = "its sender is told at once (EMSGSIZE)"
	}
	s = s.step(n, stage, fmt.Sprintf("%d bytes do not fit the MTU of %d %s: %s", p.Length, limit.MTU, what, told))
	s.last().Source, s.last().TooBig = source, &limit
	return s.end(TooBig)
}

// vlanHeader is the slack that is_skb_forwardable of net/core/dev.c leaves.
const vlanHeader = 4

// unfit ends the way of a frame that a device of the same machine does not take because its MTU is smaller than the sender's:
// is_skb_forwardable of include/linux/netdevice.h, for the ports of a bridge and the ends of a veth pair. Nobody is told.
func (s state) unfit(ns *Namespace, from, to *facts.Link, stage Stage) []Branch {
	return s.longerThan(ns, from, to, stage, vlanHeader)
}

// unfitPort is unfit for what a bridge forwards. Where iptables sees it there is no slack, and what may be fragmented is
// (br_nf_dev_queue_xmit of net/bridge/br_netfilter_hooks.c).
func (s state) unfitPort(ns *Namespace, in, out *facts.Link) []Branch {
	if on, _ := ns.bridgeFilters(s.pkt); on != yes {
		return s.unfit(ns, in, out, StageBridge)
	}
	if !s.pkt.DF && s.pkt.Dst.Is4() {
		return nil
	}
	return s.longerThan(ns, in, out, StageBridge, 0)
}

func (s state) longerThan(ns *Namespace, from, to *facts.Link, stage Stage, slack int) []Branch {
	length := s.pkt.Length
	if !s.pkt.DF && s.pkt.Dst.Is4() {
		length = min(length, from.MTU) // fragments
	}
	if to.MTU == 0 || length <= to.MTU+slack || slices.Contains(to.Flags, "LOOPBACK") {
		return nil
	}
	s = s.step(ns, stage, fmt.Sprintf("%d bytes do not fit the MTU of %d on %s of %s, which drops them without a word: %s sends up to %d",
		length, to.MTU, to.Ifname, ns.title(), from.Ifname, from.MTU))
	s.last().Source, s.last().TooBig = to.Source, &Oversize{Dev: to.Ifname, MTU: to.MTU, Length: length}
	return s.end(TooBig)
}
