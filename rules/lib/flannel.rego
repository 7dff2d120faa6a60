# METADATA
# description: flannel, by what it publishes, and how to set its interface.
package netcause.lib.flannel

# left_behind says that another network plugin took flannel's place: flannel's annotations stay on the Nodes.
left_behind(cluster) if {
	not _runs(cluster)
	some daemonset in cluster.daemonsets
	daemonset.metadata.name in _others
}

_others := {
	"anetd",
	"antrea-agent",
	"aws-node",
	"calico-node",
	"cilium",
	"kube-ovn-cni",
	"kube-router",
	"ovnkube-node",
	"weave-net",
}

_runs(cluster) if {
	some daemonset in cluster.daemonsets
	regex.match(`flannel|canal`, daemonset.metadata.name)
}

_runs(cluster) if {
	some daemonset in cluster.daemonsets
	some container in daemonset.spec.template.spec.containers
	regex.match(`flannel`, object.get(container, "image", ""))
}

# k3s has it built in: all its nodes are of it.
_runs(cluster) if contains(cluster.nodes[0].status.nodeInfo.kubeletVersion, "+k3s")

# published is the address that flannel of a Node tells its peers.
published(api_node) := api_node.metadata.annotations["flannel.alpha.coreos.com/public-ip"]

# choose_interface are the steps that make flannel take an interface; dev is empty where it is not known which.
choose_interface(cluster, dev) := [
	{
		"cluster": true,
		"patch": sprintf(
			concat("", [
				"kubectl -n %s patch daemonset %s --type json -p ",
				`'[{"op":"add","path":"/spec/template/spec/containers/%d/args/-","value":"--iface=%s"}]'`,
			]),
			[
				place.daemonset.metadata.namespace,
				place.daemonset.metadata.name,
				place.container,
				dev,
			],
		),
		"why": "its Pods are made anew. Where the card has another name on some nodes: --iface-regex, or --iface-can-reach",
	},
	{
		"cluster": true,
		"run": sprintf(
			"kubectl -n %s rollout status daemonset/%s",
			[place.daemonset.metadata.namespace, place.daemonset.metadata.name],
		),
	},
] if {
	dev != ""
	place := _daemonsets(cluster)[0]
} else := [{
	"cluster": true,
	"edit": sprintf("give flanneld --iface=%s (k3s: --flannel-iface) on every node, and restart it", [_named(dev)]),
	"why": "by itself it takes the interface of the default route",
}]

# restart are the steps that have flannel of every node lay out its routes and its tunnel anew.
restart(cluster) := [{
	"cluster": true,
	"run": sprintf("kubectl -n %[1]s rollout %[3]s daemonset/%[2]s", [daemonset.metadata.namespace, daemonset.metadata.name, verb]),
} |
	daemonset := _daemonsets(cluster)[0].daemonset
	some verb in ["restart", "status"]
]

_named("") := "CARD, the one by which the nodes reach each other"

_named(dev) := dev if dev != ""

_daemonsets(cluster) := [{"daemonset": daemonset, "container": i} |
	some daemonset in cluster.daemonsets
	regex.match(`flannel|canal`, daemonset.metadata.name)
	some i, container in daemonset.spec.template.spec.containers
	regex.match(`flannel`, container.name)
	container.args
]
