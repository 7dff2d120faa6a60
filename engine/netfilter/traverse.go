package netfilter

import (
	"fmt"
	"slices"
)

const (
	// maxTraverseSteps bounds the rules that one Traverse looks at, over all ways.
	maxTraverseSteps = 100_000
	// maxForks bounds the conditions on one way through a hook, and maxChances the choices by chance: a Service of
	// kube-proxy has one for each endpoint.
	maxForks, maxChances = 128, 4096
	// maxHops bounds the hops of all outcomes together.
	maxHops = 200_000
)

// Traverse takes a packet through all tables of a hook, in the kernel's order: of both iptables backends, nftables, and
// ipset. It gives every way that the packet may take, in a fixed order; their probabilities sum to 1.
//
// A rule that is not modelled makes no answer up: where its match or miss changes what becomes of the packet, the
// outcome is unknown and quotes it; where both come to the same, that is certain. NAT is that of a connection's first
// packet: later packets are translated by conntrack and not by rules, so to them chains of NAT do not apply. What else
// the rules cannot tell becomes a condition, and a listing that was not read is one too. Answers are bounded: a rule
// set that leaves more than 10,000 ways, or takes 100,000 rules to walk, has the rest of them unknown. IPVS is no rule: ask
// [IPVSTable.Lookup] for what it does at INPUT and OUTPUT.
func (r *Ruleset) Traverse(hook Hook, p Packet) []Outcome {
	p.normalize()
	_, out := r.At(hook, p.family()).walk(&p, false)
	return out
}

// traversal is the work of one Traverse.
type traversal struct {
	set    *Ruleset
	hook   Hook
	family string
	steps  int
	leaves int
	noted  int // hops of the leaves
	// services is a walk that asks where anybody's first packet to a destination goes: what becomes of its marks and
	// source is not asked, and its client was not here before. affinity is the first rule for clients that were.
	services bool
	affinity string
	arena    arena
}

// way is a packet on its way: where it is, how it came there, and what is still before it. Ways that part share what
// they have in common, none of which changes.
type way struct {
	pkt   Packet
	todo  []base
	base  *base
	in    bool // in a base chain
	rules []int32
	i, op int
	depth int
	up    *frame
	hops  *hopList
	// path is hops without the chains that returned; entry is the path to the chain at hand.
	path, entry    *hopList
	facts          *assumption
	forks, chances int

	accepted   bool
	notracked  *hopList
	translated bool
	masquerade bool
	seen       *view
	nat        *NAT // what translated it
	untracked  bool
}

// untranslated is the NAT of a way that nothing has translated.
var untranslated NAT

// frame is where to go on when a chain returns.
type frame struct {
	rules []int32
	i     int
	up    *frame
	entry *hopList
	chain int32 // that was entered from here
}

// assumption is a fact that a way has taken for granted.
type assumption struct {
	fact  string
	holds bool
	prev  *assumption
}

func (a *assumption) about(fact string) truth {
	for ; a != nil; a = a.prev {
		if a.fact == fact {
			return truthOf(a.holds)
		}
	}
	return maybe
}

func (m *traversal) end(w *way, v Verdict) []*leaf {
	m.leaves++
	if w.hops != nil {
		m.noted += w.hops.n
	}
	l := m.arena.leaves.next()
	l.alone[0] = l
	l.way, l.verdict, l.probability, l.given, l.services = w, v, 1, 1, m.services
	return l.alone[:]
}

func (m *traversal) unknown(w *way, format string, args ...any) []*leaf {
	out := m.end(w, VerdictUnknown)
	out[0].reason = fmt.Sprintf(format, args...)
	return out
}

// run follows a way to its end. Where it parts it follows both and joins what they came to.
func (m *traversal) run(w *way) []*leaf {
	for {
		if m.steps++; m.steps > maxTraverseSteps || m.leaves > maxOutcomes || w.forks > maxForks || w.chances > maxChances || m.noted > maxHops {
			if m.noted > maxHops {
				w.hops, w.path = nil, nil
			}
			return m.unknown(w, "gave up: the rules leave more than %d outcomes, %d conditions on one way, %d choices, %d hops or %d rules to look at",
				maxOutcomes, maxForks, maxChances, maxHops, maxTraverseSteps)
		}
		var out []*leaf
		switch {
		case !w.in && len(w.todo) == 0:
			return m.end(w, VerdictAccept)
		case !w.in:
			out = m.enterBase(w)
		case w.i < len(w.rules):
			out = m.rule(w)
		case w.up != nil:
			w.rules, w.i, w.entry, w.up = w.up.rules, w.up.i, w.up.entry, w.up.up
			w.depth--
		default:
			out = m.policy(w)
		}
		if out != nil {
			return out
		}
	}
}

func (m *traversal) policy(w *way) []*leaf {
	c := w.base.rec()
	w.in = false
	if !c.drops() {
		return nil
	}
	t := &w.base.l.tables[c.table]
	w.path = nil
	m.by(w, &Hop{
		Backend: w.base.l.backend, Family: t.family, Table: t.name, Chain: c.name, Rule: "policy " + c.policy, Line: w.base.l.line(c.line),
	})
	return m.end(w, VerdictDrop)
}

