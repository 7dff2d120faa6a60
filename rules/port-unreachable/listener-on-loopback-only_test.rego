package netcause.rules.port_unreachable.listener_on_loopback_only_test

import data.netcause.rules.port_unreachable.listener_on_loopback_only as rule

incident := {"nodes": [], "cluster": {"services": [], "pods": []}}

web := {
	"namespace": "shop",
	"name": "web",
	"source": "services.json",
	"selector": "app=web",
	"headless": false,
	"dns": false,
	"ports": [],
}

listener(local, port) := {"proto": "tcp", "local": local, "port": port, "process": "app", "pid": 42, "source": "ss -lntup"}

pod(on, others) := {
	"namespace": "shop",
	"name": "web-1",
	"node": "n1",
	"address": "10.244.1.7",
	"source": "pods.json",
	"on": on,
	"others": others,
	"container": "app",
}

fault(state, fields) := object.union(
	{
		"service": web,
		"port": {"port": 80, "targetPort": 8080, "protocol": "TCP"},
		"index": 0,
		"state": state,
		"target": 8080,
		"declared": false,
		"pods": [pod([], [])],
		"count": 1,
		"heard": 0,
		"nodes": ["n1"],
		"suggestion": 0,
		"named": [],
		"ready": true,
	},
	fields,
)

answer(faults, fields) := object.union(
	{
		"total": 12,
		"heard": 12 - count(faults),
		"faults": faults,
		"count": count(faults),
		"undecided": 0,
		"reasons": [],
		"undeclared": 0,
		"undeclared_list": [],
	},
	fields,
)

found_only if {
	count(rule.finding) == 1
	count(rule.ruled_out) + count(rule.unexamined) == 0
}

ruled_out_only if {
	count(rule.ruled_out) == 1
	count(rule.finding) + count(rule.unexamined) == 0
}

unexamined_only if {
	count(rule.unexamined) == 1
	count(rule.finding) + count(rule.ruled_out) == 0
}

elsewhere := fault("nothing", {"pods": [pod([], [listener("0.0.0.0", 9090)])], "suggestion": 9090})

undeclared := fault("undeclared", {
	"port": {"port": 80, "targetPort": "web", "protocol": "TCP"},
	"target": 0,
	"named": ["http"],
	"suggestion": 8080,
})

loopback := fault("loopback", {"pods": [pod([listener("127.0.0.1", 8080)], [])]})

silent := fault("nothing", {"declared": true})

unread := {"heard": 0, "undecided": 5, "reasons": ["nothing was collected on n2"]}

many(one) := [object.union(one, {"service": object.union(web, {"name": sprintf("web%d", [i])})}) | some i in numbers.range(1, 30)]

test_found_loopback if {
	some f in rule.finding with input as incident with netcause.service_targets as answer([loopback], {})
	f.message == concat(", ", [
		"shop/web:80 sends to port 8080",
		"where Pod web-1 listens on 127.0.0.1 alone: connections from outside the Pod are refused.",
	])
	f.evidence[1] == {"fact": "listener of Pod shop/web-1", "value": "tcp 127.0.0.1:8080 (app, pid 42)", "source": "ss -lntup"}
	contains(f.fix.steps[0].edit, "listen on 0.0.0.0 (or ::) instead of 127.0.0.1")
	found_only with input as incident with netcause.service_targets as answer([loopback], {})
}

test_found_loopback_of_ipv6 if {
	six := fault("loopback", {"pods": [pod([listener("::1", 8080)], [])]})
	some f in rule.finding with input as incident with netcause.service_targets as answer([six], {})
	f.evidence[1].value == "tcp [::1]:8080 (app, pid 42)"
}

test_found_many_are_one_finding if {
	some f in rule.finding with input as incident with netcause.service_targets as answer(many(loopback), {})
	startswith(f.message, "On 30 ports that Services send to Pods listen on loopback alone: ")
	count(f.fix.steps) == 10
	found_only with input as incident with netcause.service_targets as answer(many(loopback), {})
}

test_ruled_out_all_listen if {
	ruled_out_only with input as incident with netcause.service_targets as answer([], {"heard": 0, "total": 0})
	ruled_out_only with input as incident with netcause.service_targets as answer([], {})
}

test_ruled_out_where_other_rules_speak if {
	every other in [elsewhere, undeclared, silent] {
		ruled_out_only with input as incident with netcause.service_targets as answer([other], {})
	}
}

test_unexamined_listeners_not_read if {
	unexamined_only with input as incident with netcause.service_targets as answer([], unread)
}

test_ruled_out_of_those_that_were_asked if {
	partly := {"undecided": 1, "undeclared": 1, "reasons": ["nothing was collected on n2"]}
	count(rule.ruled_out) == 1 with input as incident with netcause.service_targets as answer([], partly)
	count(rule.unexamined) == 1 with input as incident with netcause.service_targets as answer([], partly)
	count(rule.finding) == 0 with input as incident with netcause.service_targets as answer([], partly)
}

test_unexamined_pods_of_a_namespace_not_read if {
	nobody := {"heard": 0, "total": 0, "unknown": 2, "first_unknown": "shop/web"}
	some u in rule.unexamined with input as incident with netcause.service_targets as answer([], nobody)
	u.group == "cluster.pods"
	u.reason == "the Pods of the namespaces of 2 Services were not read, the first shop/web"
	unexamined_only with input as incident with netcause.service_targets as answer([], nobody)
}
