# METADATA
# description: Rules of netfilter that limit the MSS which the ends of a connection tell each other.
package netcause.lib.mss

# clamps are a node's rules that meet all that passes a tunnel, each with the largest packet that it leaves. A rule without
# a number goes by the MTU of the tunnel's device. One that only some connections come by clamps nothing for the others.
clamps(node, way) := [limit |
	some clamp in netcause.mss_clamps(node)
	clamp.always
	every dev in _devices(clamp.rule) {
		_on_the_way(dev, way)
	}
	limit := {
		"size": object.get(clamp, "set_mss", way.tunnel.mtu - 40) + 40,
		"fact": {"fact": sprintf("rule of %s that clamps the MSS", [node]), "value": clamp.rule, "source": clamp.source},
	}
]

# _devices are those that a rule names, as iptables and as nft write it.
_devices(rule) := {match[1] |
	named := regex.replace(rule, `! -[io] \S+|[io]ifname != \S+`, "")
	some match in regex.find_all_string_submatch_n(`(?:-[io]|[io]ifname) "?([^" ]+)`, named, -1)
}

_on_the_way(dev, way) if dev == way.tunnel.ifname

_on_the_way(dev, way) if {
	some link in way.below
	dev == link.ifname
}

# The Pods' side.
_on_the_way(dev, _) if regex.match(`^(cali|lxc|veth|cni)`, dev)
