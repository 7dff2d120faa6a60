# METADATA
# title: A tunnel's forwarding entry leads to another address than the peer's
# description: >-
#   The forwarding database of a VXLAN device says to which address of the network below a frame for a hardware address is
#   sent. The network agent writes one entry for each node. An entry that leads elsewhere sends every packet for that
#   node's Pods to somebody who does not know them, and without an entry they are dropped: routes and neighbours look right.
# related_resources:
#   - ref: https://github.com/flannel-io/flannel/issues/654
#     description: some pairs of nodes do not reach each other, their entries are wrong
#   - ref: https://docs.kernel.org/networking/vxlan.html
#     description: the forwarding database of a VXLAN
#   - ref: https://github.com/flannel-io/flannel/issues/1788
#     description: entries that are not renewed
# custom:
#   id: vxlan-fdb-wrong
#   category: network-unreachable
#   scope: node
#   severity: critical
#   needs: [links, routes, neighbours, fdb, cluster.nodes]
#   optional: [cluster.daemonsets, cluster.pods, processes]
#   explains: [network-unreachable, service-unreachable, dns-failure]
#   causes: []
package netcause.rules.network_unreachable.vxlan_fdb_wrong

import data.netcause.lib.network_agent
import data.netcause.lib.text
import data.netcause.lib.vtep

finding contains f if {
	count(_wrong) > 0

	f := {
		"affects": ({input.node.name} | {end.peer | some end in _wrong}),
		"message": sprintf("%s sends tunnel packets for Pods of %s.", [
			input.node.name,
			concat("; for those of ", [sprintf("%s %s", [end.peer, _astray(end)]) | some end in text.few(_wrong)]),
		]),
		"evidence": [fact |
			some end in text.few(_wrong)
			some fact in [_entry_fact(end), _peer_fact(end)]
		],
		"fix": {
			"summary": "Write the peer's address, and let the agent write its entries anew",
			"steps": [
				{"node": input.node.name, "run": concat("\n", [command | some end in _wrong; some command in _commands(end)])},
				network_agent.restart(input.node, input.cluster),
			],
		},
		"verify": sprintf("bridge fdb show dev %s on %s has one entry for %s, with dst %s", [
			_wrong[0].dev,
			input.node.name,
			_mac(_wrong[0]),
			_wrong[0].own,
		]),
	}
}

ruled_out contains {
	"message": "every tunnel entry of its forwarding database leads to the node that it is for",
	"evidence": [_entry_fact(end) | some end in text.few(_ends)],
} if {
	count(_ends) > 0
	count(_wrong) == 0
	count(_unknown) == 0
}

ruled_out contains {
	"message": "no route leads over a VXLAN whose forwarding database an agent writes",
	"evidence": [],
} if {
	count(_ends) == 0
}

unexamined contains {
	"group": "links",
	"node": _unknown[0].peer,
	"reason": sprintf(
		"which hardware address or network address the tunnel of %s has is not known",
		[vtep.peers_of(_unknown)],
	),
} if {
	count(_unknown) > 0
}

unexamined contains {
	"group": "fdb",
	"reason": sprintf("no entry for %s, and not all were read: %s", [_missing[0].peer, input.node.status.fdb.reason]),
}

_ends := vtep.ends(input.node, input.peers, input.cluster)

# What a frame is sent to: the peer's own hardware address, or where that is not known the one that the neighbour entry has.
_mac(end) := sort(object.keys(end.macs))[0] if {
	count(end.macs) > 0
} else := end.neighbour.mac

_unknown := [end | some end in _ends; _is_unknown(end)]

_is_unknown(end) if _mac(end) == ""

_is_unknown(end) if count(end.addresses) == 0

_entries(end) := vtep.fdb(input.node, end.dev, _mac(end))

_wrong := [end |
	some end in _ends
	not _is_unknown(end)
	not _leads_to_peer(end)
	not _is_missing_for_another_reason(end)
]

_leads_to_peer(end) if {
	some entry in _entries(end)
	entry.dst in end.addresses
}

_missing := [end |
	some end in _ends
	not _is_unknown(end)
	count(_entries(end)) == 0
]

_is_missing_for_another_reason(end) if {
	end in _missing
	input.node.status.fdb.reason
}

# The agent knows another hardware address of the peer, in both tables: the neighbour entry is the fault.
_is_missing_for_another_reason(end) if {
	end in _missing
	not end.neighbour.mac in object.keys(end.macs)
	count(end.macs) > 0
}

_astray(end) := sprintf("to %s, which is no address of it%s", [_sent_to(end), _of_whom(end)]) if {
	not end in _missing
} else := "nowhere: it has no entry for its hardware address"

_sent_to(end) := concat(", ", {entry.dst | some entry in _entries(end)})

_of_whom(end) := sprintf(" but of %s", [text.names(names)]) if {
	names := {api_node.metadata.name |
		some entry in _entries(end)
		some api_node in input.cluster.nodes
		some a in api_node.status.addresses
		a.address == entry.dst
	}
	count(names) > 0
} else := " nor of any Node"

# Only `append` makes several entries for one address: `replace` would leave the others.
_commands(end) := array.concat(
	[sprintf("bridge fdb delete %s dev %s dst %s self", [_mac(end), end.dev, entry.dst]) |
		count(_entries(end)) > 1
		some entry in _entries(end)
	],
	[vtep.replace_fdb(end.dev, _mac(end), end.own)],
)

_entry_fact(end) := {
	"fact": sprintf("FDB entry of %s on %s for %s (%s)", [end.dev, input.node.name, _mac(end), end.peer]),
	"value": concat(", ", {entry.dst | some entry in _entries(end)}),
	"source": _entries(end)[0].source,
} if {
	count(_entries(end)) > 0
} else := {
	"fact": sprintf("FDB entry of %s on %s for %s (%s)", [end.dev, input.node.name, _mac(end), end.peer]),
	"value": "none",
	"source": sprintf("bridge fdb show dev %s", [end.dev]),
}

_peer_fact(end) := {"fact": sprintf("outer address of %s", [end.peer]), "value": end.own, "source": source} if {
	source := [api_node.source | some api_node in input.cluster.nodes; api_node.metadata.name == end.peer][0]
}
