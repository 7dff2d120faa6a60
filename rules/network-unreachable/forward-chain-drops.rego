# METADATA
# title: A node's packet filter drops what it forwards between Pods
# description: >-
#   Packets between Pods of different nodes are forwarded, so they pass the FORWARD chains of both nodes. Docker sets the
#   policy of FORWARD to DROP, ufw denies routed packets, firewalld rejects what belongs to no zone. Where no rule before
#   that accepts the Pods' networks, Pods of different nodes do not reach each other.
# related_resources:
#   - ref: https://docs.docker.com/engine/network/packet-filtering-firewalls/
#     description: Docker on a router sets the policy of FORWARD to DROP
#   - ref: https://github.com/kubernetes/kubernetes/issues/40182
#     description: Pods of different nodes after an update of Docker
#   - ref: https://github.com/flannel-io/flannel/pull/872
#     description: flannel's own rules in FORWARD
#   - ref: https://github.com/kubernetes/kubeadm/issues/1056
#     description: firewalld's REJECT in FORWARD
#   - ref: https://github.com/projectcalico/calico/issues/4927
#     description: ufw denies routed packets
# custom:
#   id: forward-chain-drops
#   category: network-unreachable
#   scope: node
#   severity: critical
#   needs: [routes, cluster.nodes]
#   optional: [cluster.daemonsets, cluster.pods, flannel_subnet_env, kube_proxy_config, links, processes]
#   needs_any: [[iptables_nft], [iptables_legacy], [nftables]]
#   explains: [network-unreachable, service-unreachable]
#   causes: [firewall-rejects-service-traffic]
package netcause.rules.network_unreachable.forward_chain_drops

import data.netcause.lib.firewall
import data.netcause.lib.forwarding
import data.netcause.lib.kubernetes
import data.netcause.lib.pod_devices
import data.netcause.lib.text

finding contains f if {
	not _by_programs
	some rule in {way.answer.rule | some way in _stopped}
	ways := [way | some way in _stopped; way.answer.rule == rule]

	f := {
		"affects": ({input.node.name} | {way.flow.peer | some way in ways}),
		"message": sprintf("%s stops packets that it forwards %s: %s.", [
			input.node.name,
			text.names({way.flow.title | some way in ways}),
			firewall.shown(rule),
		]),
		"evidence": array.concat([firewall.fact(input.node, rule)], [_packet_fact(way) | some way in text.few(ways)]),
		"fix": {
			"summary": "Accept what comes from and goes to Pods before it",
			"steps": firewall.accept_steps(input.node, rule, firewall.pod_networks(input.node, input.cluster)),
		},
		"verify": sprintf(
			"a Pod of %s reaches one of %s, and the counter of the rule stands still",
			[input.node.name, ways[0].flow.peer],
		),
	}
}

ruled_out contains {"message": "it is no Node of the cluster", "evidence": []} if not input.node.object

ruled_out contains {"message": "it is the only Node that is alive: it forwards to no other's Pods", "evidence": []} if {
	input.node.object
	count(_peers) == 0
}

ruled_out contains {
	"message": sprintf(
		"its FORWARD chains let packets between its Pods and those of other nodes pass (%d ways followed)",
		[count(_ways)],
	),
	"evidence": [_packet_fact(way) | some way in array.slice(_ways, 0, 2)],
} if {
	count(_ways) > 0
	every way in _ways {
		way.answer.verdict == "accept"
	}
}

ruled_out contains {
	"message": "what stops packets between Pods in FORWARD are NetworkPolicies",
	"evidence": [firewall.fact(input.node, rule) | some rule in {way.answer.rule | some way in _by_policy}],
} if {
	count(_by_policy) > 0
	count(_stopped) == 0
	count(_unknown) == 0
}

unexamined contains {
	"group": group,
	"reason": sprintf("%s: %s", [_unknown[0].flow.title, _unknown[0].answer.detail]),
} if {
	some group in _groups(_unknown[0].answer)
}

unexamined contains {
	"group": "iptables_nft",
	"reason": sprintf("FORWARD drops packets between Pods, and the programs of %s may carry them past it", [_by_programs]),
} if {
	count(_stopped) > 0
}

unexamined contains _no_packet if {
	count(_peers) > 0
	count(_ways) == 0
}

default _no_packet := {
	"group": "cluster.pods",
	"reason": "no IPv4 Pod of its own is known, and no route to its range: there is no packet to follow",
}

_no_packet := {
	"group": "links",
	"reason": sprintf("by which devices the programs of %s let Pods' packets come and go is not known", [_by_programs]),
} if {
	_by_programs
} else := {
	"group": "routes",
	"reason": "the cluster knows it by IPv6 alone, and only packets of IPv4 are followed",
} if {
	kubernetes.ipv6_alone(input.node.object)
}

_by_programs := pod_devices.by_programs(input.node, input.cluster)

_peers := [peer |
	input.node.object
	some peer in forwarding.peers(input.node, input.cluster)
]

_ways := [way |
	input.node.object
	some flow in forwarding.flows(input.node, input.cluster)
	way := {"flow": flow, "answer": netcause.traverse(input.node.name, "forward", flow.packet)}
]

_dropped := [way | some way in _ways; way.answer.verdict in {"drop", "reject"}]

_by_policy := [way | some way in _dropped; firewall.by_policy(way.answer.rule)]

_stopped := [way | some way in _dropped; not firewall.by_policy(way.answer.rule)]

_unknown := [way | some way in _ways; way.answer.verdict == "unknown"]

_groups(answer) := answer.unread if {
	count(answer.unread) > 0
} else := ["iptables_nft"]

_packet_fact(way) := {
	"fact": sprintf("packet of a connection %s in FORWARD", [way.flow.title]),
	"value": sprintf(
		"%s by %s to %s by %s: %s",
		[way.flow.packet.src, way.flow.packet.iif, way.flow.packet.dst, way.flow.packet.oif, way.answer.verdict],
	),
	"source": object.get(way.answer, ["rule", "source"], "the rules of all tables and backends"),
}
