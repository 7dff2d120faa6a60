# METADATA
# title: The cluster's DNS has no endpoint
# description: >-
#   Pods ask for names at the address of the DNS Service. While none of the Pods behind it is ready, kube-proxy rejects the
#   question on each node: no name resolves anywhere, and everything that finds its peers by name fails with it.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/
#     description: are the DNS Pods running, is the DNS Service up, are its endpoints exposed
#   - ref: https://github.com/kubernetes/kubernetes/issues/83063
#     description: the DNS Service with addresses that are all not ready, and the REJECT that kube-proxy makes of it
#   - ref: https://cloud.google.com/kubernetes-engine/docs/concepts/about-cloud-dns
#     description: Cloud DNS, which serves names in the stead of kube-dns
# custom:
#   id: dns-service-without-endpoints
#   category: dns-failure
#   scope: cluster
#   severity: critical
#   needs_any: [[cluster.services, cluster.pods], [cluster.services, cluster.endpointslices]]
#   optional: [cluster.nodes]
#   explains: [dns-failure]
#   causes: []
package netcause.rules.dns_failure.dns_service_without_endpoints

import data.netcause.lib.service
import data.netcause.lib.text
import data.netcause.lib.unready

finding contains f if {
	some fault in _faults

	f := {
		"subject": service.subject([fault.services[0]]),
		"severity": _severity,
		"affects": [],
		"message": sprintf("The DNS %s %s %s no ready endpoint: %s.", [
			service.noun(fault.services),
			service.names(fault.services),
			_have(fault.services),
			concat("; ", fault.reasons),
		]),
		"evidence": array.concat(fault.evidence, [_ready_fact(s) | some s in fault.services]),
		"fix": {"summary": fault.summary, "steps": fault.steps},
		"verify": sprintf("kubectl -n %s get endpointslices -l kubernetes.io/service-name=%s shows a ready address", [
			fault.services[0].namespace,
			fault.services[0].name,
		]),
	}
}

ruled_out contains {
	"message": sprintf("the DNS %s %s %s ready endpoints", [service.noun(services), service.names(services), _have(services)]),
	"evidence": [{
		"fact": sprintf("ready endpoints of Service %s", [service.name(dns.service)]),
		"value": concat(", ", dns.ready),
		"source": dns.source,
	} |
		some dns in text.few(_answer.dns)
	],
} if {
	count(_answer.dns) > 0
	count(_silent) == 0
	services := [dns.service | some dns in _answer.dns]
}

unexamined contains {"group": "cluster.services", "reason": "no Service of the cluster is known to be its DNS, by label or name"} if {
	count(_answer.dns) == 0
}

unexamined contains {"group": "namespaces", "reason": reason} if {
	some empty in _answer.empty
	_perhaps_elsewhere(empty)
	name := service.name(empty.service)
	reason := sprintf("%s is scaled to zero, and GKE's Cloud DNS may serve names in its stead: /etc/resolv.conf of a Pod tells", [name])
}

unexamined contains {"group": "cluster.pods", "reason": reason} if {
	count(_faults) == 0
	some group in _groups
	reason := unready.soon(group)
}

unexamined contains {
	"group": "cluster.endpointslices",
	"reason": sprintf("the endpoints of %s are not known", [service.name(dns.service)]),
} if {
	some dns in _answer.dns
	count(dns.ready) == 0
	not dns.known
}

_answer := netcause.service_pods()

_silent := [dns | some dns in _answer.dns; count(dns.ready) == 0]

# A DNS Service that nobody asks may be left beside the one that works.
_severity := "critical" if count(_silent) == count(_answer.dns)

_severity := "warning" if count(_silent) < count(_answer.dns)

_groups := [group |
	some group in _answer.not_ready
	count(_dns_of(group.services)) > 0
]

_dns_of(services) := [s | some s in services; s.dns]

_faults := array.flatten([
	[{
		"services": _dns_of(group.services),
		"reasons": unready.reasons(group),
		"evidence": unready.evidence(group),
		"summary": "Put right what keeps the DNS Pods from being ready",
		"steps": unready.steps(group),
	} |
		some group in _groups
		unready.is_fault(group)
	],
	[_emptied(empty) |
		some empty in _answer.empty
		empty.service.dns
		not _perhaps_elsewhere(empty)
	],
	[{
		"services": [dns.service],
		"reasons": ["it has no selector, and no EndpointSlice that lists a ready address"],
		"evidence": [],
		"summary": "Let who keeps its EndpointSlices list the DNS servers' addresses",
		"steps": [{
			"cluster": true,
			"run": sprintf("kubectl -n %s get service,endpointslices -o wide", [dns.service.namespace]),
			"why": "to see who made them, and what they list",
		}],
	} |
		some dns in _silent
		dns.known
		not dns.selects
	],
])

# With Cloud DNS nobody asks kube-dns, which stays there, as many as somebody wants.
_perhaps_elsewhere(empty) if {
	empty.service.dns
	count(empty.workloads) > 0
	some api_node in input.cluster.nodes
	startswith(api_node.spec.providerID, "gce://")
}

_emptied(empty) := {
	"services": [empty.service],
	"reasons": [sprintf("%s is scaled to zero", [_workload(workload)]) | some workload in empty.workloads],
	"evidence": [service.workload_fact(workload) | some workload in empty.workloads],
	"summary": "Let the DNS Pods run again",
	"steps": [{
		"cluster": true,
		"run": sprintf("kubectl -n %s scale %s %s --replicas=2", [workload.namespace, lower(workload.kind), workload.name]),
	} |
		some workload in empty.workloads
	],
} if {
	count(empty.workloads) > 0
} else := {
	"services": [empty.service],
	"reasons": [sprintf("it selects %s, and Pod %s has %s", [empty.service.selector, near.pods[0].name, near.labels])],
	"evidence": [
		service.selector_fact(empty.service),
		{"fact": sprintf("labels of Pod %s", [near.pods[0].name]), "value": near.labels, "source": near.source},
	],
	"summary": "Have the Service select the labels that the DNS Pods have",
	"steps": [{
		"cluster": true,
		"patch": sprintf("kubectl -n %s patch service %s --type merge -p '%s'", [
			empty.service.namespace,
			empty.service.name,
			near.patch,
		]),
	}],
} if {
	near := empty.near[0]
} else := {
	"services": [empty.service],
	"reasons": [sprintf("it selects %s, which no Pod has", [empty.service.selector])],
	"evidence": [service.selector_fact(empty.service)],
	"summary": "Let the DNS Pods run again: install the cluster's DNS, or have the Service select the Pods that do its work",
	"steps": [{
		"cluster": true,
		"run": sprintf("kubectl -n %s get deployments,daemonsets,pods --show-labels", [empty.service.namespace]),
		"why": "to see what there is of the cluster's DNS",
	}],
}

_workload(workload) := sprintf("%s %s", [workload.kind, workload.name])

_ready_fact(s) := {"fact": sprintf("ready endpoints of Service %s", [service.name(s)]), "value": "none", "source": s.source}

_have([_]) := "has"

_have(services) := "have" if count(services) > 1
