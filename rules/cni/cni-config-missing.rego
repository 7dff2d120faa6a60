# METADATA
# title: A node has no CNI configuration
# description: >-
#   The container runtime asks the network plugin that the first file of /etc/cni/net.d names to connect each Pod. The
#   plugin's DaemonSet writes that file when it starts on the node. Without one the node is not Ready, and Pods that need
#   a network of their own stay in ContainerCreating; those of the host's network run.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins/
#     description: how the container runtime finds the network plugin
#   - ref: https://kubernetes.io/docs/tasks/administer-cluster/migrating-from-dockershim/troubleshooting-cni-plugin-related-errors/
#     description: errors of CNI plugins
#   - ref: https://github.com/kubernetes/kubernetes/issues/48798
#     description: cni config uninitialized
# custom:
#   id: cni-config-missing
#   category: cni
#   scope: node
#   severity: critical
#   needs_any: [[cni], [cluster.nodes]]
#   optional: [cluster.daemonsets, cluster.pods, links, processes]
#   explains: [pod-not-networked]
#   causes: [pod-network-route-missing]
package netcause.rules.cni.cni_config_missing

import data.netcause.lib.cni
import data.netcause.lib.kube_proxy
import data.netcause.lib.kubernetes
import data.netcause.lib.pod as pod_status
import data.netcause.lib.text
import data.netcause.lib.unready

finding contains f if {
	_missing
	not _is_ready
	not _is_starting
	not _is_going
	not _has_networked

	f := {
		"message": sprintf("%s: no Pod on %s gets a network%s.", [_what, input.node.name, _agent_text]),
		"evidence": array.flatten([
			_files_facts,
			_condition_facts,
			[kube_proxy.pod_fact(pod) | some pod in text.few(_agents)],
		]),
		"fix": {"summary": "Let the network plugin write its configuration on the node", "steps": _steps},
		"verify": sprintf("ls %s on %s shows a file, and Node %s is Ready", [_dir, input.node.name, input.node.name]),
	}
}

ruled_out contains {"message": "it is no node of a cluster", "evidence": []} if {
	not input.node.object
	kubernetes.is_no_node(input.node, input.cluster)
}

ruled_out contains {"message": "it is a virtual node, without a container runtime", "evidence": []} if _is_virtual

ruled_out contains {"message": "its Node is about to go, or its machine is off", "evidence": _condition_facts} if _is_going

ruled_out contains {
	"message": "the runtime has a CNI configuration",
	"evidence": array.slice(array.concat([_file_fact(file) | some file in _valid], _condition_facts), 0, 2),
} if {
	not _missing
	not _is_virtual
	_known_to_have_one
}

unexamined contains {"group": "cni", "reason": "nothing shows whether the runtime has a CNI configuration"} if {
	kubernetes.is_node(input.node)
	not _is_virtual
	not _missing
	not _known_to_have_one
}

unexamined contains {
	"group": "cni",
	"reason": "it joined less than five minutes before, or its network plugin's Pod did, and starts still",
} if {
	_missing
	not _is_going
	_is_starting
}

unexamined contains {
	"group": "cni",
	"reason": sprintf(
		"%s is empty and the Node is Ready: its runtime may look elsewhere (crictl info says where)",
		[_dir],
	),
} if {
	_missing
	_is_ready
}

unexamined contains {
	"group": "cluster.nodes",
	"reason": sprintf("%s is empty, and Pods have devices all the same: its runtime may look elsewhere (crictl info says where)", [_dir]),
} if {
	_missing
	_has_networked
}

unexamined contains {"group": "processes", "reason": "nothing shows whether it is a node of a cluster"} if {
	not kubernetes.is_node(input.node)
	not kubernetes.is_no_node(input.node, input.cluster)
}

_files := object.get(input.node, ["cni", "files"], [])

_valid := [file | some file in _files; object.get(file, "problem", "") == ""]

_dir := object.get(input.node, ["cni", "dir"], "/etc/cni/net.d")

default _is_empty := false

_is_empty if {
	input.node.cni
	count(_valid) == 0
	kubernetes.is_node(input.node)
}

# The kubelet passes on what the runtime says (NetworkReady of its status).
_denial := [condition |
	some condition in input.node.object.status.conditions
	condition.type == "Ready"
	condition.status != "True"
	regex.match(
		`cni config uninitialized|cni plugin not initialized|no networks found in|No CNI configuration file|no valid networks found`,
		condition.message,
	)
]

_missing if _is_empty

