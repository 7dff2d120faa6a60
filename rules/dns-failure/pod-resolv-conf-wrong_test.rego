package netcause.rules.dns_failure.pod_resolv_conf_wrong_test

import data.netcause.rules.dns_failure.pod_resolv_conf_wrong as rule

kube_dns := {
	"metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
	"spec": {"clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10"], "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]},
	"source": "services.json",
}

web := {
	"metadata": {"name": "web", "namespace": "shop"},
	"spec": {"clusterIP": "10.96.0.20", "ports": [{"port": 80, "protocol": "TCP"}]},
	"source": "services.json",
}

pod(fields) := {
	"metadata": {"name": "web-1", "namespace": "shop", "uid": "u1"},
	"spec": object.union({"nodeName": "n1", "dnsPolicy": "ClusterFirst"}, fields),
}

namespace(nameservers) := {
	"id": "cni-1",
	"pod": {"namespace": "shop", "name": "web-1", "uid": "u1"},
	"resolv_conf": {
		"file": "/etc/resolv.conf",
		"source": "nsenter -t 42 -m cat /etc/resolv.conf",
		"nameservers": [{"address": address} | some address in nameservers],
	},
}

kubelet(addresses) := {"file": "/var/lib/kubelet/config.yaml", "source": "/var/lib/kubelet/config.yaml", "clusterDNS": addresses}

node := {
	"name": "n1",
	"collected": true,
	"object": {"metadata": {"name": "n1"}},
	"addresses": [{"local": "192.0.2.1", "dev": "eth0"}],
	"kubelet_config": kubelet(["10.96.0.10"]),
	"namespaces": [],
	"pods": [],
}

incident(fields) := {"node": object.union(node, fields), "peers": [], "cluster": {"services": [kube_dns, web], "nodes": []}}

found_only if {
	count(rule.finding) == 1
	count(rule.ruled_out) + count(rule.unexamined) == 0
}

ruled_out_only if {
	count(rule.ruled_out) == 1
	count(rule.finding) + count(rule.unexamined) == 0
}

unexamined_only if {
	count(rule.unexamined) == 1
	count(rule.finding) + count(rule.ruled_out) == 0
}

misled := incident({
	"kubelet_config": kubelet(["10.96.0.11"]),
	"namespaces": [namespace(["10.96.0.11"])],
	"pods": [pod({})],
})

test_found_cluster_dns_of_kubelet if {
	some f in rule.finding with input as misled
	f.message == concat(" ", [
		"Pod shop/web-1 of n1 asks 10.96.0.11 for names,",
		"where no DNS of the cluster is: it is at 10.96.0.10.",
	])
	f.evidence[0].value == "10.96.0.11"
	f.evidence[1].source == "nsenter -t 42 -m cat /etc/resolv.conf"
	[step.run | some step in f.fix.steps] == [
		`sed -i 's/10\.96\.0\.11/10.96.0.10/' /var/lib/kubelet/config.yaml`,
		"systemctl restart kubelet",
		"kubectl -n shop delete pod web-1",
	]
	found_only with input as misled
}

test_found_before_there_are_pods if {
	some f in rule.finding with input as incident({"kubelet_config": kubelet(["10.96.0.11"])})
	startswith(f.message, "New Pods of n1 ask 10.96.0.11")
}

test_found_the_pod_is_older_than_the_service if {
	old := incident({"namespaces": [namespace(["10.96.0.53"])], "pods": [pod({})]})
	some f in rule.finding with input as old
	[step.run | some step in f.fix.steps] == ["kubectl -n shop delete pod web-1"]
	found_only with input as old
}

test_found_without_cluster_dns if {
	found_only with input as incident({
		"kubelet_config": kubelet([]),
		"namespaces": [namespace(["127.0.0.53"])],
		"pods": [pod({})],
	})
}

api_server := {
	"metadata": {"name": "kube-apiserver-n1", "namespace": "kube-system"},
	"spec": {"containers": [{"command": ["kube-apiserver", "--service-cluster-ip-range=10.96.0.0/12,fd00:96::/112"]}]},
}

test_found_within_the_service_network if {
	far := incident({"kubelet_config": kubelet(["10.100.7.10"])})
	found_only with input as object.union(far, {"cluster": {"pods": [api_server]}})
	unexamined_only with input as far
}

test_ruled_out_right if {
	ruled_out_only with input as incident({})
	ruled_out_only with input as incident({"namespaces": [namespace(["10.96.0.10"])], "pods": [pod({})]})
}

test_ruled_out_node_local if {
	ruled_out_only with input as incident({
		"kubelet_config": kubelet(["169.254.20.10"]),
		"namespaces": [namespace(["169.254.20.10"])],
		"pods": [pod({})],
	})
}

test_ruled_out_a_resolver_on_the_node if {
	ruled_out_only with input as incident({"kubelet_config": kubelet(["192.0.2.1"])})
}

test_ruled_out_dns_config_of_its_own if {
	own := pod({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.96.0.99"]}})
	ruled_out_only with input as incident({"namespaces": [namespace(["10.96.0.99"])], "pods": [own]})
	more := pod({"dnsConfig": {"nameservers": ["10.96.0.99"]}})
	ruled_out_only with input as incident({"namespaces": [namespace(["10.96.0.10", "10.96.0.99"])], "pods": [more]})
}

test_ruled_out_dns_policy_default if {
	ruled_out_only with input as incident({"namespaces": [namespace(["127.0.0.53"])], "pods": [pod({"dnsPolicy": "Default"})]})
	ruled_out_only with input as incident({"namespaces": [namespace(["127.0.0.53"])], "pods": [pod({"hostNetwork": true})]})
}

test_ruled_out_a_second_one_is_right if {
	ruled_out_only with input as incident({"kubelet_config": kubelet(["10.96.0.11", "10.96.0.10"])})
}

test_ruled_out_no_node if {
	client := {"node": {"name": "client", "kubelet_config": {}, "namespaces": [], "pods": []}, "peers": [], "cluster": misled.cluster}
	no_rules := {"modes": [], "detached": []}
	ruled_out_only with input as client with netcause.kube_proxy_rules as no_rules
}

test_unexamined_a_server_outside if {
	some u in rule.unexamined with input as incident({"kubelet_config": kubelet(["198.51.100.53"])})
	contains(u.reason, "dig @198.51.100.53 kubernetes.default")
	unexamined_only with input as incident({"kubelet_config": kubelet(["198.51.100.53"])})
}

test_unexamined_no_dns_service if {
	bare := object.union(incident({}), {"cluster": {"services": [web]}})
	unexamined_only with input as bare
}

test_unexamined_neither_kubelet_nor_pods if {
	bare := {"node": object.remove(node, ["kubelet_config"]), "peers": [], "cluster": misled.cluster}
	unexamined_only with input as bare
}
