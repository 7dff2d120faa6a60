package netcause.rules.network_unreachable.vxlan_neighbour_wrong_test

import data.netcause.rules.network_unreachable.vxlan_neighbour_wrong as rule

api_node(name, address, cidr, mac) := {
	"metadata": {"name": name, "annotations": {
		"flannel.alpha.coreos.com/backend-type": "vxlan",
		"flannel.alpha.coreos.com/public-ip": address,
		"flannel.alpha.coreos.com/backend-data": sprintf(`{"VNI":1,"VtepMAC":"%s"}`, [mac]),
	}},
	"spec": {"podCIDR": cidr},
	"status": {"addresses": [{"type": "InternalIP", "address": address}]},
	"source": "nodes.json",
}

n1 := api_node("n1", "192.0.2.1", "10.244.1.0/24", "02:00:00:00:00:01")

n2 := api_node("n2", "192.0.2.2", "10.244.2.0/24", "02:00:00:00:00:02")

device(local, mac) := {
	"ifname": "flannel.1",
	"kind": "vxlan",
	"flags": ["UP"],
	"address": mac,
	"vxlan": {"id": 1, "port": 8472, "local": local, "learning": false},
	"source": "ip -d link show dev flannel.1",
}

neighbour(mac, state) := {
	"dst": "10.244.2.0",
	"dev": "flannel.1",
	"lladdr": mac,
	"state": state,
	"source": "ip neighbour show dev flannel.1",
}

entry(mac) := {"mac": mac, "dev": "flannel.1", "dst": "192.0.2.2", "source": "bridge fdb show dev flannel.1"}

node(neighbours) := {
	"name": "n1",
	"object": n1,
	"links": [device("192.0.2.1", "02:00:00:00:00:01")],
	"addresses": [],
	"routes": [{"dst": "10.244.2.0/24", "via": "10.244.2.0", "dev": "flannel.1"}],
	"neighbours": neighbours,
	"fdb": [entry("02:00:00:00:00:02")],
	"processes": [],
	"status": {"neighbours": {"status": "read"}},
}

peer(mac) := {"name": "n2", "object": n2, "links": [device("192.0.2.2", mac)], "addresses": []}

one(n, peers) := {"node": n, "peers": peers, "cluster": {"nodes": [n1, n2]}}

right := neighbour("02:00:00:00:00:02", "PERMANENT")

wrong := neighbour("02:00:00:00:00:99", "PERMANENT")

test_found_not_what_the_peer_published if {
	found := rule.finding with input as one(node([wrong]), [])
	count(found) == 1
	some f in found
	f.affects == {"n1", "n2"}
	startswith(f.message, "n1 sends tunnel frames for Pods of n2 to the hardware address 02:00:00:00:00:99: ")
	{[e.value, e.source] | some e in f.evidence} == {
		["02:00:00:00:00:99", "ip neighbour show dev flannel.1"],
		["02:00:00:00:00:02", "nodes.json"],
	}
	f.fix.steps[0].run == "ip neighbour replace 10.244.2.0 lladdr 02:00:00:00:00:02 dev flannel.1 nud permanent"
}

# udev gave the device another address than the agent published: what the device has counts.
test_found_not_what_the_peers_device_has if {
	some f in rule.finding with input as one(node([right]), [peer("02:00:00:00:00:77")])
	split(f.fix.steps[0].run, "\n") == [
		"ip neighbour replace 10.244.2.0 lladdr 02:00:00:00:00:77 dev flannel.1 nud permanent",
		"bridge fdb replace 02:00:00:00:00:77 dev flannel.1 dst 192.0.2.2 self permanent",
	]
}

test_found_no_entry if {
	every neighbours in [[], [neighbour("", "FAILED")], [neighbour("02:00:00:00:00:02", "INCOMPLETE")]] {
		some f in rule.finding with input as one(node(neighbours), [])
		contains(f.message, "to no hardware address at all")
	}
}

