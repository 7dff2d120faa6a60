package netcause.rules.cni.pod_cidr_missing_test

import data.netcause.rules.cni.pod_cidr_missing as rule

incident := {"nodes": [], "cluster": {"nodes": [], "daemonsets": [], "configmaps": []}}

annotated := {
	"metadata": {"name": "n1", "annotations": {
		"flannel.alpha.coreos.com/kube-subnet-manager": "true",
		"flannel.alpha.coreos.com/backend-type": "vxlan",
	}},
	"source": "nodes.json",
}

with_flannel := {"nodes": [], "cluster": object.union(incident.cluster, {"nodes": [annotated]})}

missing(fields) := object.union(
	{
		"node": "n3",
		"source": "kubectl get node n3 -o yaml",
		"seconds": 600,
		"ready": false,
		"networked": false,
		"condition": "cni config uninitialized",
		"events": [],
		"free": "10.244.3.0/24",
	},
	fields,
)

room := {"cidr": "10.244.0.0/16", "size": 24, "blocks": 256, "taken": 2, "source": "pods.json", "allocate": false}

answer(nodes, capacity) := {
	"nodes": 3,
	"with": 3 - count(nodes),
	"overlaps": [],
	"count": 0,
	"missing": nodes,
	"capacity": capacity,
}

event := {"reason": "CIDRNotAvailable", "message": "Node n3 status is now: CIDRNotAvailable", "source": "events.json"}

found_only if {
	count(rule.finding) == 1
	count(rule.ruled_out) + count(rule.unexamined) == 0
}

ruled_out_only if {
	count(rule.ruled_out) == 1
	count(rule.finding) + count(rule.unexamined) == 0
}

unexamined_only if {
	count(rule.unexamined) == 1
	count(rule.finding) + count(rule.ruled_out) == 0
}

test_found_not_allocated if {
	some f in rule.finding with input as with_flannel with netcause.pod_cidrs as answer([missing({})], room)
	f.subject == {"kind": "Node", "name": "n3", "node": "n3"}
	f.message == concat(": ", [
		"n3 has no podCIDR",
		"kube-controller-manager does not give Nodes ranges (--allocate-node-cidrs is not set).",
	])
	f.fix.steps[0].patch == concat(" ", [
		"kubectl patch node n3 --type merge -p",
		`'{"spec":{"podCIDR":"10.244.3.0/24","podCIDRs":["10.244.3.0/24"]}}'`,
	])
	found_only with input as with_flannel with netcause.pod_cidrs as answer([missing({})], room)
}

test_found_exhausted if {
	full := object.union(room, {"cidr": "10.244.0.0/23", "blocks": 2, "allocate": true})
	some f in rule.finding with input as incident with netcause.pod_cidrs as answer([missing({"events": [event]})], full)
	f.message == "n3 has no podCIDR: all 2 blocks of /24 of the cluster's 10.244.0.0/23 are taken."
	f.evidence[2].value == "Node n3 status is now: CIDRNotAvailable"
	contains(f.fix.steps[0].edit, "set --cluster-cidr to a range that holds the old one")
}

test_found_by_its_event_alone if {
	some f in rule.finding with input as incident with netcause.pod_cidrs as answer([missing({"events": [event]})], null)
	f.message == "n3 has no podCIDR: kube-controller-manager has no block left to give."
	contains(f.fix.steps[0].edit, "set --cluster-cidr to a range that holds the old one")
	found_only with input as incident with netcause.pod_cidrs as answer([missing({"events": [event]})], null)
}

router(flags) := {"nodes": [], "cluster": object.union(incident.cluster, {"daemonsets": [{
	"metadata": {"name": "kube-router", "namespace": "kube-system"},
	"source": "daemonsets.json",
	"spec": {"template": {"spec": {"containers": [{"name": "kube-router", "args": flags}]}}},
}]})}

test_found_kube_router_routes if {
	found_only with input as router(["--run-router=true"]) with netcause.pod_cidrs as answer([missing({})], room)
	unexamined_only with input as router(["--run-router=false"]) with netcause.pod_cidrs as answer([missing({})], room)
}

failed := {"reason": "CIDRAssignmentFailed", "message": "Node n3 status is now: CIDRAssignmentFailed.", "source": "events.json"}

test_found_by_another_event if {
	some f in rule.finding with input as incident with netcause.pod_cidrs as answer([missing({"events": [failed]})], null)
	f.message == "n3 has no podCIDR: Node n3 status is now: CIDRAssignmentFailed."
	f.fix.summary == "Have kube-controller-manager give each Node a range"
}

