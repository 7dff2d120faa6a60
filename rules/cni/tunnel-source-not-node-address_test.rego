package netcause.rules.cni.tunnel_source_not_node_address_test

import data.netcause.rules.cni.tunnel_source_not_node_address as rule

flannel(local) := {
	"ifname": "flannel.1",
	"kind": "vxlan",
	"flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
	"mtu": 1450,
	"vxlan": {"id": 1, "local": local, "link": "eth0"},
	"source": "ip -d link show dev flannel.1",
}

api_node(name, own, published) := {
	"metadata": {"name": name, "annotations": {
		"flannel.alpha.coreos.com/backend-type": "vxlan",
		"flannel.alpha.coreos.com/public-ip": published,
	}},
	"status": {"addresses": [{"type": "InternalIP", "address": own}]},
	"source": "nodes.json",
}

of_one(node, peers) := {
	"node": object.union({"name": "n1", "status": {}}, node),
	"peers": peers,
	"cluster": {"nodes": [n | some n in array.concat([node.object | node.object], [p.object | some p in peers; p.object])]},
}

healthy_peer := {"name": "n2", "object": api_node("n2", "192.0.2.20", "192.0.2.20"), "links": [flannel("192.0.2.20")]}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_found_annotation_and_device if {
	node := {"object": api_node("n1", "192.0.2.15", "192.0.2.228"), "links": [flannel("192.0.2.228")]}
	found := rule.finding with input as of_one(node, [healthy_peer])
	count(found) == 1
	some f in found
	startswith(f.message, "The cluster knows n1 by 192.0.2.15, but its tunnel uses 192.0.2.228: ")
	endswith(f.message, ": filters and reverse-path checks that expect the node's address drop it.")
	{e.source | some e in f.evidence} == {"nodes.json", "ip -d link show dev flannel.1"}
	contains(f.fix.steps[0].edit, "--iface=192.0.2.15 (an address is allowed) or --public-ip=192.0.2.15")
	contains(f.fix.steps[0].edit, "IP_AUTODETECTION_METHOD=kubernetes-internal-ip")
	not f.severity
}

test_found_device_alone if {
	node := {"object": api_node("n1", "192.0.2.15", "192.0.2.15"), "links": [flannel("192.0.2.228")]}
	count(rule.finding) == 1 with input as of_one(node, [healthy_peer])
}

test_found_nothing_collected_on_the_node if {
	node := {"object": api_node("n1", "192.0.2.15", "192.0.2.228")}
	count(rule.finding) == 1 with input as of_one(node, [healthy_peer])
}

test_found_calico if {
	wrong := {
		"metadata": {"name": "n1", "annotations": {"projectcalico.org/IPv4Address": "172.17.0.1/16"}},
		"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.15"}]},
		"source": "nodes.json",
	}
	count(rule.finding) == 1 with input as of_one({"object": wrong, "links": []}, [healthy_peer])
}

test_found_vxlan_of_another_name_by_its_route if {
	device := object.union(flannel("192.0.2.228"), {"ifname": "vx0"})
	node := {
		"object": object.remove(api_node("n1", "192.0.2.15", ""), []),
		"links": [device],
		"routes": [{"dst": "10.244.2.0/24", "via": "10.244.2.0", "dev": "vx0"}],
	}
	plain := object.union(node, {"object": {"metadata": {"annotations": {"flannel.alpha.coreos.com/public-ip": "192.0.2.15"}}}})
	peer := object.union(healthy_peer, {"object": {"spec": {"podCIDR": "10.244.2.0/24"}}})
	count(rule.finding) == 1 with input as of_one(plain, [peer])
	count(rule.finding) == 0 with input as of_one(object.union(plain, {"routes": []}), [peer])
}

# Every node of Vagrant's has the same address on its first link.
test_found_all_nodes_publish_one_address if {
	node := {"object": api_node("n1", "192.0.2.15", "10.0.2.15"), "links": [flannel("10.0.2.15")]}
	peer := {"name": "n2", "object": api_node("n2", "192.0.2.20", "10.0.2.15")}
	count(rule.finding) == 1 with input as of_one(node, [peer])
}

test_ruled_out_own_address if {
	node := {"object": api_node("n1", "192.0.2.15", "192.0.2.15"), "links": [flannel("192.0.2.15")]}
	ruled_out_only with input as of_one(node, [healthy_peer])
}

test_ruled_out_network_of_its_own if {
	node := {"object": api_node("n1", "192.0.2.15", "198.51.100.15"), "links": [flannel("198.51.100.15")]}
	peer := {"name": "n2", "object": api_node("n2", "192.0.2.20", "198.51.100.20"), "links": [flannel("198.51.100.20")]}
	ruled_out_only with input as of_one(node, [peer])
	some r in rule.ruled_out with input as of_one(node, [peer])
	contains(r.message, "on purpose")
}

test_ruled_out_public_ip_overwrite if {
	annotations := {"flannel.alpha.coreos.com/public-ip-overwrite": "203.0.113.9"}
	overwritten := object.union(api_node("n1", "192.0.2.15", "203.0.113.9"), {"metadata": {"annotations": annotations}})
	ruled_out_only with input as of_one({"object": overwritten, "links": [flannel("192.0.2.15")]}, [healthy_peer])
}

test_ruled_out_external_address if {
	external := object.union(api_node("n1", "", "203.0.113.9"), {"status": {"addresses": [
		{"type": "InternalIP", "address": "192.0.2.15"},
		{"type": "ExternalIP", "address": "203.0.113.9"},
	]}})
	ruled_out_only with input as of_one({"object": external, "links": [flannel("203.0.113.9")]}, [healthy_peer])
}

