# METADATA
# title: kube-proxy does not run on the node
# description: >-
#   kube-proxy turns Service addresses into Pod addresses on each node. On a node without it no Pod reaches a ClusterIP,
#   and since Pods ask for names at a ClusterIP, no name resolves.
# related_resources:
#   - ref: https://kubernetes.io/docs/reference/networking/virtual-ips/
#     description: what kube-proxy does on each node
#   - ref: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/
#     description: how to see whether kube-proxy works
# custom:
#   id: kube-proxy-not-running-on-node
#   category: cni
#   scope: node
#   severity: critical
#   needs_any: [[cluster.daemonsets, cluster.pods, cluster.nodes], [processes]]
#   optional: [cluster.configmaps]
#   explains: [service-unreachable, dns-failure]
#   causes: [service-rules-missing-on-node, service-rules-stale]
package netcause.rules.cni.kube_proxy_not_running_on_node

import data.netcause.lib.kube_proxy
import data.netcause.lib.kubernetes
import data.netcause.lib.pod as pod_status
import data.netcause.lib.scheduling
import data.netcause.lib.text
import data.netcause.lib.unready

# The cluster wants a Pod of kube-proxy on the node, and none runs.
finding contains f if {
	_wanted
	not _works
	not _report_is_old
	not _is_going
	not _starting

	f := {
		"message": sprintf("%s: %s.", [_headline, concat("; ", _reasons)]),
		"evidence": array.concat(
			[_daemonset_fact(daemonset) | some daemonset in _daemonsets],
			[kube_proxy.pod_fact(pod) | some pod in text.few(_pods)],
		),
		"fix": {
			"summary": "Remove what keeps the Pod away or stops it: resources, a taint, the image or its configuration",
			"steps": _steps,
		},
		"verify": sprintf("kubectl get pods -A -o wide shows a Running and Ready kube-proxy on %s", [input.node.name]),
	}
}

# The cluster has no Pods of it, it should run as a process of the node, and there is none.
finding contains f if {
	input.node.processes
	kubernetes.is_node(input.node)
	not _wanted
	not _works
	not _does_not_belong
	not _has_rules
	not _doubt
	count(_rules.unknown) == 0

	f := {
		"message": sprintf("%s is a node of a cluster, but neither kube-proxy nor what replaces it runs on it.", [input.node.name]),
		"evidence": [{
			"fact": sprintf("processes kube-proxy, k3s, kube-router on %s", [input.node.name]),
			"value": "none",
			"source": object.get(input.node, ["status", "processes", "sources", 0], "ps -eo pid,args"),
		}],
		"fix": {
			"summary": "Start kube-proxy on the node",
			"steps": [{"node": input.node.name, "run": "systemctl restart kube-proxy; journalctl -u kube-proxy -n 50"}],
		},
		"verify": sprintf("curl http://127.0.0.1:10256/healthz on %s answers", [input.node.name]),
	}
}

ruled_out contains {"message": "kube-proxy, or what replaces it, runs on it", "evidence": _working} if _works

ruled_out contains {"message": "it is no node of a cluster", "evidence": []} if {
	kubernetes.is_no_node(input.node, input.cluster)
	not _works
}

ruled_out contains {"message": "no DaemonSet of kube-proxy is meant for such a node", "evidence": [_does_not_belong]} if {
	not _wanted
	not _works
}

ruled_out contains {"message": "its Node is about to go, or its machine is off", "evidence": []} if {
	_wanted
	not _works
	_is_going
}

ruled_out contains {"message": "kube-proxy's rules are there", "evidence": [mode.evidence | some mode in _rules.modes]} if {
	kubernetes.is_node(input.node)
	_has_rules
	not _wanted
	not _works
}

unexamined contains {
	"group": "processes",
	"reason": "the Node is not Ready, so what the cluster knows of its Pods is old",
} if {
	_wanted
	not _works
	not _is_going
	_report_is_old
}

unexamined contains {"group": "cluster.pods", "reason": _starting} if {
	_wanted
	not _works
	not _is_going
	not _report_is_old
}

unexamined contains {"group": "cluster.configmaps", "reason": _doubt} if {
	kubernetes.is_node(input.node)
	not _works
	not _does_not_belong
	not _has_rules
}

unexamined contains {"group": group} if {
	not kubernetes.is_no_node(input.node, input.cluster)
	not _wanted
	not _works
	not _does_not_belong
	not _has_rules
	some group in _not_read
}

_not_read contains "processes" if not input.node.processes

_not_read contains group if {
	input.node.processes
	some group in _rules.unknown
}

