package netcause.rules.large_packet_loss.path_mtu_mismatch_test

import data.netcause.rules.large_packet_loss.path_mtu_mismatch as rule

nic(mtu) := {
	"ifname": "eth0",
	"link_type": "ether",
	"mtu": mtu,
	"flags": ["UP", "LOWER_UP"],
	"source": "ip -d link show dev eth0",
}

tunl0(mtu) := {
	"ifname": "tunl0",
	"kind": "ipip",
	"link_type": "ipip",
	"mtu": mtu,
	"flags": ["NOARP", "UP", "LOWER_UP"],
	"tunnel": {"pmtudisc": true},
	"source": "ip -d link show dev tunl0",
}

flannel(mtu) := {
	"ifname": "flannel.1",
	"kind": "vxlan",
	"link_type": "ether",
	"mtu": mtu,
	"flags": ["UP", "LOWER_UP"],
	"vxlan": {"id": 1, "local": "192.0.2.1", "link": "eth0"},
	"source": "ip -d link show dev flannel.1",
}

veth(mtu) := {
	"ifname": "cali0123456789a",
	"kind": "veth",
	"link_type": "ether",
	"mtu": mtu,
	"flags": ["UP", "LOWER_UP"],
	"link_netnsid": 0,
	"source": "ip -d link show dev cali0123456789a",
}

loopback := {"ifname": "lo", "link_type": "loopback", "mtu": 65536, "flags": ["UP"], "source": "ip -d link show dev lo"}

into(dev) := {
	"type": "unicast",
	"dst": "10.244.2.0/26",
	"via": "192.0.2.2",
	"dev": dev,
	"family": "inet",
	"protocol": "bird",
	"source": "ip route show table facts",
}

pod(mtu, route) := {
	"id": "cni-1",
	"pod": {"namespace": "default", "name": "web-0"},
	"links": [loopback, {"ifname": "eth0", "kind": "veth", "link_type": "ether", "mtu": mtu, "source": "ip netns exec cni-1 ip link"}],
	"addresses": [{"dev": "lo", "family": "inet", "local": "127.0.0.1"}, {"dev": "eth0", "family": "inet", "local": "10.244.1.7"}],
	"routes": [object.union({"dst": "0.0.0.0/0", "via": "169.254.1.1", "dev": "eth0"}, route)],
}

node(name, links, pods) := {
	"name": name,
	"object": {
		"metadata": {"name": name},
		"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
		"source": "nodes.json",
	},
	"links": array.concat([loopback], links),
	"addresses": [{"dev": "eth0", "family": "inet", "local": "192.0.2.1", "prefixlen": 24}],
	"routes": [into(link.ifname) | some link in links; link.kind != "veth"],
	"namespaces": pods,
	"status": {"nftables": {"status": "read"}, "iptables_legacy": {"status": "read"}},
}

incident(nodes) := {"nodes": nodes, "cluster": {}}

two(links, pods) := incident([node("n1", links, pods), node("n2", links, pods)])

client(mtu) := {
	"name": "client",
	"links": [loopback, nic(mtu)],
	"addresses": [{"dev": "eth0", "family": "inet", "local": "198.51.100.9"}],
	"routes": [{"dst": "0.0.0.0/0", "via": "198.51.100.1", "dev": "eth0"}],
	"namespaces": [],
}

by_eth0 := {"status": "route", "route": {"dst": "0.0.0.0/0", "dev": "eth0", "source": "ip route"}}

with_client(incident_of_two, mtu) := object.union(incident_of_two, {"nodes": array.concat(incident_of_two.nodes, [client(mtu)])})

clamp(rule_text) := {"backend": "iptables-nft", "rule": rule_text, "source": "iptables-nft-save, line 7", "always": true}

no_rules := {"modes": [], "detached": []}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

calico := [nic(1500), tunl0(1440), veth(1500)]

