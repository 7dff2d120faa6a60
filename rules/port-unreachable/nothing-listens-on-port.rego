# METADATA
# title: Nothing listens on the port that a Service sends to
# description: >-
#   The Service, its rules and the network are well, and bring each connection to a Pod where no program has the port open:
#   the Pod's kernel answers with a reset, and the client sees "connection refused".
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/
#     description: are the Pods working, and is the Service defined correctly
#   - ref: https://man7.org/linux/man-pages/man8/ss.8.html
#     description: how to see what listens in a network namespace
# custom:
#   id: nothing-listens-on-port
#   category: port-unreachable
#   scope: cluster
#   severity: warning
#   needs: [cluster.services, cluster.pods]
#   explains: [port-unreachable, service-unreachable]
#   causes: []
package netcause.rules.port_unreachable.nothing_listens_on_port

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
		"message": sprintf("%s sends to port %d over %s, and %s: connections are refused%s.", [
			target.shown(fault),
			fault.target,
			object.get(fault.port, "protocol", "TCP"),
			_what(fault),
			_partly(fault),
		]),
		"evidence": array.flatten([
			target.port_fact(fault),
			[target.silence_fact(fault) | fault.state == "nothing"],
			target.listener_facts(fault, "on"),
			array.slice(target.listener_facts(fault, "others"), 0, 5),
		]),
		"fix": _fix(fault),
		"verify": target.verify(fault, fault.target),
	}
}

finding contains f if {
	count(_faults) > service.shown_each
	many := target.many(_faults)

	f := {
		"subject": many.subject,
		"affects": many.affects,
		"message": sprintf("On %d ports that Services send to no Pod listens: %s.", [count(_faults), many.names]),
		"evidence": many.port_facts,
		"fix": {
			"summary": "Look for what they have in common first: an image, a configuration that they share",
			"steps": [target.logs(fault) | some fault in text.few(_faults)],
		},
		"verify": target.verify(_faults[0], _faults[0].target),
	}
}

ruled_out contains {"message": sprintf("Pods listen on all %d ports of Services that could be asked", [_answer.heard]), "evidence": []} if {
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

# What listens on loopback alone, and a Service that asks for a port that was never meant, are told by rules of their own.
_faults := [fault |
	some fault in target.judged(_answer)
	fault.state in {"nothing", "elsewhere"}
	not target.is_mismatch(fault)
]

_what(fault) := sprintf("in %s nothing listens on it%s", [target.pods(fault), _instead(fault)]) if fault.state == "nothing"

_what(fault) := sprintf("%s %s on it at another address alone, not at the Pod's", [target.pods(fault), _listen(fault)]) if {
	fault.state == "elsewhere"
}

_listen(fault) := "listens" if fault.count == 1

_listen(fault) := "listen" if fault.count > 1

_instead(fault) := "" if count(target.others(fault)) == 0

_instead(fault) := sprintf(", but on %s", [concat(", ", [sprintf("%d", [port]) | some port in target.others(fault)])]) if {
	count(target.others(fault)) > 0
}

_partly(fault) := "" if fault.heard == 0

_partly(fault) := sprintf(" there (%d other Pods listen)", [fault.heard]) if fault.heard > 0

_fix(fault) := object.union(
	{
		"summary": sprintf("Let the program listen on port %d", [fault.target]),
		"steps": [
			target.logs(fault),
			{
				"cluster": true,
				"edit": sprintf("in the template of Pod %s let the program of container %s listen on port %d, by its flag, variable or file", [
					fault.pods[0].name,
					fault.pods[0].container,
					fault.target,
				]),
			},
		],
	},
	_alternative(fault),
)

_alternative(fault) := {"alternatives": [{
	"summary": sprintf("Let the Service send to port %d, where the Pods listen", [fault.suggestion]),
	"steps": [target.patch(fault, fault.suggestion)],
}]} if {
	fault.suggestion > 0
} else := {}
