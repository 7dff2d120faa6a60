package netcause.rules.cni.kube_proxy_not_running_on_node_test

import data.netcause.rules.cni.kube_proxy_not_running_on_node as rule

daemonset := {
	"metadata": {"name": "kube-proxy", "namespace": "kube-system"},
	"spec": {"template": {"spec": {
		"containers": [{"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.33.1"}],
		"nodeSelector": {"kubernetes.io/os": "linux"},
	}}},
	"status": {"desiredNumberScheduled": 2, "numberReady": 1},
	"source": "daemonsets.json",
}

api_node := {
	"metadata": {"name": "n1", "labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
	"spec": {},
	"status": {},
	"source": "nodes.json",
}

pod(status) := {
	"metadata": {
		"name": "kube-proxy-a",
		"namespace": "kube-system",
		"ownerReferences": [{"kind": "DaemonSet", "name": "kube-proxy"}],
	},
	"spec": {"nodeName": "n1"},
	"status": status,
	"source": "pods.json",
}

running := {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}

# What only the cluster knows of a node.
known(node_object, daemonsets, pods) := {
	"node": {"name": "n1", "collected": false, "object": node_object, "pods": pods, "status": {}},
	"peers": [],
	"cluster": {"daemonsets": daemonsets, "pods": pods, "nodes": [node_object]},
}

collected(facts, groups) := object.union(facts, {"node": object.union({"collected": true}, groups)})

kubelet := {"pid": 10, "comm": "kubelet", "args": ["/usr/bin/kubelet"], "hostNetwork": true, "source": "ps -eo pid,args"}

unread := {"known": [], "unknown": ["iptables_nft", "iptables_legacy", "nftables", "ipvs"], "modes": [], "detached": [], "looked_at": []}

no_rules := {"known": ["iptables_nft", "iptables_legacy", "nftables", "ipvs"], "unknown": [], "modes": [], "detached": [], "looked_at": []}

rules_there := object.union(no_rules, {"modes": [{
	"mode": "iptables-nft",
	"services": 3,
	"evidence": {"fact": "iptables-nft KUBE-SERVICES", "value": "-A KUBE-SERVICES …", "source": "iptables-nft-save -c, line 40"},
}]})

found_only if {
	count(rule.finding) == 1
	count(rule.ruled_out) == 0
	count(rule.unexamined) == 0
}

left_open if {
	count(rule.unexamined) == 1
	count(rule.finding) + count(rule.ruled_out) == 0
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.ruled_out) == 1
	count(rule.unexamined) == 0
}

test_found_pending if {
	pending := pod({"phase": "Pending", "conditions": [{
		"type": "PodScheduled",
		"status": "False",
		"message": "0/1 nodes are available: 1 Insufficient cpu.",
	}]})
	facts := known(api_node, [daemonset], [pending])
	found_only with input as facts with netcause.kube_proxy_rules as unread
	some f in rule.finding with input as facts with netcause.kube_proxy_rules as unread
	f.message == "No kube-proxy Pod runs on n1: Pending: 0/1 nodes are available: 1 Insufficient cpu."
	{e.source | some e in f.evidence} == {"daemonsets.json", "pods.json"}
	f.fix.steps[0].run == "kubectl -n kube-system describe pod kube-proxy-a"
}

test_found_no_pod if {
	facts := known(api_node, [daemonset], [])
	found_only with input as facts with netcause.kube_proxy_rules as unread
	some f in rule.finding with input as facts with netcause.kube_proxy_rules as unread
	f.message == "No kube-proxy Pod runs on n1: it has none."
	f.evidence[0].value == "2 desired, 1 ready"
	f.fix.steps[0].run == "kubectl -n kube-system describe daemonset kube-proxy"
}

