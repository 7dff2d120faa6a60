package netcause.rules.cni.kube_proxy_missing_priority_class_test

import data.netcause.rules.cni.kube_proxy_missing_priority_class as rule

daemonset := {
	"metadata": {"name": "kube-proxy", "namespace": "kube-system"},
	"spec": {"template": {"spec": {
		"containers": [{"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.33.1"}],
		"tolerations": [{"operator": "Exists"}],
	}}},
	"status": {"desiredNumberScheduled": 2, "numberReady": 1},
	"source": "daemonsets.json",
}

with_class(name) := object.union(daemonset, {"spec": {"template": {"spec": {"priorityClassName": name}}}})

api_node(name) := {"metadata": {"name": name}, "spec": {}, "status": {}, "source": "nodes.json"}

pod(name, node, status) := {
	"metadata": {
		"name": name,
		"namespace": "kube-system",
		"ownerReferences": [{"kind": "DaemonSet", "name": "kube-proxy"}],
	},
	"spec": {
		"nodeName": node,
		"containers": [{"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.33.1"}],
	},
	"status": status,
	"source": "pods.json",
}

# A Pod that waits for a place has no nodeName: its DaemonSet ties it to the node by affinity.
wanted(node) := {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [{
	"key": "metadata.name",
	"operator": "In",
	"values": [node],
}]}]}}}}

unbound(name, node, status) := object.union(object.remove(pod(name, node, status), ["spec"]), {"spec": wanted(node)})

running := {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}

not_scheduled(message) := {"phase": "Pending", "conditions": [{
	"type": "PodScheduled",
	"status": "False",
	"reason": "Unschedulable",
	"message": message,
}]}

insufficient := not_scheduled("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector.")

incident_of(ds, pods, nodes) := {"nodes": [], "cluster": {
	"daemonsets": [ds],
	"pods": array.concat([pod("kube-proxy-a", "n1", running)], pods),
	"nodes": nodes,
}}

incident(pods) := incident_of(daemonset, pods, [api_node("n1"), api_node("n2")])

found_on_n2 if {
	count(rule.finding) == 1
	some f in rule.finding
	f.affects == {"n2"}
	count(rule.ruled_out) == 0
}

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.ruled_out) == 1
}

test_found_pending_for_lack_of_cpu if {
	facts := incident([unbound("kube-proxy-b", "n2", insufficient)])
	found_on_n2 with input as facts
	some f in rule.finding with input as facts
	f.subject == {"kind": "DaemonSet", "name": "kube-proxy", "namespace": "kube-system"}
	f.message == concat("", [
		"DaemonSet kube-system/kube-proxy has no priorityClassName, and its Pod lost its place on n2: ",
		"nothing there reaches a Service, DNS first.",
	])
	f.evidence[0] == {
		"fact": "priorityClassName of DaemonSet kube-system/kube-proxy",
		"value": "not set",
		"source": "daemonsets.json",
	}
	contains(f.evidence[1].value, "Pending: 0/2 nodes are available: 1 Insufficient cpu")
	f.evidence[1].source == "pods.json"
	f.fix.steps[0].patch == concat("", [
		"kubectl -n kube-system patch daemonset kube-proxy --type strategic -p '",
		`{"spec":{"template":{"spec":{"priorityClassName":"system-node-critical"}}}}`,
		"'",
	])
}

test_found_pending_without_conditions if {
	found_on_n2 with input as incident([unbound("kube-proxy-b", "n2", {"phase": "Pending"})])
	found_on_n2 with input as incident([pod("kube-proxy-b", "n2", {"phase": "Pending"})])
}

test_found_too_many_pods if {
	found_on_n2 with input as incident([unbound("kube-proxy-b", "n2", not_scheduled("0/2 nodes are available: 1 Too many pods."))])
}

