package networkpolicy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// What the API leaves to network plugins, in the words of its documentation (Network Policies, "NetworkPolicy and
// hostNetwork pods", "Pod lifecycle") and of the field descriptions.
const (
	hostNetworkIgnored = "network plugins ignore hostNetwork Pods when matching podSelector and namespaceSelector"
	hostNetworkNote    = "NetworkPolicy behaviour for hostNetwork Pods is undefined: most network plugins cannot distinguish their traffic, " +
		"ignore them when matching podSelector and namespaceSelector, and treat it as all other traffic of the node; a plugin that can apply policies to them may"
	ownNodeNote = "traffic from the node where a Pod runs is allowed whatever the policies say (kubelet's probes come so)"
	ipBlockNote = "the ipBlock covers the address of a Pod: it is meant for addresses outside the cluster, since those of Pods are " +
		"ephemeral, and some network plugins do not apply it to Pods"
	ownNodeEgress = "whether the network plugin lets a Pod reach its own node whatever its policies say: the documentation " +
		"has traffic to and from that node always allowed, the API only that from it, and plugins differ"
	otherProtocol = "what the network plugin does with %s: policies are defined for TCP, UDP and SCTP alone"
)

// connection is what rules look at.
type connection struct {
	src, dst end
	protocol string
	port     uint16
}

// other is the end that a policy for this direction names as a peer.
func (c *connection) other(d direction) *end {
	if d == egress {
		return &c.dst
	}
	return &c.src
}

func (c *connection) self(d direction) *end {
	if d == egress {
		return &c.src
	}
	return &c.dst
}

func (c *connection) portText() string {
	number := "unknown"
	if c.port != 0 {
		number = strconv.Itoa(int(c.port))
	}
	return number + "/" + cmp.Or(c.protocol, "unknown")
}

// toItself: a Pod cannot block access to itself.
func (c *connection) toItself() bool {
	if p, q := c.src.pod, c.dst.pod; p != nil && q != nil {
		return p == q || p.Metadata.Namespace == q.Metadata.Namespace && p.Metadata.Name == q.Metadata.Name && p.Metadata.UID == q.Metadata.UID
	}
	return c.src.addr.IsValid() && c.src.addr == c.dst.addr
}

// Judge says what policies do with a connection.
func (e *Evaluator) Judge(c Connection) Verdict {
	in := &connection{
		src:      e.end(c.Src, c.Dst, c.SrcPod, c.SrcNode),
		dst:      e.end(c.Dst, c.Src, c.DstPod, c.DstNode),
		protocol: strings.ToUpper(c.Protocol),
		port:     c.Port,
	}
	return Verdict{Egress: e.judge(egress, in), Ingress: e.judge(ingress, in)}
}