test_found_crash_loop if {
	crashing := pod({
		"phase": "Running",
		"conditions": [{"type": "Ready", "status": "False"}],
		"containerStatuses": [{"name": "kube-proxy", "ready": false, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
	})
	some f in rule.finding with input as known(api_node, [daemonset], [crashing]) with netcause.kube_proxy_rules as unread
	contains(f.message, "CrashLoopBackOff")
	"kubectl -n kube-system logs kube-proxy-a --previous" in {step.run | some step in f.fix.steps}
}

crashed(status) := pod({
	"phase": "Running",
	"conditions": [{"type": "Ready", "status": "False"}],
	"containerStatuses": [object.union({"name": "kube-proxy", "ready": false}, status)],
})

waits := {"waiting": {"reason": "CrashLoopBackOff"}}

ended(restarts, how) := {"state": waits, "restartCount": restarts, "lastState": {"terminated": how}}

test_found_last_exit if {
	failed := {"exitCode": 1, "reason": "Error", "message": "unknown flag\n"}
	killed := {"exitCode": 137, "reason": "OOMKilled"}
	every status, state in {
		ended(7, failed): ": CrashLoopBackOff, 7 restarts, last exit 1: unknown flag",
		ended(1, killed): ": CrashLoopBackOff, 1 restart, last exit 137 (OOMKilled)",
		{"state": waits}: ": CrashLoopBackOff",
		{"state": {"running": {}}}: "",
	} {
		facts := known(api_node, [daemonset], [crashed(status)])
		some f in rule.finding with input as facts with netcause.kube_proxy_rules as unread
		f.message == sprintf("The kube-proxy Pod on n1 does not work: Running but not Ready%s.", [state])
		f.evidence[1].value == sprintf("Running but not Ready%s", [state])
	}
}

test_found_last_message_is_cut if {
	long := concat("", [c | some _ in numbers.range(1, 200); c := "x"])
	status := ended(2, {"exitCode": 1, "reason": "Error", "message": long})
	some f in rule.finding with input as known(api_node, [daemonset], [crashed(status)]) with netcause.kube_proxy_rules as unread
	endswith(f.evidence[1].value, sprintf(": %s", [substring(long, 0, 120)]))
	not contains(f.evidence[1].value, substring(long, 0, 121))
}

test_found_image_pull if {
	pulling := pod({"phase": "Pending", "containerStatuses": [{
		"name": "kube-proxy",
		"ready": false,
		"state": {"waiting": {"reason": "ErrImagePull"}},
	}]})
	some f in rule.finding with input as known(api_node, [daemonset], [pulling]) with netcause.kube_proxy_rules as unread
	contains(f.message, "Pending: ErrImagePull")
}

test_found_taint if {
	tainted := object.union(api_node, {"spec": {"taints": [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]}})
	some f in rule.finding with input as known(tainted, [daemonset], []) with netcause.kube_proxy_rules as unread
	contains(f.message, "the taint dedicated=gpu:NoSchedule is not tolerated")
}

test_found_evicted if {
	evicted := pod({"phase": "Failed", "reason": "Evicted"})
	found_only with input as known(api_node, [daemonset], [evicted]) with netcause.kube_proxy_rules as unread
}

test_found_pod_is_being_deleted if {
	leaving := object.union(pod(running), {"metadata": {"deletionTimestamp": "2024-01-01T00:00:00Z"}})
	found_only with input as known(api_node, [daemonset], [leaving])
		with netcause.kube_proxy_rules as unread
		with netcause.seconds_since as 300
	left_open with input as known(api_node, [daemonset], [leaving])
		with netcause.kube_proxy_rules as unread
		with netcause.seconds_since as -29
}

test_unexamined_node_joined_just_now if {
	joined := object.union(api_node, {"metadata": {"creationTimestamp": "2024-01-01T00:00:00Z"}})
	creating := object.union(pod({"phase": "Pending"}), {"metadata": {"creationTimestamp": "2024-01-01T00:00:01Z"}})
	every pods in [[], [creating]] {
		left_open with input as known(joined, [daemonset], pods)
			with netcause.kube_proxy_rules as unread
			with netcause.seconds_since as 20
		found_only with input as known(joined, [daemonset], pods)
			with netcause.kube_proxy_rules as unread
			with netcause.seconds_since as 600
	}
}

test_found_pod_of_a_new_node_that_has_no_image if {
	waiting := {"phase": "Pending", "containerStatuses": [{"name": "kube-proxy", "state": {"waiting": {"reason": "ErrImagePull"}}}]}
	pulling := object.union(pod(waiting), {"metadata": {"creationTimestamp": "2024-01-01T00:00:00Z"}})
	found_only with input as known(api_node, [daemonset], [pulling])
		with netcause.kube_proxy_rules as unread
		with netcause.seconds_since as 20
}

test_unexamined_kubelet_is_silent if {
	silent := object.union(api_node, {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})
	left_open with input as known(silent, [daemonset], []) with netcause.kube_proxy_rules as unread
	left_open with input as known(silent, [daemonset], [pod({"phase": "Failed"})]) with netcause.kube_proxy_rules as unread
}

test_ruled_out_node_is_about_to_go if {
	every taint in ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "node.kubernetes.io/out-of-service"] {
		going := object.union(api_node, {"spec": {"taints": [{"key": taint, "effect": "NoSchedule"}]}})
		ruled_out_only with input as known(going, [daemonset], []) with netcause.kube_proxy_rules as unread
	}
	stopping := {"type": "Ready", "status": "False", "message": "node is shutting down"}
	ruled_out_only with input as known(object.union(api_node, {"status": {"conditions": [stopping]}}), [daemonset], [])
		with netcause.kube_proxy_rules as unread
}

test_ruled_out_fargate if {
	fargate := object.union(api_node, {"metadata": {"labels": {"eks.amazonaws.com/compute-type": "fargate"}}})
	ruled_out_only with input as known(fargate, [daemonset], []) with netcause.kube_proxy_rules as unread
}

test_found_though_old_rules_are_there if {
	facts := collected(known(api_node, [daemonset], [pod({"phase": "Failed", "reason": "Evicted"})]), {"processes": [kubelet]})
	found_only with input as facts with netcause.kube_proxy_rules as rules_there
}

test_found_objects_lack_fields if {
	bare_node := {"metadata": {"name": "n1"}, "source": "nodes.json"}
	bare := {"metadata": {"name": "kube-proxy", "namespace": "kube-system"}, "source": "daemonsets.json"}
	every ds in [bare, daemonset] {
		found_only with input as known(bare_node, [ds], []) with netcause.kube_proxy_rules as unread
		found_only with input as known(bare_node, [ds], [pod({})]) with netcause.kube_proxy_rules as unread
	}
}

test_found_static_pod if {
	mirror := {
		"metadata": {"name": "kube-proxy-n1", "namespace": "kube-system", "labels": {"component": "kube-proxy"}},
		"spec": {"nodeName": "n1", "containers": [{"image": "rancher/hardened-kubernetes:v1.33", "command": ["kube-proxy"]}]},
		"status": {"phase": "Pending"},
		"source": "pods.json",
	}
	found_only with input as known(api_node, [], [mirror]) with netcause.kube_proxy_rules as unread
}

test_found_process_is_gone if {
	facts := collected(known(api_node, [], []), {
		"processes": [kubelet],
		"status": {"processes": {"status": "read", "sources": ["/proc"]}},
	})
	found_only with input as facts with netcause.kube_proxy_rules as no_rules
	some f in rule.finding with input as facts with netcause.kube_proxy_rules as no_rules
	f.evidence[0].source == "/proc"
}

test_found_process_is_gone_without_cluster if {
	alone := {"node": {"name": "n1", "collected": true, "processes": [kubelet], "status": {}}, "peers": [], "cluster": {}}
	found_only with input as alone with netcause.kube_proxy_rules as no_rules
}

test_ruled_out_pod_runs if {
	ruled_out_only with input as known(api_node, [daemonset], [pod(running)]) with netcause.kube_proxy_rules as unread
	ruled_out_only with input as known(api_node, [daemonset], [pod({"phase": "Running"})]) with netcause.kube_proxy_rules as unread
}

test_ruled_out_old_pod_was_evicted if {
	evicted := object.union(pod({"phase": "Failed", "reason": "Evicted"}), {"metadata": {"name": "kube-proxy-b"}})
	ruled_out_only with input as known(api_node, [daemonset], [evicted, pod(running)]) with netcause.kube_proxy_rules as unread
}

test_ruled_out_cilium if {
	every value in ["true", "strict"] {
		config := {"metadata": {"name": "cilium-config"}, "data": {"kube-proxy-replacement": value}, "source": "configmaps.json"}
		facts := object.union(known(api_node, [], []), {"cluster": {"configmaps": [config]}})
		ruled_out_only with input as facts with netcause.kube_proxy_rules as unread
	}
}

test_ruled_out_k3s if {
	k3s := object.union(api_node, {"status": {"nodeInfo": {"kubeletVersion": "v1.33.1+k3s1"}}})
	ruled_out_only with input as known(k3s, [], []) with netcause.kube_proxy_rules as unread
	process := object.union(kubelet, {"comm": "k3s-agent"})
	ruled_out_only with input as {
		"node": {"name": "n1", "collected": true, "processes": [process], "status": {}},
		"peers": [],
		"cluster": {},
	}
		with netcause.kube_proxy_rules as no_rules
}

test_ruled_out_other_replacements if {
	every name in ["ovnkube-node", "kube-router"] {
		other := {"metadata": {"name": name, "namespace": "net"}, "source": "daemonsets.json"}
		ruled_out_only with input as known(api_node, [other], []) with netcause.kube_proxy_rules as unread
	}
}

test_found_kube_router_leaves_services_alone if {
	router := {
		"metadata": {"name": "kube-router", "namespace": "kube-system"},
		"spec": {"template": {"spec": {"containers": [{"args": ["--run-router=true", "--run-service-proxy=false"]}]}}},
		"source": "daemonsets.json",
	}
	found_only with input as known(api_node, [daemonset, router], []) with netcause.kube_proxy_rules as unread
}

test_ruled_out_plain_process if {
	process := {"pid": 11, "comm": "kube-proxy", "args": ["kube-proxy", "--config=x"], "hostNetwork": true, "source": "ps"}
	facts := collected(known(api_node, [], []), {"processes": [kubelet, process]})
	ruled_out_only with input as facts with netcause.kube_proxy_rules as no_rules
}

test_ruled_out_no_daemonset_but_rules if {
	facts := collected(known(api_node, [], []), {"links": []})
	ruled_out_only with input as facts with netcause.kube_proxy_rules as rules_there
	with_processes := collected(known(api_node, [], []), {"processes": [kubelet]})
	ruled_out_only with input as with_processes with netcause.kube_proxy_rules as rules_there
}

test_ruled_out_virtual_kubelet if {
	virtual := object.union(api_node, {"metadata": {"labels": {"type": "virtual-kubelet"}}})
	ruled_out_only with input as known(virtual, [daemonset], []) with netcause.kube_proxy_rules as unread
}

test_ruled_out_windows if {
	windows := object.union(api_node, {"metadata": {"labels": {"kubernetes.io/os": "windows"}}})
	ruled_out_only with input as known(windows, [daemonset], []) with netcause.kube_proxy_rules as unread
}

windows_daemonset := object.union(daemonset, {
	"metadata": {"name": "kube-proxy-windows"},
	"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/os": "windows"}}}},
})

