package bundle

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/netcause/netcause/engine/facts"
)

// snapshot puts together what was taken in.
func (in *intake) snapshot(ctx context.Context) (*facts.Snapshot, error) {
	if err := in.objects.one(); err != nil {
		return nil, err
	}
	for _, folder := range slices.Sorted(maps.Keys(in.singles)) {
		in.singles[folder].settle()
	}
	all := slices.Clone(in.snapshots)
	cluster := in.objects.cluster()
	var unnamed []*facts.Node
	for _, m := range in.machines {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		host := ""
		if !m.named {
			host = nodeOfPod(cluster, m.name)
		}
		if m.ofPod && host == "" {
			for _, file := range m.files {
				file.used.PassedOver = "of the node of Pod " + m.name + ", and no list of Pods says which that is"
			}
			continue
		}
		node, problem := m.node(ctx)
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if host != "" {
			node.Name = host
		} else if !m.named {
			unnamed = append(unnamed, node)
		}
		all = append(all, &facts.Snapshot{
			Nodes:  []*facts.Node{node},
			Inputs: []facts.Input{{Kind: "bundle", Name: m.where, CollectedAt: m.at, Problem: problem}},
		})
	}
	// What does not say its name is known by its devices. Of very many there is no telling in time.
	if len(unnamed)*len(all) > maxComparisons {
		unnamed = nil
	}
	for _, node := range unnamed {
		for _, s := range all {
			for _, other := range s.Nodes {
				if other != node && !slices.Contains(unnamed, other) && sameMachine(node, other) {
					node.Name = other.Name
				}
			}
		}
	}
	if c := cluster; c != nil {
		input := facts.Input{Kind: "bundle", Name: strings.Join(in.objects.where, ", ")}
		input.Problem = strings.Join(in.objects.problems[:min(len(in.objects.problems), 5)], "; ")
		all = append(all, &facts.Snapshot{Cluster: c, Inputs: []facts.Input{input}})
	}
	for _, s := range all {
		for _, node := range s.Nodes {
			distrustNode(node)
		}
		if problem := dropMisnamed(s.Cluster); problem != "" && len(s.Inputs) > 0 {
			s.Inputs[0].Problem = joined(s.Inputs[0].Problem, problem)
		}
	}
	merged, err := Merge(all...)
	if err != nil {
		return nil, err
	}
	for _, input := range in.inputs {
		i := slices.IndexFunc(merged.Inputs, func(i facts.Input) bool { return i.Kind == input.Kind && i.Name == input.Name })
		if i < 0 {
			merged.Inputs = append(merged.Inputs, input)
			continue
		}
		merged.Inputs[i].Problem = joined(merged.Inputs[i].Problem, input.Problem)
	}
	for _, node := range merged.Nodes {
		podsOfNamespaces(node, merged.Cluster)
		in.namesOfNamespaces(node)
	}
	return merged, nil
}

// maxComparisons bounds how many pairs of readings are compared by their devices.
const maxComparisons = 100_000

// nodeOfPod is the node of a Pod in the host's network by whose name a folder is called, as collectors that ask such Pods
// call them; empty where there is none.
func nodeOfPod(c *facts.Cluster, name string) string {
	if c == nil {
		return ""
	}
	node := ""
	for i := range c.Pods.Value {
		if p := &c.Pods.Value[i]; p.Metadata.Name == name && p.Spec.HostNetwork && p.Spec.NodeName != "" {
			if node != "" && node != p.Spec.NodeName {
				return ""
			}
			node = p.Spec.NodeName
		}
	}
	return node
}

// machine is the one that a format tells facts of: where names its place, name the node's or what tells it from others.
func (in *intake) machine(where, name string, named bool, at time.Time) *machine {
	m := &machine{where: where, name: name, named: named, at: at, files: nodeFiles{}}
	in.machines = append(in.machines, m)
	in.used++
	return m
}

// addObjects takes a file of Kubernetes objects; bundle is where it is.
func (in *intake) addObjects(bundle string, d document) {
	if d.bundle == "" {
		d.bundle = bundle
	}
	if !in.objects.add(d) {
		return
	}
	in.used++
	if !slices.Contains(in.objects.where, bundle) {
		in.objects.where = append(in.objects.where, bundle)
	}
}

// podsOfNamespaces tells whose the network namespaces are: that of the Pod that has one of their addresses.
func podsOfNamespaces(node *facts.Node, c *facts.Cluster) {
	if c == nil || c.Pods.Status != facts.Read {
		return
	}
	for _, ns := range node.Namespaces {
		if ns.Pod != nil || ns.Addresses.Status != facts.Read {
			continue
		}
		var owners []*facts.Pod
		for i := range c.Pods.Value {
			p := &c.Pods.Value[i]
			if p.Spec.HostNetwork || p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" {
				continue
			}
			if hasAddress(ns.Addresses.Value, p) {
				owners = append(owners, p)
			}
		}
		if len(owners) == 1 {
			m := owners[0].Metadata
			ns.Pod = &facts.PodReference{Namespace: m.Namespace, Name: m.Name, UID: m.UID}
		}
	}
}

func hasAddress(addresses []facts.Address, p *facts.Pod) bool {
	ips := []string{p.Status.PodIP}
	for _, ip := range p.Status.PodIPs {
		ips = append(ips, ip.IP)
	}
	for _, text := range ips {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		if slices.ContainsFunc(addresses, func(a facts.Address) bool { return a.Local == ip && !a.Local.IsLoopback() }) {
			return true
		}
	}
	return false
}

// within names a folder in a bundle for a person.
func within(bundle, root string) string {
	root = strings.TrimSuffix(root, "/")
	if root == "" || root == "." {
		return bundle
	}
	return fmt.Sprintf("%s: %s", bundle, printable(root))
}
