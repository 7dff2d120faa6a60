package netcause.rules.cni.duplicate_pod_cidr_test

import data.netcause.rules.cni.duplicate_pod_cidr as rule

incident := {"nodes": [], "cluster": {"nodes": [], "daemonsets": [], "configmaps": []}}

flannel := {
	"metadata": {"name": "kube-flannel-ds", "namespace": "kube-flannel"},
	"source": "daemonsets.json",
	"spec": {"template": {"spec": {"containers": [{"name": "kube-flannel", "args": ["--ip-masq", "--kube-subnet-mgr"]}]}}},
}

with_flannel := {"nodes": [], "cluster": object.union(incident.cluster, {"daemonsets": [flannel]})}

range(node, cidr) := {"node": node, "cidr": cidr, "fact": "podCIDR", "source": sprintf("kubectl get node %s -o yaml", [node])}

overlap(fields) := object.union(
	{
		"a": range("n1", "10.244.0.0/24"),
		"b": range("n2", "10.244.0.0/24"),
		"common": "10.244.0.0/24",
		"pods": [],
		"same": [],
		"used": false,
		"unused": false,
		"later": "n2",
		"free": "10.244.3.0/24",
	},
	fields,
)

answer(overlaps) := {
	"nodes": 3,
	"with": 3,
	"overlaps": overlaps,
	"count": count(overlaps),
	"missing": [],
	"capacity": {"cidr": "10.244.0.0/16", "size": 24, "blocks": 256, "taken": 3, "source": "pods.json", "allocate": true},
}

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

used := overlap({
	"used": true,
	"same": ["10.244.0.5"],
	"pods": [{"pod": "shop/a", "node": "n1", "address": "10.244.0.5", "source": "pods.json"}],
})

test_found_pods_with_the_same_address if {
	some f in rule.finding with input as incident with netcause.pod_cidrs as answer([used])
	f.subject == {"kind": "Node", "name": "n2"}
	f.affects == ["n1", "n2"]
	f.message == "n1 and n2 both have 10.244.0.0/24, and Pods of both have the address 10.244.0.5."
	count(f.evidence) == 3
	f.fix.steps[1].run == "kubectl delete node n2"
	count([s | some s in f.fix.steps; s.patch]) == 0
	count([s | some s in f.fix.steps; s.edit]) == 2
	found_only with input as incident with netcause.pod_cidrs as answer([used])
}

test_found_before_there_are_pods if {
	some f in rule.finding with input as with_flannel with netcause.pod_cidrs as answer([overlap({})])
	f.evidence[2].value == "DaemonSet kube-flannel/kube-flannel-ds"
	[step.run | some step in f.fix.steps] == [
		"kubectl drain n2 --ignore-daemonsets --delete-emptydir-data",
		"kubectl delete node n2",
		"kubectl delete pods --all-namespaces --field-selector spec.nodeName=n2",
		"rm -f /run/flannel/subnet.env; ip link delete cni0",
		"systemctl restart kubelet",
		"kubectl -n kube-flannel rollout restart daemonset/kube-flannel-ds",
		"kubectl -n kube-flannel rollout status daemonset/kube-flannel-ds",
	]
	found_only with input as with_flannel with netcause.pod_cidrs as answer([overlap({})])
}

# What the controller is told is not known: a patch would come too late, or too early.
test_found_not_known_who_gives_ranges if {
	unknown := object.union(answer([overlap({"used": true, "free": ""})]), {"capacity": null})
	some f in rule.finding with input as incident with netcause.pod_cidrs as unknown
	count([s | some s in f.fix.steps; s.patch]) == 0
}

test_found_ranges_given_by_hand if {
	by_hand := object.union(answer([used]), {"capacity": {"allocate": false}})
	some f in rule.finding with input as incident with netcause.pod_cidrs as by_hand
	some step in f.fix.steps
	contains(step.patch, `{"spec":{"podCIDR":"10.244.3.0/24","podCIDRs":["10.244.3.0/24"]}}`)
}

test_found_flannel_has_anothers if {
	env := overlap({"b": {"node": "n2", "cidr": "10.244.0.0/24", "fact": "FLANNEL_SUBNET", "source": "/run/flannel/subnet.env:2"}})
	some f in rule.finding with input as incident with netcause.pod_cidrs as answer([env])
	f.evidence[1].fact == "FLANNEL_SUBNET of n2"
}

test_found_many if {
	all_alike := object.union(answer([used, used, used, used]), {"count": 45})
	some f in rule.finding with input as incident with netcause.pod_cidrs as all_alike
	f.subject.kind == "Cluster"
	endswith(f.message, "(45 pairs of nodes in all).")
}

test_ruled_out_apart if {
	ruled_out_only with input as with_flannel with netcause.pod_cidrs as answer([])
}

test_ruled_out_a_plugin_with_pools_of_its_own if {
	some r in rule.ruled_out with input as incident with netcause.pod_cidrs as answer([overlap({"unused": true})])
	contains(r.message, "the network plugin does not use them")
	ruled_out_only with input as with_flannel with netcause.pod_cidrs as answer([overlap({"unused": true})])
}

test_unexamined_not_known_whether_used if {
	some u in rule.unexamined with input as incident with netcause.pod_cidrs as answer([overlap({})])
	u.group == "cluster.pods"
	unexamined_only with input as incident with netcause.pod_cidrs as answer([overlap({})])
}
