package netcause.rules.dns_failure.dns_loop_test

import data.netcause.rules.dns_failure.dns_loop as rule

service := {
	"metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
	"spec": {
		"clusterIP": "10.96.0.10",
		"selector": {"k8s-app": "kube-dns"},
		"ports": [{"name": "dns", "port": 53, "protocol": "UDP"}],
	},
	"source": "services.json",
}

pod := {
	"metadata": {"name": "coredns-1", "namespace": "kube-system", "uid": "u1", "labels": {"k8s-app": "kube-dns"}},
	"spec": {
		"nodeName": "n1",
		"dnsPolicy": "Default",
		"containers": [{"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.12.0"}],
	},
	"status": {"phase": "Running", "podIP": "10.244.1.2"},
	"source": "pods.json",
}

corefile(line) := {
	"metadata": {"name": "coredns", "namespace": "kube-system"},
	"data": {"Corefile": sprintf(".:53 {\n    errors\n    %s\n    loop\n}\n", [line])},
	"source": "configmaps.json",
}

conf(file, addresses) := {"file": file, "source": file, "nameservers": [{"address": address} | some address in addresses]}

node(resolv_conf, kubelet_file) := {
	"name": "n1",
	"collected": true,
	"resolv_conf": resolv_conf,
	"kubelet_config": {"file": "/var/lib/kubelet/config.yaml", "resolvConf": kubelet_file},
	"namespaces": [],
}

own(addresses) := {
	"name": "n1",
	"collected": true,
	"namespaces": [{"id": "cni-1", "pod": {"uid": "u1"}, "resolv_conf": conf("nsenter -t 7 -m cat /etc/resolv.conf", addresses)}],
}

incident(nodes, line) := {"nodes": nodes, "cluster": {"pods": [pod], "services": [service], "configmaps": [corefile(line)]}}

to_file := "forward . /etc/resolv.conf"

stub := conf("/etc/resolv.conf", ["127.0.0.53"])

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

test_found_stub_of_the_node if {
	some f in rule.finding with input as incident([node(stub, "/etc/resolv.conf")], to_file)
	f.subject == {"kind": "Pod", "name": "coredns-1", "namespace": "kube-system", "node": "n1"}
	f.message == concat(": ", [
		"The DNS Pod kube-system/coredns-1 sends names to 127.0.0.53, which comes back to it",
		"in its Pod that is CoreDNS itself, not the node's stub.",
	])
	f.evidence[0].source == "/etc/resolv.conf"
	f.evidence[1].value == "forward . /etc/resolv.conf"
	contains(f.fix.steps[0].run, "resolvConf: /run/systemd/resolve/resolv.conf")
	f.fix.steps[2].run == "kubectl -n kube-system delete pod coredns-1"
	found_only with input as incident([node(stub, "")], to_file)
}

test_found_a_new_pod_may_be_on_another_node if {
	second := object.union(node(stub, ""), {"name": "n2", "object": {"metadata": {"name": "n2"}}})
	third := object.union(node(conf("/etc/resolv.conf", ["192.0.2.53"]), ""), {"name": "n3", "object": {"metadata": {"name": "n3"}}})
	some f in rule.finding with input as incident([node(stub, ""), second, third], to_file)
	{step.node | some step in f.fix.steps; step.node} == {"n1", "n2"}
}

test_found_in_the_pod if {
	found_only with input as incident([own(["127.0.0.1"])], to_file)
}

test_found_the_clusters_own_dns if {
	some f in rule.finding with input as incident([own(["10.96.0.10"])], to_file)
	endswith(f.message, "that is the cluster's DNS.")
	some g in rule.finding with input as incident([own(["192.0.2.53"])], "forward . 10.96.0.10")
	endswith(g.message, "its Corefile names the cluster's own DNS.")
}

test_found_old_plugin if {
	found_only with input as incident([own(["127.0.0.1"])], "proxy . /etc/resolv.conf")
}

