package netcause.rules.port_unreachable.service_selector_matches_nothing_test

import data.netcause.rules.port_unreachable.service_selector_matches_nothing as rule

incident := {"nodes": [], "cluster": {"services": [], "pods": []}}

service(name) := {
	"namespace": "shop",
	"name": name,
	"source": "services.json",
	"selector": sprintf("app=%s", [name]),
	"headless": false,
	"dns": false,
	"ports": [],
}

near(name) := {
	"pods": [{"namespace": "shop", "name": sprintf("%s-1", [name])}, {"namespace": "shop", "name": sprintf("%s-2", [name])}],
	"count": 2,
	"source": "pods.json",
	"labels": sprintf("app.kubernetes.io/name=%s", [name]),
	"patch": sprintf(`{"spec":{"selector":{"app":null,"app.kubernetes.io/name":"%s"}}}`, [name]),
	"how": "spelling",
	"selected_by": [],
}

answer(empty, unread) := {
	"total": 40,
	"served": 40 - count(empty),
	"empty": empty,
	"empty_count": count(empty),
	"not_ready": [],
	"not_ready_count": 0,
	"unread": unread,
}

missed(name) := {"service": service(name), "workloads": [], "near": [near(name)]}

changed(name, fields) := object.union(missed(name), {"near": [object.union(near(name), fields)]})

found_only if {
	count(rule.finding) == 1
	count(rule.ruled_out) + count(rule.unexamined) == 0
}

ruled_out_only if {
	count(rule.ruled_out) == 1
	count(rule.finding) + count(rule.unexamined) == 0
}

unexamined_only(group) if {
	some u in rule.unexamined
	u.group == group
	count(rule.finding) + count(rule.ruled_out) == 0
}

test_found_other_key if {
	some f in rule.finding with input as incident with netcause.service_pods as answer([missed("web")], [])
	f.subject == {"kind": "Service", "name": "web", "namespace": "shop"}
	f.message == concat(": ", [
		"Service shop/web selects app=web, which no Pod of shop has",
		"2 Pods (web-1, web-2) have app.kubernetes.io/name=web.",
	])
	f.fix.steps[0].patch == concat(" ", [
		"kubectl -n shop patch service web --type merge -p",
		`'{"spec":{"selector":{"app":null,"app.kubernetes.io/name":"web"}}}'`,
	])
	found_only with input as incident with netcause.service_pods as answer([missed("web")], [])
}

test_found_misspelt_although_workloads_were_not_read if {
	found_only with input as incident with netcause.service_pods as answer([missed("web")], ["cluster.statefulsets"])
}

test_found_one_label_differs_and_no_workload_has_it if {
	found_only with input as incident with netcause.service_pods as answer([changed("web", {"how": "label"})], [])
}

test_found_many_are_one_finding if {
	many := [missed(sprintf("web%d", [i])) | some i in numbers.range(1, 30)]
	some f in rule.finding with input as incident with netcause.service_pods as answer(many, [])
	f.subject.kind == "Cluster"
	startswith(f.message, "30 Services select labels that no Pod has")
	contains(f.message, "and 26 more")
	count(f.evidence) == 10
	count(f.fix.steps) == 10
	found_only with input as incident with netcause.service_pods as answer(many, [])
}

test_ruled_out_all_served if {
	ruled_out_only with input as incident with netcause.service_pods as answer([], [])
}

test_ruled_out_scaled_to_zero if {
	workload := {"kind": "Deployment", "namespace": "shop", "name": "web", "replicas": 0, "source": "deployments.json"}
	scaled := {"service": service("web"), "workloads": [workload], "near": []}
	some r in rule.ruled_out with input as incident with netcause.service_pods as answer([scaled], [])
	contains(r.message, "but for shop/web: scaled to zero")
	r.evidence[1] == {"fact": "replicas of Deployment shop/web", "value": "0", "source": "deployments.json"}
	ruled_out_only with input as incident with netcause.service_pods as answer([scaled], [])
}

# dns-service-without-endpoints speaks of it.
test_ruled_out_dns if {
	dns := object.union(missed("kube-dns"), {"service": object.union(service("kube-dns"), {"dns": true})})
	ruled_out_only with input as incident with netcause.service_pods as answer([dns], [])
}

test_unexamined_nothing_alike if {
	alone := {"service": service("web"), "workloads": [], "near": []}
	unexamined_only("cluster.pods") with input as incident with netcause.service_pods as answer([alone], [])
	unexamined_only("cluster.statefulsets") with input as incident with netcause.service_pods as answer([alone], ["cluster.statefulsets"])
}

test_unexamined_the_pods_alike_are_anothers if {
	others := changed("web", {"selected_by": ["web-headless"]})
	unexamined_only("cluster.pods") with input as incident with netcause.service_pods as answer([others], [])
}

test_unexamined_one_label_differs_and_workloads_were_not_read if {
	by_label := changed("web", {"how": "label"})
	unexamined_only("cluster.statefulsets") with input as incident
		with netcause.service_pods as answer([by_label], ["cluster.statefulsets"])
}

test_unexamined_pods_of_a_namespace_were_not_read if {
	some u in rule.unexamined with input as incident
		with netcause.service_pods as object.union(answer([], []), {"unknown": 2, "first_unknown": "shop/web"})
	u.reason == "the Pods of the namespaces of 2 Services were not read, the first shop/web"
	count(rule.ruled_out) == 0 with input as incident
		with netcause.service_pods as object.union(answer([], []), {"unknown": 2, "first_unknown": "shop/web"})
}

test_unexamined_other_programs_port_is_the_same if {
	other := changed("web", {"how": "port", "labels": "app=mailer"})
	some u in rule.unexamined with input as incident with netcause.service_pods as answer([other], [])
	endswith(u.reason, "(or meant for Pod shop/web-1, which no Service selects: it has app=mailer)")
	unexamined_only("cluster.pods") with input as incident with netcause.service_pods as answer([other], [])
}
