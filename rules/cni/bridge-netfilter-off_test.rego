package netcause.rules.cni.bridge_netfilter_off_test

import data.netcause.rules.cni.bridge_netfilter_off as rule

api_node := {"metadata": {"name": "n1"}, "spec": {"podCIDR": "10.244.1.0/24"}, "source": "nodes.json"}

key := "net.bridge.bridge-nf-call-iptables"

whole := {
	"net.ipv4.ip_forward": {"value": "1"},
	"net.core.somaxconn": {"value": "4096"},
	"net.ipv4.conf.all.rp_filter": {"value": "0"},
}

set(value) := object.union(whole, {key: {"value": value, "source": "sysctl net.bridge.bridge-nf-call-iptables"}})

node(sysctls) := {
	"name": "n1",
	"object": api_node,
	"links": [
		{"ifname": "cni0", "kind": "bridge", "source": "ip -d link show dev cni0"},
		{"ifname": "docker0", "kind": "bridge", "source": "ip -d link show dev docker0"},
	],
	"addresses": [
		{"dev": "cni0", "family": "inet", "local": "10.244.1.1", "prefixlen": 24},
		{"dev": "docker0", "family": "inet", "local": "172.17.0.1", "prefixlen": 16},
	],
	"pods": [],
	"processes": [],
	"sysctls": sysctls,
	"status": {},
}

one(n) := {"node": n, "peers": [], "cluster": {"nodes": [api_node]}}

by_kube_proxy := {
	"modes": [{
		"mode": "iptables-nf_tables",
		"evidence": {
			"fact": "iptables KUBE-SERVICES",
			"value": "-A KUBE-SERVICES …",
			"source": "iptables-nft-save -c, line 9",
		},
	}],
	"detached": [],
	"unknown": [],
}

by_nobody := {"modes": [], "detached": [], "unknown": ["iptables_legacy"]}

test_found_set_to_0 if {
	found := rule.finding with input as one(node(set("0"))) with netcause.kube_proxy_rules as by_kube_proxy
	count(found) == 1
	some f in found
	startswith(f.message, "Pods of n1 are on the bridge cni0, and net.bridge.bridge-nf-call-iptables is 0: ")
	[e.source | some e in f.evidence] == [
		"sysctl net.bridge.bridge-nf-call-iptables",
		"ip -d link show dev cni0",
		"iptables-nft-save -c, line 9",
	]
	f.fix.steps[0].run == "sysctl -w net.bridge.bridge-nf-call-iptables=1"
}

test_found_module_not_loaded if {
	some f in rule.finding with input as one(node(whole)) with netcause.kube_proxy_rules as by_kube_proxy
	contains(f.message, "br_netfilter is not loaded")
	startswith(f.fix.steps[0].run, "modprobe br_netfilter\n")
	f.fix.steps[1].run == "sysctl -w net.bridge.bridge-nf-call-iptables=1"
}

