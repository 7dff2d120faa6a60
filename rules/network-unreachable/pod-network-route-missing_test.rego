package netcause.rules.network_unreachable.pod_network_route_missing_test

import data.netcause.rules.network_unreachable.pod_network_route_missing as rule

none_exact := {"exact": []}

flannel_node(name, cidr) := {
	"metadata": {"name": name, "annotations": {"flannel.alpha.coreos.com/backend-type": "vxlan"}},
	"spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
	"status": {},
	"source": "nodes.json",
}

plain_node(name, cidr) := {"metadata": {"name": name}, "spec": {"podCIDR": cidr}, "source": "nodes.json"}

n1 := flannel_node("n1", "10.244.1.0/24")

n2 := flannel_node("n2", "10.244.2.0/24")

n3 := flannel_node("n3", "10.244.3.0/24")

of_n1(api_nodes) := {
	"node": {"name": "n1", "object": api_nodes[0], "routes": [], "status": {}},
	"peers": [],
	"cluster": {"nodes": api_nodes},
}

tunnelled := {"status": "route", "route": {
	"type": "unicast",
	"dst": "10.244.2.0/24",
	"via": "10.244.2.0",
	"dev": "flannel.1",
	"source": "ip route show table all",
}}

default_route := {"status": "route", "route": {
	"type": "unicast",
	"dst": "0.0.0.0/0",
	"via": "192.0.2.1",
	"dev": "eth0",
	"source": "ip route show table all",
}}

none := {"status": "none", "detail": "no table has a route"}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_found_no_route if {
	found := rule.finding with input as of_n1([n1, n2]) with netcause.route as none with netcause.pod_routes as none_exact
	count(found) == 1
	some f in found
	f.message == "n1 has no route to the IPv4 Pods of n2 (10.244.2.0/24)."
	f.affects == {"n1", "n2"}
	{[e.value, e.source] | some e in f.evidence} == {
		["10.244.2.0/24", "nodes.json"],
		["none", "ip route show table all"],
		["vxlan", "nodes.json"],
	}
	f.verify == "ip route get 10.244.2.1 on n1 leaves by the tunnel or by the address of n2"
}

test_found_default_route_alone if {
	some f in rule.finding with input as of_n1([n1, n2])
		with netcause.route as default_route
		with netcause.pod_routes as none_exact
	"default via 192.0.2.1 dev eth0" in {e.value | some e in f.evidence}
}

test_found_unreachable if {
	every type in ["unreachable", "blackhole", "prohibit"] {
		answer := {"status": "route", "route": {"type": type, "dst": "10.244.2.0/24", "source": "ip route"}}
		some f in rule.finding with input as of_n1([n1, n2]) with netcause.route as answer with netcause.pod_routes as none_exact
		sprintf("%s 10.244.2.0/24", [type]) in {e.value | some e in f.evidence}
		f.message == sprintf("n1 throws packets to the IPv4 Pods of n2 (10.244.2.0/24) away: %s route.", [type])
		f.fix.steps[0] == {"node": "n1", "run": sprintf("ip route del %s 10.244.2.0/24", [type])}
		startswith(f.fix.steps[1].edit, "restart the network agent")
	}
}

test_found_blackhole_of_another_table if {
	answer := {"status": "route", "route": {"type": "blackhole", "dst": "10.244.2.0/24", "table": 100, "metric": 20, "source": "ip route"}}
	some f in rule.finding with input as of_n1([n1, n2]) with netcause.route as answer with netcause.pod_routes as none_exact
	f.fix.steps[0].run == "ip route del blackhole 10.244.2.0/24 table 100 metric 20"
}

test_found_wider_blackhole_stays if {
	wide := {"status": "route", "route": {"type": "blackhole", "dst": "10.244.0.0/16", "table": 254, "metric": 0, "source": "ip route"}}
	some f in rule.finding with input as of_n1([n1, n2]) with netcause.route as wide with netcause.pod_routes as none_exact
	contains(f.message, "away: blackhole route")
	count(f.fix.steps) == 1
	nowhere := {"status": "route", "route": {"type": "unreachable", "dst": "0.0.0.0/0", "source": "ip route"}}
	some g in rule.finding with input as of_n1([n1, n2]) with netcause.route as nowhere with netcause.pod_routes as none_exact
	g.message == "n1 has no route to the IPv4 Pods of n2 (10.244.2.0/24)."
}

blackhole_to_n2("n1", address) := object.get(
	{"10.244.2.1": {"status": "route", "route": {"type": "blackhole", "dst": "10.244.2.0/24", "source": "ip route"}}},
	address,
	none,
)

