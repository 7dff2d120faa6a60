# METADATA
# description: How packets get from node to node between the cluster's Pods.
package netcause.lib.pod_network

import data.netcause.lib.flannel
import data.netcause.lib.kubernetes
import data.netcause.lib.uplink

# ranges are the podCIDRs of IPv4 of all Nodes.
ranges(cluster) := {cidr |
	some api_node in cluster.nodes
	some cidr in ipv4_ranges(api_node)
}

ipv4_ranges(api_node) := [cidr |
	some cidr in kubernetes.pod_cidrs(api_node)
	not contains(cidr, ":")
]

# The backends of flannel that write a route on each node for every other one. The rest leave it to a cloud.
_routing_backends := {"vxlan", "host-gw", "wireguard", "ipip", "udp"}

# kept_by_node is the fact that shows that the nodes themselves keep a route to every other node's podCIDR. Blocks of
# another size (Calico), eBPF (Cilium) and a cloud's own routes do without.
kept_by_node(node, cluster) := {
	"fact": sprintf("flannel's backend-type on Node %s", [node.name]),
	"value": backend,
	"source": node.object.source,
} if {
	backend := flannel_backend(node, cluster)
	backend in _routing_backends
} else := _route_fact(found[0]) if {
	not flannel_backend(node, cluster)
	routes := netcause.pod_routes(node.name)
	found := array.concat([own | own := routes.own], [others | others := routes.others])
}

# flannel_backend is the one of a node, where flannel carries its Pods' packets.
flannel_backend(node, cluster) := backend if {
	backend := node.object.metadata.annotations["flannel.alpha.coreos.com/backend-type"]
	not flannel.left_behind(cluster)
}

_route_fact(found) := {
	"fact": sprintf("route of %s to another node's Pods", [found.node]),
	"value": shown(found.route),
	"source": found.route.source,
}

# shown is a route as `ip route` writes it, in short.
shown(route) := concat(" ", array.flatten([
	_destination(route),
	[sprintf("via %s", [route.via]) | route.via],
	[sprintf("dev %s", [dev]) | some dev in uplink.route_devices(route)],
]))

_destination(route) := sprintf("%s %s", [route.type, route.dst]) if {
	object.get(route, "type", "unicast") != "unicast"
} else := "default" if {
	route.dst == "0.0.0.0/0"
} else := route.dst
