package netcause.rules.network_unreachable.ip_forward_disabled_test

import data.netcause.rules.network_unreachable.ip_forward_disabled as rule

api_node := {
	"metadata": {"name": "n1"},
	"spec": {"podCIDR": "10.244.1.0/24"},
	"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
	"source": "nodes.json",
}

set(values) := {key: {"value": value, "source": sprintf("sysctl %s", [key])} | some key, value in values}

node(values) := {
	"name": "n1",
	"object": api_node,
	"links": [{"ifname": "vx.1", "kind": "vxlan", "flags": ["UP"], "vxlan": {"link": "eth0"}}],
	"addresses": [
		{"dev": "eth0", "family": "inet", "local": "192.0.2.1", "prefixlen": 24},
		{"dev": "cni0", "family": "inet", "local": "10.244.1.1", "prefixlen": 24},
	],
	"routes": [{"dst": "10.244.2.0/24", "via": "10.244.2.0", "dev": "vx.1"}],
	"pods": [],
	"processes": [],
	"sysctls": set(values),
	"status": {},
}

one(n) := {"node": n, "peers": [], "cluster": {"nodes": [api_node, {"metadata": {"name": "n2"}, "spec": {"podCIDR": "10.244.2.0/24"}}]}}

forwarding := {
	"net.ipv4.ip_forward": "1",
	"net.ipv4.conf.eth0.forwarding": "1",
	"net.ipv4.conf.cni0.forwarding": "1",
	"net.ipv4.conf.vx/1.forwarding": "1",
	"net.ipv6.conf.all.forwarding": "0",
}

off[key] := "0" if some key, _ in forwarding

test_found_ip_forward if {
	found := rule.finding with input as one(node(off))
	count(found) == 1
	some f in found
	startswith(f.message, "n1 is the router of its Pods, and does not forward IPv4 packets (net.ipv4.ip_forward = 0): ")
	f.evidence == [{"fact": "net.ipv4.ip_forward", "value": "0", "source": "sysctl net.ipv4.ip_forward"}]
	f.fix.steps[0].run == "sysctl -w net.ipv4.ip_forward=1"
	f.fix.steps[1].run == "mkdir -p /etc/sysctl.d\necho 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/99-zz-kubernetes-forward.conf"
	endswith(f.fix.steps[1].why, "grep -rsE 'ip_forward' /etc/sysctl.conf /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d")
	count(rule.ruled_out) == 0 with input as one(node(off))
}

test_found_where_it_alone_is_known if {
	count(rule.finding) == 1 with input as one(node({"net.ipv4.ip_forward": "0"}))
}

test_found_one_device if {
	every dev in ["cni0", "vx/1", "eth0"] {
		key := sprintf("net.ipv4.conf.%s.forwarding", [dev])
		some f in rule.finding with input as one(node(object.union(forwarding, {key: "0"})))
		[e.fact | some e in f.evidence] == [key]
		f.fix.steps[0].run == sprintf("sysctl -w %s=1", [key])
	}
}

test_found_device_of_a_pod if {
	pod := {"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Running", "podIP": "10.244.1.9"}}
	n := object.union(node(object.union(forwarding, {"net.ipv4.conf.cali12.forwarding": "0"})), {"pods": [pod]})
	answer := {"status": "route", "route": {"dst": "10.244.1.9/32", "dev": "cali12"}}
	count(rule.finding) == 1 with input as one(n) with netcause.route as answer
}

test_found_ipv6_pods if {
	dual := object.union(api_node, {"spec": {"podCIDRs": ["10.244.1.0/24", "fd00:1::/64"]}})
	n := object.union(node(forwarding), {"object": dual})
	some f in rule.finding with input as one(n)
	contains(f.message, "does not forward IPv6 packets (net.ipv6.conf.all.forwarding = 0)")
}

test_found_without_a_node_object_by_its_kubelet if {
	n := object.union(object.remove(node(off), ["object"]), {"processes": [{"comm": "kubelet", "hostNetwork": true}]})
	count(rule.finding) == 1 with input as {"node": n, "peers": [], "cluster": {}}
}

nothing_of_kube_proxy := {"modes": [], "detached": []}

