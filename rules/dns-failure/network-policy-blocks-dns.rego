# METADATA
# title: A NetworkPolicy keeps Pods from the cluster's DNS
# description: >-
#   As soon as one policy selects a Pod for egress, everything that no policy allows is denied: the question to the DNS
#   Pods too, on port 53 over UDP. The Pod reaches by address what its policies allow, and no name resolves.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
#     description: how policies isolate a Pod, and that rules have to allow DNS as well
# custom:
#   id: network-policy-blocks-dns
#   category: dns-failure
#   scope: cluster
#   severity: critical
#   needs: [cluster.pods, cluster.networkpolicies, cluster.services, cluster.endpointslices, cluster.namespaces]
#   optional: [cluster.daemonsets, cluster.nodes, cluster.otherpolicies]
#   explains: [dns-failure]
#   causes: []
package netcause.rules.dns_failure.network_policy_blocks_dns

import data.netcause.lib.dns
import data.netcause.lib.text

finding contains f if {
	_enforcement.status == "enforced"
	some question in _questions
	some denial in question.answer.denied
	_is_decided(denial)
	policy := denial.policies[0]

	f := {
		"subject": {"kind": "NetworkPolicy", "name": policy.name, "namespace": policy.namespace},
		"affects": denial.nodes,
		"message": sprintf(
			"%s of %s to the DNS Pods on port %d over UDP is denied: no name resolves there.",
			[_way[denial.direction], _who(denial), question.port],
		),
		"evidence": array.concat(
			[{
				"fact": sprintf("NetworkPolicy %s/%s selects them for %s", [p.namespace, p.name, denial.direction]),
				"value": denial.reason,
				"source": p.source,
			} |
				some p in denial.policies
			],
			[{
				"fact": sprintf("Pods behind Service %s/%s", [question.service.metadata.namespace, question.service.metadata.name]),
				"value": concat(", ", question.addresses),
				"source": question.service.source,
			}],
		),
		"fix": {
			"summary": "Allow the Pods to ask the DNS Pods",
			"steps": [{
				"cluster": true,
				"run": _apply(policy, denial.direction, question),
				"why": concat("; ", array.concat(
					["policies add up, and this one is for the same Pods"],
					denial.unmet,
				)),
			}],
		},
		"verify": sprintf("kubectl -n %s exec %s -- nslookup kubernetes.default answers", [denial.pods[0].namespace, denial.pods[0].name]),
	}
}

ruled_out contains {"message": "nothing enforces NetworkPolicies in this cluster", "evidence": [_not_enforced]}

ruled_out contains {"message": "the cluster has no NetworkPolicy", "evidence": []} if count(input.cluster.networkpolicies) == 0

ruled_out contains {
	"message": sprintf("policies let all %d Pods ask the DNS Pods", [question.answer.asked]),
	"evidence": [{
		"fact": sprintf("Pods behind Service %s/%s", [question.service.metadata.namespace, question.service.metadata.name]),
		"value": concat(", ", question.addresses),
		"source": question.service.source,
	}],
} if {
	count(input.cluster.networkpolicies) > 0
	not _not_enforced
	some question in _questions
	count(question.answer.denied) == 0
	question.answer.unknown == 0
}

unexamined contains {"group": "cluster.daemonsets", "reason": reason} if {
	_enforcement.status == "unknown"
	some question in _questions
	some denial in question.answer.denied
	reason := sprintf("NetworkPolicies deny it to %d Pods, the first %s, and whether anything enforces them is not known (%s: %s)", [
		denial.count,
		sort(_names(denial))[0],
		_enforcement.fact,
		_enforcement.value,
	])
}

unexamined contains {"group": "cluster.otherpolicies", "reason": reason} if {
	_enforcement.status == "enforced"
	some question in _questions
	some denial in question.answer.denied
	not _is_decided(denial)
	reason := sprintf("NetworkPolicies deny it to %d Pods, the first %s, and whether %s not known", [
		denial.count,
		sort(_names(denial))[0],
		_who_may_allow(denial),
	])
}

