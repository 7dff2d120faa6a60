# METADATA
# title: One uplink has both a static and a leased address
# description: >-
#   The cluster knows a node by one address. When the link that carries the node's traffic also leases another one of the
#   same subnet, tunnels and replies may leave with the other address: peers answer somebody they do not know, or drop
#   the packet. It often begins long after the installation, when a DHCP server first answers.
# related_resources:
#   - ref: https://github.com/fedora-sysv/initscripts/blob/HEAD/doc/sysconfig.txt
#     description: BOOTPROTO and IPADDR in ifcfg files
#   - ref: https://github.com/flannel-io/flannel/blob/master/Documentation/configuration.md
#     description: by itself flannel takes an address of the interface of the default route
# custom:
#   id: node-static-and-dhcp-address
#   category: cni
#   scope: node
#   severity: critical
#   needs: [addresses, config_files]
#   optional: [cluster.daemonsets, cluster.nodes, cluster.pods, links, processes, routes]
#   explains: [network-unreachable, service-unreachable]
#   causes: [tunnel-source-not-node-address]
package netcause.rules.cni.node_static_and_dhcp_address

import data.netcause.lib.address
import data.netcause.lib.config
import data.netcause.lib.kubernetes
import data.netcause.lib.network_agent
import data.netcause.lib.services
import data.netcause.lib.text
import data.netcause.lib.tunnel
import data.netcause.lib.uplink

finding contains f if {
	some dev, leased in _leased
	count(_assigned(dev)) > 0
	count(_clients(dev)) > 0
	not _leaves_leased(dev)
	not _depends_on_routes(dev)
	static := [a | some a in _static(dev); a.local in {assigned.local | some assigned in _assigned(dev)}]
	kept := _kept(array.concat(static, [leased]))

	f := {
		"message": sprintf(
			"The uplink %s of %s has the static address %s and leases %s besides: %s.",
			[dev, input.node.name, static[0].local, leased.local, _consequence(kept, leased, static[0])],
		),
		"evidence": array.flatten([
			[address.fact(a) | some a in static],
			address.fact(leased),
			[config.fact(file.dhcp4) | some file in _clients(dev)],
			[config.fact(assigned.setting) | some assigned in _assigned(dev)],
			[kubernetes.internal_ip_fact(api_node) | api_node := input.node.object],
		]),
		"fix": {
			"summary": sprintf("Leave %s with one address, %s", [dev, kept.local]),
			"steps": array.concat(_changes(dev, kept), _restarts),
		},
		"verify": sprintf("ip -4 address show dev %s shows %s alone", [dev, kept.local]),
	}
}

ruled_out contains {
	"message": "no link that the cluster uses has a leased address beside a static one of its subnet",
	"evidence": [address.fact(a) | some dev in _uplinks; some a in address.ipv4(input.node, dev)],
} if {
	count(_uplinks) > 0
	count(_leased) == 0
}

ruled_out contains {
	"message": sprintf("the address beside the leased one of %s is in no file: a virtual address that a program set", [dev]),
	"evidence": [address.fact(a) | some a in address.ipv4(input.node, dev)],
} if {
	some dev, _ in _leased
	count(_assigned(dev)) == 0
	count(_clients(dev)) > 0
}

ruled_out contains {
	"message": sprintf("all that leaves by %s has the leased address, by which the cluster knows it", [dev]),
	"evidence": [address.fact(a) | some a in address.ipv4(input.node, dev)],
} if {
	input.node.object
	some dev, _ in _leased
	count(_assigned(dev)) > 0
	count(_clients(dev)) > 0
	_leaves_leased(dev)
}

unexamined contains {
	"group": "cluster.nodes",
	"reason": sprintf(
		"all that leaves by %s has the leased address %s: whether the cluster knows it by that is not known",
		[dev, lease.local],
	),
} if {
	not input.node.object
	some dev, lease in _leased
	count(_assigned(dev)) > 0
	count(_clients(dev)) > 0
	_leaves_leased(dev)
}

unexamined contains {
	"group": "routes",
	"reason": sprintf("%s has a leased address beside a static one: with which of them packets leave is not known", [dev]),
} if {
	some dev, _ in _leased
	count(_assigned(dev)) > 0
	count(_clients(dev)) > 0
	_depends_on_routes(dev)
}

unexamined contains {
	"group": "config_files",
	"reason": concat("; ", array.concat(
		[sprintf("%s has a static and a leased address, but no file that was read asks for a lease", [dev])],
		_not_understood(dev),
	)),
} if {
	some dev, _ in _leased
	count(_clients(dev)) == 0
}

unexamined contains {
	"group": "routes",
	"reason": "it is not known which link carries the cluster's traffic: no address of the Node and no default route",
} if {
	count(_uplinks) == 0
}

_uplinks := uplink.devices(input.node)

# _leased is, by uplink, the leased address that has static ones of its subnet beside it.
_leased[dev] := leases[0] if {
	some dev in _uplinks
	leases := [a |
		some a in address.ipv4(input.node, dev)
		a.dynamic
		some other in address.ipv4(input.node, dev)
		not other.dynamic
		address.in_one_subnet(a, other)
	]
}

_static(dev) := [a |
	some a in address.ipv4(input.node, dev)
	not a.dynamic
	address.in_one_subnet(a, _leased[dev])
]