test_ruled_out_daemonset_for_windows_alone if {
	facts := collected(known(api_node, [windows_daemonset], []), {"processes": [kubelet]})
	ruled_out_only with input as facts with netcause.kube_proxy_rules as rules_there
}

test_unexamined_daemonset_for_windows_alone if {
	facts := known(api_node, [windows_daemonset], [])
	rule.unexamined == {{"group": "processes"}} with input as facts with netcause.kube_proxy_rules as unread
}

test_unexamined_node_affinity_leaves_the_node_out if {
	fargate := object.union(api_node, {"metadata": {"labels": {"eks.amazonaws.com/compute-type": "fargate"}}})
	required := {"nodeSelectorTerms": [{"matchExpressions": [
		{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
		{"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate", "hybrid"]},
	]}]}
	affinity := {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
	affine := object.union(daemonset, {"spec": {"template": {"spec": {"affinity": affinity}}}})
	count(rule.finding) == 0 with input as known(fargate, [affine], []) with netcause.kube_proxy_rules as unread
	found_only with input as known(api_node, [affine], []) with netcause.kube_proxy_rules as unread
}

test_ruled_out_machine_that_is_no_node if {
	client := {"node": {"name": "client", "collected": true, "processes": [], "status": {}}, "peers": [], "cluster": {"nodes": [api_node]}}
	ruled_out_only with input as client with netcause.kube_proxy_rules as no_rules
}

test_unexamined_node_is_not_ready if {
	unknown := object.union(api_node, {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})
	old := pod({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]})
	facts := known(unknown, [daemonset], [old])
	some u in rule.unexamined with input as facts with netcause.kube_proxy_rules as unread
	u.group == "processes"
	count(rule.finding) == 0 with input as facts with netcause.kube_proxy_rules as unread
}

