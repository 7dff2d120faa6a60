package netfilter

import "strings"

// rule asks the rule at hand about the packet and does what it says.
func (m *traversal) rule(w *way) []*leaf {
	index := w.rules[w.i]
	prog := w.base.l.program(index)
	m.steps += len(prog.hop.Rule) / 256
	if w.op == 0 {
		w.path = w.entry
	}
	v := m.view(w)
	var q question
	for w.op < len(prog.ops) {
		o := &prog.ops[w.op]
		if o.act != nil {
			break
		}
		r := o.match.match(v)
		if r.doubt != nil && r.seen && m.affinity == "" {
			m.affinity = prog.hop.Rule
		}
		if !q.ask(w, r) {
			w.skip()
			return nil
		}
		w.op++
	}
	if q.certain() {
		if w.op == len(prog.ops) {
			w.skip()
			return nil
		}
		return m.act(w, v, prog)
	}
	if !prog.matters(w.op) {
		w.skip()
		return nil
	}
	match, miss := m.copy(w), m.copy(w)
	miss.skip()
	if len(q.blind) > 0 {
		return m.blind(w, match, miss, &prog.hop, strings.Join(q.blind, "; "))
	}
	return m.part(w, m.branches(&q, match, miss))
}

// by notes a rule that the way went by.
func (m *traversal) by(w *way, hop *Hop) {
	w.hops, w.path = m.arena.push(w.hops, hop), m.arena.push(w.path, hop)
}

// skip goes on to the next rule.
func (w *way) skip() { w.i, w.op = w.i+1, 0 }

// question gathers what a rule's matches leave open.
type question struct {
	open  []reply
	share float64 // of packets that match by chance; 0 is no such match
	vague bool    // share is not known
	blind []string
}

// ask takes an answer; false says that the rule does not match.
func (q *question) ask(w *way, r reply) bool {
	switch {
	case r.truth == no:
		return false
	case r.truth == yes:
	case r.blind != "":
		q.blind = append(q.blind, r.blind)
	case r.share > 0:
		if q.share == 0 {
			q.share = 1
		}
		q.share *= r.share
		q.vague = q.vague || r.vague
	default:
		if !r.fleeting {
			if t := w.facts.about(r.fact); t != maybe {
				return (t == yes) == r.want
			}
		}
		q.open = append(q.open, r)
	}
	return true
}

func (q *question) certain() bool { return len(q.open) == 0 && q.share == 0 && len(q.blind) == 0 }

// branches are the ways of a match and a miss. Several facts are one condition: all of them hold, or not.
func (m *traversal) branches(q *question, match, miss *way) []branch {
	if len(q.open) == 0 {
		return []branch{{way: match, weight: q.share, vague: q.vague}, {way: miss, weight: 1 - q.share, vague: q.vague}}
	}
	var wanted, unwanted []string
	for _, r := range q.open {
		wanted, unwanted = append(wanted, r.wanted()), append(unwanted, r.unwanted())
		if r.fleeting {
			continue
		}
		match.facts = &assumption{r.fact, r.want, match.facts}
		if r.settle != nil && r.want {
			match.settle(r.settle)
		}
		if len(q.open) == 1 {
			miss.facts = &assumption{r.fact, !r.want, miss.facts}
			if r.settle != nil && !r.want {
				miss.settle(r.settle)
			}
		}
	}
	yes, no := strings.Join(wanted, " and "), strings.Join(unwanted, " or ")
	if q.share == 0 {
		return []branch{{way: match, weight: 0.5, when: yes}, {way: miss, weight: 0.5, when: no}}
	}
	chanced := m.copy(miss)
	chanced.facts, chanced.pkt = match.facts, match.pkt
	return []branch{
		{way: match, weight: 0.5 * q.share, given: q.share, vague: q.vague, when: yes},
		{way: chanced, weight: 0.5 * (1 - q.share), given: 1 - q.share, vague: q.vague, when: yes},
		{way: miss, weight: 0.5, when: no},
	}
}

// settle fills in the packet; a copy, as what is handed to a function value is moved to the heap.
func (w *way) settle(fill func(*Packet)) {
	p := w.pkt
	fill(&p)
	w.pkt = p
}

// act does what a rule says, once its matches hold.
func (m *traversal) act(w *way, v *view, prog *program) []*leaf {
	a := prog.ops[w.op].act
	switch a.kind {
	case actNothing:
	case actMark:
		if a.mark.needsConn() && v.conn != yes {
			switch {
			case v.conn == maybe:
				m.by(w, &prog.hop)
				return m.unknown(w, "whether the packet has a connection to take a mark is not known: %s", prog.hop.Rule)
			case a.mark.strict:
				w.skip()
				return nil
			}
			break
		}
		a.mark.apply(&w.pkt)
		m.by(w, &prog.hop)
	case actSetTTL:
		a.ttl.apply(&w.pkt)
		m.by(w, &prog.hop)
	case actNotrack:
		// A packet that has a connection already keeps it (notrack_tg; nft_notrack_eval).
		if v.conn == no && v.state != "UNTRACKED" && w.base.priority < priorityConntrack {
			w.untracked = true
			w.pkt.CtState, w.pkt.CtDir = "UNTRACKED", ""
		}
		m.by(w, &prog.hop)
		if w.untracked && w.notracked == nil {
			w.notracked = w.path
		}
	default:
		return m.decide(w, v, a, &prog.hop)
	}
	w.op++
	return nil
}