test_found_calico_with_client_outside if {
	incident_of_all := with_client(two(calico, [pod(1500, {})]), 1500)
	found := rule.finding with input as incident_of_all
		with netcause.mss_clamps as []
		with netcause.route as by_eth0
		with netcause.kube_proxy_rules as no_rules
	count(found) == 1
	some f in found
	f.severity == "critical"
	f.affects == {"n1", "n2"}
	contains(f.message, "packets of 1500 bytes (MSS 1460), but tunl0 on n")
	startswith(f.message, "Pods on n1, n2 (default/web-0 on n")
	regex.match(`carries 1440: large packets from client, a Pod on n[12] or others by eth0 of n[12] vanish\.$`, f.message)
	facts := {[e.fact, e.value] | some e in f.evidence}
	["MTU of eth0 on client", "1500"] in facts
	["MTU of tunl0 on n2", "1440"] in facts
	["MTU of eth0 of Pod default/web-0 on n1", "1500"] in facts
	f.fix.steps[0].node == "client"
	f.fix.steps[0].run == "ip link set dev eth0 mtu 1440"
	contains([step.patch | some step in f.fix.steps][0], `{"data":{"veth_mtu":"1440"}}`)
	some raise in f.fix.alternatives
	endswith(raise.summary, "between the nodes carry 1520 bytes")
	raise.steps[0].edit == "on every node: ip link set dev eth0 mtu 1520"
	contains(raise.steps[1].patch, `{"data":{"veth_mtu":"1500"}}`)
	startswith(f.verify, "ping -M do -s 1412 ")
}

test_found_calico_without_client if {
	some f in rule.finding with input as two(calico, [pod(1500, {})]) with netcause.mss_clamps as []
	f.severity == "critical"
	not "client" in {step.node | some step in f.fix.steps}
	regex.match(`large packets from a Pod on n[12] or others by eth0 of n[12] vanish\.$`, f.message)
}

test_found_says_who_sends if {
	some f in rule.finding with input as two([nic(1400), tunl0(1440), veth(1500)], [])
		with netcause.mss_clamps as []
	startswith(f.message, "Pods on n1, n2 let a sender")
	regex.match(`carries 1380: large packets from a Pod on n[12] or others by eth0 of n[12] vanish\.$`, f.message)
	some g in rule.finding with input as two([tunl0(1440), veth(1500)], []) with netcause.mss_clamps as []
	regex.match(`carries 1440: large packets from a Pod on n[12] vanish\.$`, g.message)
}

test_found_one_node_names_another_nodes_pod if {
	some f in rule.finding with input as incident([node("n1", calico, [pod(1500, {})])]) with netcause.mss_clamps as []
	endswith(f.message, ": large packets from another node's Pod or others by eth0 of n1 vanish.")
}

test_found_client_already_lowered_is_a_warning if {
	some f in rule.finding with input as with_client(two(calico, [pod(1500, {})]), 1440)
		with netcause.mss_clamps as []
		with netcause.route as by_eth0
		with netcause.kube_proxy_rules as no_rules
	f.severity == "warning"
}

# A node whose kubelet died is no client: what kube-proxy wrote is still there.
test_found_node_without_kubelet_is_no_client if {
	rules_there := {"modes": [{"mode": "iptables-nft"}], "detached": []}
	some f in rule.finding with input as with_client(two(calico, [pod(1500, {})]), 1500)
		with netcause.mss_clamps as []
		with netcause.route as by_eth0
		with netcause.kube_proxy_rules as rules_there
	not "client" in {step.node | some step in f.fix.steps}
}

test_found_by_the_hosts_veth_ends if {
	count(rule.finding) == 1 with input as two(calico, []) with netcause.mss_clamps as []
}

test_found_namespaces_not_read if {
	unread := json.remove(two(calico, []), ["/nodes/0/namespaces", "/nodes/1/namespaces"])
	count(rule.finding) == 1 with input as unread with netcause.mss_clamps as []
}

test_found_one_node_known if {
	count(rule.finding) == 1 with input as incident([node("n1", calico, [pod(1500, {})])]) with netcause.mss_clamps as []
}

test_found_no_cluster if {
	bare := json.remove(two(calico, [pod(1500, {})]), ["/nodes/0/object", "/nodes/1/object"])
	count(rule.finding) == 1 with input as bare with netcause.mss_clamps as []
}

