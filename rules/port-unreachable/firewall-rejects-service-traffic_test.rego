package netcause.rules.port_unreachable.firewall_rejects_service_traffic_test

import data.netcause.rules.port_unreachable.firewall_rejects_service_traffic as rule

node := {"name": "n1", "object": {"metadata": {"name": "n1"}}, "processes": [], "status": {}}

one(n) := {"node": n, "peers": [], "cluster": {}}

decider := {
	"backend": "iptables-nf_tables",
	"family": "ip",
	"table": "filter",
	"chain": "FORWARD",
	"rule": "-A FORWARD -p tcp -m tcp --dport 5000 -m comment --comment \"audit 2023\" -j REJECT",
	"policy": false,
	"packets": 3,
	"owners": [],
	"way": ["FORWARD"],
	"source": "iptables-nft-save -c, line 9",
}

stopped(changes) := {"asked": 4, "left": 0, "stopped": [object.union(
	{
		"rule": decider,
		"verdict": "reject",
		"hook": "forward",
		"services": ["default/registry:http"],
		"count": 1,
		"way": "10.244.1.2 to 10.244.2.5 TCP port 5000",
		"proto": "tcp",
		"port": 5000,
		"dst": "10.244.2.5",
		"whole": false,
	},
	changes,
)]}

nothing := {"asked": 4, "left": 0, "stopped": []}

test_found_rule_about_a_port if {
	found := rule.finding with input as one(node) with netcause.stopped_services as stopped({})
	count(found) == 1
	some f in found
	startswith(f.message, "n1 rejects packets to Service default/registry:http: the rule \"-A FORWARD -p tcp")
	contains(f.message, "audit 2023")
	{e.value | some e in f.evidence} == {decider.rule, "10.244.1.2 to 10.244.2.5 TCP port 5000: reject"}
	f.fix.steps[0].run == "iptables-nft -t filter -D FORWARD -p tcp -m tcp --dport 5000 -m comment --comment \"audit 2023\" -j REJECT"
}

# Whoever runs a fix runs no command that stands in a rule's comment.
test_found_comment_that_a_shell_would_run if {
	hostile := object.union(decider, {"rule": replace(decider.rule, "audit 2023", "$(reboot)")})
	some f in rule.finding with input as one(node) with netcause.stopped_services as stopped({"rule": hostile})
	startswith(f.fix.steps[0].edit, "delete the rule ")
}

test_found_nftables_by_its_handle if {
	native := object.union(
		decider,
		{
			"backend": "nftables",
			"family": "inet",
			"table": "site",
			"chain": "fwd",
			"rule": "tcp dport 5000 drop",
			"handle": 7,
		},
	)
	some f in rule.finding with input as one(node) with netcause.stopped_services as stopped({"rule": native})
	f.fix.steps[0].run == "nft delete rule inet site fwd handle 7"
	some g in rule.finding with input as one(node)
		with netcause.stopped_services as stopped({"rule": object.remove(native, ["handle"])})
	startswith(g.fix.steps[0].edit, "delete the rule ")
}

test_found_owner_that_would_write_it_again if {
	ufw := object.union(decider, {"owners": ["ufw"], "chain": "ufw-user-forward"})
	some f in rule.finding with input as one(node) with netcause.stopped_services as stopped({"rule": ufw})
	contains(f.fix.steps[0].edit, "ufw status numbered")
}

test_found_what_stops_all_and_lacks_an_exception if {
	rest := {
		"whole": true,
		"hook": "input",
		"rule": object.union(decider, {"chain": "INPUT", "rule": "-A INPUT -j DROP", "way": ["INPUT"]}),
	}
	some f in rule.finding with input as one(node) with netcause.stopped_services as stopped(rest)
	f.fix.summary == "Let TCP port 5000 pass before it"
	f.fix.steps[0].run == "iptables-nft -t filter -I INPUT -p tcp -d 10.244.2.5 --dport 5000 -j ACCEPT"
}

test_found_many_services if {
	some f in rule.finding with input as one(node) with netcause.stopped_services as stopped({"count": 40})
	contains(f.message, "to 40 Services, default/registry:http among them")
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_ruled_out_nothing_stopped if {
	ruled_out_only with input as one(node) with netcause.stopped_services as nothing
}

test_ruled_out_client if {
	ruled_out_only with input as one(object.remove(node, ["object"])) with netcause.stopped_services as stopped({})
}

test_unexamined_listing_not_read if {
	answer := object.union(
		nothing,
		{"unknown": {
			"service": "default/registry:http",
			"detail": "forward: not all listings were read",
			"unread": ["nftables"],
		}},
	)
	count(rule.ruled_out) == 0 with input as one(node) with netcause.stopped_services as answer
	some u in rule.unexamined with input as one(node) with netcause.stopped_services as answer
	u.group == "nftables"
}

test_unexamined_too_many if {
	count(rule.unexamined) == 1 with input as one(node)
		with netcause.stopped_services as object.union(nothing, {"left": 7})
	count(rule.ruled_out) == 0 with input as one(node) with netcause.stopped_services as object.union(nothing, {"left": 7})
}

test_unexamined_programs_may_carry_it if {
	cilium := object.union(node, {"processes": [{"comm": "cilium-agent"}]})
	count(rule.finding) == 0 with input as one(cilium) with netcause.stopped_services as stopped({})
	count(rule.unexamined) == 1 with input as one(cilium) with netcause.stopped_services as stopped({})
}
