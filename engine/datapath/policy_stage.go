package datapath

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/networkpolicy"
)

// policing is what a branch knows of the policies on its way.
type policing struct {
	// seen is the packet as a network plugin sees it that enforces policies at the hook FORWARD or OUTPUT of node: after
	// the translation of its destination and before that of its source.
	seen *Packet
	node *Namespace
	// egress: the sending Pod's were asked.
	egress bool
}

// policed notes what a plugin sees of a packet that leaves a node's own namespace.
func (s state) policed(ns *Namespace) state {
	if ns.ID == "" && s.pkt.Inner == nil {
		s.policing.seen, s.policing.node = s.pkt, ns
	}
	return s
}

// egress asks the policies of the sending Pod, on its node and once its packet has an endpoint for destination. denied is
// the end of a branch that they deny.
func (w *walker) egress(s state, ns *Namespace) (_ state, denied []Branch) {
	if ns.ID != "" || s.policing.egress || !w.judges(s) {
		return s, nil
	}
	pod := w.model.pods[s.pkt.Src]
	if pod == nil || pod.Spec.NodeName != ns.Node {
		return s, nil
	}
	s.policing.egress = true
	c := connectionOf(s.pkt, s.pkt.Src)
	c.SrcPod = pod
	if ns.isLocal(s.pkt.Dst) {
		c.DstNode = ns.Node
	}
	return w.judged(s, ns, "egress", w.model.objects.policies().Judge(c).Egress)
}

// ingress asks the policies of the Pod whose namespace a packet comes into.
func (w *walker) ingress(s state, ns *Namespace) (_ state, denied []Branch) {
	if ns.ID == "" || !w.judges(s) {
		return s, nil
	}
	pod, node := w.model.pods[s.pkt.Dst], w.model.Namespace(ns.Node, "")
	if pod == nil || node == nil || pod.Spec.NodeName != ns.Node || !ns.isLocal(s.pkt.Dst) {
		return s, nil
	}
	return w.admit(s, node, pod)
}

// ingressUnread is ingress for a Pod whose namespace was not read; nil where its policies let the packet in.
func (w *walker) ingressUnread(s state, node *Namespace, pod *facts.Pod) (denied []Branch) {
	if !w.judges(s) {
		return nil
	}
	_, denied = w.admit(s, node, pod)
	return denied
}

// admit judges a packet by its source before the node translates it and, where it does, after: the API leaves undefined
// which of them policies see, and so nothing is certain where they differ.
func (w *walker) admit(s state, node *Namespace, pod *facts.Pod) (state, []Branch) {
	judge := func(src netip.Addr) networkpolicy.Judgement {
		c := connectionOf(s.pkt, src)
		c.DstPod = pod
		if node.isLocal(src) {
			c.SrcNode = node.Node
		}
		return w.model.objects.policies().Judge(c).Ingress
	}
	after := judge(s.pkt.Src)
	seen := s.policing.seen
	if seen == nil || s.policing.node.Node != node.Node || seen.Src == s.pkt.Src {
		return w.judged(s, node, "ingress", after)
	}
	before := judge(seen.Src)
	if before.Outcome != after.Outcome {
		before.Reason = fmt.Sprintf("the node replaces the source %s by %s, and whether policies see the one (%s: %s) or the other (%s) is left to the network plugin",
			seen.Src, s.pkt.Src, before.Outcome, before.Reason, after.Outcome)
		before.Outcome = networkpolicy.Unknown
	}
	return w.judged(s, node, "ingress", before)
}

func connectionOf(p *Packet, src netip.Addr) networkpolicy.Connection {
	return networkpolicy.Connection{Src: src, Dst: p.Dst, Protocol: strings.ToUpper(p.Proto), Port: p.Dport}
}

// judges is whether policies are to be asked about a packet: the first of a connection, not a tunnel's.
func (w *walker) judges(s state) bool {
	return w.model.objects != nil && w.answer == nil && s.pkt.Inner == nil && w.model.objects.judges()
}

// mayDeny is whether a packet may be denied in a cluster at all. Where the policies themselves were not read and nobody is
// known to enforce any, the nodes' own rules are all there is to go by.
func mayDeny(g *facts.Group[[]facts.NetworkPolicy], e networkpolicy.Enforcement) bool {
	switch {
	case e.Status == "not-enforced":
		return false
	case g.Status != facts.Read:
		return e.Status == "enforced"
	}
	return len(g.Value) > 0 || g.Reason != ""
}

// judged goes on with what the policies say, as far as somebody enforces them.
func (w *walker) judged(s state, ns *Namespace, direction string, j networkpolicy.Judgement) (state, []Branch) {
	enforced := w.model.objects.enforcement().Status == "enforced"
	var source facts.Source
	if len(j.Policies) > 0 {
		source = j.Policies[0].Source
	}
	step := func(text string) { s = s.step(ns, StagePolicy, direction+": "+text); s.last().Source = source }
	switch {
	case j.Outcome == networkpolicy.Allowed:
		if len(j.Policies) > 0 {
			step(j.Reason)
			if j.Rule != nil {
				s.last().Source = j.Rule.Policy.Source
			}
		}
		return s, nil
	case j.Outcome == networkpolicy.Denied && enforced:
		step(denial(j))
		return s, s.end(Dropped)
	case j.Outcome == networkpolicy.Denied:
		step(denial(j) + "; whether anything in the cluster enforces policies is not known")
		return s.unsure(nil), nil
	}
	text := j.Reason
	var why *Missing
	for i, m := range j.Missing {
		if i == 0 {
			text += ": "
		} else {
			text += "; "
		}
		text += m.What
		if why == nil && m.Group != "" {
			why = &Missing{Group: m.Group, Collect: "netcause collect, with the cluster's " + strings.TrimPrefix(m.Group, "cluster.")}
		}
	}
	step(text)
	return s.unsure(why), nil
}

// denial is which policies deny, and what the nearest rule would have to allow.
func denial(j networkpolicy.Judgement) string {
	text := j.Reason
	switch n := j.Nearest; {
	case n == nil || len(n.Unmet) == 0:
	case n.Index < 0:
		text += ": " + n.Unmet[0]
	default:
		text += "; the nearest is " + n.String() + ": " + strings.Join(n.Unmet, ", ")
	}
	return text
}
