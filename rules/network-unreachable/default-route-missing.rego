# METADATA
# title: A node has no default route
# description: >-
#   Without a default route a node reaches its own networks alone: it pulls no image and asks no DNS server beyond them,
#   and its Pods reach nothing outside. Its own connections to Service addresses fail too: the kernel looks for a route to
#   the ClusterIP before it is translated. Agents that choose their interface by the default route do not start.
# related_resources:
#   - ref: https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/#check-network-adapters
#     description: components that are not reachable by the default route need routes of their own
#   - ref: https://man7.org/linux/man-pages/man8/ip-route.8.html
#     description: default routes, tables and metrics
#   - ref: https://github.com/flannel-io/flannel/blob/master/Documentation/troubleshooting.md
#     description: flannel takes the interface of the default route
# custom:
#   id: default-route-missing
#   category: network-unreachable
#   scope: node
#   severity: critical
#   needs: [routes, addresses]
#   optional: [cluster.nodes, config_files, links, processes, rules]
#   explains: [egress-failure, network-unreachable]
#   causes: []
package netcause.rules.network_unreachable.default_route_missing

import data.netcause.lib.config
import data.netcause.lib.kubernetes
import data.netcause.lib.text
import data.netcause.lib.uplink

finding contains f if {
	_has_ipv4
	count(_usable) == 0
	count(_elsewhere) == 0

	f := {
		"severity": _severity,
		"message": sprintf("%s has no default route%s: %s.", [
			input.node.name,
			_but,
			"neither it nor its Pods reach what is beyond its own networks, and its own connections to Services fail",
		]),
		"evidence": array.flatten([
			{"fact": sprintf("default route of %s", [input.node.name]), "value": _shown, "source": _source},
			[_route_fact(peer.node, peer.route) | some peer in text.few(_of_peers)],
			[config.fact(setting) | some setting in _settings],
		]),
		"fix": {"summary": "Give it its default route again", "steps": _steps},
		"verify": sprintf("ip route show default on %s names the gateway", [input.node.name]),
	}
}

ruled_out contains {
	"message": "it has a default route",
	"evidence": [_route_fact(input.node, route) | some route in text.few(_usable)],
} if {
	count(_usable) > 0
}

ruled_out contains {"message": "it is no node of a cluster", "evidence": []} if {
	count(_usable) == 0
	kubernetes.is_no_node(input.node, input.cluster)
}

ruled_out contains {"message": "it has no IPv4 address but its loopback's", "evidence": []} if {
	count(_usable) == 0
	input.node.addresses
	count(_ipv4) == 0
}

unexamined contains {"group": "routes", "reason": "the cluster knows it by IPv6 alone, and only IPv4 is judged"} if {
	_is_node
	count(_usable) == 0
	_is_ipv6_only
	count(_ipv4) > 0
}

unexamined contains {"group": "cluster.nodes", "reason": "only IPv6 leads out of it, and it may be of a cluster of IPv6 alone"} if {
	_is_node
	count(_usable) == 0
	kubernetes.perhaps_ipv6_alone(input.node)
	count(_ipv4) > 0
}

unexamined contains {
	"group": "rules",
	"reason": sprintf("the only default routes are in tables %s: which packets they are for is in policy rules", [tables]),
} if {
	_is_node
	count(_usable) == 0
	count(_elsewhere) > 0
	tables := concat(", ", {sprintf("%d", [route.table]) | some route in _elsewhere})
}

unexamined contains {"group": "processes", "reason": "nothing shows whether it is a node of a cluster"} if {
	count(_usable) == 0
	not kubernetes.is_node(input.node)
	not kubernetes.is_no_node(input.node, input.cluster)
}

_is_node if kubernetes.is_node(input.node)

_has_ipv4 if {
	_is_node
	count(_ipv4) > 0
	not _is_ipv6_only
	not kubernetes.perhaps_ipv6_alone(input.node)
}

_is_ipv6_only if kubernetes.ipv6_alone(input.node.object)

_ipv4 := [a |
	some a in input.node.addresses
	a.family == "inet"
	a.dev != "lo"
	object.get(a, "scope", "global") == "global"
]

# Two halves of everything are a default route too: that of a VPN.
_defaults := [route |
	some route in input.node.routes
	object.get(route, "type", "unicast") == "unicast"
	route.dst in {"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"}
	not "dead" in object.get(route, "flags", [])
]

_usable := [route |
	some route in _defaults
	_table(route) in _tables
	_is_whole(route)
]

_is_whole(route) if route.dst == "0.0.0.0/0"

_is_whole(route) if {
	some other in _defaults
	{route.dst, other.dst} == {"0.0.0.0/1", "128.0.0.0/1"}
	_table(other) == _table(route)
}

_elsewhere := [route |
	some route in _defaults
	not _table(route) in _tables
	not _is_for_others(_table(route))
]

