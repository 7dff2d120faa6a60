package netfilter

import "math"

// branch is one of the ways on from where a way parts. A condition that it states in when is its own; without one
// chance decides.
type branch struct {
	way    *way
	weight float64
	when   string
	// given is the share among packets for which when holds, where chance decides too; vague is that it is not known.
	given float64
	vague bool
	// begin is the base chain to enter first.
	begin *base
}

func (m *traversal) follow(w *way, b *branch) []*leaf {
	next := b.way
	next.forks, next.chances = w.forks, w.chances
	next.parted(b.when)
	if b.begin != nil {
		if out := m.start(next, b.begin); out != nil {
			return out
		}
	}
	return m.run(next)
}

// copy is a way of its own that begins where another is.
func (m *traversal) copy(w *way) *way {
	next := m.arena.ways.next()
	*next = *w
	return next
}

// parted counts a fork.
func (w *way) parted(when string) {
	if when != "" {
		w.forks++
	} else {
		w.chances++
	}
}

// leaf is where a way ends. Its probability and conditions are those from the fork at hand on.
type leaf struct {
	*way        // as it was at its end
	verdict     Verdict
	reason      string
	rejectWith  string
	probability float64
	when        *condition
	// given is the share among packets for which the conditions hold; vague is that a listing does not show it.
	given float64
	vague bool
	// services is of a walk that asks for destinations alone.
	services bool
	alone    [1]*leaf // a list of it
}

// condition is a list, the first fork first.
type condition struct {
	text string
	next *condition
}

func (c *condition) same(d *condition) bool {
	for ; c != nil && d != nil; c, d = c.next, d.next {
		if c == d {
			return true
		}
		if c.text != d.text {
			return false
		}
	}
	return c == d
}

// maxCompared bounds the outcomes that are compared with each other. Longer lists are taken to differ unless they are the
// same in the same order.
const maxCompared = 64

// part follows all branches and joins their outcomes.
func (m *traversal) part(w *way, branches []branch) []*leaf {
	ended := make([][]*leaf, len(branches))
	for i := range branches {
		ended[i] = m.follow(w, &branches[i])
	}
	return m.join(branches, ended)
}

// join puts together what the branches came to. Where every one came to the same, neither condition nor chance matters, and
// they are left out.
func (m *traversal) join(branches []branch, ended [][]*leaf) []*leaf {
	same, total := true, 0
	for i, got := range ended {
		same = same && (i == 0 || sameLeaves(ended[0], got))
		total += len(got)
	}
	if same && len(ended) > 0 {
		m.leaves -= total - len(ended[0])
		return ended[0]
	}
	out := make([]*leaf, 0, total)
	for i, got := range ended {
		for _, l := range got {
			b := &branches[i]
			l.probability *= b.weight
			l.vague = l.vague || b.vague
			switch {
			case b.when == "":
				l.given *= b.weight
			case b.given > 0:
				l.given *= b.given
			}
			if b.when != "" {
				l.when = &condition{b.when, l.when}
			}
			out = append(out, l)
		}
	}
	return joined(out)
}

// blind follows a rule that is not modelled as if it matched and as if not. Where that makes a difference the outcome
// is unknown.
func (m *traversal) blind(w *way, match, miss *way, hop *Hop, quote string) []*leaf {
	w.forks++
	a := m.follow(w, &branch{way: match})
	b := m.follow(w, &branch{way: miss})
	m.leaves -= len(a) // as many as the other, or replaced
	if sameLeaves(a, b) {
		return b
	}
	m.leaves -= len(b)
	m.by(w, hop)
	return m.unknown(w, "rule of chain %s is not modelled (%s): %s", hop.Chain, quote, hop.Rule)
}

// sameLeaves says whether two lists have the same effects, conditions and probabilities, whatever the order and rules.
func sameLeaves(a, b []*leaf) bool {
	if len(a) != len(b) {
		return false
	}
	aligned := true
	for i := range a {
		if aligned = a[i].same(b[i]) && math.Abs(a[i].probability-b[i].probability) < epsilon; !aligned {
			break
		}
	}
	if aligned || len(a) > maxCompared {
		return aligned
	}
	var used [maxCompared]bool
next:
	for i := range a {
		for j := range b {
			if !used[j] && a[i].same(b[j]) && math.Abs(a[i].probability-b[j].probability) < epsilon {
				used[j] = true
				continue next
			}
		}
		return false
	}
	return true
}

func (l *leaf) same(k *leaf) bool {
	if l.services {
		return l.verdict == k.verdict && l.nat.Kind == k.nat.Kind && l.nat.NewDst == k.nat.NewDst && l.reason == k.reason &&
			l.accepted == k.accepted && (l.notracked == nil) == (k.notracked == nil) && l.when.same(k.when)
	}
	return l.verdict == k.verdict && l.masquerade == k.masquerade && l.reason == k.reason && l.rejectWith == k.rejectWith &&
		l.pkt == k.pkt && *l.nat == *k.nat && l.when.same(k.when)
}

// joined adds up leaves that do not differ. Long lists stay as they are.
func joined(list []*leaf) []*leaf {
	if len(list) > maxCompared {
		return list
	}
	out := list[:0]
next:
	for _, l := range list {
		for _, k := range out {
			if k.same(l) {
				k.probability += l.probability
				k.given += l.given
				k.vague = k.vague || l.vague
				continue next
			}
		}
		out = append(out, l)
	}
	return out
}
