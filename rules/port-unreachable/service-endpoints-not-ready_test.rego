package netcause.rules.port_unreachable.service_endpoints_not_ready_test

import data.netcause.rules.port_unreachable.service_endpoints_not_ready as rule

incident := {"nodes": [], "cluster": {"services": [], "pods": []}}

service(name) := {
	"namespace": "shop",
	"name": name,
	"source": "services.json",
	"selector": "app=web",
	"headless": false,
	"dns": false,
	"ports": [],
}

pod(name, status) := {
	"metadata": {"name": name, "namespace": "shop"},
	"spec": {"nodeName": "n1"},
	"status": object.union({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": []}, status),
	"source": "pods.json",
}

problem(name, status, seconds) := {"pod": pod(name, status), "seconds": seconds, "events": []}

crashed := {"containerStatuses": [{
	"name": "app",
	"ready": false,
	"restartCount": 7,
	"state": {"waiting": {"reason": "CrashLoopBackOff"}},
	"lastState": {"terminated": {"reason": "Error", "exitCode": 1, "message": "no such file"}},
}]}

group(problems) := {
	"services": [service("web")],
	"pods": problems,
	"count": count(problems),
	"nodes": ["n1"],
	"published": false,
	"unheard": false,
	"workloads": [{"kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 2, "seconds": 9000, "source": "deployments.json"}],
	"events": [],
}

answer(groups) := {
	"total": 9,
	"served": 9 - count(groups),
	"empty": [],
	"not_ready": groups,
	"not_ready_count": count(groups),
	"dns": [],
	"unread": [],
}

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

test_found_crash if {
	both := answer([group([problem("web-1", crashed, 500), problem("web-2", crashed, 400)])])
	some f in rule.finding with input as incident with netcause.service_pods as both
	f.subject == {"kind": "Service", "name": "web", "namespace": "shop"}
	f.affects == ["n1"]
	f.message == concat(": ", [
		"None of the Pods behind Service shop/web is ready",
		"web-1 is Running but not Ready",
		"CrashLoopBackOff, 7 restarts, last exit 1",
		"no such file.",
	])
	f.fix.steps[1].run == "kubectl -n shop logs web-1 --all-containers --tail=50 --previous"
	found_only with input as incident with netcause.service_pods as both
}

test_found_crash_at_once if {
	found_only with input as incident with netcause.service_pods as answer([group([problem("web-1", crashed, 2)])])
}

test_found_probe_fails if {
	sick := object.union(problem("web-1", {}, 95), {
		"probe": {"seconds": 30, "shown": "HTTP GET /healthz on port 8080"},
		"events": [{"reason": "Unhealthy", "message": "Readiness probe failed: HTTP probe failed with statuscode: 503", "source": "events.json"}],
	})
	some f in rule.finding with input as incident with netcause.service_pods as answer([group([sick])])
	endswith(f.message, "web-1 is Running but not Ready: Readiness probe failed: HTTP probe failed with statuscode: 503.")
	f.evidence[0].value == "Running but not Ready, readiness probe: HTTP GET /healthz on port 8080"
	f.evidence[1].source == "events.json"
}

test_found_not_scheduled if {
	pending := problem(
		"web-1",
		{
			"phase": "Pending",
			"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient cpu."}],
		},
		300,
	)
	some f in rule.finding with input as incident with netcause.service_pods as answer([group([pending])])
	contains(f.message, "Insufficient cpu")
}

test_found_no_pods_are_made if {
	failure := {"reason": "FailedCreate", "message": "exceeded quota: pods", "source": "events.json"}
	unmade := object.union(group([]), {"events": [failure], "nodes": []})
	some f in rule.finding with input as incident with netcause.service_pods as answer([unmade])
	contains(f.message, "Deployment web wants 2 Pods and has none: exceeded quota: pods.")
	f.evidence[0].source == "deployments.json"
	f.fix.steps[0].run == "kubectl -n shop describe deployment web"
}

test_found_two_services_of_the_same_pods_are_one if {
	two := object.union(group([problem("web-1", crashed, 500)]), {"services": [service("web"), service("web-metrics")]})
	some f in rule.finding with input as incident with netcause.service_pods as answer([two])
	startswith(f.message, "None of the Pods behind Services shop/web, shop/web-metrics is ready")
	found_only with input as incident with netcause.service_pods as answer([two])
}

test_found_many_are_one_finding if {
	many := [object.union(group([problem(sprintf("web%d-1", [i]), crashed, 500)]), {"services": [service(sprintf("web%d", [i]))]}) |
		some i in numbers.range(1, 30)
	]
	some f in rule.finding with input as incident with netcause.service_pods as answer(many)
	startswith(f.message, "30 Services have no Pod that is ready: ")
	f.affects == ["n1"]
	count(f.evidence) == 5
	found_only with input as incident with netcause.service_pods as answer(many)

	bounded := object.union(answer(many), {"not_ready_count": 300})
	some g in rule.finding with input as incident with netcause.service_pods as bounded
	startswith(g.message, "More than 30 Services")
}

test_ruled_out_all_served if {
	ruled_out_only with input as incident with netcause.service_pods as answer([])
}

test_ruled_out_published_although_not_ready if {
	published := object.union(group([problem("web-1", crashed, 500)]), {"published": true})
	ruled_out_only with input as incident with netcause.service_pods as answer([published])
}

# nothing-listens-on-port or listener-on-loopback-only speaks of it.
test_ruled_out_nothing_listens if {
	unheard := object.union(group([problem("web-1", {}, 500)]), {"unheard": true})
	ruled_out_only with input as incident with netcause.service_pods as answer([unheard])
}

# dns-service-without-endpoints speaks of it.
test_ruled_out_dns if {
	kube_dns := object.union(service("kube-dns"), {"dns": true})
	dns := object.union(group([problem("coredns-1", crashed, 500)]), {"services": [service("metrics"), kube_dns]})
	ruled_out_only with input as incident with netcause.service_pods as answer([dns])
}

test_unexamined_starts_now if {
	creating := problem(
		"web-1", {"phase": "Pending", "containerStatuses": [{
			"name": "app",
			"ready": false,
			"restartCount": 0,
			"state": {"waiting": {"reason": "ContainerCreating"}},
		}]},
		8,
	)
	some u in rule.unexamined with input as incident with netcause.service_pods as answer([group([creating])])
	u.reason == "shop/web: web-1 is Pending: ContainerCreating, for 8 s"
	unexamined_only with input as incident with netcause.service_pods as answer([group([creating])])
}

test_unexamined_probe_may_still_succeed if {
	slow := object.union(problem("web-1", {}, 200), {"probe": {"seconds": 300, "shown": "TCP port 8080"}})
	unexamined_only with input as incident with netcause.service_pods as answer([group([slow])])
}

test_unexamined_after_a_reboot if {
	rebooted := problem("web-1", {"containerStatuses": [{"name": "app", "ready": false, "restartCount": 4, "state": {"running": {}}}]}, 5)
	unexamined_only with input as incident with netcause.service_pods as answer([group([rebooted])])
}

test_unexamined_not_known_for_how_long if {
	some u in rule.unexamined with input as incident with netcause.service_pods as answer([group([problem("web-1", {}, -1)])])
	endswith(u.reason, "it is not known for how long")
}

test_unexamined_being_replaced if {
	leaving := problem("web-1", {}, 400)
	old := object.union(leaving, {"pod": object.union(leaving.pod, {"metadata": {"deletionTimestamp": "2026-03-04T12:00:00Z"}})})
	unexamined_only with input as incident with netcause.service_pods as answer([group([old])]) with netcause.seconds_since as 10
	ended := {"name": "proxy", "ready": false, "state": {"terminated": {"reason": "Completed"}}}
	partly := object.union(old, {"pod": object.union(old.pod, {"status": {"containerStatuses": [ended]}})})
	unexamined_only with input as incident with netcause.service_pods as answer([group([partly])]) with netcause.seconds_since as -20
}

test_found_hangs_long_after_its_grace_period if {
	leaving := problem("web-1", {}, 4000)
	old := object.union(leaving, {"pod": object.union(leaving.pod, {"metadata": {"deletionTimestamp": "2026-03-04T12:00:00Z"}})})
	found_only with input as incident with netcause.service_pods as answer([group([old])]) with netcause.seconds_since as 3000
	down := object.union(group([old]), {"workloads": [{"kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 0}]})
	unexamined_only with input as incident with netcause.service_pods as answer([down]) with netcause.seconds_since as 3000
}

test_unexamined_pods_of_a_namespace_were_not_read if {
	some u in rule.unexamined with input as incident
		with netcause.service_pods as object.union(answer([]), {"unknown": 2, "first_unknown": "shop/web"})
	u.reason == "the Pods of the namespaces of 2 Services were not read, the first shop/web"
	count(rule.ruled_out) == 0 with input as incident
		with netcause.service_pods as object.union(answer([]), {"unknown": 2, "first_unknown": "shop/web"})
}
