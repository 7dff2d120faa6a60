# METADATA
# title: Packets that both ends allow are larger than the way between them carries
# description: >-
#   Each end of a TCP connection tells the other how large a segment may be, from the MTU of its own device. Where a tunnel
#   between them carries less, full packets do not fit. The sender learns of it only by an ICMP "fragmentation needed",
#   which firewalls and NAT often lose: the connection opens, small requests pass, large bodies vanish and are sent again
#   until they time out.
# related_resources:
#   - ref: https://www.rfc-editor.org/rfc/rfc2923
#     description: TCP problems with path MTU discovery
#   - ref: https://www.rfc-editor.org/rfc/rfc6691
#     description: how the MSS follows from the MTU
#   - ref: https://docs.tigera.io/calico/latest/networking/configuring/mtu
#     description: which MTU each kind of tunnel leaves for Pods, and how to set it
# custom:
#   id: path-mtu-mismatch
#   category: large-packet-loss
#   scope: cluster
#   severity: critical
#   needs: [links, routes, addresses]
#   optional: [cluster.daemonsets, cluster.nodes, iptables_legacy, iptables_nft, namespaces, nftables, processes]
#   explains: [large-packet-loss, slow-connections]
#   causes: []
package netcause.rules.large_packet_loss.path_mtu_mismatch

import data.netcause.lib.address
import data.netcause.lib.kubernetes
import data.netcause.lib.mss
import data.netcause.lib.mtu
import data.netcause.lib.mtu_fix
import data.netcause.lib.overlay
import data.netcause.lib.text

finding contains f if {
	most := max([fault.excess | some fault in _faults])
	worst := [fault | some fault in _faults; fault.excess == most][0]

	f := {
		"affects": {node | some fault in _faults; some node in [fault.end.node, fault.way.node]},
		"severity": _severity(worst),
		"message": sprintf("%s%s.", [_message(worst), _doubt(worst)]),
		"evidence": array.flatten([
			worst.end.facts,
			worst.way.facts,
			[client.fact | some client in text.few(_clients)],
			[_unread_fact(node) | some node in _unread(worst)],
		]),
		"fix": _fix(worst),
		"verify": sprintf(
			"ping -M do -s %d to a Pod of another node passes, and so does a large request",
			[_carried(worst) - 28],
		),
	}
}

ruled_out contains {
	"message": "no tunnel that was read has a route to Pods of another node",
	"evidence": [],
} if {
	count(_ways) == 0
	count(_of_programs) == 0
}

ruled_out contains {
	"message": "what Pods let a sender use fits through the tunnels, or a rule clamps the MSS to what does",
	"evidence": array.flatten([
		[end.facts[0] | some end in text.few(_largest_ends)],
		[fact | some way in text.few(_ways); some fact in way.facts],
		[clamp.fact | some way in text.few(_ways); some clamp in mss.clamps(way.node, way)],
	]),
} if {
	count(_ways) > 0
	count(_ends) > 0
	count(_faults) == 0
}

unexamined contains {"group": "links", "reason": reason} if {
	count(_ways) == 0
	count(_of_programs) > 0
	reason := sprintf("no route leads into %s: programs put packets there, of what size is not known", [text.names(_of_programs)])
}

unexamined contains {"group": "namespaces", "reason": "no Pod's device was seen on a node with a tunnel"} if {
	count(_ways) > 0
	count(_ends) == 0
}

_ways := [object.union(way, _narrowed(way)) | some way in _all_ways]

_all_ways := [way |
	some node in input.nodes
	some way in mtu.ways(node, input.cluster)
]

# One link alone is too narrow for what its tunnel is set to: those of all other nodes carry more.
_narrowed(way) := {"narrowed": {"dev": link.ifname, "mtu": link.mtu, "others": min([other.mtu | some other in others])}} if {
	way.mtu < way.tunnel.mtu
	link := [l | some l in way.below; l.mtu == min([below.mtu | some below in way.below])][0]
	others := [other | some other in _all_ways; other.node != way.node; other.tunnel.kind == way.tunnel.kind]
	count(others) > 0
	every other in others {
		other.mtu > way.mtu
	}
} else := {}

# _of_programs are tunnels that eBPF programs and Open vSwitch put packets into.
_of_programs contains link.ifname if {
	some node in input.nodes
	some link in node.links
	overlay.of_programs(link)
}

# _ends are, by node, the Pods' devices.
_ends[node.name] := ends if {
	some node in input.nodes
	not node.name in _names_outside
	ends := mtu.pods(node)
	count(ends) > 0
}

# One end for each node is enough: the one that allows most.
_largest[name] := [end | some end in ends; end.mtu == largest][0] if {
	some name, ends in _ends
	largest := max([end.mtu | some end in ends])
}

_largest_ends := [end | some end in _largest]

# _faults are the pairs of a Pod and another node's tunnel on the way to it where the largest packet that both the
# sender and the Pod allow does not fit.
_faults := [fault |
	some end in _largest_ends
	end.mtu > _narrowest # in most clusters none is: what is below is for each pair of nodes
	some way in _ways_to(end)
	end.mtu > way.mtu
	size := min([end.mtu, _largest_sent(way)])
	size > way.mtu
	not _clamped(way, end)
	fault := {"end": end, "way": way, "size": size, "excess": size - way.mtu}
]

