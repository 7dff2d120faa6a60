package netcause.rules.network_unreachable.overlay_port_blocked_test

import data.netcause.rules.network_unreachable.overlay_port_blocked as rule

api_node(name, address) := {
	"metadata": {"name": name},
	"status": {"addresses": [{"type": "InternalIP", "address": address}]},
	"source": "nodes.json",
}

n1 := api_node("n1", "192.0.2.1")

n2 := api_node("n2", "192.0.2.2")

vxlan := {
	"ifname": "flannel.1",
	"kind": "vxlan",
	"flags": ["UP"],
	"vxlan": {"id": 1, "port": 8472, "local": "192.0.2.1", "link": "eth0"},
	"source": "ip -d link show dev flannel.1",
}

node(link) := {
	"name": "n1",
	"object": n1,
	"links": [link],
	"addresses": [{"dev": "eth0", "family": "inet", "local": "192.0.2.1", "prefixlen": 24}],
	"routes": [{"dst": "10.244.2.0/24", "via": "10.244.2.0", "dev": link.ifname}],
	"processes": [],
	"status": {},
}

one(n) := {"node": n, "peers": [], "cluster": {"nodes": [n1, n2]}}

to_n2 := {"status": "route", "route": {"dst": "192.0.2.0/24", "dev": "eth0"}}

accepted := {"verdict": "accept", "unread": []}

decider(chain, owners) := {
	"backend": "iptables-nf_tables",
	"family": "ip",
	"table": "filter",
	"chain": chain,
	"rule": "-A INPUT -p udp -m udp --dport 8472 -j DROP",
	"policy": false,
	"packets": 12,
	"owners": owners,
	"way": ["INPUT"],
	"source": "iptables-nft-save -c, line 7",
}

in_input("n1", "input", packet) := {"verdict": "drop", "rule": decider("INPUT", []), "unread": []} if {
	packet == {"src": "192.0.2.2", "dst": "192.0.2.1", "proto": "udp", "dport": 8472, "iif": "eth0", "ctstate": "NEW"}
} else := accepted

in_input("n1", hook, _) := accepted if hook != "input"

test_found_vxlan_in_input if {
	found := rule.finding with input as one(node(vxlan)) with netcause.traverse as in_input with netcause.route as to_n2
	count(found) == 1
	some f in found
	f.severity == "critical"
	f.affects == {"n1", "n2"}
	f.message == concat("", [
		"n1 stops VXLAN (UDP port 8472) from n2: the rule \"-A INPUT -p udp -m udp --dport 8472 -j DROP\" of ",
		"chain INPUT (iptables-nf_tables, table filter), which no chain or table names the owner of.",
	])
	f.fix.steps[0].run == "iptables-nft -t filter -I INPUT -p udp -s 192.0.2.2 --dport 8472 -j ACCEPT"
}

in_output("n1", "output", packet) := {
	"verdict": "reject",
	"rule": object.union(decider("OUTPUT", []), {"way": ["OUTPUT"]}),
	"unread": [],
} if {
	packet == {"src": "192.0.2.1", "dst": "192.0.2.2", "proto": "udp", "dport": 8472, "oif": "eth0", "ctstate": "NEW"}
} else := accepted

in_output("n1", hook, _) := accepted if hook != "output"

test_found_vxlan_in_output if {
	some f in rule.finding with input as one(node(vxlan)) with netcause.traverse as in_output with netcause.route as to_n2
	startswith(f.message, "n1 stops VXLAN (UDP port 8472) to n2: ")
	f.fix.steps[0].run == "iptables-nft -t filter -I OUTPUT -p udp -d 192.0.2.2 --dport 8472 -j ACCEPT"
}

ipip := {"ifname": "tunl0", "kind": "ipip", "flags": ["UP"], "source": "ip -d link show dev tunl0"}

protocol_4("n1", "input", packet) := {"verdict": "drop", "rule": decider("INPUT", []), "unread": []} if {
	packet.proto == "4"
	packet.ctstate == "NEW"
} else := accepted

protocol_4("n1", hook, _) := accepted if hook != "input"

