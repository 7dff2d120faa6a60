package netcause.rules.network_unreachable.rp_filter_drops_test

import data.netcause.rules.network_unreachable.rp_filter_drops as rule

api_node(name, address, cidr) := {
	"metadata": {"name": name},
	"spec": {"podCIDR": cidr},
	"status": {"addresses": [{"type": "InternalIP", "address": address}]},
	"source": "nodes.json",
}

n1 := api_node("n1", "10.1.0.1", "10.244.1.0/24")

n2 := api_node("n2", "10.1.0.2", "10.244.2.0/24")

node := {
	"name": "n1",
	"object": n1,
	"links": [],
	"addresses": [
		{"dev": "eth0", "family": "inet", "local": "192.0.2.1", "prefixlen": 24},
		{"dev": "eth1", "family": "inet", "local": "10.1.0.1", "prefixlen": 24},
	],
	"pods": [],
	"sysctls": {"net.ipv4.conf.eth1.rp_filter": {"value": "1"}},
	"status": {},
}

one(n, peers) := {"node": n, "peers": peers, "cluster": {"nodes": [n1, n2]}}

strict := {
	"verdict": "drop",
	"rp_filter": 1,
	"rp_filter_source": "sysctl net.ipv4.conf.eth1.rp_filter",
	"dev": "eth0",
	"default": true,
	"source": "ip route show table main",
	"unread": [],
}

pass := {"verdict": "pass", "rp_filter": 2, "dev": "eth0", "default": false, "source": "ip route", "unread": []}

no_route := {"status": "none"}

from_n2("n1", packet) := strict if {
	packet == {"src": "10.1.0.2", "dst": "10.1.0.1", "iif": "eth1"}
} else := pass

test_found_the_way_back_to_a_node_is_another_device if {
	found := rule.finding with input as one(node, []) with netcause.reverse_path as from_n2 with netcause.route as no_route
	count(found) == 1
	some f in found
	f.message == "n1 drops packets of node n2 that come in by eth1: rp_filter is 1 there, and it would answer 10.1.0.2 by eth0."
	f.affects == {"n1", "n2"}
	f.fix.steps[0].run == "sysctl -w net.ipv4.conf.eth1.rp_filter=2"
	contains(f.fix.steps[1].run, "> /etc/sysctl.d/99-zz-rp-filter-eth1.conf")
	{e.source | some e in f.evidence} == {"sysctl net.ipv4.conf.eth1.rp_filter", "ip route show table main"}
}

# n2 sends by its other card: what its routes say counts, not its InternalIP.
test_found_source_of_the_peers_own_route if {
	peer := {"name": "n2", "object": n2}
	found := rule.finding with input as one(node, [peer])
		with netcause.reverse_path as by_the_other_card
		with netcause.route as by_eth0
	count(found) == 1
	some f in found
	contains(f.message, "it would answer 198.51.100.2 by eth0")
}

by_eth0(name, "10.1.0.1") := {
	"status": "route",
	"route": {"src": "198.51.100.2", "dst": "10.1.0.0/24", "via": "198.51.100.9", "dev": "eth0"},
} if {
	name == "n2"
} else := no_route

by_eth0(_, address) := no_route if address != "10.1.0.1"

by_the_other_card("n1", packet) := strict if {
	packet.src == "198.51.100.2"
} else := pass

pod_route("n1", address) := {
	"status": "route",
	"route": {"dst": "10.244.1.0/24", "dev": "cni0"},
} if {
	startswith(address, "10.244.1.")
}

pod_route("n1", address) := no_route if not startswith(address, "10.244.1.")

pod_route("n2", address) := {
	"status": "route",
	"route": {"dst": "10.244.2.0/24", "dev": "cni0"},
} if {
	startswith(address, "10.244.2.")
}

pod_route("n2", address) := {
	"status": "route",
	"route": {"dst": "10.244.1.0/24", "via": "10.244.1.0", "dev": "flannel.1"},
} if {
	startswith(address, "10.244.1.")
}