# _assigned are the settings of files that give an uplink its static addresses, _clients the files that ask for a lease.
_assigned(dev) := [assigned |
	some file in config.of_device(input.node, dev)
	some assigned in file.addresses
	assigned.local in {a.local | some a in _static(dev)}
]

_clients(dev) := [file |
	some file in config.of_device(input.node, dev)
	file.dhcp4
]

# The address to keep is the one that the cluster knows the node by; where that is unknown, the static one.
_kept(addresses) := [a | some a in addresses; _registered(a)][0]

_kept(addresses) := addresses[0] if {
	every a in addresses {
		not _registered(a)
	}
}

_registered(a) if a.local in kubernetes.internal_ips(input.node.object)

_consequence(kept, leased, static) := sprintf(
	"packets may leave with %s, and the cluster knows the node by %s",
	[other.local, kept.local],
) if {
	_registered(kept)
	other := [a | some a in [leased, static]; a.local != kept.local][0]
} else := "packets may leave with either, and peers expect one"

# _leaves_leased says that the leased address is the source of all that leaves by an uplink, and the one that the cluster
# knows the node by, where that is known: the static one beside it is for who comes to it.
_leaves_leased(dev) if {
	_sources(dev) == {_leased[dev].local}
	_is_not_foreign(_leased[dev])
}

_is_not_foreign(a) if _registered(a)

_is_not_foreign(_) if not input.node.object

# Unless the cluster knows the node by the static address, it is the routes that tell whether the leased one is to blame.
_depends_on_routes(dev) if {
	not input.node.routes
	count([a | some a in _static(dev); _registered(a)]) == 0
}

# _sources are those of an uplink's addresses that its routes name as their source, or that the kernel takes for those that
# name none (inet_select_addr of net/ipv4/devinet.c passes over secondary ones), and those that tunnels are bound to.
_sources(dev) := (named | chosen) | bound if {
	own := {a.local | some a in address.ipv4(input.node, dev)}
	routes := [route |
		some route in input.node.routes
		dev in uplink.route_devices(route)
		object.get(route, "type", "unicast") == "unicast"
		object.get(route, "table", 254) != 255
		not contains(route.dst, ":")
	]
	count(routes) > 0
	named := {route.src | some route in routes; route.src in own}
	chosen := {_primary(dev) | some route in routes; not route.src}
	bound := {source.address | some source in tunnel.sources(input.node, input.cluster); source.address in own}
}

_primary(dev) := [a.local |
	some a in address.ipv4(input.node, dev)
	not "secondary" in object.get(a, "flags", [])
][0]

# _not_understood is what of the files may ask for it.
_not_understood(dev) := [sprintf("not understood: %s", [concat(", ", text.few(sources))])] if {
	sources := [line.source | some line in config.unparsed(input.node, dev)]
	count(sources) > 0
} else := [reason | reason := input.node.status.config_files.reason]

# ifdown has to see the old file: it stops the client, and takes the addresses away, of what the file asks for.
_changes(dev, kept) := array.flatten([
	{
		"node": input.node.name,
		"run": sprintf("ifdown %s", [dev]),
		"why": "before the file changes: it stops what the old one started. At a console, for it cuts the link",
	},
	_edits(dev, kept),
	{"node": input.node.name, "run": sprintf("ifup %s", [dev])},
]) if {
	_client(dev).format == "interfaces"
} else := array.concat(_edits(dev, kept), [{
	"node": input.node.name,
	"run": services.reload(input.node, _client(dev), dev),
}])

# _client is the first file to be edited, and what it belongs to makes the change take effect.
_client(dev) := config.to_edit(_clients(dev), "dhcp4")[0]

_edits(dev, kept) := array.concat(_changed(dev, kept), config.kept_from_cloud_init(input.node, _changed_sources(dev, kept)))

_changed_sources(dev, kept) := [assigned.setting.source | some assigned in config.to_edit(_assigned(dev), "setting")] if {
	kept.dynamic
} else := [file.dhcp4.source | some file in config.to_edit(_clients(dev), "dhcp4")]

_changed(dev, kept) := [step |
	some assigned in config.to_edit(_assigned(dev), "setting")
	step := {
		"node": input.node.name,
		"edit": sprintf("at %s remove the static address: %s", [assigned.setting.source, trim_space(assigned.setting.text)]),
	}
] if {
	kept.dynamic
} else := [step |
	some file in config.to_edit(_clients(dev), "dhcp4")
	step := {
		"node": input.node.name,
		"edit": sprintf("at %s (%s) %s", [file.dhcp4.source, trim_space(file.dhcp4.text), _dhcp_off[file.format]]),
	}
]

_dhcp_off := {
	"ifcfg": `set BOOTPROTO="none"`,
	"netplan": "set dhcp4: false",
	"keyfile": "set method=manual in [ipv4]",
	"networkd": "set DHCP=no (ipv6, where IPv6 comes by DHCP)",
	"interfaces": "remove the inet dhcp stanza and keep the inet static one",
}

_restarts := array.flatten([
	[{"node": input.node.name, "run": command} | some command in services.kubernetes(input.node)],
	network_agent.restart(input.node, input.cluster),
])
