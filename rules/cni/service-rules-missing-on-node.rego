# METADATA
# title: The node has no Service rules
# description: >-
#   A ClusterIP exists nowhere but in the rules that kube-proxy writes on each node. Where they are missing, or nothing
#   leads to them, a packet to a Service follows the default route out of the cluster and is lost.
# related_resources:
#   - ref: https://kubernetes.io/docs/reference/networking/virtual-ips/
#     description: how each mode of kube-proxy keeps Services
#   - ref: https://github.com/kubernetes/kubernetes/issues/107965
#     description: rules that live in the iptables backend that was not looked at
# custom:
#   id: service-rules-missing-on-node
#   category: cni
#   scope: node
#   severity: critical
#   needs_any: [[iptables_nft], [iptables_legacy], [nftables], [ipvs]]
#   optional: [cluster.configmaps, cluster.daemonsets, cluster.nodes, cluster.pods, processes]
#   explains: [service-unreachable, dns-failure]
#   causes: []
package netcause.rules.cni.service_rules_missing_on_node

import data.netcause.lib.kube_proxy
import data.netcause.lib.kubernetes

# Rules that no base chain leads to are proof in themselves; that there are none is proof where every backend was read.
finding contains f if {
	kubernetes.is_node(input.node)
	not _replacement
	not _in_doubt
	count(_rules.modes) == 0
	f := {
		"message": sprintf("%s: no Service address works on it.", [_missing]),
		"evidence": array.concat(_rules.detached, _rules.looked_at),
		"fix": _fix,
		"verify": _verify,
	}
}

finding contains f if {
	kubernetes.is_node(input.node)
	count(_rules.modes) > 0
	_serves_none
	some first in array.slice(_services.missing, 0, 1)

	f := {
		"message": sprintf(
			"%s has kube-proxy's chains, but none of the cluster's %d Service ports is in them.",
			[input.node.name, _services.total],
		),
		"evidence": array.concat(
			[mode.evidence | some mode in _rules.modes],
			[{
				"fact": sprintf("rules for Service %s, %s port %d", [first.service, first.address, first.port]),
				"value": "none",
				"source": first.source,
			}],
		),
		"fix": _fix,
		"verify": _verify,
	}
}

# Rules are there, and packets of Pods do not come to them: a base chain does not lead there, or something ends before.
finding contains f if {
	kubernetes.is_node(input.node)
	count(_rules.modes) > 0
	_passed_by

	f := {
		"message": sprintf("%s has kube-proxy's rules, but packets do not come to them: %s.", [input.node.name, _why_passed_by]),
		"evidence": array.flatten([
			[mode.evidence | some mode in _rules.modes],
			[hop | some astray in array.slice(_services.astray, 0, 1); some hop in astray.evidence],
			[{
				"fact": "rule of nat PREROUTING that leads to kube-proxy's chains",
				"value": "none",
				"source": _rules.modes[0].evidence.source,
			} |
				"nat PREROUTING" in _services.unhooked
			],
		]),
		"fix": _fix,
		"verify": _verify,
	}
}

ruled_out contains {"message": "it is no node of a cluster", "evidence": []} if {
	kubernetes.is_no_node(input.node, input.cluster)
}

ruled_out contains {"message": "Services are not kube-proxy's work here", "evidence": [_replacement]} if {
	kubernetes.is_node(input.node)
	count(_rules.modes) == 0
}

ruled_out contains {
	"message": _seen,
	"evidence": array.concat(
		[mode.evidence | some mode in _rules.modes],
		[hop | some example in _services.examples; some hop in example.evidence],
	),
} if {
	kubernetes.is_node(input.node)
	count(_rules.modes) > 0
	count(_services.unread) == 0
	not _serves_none
	not _passed_by
}

unexamined contains {
	"group": group,
	"reason": "kube-proxy works by IPVS, whose table says which Services it serves",
} if {
	kubernetes.is_node(input.node)
	count(_rules.modes) > 0
	some group in _services.unread
}

unexamined contains {"group": "cluster.configmaps", "reason": _doubt} if {
	kubernetes.is_node(input.node)
	count(_rules.modes) == 0
	_in_doubt
}

unexamined contains {"group": group} if {
	kubernetes.is_node(input.node)
	not _replacement
	not _in_doubt
	count(_rules.modes) == 0
	count(_rules.detached) == 0
	some group in _rules.unknown
}

unexamined contains {"group": "processes", "reason": "it is not known whether the machine is a node of a cluster"} if {
	not kubernetes.is_node(input.node)
	not kubernetes.is_no_node(input.node, input.cluster)
}

_replacement := kube_proxy.replacement(input.cluster, input.node)

_doubt := kube_proxy.doubt(input.cluster, input.node)

# Chains of kube-proxy that nothing leads to are its own all the same.
_in_doubt if {
	_doubt
	count(_rules.detached) == 0
}

_rules := netcause.kube_proxy_rules(input.node.name)

_services := object.union({"astray": [], "unhooked": [], "unread": []}, netcause.service_rules(input.node.name))

_serves_none if {
	_services.total > 0
	_services.present == 0
}

# What Pods and other machines send comes through PREROUTING; without OUTPUT only what the node itself sends is lost.
_passed_by if "nat PREROUTING" in _services.unhooked

_passed_by if {
	count(_services.astray) > 0
	count(_services.examples) == 0
}

_why_passed_by := "nothing leads from nat PREROUTING to them, and Pods' packets come through it" if {
	"nat PREROUTING" in _services.unhooked
} else := _services.astray[0].detail

_missing := sprintf("%s has kube-proxy's rules, but nothing leads to them: somebody flushed the chains that did", [input.node.name]) if {
	count(_rules.detached) > 0
} else := sprintf("%s holds no Service rule of kube-proxy in iptables (either backend), nftables or IPVS", [input.node.name]) if {
	count(_rules.unknown) == 0
}

default _seen := "kube-proxy's rules are there"

_seen := concat(", ", array.concat(
	[sprintf("the rules of %d of %d Service ports are there", [_services.present, _services.total])],
	[sprintf("%s: %s", [example.service, example.way]) | some example in array.slice(_services.examples, 0, 1)],
)) if {
	_services.total > 0
}

_fix := {
	"summary": "Let kube-proxy write its rules again",
	"steps": array.concat(_restart, [{
		"node": input.node.name,
		"edit": "find out who flushed them (firewalld, ufw, a script with iptables-restore) and have it leave kube-proxy's chains alone",
	} |
		count(_rules.detached) > 0
	]),
}

_restart := [step |
	some pod in kube_proxy.pods_for(input.cluster, input.node)
	step := {
		"cluster": true,
		"run": sprintf("kubectl -n %s delete pod %s", [pod.metadata.namespace, pod.metadata.name]),
		"why": "it writes all of its rules when it starts",
	}
] if {
	count(kube_proxy.pods_for(input.cluster, input.node)) > 0
} else := [{
	"node": input.node.name,
	"run": "systemctl restart kube-proxy",
	"why": "it writes all of its rules when it starts (as a Pod: delete the Pod)",
}]

_verify := sprintf(
	"iptables-save -t nat on %s (or nft list table ip kube-proxy) shows Service addresses",
	[input.node.name],
)
