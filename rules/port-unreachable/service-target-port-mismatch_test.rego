package netcause.rules.port_unreachable.service_target_port_mismatch_test

import data.netcause.rules.port_unreachable.service_target_port_mismatch as rule

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

test_found_number_that_is_nowhere if {
	some f in rule.finding with input as incident with netcause.service_targets as answer([elsewhere], {})
	f.message == "shop/web:80 sends to port 8080, and Pod web-1 neither declares it nor listens on it, but on 9090."
	f.fix.steps[0].patch == concat(" ", [
		"kubectl -n shop patch service web --type json -p",
		`'[{"op":"add","path":"/spec/ports/0/targetPort","value":9090}]'`,
	])
	found_only with input as incident with netcause.service_targets as answer([elsewhere], {})
}

test_found_several_ports_to_choose_from if {
	two := fault("nothing", {"pods": [pod([], [listener("0.0.0.0", 9090), listener("::", 9100)])]})
	some f in rule.finding with input as incident with netcause.service_targets as answer([two], {})
	f.fix.steps[0].edit == "in Service shop/web set targetPort of port 80 to the one that the program serves: 9090, 9100"
}

test_found_name_that_no_container_declares if {
	some f in rule.finding with input as incident with netcause.service_targets as answer([undeclared], {})
	f.message == concat(", ", [
		"shop/web:80 sends to port web",
		"and no container of Pod web-1 declares a port of that name (declared: http).",
	])
	contains(f.fix.steps[0].patch, `"value":"http"`)
	found_only with input as incident with netcause.service_targets as answer([undeclared], {})
}

test_found_name_where_ports_have_none if {
	bare := object.union(undeclared, {"named": [], "suggestion": 8080})
	some f in rule.finding with input as incident with netcause.service_targets as answer([bare], {})
	contains(f.fix.steps[0].patch, `"value":8080`)
}

test_found_name_without_any_port if {
	none := object.union(undeclared, {"named": [], "suggestion": 0})
	some f in rule.finding with input as incident with netcause.service_targets as answer([none], {})
	endswith(f.fix.steps[0].edit, "and declare it with a name")
}

test_found_many_are_one_finding if {
	some f in rule.finding with input as incident with netcause.service_targets as answer(many(elsewhere), {})
	startswith(f.message, "30 ports of Services send to ports that their Pods do not have: ")
	found_only with input as incident with netcause.service_targets as answer(many(elsewhere), {})
}

test_ruled_out_all_listen if {
	ruled_out_only with input as incident with netcause.service_targets as answer([], {"heard": 0, "total": 0})
	ruled_out_only with input as incident with netcause.service_targets as answer([], {})
}

# Every port is declared by a container: only whether a program listens is not known.
test_ruled_out_declared_although_listeners_were_not_read if {
	ruled_out_only with input as incident with netcause.service_targets as answer([], unread)
}

test_ruled_out_where_other_rules_speak if {
	every other in [silent, loopback, fault("nothing", {})] {
		ruled_out_only with input as incident with netcause.service_targets as answer([other], {})
	}
}

test_unexamined_not_declared_and_listeners_not_read if {
	unknown := object.union(unread, {"undeclared": 1, "undeclared_list": [web], "total": 1})
	some u in rule.unexamined with input as incident with netcause.service_targets as answer([], unknown)
	startswith(u.reason, "shop/web: no container declares the port")
	unexamined_only with input as incident with netcause.service_targets as answer([], unknown)
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