_narrowest := min([way.mtu | some way in _ways])

# Of one node alone, its own tunnel stands for those of its peers: a cluster has one setting.
_ways_to(end) := others if {
	others := [way | some way in _ways; way.node != end.node]
	count(others) > 0
} else := _ways

# The largest packet that comes to a tunnel: by the link below it from anywhere, from a Pod of its node, or from a client
# that is known.
_largest_sent(way) := max(array.flatten([
	[size | size := _largest_arriving(way)],
	[mtu | mtu := _largest[way.node].mtu],
	[client.mtu | some client in _clients],
]))

_largest_arriving(way) := min([link.mtu | some link in way.below])

_clamped(way, end) if {
	some node in {way.node, end.node}
	some clamp in mss.clamps(node, way)
	clamp.size <= way.mtu
}

_message(fault) := sprintf(
	"%s of %s has an MTU of %d: %s carries %d bytes there, where other nodes' carry %d and Pods let a sender use %d (MSS %d): %s",
	[
		fault.way.narrowed.dev,
		fault.way.node,
		fault.way.narrowed.mtu,
		fault.way.tunnel.ifname,
		fault.way.mtu,
		fault.way.narrowed.others,
		fault.size,
		fault.size - 40,
		_lost(fault),
	],
) if {
	fault.way.narrowed
} else := sprintf(
	"Pods on %s%s let a sender use packets of %d bytes (MSS %d), but %s on %s carries %d: %s",
	[
		text.names({other.end.node | some other in _faults}),
		_example(fault.end),
		fault.size,
		fault.size - 40,
		fault.way.tunnel.ifname,
		fault.way.node,
		fault.way.mtu,
		_lost(fault),
	],
)

_lost(fault) := sprintf("large packets from %s vanish", [text.either(_senders(fault))])

# A clamp that nobody read may bring the MSS of TCP down.
_doubt(fault) := sprintf(", unless a rule of %s that was not read clamps the MSS", [text.either(_unread(fault))]) if {
	count(_unread(fault)) > 0
} else := ""

_unread(fault) := sort({node.name |
	some node in input.nodes
	node.name in {fault.way.node, fault.end.node}
	not _netfilter_read(node)
})

_netfilter_read(node) if {
	node.status.iptables_legacy.status == "read"
	some listing in ["nftables", "iptables_nft"]
	node.status[listing].status == "read"
}

_unread_fact(node) := {
	"fact": sprintf("rules of %s that clamp the MSS", [node]),
	"value": "not known: its rules of netfilter were not all read",
	"source": "nft list ruleset; iptables-legacy-save",
}

_fix(fault) := mtu_fix.widen(fault, _clients, input.cluster) if {
	fault.way.narrowed
} else := mtu_fix.fix(fault, _clients, input.cluster)

_carried(fault) := fault.size if {
	fault.way.narrowed
} else := fault.way.mtu

_example(end) := sprintf(" (%s on %s is one)", [end.pod, end.node]) if end.pod

_example(end) := "" if not end.pod

# _senders are those whose packets can be too large for the tunnel.
_senders(fault) := array.flatten([
	[client.node | some client in text.few(_clients); client.mtu > fault.way.mtu],
	[words | words := _sending_pod(fault)],
	[sprintf("others by %s of %s", [link.ifname, fault.way.node]) |
		some link in array.slice(fault.way.below, 0, 1)
		_largest_arriving(fault.way) > fault.way.mtu
	],
])

_sending_pod(fault) := "another node's Pod" if {
	fault.way.node == fault.end.node
} else := sprintf("a Pod on %s", [fault.way.node]) if {
	some end in _largest_ends
	end.node == fault.way.node
	end.mtu > fault.way.mtu
}

# _clients are machines outside the cluster, each with the device by which it comes to a node.
_clients := [client |
	some node in _outside
	answer := netcause.route(node.name, _node_address)
	answer.status == "route"
	some link in node.links
	link.ifname == answer.route.dev
	client := {
		"node": node.name,
		"dev": link.ifname,
		"mtu": min(array.concat([link.mtu], [answer.route.mtu | answer.route.mtu])),
		"fact": mtu.fact(node, link),
	}
]

_outside := [node |
	some node in input.nodes
	node.links
	not node.name in _names_with_ways
	not kubernetes.is_node(node)
]

_names_outside contains node.name if some node in _outside

_names_with_ways contains way.node if some way in _ways

# _node_address is an address of a node below its tunnel: a client's way to it stands for its way to all.
_node_address := [a.local |
	some way in _ways
	some link in way.below
	some node in input.nodes
	node.name == way.node
	some a in address.ipv4(node, link.ifname)
][0]

# Where each client that is known stays within what the tunnel carries, only others can lose packets.
_severity(fault) := "warning" if {
	count(_clients) > 0
	every client in _clients {
		client.mtu <= fault.way.mtu
	}
} else := "critical"
