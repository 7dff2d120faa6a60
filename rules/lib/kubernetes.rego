# METADATA
# description: Nodes and Pods as the API server knows them. Fields that an object lacks say nothing.
package netcause.lib.kubernetes

# internal_ips are the addresses by which the cluster knows a Node.
internal_ips(api_node) := [a.address |
	some a in api_node.status.addresses
	a.type == "InternalIP"
]

internal_ip_fact(api_node) := {
	"fact": sprintf("InternalIP of Node %s", [api_node.metadata.name]),
	"value": concat(", ", internal_ips(api_node)),
	"source": api_node.source,
}

# ipv6_alone says that the cluster knows a Node by IPv6 addresses alone: its Pods have no others. A bridge of containers or
# a network of storage may have IPv4 addresses there all the same.
ipv6_alone(api_node) if {
	addresses := internal_ips(api_node)
	count(addresses) > 0
	every address in addresses {
		contains(address, ":")
	}
}

# perhaps_ipv6_alone says of a machine whose Node is not known that only IPv6 leads out of it.
perhaps_ipv6_alone(node) if {
	not node.object
	uplinks := {route.dev | some route in node.routes; route.dst == "::/0"; route.dev}
	count(uplinks) > 0
	every dev in uplinks {
		count([a | some a in node.addresses; a.dev == dev; a.family == "inet"]) == 0
	}
}

# not_ready says that a Node's or Pod's condition denies it: one without conditions counts as ready.
not_ready(it) if {
	some condition in it.status.conditions
	condition.type == "Ready"
	condition.status != "True"
}

# leaving says that a Node or a Pod is about to go, or its machine is off.
leaving(it) if it.metadata.deletionTimestamp

leaving(it) if {
	some taint in it.spec.taints
	taint.key in {
		"ToBeDeletedByClusterAutoscaler",
		"karpenter.sh/disrupted",
		"karpenter.sh/disruption",
		"node.cloudprovider.kubernetes.io/shutdown",
		"node.kubernetes.io/out-of-service",
	}
}

# The words of the kubelet's shutdown manager (pkg/kubelet/nodeshutdown).
leaving(it) if {
	some condition in it.status.conditions
	condition.type == "Ready"
	contains(object.get(condition, "message", ""), "node is shutting down")
}

# silent says that a Node's kubelet tells nothing any more: what the cluster has of it and of its Pods is old.
silent(api_node) if {
	some condition in api_node.status.conditions
	condition.type == "Ready"
	condition.status == "Unknown"
}

# is_virtual says that a Node stands for a service outside (virtual-kubelet, Fargate, Liqo, KWOK): no DaemonSet's Pods run
# there, and its network is nobody's business here.
is_virtual(api_node) if api_node.metadata.labels.type in {"virtual-kubelet", "kwok"}

is_virtual(api_node) if api_node.metadata.labels["eks.amazonaws.com/compute-type"] == "fargate"

is_virtual(api_node) if api_node.metadata.labels["liqo.io/type"] == "virtual-node"

is_virtual(api_node) if {
	some taint in api_node.spec.taints
	startswith(taint.key, "virtual-kubelet.io/")
}

# is_younger says that a Node or a Pod was made less than some seconds before the cluster was read.
is_younger(it, seconds) if netcause.seconds_since(it.metadata.creationTimestamp) < seconds

running_and_ready(pod) if {
	pod.status.phase == "Running"
	not leaving(pod)
	not not_ready(pod)
}

# pod_cidrs are a Node's ranges of Pod addresses.
pod_cidrs(api_node) := api_node.spec.podCIDRs

pod_cidrs(api_node) := [api_node.spec.podCIDR] if {
	not api_node.spec.podCIDRs
	api_node.spec.podCIDR
}

# is_node says whether a machine takes part in a cluster as a node.
is_node(node) if node.object

is_node(node) if {
	some process in node.processes
	process.comm in {"kubelet", "kube-proxy", "kubelite", "k3s", "k3s-agent", "k3s-server", "rke2", "hyperkube"}
	process.hostNetwork
}

# The chains of kube-proxy outlive the kubelet.
is_node(node) if {
	rules := netcause.kube_proxy_rules(node.name)
	count(array.concat(rules.modes, rules.detached)) > 0
}

# is_no_node says that it does not: what would show it was read.
is_no_node(node, cluster) if {
	cluster.nodes
	not is_node(node)
}

is_no_node(node, _) if {
	node.processes
	not is_node(node)
}

name(it) := sprintf("%s/%s", [it.metadata.namespace, it.metadata.name])
