package netcause.rules.cni.iptables_backends_mixed_test

import data.netcause.rules.cni.iptables_backends_mixed as rule

node := {"name": "n1", "object": {"metadata": {"name": "n1"}}, "processes": [], "status": {}}

one := {"node": node, "peers": [], "cluster": {"nodes": [node.object]}}

backend(name, changes) := object.union(
	{
		"backend": name,
		"services": 3,
		"reached": true,
		"evidence": {"fact": name, "value": "-A KUBE-SERVICES …", "source": name},
		"targets": 4,
		"stale": 0,
		"stale_evidence": [],
		"calico": 0,
	},
	changes,
)

answer(backends, unread) := {"unread": unread, "endpoints_known": true, "backends": backends}

nft := backend("iptables-nf_tables", {})

legacy := backend("iptables-legacy", {})

gone := backend(
	"iptables-legacy",
	{
		"stale": 2,
		"stale_evidence": [{"fact": "KUBE-SEP-A", "value": "-j DNAT --to-destination 10.244.1.9:80", "source": "iptables-legacy-save, line 40"}],
	},
)

unused := backend("iptables-legacy", {"services": 0, "reached": false, "targets": 0})

test_found_stale_rules_in_legacy if {
	found := rule.finding with input as one with netcause.iptables_backends as answer([nft, gone], [])
	count(found) == 1
	some f in found
	f.severity == "critical"
	f.message == concat("", [
		"Both backends of iptables on n1 hold 3 Service rules (iptables-nf_tables)",
		" and 3 Service rules (iptables-legacy, 2 of its 4 endpoints are gone): ",
		"the first that translates a packet wins, and stale rules send it to nobody.",
	])
	count(f.evidence) == 3
	f.fix.steps[0].run == "iptables-legacy-save | grep -v -e KUBE- -e cali | iptables-legacy-restore"
}

test_found_both_alike_is_a_warning if {
	some f in rule.finding with input as one with netcause.iptables_backends as answer([nft, legacy], [])
	f.severity == "warning"
	f.fix.steps[0].edit
}

test_found_calico if {
	some f in rule.finding with input as one
		with netcause.iptables_backends as answer([cali_of("iptables-nf_tables"), cali_of("iptables-legacy")], [])
	contains(f.message, "7 rules of Calico (iptables-legacy)")
}

cali_of(name) := object.remove(
	backend(
		name,
		{"services": 0, "calico": 7, "calico_evidence": {"fact": name, "value": "-A cali-FORWARD …", "source": name}},
	),
	["evidence"],
)

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_ruled_out_empty_tables_in_the_other_backend if {
	ruled_out_only with input as one with netcause.iptables_backends as answer([nft, unused], [])
}

test_ruled_out_chains_that_nothing_leads_to if {
	ruled_out_only with input as one
		with netcause.iptables_backends as answer([nft, backend("iptables-legacy", {"reached": false})], [])
}

test_ruled_out_legacy_alone if {
	ruled_out_only with input as one
		with netcause.iptables_backends as answer([object.union(unused, {"backend": "iptables-nf_tables"}), legacy], [])
}

test_unexamined_the_other_backend_was_not_read if {
	count(rule.ruled_out) == 0 with input as one with netcause.iptables_backends as answer([nft], ["iptables_legacy"])
	some u in rule.unexamined with input as one with netcause.iptables_backends as answer([nft], ["iptables_legacy"])
	u.group == "iptables_legacy"
}
