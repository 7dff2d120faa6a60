# METADATA
# title: A node's packet filter stops the overlay's packets
# description: >-
#   An overlay carries Pods' packets between nodes in packets of its own: UDP 8472 or 4789 for VXLAN, 6081 for Geneve,
#   51820 for WireGuard, protocol 4 for IP in IP. Where a node's INPUT drops them, every packet of a Pod of another node
#   is lost there, though routes, neighbours and Service rules are all right. Nodes reach each other all the while.
# related_resources:
#   - ref: https://github.com/flannel-io/flannel/blob/master/Documentation/troubleshooting.md
#     description: which ports a firewall has to let pass for flannel
#   - ref: https://docs.tigera.io/calico/latest/getting-started/kubernetes/requirements
#     description: which ports and protocols Calico needs between nodes
#   - ref: https://github.com/flannel-io/flannel/issues/799
#     description: INPUT with the policy DROP and no rule for UDP 8472
#   - ref: https://github.com/flannel-io/flannel/issues/1704
#     description: a firewall that drops what flannel sends
# custom:
#   id: overlay-port-blocked
#   category: network-unreachable
#   scope: node
#   severity: critical
#   needs: [links, routes, cluster.nodes]
#   optional: [addresses, cluster.daemonsets, cluster.pods, processes]
#   needs_any: [[iptables_nft], [iptables_legacy], [nftables]]
#   explains: [network-unreachable, service-unreachable, dns-failure]
#   causes: [firewall-rejects-service-traffic]
package netcause.rules.network_unreachable.overlay_port_blocked

import data.netcause.lib.firewall
import data.netcause.lib.network_agent
import data.netcause.lib.overlay
import data.netcause.lib.text

finding contains f if {
	some rule in {way.answer.rule | some way in _stopped}
	ways := [way | some way in _stopped; way.answer.rule == rule]
	way := ways[0]
	peers := {other.peer | some other in ways}

	f := {
		"severity": _severity(ways),
		"affects": ({input.node.name} | peers),
		"message": sprintf("%s stops %s %s %s: %s.", [
			input.node.name,
			overlay.shown(way.carrier),
			{"source": "from", "destination": "to"}[way.direction],
			text.names(peers),
			firewall.shown(rule),
		]),
		"evidence": array.flatten([
			firewall.fact(input.node, rule),
			_tunnel_fact(way.carrier),
			[_packet_fact(other) | some other in text.few(ways)],
		]),
		"fix": {
			"summary": sprintf("Let %s pass between the nodes", [overlay.shown(way.carrier)]),
			"steps": _steps(rule, way, {other.address | some other in ways}),
		},
		"verify": sprintf(
			"the counter of the rule stands still while a Pod of %s pings one of %s",
			[sort(peers)[0], input.node.name],
		),
	}
}

ruled_out contains {"message": "it is no Node of the cluster", "evidence": []} if not input.node.object

ruled_out contains {"message": "it has no tunnel for Pods' packets", "evidence": []} if {
	input.node.object
	count(_carriers) == 0
}

ruled_out contains {"message": "it is the only Node that is alive", "evidence": []} if {
	count(_carriers) > 0
	count(_peers) == 0
}

ruled_out contains {
	"message": sprintf("its own packet filter lets %s pass, from and to %d other nodes; filters between nodes are not seen from here", [
		concat(", ", {overlay.shown(carrier) | some carrier in _carriers}),
		count(_peers),
	]),
	"evidence": [_tunnel_fact(carrier) | some carrier in _carriers],
} if {
	count(_ways) > 0
	every way in _ways {
		way.answer.verdict == "accept"
	}
}

unexamined contains {
	"group": group,
	"reason": sprintf("%s %s: %s", [_unknown[0].hook, overlay.shown(_unknown[0].carrier), _unknown[0].answer.detail]),
} if {
	some group in _groups(_unknown[0].answer)
}

unexamined contains {"group": "addresses", "reason": "the outer address of its tunnel is not known"} if {
	count(_carriers) > 0
	count(_peers) > 0
	count(_ways) == 0
}

_carriers := [carrier |
	input.node.object
	some carrier in overlay.carriers(input.node, input.cluster)
]

_peers := overlay.peer_addresses(input.node, input.peers, input.cluster)

_own := overlay.own_address(input.node, input.cluster)

# Filters may stand before routing too: chains of PREROUTING that belong to NAT stop nothing.
_ways := [way |
	some carrier in _carriers
	some peer, addresses in _peers
	some address in addresses
	_same_family(address)
	some hook in ["prerouting", "input", "output"]
	way := {
		"carrier": carrier,
		"peer": peer,
		"address": address,
		"hook": hook,
		"direction": _direction[hook],
		"answer": netcause.traverse(input.node.name, hook, _packet(hook, carrier, address)),
	}
]

_same_family(address) if contains(address, ":") == contains(_own, ":")

_direction := {"prerouting": "source", "input": "source", "output": "destination"}

_packet("output", carrier, address) := overlay.to_peer(input.node, carrier, _own, address)

_packet(hook, carrier, address) := overlay.packet(input.node, carrier, _own, address) if hook != "output"

_stopped := [way | some way in _ways; way.answer.verdict in {"drop", "reject"}]

_unknown := [way | some way in _ways; way.answer.verdict == "unknown"]

_groups(answer) := answer.unread if {
	count(answer.unread) > 0
} else := ["iptables_nft"]

# What passes as the answer to the node's own packets passes while it sends.
_severity(ways) := "warning" if {
	every way in ways {
		way.carrier.both_ways
		packet := object.union(_packet(way.hook, way.carrier, way.address), {"ctstate": "ESTABLISHED"})
		netcause.traverse(input.node.name, way.hook, packet).verdict == "accept"
	}
} else := "critical"

# Calico keeps a set of the nodes' addresses, and lets tunnels of nobody else in.
_steps(rule, _, _) := [network_agent.restart(input.node, input.cluster)] if {
	rule.owners == ["Calico"]
} else := [{
	"node": input.node.name,
	"edit": "let the iptables of the host and of the kube-proxy and CNI images be of one version, 1.8.8 or later, and restart the node",
	"why": "an older iptables reads the match on a mark of a newer one's rule as none, and writes the rule back without it",
}] if {
	rule.owners == ["kubelet"]
}

_steps(rule, way, addresses) := firewall.let_pass_steps(
	input.node,
	rule,
	way.carrier,
	way.direction,
	overlay.networks(input.node, _own, addresses),
) if {
	count({"Calico", "kubelet"} & {owner | some owner in rule.owners}) == 0
}

_tunnel_fact(carrier) := {
	"fact": sprintf("tunnel %s of %s", [carrier.dev, input.node.name]),
	"value": overlay.shown(carrier),
	"source": object.get(carrier, "source", sprintf("ip -d link show dev %s", [carrier.dev])),
}

_packet_fact(way) := {
	"fact": sprintf(
		"%s %s %s in %s of %s",
		[
			overlay.shown(way.carrier),
			{"source": "from", "destination": "to"}[way.direction],
			way.peer,
			upper(way.hook),
			input.node.name,
		],
	),
	"value": sprintf("%s: %s", [way.address, way.answer.verdict]),
	"source": way.answer.rule.source,
}
