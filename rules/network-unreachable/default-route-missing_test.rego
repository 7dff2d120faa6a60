package netcause.rules.network_unreachable.default_route_missing_test

import data.netcause.rules.network_unreachable.default_route_missing as rule

api_node := {
	"metadata": {"name": "n1"},
	"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
	"source": "nodes.json",
}

eth0 := {"dev": "eth0", "family": "inet", "local": "192.0.2.1", "prefixlen": 24, "scope": "global"}

lookup(priority, table) := {"family": "inet", "priority": priority, "action": "lookup", "table": table, "suppress_prefixlength": -1}

standard := [lookup(0, 255), lookup(32766, 254), lookup(32767, 253)]

default_route(table) := {
	"type": "unicast",
	"dst": "0.0.0.0/0",
	"via": "192.0.2.254",
	"dev": "eth0",
	"table": table,
	"source": "ip route show table main",
}

node(routes) := {
	"name": "n1",
	"object": api_node,
	"addresses": [{"dev": "lo", "family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host"}, eth0],
	"routes": array.concat([{"type": "unicast", "dst": "192.0.2.0/24", "dev": "eth0", "table": 254, "source": "ip route"}], routes),
	"rules": standard,
	"status": {},
}

peer := {"name": "n2", "routes": [default_route(254)]}

one(n, peers) := {"node": n, "peers": peers, "cluster": {"nodes": [api_node]}}

test_found_none_and_a_peer_knows_the_gateway if {
	found := rule.finding with input as one(node([]), [peer])
	count(found) == 1
	some f in found
	f.severity == "critical"
	startswith(f.message, "n1 has no default route: neither it nor its Pods reach")
	[e.value | some e in f.evidence] == ["none", "via 192.0.2.254 dev eth0"]
	f.fix.steps[0].run == "ip route replace default via 192.0.2.254 dev eth0"
	f.fix.steps[0].why == "n2 has it from the same network"
}

test_found_gateway_of_the_uplinks_file if {
	file := {
		"file": "/etc/netplan/1.yaml",
		"format": "netplan",
		"device": "eth0",
		"gateway": {"key": "gateway4", "value": "192.0.2.9", "text": "gateway4: 192.0.2.9", "source": "/etc/netplan/1.yaml:7"},
	}
	n := object.union(node([]), {"config_files": {"interfaces": [file]}})
	some f in rule.finding with input as one(n, [peer])
	f.fix.steps == [{"node": "n1", "run": "ip route replace default via 192.0.2.9 dev eth0", "why": "/etc/netplan/1.yaml:7 says so"}]
}

test_found_and_nobody_knows_the_gateway if {
	elsewhere := {"name": "n2", "routes": [object.union(default_route(254), {"via": "198.51.100.1"})]}
	some f in rule.finding with input as one(node([]), [elsewhere])
	f.severity == "critical"
	contains(f.fix.steps[0].edit, "set the gateway of its uplink")
}

test_found_warning_where_no_node_has_one if {
	some f in rule.finding with input as one(node([]), [{"name": "n2", "routes": []}])
	f.severity == "warning"
}

test_found_thrown_away if {
	away := {"type": "unreachable", "dst": "0.0.0.0/0", "table": 254, "source": "ip route"}
	some f in rule.finding with input as one(node([away]), [peer])
	startswith(f.message, "n1 has no default route: it is thrown away: ")
	f.fix.steps[0].run == "ip route del unreachable default"
}

