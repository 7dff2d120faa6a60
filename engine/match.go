package engine

import (
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// MatchNodes gives each collected node the name of the cluster's Node that it is: by its own name, by the Node's
// kubernetes.io/hostname, by an address that is the Node's alone, or by its machine id. A node that is none of them (a
// client outside the cluster) keeps its host name.
func MatchNodes(snapshot *facts.Snapshot) {
	c := snapshot.Cluster
	if c == nil || c.Nodes.Status != facts.Read {
		return
	}
	taken := map[string]bool{}
	for _, match := range []func(*facts.Node, *facts.NodeObject) bool{sameName, sameHostname, sameAddress, sameMachine} {
		for _, node := range snapshot.Nodes {
			if taken[node.Name] && nodeObject(c, node.Name) != nil {
				continue
			}
			var candidates []*facts.NodeObject
			for i := range c.Nodes.Value {
				if object := &c.Nodes.Value[i]; match(node, object) {
					candidates = append(candidates, object)
				}
			}
			if len(candidates) == 1 && !taken[candidates[0].Metadata.Name] {
				node.Name = candidates[0].Metadata.Name
				taken[node.Name] = true
			}
		}
	}
}

func nodeObject(c *facts.Cluster, name string) *facts.NodeObject {
	for i := range c.Nodes.Value {
		if c.Nodes.Value[i].Metadata.Name == name {
			return &c.Nodes.Value[i]
		}
	}
	return nil
}

func sameName(node *facts.Node, object *facts.NodeObject) bool {
	return node.Name == object.Metadata.Name
}

func sameHostname(node *facts.Node, object *facts.NodeObject) bool {
	host := node.Host.Value.Hostname
	if node.Host.Status != facts.Read || host == "" {
		return false
	}
	short, _, _ := strings.Cut(host, ".")
	for _, name := range []string{host, short} {
		if name == object.Metadata.Name || name == object.Metadata.Labels["kubernetes.io/hostname"] {
			return true
		}
		for _, a := range object.Status.Addresses {
			if a.Type == "Hostname" && a.Address == name {
				return true
			}
		}
	}
	return false
}

func sameAddress(node *facts.Node, object *facts.NodeObject) bool {
	if node.Addresses.Status != facts.Read {
		return false
	}
	for _, a := range object.Status.Addresses {
		if a.Type != "InternalIP" {
			continue
		}
		for _, own := range node.Addresses.Value {
			if own.Local.String() == a.Address {
				return true
			}
		}
	}
	return false
}

func sameMachine(node *facts.Node, object *facts.NodeObject) bool {
	host, info := node.Host.Value, object.Status.NodeInfo
	return host.MachineID != "" && host.MachineID == info.MachineID && host.BootID != "" && host.BootID == info.BootID
}
