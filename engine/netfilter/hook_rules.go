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
	p = p.normal()
	if f := p.family(); f != h.family {
		h = h.set.At(h.hook, f)
	}
	return h.traverse(p)
}

func (h *HookRules) traverse(p Packet) []Outcome {
	if h.firm != "" {
		return []Outcome{{Verdict: VerdictUnknown, Packet: p, Probability: 1, Reason: h.firm}}
	}
	m, _ := h.idle.Get().(*traversal)
	if m == nil {
		m = &traversal{}
	}
	m.set, m.hook, m.family = h.set, h.hook, h.family
	w := m.arena.ways.next()
	w.pkt, w.todo = p, h.plan
	out := h.outcomes(m.run(w), p)
	// Outcomes are copies: nothing points into the arena any more.
	m.arena.reset()
	*m = traversal{arena: m.arena}
	h.idle.Put(m)
	return out
}

func (h *HookRules) outcomes(leaves []*leaf, p Packet) []Outcome {
	out := make([]Outcome, len(leaves), len(leaves)+boolRank(h.vague != ""))
	for i, l := range leaves {
		out[i] = l.Outcome
		out[i].Hops = l.hops.slice()
		for c := l.when; c != nil; c = c.next {
			out[i].When = append(out[i].When, c.text)
		}
		if l.Verdict != VerdictUnknown {
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
		Verdict: VerdictUnknown, Packet: p, Probability: 0.5, When: []string{rules + " ask for interfaces"},
		Reason: "table " + h.vague + " was listed without -v, which does not show the interfaces that rules ask for",
	})
}