_daemonsets := [daemonset |
	some daemonset in kube_proxy.daemonsets(input.cluster)
	not scheduling.excludes(daemonset, input.node.object)
]

_pods := kube_proxy.pods_for(input.cluster, input.node)

_wanted if {
	input.cluster.pods
	input.node.object
	count(_daemonsets) > 0
	not _does_not_belong
}

_wanted if count(_pods) > 0

_works if count(_working) > 0

# _working are the facts that show that Services are served on the node.
_working contains kube_proxy.pod_fact(pod) if {
	some pod in _pods
	kubernetes.running_and_ready(pod)
}

_working contains kube_proxy.process(input.node)

_working contains kube_proxy.embedded(input.node, input.cluster)

_working contains kube_proxy.replacement(input.cluster, input.node)

# The kubelet of a Node that is not Ready does not tell what became of its Pods.
_report_is_old if {
	kubernetes.not_ready(input.node.object)
	some pod in _pods
	pod.status.phase == "Running"
}

_report_is_old if kubernetes.silent(input.node.object)

_is_going if kubernetes.leaving(input.node.object)

# _starting is what is going on where kube-proxy may be there in a moment: a node joins, or a Pod takes another's place.
_starting := sprintf("%s is being deleted, and the next one is not there yet", [kubernetes.name(leaving[0])]) if {
	leaving := [pod | some pod in _pods; netcause.seconds_since(pod.metadata.deletionTimestamp) < 60]
	count(leaving) > 0
} else := sprintf("%s was made less than two minutes before: it is starting", [kubernetes.name(_pods[0])]) if {
	count(_pods) > 0
	every pod in _pods {
		kubernetes.is_younger(pod, 120)
		not unready.is_failing(pod)
		not _is_refused(pod)
	}
} else := "the node joined less than two minutes before" if {
	count(_pods) == 0
	kubernetes.is_younger(input.node.object, 120)
}

# The scheduler found no place for it, or it lost the one that it had.
_is_refused(pod) if {
	some condition in pod.status.conditions
	condition.type == "PodScheduled"
	condition.status == "False"
}

_is_refused(pod) if pod.status.phase == "Failed"

_does_not_belong := _node_fact if {
	kubernetes.is_virtual(input.node.object)
} else := _label_fact("kubernetes.io/os") if {
	input.node.object.metadata.labels["kubernetes.io/os"] == "windows"
	count(_daemonsets) == 0
}

_node_fact := {
	"fact": sprintf("labels of Node %s", [input.node.name]),
	"value": "a virtual node (virtual-kubelet, Fargate …)",
	"source": input.node.object.source,
}

_label_fact(label) := {
	"fact": sprintf("label %s of Node %s", [label, input.node.name]),
	"value": input.node.object.metadata.labels[label],
	"source": input.node.object.source,
}

_rules := netcause.kube_proxy_rules(input.node.name)

_doubt := kube_proxy.doubt(input.cluster, input.node)

_has_rules if count(_rules.modes) > 0

_daemonset_fact(daemonset) := {
	"fact": sprintf("Pods of DaemonSet %s", [kubernetes.name(daemonset)]),
	"value": sprintf("%d desired, %d ready", [
		object.get(daemonset, ["status", "desiredNumberScheduled"], 0),
		object.get(daemonset, ["status", "numberReady"], 0),
	]),
	"source": daemonset.source,
}

_headline := sprintf("The kube-proxy Pod on %s does not work", [input.node.name]) if {
	some pod in _pods
	pod.status.phase == "Running"
} else := sprintf("No kube-proxy Pod runs on %s", [input.node.name])

_reasons contains "it has none" if count(_pods) == 0

_reasons contains pod_status.state(pod) if some pod in _pods

_reasons contains sprintf("the taint %s is not tolerated", [taint]) if some taint in _untolerated

_untolerated contains taint if {
	some daemonset in _daemonsets
	some taint in scheduling.untolerated(daemonset, input.node.object)
}

_steps := array.flatten([
	[_describe("daemonset", daemonset) | some daemonset in _daemonsets; count(_pods) == 0],
	[_describe("pod", pod) | some pod in _pods],
	[{"cluster": true, "run": sprintf("kubectl -n %s logs %s --previous", [pod.metadata.namespace, pod.metadata.name])} |
		some pod in _pods
		pod.status.phase == "Running"
	],
	[{"cluster": true, "edit": sprintf("add a toleration of %s to the DaemonSet, or remove the taint", [taint])} |
		some taint in _untolerated
	],
])

_describe(kind, it) := {
	"cluster": true,
	"run": sprintf("kubectl -n %s describe %s %s", [it.metadata.namespace, kind, it.metadata.name]),
	"why": "its events say what keeps it from running",
}
