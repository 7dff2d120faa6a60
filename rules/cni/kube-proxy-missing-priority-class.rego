# METADATA
# title: kube-proxy has no priority and lost its place on a full node
# description: >-
#   Without priorityClassName system-node-critical a kube-proxy Pod is scheduled, preempted and evicted like any other.
#   On a node that is full it stays Pending or is thrown out, and with it every Service address on that node.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/administer-cluster/guaranteed-scheduling-critical-addon-pods/
#     description: system-node-critical for Pods that a node cannot do without
#   - ref: https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
#     description: how priority decides who is evicted
# custom:
#   id: kube-proxy-missing-priority-class
#   category: cni
#   scope: cluster
#   severity: critical
#   needs: [cluster.daemonsets, cluster.pods, cluster.nodes]
#   explains: [service-unreachable, dns-failure]
#   causes: [kube-proxy-not-running-on-node]
package netcause.rules.cni.kube_proxy_missing_priority_class

import data.netcause.lib.kube_proxy
import data.netcause.lib.kubernetes
import data.netcause.lib.scheduling
import data.netcause.lib.text

finding contains f if {
	some daemonset in _daemonsets
	not _critical(daemonset)
	lost := _lost(daemonset)
	count(lost) > 0
	nodes := {scheduling.target_node(pod) | some pod in lost}

	f := {
		"subject": _subject(daemonset),
		"affects": nodes,
		"message": sprintf(
			"DaemonSet %s has %s, and its Pod lost its place on %s: nothing there reaches a Service, DNS first.",
			[kubernetes.name(daemonset), _class(daemonset), text.names(nodes)],
		),
		"evidence": array.concat(
			[_class_fact(daemonset)],
			[kube_proxy.pod_fact(pod) | some pod in text.few(lost)],
		),
		"fix": {
			"summary": "Give kube-proxy the priority that a node's own services have",
			"steps": [
				{
					"cluster": true,
					"patch": sprintf(
						`kubectl -n %s patch daemonset %s --type strategic -p '%s'`,
						[
							daemonset.metadata.namespace,
							daemonset.metadata.name,
							`{"spec":{"template":{"spec":{"priorityClassName":"system-node-critical"}}}}`,
						],
					),
				},
				{
					"cluster": true,
					"edit": "give applications a readiness probe that checks what they depend on (a name, a storage)",
					"why": "a Pod on such a node then gets no traffic",
				},
			],
		},
		"verify": sprintf("kubectl -n %s rollout status daemonset/%s", [daemonset.metadata.namespace, daemonset.metadata.name]),
	}
}

ruled_out contains {"message": "no DaemonSet runs kube-proxy", "evidence": []} if count(_daemonsets) == 0

ruled_out contains {
	"subject": _subject(daemonset),
	"message": "kube-proxy has the priority of a node's own services",
	"evidence": [_class_fact(daemonset)],
} if {
	some daemonset in _daemonsets
	_critical(daemonset)
}

ruled_out contains {
	"subject": _subject(daemonset),
	"message": "no kube-proxy Pod lost its place (give it system-node-critical all the same, before a node is full)",
	"evidence": [_class_fact(daemonset)],
} if {
	some daemonset in _daemonsets
	not _critical(daemonset)
	count(_lost(daemonset)) == 0
}

_daemonsets := kube_proxy.daemonsets(input.cluster)

_subject(daemonset) := {
	"kind": "DaemonSet",
	"name": daemonset.metadata.name,
	"namespace": daemonset.metadata.namespace,
}

_class_fact(daemonset) := {
	"fact": sprintf("priorityClassName of DaemonSet %s", [kubernetes.name(daemonset)]),
	"value": object.get(daemonset, ["spec", "template", "spec", "priorityClassName"], "not set"),
	"source": daemonset.source,
}

_class(daemonset) := sprintf("the priorityClassName %s, below system-node-critical", [name]) if {
	name := daemonset.spec.template.spec.priorityClassName
} else := "no priorityClassName"

_critical(daemonset) if daemonset.spec.template.spec.priorityClassName == "system-node-critical"

# _lost are the Pods without a place, of nodes where no other one has one.
_lost(daemonset) := [pod |
	some pod in _pods
	pod.metadata.namespace == daemonset.metadata.namespace
	node := scheduling.target_node(pod)
	not node in _served
	some api_node in input.cluster.nodes
	api_node.metadata.name == node
	not kubernetes.leaving(api_node)
	_lost_its_place(pod, api_node)
	count(scheduling.untolerated(daemonset, api_node)) == 0
]

_pods := kube_proxy.pods(input.cluster)

_served contains scheduling.target_node(pod) if {
	some pod in _pods
	_has_place(pod)
}

_has_place(pod) if {
	pod.status.phase == "Running"
	not kubernetes.leaving(pod)
}

# What keeps a Pod that the scheduler bound is an image, a volume or its configuration.
_has_place(pod) if {
	pod.status.phase == "Pending"
	_bound(pod)
}

_bound(pod) if {
	some status in pod.status.containerStatuses
	status.state
}

_bound(pod) if {
	some condition in pod.status.conditions
	condition.type == "PodScheduled"
	condition.status == "True"
}

# The kubelet's reasons: pkg/kubelet/eviction, pkg/kubelet/preemption and pkg/kubelet/lifecycle.
_lost_its_place(pod, _) if {
	pod.status.reason in {
		"Evicted",
		"Preempting",
		"Preempted",
		"OutOfcpu",
		"OutOfmemory",
		"OutOfpods",
		"OutOfephemeral-storage",
	}
}

_lost_its_place(pod, _) if {
	some condition in pod.status.conditions
	condition.type == "DisruptionTarget"
	condition.reason in {"PreemptionByScheduler", "TerminationByKubelet"}
}

_lost_its_place(pod, _) if {
	pod.status.phase == "Pending"
	some message in _why_not_scheduled(pod)
	regex.match(`Insufficient |Too many pods`, message)
}

# A Pod that nobody gave a reason is without a place, unless its node was cordoned on purpose.
_lost_its_place(pod, api_node) if {
	pod.status.phase == "Pending"
	not _has_place(pod)
	count(_why_not_scheduled(pod)) == 0
	not api_node.spec.unschedulable
	not kubernetes.is_younger(pod, 60)
}

_why_not_scheduled(pod) := [condition.message |
	some condition in pod.status.conditions
	condition.type == "PodScheduled"
	condition.status == "False"
]