func (e *Evaluator) judge(d direction, c *connection) Judgement {
	self := c.self(d)
	out := Judgement{Pod: self.reference()}
	allow := func(reason string, notes ...string) Judgement {
		out.Outcome, out.Reason, out.Notes = Allowed, reason, notes
		return out
	}
	unknown := func(reason string, missing ...Missing) Judgement {
		out.Outcome, out.Reason, out.Missing = Unknown, reason, missing
		return out
	}

	switch {
	case c.toItself():
		return allow("a Pod cannot block access to itself")
	case self.kind == host && self.pod != nil:
		return allow(self.String()+" has the address of its node, and policies do not select it", hostNetworkNote)
	case self.kind == host:
		return allow(self.String() + " is no Pod, and policies select Pods alone")
	case self.kind == outside:
		return allow("no Pod has " + self.String() + ", and policies select Pods alone")
	}
	if d == ingress && self.kind == pod && e.ownNode(self.pod, &c.src) == yes {
		out.Policies = names(e.selecting(d, self.pod))
		return allow(c.src.String()+" is the node of "+self.String(), ownNodeNote)
	}
	if self.kind != pod {
		if why := e.policiesMissing(""); why != "" {
			return unknown("the policies are not all known", Missing{policies, why}, self.missing)
		}
		if e.count[d] == 0 {
			return allow("the cluster has no " + d.field() + " policies")
		}
		return unknown("it is not known which Pod's policies to ask", self.missing)
	}

	why := e.policiesMissing(self.pod.Metadata.Namespace)
	selected := e.selecting(d, self.pod)
	out.Policies = names(selected)
	switch {
	case len(selected) == 0 && why != "":
		return unknown("the policies of namespace "+self.pod.Metadata.Namespace+" are not all known", Missing{policies, why})
	case len(selected) == 0:
		return allow("no " + d.field() + " policy selects " + self.String())
	case c.protocol != "" && !layer4(c.protocol):
		return unknown("policies select "+self.String()+", and "+c.protocol+" is none of their protocols", Missing{What: fmt.Sprintf(otherProtocol, c.protocol)})
	}

	sum := e.weigh(selected, c)
	switch {
	case sum.rule != nil:
		out.Rule = sum.rule.rule(d)
		return allow(out.Rule.String()+" allows it: "+out.Rule.Text, e.notes(sum.rule, c)...)
	case sum.harmless && why == "":
		return allow("no policy is known to select " + self.String() + ", and each that may allows it")
	}
	var missing []Missing
	if !sum.denied {
		missing = e.missing(selected, c, sum.sure)
	}
	if why != "" {
		missing = append(missing, Missing{policies, why})
	}
	own := no
	switch {
	case d == ingress:
		own = e.ownNode(self.pod, &c.src)
	case e.ownNode(self.pod, &c.dst) == yes:
		missing = append(missing, Missing{What: ownNodeEgress})
	}
	if own == maybe {
		missing = append(missing, Missing{nodes, "whether " + c.src.String() + " is an address of the node of " + self.String() + ", from which traffic is allowed"})
	}
	if !sum.denied || len(missing) > 0 {
		return unknown("whether a policy allows it hangs on facts that are missing", unique(missing)...)
	}
	out.Outcome = Denied
	out.Nearest = e.nearest(selected, c)
	out.Reason = fmt.Sprintf("%s and no %s rule allows it", selectedBy(out.Policies, self), d.field())
	return out
}

// policiesMissing says why policies of a namespace may be missing; "" asks of all.
func (e *Evaluator) policiesMissing(namespace string) string {
	return e.policiesUnread(namespace)
}

func (e *Evaluator) selecting(d direction, p *facts.Pod) []selection {
	var out []selection
	for _, namespace := range []string{p.Metadata.Namespace, ""} {
		if of := e.policies[namespace]; of != nil {
			out = of[d].selecting(out, p)
		}
	}
	return out
}

func names(selected []selection) []Policy {
	if len(selected) == 0 {
		return nil
	}
	out := make([]Policy, len(selected))
	for i, s := range selected {
		out[i] = s.Policy
		out[i].Unsure = s.sure == maybe
	}
	return out
}

func selectedBy(policies []Policy, self *end) string {
	var texts []string
	for _, p := range policies[:min(len(policies), maxListed+1)] {
		texts = append(texts, p.Namespace+"/"+p.Name)
	}
	if len(policies) == 1 {
		return "NetworkPolicy " + texts[0] + " selects " + self.String() + ","
	}
	return "NetworkPolicies " + listOf(texts, len(policies)) + " select " + self.String() + ","
}

// place is a rule in its policy.
type place struct {
	policy *policy
	index  int
}

func (p *place) rule(d direction) *Rule {
	out := &Rule{Policy: p.policy.Policy, Field: d.field(), Index: p.index}
	if p.index < 0 {
		out.Text = "no " + d.field() + " rules"
		return out
	}
	out.Text = p.policy.rules[p.index].text(d)
	return out
}

// sum is what the rules of all policies that select a Pod come to. They add up: a rule takes nothing from another.
type sum struct {
	// rule is one that allows the connection, of a policy that selects the Pod for sure.
	rule *place
	// sure: a policy selects the Pod for sure.
	sure bool
	// denied: and no rule may allow the connection.
	denied bool
	// harmless: no policy selects the Pod for sure, and each that may allows the connection.
	harmless bool
}

