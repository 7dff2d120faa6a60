# METADATA
# title: Both backends of iptables hold the cluster's rules
# description: >-
#   iptables writes into one of two places of the kernel, the legacy tables or nf_tables, and packets pass through both.
#   When an update of the host or of an image changes the backend, the rules of before stay and are kept by nobody: the
#   first translation that a packet meets counts, and sooner or later that is one to a Pod that is gone.
# related_resources:
#   - ref: https://github.com/kubernetes/kubernetes/issues/71305
#     description: iptables 1.8 over nf_tables beside kube-proxy's legacy iptables
#   - ref: https://github.com/kubernetes/kubernetes/issues/109811
#     description: rules left in the legacy tables after the switch
#   - ref: https://github.com/kubernetes-sigs/iptables-wrappers
#     description: how images of kube-proxy choose the backend
# custom:
#   id: iptables-backends-mixed
#   category: cni
#   scope: node
#   severity: critical
#   needs_any: [[iptables_nft, iptables_legacy], [nftables, iptables_legacy], [iptables_nft], [iptables_legacy], [nftables]]
#   optional: [cluster.nodes, processes]
#   explains: [service-unreachable, network-unreachable]
#   causes: [service-rules-stale]
package netcause.rules.cni.iptables_backends_mixed

import data.netcause.lib.kubernetes

finding contains f if {
	count(_with_rules) > 1

	f := {
		"severity": _severity,
		"message": sprintf("Both backends of iptables on %s hold %s: %s.", [
			input.node.name,
			concat(" and ", [_shown(backend) | some backend in _with_rules]),
			_consequence,
		]),
		"evidence": array.flatten([
			_rules_facts,
			[fact | some backend in _with_rules; some fact in backend.stale_evidence],
		]),
		"fix": {"summary": "Leave the rules in one backend", "steps": _steps},
		"verify": sprintf(
			"iptables-legacy-save and iptables-nft-save on %s: one of them shows no KUBE- chain with rules",
			[input.node.name],
		),
	}
}

ruled_out contains {"message": "it is no node of a cluster", "evidence": []} if {
	count(_with_rules) < 2
	kubernetes.is_no_node(input.node, input.cluster)
}

ruled_out contains {
	"message": "at most one backend of iptables holds Service rules or Calico's",
	"evidence": _rules_facts,
} if {
	count(_answer.unread) == 0
	count(_with_rules) < 2
	not kubernetes.is_no_node(input.node, input.cluster)
}

unexamined contains {"group": group, "reason": "the other backend of iptables may hold rules too"} if {
	count(_with_rules) < 2
	not kubernetes.is_no_node(input.node, input.cluster)
	some group in _answer.unread
}

_answer := netcause.iptables_backends(input.node.name)

# The kubelet's and kube-proxy's canaries are in a backend that nobody uses too; chains that nothing leads to do nothing.
_of_kube_proxy := [backend | some backend in _answer.backends; backend.services > 0; backend.reached]

_of_calico := [backend | some backend in _answer.backends; backend.calico > 0]

_with_rules := _of_kube_proxy if {
	count(_of_kube_proxy) > 1
} else := _of_calico if {
	count(_of_calico) > 1
} else := _of_kube_proxy

_stale := [backend | some backend in _with_rules; backend.stale > 0]

_rules_facts := array.concat(
	[backend.evidence | some backend in _with_rules; backend.evidence],
	[backend.calico_evidence | some backend in _with_rules; backend.services == 0; backend.calico_evidence],
)

# As long as both send to the same endpoints, nothing fails yet.
default _severity := "warning"

_severity := "critical" if {
	count(_stale) > 0
}

default _consequence := "packets pass through both, and one of them is kept up to date by nobody"

_consequence := "the first that translates a packet wins, and stale rules send it to nobody" if {
	count(_stale) > 0
}

_shown(backend) := sprintf(
	"%d Service rules (%s, %d of its %d endpoints are gone)",
	[backend.services, backend.backend, backend.stale, backend.targets],
) if {
	backend.stale > 0
} else := sprintf("%d Service rules (%s)", [backend.services, backend.backend]) if {
	backend.services > 0
} else := sprintf("%d rules of Calico (%s)", [backend.calico, backend.backend])

# The one to empty: what it sends to is gone, and what the other sends to is there.
_left_behind := _stale[0] if count(_stale) == 1

_program := {"iptables-legacy": "iptables-legacy", "iptables-nf_tables": "iptables-nft"}

_steps := [{
	"node": input.node.name,
	"run": sprintf("%[1]s-save | grep -v -e KUBE- -e cali | %[1]s-restore", [_program[_left_behind.backend]]),
	"why": sprintf("its rules are those that are out of date; other rules of %s stay", [_left_behind.backend]),
}] if {
	_left_behind
} else := [{
	"node": input.node.name,
	"edit": concat(" ", [
		"find out which backend kube-proxy and the CNI use now (their logs say so when they start),",
		"and take KUBE- and cali chains out of the other:",
		"iptables-legacy-save | grep -v -e KUBE- -e cali | iptables-legacy-restore, or the same with iptables-nft-save and iptables-nft-restore",
	]),
	"why": "nothing here tells which of them is kept up to date",
}]
