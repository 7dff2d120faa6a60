# METADATA
# title: The reverse-path filter drops packets of the cluster
# description: >-
#   With rp_filter at 1 the kernel takes a packet only from the device by which it would answer its source. Where a node
#   has several devices, or a CNI's routes lead elsewhere than its packets come from, that drops what is meant for it
#   without a word: neither a firewall rule nor a closed port, and a capture on the device shows the packet.
# related_resources:
#   - ref: https://docs.kernel.org/networking/ip-sysctl.html
#     description: rp_filter, and that the greater of all and the device's counts
#   - ref: https://www.rfc-editor.org/rfc/rfc3704
#     description: strict and loose reverse path forwarding
#   - ref: https://github.com/kubernetes/kubernetes/issues/124587
#     description: a Service over a second network card where rp_filter is 1
#   - ref: https://github.com/cilium/cilium/issues/10645
#     description: systemd 245 sets rp_filter on Cilium's devices
#   - ref: https://github.com/cilium/cilium/issues/13130
#     description: IPReversePathFilter counts what it drops
# custom:
#   id: rp-filter-drops
#   category: network-unreachable
#   scope: node
#   severity: critical
#   needs: [sysctls, routes, rules, addresses, cluster.nodes]
#   optional: [cluster.daemonsets, cluster.pods, links]
#   explains: [network-unreachable, intermittent-loss]
#   causes: []
package netcause.rules.network_unreachable.rp_filter_drops

import data.netcause.lib.forwarding
import data.netcause.lib.kubernetes
import data.netcause.lib.pod_devices
import data.netcause.lib.sysctl
import data.netcause.lib.text
import data.netcause.lib.tunnel
import data.netcause.lib.uplink

finding contains f if {
	some dev in {way.packet.iif | some way in _dropped}
	ways := [way | some way in _dropped; way.packet.iif == dev]
	way := ways[0]

	f := {
		"severity": object.get(way, "severity", "critical"),
		"affects": ({input.node.name} | {other.peer | some other in ways; other.peer != ""}),
		"message": sprintf("%s drops %s that come in by %s: rp_filter is %d there, and it would answer %s by %s.", [
			input.node.name,
			text.names({other.title | some other in ways}),
			dev,
			way.answer.rp_filter,
			way.packet.src,
			_way_back(way.answer),
		]),
		"evidence": array.concat(
			[{"fact": "rp_filter", "value": sprintf("%d", [way.answer.rp_filter]), "source": way.answer.rp_filter_source}],
			[_back_fact(other) | some other in text.few(ways)],
		),
		"fix": {
			"summary": sprintf(
				"Let %s take packets whose answers leave by another device, or make their way back the same",
				[dev],
			),
			"steps": sysctl.set_steps(input.node.name, _settings(dev), sprintf("rp-filter-%s", [dev])),
		},
		"verify": sprintf(
			"nstat -az TcpExtIPReversePathFilter on %s grows no more, and %s arrive",
			[input.node.name, way.title],
		),
	}
}

ruled_out contains {"message": "it is no Node of the cluster", "evidence": []} if not input.node.object

ruled_out contains {
	"message": sprintf(
		"what nodes and their Pods send it comes in by the device of the way back, or is not filtered (%d ways followed)",
		[count(_ways)],
	),
	"evidence": array.slice([_back_fact(way) | some way in _ways], 0, 2),
} if {
	count(_ways) > 0
	count(_not_followed) == 0
	every way in _ways {
		way.answer.verdict == "pass"
	}
}

ruled_out contains {"message": "no other Node is alive", "evidence": []} if {
	input.node.object
	count(forwarding.peers(input.node, input.cluster)) == 0
	count(_ways) == 0
}

ruled_out contains {
	"message": "the cluster knows it by IPv6 alone, for which the kernel has no such filter",
	"evidence": [kubernetes.internal_ip_fact(input.node.object)],
} if {
	kubernetes.ipv6_alone(input.node.object)
	count(_ways) == 0
}

