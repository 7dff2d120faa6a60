package datapath

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
)

func hookOf(s Stage) netfilter.Hook {
	switch s {
	case StagePrerouting:
		return netfilter.HookPrerouting
	case StageInput:
		return netfilter.HookInput
	case StageForward:
		return netfilter.HookForward
	case StageOutput:
		return netfilter.HookOutput
	}
	return netfilter.HookPostrouting
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
	if !ns.filtered {
		if branches, taken := w.assumed(s, ns, stage, next); taken {
			return branches
		}
		s = s.undo(c, stage)
		s = s.masquerades(ns, stage, oif, nexthop)
		s = s.step(ns, stage, "the netfilter rules were not read")
		return next(s.unsure(missing(ns, "nftables")))
	}
	listings := ns.listings()
	if err := listings.err; err != nil {
		return s.unknown(ns, stage, fmt.Sprintf("the netfilter rules were not understood: %v", err), missing(ns, "nftables"))
	}
	if listings.untouched[hookOf(stage)][familyIndex(s.pkt.Dst)] && (c == nil || !c.reply) {
		return next(s.say(ns, stage, untouched{}))
	}
	p := filterPacket(s.pkt, c, iif, oif)
	p.PhysIn, p.PhysOut = ports.in, ports.out
	hops, outcomes := listings.hooks[hookOf(stage)][familyIndex(p.Dst)].Pass(&p)
	if outcomes == nil {
		before := s.pkt
		s = s.undo(c, stage)
		return next(s.passed(ns, stage, passage{listings: listings, hops: hops, before: before, byRules: before}))
	}
	if len(outcomes) == 1 {
		return w.outcome(s, ns, stage, oif, nexthop, listings, &outcomes[0], c, next)
	}
	var out []Branch
	for i := range outcomes {
		if i > 0 && !w.fork() {
			break
		}
		b, o := s, &outcomes[i]
		b.probability *= o.Probability
		out = append(out, w.outcome(b, ns, stage, oif, nexthop, listings, o, c, next)...)
	}
	return out
}

func (w *walker) outcome(
	s state, ns *Namespace, stage Stage, oif string, nexthop netip.Addr, listings *parsedListings, o *netfilter.Outcome, c *connection, next func(state) []Branch,
) []Branch {
	if len(o.When) > 0 {
		s.when = append(append([]string{}, s.when...), o.When...)
	}
	ended := func(v Verdict, text string) []Branch {
		s := s.step(ns, stage, text)
		if n := len(o.Hops); n > 0 {
			s.last().Source = listings.Source(*o.Hops[n-1])
		}
		return s.end(v)
	}
	switch o.Verdict {
	case netfilter.VerdictDrop:
		return ended(Dropped, rulesText(o.Hops))
	case netfilter.VerdictReject:
		return ended(Rejected, rulesText(o.Hops))
	case netfilter.VerdictUnknown:
		return ended(Unknown, o.Reason)
	}
	src := o.Packet.Src
	if o.Masquerade {
		if src = ns.masqueradeSource(oif, nexthop); !src.IsValid() {
			return ended(Unknown, "MASQUERADE takes an address of "+oif+", and which is not known")
		}
	}
	if !o.Packet.Dst.IsValid() {
		return ended(Unknown, "where REDIRECT leads is not known: "+rulesText(o.Hops))
	}
	if c != nil && !c.notrack && o.Packet.CtState == "UNTRACKED" {
		s, c = s.untrack(c)
	}
	if s.pkt.Mark != o.Packet.Mark {
		s.edit().Mark = o.Packet.Mark
	}
	same := s.pkt.Src == src && s.pkt.Dst == o.Packet.Dst && s.pkt.Sport == o.Packet.Sport && s.pkt.Dport == o.Packet.Dport
	if same && (c == nil || !c.reply) {
		return next(s.passed(ns, stage, passage{listings: listings, hops: o.Hops}))
	}
	return next(s.translate(ns, stage, listings, o, src, c))
}

// translate is the state after a hook that may have changed the packet's addresses: by rules, or for an answer by
// conntrack.
func (s state) translate(ns *Namespace, stage Stage, listings *parsedListings, o *netfilter.Outcome, src netip.Addr, c *connection) state {
	before := s.pkt
	if p := &o.Packet; before.Src != src || before.Dst != p.Dst || before.Sport != p.Sport || before.Dport != p.Dport {
		q := s.edit()
		q.Src, q.Dst, q.Sport, q.Dport = src, p.Dst, p.Sport, p.Dport
		s = s.translated(ns, before)
	}
	byRules := s.pkt
	s = s.undo(c, stage)
	return s.passed(ns, stage, passage{listings: listings, hops: o.Hops, before: before, byRules: byRules})
}

// passage is what a hook does with a packet: its rules make byRules of before, and conntrack makes after of that where it is
// an answer. They are nil where nothing can have changed it.
type passage struct {
	listings               *parsedListings
	hops                   []*netfilter.Hop
	before, byRules, after *Packet
}

// untouched is what a hook without rules does.
type untouched struct{}

func (untouched) tell() (string, facts.Source) { return rulesText(nil), "" }

func (p *passage) tell() (string, facts.Source) {
	text := rulesText(p.hops)
	if p.before != nil && !sameTuple(p.before, p.after) {
		if !sameTuple(p.byRules, p.after) {
			text = "conntrack undoes the translation: " + changeText(p.byRules, p.after)
		}
		if !sameTuple(p.before, p.byRules) {
			text += "; " + changeText(p.before, p.byRules)
		}
	}
	return text, rulesSource(p.listings, p.hops)
}

// passed is the state after a hook that let the packet through.
func (s state) passed(ns *Namespace, stage Stage, by passage) state {
	p := s.store.passages.next()
	*p = by
	p.after = s.pkt
	return s.say(ns, stage, p)
}

func changeText(before, after *Packet) string {
	return fmt.Sprintf("%s > %s becomes %s > %s", end(before.Src, before.Sport), end(before.Dst, before.Dport), end(after.Src, after.Sport), end(after.Dst, after.Dport))
}

func rulesText(hops []*netfilter.Hop) string {
	if len(hops) == 0 {
		return "no rule has an effect"
	}
	var chains []string
	for _, h := range hops {
		// A chain that calls several others is said once, until one of them decides.
		if len(chains) == 0 || chains[len(chains)-1] != h.Chain {
			chains = append(chains, h.Chain)
		}
	}
	return strings.Join(chains, " > ") + ": " + hops[len(hops)-1].Rule
}

func rulesSource(listings *parsedListings, hops []*netfilter.Hop) facts.Source {
	if len(hops) == 0 {
		return ""
	}
	return listings.Source(*hops[len(hops)-1])
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

func filterPacket(p *Packet, c *connection, iif, oif string) netfilter.Packet {
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
