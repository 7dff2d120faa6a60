# METADATA
# title: Two nodes give their Pods addresses of one range
# description: >-
#   Each node hands out addresses of its own range, and the others send what is for that range to it. Where two nodes have
#   ranges in common their Pods get the same addresses, and packets for one end at the other, or at nobody.
# related_resources:
#   - ref: https://github.com/flannel-io/flannel/issues/1549
#     description: all nodes patched by hand with one podCIDR, and Pods with the same address
#   - ref: https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/
#     description: allocate-node-cidrs and cluster-cidr, which give each Node a range of its own
# custom:
#   id: duplicate-pod-cidr
#   category: cni
#   scope: cluster
#   severity: critical
#   needs: [cluster.nodes]
#   optional: [cluster.configmaps, cluster.daemonsets]
#   explains: [network-unreachable, intermittent-loss]
#   causes: [pod-network-route-missing, vxlan-fdb-wrong, vxlan-neighbour-wrong]
package netcause.rules.cni.duplicate_pod_cidr

import data.netcause.lib.flannel
import data.netcause.lib.pod_cidr
import data.netcause.lib.text

finding contains f if {
	count(_faults) > 0
	first := _faults[0]

	f := {
		"subject": _subject,
		"affects": [node | some node in _affected],
		"message": sprintf("%s%s.", [
			concat("; ", [_pair_text(overlap) | some overlap in array.slice(_faults, 0, 3)]),
			_more,
		]),
		"evidence": array.flatten([
			[fact | some overlap in array.slice(_faults, 0, 3); some fact in _evidence(overlap)],
			[_user | _user],
		]),
		"fix": {
			"summary": "A range of its own for each node",
			"steps": _steps(first),
		},
		"verify": "kubectl get nodes -o custom-columns=NAME:.metadata.name,POD-CIDR:.spec.podCIDRs shows a range of its own for each",
	}
}

ruled_out contains {"message": sprintf("the Pod ranges of %d Nodes have no address in common", [_answer.with]), "evidence": []} if {
	count(_answer.overlaps) == 0
	_answer.with > 0
}

ruled_out contains {"message": "no Node has a range of its own: their Pods get addresses elsewhere", "evidence": []} if {
	count(_answer.overlaps) == 0
	_answer.with == 0
}

ruled_out contains {
	"message": "Nodes have ranges in common, and the network plugin does not use them: no Pod has an address of them",
	"evidence": [_range_fact(overlap[key]) | some overlap in text.few(_answer.overlaps); some key in ["a", "b"]],
} if {
	count(_answer.overlaps) > 0
	count(_faults) == 0
	count(_open) == 0
}

unexamined contains {"group": "cluster.pods", "reason": reason} if {
	count(_faults) == 0
	count(_open) > 0
	reason := sprintf("%s, and it is not known whether Pods get their addresses from there", [_pair_text(_open[0])])
}

_answer := netcause.pod_cidrs()

_user := pod_cidr.user(input.cluster)

_faults := [overlap | some overlap in _answer.overlaps; _is_fault(overlap)]

_open := [overlap | some overlap in _answer.overlaps; not _is_fault(overlap); not overlap.unused]

# A plugin with pools of its own leaves podCIDR as it is: what counts is where addresses come from.
_is_fault(overlap) if overlap.used

_is_fault(overlap) if {
	not overlap.unused
	_user
}

_is_fault(overlap) if "FLANNEL_SUBNET" in {overlap.a.fact, overlap.b.fact}

_affected contains node if {
	some overlap in _faults
	some node in [overlap.a.node, overlap.b.node]
}

_subject := {"kind": "Node", "name": _faults[0].later} if count(_faults) == 1

_subject := {"kind": "Cluster", "name": "cluster"} if count(_faults) > 1

_pair_text(overlap) := sprintf("%s and %s both have %s%s", [overlap.a.node, overlap.b.node, overlap.common, _same(overlap)])

_same(overlap) := "" if count(overlap.same) == 0

_same(overlap) := sprintf(", and Pods of both have the address %s", [overlap.same[0]]) if count(overlap.same) > 0

_more := "" if _answer.count <= 3

_more := sprintf(" (%d pairs of nodes in all)", [_answer.count]) if _answer.count > 3

_evidence(overlap) := array.concat(
	[_range_fact(overlap.a), _range_fact(overlap.b)],
	[{"fact": sprintf("address of Pod %s on %s", [pod.pod, pod.node]), "value": pod.address, "source": pod.source} |
		some pod in overlap.pods
	],
)

_range_fact(range) := {"fact": sprintf("%s of %s", [range.fact, range.node]), "value": range.cidr, "source": range.source}

# podCIDR of a Node cannot be changed: the Node is made anew, and its Pods with it.
_steps(overlap) := array.flatten([
	{
		"cluster": true,
		"run": sprintf("kubectl drain %s --ignore-daemonsets --delete-emptydir-data", [overlap.later]),
		"why": "its Pods need other addresses",
	},
	{
		"cluster": true,
		"run": sprintf("kubectl delete node %s", [overlap.later]),
		"why": "podCIDR cannot be changed: the Node has to be made anew",
	},
	{
		"cluster": true,
		"run": sprintf("kubectl delete pods --all-namespaces --field-selector spec.nodeName=%s", [overlap.later]),
		"why": "those of DaemonSets, which drain leaves: they have addresses of the old range",
	},
	_forget(overlap.later),
	{
		"node": overlap.later,
		"run": "systemctl restart kubelet",
		"why": "it joins again; with --allocate-node-cidrs kube-controller-manager gives it a range that is free",
	},
	[object.union(pod_cidr.give(overlap.later, overlap.free), {"why": "where ranges are given by hand"}) |
		overlap.free != ""
		not _answer.capacity.allocate
	],
	_learn,
])

_restart := flannel.restart(input.cluster)

_forget(node) := {
	"node": node,
	"run": "rm -f /run/flannel/subnet.env; ip link delete cni0",
	"why": "the bridge of its Pods has an address of the old range, and so would new Pods",
} if {
	count(_restart) > 0
} else := {"node": node, "edit": "delete the bridge of the Pods (cni0), where there is one: it has an address of the old range"}

# When a Node goes flannel of the others takes out its range, which was the other node's, too.
default _learn := [{
	"cluster": true,
	"edit": "restart the network agent of every node: with the Node the others may forget the way to the range",
}]

_learn := array.concat(
	[object.union(_restart[0], {"why": "with the Node the others forget the way to the range, and it is the other node's still"})],
	array.slice(_restart, 1, count(_restart)),
) if {
	count(_restart) > 0
}