// enterBase takes the next base chain. Of several of one rank each may be the first.
func (m *traversal) enterBase(w *way) []*leaf {
	first := &w.todo[0]
	equal := 1
	for equal < len(w.todo) && first.sameRank(&w.todo[equal]) {
		equal++
	}
	if equal == 1 {
		w.todo = w.todo[1:]
		return m.start(w, first)
	}
	var ways []branch
	for i := range equal {
		chosen := &w.todo[i]
		next := m.copy(w)
		next.todo = slices.Concat(w.todo[:i:i], w.todo[i+1:])
		if chosen.nat {
			// The rest of NAT follows: it is one hook.
			slices.SortStableFunc(next.todo, func(a, b base) int {
				return boolRank(a.priority != chosen.priority || !a.nat) - boolRank(b.priority != chosen.priority || !b.nat)
			})
		}
		ways = append(ways, branch{
			way: next, weight: 1 / float64(equal), begin: chosen,
			when: chosen.name() + " is the first of those at priority " + fmt.Sprint(chosen.priority),
		})
	}
	return m.part(w, ways)
}

// start enters a base chain, if the packet comes to it: chains of NAT see the first packet of a connection, and only
// while nothing has translated it (nf_nat_inet_fn, net/netfilter/nf_nat_core.c).
func (m *traversal) start(w *way, b *base) []*leaf {
	if b.nat {
		t := m.hook.comesToNAT(&w.pkt)
		switch {
		case w.translated || w.untracked:
			t = no
		case t == maybe:
			t = w.facts.about(firstPacket)
		}
		switch t {
		case no:
			return nil
		case maybe:
			first, later := m.copy(w), m.copy(w)
			first.facts = &assumption{firstPacket, true, w.facts}
			later.facts = &assumption{firstPacket, false, w.facts}
			return m.part(w, []branch{
				{way: first, weight: 0.5, when: "it " + firstPacket, begin: b},
				{way: later, weight: 0.5, when: "it is not the first packet of its connection"},
			})
		}
	}
	w.base, w.in, w.i, w.op, w.up, w.depth = b, true, 0, 0, nil, 0
	w.path, w.entry = nil, nil
	w.rules = m.candidates(w, b.chain)
	return nil
}

const firstPacket = "is the first packet of its connection"

// comesToNAT says whether a packet that nothing has translated here is one that chains of NAT see.
func (h Hook) comesToNAT(p *Packet) truth {
	source := !h.translatesDestination()
	switch {
	case source && p.CtSNAT, !source && p.CtDNAT:
		return no
	case p.Iif == "lo" && (h == HookPrerouting || h == HookInput):
		return no // it keeps the connection that it has from OUTPUT and POSTROUTING
	}
	switch p.CtState {
	case "NEW":
		return yes
	case "RELATED":
		return truthOf(p.Proto != "icmp" && p.Proto != "icmpv6")
	case "":
		return maybe
	}
	return no
}

// candidates gives the rules of a chain that the packet's destination does not exclude.
func (m *traversal) candidates(w *way, chain int32) []int32 {
	l := w.base.l
	p := &w.pkt
	if !p.Dst.IsValid() || p.Proto == "" || (p.Dport == 0 && p.hasPorts() != no) {
		return l.rulesOf(chain)
	}
	return l.candidates(chain, p.Dst, p.Proto, p.Dport)
}

// view is what the way's next match sees: what the one before it saw, as long as that is still so.
func (m *traversal) view(w *way) *view {
	if v := w.seen; v != nil && v.p == &w.pkt && v.base == w.base && v.facts == w.facts && v.untracked == w.untracked && v.given == w.pkt.CtState {
		return v
	}
	v := m.arena.views.next()
	w.seen = v
	*v = view{
		base: w.base, facts: w.facts, untracked: w.untracked, given: w.pkt.CtState,
		set: m.set, list: w.base.l, table: w.base.rec().table, hook: m.hook, family: m.family, p: &w.pkt,
		state: w.pkt.CtState, conn: yes, fresh: m.services,
	}
	early := m.hook.tracks() && !(m.hook == HookPrerouting && w.pkt.Iif == "lo")
	switch {
	case w.untracked || v.state == "UNTRACKED":
		v.state, v.conn = "UNTRACKED", no
	case early && w.base.priority < priorityConntrack:
		v.state, v.conn = "INVALID", no
	case early && w.base.priority == priorityConntrack:
		v.state, v.conn = "", maybe
	case v.state == "INVALID":
		v.conn = no
	case v.state == "":
		v.conn = maybe
	}
	if v.state == "" && w.facts.about(firstPacket) == yes {
		v.conn = yes
	}
	return v
}

// push enters a chain from a rule; tail is goto, which leaves no way back here.
func (m *traversal) push(w *way, chain int32, tail bool) []*leaf {
	w.op = 0
	if !tail {
		for f := w.up; f != nil; f = f.up {
			if f.chain == chain {
				return m.unknown(w, "chain %s comes back to itself", w.base.l.chains[chain].name)
			}
		}
		if w.depth++; w.depth > maxDepth {
			return m.unknown(w, "jumps nest deeper than %d at chain %s", maxDepth, w.base.l.chains[chain].name)
		}
		up := m.arena.frames.next()
		*up = frame{w.rules, w.i + 1, w.up, w.entry, chain}
		w.up = up
	}
	w.entry = w.path
	w.rules, w.i = m.candidates(w, chain), 0
	return nil
}
