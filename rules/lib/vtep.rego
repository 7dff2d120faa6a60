# METADATA
# description: >-
#   The other ends of a node's VXLAN as its routes, neighbours and forwarding database have them, and as they are. Agents
#   write these entries (flannel, Calico): nothing is learned.
package netcause.lib.vtep

import data.netcause.lib.kubernetes
import data.netcause.lib.text
import data.netcause.lib.tunnel

# ends are the gateways that routes into VXLAN devices lead to, with the node that each is.
ends(node, peers, cluster) := [end |
	behind := _behind(node, peers, cluster)
	some link in tunnel.in_use(node, cluster)
	link.kind == "vxlan"
	not link.vxlan.external
	not link.vxlan.learning
	some via in {route.via | some route in node.routes; route.dev == link.ifname; route.via; not contains(route.via, ":")}
	peer := behind[via]
	end := {
		"dev": link.ifname,
		"via": via,
		"peer": peer.name,
		"macs": _macs(peer, link),
		"addresses": (_addresses(peer) | {source.address | some source in tunnel.sources(peer, cluster)}),
		"own": _own_address(peer, cluster),
		"neighbour": _neighbour(node, link.ifname, via),
	}
]

# _behind are the other nodes that are alive, by the gateways that lead to them.
_behind(node, peers, cluster) := object.union_n([{via: view} |
	read := object.union_n([{peer.name: peer} | some peer in peers])
	some api_node in cluster.nodes
	name := api_node.metadata.name
	name != node.name
	not kubernetes.not_ready(api_node)
	not kubernetes.leaving(api_node)
	view := object.get(read, name, {"name": name, "object": api_node})
	some via in _gateways(view, api_node)
])

# flannel takes the first address of a node's range, Calico one that it publishes; where the node was read, its device has it.
_gateways(view, api_node) := ({split(cidr, "/")[0] |
	some cidr in kubernetes.pod_cidrs(api_node)
	not contains(cidr, ":")
} | {via |
	via := api_node.metadata.annotations["projectcalico.org/IPv4VXLANTunnelAddr"]
}) | {a.local |
	some link in view.links
	link.kind == "vxlan"
	some a in view.addresses
	a.dev == link.ifname
}

_devices(peer, link) := [theirs |
	some theirs in peer.links
	theirs.kind == "vxlan"
	theirs.vxlan.id == link.vxlan.id
	theirs.address != ""
]

# _macs are the hardware addresses of the peer's end: of its device where it was read, else what it published.
_macs(peer, link) := {mac: fact |
	some theirs in _devices(peer, link)
	mac := lower(theirs.address)
	fact := {"fact": sprintf("hardware address of %s on %s", [theirs.ifname, peer.name]), "value": mac, "source": theirs.source}
} if {
	count(_devices(peer, link)) > 0
} else := {mac: fact |
	some key, mac in _published(peer)
	fact := {"fact": sprintf("%s of Node %s", [key, peer.name]), "value": mac, "source": peer.object.source}
}

_published(peer) := {"VtepMAC in flannel's backend-data": lower(mac) |
	mac := json.unmarshal(peer.object.metadata.annotations["flannel.alpha.coreos.com/backend-data"]).VtepMAC
	mac != ""
}

# _addresses are all by which packets may come to the peer.
_addresses(peer) := ({a.address | some a in peer.object.status.addresses} | {a.local | some a in peer.addresses}) | {address |
	some key in [
		"flannel.alpha.coreos.com/public-ip",
		"flannel.alpha.coreos.com/public-ip-overwrite",
		"projectcalico.org/IPv4Address",
	]
	address := split(peer.object.metadata.annotations[key], "/")[0]
}

_own_address(peer, cluster) := array.concat(
	[source.address | some source in tunnel.sources(peer, cluster)],
	[address | some address in kubernetes.internal_ips(peer.object); not contains(address, ":")],
)[0]

# _neighbour is what the gateway's address resolves to: mac is empty where there is no usable entry.
_neighbour(node, dev, via) := {"mac": lower(entry.lladdr), "shown": entry.lladdr, "source": entry.source} if {
	entry := _entry(node, dev, via)
	not entry.state in {"FAILED", "INCOMPLETE"}
} else := {"mac": "", "shown": entry.state, "source": entry.source} if {
	entry := _entry(node, dev, via)
} else := {"mac": "", "shown": "none", "source": sprintf("ip neighbour show dev %s", [dev])}

_entry(node, dev, via) := [entry |
	some entry in node.neighbours
	entry.dev == dev
	entry.dst == via
][0]

# fdb are the entries of a device for a hardware address.
fdb(node, dev, mac) := [entry |
	some entry in node.fdb
	entry.dev == dev
	lower(entry.mac) == mac
	entry.dst
]

# replace_fdb and replace_neighbour put an entry right at once.
replace_fdb(dev, mac, address) := sprintf("bridge fdb replace %s dev %s dst %s self permanent", [mac, dev, address])

replace_neighbour(dev, via, mac) := sprintf("ip neighbour replace %s lladdr %s dev %s nud permanent", [via, mac, dev])

peers_of(ends) := text.names({end.peer | some end in ends})
