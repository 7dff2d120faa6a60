# METADATA
# title: The tunnel's outer source is not the node's address
# description: >-
#   Peers send to, and accept from, the address that a node's network agent publishes. When a tunnel leaves with an
#   address that is not the one the cluster knows the node by, answers go elsewhere, and filters and reverse-path checks
#   on the way drop what they do not expect.
# related_resources:
#   - ref: https://github.com/flannel-io/flannel/blob/master/Documentation/configuration.md
#     description: which interface and address flannel takes, and --iface and --public-ip
#   - ref: https://github.com/flannel-io/flannel/blob/master/Documentation/kubernetes.md
#     description: the annotation public-ip-overwrite, which sets another address on purpose
#   - ref: https://docs.kernel.org/networking/vxlan.html
#     description: the local address of a VXLAN device
# custom:
#   id: tunnel-source-not-node-address
#   category: cni
#   scope: node
#   severity: critical
#   needs: [cluster.nodes]
#   optional: [addresses, cluster.daemonsets, cluster.pods, fdb, links, processes, routes]
#   explains: [network-unreachable, service-unreachable]
#   causes: []
package netcause.rules.cni.tunnel_source_not_node_address

import data.netcause.lib.address
import data.netcause.lib.kubernetes
import data.netcause.lib.network_agent
import data.netcause.lib.text
import data.netcause.lib.tunnel
import data.netcause.lib.uplink

finding contains f if {
	count(_foreign) > 0
	not _is_alone
	not _network_of_its_own
	not _perhaps_network_of_its_own

	f := object.union(_severity, {
		"message": sprintf("The cluster knows %s by %s, but its tunnel uses %s: %s.", [
			input.node.name,
			_internal_ip,
			text.names({source.address | some source in _foreign}),
			_consequence,
		]),
		"evidence": array.flatten([
			kubernetes.internal_ip_fact(input.node.object),
			[source.fact | some source in _foreign],
			[fact | some fact in text.few(array.concat(_entries_to_node_address, _entries_to_tunnel))],
		]),
		"fix": {
			"summary": "Make the network agent use the node's own address",
			"steps": [
				{
					"cluster": true,
					"edit": sprintf(
						"give flanneld of this node --iface=%[1]s (an address is allowed) or --public-ip=%[1]s; Calico: %[2]s",
						[_internal_ip, "IP_AUTODETECTION_METHOD=kubernetes-internal-ip"],
					),
					"why": "by itself the agent takes the first address of the interface of the default route",
				},
				network_agent.restart(input.node, input.cluster),
			],
		},
		"verify": sprintf("ip -d link on %s and the public-ip annotation of its Node show %s", [input.node.name, _internal_ip]),
	})
}

ruled_out contains {"message": "it is no Node of the cluster", "evidence": []} if not input.node.object

ruled_out contains {
	"message": "its tunnel uses an address that the cluster knows it by",
	"evidence": [source.fact | some source in _sources],
} if {
	input.node.object
	count(_sources) > 0
	count(_foreign) == 0
}

ruled_out contains {
	"message": "every node's tunnel uses a network of its own beside that of the Nodes' addresses: on purpose",
	"evidence": [source.fact | some source in _foreign],
} if {
	_network_of_its_own
}

ruled_out contains {
	"message": "it is the only Node: no tunnel leads to another",
	"evidence": [source.fact | some source in _foreign],
} if {
	count(_foreign) > 0
	_is_alone
}

ruled_out contains {"message": "it has no tunnel that is bound to an address", "evidence": []} if {
	input.node.object
	count(_sources) == 0
	input.node.links
}

unexamined contains {
	"group": "links",
	"reason": sprintf(
		"%s may be of a network of its own beside that of the Nodes' addresses: no other node's tunnel was read",
		[text.names({source.address | some source in _foreign})],
	),
} if {
	_perhaps_network_of_its_own
}

unexamined contains {"group": "links"} if {
	input.node.object
	count(_sources) == 0
	not input.node.links
}

_sources := tunnel.sources(input.node, input.cluster)

_foreign := _foreign_to(input.node)

# _foreign_to are a node's outer addresses of IPv4 that its Node object does not have.
_foreign_to(node) := [source |
	some source in tunnel.sources(node, input.cluster)
	known := {a.address | some a in node.object.status.addresses; a.type in {"InternalIP", "ExternalIP"}}
	count([address | some address in known; not contains(address, ":")]) > 0
	not source.address in known
]

_internal_ip := kubernetes.internal_ips(input.node.object)[0]

# A network of its own (flannel --iface): the other nodes do the same, each with an address of its own.
_network_of_its_own if {
	count(_foreign) > 0
	count(_others) > 0
	every peer in _others {
		foreign := {source.address | some source in _foreign_to(peer)}
		count(foreign) > 0
		count(foreign & {source.address | some source in _foreign}) == 0
	}
}

_is_alone if count(input.cluster.nodes) == 1

# One node's tunnel alone does not tell such a network from a mistake, unless it uses the very link of the node's address.
_perhaps_network_of_its_own if {
	count(_foreign) > 0
	count(_others) == 0
	some api_node in input.cluster.nodes
	api_node.metadata.name != input.node.name
	every source in _foreign {
		not _beside_node_address(source.address)
	}
}

_others := [peer |
	some peer in input.peers
	count(tunnel.sources(peer, input.cluster)) > 0
]

_beside_node_address(local) if {
	some own in kubernetes.internal_ips(input.node.object)
	uplink.holder(input.node, own) == uplink.holder(input.node, local)
}

_beside_node_address(local) if {
	some own in kubernetes.internal_ips(input.node.object)
	some a in input.node.addresses
	a.local in {own, local}
	net.cidr_contains(address.cidr(a), own)
	net.cidr_contains(address.cidr(a), local)
}

# What the peers' tunnels send to this node's is in their FDB.
_entries_to_node_address := _entries({own | some own in kubernetes.internal_ips(input.node.object)})

_entries_to_tunnel := _entries({source.address | some source in _foreign})

_entries(addresses) := [fact |
	some peer in input.peers
	some fact in _entries_of(peer, addresses)
]

_entries_of(peer, addresses) := [fact |
	some entry in peer.fdb
	entry.dst in addresses
	fact := {
		"fact": sprintf("FDB entry of %s on %s for %s", [entry.dev, peer.name, entry.mac]),
		"value": entry.dst,
		"source": entry.source,
	}
]

_all_peers_follow if {
	count(_entries_to_node_address) == 0
	collected := [peer | some peer in input.peers; count(tunnel.devices(peer, input.cluster)) > 0]
	count(collected) > 0
	every peer in collected {
		count(_entries_of(peer, {source.address | some source in _foreign})) > 0
	}
}

default _severity := {}

_severity := {"severity": "warning"} if _all_peers_follow

default _consequence := "filters and reverse-path checks that expect the node's address drop it"

_consequence := "peers send to the former, and answers go astray" if count(_entries_to_node_address) > 0
