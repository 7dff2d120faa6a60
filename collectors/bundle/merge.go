package bundle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netcause/netcause/engine/facts"
)

// Merge makes one snapshot of several, in their order. Of a node that several have the latest is taken, and of the others
// what it lacks; the others' inputs say so in their Problem. Of one cluster that several have it is the view that sees most
// of it. Two different clusters are an error. The snapshots are not changed; the merged one shares their facts.
func Merge(snapshots ...*facts.Snapshot) (*facts.Snapshot, error) {
	merged := &facts.Snapshot{}
	inputs := make([][]facts.Input, len(snapshots))
	taken := map[string]source{}
	named := map[string][]string{} // by a name's first part
	clusterOf := 0
	for i, snapshot := range snapshots {
		inputs[i] = slices.Clone(snapshot.Inputs)
		switch {
		case snapshot.Cluster == nil:
		case merged.Cluster == nil:
			merged.Cluster, clusterOf = snapshot.Cluster, i
		case !sameCluster(merged.Cluster, snapshot.Cluster):
			return nil, fmt.Errorf("there are two clusters, %s and %s: give one",
				clusterName(snapshots[clusterOf]), clusterName(snapshot))
		default:
			dropped, other := i, snapshot.Cluster
			if seesMore(snapshot, &facts.Snapshot{Cluster: merged.Cluster, Inputs: snapshots[clusterOf].Inputs}) {
				dropped, other = clusterOf, merged.Cluster
				merged.Cluster, clusterOf = snapshot.Cluster, i
			}
			whole := *merged.Cluster
			names := adopt(whole.Groups(), other.Groups())
			if whole.Server == "" {
				whole.Server = other.Server
			}
			merged.Cluster = &whole
			note(inputs[dropped], "", "its cluster is not used"+butFor(names)+": more of it, or later, is "+clusterName(snapshots[clusterOf]))
		}
		for _, symptom := range snapshot.Symptoms {
			if !slices.Contains(merged.Symptoms, symptom) {
				merged.Symptoms = append(merged.Symptoms, symptom)
			}
		}
		for _, node := range snapshot.Nodes {
			this := source{snapshot: i, at: readAt(snapshot, node.Name)}
			other, twice := taken[node.Name]
			short, _, _ := strings.Cut(node.Name, ".")
			for _, name := range named[short] {
				if has := taken[name]; !twice && sameHost(merged.Nodes[has.index], node) {
					other, twice = has, true
				}
			}
			if !twice {
				this.index = len(merged.Nodes)
				merged.Nodes = append(merged.Nodes, node)
				taken[node.Name] = this
				named[short] = append(named[short], node.Name)
				continue
			}
			this.index = other.index
			newer, older := this, other
			kept, dropped := node, merged.Nodes[other.index]
			if this.at.Before(other.at) {
				newer, older = other, this
				kept, dropped = dropped, kept
			}
			kept, names := completed(kept, dropped)
			merged.Nodes[other.index], taken[kept.Name], taken[dropped.Name] = kept, newer, newer
			note(inputs[older.snapshot], dropped.Name, superseded(kept, dropped, names, newer, inputs[newer.snapshot]))
		}
	}
	merged.Inputs = slices.Concat(inputs...)
	return merged, nil
}

// sameCluster says whether two snapshots are of one cluster: by the UID of kube-system, which is a cluster's identity for
// want of a better one, else by the server's address.
func sameCluster(a, b *facts.Cluster) bool {
	if x, y := kubeSystemUID(a), kubeSystemUID(b); x != "" && y != "" {
		return x == y
	}
	return a.Server != "" && a.Server == b.Server || shareObjects(a, b)
}

func kubeSystemUID(c *facts.Cluster) string {
	for _, namespace := range c.Namespaces.Value {
		if namespace.Metadata.Name == "kube-system" {
			return namespace.Metadata.UID
		}
	}
	return ""
}

// seesMore says whether a's view of the cluster has more groups than b's, or as many and is not older.
func seesMore(a, b *facts.Snapshot) bool {
	x, y := groupsRead(a.Cluster), groupsRead(b.Cluster)
	return x > y || x == y && !clusterReadAt(a).Before(clusterReadAt(b))
}

func groupsRead(c *facts.Cluster) int {
	n := 0
	for _, g := range c.Groups() {
		if g.Group.GetMeta().Status == facts.Read {
			n++
		}
	}
	return n
}

// clusterReadAt is when the cluster of the snapshot was read.
func clusterReadAt(snapshot *facts.Snapshot) time.Time {
	for _, input := range snapshot.Inputs {
		if input.Kind == "cluster" {
			return input.CollectedAt
		}
	}
	return time.Time{}
}

// source is where a merged node came from.
type source struct {
	snapshot int       // index of the snapshot
	index    int       // of the node in the merged one
	at       time.Time // when it was read
}

// readAt is when a node of the snapshot was read.
func readAt(snapshot *facts.Snapshot, node string) time.Time {
	for _, input := range snapshot.Inputs {
		if input.Kind == "node" && input.Name == node {
			return input.CollectedAt
		}
	}
	if len(snapshot.Inputs) > 0 {
		return snapshot.Inputs[0].CollectedAt
	}
	return time.Time{}
}

// butFor names what is used all the same.
func butFor(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " but for " + few(names)
}

// superseded says which node was taken in place of another.
func superseded(kept, dropped *facts.Node, adopted []string, newer source, inputs []facts.Input) string {
	what := fmt.Sprintf("node %s is not used%s: it was read again", printable(kept.Name), butFor(adopted))
	if !newer.at.IsZero() {
		what += " at " + newer.at.UTC().Format(time.RFC3339)
	}
	if len(inputs) > 0 {
		what += " in " + inputs[0].Name
	}
	if a, b := kept.Host.Value.MachineID, dropped.Host.Value.MachineID; a != b && a != "" && b != "" {
		what += fmt.Sprintf(" (machine-id %s there, %s here: these may be two machines)", printable(a), printable(b))
	}
	return what
}

// note adds a problem about a node, or with an empty name the cluster, to the input that it came by: the bundle, or the
// node or cluster itself.
func note(inputs []facts.Input, node, problem string) {
	of := slices.IndexFunc(inputs, func(i facts.Input) bool { return i.Kind == "bundle" })
	if of < 0 {
		of = slices.IndexFunc(inputs, func(i facts.Input) bool {
			return i.Kind == "node" && i.Name == node || i.Kind == "cluster" && node == ""
		})
	}
	if of < 0 {
		return
	}
	if inputs[of].Problem != "" {
		problem = inputs[of].Problem + "; " + problem
	}
	inputs[of].Problem = problem
}

// clusterName names a snapshot's cluster, and where it was read.
func clusterName(snapshot *facts.Snapshot) string {
	name := "one of an unknown server"
	if snapshot.Cluster.Server != "" {
		name = printable(snapshot.Cluster.Server)
	}
	if len(snapshot.Inputs) > 0 && snapshot.Inputs[0].Name != snapshot.Cluster.Server {
		name += " in " + snapshot.Inputs[0].Name
	}
	return name
}
