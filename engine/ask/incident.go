// Package ask answers what rules ask about facts that are too many to be seen one by one, or that only a model joins: a
// node's rules of netfilter, the way of a packet, every Service against its endpoints. Each answer is plain data with its
// evidence; that something is not known is an answer, never an error.
package ask

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/networkpolicy"
	"github.com/netcause/netcause/engine/services"
)

// Incident is everything that one diagnosis is about. What takes work is made when it is first asked for; it may be asked
// from several goroutines.
type Incident struct {
	Snapshot *facts.Snapshot
	Nodes    []*Node // by name
	// Model walks packets.
	Model func() *datapath.Model

	byName map[string]*Node
	// policies judges connections by the cluster's NetworkPolicies.
	policies func() *networkpolicy.Evaluator
	// serviceWorld is what Services are judged by. Only where the cluster's Services and Pods were read.
	serviceWorld func() *serviceWorld
	// backends says which endpoints nodes should have.
	backends func() *services.Index
	// clusterTime is when the cluster was read, zero where that is not known.
	clusterTime func() time.Time
	// podRoutes are the routes to podCIDRs that show who keeps them, by node.
	podRoutes func() map[string]podRoutesAnswer
}

// Node is what was collected on a node, and the cluster's Node object, either of which may be missing.
type Node struct {
	Name   string
	Facts  *facts.Node       // nil: nothing was collected
	Object *facts.NodeObject // nil: no Node of the cluster
	// Pods are the indexes of the cluster's Pods that are on the node or meant for it.
	Pods []int

	// ruleset parses the node's netfilter listings when it is first asked for.
	ruleset func() (*ruleset, error)
}

// NewIncident joins the nodes of a snapshot with the Nodes and Pods of its cluster, by name.
func NewIncident(snapshot *facts.Snapshot) *Incident {
	in := &Incident{Snapshot: snapshot, byName: map[string]*Node{}}
	in.Model = sync.OnceValue(func() *datapath.Model { return datapath.New(snapshot) })
	in.policies = sync.OnceValue(func() *networkpolicy.Evaluator { return networkpolicy.New(snapshot.Cluster) })
	in.serviceWorld = sync.OnceValue(func() *serviceWorld { return newServiceWorld(in) })
	in.backends = sync.OnceValue(func() *services.Index { return services.New(snapshot.Cluster) })
	in.podRoutes = sync.OnceValue(func() map[string]podRoutesAnswer { return podRoutes(in) })
	in.clusterTime = sync.OnceValue(func() time.Time { return clusterTime(snapshot) })
	for _, node := range snapshot.Nodes {
		in.node(node.Name).Facts = node
	}
	if c := snapshot.Cluster; c != nil && c.Nodes.Status == facts.Read {
		for i := range c.Nodes.Value {
			in.node(c.Nodes.Value[i].Metadata.Name).Object = &c.Nodes.Value[i]
		}
	}
	if c := snapshot.Cluster; c != nil && c.Pods.Status == facts.Read {
		for i := range c.Pods.Value {
			if node, ok := in.byName[targetNode(&c.Pods.Value[i])]; ok {
				node.Pods = append(node.Pods, i)
			}
		}
	}
	slices.SortFunc(in.Nodes, func(a, b *Node) int { return strings.Compare(a.Name, b.Name) })
	return in
}

// Prepare parses the nodes' netfilter listings, one after the other, until ctx ends.
func (in *Incident) Prepare(ctx context.Context) {
	for _, node := range in.Nodes {
		if ctx.Err() != nil {
			return
		}
		_, _ = node.ruleset() // whoever asks for it is told of its error
	}
}

// node is the node of a name, which is made where there is none.
func (in *Incident) node(name string) *Node {
	if n, ok := in.byName[name]; ok {
		return n
	}
	n := &Node{Name: name}
	n.ruleset = sync.OnceValues(func() (*ruleset, error) { return rulesetOf(n.Facts, in.Model()) })
	in.byName[name] = n
	in.Nodes = append(in.Nodes, n)
	return n
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