test_ruled_out_client_outside_the_cluster if {
	client := object.remove(node(off), ["object"])
	i := {"node": client, "peers": [], "cluster": {"nodes": [api_node]}}
	count(rule.finding) == 0 with input as i with netcause.kube_proxy_rules as nothing_of_kube_proxy
	some r in rule.ruled_out with input as i with netcause.kube_proxy_rules as nothing_of_kube_proxy
	r.message == "it is no node of a cluster"
}

test_ruled_out_it_forwards if {
	count(rule.finding) == 0 with input as one(node(forwarding))
	count(rule.unexamined) == 0 with input as one(node(forwarding))
	some r in rule.ruled_out with input as one(node(forwarding))
	r.message == "it forwards, on every device that carries Pods' packets"
}

test_ruled_out_device_that_carries_no_pods if {
	values := object.union(forwarding, {"net.ipv4.conf.docker0.forwarding": "0", "net.ipv4.conf.lo.forwarding": "0"})
	count(rule.finding) == 0 with input as one(node(values))
}

# Somebody set ip_forward to 0 and then each device of the Pods to 1: the kernel looks at the device.
test_ruled_out_the_devices_forward if {
	count(rule.finding) == 0 with input as one(node(object.union(forwarding, {"net.ipv4.ip_forward": "0"})))
}

test_ruled_out_ipv6_that_no_pod_has if {
	count(rule.finding) == 0 with input as one(node(forwarding))
}

test_ruled_out_macvlan if {
	n := object.union(node(off), {"cni": {"files": [{"plugins": [{"type": "macvlan"}]}]}})
	count(rule.finding) == 0 with input as one(n)
	count(rule.ruled_out) == 1 with input as one(n)
}

test_unexamined_ebpf_may_forward if {
	n := object.union(node(off), {"processes": [{"comm": "cilium-agent", "hostNetwork": true}]})
	count(rule.finding) == 0 with input as one(n)
	some u in rule.unexamined with input as one(n)
	contains(u.reason, "Cilium may carry packets past it")
}

test_unexamined_sysctl_not_among_those_read if {
	n := node({"net.core.somaxconn": "4096"})
	count(rule.finding) == 0 with input as one(n)
	count(rule.ruled_out) == 0 with input as one(n)
	some u in rule.unexamined with input as one(n)
	u.group == "sysctls"
}

test_unexamined_no_node_known if {
	n := object.remove(node(off), ["object", "processes"])
	i := {"node": n, "peers": [], "cluster": {}}
	some u in rule.unexamined with input as i with netcause.kube_proxy_rules as nothing_of_kube_proxy
	u.group == "processes"
}

of_ipv6 := object.union(api_node, {
	"spec": {"podCIDR": "2001:db8:f1::/64", "podCIDRs": ["2001:db8:f1::/64"]},
	"status": {"addresses": [{"type": "InternalIP", "address": "2001:db8:1::11"}]},
})

test_ruled_out_ipv6_alone_forwards_no_ipv4 if {
	values := object.union(off, {"net.ipv6.conf.all.forwarding": "1"})
	n := object.union(node(values), {"object": of_ipv6})
	count(rule.finding) == 0 with input as one(n)
	count(rule.ruled_out) == 1 with input as one(n)
}

test_found_ipv6_alone if {
	n := object.union(node(off), {"object": of_ipv6})
	some f in rule.finding with input as one(n)
	contains(f.message, "does not forward IPv6 packets (net.ipv6.conf.all.forwarding = 0): ")
}

test_unexamined_open_vswitch_may_forward if {
	n := object.union(node(off), {"links": [{"ifname": "ovn-k8s-mp0", "kind": "openvswitch"}]})
	count(rule.finding) == 0 with input as one(n)
	some u in rule.unexamined with input as one(n)
	endswith(u.reason, "the programs of Open vSwitch may carry packets past it")
}

test_unexamined_ipv6_is_forwarded_and_neither_node_nor_routes_are_known if {
	values := object.union(off, {"net.ipv6.conf.all.forwarding": "1"})
	kubelet := {"comm": "kubelet", "hostNetwork": true}
	n := object.union(object.remove(node(values), ["object", "routes", "processes"]), {"processes": [kubelet]})
	alone := {"node": n, "peers": [], "cluster": {}}
	count(rule.finding) == 0 with input as alone
	{u.group | some u in rule.unexamined} == {"routes"} with input as alone
}
