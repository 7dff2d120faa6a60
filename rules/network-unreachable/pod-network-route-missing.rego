# METADATA
# title: A node has no route to another node's Pods
# description: >-
#   Each node needs a way to every other node's range of Pod addresses. Where the route is missing, packets to those Pods
#   follow the default route out of the cluster, and answers to them are lost the same way.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/cluster-administration/networking/
#     description: every Pod reaches every other Pod without NAT
#   - ref: https://github.com/flannel-io/flannel/blob/master/Documentation/backends.md
#     description: the backends of flannel, and which of them write routes
# custom:
#   id: pod-network-route-missing
#   category: network-unreachable
#   scope: node
#   severity: critical
#   needs: [routes, cluster.nodes]
#   optional: [cluster.daemonsets, cluster.pods, processes]
#   explains: [network-unreachable, service-unreachable, dns-failure]
#   causes: []
package netcause.rules.network_unreachable.pod_network_route_missing

import data.netcause.lib.forwarding
import data.netcause.lib.kubernetes
import data.netcause.lib.network_agent
import data.netcause.lib.pod_network
import data.netcause.lib.text

finding contains f if {
	count(_astray) > 0

	f := {
		"affects": ({input.node.name} | {way.peer.metadata.name | some way in _astray}),
		"message": sprintf("%s %s.", [input.node.name, concat("; it ", array.concat(_thrown_away, _without_route))]),
		"evidence": array.concat(
			[fact |
				some way in text.few(_astray)
				some fact in [_range_fact(way), _route_fact(way)]
			],
			[fact | some family, fact in _kept; some way in array.slice(_astray, 0, 1); way.kept == family],
		),
		"fix": {
			"summary": "Let the network agent write its routes again",
			"steps": array.concat(_deletions, [network_agent.restart(input.node, input.cluster)]),
		},
		"verify": sprintf("ip route get %s on %s leaves by the tunnel or by the address of %s", [
			_astray[0].address,
			input.node.name,
			_astray[0].peer.metadata.name,
		]),
	}
}

ruled_out contains {
	"message": sprintf("it has a route to the %s Pods of every other node that is alive", [concat(" and ", families)]),
	"evidence": [_route_fact(way) | some way in text.few(array.concat(_ways, _few_exact))],
} if {
	count(_kept) > 0
	count(_astray) == 0
	count(_unknown) == 0
	count(_without_range) == 0
	families := sort({title | some family in object.keys(_kept); title := _title[family]})
}

ruled_out contains {"message": "it is no Node of the cluster", "evidence": []} if not input.node.object

ruled_out contains {
	"message": "nothing shows that the nodes themselves keep routes to podCIDRs: Calico, eBPF or a cloud's own routes",
	"evidence": [],
} if {
	input.node.object
	count(_kept) == 0
}

unexamined contains {"group": "rules", "reason": way.answer.detail} if {
	some way in _unknown
}

unexamined contains {"group": "cluster.nodes", "reason": reason} if {
	count(_kept) > 0
	count(_without_range) > 0
	reason := sprintf("no podCIDR is known of %s: which route leads to its Pods is not known", [text.names(_without_range)])
}

_title := {"inet": "IPv4", "inet6": "IPv6", "calico": "IPv4"}

# _kept are the facts that show who keeps the routes, by family.
_kept[family] := fact if {
	input.node.object
	some family in ["inet", "inet6"]
	fact := pod_network.kept_by_node(input.node, input.cluster, family)
}

_kept["calico"] := pod_network.kept_by_calico(input.node) if {
	input.node.object
	not pod_network.kept_by_node(input.node, input.cluster, "inet")
}

# _ways are the node's routes to the Pods of each other Node that is alive, but for those that have a route of their own.
# On most nodes that is each: what is below is for each pair of nodes.
_ways := array.concat(_ways_to_ranges, _ways_to_calico)

_ways_to_ranges := [_way(peer, family, cidr, _first_address(cidr)) |
	some peer in input.cluster.nodes
	some cidr in kubernetes.pod_cidrs(peer)
	not cidr in _exact
	peer.metadata.name != input.node.name
	_alive(peer)
	family := _family(cidr)
	_kept[family]
]

_ways_to_calico := [_way(peer, "calico", address, address) |
	_kept.calico
	some peer in input.cluster.nodes
	address := pod_network.calico_address(peer)
	peer.metadata.name != input.node.name
	_alive(peer)
]

_way(peer, family, cidr, address) := {
	"peer": peer,
	"kept": family,
	"title": _title[family],
	"cidr": cidr,
	"address": address,
	"answer": _answer(address),
}

_family(cidr) := "inet" if not contains(cidr, ":")

_family(cidr) := "inet6" if contains(cidr, ":")

_exact := {cidr | some cidr in netcause.pod_routes(input.node.name).exact}

