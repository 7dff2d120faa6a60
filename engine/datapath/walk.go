package datapath

import (
	"fmt"
	"net/netip"
	"slices"
)

// Bounds of one walk.
const (
	maxHops     = 64 // namespaces that a packet comes into, outer packets of tunnels included
	maxBranches = 512
	defaultTTL  = 64
)

// Trace walks a packet from its sender to the socket that receives it, and its answer back. Src may be invalid for a packet
// that a namespace sends itself: the kernel chooses it.
func (m *Model) Trace(from Sender, p Packet) Trace { return m.Walk(from, p).Trace() }

// Walk is a packet's way before anybody has read it: its steps have no texts yet, which take most of the time.
type Walk struct{ trace Trace }

// Verdict is what becomes of the packet and of its answer: [Trace.Verdict].
func (w *Walk) Verdict() Verdict { return worst(w.trace.Branches) }

// Ways is how many ways the packet may take.
func (w *Walk) Ways() int { return len(w.trace.Branches) }

// Trace writes the walk out.
func (w *Walk) Trace() Trace {
	t := w.trace
	t.Verdict = w.Verdict()
	t.Expected = expected(t.Verdict, t.Branches)
	t.Branches = slices.Clone(t.Branches)
	for i := range t.Branches {
		t.Branches[i].render()
	}
	return t
}

// Walk walks as [Model.Trace] does, for whoever asks about many packets and reads few of the answers.
func (m *Model) Walk(from Sender, p Packet) *Walk { return &Walk{m.walk(from, p)} }

func (m *Model) walk(from Sender, p Packet) Trace {
	p.Src, p.Dst, p.Proto = p.Src.Unmap(), p.Dst.Unmap(), protocol(p.Proto)
	if p.TTL == 0 {
		p.TTL = defaultTTL
	}
	if p.Sport == 0 && (p.Proto == "tcp" || p.Proto == "udp") {
		p.Sport = 50000 // an ephemeral one
	}
	t := Trace{From: from.Node, Packet: p}
	if from.Namespace != "" {
		t.From += "/" + from.Namespace
	}
	w := &walker{model: m}
	s := state{pkt: &p, probability: 1, store: &store{}}
	ns := m.Namespace(from.Node, from.Namespace)
	switch {
	case ns == nil:
		s = s.step(&Namespace{Node: from.Node, ID: from.Namespace}, StageOutput, "there are no facts of the sender")
		s.last().Missing = &Missing{Node: from.Node, Namespace: from.Namespace, Collect: "netcause collect on " + from.Node}
		t.Branches = s.end(Unknown)
	case from.Dev != "":
		w.outside = true
		t.Branches = w.receive(s, ns, from.Dev)
	default:
		w.origin = ns
		t.Branches = w.send(s, ns)
	}
	return t
}

// walker walks one packet and its answer.
type walker struct {
	model *Model
	// origin is the namespace that the connection began in; nil where it came from outside.
	origin  *Namespace
	outside bool
	// answer is what the sender's socket takes for an answer, while the answer is walked.
	answer   *Packet
	question *arrival // by what came in what is answered
	branches int
}

// state is one branch on its way. It is copied where branches part; what it points to does not change.
type state struct {
	pkt         *Packet // does not change: edit gives the branch a copy
	store       *store  // of all branches
	steps       *stepNode
	probability float64
	when        []string
	connections *connection
	visits      *visit
	arrivals    *arrival
	hops        int32
	devices     int32 // that it came in by
	// began is the packet as its sender's socket knows it.
	began      *Packet
	tunnel     *tunnelStart // of the packet at hand, where its way is to be remembered
	masquerade masquerading
	policing   policing
	// doubt: a step on the way was unknown and most likely let it pass.
	doubt bool
	// prerouted: a bridge has taken it through PREROUTING.
	prerouted bool
	// assumed: a step on the way is what the cluster's objects ask for, and nothing after it is certain.
	assumed bool
}

// unsure says that the last step is not certain, and goes on.
func (s state) unsure(why *Missing) state {
	last := s.last()
	last.Verdict, last.Missing = Unknown, why
	s.doubt = true
	return s
}

