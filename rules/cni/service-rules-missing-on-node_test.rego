package netcause.rules.cni.service_rules_missing_on_node_test

import data.netcause.rules.cni.service_rules_missing_on_node as rule

api_node := {"metadata": {"name": "n1"}, "status": {}, "source": "nodes.json"}

of(node) := {"node": object.union({"name": "n1", "collected": true, "status": {}}, node), "peers": [], "cluster": {"nodes": [api_node]}}

n1 := of({"object": api_node})

empty := {
	"known": ["iptables_nft", "iptables_legacy", "nftables", "ipvs"],
	"unknown": [],
	"modes": [],
	"detached": [],
	"looked_at": [
		{"fact": "iptables-nft-save -c on n1", "value": "empty", "source": "iptables-nft-save -c"},
		{"fact": "iptables-legacy-save -c on n1", "value": "no Service rules of kube-proxy", "source": "iptables-legacy-save -c"},
	],
}

hop(chain, rule_text, line) := {
	"fact": sprintf("iptables-nft %s", [chain]),
	"value": rule_text,
	"source": sprintf("iptables-nft-save -c, line %d", [line]),
}

jump := hop("KUBE-SERVICES", "-A KUBE-SERVICES -d 10.96.0.10/32 -j KUBE-SVC-A", 40)

there := object.union(empty, {"modes": [{"mode": "iptables-nft", "services": 3, "evidence": jump}]})

services(total, present, missing) := {
	"total": total,
	"present": present,
	"missing": missing,
	"examples": [],
}

none := services(0, 0, [])

lost := {
	"service": "kube-system/kube-dns",
	"address": "10.96.0.10",
	"port": 53,
	"source": "services.json",
}

found_only if {
	count(rule.finding) == 1
	count(rule.ruled_out) == 0
	count(rule.unexamined) == 0
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.ruled_out) == 1
	count(rule.unexamined) == 0
}

test_found_nothing_in_any_backend if {
	found_only with input as n1 with netcause.kube_proxy_rules as empty with netcause.service_rules as services(3, 0, [lost])
	some f in rule.finding with input as n1 with netcause.kube_proxy_rules as empty with netcause.service_rules as services(3, 0, [lost])
	f.message == concat(": ", [
		"n1 holds no Service rule of kube-proxy in iptables (either backend), nftables or IPVS",
		"no Service address works on it.",
	])
	count(f.evidence) == 2
}

test_found_without_services_of_the_cluster if {
	found_only with input as n1 with netcause.kube_proxy_rules as empty with netcause.service_rules as none
}

test_found_node_known_by_its_kubelet if {
	alone := {
		"node": {"name": "n1", "collected": true, "processes": [{"comm": "kubelet", "pid": 1, "hostNetwork": true}], "status": {}},
		"peers": [],
		"cluster": {},
	}
	found_only with input as alone with netcause.kube_proxy_rules as empty with netcause.service_rules as none
}

test_found_nothing_leads_to_them if {
	detached := object.union(empty, {"detached": [object.union(jump, {"fact": "iptables-nft KUBE-SERVICES (no base chain leads to it)"})]})
	found_only with input as n1 with netcause.kube_proxy_rules as detached with netcause.service_rules as none
	some f in rule.finding with input as n1 with netcause.kube_proxy_rules as detached with netcause.service_rules as none
	contains(f.message, "n1 has kube-proxy's rules, but nothing leads to them: somebody flushed the chains that did")
	contains(f.evidence[0].fact, "no base chain leads to it")
	contains(f.fix.steps[1].edit, "firewalld")

	unread := object.union(detached, {"unknown": ["iptables_legacy"]})
	found_only with input as n1 with netcause.kube_proxy_rules as unread with netcause.service_rules as none
}

test_found_chains_without_the_clusters_services if {
	some f in rule.finding with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as services(3, 0, [lost, lost])
	f.message == "n1 has kube-proxy's chains, but none of the cluster's 3 Service ports is in them."
	f.evidence[1].source == "services.json"
	found_only with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as services(3, 0, [lost])
}

test_found_k3s_writes_rules_too if {
	k3s := of({"object": object.union(api_node, {"status": {"nodeInfo": {"kubeletVersion": "v1.33.1+k3s1"}}})})
	found_only with input as k3s with netcause.kube_proxy_rules as empty with netcause.service_rules as none
}

