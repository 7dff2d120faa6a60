# METADATA
# description: The devices of a node by which Pods' packets come and go.
package netcause.lib.pod_devices

import data.netcause.lib.kubernetes
import data.netcause.lib.pod_network
import data.netcause.lib.tunnel
import data.netcause.lib.uplink

# own are those that lead to the node's own Pods: the bridge, or one for each Pod.
own(node) := ({dev |
	some address in _own_addresses(node)
	answer := way(node, address)
	answer.route.dst != "0.0.0.0/0"
	some dev in uplink.route_devices(answer.route)
} | {a.dev |
	some a in node.addresses
	some cidr in pod_network.ipv4_ranges(object.get(node, "object", {}))
	net.cidr_contains(cidr, a.local)
	not _is_tunnel(node, a.dev)
}) | {link.ifname |
	some link in node.links
	link.kind == "bridge"
	link.ifname in _bridges
}

# way is the node's route to an address, whatever the source; where policy rules look at that, what the node itself sends.
way(node, address) := answer if {
	answer := netcause.route(node.name, address)
	answer.status != "unknown"
} else := netcause.lookup(node.name, {"dst": address, "iif": "lo"}) if {
	netcause.route(node.name, address).status == "unknown"
}

# The bridges of the bridge plugin (flannel's too), kubenet and kube-router are known by name.
_bridges := {"cni0", "cbr0", "kube-bridge"}

_own_addresses(node) := array.slice(pod_addresses(node.pods), 0, 100)

_is_tunnel(node, dev) if {
	some link in node.links
	link.ifname == dev
	tunnel.overhead[link.kind]
}

# carrying are those, the tunnels' and the uplinks.
carrying(node, cluster) := (own(node) | {link.ifname | some link in tunnel.in_use(node, cluster)}) | uplink.devices(node)

# pod_addresses are the IPv4 addresses of those Pods that run with a network of their own.
pod_addresses(pods) := [pod.status.podIP |
	some pod in pods
	not pod.spec.hostNetwork
	pod.status.phase == "Running"
	not kubernetes.leaving(pod)
	not contains(pod.status.podIP, ":")
	pod.status.podIP != ""
]

# by_programs is whose eBPF programs, or flows of Open vSwitch, may carry Pods' packets past the kernel's own forwarding.
by_programs(node, cluster) := "Cilium" if {
	some process in node.processes
	process.comm == "cilium-agent"
} else := "Cilium" if {
	some daemonset in cluster.daemonsets
	daemonset.metadata.name == "cilium"
} else := "Calico's eBPF data plane" if {
	some link in node.links
	link.ifname == "bpfin.cali"
} else := "Open vSwitch" if {
	some link in node.links
	link.ifname in {"antrea-gw0", "ovn-k8s-mp0", "ovn0"}
}

# beside_host is the network plugin that gives Pods a device of the node's network: the node forwards nothing for them.
beside_host(node) := kind if {
	kind := node.cni.files[0].plugins[0].type
	kind in {"macvlan", "ipvlan", "sriov", "host-device"}
}