test_found_object_alone_beside_collected_nodes if {
	alone := {"name": "n3", "object": {"metadata": {"name": "n3"}}, "status": {}}
	facts := incident(array.concat(two(calico, [pod(1500, {})]).nodes, [alone]))
	count(rule.finding) == 1 with input as facts with netcause.mss_clamps as []
}

test_found_operator_of_calico if {
	operated := object.union(two(calico, [pod(1500, {})]), {"cluster": {"daemonsets": [{"metadata": {
		"name": "calico-node",
		"namespace": "calico-system",
	}}]}})
	some f in rule.finding with input as operated with netcause.mss_clamps as []
	patches := [step.patch | some step in f.fix.steps]
	contains(patches[0], `patch installation default --type merge -p '{"spec":{"calicoNetwork":{"mtu":1440}}}'`)
}

test_found_overlay_over_small_uplink if {
	some f in rule.finding with input as two([nic(1400), flannel(1450), veth(1450)], []) with netcause.mss_clamps as []
	contains(f.message, "packets of 1450 bytes (MSS 1410), but flannel.1 on n")
	contains(f.message, "carries 1350")
	{e.value | some e in f.evidence} == {"1400", "1450"}
	some raise in f.fix.alternatives
	endswith(raise.summary, "carry 1500 bytes")
	[step.edit | some step in raise.steps] == ["on every node: ip link set dev eth0 mtu 1500"]
}

test_found_one_uplink_is_small if {
	small := node("n1", [nic(1400), flannel(1450), veth(1450)], [])
	healthy := node("n2", [nic(1500), flannel(1450), veth(1450)], [])
	some f in rule.finding with input as incident([small, healthy]) with netcause.mss_clamps as []
	f.affects == {"n1", "n2"}
	contains(f.message, "flannel.1 carries 1350 bytes there")

	# flannel takes 50 off what it is told.
	contains(f.fix.alternatives[0].steps[0].edit, `set "MTU": 1400 in "Backend"`)
}

test_found_pods_larger_than_vxlan if {
	some f in rule.finding with input as two([nic(1500), flannel(1450)], [pod(1500, {})]) with netcause.mss_clamps as []
	contains(f.message, "packets of 1500 bytes (MSS 1460), but flannel.1 on n")
	contains(f.fix.steps[0].edit, "set the MTU of the network plugin to 1450")
}

test_found_tunnel_as_large_as_the_uplink if {
	some f in rule.finding with input as two([nic(1500), flannel(1500), veth(1500)], []) with netcause.mss_clamps as []
	contains(f.message, "carries 1450")
}

test_found_wireguard_route_without_gateway if {
	wireguard := {"ifname": "wireguard.cali", "kind": "wireguard", "mtu": 1440, "flags": ["UP"], "source": "ip -d link"}
	routed := [object.remove(into("wireguard.cali"), ["via"])]
	nodes := [object.union(node(name, [nic(1500), wireguard], [pod(1500, {})]), {"routes": routed}) | some name in ["n1", "n2"]]
	count(rule.finding) == 1 with input as incident(nodes) with netcause.mss_clamps as []
}

test_found_uplink_not_known if {
	nodes := [object.union(node(name, [tunl0(1440)], [pod(1500, {})]), {"addresses": []}) | some name in ["n1", "n2"]]
	count(rule.finding) == 1 with input as incident(nodes) with netcause.mss_clamps as []
}

test_found_clamp_too_high if {
	set := object.union(clamp("-A FORWARD -p tcp -j TCPMSS --set-mss 1460"), {"set_mss": 1460})
	count(rule.finding) == 1 with input as two(calico, [pod(1500, {})]) with netcause.mss_clamps as [set]
}

test_found_clamp_of_another_device if {
	other := clamp("-A FORWARD -o ppp0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu")
	count(rule.finding) == 1 with input as two(calico, [pod(1500, {})]) with netcause.mss_clamps as [other]
}

# The kernel takes the device's 1450 for the path's MTU.
test_found_clamp_does_not_know_the_uplink if {
	to_path := clamp("-A FORWARD -p tcp -j TCPMSS --clamp-mss-to-pmtu")
	count(rule.finding) == 1 with input as two([nic(1400), flannel(1450), veth(1450)], []) with netcause.mss_clamps as [to_path]
}