flannel_network(conf) := {"nodes": [], "cluster": {
	"nodes": [
		object.union(annotated, {"spec": {"podCIDR": "10.244.0.0/24"}}),
		object.union(annotated, {"spec": {}}),
	],
	"daemonsets": [],
	"configmaps": [{"metadata": {"name": "kube-flannel-cfg"}, "data": {"net-conf.json": conf}, "source": "configmaps.json"}],
}}

test_found_flannel_has_room if {
	roomy := flannel_network(`{"Network": "10.244.0.0/16"}`)
	some f in rule.finding with input as roomy with netcause.pod_cidrs as answer([missing({"events": [event]})], null)
	startswith(f.fix.steps[0].edit, "in kube-controller-manager's manifest set --cluster-cidr=10.244.0.0/16, which is flannel's Network")
	some fact in f.evidence
	fact == {"fact": "Network of flannel", "value": "10.244.0.0/16: 2 of 256 of /24 taken", "source": "configmaps.json"}
}

test_found_flannel_has_room_beyond_what_is_given if {
	roomy := flannel_network(`{"Network": "10.244.0.0/16"}`)
	full := object.union(room, {"cidr": "10.244.0.0/23", "blocks": 2, "allocate": true})
	some f in rule.finding with input as roomy with netcause.pod_cidrs as answer([missing({"events": [event]})], full)
	contains(f.fix.steps[0].edit, "--cluster-cidr=10.244.0.0/16")
}

test_found_flannel_has_no_room if {
	every conf in [`{"Network": "10.244.0.0/23"}`, `{"Network": "10.99.0.0/16"}`, `{"Network": "10.244.0.0"}`, "{", "{}"] {
		tight := flannel_network(conf)
		some f in rule.finding with input as tight with netcause.pod_cidrs as answer([missing({"events": [event]})], null)
		contains(f.fix.steps[0].edit, "set --cluster-cidr to a range that holds the old one")
	}
}

test_found_all_that_flannel_has_is_taken if {
	same := flannel_network(`{"Network": "10.244.0.0/16"}`)
	full := object.union(room, {"taken": 256, "allocate": true})
	some f in rule.finding with input as same with netcause.pod_cidrs as answer([missing({"events": [event]})], full)
	contains(f.fix.steps[0].edit, "set --cluster-cidr to a range that holds the old one")
}

test_found_several if {
	two := [missing({}), missing({"node": "n4"})]
	some f in rule.finding with input as with_flannel with netcause.pod_cidrs as answer(two, room)
	f.subject.kind == "Cluster"
	f.affects == ["n3", "n4"]
	startswith(f.message, "n3, n4 have no podCIDR")
}

test_ruled_out_all_have_one if {
	ruled_out_only with input as with_flannel with netcause.pod_cidrs as answer([], room)
}

test_ruled_out_a_plugin_with_pools_of_its_own if {
	calico := missing({"ready": true, "networked": true, "condition": ""})
	some r in rule.ruled_out with input as incident with netcause.pod_cidrs as answer([calico], null)
	contains(r.message, "n3 has no podCIDR and needs none")
	ruled_out_only with input as incident with netcause.pod_cidrs as answer([calico], null)
	ruled_out_only with input as with_flannel with netcause.pod_cidrs as answer([calico], null)
}

test_unexamined_just_joined if {
	unexamined_only with input as with_flannel with netcause.pod_cidrs as answer([missing({"seconds": 5})], room)
	unexamined_only with input as with_flannel with netcause.pod_cidrs as answer([missing({"seconds": null})], room)
}

test_unexamined_not_known_what_the_plugin_needs if {
	unexamined_only with input as incident with netcause.pod_cidrs as answer([missing({})], null)
}

test_ruled_out_virtual_node_beside_flannel if {
	virtual := {"metadata": {"name": "n3", "labels": {"type": "virtual-kubelet"}}, "source": "nodes.json"}
	beside := {"nodes": [], "cluster": object.union(incident.cluster, {"nodes": [annotated, virtual]})}
	ruled_out_only with input as beside with netcause.pod_cidrs as answer([missing({"ready": true})], null)
}

test_ruled_out_flannel_was_there_before_calico if {
	calico := {"metadata": {"name": "calico-node", "namespace": "calico-system"}}
	after := {"nodes": [], "cluster": object.union(with_flannel.cluster, {"daemonsets": [calico]})}
	ruled_out_only with input as after with netcause.pod_cidrs as answer([missing({"ready": true})], null)
}