ruled_out contains {
	"message": sprintf("%s are in one network, and rp_filter is 1 on none of them", [concat(" and ", _twins)]),
	"evidence": [fact | some dev in _twins; some fact in _filter_facts(dev)],
} if {
	count(_ways) == 0
	count(_twins) > 1
	count(forwarding.peers(input.node, input.cluster)) > 0
	every dev in _twins {
		_filter(dev) != 1
	}
}

unexamined contains {"group": group, "reason": sprintf("%s: %s", [_unknown[0].title, _unknown[0].answer.detail])} if {
	some group in _groups(_unknown[0].answer)
}

unexamined contains {"group": "routes", "node": peer, "reason": reason} if {
	some peer in _not_followed
	reason := sprintf("by which device packets of Pods of %s come in to %s, which filters at its tunnel, is not known", [
		text.names(_not_followed),
		input.node.name,
	])
}

unexamined contains {
	"group": "neighbours",
	"reason": sprintf("%s are in one network: by which of them packets come in is not known", [concat(" and ", _twins)]),
} if {
	count(_twins) > 1
	some dev in _twins
	not _is_lenient(dev)
}

unexamined contains {"group": "addresses", "reason": "none of its addresses is one that the cluster knows it by"} if {
	input.node.object
	count(forwarding.peers(input.node, input.cluster)) > 0
	not kubernetes.ipv6_alone(input.node.object)
	count(_ways) == 0
	count(_twins) < 2
}

# _filter is the greater of all and the device's (ip-sysctl.rst).
_filter(dev) := max([to_number(sysctl.value(input.node, key)) | some key in _filter_keys(dev)]) if {
	every key in _filter_keys(dev) {
		sysctl.value(input.node, key)
	}
}

_is_lenient(dev) if _filter(dev) != 1

_filter_keys(dev) := ["net.ipv4.conf.all.rp_filter", sysctl.of_device("ipv4", dev, "rp_filter")]

_filter_facts(dev) := [sysctl.fact(input.node, key) | some key in _filter_keys(dev)]

# _not_followed are the nodes of which nothing was read, where the device of the tunnel from them is strict.
_not_followed := sort({peer.metadata.name |
	some link in tunnel.in_use(input.node, input.cluster)
	_filter(link.ifname) == 1
	some peer in array.slice(forwarding.peers(input.node, input.cluster), 0, 50)
	not peer.metadata.name in {other.name | some other in input.peers; other.routes}
})

_ways := array.flatten([_from_nodes, _from_pods, _from_own_pods])

# _from_nodes are packets that other nodes send to its address: tunnels' too.
_from_nodes := [way |
	count(_twins) < 2
	some peer in array.slice(forwarding.peers(input.node, input.cluster), 0, 50)
	some source in _sources(peer, _own_address)
	source != _own_address
	packet := {"src": source, "dst": _own_address, "iif": uplink.arrival(input.node, _own_address, source)}
	way := {
		"title": sprintf("packets of node %s", [peer.metadata.name]),
		"peer": peer.metadata.name,
		"packet": packet,
		"answer": netcause.reverse_path(input.node.name, packet),
	}
]

_own_address := [address |
	some address in kubernetes.internal_ips(input.node.object)
	not contains(address, ":")
	uplink.holder(input.node, address)
][0]

# Where the peer's routes were read they say by which address it sends.
_sources(peer, own) := {src} if {
	src := netcause.route(peer.metadata.name, own).route.src
} else := {address |
	some address in kubernetes.internal_ips(peer)
	not contains(address, ":")
}

# _twins are the devices with an address in the network of its own: ARP may answer for one on the other.
_twins := sort({a.dev |
	some own in input.node.addresses
	own.local == _own_address
	some a in input.node.addresses
	a.family == "inet"
	a.prefixlen < 32
	net.cidr_contains(sprintf("%s/%d", [own.local, own.prefixlen]), a.local)
})

