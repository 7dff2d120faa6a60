package netcause.rules.cni.service_rules_stale_test

import data.netcause.rules.cni.service_rules_stale as rule

api_node := {"metadata": {"name": "n1"}, "source": "nodes.json"}

incident := {
	"node": {"name": "n1", "collected": true, "object": api_node, "pods": [pod], "status": {}},
	"peers": [],
	"cluster": {"services": [], "nodes": [api_node], "configmaps": [], "daemonsets": []},
}

pod := {
	"metadata": {"name": "kube-proxy-x", "namespace": "kube-system", "labels": {"k8s-app": "kube-proxy"}},
	"spec": {"nodeName": "n1"},
	"status": {"phase": "Running"},
}

hop(rule_text, line) := {"fact": "iptables-nft KUBE-SEP-A", "value": rule_text, "source": sprintf("iptables-nft-save -c:%d", [line])}

there := {
	"known": ["iptables_nft"],
	"unknown": [],
	"modes": [{"mode": "iptables", "services": 3, "evidence": hop("-A PREROUTING -j KUBE-SERVICES", 4)}],
	"detached": [],
	"looked_at": [hop("empty", 1)],
}

empty := object.union(there, {"modes": []})

present := {"total": 3, "present": 3, "missing": [], "examples": [], "astray": [], "unhooked": []}

stale(fields) := object.union(
	{
		"service": "shop/web",
		"address": "10.96.0.20",
		"port": 80,
		"protocol": "TCP",
		"source": "endpointslices.json",
		"gone": [],
		"absent": [],
		"should": ["10.244.2.7:8080"],
		"refused": false,
		"missing": false,
		"seconds": 300,
		"evidence": [
			hop("-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A", 5),
			hop("-A KUBE-SVC-A -j KUBE-SEP-A", 6),
			hop("-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.244.3.7:8080", 7),
		],
	},
	fields,
)

answer(list) := {
	"total": 3,
	"fresh": 3 - count(list),
	"undecided": 0,
	"stale": list,
	"count": count(list),
	"lag": 2,
	"patience": 10,
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
	count(rule.unexamined) > 0
	count(rule.finding) + count(rule.ruled_out) == 0
}

moved := stale({"gone": ["10.244.3.7:8080"], "absent": ["10.244.2.7:8080"]})

gone := stale({"gone": ["10.244.3.7:8080"]})

test_found_moved if {
	some f in rule.finding with input as incident
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as present
		with netcause.stale_services as answer([moved])
	f.message == concat(", ", [
		concat(" ", [
			"The rules of n1 for Service shop/web (TCP port 80) are not what they should be:",
			"shop/web goes to 10.244.3.7:8080",
		]),
		"which is no endpoint of it",
		"and does not go to 10.244.2.7:8080",
		"which is ready.",
	])
	f.evidence[0] == {
		"fact": "endpoints of Service shop/web, TCP port 80",
		"value": "10.244.2.7:8080",
		"source": "endpointslices.json",
	}
	contains(f.evidence[2].value, "--to-destination 10.244.3.7:8080")
	f.fix.steps[1].run == "kubectl -n kube-system delete pod kube-proxy-x"
	found_only with input as incident
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as present
		with netcause.stale_services as answer([moved])
}

test_found_gone if {
	found_only with input as incident
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as present
		with netcause.stale_services as answer([gone])
}

test_found_refused_and_missing if {
	every field in ["refused", "missing"] {
		one := stale({field: true, "evidence": []})
		found_only with input as incident
			with netcause.kube_proxy_rules as there
			with netcause.service_rules as present
			with netcause.stale_services as answer([one])
	}
}

test_found_many_are_one if {
	many := [object.union(moved, {"service": sprintf("shop/web%d", [i])}) | some i in numbers.range(1, 20)]
	bounded := object.union(answer(many), {"count": 900, "total": 1000})
	some f in rule.finding with input as incident
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as present
		with netcause.stale_services as bounded
	startswith(f.message, "The rules of n1 for 900 Service ports (shop/web1, ")
	count(f.evidence) == 9
}

test_found_without_a_pod_of_kube_proxy if {
	bare := object.union(incident, {"node": object.union(incident.node, {"pods": []})})
	some f in rule.finding with input as bare
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as present
		with netcause.stale_services as answer([moved])
	f.fix.steps[0].run == "systemctl restart kube-proxy"
}

test_ruled_out_fresh if {
	ruled_out_only with input as incident
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as present
		with netcause.stale_services as answer([])
}

test_ruled_out_no_rules_at_all if {
	ruled_out_only with input as incident
		with netcause.kube_proxy_rules as empty
		with netcause.service_rules as present
		with netcause.stale_services as answer([moved])
	none := object.union(present, {"present": 0})
	ruled_out_only with input as incident
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as none
		with netcause.stale_services as answer([moved])
}

test_ruled_out_cilium if {
	config := {"metadata": {"name": "cilium-config"}, "data": {"kube-proxy-replacement": "true"}, "source": "configmaps.json"}
	cilium := object.union(incident, {"cluster": object.union(incident.cluster, {"configmaps": [config]})})
	ruled_out_only with input as cilium
		with netcause.kube_proxy_rules as empty
		with netcause.service_rules as present
		with netcause.stale_services as answer([])
}

test_ruled_out_no_node if {
	client := {"name": "client", "pods": [], "status": {}}
	ruled_out_only with input as {"node": client, "peers": [], "cluster": incident.cluster}
		with netcause.kube_proxy_rules as empty
		with netcause.service_rules as present
		with netcause.stale_services as answer([])
}

test_unexamined_a_sync_may_be_in_progress if {
	some u in rule.unexamined with input as incident
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as present
		with netcause.stale_services as answer([object.union(moved, {"seconds": 4})])
	contains(u.reason, "may have changed while they were read")
	unexamined_only with input as incident
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as present
		with netcause.stale_services as answer([object.union(moved, {"seconds": 4})])
}

test_unexamined_read_at_different_times if {
	every lag in [400, -400] {
		late := object.union(answer([gone]), {"lag": lag})
		unexamined_only with input as incident
			with netcause.kube_proxy_rules as there
			with netcause.service_rules as present
			with netcause.stale_services as late
	}
}

test_unexamined_times_not_known if {
	timeless := object.union(answer([object.union(moved, {"seconds": null})]), {"lag": null})
	unexamined_only with input as incident
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as present
		with netcause.stale_services as timeless
}

test_unexamined_endpoints_not_read if {
	unknown := object.union(answer([]), {"fresh": 0, "undecided": 3})
	unexamined_only with input as incident
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as present
		with netcause.stale_services as unknown
}

test_unexamined_a_backend_was_not_read if {
	partly := object.union(empty, {"unknown": ["iptables_legacy"]})
	unexamined_only with input as incident
		with netcause.kube_proxy_rules as partly
		with netcause.service_rules as present
		with netcause.stale_services as answer([])
}
