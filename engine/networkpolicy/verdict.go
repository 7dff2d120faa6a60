package networkpolicy

import (
	"fmt"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// Outcome is what policies say of one direction of a connection, or of both.
type Outcome int

const (
	// Unknown: the facts at hand do not tell.
	Unknown Outcome = iota
	// Allowed: no policy isolates the Pod in this direction, or a rule allows the connection.
	Allowed
	// Denied: policies isolate the Pod in this direction, and none of their rules allows the connection.
	Denied
)

var outcomeNames = []string{"unknown", "allowed", "denied"}

func (o Outcome) String() string {
	if o < 0 || int(o) >= len(outcomeNames) {
		return fmt.Sprintf("Outcome(%d)", int(o))
	}
	return outcomeNames[o]
}

// MarshalText writes "allowed", "denied" or "unknown".
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (o *Outcome) UnmarshalText(text []byte) error {
	i := slices.Index(outcomeNames, string(text))
	if i < 0 {
		return fmt.Errorf("unknown outcome %q of network policies", text)
	}
	*o = Outcome(i)
	return nil
}

// Verdict is what policies say of a connection. Both directions have to allow it.
type Verdict struct {
	// Egress is judged by the policies that select the source Pod.
	Egress Judgement `json:"egress"`
	// Ingress is judged by the policies that select the destination Pod.
	Ingress Judgement `json:"ingress"`
}

// Outcome is that of both directions together: one denial denies, whatever is unknown of the other.
func (v Verdict) Outcome() Outcome {
	switch {
	case v.Egress.Outcome == Denied || v.Ingress.Outcome == Denied:
		return Denied
	case v.Egress.Outcome == Allowed && v.Ingress.Outcome == Allowed:
		return Allowed
	}
	return Unknown
}

// Judgement is what policies say of one direction.
type Judgement struct {
	Outcome Outcome `json:"outcome"`
	// Reason is why, in a sentence.
	Reason string `json:"reason"`
	// Pod is whose policies were asked; nil where the end is no Pod, or is not known to be one.
	Pod *facts.PodReference `json:"pod,omitempty"`
	// Policies are those that select the Pod for this direction, by name.
	Policies []Policy `json:"policies,omitempty"`
	// Rule is the rule that allows the connection; nil without one.
	Rule *Rule `json:"rule,omitempty"`
	// Nearest is, of a denial, the rule of which the fewest conditions are not met; nil for other outcomes.
	Nearest *Nearest `json:"nearest,omitempty"`
	// Missing are, of an unknown outcome, the facts that would tell.
	Missing []Missing `json:"missing,omitempty"`
	// Notes are what the API leaves to network plugins and bears on this outcome.
	Notes []string `json:"notes,omitempty"`
}

// Policy names a NetworkPolicy.
type Policy struct {
	Namespace string       `json:"namespace"`
	Name      string       `json:"name"`
	Source    facts.Source `json:"source,omitempty"`
	// Unsure: its podSelector or policyTypes are not understood, and it may not apply.
	Unsure bool `json:"unsure,omitempty"`
}

func (p Policy) String() string { return "NetworkPolicy " + p.Namespace + "/" + p.Name }

// Rule is a rule of a policy.
type Rule struct {
	Policy Policy `json:"policy"`
	// Field is "ingress" or "egress", and Index the rule's place there from 0; -1 stands for a list without rules.
	Field string `json:"field"`
	Index int    `json:"index"`
	// Text is what the rule allows, for a person to read.
	Text string `json:"text"`
}

func (r Rule) String() string {
	if r.Index < 0 {
		return fmt.Sprintf("%s without %s rules", r.Policy, r.Field)
	}
	return fmt.Sprintf("%s[%d] of %s", r.Field, r.Index, r.Policy)
}

// Nearest is a rule that does not allow a connection, and why.
type Nearest struct {
	Rule
	// Unmet are its conditions that are not met ("port 53/UDP is not among its ports: 80/TCP"); of several peers, those
	// of the nearest.
	Unmet []string `json:"unmet"`
}

// Missing is a fact without which an outcome is unknown.
type Missing struct {
	// Group is the group of facts that would tell, as in a rule's needs ("cluster.networkpolicies"). It is empty where
	// the facts are there and not understood, or where the API itself leaves the matter undefined.
	Group string `json:"group,omitempty"`
	// What is missing, in a sentence.
	What string `json:"what"`
}