test_found_route_mtu_still_too_high if {
	count(rule.finding) == 1 with input as two(calico, [pod(1500, {"mtu": 1480})]) with netcause.mss_clamps as []
}

test_ruled_out_healthy_calico if {
	ruled_out_only with input as two([nic(1500), tunl0(1440), veth(1440)], []) with netcause.mss_clamps as []
	ruled_out_only with input as two([nic(1500), tunl0(1440), veth(1440)], [pod(1440, {})]) with netcause.mss_clamps as []
	ruled_out_only with input as with_client(two([nic(1500), tunl0(1440), veth(1440)], [pod(1440, {})]), 1500)
		with netcause.mss_clamps as []
		with netcause.route as by_eth0
		with netcause.kube_proxy_rules as no_rules
}

test_ruled_out_healthy_flannel if {
	ruled_out_only with input as two([nic(1500), flannel(1450), veth(1450)], [pod(1450, {})]) with netcause.mss_clamps as []
}

test_ruled_out_jumbo_uplink if {
	ruled_out_only with input as two([nic(9000), flannel(1450), veth(1450)], [pod(1450, {})]) with netcause.mss_clamps as []
	ruled_out_only with input as with_client(two([nic(9000), flannel(8950), veth(8950)], [pod(8950, {})]), 9000)
		with netcause.mss_clamps as []
		with netcause.route as by_eth0
		with netcause.kube_proxy_rules as no_rules
}

test_ruled_out_small_nic_not_on_the_way if {
	other := {"ifname": "eth1", "link_type": "ether", "mtu": 1280, "flags": ["UP"], "source": "ip -d link"}
	nodes := [object.union(n, {"routes": [into("flannel.1")]}) |
		some name in ["n1", "n2"]
		n := node(name, [nic(1500), other, flannel(1450), veth(1450)], [])
	]
	ruled_out_only with input as incident(nodes) with netcause.mss_clamps as []
}

test_ruled_out_vpn_not_on_the_way if {
	vpn := {"ifname": "wg0", "kind": "wireguard", "mtu": 1380, "flags": ["UP"], "source": "ip -d link"}
	to_office := {"dst": "172.16.0.0/12", "dev": "wg0", "type": "unicast", "source": "ip route"}
	api_node := {"metadata": {"name": "n2"}, "spec": {"podCIDR": "10.244.2.0/24"}}
	nodes := [object.union(n, {"routes": [into("flannel.1"), to_office]}) |
		some name in ["n1", "n2"]
		n := node(name, [nic(1500), vpn, flannel(1450), veth(1450)], [])
	]
	ruled_out_only with input as {"nodes": nodes, "cluster": {"nodes": [api_node]}} with netcause.mss_clamps as []
}

test_ruled_out_tunnel_down_or_without_routes if {
	down := object.union(tunl0(1440), {"flags": ["NOARP"]})
	ruled_out_only with input as two([nic(1500), down, veth(1500)], []) with netcause.mss_clamps as []
	unused := [object.union(n, {"routes": []}) |
		some name in ["n1", "n2"]
		n := node(name, [nic(1500), tunl0(1440), veth(1500)], [])
	]
	ruled_out_only with input as incident(unused) with netcause.mss_clamps as []
}

test_ruled_out_clamped if {
	every rule_text in [
		"-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
		"-A FORWARD -o tunl0 -p tcp -j TCPMSS --clamp-mss-to-pmtu",
		"-A FORWARD ! -o docker0 -p tcp -j TCPMSS --clamp-mss-to-pmtu",
		`oifname "tunl0" tcp flags syn tcp option maxseg size set rt mtu`,
	] {
		ruled_out_only with input as two(calico, [pod(1500, {})]) with netcause.mss_clamps as [clamp(rule_text)]
	}
	low := object.union(clamp("-A FORWARD -p tcp -j TCPMSS --set-mss 1380"), {"set_mss": 1380})
	ruled_out_only with input as two(calico, [pod(1500, {})]) with netcause.mss_clamps as [low]
	some r in rule.ruled_out with input as two(calico, [pod(1500, {})]) with netcause.mss_clamps as [low]
	"-A FORWARD -p tcp -j TCPMSS --set-mss 1380" in {e.value | some e in r.evidence}
}

