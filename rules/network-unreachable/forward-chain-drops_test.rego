package netcause.rules.network_unreachable.forward_chain_drops_test

import data.netcause.rules.network_unreachable.forward_chain_drops as rule

api_node(name, cidr) := {"metadata": {"name": name}, "spec": {"podCIDR": cidr}, "source": "nodes.json"}

n1 := api_node("n1", "10.244.1.0/24")

n2 := api_node("n2", "10.244.2.0/24")

node := {
	"name": "n1",
	"object": n1,
	"pods": [],
	"processes": [],
	"flannel_subnet_env": {"FLANNEL_NETWORK": "10.244.0.0/16"},
	"status": {},
}

one(n) := {"node": n, "peers": [], "cluster": {"nodes": [n1, n2]}}

route("n1", "10.244.1.2") := {"status": "route", "route": {"dst": "10.244.1.0/24", "dev": "cni0"}}

route("n1", "10.244.2.2") := {"status": "route", "route": {"dst": "10.244.2.0/24", "via": "10.244.2.0", "dev": "vx.1"}}

lookup(node, packet) := route(node, packet.dst)

accepted := {"verdict": "accept", "unread": []}

policy(owners) := {
	"backend": "iptables-nf_tables",
	"family": "ip",
	"table": "filter",
	"chain": "FORWARD",
	"rule": "policy DROP",
	"policy": true,
	"packets": 320,
	"owners": owners,
	"way": ["FORWARD"],
	"source": "iptables-nft-save -c, line 3",
}

reject := {
	"backend": "iptables-legacy",
	"family": "ip",
	"table": "filter",
	"chain": "FORWARD",
	"rule": "-A FORWARD -j REJECT --reject-with icmp-host-prohibited",
	"policy": false,
	"owners": [],
	"way": ["FORWARD"],
	"source": "iptables-save -c, line 9",
}

dropped(decider) := {"verdict": "drop", "rule": decider, "unread": []}

test_found_policy_of_docker if {
	found := rule.finding with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as dropped(policy(["Docker"]))
	count(found) == 1
	some f in found
	f.message == concat("", [
		"n1 stops packets that it forwards from Pods of n1 to those of n2, from Pods of n2 to those of n1: ",
		"the policy DROP of chain FORWARD (iptables-nf_tables, table filter), set by Docker.",
	])
	f.affects == {"n1", "n2"}
	some e in f.evidence
	e == {
		"fact": "chain FORWARD (iptables-nf_tables, table filter) of n1, 320 packets so far",
		"value": "policy DROP",
		"source": "iptables-nft-save -c, line 3",
	}
	f.fix.steps[0].run == concat("\n", [
		"iptables-nft -t filter -I FORWARD -s 10.244.0.0/16 -j ACCEPT",
		"iptables-nft -t filter -I FORWARD -d 10.244.0.0/16 -j ACCEPT",
	])
	contains(f.fix.steps[1].edit, "docker.service")
}

test_found_follows_the_packet_of_the_devices if {
	some f in rule.finding with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as only_inbound_drops
	f.message == concat("", [
		"n1 stops packets that it forwards from Pods of n2 to those of n1: ",
		"the policy DROP of chain FORWARD (iptables-nf_tables, table filter), set by Docker.",
	])
}

only_inbound_drops("n1", "forward", packet) := dropped(policy(["Docker"])) if {
	packet.iif == "vx.1"
	packet.oif == "cni0"
	packet.src == "10.244.2.2"
	packet.ctstate == "NEW"
} else := accepted

test_found_rule_of_nobody if {
	some f in rule.finding with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as dropped(reject)
	contains(f.message, "which no chain or table names the owner of")
	startswith(f.fix.steps[0].run, "iptables -t filter -I FORWARD -s ")
}

test_found_ufw_and_firewalld if {
	ufw := object.union(policy(["ufw"]), {"chain": "ufw-reject-forward"})
	some f in rule.finding with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as dropped(ufw)
	f.fix.steps == [{"node": "n1", "run": "ufw route allow from 10.244.0.0/16\nufw route allow to 10.244.0.0/16"}]
	some g in rule.finding with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as dropped(policy(["firewalld"]))
	g.fix.steps[0].run == concat("\n", [
		"firewall-cmd --zone=trusted --add-source=10.244.0.0/16",
		"firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16",
	])
}

