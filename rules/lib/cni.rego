# METADATA
# description: Network plugins (CNI) and the Pods that install and run them.
package netcause.lib.cni

_names := concat("|", [
	"flannel|canal|calico-node|cilium|kube-router|weave-net|antrea-agent",
	"ovnkube|kube-ovn|multus|aws-node|azure-cn[is]|kindnet|anetd|terway",
])

# is_agent says whether a Pod is a network plugin's on a node.
is_agent(pod) if {
	some owner in pod.metadata.ownerReferences
	owner.kind == "DaemonSet"
	regex.match(_names, owner.name)
	not regex.match(_no_agents, owner.name)
}

is_agent(pod) if {
	not pod.metadata.ownerReferences
	regex.match(_names, pod.metadata.name)
	not regex.match(_no_agents, pod.metadata.name)
}

# is_agents says whether a DaemonSet is a network plugin's.
is_agents(daemonset) if {
	regex.match(_names, daemonset.metadata.name)
	not regex.match(_no_agents, daemonset.metadata.name)
}

_no_agents := `operator|envoy|monitor|hubble|typha`

# restart is the step that makes a Pod of a DaemonSet anew.
restart(pod) := {
	"cluster": true,
	"run": sprintf("kubectl -n %s delete pod %s", [pod.metadata.namespace, pod.metadata.name]),
}