test_ruled_out_route_of_the_pod if {
	ruled_out_only with input as two(calico, [pod(1500, {"mtu": 1440})]) with netcause.mss_clamps as []
	ruled_out_only with input as two(calico, [pod(1500, {"advmss": 1400})]) with netcause.mss_clamps as []
}

test_ruled_out_second_network_of_a_pod if {
	fast := {"ifname": "net1", "link_type": "ether", "mtu": 9000, "source": "ip link"}
	attached := pod(1450, {})
	both := object.union(attached, {
		"links": array.concat(attached.links, [fast]),
		"addresses": array.concat(attached.addresses, [{"dev": "net1", "family": "inet", "local": "198.51.100.20"}]),
	})
	ruled_out_only with input as two([nic(1500), flannel(1450), veth(1450)], [both]) with netcause.mss_clamps as []
}

test_ruled_out_containers_that_are_no_pods if {
	docker := object.union(object.remove(pod(1500, {}), ["pod"]), {"id": "docker-1"})
	ruled_out_only with input as two([nic(1500), flannel(1450)], [docker, pod(1450, {})]) with netcause.mss_clamps as []
	port := object.union(veth(1500), {"ifname": "vethd0c4e2", "master": "docker0"})
	ruled_out_only with input as two([nic(1500), flannel(1450), veth(1450), port], []) with netcause.mss_clamps as []
}

test_ruled_out_no_tunnel if {
	ruled_out_only with input as two([nic(1500), veth(1500)], [pod(1500, {})]) with netcause.mss_clamps as []
}

test_unexamined_no_pod_seen if {
	nodes := two([nic(1500), tunl0(1440)], [])
	some u in rule.unexamined with input as nodes with netcause.mss_clamps as []
	u.group == "namespaces"
	count(rule.finding) == 0 with input as nodes with netcause.mss_clamps as []
	count(rule.ruled_out) == 0 with input as nodes with netcause.mss_clamps as []
}

test_unexamined_veth_pair_inside_the_node_is_no_pod if {
	pair := object.remove(veth(1500), ["link_netnsid"])
	some u in rule.unexamined with input as two([nic(1500), flannel(1450), pair], []) with netcause.mss_clamps as []
	u.group == "namespaces"
	count(rule.finding) == 0 with input as two([nic(1500), flannel(1450), pair], []) with netcause.mss_clamps as []
	ruled_out_only with input as two([nic(1500), flannel(1450), veth(1450), pair], []) with netcause.mss_clamps as []
}

bridge := object.union(nic(1500), {"ifname": "br-ex", "kind": "bridge"})

over(dev) := object.union(flannel(1450), {"vxlan": {"link": dev}})

port(ifname, kind, mtu, master) := {
	"ifname": ifname,
	"kind": kind,
	"mtu": mtu,
	"master": master,
	"flags": ["UP", "LOWER_UP"],
	"source": sprintf("ip -d link show dev %s", [ifname]),
}

# The tunnel leaves by the link's ports.
behind(ports) := incident([object.union(n, {"routes": [into("flannel.1")]}) |
	some name in ["n1", "n2"]
	n := node(name, array.concat([over("br-ex"), bridge], ports), [pod(1450, {})])
])

test_found_small_port_of_the_bridge_below if {
	some f in rule.finding with input as behind([port("ens5", "", 1400, "br-ex"), port("tap0", "tun", 1500, "br-ex")])
		with netcause.mss_clamps as []
	contains(f.message, "carries 1350")
	facts := {[e.fact, e.value] | some e in f.evidence}
	["MTU of br-ex on n2", "1500"] in facts
	["MTU of ens5 on n2", "1400"] in facts
	some raise in f.fix.alternatives
	"on every node: ip link set dev ens5 mtu 1500" in {step.edit | some step in raise.steps}
}

