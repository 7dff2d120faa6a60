package netfilter

const (
	// maxDepth bounds nested jumps. nf_tables allows 16 (NFT_JUMP_STACK_SIZE); ip_tables sizes its stack
	// by the number of chains, kube-proxy needs 6.
	maxDepth = 64
	// maxOutcomes bounds the endpoints and verdicts of one walk.
	maxOutcomes = 10_000

	epsilon = 1e-9
)

// hopList shares tails, as many outcomes come by the same rules.
type hopList struct {
	hop  *Hop
	prev *hopList
	n    int
}

func (a *arena) push(h *hopList, hop *Hop) *hopList {
	n := 1
	if h != nil {
		if h.hop == hop {
			return h // a rule that does several things is one hop
		}
		n += h.n
	}
	next := a.hops.next()
	*next = hopList{hop, h, n}
	return next
}

// slice is the list in order. Its hops are those of programs: they are shared and do not change.
func (h *hopList) slice() []*Hop {
	if h == nil {
		return nil
	}
	out := make([]*Hop, h.n)
	for i := h.n - 1; h != nil; h, i = h.prev, i-1 {
		out[i] = h.hop
	}
	return out
}

// copies is the list in order, its hops the caller's own.
func (h *hopList) copies() []Hop {
	if h == nil {
		return nil
	}
	out := make([]Hop, h.n)
	for i := h.n - 1; h != nil; h, i = h.prev, i-1 {
		out[i] = *h.hop
	}
	return out
}

// Hop is the rule as a step of a way.
func (r Rule) Hop() Hop {
	return Hop{Backend: r.Backend, Family: r.Family, Table: r.Table, Chain: r.Chain, Rule: r.Text, Line: r.Line}
}
