# METADATA
# description: The services of a node to be restarted, and how.
package netcause.lib.services

# reload is the command that makes a device's configuration file take effect.
reload(node, file, dev) := command if {
	file.format == "ifcfg"
	object.get(file, "nm_controlled", true)
	some process in node.processes
	process.comm == "NetworkManager"
	command := _reapply(dev)
} else := _reapply(dev) if {
	file.format == "keyfile"
} else := "netplan apply" if {
	file.format == "netplan"
} else := sprintf("networkctl reload && networkctl reconfigure %s", [dev]) if {
	file.format == "networkd"
} else := sprintf("ifdown %[1]s; ifup %[1]s", [dev])

_reapply(dev) := sprintf("nmcli connection reload && nmcli device reapply %s", [dev])

# kubernetes are the commands that restart the node's container runtime and then its kubelet.
kubernetes(node) := ["systemctl restart k3s-agent || systemctl restart k3s"] if {
	contains(node.object.status.nodeInfo.kubeletVersion, "+k3s")
} else := ["systemctl restart rke2-agent || systemctl restart rke2-server"] if {
	contains(node.object.status.nodeInfo.kubeletVersion, "+rke2")
} else := [sprintf("systemctl restart %s", [_runtime(node)]), "systemctl restart kubelet"]

_runtime(node) := unit if {
	scheme := split(node.object.status.nodeInfo.containerRuntimeVersion, "://")[0]
	unit := {"docker": "docker", "cri-o": "crio", "containerd": "containerd"}[scheme]
} else := unit if {
	some comm, unit in {"dockerd": "docker", "crio": "crio"}
	some process in node.processes
	process.comm == comm
} else := "containerd"
