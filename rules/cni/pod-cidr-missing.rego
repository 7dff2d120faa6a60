# METADATA
# title: A Node has no range of Pod addresses
# description: >-
#   The network plugin takes the addresses of a node's Pods from the Node's podCIDR. A Node without one never gets its
#   network: it stays NotReady, or its Pods stay in ContainerCreating.
# related_resources:
#   - ref: https://github.com/flannel-io/flannel/issues/728
#     description: flannel that ends with "pod cidr not assigned"
#   - ref: https://github.com/kubernetes/kubernetes/issues/114560
#     description: no remaining CIDRs in the cluster's range, and the event CIDRNotAvailable
#   - ref: https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/
#     description: allocate-node-cidrs, cluster-cidr and node-cidr-mask-size
# custom:
#   id: pod-cidr-missing
#   category: cni
#   scope: cluster
#   severity: critical
#   needs: [cluster.nodes]
#   optional: [cluster.configmaps, cluster.daemonsets]
#   explains: [pod-not-networked]
#   causes: [cni-config-missing]
package netcause.rules.cni.pod_cidr_missing

import data.netcause.lib.kubernetes
import data.netcause.lib.pod_cidr
import data.netcause.lib.text

finding contains f if {
	count(_faults) > 0

	f := {
		"subject": _subject,
		"affects": _names,
		"message": sprintf("%s %s no podCIDR: %s.", [text.names(_names), _have, _why]),
		"evidence": array.flatten([
			[fact | some missing in text.few(_faults); some fact in _evidence(missing)],
			_users,
			[_capacity_fact | _capacity_fact],
			[_room.fact | _room],
		]),
		"fix": _fix,
		"verify": "kubectl get nodes -o custom-columns=NAME:.metadata.name,POD-CIDR:.spec.podCIDRs shows a range for each",
	}
}

ruled_out contains {"message": sprintf("all %d Nodes have a podCIDR", [_answer.nodes]), "evidence": []} if {
	count(_answer.missing) == 0
}

ruled_out contains {
	"message": sprintf("%s %s no podCIDR and %s none: their Pods get addresses elsewhere", [text.names(_all), _have_all, _need_all]),
	"evidence": [{"fact": sprintf("podCIDR of Node %s", [missing.node]), "value": "none, and the Node is Ready", "source": missing.source} |
		some missing in text.few(_answer.missing)
		missing.ready
	],
} if {
	count(_answer.missing) > 0
	count(_faults) == 0
	count(_open) == 0
}

unexamined contains {"group": "cluster.daemonsets", "reason": reason} if {
	count(_faults) == 0
	count(_open) > 0
	names := text.names([missing.node | some missing in _open])
	reason := sprintf("%s without podCIDR: not Ready, or just joined, and whether its network plugin needs one is not known", [names])
}

_answer := netcause.pod_cidrs()

# _users is the fact that shows who takes Pods' addresses from podCIDRs; none where nothing does.
_users := [fact | fact := pod_cidr.user(input.cluster)]

_faults := [missing | some missing in _answer.missing; _is_fault(missing)]

_open := [missing |
	some missing in _answer.missing
	not _is_fault(missing)
	not _does_without(missing)
]

# The controller says itself that it has none left.
_is_fault(missing) if {
	count(missing.events) > 0
	not _does_without(missing)
}

_is_fault(missing) if {
	count(_users) > 0
	not missing.node in _virtual
	missing.seconds > 60
	not missing.networked
}

# Pods with addresses, on a Node that is Ready, have them from somewhere else.
_does_without(missing) if {
	missing.ready
	missing.networked
}

_does_without(missing) if {
	missing.ready
	count(_users) == 0
}

_does_without(missing) if missing.node in _virtual

_virtual contains api_node.metadata.name if {
	some api_node in input.cluster.nodes
	kubernetes.is_virtual(api_node)
}

_names := [missing.node | some missing in _faults]

_all := [missing.node | some missing in _answer.missing]

_subject := {"kind": "Node", "name": _names[0], "node": _names[0]} if count(_names) == 1

_subject := {"kind": "Cluster", "name": "cluster"} if count(_names) > 1

_have := "has" if count(_names) == 1

_have := "have" if count(_names) > 1

_have_all := "has" if count(_all) == 1

_have_all := "have" if count(_all) > 1

