# METADATA
# description: Tunnels that carry Pods' packets between nodes, and the addresses of their ends.
package netcause.lib.tunnel

import data.netcause.lib.flannel
import data.netcause.lib.pod_network
import data.netcause.lib.uplink

# overhead is what a tunnel of each kind adds to an IPv4 packet, in bytes: an IPv4 header of 20, and for VXLAN and Geneve
# UDP, their own header and the inner Ethernet header (RFC 7348), for GRE 4 (RFC 2784), for WireGuard UDP 8 and its own 32.
overhead := {"ipip": 20, "gre": 24, "gretap": 38, "vxlan": 50, "geneve": 50, "wireguard": 60}

# devices are the tunnel devices that are up and belong to the Pod network.
devices(node, cluster) := [link |
	some link in node.links
	overhead[link.kind]
	"UP" in link.flags
	_of_pod_network(node, cluster, link.ifname)
]

# in_use are those of them that a route leads into.
in_use(node, cluster) := [link |
	some link in devices(node, cluster)
	count(_routes_into(node, link.ifname)) > 0
]

# The devices of flannel, Calico and kube-router are known by name.
_of_pod_network(_, _, dev) if {
	regex.match(`^(flannel\.[0-9]+|flannel\.ipip|flannel-wg|vxlan\.calico|tunl0|wireguard\.cali|tun-[0-9a-f]+)$`, dev)
}

_of_pod_network(node, cluster, dev) if {
	some route in _routes_into(node, dev)
	some cidr in pod_network.ranges(cluster)
	net.cidr_contains(cidr, route.dst)
}

_of_pod_network(node, cluster, dev) if {
	not cluster.nodes
	some route in _routes_into(node, dev)
	route.via
}

_routes_into(node, dev) := [route |
	some route in node.routes
	dev in uplink.route_devices(route)
	not contains(route.dst, ":")
	object.get(route, "type", "unicast") == "unicast"
	object.get(route, "protocol", "") != "kernel"
]

# underlay is the link that a tunnel's packets leave by.
underlay(node, link) := [l | some l in node.links; l.ifname == _underlay_name(node, link)][0]

_underlay_name(node, link) := array.flatten([
	[link[kind].link | some kind in ["vxlan", "tunnel"]],
	[dev | some kind in ["vxlan", "tunnel"]; dev := uplink.holder(node, link[kind].local)],
	[dev | dev := uplink.device(node)],
])[0]

# sources are the outer addresses of a node's tunnels: those that devices are bound to, and the one that the node's agent
# tells its peers to send to. An address set by hand (public-ip-overwrite) is none.
sources(node, cluster) := array.concat(
	[{"address": local, "fact": {"fact": sprintf("local address of %s", [link.ifname]), "value": local, "source": link.source}} |
		some link in devices(node, cluster)
		some kind in ["vxlan", "tunnel"]
		local := link[kind].local
		not contains(local, ":")
		local != "0.0.0.0" # bound to none: Calico's tunl0
	],
	[{"address": address, "fact": {"fact": key, "value": address, "source": node.object.source}} |
		some key in _published_by(cluster)
		address := split(node.object.metadata.annotations[key], "/")[0]
		not node.object.metadata.annotations["flannel.alpha.coreos.com/public-ip-overwrite"]
	],
)

_published_by(cluster) := array.concat(
	["flannel.alpha.coreos.com/public-ip" | not flannel.left_behind(cluster)],
	["projectcalico.org/IPv4Address"],
)
