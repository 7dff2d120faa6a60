# METADATA
# title: A node with Pods does not forward packets
# description: >-
#   A node is the router of its Pods. With ip_forward, or a device's forwarding, at 0 the kernel drops every packet that
#   it would have to hand on: Pods reach nothing beyond their node, nothing beyond it reaches them, and NodePorts lead
#   nowhere. The node itself works, so it stays Ready.
# related_resources:
#   - ref: https://docs.kernel.org/networking/ip-sysctl.html
#     description: ip_forward, and forwarding of each device
#   - ref: https://kubernetes.io/docs/setup/production-environment/container-runtimes/#network-configuration
#     description: IPv4 packet forwarding has to be enabled
#   - ref: https://github.com/openshift/origin/issues/9931
#     description: a restart of the network service turns it off
# custom:
#   id: ip-forward-disabled
#   category: network-unreachable
#   scope: node
#   severity: critical
#   needs: [sysctls]
#   optional: [addresses, cluster.daemonsets, cluster.nodes, cluster.pods, cni, links, processes, routes]
#   explains: [network-unreachable, service-unreachable, egress-failure]
#   causes: []
package netcause.rules.network_unreachable.ip_forward_disabled

import data.netcause.lib.kubernetes
import data.netcause.lib.pod_devices
import data.netcause.lib.sysctl
import data.netcause.lib.text

finding contains f if {
	_is_router
	not _by_programs
	not _in_doubt
	count(_off) > 0

	f := {
		"message": sprintf("%s is the router of its Pods, and does not forward %s: %s.", [
			input.node.name,
			_what,
			"they reach nothing beyond it, and nothing beyond it reaches them",
		]),
		"evidence": text.few([sysctl.fact(input.node, key) | some key in _off]),
		"fix": {
			"summary": "Let the node forward, now and after a reboot",
			"steps": sysctl.set_steps(input.node.name, {key: "1" | some key in _off}, "kubernetes-forward"),
		},
		"verify": sprintf("sysctl %s on %s shows 1", [concat(" ", _off), input.node.name]),
	}
}

ruled_out contains {"message": "it is no node of a cluster", "evidence": []} if {
	not _is_router
	kubernetes.is_no_node(input.node, input.cluster)
}

ruled_out contains {
	"message": sprintf("its Pods' devices are of the network plugin %s, which needs no forwarding", [plugin]),
	"evidence": [],
} if {
	plugin := pod_devices.beside_host(input.node)
}

ruled_out contains {
	"message": "it forwards, on every device that carries Pods' packets",
	"evidence": [sysctl.fact(input.node, key) | some key in _global],
} if {
	_is_router
	count(_off) == 0
	every key in _global {
		sysctl.value(input.node, key)
	}
}

unexamined contains {"group": "processes", "reason": "nothing shows whether it is a node of a cluster"} if {
	not kubernetes.is_node(input.node)
	not kubernetes.is_no_node(input.node, input.cluster)
}

unexamined contains {"group": "sysctls", "reason": sprintf("%s is not among the sysctls that were read", [key])} if {
	_is_router
	count(_off) == 0
	some key in _global
	not sysctl.value(input.node, key)
}

unexamined contains {
	"group": "routes",
	"reason": "IPv6 is forwarded and IPv4 is not: whether its Pods have IPv4 addresses is not known",
} if {
	_is_router
	count(_off) > 0
	_in_doubt
}

unexamined contains {"group": "sysctls", "reason": reason} if {
	_is_router
	count(_off) > 0
	reason := sprintf("%s is 0, and the programs of %s may carry packets past it", [concat(", ", _off), _by_programs])
}

_by_programs := pod_devices.by_programs(input.node, input.cluster)

_is_router if {
	kubernetes.is_node(input.node)
	not pod_devices.beside_host(input.node)
}

# What a device's own setting says counts (IN_DEV_FORWARD of include/linux/inetdevice.h): ip_forward sets all of them.
_devices := [key |
	some dev in pod_devices.carrying(input.node, input.cluster)
	key := sysctl.of_device("ipv4", dev, "forwarding")
	sysctl.value(input.node, key)
]

_off_devices := [key | some key in _devices; sysctl.value(input.node, key) == "0"]

_global := {"net.ipv4.ip_forward" | not _has_ipv6_alone} | {"net.ipv6.conf.all.forwarding" | _has_ipv6_pods}

_has_ipv6_alone if kubernetes.ipv6_alone(input.node.object)

_has_ipv6_alone if kubernetes.perhaps_ipv6_alone(input.node)

# _off are the sysctls to change.
default _off_ipv4 := []

_off_ipv4 := ["net.ipv4.ip_forward"] if {
	not _has_ipv6_alone
	sysctl.value(input.node, "net.ipv4.ip_forward") == "0"
	_devices_off_or_unknown
}

_off_ipv4 := _off_devices if {
	not _has_ipv6_alone
	sysctl.value(input.node, "net.ipv4.ip_forward") == "1"
}

_devices_off_or_unknown if count(_off_devices) > 0

_devices_off_or_unknown if count(_devices) == 0

_off_ipv6 := [key |
	_has_ipv6_pods
	key := "net.ipv6.conf.all.forwarding"
	sysctl.value(input.node, key) == "0"
]

_off := array.concat(_off_ipv4, _off_ipv6)

# Without its Node and its routes nothing tells it from a node of an IPv6 cluster.
_in_doubt if {
	not input.node.object
	not input.node.routes
	sysctl.value(input.node, "net.ipv6.conf.all.forwarding") == "1"
}

_has_ipv6_pods if {
	some cidr in kubernetes.pod_cidrs(input.node.object)
	contains(cidr, ":")
}

_has_ipv6_pods if _has_ipv6_alone

_has_ipv6_pods if {
	some pod in input.node.pods
	not pod.spec.hostNetwork
	some address in pod.status.podIPs
	contains(address.ip, ":")
}

_what := concat(" and ", array.flatten([
	[sprintf("IPv4 packets (%s)", [_shown(_off_ipv4)]) | count(_off_ipv4) > 0],
	["IPv6 packets (net.ipv6.conf.all.forwarding = 0)" | count(_off_ipv6) > 0],
]))

_shown(keys) := concat(", ", [sprintf("%s = 0", [key]) | some key in text.few(keys)])