# A file that is there now may have come after the kubelet said so.
_missing if {
	count(_denial) > 0
	count(_valid) == 0
}

_is_virtual if kubernetes.is_virtual(input.node.object)

# On a node that joins the network plugin has to start first, and its image to come: a few minutes are usual.
_is_starting if {
	count(_agents) == 0
	kubernetes.is_younger(input.node.object, 300)
}

_is_starting if {
	count(_not_working) > 0
	every pod in _not_working {
		kubernetes.is_younger(pod, 300)
		not unready.is_failing(pod)
	}
}

_is_going if {
	_missing
	not _is_ready
	kubernetes.leaving(input.node.object)
}

_is_ready if {
	some condition in input.node.object.status.conditions
	condition.type == "Ready"
	condition.status == "True"
}

# Where the Node's condition is not known, devices that lead into other namespaces show that a plugin did its work.
_has_networked if {
	not input.node.object
	some link in input.node.links
	link.kind == "veth"
	object.get(link, "link_netnsid", null) != null
	not regex.match(`^(docker|br-|virbr|lxdbr|lxcbr)`, object.get(link, "master", ""))
}

_known_to_have_one if count(_valid) > 0

_known_to_have_one if {
	not input.node.cni
	_is_ready
}

default _what := "The runtime found no CNI configuration"

_what := sprintf("%s has no file", [_dir]) if {
	input.node.cni
	count(_files) == 0
} else := sprintf("%s has no valid file (%s)", [_dir, text.names({file.problem | some file in _files})]) if {
	input.node.cni
}

_files_facts := array.concat(
	[{
		"fact": sprintf("%s on %s", [_dir, input.node.name]),
		"value": "no configuration",
		"source": sprintf("ls %s", [_dir]),
	} |
		input.node.cni
		count(_files) == 0
	],
	[_file_fact(file) | some file in _files],
)

_file_fact(file) := {
	"fact": sprintf("CNI configuration %s", [object.get(file, "name", "")]),
	"value": object.get(file, "problem", file.file),
	"source": file.source,
}

_condition_facts := [{
	"fact": sprintf("condition Ready of Node %s", [input.node.name]),
	"value": concat(": ", array.concat([condition.status], [m | m := condition.message])),
	"source": input.node.object.source,
} |
	some condition in input.node.object.status.conditions
	condition.type == "Ready"
]

# _agents are the Pods of network plugins that are on the node, or meant for it.
_agents := [pod | some pod in input.node.pods; cni.is_agent(pod)]

_not_working := [pod | some pod in _agents; not kubernetes.running_and_ready(pod)]

_daemonsets := [daemonset | some daemonset in input.cluster.daemonsets; cni.is_agents(daemonset)]

default _agent_text := ""

_agent_text := sprintf(", and its network plugin does not run there (%s)", [pod_status.state(_not_working[0])]) if {
	count(_not_working) > 0
} else := ", though its network plugin runs there" if {
	count(_agents) > 0
} else := sprintf(", and DaemonSet %s has no Pod there", [kubernetes.name(_daemonsets[0])]) if {
	count(_daemonsets) > 0
	input.cluster.pods
} else := ", and the cluster has no network plugin" if {
	input.cluster.daemonsets
	input.cluster.pods
	count(_daemonsets) == 0
}

default _steps := [{
	"cluster": true,
	"edit": "install a network plugin (flannel, Calico, Cilium …) by its own instructions, or put back the file that it wrote on this node",
}]

_steps := [
	{
		"cluster": true,
		"run": sprintf("kubectl -n %[1]s describe pod %[2]s; kubectl -n %[1]s logs %[2]s --all-containers --tail=50", [
			_not_working[0].metadata.namespace,
			_not_working[0].metadata.name,
		]),
		"why": "it says why it does not start",
	},
	cni.restart(_not_working[0]),
] if {
	count(_not_working) > 0
} else := [object.union(cni.restart(_agents[0]), {"why": "it writes its configuration when it starts"})] if {
	count(_agents) > 0
} else := [{
	"cluster": true,
	"run": sprintf("kubectl -n %[1]s describe daemonset %[2]s; kubectl -n %[1]s get pods -o wide --field-selector spec.nodeName=%[3]s", [
		_daemonsets[0].metadata.namespace,
		_daemonsets[0].metadata.name,
		input.node.name,
	]),
	"why": "a nodeSelector, an affinity or a taint keeps its Pod from the node, or it cannot be made",
}] if {
	count(_daemonsets) > 0
}
