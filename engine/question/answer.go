package question

import (
	"cmp"
	"slices"

	"github.com/netcause/netcause/engine/datapath"
)

// Way is one way of a packet, with the ways of its answer.
type Way struct {
	Probability float64          `json:"probability"`
	When        []string         `json:"when,omitempty"`
	Verdict     datapath.Verdict `json:"verdict"`
	// Expected is of an unknown verdict what it most likely comes to: see [datapath.Branch].
	Expected datapath.Verdict `json:"expected,omitempty"`
	Hops     []datapath.Step  `json:"hops"`
	Reply    []Way            `json:"reply"`
}

// Answer is what becomes of a packet: the verdict of all ways, and the way that decides it.
type Answer struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Resolved is whose address To came to, where it names one.
	Resolved string           `json:"resolved,omitempty"`
	Packet   datapath.Packet  `json:"packet"`
	Verdict  datapath.Verdict `json:"verdict"`
	// Expected is of an unknown verdict what it most likely comes to.
	Expected datapath.Verdict `json:"expected,omitempty"`
	// EndsAt is the hop that decides: where the packet or its answer ends, or the first that is not certain.
	EndsAt *datapath.Step `json:"endsAt,omitempty"`
	// OnReply says that it is the answer that ends there.
	OnReply bool `json:"onReply,omitempty"`
	// Hops and Reply are of the way that decides the verdict.
	Hops  []datapath.Step `json:"hops"`
	Reply []Way           `json:"reply"`
	// Paths are all ways, where they were asked for.
	Paths []Way `json:"paths,omitempty"`
}

// Answer walks what was asked; all keeps every way.
func (a *Asked) Answer(m *datapath.Model, all bool) *Answer {
	t := a.Trace(m)
	r := &Answer{
		From: a.Question.From, To: a.Question.To, Resolved: a.Resolved, Packet: t.Packet, Verdict: t.Verdict, Expected: t.Expected,
		Hops: []datapath.Step{}, Reply: []Way{},
	}
	ways := waysOf(t.Branches)
	for i := range ways {
		if ways[i].Verdict != t.Verdict || t.Expected != "" && ways[i].Expected != t.Expected {
			continue
		}
		r.Hops, r.Reply = ways[i].Hops, ways[i].Reply
		r.EndsAt = t.Branches[i].Ends()
		r.OnReply = r.EndsAt != nil && !slices.ContainsFunc(t.Branches[i].Steps, func(s datapath.Step) bool { return same(&s, r.EndsAt) })
		break
	}
	if all {
		r.Paths = ways
	}
	return r
}

func same(a, b *datapath.Step) bool {
	return a.Node == b.Node && a.Namespace == b.Namespace && a.Stage == b.Stage && a.Text == b.Text && a.Verdict == b.Verdict
}

func waysOf(branches []datapath.Branch) []Way {
	ways := []Way{}
	for _, b := range branches {
		ways = append(ways, Way{b.Probability, b.When, b.Verdict, b.Expected, b.Steps, waysOf(b.Reply)})
	}
	return ways
}

// Fails says whether the packet does not arrive, or its answer does not: for sure, or as far as it is expected.
func (r *Answer) Fails() bool {
	v := cmp.Or(r.Expected, r.Verdict)
	return v != datapath.Delivered && v != datapath.Unknown
}

// Assumed says whether a hop stands on the cluster's objects for want of the node's own rules.
func (r *Answer) Assumed() bool {
	is := func(s datapath.Step) bool { return s.Assumed }
	return slices.ContainsFunc(r.Hops, is) || slices.ContainsFunc(r.Reply, func(w Way) bool { return slices.ContainsFunc(w.Hops, is) })
}
