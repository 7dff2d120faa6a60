package engine

import (
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

func knownGroup(name string) bool { return facts.ShownBy(name) != "" }

func isClusterGroup(name string) bool { return strings.HasPrefix(name, facts.ClusterPrefix) }

// bulkGroups are never converted for rules; they are asked about through built-in functions.
var bulkGroups = map[string]bool{
	"conntrack_entries": true,
	"iptables_nft":      true,
	"iptables_legacy":   true,
	"ip6tables_nft":     true,
	"ip6tables_legacy":  true,
	"nftables":          true,
	"ipset":             true,
	"ipvs":              true,
}

// noCluster stands for the groups of a cluster that nobody asked.
var noCluster = facts.Meta{Status: facts.NotAsked, Reason: "no cluster was read: no kubeconfig and no recorded cluster"}

// noSuchNode stands for the groups of a Node of the cluster on which nothing was collected.
var noSuchNode = facts.Meta{Status: facts.NotAsked, Reason: "nothing was collected on this node"}

func missing(group string, meta *facts.Meta) MissingFacts {
	reason := meta.Reason
	if reason == "" {
		reason = "it was " + strings.ReplaceAll(meta.Status.String(), "-", " ")
	}
	collect := facts.ShownBy(group)
	if meta.Status == facts.Denied && !isClusterGroup(group) {
		collect = "sudo netcause collect -o node.tar.gz"
	}
	return MissingFacts{Group: group, Status: meta.Status, Reason: reason, Collect: collect}
}
