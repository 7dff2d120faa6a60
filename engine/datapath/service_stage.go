package datapath

import (
	"cmp"
	"fmt"
	"net/netip"
	"sync"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/networkpolicy"
	"github.com/netcause/netcause/engine/services"
)

// objects answer by the cluster's objects, each indexed when it is first asked.
type objects struct {
	services    func() *services.Index
	policies    func() *networkpolicy.Evaluator
	enforcement func() networkpolicy.Enforcement
	// judges says whether there is anything to ask policies about.
	judges func() bool
}

func newObjects(c *facts.Cluster) *objects {
	o := &objects{
		services:    sync.OnceValue(func() *services.Index { return services.New(c) }),
		policies:    sync.OnceValue(func() *networkpolicy.Evaluator { return networkpolicy.New(c) }),
		enforcement: sync.OnceValue(func() networkpolicy.Enforcement { return networkpolicy.FindEnforcement(c) }),
	}
	o.judges = sync.OnceValue(func() bool { return mayDeny(&c.NetworkPolicies, o.enforcement()) })
	return o
}

// masquerading says that a Service asks for the sender's address to be replaced where the packet leaves ns.
type masquerading struct{ ns *Namespace }

// assumed is what the cluster's objects say of a packet at a hook of a node whose netfilter was not read: what should be
// there. Nothing that follows from it is certain, so the branch ends unknown whatever becomes of it, and Expected says
// what that is. taken is false where the objects have nothing to say.
func (w *walker) assumed(s state, ns *Namespace, stage Stage, next func(state) []Branch) (branches []Branch, taken bool) {
	if w.model.objects == nil || ns.ID != "" || !stage.tracks() || w.answer != nil || s.pkt.Inner != nil {
		return nil, false
	}
	return w.byObjects(s, ns, stage, "the netfilter rules", "nftables", next)
}

// byObjects goes on with the endpoints that the objects give the packet. unread is what would have told, of group.
func (w *walker) byObjects(s state, ns *Namespace, stage Stage, unread, group string, next func(state) []Branch) ([]Branch, bool) {
	t := w.model.objects.services().Translate(services.Packet{
		Node: ns.Node, Src: s.pkt.Src, Dst: s.pkt.Dst, Protocol: s.pkt.Proto, Port: s.pkt.Dport,
		FromNode: stage == StageOutput, ToNode: ns.isLocal(s.pkt.Dst),
	})
	if t.Outcome == services.NoService || t.Outcome == services.Unknown && t.Port == nil {
		return nil, false
	}
	step := func(s state, text string) state {
		s = s.step(ns, stage, fmt.Sprintf("%s were not read; by the cluster's objects %s", unread, text))
		s.last().Source, s.last().Assumed, s.last().Service = t.Source, true, t.Service()
		s = s.unsure(missing(ns, group))
		s.assumed = true
		return s
	}
	switch t.Outcome {
	case services.Rejected:
		return step(s, t.Reason).branch(Rejected), true
	case services.Dropped:
		return step(s, t.Reason).branch(Dropped), true
	case services.Translated:
	default:
		return step(s, t.Reason).branch(Unknown), true
	}
	var out []Branch
	for i, e := range t.Endpoints {
		if i > 0 && !w.fork() {
			break
		}
		b, before := s, s.pkt
		b.probability *= e.Probability
		p := b.edit()
		p.Dst, p.Dport = e.Addr.Addr(), e.Addr.Port()
		b = b.translated(ns, before)
		if t.Masquerade || before.Src == b.pkt.Dst {
			b.masquerade = masquerading{ns}
		}
		name := e.Addr.String()
		if e.Pod != nil {
			name = fmt.Sprintf("%s, Pod %s/%s", name, e.Pod.Namespace, e.Pod.Name)
		}
		b = step(b, fmt.Sprintf("%s; %s becomes %s", t.Reason, end(before.Dst, before.Dport), name))
		b.last().Source = cmp.Or(e.Source, t.Source)
		out = append(out, next(b)...)
	}
	return out, true
}

// assumedServer stands for the table of IPVS where that was not read.
func (w *walker) assumedServer(s state, ns *Namespace) ([]Branch, bool) {
	if w.model.objects == nil {
		return nil, false
	}
	return w.byObjects(s, ns, StageInput, "the virtual servers of IPVS", "ipvs", func(s state) []Branch { return w.sendReal(s, ns) })
}

