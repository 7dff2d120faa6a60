# METADATA
# title: Packets between Pods of one bridge bypass netfilter
# description: >-
#   Pods on a bridge reach a Service whose endpoint is on the same bridge by translation on the way there. The answer goes
#   from port to port inside the bridge, and only br_netfilter shows it to iptables, where the translation is undone. With
#   bridge-nf-call-iptables at 0, or without the module, the client gets an answer from an address that it never asked and
#   refuses it. Endpoints of other nodes work, so that a Service fails now and then, and DNS where its Pods are.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins/
#     description: network plugins connect bridges so that iptables sees their packets
#   - ref: https://docs.kernel.org/networking/ip-sysctl.html
#     description: bridge-nf-call-iptables
#   - ref: https://github.com/kubernetes/kubernetes/issues/24019
#     description: a Service whose endpoint is on the client's node
#   - ref: https://github.com/labring/sealos/issues/1703
#     description: a file of sysctl.d sets it to 0 at boot
# custom:
#   id: bridge-netfilter-off
#   category: cni
#   scope: node
#   severity: critical
#   needs: [sysctls, links, addresses]
#   optional: [cluster.configmaps, cluster.daemonsets, cluster.nodes, cluster.pods, cluster.services, kube_proxy_config, processes]
#   explains: [service-unreachable, dns-failure]
#   causes: []
package netcause.rules.cni.bridge_netfilter_off

import data.netcause.lib.kube_proxy
import data.netcause.lib.kubernetes
import data.netcause.lib.pod_devices
import data.netcause.lib.sysctl
import data.netcause.lib.text

finding contains f if {
	count(_bridges) > 0
	_translates
	not _masquerades_all
	_off

	f := {
		"message": sprintf("Pods of %s are on the bridge %s, and %s: %s.", [
			input.node.name,
			text.names({link.ifname | some link in _bridges}),
			_why,
			"from one Pod there to a Service whose endpoint is another, answers come untranslated and are refused",
		]),
		"evidence": array.flatten([
			[_sysctl_fact(key) | some key in _off_keys],
			[{
				"fact": sprintf("bridge of Pods on %s", [input.node.name]),
				"value": link.ifname,
				"source": link.source,
			} |
				some link in _bridges
			],
			[mode.evidence | some mode in _modes][0],
		]),
		"fix": {
			"summary": "Let iptables see what the bridge forwards, now and after a reboot",
			"steps": array.concat(
				_load_steps,
				sysctl.set_steps(input.node.name, {key: "1" | some key in _keys}, "kubernetes-bridge"),
			),
		},
		"verify": sprintf("sysctl %s on %s shows 1", [concat(" ", _off_keys), input.node.name]),
	}
}

ruled_out contains {
	"message": "it is no node of a cluster",
	"evidence": [],
} if {
	kubernetes.is_no_node(input.node, input.cluster)
}

ruled_out contains {"message": "its Pods are on no bridge", "evidence": []} if {
	kubernetes.is_node(input.node)
	count(_bridges) == 0
	_pods_known
}

ruled_out contains {
	"message": "iptables sees what its bridge forwards",
	"evidence": [sysctl.fact(input.node, key) | some key in _judged],
} if {
	count(_bridges) > 0
	not _depends_on_services
	every key in _judged {
		sysctl.value(input.node, key) == "1"
	}
}

ruled_out contains {
	"message": "kube-proxy masquerades all that goes to Services: answers come back to the node",
	"evidence": [],
} if {
	count(_bridges) > 0
	_off
	_masquerades_all
}

ruled_out contains {
	"message": "no kube-proxy translates Service addresses on it",
	"evidence": [kube_proxy.replacement(input.cluster, input.node)],
} if {
	count(_bridges) > 0
	_off
	not _translates
	kube_proxy.replacement(input.cluster, input.node)
}

unexamined contains {
	"group": "cluster.nodes",
	"reason": sprintf("it has bridges (%s), and which leads to Pods is not known", [names]),
} if {
	kubernetes.is_node(input.node)
	count(_bridges) == 0
	not _pods_known
	names := text.names({link.ifname | some link in input.node.links; link.kind == "bridge"})
}

