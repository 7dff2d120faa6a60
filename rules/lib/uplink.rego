# METADATA
# description: The links of a node that carry the cluster's traffic between machines.
package netcause.lib.uplink

import data.netcause.lib.kubernetes

# devices are the links that hold the Node's address or that VXLAN runs over; where neither is known, those that default
# routes leave by.
devices(node) := found if {
	found := {dev | some dev in array.concat(_registered(node), _below_tunnels(node))}
	count(found) > 0
} else := {dev | some dev in _default(node)}

# device is the first of them.
device(node) := array.flatten([_registered(node), _below_tunnels(node), _default(node)])[0]

# holder is the device that has an address.
holder(node, local) := [a.dev | some a in node.addresses; a.local == local][0]

# arrival is the device by which a peer's packets to an address of the node come in. Where the address is on loopback or on
# a dummy device (a fabric that is routed to the host), that is where the way to the peer leaves.
arrival(node, local, peer) := dev if {
	dev := holder(node, local)
	not _is_inside(node, dev)
} else := route_devices(answer.route)[0] if {
	_is_inside(node, holder(node, local))
	answer := netcause.lookup(node.name, {"src": local, "dst": peer, "iif": "lo"})
	answer.status == "route"
}

_is_inside(_, "lo")

_is_inside(node, dev) if {
	some link in node.links
	link.ifname == dev
	link.kind == "dummy"
}

_registered(node) := [dev |
	some local in kubernetes.internal_ips(node.object)
	dev := holder(node, local)
]

_below_tunnels(node) := array.concat(
	[link.vxlan.link | some link in node.links],
	[dev | some link in node.links; dev := holder(node, link.vxlan.local)],
)

_default(node) := [dev |
	some route in node.routes
	route.dst == "0.0.0.0/0"
	some dev in route_devices(route)
]

# route_devices are the devices that a route leaves by.
route_devices(route) := array.concat(
	[route.dev | route.dev],
	[hop.dev | some hop in route.nexthops],
)
