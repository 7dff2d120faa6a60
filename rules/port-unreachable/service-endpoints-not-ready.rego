# METADATA
# title: No Pod behind a Service is ready
# description: >-
#   Only Pods that are ready are endpoints of a Service. While its Pods crash, wait for an image or a node, or fail their
#   readiness probe, it has none, and kube-proxy rejects connections to it.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/
#     description: does the Service have any endpoints, and are its Pods working
#   - ref: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
#     description: conditions of Pods, states of containers, and readiness probes
# custom:
#   id: service-endpoints-not-ready
#   category: port-unreachable
#   scope: cluster
#   severity: warning
#   needs: [cluster.services, cluster.pods]
#   explains: [service-unreachable]
#   causes: []
package netcause.rules.port_unreachable.service_endpoints_not_ready

import data.netcause.lib.service
import data.netcause.lib.text
import data.netcause.lib.unready

finding contains f if {
	count(_faults) <= service.shown_each
	some group in _faults

	f := {
		"subject": service.subject([group.services[0]]),
		"affects": group.nodes,
		"message": sprintf("None of the Pods behind %s %s is ready: %s.", [
			service.noun(group.services),
			service.names(group.services),
			concat("; ", unready.reasons(group)),
		]),
		"evidence": array.concat(unready.evidence(group), [service.selector_fact(group.services[0])]),
		"fix": {
			"summary": "Put right what keeps the Pods from being ready: an endpoint comes by itself then",
			"steps": unready.steps(group),
		},
		"verify": sprintf("kubectl -n %s get endpointslices -l kubernetes.io/service-name=%s shows a ready address", [
			group.services[0].namespace,
			group.services[0].name,
		]),
	}
}

# So many at a time have a reason in common more often than not.
finding contains f if {
	count(_faults) > service.shown_each
	services := [group.services[0] | some group in _faults]

	f := {
		"subject": service.subject(services),
		"affects": [node | some node in {n | some group in _faults; some n in group.nodes}],
		"message": sprintf("%s Services have no Pod that is ready: %s. The first: %s.", [
			_how_many,
			service.names(services),
			concat("; ", unready.reasons(_faults[0])),
		]),
		"evidence": [fact | some group in text.few(_faults); some fact in array.slice(unready.evidence(group), 0, 2)],
		"fix": {
			"summary": "Look for what they have in common first: a node, a registry, a volume, the network",
			"steps": array.concat(
				[{
					"cluster": true,
					"run": "kubectl get pods -A -o wide --field-selector=status.phase!=Succeeded",
					"why": "the nodes and reasons of those that are not ready",
				}],
				unready.steps(_faults[0]),
			),
		},
		"verify": "kubectl get endpointslices -A shows a ready address for each of them",
	}
}

ruled_out contains {
	"message": sprintf("%d of %d Services with a selector have a Pod that is ready%s", [_answer.served, _answer.total, _others]),
	"evidence": [],
} if {
	count(_faults) == 0
	count(_starting) == 0
	not service.unknown_text(_answer)
}

unexamined contains {"group": "cluster.pods", "reason": service.unknown_text(_answer)}

unexamined contains {"group": "cluster.pods", "reason": concat("; ", [unready.soon(group) | some group in text.few(_starting)])} if {
	count(_faults) == 0
	count(_starting) > 0
}

_answer := netcause.service_pods()

# Those are left out of which another rule says more: the cluster's DNS, and Pods on whose ports nothing listens, which
# no probe can find ready. Pods that are published all the same get their connections.
_judged := [group |
	some group in _answer.not_ready
	not group.published
	not group.unheard
	count([s | some s in group.services; s.dns]) == 0
]

_faults := [group | some group in _judged; unready.is_fault(group)]

_starting := [group | some group in _judged; not unready.is_fault(group)]

_how_many := sprintf("%d", [count(_faults)]) if _answer.not_ready_count == count(_answer.not_ready)

_how_many := sprintf("More than %d", [count(_faults)]) if _answer.not_ready_count > count(_answer.not_ready)

_others := "" if _answer.served == _answer.total

_others := ", and of the others no Pod is known to fail" if _answer.served < _answer.total
