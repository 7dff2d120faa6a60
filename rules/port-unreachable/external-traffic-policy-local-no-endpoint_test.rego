package netcause.rules.port_unreachable.external_traffic_policy_local_no_endpoint_test

import data.netcause.rules.port_unreachable.external_traffic_policy_local_no_endpoint as rule

incident := {"nodes": [], "cluster": {"services": [], "nodes": []}}

local(fields) := object.union(
	{
		"service": {
			"namespace": "shop",
			"name": "web",
			"source": "services.json",
			"selector": "app=web",
			"headless": false,
			"dns": false,
			"ports": [],
		},
		"type": "NodePort",
		"node_ports": [30080],
		"checked": false,
		"on": ["n1"],
		"dropping": [],
		"holding": [],
		"quiet": [],
		"unknown": [],
	},
	fields,
)

drop := {"node": "n2", "packets": 7, "evidence": {
	"fact": "packets dropped on n2",
	"value": "7: -A KUBE-EXTERNAL-SERVICES -p tcp --dport 30080 -j DROP",
	"source": "iptables-save -c, line 3",
}}

held := {"node": "n2", "address": "192.0.2.50", "dev": "eth0", "source": "ip address"}

answer(services) := {"total": 3, "services": services, "count": count(services)}

found_only if {
	count(rule.finding) == 1
	count(rule.ruled_out) + count(rule.unexamined) == 0
}

ruled_out_only if {
	count(rule.ruled_out) == 1
	count(rule.finding) + count(rule.unexamined) == 0
}

nothing_said if count(rule.finding) + count(rule.ruled_out) == 0

test_found_packets_dropped if {
	one := local({"dropping": [drop], "quiet": ["n3"]})
	some f in rule.finding with input as incident with netcause.local_traffic as answer([one])
	f.affects == ["n2"]
	contains(f.message, "and n2, to which it comes, has none of its Pods: it is dropped.")
	f.evidence[1] == drop.evidence
	f.fix.steps[0].patch == concat(" ", [
		"kubectl -n shop patch service web --type merge -p",
		`'{"spec":{"externalTrafficPolicy":"Cluster"}}'`,
	])
	f.verify == "a connection from outside to port 30080 of n2 opens"
	found_only with input as incident with netcause.local_traffic as answer([one])
}

test_found_node_has_its_address if {
	one := local({"type": "LoadBalancer", "checked": true, "holding": [held], "quiet": ["n2"]})
	some f in rule.finding with input as incident with netcause.local_traffic as answer([one])
	contains(f.message, "n2 has its address 192.0.2.50 but none of its Pods")
	found_only with input as incident with netcause.local_traffic as answer([one])
}

test_ruled_out_nobody_sends_there if {
	ruled_out_only with input as incident with netcause.local_traffic as answer([local({"quiet": ["n2", "n3"]})])
}

test_ruled_out_endpoints_everywhere if {
	ruled_out_only with input as incident with netcause.local_traffic as answer([])
}

test_ruled_out_health_check_avoids_the_node if {
	one := local({"type": "LoadBalancer", "checked": true, "dropping": [drop]})
	some r in rule.ruled_out with input as incident with netcause.local_traffic as answer([one])
	contains(r.message, "(1 with a load balancer whose health check avoids nodes without)")
	ruled_out_only with input as incident with netcause.local_traffic as answer([one])
}

test_unexamined_counters_not_read if {
	one := local({"unknown": ["n2", "n3"]})
	asked := rule.unexamined with input as incident with netcause.local_traffic as answer([one])
	{u.node | some u in asked} == {"n2", "n3"}
	every u in asked {
		startswith(u.reason, "shop/web has no endpoint on n2, n3")
	}
	nothing_said with input as incident with netcause.local_traffic as answer([one])
}