test_found_blackhole_beside_a_missing_route if {
	some f in rule.finding with input as of_n1([n1, n2, n3])
		with netcause.route as blackhole_to_n2
		with netcause.pod_routes as none_exact
	f.message == concat("; it ", [
		"n1 throws packets to the IPv4 Pods of n2 (10.244.2.0/24) away: blackhole route",
		"has no route to the IPv4 Pods of n3 (10.244.3.0/24).",
	])
}

test_found_wider_route_of_somebody_else if {
	answer := {"status": "route", "route": {"type": "unicast", "dst": "10.0.0.0/8", "via": "192.0.2.254", "dev": "eth1", "source": "ip route"}}
	count(rule.finding) == 1 with input as of_n1([n1, n2]) with netcause.route as answer with netcause.pod_routes as none_exact
}

only_to_n2("n1", address) := object.get({"10.244.2.1": tunnelled}, address, none)

test_found_one_of_several if {
	some f in rule.finding with input as of_n1([n1, n2, n3])
		with netcause.route as only_to_n2
		with netcause.pod_routes as none_exact
	f.affects == {"n1", "n3"}
}

test_found_one_finding_for_all_peers if {
	peers := [flannel_node(sprintf("p%02d", [i]), sprintf("10.244.%d.0/24", [i])) | some i in numbers.range(10, 60)]
	found := rule.finding with input as of_n1(array.concat([n1], peers))
		with netcause.route as none
		with netcause.pod_routes as none_exact
	count(found) == 1
	some f in found
	contains(f.message, "and 47 more")
}

test_found_without_conditions_and_with_podcidr_alone if {
	bare := {"metadata": {"name": "n2"}, "spec": {"podCIDR": "10.244.2.0/24"}, "source": "nodes.json"}
	count(rule.finding) == 1 with input as of_n1([n1, bare]) with netcause.route as none with netcause.pod_routes as none_exact
}

test_found_both_families if {
	dual := object.union(n2, {"spec": {"podCIDRs": ["fd00:10:244:2::/64", "10.244.2.0/24"]}})
	count(rule.finding) == 1 with input as of_n1([n1, dual]) with netcause.route as none with netcause.pod_routes as none_exact
}

test_found_unannotated_nodes_that_keep_other_routes if {
	kept := {"dst": "10.244.2.0/24", "via": "192.0.2.2", "dev": "eth0", "source": "ip route"}
	nodes := [plain_node("n1", "10.244.1.0/24"), plain_node("n2", "10.244.2.0/24"), plain_node("n3", "10.244.3.0/24")]
	some f in rule.finding with input as of_n1(nodes)
		with netcause.route as only_to_n2
		with netcause.pod_routes as {"exact": [], "own": {"node": "n1", "route": kept}}
	f.affects == {"n1", "n3"}
	f.evidence[count(f.evidence) - 1].value == "10.244.2.0/24 via 192.0.2.2 dev eth0"
}

test_found_unannotated_node_that_a_peer_has_a_route_to if {
	kept := {"dst": "10.244.1.0/24", "via": "192.0.2.1", "dev": "eth0", "source": "ip route"}
	nodes := [plain_node("n1", "10.244.1.0/24"), plain_node("n2", "10.244.2.0/24")]
	count(rule.finding) == 1 with input as of_n1(nodes)
		with netcause.route as none
		with netcause.pod_routes as {"exact": [], "others": {"node": "n2", "route": kept}}
}

test_found_restarts_flannel if {
	flannel := object.union(n1, {"metadata": {"annotations": {"flannel.alpha.coreos.com/public-ip": "192.0.2.1"}}})
	some f in rule.finding with input as of_n1([flannel, n2]) with netcause.route as none with netcause.pod_routes as none_exact
	f.fix.steps[0].run == "kubectl delete pod -A -l app=flannel --field-selector spec.nodeName=n1"
}

test_found_no_guess_where_pods_were_read if {
	flannel := object.union(n1, {"metadata": {"annotations": {"flannel.alpha.coreos.com/public-ip": "192.0.2.1"}}})
	some f in rule.finding with input as object.union(of_n1([flannel, n2]), {"cluster": {"pods": []}})
		with netcause.route as none
		with netcause.pod_routes as none_exact
	f.fix.steps[0].edit == "restart the network agent (flanneld, calico-node …)"
}

test_ruled_out_routes_are_there if {
	ruled_out_only with input as of_n1([n1, n2]) with netcause.route as tunnelled with netcause.pod_routes as none_exact
	some r in rule.ruled_out with input as of_n1([n1, n2])
		with netcause.route as tunnelled
		with netcause.pod_routes as none_exact
	r.evidence[0].value == "10.244.2.0/24 via 10.244.2.0 dev flannel.1"
}

test_ruled_out_one_route_for_all_of_flannels_udp if {
	udp := object.union(n1, {"metadata": {"annotations": {"flannel.alpha.coreos.com/backend-type": "udp"}}})
	answer := {"status": "route", "route": {"type": "unicast", "dst": "10.244.0.0/16", "dev": "flannel0", "source": "ip route"}}
	ruled_out_only with input as of_n1([udp, n2]) with netcause.route as answer with netcause.pod_routes as none_exact
}

