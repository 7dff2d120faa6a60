# METADATA
# description: How packets get from node to node between the cluster's Pods.
package netcause.lib.pod_network

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
kept_by_node(node, cluster, peers) := {
	"fact": sprintf("flannel's backend-type on Node %s", [node.name]),
	"value": backend,
	"source": node.object.source,
} if {
	backend := flannel_backend(node)
	backend in _routing_backends
} else := fact if {
	not flannel_backend(node)
	fact := _route_to_others(node, cluster)
} else := fact if {
	not flannel_backend(node)
	fact := _route_of_others(node, peers)
}

flannel_backend(node) := node.object.metadata.annotations["flannel.alpha.coreos.com/backend-type"]

_route_to_others(node, cluster) := facts[0] if {
	own := {cidr | some cidr in ipv4_ranges(node.object)}
	others := ranges(cluster) - own
	facts := [_route_fact(node, route) |
		some route in node.routes
		route.dst in others
		route.via
	]
}

_route_of_others(node, peers) := facts[0] if {
	own := ipv4_ranges(node.object)
	facts := [_route_fact(peer, route) |
		some peer in peers
		some route in peer.routes
		route.dst in own
		route.via
	]
}

_route_fact(node, route) := {
	"fact": sprintf("route of %s to another node's Pods", [node.name]),
	"value": shown(route),
	"source": route.source,
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