# A table that is only for what single addresses send which are not the node's own: Pods of a card of their own.
_is_for_others(table) if {
	rules := [rule | some rule in input.node.rules; rule.family == "inet"; rule.action == "lookup"; rule.table == table]
	count(rules) > 0
	every rule in rules {
		_is_from_another_host(rule)
	}
}

_is_from_another_host(rule) if {
	regex.match(`^[0-9.]+(/32)?$`, rule.from)
	not split(rule.from, "/")[0] in {a.local | some a in input.node.addresses}
}

_table(route) := object.get(route, "table", 254)

# _tables are those that policy rules ask for any packet, main and default where the rules are not known.
default _tables := {0, 253, 254}

_tables := {rule.table |
	some rule in input.node.rules
	rule.family == "inet"
	rule.action == "lookup"
	not _is_selective(rule)
} if {
	input.node.rules
}

# The rule that suppresses short prefixes gives no default route (wg-quick's).
_is_selective(rule) if object.get(rule, "suppress_prefixlength", -1) >= 0

_is_selective(rule) if {
	some key in ["from", "to", "iif", "oif", "ipproto", "sport", "dport", "uidrange"]
	object.get(rule, key, "") != ""
}

_is_selective(rule) if {
	some key in ["fwmark", "fwmask", "tos"]
	object.get(rule, key, 0) != 0
}

_is_selective(rule) if object.get(rule, "not", false)

# A default route that throws away stands where a firewall or NetworkManager put it.
_thrown := [route |
	some route in input.node.routes
	route.dst == "0.0.0.0/0"
	route.type in {"unreachable", "blackhole", "prohibit"}
]

_dead := [route |
	some route in input.node.routes
	route.dst == "0.0.0.0/0"
	"dead" in object.get(route, "flags", [])
]

default _but := ""

_but := ": it is thrown away" if {
	count(_thrown) > 0
} else := " that works: its device is down" if {
	count(_dead) > 0
}

default _shown := "none"

_shown := sprintf("%s default", [_thrown[0].type]) if {
	count(_thrown) > 0
} else := sprintf("by %s, which is down", [_thrown_by_device]) if {
	count(_dead) > 0
}

_thrown_by_device := text.names({dev | some dev in uplink.route_devices(_dead[0])})

_source := array.concat(
	[route.source | some route in array.concat(_thrown, _dead)],
	["ip route show table all"],
)[0]

# _of_peers are the default routes of nodes in a network of its own: there the gateway is the same.
_of_peers := [{"node": peer, "route": route, "dev": a.dev} |
	some peer in input.peers
	some route in peer.routes
	route.dst == "0.0.0.0/0"
	object.get(route, "type", "unicast") == "unicast"
	_table(route) in {0, 253, 254}
	some a in _ipv4
	net.cidr_contains(sprintf("%s/%d", [a.local, a.prefixlen]), route.via)
]

# Where no node at all has one, the site may mean it so.
default _severity := "critical"

_severity := "warning" if {
	count(_of_peers) == 0
	some peer in input.peers
	peer.routes
	every other in input.peers {
		count([route | some route in other.routes; route.dst == "0.0.0.0/0"]) == 0
	}
}

# _settings are the gateways that files of its uplinks name.
_settings := [file.gateway |
	some dev in _devices
	some file in config.of_device(input.node, dev)
	file.gateway.value != ""
	not contains(file.gateway.value, ":")
]

_devices := {dev | some dev in uplink.devices(input.node)} | {a.dev |
	some a in _ipv4
	a.local in kubernetes.internal_ips(object.get(input.node, "object", {}))
}

_gateway := array.concat(
	[{"via": setting.value, "dev": dev, "why": sprintf("%s says so", [setting.source])} |
		some dev in _devices
		some file in config.of_device(input.node, dev)
		setting := file.gateway
		setting.value != ""
		not contains(setting.value, ":")
	],
	[{"via": peer.route.via, "dev": peer.dev, "why": sprintf("%s has it from the same network", [peer.node.name])} | some peer in _of_peers],
)[0]

_steps := array.flatten([
	[{"node": input.node.name, "run": sprintf("ip route del %s default", [_thrown[0].type])} | count(_thrown) > 0],
	{"node": input.node.name, "run": sprintf("ip route replace default via %s dev %s", [_gateway.via, _gateway.dev]), "why": _gateway.why},
	_lasting,
]) if {
	_gateway
} else := [{
	"node": input.node.name,
	"edit": "set the gateway of its uplink in the uplink's configuration file, or let its DHCP server give one, and configure the link anew",
	"why": "no file and no other node says which gateway it is",
}]

default _lasting := []

_lasting := [{
	"node": input.node.name,
	"edit": sprintf("see to it that the configuration of %s sets the gateway %s at boot too", [_gateway.dev, _gateway.via]),
}] if {
	count(_settings) == 0
}

_route_fact(node, route) := {
	"fact": sprintf("default route of %s", [node.name]),
	"value": concat(" ", array.flatten([
		[sprintf("via %s", [route.via]) | route.via],
		[sprintf("dev %s", [dev]) | some dev in uplink.route_devices(route)],
	])),
	"source": route.source,
}
