# METADATA
# description: The agent that programs the Pod network on a node, such as flanneld and calico-node.
package netcause.lib.network_agent

# restart is the step that restarts a node's agent: it then publishes its address and writes its routes anew.
restart(node, cluster) := object.union(_step(node, cluster), {"why": "it publishes its address and writes its routes anew when it starts"})

_step(node, cluster) := {
	"cluster": true,
	"run": sprintf("kubectl -n %s delete pod %s", [pod.metadata.namespace, pod.metadata.name]),
} if {
	pod := _pods(node)[0]
} else := {"node": node.name, "run": sprintf("systemctl restart %s", [comm])} if {
	cluster.pods
	comm := _processes(node)[0]
} else := {
	"cluster": true,
	"run": sprintf("kubectl delete pod -A -l %s --field-selector spec.nodeName=%s", [selector, node.name]),
} if {
	not cluster.pods
	some annotation, selector in {
		"flannel.alpha.coreos.com/public-ip": "app=flannel",
		"projectcalico.org/IPv4Address": "k8s-app=calico-node",
	}
	node.object.metadata.annotations[annotation]
} else := {"node": node.name, "edit": "restart the network agent (flanneld, calico-node …)"}

_pods(node) := [pod |
	some pod in node.pods
	regex.match(`^(kube-flannel|flannel|canal|calico-node|kube-router)-`, pod.metadata.name)
	not _enforces_policies_alone(pod)
]

# kube-router beside another plugin routes nothing.
_enforces_policies_alone(pod) if {
	some container in pod.spec.containers
	"--run-router=false" in array.concat(object.get(container, "command", []), object.get(container, "args", []))
}

_processes(node) := [process.comm |
	some process in node.processes
	process.hostNetwork
	process.comm in {"flanneld", "calico-node", "kube-router"}
	not "--run-router=false" in object.get(process, "args", [])
]
