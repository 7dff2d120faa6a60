package netcause.rules.cni.cni_config_missing_test

import data.netcause.rules.cni.cni_config_missing as rule

refusal := concat(" ", [
	"container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady",
	"message:Network plugin returns error: cni plugin not initialized",
])

api_node(status, message) := {
	"metadata": {"name": "n1"},
	"status": {"conditions": [{"type": "Ready", "status": status, "message": message}]},
	"source": "kubectl get node n1 -o yaml",
}

denying := api_node("False", refusal)

ready := api_node("True", "kubelet is posting ready status")

kubelet := {"comm": "kubelet", "hostNetwork": true}

empty := {"dir": "/etc/cni/net.d", "files": []}

file := {"file": "/etc/cni/net.d/10-flannel.conflist", "name": "cbr0", "source": "/etc/cni/net.d/10-flannel.conflist"}

node(api, cni) := {"name": "n1", "object": api, "cni": cni, "processes": [kubelet], "pods": [], "status": {}}

one(n) := {"node": n, "peers": [], "cluster": {"nodes": [denying], "pods": [], "daemonsets": []}}

agent(phase) := {
	"metadata": {
		"name": "kube-flannel-ds-x",
		"namespace": "kube-flannel",
		"ownerReferences": [{"kind": "DaemonSet", "name": "kube-flannel-ds"}],
	},
	"spec": {"nodeName": "n1"},
	"status": {"phase": phase, "containerStatuses": []},
	"source": "pods.json",
}

test_found_directory_is_empty if {
	found := rule.finding with input as one(node(denying, empty))
	count(found) == 1
	some f in found
	f.message == "/etc/cni/net.d has no file: no Pod on n1 gets a network, and the cluster has no network plugin."
	{e.source | some e in f.evidence} == {"ls /etc/cni/net.d", "kubectl get node n1 -o yaml"}
	contains(f.fix.steps[0].edit, "install a network plugin")
}

test_found_by_the_nodes_condition_alone if {
	n := object.remove(node(denying, empty), ["cni", "processes"])
	some f in rule.finding with input as one(n)
	startswith(f.message, "The runtime found no CNI configuration: ")
}

test_found_agent_does_not_start if {
	n := object.union(node(denying, empty), {"pods": [agent("Pending")]})
	some f in rule.finding with input as one(n)
	contains(f.message, "and its network plugin does not run there (Pending)")
	startswith(f.fix.steps[0].run, "kubectl -n kube-flannel describe pod kube-flannel-ds-x; kubectl -n kube-flannel logs ")
	f.fix.steps[1].run == "kubectl -n kube-flannel delete pod kube-flannel-ds-x"
}

test_found_somebody_removed_the_file if {
	n := object.union(node(denying, empty), {"pods": [agent("Running")]})
	some f in rule.finding with input as one(n)
	contains(f.message, "though its network plugin runs there")
	f.fix.steps[0].run == "kubectl -n kube-flannel delete pod kube-flannel-ds-x"
}

test_found_no_pod_of_the_daemonset if {
	i := object.union(
		one(node(denying, empty)),
		{"cluster": {"daemonsets": [{"metadata": {"name": "calico-node", "namespace": "kube-system"}}]}},
	)
	some f in rule.finding with input as i
	contains(f.message, "DaemonSet kube-system/calico-node has no Pod there")
}

test_found_files_are_not_valid if {
	broken := {
		"dir": "/etc/cni/net.d",
		"files": [object.union(file, {"problem": "not JSON: unexpected end of JSON input"})],
	}
	some f in rule.finding with input as one(node(denying, broken))
	startswith(f.message, "/etc/cni/net.d has no valid file (not JSON: unexpected end of JSON input): ")
}

test_found_without_a_cluster if {
	n := object.remove(node(denying, empty), ["object"])
	count(rule.finding) == 1 with input as {"node": n, "peers": [], "cluster": {}}
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) == 1
}

test_ruled_out_a_file_is_there if {
	ruled_out_only with input as one(node(ready, {"dir": "/etc/cni/net.d", "files": [file]}))
}

