package netfilter

import "sync"

// HookRules is what a rule set has for one family at one hook, found once for all packets that pass there. The rule set
// must not change afterwards. It may be used by several goroutines.
type HookRules struct {
	set    *Ruleset
	hook   Hook
	family string
	plan   []base
	// unread and firm are of unreadRules; vague is the table that was listed without interfaces.
	unread      []string
	firm, vague string
	idle        sync.Pool // of *traversal, for their arenas
}

// At is the rule set at a hook, for a family: "ip" or "ip6".
func (r *Ruleset) At(hook Hook, family string) *HookRules {
	h := &HookRules{set: r, hook: hook, family: family, plan: r.plan(hook, family)}
	h.unread, h.firm = r.unreadRules(family, hook)
	h.vague = r.withoutInterfaces(h.plan)
	return h
}

// Untouched says whether a packet passes the hook as it is, whatever it is: all listings were read, and none has a chain
// there that does anything.
func (h *HookRules) Untouched() bool { return len(h.unread) == 0 && h.firm == "" && len(h.plan) == 0 }

// Traverse is [Ruleset.Traverse] at this hook. A packet of the other family is walked as there.
func (h *HookRules) Traverse(p Packet) []Outcome {
	_, out := h.ofFamily(&p).walk(&p, false)
	return out
}

// Pass is Traverse for whoever has many packets, of which most only pass: by one way, for certain, as they are. Of such a
// packet outcomes is nil, and hops are those of its way.
func (h *HookRules) Pass(p *Packet) (hops []*Hop, outcomes []Outcome) {
	return h.ofFamily(p).walk(p, true)
}

// ofFamily is the hook for the packet's family.
func (h *HookRules) ofFamily(p *Packet) *HookRules {
	p.normalize()
	if f := p.family(); f != h.family {
		return h.set.At(h.hook, f)
	}
	return h
}

// walk takes a packet through the hook. With brief it makes no outcome of a packet that only passes.
func (h *HookRules) walk(p *Packet, brief bool) (hops []*Hop, out []Outcome) {
	if h.firm != "" {
		return nil, []Outcome{{Verdict: VerdictUnknown, Packet: *p, Probability: 1, Reason: h.firm}}
	}
	if brief && len(h.unread) == 0 && h.vague == "" && h.avoids(p) {
		return nil, nil
	}
	m, _ := h.idle.Get().(*traversal)
	if m == nil {
		m = &traversal{}
	}
	m.set, m.hook, m.family = h.set, h.hook, h.family
	w := m.arena.ways.next()
	w.pkt, w.todo, w.nat = *p, h.plan, &untranslated
	leaves := m.run(w)
	if brief && len(leaves) == 1 && len(h.unread) == 0 && h.vague == "" && leaves[0].passes(p) {
		hops = leaves[0].hops.slice()
	} else {
		out = h.outcomes(leaves, p)
	}
	// Hops and outcomes are copies: nothing points into the arena any more.
	m.arena.reset()
	*m = traversal{arena: m.arena}
	h.idle.Put(m)
	return hops, out
}

// avoids says whether the packet comes to no chain of the hook: all of them are of NAT, and it is no connection's first.
func (h *HookRules) avoids(p *Packet) bool {
	for i := range h.plan {
		if !h.plan[i].nat || h.hook.comesToNAT(p) != no {
			return false
		}
	}
	return true
}

// passes says whether the packet goes on behind the hook as it came, for certain.
func (l *leaf) passes(p *Packet) bool {
	return l.verdict == VerdictAccept && l.when == nil && !l.masquerade && l.nat == &untranslated && l.pkt == *p
}

func (h *HookRules) outcomes(leaves []*leaf, p *Packet) []Outcome {
	out := make([]Outcome, len(leaves), len(leaves)+boolRank(h.vague != ""))
	for i, l := range leaves {
		out[i] = Outcome{
			Verdict: l.verdict, Packet: l.pkt, Masquerade: l.masquerade, NAT: *l.nat, RejectWith: l.rejectWith,
			Probability: l.probability, Hops: l.hops.slice(), Reason: l.reason,
		}
		for c := l.when; c != nil; c = c.next {
			out[i].When = append(out[i].When, c.text)
		}
		if l.verdict != VerdictUnknown {
			for _, name := range h.unread {
				out[i].When = append(out[i].When, name+", which was not read, shows no rule for it")
			}
		}
	}
	if h.vague == "" {
		return out
	}
	// What rules may do that were listed without their interfaces nobody knows.
	rules := "the rules of table " + h.vague
	for i := range out {
		out[i].Probability /= 2
		out[i].When = append(out[i].When, rules+" ask for no interface, which its listing without -v does not show")
	}
	return append(out, Outcome{
		Verdict: VerdictUnknown, Packet: *p, Probability: 0.5, When: []string{rules + " ask for interfaces"},
		Reason: "table " + h.vague + " was listed without -v, which does not show the interfaces that rules ask for",
	})
}
