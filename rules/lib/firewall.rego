# METADATA
# description: Rules of a node's packet filter that stop packets, whose they are, and how to let packets pass.
package netcause.lib.firewall

import data.netcause.lib.pod_network
import data.netcause.lib.text

# fact is the rule that stopped a packet, as evidence.
fact(node, rule) := {
	"fact": sprintf("%s of %s%s", [place(rule), node.name, _counted(rule)]),
	"value": rule.rule,
	"source": rule.source,
}

# place is the chain of a rule, and its table.
place(rule) := sprintf("chain %s (%s, table %s)", [rule.chain, rule.backend, rule.table])

_counted(rule) := sprintf(", %d packets so far", [rule.packets]) if {
	rule.packets > 0
} else := ""

# shown is the rule in a sentence, with whose it is.
shown(rule) := sprintf("%s of %s, %s", [_what(rule), place(rule), whose(rule)])

_what(rule) := sprintf("the %s", [rule.rule]) if {
	rule.policy
} else := sprintf("the rule %q", [rule.rule])

whose(rule) := sprintf("set by %s", [text.either(rule.owners)]) if {
	count(rule.owners) == 1
} else := sprintf("set by %s, whose chains are there", [text.either(rule.owners)]) if {
	count(rule.owners) > 1
} else := "which no chain or table names the owner of"

# by_policy says that what enforces NetworkPolicies decided: that is meant.
by_policy(rule) if rule.owners[0] in {"Calico", "kube-router", "Weave Net", "Cilium", "Antrea", "kube-network-policies"}

# iptables is the program that shows and changes a rule of one of the iptables backends.
iptables(rule) := sprintf("iptables%s", [_flavour(rule)]) if {
	rule.family == "ip"
} else := sprintf("ip6tables%s", [_flavour(rule)])

# iptables before 1.8 has no other name.
_flavour(rule) := "" if {
	regex.match(`^ip6?tables-save`, rule.source)
} else := {"iptables-legacy": "-legacy", "iptables-nf_tables": "-nft"}[rule.backend]

# pod_networks are the IPv4 networks of all Pods, as wide as the node's files say.
pod_networks(node, cluster) := [node.flannel_subnet_env.FLANNEL_NETWORK] if {
	node.flannel_subnet_env.FLANNEL_NETWORK
} else := networks if {
	networks := [cidr |
		some cidr in split(node.kube_proxy_config.clusterCIDR, ",")
		cidr != ""
		not contains(cidr, ":")
	]
	count(networks) > 0
} else := sort(pod_network.ranges(cluster))

# accept_steps let packets from and to networks pass a chain of forwarding before the rule that stops them.
accept_steps(node, rule, networks) := [{
	"node": node.name,
	"run": concat("\n", [command |
		some network in networks
		some command in [
			sprintf("ufw route allow from %s", [network]),
			sprintf("ufw route allow to %s", [network]),
		]
	]),
}] if {
	rule.owners == ["ufw"]
} else := [{
	"node": node.name,
	"run": concat("\n", [command |
		some network in networks
		some permanent in ["", "--permanent "]
		command := sprintf("firewall-cmd %s--zone=trusted --add-source=%s", [permanent, network])
	]),
}] if {
	rule.owners == ["firewalld"]
} else := array.concat(
	[{"node": node.name, "run": concat("\n", [command |
		some network in networks
		some direction in ["source", "destination"]
		command := _insert(rule, direction, network)
	])}],
	_kept(node, rule),
)

_insert(rule, direction, network) := sprintf("nft insert rule %s %s %s ip %s %s accept", [
	rule.family,
	rule.table,
	rule.way[0],
	{"source": "saddr", "destination": "daddr"}[direction],
	network,
]) if {
	rule.backend == "nftables"
} else := sprintf("%s -t %s -I %s -%s %s -j ACCEPT", [
	iptables(rule),
	rule.table,
	rule.way[0],
	substring(direction, 0, 1),
	network,
])

# What is typed is gone after a reboot, and `iptables-save` into a file would keep kube-proxy's rules of today for ever.
_kept(node, rule) := [{
	"node": node.name,
	"edit": sprintf("add the same rules to what loads the filter at boot: %s", [_loaded_from(rule)]),
	"why": "rules that were typed are gone after a reboot, and what `iptables-save` writes has kube-proxy's rules of today in it",
}]

