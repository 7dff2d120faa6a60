# METADATA
# title: A node without endpoint drops what comes for a Service from outside
# description: >-
#   With externalTrafficPolicy Local a node sends what comes from outside to the Pods on itself alone, and drops it where it
#   has none. That keeps the client's address, and asks of whoever sends to the nodes to know which of them have a Pod.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/
#     description: preserving the client source IP, and the health check that tells nodes with endpoints
#   - ref: https://github.com/kubernetes/kubernetes/issues/91812
#     description: a Service address that works on some nodes alone, with the policy Local
# custom:
#   id: external-traffic-policy-local-no-endpoint
#   category: port-unreachable
#   scope: cluster
#   severity: warning
#   needs: [cluster.services, cluster.nodes]
#   explains: [nodeport-unreachable]
#   causes: []
package netcause.rules.port_unreachable.external_traffic_policy_local_no_endpoint

import data.netcause.lib.service
import data.netcause.lib.text

finding contains f if {
	some local in array.slice(_faults, 0, service.shown_each)

	f := {
		"subject": service.subject([local.service]),
		"affects": _nodes(local),
		"message": sprintf("%s keeps what comes from outside on its node (externalTrafficPolicy Local), and %s: it is dropped.", [
			service.name(local.service),
			_what(local),
		]),
		"evidence": array.flatten([
			{
				"fact": sprintf("externalTrafficPolicy of Service %s", [service.name(local.service)]),
				"value": sprintf("Local, endpoints on %s", [text.names(local.on)]),
				"source": local.service.source,
			},
			[drop.evidence | some drop in text.few(local.dropping)],
			[{
				"fact": sprintf("address of Service %s on %s", [service.name(local.service), held.node]),
				"value": sprintf("%s dev %s", [held.address, held.dev]),
				"source": held.source,
			} |
				some held in text.few(local.holding)
			],
		]),
		"fix": _fix(local),
		"verify": sprintf("a connection from outside to %s opens", [_target(local)]),
	}
}

ruled_out contains {"message": "no Service has externalTrafficPolicy Local", "evidence": []} if _answer.total == 0

ruled_out contains {
	"message": sprintf("nothing is dropped for want of a Pod on the node, of %d Services with externalTrafficPolicy Local%s", [
		_answer.total,
		_checked_text,
	]),
	"evidence": [{
		"fact": sprintf("endpoints of Service %s", [service.name(local.service)]),
		"value": sprintf("on %s", [text.names(local.on)]),
		"source": local.service.source,
	} |
		some local in text.few(_answer.services)
	],
} if {
	_answer.total > 0
	count(_faults) == 0
	count(_open) == 0
}

unexamined contains {"group": "iptables_nft", "node": node, "reason": reason} if {
	count(_faults) == 0
	some local in text.few(_open)
	some node in array.slice(local.unknown, 0, 8)
	reason := sprintf("%s has no endpoint on %s: whether anybody sends there, the counters of the rules that drop it would tell", [
		service.name(local.service),
		text.names(local.unknown),
	])
}

_answer := netcause.local_traffic()

_faults := [local | some local in _answer.services; _is_fault(local)]

_is_fault(local) if count(local.holding) > 0

# A load balancer that asks for nodes with endpoints sends a few packets to the others, to ask.
_is_fault(local) if {
	count(local.dropping) > 0
	not local.checked
}

_open := [local |
	some local in _answer.services
	not _is_fault(local)
	not local.checked
	count(local.unknown) > 0
]

_nodes(local) := [node | some node in {it.node | some key in ["dropping", "holding"]; some it in local[key]}]

_what(local) := sprintf("%s has its address %s but none of its Pods", [local.holding[0].node, local.holding[0].address]) if {
	count(local.holding) > 0
} else := sprintf("%s, to which it comes, %s none of its Pods", [text.names(_nodes(local)), _have(_nodes(local))])

_have([_]) := "has"

_have(nodes) := "have" if count(nodes) > 1

_fix(local) := {
	"summary": "Let every node pass it on",
	"steps": [{
		"cluster": true,
		"patch": sprintf(
			`kubectl -n %s patch service %s --type merge -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'`,
			[local.service.namespace, local.service.name],
		),
		"why": "the Pods then see a node's address instead of the client's",
	}],
	"alternatives": [
		{
			"summary": "Send to the nodes with a Pod alone, where the client's address is needed",
			"steps": [{
				"cluster": true,
				"edit": sprintf("have clients and load balancers send to %s alone%s", [text.names(local.on), _health(local)]),
			}],
		},
		{
			"summary": "A Pod on every node that is sent to",
			"steps": [{"cluster": true, "edit": "run the Pods as a DaemonSet, or spread more of them over the nodes"}],
		},
	],
}

_health(local) := ": its health check tells which" if local.type == "LoadBalancer"

_health(local) := "" if local.type != "LoadBalancer"

_target(local) := sprintf("port %d of %s", [local.node_ports[0], _nodes(local)[0]]) if {
	count(local.node_ports) > 0
} else := local.holding[0].address

default _checked_text := ""

_checked_text := sprintf(" (%d with a load balancer whose health check avoids nodes without)", [count(checked)]) if {
	checked := [local | some local in _answer.services; local.checked]
	count(checked) > 0
}