test_unexamined_nothing_but_the_object if {
	rule.unexamined == {{"group": "processes"}} with input as known(api_node, [], []) with netcause.kube_proxy_rules as unread
	count(rule.finding) == 0 with input as known(api_node, [], []) with netcause.kube_proxy_rules as unread
}

test_unexamined_rules_not_read if {
	facts := collected(known(api_node, [], []), {"processes": [kubelet]})
	{u.group | some u in rule.unexamined} == {"iptables_nft", "iptables_legacy", "nftables", "ipvs"} with input as facts
		with netcause.kube_proxy_rules as unread
}

process(comm) := {"pid": 12, "comm": comm, "args": [comm], "hostNetwork": true, "source": "ps -eo pid,args"}

cilium_config(value) := {
	"metadata": {"name": "cilium-config"},
	"data": {"kube-proxy-replacement": value},
	"source": "configmaps.json",
}

of_processes(comms) := {
	"node": {"name": "n1", "collected": true, "processes": [process(comm) | some comm in comms], "status": {}},
	"peers": [],
	"cluster": {},
}

unexamined_only(reason) if {
	count(rule.finding) == 0
	count(rule.ruled_out) == 0
	rule.unexamined == {{"group": "cluster.configmaps", "reason": reason}}
}

test_unexamined_another_agent_may_serve_services if {
	every comm in ["cilium-agent", "ovnkube", "antrea-agent", "calico-node"] {
		reason := sprintf("%s may serve Services itself: its configuration tells", [comm])
		unexamined_only(reason) with input as of_processes(["kubelet", comm]) with netcause.kube_proxy_rules as no_rules
		of_cluster := collected(known(api_node, [], []), {"processes": [kubelet, process(comm)]})
		unexamined_only(reason) with input as of_cluster with netcause.kube_proxy_rules as no_rules
	}
}