test_found_fix_names_the_pod if {
	pod := {
		"metadata": {"name": "kube-proxy-x1y2z", "namespace": "kube-system", "labels": {"k8s-app": "kube-proxy"}},
		"spec": {"nodeName": "n1"},
	}
	some f in rule.finding with input as of({"object": api_node, "pods": [pod]})
		with netcause.kube_proxy_rules as empty
		with netcause.service_rules as none
	f.fix.steps[0].run == "kubectl -n kube-system delete pod kube-proxy-x1y2z"
}

test_ruled_out_rules_are_there if {
	way := [
		jump,
		hop("KUBE-SVC-A", "-A KUBE-SVC-A -j KUBE-SEP-B", 50),
		hop("KUBE-SEP-B", "-A KUBE-SEP-B -j DNAT --to-destination 10.244.2.2:53", 60),
	]
	answer := object.union(services(3, 3, []), {"examples": [{
		"service": "kube-system/kube-dns",
		"endpoints": ["10.244.2.2:53"],
		"way": "KUBE-SERVICES -> KUBE-SVC-A -> KUBE-SEP-B -> DNAT 10.244.2.2:53",
		"evidence": way,
	}]})
	ruled_out_only with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as answer
	some r in rule.ruled_out with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as answer
	r.message == concat(", ", [
		"the rules of 3 of 3 Service ports are there",
		"kube-system/kube-dns: KUBE-SERVICES -> KUBE-SVC-A -> KUBE-SEP-B -> DNAT 10.244.2.2:53",
	])
	r.evidence == array.concat([jump], way)
}

test_ruled_out_services_not_known if {
	ruled_out_only with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as none
}

test_ruled_out_some_are_missing if {
	ruled_out_only with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as services(3, 2, [lost])
}

test_ruled_out_rules_in_the_one_backend_that_was_read if {
	partly := object.union(there, {"known": ["iptables_legacy"], "unknown": ["iptables_nft", "nftables", "ipvs"]})
	ruled_out_only with input as n1 with netcause.kube_proxy_rules as partly with netcause.service_rules as none
}

test_ruled_out_cilium if {
	config := {"metadata": {"name": "cilium-config"}, "data": {"kube-proxy-replacement": "true"}, "source": "configmaps.json"}
	ruled_out_only with input as object.union(n1, {"cluster": {"configmaps": [config]}})
		with netcause.kube_proxy_rules as empty
		with netcause.service_rules as none
}

test_ruled_out_machine_that_is_no_node if {
	ruled_out_only with input as of({"name": "client"}) with netcause.kube_proxy_rules as empty with netcause.service_rules as none
}

test_unexamined_a_backend_was_not_read if {
	unread := object.union(empty, {"known": ["iptables_nft"], "unknown": ["iptables_legacy", "nftables"]})
	rule.unexamined == {{"group": "iptables_legacy"}, {"group": "nftables"}} with input as n1
		with netcause.kube_proxy_rules as unread
		with netcause.service_rules as none
	count(rule.finding) == 0 with input as n1 with netcause.kube_proxy_rules as unread with netcause.service_rules as none
	count(rule.ruled_out) == 0 with input as n1 with netcause.kube_proxy_rules as unread with netcause.service_rules as none
}

test_unexamined_perhaps_no_node if {
	loose := {"node": {"name": "host", "collected": true, "status": {}}, "peers": [], "cluster": {}}
	some u in rule.unexamined with input as loose with netcause.kube_proxy_rules as empty with netcause.service_rules as none
	u.group == "processes"
	count(rule.ruled_out) == 0 with input as loose with netcause.kube_proxy_rules as empty with netcause.service_rules as none
}

running(comms) := [{"comm": comm, "pid": 1, "hostNetwork": true, "source": "ps -eo pid,args"} | some comm in comms]

test_unexamined_another_agent_may_serve_services if {
	every comm in ["cilium-agent", "ovnkube", "antrea-agent", "calico-node"] {
		facts := of({"object": api_node, "processes": running(["kubelet", comm])})
		reason := sprintf("%s may serve Services itself: its configuration tells", [comm])
		rule.unexamined == {{"group": "cluster.configmaps", "reason": reason}} with input as facts
			with netcause.kube_proxy_rules as empty
			with netcause.service_rules as none
		count(rule.finding) + count(rule.ruled_out) == 0 with input as facts
			with netcause.kube_proxy_rules as empty
			with netcause.service_rules as none
	}
}

daemonset := {"metadata": {"name": "kube-proxy", "namespace": "kube-system"}, "source": "daemonsets.json"}