test_ruled_out_own_range_alone if {
	ruled_out_only with input as of_n1([n1]) with netcause.route as none with netcause.pod_routes as none_exact
}

test_ruled_out_peer_leaves_or_is_not_ready if {
	every change in [
		{"metadata": {"deletionTimestamp": "2024-01-01T00:00:00Z"}},
		{"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
		{"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
		{"metadata": {"labels": {"type": "virtual-kubelet"}}},
		{"spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "value": "1700000000", "effect": "NoSchedule"}]}},
	] {
		ruled_out_only with input as of_n1([n1, object.union(n2, change)])
			with netcause.route as none
			with netcause.pod_routes as none_exact
	}
}

test_unexamined_peer_without_range if {
	every peer in [object.remove(n2, ["spec"]), object.union(object.remove(n2, ["spec"]), {"spec": {"podCIDR": ""}})] {
		some u in rule.unexamined with input as of_n1([n1, peer, n3])
			with netcause.route as tunnelled
			with netcause.pod_routes as none_exact
		u.group == "cluster.nodes"
		u.reason == "no podCIDR is known of n2: which route leads to its Pods is not known"
		count(rule.finding) + count(rule.ruled_out) == 0 with input as of_n1([n1, peer, n3])
			with netcause.route as tunnelled
			with netcause.pod_routes as none_exact
	}
}

test_ruled_out_peer_without_range_where_others_keep_routes if {
	bare := {"metadata": {"name": "n2"}, "source": "nodes.json"}
	ruled_out_only with input as of_n1([plain_node("n1", "10.244.1.0/24"), bare])
		with netcause.route as default_route
		with netcause.pod_routes as none_exact
}

test_ruled_out_peer_of_ipv6_alone if {
	ipv6 := object.union(n2, {"spec": {"podCIDR": "fd00:10:244:2::/64", "podCIDRs": ["fd00:10:244:2::/64"]}})
	ruled_out_only with input as of_n1([n1, ipv6, n3]) with netcause.route as tunnelled with netcause.pod_routes as none_exact
	some r in rule.ruled_out with input as of_n1([n1, ipv6, n3])
		with netcause.route as tunnelled
		with netcause.pod_routes as none_exact
	r.message == "it has a route to the IPv4 Pods of every other node that is alive"
}

test_ruled_out_routes_of_others if {
	nodes := [plain_node("n1", "10.244.1.0/24"), plain_node("n2", "10.244.2.0/24")]
	ruled_out_only with input as of_n1(nodes) with netcause.route as default_route with netcause.pod_routes as none_exact
	cloud := object.union(n1, {"metadata": {"annotations": {"flannel.alpha.coreos.com/backend-type": "alloc"}}})
	ruled_out_only with input as of_n1([cloud, n2]) with netcause.route as default_route with netcause.pod_routes as none_exact
}

test_ruled_out_each_peer_has_a_route_of_its_own if {
	routes := {"exact": ["10.244.2.0/24", "10.244.3.0/24"]}
	ruled_out_only with input as of_n1([n1, n2, n3]) with netcause.route as tunnelled with netcause.pod_routes as routes
	some r in rule.ruled_out with input as of_n1([n1, n2, n3])
		with netcause.route as tunnelled
		with netcause.pod_routes as routes
	r.evidence[0].value == "10.244.2.0/24 via 10.244.2.0 dev flannel.1"
	count(rule.finding) == 1 with input as of_n1([n1, n2, n3])
		with netcause.route as none
		with netcause.pod_routes as {"exact": ["10.244.2.0/24"]}
}

test_ruled_out_annotations_that_flannel_left_behind if {
	calico := {"metadata": {"name": "calico-node", "namespace": "calico-system"}, "source": "daemonsets.json"}
	after := object.union(of_n1([n1, n2]), {"cluster": {"daemonsets": [calico]}})
	ruled_out_only with input as after with netcause.route as default_route with netcause.pod_routes as none_exact
	beside := object.union(of_n1([n1, n2]), {"cluster": {"daemonsets": [calico, {"metadata": {"name": "kube-flannel-ds"}}]}})
	count(rule.finding) == 1 with input as beside with netcause.route as default_route with netcause.pod_routes as none_exact
}

test_ruled_out_machine_that_is_no_node if {
	client := {"node": {"name": "client", "routes": [], "status": {}}, "peers": [], "cluster": {"nodes": [n1, n2]}}
	ruled_out_only with input as client with netcause.route as default_route with netcause.pod_routes as none_exact
}

test_unexamined_policy_rule if {
	answer := {"status": "unknown", "detail": "policy rule 100 looks at more than the destination"}
	rule.unexamined == {{"group": "rules", "reason": answer.detail}} with input as of_n1([n1, n2])
		with netcause.route as answer
		with netcause.pod_routes as none_exact
		with netcause.lookup as none
	count(rule.ruled_out) == 0 with input as of_n1([n1, n2])
		with netcause.route as answer
		with netcause.pod_routes as none_exact
		with netcause.lookup as none
}

dual_stack(name, cidrs) := {
	"metadata": {"name": name, "annotations": {
		"flannel.alpha.coreos.com/backend-type": "host-gw",
		"flannel.alpha.coreos.com/public-ipv6": "2001:db8:1::11",
	}},
	"spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs},
	"status": {},
	"source": "nodes.json",
}

dual := [
	dual_stack("n1", ["10.244.1.0/24", "2001:db8:f1::/64"]),
	dual_stack("n2", ["10.244.2.0/24", "2001:db8:f2::/64"]),
]

ipv4_alone("n1", "10.244.2.1") := tunnelled

ipv4_alone("n1", "2001:db8:f2::1") := {
	"status": "route",
	"route": {"dst": "::/0", "via": "fe80::1", "dev": "eth0", "source": "ip -6 route"},
}

ipv4_alone("n1", "10.244.1.2") := none

test_found_ipv6_route_of_a_dual_stack_node if {
	some f in rule.finding with input as of_n1(dual) with netcause.route as ipv4_alone with netcause.pod_routes as none_exact
	f.message == "n1 has no route to the IPv6 Pods of n2 (2001:db8:f2::/64)."
	"default via fe80::1 dev eth0" in {e.value | some e in f.evidence}
}

both_families("n1", address) := ipv4_alone("n1", address) if {
	address != "2001:db8:f2::1"
} else := {"status": "route", "route": {"dst": "2001:db8:f2::/64", "via": "2001:db8:1::12", "dev": "eth0", "source": "ip -6 route"}}

test_ruled_out_both_families if {
	ruled_out_only with input as of_n1(dual) with netcause.route as both_families with netcause.pod_routes as none_exact
	some r in rule.ruled_out with input as of_n1(dual) with netcause.route as both_families with netcause.pod_routes as none_exact
	r.message == "it has a route to the IPv4 and IPv6 Pods of every other node that is alive"
}

# Without an address of IPv6 flannel keeps no routes of it.
test_ruled_out_ipv6_that_flannel_leaves_alone if {
	nodes := [json.remove(n, ["metadata/annotations/flannel.alpha.coreos.com~1public-ipv6"]) | some n in dual]
	ruled_out_only with input as of_n1(nodes) with netcause.route as ipv4_alone with netcause.pod_routes as none_exact
}

calico(name, tunnel) := {
	"metadata": {"name": name, "annotations": {
		"projectcalico.org/IPv4Address": "192.0.2.1/24",
		"projectcalico.org/IPv4IPIPTunnelAddr": tunnel,
	}},
	"spec": {},
	"status": {},
	"source": "nodes.json",
}

by_tunl0(dst) := {"dst": dst, "via": "192.0.2.2", "dev": "tunl0", "protocol": "bird", "type": "unicast", "source": "ip route"}

of_calico := object.union(
	of_n1([calico("n1", "192.168.1.0"), calico("n2", "192.168.2.0"), calico("n3", "192.168.3.0")]),
	{"node": {"routes": [by_tunl0("192.168.2.0/26")]}},
)

one_block("n1", address) := {"status": "route", "route": by_tunl0("192.168.2.0/26")} if {
	address == "192.168.2.0"
} else := default_route

test_found_block_of_calico_without_a_route if {
	some f in rule.finding with input as of_calico with netcause.pod_routes as {} with netcause.route as one_block
	f.message == "n1 has no route to the IPv4 Pods of n3 (192.168.3.0)."
	"address of Calico's tunnel of Node n3" in {e.fact | some e in f.evidence}
}

test_ruled_out_every_block_of_calico_has_a_route if {
	ruled_out_only with input as of_calico with netcause.pod_routes as {}
		with netcause.route as {"status": "route", "route": by_tunl0("192.168.0.0/16")}
}

# kube-router's table for what Pods send: the source decides.
test_ruled_out_route_of_a_table_for_pods if {
	n := object.union(of_n1([n1, n2]), {"node": {"pods": []}})
	ruled_out_only with input as n
		with netcause.route as own_pods
		with netcause.pod_routes as none_exact
		with netcause.lookup as tunnelled
}

own_pods("n1", address) := {"status": "route", "route": {"dst": "10.244.1.0/24", "dev": "kube-bridge"}} if {
	address == "10.244.1.2"
} else := {"status": "unknown", "detail": "policy rule 32765 looks at more than the destination"}
