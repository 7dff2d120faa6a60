# METADATA
# description: Who turns Service addresses into Pod addresses on a node.
package netcause.lib.kube_proxy

import data.netcause.lib.kubernetes
import data.netcause.lib.pod as pod_status
import data.netcause.lib.scheduling

# daemonsets are those that run kube-proxy.
daemonsets(cluster) := [daemonset |
	some daemonset in cluster.daemonsets
	_is_daemonset(daemonset)
]

_is_daemonset(daemonset) if daemonset.metadata.name == "kube-proxy"

_is_daemonset(daemonset) if _runs_kube_proxy(daemonset.spec.template.spec)

# pods are kube-proxy's: of a DaemonSet or static ones.
pods(cluster) := [pod |
	owners := _owners(cluster)
	some pod in cluster.pods
	_is_pod(pod, owners)
]

# pods_for are those on a node or meant for it.
pods_for(cluster, node) := [pod |
	owners := _owners(cluster)
	some pod in node.pods
	_is_pod(pod, owners)
]

_owners(cluster) := {kubernetes.name(daemonset) | some daemonset in daemonsets(cluster)}

_is_pod(pod, owners) if {
	some owner in pod.metadata.ownerReferences
	sprintf("%s/%s", [pod.metadata.namespace, owner.name]) in owners
}

_is_pod(pod, _) if pod.metadata.labels["k8s-app"] == "kube-proxy"

_is_pod(pod, _) if pod.metadata.labels.component == "kube-proxy"

_is_pod(pod, _) if _runs_kube_proxy(pod.spec)

_runs_kube_proxy(spec) if {
	some container in spec.containers
	regex.match(`(^|/)kube-proxy(-[a-z0-9]+)?([:@]|$)`, container.image)
}

_runs_kube_proxy(spec) if {
	some container in spec.containers
	some word in array.concat(object.get(container, "command", []), object.get(container, "args", []))
	regex.match(`(^|[/ ])kube-proxy( |$)`, word)
}

pod_fact(pod) := {
	"fact": sprintf("Pod %s for %s", [kubernetes.name(pod), scheduling.target_node(pod)]),
	"value": pod_status.state(pod),
	"source": pod.source,
}

# process is the fact that kube-proxy, or a program that contains it, runs on a node.
process(node) := [fact |
	some process in node.processes
	process.hostNetwork
	_contains_kube_proxy(process)
	fact := _process_fact(process)
][0]

_contains_kube_proxy(process) if process.comm in {"kube-proxy", "kubelite", "k3s", "k3s-agent", "k3s-server"}

_contains_kube_proxy(process) if {
	process.comm == "hyperkube"
	some word in process.args
	word in {"proxy", "kube-proxy"}
}

_process_fact(process) := {
	"fact": "process",
	"value": sprintf("%s, pid %d", [concat(" ", object.get(process, "args", [process.comm])), process.pid]),
	"source": process.source,
}

# embedded is the fact that kube-proxy is part of the node's kubelet: it writes its rules, and has no Pod. Beside Cilium it
# is often told not to.
embedded(node, cluster) := {
	"fact": sprintf("kubelet of Node %s, kube-proxy is part of it", [node.name]),
	"value": version,
	"source": node.object.source,
} if {
	version := node.object.status.nodeInfo.kubeletVersion
	contains(version, "+k3s")
	not _cilium_may_serve(cluster)
}

_cilium_may_serve(cluster) if {
	not _leaves_services_to_kube_proxy("cilium-agent", cluster)
	some daemonset in cluster.daemonsets
	daemonset.metadata.name == "cilium"
}

# replacement is the fact that something else serves Services on a node, without any of kube-proxy's rules.
replacement(cluster, node) := array.flatten([
	[{"fact": "kube-proxy-replacement of ConfigMap cilium-config", "value": value, "source": config.source} |
		some config in cluster.configmaps
		config.metadata.name == "cilium-config"
		value := config.data["kube-proxy-replacement"]
		value in {"true", "strict"}
	],
	[{"fact": "DaemonSet that serves Services", "value": kubernetes.name(daemonset), "source": daemonset.source} |
		some daemonset in cluster.daemonsets
		daemonset.metadata.name in {"ovnkube-node", "kube-router"}
		not _leaves_services(daemonset)
	],
	[_process_fact(process) |
		some process in node.processes
		process.hostNetwork
		process.comm == "kube-router"
		not "--run-service-proxy=false" in object.get(process, "args", [])
	],
])[0]

_leaves_services(daemonset) if {
	some container in daemonset.spec.template.spec.containers
	"--run-service-proxy=false" in array.concat(object.get(container, "command", []), object.get(container, "args", []))
}

# doubt says why something else than kube-proxy may serve Services on a node, where only its configuration would tell. A
# node that kube-proxy is meant for leaves none.
doubt(cluster, node) := _doubts(cluster, node)[0] if {
	not replacement(cluster, node)
	not _meant_for(cluster, node)
	not _runs_kube_proxy_process(node)
}

_doubts(cluster, node) := array.concat(
	[sprintf("%s may serve Services itself: its configuration tells", [agent]) |
		some agent in _agents(cluster, node)
		not _leaves_services_to_kube_proxy(agent, cluster)
	],
	[sprintf("DaemonSet %s is parked, it leaves out every Node: something else may serve Services", [kubernetes.name(daemonset)]) |
		some daemonset in daemonsets(cluster)
		_is_parked(daemonset, cluster, node.object)
	],
)

# _agents are those of the node, or of the cluster's DaemonSets, that can do kube-proxy's work.
_agents(cluster, node) := {process.comm |
	some process in node.processes
	process.hostNetwork
	process.comm in _daemonset_agents
} | {agent |
	some daemonset in cluster.daemonsets
	agent := _daemonset_agents[daemonset.metadata.name]
}

_daemonset_agents := {
	"antrea-agent": "antrea-agent",
	"calico-node": "calico-node",
	"cilium": "cilium-agent",
	"ovnkube-node": "ovnkube",
}

_meant_for(cluster, node) if {
	node.object
	some daemonset in daemonsets(cluster)
	not scheduling.excludes(daemonset, node.object)
}

_meant_for(cluster, node) if count(pods_for(cluster, node)) > 0

_runs_kube_proxy_process(node) if {
	some process in node.processes
	process.hostNetwork
	_contains_kube_proxy(process)
	not _may_leave_it_out(process, node)
}

# Beside Cilium k3s is often told to leave kube-proxy out (--disable-kube-proxy, which agents learn from their server).
_may_leave_it_out(process, node) if {
	startswith(process.comm, "k3s")
	some agent in node.processes
	agent.comm == "cilium-agent"
}

_leaves_services_to_kube_proxy("cilium-agent", cluster) if {
	some config in cluster.configmaps
	config.metadata.name == "cilium-config"
	config.data["kube-proxy-replacement"] in {"false", "disabled"}
}

# Who replaces kube-proxy often leaves its DaemonSet with a nodeSelector that no Node has.
_is_parked(daemonset, cluster, api_node) if {
	scheduling.excludes(daemonset, api_node)
	not _is_of_another_os(daemonset, api_node)
	_is_placed_nowhere(daemonset, cluster)
}

_is_of_another_os(daemonset, api_node) if {
	os := daemonset.spec.template.spec.nodeSelector["kubernetes.io/os"]
	os != api_node.metadata.labels["kubernetes.io/os"]
}

_is_placed_nowhere(daemonset, _) if daemonset.status.desiredNumberScheduled == 0

_is_placed_nowhere(daemonset, cluster) if {
	every api_node in cluster.nodes {
		scheduling.excludes(daemonset, api_node)
	}
}
