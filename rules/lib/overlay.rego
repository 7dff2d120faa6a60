# METADATA
# description: What a node's overlay sends over the network between nodes, and to whom.
package netcause.lib.overlay

import data.netcause.lib.kubernetes
import data.netcause.lib.text
import data.netcause.lib.tunnel
import data.netcause.lib.uplink

# carriers are the protocols, and ports of UDP, by which tunnels of a node come in, with the device of each. both_ways: all
# of a tunnel's packets belong to one connection for the connection tracker, so that what a node sends opens the way back.
carriers(node, cluster) := [carrier |
	some link in _devices(node, cluster)
	carrier := _carrier(link)
]

_devices(node, cluster) := {link |
	some link in array.concat(tunnel.in_use(node, cluster), [l | some l in node.links; of_programs(l)])
}

# of_programs says that no route leads into a tunnel: eBPF programs and Open vSwitch put packets there.
of_programs(link) if {
	regex.match(`^(cilium_(vxlan|geneve)|(vxlan|genev)_sys_[0-9]+)$`, link.ifname)
	"UP" in link.flags
}

_carrier(link) := {
	"dev": link.ifname,
	"proto": "udp",
	"dport": link.vxlan.port,
	"title": "VXLAN",
	"both_ways": false,
	"source": link.source,
} if {
	link.kind == "vxlan"
	link.vxlan.port > 0
}

# The facts have no port of Geneve: what Open vSwitch makes has it in its name, 6081 is that of RFC 8926.
_carrier(link) := {
	"dev": link.ifname,
	"proto": "udp",
	"dport": _geneve_port(link.ifname),
	"title": "Geneve",
	"both_ways": false,
	"source": link.source,
} if {
	link.kind == "geneve"
}

_carrier(link) := {
	"dev": link.ifname,
	"proto": "4",
	"title": "IP in IP",
	"both_ways": true,
	"source": link.source,
} if {
	link.kind == "ipip"
}

_carrier(link) := {
	"dev": link.ifname,
	"proto": "47",
	"title": "GRE",
	"both_ways": true,
	"source": link.source,
} if {
	link.kind in {"gre", "gretap"}
}

# Nor have they WireGuard's: these are what the agents take by themselves.
_carrier(link) := {
	"dev": link.ifname,
	"proto": "udp",
	"dport": port,
	"title": "WireGuard",
	"both_ways": true,
	"source": link.source,
} if {
	link.kind == "wireguard"
	port := {"wireguard.cali": 51820, "flannel-wg": 51820, "cilium_wg0": 51871}[link.ifname]
}

_geneve_port(dev) := to_number(trim_prefix(dev, "genev_sys_")) if {
	regex.match(`^genev_sys_[0-9]{1,5}$`, dev)
} else := 6081

# shown is a carrier in words.
shown(carrier) := sprintf("%s (UDP port %d)", [carrier.title, carrier.dport]) if {
	carrier.dport
} else := sprintf("%s (protocol %s)", [carrier.title, carrier.proto])

# own_address is the outer address of a node's tunnels.
own_address(node, cluster) := array.concat(
	_sources(node, cluster),
	kubernetes.internal_ips(object.get(node, "object", {})),
)[0]

# Enough peers to meet a filter that knows some of them: each costs every node some packets.
_most_peers := 50

# peer_addresses are those of the other Nodes that are alive, by name.
peer_addresses(node, peers, cluster) := {peer.metadata.name: addresses |
	some peer in array.slice(_alive(node, cluster), 0, _most_peers)
	view := object.get({p.name: p | some p in peers}, peer.metadata.name, {"object": peer})
	addresses := _addresses_of(view, cluster)
	count(addresses) > 0
}

_alive(node, cluster) := [peer |
	some peer in cluster.nodes
	peer.metadata.name != node.name
	not kubernetes.not_ready(peer)
	not kubernetes.leaving(peer)
]

_addresses_of(view, cluster) := sources if {
	sources := {s | some s in _sources(view, cluster)}
	count(sources) > 0
} else := {a | some a in kubernetes.internal_ips(view.object); not contains(a, ":")}

_sources(node, cluster) := [source.address | some source in tunnel.sources(node, cluster)]

# packet is the first one that a tunnel's peer sends to the node.
packet(node, carrier, own, peer) := object.union_n([
	{"src": peer, "dst": own, "proto": carrier.proto, "ctstate": "NEW"},
	{"iif": dev | dev := uplink.arrival(node, own, peer)},
	{"dport": carrier.dport | carrier.dport},
])

# to_peer is the first one that it sends to a peer.
to_peer(node, carrier, own, peer) := object.union_n([
	{"src": own, "dst": peer, "proto": carrier.proto, "ctstate": "NEW"},
	{"oif": dev | dev := _device_to(node, peer)},
	{"dport": carrier.dport | carrier.dport},
])

_device_to(node, peer) := uplink.route_devices(answer.route)[0] if {
	answer := netcause.route(node.name, peer)
	answer.status == "route"
}

# networks are the addresses of peers for a packet filter: each of a few, else the network that all are in.
networks(node, own, addresses) := sort(addresses) if {
	count(addresses) <= 8
} else := [sprintf("%s/%d", [own, a.prefixlen])] if {
	some a in node.addresses
	a.local == own
	every address in addresses {
		net.cidr_contains(sprintf("%s/%d", [own, a.prefixlen]), address)
	}
} else := text.few(sort(addresses))