_loaded_from(rule) := "an ExecStartPost= of docker.service (systemctl edit docker)" if {
	"Docker" in rule.owners
} else := "/etc/nftables.conf, or the file that includes it" if {
	rule.backend == "nftables"
} else := "/etc/iptables/rules.v4 (Debian), /etc/sysconfig/iptables (Red Hat), or a script of the site"

# let_pass_steps let a carrier's packets from or to addresses pass the chain that stops them. direction is "source" or
# "destination": where the addresses stand in the packet.
let_pass_steps(node, rule, carrier, direction, addresses) := [{
	"node": node.name,
	"run": concat("\n", [sprintf("ufw allow %s %s", [
		{"source": "in", "destination": "out"}[direction],
		sprintf("proto %s %s", [_ufw_proto(carrier), _ufw_ends(carrier, direction, address)]),
	]) |
		some address in addresses
	]),
}] if {
	rule.owners == ["ufw"]
} else := [{
	"node": node.name,
	"run": concat("\n", [sprintf("firewall-cmd %s%s", [permanent, _firewalld_opening(carrier)]) | some permanent in ["", "--permanent "]]),
}] if {
	rule.owners == ["firewalld"]
} else := array.concat(
	[{"node": node.name, "run": concat("\n", [_let_pass(rule, carrier, direction, address) | some address in addresses])}],
	_kept(node, rule),
)

_ufw_proto(carrier) := object.get({"4": "ipv6", "47": "gre"}, carrier.proto, carrier.proto)

_ufw_ends(carrier, "source", address) := concat(" ", array.concat(
	["from", address, "to", "any"],
	[sprintf("port %d", [carrier.dport]) | carrier.dport],
))

_ufw_ends(carrier, "destination", address) := concat(" ", array.concat(
	["from any to", address],
	[sprintf("port %d", [carrier.dport]) | carrier.dport],
))

_firewalld_opening(carrier) := sprintf("--add-port=%d/%s", [carrier.dport, carrier.proto]) if {
	carrier.dport
} else := sprintf("--add-protocol=%s", [carrier.proto])

_let_pass(rule, carrier, direction, address) := concat(" ", array.flatten([
	sprintf("nft insert rule %s %s %s", [rule.family, rule.table, rule.way[0]]),
	sprintf("ip %s %s", [{"source": "saddr", "destination": "daddr"}[direction], address]),
	[sprintf("%s dport %d", [carrier.proto, carrier.dport]) | carrier.dport],
	[sprintf("ip protocol %s", [carrier.proto]) | not carrier.dport],
	"accept",
])) if {
	rule.backend == "nftables"
} else := concat(" ", array.flatten([
	sprintf("%s -t %s -I %s", [iptables(rule), rule.table, rule.way[0]]),
	sprintf("-p %s -%s %s", [carrier.proto, substring(direction, 0, 1), address]),
	[sprintf("--dport %d", [carrier.dport]) | carrier.dport],
	"-j ACCEPT",
]))

# delete_steps take one rule away. A firewall that keeps its rules itself would write it again.
delete_steps(node, rule) := [{
	"node": node.name,
	"edit": sprintf("take the rule %q out of %s: %s", [rule.rule, rule.owners[0], _managed[rule.owners[0]]]),
	"why": sprintf("%s would write it again", [rule.owners[0]]),
}] if {
	_managed[rule.owners[0]]
} else := [{
	"node": node.name,
	"run": _deletion(rule),
	"why": sprintf("where it was written, it comes back at the next boot: look for it in %s", [_loaded_from(rule)]),
}] if {
	_deletion(rule)
} else := [{"node": node.name, "edit": sprintf("delete the rule %q of %s", [rule.rule, place(rule)])}]

_managed := {
	"ufw": "ufw status numbered, ufw delete NUMBER",
	"firewalld": "firewall-cmd --list-all-zones --permanent, and firewall-cmd --permanent --direct --get-all-rules",
	"fail2ban": "fail2ban-client unban ADDRESS",
}

_deletion(rule) := sprintf("nft delete rule %s %s %s handle %d", [rule.family, rule.table, rule.chain, rule.handle]) if {
	rule.backend == "nftables"
	rule.handle > 0
}

_deletion(rule) := sprintf("%s -t %s -D %s", [iptables(rule), rule.table, trim_prefix(rule.rule, "-A ")]) if {
	rule.backend != "nftables"
	startswith(rule.rule, "-A ")

	# iptables-save leaves them in its quotes as they are, and a shell would run what they hold.
	not regex.match(`[$\x60]`, rule.rule)
}