_few_exact := [way |
	some cidr in text.few(sort(_exact))
	address := _first_address(cidr)
	way := {"address": address, "answer": netcause.route(input.node.name, address)}
]

# What a Pod of its own sends, where one is known: policy rules may look at the source.
_answer(address) := netcause.lookup(input.node.name, {"src": _own.address, "dst": address, "iif": _own.dev}) if {
	not contains(address, ":")
	_own
} else := netcause.route(input.node.name, address)

_own := forwarding.own_end(input.node)

_without_range contains peer.metadata.name if {
	not _kept.calico
	some peer in input.cluster.nodes
	count([cidr | some cidr in kubernetes.pod_cidrs(peer); cidr != ""]) == 0
	peer.metadata.name != input.node.name
	_alive(peer)
}

_alive(api_node) if {
	not kubernetes.not_ready(api_node)
	not kubernetes.leaving(api_node)
	not kubernetes.is_virtual(api_node)
}

_astray := [way | some way in _ways; _leads_nowhere(way)]

# Routes that throw packets away: somebody put them there. An unreachable default route is as good as none.
_throws_away(way) if {
	way.answer.route.type in {"blackhole", "unreachable", "prohibit"}
	not pod_network.is_default(way.answer.route)
}

_thrown_away := [sprintf("throws packets to the %s Pods of %s away: %s route", [_families(ways), _peers_of(ways), concat(", ", types)]) |
	ways := [way | some way in _astray; _throws_away(way)]
	count(ways) > 0
	types := {way.answer.route.type | some way in ways}
]

_without_route := [sprintf("has no route to the %s Pods of %s", [_families(ways), _peers_of(ways)]) |
	ways := [way | some way in _astray; not _throws_away(way)]
	count(ways) > 0
]

_families(ways) := concat(" and ", sort({way.title | some way in ways}))

_peers_of(ways) := text.names({sprintf("%s (%s)", [way.peer.metadata.name, way.cidr]) | some way in ways})

# A wider one stands behind the agent's routes for what has none: it stays.
_deletions := [{"node": input.node.name, "run": concat("\n", sort(commands))} |
	commands := {_delete(way.answer.route) |
		some way in _astray
		_throws_away(way)
		_prefixlen(way.answer.route.dst) >= _prefixlen(way.cidr)
	}
	count(commands) > 0
]

_delete(route) := concat(" ", array.flatten([
	sprintf("ip route del %s %s", [route.type, route.dst]),
	[sprintf("table %d", [route.table]) | not object.get(route, "table", 254) in {0, 254}],
	[sprintf("metric %d", [route.metric]) | route.metric > 0],
]))

_unknown := [way | some way in _ways; way.answer.status == "unknown"]

_leads_nowhere(way) if way.answer.status == "none"

_leads_nowhere(way) if {
	way.answer.status == "route"
	pod_network.is_default(way.answer.route)
}

_leads_nowhere(way) if {
	way.answer.status == "route"
	way.answer.route.type in {"blackhole", "unreachable", "prohibit"}
}

# flannel writes a route for each range: a shorter prefix by another device is somebody else's.
_leads_nowhere(way) if {
	way.answer.status == "route"
	pod_network.flannel_backend(input.node, input.cluster) in {"vxlan", "host-gw", "wireguard"}
	_prefixlen(way.answer.route.dst) < _prefixlen(way.cidr)
	not startswith(object.get(way.answer.route, "dev", ""), "flannel")
}

_prefixlen(cidr) := to_number(split(cidr, "/")[1])

# The bridge of a node's range has its first address: the one after the network's own.
_first_address(cidr) := sprintf("%s.%d", [concat(".", array.slice(bytes, 0, 3)), to_number(bytes[3]) + 1]) if {
	not contains(cidr, ":")
	bytes := split(split(cidr, "/")[0], ".")
}

_first_address(cidr) := sprintf("%s1", [split(cidr, "/")[0]]) if {
	endswith(split(cidr, "/")[0], "::")
}

_first_address(cidr) := split(cidr, "/")[0] if {
	contains(cidr, ":")
	not endswith(split(cidr, "/")[0], "::")
}

_range_fact(way) := {
	"fact": sprintf("%s of Node %s", [_range_name(way.kept), way.peer.metadata.name]),
	"value": way.cidr,
	"source": way.peer.source,
}

_range_name("calico") := "address of Calico's tunnel"

_range_name(family) := "podCIDR" if family != "calico"

_route_fact(way) := {
	"fact": sprintf("route of %s to %s", [input.node.name, way.address]),
	"value": _shown(way.answer),
	"source": object.get(way.answer, ["route", "source"], "ip route show table all"),
}

_shown(answer) := pod_network.shown(answer.route) if {
	answer.route
} else := "none"
