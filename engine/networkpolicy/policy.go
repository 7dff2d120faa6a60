package networkpolicy

import (
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

type direction int

const (
	egress direction = iota
	ingress
)

// field is the direction's list of rules in a policy's spec.
func (d direction) field() string {
	if d == egress {
		return "egress"
	}
	return "ingress"
}

func (d direction) policyType() string {
	if d == egress {
		return "Egress"
	}
	return "Ingress"
}

// policy is what a NetworkPolicy says for one direction.
type policy struct {
	Policy
	direction direction
	pods      selector
	// applies is whether the policy is one for this direction at all.
	applies truth
	rules   []rule
}

// rule is one rule of a policy: any of its ports and any of its peers; without ports all, without peers everybody.
type rule struct {
	ports []port
	peers []peer
}

func newPolicy(p *facts.NetworkPolicy, d direction) policy {
	out := policy{
		Policy:    Policy{Namespace: p.Metadata.Namespace, Name: p.Metadata.Name, Source: p.Source},
		direction: d,
		pods:      newSelector(&p.Spec.PodSelector),
		applies:   applies(&p.Spec, d),
	}
	rules := p.Spec.Ingress
	if d == egress {
		rules = p.Spec.Egress
	}
	if out.applies == no {
		return out
	}
	for i := range rules {
		peers := rules[i].From
		if d == egress {
			peers = rules[i].To
		}
		r := rule{ports: make([]port, len(rules[i].Ports)), peers: make([]peer, len(peers))}
		for j := range r.ports {
			r.ports[j] = newPort(&rules[i].Ports[j])
		}
		for j := range r.peers {
			r.peers[j] = newPeer(&peers[j])
		}
		out.rules = append(out.rules, r)
	}
	return out
}

// applies is SetDefaults_NetworkPolicy of k8s.io/kubernetes/pkg/apis/networking/v1: without policyTypes a policy is for
// ingress, and for egress where it has egress rules.
func applies(s *facts.NetworkPolicySpec, d direction) truth {
	switch {
	case len(s.PolicyTypes) == 0:
		return truthOf(d == ingress || len(s.Egress) > 0)
	case slices.Contains(s.PolicyTypes, d.policyType()):
		return yes
	}
	for _, t := range s.PolicyTypes {
		if t != egress.policyType() && t != ingress.policyType() {
			return maybe
		}
	}
	return no
}

// selects says whether the policy isolates a Pod of its namespace.
func (p *policy) selects(pod *facts.Pod) truth {
	result := and(p.applies, p.pods.matches(labelSet{labels: pod.Metadata.Labels}))
	if p.Namespace == "" {
		result = and(result, maybe)
	}
	return result
}

// account is what the conditions of a rule came to. A nil one asks for nothing but the result.
type account struct {
	met, missed int
	// texts: the conditions are to be said too, and what is missing.
	texts   bool
	unmet   []string
	missing []Missing
}

// wanted says whether texts are to be made.
func (a *account) wanted() bool { return a != nil && a.texts }

func (a *account) meets() {
	if a != nil {
		a.met++
	}
}

// misses counts n conditions that are not met and says whether they are to be said.
func (a *account) misses(n int) bool {
	if a != nil {
		a.missed += n
	}
	return a.wanted()
}

func (a *account) say(texts ...string) { a.unmet = append(a.unmet, texts...) }

func (a *account) lacks(m Missing) {
	if a.wanted() {
		a.missing = append(a.missing, m)
	}
}

func (a *account) refused(from *policy, what string) {
	if a.wanted() {
		a.missing = append(a.missing, notUnderstood(from.Policy, what))
	}
}

// notUnderstood is a part of a policy that the API server would have refused.
func notUnderstood(p Policy, what string) Missing {
	return Missing{What: p.String() + " is not understood, its reader may be newer or its text damaged: " + what}
}

// nearer: fewer conditions are missed or, of as few, more are met.
func (a *account) nearer(b *account) bool {
	if a.missed != b.missed {
		return a.missed < b.missed
	}
	return a.met > b.met
}

// matches says whether a rule allows a connection between the Pod that its policy selects and another end.
func (r *rule) matches(e *Evaluator, from *policy, c *connection, a *account) truth {
	result := r.matchesPort(from, c, a)
	if result == no && a == nil {
		return no
	}
	return and(result, r.matchesPeer(e, from, c, a))
}

func (r *rule) matchesPort(from *policy, c *connection, a *account) truth {
	if len(r.ports) == 0 {
		return yes
	}
	result := no
	for i := range r.ports {
		if result = or(result, r.ports[i].matches(c.protocol, c.port, &c.dst)); result == yes {
			a.meets()
			return yes
		}
	}
	switch {
	case result == no:
		if a.misses(1) {
			texts := make([]string, len(r.ports))
			for i := range r.ports[:min(len(r.ports), maxListed)] {
				texts[i] = r.ports[i].resolved(&c.dst)
			}
			a.say("port " + c.portText() + " is not among its ports: " + list(texts))
		}
	case a.wanted():
		r.undecidedPorts(from, c, a)
	}
	return result
}

// undecidedPorts accounts for the ports of which the facts do not tell whether they match.
func (r *rule) undecidedPorts(from *policy, c *connection, a *account) {
	for i := range r.ports {
		p := &r.ports[i]
		if p.matches(c.protocol, c.port, &c.dst) != maybe {
			continue
		}
		switch {
		case p.refused != "":
			a.refused(from, p.refused)
		case c.protocol == "":
			a.lacks(Missing{What: "the protocol of the connection"})
		case c.port == 0 && c.dst.kind != service:
			a.lacks(Missing{What: "the destination port of the connection"})
		case c.dst.kind == service || c.dst.kind == unidentified:
			a.lacks(c.dst.missing)
		default:
			a.lacks(Missing{pods, "the ports that the init containers of " + c.dst.String() + " declare: one may be named " + p.name})
		}
	}
}

func (r *rule) matchesPeer(e *Evaluator, from *policy, c *connection, a *account) truth {
	if len(r.peers) == 0 {
		return yes
	}
	other := c.other(from.direction)
	result := no
	for i := range r.peers {
		if result = or(result, r.peers[i].matches(e, from, other, nil)); result == yes {
			break
		}
	}
	switch {
	case a == nil:
	case result == no:
		// Of alternatives the nearest says what is missed.
		best := 0
		var least account
		for i := range r.peers {
			var one account
			if r.peers[i].matches(e, from, other, &one); i == 0 || one.nearer(&least) {
				best, least = i, one
			}
		}
		r.peers[best].matches(e, from, other, a)
	case result == yes:
		a.meets()
	default:
		for i := range r.peers {
			if r.peers[i].matches(e, from, other, nil) == maybe {
				r.peers[i].matches(e, from, other, a)
			}
		}
	}
	return result
}

// text is the rule for a person to read.
func (r *rule) text(d direction) string {
	from := "from anywhere"
	word := "from "
	if d == egress {
		from, word = "to anywhere", "to "
	}
	if len(r.peers) > 0 {
		from = word + texts(r.peers, func(p *peer) string { return p.String() }, ", or ")
	}
	if len(r.ports) == 0 {
		return from + ", all ports"
	}
	return from + ", ports " + texts(r.ports, func(p *port) string { return p.String() }, ", ")
}

func texts[T any](items []T, text func(*T) string, separator string) string {
	var out []string
	for i := range items[:min(len(items), maxListed)] {
		out = append(out, text(&items[i]))
	}
	if n := len(items) - len(out); n > 0 {
		out = append(out, "and more")
	}
	return strings.Join(out, separator)
}
