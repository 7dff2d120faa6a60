# METADATA
# title: A tunnel's neighbour entry has another hardware address than the peer
# description: >-
#   Packets into a VXLAN are Ethernet frames to the hardware address of the peer's tunnel device, which the network agent
#   writes into the neighbour table. A frame to any other address is thrown away by the peer that receives it, or meets no
#   entry of the forwarding database. Agents miss the change when a node is rebooted or udev gives the device a new
#   address.
# related_resources:
#   - ref: https://github.com/flannel-io/flannel/issues/1155
#     description: systemd 242 changes the address of flannel.1
#   - ref: https://github.com/flannel-io/flannel/issues/1330
#     description: the annotation's address and the device's differ
#   - ref: https://github.com/flannel-io/flannel/issues/1788
#     description: peers keep the old address after a reboot
#   - ref: https://docs.kernel.org/networking/vxlan.html
#     description: neighbours and forwarding database of a VXLAN
# custom:
#   id: vxlan-neighbour-wrong
#   category: network-unreachable
#   scope: node
#   severity: critical
#   needs: [links, routes, neighbours, cluster.nodes]
#   optional: [cluster.daemonsets, cluster.pods, fdb, processes]
#   explains: [network-unreachable, service-unreachable, dns-failure]
#   causes: []
package netcause.rules.network_unreachable.vxlan_neighbour_wrong

import data.netcause.lib.network_agent
import data.netcause.lib.text
import data.netcause.lib.vtep

finding contains f if {
	count(_wrong) > 0

	f := {
		"affects": ({input.node.name} | {end.peer | some end in _wrong}),
		"message": sprintf("%s sends tunnel frames for Pods of %s to %s: %s.", [
			input.node.name,
			vtep.peers_of(_wrong),
			_to(_wrong),
			"the peer's device has another address and does not take them",
		]),
		"evidence": [fact |
			some end in text.few(_wrong)
			some fact in array.concat([_entry_fact(end)], [fact | some fact in end.macs])
		],
		"fix": {
			"summary": "Write the peer's present hardware address, and let the agent write its entries anew",
			"steps": [
				{"node": input.node.name, "run": concat("\n", [command | some end in _wrong; some command in _commands(end)])},
				network_agent.restart(input.node, input.cluster),
			],
		},
		"verify": sprintf("ip neighbour show dev %s on %s shows %s for %s", [
			_wrong[0].dev,
			input.node.name,
			_mac(_wrong[0]),
			_wrong[0].via,
		]),
	}
}

ruled_out contains {
	"message": "every tunnel neighbour has the hardware address of the node that it is",
	"evidence": [_entry_fact(end) | some end in text.few(_ends)],
} if {
	count(_ends) > 0
	count(_wrong) == 0
	count(_unpublished) == 0
	count(_not_read) == 0
}

ruled_out contains {
	"message": "no route leads over a VXLAN whose neighbours an agent writes",
	"evidence": [],
} if {
	count(_ends) == 0
}

unexamined contains {"group": "links", "node": end.peer, "reason": reason} if {
	some end in _unpublished
	reason := sprintf("what hardware address the tunnel of %s has is not known", [vtep.peers_of(_unpublished)])
}

unexamined contains {
	"group": "neighbours",
	"reason": sprintf(
		"no entry for %s, and not all were read: %s",
		[_not_read[0].via, input.node.status.neighbours.reason],
	),
}

_ends := vtep.ends(input.node, input.peers, input.cluster)

_unpublished := [end | some end in _ends; count(end.macs) == 0]

# Of an incomplete listing an absent entry says nothing.
_not_read := [end |
	input.node.status.neighbours.reason
	some end in _ends
	end.neighbour.mac == ""
]

_wrong := [end |
	some end in _ends
	count(end.macs) > 0
	not end.neighbour.mac in object.keys(end.macs)
	not _is_not_read(end)
]

_is_not_read(end) if end in _not_read

_mac(end) := sort(object.keys(end.macs))[0]

_to(ends) := text.names({shown |
	some end in ends
	shown := _address(end.neighbour.mac)
})

_address("") := "no hardware address at all"

_address(mac) := sprintf("the hardware address %s", [mac]) if mac != ""

# A peer that has changed its address is not in the forwarding database either.
_commands(end) := array.concat(
	[vtep.replace_neighbour(end.dev, end.via, _mac(end))],
	[vtep.replace_fdb(end.dev, _mac(end), end.own) |
		input.node.fdb
		count(vtep.fdb(input.node, end.dev, _mac(end))) == 0
	],
)

_entry_fact(end) := {
	"fact": sprintf("neighbour %s (%s) on %s of %s", [end.via, end.peer, end.dev, input.node.name]),
	"value": end.neighbour.shown,
	"source": end.neighbour.source,
}