test_found_ipv6_too if {
	dual := object.union(
		node(set("0")),
		{"object": object.union(api_node, {"spec": {"podCIDRs": ["10.244.1.0/24", "fd00::/64"]}})},
	)
	some f in rule.finding with input as one(dual) with netcause.kube_proxy_rules as by_kube_proxy
	contains(f.fix.steps[0].run, "bridge-nf-call-ip6tables=1")
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_ruled_out_on if {
	ruled_out_only with input as one(node(set("1"))) with netcause.kube_proxy_rules as by_kube_proxy
}

# Calico's and a cloud's Pods are each behind a device of their own; what is on Docker's bridge are no Pods.
test_ruled_out_no_bridge_of_pods if {
	routed := object.union(node(set("0")), {"links": [{"ifname": "docker0", "kind": "bridge", "source": "ip -d link"}]})
	ruled_out_only with input as one(routed) with netcause.kube_proxy_rules as by_kube_proxy
}

test_ruled_out_masquerade_all if {
	masquerading := object.union(node(set("0")), {"kube_proxy_config": {"masqueradeAll": true}})
	ruled_out_only with input as one(masquerading) with netcause.kube_proxy_rules as by_kube_proxy
}

test_ruled_out_other_proxy if {
	cilium := object.union(one(node(set("0"))), {"cluster": {"configmaps": [{
		"metadata": {"name": "cilium-config"},
		"data": {"kube-proxy-replacement": "true"},
		"source": "cm.json",
	}]}})
	ruled_out_only with input as cilium with netcause.kube_proxy_rules as object.union(by_nobody, {"unknown": []})
}

test_ruled_out_client if {
	ruled_out_only with input as one(object.remove(node(set("0")), ["object"]))
		with netcause.kube_proxy_rules as object.union(by_nobody, {"unknown": []})
}

test_unexamined_a_few_sysctls_were_read if {
	n := node({"net.ipv4.ip_forward": {"value": "1"}})
	count(rule.finding) == 0 with input as one(n) with netcause.kube_proxy_rules as by_kube_proxy
	some u in rule.unexamined with input as one(n) with netcause.kube_proxy_rules as by_kube_proxy
	u.group == "sysctls"
}

test_unexamined_rules_not_read if {
	count(rule.finding) == 0 with input as one(node(set("0"))) with netcause.kube_proxy_rules as by_nobody
	some u in rule.unexamined with input as one(node(set("0"))) with netcause.kube_proxy_rules as by_nobody
	u.group == "iptables_legacy"
}

test_found_bridge_known_by_its_name if {
	alone := object.union(
		object.remove(node(set("0")), ["object"]),
		{"processes": [{"comm": "kubelet", "hostNetwork": true}]},
	)
	count(rule.finding) == 1 with input as {"node": alone, "peers": [], "cluster": {}}
		with netcause.kube_proxy_rules as by_kube_proxy
}

test_unexamined_whose_bridge_is_not_known if {
	alone := object.union(object.remove(node(set("0")), ["object"]), {
		"processes": [{"comm": "kubelet", "hostNetwork": true}],
		"links": [{"ifname": "br-lan", "kind": "bridge", "source": "ip -d link"}],
	})
	i := {"node": alone, "peers": [], "cluster": {}}
	count(rule.finding) == 0 with input as i with netcause.kube_proxy_rules as by_kube_proxy
	some u in rule.unexamined with input as i with netcause.kube_proxy_rules as by_kube_proxy
	u.group == "cluster.nodes"
}

test_unexamined_nobody_says_that_it_is_a_node if {
	some u in rule.unexamined with input as {"node": object.remove(node(set("0")), ["object", "processes"]), "peers": [], "cluster": {}}
		with netcause.kube_proxy_rules as by_nobody
	u.group == "processes"
}

dual := object.union(api_node, {
	"spec": {"podCIDRs": ["10.244.1.0/24", "2001:db8:f1::/64"]},
	"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
})

six := {"metadata": {"name": "n1"}, "spec": {"podCIDRs": ["2001:db8:f1::/64"]}, "status": {"addresses": [{
	"type": "InternalIP",
	"address": "2001:db8:1::11",
}]}}

services(addresses) := [{"metadata": {"name": "web"}, "spec": {"clusterIP": addresses[0], "clusterIPs": addresses}}]

both(four, other) := object.union(set(four), {"net.bridge.bridge-nf-call-ip6tables": {"value": other, "source": "sysctl -a"}})

with_services(of_n1, sysctls, addresses) := object.union(
	one(object.union(node(sysctls), {"object": of_n1})),
	{"cluster": {"services": services(addresses)}},
)

test_found_ipv6_of_a_dual_stack_node if {
	some f in rule.finding with input as with_services(dual, both("1", "0"), ["10.96.0.20", "fd00:96::20"])
		with netcause.kube_proxy_rules as by_kube_proxy
	contains(f.message, "and net.bridge.bridge-nf-call-ip6tables is 0: ")
}

test_ruled_out_dual_stack_pods_and_services_of_ipv4 if {
	of_ipv4 := with_services(dual, both("1", "0"), ["10.96.0.20"])
	count(rule.finding) == 0 with input as of_ipv4 with netcause.kube_proxy_rules as by_kube_proxy
	count(rule.ruled_out) == 1 with input as of_ipv4 with netcause.kube_proxy_rules as by_kube_proxy
}

test_unexamined_dual_stack_pods_and_services_not_known if {
	unknown := one(object.union(node(both("1", "0")), {"object": dual}))
	count(rule.finding) == 0 with input as unknown with netcause.kube_proxy_rules as by_kube_proxy
	{u.group | some u in rule.unexamined} == {"cluster.services"} with input as unknown
		with netcause.kube_proxy_rules as by_kube_proxy
}

test_ruled_out_ipv6_alone_with_the_sysctl_of_ipv4_at_0 if {
	of_ipv6 := with_services(six, both("0", "1"), ["fd00:96::20"])
	count(rule.finding) == 0 with input as of_ipv6 with netcause.kube_proxy_rules as by_kube_proxy
	count(rule.ruled_out) == 1 with input as of_ipv6 with netcause.kube_proxy_rules as by_kube_proxy
}

test_found_ipv6_alone if {
	some f in rule.finding with input as with_services(six, both("1", "0"), ["fd00:96::20"])
		with netcause.kube_proxy_rules as by_kube_proxy
	f.fix.steps[0].run == "sysctl -w net.bridge.bridge-nf-call-ip6tables=1"
}

test_ruled_out_bridge_of_ipv6_alone_and_no_node_is_known if {
	addresses := [{"dev": "cni0", "family": "inet6", "local": "2001:db8:f1::1", "prefixlen": 64, "scope": "global"}]
	n := object.union(object.remove(node(both("0", "1")), ["object", "addresses"]), {
		"addresses": addresses,
		"processes": [{"comm": "kubelet", "hostNetwork": true}],
	})
	alone := {"node": n, "peers": [], "cluster": {}}
	count(rule.finding) == 0 with input as alone with netcause.kube_proxy_rules as by_kube_proxy
	count(rule.ruled_out) == 1 with input as alone with netcause.kube_proxy_rules as by_kube_proxy
}
