package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/netcause/netcause/engine/ask"
	"github.com/netcause/netcause/engine/facts"
)

// incident is everything that one diagnosis is about, in the form that rules see.
type incident struct {
	*ask.Incident
	nodes   []*nodeView // by name
	byName  map[string]*nodeView
	cluster *clusterView
}

func newIncident(snapshot *facts.Snapshot) *incident {
	in := &incident{Incident: ask.NewIncident(snapshot), byName: map[string]*nodeView{}, cluster: newClusterView(snapshot)}
	for _, node := range in.Nodes {
		view := newNodeView(node)
		in.nodes = append(in.nodes, view)
		in.byName[node.Name] = view
	}
	return in
}

// input is what a rule is evaluated on: for one node where node is not nil, else for all.
func (in *incident) input(node *nodeView, rule *compiledRule) (ast.Value, error) {
	cluster, err := in.cluster.memo.get(rule, func() (*ast.Term, error) { return in.cluster.value(rule.reads) })
	if err != nil {
		return nil, err
	}
	terms := [][2]*ast.Term{{ast.StringTerm("cluster"), cluster}}
	var others []*ast.Term
	for _, view := range in.nodes {
		if view == node || node != nil && !rule.reads["peers"] {
			continue
		}
		term, err := in.nodeTerm(view, rule)
		if err != nil {
			return nil, err
		}
		others = append(others, term)
	}
	if node == nil {
		return ast.NewObject(append(terms, [2]*ast.Term{ast.StringTerm("nodes"), ast.ArrayTerm(others...)})...), nil
	}
	self, err := in.nodeTerm(node, rule)
	if err != nil {
		return nil, err
	}
	return ast.NewObject(append(terms,
		[2]*ast.Term{ast.StringTerm("node"), self},
		[2]*ast.Term{ast.StringTerm("peers"), ast.ArrayTerm(others...)})...), nil
}

func (in *incident) nodeTerm(view *nodeView, rule *compiledRule) (*ast.Term, error) {
	return view.memo.get(rule, func() (*ast.Term, error) { return view.value(rule.reads, in.cluster) })
}