// decide does what ends the rule.
func (m *traversal) decide(w *way, v *view, a *action, hop *Hop) []*leaf {
	switch a.kind {
	case actLookup:
		return m.lookUp(w, v, a.lookup, hop)
	case actNAT:
		if f := a.nat.family; f != "" && f != m.family {
			w.op++ // nft_nat_inet_eval leaves the other family alone
			return nil
		}
		if a.nat.lookup != nil {
			return m.natLookUp(w, v, a.nat, hop)
		}
		return m.translate(w, a.nat, a.nat.dests, hop)
	case actTProxy:
		return m.tproxy(w, a, hop)
	}
	if a.kind != actContinue {
		m.by(w, hop)
	}
	switch a.kind {
	case actAccept:
		w.in, w.accepted = false, true
	case actDrop:
		return m.end(w, VerdictDrop)
	case actReject:
		out := m.end(w, VerdictReject)
		out[0].rejectWith = a.with
		return out
	case actReturn:
		w.op = 0
		w.i = len(w.rules)
	case actContinue:
		w.skip()
	case actJump:
		if m.services && a.name == "KUBE-MARK-DROP" {
			return m.end(w, VerdictDrop) // its mark makes kubelet's KUBE-FIREWALL of table filter drop the packet
		}
		return m.push(w, a.chain, false)
	case actGoto:
		return m.push(w, a.chain, true)
	default:
		return m.unknown(w, "rule of chain %s is not modelled (%s): %s", hop.Chain, a.quote, hop.Rule)
	}
	return nil
}

// lookUp does what a verdict map says of the packet.
func (m *traversal) lookUp(w *way, v *view, l *lookup, hop *Hop) []*leaf {
	found := l.find(v)
	m.steps += found.cost
	if found.blind != "" {
		m.by(w, hop)
		return m.unknown(w, "rule of chain %s is not modelled (%s): %s", hop.Chain, found.blind, hop.Rule)
	}
	return m.choose(w, found, func(next *way, e mapElem) []*leaf {
		if l.name != "" {
			m.by(next, hop)
		}
		here := hop
		if l.name != "" {
			here = &Hop{
				Backend: hop.Backend, Family: hop.Family, Table: hop.Table, Chain: "map " + l.name, Rule: e.text, Line: e.line,
			}
		}
		a := verdictOf(e.data)
		w.base.l.resolve(w.base.rec().table, a)
		return m.decide(next, v, a, here)
	})
}

// choose goes on with each element that a lookup may give.
func (m *traversal) choose(w *way, found found, with func(*way, mapElem) []*leaf) []*leaf {
	if found.only != nil {
		return with(w, *found.only)
	}
	if len(found.maybe) == 0 {
		w.skip()
		return nil
	}
	var ways []branch
	left := 1.0
	var ended [][]*leaf
	for _, c := range found.maybe {
		next := m.copy(w)
		next.parted(c.when)
		out := with(next, c.elem)
		ways = append(ways, branch{way: next, weight: c.share, when: c.when})
		ended = append(ended, out)
		left -= c.share
	}
	if left > epsilon {
		next := m.copy(w)
		next.skip()
		ways = append(ways, branch{way: next, weight: left, when: found.otherwise})
		ended = append(ended, nil)
	}
	for i := range ended {
		if ended[i] == nil {
			ended[i] = m.follow(w, &ways[i])
		}
	}
	return m.join(ways, ended)
}

// tproxy gives the packet to a local socket, whatever its destination, or drops it where none takes it (tproxy_tg4,
// net/netfilter/xt_TPROXY.c).
func (m *traversal) tproxy(w *way, a *action, hop *Hop) []*leaf {
	m.by(w, hop)
	taken, dropped := m.copy(w), m.copy(w)
	taken.facts = &assumption{a.name, true, w.facts}
	a.mark.apply(&taken.pkt)
	taken.in, taken.op = false, 0
	with := branch{way: taken, weight: 0.5, when: a.name}
	switch w.facts.about(a.name) {
	case yes:
		*w = *taken
		return nil
	case no:
		return m.end(w, VerdictDrop)
	}
	without := branch{way: dropped, weight: 0.5, when: "no transparent socket takes it"}
	return m.join([]branch{with, without}, [][]*leaf{m.follow(w, &with), m.end(dropped, VerdictDrop)})
}
