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

# of_family are a Node's podCIDRs of "inet" or "inet6".
of_family(api_node, "inet") := ipv4_ranges(api_node)

of_family(api_node, "inet6") := [cidr |
	some cidr in kubernetes.pod_cidrs(api_node)
	contains(cidr, ":")
]

# The backends of flannel that write a route on each node for every other one. The rest leave it to a cloud.
_routing_backends := {"vxlan", "host-gw", "wireguard", "ipip", "udp"}

# kept_by_node is the fact that shows that the nodes themselves keep a route to every other node's podCIDR of a family.
# Blocks of another size (Calico), eBPF (Cilium) and a cloud's own routes do without.
kept_by_node(node, cluster, family) := {
	"fact": sprintf("flannel's backend-type on Node %s", [node.name]),
	"value": backend,
	"source": node.object.source,
} if {
	backend := flannel_backend(node, cluster)
	backend in _routing_backends
	_flannel_routes(node, family)
} else := _route_fact(found[0]) if {
	not flannel_backend(node, cluster)
	routes := netcause.pod_routes(node.name)
	found := [route | some whose in _whose[family]; route := routes[whose]]
}

_whose := {"inet": ["own", "others"], "inet6": ["own6", "others6"]}

_flannel_routes(_, "inet")

# flannel publishes an address of IPv6 where EnableIPv6 of its net-conf.json is set.
_flannel_routes(node, "inet6") if node.object.metadata.annotations["flannel.alpha.coreos.com/public-ipv6"]

# flannel_backend is the one of a node, where flannel carries its Pods' packets.
flannel_backend(node, cluster) := backend if {
	backend := node.object.metadata.annotations["flannel.alpha.coreos.com/backend-type"]
	not flannel.left_behind(cluster)
}

# kept_by_calico is the fact that shows that the nodes keep routes to each other's blocks: one into a tunnel of Calico's.
# Without tunnels the network between the nodes may know the blocks, and a default route be right.
kept_by_calico(node) := [_route_fact({"node": node.name, "route": route}) |
	node.object.metadata.annotations["projectcalico.org/IPv4Address"]
	some route in node.routes
	route.dev in {"tunl0", "vxlan.calico"}
	route.via
	route.dst != "0.0.0.0/0"
	object.get(route, "type", "unicast") == "unicast"
][0]

# calico_address is one out of a block of a Node's: that of its tunnel.
calico_address(api_node) := [address |
	some key in ["projectcalico.org/IPv4IPIPTunnelAddr", "projectcalico.org/IPv4VXLANTunnelAddr"]
	address := api_node.metadata.annotations[key]
][0]

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
	is_default(route)
} else := route.dst

is_default(route) if route.dst in {"0.0.0.0/0", "::/0"}