// end ends the branch at its last step.
func (s state) end(v Verdict) []Branch {
	s.last().Verdict = v
	return s.branch(v)
}

func (s state) branch(v Verdict) []Branch {
	b := Branch{Probability: s.probability, When: s.when, Verdict: v, last: s.steps}
	if v != Unknown && (s.assumed || v == Delivered && s.doubt) {
		b.Verdict, b.Expected = Unknown, v
	}
	return []Branch{b}
}

// unknown ends the branch at a step that the facts do not tell about.
func (s state) unknown(ns *Namespace, stage Stage, text string, what *Missing) []Branch {
	s = s.step(ns, stage, text)
	s.last().Missing = what
	return s.end(Unknown)
}

// enter counts a namespace that the packet comes into by a device, or begins in where that is empty.
func (w *walker) enter(s state, ns *Namespace, dev string) (state, []Branch) {
	if s.hops++; s.hops > maxHops {
		return s, s.unknown(ns, StageRoute, fmt.Sprintf("given up after %d hops", maxHops), nil)
	}
	if dev != "" {
		var looped []Branch
		if s, looped = s.again(visit{at: place{ns, dev}}); looped != nil {
			return s, looped
		}
		s = s.arrived(ns, dev)
	}
	if ns.links["cilium_host"] != nil && !s.doubt {
		s = s.step(ns, StageLink, "programs of Cilium on "+ns.title()+"'s devices may take it another way: they are no facts").unsure(nil)
	}
	return s, nil
}

// fork says whether there may be another branch.
func (w *walker) fork() bool {
	w.branches++
	return w.branches <= maxBranches
}

// send is the way of a packet that the namespace sends itself.
func (w *walker) send(s state, ns *Namespace) []Branch {
	s, over := w.enter(s, ns, "")
	if over != nil {
		return over
	}
	if s.pkt.Src.IsValid() && !ns.isLocal(s.pkt.Src) && s.pkt.Inner == nil && !s.pkt.Src.IsLoopback() {
		return s.unknown(ns, StageRoute, fmt.Sprintf("%s is no address of the sender's", s.pkt.Src), missing(ns, "addresses"))
	}
	var out []Branch
	decisions, sources := ns.likelyOutput((*Namespace).socketOutput, s.pkt.flow("lo"))
	if len(decisions) == 1 {
		s.from(sources[0])
		return w.output(s, ns, &decisions[0])
	}
	for i := range decisions {
		if i > 0 && !w.fork() {
			break
		}
		b := s
		b.from(sources[i])
		b.probability *= decisions[i].Probability
		out = append(out, w.output(b, ns, &decisions[i])...)
	}
	return out
}

// output is __ip_local_out with a way: OUTPUT, and routing again where that changed what routing looks at.
func (w *walker) output(s state, ns *Namespace, d *Decision) []Branch {
	s, ended := w.routed(s, ns, d)
	if ended != nil {
		return ended
	}
	if !s.pkt.Src.IsValid() {
		return s.unknown(ns, StageRoute, "which source address the kernel takes is not known", missing(ns, "addresses"))
	}
	if s.began == nil && s.pkt.Inner == nil {
		s.began = s.pkt
	}
	before := s.pkt
	return w.hook(s, ns, StageOutput, "", d.Way.Dev, netip.Addr{}, func(s state) []Branch {
		after := s.pkt
		if before.Src == after.Src && before.Dst == after.Dst && before.Mark == after.Mark {
			return w.leave(s, ns, "", d)
		}
		// ip_route_me_harder of net/ipv4/netfilter.c.
		decisions, _ := ns.likelyOutput((*Namespace).routeOutput, s.pkt.flow("lo"))
		var out []Branch
		for i := range decisions {
			again := &decisions[i]
			if i > 0 && !w.fork() {
				break
			}
			b := s
			b.probability *= again.Probability
			b, ended := w.routed(b, ns, again)
			if ended != nil {
				out = append(out, ended...)
				continue
			}
			out = append(out, w.leave(b, ns, "", again)...)
		}
		return out
	})
}