pod_route("n2", "10.1.0.1") := no_route

vxlan := {"ifname": "flannel.1", "kind": "vxlan", "vxlan": {"id": 1, "port": 8472}}

from_pods_by_the_tunnel("n1", packet) := object.union(strict, {"default": false, "dev": "eth0"}) if {
	packet == {"src": "10.244.2.2", "dst": "10.244.1.2", "iif": "flannel.1", "oif": "cni0"}
} else := pass

test_found_pods_packets_by_the_tunnel if {
	n := object.union(node, {"links": [vxlan]})
	peer := {"name": "n2", "object": n2, "links": [vxlan], "pods": []}
	some f in rule.finding with input as one(n, [peer])
		with netcause.reverse_path as from_pods_by_the_tunnel
		with netcause.route as pod_route
	startswith(f.message, "n1 drops packets of Pods of n2 that come in by flannel.1: ")
	f.fix.steps[0].run == "sysctl -w net.ipv4.conf.all.rp_filter=0\nsysctl -w net.ipv4.conf.flannel/1.rp_filter=0"
}

# The route back to those Pods is missing: that is the fault, not the filter.
test_ruled_out_missing_route_to_the_pods if {
	n := object.union(node, {"links": [vxlan]})
	peer := {"name": "n2", "object": n2, "links": [vxlan], "pods": []}
	count(rule.finding) == 0 with input as one(n, [peer])
		with netcause.reverse_path as from_pods_by_default
		with netcause.route as pod_route
}

from_pods_by_default("n1", packet) := strict if {
	packet.iif == "flannel.1"
} else := pass

cilium_route("n1", "10.0.1.9") := {
	"status": "route",
	"route": {"dst": "10.0.1.0/24", "via": "10.0.1.1", "dev": "cilium_host"},
}

cilium_route("n2", _) := no_route

test_found_cilium if {
	n := object.union(node, {
		"links": [{"ifname": "lxc0a1b", "kind": "veth"}],
		"pods": [{"metadata": {}, "spec": {}, "status": {"phase": "Running", "podIP": "10.0.1.9"}}],
	})
	some f in rule.finding with input as one(n, [])
		with netcause.reverse_path as on_lxc
		with netcause.route as cilium_route
	f.severity == "warning"
	contains(f.message, "that come in by lxc0a1b")
}

on_lxc("n1", packet) := strict if {
	packet.iif == "lxc0a1b"
} else := pass

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_ruled_out_loose_or_symmetric if {
	ruled_out_only with input as one(node, []) with netcause.reverse_path as pass with netcause.route as no_route
}

test_ruled_out_client if {
	ruled_out_only with input as one(object.remove(node, ["object"]), [])
		with netcause.reverse_path as strict
		with netcause.route as no_route
}

test_unexamined_sysctl_was_not_read if {
	answer := {
		"verdict": "unknown",
		"rp_filter": -1,
		"dev": "",
		"default": false,
		"detail": "rp_filter of eth1 was not read",
		"unread": ["sysctls"],
	}
	some u in rule.unexamined with input as one(node, [])
		with netcause.reverse_path as answer
		with netcause.route as no_route
	u == {"group": "sysctls", "reason": "packets of node n2: rp_filter of eth1 was not read"}
	count(rule.ruled_out) == 0 with input as one(node, [])
		with netcause.reverse_path as answer
		with netcause.route as no_route
}

test_unexamined_two_cards_in_one_network if {
	twins := object.union(node, {"addresses": [
		{"dev": "eth0", "family": "inet", "local": "10.1.0.7", "prefixlen": 24},
		{"dev": "eth1", "family": "inet", "local": "10.1.0.1", "prefixlen": 24},
	]})
	count(rule.finding) == 0 with input as one(twins, [])
		with netcause.reverse_path as strict
		with netcause.route as no_route
	some u in rule.unexamined with input as one(twins, [])
		with netcause.reverse_path as strict
		with netcause.route as no_route
	contains(u.reason, "eth0 and eth1 are in one network")
}