test_found_evicted if {
	evicted := {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
	found_on_n2 with input as incident([pod("kube-proxy-b", "n2", evicted)])
}

test_found_refused_by_kubelet if {
	every reason in ["OutOfcpu", "OutOfmemory", "OutOfpods", "Preempting", "Preempted"] {
		found_on_n2 with input as incident([pod("kube-proxy-b", "n2", {"phase": "Failed", "reason": reason})])
	}
}

test_found_preempted if {
	preempted := pod("kube-proxy-b", "n2", {"phase": "Running", "conditions": [{
		"type": "DisruptionTarget",
		"status": "True",
		"reason": "PreemptionByScheduler",
		"message": "default-scheduler: preempting to accommodate a higher priority pod",
	}]})
	found_on_n2 with input as incident([object.union(preempted, {"metadata": {"deletionTimestamp": "2024-01-01T00:00:00Z"}})])
}

test_found_lower_class if {
	pods := [unbound("kube-proxy-b", "n2", insufficient)]
	below := incident_of(with_class("system-cluster-critical"), pods, [api_node("n1"), api_node("n2")])
	found_on_n2 with input as below
	some f in rule.finding with input as below
	contains(f.message, "has the priorityClassName system-cluster-critical, below system-node-critical")
}

test_found_pod_named_only_by_its_owner if {
	bare := json.remove(pod("kube-proxy-b", "n2", {"phase": "Failed", "reason": "Evicted"}), ["/spec/containers"])
	found_on_n2 with input as incident([bare])
}

test_found_pod_known_only_by_its_label if {
	labelled := object.union(
		object.remove(pod("kube-proxy-b", "n2", insufficient), ["metadata"]),
		{"metadata": {"name": "x", "namespace": "kube-system", "labels": {"k8s-app": "kube-proxy"}}},
	)
	found_on_n2 with input as incident([labelled])
}

test_found_daemonset_of_another_name if {
	renamed := object.union(daemonset, {"metadata": {"name": "rke-kube-proxy"}})
	pods := [object.union(unbound("rke-kube-proxy-b", "n2", insufficient), {"metadata": {"ownerReferences": [{
		"kind": "DaemonSet",
		"name": "rke-kube-proxy",
	}]}})]
	found_on_n2 with input as incident_of(renamed, pods, [api_node("n1"), api_node("n2")])
}

test_found_daemonset_without_tolerations if {
	bare := object.union(object.remove(daemonset, ["spec"]), {"spec": {"selector": {}}})
	found_on_n2 with input as incident_of(bare, [unbound("kube-proxy-b", "n2", insufficient)], [api_node("n1"), api_node("n2")])
}

test_found_full_node_that_is_cordoned if {
	cordoned := object.union(api_node("n2"), {"spec": {"unschedulable": true, "taints": [{
		"key": "node.kubernetes.io/unschedulable",
		"effect": "NoSchedule",
	}]}})
	found_on_n2 with input as incident_of(daemonset, [unbound("kube-proxy-b", "n2", insufficient)], [api_node("n1"), cordoned])
}

test_found_on_many_nodes if {
	names := [sprintf("m%02d", [i]) | some i in numbers.range(10, 39)]
	pods := [unbound(concat("-", ["kube-proxy", name]), name, insufficient) | some name in names]
	some f in rule.finding with input as incident_of(daemonset, pods, [api_node(name) | some name in names])
	count(f.affects) == 30
	contains(f.message, "m10, m11, m12, m13 and 26 more")
	count(f.evidence) == 6
}

test_ruled_out_no_class_but_running_everywhere if {
	ruled_out_only with input as incident([pod("kube-proxy-b", "n2", running)])
	ruled_out_only with input as incident([])
}

test_ruled_out_critical if {
	pods := [unbound("kube-proxy-b", "n2", insufficient)]
	ruled_out_only with input as incident_of(with_class("system-node-critical"), pods, [api_node("n1"), api_node("n2")])
}

test_ruled_out_node_is_tainted if {
	picky := object.union(daemonset, {"spec": {"template": {"spec": {"tolerations": [{
		"key": "CriticalAddonsOnly",
		"operator": "Exists",
	}]}}}})
	tainted := object.union(api_node("n2"), {"spec": {"taints": [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]}})
	every status in [not_scheduled("0/2 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}."), {"phase": "Pending"}] {
		ruled_out_only with input as incident_of(picky, [unbound("kube-proxy-b", "n2", status)], [api_node("n1"), tainted])
	}
}

test_ruled_out_node_is_cordoned if {
	cordoned := object.union(api_node("n2"), {"spec": {"unschedulable": true}})
	every status in [not_scheduled("0/2 nodes are available: 1 node(s) were unschedulable."), {"phase": "Pending"}] {
		ruled_out_only with input as incident_of(daemonset, [unbound("kube-proxy-b", "n2", status)], [api_node("n1"), cordoned])
	}
}

test_ruled_out_image_is_pulled if {
	pulling := {"phase": "Pending", "containerStatuses": [{
		"name": "kube-proxy",
		"ready": false,
		"state": {"waiting": {"reason": "ImagePullBackOff"}},
	}]}
	ruled_out_only with input as incident([pod("kube-proxy-b", "n2", pulling)])
	scheduled := {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}
	ruled_out_only with input as incident([pod("kube-proxy-b", "n2", scheduled)])
}

test_ruled_out_evicted_and_back if {
	evicted := pod("kube-proxy-b", "n2", {"phase": "Failed", "reason": "Evicted"})
	ruled_out_only with input as incident([evicted, pod("kube-proxy-c", "n2", running)])
	ruled_out_only with input as incident([evicted, pod("kube-proxy-c", "n2", {"phase": "Running"})])
}

test_ruled_out_pod_of_a_node_that_is_gone if {
	ruled_out_only with input as incident([pod("kube-proxy-b", "n9", {"phase": "Failed", "reason": "Evicted"})])
}

test_ruled_out_no_daemonset if {
	other := {
		"metadata": {"name": "fluentd", "namespace": "logging"},
		"spec": {"template": {"spec": {"containers": [{"image": "fluentd:v1"}]}}},
	}
	ruled_out_only with input as incident_of(other, [], [api_node("n1")])
	ruled_out_only with input as {"nodes": [], "cluster": {"daemonsets": [], "pods": [], "nodes": []}}
}

test_ruled_out_next_pod_was_made_just_now if {
	next := object.union(unbound("kube-proxy-n2", "n2", {"phase": "Pending"}), {"metadata": {"creationTimestamp": "2026-03-04T12:00:00Z"}})
	updating := {"nodes": [], "cluster": {"daemonsets": [daemonset], "pods": [next], "nodes": [api_node("n2")]}}
	count(rule.finding) == 0 with input as updating with netcause.seconds_since as 1
	count(rule.ruled_out) == 1 with input as updating with netcause.seconds_since as 1
	count(rule.finding) == 1 with input as updating with netcause.seconds_since as 600
}

test_ruled_out_node_is_taken_away if {
	going := object.union(api_node("n2"), {"spec": {"taints": [{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}]}})
	evicted := pod("kube-proxy-n2", "n2", {"phase": "Failed", "reason": "Evicted"})
	gone := {"nodes": [], "cluster": {"daemonsets": [daemonset], "pods": [evicted], "nodes": [going]}}
	count(rule.finding) == 0 with input as gone
}
