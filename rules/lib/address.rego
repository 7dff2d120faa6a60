# METADATA
# description: Addresses of a node's links.
package netcause.lib.address

# ipv4 are the IPv4 addresses of a device that traffic between machines can use.
ipv4(node, dev) := [a |
	some a in node.addresses
	a.dev == dev
	a.family == "inet"
	object.get(a, "scope", "global") == "global"
]

in_one_subnet(a, b) if {
	net.cidr_contains(cidr(a), b.local)
	net.cidr_contains(cidr(b), a.local)
}

cidr(a) := sprintf("%s/%d", [a.local, a.prefixlen])

fact(a) := {"fact": sprintf("%s address of %s", [_origin(a), a.dev]), "value": cidr(a), "source": a.source}

_origin(a) := "permanent" if not a.dynamic

_origin(a) := "leased" if {
	a.dynamic
	object.get(a, "valid_life_time", 0) == 0
}

_origin(a) := sprintf("leased (%dh%dm left)", [floor(a.valid_life_time / 3600), floor((a.valid_life_time % 3600) / 60)]) if {
	a.dynamic
	a.valid_life_time > 0
}
