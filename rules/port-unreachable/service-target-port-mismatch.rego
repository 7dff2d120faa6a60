# METADATA
# title: A Service sends to a port that its Pods do not have
# description: >-
#   A Service port has a targetPort: a number, or the name of a port that a container declares. Where the number is wrong
#   connections are refused by the Pod; where no container declares the name, the Service port has no endpoint at all.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/
#     description: is the Service defined correctly, its targetPort among others
#   - ref: https://kubernetes.io/docs/concepts/services-networking/service/
#     description: port, targetPort, and port definitions by name
# custom:
#   id: service-target-port-mismatch
#   category: port-unreachable
#   scope: cluster
#   severity: warning
#   needs: [cluster.services, cluster.pods]
#   explains: [service-unreachable, port-unreachable]
#   causes: []
package netcause.rules.port_unreachable.service_target_port_mismatch

import data.netcause.lib.service
import data.netcause.lib.target

finding contains f if {
	count(_faults) <= service.shown_each
	some fault in _faults

	f := {
		"subject": service.subject([fault.service]),
		"severity": target.severity(fault),
		"affects": fault.nodes,
		"message": sprintf("%s sends to port %v, and %s.", [
			target.shown(fault),
			object.get(fault.port, "targetPort", fault.port.port),
			_what(fault),
		]),
		"evidence": array.flatten([
			target.port_fact(fault),
			[{
				"fact": sprintf("names of ports that Pod %s/%s declares", [fault.pods[0].namespace, fault.pods[0].name]),
				"value": _names(fault),
				"source": fault.pods[0].source,
			} |
				fault.state == "undeclared"
			],
			[target.silence_fact(fault) | fault.state == "nothing"],
			array.slice(target.listener_facts(fault, "others"), 0, 5),
		]),
		"fix": {
			"summary": "Have the Service send to the port that the Pods listen on",
			"steps": [_step(fault)],
		},
		"verify": sprintf("kubectl -n %s get endpointslices -l kubernetes.io/service-name=%s shows the port, and a connection to it opens", [
			fault.service.namespace,
			fault.service.name,
		]),
	}
}

finding contains f if {
	count(_faults) > service.shown_each
	many := target.many(_faults)

	f := {
		"subject": many.subject,
		"affects": many.affects,
		"message": sprintf("%d ports of Services send to ports that their Pods do not have: %s.", [count(_faults), many.names]),
		"evidence": many.port_facts,
		"fix": {
			"summary": "Have the Services send to the ports that the Pods listen on",
			"steps": [_step(fault) | some fault in array.slice(_faults, 0, 10)],
		},
		"verify": "a connection to each of them opens",
	}
}

ruled_out contains {
	"message": sprintf("%d ports of Services send to ports that their Pods declare or listen on", [_answer.total - _answer.undeclared]),
	"evidence": [],
} if {
	count(_faults) == 0
	_answer.total > _answer.undeclared
}

ruled_out contains {"message": target.nothing_asked, "evidence": []} if {
	_answer.total == 0
	not service.unknown_text(_answer)
}

unexamined contains {"group": "cluster.pods", "reason": service.unknown_text(_answer)}

# That no container declares a port says nothing: declaring it is optional.
unexamined contains {"group": "listeners", "reason": reason} if {
	count(_faults) == 0
	_answer.undeclared > 0
	reason := sprintf("%s: no container declares the port, and whether one listens is not known: %s", [
		service.names(_answer.undeclared_list),
		concat("; ", _answer.reasons),
	])
}

_answer := netcause.service_targets()

_faults := [fault | some fault in target.judged(_answer); target.is_mismatch(fault)]

_what(fault) := sprintf("no container of %s declares a port of that name%s", [target.pods(fault), _declared(fault)]) if {
	fault.state == "undeclared"
} else := sprintf("%s neither %s it nor %s on it, but on %s", [
	target.pods(fault),
	_verb(fault, "declares", "declare"),
	_verb(fault, "listens", "listen"),
	concat(", ", [sprintf("%d", [port]) | some port in target.others(fault)]),
])

_declared(fault) := sprintf(" (declared: %s)", [_names(fault)]) if {
	count(fault.named) > 0
} else := ""

_names(fault) := concat(", ", fault.named) if {
	count(fault.named) > 0
} else := "none"

_verb(fault, one, _) := one if fault.count == 1

_verb(fault, _, several) := several if fault.count > 1

# A name is the better answer where there is just one: it stays right when the number changes.
_step(fault) := target.patch(fault, sprintf(`"%s"`, [fault.named[0]])) if {
	fault.state == "undeclared"
	count(fault.named) == 1
} else := target.patch(fault, fault.suggestion) if {
	fault.suggestion > 0
} else := {
	"cluster": true,
	"edit": sprintf("in Service %s set targetPort of port %d to the one that the program serves%s", [
		service.name(fault.service),
		fault.port.port,
		_choice(fault),
	]),
}

_choice(fault) := sprintf(": %s", [concat(", ", fault.named)]) if {
	fault.state == "undeclared"
	count(fault.named) > 0
} else := sprintf(": %s", [concat(", ", [sprintf("%d", [port]) | some port in target.others(fault)])]) if {
	count(target.others(fault)) > 0
} else := ", and declare it with a name"
