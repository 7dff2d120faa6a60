# METADATA
# title: The node's Service rules are out of date
# description: >-
#   kube-proxy keeps each node's rules as the EndpointSlices say. Where it stopped to, they go on sending to Pods that are
#   gone, to whoever has their address now, or leave out those that are new: some or all connections of this node fail.
# related_resources:
#   - ref: https://kubernetes.io/docs/reference/networking/virtual-ips/
#     description: how kube-proxy follows Services and EndpointSlices
#   - ref: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/
#     description: is kube-proxy working, and do its rules have the endpoints
# custom:
#   id: service-rules-stale
#   category: cni
#   scope: node
#   severity: critical
#   needs: [cluster.services]
#   optional: [cluster.configmaps, cluster.daemonsets, cluster.nodes, cluster.pods, processes]
#   needs_any: [[iptables_nft], [iptables_legacy], [nftables], [ipvs]]
#   explains: [service-unreachable, intermittent-loss]
#   causes: []
package netcause.rules.cni.service_rules_stale

import data.netcause.lib.kube_proxy
import data.netcause.lib.kubernetes
import data.netcause.lib.text

finding contains f if {
	_has_rules
	count(_sure) > 0

	f := {
		"message": sprintf("The rules of %s for %s are not what they should be: %s.", [
			input.node.name,
			_services_text,
			concat("; ", [_difference(stale) | some stale in array.slice(_sure, 0, 3)]),
		]),
		"evidence": [fact |
			some stale in array.slice(_sure, 0, 3)
			some fact in array.concat([_should_fact(stale)], _last_two(stale.evidence))
		],
		"fix": {
			"summary": "Let kube-proxy write its rules again, and see what kept it from it",
			"steps": _steps,
		},
		"verify": sprintf("iptables-save -t nat on %s (or nft list table ip kube-proxy) sends %s to %s", [
			input.node.name,
			_sure[0].service,
			concat(", ", _sure[0].should),
		]),
	}
}

ruled_out contains {"message": "it is no node of a cluster", "evidence": []} if {
	kubernetes.is_no_node(input.node, input.cluster)
}

ruled_out contains {"message": "Services are not kube-proxy's work here", "evidence": [_replacement]} if {
	kubernetes.is_node(input.node)
	count(_rules.modes) == 0
}

ruled_out contains {"message": "it has no Service rules: service-rules-missing-on-node judges that", "evidence": _rules.looked_at} if {
	kubernetes.is_node(input.node)
	not _replacement
	count(_rules.unknown) == 0
	not _has_rules
}

ruled_out contains {
	"message": sprintf("the rules of %d Service ports send to the endpoints that they should", [_answer.fresh]),
	"evidence": [mode.evidence | some mode in _rules.modes],
} if {
	kubernetes.is_node(input.node)
	_has_rules
	count(_sure) == 0
	count(_fresh_differences) == 0
	_judged
}

unexamined contains {"group": "cluster.endpointslices", "reason": reason} if {
	kubernetes.is_node(input.node)
	_has_rules
	count(_sure) == 0
	_answer.undecided > 0
	reason := sprintf("of %d of %d Service ports the endpoints, or the rules, are not known", [_answer.undecided, _answer.total])
}

unexamined contains {"group": "cluster.endpointslices", "reason": reason} if {
	kubernetes.is_node(input.node)
	_has_rules
	count(_sure) == 0
	count(_fresh_differences) > 0
	difference := _difference(_fresh_differences[0])
	reason := sprintf("%s, but rules and endpoints may have changed while they were read: read both again", [difference])
}

unexamined contains {"group": group} if {
	kubernetes.is_node(input.node)
	not _replacement
	not _has_rules
	some group in _rules.unknown
}

unexamined contains {"group": "processes", "reason": "it is not known whether the machine is a node of a cluster"} if {
	not kubernetes.is_node(input.node)
	not kubernetes.is_no_node(input.node, input.cluster)
}

_rules := netcause.kube_proxy_rules(input.node.name)

_services := netcause.service_rules(input.node.name)

_answer := netcause.stale_services(input.node.name)

_replacement := kube_proxy.replacement(input.cluster, input.node)

# Without any rule of the cluster's Services there is nothing to be out of date.
_has_rules if {
	count(_rules.modes) > 0
	not _serves_none
}

_serves_none if {
	_services.total > 0
	_services.present == 0
}

_judged if _answer.fresh > 0

_judged if _answer.total == 0

_sure := [stale | some stale in _answer.stale; _is_sure(stale)]

_fresh_differences := [stale | some stale in _answer.stale; not _is_sure(stale)]

# The Pods changed longer ago than a proxy needs, and node and cluster were read at about the same time: an endpoint that
# is gone leaves no time of its own.
_is_sure(stale) if {
	stale.seconds > _answer.patience
	is_number(_answer.lag)
	abs(_answer.lag) <= 60
}

_services_text := sprintf("Service %s (%s port %d)", [_sure[0].service, _sure[0].protocol, _sure[0].port]) if count(_sure) == 1

_services_text := sprintf("%d Service ports (%s)", [_count, text.names({stale.service | some stale in _sure})]) if {
	count(_sure) > 1
}

# Above what is listed all that differ count: they are the same fault.
_count := _answer.count if count(_sure) == count(_answer.stale)

_count := count(_sure) if count(_sure) < count(_answer.stale)

_difference(stale) := sprintf("%s has endpoints and is refused", [stale.service]) if {
	stale.refused
} else := sprintf("%s has endpoints and no rule", [stale.service]) if {
	stale.missing
} else := sprintf("%s %s", [stale.service, concat(", and ", array.concat(
	[sprintf("goes to %s, which %s no endpoint of it", [text.names(stale.gone), _are(stale.gone)]) | count(stale.gone) > 0],
	[sprintf("does not go to %s, which %s ready", [text.names(stale.absent), _are(stale.absent)]) | count(stale.absent) > 0],
))])

_are([_]) := "is"

_are(list) := "are" if count(list) > 1

_should_fact(stale) := {
	"fact": sprintf("endpoints of Service %s, %s port %d", [stale.service, stale.protocol, stale.port]),
	"value": _shown(stale.should),
	"source": stale.source,
}

_shown(list) := concat(", ", list) if count(list) > 0

_shown(list) := "none" if count(list) == 0

_last_two(evidence) := array.slice(evidence, max([0, count(evidence) - 2]), count(evidence))

_steps := array.concat(_logs, _restart)

_logs := [{
	"cluster": true,
	"run": sprintf("kubectl -n %s logs %s --tail=50", [pod.metadata.namespace, pod.metadata.name]),
	"why": "it says what it cannot write, or that it does not reach the API server",
} |
	some pod in kube_proxy.pods_for(input.cluster, input.node)
	pod.status.phase == "Running"
]

_restart := [{
	"cluster": true,
	"run": sprintf("kubectl -n %s delete pod %s", [pod.metadata.namespace, pod.metadata.name]),
	"why": "the new one writes all rules when it starts",
} |
	some pod in kube_proxy.pods_for(input.cluster, input.node)
] if {
	count(kube_proxy.pods_for(input.cluster, input.node)) > 0
} else := [{
	"node": input.node.name,
	"run": "systemctl restart k3s-agent || systemctl restart k3s",
	"why": "kube-proxy is part of it, and writes all rules when it starts",
}] if {
	kube_proxy.embedded(input.node, input.cluster)
} else := [{
	"node": input.node.name,
	"run": "systemctl restart kube-proxy",
	"why": "it writes all rules when it starts",
}]
