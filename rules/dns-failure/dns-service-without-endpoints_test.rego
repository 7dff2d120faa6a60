package netcause.rules.dns_failure.dns_service_without_endpoints_test

import data.netcause.rules.dns_failure.dns_service_without_endpoints as rule

incident := {"nodes": [], "cluster": {"services": [], "pods": []}}

service(name) := {
	"namespace": "kube-system",
	"name": name,
	"source": "services.json",
	"selector": "k8s-app=kube-dns",
	"headless": false,
	"dns": true,
	"ports": [],
}

dns(name, ready) := {"service": service(name), "selects": true, "ready": ready, "source": "endpointslices.json", "known": true}

problem(status, seconds) := {
	"pod": {
		"metadata": {"name": "coredns-1", "namespace": "kube-system"},
		"spec": {"nodeName": "n1"},
		"status": object.union({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}, status),
		"source": "pods.json",
	},
	"seconds": seconds,
	"events": [],
}

group(problems) := {
	"services": [object.union(service("coredns-metrics"), {"dns": false}), service("kube-dns")],
	"pods": problems,
	"count": count(problems),
	"nodes": ["n1"],
	"published": false,
	"unheard": false,
	"workloads": [],
	"events": [],
}

answer(services, fields) := object.union(
	{"total": 3, "served": 2, "empty": [], "not_ready": [], "not_ready_count": 0, "dns": services, "unread": []},
	fields,
)

emptied(fields) := answer([dns("kube-dns", [])], {"empty": [empty]}) if {
	empty := object.union({"service": service("kube-dns"), "workloads": [], "near": []}, fields)
}

crashing := answer([dns("kube-dns", [])], {"not_ready": [group([problem(
	{"containerStatuses": [{
		"ready": false,
		"restartCount": 9,
		"state": {"waiting": {"reason": "CrashLoopBackOff"}},
		"lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
	}]},
	600,
)])]})

found_only if {
	count(rule.finding) == 1
	count(rule.ruled_out) + count(rule.unexamined) == 0
}

ruled_out_only if {
	count(rule.ruled_out) == 1
	count(rule.finding) + count(rule.unexamined) == 0
}

unexamined_only(group_name) if {
	some u in rule.unexamined
	u.group == group_name
	count(rule.finding) + count(rule.ruled_out) == 0
}

test_found_crash if {
	some f in rule.finding with input as incident with netcause.service_pods as crashing
	f.subject == {"kind": "Service", "name": "kube-dns", "namespace": "kube-system"}
	f.severity == "critical"
	f.message == concat(": ", [
		"The DNS Service kube-system/kube-dns has no ready endpoint",
		"coredns-1 is Running but not Ready",
		"CrashLoopBackOff, 9 restarts, last exit 1.",
	])
	f.affects == []
	found_only with input as incident with netcause.service_pods as crashing
}

test_found_scaled_to_zero if {
	workload := {
		"kind": "Deployment",
		"namespace": "kube-system",
		"name": "coredns",
		"replicas": 0,
		"seconds": 900,
		"source": "deployments.json",
	}
	scaled := emptied({"workloads": [workload]})
	some f in rule.finding with input as incident with netcause.service_pods as scaled
	f.message == "The DNS Service kube-system/kube-dns has no ready endpoint: Deployment coredns is scaled to zero."
	f.fix.steps[0].run == "kubectl -n kube-system scale deployment coredns --replicas=2"
	found_only with input as incident with netcause.service_pods as scaled
}

test_found_selector_misspelt if {
	near := {"pods": [{"namespace": "kube-system", "name": "coredns-1"}], "labels": "k8s-app=coredns", "patch": "{}", "source": "pods.json"}
	some f in rule.finding with input as incident with netcause.service_pods as emptied({"near": [near]})
	contains(f.message, "it selects k8s-app=kube-dns, and Pod coredns-1 has k8s-app=coredns")
	f.fix.steps[0].patch == "kubectl -n kube-system patch service kube-dns --type merge -p '{}'"
}

test_found_no_pods_at_all if {
	some f in rule.finding with input as incident with netcause.service_pods as emptied({})
	contains(f.message, "which no Pod has")
	found_only with input as incident with netcause.service_pods as emptied({})
}

test_found_without_selector_and_slices if {
	bare := object.union(dns("kube-dns", []), {"selects": false})
	some f in rule.finding with input as incident with netcause.service_pods as answer([bare], {})
	contains(f.message, "no EndpointSlice that lists a ready address")
}

test_found_beside_one_that_works_is_a_warning if {
	one := object.union(crashing, {"dns": [dns("kube-dns", []), dns("coredns", ["10.244.1.2"])]})
	some f in rule.finding with input as incident with netcause.service_pods as one
	f.severity == "warning"
}

test_ruled_out_ready if {
	well := answer([dns("kube-dns", ["10.244.1.2", "10.244.2.2"])], {})
	some r in rule.ruled_out with input as incident with netcause.service_pods as well
	r.evidence == [{
		"fact": "ready endpoints of Service kube-system/kube-dns",
		"value": "10.244.1.2, 10.244.2.2",
		"source": "endpointslices.json",
	}]
	ruled_out_only with input as incident with netcause.service_pods as well
}

test_unexamined_starts_now if {
	starting := answer([dns("kube-dns", [])], {"not_ready": [group([problem({}, 4)])]})
	unexamined_only("cluster.pods") with input as incident with netcause.service_pods as starting
}

test_unexamined_no_dns_service if {
	unexamined_only("cluster.services") with input as incident with netcause.service_pods as answer([], {})
}

test_unexamined_endpoints_not_known if {
	unknown := object.union(dns("kube-dns", []), {"known": false})
	unexamined_only("cluster.endpointslices") with input as incident with netcause.service_pods as answer([unknown], {})
}

test_unexamined_scaled_to_zero_beside_gkes_cloud_dns if {
	workload := {"kind": "Deployment", "namespace": "kube-system", "name": "kube-dns", "replicas": 0, "source": "deployments.json"}
	gke := {"nodes": [], "cluster": {"services": [], "pods": [], "nodes": [{"spec": {"providerID": "gce://p/z/n1"}}]}}
	unexamined_only("namespaces") with input as gke with netcause.service_pods as emptied({"workloads": [workload]})
}
