# METADATA
# description: >-
#   How large a packet each end of a connection allows and each tunnel carries. All sizes are bytes of the IPv4 packet; a
#   TCP segment is 40 bytes less (RFC 9293, RFC 6691).
package netcause.lib.mtu

import data.netcause.lib.kubernetes
import data.netcause.lib.tunnel
import data.netcause.lib.uplink

# ways are the tunnels out of a node to the Pods of others, each with what it carries: its own MTU, or less where the
# link below cannot take a full packet with the tunnel's header.
ways(node, cluster) := [way |
	some link in tunnel.in_use(node, cluster)
	below := [l | some l in _below(node, link)]
	way := {
		"node": node.name,
		"tunnel": link,
		"below": below,
		"mtu": min(array.concat([link.mtu], [room | some l in below; room := l.mtu - tunnel.overhead[link.kind]])),
		"facts": array.concat([fact(node, link)], [fact(node, l) | some l in below]),
	}
]

# _below are the links that a tunnel's packets pass on their way out: the one that it runs over, and where that is a bridge
# or a bond, the narrowest of its ports too.
_below(node, link) := array.flatten([outer, ports, [slave | some port in ports; slave := _narrowest_port(node, port)]]) if {
	outer := tunnel.underlay(node, link)
	ports := [port | port := _narrowest_port(node, outer)]
}

_narrowest_port(node, link) := [port | some port in ports; port.mtu == narrowest][0] if {
	link.kind in {"bridge", "bond"}
	ports := _ports_outward(node, link)
	narrowest := min([port.mtu | some port in ports])
}

# What a bridge has besides hardware leads to Pods and virtual machines, unless it has no hardware.
_ports_outward(node, link) := found if {
	found := [port | some port in _ports(node, link); object.get(port, "kind", "") in {"", "bond", "vlan"}]
	count(found) > 0
} else := [port | some port in _ports(node, link); not _is_of_pod(node, port)]

_ports(node, link) := [port | some port in node.links; port.master == link.ifname]

_is_of_pod(node, port) if _is_pod_veth(node, port)

_is_of_pod(node, port) if {
	some namespace in node.namespaces
	namespace.pod
	some link in namespace.links
	link.link_index == port.ifindex
}

# pods are the ends on a node, each with the largest packet that it lets the other end send, by its device or by its
# route, and with its Pod where that is known. Where no Pod's namespace was read, the host's ends of the veth pairs that
# lead into another namespace stand in: both are made with one MTU.
pods(node) := ends if {
	ends := [end |
		some namespace in _pod_namespaces(node)
		some dev in _pod_devices(namespace)
		some link in namespace.links
		link.ifname == dev
		end := _pod_end(node, namespace, link)
	]
	count(ends) > 0
} else := [end |
	some link in node.links
	_is_pod_veth(node, link)
	end := {"node": node.name, "mtu": link.mtu, "facts": [fact(node, link)]}
]

# Namespaces that are no Pod's (Docker's, a VPN's) count where none is known to be a Pod's.
_pod_namespaces(node) := known if {
	known := [namespace | some namespace in node.namespaces; namespace.pod]
	count(known) > 0
} else := node.namespaces

# A Pod's own device is the one that its default route leaves by: others are of further networks.
_pod_devices(namespace) := found if {
	found := {dev | some route in _default_routes(namespace); some dev in uplink.route_devices(route)}
	count(found) > 0
} else := {a.dev |
	some a in namespace.addresses
	a.family == "inet"
	a.dev != "lo"
}

_default_routes(namespace) := [route |
	some route in namespace.routes
	route.dst == "0.0.0.0/0"
]

_pod_end(node, namespace, link) := object.union(_pod_name(namespace), {
	"node": node.name,
	"mtu": min(array.concat([link.mtu], _route_limits(namespace, link.ifname))),
	"facts": [{
		"fact": sprintf("MTU of %s of %s on %s", [link.ifname, _owner(namespace), node.name]),
		"value": sprintf("%d", [link.mtu]),
		"source": link.source,
	}],
})

_pod_name(namespace) := {"pod": kubernetes.name({"metadata": namespace.pod})} if namespace.pod

_pod_name(namespace) := {} if not namespace.pod

_route_limits(namespace, dev) := [limit |
	some route in _default_routes(namespace)
	dev in uplink.route_devices(route)
	some limit in [object.get(route, "mtu", 0), object.get(route, "advmss", -40) + 40]
	limit > 0
]

_owner(namespace) := sprintf("Pod %s", [_pod_name(namespace).pod]) if {
	namespace.pod
} else := sprintf("namespace %s", [namespace.id])

_is_pod_veth(node, link) if {
	link.kind == "veth"
	object.get(link, "link_netnsid", null) != null
	not link.ifname in {a.dev | some a in node.addresses; a.family == "inet"}
	master := object.get(link, "master", "")
	not regex.match(`^(docker|br-|virbr|lxdbr|lxcbr)`, master)
	not master in uplink.devices(node)
}

fact(node, link) := {
	"fact": sprintf("MTU of %s on %s", [link.ifname, node.name]),
	"value": sprintf("%d", [link.mtu]),
	"source": link.source,
}
