# METADATA
# description: On which nodes a DaemonSet wants its Pods, and what keeps them away.
package netcause.lib.scheduling

# target_node is the node that a Pod is on, or the one that its DaemonSet wants it on.
target_node(pod) := pod.spec.nodeName

target_node(pod) := node if {
	not pod.spec.nodeName
	required := pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
	names := [field.values[0] |
		some term in required.nodeSelectorTerms
		some field in term.matchFields
		field.key == "metadata.name"
	]
	node := names[0]
}

# excludes says whether a DaemonSet's nodeSelector or node affinity leaves a Node out. Of a Node without labels nothing is
# known: a kubelet gives it some.
excludes(daemonset, api_node) if {
	some key, value in daemonset.spec.template.spec.nodeSelector
	object.get(api_node.metadata.labels, key, null) != value
}

excludes(daemonset, api_node) if {
	labels := api_node.metadata.labels
	affinity := daemonset.spec.template.spec.affinity
	terms := affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
	every term in terms {
		some requirement in term.matchExpressions
		_fails(requirement, labels)
	}
}

_fails(requirement, labels) if {
	requirement.operator == "In"
	not object.get(labels, requirement.key, null) in requirement.values
}

_fails(requirement, labels) if {
	requirement.operator == "NotIn"
	labels[requirement.key] in requirement.values
}

_fails(requirement, labels) if {
	requirement.operator == "Exists"
	not requirement.key in object.keys(labels)
}

_fails(requirement, labels) if {
	requirement.operator == "DoesNotExist"
	requirement.key in object.keys(labels)
}

# untolerated are the taints of a Node that keep a DaemonSet's Pods away, as kubectl writes them.
untolerated(daemonset, api_node) := [shown |
	some taint in api_node.spec.taints
	taint.effect in {"NoSchedule", "NoExecute"}
	not _tolerated(daemonset, taint)
	shown := sprintf("%s=%s:%s", [taint.key, object.get(taint, "value", ""), taint.effect])
]

_tolerated(daemonset, taint) if {
	some toleration in daemonset.spec.template.spec.tolerations
	_key_tolerated(toleration, taint)
	object.get(toleration, "effect", taint.effect) == taint.effect
}

# The DaemonSet controller tolerates these for its Pods (pkg/controller/daemon/util/daemonset_util.go).
_tolerated(_, taint) if taint.key in {
	"node.kubernetes.io/not-ready",
	"node.kubernetes.io/unreachable",
	"node.kubernetes.io/disk-pressure",
	"node.kubernetes.io/memory-pressure",
	"node.kubernetes.io/pid-pressure",
	"node.kubernetes.io/unschedulable",
	"node.kubernetes.io/network-unavailable",
}

_key_tolerated(toleration, taint) if {
	toleration.operator == "Exists"
	object.get(toleration, "key", taint.key) == taint.key
}

_key_tolerated(toleration, taint) if {
	object.get(toleration, "operator", "Equal") == "Equal"
	toleration.key == taint.key
	object.get(toleration, "value", "") == object.get(taint, "value", "")
}
