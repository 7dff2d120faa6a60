package netcause.rules.cni.flannel_wrong_interface_test

import data.netcause.rules.cni.flannel_wrong_interface as rule

api_node(name, own, published) := {
	"metadata": {"name": name, "annotations": {"flannel.alpha.coreos.com/public-ip": published}},
	"status": {"addresses": [{"type": "InternalIP", "address": own}]},
	"source": sprintf("kubectl get node %s -o yaml", [name]),
}

address(dev, local) := {
	"dev": dev,
	"family": "inet",
	"local": local,
	"prefixlen": 24,
	"source": sprintf("ip -d address show dev %s", [dev]),
}

of(nodes, api_nodes) := {"nodes": nodes, "cluster": {"nodes": api_nodes}}

nat := [
	api_node("n1", "10.0.2.15", "10.0.2.15"),
	api_node("n2", "10.0.2.15", "10.0.2.15"),
	api_node("n3", "10.1.0.3", "10.1.0.3"),
]

test_found_one_address_for_two_nodes if {
	found := rule.finding with input as of([], nat)
	count(found) == 1
	some f in found
	f.affects == {"n1", "n2"}
	startswith(f.message, "flannel on n1, n2 publishes one address, 10.0.2.15: ")
	contains(f.fix.steps[0].edit, "--iface=CARD")
}

test_found_interface_is_known_and_a_daemonset_runs_it if {
	api_nodes := [api_node("n1", "10.1.0.1", "10.0.2.15"), api_node("n2", "10.1.0.2", "10.0.2.15")]
	daemonset := {
		"metadata": {"namespace": "kube-flannel", "name": "kube-flannel-ds"},
		"spec": {"template": {"spec": {"containers": [{"name": "kube-flannel", "args": ["--ip-masq", "--kube-subnet-mgr"]}]}}},
	}
	nodes := [{"name": "n1", "object": api_nodes[0], "addresses": [address("eth0", "10.0.2.15"), address("eth1", "10.1.0.1")]}]
	some f in rule.finding with input as {"nodes": nodes, "cluster": {"nodes": api_nodes, "daemonsets": [daemonset]}}
	startswith(f.fix.steps[0].patch, "kubectl -n kube-flannel patch daemonset kube-flannel-ds --type json -p '[{")
	contains(f.fix.steps[0].patch, `"path":"/spec/template/spec/containers/0/args/-","value":"--iface=eth1"`)
}

test_found_address_of_a_card_that_no_peer_has_a_way_to if {
	api_nodes := [
		api_node("n1", "10.1.0.1", "172.17.0.1"),
		api_node("n2", "10.1.0.2", "10.1.0.2"),
		api_node("n3", "10.1.0.3", "10.1.0.3"),
	]
	nodes := [{"name": "n1", "object": api_nodes[0], "addresses": [address("docker0", "172.17.0.1"), address("eth0", "10.1.0.1")]}]
	found := rule.finding with input as of(nodes, api_nodes)
	count(found) == 1
	some f in found
	f.subject == {"kind": "Node", "name": "n1", "node": "n1"}
	contains(
		f.message,
		"publishes 172.17.0.1, of docker0, and every other node an address in the network of eth0",
	)
	contains(f.fix.steps[0].edit, "--iface=eth0")
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_ruled_out_each_its_own if {
	ruled_out_only with input as of([], [api_node("n1", "10.1.0.1", "10.1.0.1"), api_node("n2", "10.1.0.2", "10.1.0.2")])
}

# A second network for the overlay, all nodes alike.
test_ruled_out_network_of_its_own if {
	api_nodes := [api_node("n1", "10.1.0.1", "10.9.0.1"), api_node("n2", "10.1.0.2", "10.9.0.2")]
	nodes := [{
		"name": name,
		"object": api_nodes[i],
		"addresses": [address("eth0", sprintf("10.1.0.%d", [i + 1])), address("eth1", sprintf("10.9.0.%d", [i + 1]))],
	} |
		some i, name in ["n1", "n2"]
	]
	ruled_out_only with input as of(nodes, api_nodes)
}

# Nodes of several networks with routers between them.
test_ruled_out_peers_in_other_networks if {
	api_nodes := [
		api_node("n1", "10.1.0.1", "10.1.0.1"),
		api_node("n2", "10.2.0.2", "10.2.0.2"),
		api_node("n3", "10.3.0.3", "10.3.0.3"),
	]
	nodes := [{"name": "n1", "object": api_nodes[0], "addresses": [address("eth0", "10.1.0.1"), address("eth1", "10.9.0.1")]}]
	ruled_out_only with input as of(nodes, api_nodes)
}

test_ruled_out_second_address_of_the_same_card if {
	api_nodes := [api_node("n1", "10.1.0.1", "10.1.0.99"), api_node("n2", "10.1.0.2", "10.1.0.2")]
	nodes := [{"name": "n1", "object": api_nodes[0], "addresses": [address("eth0", "10.1.0.1"), address("eth0", "10.1.0.99")]}]
	ruled_out_only with input as of(nodes, api_nodes)
}

test_ruled_out_no_flannel if {
	ruled_out_only with input as of([], [{"metadata": {"name": "n1"}, "status": {}, "source": "nodes.json"}])
}

test_unexamined_foreign_address_and_cards_not_read if {
	api_nodes := [api_node("n1", "10.1.0.1", "172.17.0.1"), api_node("n2", "10.1.0.2", "10.1.0.2")]
	count(rule.ruled_out) == 0 with input as of([], api_nodes)
	some u in rule.unexamined with input as of([], api_nodes)
	u.node == "n1"
}

test_ruled_out_node_object_of_a_machine_with_a_new_name if {
	gone := object.union(api_node("old", "10.1.0.3", "10.1.0.3"), {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})
	nodes := [api_node("n1", "10.1.0.1", "10.1.0.1"), api_node("n3", "10.1.0.3", "10.1.0.3"), gone]
	count(rule.finding) == 0 with input as of([], nodes)
	count(rule.ruled_out) == 1 with input as of([], nodes)
}

test_ruled_out_annotations_that_flannel_left_behind if {
	cilium := {"metadata": {"name": "cilium", "namespace": "kube-system"}}
	after := {"nodes": [], "cluster": {"nodes": nat, "daemonsets": [cilium]}}
	count(rule.finding) == 0 with input as after
	some r in rule.ruled_out with input as after
	r.message == "flannel's annotations are of the time before another network plugin took its place"
}
