# METADATA
# title: A packet filter rule stops packets to a Service
# description: >-
#   Packets to a Service pass the node's own packet filter, before kube-proxy's rules translate them and after: FORWARD for
#   a Pod behind it, INPUT for a program of the node such as the API server. A rule there that drops or rejects the
#   Service's port closes it, while the Pod answers its probes, its neighbours, and any other port.
# related_resources:
#   - ref: https://kubernetes.io/docs/reference/networking/ports-and-protocols/
#     description: ports that a cluster needs
#   - ref: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/
#     description: how to debug Services
#   - ref: https://github.com/kubernetes/kubeadm/issues/1056
#     description: firewalld rejects what goes to Services
# custom:
#   id: firewall-rejects-service-traffic
#   category: port-unreachable
#   scope: node
#   severity: critical
#   needs: [routes, addresses, cluster.nodes, cluster.services, cluster.endpointslices]
#   needs_any: [[iptables_nft], [iptables_legacy], [nftables]]
#   optional: [cluster.daemonsets, links, processes]
#   explains: [port-unreachable]
#   causes: [service-rules-missing-on-node]
package netcause.rules.port_unreachable.firewall_rejects_service_traffic

import data.netcause.lib.firewall
import data.netcause.lib.kubernetes
import data.netcause.lib.pod_devices
import data.netcause.lib.text

finding contains f if {
	not pod_devices.by_programs(input.node, input.cluster)
	some stopped in _answer.stopped

	f := {
		"affects": {input.node.name},
		"message": sprintf("%s %s packets to %s: %s.", [
			input.node.name,
			{"drop": "drops", "reject": "rejects"}[stopped.verdict],
			_services(stopped),
			firewall.shown(stopped.rule),
		]),
		"evidence": [
			firewall.fact(input.node, stopped.rule),
			{
				"fact": sprintf("packet of a connection to %s in %s of %s", [stopped.services[0], upper(stopped.hook), input.node.name]),
				"value": sprintf("%s: %s", [stopped.way, stopped.verdict]),
				"source": stopped.rule.source,
			},
		],
		"fix": {"summary": _summary(stopped), "steps": _steps(stopped)},
		"verify": sprintf("a connection to %s is answered, and the counter of the rule stands still", [stopped.services[0]]),
	}
}

ruled_out contains {"message": "it is no Node of the cluster", "evidence": []} if not input.node.object

ruled_out contains {
	"message": sprintf("no rule of it stops packets to any of %d Service ports with a ready endpoint", [_answer.asked]),
	"evidence": [],
} if {
	input.node.object
	count(_answer.stopped) == 0
	not _answer.unknown
	_answer.left == 0
	not _of_ipv6_alone
}

unexamined contains {"group": "routes", "reason": "the cluster knows it by IPv6 alone, and only packets of IPv4 are followed"} if {
	_of_ipv6_alone
}

unexamined contains {"group": group, "reason": sprintf("%s: %s", [_answer.unknown.service, _answer.unknown.detail])} if {
	some group in _groups
}

unexamined contains {
	"group": "cluster.services",
	"reason": sprintf("the first %d Service ports were followed, %d were not", [_answer.asked, _answer.left]),
} if {
	_answer.left > 0
}

unexamined contains {"group": "iptables_nft", "reason": reason} if {
	count(_answer.stopped) > 0
	by := pod_devices.by_programs(input.node, input.cluster)
	reason := sprintf("a rule would stop packets to %s, and the programs of %s may carry them past it", [_answer.stopped[0].services[0], by])
}

_of_ipv6_alone if {
	kubernetes.ipv6_alone(input.node.object)
	_answer.asked == 0
}

_answer := netcause.stopped_services(input.node.name) if input.node.object

_groups := _answer.unknown.unread if count(_answer.unknown.unread) > 0

_groups := ["iptables_nft"] if count(_answer.unknown.unread) == 0

_services(stopped) := sprintf("Service %s", [stopped.services[0]]) if {
	stopped.count == 1
} else := sprintf("%d Services, %s among them", [stopped.count, stopped.services[0]]) if {
	stopped.count > 5
} else := sprintf("Services %s", [text.names(stopped.services)])

_summary(stopped) := "Take the rule away, if nobody means it" if {
	not stopped.whole
} else := sprintf("Let %s port %d pass before it", [upper(stopped.proto), stopped.port])

# What stops everything that no rule before it knows is wanted: it lacks an exception. A rule about the port is not.
_steps(stopped) := firewall.delete_steps(input.node, stopped.rule) if {
	not stopped.whole
} else := firewall.let_pass_steps(
	input.node,
	stopped.rule,
	{"proto": stopped.proto, "dport": stopped.port},
	"destination",
	[stopped.dst],
)
