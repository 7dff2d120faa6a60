# METADATA
# description: The packets between Pods that a node forwards.
package netcause.lib.forwarding

import data.netcause.lib.kubernetes
import data.netcause.lib.pod_devices
import data.netcause.lib.pod_network
import data.netcause.lib.uplink

# Enough other nodes to meet every device that leads to them.
_most_peers := 50

# flows are the first packets of connections between a Pod of the node and one of each other node, both ways, with the
# devices by which they come and go. Where no route leads to the other node's Pods there is none.
flows(node, cluster) := [flow |
	own := own_end(node)
	some peer in array.slice(peers(node, cluster), 0, _most_peers)
	other := _peer_end(node, cluster, peer, own)
	some flow in [
		{
			"title": sprintf("from Pods of %s to those of %s", [node.name, peer.metadata.name]),
			"peer": peer.metadata.name,
			"packet": _packet(own, other),
		},
		{
			"title": sprintf("from Pods of %s to those of %s", [peer.metadata.name, node.name]),
			"peer": peer.metadata.name,
			"packet": _packet(other, own),
		},
	]
]

# The ports are nobody's: a filter that lets some ports pass lets not Pods' packets pass.
_packet(from, to) := {
	"src": from.address,
	"dst": to.address,
	"iif": from.dev,
	"oif": to.dev,
	"proto": "tcp",
	"sport": 50001,
	"dport": 50000,
	"ctstate": "NEW",
}

# peers are the other Nodes that are alive.
peers(node, cluster) := [peer |
	some peer in cluster.nodes
	peer.metadata.name != node.name
	not kubernetes.not_ready(peer)
	not kubernetes.leaving(peer)
]

# own_end is a Pod of the node, and the device that leads to it: a real one, else an address of the node's range.
own_end(node) := [end |
	some address in array.concat(
		array.slice(pod_devices.pod_addresses(node.pods), 0, 10),
		_in_ranges(object.get(node, "object", {})),
	)
	dev := _device(node, address)
	end := {"address": address, "dev": dev}
][0]

# _peer_end is a Pod of another node, and the device by which packets of the node's own Pod leave for it.
_peer_end(node, cluster, peer, own) := [end |
	pods := [pod | some pod in cluster.pods; pod.spec.nodeName == peer.metadata.name]
	some address in array.concat(array.slice(pod_devices.pod_addresses(pods), 0, 3), _in_ranges(peer))
	answer := netcause.lookup(node.name, {"src": own.address, "dst": address, "iif": own.dev})
	answer.status == "route"
	dev := uplink.route_devices(answer.route)[0]
	end := {"address": address, "dev": dev}
][0]

# Its own Pods are behind no gateway.
_device(node, address) := uplink.route_devices(answer.route)[0] if {
	answer := pod_devices.way(node, address)
	answer.status == "route"
	not answer.route.via
	answer.route.dst != "0.0.0.0/0"
}

_in_ranges(api_node) := [address |
	some cidr in pod_network.ipv4_ranges(api_node)
	bytes := split(split(cidr, "/")[0], ".")
	address := sprintf("%s.%d", [concat(".", array.slice(bytes, 0, 3)), to_number(bytes[3]) + 2])
]