test_ruled_out_servers_of_the_site if {
	ruled_out_only with input as incident([own(["192.0.2.53"])], to_file)
	ruled_out_only with input as incident([node(conf("/etc/resolv.conf", ["192.0.2.53"]), "")], to_file)
}

test_ruled_out_servers_in_the_corefile if {
	ruled_out_only with input as incident([own(["127.0.0.53"])], "forward . 192.0.2.53 192.0.2.54")
}

test_ruled_out_on_the_nodes_network if {
	host := object.union(pod, {"spec": {"hostNetwork": true}})
	facts := incident([node(stub, "")], to_file)
	ruled_out_only with input as {"nodes": facts.nodes, "cluster": object.union(facts.cluster, {"pods": [host]})}
}

test_unexamined_kubelet_copies_another_file if {
	unexamined_only with input as incident([node(stub, "/run/systemd/resolve/resolv.conf")], to_file)
}

test_unexamined_node_not_collected if {
	some u in rule.unexamined with input as incident([], to_file)
	u.node == "n1"
	unexamined_only with input as incident([], to_file)
}

test_ruled_out_no_coredns if {
	ruled_out_only with input as {"nodes": [], "cluster": {"pods": [], "services": [service], "configmaps": []}}
}

test_unexamined_kubelet_configuration_was_not_read if {
	some u in rule.unexamined with input as incident([object.remove(node(stub, ""), ["kubelet_config"])], to_file)
	u.group == "kubelet_config"
}

ended(line, ready) := object.union(pod, {
	"status": {"phase": "Running", "podIP": "10.244.1.2", "conditions": [{"type": "Ready", "status": ready}]},
	"logs": [{"text": line, "source": "kube-system/coredns-1/logs.txt:7"}],
})

detected := `[FATAL] plugin/loop: Loop (127.0.0.1:38520 -> :53) detected for zone "."`

told(it, line) := {"nodes": [], "cluster": {"pods": [it], "services": [service], "configmaps": [corefile(line)]}}

test_found_by_its_log if {
	some f in rule.finding with input as told(ended(detected, "False"), to_file)
	f.subject.name == "coredns-1"
	f.message == "The DNS Pod kube-system/coredns-1 found that its questions come back to it, and ended: so says its log."
	f.evidence[0] == {"fact": "log of Pod kube-system/coredns-1", "value": detected, "source": "kube-system/coredns-1/logs.txt:7"}
	f.fix.steps[0].node == "n1"
	f.fix.steps[2].run == "kubectl -n kube-system delete pod coredns-1"
	found_only with input as told(ended(detected, "False"), to_file)
}

test_found_by_its_log_though_servers_are_named if {
	some f in rule.finding with input as told(ended(detected, "False"), "forward . 10.0.0.53")
	contains(f.fix.steps[0].edit, "instead of: forward . 10.0.0.53")
	found_only with input as told(ended(detected, "False"), "forward . 10.0.0.53")
}

test_ruled_out_log_of_a_pod_that_is_ready_again if {
	ruled_out_only with input as told(ended(detected, "True"), "forward . 10.0.0.53")
}

test_unexamined_log_tells_something_else if {
	unexamined_only with input as told(ended("plugin/loop: Loop (127.0.0.1:1 -> :53) suspected", "False"), to_file)
}

test_found_by_its_log_beside_the_way_is_one_finding if {
	both := object.union(told(ended(detected, "False"), to_file), {"nodes": [node(stub, "/etc/resolv.conf")]})
	found_only with input as both
}

test_unexamined_no_dns_service_is_known if {
	elsewhere := object.union(service, {"metadata": {"namespace": "edge-dns"}})
	unknown := {"nodes": [], "cluster": {"pods": [pod], "services": [elsewhere], "configmaps": []}}
	some u in rule.unexamined with input as unknown
	u.group == "cluster.services"
	count(rule.finding) + count(rule.ruled_out) == 0 with input as unknown
}

# A file of the Pod's own names servers that are not known.
test_unexamined_forwards_to_servers_of_another_file if {
	count(rule.ruled_out) == 0 with input as incident([], "forward . /etc/coredns/resolv.conf")
}