// routed adds the step of a routing decision, and the end where it is one.
func (w *walker) routed(s state, ns *Namespace, d *Decision) (state, []Branch) {
	s = s.say(ns, StageRoute, d)
	if d.Missing != nil {
		s.last().Missing = d.Missing
	}
	if d.Missing != nil && d.Action != "unknown" {
		// The routes were found by policy rules that were not read.
		s = s.unsure(d.Missing)
		s.last().Text, s.assumed = ", by the policy rules that a kernel begins with: those here were not read", true
	}
	switch d.Action {
	case "drop":
		return s, s.routedAway(Dropped)
	case "reject":
		if d.ICMP != "" {
			s.last().Text += ": " + d.ICMP
		}
		return s, s.routedAway(Rejected)
	case "unknown":
		return s, s.end(Unknown)
	}
	return s, nil
}

// receive is ip_rcv: a packet comes in by a device.
func (w *walker) receive(s state, ns *Namespace, dev string) []Branch {
	s, over := w.enter(s, ns, dev)
	if over != nil {
		return over
	}
	if s.began == nil && s.pkt.Inner == nil {
		s.began = s.pkt
	}
	s, denied := w.ingress(s, ns)
	if denied != nil {
		return denied
	}
	return w.hook(s, ns, StagePrerouting, dev, "", netip.Addr{}, func(s state) []Branch {
		return w.route(s, ns, dev)
	})
}

// route is ip_rcv_finish: to this machine, or on by the ways that there are.
func (w *walker) route(s state, ns *Namespace, dev string) []Branch {
	decisions := ns.likelyInput(s.pkt.flow(dev))
	if len(decisions) == 1 {
		return w.decided(s, ns, dev, &decisions[0])
	}
	var out []Branch
	for i := range decisions {
		if i > 0 && !w.fork() {
			break
		}
		b := s
		b.probability *= decisions[i].Probability
		out = append(out, w.decided(b, ns, dev, &decisions[i])...)
	}
	return out
}

// decided follows one decision about a packet that came in by a device.
func (w *walker) decided(s state, ns *Namespace, dev string, d *Decision) []Branch {
	s, ended := w.routed(s, ns, d)
	switch {
	case ended != nil:
		return ended
	case d.Action == "local":
		s, denied := w.egress(s, ns)
		if denied != nil {
			return denied
		}
		return w.hook(s, ns, StageInput, dev, "", netip.Addr{}, func(s state) []Branch { return w.socket(s, ns, dev) })
	}
	return w.forward(s, ns, dev, d)
}

// forward is ip_forward: TTL and MTU come before the FORWARD hook.
func (w *walker) forward(s state, ns *Namespace, dev string, d *Decision) []Branch {
	if s.pkt.TTL <= 1 {
		s = s.step(ns, StageForward, "the TTL has run out, and its sender is told by icmp time-exceeded: the way is too long")
		return s.end(Rejected)
	}
	s.edit().TTL--
	if ended := s.tooLong(ns, StageForward, d); ended != nil {
		return ended
	}
	s, denied := w.egress(s, ns)
	if denied != nil {
		return denied
	}
	return w.hook(s, ns, StageForward, dev, d.Way.Dev, netip.Addr{}, func(s state) []Branch {
		return w.leave(s, ns, dev, d)
	})
}

// leave is ip_output: POSTROUTING and then the device.
func (w *walker) leave(s state, ns *Namespace, iif string, d *Decision) []Branch {
	s = s.policed(ns)
	if iif == "" && d.Action == "forward" {
		if ended := s.tooLong(ns, StageOutput, d); ended != nil {
			return ended
		}
	}
	s = w.asymmetric(s, ns, d.Way.Dev)
	nexthop := d.Way.Nexthop(s.pkt.Dst)
	return w.hook(s, ns, StagePostrouting, iif, d.Way.Dev, nexthop, func(s state) []Branch {
		if d.Action == "local" {
			return w.receive(s, ns, "lo")
		}
		return w.transmit(s, ns, d.Way.Dev, nexthop)
	})
}