test_ruled_out_ready_by_the_api_alone if {
	ruled_out_only with input as one(object.remove(node(ready, empty), ["cni", "processes"]))
}

# Not Ready for another reason, and the file that the kubelet missed is there by now.
test_ruled_out_not_ready_for_another_reason if {
	stopped := api_node("Unknown", "Kubelet stopped posting node status.")
	ruled_out_only with input as one(node(stopped, {"dir": "/etc/cni/net.d", "files": [file]}))
	ruled_out_only with input as one(node(denying, {"dir": "/etc/cni/net.d", "files": [file]}))
}

test_ruled_out_client if {
	client := object.union(object.remove(node(denying, empty), ["object"]), {"processes": []})
	nothing := {"modes": [], "detached": []}
	ruled_out_only with input as one(client) with netcause.kube_proxy_rules as nothing
}

# OpenShift's CRI-O, and what else looks in a directory of its own.
test_unexamined_empty_and_ready if {
	count(rule.finding) == 0 with input as one(node(ready, empty))
	some u in rule.unexamined with input as one(node(ready, empty))
	contains(u.reason, "its runtime may look elsewhere")
}

test_unexamined_nothing_tells if {
	silent := {"metadata": {"name": "n1"}, "status": {}, "source": "nodes.json"}
	count(rule.finding) == 0 with input as one(object.remove(node(silent, empty), ["cni"]))
	some u in rule.unexamined with input as one(object.remove(node(silent, empty), ["cni"]))
	u.group == "cni"
}

made := {"metadata": {"creationTimestamp": "2026-03-04T12:00:00Z"}}

test_unexamined_node_joins if {
	joining := node(object.union(denying, made), empty)
	starting := object.union(joining, {"pods": [object.union(agent("Pending"), made)]})
	every n in [joining, starting] {
		count(rule.finding) + count(rule.ruled_out) == 0 with input as one(n) with netcause.seconds_since as 20
		count(rule.unexamined) == 1 with input as one(n) with netcause.seconds_since as 20
		count(rule.finding) == 1 with input as one(n) with netcause.seconds_since as 900
	}
}

test_found_plugin_of_a_new_node_crashes if {
	crashing := object.union(agent("Running"), {"status": {"conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [{
		"ready": false,
		"restartCount": 3,
		"state": {"waiting": {"reason": "CrashLoopBackOff"}},
	}]}})
	n := object.union(node(object.union(denying, made), empty), {"pods": [object.union(crashing, made)]})
	count(rule.finding) == 1 with input as one(n) with netcause.seconds_since as 20
}

test_found_file_of_a_new_node_is_gone_though_the_plugin_is_ready if {
	n := object.union(node(object.union(denying, made), empty), {"pods": [object.union(agent("Running"), made)]})
	count(rule.finding) == 1 with input as one(n) with netcause.seconds_since as 20
}

test_ruled_out_virtual_node if {
	virtual := object.union(ready, {"metadata": {"labels": {"type": "virtual-kubelet"}}})
	ruled_out_only with input as one(object.remove(node(virtual, empty), ["cni", "processes"]))
}

test_ruled_out_node_is_taken_away if {
	going := object.union(denying, {"spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]}})
	ruled_out_only with input as one(node(going, empty))
}

# A runtime with a folder of its own, and the cluster's objects are not there.
test_unexamined_pods_have_devices if {
	devices := {"links": [{"ifname": "cali0a1b2c3d4e5", "kind": "veth", "link_netnsid": 0}]}
	n := object.union(object.remove(node(denying, empty), ["object"]), devices)
	alone := {"node": n, "peers": [], "cluster": {}}
	count(rule.finding) == 0 with input as alone
	some u in rule.unexamined with input as alone
	startswith(u.reason, "/etc/cni/net.d is empty, and Pods have devices all the same")
}

test_ruled_out_on_a_node_whose_object_was_not_read if {
	n := object.remove(node(ready, {"dir": "/etc/cni/net.d", "files": [file]}), ["object"])
	some r in rule.ruled_out with input as one(n)
	r.message == "the runtime has a CNI configuration"
}
