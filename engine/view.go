package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/netcause/netcause/engine/facts"
)

// groupView is one group of facts as rules see it: converted to a Rego value once, when a rule first reads it.
type groupView struct {
	name  string
	meta  *facts.Meta
	value func() (ast.Value, error)
}

func newGroupView(g facts.NamedGroup) *groupView {
	return &groupView{
		name:  g.Name,
		meta:  g.Group.GetMeta(),
		value: sync.OnceValues(func() (ast.Value, error) { return toValue(g.Group.Any()) }),
	}
}

// toValue converts a fact to what Rego computes with, by way of its JSON form.
func toValue(fact any) (ast.Value, error) {
	text, err := json.Marshal(fact)
	if err != nil {
		return nil, err
	}
	return ast.ValueFromReader(bytes.NewReader(text))
}

// groupSet is the groups of one owner: a node, a namespace or the cluster.
type groupSet []*groupView

func newGroupSet(groups ...[]facts.NamedGroup) groupSet {
	var set groupSet
	for _, g := range slices.Concat(groups...) {
		set = append(set, newGroupView(g))
	}
	return set
}

func (s groupSet) meta(name string) (*facts.Meta, bool) {
	for _, g := range s {
		if g.name == name {
			return g.meta, true
		}
	}
	return nil, false
}

// terms are the keys of the set's object: each group that was read and that reads wants, and the status of all.
func (s groupSet) terms(reads map[string]bool) ([][2]*ast.Term, error) {
	var object, status [][2]*ast.Term
	for _, g := range s {
		if !reads[g.name] {
			continue
		}
		meta, err := toValue(g.meta)
		if err != nil {
			return nil, err
		}
		status = append(status, [2]*ast.Term{ast.StringTerm(g.name), ast.NewTerm(meta)})
		if g.meta.Status != facts.Read || bulkGroups[g.name] {
			continue
		}
		value, err := g.value()
		if err != nil {
			return nil, fmt.Errorf("convert facts %s: %w", g.name, err)
		}
		object = append(object, [2]*ast.Term{ast.StringTerm(g.name), ast.NewTerm(value)})
	}
	return append(object, [2]*ast.Term{ast.StringTerm("status"), ast.ObjectTerm(status...)}), nil
}

// nodeView is a node as rules see it: what was collected on it, and the cluster's Node object, either of which may
// be missing.
type nodeView struct {
	name       string
	node       *facts.Node       // nil: nothing was collected
	object     *facts.NodeObject // nil: no Node of the cluster
	groups     groupSet
	namespaces []namespaceView
	objectView func() (ast.Value, error)
	// ruleset parses the node's netfilter listings when it is first asked for.
	ruleset func() (*ruleset, error)
}

type namespaceView struct {
	namespace *facts.Namespace
	groups    groupSet
}

func newNodeView(name string, node *facts.Node, object *facts.NodeObject) *nodeView {
	v := &nodeView{name: name, node: node, object: object}
	if node != nil {
		v.groups = newGroupSet(node.Groups(), node.NetNS.Groups())
		for _, ns := range node.Namespaces {
			v.namespaces = append(v.namespaces, namespaceView{ns, newGroupSet(ns.NetNS.Groups())})
		}
	}
	v.objectView = sync.OnceValues(func() (ast.Value, error) { return toValue(v.object) })
	v.ruleset = sync.OnceValues(func() (*ruleset, error) { return rulesetOf(v.node) })
	return v
}

func (v *nodeView) meta(group string) *facts.Meta {
	if meta, ok := v.groups.meta(group); ok {
		return meta
	}
	return &noSuchNode
}

