# METADATA
# title: flannel publishes an address by which its peers do not reach it
# description: >-
#   flannel takes the first address of the default route's interface, unless it is told which, and tells it to all nodes.
#   On machines whose first card is a NAT of the hypervisor that address is the same everywhere (Vagrant's), and where the
#   cards have networks of their own, it may be one that the other nodes have no way to. Tunnel packets then go to
#   nobody, or to the node itself, while the nodes reach each other by their other card.
# related_resources:
#   - ref: https://github.com/flannel-io/flannel/blob/master/Documentation/troubleshooting.md
#     description: Vagrant, and which interface flannel takes
#   - ref: https://github.com/flannel-io/flannel/blob/master/Documentation/configuration.md
#     description: --iface, --iface-regex and --iface-can-reach
#   - ref: https://github.com/flannel-io/flannel/issues/535
#     description: every node publishes the address of the NAT
#   - ref: https://github.com/flannel-io/flannel/issues/712
#     description: an address that peers do not reach
# custom:
#   id: flannel-wrong-interface
#   category: cni
#   scope: cluster
#   severity: critical
#   needs: [cluster.nodes]
#   optional: [addresses, cluster.daemonsets]
#   explains: [network-unreachable, service-unreachable]
#   causes: [tunnel-source-not-node-address]
package netcause.rules.cni.flannel_wrong_interface

import data.netcause.lib.flannel
import data.netcause.lib.kubernetes
import data.netcause.lib.text
import data.netcause.lib.uplink

finding contains f if {
	some address, names in _shared

	f := {
		"affects": names,
		"message": sprintf("flannel on %s publishes one address, %s: they send each other's tunnel packets to themselves or to nobody.", [
			text.names(names),
			address,
		]),
		"evidence": array.concat(
			[_published_fact(api_node) | some api_node in _of_names(names)],
			[kubernetes.internal_ip_fact(api_node) | some api_node in _of_names(names)],
		),
		"fix": {
			"summary": "Let flannel take the interface by which the nodes reach each other",
			"steps": flannel.choose_interface(input.cluster, _interface(names)),
		},
		"verify": "the annotation flannel.alpha.coreos.com/public-ip of each Node is another address",
	}
}

finding contains f if {
	some way in _beside

	f := {
		"subject": {"kind": "Node", "name": way.node.name, "node": way.node.name},
		"affects": {way.node.name},
		"message": sprintf("flannel on %s publishes %s, of %s, and every other node an address in the network of %s: none is in that of %s.", [
			way.node.name,
			way.published,
			way.dev,
			way.right.dev,
			way.dev,
		]),
		"evidence": array.flatten([
			_published_fact(way.node.object),
			{"fact": sprintf("address of %s on %s", [way.dev, way.node.name]), "value": way.published, "source": way.source},
			{
				"fact": sprintf("address of %s on %s", [way.right.dev, way.node.name]),
				"value": way.right.local,
				"source": way.right.source,
			},
			[_published_fact(api_node) | some api_node in text.few(_others(way.node.name))],
		]),
		"fix": {
			"summary": "Let flannel take the interface by which the nodes reach each other",
			"steps": flannel.choose_interface(input.cluster, way.right.dev),
		},
		"verify": sprintf("the public-ip annotation of Node %s is %s", [way.node.name, way.right.local]),
	}
}

ruled_out contains {"message": "no Node says that flannel runs on it", "evidence": []} if {
	count(_published) == 0
	count(_left_behind) == 0
}

ruled_out contains {
	"message": "flannel's annotations are of the time before another network plugin took its place",
	"evidence": [_published_fact(api_node) | some api_node in text.few(_left_behind)],
} if {
	count(_left_behind) > 0
}

ruled_out contains {
	"message": "flannel publishes another address for each Node, in a network that its peers are in or that the cluster knows it by",
	"evidence": [_published_fact(api_node) | some api_node in text.few(_flannel_nodes)],
} if {
	count(_published) > 0
	count(_shared) == 0
	count(_beside) == 0
	count(_not_known) == 0
}

unexamined contains {"group": "addresses", "node": api_node.metadata.name, "reason": reason} if {
	some api_node in _not_known
	address := flannel.published(api_node)
	reason := sprintf("%s, which flannel publishes, is none that the cluster knows it by: its cards were not read", [address])
}

_flannel_nodes := [api_node |
	some api_node in input.cluster.nodes
	flannel.published(api_node)
	not flannel.left_behind(input.cluster)
	not kubernetes.leaving(api_node)
	not kubernetes.silent(api_node)
]

_left_behind := [api_node |
	flannel.left_behind(input.cluster)
	some api_node in input.cluster.nodes
	flannel.published(api_node)
]

_published contains flannel.published(api_node) if some api_node in _flannel_nodes

_publishing[flannel.published(api_node)] contains api_node.metadata.name if some api_node in _flannel_nodes

# _shared are the addresses that several Nodes publish, with those.
_shared[address] := names if {
	some address, names in _publishing
	count(names) > 1
}

_of_names(names) := array.slice([api_node | some api_node in _flannel_nodes; api_node.metadata.name in names], 0, 5)

_one_other(name) := flannel.published([api_node |
	some api_node in array.slice(_flannel_nodes, 0, 2)
	api_node.metadata.name != name
][0])

_others(name) := [api_node | some api_node in _flannel_nodes; api_node.metadata.name != name]

# _beside are nodes that publish an address of a card of its own network, where every peer is in that of another card.
_beside := [way |
	some node in input.nodes
	node.addresses
	not _is_shared(node.object)
	published := flannel.published(node.object)
	dev := uplink.holder(node, published)
	own := [a | some a in node.addresses; a.local == published][0]
	not net.cidr_contains(_network(own), _one_other(node.name)) # the others are many, and one tells most
	others := {flannel.published(peer) | some peer in _others(node.name)}
	right := _card_of(node, others)
	right.dev != dev
	every other in others {
		not net.cidr_contains(_network(own), other)
	}
	way := {"node": node, "published": published, "dev": dev, "source": own.source, "right": right}
]

_is_shared(api_node) if _shared[flannel.published(api_node)]

# _card_of is a node's address in whose network all of some addresses are.
_card_of(node, addresses) := [a |
	some a in node.addresses
	a.family == "inet"
	a.prefixlen < 32
	every address in addresses {
		net.cidr_contains(_network(a), address)
	}
][0]

_network(a) := sprintf("%s/%d", [a.local, a.prefixlen])

# _not_known are Nodes that publish an address that is not among theirs, of which nothing was collected.
_not_known := [api_node |
	some api_node in _flannel_nodes
	not _is_shared(api_node)
	not flannel.published(api_node) in {a.address | some a in api_node.status.addresses}
	count([node | some node in input.nodes; node.name == api_node.metadata.name; node.addresses]) == 0
]

# _interface is the card that holds the InternalIP on one of some nodes that was read, or "".
_interface(names) := array.concat(
	[dev |
		some node in input.nodes
		node.name in names
		some address in kubernetes.internal_ips(node.object)
		dev := uplink.holder(node, address)
		address != flannel.published(node.object)
	],
	[""],
)[0]

_published_fact(api_node) := {
	"fact": sprintf("flannel's public-ip of Node %s", [api_node.metadata.name]),
	"value": flannel.published(api_node),
	"source": api_node.source,
}
