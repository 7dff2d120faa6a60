package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
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
		value:  sync.OnceValues(func() (ast.Value, error) { return groupValue(g.Group.Any()) }),
		status: sync.OnceValues(func() (ast.Value, error) { return toValue(g.Group.GetMeta()) }),
	}
}

// groupValue is a group's value as rules see it. A list of which nothing is there is read with no items, and no list in
// Go: to rules it is an empty one, for JSON's null is neither empty nor missing to them.
func groupValue(value any) (ast.Value, error) {
	if v := reflect.ValueOf(value); v.Kind() == reflect.Slice && v.IsNil() {
		return ast.NewArray(), nil
	}
	return toValue(value)
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
