package datapath

import (
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// stepNode is a step of a walk, as small as it can be: most steps of most walks are never read. Branches that part share
// what they have in common; only a state's last step changes.
type stepNode struct {
	prev  *stepNode
	ns    *Namespace
	pkt   *Packet // as it leaves; shared by steps that do not change it
	stage Stage
	// says makes the text that goes before Text, and the source where there is none.
	says teller
	*particulars
	way *tunnelWay // in place of the step: those of a way that is remembered
}

// particulars are what a step of one kind or another has. Most have none, and pass.
type particulars struct {
	Text    string
	Source  facts.Source
	Verdict Verdict
	Missing *Missing
	TooBig  *Oversize
	Service string
	Assumed bool
	circle  *[]string
}

// last is the last step, to be added to.
func (s state) last() *particulars {
	if s.steps.particulars == nil {
		s.steps.particulars = &particulars{Verdict: Pass}
	}
	return s.steps.particulars
}

// told is the step with its text and source made.
func (n *stepNode) told() stepNode {
	t, p := *n, particulars{Verdict: Pass}
	if n.particulars != nil {
		p = *n.particulars
	}
	if n.says != nil {
		text, source := n.says.tell()
		t.says, p.Text = nil, text+p.Text
		if p.Source == "" {
			p.Source = source
		}
	}
	t.particulars = &p
	return t
}

func (n *stepNode) step() Step {
	t := n.told()
	s := Step{
		Node: t.ns.Node, Namespace: t.ns.ID, Stage: t.stage, Packet: *t.pkt, Text: t.Text, Source: t.Source, Verdict: t.Verdict,
		Missing: t.Missing, TooBig: t.TooBig, Service: t.Service, Assumed: t.Assumed,
	}
	if t.circle != nil {
		s.Circle = *t.circle
	}
	return s
}

// steps are the steps up to this one, written out.
func (n *stepNode) steps() []Step {
	nodes := n.expanded()
	list := make([]Step, len(nodes))
	for i, n := range nodes {
		list[i] = n.step()
	}
	return list
}

// step is the state with one more step.
func (s state) step(ns *Namespace, stage Stage, text string) state {
	n := s.store.nodes.next()
	n.prev, n.ns, n.pkt, n.stage = s.steps, ns, s.pkt, stage
	s.steps = n
	if text != "" {
		s.last().Text = text
	}
	return s
}

// store has what the branches of a walk are made of.
type store struct {
	nodes       blocks[stepNode]
	packets     blocks[Packet]
	passages    blocks[passage]
	connections blocks[connection]
	arrivals    blocks[arrival]
}

// blocks makes values in blocks that grow.
type blocks[T any] struct {
	block []T
	used  int
}

func (b *blocks[T]) next() *T {
	if b.used == len(b.block) {
		b.block, b.used = make([]T, min(max(8, 2*len(b.block)), 32)), 0
	}
	b.used++
	return &b.block[b.used-1]
}

// edit makes the branch's packet its own, to be changed before the next step.
func (s *state) edit() *Packet {
	p := s.store.packets.next()
	*p = *s.pkt
	s.pkt = p
	return p
}

// from gives the packet a source.
func (s *state) from(src netip.Addr) {
	if s.pkt.Src != src {
		s.edit().Src = src
	}
}

// scrub takes from the packet what it does not keep on its way to another namespace or machine (skb_scrub_packet).
func (s *state) scrub() {
	if s.pkt.Mark != 0 || s.pkt.uid != nil {
		p := s.edit()
		p.Mark, p.uid = 0, nil
	}
}

// carrying is the state with another packet.
func (s state) carrying(p Packet) state {
	s.pkt = s.store.packets.next()
	*s.pkt = p
	return s
}

// teller makes a step's text and source, which few ask for.
type teller interface {
	tell() (text string, source facts.Source)
}

type told func() (string, facts.Source)

func (t told) tell() (string, facts.Source) { return t() }

// say is the state with one more step, whose text and source are made when somebody reads it.
func (s state) say(ns *Namespace, stage Stage, says teller) state {
	s = s.step(ns, stage, "")
	s.steps.says = says
	return s
}