func (e *Evaluator) weigh(selected []selection, c *connection) sum {
	out := sum{harmless: true}
	open := false
	for _, s := range selected {
		allows := no
		for i := range s.rules {
			t := s.rules[i].matches(e, s.policy, c, nil)
			if t == yes && s.sure == yes {
				return sum{rule: &place{s.policy, i}}
			}
			if allows = or(allows, t); allows == yes {
				break
			}
		}
		out.sure = out.sure || s.sure == yes
		open = open || allows != no
		out.harmless = out.harmless && s.sure == maybe && allows == yes
	}
	out.denied = out.sure && !open
	return out
}

// missing are the facts on which it hangs whether a rule allows the connection and, where no policy is sure to isolate the
// Pod, whether any does.
func (e *Evaluator) missing(selected []selection, c *connection, isolated bool) []Missing {
	var out []Missing
	for _, s := range selected {
		open := false
		for i := range s.rules {
			t := s.rules[i].matches(e, s.policy, c, nil)
			open = open || t != no
			if t == maybe && len(out) < maxMissing {
				a := account{texts: true}
				s.rules[i].matches(e, s.policy, c, &a)
				out = append(out, a.missing...)
			}
		}
		if s.sure == maybe && (open || !isolated) {
			out = append(out, s.unsure(c.self(s.direction)))
		}
	}
	return out
}

// maxMissing bounds how many missing facts a verdict names.
const maxMissing = 16

func unique(missing []Missing) []Missing {
	var out []Missing
	for _, m := range missing {
		if len(out) < maxMissing && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// unsure is why it is not known whether a policy selects the Pod.
func (p *policy) unsure(self *end) Missing {
	undecided, _ := p.pods.undecided(labelSet{labels: self.pod.Metadata.Labels})
	switch {
	case p.applies == maybe:
		return notUnderstood(p.Policy, "policyTypes")
	case len(undecided) > 0:
		return notUnderstood(p.Policy, "podSelector "+list(undecided))
	}
	return notUnderstood(p.Policy, "a policy without a namespace")
}

// nearest is the rule that misses fewest conditions.
func (e *Evaluator) nearest(selected []selection, c *connection) *Nearest {
	var best place
	var least account
	for _, s := range selected {
		if s.sure != yes {
			continue
		}
		for i := range s.rules {
			var a account
			if s.rules[i].matches(e, s.policy, c, &a); best.policy == nil || best.index < 0 || a.nearer(&least) {
				best, least = place{s.policy, i}, a
			}
		}
		if best.policy == nil {
			best = place{s.policy, -1}
		}
	}
	d := best.policy.direction
	out := &Nearest{Rule: *best.rule(d)}
	if best.index < 0 {
		out.Unmet = []string{"it has no " + d.field() + " rules: it allows nothing"}
		return out
	}
	a := account{texts: true}
	best.policy.rules[best.index].matches(e, best.policy, c, &a)
	out.Unmet = a.unmet
	return out
}

// notes are what bears on an allowing rule.
func (e *Evaluator) notes(p *place, c *connection) []string {
	other := c.other(p.policy.direction)
	peers := p.policy.rules[p.index].peers
	if other.kind != pod || len(peers) == 0 {
		return nil
	}
	for i := range peers {
		if peers[i].block == nil && peers[i].matches(e, p.policy, other, nil) == yes {
			return nil
		}
	}
	return []string{ipBlockNote}
}

// ownNode says whether an end is the node that a Pod runs on, or shares its network namespace.
func (e *Evaluator) ownNode(p *facts.Pod, other *end) truth {
	switch other.kind {
	case pod, service:
		return no
	case host:
		switch {
		case other.addr.IsValid() && other.addr.String() == p.Status.HostIP:
			return yes
		case other.node == "" || p.Spec.NodeName == "":
			return maybe
		}
		return truthOf(other.node == p.Spec.NodeName)
	case outside, unidentified:
		switch {
		case other.addr.IsValid() && other.addr.String() == p.Status.HostIP:
			return yes
		case other.node != "":
			// It may be a bridge's or tunnel's address of the node whose podCIDR it is from.
			if other.node == p.Spec.NodeName || p.Spec.NodeName == "" {
				return maybe
			}
			return no
		case !other.addr.IsValid() || !e.nodesRead:
			return maybe
		}
	}
	return no
}