test_ruled_out_second_of_two_families if {
	dual := object.union(api_node("n1", "", "192.0.2.15"), {"status": {"addresses": [
		{"type": "InternalIP", "address": "2001:db8::15"},
		{"type": "InternalIP", "address": "192.0.2.15"},
	]}})
	ruled_out_only with input as of_one({"object": dual, "links": [flannel("192.0.2.15")]}, [healthy_peer])
}

test_ruled_out_machine_that_is_no_node if {
	ruled_out_only with input as of_one({"name": "client", "links": [flannel("192.0.2.99")]}, [healthy_peer])
}

test_ruled_out_tunnel_without_address if {
	bare := {"metadata": {"name": "n1"}, "source": "nodes.json"}
	ipip := {"ifname": "tunl0", "kind": "ipip", "flags": ["UP"], "mtu": 1440, "tunnel": {}, "source": "ip -d link"}
	ruled_out_only with input as of_one({"object": bare, "links": [ipip]}, [healthy_peer])
}

test_ruled_out_other_tunnels if {
	site := {"ifname": "gre1", "kind": "gre", "flags": ["UP"], "mtu": 1476, "tunnel": {"local": "192.0.2.228"}, "source": "ip -d link"}
	node := {
		"object": api_node("n1", "192.0.2.15", "192.0.2.15"),
		"links": [flannel("192.0.2.15"), site],
		"routes": [{"dst": "172.16.0.0/16", "via": "172.31.0.1", "dev": "gre1"}],
	}
	ruled_out_only with input as of_one(node, [healthy_peer])
}

test_ruled_out_object_without_addresses if {
	ruled_out_only with input as of_one(
		{"object": object.remove(api_node("n1", "", "192.0.2.15"), ["status"]), "links": []},
		[healthy_peer],
	)
}

test_unexamined_links_not_read if {
	bare := {"metadata": {"name": "n1"}, "source": "nodes.json"}
	rule.unexamined == {{"group": "links"}} with input as of_one({"object": bare}, [healthy_peer])
}

wrong := {"object": api_node("n1", "192.0.2.15", "192.0.2.228"), "links": [flannel("192.0.2.228")]}

peer_sends_to(dst) := object.union(healthy_peer, {"fdb": [{
	"mac": "02:00:00:00:00:01",
	"dev": "flannel.1",
	"dst": dst,
	"source": "bridge fdb show dev flannel.1",
}]})

test_found_warning_where_every_peer_sends_to_the_tunnels_address if {
	some f in rule.finding with input as of_one(wrong, [peer_sends_to("192.0.2.228")])
	f.severity == "warning"
	endswith(f.message, ": filters and reverse-path checks that expect the node's address drop it.")
	"bridge fdb show dev flannel.1" in {e.source | some e in f.evidence}
}

test_found_critical_where_a_peer_sends_elsewhere if {
	every peers in [
		[peer_sends_to("192.0.2.15")],
		[peer_sends_to("192.0.2.228"), object.union(peer_sends_to("192.0.2.15"), {"name": "n3"})],
	] {
		some f in rule.finding with input as of_one(wrong, peers)
		not f.severity
		endswith(f.message, ": peers send to the former, and answers go astray.")
	}
}

test_found_critical_where_a_peer_does_not_say if {
	silent := object.union(healthy_peer, {"name": "n3"})
	some f in rule.finding with input as of_one(wrong, [peer_sends_to("192.0.2.228"), silent])
	not f.severity
}

on(dev, local) := {"dev": dev, "family": "inet", "local": local, "prefixlen": 24, "scope": "global"}

silent_node := {"name": "n2", "object": {"metadata": {"name": "n2"}, "source": "nodes.json"}}

test_unexamined_perhaps_a_network_of_its_own if {
	node := {
		"object": api_node("n1", "192.0.2.15", "198.51.100.15"),
		"links": [flannel("198.51.100.15")],
		"addresses": [on("eth0", "192.0.2.15"), on("eth1", "198.51.100.15")],
	}
	count(rule.finding) + count(rule.ruled_out) == 0 with input as of_one(node, [silent_node])
	some u in rule.unexamined with input as of_one(node, [silent_node])
	u.group == "links"
	startswith(u.reason, "198.51.100.15 may be of a network of its own")
	count(rule.finding) == 1 with input as of_one(node, [healthy_peer])
}

test_ruled_out_the_only_node_of_minikube if {
	node := {"object": api_node("n1", "192.0.2.15", "198.51.100.15"), "links": [flannel("198.51.100.15")]}
	ruled_out_only with input as of_one(node, [])
}

test_found_same_link_though_no_other_tunnel_is_known if {
	node := object.union(wrong, {"addresses": [on("eth0", "192.0.2.15"), on("eth0", "192.0.2.228")]})
	count(rule.finding) == 1 with input as of_one(node, [silent_node])
	other_link := object.union(wrong, {"addresses": [on("eth0", "192.0.2.15"), on("eth1", "192.0.2.228")]})
	count(rule.finding) == 1 with input as of_one(other_link, [silent_node])
}

test_ruled_out_calico_ipip_device_bound_to_no_address if {
	tunl0 := {
		"ifname": "tunl0",
		"kind": "ipip",
		"flags": ["NOARP", "UP", "LOWER_UP"],
		"mtu": 1480,
		"tunnel": {"local": "0.0.0.0", "remote": "0.0.0.0"},
		"source": "ip -d link show dev tunl0",
	}
	address := {"projectcalico.org/IPv4Address": "192.0.2.15/24"}
	calico := object.union(api_node("n1", "192.0.2.15", "192.0.2.15"), {"metadata": {"annotations": address}})
	ruled_out_only with input as of_one({"object": calico, "links": [tunl0]}, [healthy_peer])
}
