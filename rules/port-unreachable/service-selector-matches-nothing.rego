# METADATA
# title: A Service selects no Pod
# description: >-
#   A Service sends to the Pods that have all labels of its selector. Where one label is misspelt or was renamed, it has
#   no endpoints: kube-proxy rejects connections to it, while the Pods beside it are ready and answer by address.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/
#     description: does the Service have any endpoints, and does its selector match the Pods' labels
#   - ref: https://kubernetes.io/docs/concepts/services-networking/service/
#     description: Services without selector, ExternalName and headless Services
# custom:
#   id: service-selector-matches-nothing
#   category: port-unreachable
#   scope: cluster
#   severity: warning
#   needs: [cluster.services, cluster.pods]
#   explains: [service-unreachable]
#   causes: []
package netcause.rules.port_unreachable.service_selector_matches_nothing

import data.netcause.lib.service
import data.netcause.lib.text

finding contains f if {
	count(_missed) <= service.shown_each
	some missed in _missed

	f := {
		"subject": service.subject([missed.service]),
		"affects": [],
		"message": sprintf("Service %s selects %s, which no Pod of %s has: %s.", [
			service.name(missed.service),
			missed.service.selector,
			missed.service.namespace,
			_near_text(missed.near[0]),
		]),
		"evidence": _evidence(missed),
		"fix": {
			"summary": "Have the Service select the labels that the Pods have",
			"steps": [_patch(missed)],
		},
		"verify": sprintf("kubectl -n %s get endpointslices -l kubernetes.io/service-name=%s shows the Pods' addresses", [
			missed.service.namespace,
			missed.service.name,
		]),
	}
}

finding contains f if {
	count(_missed) > service.shown_each
	services := [missed.service | some missed in _missed]

	f := {
		"subject": service.subject(services),
		"affects": [],
		"message": sprintf("%d Services select labels that no Pod has, though Pods with nearly those labels are there: %s.", [
			count(services),
			service.names(services),
		]),
		"evidence": [fact | some missed in text.few(_missed); some fact in _evidence(missed)],
		"fix": {
			"summary": "Have the Services select the labels that the Pods have",
			"steps": [_patch(missed) | some missed in array.slice(_missed, 0, 10)],
		},
		"verify": "kubectl get endpointslices -A shows the Pods' addresses for each of them",
	}
}

ruled_out contains {
	"message": sprintf("all %d Services with a selector select Pods%s", [_answer.total - count(_dns), _scaled_text]),
	"evidence": [fact | some empty in text.few(_scaled); some fact in _scaled_facts(empty)],
} if {
	count(_missed) == 0
	count(_open) == 0
	not service.unknown_text(_answer)
}

unexamined contains {"group": group, "reason": _open_text} if {
	count(_open) > 0
	some group in _unread
}

unexamined contains {"group": "cluster.pods", "reason": service.unknown_text(_answer)}

_answer := netcause.service_pods()

# The cluster's DNS is dns-service-without-endpoints' to judge.
_empty := [empty | some empty in _answer.empty; not empty.service.dns]

_dns := [empty | some empty in _answer.empty; empty.service.dns]

_scaled := [empty | some empty in _empty; count(empty.workloads) > 0]

_missed := [empty | some empty in _empty; _is_meant_for(empty)]

# Of these it is not known whether somebody wants them to have no Pods now.
_open := [empty | some empty in _empty; count(empty.workloads) == 0; not _is_meant_for(empty)]

# Pods that another Service selects are where they belong. A label that they lack, or have with another value, may be that
# of a workload that was scaled to zero: that none was is only known where all were read.
_is_meant_for(empty) if {
	near := empty.near[0]
	count(near.selected_by) == 0
	near.how == "spelling"
}

_is_meant_for(empty) if {
	near := empty.near[0]
	count(near.selected_by) == 0
	near.how == "label"
	count(_answer.unread) == 0
}

_unread := _answer.unread if count(_answer.unread) > 0

_unread := ["cluster.pods"] if count(_answer.unread) == 0

_near_text(near) := sprintf("%s %s %s", [_pods_text(near), _have(near), near.labels])

_pods_text(near) := sprintf("Pod %s", [near.pods[0].name]) if near.count == 1

_pods_text(near) := sprintf("%d Pods (%s)", [near.count, text.names([pod.name | some pod in near.pods])]) if near.count > 1

_have(near) := "has" if near.count == 1

_have(near) := "have" if near.count > 1

_evidence(missed) := [
	service.selector_fact(missed.service),
	{
		"fact": sprintf("labels of Pod %s/%s", [missed.near[0].pods[0].namespace, missed.near[0].pods[0].name]),
		"value": missed.near[0].labels,
		"source": missed.near[0].source,
	},
]

_patch(missed) := {
	"cluster": true,
	"patch": sprintf("kubectl -n %s patch service %s --type merge -p '%s'", [
		missed.service.namespace,
		missed.service.name,
		missed.near[0].patch,
	]),
	"why": "or give the Pods' template the labels that the Service selects, where other things select by them too",
}

_scaled_text := "" if count(_scaled) == 0

_scaled_text := sprintf(", but for %s: scaled to zero", [service.names([empty.service | some empty in _scaled])]) if {
	count(_scaled) > 0
}

_scaled_facts(empty) := array.concat(
	[service.selector_fact(empty.service)],
	[service.workload_fact(workload) | some workload in empty.workloads],
)

_open_text := sprintf("no Pod, and no workload that was read, has the labels that %s %s: left over, or scaled to zero on purpose%s", [
	service.names([empty.service | some empty in _open]),
	_select,
	_perhaps,
])

default _perhaps := ""

# Other values of the same labels are most often another program's: that its ports are the same is a hint alone.
_perhaps := sprintf(" (or meant for %s, which no Service selects: it has %s)", [
	sprintf("Pod %s/%s", [near.pods[0].namespace, near.pods[0].name]),
	near.labels,
]) if {
	near := [empty.near[0] | some empty in _open; count(empty.near[0].selected_by) == 0][0]
}

_select := "selects" if count(_open) == 1

_select := "select" if count(_open) > 1