# What answers the node's own packets passes, so it is not always dead.
test_found_ipip_that_passes_as_an_answer if {
	some f in rule.finding with input as one(node(ipip)) with netcause.traverse as protocol_4 with netcause.route as to_n2
	f.severity == "warning"
	f.fix.steps[0].run == "iptables-nft -t filter -I INPUT -p 4 -s 192.0.2.2 -j ACCEPT"
}

every_input(owners) := {"verdict": "drop", "rule": decider("INPUT", owners), "unread": []}

test_found_owners if {
	some u in rule.finding with input as one(node(vxlan))
		with netcause.traverse as every_input(["ufw"])
		with netcause.route as to_n2
	u.fix.steps[0].run in {
		"ufw allow in proto udp from 192.0.2.2 to any port 8472",
		"ufw allow out proto udp from any to 192.0.2.2 port 8472",
	}
	some f in rule.finding with input as one(node(vxlan))
		with netcause.traverse as every_input(["firewalld"])
		with netcause.route as to_n2
	f.fix.steps[0].run == "firewall-cmd --add-port=8472/udp\nfirewall-cmd --permanent --add-port=8472/udp"
	some k in rule.finding with input as one(node(vxlan))
		with netcause.traverse as every_input(["kubelet"])
		with netcause.route as to_n2
	contains(k.fix.steps[0].edit, "1.8.8")
	some c in rule.finding with input as one(node(vxlan))
		with netcause.traverse as every_input(["Calico"])
		with netcause.route as to_n2
	contains(c.fix.steps[0].edit, "restart the network agent")
}

test_found_programs_tunnel_without_a_route if {
	cilium := {
		"ifname": "cilium_vxlan",
		"kind": "vxlan",
		"flags": ["UP"],
		"vxlan": {"id": 0, "external": true, "port": 8472},
		"source": "ip -d link",
	}
	n := object.union(node(cilium), {"routes": []})
	count(rule.finding) == 1 with input as one(n) with netcause.traverse as in_input with netcause.route as to_n2
}

test_found_geneve_by_its_name if {
	geneve := {"ifname": "genev_sys_6081", "kind": "geneve", "flags": ["UP"], "source": "ip -d link"}
	some f in rule.finding with input as one(node(geneve))
		with netcause.traverse as every_input([])
		with netcause.route as to_n2
	contains(f.message, "Geneve (UDP port 6081)")
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_ruled_out_it_passes if {
	ruled_out_only with input as one(node(vxlan)) with netcause.traverse as accepted with netcause.route as to_n2
}

# Another port, another peer: what INPUT drops besides is no matter.
test_ruled_out_other_port if {
	other := object.union(vxlan, {"vxlan": {"port": 4789}})
	ruled_out_only with input as one(node(other)) with netcause.traverse as in_input with netcause.route as to_n2
}

test_ruled_out_no_tunnel if {
	plain := object.union(node(vxlan), {"links": []})
	ruled_out_only with input as one(plain) with netcause.traverse as every_input([]) with netcause.route as to_n2
}

# Somebody's VXLAN that no route to Pods leads into.
test_ruled_out_foreign_tunnel if {
	foreign := object.union(node(vxlan), {"routes": []})
	ruled_out_only with input as one(foreign) with netcause.traverse as every_input([]) with netcause.route as to_n2
}

test_ruled_out_client if {
	ruled_out_only with input as one(object.remove(node(vxlan), ["object"]))
		with netcause.traverse as every_input([])
		with netcause.route as to_n2
}

test_unexamined_legacy_not_read if {
	answer := {"verdict": "unknown", "detail": "not all listings were read", "unread": ["iptables_legacy"]}
	count(rule.finding) == 0 with input as one(node(vxlan)) with netcause.traverse as answer with netcause.route as to_n2
	count(rule.ruled_out) == 0 with input as one(node(vxlan)) with netcause.traverse as answer with netcause.route as to_n2
	some u in rule.unexamined with input as one(node(vxlan)) with netcause.traverse as answer with netcause.route as to_n2
	u.group == "iptables_legacy"
}
