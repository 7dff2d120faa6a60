package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/netcause/netcause/engine/facts"
)

// clusterView is the cluster as rules see it.
type clusterView struct {
	groups groupSet // none where no cluster was read
	// unread is what stands for its groups where it was not read.
	unread *facts.Meta
	memo   termMemo
}

func newClusterView(snapshot *facts.Snapshot) *clusterView {
	v := &clusterView{unread: &noCluster}
	for _, input := range snapshot.Inputs {
		if input.Kind == "cluster" && input.Problem != "" {
			v.unread = &facts.Meta{Status: facts.Failed, Reason: input.Problem}
		}
	}
	if snapshot.Cluster != nil {
		v.groups = newGroupSet(snapshot.Cluster.Groups())
	}
	return v
}

func (v *clusterView) meta(group string) *facts.Meta {
	if meta, ok := v.groups.meta(strings.TrimPrefix(group, facts.ClusterPrefix)); ok {
		return meta
	}
	return v.unread
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
