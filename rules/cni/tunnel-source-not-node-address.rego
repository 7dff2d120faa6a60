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
#   explains: [network-unreachable, service-unreachable]
#   causes: []
package netcause.rules.cni.tunnel_source_not_node_address

import data.netcause.lib.kubernetes
import data.netcause.lib.network_agent
import data.netcause.lib.text
import data.netcause.lib.tunnel

finding contains f if {
	count(_foreign) > 0
	not _network_of_its_own

	f := {
		"message": sprintf(
			"The cluster knows %s by %s, but its tunnel uses %s: answers go astray.",
			[input.node.name, _internal_ip, text.names({source.address | some source in _foreign})],
		),
		"evidence": array.concat(
			[kubernetes.internal_ip_fact(input.node.object)],
			[source.fact | some source in _foreign],
		),
		"fix": {
			"summary": "Make the network agent use the node's own address",
			"steps": [
				{
					"cluster": true,
					"edit": sprintf(
						"give flanneld --iface or --iface-regex (Calico: IP_AUTODETECTION_METHOD) the interface that holds %s",
						[_internal_ip],
					),
					"why": "by itself the agent takes the first address of the interface of the default route",
				},
				network_agent.restart(input.node, input.cluster),
			],
		},
		"verify": sprintf("ip -d link on %s and the public-ip annotation of its Node show %s", [input.node.name, _internal_ip]),
	}
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

ruled_out contains {"message": "it has no tunnel that is bound to an address", "evidence": []} if {
	input.node.object
	count(_sources) == 0
	input.node.links
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
	others := [peer |
		some peer in input.peers
		count(tunnel.sources(peer, input.cluster)) > 0
	]
	count(others) > 0
	every peer in others {
		foreign := {source.address | some source in _foreign_to(peer)}
		count(foreign) > 0
		count(foreign & {source.address | some source in _foreign}) == 0
	}
}
