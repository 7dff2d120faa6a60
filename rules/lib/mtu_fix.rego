# METADATA
# description: What brings the MTUs along a path together.
package netcause.lib.mtu_fix

import data.netcause.lib.tunnel

# fix is for a fault of a way (what carries less) and an end (what allows more), and for the clients that are known.
fix(fault, clients, cluster) := {
	"summary": sprintf("One MTU along the whole path: %d, what the way carries, for clients and Pods", [fault.way.mtu]),
	"steps": array.concat(_lower_clients(fault, clients), _lower_pods(fault, cluster)),
	"alternatives": [_raise(fault, cluster)],
}

# widen is for a way that one node's link alone makes narrow.
widen(fault, clients, cluster) := {
	"summary": sprintf("Give %s of %s an MTU of %d: other nodes carry as much", [link.dev, fault.way.node, needed]),
	"steps": [
		{"node": fault.way.node, "run": sprintf("ip link set dev %s mtu %d", [link.dev, needed])},
		{
			"node": fault.way.node,
			"edit": sprintf("set the same in the configuration file of %s", [link.dev]),
			"why": "otherwise the next boot brings the old one back",
		},
	],
	"alternatives": [{"summary": all_alike.summary, "steps": all_alike.steps}],
} if {
	link := fault.way.narrowed
	needed := fault.size + tunnel.overhead[fault.way.tunnel.kind]
	all_alike := fix(fault, clients, cluster)
}

_lower_clients(fault, clients) := [step |
	some client in clients
	client.mtu > fault.way.mtu
	step := {
		"node": client.node,
		"run": sprintf("ip link set dev %s mtu %d", [client.dev, fault.way.mtu]),
		"why": "helps this client at once; write it into its link's configuration file too. What follows helps all clients",
	}
]

_lower_pods(fault, cluster) := array.concat(_set_mtu(fault, cluster, fault.way.mtu), [{
	"cluster": true,
	"edit": "restart the Pods, a workload at a time (kubectl rollout restart): a device keeps the MTU it was made with",
}])

_raise(fault, cluster) := {
	"summary": sprintf("A way that carries %d, where all links and switches between the nodes carry %d bytes", [
		fault.size,
		needed,
	]),
	"steps": array.flatten([
		[{"cluster": true, "edit": sprintf("on every node: ip link set dev %s mtu %d", [link.ifname, needed])} |
			some link in fault.way.below
			link.mtu < needed
		],
		[step |
			fault.way.tunnel.mtu < fault.size
			some step in _set_mtu(fault, cluster, fault.size)
		],
	]),
} if {
	needed := fault.size + tunnel.overhead[fault.way.tunnel.kind]
}

# _set_mtu are the steps that set the MTU of the network plugin, for its tunnels and its Pods.
_set_mtu(fault, cluster, size) := [{"cluster": true, "patch": _patch_installation(size)}] if {
	_is_calico(fault)
	_has_operator(cluster)
} else := [
	{
		"cluster": true,
		"patch": sprintf(
			`kubectl -n kube-system patch configmap calico-config --type merge -p '{"data":{"veth_mtu":"%d"}}'`,
			[size],
		),
		"why": sprintf("where Tigera's operator installed Calico: %s", [_patch_installation(size)]),
	},
	{"cluster": true, "run": "kubectl -n kube-system rollout restart daemonset/calico-node"},
] if {
	_is_calico(fault)
} else := array.concat(
	[{
		"cluster": true,
		"edit": sprintf(`in net-conf.json of flannel's ConfigMap (kube-flannel-cfg) set "MTU": %d in "Backend"`, [below]),
		"why": sprintf("it is the MTU of the link below: flannel takes %d off for its tunnel", [below - size]),
	}],
	_restart_flannel(cluster),
) if {
	_is_flannel_vxlan(fault)
	fault.way.mtu < fault.way.tunnel.mtu # otherwise Pods' own MTU is not flannel's
	below := size + tunnel.overhead.vxlan
} else := [{
	"cluster": true,
	"edit": sprintf("set the MTU of the network plugin to %d and restart its agent (%s)", [
		size,
		`a bridge plugin: "mtu" of its file in /etc/cni/net.d`,
	]),
}]

_patch_installation(size) := sprintf(
	`kubectl patch installation default --type merge -p '{"spec":{"calicoNetwork":{"mtu":%d}}}'`,
	[size],
)

_is_calico(fault) if regex.match(`^(tunl0|vxlan\.calico|wireguard\.cali)$`, fault.way.tunnel.ifname)

# _is_flannel_vxlan: what a person sets is the MTU of the link below, of which flannel makes the tunnel's and the Pods'
# (pkg/backend/vxlan/device.go and vxlan_network.go of flannel v0.26).
_is_flannel_vxlan(fault) if regex.match(`^flannel\.[0-9]+$`, fault.way.tunnel.ifname)

_restart_flannel(cluster) := [step |
	some daemonset in cluster.daemonsets
	regex.match(`^(kube-flannel|flannel|canal)(-|$)`, daemonset.metadata.name)
	step := {
		"cluster": true,
		"run": sprintf("kubectl -n %s rollout restart daemonset/%s", [daemonset.metadata.namespace, daemonset.metadata.name]),
	}
]

_has_operator(cluster) if {
	some daemonset in cluster.daemonsets
	daemonset.metadata.namespace == "calico-system"
}
