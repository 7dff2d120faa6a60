package netcause.rules.dns_failure.network_policy_blocks_dns_test

import data.netcause.rules.dns_failure.network_policy_blocks_dns as rule

service := {
	"metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
	"spec": {
		"clusterIP": "10.96.0.10",
		"selector": {"k8s-app": "kube-dns"},
		"ports": [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353}],
	},
	"source": "services.json",
}

endpoint_slice := {
	"metadata": {"name": "kube-dns-a", "namespace": "kube-system", "labels": {"kubernetes.io/service-name": "kube-dns"}},
	"ports": [{"name": "dns", "port": 5353, "protocol": "UDP"}, {"name": "metrics", "port": 9153, "protocol": "TCP"}],
	"endpoints": [{"addresses": ["10.244.1.2"]}, {"addresses": ["10.244.2.2"]}],
}

policy := {
	"metadata": {"name": "lock-down", "namespace": "shop"},
	"spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"]},
}

cluster := {
	"pods": [],
	"networkpolicies": [policy],
	"services": [service, object.union(service, {"metadata": {"name": "web", "labels": {"k8s-app": "web"}}})],
	"endpointslices": [endpoint_slice],
	"namespaces": [],
}

with_cluster(fields) := {"nodes": [], "cluster": object.union(cluster, fields)}

incident := with_cluster({})

nobody := {"asked": 4, "allowed": 4, "unknown": 0, "missing": [], "denied": []}

denied := object.union(nobody, {"allowed": 2, "denied": [{
	"policies": [{"name": "lock-down", "namespace": "shop", "source": "kubectl get networkpolicy -n shop lock-down -o yaml"}],
	"direction": "egress",
	"reason": "no egress rule allows it",
	"unmet": ["port 5353/UDP is not among its ports: 443/TCP"],
	"count": 2,
	"pods": [{"namespace": "shop", "name": "web-0"}, {"namespace": "shop", "name": "web-1"}],
	"nodes": ["n1"],
}]})

unknown := object.union(nobody, {"allowed": 3, "unknown": 1, "missing": ["the labels of namespace shop were not read"]})

by_canal := {"status": "enforced", "fact": "DaemonSet kube-system/canal", "value": "canal enforces policies", "source": "daemonsets.json"}

not_enforced := {"status": "not-enforced", "fact": "network of Node n1", "value": "flannel alone", "source": "nodes.json"}

by_port(addresses, "UDP", 5353) := denied if addresses == ["10.244.1.2", "10.244.2.2"]

ruled_out_only if {
	count(rule.finding) == 0
	count(rule.ruled_out) > 0
	count(rule.unexamined) == 0
}

test_found_egress_without_dns if {
	some f in rule.finding with input as incident with netcause.denied_pods as by_port with netcause.policy_enforcement as by_canal
	f.subject == {"kind": "NetworkPolicy", "name": "lock-down", "namespace": "shop"}
	f.message == "The way of 2 Pods (shop/web-0, shop/web-1) to the DNS Pods on port 5353 over UDP is denied: no name resolves there."
	f.affects == ["n1"]
	f.evidence[0].source == "kubectl get networkpolicy -n shop lock-down -o yaml"
	split(f.fix.steps[0].run, "\n") == [
		"kubectl apply -f - <<'EOF'",
		"apiVersion: networking.k8s.io/v1",
		"kind: NetworkPolicy",
		`metadata: {name: "lock-down-allow-dns", namespace: "shop"}`,
		"spec:",
		`  podSelector: {"matchLabels":{"app":"web"}}`,
		"  policyTypes: [Egress]",
		"  egress:",
		"  - to:",
		"    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}",
		`      podSelector: {"matchLabels":{"k8s-app":"kube-dns"}}`,
		"    ports:",
		"    - {port: 5353, protocol: UDP}",
		"    - {port: 5353, protocol: TCP}",
		"EOF",
	]
	count(rule.ruled_out) == 0 with input as incident with netcause.denied_pods as by_port with netcause.policy_enforcement as by_canal
}

test_found_one_pod if {
	alone := object.union(denied.denied[0], {"count": 1, "pods": [{"namespace": "shop", "name": "web-0"}]})
	one := object.union(denied, {"denied": [alone]})
	some f in rule.finding with input as incident with netcause.denied_pods as one with netcause.policy_enforcement as by_canal
	f.message == "The way of Pod shop/web-0 to the DNS Pods on port 5353 over UDP is denied: no name resolves there."
}

test_found_at_the_dns_pods if {
	at_dns := object.union(denied, {"denied": [object.union(denied.denied[0], {"direction": "ingress"})]})
	some f in rule.finding with input as incident with netcause.denied_pods as at_dns with netcause.policy_enforcement as by_canal
	contains(f.fix.steps[0].run, "  ingress:\n  - from:\n    - namespaceSelector: {}\n    ports:\n    - {port: 5353, protocol: UDP}")
}

test_ruled_out_allowed if {
	ruled_out_only with input as incident with netcause.denied_pods as nobody with netcause.policy_enforcement as by_canal
}

