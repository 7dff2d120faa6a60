package datapath

import (
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// stepNode is a step of a walk, as small as it can be: most steps of most walks are never read. Branches that part share
// what they have in common; only a state's last step changes.
type stepNode struct {
	prev *stepNode
	ns   *Namespace
	pkt  *Packet // as it leaves; shared by steps that do not change it
	// say makes the text that goes before Text, and the source where there is none.
	say     func() (string, facts.Source)
	Stage   Stage
	Text    string
	Source  facts.Source
	Verdict Verdict
	Missing *Missing
	TooBig  *Oversize
	Service string
	Assumed bool
	circle  *[]string
	way     *tunnelWay // in place of the step: those of a way that is remembered
}

func (n *stepNode) step() Step {
	s := Step{
		Node: n.ns.Node, Namespace: n.ns.ID, Stage: n.Stage, Packet: *n.pkt, Text: n.Text, Source: n.Source, Verdict: n.Verdict,
		Missing: n.Missing, TooBig: n.TooBig, Service: n.Service, Assumed: n.Assumed,
	}
	if n.say != nil {
		text, source := n.say()
		s.Text = text + s.Text
		if s.Source == "" {
			s.Source = source
		}
	}
	if n.circle != nil {
		s.Circle = *n.circle
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
	n := s.store.node()
	n.prev, n.ns, n.pkt, n.Stage, n.Text, n.Verdict = s.steps, ns, s.pkt, stage, text, Pass
	s.steps = n
	return s
}

// store has the steps of a walk in blocks.
type store struct {
	nodes   []stepNode
	packets []Packet
}

const block = 32

func (a *store) node() *stepNode {
	if len(a.nodes) == 0 {
		a.nodes = make([]stepNode, block)
	}
	n := &a.nodes[0]
	a.nodes = a.nodes[1:]
	return n
}

func (a *store) packet() *Packet {
	if len(a.packets) == 0 {
		a.packets = make([]Packet, block/4)
	}
	p := &a.packets[0]
	a.packets = a.packets[1:]
	return p
}

// edit makes the branch's packet its own, to be changed before the next step.
func (s *state) edit() *Packet {
	p := s.store.packet()
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
	s.pkt = s.store.packet()
	*s.pkt = p
	return s
}

// say is the state with one more step, whose text and source are made when somebody reads it.
func (s state) say(ns *Namespace, stage Stage, text func() (string, facts.Source)) state {
	s = s.step(ns, stage, "")
	s.steps.say = text
	return s
}

func (s state) last() *stepNode { return s.steps }