test_found_daemonset_is_meant_for_the_node_beside_another_agent if {
	facts := collected(known(api_node, [daemonset], []), {"processes": [kubelet, process("calico-node")]})
	found_only with input as facts with netcause.kube_proxy_rules as no_rules
}

test_found_cilium_leaves_services_alone if {
	facts := collected(known(api_node, [], []), {"processes": [kubelet, process("cilium-agent")]})
	left := object.union(facts, {"cluster": {"configmaps": [cilium_config("false")]}})
	found_only with input as left with netcause.kube_proxy_rules as no_rules
}

test_ruled_out_rules_beside_another_agent if {
	ruled_out_only with input as of_processes(["kubelet", "calico-node"]) with netcause.kube_proxy_rules as rules_there
}

parked := object.union(daemonset, {
	"spec": {"template": {"spec": {"nodeSelector": {"non-existing": "true"}}}},
	"status": {"desiredNumberScheduled": 0, "numberReady": 0},
})

test_unexamined_daemonset_is_parked if {
	facts := collected(known(api_node, [parked], []), {"processes": [kubelet]})
	reason := "DaemonSet kube-system/kube-proxy is parked, it leaves out every Node: something else may serve Services"
	unexamined_only(reason) with input as facts with netcause.kube_proxy_rules as no_rules
	unexamined_only(reason) with input as collected(known(api_node, [object.remove(parked, ["status"])], []), {"processes": [kubelet]})
		with netcause.kube_proxy_rules as no_rules
}

