package netcause.rules.network_unreachable.vxlan_fdb_wrong_test

import data.netcause.rules.network_unreachable.vxlan_fdb_wrong as rule

api_node(name, address, cidr, mac) := {
	"metadata": {"name": name, "annotations": {
		"flannel.alpha.coreos.com/public-ip": address,
		"flannel.alpha.coreos.com/backend-data": sprintf(`{"VNI":1,"VtepMAC":"%s"}`, [mac]),
	}},
	"spec": {"podCIDR": cidr},
	"status": {"addresses": [{"type": "InternalIP", "address": address}]},
	"source": "nodes.json",
}

n1 := api_node("n1", "192.0.2.1", "10.244.1.0/24", "02:00:00:00:00:01")

n2 := api_node("n2", "192.0.2.2", "10.244.2.0/24", "02:00:00:00:00:02")

n3 := api_node("n3", "192.0.2.3", "10.244.3.0/24", "02:00:00:00:00:03")

entry(mac, dst) := {"mac": mac, "dev": "flannel.1", "dst": dst, "source": "bridge fdb show dev flannel.1"}

node(fdb) := {
	"name": "n1",
	"object": n1,
	"links": [{
		"ifname": "flannel.1",
		"kind": "vxlan",
		"flags": ["UP"],
		"address": "02:00:00:00:00:01",
		"vxlan": {"id": 1, "port": 8472, "local": "192.0.2.1", "learning": false},
		"source": "ip -d link show dev flannel.1",
	}],
	"addresses": [],
	"routes": [{"dst": "10.244.2.0/24", "via": "10.244.2.0", "dev": "flannel.1"}],
	"neighbours": [{
		"dst": "10.244.2.0",
		"dev": "flannel.1",
		"lladdr": "02:00:00:00:00:02",
		"state": "PERMANENT",
		"source": "ip neighbour",
	}],
	"fdb": fdb,
	"processes": [],
	"status": {"fdb": {"status": "read"}},
}

one(n) := {"node": n, "peers": [], "cluster": {"nodes": [n1, n2, n3]}}

right := entry("02:00:00:00:00:02", "192.0.2.2")

test_found_address_of_nobody if {
	found := rule.finding with input as one(node([entry("02:00:00:00:00:02", "192.0.2.99")]))
	count(found) == 1
	some f in found
	f.affects == {"n1", "n2"}
	f.message == "n1 sends tunnel packets for Pods of n2 to 192.0.2.99, which is no address of it nor of any Node."
	{[e.value, e.source] | some e in f.evidence} == {
		["192.0.2.99", "bridge fdb show dev flannel.1"],
		["192.0.2.2", "nodes.json"],
	}
	f.fix.steps[0].run == "bridge fdb replace 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.2 self permanent"
}

test_found_address_of_another_node if {
	some f in rule.finding with input as one(node([entry("02:00:00:00:00:02", "192.0.2.3")]))
	f.message == "n1 sends tunnel packets for Pods of n2 to 192.0.2.3, which is no address of it but of n3."
}

test_found_no_entry if {
	some f in rule.finding with input as one(node([entry("02:00:00:00:00:03", "192.0.2.3")]))
	f.message == "n1 sends tunnel packets for Pods of n2 nowhere: it has no entry for its hardware address."
}

# What `bridge fdb append` leaves: the entries that lead elsewhere go first.
test_found_several_wrong_entries if {
	some f in rule.finding with input as one(node([entry("02:00:00:00:00:02", "192.0.2.98"), entry("02:00:00:00:00:02", "192.0.2.99")]))
	split(f.fix.steps[0].run, "\n") == [
		"bridge fdb delete 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.98 self",
		"bridge fdb delete 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.99 self",
		"bridge fdb replace 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.2 self permanent",
	]
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_ruled_out_right if {
	ruled_out_only with input as one(node([right]))
}

# The peer publishes an address that its Node does not have: a network of its own.
test_ruled_out_published_address if {
	beside := object.union(n2, {"metadata": {"annotations": {"flannel.alpha.coreos.com/public-ip": "10.1.0.2"}}})
	i := {"node": node([entry("02:00:00:00:00:02", "10.1.0.2")]), "peers": [], "cluster": {"nodes": [n1, beside]}}
	ruled_out_only with input as i
}

test_ruled_out_second_address_of_a_peer_that_was_read if {
	peer := {"name": "n2", "object": n2, "links": [], "addresses": [{"dev": "eth1", "local": "10.1.0.2"}]}
	i := {"node": node([entry("02:00:00:00:00:02", "10.1.0.2")]), "peers": [peer], "cluster": {"nodes": [n1, n2]}}
	ruled_out_only with input as i
}

test_ruled_out_entry_of_a_node_that_went if {
	ruled_out_only with input as one(node([right, entry("02:00:00:00:00:88", "192.0.2.88")]))
}

# Both tables have the peer's former hardware address: the neighbour's rule says so.
test_ruled_out_former_hardware_address_in_both_tables if {
	n := object.union(node([entry("02:00:00:00:00:77", "192.0.2.2")]), {"neighbours": [{
		"dst": "10.244.2.0",
		"dev": "flannel.1",
		"lladdr": "02:00:00:00:00:77",
		"state": "PERMANENT",
		"source": "ip neighbour",
	}]})
	count(rule.finding) == 0 with input as one(n)
}

test_ruled_out_direct_route if {
	ruled_out_only with input as one(object.union(node([]), {"routes": [{"dst": "10.244.2.0/24", "via": "192.0.2.2", "dev": "eth0"}]}))
}

test_unexamined_incomplete_listing if {
	part := object.union(node([]), {"status": {"fdb": {"status": "read", "reason": "the dump was interrupted"}}})
	count(rule.finding) == 0 with input as one(part)
	some u in rule.unexamined with input as one(part)
	u.group == "fdb"
}

test_unexamined_hardware_address_is_not_known if {
	plain := {
		"metadata": {"name": "n2"},
		"spec": {"podCIDR": "10.244.2.0/24"},
		"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.2"}]},
	}
	i := {"node": object.union(node([]), {"neighbours": []}), "peers": [], "cluster": {"nodes": [n1, plain]}}
	count(rule.finding) == 0 with input as i
	some u in rule.unexamined with input as i
	u.node == "n2"
}