// masquerades replaces the source of a packet of which the objects say so, where it leaves the node that translated it.
func (s state) masquerades(ns *Namespace, stage Stage, oif string, nexthop netip.Addr) state {
	if stage != StagePostrouting || s.masquerade.ns != ns || s.pkt.Inner != nil {
		return s
	}
	s.masquerade = masquerading{}
	src := ns.masqueradeSource(oif, nexthop)
	if !src.IsValid() || src == s.pkt.Src || ns.isLocal(s.pkt.Src) {
		return s
	}
	before := s.pkt
	s.edit().Src = src
	s = s.translated(ns, before)
	s = s.step(ns, stage, fmt.Sprintf("the netfilter rules were not read; a Service from outside is answered by way of this node: %s becomes %s",
		end(before.Src, before.Sport), end(src, before.Sport)))
	s.last().Assumed = true
	return s.unsure(missing(ns, "nftables"))
}

// untranslated says of a packet that leaves a node for nobody among the facts that its destination is still a cluster IP:
// beyond the nodes nobody has such an address, unless somebody announces it there, which is no fact.
func (w *walker) untranslated(s state, ns *Namespace) (text, service string) {
	if w.model.objects == nil || w.answer != nil || s.pkt.Inner != nil {
		return "", ""
	}
	t := w.model.objects.services().Translate(services.Packet{Node: ns.Node, Src: s.pkt.Src, Dst: s.pkt.Dst, Protocol: s.pkt.Proto, Port: s.pkt.Dport})
	switch {
	case t.Port != nil && t.Kind == services.ClusterIP:
		text = fmt.Sprintf("%s is still the cluster IP of Service %s, and no rule of %s translated it", s.pkt.Dst, t.Port, ns.Node)
	case t.Outcome == services.NoPort:
		text = fmt.Sprintf("no rule of %s translated it: %s", ns.Node, t.Reason)
	}
	return text, t.Service()
}

// expect ends the branch at its last step, which most likely is its end and is not certain to be.
func (s state) expect(v Verdict) []Branch {
	s.last().Verdict, s.assumed = Unknown, true
	return s.branch(v)
}

// settle makes the answer's fate the branch's, where that is worse.
func (b *Branch) settle() {
	expected := b.outlook()
	for i := range b.Reply {
		r := &b.Reply[i]
		if badness[r.Verdict] > badness[b.Verdict] {
			b.Verdict = r.Verdict
		}
		expected = worse(expected, r.outlook())
	}
	b.Expected = ""
	if b.Verdict == Unknown && expected != Unknown {
		b.Expected = expected
	}
}

// outlook is what is expected of the branch, its verdict where that is certain.
func (b *Branch) outlook() Verdict { return cmp.Or(b.Expected, b.Verdict) }

func worse(a, b Verdict) Verdict {
	if badness[b] > badness[a] {
		return b
	}
	return a
}

// expected is what is expected of all branches together, empty where it is not to be told or is the verdict.
func expected(verdict Verdict, branches []Branch) Verdict {
	v := Delivered
	for i := range branches {
		v = worse(v, branches[i].outlook())
	}
	if verdict != Unknown || v == Unknown {
		return ""
	}
	return v
}

// Ends is the step that the packet, or its answer, ends at: where it is expected to where that is not certain.
func (b *Branch) Ends() *Step {
	if b.Verdict != Unknown || b.Expected == "" {
		return b.Cause()
	}
	for i := range b.Reply {
		if b.Reply[i].outlook() == b.Expected && b.Expected != Delivered {
			return b.Reply[i].Ends()
		}
	}
	if len(b.Steps) == 0 {
		return nil
	}
	return &b.Steps[len(b.Steps)-1]
}

// Either joins the traces of packets of which the sender sends any: a name with several addresses.
func Either(traces []Trace) Trace {
	out := traces[0]
	out.Branches = nil
	for _, t := range traces {
		for _, b := range t.Branches {
			b.Probability /= float64(len(traces))
			out.Branches = append(out.Branches, b)
		}
	}
	out.Verdict = worst(out.Branches)
	out.Expected = expected(out.Verdict, out.Branches)
	return out
}
