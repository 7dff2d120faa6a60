# METADATA
# title: A Pod listens on loopback alone
# description: >-
#   A program that listens on 127.0.0.1 or ::1 answers within its Pod, and to kubectl port-forward, which enters the Pod.
#   What comes by the network, through a Service or at the Pod's address, is refused.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/
#     description: are the Pods working, asked at their own addresses
#   - ref: https://kubernetes.io/docs/reference/kubectl/generated/kubectl_port-forward/
#     description: the way into a Pod that hides it
# custom:
#   id: listener-on-loopback-only
#   category: port-unreachable
#   scope: cluster
#   severity: warning
#   needs: [cluster.services, cluster.pods]
#   explains: [port-unreachable, service-unreachable]
#   causes: []
package netcause.rules.port_unreachable.listener_on_loopback_only

import data.netcause.lib.service
import data.netcause.lib.target
import data.netcause.lib.text

finding contains f if {
	count(_faults) <= service.shown_each
	some fault in _faults

	f := {
		"subject": service.subject([fault.service]),
		"severity": target.severity(fault),
		"affects": fault.nodes,
		"message": sprintf("%s sends to port %d, where %s listens on %s alone: connections from outside the Pod are refused.", [
			target.shown(fault),
			fault.target,
			target.pods(fault),
			fault.pods[0].on[0].local,
		]),
		"evidence": array.concat([target.port_fact(fault)], target.listener_facts(fault, "on")),
		"fix": {
			"summary": "Let the program listen on all addresses",
			"steps": [_edit(fault)],
		},
		"verify": target.verify(fault, fault.target),
	}
}

finding contains f if {
	count(_faults) > service.shown_each
	many := target.many(_faults)

	f := {
		"subject": many.subject,
		"affects": many.affects,
		"message": sprintf("On %d ports that Services send to Pods listen on loopback alone: %s.", [count(_faults), many.names]),
		"evidence": [fact | some fault in text.few(_faults); some fact in target.listener_facts(fault, "on")],
		"fix": {
			"summary": "Let the programs listen on all addresses",
			"steps": [_edit(fault) | some fault in array.slice(_faults, 0, 10)],
		},
		"verify": target.verify(_faults[0], _faults[0].target),
	}
}

ruled_out contains {
	"message": sprintf("no Pod listens on loopback alone, of %d ports of Services that could be asked", [_answer.heard]),
	"evidence": [],
} if {
	count(_faults) == 0
	_answer.heard > 0
}

ruled_out contains {"message": target.nothing_asked, "evidence": []} if {
	_answer.total == 0
	not service.unknown_text(_answer)
}

unexamined contains {"group": "cluster.pods", "reason": service.unknown_text(_answer)}

unexamined contains {"group": "listeners", "reason": target.undecided(_answer)} if {
	count(_faults) == 0
	_answer.undecided > 0
}

_answer := netcause.service_targets()

_faults := [fault | some fault in target.judged(_answer); fault.state == "loopback"]

_edit(fault) := {
	"cluster": true,
	"edit": sprintf("in the template of Pod %s/%s let the program of container %s listen on 0.0.0.0 (or ::) instead of %s", [
		fault.pods[0].namespace,
		fault.pods[0].name,
		fault.pods[0].container,
		fault.pods[0].on[0].local,
	]),
	"why": "many programs take it from a flag or variable such as --host, --bind-address or HOST",
}
