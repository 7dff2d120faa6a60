package datapath

import "fmt"

// truth is an answer of which the facts may not tell.
type truth int

const (
	no truth = iota
	yes
	maybe
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return maybe
}

// Missing are facts that an answer would need.
type Missing struct {
	// Node is empty for facts of the cluster.
	Node string `json:"node,omitempty"`
	// Namespace is the network namespace's id, or where it has none among the facts its Pod's namespace/name; empty for the
	// node's own.
	Namespace string `json:"namespace,omitempty"`
	// Group is the group of facts, empty for all of them.
	Group string `json:"group,omitempty"`
	// Collect is what gets them.
	Collect string `json:"collect"`
}

func (m Missing) String() string {
	what := "facts"
	if m.Group != "" {
		what = m.Group
	}
	of := "node " + m.Node
	if m.Node == "" {
		of = "the cluster"
	}
	if m.Namespace != "" {
		of = fmt.Sprintf("namespace %s of node %s", m.Namespace, m.Node)
	}
	return fmt.Sprintf("%s of %s would take it further: %s", what, of, m.Collect)
}

func missing(n *Namespace, group string) *Missing {
	return &Missing{Node: n.Node, Namespace: n.ID, Group: group, Collect: "netcause collect on " + n.Node}
}