test_found_daemonset_of_some_nodes_leaves_this_one_out if {
	other := {"metadata": {"name": "n2", "labels": {"kubernetes.io/os": "linux", "proxy": "on"}}, "source": "nodes.json"}
	partly := object.union(daemonset, {"spec": {"template": {"spec": {"nodeSelector": {"proxy": "on"}}}}})
	facts := collected(known(api_node, [partly], []), {"processes": [kubelet]})
	with_other := object.union(facts, {"cluster": {"nodes": [api_node, other]}})
	found_only with input as with_other with netcause.kube_proxy_rules as no_rules
}

test_found_daemonset_for_windows_is_not_parked if {
	waiting := object.union(windows_daemonset, {"status": {"desiredNumberScheduled": 0}})
	facts := collected(known(api_node, [waiting], []), {"processes": [kubelet]})
	found_only with input as facts with netcause.kube_proxy_rules as no_rules
}

# A node without its kubelet keeps the chains.
test_found_kubelet_is_gone_and_nothing_leads_to_the_chains if {
	facts := of_processes(["containerd"])
	found_only with input as facts with netcause.kube_proxy_rules as object.union(no_rules, {"detached": rules_there.modes})
	ruled_out_only with input as facts with netcause.kube_proxy_rules as no_rules
}

test_ruled_out_kubelet_is_gone_and_the_rules_are_there if {
	ruled_out_only with input as of_processes(["containerd"]) with netcause.kube_proxy_rules as rules_there
	some r in rule.ruled_out with input as of_processes(["containerd"]) with netcause.kube_proxy_rules as rules_there
	r.message == "kube-proxy's rules are there"
}

test_unexamined_agent_of_a_daemonset if {
	antrea := {"metadata": {"name": "antrea-agent", "namespace": "kube-system"}}
	facts := collected(known(api_node, [antrea], []), {"object": api_node, "processes": [kubelet], "pods": [], "name": "n1", "status": {}})
	some u in rule.unexamined with input as facts with netcause.kube_proxy_rules as no_rules
	u.group == "cluster.configmaps"
	count(rule.finding) == 0 with input as facts with netcause.kube_proxy_rules as no_rules
}

test_unexamined_k3s_may_have_been_told_to_leave_services_to_cilium if {
	k3s := object.union(api_node, {"status": {"nodeInfo": {"kubeletVersion": "v1.33.1+k3s1"}}})
	cilium := {"metadata": {"name": "cilium", "namespace": "kube-system"}, "source": "daemonsets.json"}
	count(rule.ruled_out) == 0 with input as known(k3s, [cilium], []) with netcause.kube_proxy_rules as unread
	ruled_out_only with input as known(k3s, [], []) with netcause.kube_proxy_rules as unread
}