test_found_kube_proxy_beside_another_agent if {
	facts := of({"object": api_node, "processes": running(["kubelet", "calico-node"])})
	meant := object.union(facts, {"cluster": {"daemonsets": [daemonset]}})
	found_only with input as meant with netcause.kube_proxy_rules as empty with netcause.service_rules as none
	both := of({"object": api_node, "processes": running(["kubelet", "calico-node", "kube-proxy"])})
	found_only with input as both with netcause.kube_proxy_rules as empty with netcause.service_rules as none
	every comm in ["kubelite", "k3s", "k3s-agent"] {
		embedded := of({"object": api_node, "processes": running([comm, "calico-node"])})
		found_only with input as embedded with netcause.kube_proxy_rules as empty with netcause.service_rules as none
	}
	detached := object.union(empty, {"detached": [jump]})
	found_only with input as facts with netcause.kube_proxy_rules as detached with netcause.service_rules as none
}

test_found_cilium_leaves_services_alone if {
	config := {"metadata": {"name": "cilium-config"}, "data": {"kube-proxy-replacement": "false"}, "source": "configmaps.json"}
	facts := of({"object": api_node, "processes": running(["kubelet", "cilium-agent"])})
	left := object.union(facts, {"cluster": {"configmaps": [config]}})
	found_only with input as left with netcause.kube_proxy_rules as empty with netcause.service_rules as none
}

test_unexamined_daemonset_is_parked if {
	parked := object.union(daemonset, {"spec": {"template": {"spec": {"nodeSelector": {"non-existing": "true"}}}}})
	labelled := object.union(api_node, {"metadata": {"labels": {"kubernetes.io/os": "linux"}}})
	facts := object.union(of({"object": labelled}), {"cluster": {"nodes": [labelled], "daemonsets": [parked]}})
	some u in rule.unexamined with input as facts with netcause.kube_proxy_rules as empty with netcause.service_rules as none
	startswith(u.reason, "DaemonSet kube-system/kube-proxy is parked")
	count(rule.finding) == 0 with input as facts with netcause.kube_proxy_rules as empty with netcause.service_rules as none
}

test_found_chains_that_nothing_leads_to_without_kubelet if {
	detached := object.union(empty, {"detached": [jump]})
	alone := {"node": {"name": "n1", "collected": true, "processes": running(["containerd"]), "status": {}}, "peers": [], "cluster": {}}
	found_only with input as alone with netcause.kube_proxy_rules as detached with netcause.service_rules as none
	ruled_out_only with input as alone with netcause.kube_proxy_rules as empty with netcause.service_rules as none
}

test_ruled_out_rules_are_there_without_kubelet if {
	ruled_out_only with input as of({"name": "n1", "processes": running(["containerd"])})
		with netcause.kube_proxy_rules as there
		with netcause.service_rules as services(3, 3, [])
	some r in rule.ruled_out with input as of({"name": "n1"}) with netcause.kube_proxy_rules as there
		with netcause.service_rules as services(3, 3, [])
	startswith(r.message, "the rules of 3 of 3")
}

test_unexamined_k3s_may_leave_kube_proxy_out_for_cilium if {
	facts := of({"object": api_node, "processes": running(["k3s-agent", "cilium-agent"])})
	some u in rule.unexamined with input as facts with netcause.kube_proxy_rules as empty with netcause.service_rules as none
	startswith(u.reason, "cilium-agent may serve")
	count(rule.finding) == 0 with input as facts with netcause.kube_proxy_rules as empty with netcause.service_rules as none
}

test_found_no_way_from_prerouting if {
	unhooked := object.union(services(3, 3, []), {"unhooked": ["nat PREROUTING"]})
	found_only with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as unhooked
	some f in rule.finding with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as unhooked
	contains(f.message, "nothing leads from nat PREROUTING to them")
	f.evidence[1].fact == "rule of nat PREROUTING that leads to kube-proxy's chains"
}

test_ruled_out_output_alone if {
	unhooked := object.union(services(3, 3, []), {"unhooked": ["nat OUTPUT"]})
	ruled_out_only with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as unhooked
}

test_found_accepted_before if {
	first := {
		"service": "default/web",
		"address": "10.96.0.7",
		"port": 80,
		"detail": "a rule accepts it before any translates it: -A PREROUTING -j ACCEPT",
		"evidence": [hop("PREROUTING", "-A PREROUTING -j ACCEPT", 7)],
	}
	astray := object.union(services(3, 3, []), {"astray": [first]})
	found_only with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as astray
	some f in rule.finding with input as n1 with netcause.kube_proxy_rules as there with netcause.service_rules as astray
	contains(f.message, "-A PREROUTING -j ACCEPT")
}