_need_all := "needs" if count(_all) == 1

_need_all := "need" if count(_all) > 1

_capacity := _answer.capacity if is_object(_answer.capacity)

_is_exhausted if _capacity.taken >= _capacity.blocks

# The controller says so, and its flags were not seen.
_has_none_left if {
	not _capacity
	some missing in _faults
	some event in missing.events
	event.reason == "CIDRNotAvailable"
}

# _room is the network of flannel, where it has blocks that no Node has and the controller does not give.
_room := {"cidr": network.cidr, "fact": fact} if {
	network := pod_cidr.network(input.cluster)
	not _no_wider(network)
	given := [node.spec.podCIDR | some node in input.cluster.nodes; node.spec.podCIDR]
	every range in given {
		net.cidr_contains(network.cidr, range)
	}
	sizes := [to_number(split(range, "/")[1]) | some range in given]
	blocks := bits.lsh(1, max(sizes) - to_number(split(network.cidr, "/")[1]))
	_answer.with < blocks
	fact := {
		"fact": "Network of flannel",
		"value": sprintf("%s: %d of %d of /%d taken", [network.cidr, _answer.with, blocks, max(sizes)]),
		"source": network.source,
	}
}

_no_wider(network) if network.cidr == _capacity.cidr

_no_wider(network) if {
	range := _capacity.cidr
	not net.cidr_contains(network.cidr, range)
}

default _why := "nobody has given it one"

_why := sprintf("all %d blocks of /%d of the cluster's %s are taken", [_capacity.blocks, _capacity.size, _capacity.cidr]) if {
	_is_exhausted
} else := "kube-controller-manager does not give Nodes ranges (--allocate-node-cidrs is not set)" if {
	not _capacity.allocate
	_capacity
} else := "kube-controller-manager has no block left to give" if {
	_has_none_left
} else := trim_right(_faults[0].events[0].message, ".") if {
	count(_faults[0].events) > 0
}

_capacity_fact := {
	"fact": "blocks of --cluster-cidr",
	"value": sprintf("%s: %d of %d of /%d taken, --allocate-node-cidrs=%v", [
		_capacity.cidr,
		_capacity.taken,
		_capacity.blocks,
		_capacity.size,
		_capacity.allocate,
	]),
	"source": _capacity.source,
}

_evidence(missing) := array.flatten([
	{"fact": sprintf("podCIDR of Node %s", [missing.node]), "value": "none", "source": missing.source},
	[{"fact": sprintf("condition of Node %s", [missing.node]), "value": missing.condition, "source": missing.source} |
		missing.condition != ""
	],
	[{"fact": sprintf("event %s of Node %s", [event.reason, missing.node]), "value": event.message, "source": event.source} |
		some event in missing.events
	],
])

default _fix := {
	"summary": "Have kube-controller-manager give each Node a range",
	"steps": [{
		"cluster": true,
		"edit": "in kube-controller-manager's manifest set --allocate-node-cidrs=true and --cluster-cidr to the Pod network",
	}],
}

_fix := {
	"summary": "Give kube-controller-manager more blocks to give",
	"steps": [{
		"cluster": true,
		"edit": sprintf("in kube-controller-manager's manifest set --cluster-cidr=%s, which is flannel's Network", [_room.cidr]),
		"why": "it then gives the Node a block, and flannel on it goes on by itself",
	}],
} if {
	_is_out
	_room
} else := {
	"summary": "Give kube-controller-manager more blocks to give",
	"steps": [{
		"cluster": true,
		"edit": concat(" ", [
			"in kube-controller-manager's manifest set --cluster-cidr to a range that holds the old one and is free,",
			"and the same in the network plugin and in kube-proxy; or take out Nodes that are gone",
		]),
		"why": "podCIDRs of Nodes that have one cannot be made smaller",
	}],
} if {
	_is_out
} else := {
	"summary": "Give the Node a block that is free",
	"steps": array.concat(
		[pod_cidr.give(missing.node, missing.free) | some missing in _faults; missing.free != ""],
		[{
			"cluster": true,
			"edit": "in kube-controller-manager's manifest set --allocate-node-cidrs=true: it then gives each new Node a range",
		}],
	),
} if {
	_capacity
}

_is_out if _is_exhausted

_is_out if _has_none_left