test_found_calico_by_the_peers_device if {
	calico := {
		"metadata": {"name": "n2", "annotations": {"projectcalico.org/IPv4VXLANTunnelAddr": "10.244.2.0"}},
		"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.2"}]},
		"source": "nodes.json",
	}
	theirs := object.union(device("192.0.2.2", "02:00:00:00:00:02"), {"ifname": "vxlan.calico"})
	own := object.union(node([object.union(wrong, {"dev": "vxlan.calico"})]), {
		"links": [object.union(device("192.0.2.1", "02:00:00:00:00:01"), {"ifname": "vxlan.calico"})],
		"routes": [{"dst": "10.9.9.64/26", "via": "10.244.2.0", "dev": "vxlan.calico"}],
	})
	peers := [{"name": "n2", "object": calico, "links": [theirs], "addresses": []}]
	count(rule.finding) == 1 with input as {"node": own, "peers": peers, "cluster": {"nodes": [n1, calico]}}

	# Of a Calico whose other node was not read the hardware address is not known.
	some u in rule.unexamined with input as {"node": own, "peers": [], "cluster": {"nodes": [n1, calico]}}
	u.node == "n2"

	# Each node that was not read is asked for its own.
	n3 := json.patch(calico, [
		{"op": "replace", "path": "/metadata/name", "value": "n3"},
		{"op": "replace", "path": "/metadata/annotations/projectcalico.org~1IPv4VXLANTunnelAddr", "value": "10.244.3.0"},
	])
	two := object.union(own, {"routes": [
		{"dst": "10.9.9.64/26", "via": "10.244.2.0", "dev": "vxlan.calico"},
		{"dst": "10.9.9.128/26", "via": "10.244.3.0", "dev": "vxlan.calico"},
	]})
	asked := rule.unexamined with input as {"node": two, "peers": [], "cluster": {"nodes": [n1, calico, n3]}}
	{u2.node | some u2 in asked} == {"n2", "n3"}
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_ruled_out_right if {
	ruled_out_only with input as one(node([right]), [])
	ruled_out_only with input as one(node([right]), [peer("02:00:00:00:00:02")])
	ruled_out_only with input as one(node([neighbour("02:00:00:00:00:02", "STALE")]), [])
}

test_ruled_out_case_of_the_letters if {
	published := api_node("n2", "192.0.2.2", "10.244.2.0/24", "02:00:00:00:AB:CD")
	n := node([neighbour("02:00:00:00:ab:cd", "PERMANENT")])
	ruled_out_only with input as {"node": n, "peers": [], "cluster": {"nodes": [n1, published]}}
}

# host-gw, direct routing to a node of one's own network, no tunnel at all.
test_ruled_out_no_route_into_the_tunnel if {
	direct := object.union(node([]), {"routes": [{"dst": "10.244.2.0/24", "via": "192.0.2.2", "dev": "eth0"}]})
	ruled_out_only with input as one(direct, [])
}

test_ruled_out_device_that_learns if {
	learning := object.union(
		node([]),
		{"links": [object.union(device("192.0.2.1", "02:00:00:00:00:01"), {"vxlan": {"learning": true}})]},
	)
	ruled_out_only with input as one(learning, [])
}

# Its entry is renewed when it is back.
test_ruled_out_node_that_is_down if {
	down := object.union(n2, {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})
	ruled_out_only with input as {"node": node([wrong]), "peers": [], "cluster": {"nodes": [n1, down]}}
}

test_unexamined_incomplete_listing if {
	part := object.union(node([]), {"status": {"neighbours": {"status": "read", "reason": "the dump was interrupted"}}})
	count(rule.finding) == 0 with input as one(part, [])
	count(rule.ruled_out) == 0 with input as one(part, [])
	some u in rule.unexamined with input as one(part, [])
	u.group == "neighbours"
}

agent_pod(namespace, name, args) := {
	"metadata": {"namespace": namespace, "name": name},
	"spec": {"containers": [{"name": "agent", "args": args}]},
}

# kube-router that enforces policies alone has written none of the entries.
test_found_beside_who_enforces_policies if {
	with_agents := object.union(node([wrong]), {
		"pods": [
			agent_pod("kube-system", "kube-router-x", ["--run-router=false", "--run-firewall=true"]),
			agent_pod("kube-system", "kube-flannel-y", ["--kube-subnet-mgr"]),
		],
		"processes": [],
	})
	some f in rule.finding with input as one(with_agents, [])
	f.fix.steps[1].run == "kubectl -n kube-system delete pod kube-flannel-y"

	without_pods := object.union(node([wrong]), {"processes": [
		{"comm": "kube-router", "hostNetwork": true, "args": ["kube-router", "--run-router=false"]},
		{"comm": "flanneld", "hostNetwork": true, "args": ["flanneld"]},
	]})
	some g in rule.finding with input as object.union(one(without_pods, []), {"cluster": {"nodes": [n1, n2], "pods": []}})
	g.fix.steps[1].run == "systemctl restart flanneld"
}
