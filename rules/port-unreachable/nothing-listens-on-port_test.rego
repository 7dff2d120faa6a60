package netcause.rules.port_unreachable.nothing_listens_on_port_test

import data.netcause.rules.port_unreachable.nothing_listens_on_port as rule

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

test_found_declared_and_silent if {
	some f in rule.finding with input as incident with netcause.service_targets as answer([silent], {})
	f.subject == {"kind": "Service", "name": "web", "namespace": "shop"}
	f.severity == "warning"
	f.affects == ["n1"]
	f.message == concat(", ", [
		"shop/web:80 sends to port 8080 over TCP",
		"and in Pod web-1 nothing listens on it: connections are refused.",
	])
	f.evidence == [
		{"fact": "port 80 of Service shop/web", "value": "targetPort 8080", "source": "services.json"},
		{"fact": "listeners on port 8080 of Pod shop/web-1", "value": "none", "source": "ss -lntup in its network namespace"},
	]
	f.fix.steps[0].run == "kubectl -n shop logs web-1 -c app --tail=50"
	f.verify == "on n1 curl -v telnet://10.244.1.7:8080 connects"
	found_only with input as incident with netcause.service_targets as answer([silent], {})
}

test_found_the_program_has_another_port_than_all_say if {
	other := object.union(elsewhere, {"declared": true})
	some f in rule.finding with input as incident with netcause.service_targets as answer([other], {})
	contains(f.message, "in Pod web-1 nothing listens on it, but on 9090")
	patch := f.fix.alternatives[0].steps[0].patch
	contains(patch, `[{"op":"add","path":"/spec/ports/0/targetPort","value":9090}]`)
	f.evidence[2].value == "tcp 0.0.0.0:9090 (app, pid 42)"
}

test_found_at_another_address if {
	bound := fault("elsewhere", {"pods": [pod([listener("192.0.2.7", 8080)], [])]})
	some f in rule.finding with input as incident with netcause.service_targets as answer([bound], {})
	contains(f.message, "Pod web-1 listens on it at another address alone")
	f.evidence[1].value == "tcp 192.0.2.7:8080 (app, pid 42)"
}

test_found_some_pods_listen if {
	some f in rule.finding with input as incident with netcause.service_targets as answer([object.union(silent, {"heard": 2})], {})
	endswith(f.message, "connections are refused there (2 other Pods listen).")
}

test_found_dns_is_critical if {
	dns := object.union(silent, {"service": object.union(web, {"dns": true})})
	some f in rule.finding with input as incident with netcause.service_targets as answer([dns], {})
	f.severity == "critical"
}

test_found_many_are_one_finding if {
	some f in rule.finding with input as incident with netcause.service_targets as answer(many(silent), {})
	startswith(f.message, "On 30 ports that Services send to no Pod listens: ")
	f.affects == ["n1"]
	found_only with input as incident with netcause.service_targets as answer(many(silent), {})
}

test_found_although_others_were_not_read if {
	found_only with input as incident with netcause.service_targets as answer([silent], unread)
}

test_ruled_out_all_listen if {
	ruled_out_only with input as incident with netcause.service_targets as answer([], {"heard": 0, "total": 0})
	ruled_out_only with input as incident with netcause.service_targets as answer([], {})
}

test_ruled_out_where_other_rules_speak if {
	every other in [elsewhere, undeclared, loopback] {
		ruled_out_only with input as incident with netcause.service_targets as answer([other], {})
	}
	dns := object.union(silent, {"service": object.union(web, {"dns": true}), "ready": false})
	ruled_out_only with input as incident with netcause.service_targets as answer([dns], {})
}

test_unexamined_listeners_not_read if {
	some u in rule.unexamined with input as incident with netcause.service_targets as answer([], unread)
	u.group == "listeners"
	u.reason == concat(": ", [
		"of 5 of 12 ports of Services it is not known whether their Pods listen",
		"nothing was collected on n2",
	])
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