on_one_network(greatest, each) := object.union(node, {
	"addresses": [
		{"dev": "eth0", "family": "inet", "local": "10.1.0.7", "prefixlen": 24},
		{"dev": "eth1", "family": "inet", "local": "10.1.0.1", "prefixlen": 24},
	],
	"sysctls": {
		"net.ipv4.conf.all.rp_filter": {"value": greatest},
		"net.ipv4.conf.eth0.rp_filter": {"value": each},
		"net.ipv4.conf.eth1.rp_filter": {"value": each},
	},
})

# The greater of all and the device's counts.
test_unexamined_two_cards_in_one_network_strict_for_all if {
	{u.group | some u in rule.unexamined} == {"neighbours"} with input as one(on_one_network("1", "0"), [])
		with netcause.reverse_path as strict
		with netcause.route as no_route
}

test_ruled_out_two_cards_in_one_network_loose_for_all if {
	ruled_out_only with input as one(on_one_network("2", "1"), [])
		with netcause.reverse_path as strict
		with netcause.route as no_route
}

test_ruled_out_node_of_ipv6_alone if {
	six := [object.union(api_node(name, address, cidr), {}) |
		some [name, address, cidr] in [["n1", "2001:db8:1::11", "2001:db8:f1::/64"], ["n2", "2001:db8:1::12", "2001:db8:f2::/64"]]
	]
	n := object.union(node, {"object": six[0]})
	ruled_out_only with input as {"node": n, "peers": [], "cluster": {"nodes": six}}
		with netcause.reverse_path as strict
		with netcause.route as no_route
}

# A fabric that is routed to the host: the address is on lo, packets for it come by the card that leads to the peer.
test_ruled_out_node_address_on_loopback if {
	n := object.union(node, {"addresses": [
		{"dev": "lo", "family": "inet", "local": "10.1.0.1", "prefixlen": 32},
		{"dev": "eth0", "family": "inet", "local": "172.16.1.2", "prefixlen": 31},
	]})
	ruled_out_only with input as one(n, [])
		with netcause.reverse_path as only_by_eth0
		with netcause.route as no_route
		with netcause.lookup as {"status": "route", "route": {"dst": "0.0.0.0/0", "via": "172.16.1.3", "dev": "eth0"}}
}

only_by_eth0("n1", packet) := pass if {
	packet.iif == "eth0"
} else := strict

# A bundle of one node of RHEL, whose sysctls are strict: by which device the others' Pods come in shows there.
test_unexamined_strict_tunnel_and_the_others_not_read if {
	tunnelled := object.union(node, {
		"links": [{"ifname": "flannel.1", "kind": "vxlan", "flags": ["UP"], "vxlan": {"id": 1, "local": "10.1.0.1", "link": "eth1"}}],
		"routes": [{"dst": "10.244.2.0/24", "via": "10.244.2.0", "dev": "flannel.1"}],
		"sysctls": {"net.ipv4.conf.all.rp_filter": {"value": "1"}, "net.ipv4.conf.flannel/1.rp_filter": {"value": "0"}},
	})
	some u in rule.unexamined with input as one(tunnelled, []) with netcause.reverse_path as pass with netcause.route as no_route
	u.node == "n2"
	count(rule.ruled_out) == 0 with input as one(tunnelled, []) with netcause.reverse_path as pass with netcause.route as no_route

	loose := object.union(tunnelled, {"sysctls": {"net.ipv4.conf.flannel/1.rp_filter": {"value": "2"}}})
	count(rule.unexamined) == 0 with input as one(loose, []) with netcause.reverse_path as pass with netcause.route as no_route
	peer := {"name": "n2", "object": n2, "routes": [], "links": []}
	count(rule.unexamined) == 0 with input as one(tunnelled, [peer]) with netcause.reverse_path as pass with netcause.route as no_route
}