test_ruled_out_no_policy if {
	none := with_cluster({"networkpolicies": []})
	ruled_out_only with input as none with netcause.denied_pods as nobody with netcause.policy_enforcement as by_canal
	nothing := with_cluster({"networkpolicies": [], "endpointslices": []})
	ruled_out_only with input as nothing with netcause.denied_pods as nobody with netcause.policy_enforcement as by_canal
}

test_ruled_out_nothing_enforces if {
	ruled_out_only with input as incident with netcause.denied_pods as denied with netcause.policy_enforcement as not_enforced
	some r in rule.ruled_out with input as incident with netcause.denied_pods as denied with netcause.policy_enforcement as not_enforced
	r.evidence == [{"fact": "network of Node n1", "value": "flannel alone", "source": "nodes.json"}]
}

# Charts bring policies to clusters where nothing heeds them, AKS' without a policy engine for one.
test_unexamined_who_enforces_is_not_known if {
	unclear := {"status": "unknown", "fact": "DaemonSets", "value": "none of a network plugin that is known", "source": ""}
	some u in rule.unexamined with input as incident with netcause.denied_pods as denied with netcause.policy_enforcement as unclear
	u.group == "cluster.daemonsets"
	contains(u.reason, "NetworkPolicies deny it to 2 Pods, the first shop/web-0, and whether anything enforces them is not known")
	count(rule.finding) == 0 with input as incident with netcause.denied_pods as denied with netcause.policy_enforcement as unclear
	count(rule.ruled_out) == 0 with input as incident with netcause.denied_pods as denied with netcause.policy_enforcement as unclear
}

test_ruled_out_the_cache_on_the_node_may_be_asked if {
	cache := {
		"metadata": {"name": "node-local-dns", "namespace": "kube-system"},
		"spec": {"template": {"spec": {"containers": [{
			"image": "registry.k8s.io/dns/k8s-dns-node-cache:1.23.0",
			"args": ["-localip", "169.254.20.10,10.96.0.10", "-conf", "/etc/Corefile"],
		}]}}},
	}
	cached := with_cluster({"daemonsets": [cache]})
	ruled_out_only with input as cached with netcause.denied_pods as to_cache with netcause.policy_enforcement as by_canal
}

to_cache(addresses, "UDP", 5353) := nobody if addresses == ["10.244.1.2", "10.244.2.2", "10.96.0.10", "169.254.20.10"]

test_unexamined_unknown if {
	some u in rule.unexamined with input as incident with netcause.denied_pods as unknown with netcause.policy_enforcement as by_canal
	u.reason == "the labels of namespace shop were not read"
	count(rule.finding) == 0 with input as incident with netcause.denied_pods as unknown with netcause.policy_enforcement as by_canal
	count(rule.ruled_out) == 0 with input as incident with netcause.denied_pods as unknown with netcause.policy_enforcement as by_canal
}

test_unexamined_no_dns_service if {
	no_service := with_cluster({"endpointslices": []})
	some u in rule.unexamined with input as no_service with netcause.denied_pods as nobody with netcause.policy_enforcement as by_canal
	u.group == "cluster.endpointslices"
}

# What nothing enforces needs no namespace's labels.
test_ruled_out_nothing_enforces_and_labels_were_not_read if {
	ruled_out_only with input as incident with netcause.denied_pods as unknown with netcause.policy_enforcement as not_enforced
}

by_cilium := object.union(by_canal, {"fact": "DaemonSet kube-system/cilium", "others": ["cilium.io"]})

test_unexamined_ciliums_own_policies_were_not_read if {
	some u in rule.unexamined with input as incident with netcause.denied_pods as denied with netcause.policy_enforcement as by_cilium
	u.group == "cluster.otherpolicies"
	endswith(u.reason, "whether a policy of cilium.io allows it is not known")
	count(rule.finding) == 0 with input as incident with netcause.denied_pods as denied with netcause.policy_enforcement as by_cilium
}

test_unexamined_ciliums_own_policies_may_allow_it if {
	allows := {"apiGroup": "cilium.io", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": "allow-dns"}}
	others := with_cluster({"otherpolicies": [allows]})
	some u in rule.unexamined with input as others with netcause.denied_pods as denied with netcause.policy_enforcement as by_cilium
	endswith(u.reason, "whether CiliumClusterwideNetworkPolicy allow-dns allows it is not known")
	count(rule.finding) == 0 with input as others with netcause.denied_pods as denied with netcause.policy_enforcement as by_cilium
}

test_found_ciliums_own_policies_are_of_other_namespaces if {
	elsewhere := {"apiGroup": "cilium.io", "kind": "CiliumNetworkPolicy", "metadata": {"name": "allow-dns", "namespace": "edge"}}
	others := with_cluster({"otherpolicies": [elsewhere]})
	count(rule.finding) == 1 with input as others with netcause.denied_pods as denied with netcause.policy_enforcement as by_cilium
	count(rule.unexamined) == 0 with input as others with netcause.denied_pods as denied with netcause.policy_enforcement as by_cilium
}
