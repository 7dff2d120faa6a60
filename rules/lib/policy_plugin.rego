# METADATA
# description: Whether anything in the cluster enforces NetworkPolicies.
package netcause.lib.policy_plugin

# not_enforced is the fact that shows that nothing does: flannel carries the Pods' packets and no plugin stands beside it.
not_enforced(cluster) := {
	"fact": sprintf("network of Node %s", [node.metadata.name]),
	"value": "flannel, and no DaemonSet that enforces policies",
	"source": node.source,
} if {
	node := [n | some n in cluster.nodes; n.metadata.annotations["flannel.alpha.coreos.com/backend-type"]][0]
	cluster.daemonsets
	count([d | some d in cluster.daemonsets; _enforces(d)]) == 0
	not _k3s(node)
}

_enforces(daemonset) if regex.match(_plugins, daemonset.metadata.name)

_enforces(daemonset) if {
	some container in daemonset.spec.template.spec.containers
	regex.match(_plugins, object.get(container, "image", ""))
}

_plugins := `canal|calico|cilium|kube-router|antrea|weave|ovnkube|network-polic|azure-npm`

# k3s has kube-router's policy controller built in.
_k3s(node) if contains(object.get(node, ["status", "nodeInfo", "kubeletVersion"], ""), "+k3s")
