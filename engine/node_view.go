package engine

import (
	"fmt"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/netcause/netcause/engine/facts"
)

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
	// pods are the indexes of the cluster's Pods that are on the node or meant for it.
	pods []int
	memo termMemo
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
			v.namespaces = append(v.namespaces, namespaceView{ns, newGroupSet(ns.Groups())})
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
