package engine

import (
	"fmt"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/netcause/netcause/engine/ask"
	"github.com/netcause/netcause/engine/facts"
)

// nodeView is a node as rules see it.
type nodeView struct {
	*ask.Node
	groups     groupSet
	namespaces []namespaceView
	objectView func() (ast.Value, error)
	memo       termMemo
}

type namespaceView struct {
	namespace *facts.Namespace
	groups    groupSet
}

func newNodeView(node *ask.Node) *nodeView {
	v := &nodeView{Node: node}
	if node.Facts != nil {
		v.groups = newGroupSet(node.Facts.Groups(), node.Facts.NetNS.Groups())
		for _, ns := range node.Facts.Namespaces {
			v.namespaces = append(v.namespaces, namespaceView{ns, newGroupSet(ns.Groups())})
		}
	}
	v.objectView = sync.OnceValues(func() (ast.Value, error) { return toValue(v.Object) })
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
		return nil, fmt.Errorf("node %s: %w", v.Name, err)
	}
	terms = append(terms,
		[2]*ast.Term{ast.StringTerm("name"), ast.StringTerm(v.Name)},
		[2]*ast.Term{ast.StringTerm("collected"), ast.BooleanTerm(v.Facts != nil)})
	if v.Object != nil {
		object, err := v.objectView()
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", v.Name, err)
		}
		terms = append(terms, [2]*ast.Term{ast.StringTerm("object"), ast.NewTerm(object)})
	}
	if reads["pods"] {
		pods, err := cluster.podTerms(v.Pods)
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
				return nil, fmt.Errorf("node %s, namespace %s: %w", v.Name, ns.namespace.ID, err)
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
