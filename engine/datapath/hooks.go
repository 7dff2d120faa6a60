package datapath

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/netcause/netcause/engine/netfilter"
)

var hookOf = map[Stage]netfilter.Hook{
	StagePrerouting: netfilter.HookPrerouting, StageInput: netfilter.HookInput, StageForward: netfilter.HookForward,
	StageOutput: netfilter.HookOutput, StagePostrouting: netfilter.HookPostrouting,
}

// bridgePorts are the ports of the bridge that calls a hook (br_netfilter).
type bridgePorts struct{ in, out string }

// hook takes the packet through netfilter and goes on with what comes out. Nexthop is what MASQUERADE chooses its source by.
func (w *walker) hook(s state, ns *Namespace, stage Stage, iif, oif string, nexthop netip.Addr, next func(state) []Branch) []Branch {
	return w.bridgedHook(s, ns, stage, iif, oif, nexthop, bridgePorts{}, next)
}

func (w *walker) bridgedHook(
	s state, ns *Namespace, stage Stage, iif, oif string, nexthop netip.Addr, ports bridgePorts, next func(state) []Branch,
) []Branch {
	s, c := s.track(ns, stage, w.answer != nil)
	if !readFilter(ns.facts) {
		if branches, taken := w.assumed(s, ns, stage, next); taken {
			return branches
		}
		s.pkt = c.undo(s.pkt, stage)
		s = s.masquerades(ns, stage, oif, nexthop)
		s = s.step(ns, stage, "the netfilter rules were not read")
		return next(s.unsure(missing(ns, "nftables")))
	}
	listings, err := w.model.listings(ns)
	if err != nil {
		return s.unknown(ns, stage, fmt.Sprintf("the netfilter rules were not understood: %v", err), missing(ns, "nftables"))
	}
	p := filterPacket(s.pkt, c, iif, oif)
	p.PhysIn, p.PhysOut = ports.in, ports.out
	var out []Branch
	for i, o := range listings.Rules.Traverse(hookOf[stage], p) {
		if i > 0 && !w.fork() {
			break
		}
		b := s
		b.probability *= o.Probability
		if len(o.When) > 0 {
			b.when = append(append([]string{}, b.when...), o.When...)
		}
		out = append(out, w.outcome(b, ns, stage, oif, nexthop, listings, o, c, next)...)
	}
	return out
}

func (w *walker) outcome(
	s state, ns *Namespace, stage Stage, oif string, nexthop netip.Addr, listings *Listings, o netfilter.Outcome, c *connection, next func(state) []Branch,
) []Branch {
	text := "no rule has an effect"
	if n := len(o.Hops); n > 0 {
		var chains []string
		for _, h := range o.Hops {
			chains = append(chains, h.Chain)
		}
		text = strings.Join(chains, " > ") + ": " + o.Hops[n-1].Rule
	}
	ended := func(v Verdict, text string) []Branch {
		s = s.step(ns, stage, text)
		if n := len(o.Hops); n > 0 {
			s.last().Source = listings.Source(o.Hops[n-1])
		}
		return s.end(v)
	}
	switch o.Verdict {
	case netfilter.VerdictDrop:
		return ended(Dropped, text)
	case netfilter.VerdictReject:
		return ended(Rejected, text)
	case netfilter.VerdictUnknown:
		return ended(Unknown, o.Reason)
	}
	if o.Masquerade {
		src := ns.masqueradeSource(oif, nexthop)
		if !src.IsValid() {
			return ended(Unknown, "MASQUERADE takes an address of "+oif+", and which is not known")
		}
		o.Packet.Src = src
	}
	if !o.Packet.Dst.IsValid() {
		return ended(Unknown, "where REDIRECT leads is not known: "+text)
	}
	if c != nil && !c.notrack && o.Packet.CtState == "UNTRACKED" {
		s, c = s.untrack(c)
	}
	before := s.pkt
	s.pkt.Src, s.pkt.Dst, s.pkt.Sport, s.pkt.Dport, s.pkt.Mark = o.Packet.Src, o.Packet.Dst, o.Packet.Sport, o.Packet.Dport, o.Packet.Mark
	s = s.translated(ns, before)
	undone := c.undo(s.pkt, stage)
	if undone.Src != s.pkt.Src || undone.Dst != s.pkt.Dst || undone.Sport != s.pkt.Sport || undone.Dport != s.pkt.Dport {
		text = fmt.Sprintf("conntrack undoes the translation: %s > %s becomes %s > %s", end(s.pkt.Src, s.pkt.Sport), end(s.pkt.Dst, s.pkt.Dport),
			end(undone.Src, undone.Sport), end(undone.Dst, undone.Dport))
		s.pkt = undone
	}
	if o.NAT.Kind != "" {
		text += fmt.Sprintf("; %s > %s becomes %s > %s", end(before.Src, before.Sport), end(before.Dst, before.Dport),
			end(s.pkt.Src, s.pkt.Sport), end(s.pkt.Dst, s.pkt.Dport))
	}
	s = s.step(ns, stage, text)
	if n := len(o.Hops); n > 0 {
		s.last().Source = listings.Source(o.Hops[n-1])
	}
	return next(s)
}

func end(a netip.Addr, port uint16) string {
	if port == 0 {
		return a.String()
	}
	return netip.AddrPortFrom(a, port).String()
}

// masqueradeSource is nf_nat_masquerade_ipv4: inet_select_addr of the outgoing device for the nexthop.
func (n *Namespace) masqueradeSource(dev string, nexthop netip.Addr) netip.Addr {
	if nexthop.Is6() {
		return n.selectAddress6(dev, nexthop)
	}
	return n.selectAddress(dev, nexthop, scopeUniverse)
}

func filterPacket(p Packet, c *connection, iif, oif string) netfilter.Packet {
	f := netfilter.Packet{
		Src: p.Src, Dst: p.Dst, Proto: p.Proto, Sport: p.Sport, Dport: p.Dport, Length: p.Length, TTL: p.TTL, Iif: iif, Oif: oif,
		Mark: p.Mark, UID: p.uid, CtState: "NEW", CtDir: "ORIGINAL", ICMPType: -1, ICMPCode: -1,
	}
	switch {
	case p.Proto == "icmp":
		f.ICMPType, f.ICMPCode = 8, 0
	case p.Proto == "icmpv6":
		f.ICMPType, f.ICMPCode = 128, 0
	}
	if p.Proto == "tcp" {
		f.TCPFlags = netfilter.TCPSYN
	}
	if c == nil || p.Inner != nil {
		return f
	}
	f.CtDNAT = c.orig.Dst != c.now.Dst || c.orig.Dport != c.now.Dport
	f.CtSNAT = c.orig.Src != c.now.Src || c.orig.Sport != c.now.Sport
	f.CtOrigSrc, f.CtOrigDst = netip.AddrPortFrom(c.orig.Src, c.orig.Sport), netip.AddrPortFrom(c.orig.Dst, c.orig.Dport)
	switch {
	case c.notrack:
		f.CtState, f.CtDir, f.CtDNAT, f.CtSNAT = "UNTRACKED", "", false, false
	case c.unseen:
		f.CtState, f.CtDNAT, f.CtSNAT = "INVALID", false, false
		if p.Proto == "udp" {
			f.CtState = "NEW"
		}
	case c.reply:
		f.CtState, f.CtDir = "ESTABLISHED", "REPLY"
		if p.Proto == "icmp" {
			f.ICMPType = 0
		}
	}
	if c.reply && p.Proto == "tcp" {
		f.TCPFlags |= netfilter.TCPACK
	}
	return f
}