unexamined contains {"group": "cluster.endpointslices", "reason": "no DNS Service with endpoints was found"} if {
	not _not_enforced
	count(input.cluster.networkpolicies) > 0
	count(_questions) == 0
}

unexamined contains {"group": "cluster.namespaces", "reason": concat("; ", question.answer.missing)} if {
	not _not_enforced
	some question in _questions
	count(question.answer.denied) == 0
	question.answer.unknown > 0
}

# _questions are what Pods ask: each DNS Service's Pods at their port.
_questions := [question |
	some service in dns.services(input.cluster)
	some port, addresses in dns.endpoints(input.cluster, service)
	count(addresses) > 0
	question := {
		"service": service,
		"port": port,
		"addresses": sort(addresses),
		"answer": netcause.denied_pods(sort(addresses | dns.caches(input.cluster)), "UDP", port),
	}
]

_enforcement := netcause.policy_enforcement()

# _others are policies of other APIs that the plugin heeds, of the same namespace or of all: they may allow what
# NetworkPolicies do not. What they say is not read.
_others(denial) := [policy |
	some policy in input.cluster.otherpolicies
	policy.apiGroup in object.get(_enforcement, "others", [])
	object.get(policy.metadata, "namespace", "") in ({""} | {p.namespace | some p in denial.policies})
]

_is_decided(denial) if {
	_others_known
	count(_others(denial)) == 0
}

_others_known if input.cluster.otherpolicies

_others_known if count(object.get(_enforcement, "others", [])) == 0

_who_may_allow(denial) := sprintf("%s %s allows it is", [others[0].kind, others[0].metadata.name]) if {
	others := _others(denial)
	count(others) > 0
} else := sprintf("a policy of %s allows it is", [_enforcement.others[0]])

_not_enforced := object.remove(_enforcement, ["status", "others"]) if _enforcement.status == "not-enforced"

_names(denial) := {sprintf("%s/%s", [pod.namespace, pod.name]) | some pod in denial.pods}

_who(denial) := sprintf("Pod %s", [_names(denial)[_]]) if {
	denial.count == 1
} else := sprintf("%d Pods (%s)", [denial.count, text.names(_names(denial))])

_way := {"egress": "The way", "ingress": "The way in"}

# _apply makes a policy beside the one that denies. It selects the same Pods: others would be isolated by it. A namespace
# may be called 1234, which is a number without its quotes.
_apply(policy, direction, question) := concat("\n", array.flatten([
	"kubectl apply -f - <<'EOF'",
	"apiVersion: networking.k8s.io/v1",
	"kind: NetworkPolicy",
	sprintf("metadata: {name: \"%s-allow-dns\", namespace: \"%s\"}", [policy.name, policy.namespace]),
	"spec:",
	sprintf("  podSelector: %s", [json.marshal(_selector(policy))]),
	_allowed(direction, question),
	"    ports:",
	sprintf("    - {port: %d, protocol: UDP}", [question.port]),
	sprintf("    - {port: %d, protocol: TCP}", [question.port]),
	"EOF",
]))

_selector(policy) := [selected.spec.podSelector |
	some selected in input.cluster.networkpolicies
	selected.metadata.namespace == policy.namespace
	selected.metadata.name == policy.name
][0]

_allowed("egress", question) := [
	"  policyTypes: [Egress]",
	"  egress:",
	"  - to:",
	sprintf("    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}", [question.service.metadata.namespace]),
	sprintf("      podSelector: %s", [json.marshal({"matchLabels": object.get(question.service.spec, "selector", {})})]),
]

_allowed("ingress", _) := [
	"  policyTypes: [Ingress]",
	"  ingress:",
	"  - from:",
	"    - namespaceSelector: {}",
]