test_found_nftables_without_a_known_network if {
	native := {
		"backend": "nftables",
		"family": "inet",
		"table": "site",
		"chain": "forward",
		"rule": "counter drop",
		"policy": false,
		"owners": [],
		"way": ["forward"],
		"source": "nft -j list ruleset, line 4",
	}
	bare := object.remove(node, ["flannel_subnet_env"])
	some f in rule.finding with input as one(bare)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as dropped(native)
	split(f.fix.steps[0].run, "\n") == [
		"nft insert rule inet site forward ip saddr 10.244.1.0/24 accept",
		"nft insert rule inet site forward ip daddr 10.244.1.0/24 accept",
		"nft insert rule inet site forward ip saddr 10.244.2.0/24 accept",
		"nft insert rule inet site forward ip daddr 10.244.2.0/24 accept",
	]
}

test_ruled_out_policy_drop_with_accepts if {
	count(rule.finding) == 0 with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as accepted
	some r in rule.ruled_out with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as accepted
	contains(r.message, "(2 ways followed)")
	count(rule.unexamined) == 0 with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as accepted
}

test_ruled_out_network_policy if {
	calico := object.union(reject, {"chain": "cali-tw-cali12", "owners": ["Calico"]})
	count(rule.finding) == 0 with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as dropped(calico)
	count(rule.ruled_out) == 1 with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as dropped(calico)
}

test_ruled_out_no_node_and_only_node if {
	count(rule.ruled_out) == 1 with input as one(object.remove(node, ["object"]))
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as accepted
	alone := object.union(one(node), {"cluster": {"nodes": [n1]}})
	some r in rule.ruled_out with input as alone
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as accepted
	contains(r.message, "only Node")
}

test_unexamined_other_backend_not_read if {
	answer := {
		"verdict": "unknown",
		"detail": "what was read lets it pass, and not all listings were read",
		"unread": ["iptables_legacy"],
	}
	count(rule.finding) == 0 with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as answer
	count(rule.ruled_out) == 0 with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as answer
	some u in rule.unexamined with input as one(node)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as answer
	u.group == "iptables_legacy"
}

test_unexamined_no_pod_is_known if {
	unknown := {"status": "none"}
	some u in rule.unexamined with input as one(node)
		with netcause.route as unknown
		with netcause.lookup as unknown
		with netcause.traverse as accepted
	u.group == "cluster.pods"
}

test_unexamined_programs_may_carry_it if {
	n := object.union(node, {"processes": [{"comm": "cilium-agent"}]})
	count(rule.finding) == 0 with input as one(n)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as dropped(policy([]))
	count(rule.unexamined) == 1 with input as one(n)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as dropped(policy([]))
}

test_unexamined_no_devices_of_ciliums_pods if {
	n := object.union(node, {"processes": [{"comm": "cilium-agent"}]})
	unknown := {"status": "none"}
	some u in rule.unexamined with input as one(n)
		with netcause.route as unknown
		with netcause.traverse as accepted
	u.reason == "by which devices the programs of Cilium let Pods' packets come and go is not known"
}

# Antrea's Pods reach those of other nodes through Open vSwitch alone.
test_unexamined_open_vswitch_may_carry_it if {
	n := object.union(node, {"links": [{"ifname": "antrea-gw0", "kind": "openvswitch"}]})
	count(rule.finding) == 0 with input as one(n)
		with netcause.route as route
		with netcause.lookup as lookup
		with netcause.traverse as dropped(policy(["Docker"]))
}

test_unexamined_node_of_ipv6_alone if {
	six := {"metadata": {"name": "n1"}, "status": {"addresses": [{"type": "InternalIP", "address": "2001:db8:1::11"}]}}
	unknown := {"status": "none"}
	some u in rule.unexamined with input as one(object.union(node, {"object": six}))
		with netcause.route as unknown
		with netcause.traverse as accepted
	contains(u.reason, "by IPv6 alone")
}