unexamined contains {
	"group": "sysctls",
	"reason": sprintf("%s is not among those that were read, and the listing is not whole", [key]),
} if {
	count(_bridges) > 0
	not sysctl.complete(input.node)
	some key in _judged
	not sysctl.value(input.node, key)
}

unexamined contains {"group": "cluster.services", "reason": reason} if {
	_depends_on_services
	reason := sprintf("%s is 0, and whether a Service has an IPv6 address is not known", [_ipv6_key])
}

unexamined contains {"group": group, "reason": "which rules translate Service addresses on it is not known"} if {
	count(_bridges) > 0
	_off
	not _translates
	not kube_proxy.replacement(input.cluster, input.node)
	some group in array.concat(netcause.kube_proxy_rules(input.node.name).unknown, ["iptables_nft"])
}

unexamined contains {"group": "processes", "reason": "nothing shows whether it is a node of a cluster"} if {
	not kubernetes.is_node(input.node)
	not kubernetes.is_no_node(input.node, input.cluster)
}

_ipv4_key := "net.bridge.bridge-nf-call-iptables"

_ipv6_key := "net.bridge.bridge-nf-call-ip6tables"

# _bridges are those that lead to the node's own Pods: Docker's has none.
_bridges := [link |
	kubernetes.is_node(input.node)
	some dev in pod_devices.own(input.node)
	some link in input.node.links
	link.ifname == dev
	link.kind == "bridge"
]

# _pods_known says that a bridge of Pods would be seen.
_pods_known if input.cluster.pods

_pods_known if count(kubernetes.pod_cidrs(input.node.object)) > 0

_pods_known if count([link | some link in input.node.links; link.kind == "bridge"]) == 0

_modes := netcause.kube_proxy_rules(input.node.name).modes

_translates if count(_modes) > 0

_off if count(_off_keys) > 0

# Where the module is not loaded the kernel has no such sysctl.
_off_keys := sort([key | some key in _judged; _is_off(key)])

_is_off(key) if sysctl.value(input.node, key) == "0"

_is_off(_) if _not_loaded

_not_loaded if {
	sysctl.complete(input.node)
	every key in _judged {
		not sysctl.value(input.node, key)
	}
}

_masquerades_all if input.node.kube_proxy_config.masqueradeAll

_why := "br_netfilter is not loaded" if {
	_not_loaded
} else := concat(" and ", [sprintf("%s is 0", [key]) | some key in _off_keys])

_sysctl_fact(key) := {"fact": key, "value": "no such sysctl: br_netfilter is not loaded", "source": "sysctl -a"} if {
	_not_loaded
} else := sysctl.fact(input.node, key)

default _load_steps := []

_load_steps := [{
	"node": input.node.name,
	"run": "modprobe br_netfilter\nmkdir -p /etc/modules-load.d\necho br_netfilter > /etc/modules-load.d/br_netfilter.conf",
}] if {
	_not_loaded
}

# _keys are those of the families that Pods have, _judged those of the families that Services have there.
_keys := {_ipv4_key | not _is_ipv6_alone} | {_ipv6_key | _has_ipv6_pods}

_judged := _keys - {_ipv6_key |
	not _is_ipv6_alone
	not _has_ipv6_services
}

_depends_on_services if {
	count(_bridges) > 0
	not _off
	not input.cluster.services
	_ipv6_key in (_keys - _judged)
	sysctl.value(input.node, _ipv6_key) == "0"
}

_is_ipv6_alone if kubernetes.ipv6_alone(input.node.object)

_is_ipv6_alone if {
	not input.node.object
	count(_bridge_addresses) > 0
	every a in _bridge_addresses {
		a.family == "inet6"
	}
}

_bridge_addresses := [a |
	some link in _bridges
	some a in input.node.addresses
	a.dev == link.ifname
	object.get(a, "scope", "global") == "global"
]

_has_ipv6_pods if _is_ipv6_alone

_has_ipv6_pods if {
	some cidr in kubernetes.pod_cidrs(object.get(input.node, "object", {}))
	contains(cidr, ":")
}

_has_ipv6_services if {
	some service in input.cluster.services
	some address in array.concat([service.spec.clusterIP], object.get(service.spec, "clusterIPs", []))
	contains(address, ":")
}