// value is input.node: name, object, collected, the groups and their status, and the Pods' namespaces.
func (v *nodeView) value(reads map[string]bool) (*ast.Term, error) {
	terms, err := v.groups.terms(reads)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", v.name, err)
	}
	terms = append(terms,
		[2]*ast.Term{ast.StringTerm("name"), ast.StringTerm(v.name)},
		[2]*ast.Term{ast.StringTerm("collected"), ast.BooleanTerm(v.node != nil)})
	if v.object != nil {
		object, err := v.objectView()
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", v.name, err)
		}
		terms = append(terms, [2]*ast.Term{ast.StringTerm("object"), ast.NewTerm(object)})
	}
	if reads["namespaces"] {
		var list []*ast.Term
		for _, ns := range v.namespaces {
			terms, err := ns.groups.terms(reads)
			if err != nil {
				return nil, fmt.Errorf("node %s, namespace %s: %w", v.name, ns.namespace.ID, err)
			}
			identity, err := toValue(ns.namespace)
			if err != nil {
				return nil, err
			}
			merged, _ := identity.(ast.Object).Merge(ast.NewObject(terms...))
			list = append(list, ast.NewTerm(merged))
		}
		terms = slices.DeleteFunc(terms, func(t [2]*ast.Term) bool { return t[0].Value.Compare(ast.String("namespaces")) == 0 })
		terms = append(terms, [2]*ast.Term{ast.StringTerm("namespaces"), ast.ArrayTerm(list...)})
	}
	return ast.ObjectTerm(terms...), nil
}

// clusterView is the cluster as rules see it.
type clusterView struct {
	cluster *facts.Cluster // nil: none was read
	groups  groupSet
}

func newClusterView(cluster *facts.Cluster) *clusterView {
	v := &clusterView{cluster: cluster}
	if cluster != nil {
		v.groups = newGroupSet(cluster.Groups())
	}
	return v
}

func (v *clusterView) meta(group string) *facts.Meta {
	if meta, ok := v.groups.meta(strings.TrimPrefix(group, clusterPrefix)); ok {
		return meta
	}
	return &noCluster
}

func (v *clusterView) value(reads map[string]bool) (*ast.Term, error) {
	terms, err := v.groups.terms(reads)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return ast.ObjectTerm(terms...), nil
}

// incident is everything that one diagnosis is about, in the form that rules and built-in functions ask.
type incident struct {
	snapshot *facts.Snapshot
	nodes    []*nodeView // by name
	byName   map[string]*nodeView
	cluster  *clusterView
}

func newIncident(snapshot *facts.Snapshot) *incident {
	in := &incident{snapshot: snapshot, byName: map[string]*nodeView{}, cluster: newClusterView(snapshot.Cluster)}
	objects := map[string]*facts.NodeObject{}
	if c := snapshot.Cluster; c != nil && c.Nodes.Status == facts.Read {
		for i := range c.Nodes.Value {
			objects[c.Nodes.Value[i].Metadata.Name] = &c.Nodes.Value[i]
		}
	}
	for _, node := range snapshot.Nodes {
		in.byName[node.Name] = newNodeView(node.Name, node, objects[node.Name])
	}
	for name, object := range objects {
		if in.byName[name] == nil {
			in.byName[name] = newNodeView(name, nil, object)
		}
	}
	for _, view := range in.byName {
		in.nodes = append(in.nodes, view)
	}
	slices.SortFunc(in.nodes, func(a, b *nodeView) int { return strings.Compare(a.name, b.name) })
	return in
}

// input is what a rule is evaluated on: for one node where node is not nil, else for all.
func (in *incident) input(node *nodeView, reads map[string]bool) (ast.Value, error) {
	cluster, err := in.cluster.value(reads)
	if err != nil {
		return nil, err
	}
	terms := [][2]*ast.Term{{ast.StringTerm("cluster"), cluster}}
	var others []*ast.Term
	for _, view := range in.nodes {
		if view == node || node != nil && !reads["peers"] {
			continue
		}
		term, err := view.value(reads)
		if err != nil {
			return nil, err
		}
		others = append(others, term)
	}
	if node == nil {
		return ast.NewObject(append(terms, [2]*ast.Term{ast.StringTerm("nodes"), ast.ArrayTerm(others...)})...), nil
	}
	self, err := node.value(reads)
	if err != nil {
		return nil, err
	}
	return ast.NewObject(append(terms,
		[2]*ast.Term{ast.StringTerm("node"), self},
		[2]*ast.Term{ast.StringTerm("peers"), ast.ArrayTerm(others...)})...), nil
}