test_found_device_is_down if {
	some f in rule.finding with input as one(node([object.union(default_route(254), {"flags": ["dead", "linkdown"]})]), [])
	startswith(f.message, "n1 has no default route that works: its device is down: ")
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_ruled_out_it_has_one if {
	ruled_out_only with input as one(node([default_route(254)]), [])
	ruled_out_only with input as one(node([object.remove(default_route(254), ["via", "table"])]), [])
}

test_ruled_out_two_halves if {
	halves := [object.union(default_route(254), {"dst": dst}) | some dst in ["0.0.0.0/1", "128.0.0.0/1"]]
	ruled_out_only with input as one(node(halves), [])
}

test_ruled_out_table_that_every_packet_asks if {
	n := object.union(node([default_route(100)]), {"rules": array.concat(standard, [lookup(100, 100)])})
	ruled_out_only with input as one(n, [])
}

test_ruled_out_several_ways if {
	multi := {"type": "unicast", "dst": "0.0.0.0/0", "table": 254, "nexthops": [{"via": "192.0.2.2", "dev": "eth0"}], "source": "ip route"}
	ruled_out_only with input as one(node([multi]), [])
}

test_ruled_out_ipv6_alone if {
	six := object.union(node([]), {"addresses": [{"dev": "eth0", "family": "inet6", "local": "2001:db8::1", "prefixlen": 64}]})
	ruled_out_only with input as one(six, [])
}

test_ruled_out_client if {
	client := object.remove(node([]), ["object"])
	nothing := {"modes": [], "detached": []}
	ruled_out_only with input as one(client, []) with netcause.kube_proxy_rules as nothing
}

test_unexamined_table_of_some_packets if {
	n := object.union(node([default_route(100)]), {"rules": array.concat(standard, [object.union(lookup(100, 100), {"fwmark": 1})])})
	count(rule.finding) == 0 with input as one(n, [])
	some u in rule.unexamined with input as one(n, [])
	contains(u.reason, "tables 100")
}

test_unexamined_nobody_says_that_it_is_a_node if {
	some u in rule.unexamined with input as {"node": object.remove(node([]), ["object"]), "peers": [], "cluster": {}}
		with netcause.kube_proxy_rules as {"modes": [], "detached": []}
	u.group == "processes"
}

test_found_one_half_alone if {
	half := object.union(default_route(254), {"dst": "0.0.0.0/1"})
	count(rule.finding) == 1 with input as one(node([half]), [peer])
}

test_unexamined_node_of_an_ipv6_cluster if {
	known := {"status": {"addresses": [{"type": "InternalIP", "address": "2001:db8::1"}]}}
	n := object.union(node([]), {"object": object.union(api_node, known)})
	count(rule.finding) == 0 with input as one(n, [peer])
	count(rule.ruled_out) == 0 with input as one(n, [peer])
	{u.group | some u in rule.unexamined} == {"routes"} with input as one(n, [peer])
}

# A second card's table that policy rules ask for what single Pods send (Amazon's VPC CNI).
test_found_table_of_single_pods if {
	for_pods := [object.union(lookup(1536, 2), {"from": "192.0.2.77"})]
	n := object.union(node([default_route(2)]), {"rules": array.concat(for_pods, standard)})
	count(rule.finding) == 1 with input as one(n, [])
}

test_unexamined_table_of_what_the_node_sends if {
	own := [object.union(lookup(1000, 2), {"from": "192.0.2.1/32"})]
	n := object.union(node([default_route(2)]), {"rules": array.concat(own, standard)})
	count(rule.finding) == 0 with input as one(n, [])
	{u.group | some u in rule.unexamined} == {"rules"} with input as one(n, [])
}

# A node of an IPv6 cluster with Docker's bridge, and the cluster's objects are not there.
test_unexamined_only_ipv6_leads_out if {
	docker := {"dev": "docker0", "family": "inet", "local": "172.17.0.1", "prefixlen": 16, "scope": "global"}
	kubelet := {"comm": "kubelet", "pid": 1, "hostNetwork": true}
	n := object.union(object.remove(node([]), ["object"]), {
		"addresses": [docker],
		"routes": [{"dst": "::/0", "via": "fe80::1", "dev": "eth0"}],
		"processes": [kubelet],
	})
	alone := {"node": n, "peers": [], "cluster": {}}
	count(rule.finding) == 0 with input as alone
	{u.group | some u in rule.unexamined} == {"cluster.nodes"} with input as alone
}
