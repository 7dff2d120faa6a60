# METADATA
# description: Whether the Pod network takes Pods' addresses from the Nodes' podCIDRs.
package netcause.lib.pod_cidr

import data.netcause.lib.flannel

# user is the fact that shows that it does: these plugins do, others (Calico, Cilium's own pools, clouds') have pools of
# their own.
user(cluster) := array.flatten([
	[{
		"fact": sprintf("flannel's annotations of Node %s", [node.metadata.name]),
		"value": node.metadata.annotations["flannel.alpha.coreos.com/backend-type"],
		"source": node.source,
	} |
		not flannel.left_behind(cluster)
		some node in cluster.nodes
		node.metadata.annotations["flannel.alpha.coreos.com/kube-subnet-manager"]
	],
	[{
		"fact": "network plugin that takes Pods' addresses from podCIDR",
		"value": sprintf("DaemonSet %s/%s", [daemonset.metadata.namespace, daemonset.metadata.name]),
		"source": daemonset.source,
	} |
		some daemonset in cluster.daemonsets
		_takes_pod_cidr(daemonset)
	],
	[{"fact": "ipam of ConfigMap cilium-config", "value": "kubernetes", "source": config.source} |
		some config in cluster.configmaps
		config.metadata.name == "cilium-config"
		config.data.ipam == "kubernetes"
	],
])[0]

_takes_pod_cidr(daemonset) if daemonset.metadata.name == "kindnet"

# Beside another plugin it may be there for its policies or its proxy alone.
_takes_pod_cidr(daemonset) if {
	daemonset.metadata.name == "kube-router"
	not _does_not_route(daemonset)
}

_takes_pod_cidr(daemonset) if {
	some container in daemonset.spec.template.spec.containers
	some word in array.concat(object.get(container, "command", []), object.get(container, "args", []))
	word in {"--kube-subnet-mgr", "-kube-subnet-mgr", "--kube-subnet-mgr=true"}
}

# network is the range that podCIDRs have to be of for flannel.
network(cluster) := [{"cidr": conf.Network, "source": config.source} |
	some config in cluster.configmaps
	config.metadata.name == "kube-flannel-cfg"
	text := config.data["net-conf.json"]
	json.is_valid(text)
	conf := json.unmarshal(text)
	net.cidr_is_valid(conf.Network)
][0]

_does_not_route(daemonset) if {
	some container in daemonset.spec.template.spec.containers
	"--run-router=false" in array.concat(object.get(container, "command", []), object.get(container, "args", []))
}

# give is the step that gives a Node a block: podCIDR can be set once, and not changed.
give(node, block) := {
	"cluster": true,
	"patch": sprintf(`kubectl patch node %[1]s --type merge -p '{"spec":{"podCIDR":"%[2]s","podCIDRs":["%[2]s"]}}'`, [node, block]),
}