test_found_small_slave_of_the_bond_in_the_bridge_below if {
	bonded := [port("bond0", "bond", 1500, "br-ex"), port("ens5", "", 1500, "bond0"), port("ens6", "", 1400, "bond0")]
	count(rule.finding) == 1 with input as behind(bonded) with netcause.mss_clamps as []
}

test_found_small_port_of_a_bridge_without_hardware if {
	count(rule.finding) == 1 with input as behind([port("tap0", "tun", 1400, "br-ex")]) with netcause.mss_clamps as []
}

test_found_small_slave_of_the_bond_below if {
	bond := object.union(nic(1500), {"ifname": "bond0", "kind": "bond"})
	nodes := [object.union(n, {"routes": [into("flannel.1")]}) |
		some name in ["n1", "n2"]
		n := node(name, [over("bond0"), bond, port("ens5", "", 1400, "bond0")], [pod(1450, {})])
	]
	count(rule.finding) == 1 with input as incident(nodes) with netcause.mss_clamps as []
}

test_ruled_out_ports_that_do_not_lead_out if {
	ruled_out_only with input as behind([port("ens5", "", 1500, "br-ex"), port("tap0", "tun", 1400, "br-ex")])
		with netcause.mss_clamps as []
	ruled_out_only with input as behind([port("ens5", "", 1500, "br-ex"), port("ens6", "", 1400, "br-other")])
		with netcause.mss_clamps as []
}

test_ruled_out_port_of_a_pod_in_a_bridge_without_hardware if {
	of_pod := object.union(port("lxc1", "veth", 1400, "br-ex"), {"ifindex": 7})
	known := pod(1450, {})
	linked := object.union(known, {"links": [object.union(link, {"link_index": 7}) | some link in known.links]})
	nodes := [object.union(n, {"namespaces": [linked]}) | some n in behind([of_pod, port("tap0", "tun", 1500, "br-ex")]).nodes]
	ruled_out_only with input as incident(nodes) with netcause.mss_clamps as []
}

test_found_clamp_that_only_some_come_by if {
	some_only := object.union(clamp("-A FORWARD -p tcp --dport 9999 -j TCPMSS --clamp-mss-to-pmtu"), {"always": false})
	count(rule.finding) == 1 with input as two(calico, [pod(1500, {})]) with netcause.mss_clamps as [some_only]
}

test_found_one_uplink_alone_is_narrow if {
	wide := [nic(1500), flannel(1450), veth(1450)]
	nodes := [node("n1", [nic(1400), flannel(1450), veth(1450)], []), node("n2", wide, []), node("n3", wide, [])]
	some f in rule.finding with input as incident(nodes) with netcause.mss_clamps as []
	f.message == concat(" ", [
		"eth0 of n1 has an MTU of 1400: flannel.1 carries 1350 bytes there, where other nodes' carry 1450 and Pods let a",
		"sender use 1450 (MSS 1410): large packets from a Pod on n1 or others by eth0 of n1 vanish.",
	])
	f.fix.steps[0] == {"node": "n1", "run": "ip link set dev eth0 mtu 1500"}
	startswith(f.fix.alternatives[0].summary, "One MTU along the whole path: 1350")
}

test_found_says_that_netfilter_was_not_read if {
	nodes := [object.union(n, {"status": {"nftables": {"status": "absent"}}}) | some n in two(calico, [pod(1500, {})]).nodes]
	some f in rule.finding with input as incident(nodes) with netcause.mss_clamps as []
	endswith(f.message, " vanish, unless a rule of n1 or n2 that was not read clamps the MSS.")
	"not known: its rules of netfilter were not all read" in {e.value | some e in f.evidence}
}

test_unexamined_tunnel_of_programs if {
	vxlan := {"ifname": "cilium_vxlan", "kind": "vxlan", "mtu": 1500, "flags": ["UP"], "source": "ip -d link"}
	cilium := incident([object.union(node("n1", [nic(1500), vxlan], []), {"routes": []})])
	count(rule.ruled_out) == 0 with input as cilium
	some u in rule.unexamined with input as cilium
	startswith(u.reason, "no route leads into cilium_vxlan: ")
}
