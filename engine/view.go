package engine

import (
	"bytes"
	"encoding/json"
	"errors"
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
	// status is meta, converted.
	status func() (ast.Value, error)
}

func newGroupView(g facts.NamedGroup) *groupView {
	return &groupView{
		name:   g.Name,
		meta:   g.Group.GetMeta(),
		value:  sync.OnceValues(func() (ast.Value, error) { return toValue(g.Group.Any()) }),
		status: sync.OnceValues(func() (ast.Value, error) { return toValue(g.Group.GetMeta()) }),
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
		meta, err := g.status()
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
	// ruleset parses the node's netfilter listings when it is first asked for, fib indexes its routes.
	ruleset func() (*ruleset, error)
	fib     func() fib
	// pods are the indexes of the cluster's Pods that are on the node or meant for it.
	pods []int
	memo termMemo
}

// termMemo keeps what a rule sees of a node or of the cluster: each node's is also one of all its peers'.
type termMemo struct {
	mu    sync.Mutex
	terms map[*compiledRule]*ast.Term
}

func (m *termMemo) get(rule *compiledRule, make func() (*ast.Term, error)) (*ast.Term, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if term, ok := m.terms[rule]; ok {
		return term, nil
	}
	term, err := make()
	if err != nil {
		return nil, err
	}
	if m.terms == nil {
		m.terms = map[*compiledRule]*ast.Term{}
	}
	m.terms[rule] = term
	return term, nil
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
	v.fib = sync.OnceValue(func() fib { return newFIB(v.node.Routes.Value) })
	return v
}

func (v *nodeView) meta(group string) *facts.Meta {
	if meta, ok := v.groups.meta(group); ok {
		return meta
	}
	return &noSuchNode
}

// value is input.node: name, object, collected, the groups and their status, the Pods' namespaces, and the cluster's Pods
// that are on the node or meant for it.
func (v *nodeView) value(reads map[string]bool, cluster *clusterView) (*ast.Term, error) {
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
	if reads["pods"] {
		pods, err := cluster.podTerms(v.pods)
		if err != nil {
			return nil, err
		}
		terms = append(terms, [2]*ast.Term{ast.StringTerm("pods"), ast.ArrayTerm(pods...)})
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
	memo    termMemo
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

// podTerms are the Pods at the indexes, shared with the whole list's value.
func (v *clusterView) podTerms(indexes []int) ([]*ast.Term, error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	i := slices.IndexFunc(v.groups, func(g *groupView) bool { return g.name == "pods" })
	value, err := v.groups[i].value()
	if err != nil {
		return nil, fmt.Errorf("convert facts pods: %w", err)
	}
	all, ok := value.(*ast.Array)
	if !ok {
		return nil, errors.New("convert facts pods: they are no list")
	}
	terms := make([]*ast.Term, len(indexes))
	for j, index := range indexes {
		terms[j] = all.Elem(index)
	}
	return terms, nil
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
	if c := snapshot.Cluster; c != nil && c.Pods.Status == facts.Read {
		for i := range c.Pods.Value {
			if view, ok := in.byName[targetNode(&c.Pods.Value[i])]; ok {
				view.pods = append(view.pods, i)
			}
		}
	}
	slices.SortFunc(in.nodes, func(a, b *nodeView) int { return strings.Compare(a.name, b.name) })
	return in
}

// targetNode is the node that a Pod is on, or the one that its DaemonSet wants it on: the controller names it in a field
// selector (pkg/controller/daemon/util/daemonset_util.go, ReplaceDaemonSetPodNodeNameNodeAffinity).
func targetNode(pod *facts.Pod) string {
	if pod.Spec.NodeName != "" {
		return pod.Spec.NodeName
	}
	affinity := pod.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.Required == nil {
		return ""
	}
	for _, term := range affinity.NodeAffinity.Required.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == "metadata.name" && len(field.Values) > 0 {
				return field.Values[0]
			}
		}
	}
	return ""
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