# _from_pods are packets of Pods of other nodes, by the device by which those send them.
_from_pods := [way |
	own := forwarding.own_end(input.node)
	some peer in input.peers
	other := forwarding.own_end(peer)
	dev := _arrival(peer, own.address)
	packet := {"src": other.address, "dst": own.address, "iif": dev, "oif": own.dev}
	answer := netcause.reverse_path(input.node.name, packet)
	not _astray(answer)
	way := {
		"title": sprintf("packets of Pods of %s", [peer.name]),
		"peer": peer.name,
		"packet": packet,
		"answer": answer,
	}
]

# The way back is missing, or the default route: that is another fault, which the filter only makes visible.
_astray(answer) if {
	answer.verdict == "drop"
	answer.dev == ""
}

_astray(answer) if answer["default"]

# _arrival is where packets of a peer's Pods to an address of this node's come in: at the same tunnel, or at the device
# that has the address which the peer sends them to.
_arrival(peer, address) := [link.ifname |
	route := netcause.route(peer.name, address).route
	some theirs in peer.links
	theirs.ifname == uplink.route_devices(route)[0]
	tunnel.overhead[theirs.kind]
	some link in input.node.links
	link.kind == theirs.kind
	_same_tunnel(link, theirs)
][0]

_arrival(peer, address) := uplink.arrival(input.node, route.via, source) if {
	route := netcause.route(peer.name, address).route
	route.via
	not _leaves_by_tunnel(peer, route)
	source := kubernetes.internal_ips(object.get(peer, "object", {}))[0]
}

_same_tunnel(link, theirs) if {
	theirs.kind == "vxlan"
	link.vxlan.id == theirs.vxlan.id
	link.vxlan.port == theirs.vxlan.port
}

_same_tunnel(link, theirs) if {
	theirs.kind != "vxlan"
	link.ifname == theirs.ifname
}

_leaves_by_tunnel(peer, route) if {
	some link in peer.links
	link.ifname == uplink.route_devices(route)[0]
	tunnel.overhead[link.kind]
}

# _from_own_pods are packets of Cilium's Pods: they come by a device of their own, and the way back is cilium_host.
_from_own_pods := [way |
	address := pod_devices.pod_addresses(input.node.pods)[0]
	netcause.route(input.node.name, address).route.dev == "cilium_host"
	some link in input.node.links
	regex.match(`^lxc([0-9a-f]+|_health)$`, link.ifname)
	packet := {"src": address, "dst": _own_address, "iif": link.ifname}
	way := {
		"title": "packets of its own Pods that Cilium's programs leave to the kernel",
		"peer": "",
		"severity": "warning",
		"packet": packet,
		"answer": netcause.reverse_path(input.node.name, packet),
	}
]

_dropped := [way | some way in _ways; way.answer.verdict == "drop"; way.answer.rp_filter > 0]

_unknown := [way | some way in _ways; way.answer.verdict == "unknown"]

_groups(answer) := answer.unread if {
	count(answer.unread) > 0
} else := ["sysctls"]

_way_back(answer) := answer.dev if {
	answer.dev != ""
} else := "no device"

# A device without an address of its own has no loose mode (__fib_validate_source of net/ipv4/fib_frontend.c).
_settings(dev) := {sysctl.of_device("ipv4", dev, "rp_filter"): "2"} if {
	_has_address(dev)
} else := {
	"net.ipv4.conf.all.rp_filter": "0",
	sysctl.of_device("ipv4", dev, "rp_filter"): "0",
}

_has_address(dev) if {
	some a in input.node.addresses
	a.dev == dev
	a.family == "inet"
}

_back_fact(way) := {
	"fact": sprintf("way back of %s to %s, which come in by %s", [input.node.name, way.title, way.packet.iif]),
	"value": sprintf("%s by %s", [way.packet.src, _way_back(way.answer)]),
	"source": _source(way.answer),
}

_source(answer) := answer.source if {
	answer.source != ""
} else := "ip route show table all"
