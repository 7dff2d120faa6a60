package engine

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/networkpolicy"
	"github.com/netcause/netcause/engine/services"
)

// incident is everything that one diagnosis is about, in the form that rules and built-in functions ask.
type incident struct {
	snapshot *facts.Snapshot
	nodes    []*nodeView // by name
	byName   map[string]*nodeView
	cluster  *clusterView
	// policies judges connections by the cluster's NetworkPolicies.
	policies func() *networkpolicy.Evaluator
	// model walks packets.
	model func() *datapath.Model
	// serviceWorld is what Services are judged by. Only where the cluster's Services and Pods were read.
	serviceWorld func() *serviceWorld
	// backends says which endpoints nodes should have.
	backends func() *services.Index
	// clusterTime is when the cluster was read, zero where that is not known.
	clusterTime func() time.Time
	// podRoutes are the routes to podCIDRs that show who keeps them, by node.
	podRoutes func() map[string]podRoutesAnswer
}

func newIncident(snapshot *facts.Snapshot) *incident {
	in := &incident{snapshot: snapshot, byName: map[string]*nodeView{}, cluster: newClusterView(snapshot)}
	in.policies = sync.OnceValue(func() *networkpolicy.Evaluator { return networkpolicy.New(snapshot.Cluster) })
	in.model = sync.OnceValue(func() *datapath.Model { return datapath.New(snapshot) })
	in.serviceWorld = sync.OnceValue(func() *serviceWorld { return newServiceWorld(in) })
	in.backends = sync.OnceValue(func() *services.Index { return services.New(snapshot.Cluster) })
	in.podRoutes = sync.OnceValue(func() map[string]podRoutesAnswer { return podRoutes(in) })
	in.clusterTime = sync.OnceValue(func() time.Time { return clusterTime(snapshot) })
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
