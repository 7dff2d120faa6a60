package netcause.rules.cni.node_static_and_dhcp_address_test

import data.netcause.rules.cni.node_static_and_dhcp_address as rule

static(dev) := {
	"dev": dev,
	"family": "inet",
	"local": "192.0.2.15",
	"prefixlen": 24,
	"scope": "global",
	"dynamic": false,
	"valid_life_time": 4294967295,
	"source": "ip -d address show dev eth0",
}

leased(dev) := {
	"dev": dev,
	"family": "inet",
	"local": "192.0.2.228",
	"prefixlen": 24,
	"scope": "global",
	"dynamic": true,
	"flags": ["secondary"],
	"valid_life_time": 86280,
	"source": "ip -d address show dev eth0",
}

setting(key, line, text) := {"key": key, "line": line, "text": text, "source": sprintf("/etc/net/file:%d", [line])}

ifcfg(device) := {
	"file": "/etc/net/file",
	"format": "ifcfg",
	"device": device,
	"dhcp4": setting("BOOTPROTO", 4, `BOOTPROTO="dhcp"`),
	"addresses": [{"local": "192.0.2.15", "prefixlen": 24, "setting": setting("IPADDR", 10, `IPADDR="192.0.2.15"`)}],
	"onboot": true,
	"nm_controlled": true,
}

registered(address) := {
	"metadata": {"name": "n1"},
	"spec": {},
	"status": {"addresses": [{"type": "InternalIP", "address": address}]},
	"source": "nodes.json",
}

default_by(dev) := {"type": "unicast", "dst": "0.0.0.0/0", "via": "192.0.2.1", "dev": dev, "family": "inet", "source": "ip route"}

incident(node) := {"node": object.union({"name": "n1", "collected": true, "status": {}}, node), "peers": [], "cluster": {}}

both := {
	"object": registered("192.0.2.15"),
	"addresses": [static("eth0"), leased("eth0")],
	"routes": [default_by("eth0")],
	"config_files": {"interfaces": [ifcfg("eth0")]},
	"processes": [],
}

runs(f) := [step.run | some step in f.fix.steps]

edits(f) := [step.edit | some step in f.fix.steps]

nothing_found if {
	count(rule.finding) == 0
	count(rule.unexamined) == 0
	count(rule.ruled_out) > 0
}

test_found_ifcfg_keeps_the_static_address if {
	found := rule.finding with input as incident(both)
	count(found) == 1
	some f in found
	contains(f.message, "eth0 of n1 has the static address 192.0.2.15 and leases 192.0.2.228")
	contains(f.message, "packets may leave with 192.0.2.228, and the cluster knows the node by 192.0.2.15")
	edits(f)[0] == `at /etc/net/file:4 (BOOTPROTO="dhcp") set BOOTPROTO="none"`
	array.slice(runs(f), 0, 3) == ["ifdown eth0; ifup eth0", "systemctl restart containerd", "systemctl restart kubelet"]
	f.verify == "ip -4 address show dev eth0 shows 192.0.2.15 alone"
	values := {[e.value, e.source] | some e in f.evidence}
	["192.0.2.228/24", "ip -d address show dev eth0"] in values
	[`BOOTPROTO="dhcp"`, "/etc/net/file:4"] in values
	[`IPADDR="192.0.2.15"`, "/etc/net/file:10"] in values
	["192.0.2.15", "nodes.json"] in values
	count(rule.ruled_out) == 0 with input as incident(both)
}

test_found_networkmanager_reapplies if {
	some f in rule.finding with input as incident(object.union(both, {"processes": [
		{"comm": "NetworkManager", "pid": 1, "hostNetwork": true},
		{"comm": "dockerd", "pid": 2, "hostNetwork": true},
	]}))
	runs(f)[0] == "nmcli connection reload && nmcli device reapply eth0"
	runs(f)[1] == "systemctl restart docker"
}

test_found_leased_address_is_the_nodes if {
	some f in rule.finding with input as incident(object.union(both, {"object": registered("192.0.2.228")}))
	edits(f)[0] == `at /etc/net/file:10 remove the static address: IPADDR="192.0.2.15"`
	f.fix.summary == "Leave eth0 with one address, 192.0.2.228"
	contains(f.message, "packets may leave with 192.0.2.15, and the cluster knows the node by 192.0.2.228")
	f.verify == "ip -4 address show dev eth0 shows 192.0.2.228 alone"
}

test_found_without_cluster if {
	some f in rule.finding with input as incident(object.remove(both, ["object"]))
	f.verify == "ip -4 address show dev eth0 shows 192.0.2.15 alone"
	contains(f.message, "packets may leave with either")
}

test_found_without_cluster_or_default_route if {
	vxlan := {"ifname": "vxlan0", "kind": "vxlan", "vxlan": {"local": "192.0.2.228"}}
	node := object.union(object.remove(both, ["object", "processes"]), {"routes": [], "links": [vxlan]})
	count(rule.finding) == 1 with input as incident(node)
}

test_found_multipath_default_route if {
	route := {"dst": "0.0.0.0/0", "nexthops": [{"dev": "eth0", "via": "192.0.2.1"}, {"dev": "eth1", "via": "198.51.100.1"}]}
	count(rule.finding) == 1 with input as incident(object.union(object.remove(both, ["object"]), {"routes": [route]}))
}

# What each format calls DHCP and a static address.
formats := {
	"ifcfg": [setting("BOOTPROTO", 4, "BOOTPROTO=dhcp"), "set BOOTPROTO=\"none\""],
	"netplan": [setting("network.ethernets.eth0.dhcp4", 5, "      dhcp4: true"), "set dhcp4: false"],
	"keyfile": [setting("ipv4.method", 9, "method=auto"), "set method=manual in [ipv4]"],
	"networkd": [setting("Network.DHCP", 4, "DHCP=yes"), "set DHCP=no"],
	"interfaces": [setting("inet", 3, "iface eth0 inet dhcp"), "remove the inet dhcp stanza"],
}

test_found_every_format if {
	every format, words in formats {
		file := object.union(ifcfg("eth0"), {"format": format, "dhcp4": words[0]})
		some f in rule.finding with input as incident(object.union(both, {"config_files": {"interfaces": [file]}}))
		contains(edits(f)[0], words[1])
		contains(edits(f)[0], trim_space(words[0].text))
	}
}

test_found_reload_of_every_format if {
	every format, command in {
		"netplan": "netplan apply",
		"keyfile": "nmcli connection reload && nmcli device reapply eth0",
		"networkd": "networkctl reload && networkctl reconfigure eth0",
		"interfaces": "ifdown eth0",
	} {
		file := object.union(ifcfg("eth0"), {"format": format})
		some f in rule.finding with input as incident(object.union(both, {"config_files": {"interfaces": [file]}}))
		runs(f)[0] == command
	}
}

test_found_two_stanzas_of_interfaces if {
	dhcp := object.remove(object.union(ifcfg("eth0"), {"format": "interfaces"}), ["addresses"])
	manual := object.remove(object.union(ifcfg("eth0"), {"format": "interfaces"}), ["dhcp4"])
	count(rule.finding) == 1 with input as incident(object.union(both, {"config_files": {"interfaces": [dhcp, manual]}}))
}

test_found_alias_file_beside_dhcp if {
	dhcp := object.remove(ifcfg("eth0"), ["addresses"])
	alias := object.remove(ifcfg("eth0:1"), ["dhcp4"])
	count(rule.finding) == 1 with input as incident(object.union(both, {"config_files": {"interfaces": [dhcp, alias]}}))
}

test_found_file_by_mac_address if {
	file := object.union(ifcfg(""), {"mac_address": "02:00:00:00:00:01"})
	node := object.union(both, {
		"links": [{"ifname": "eth0", "address": "02:00:00:00:00:01"}, {"ifname": "eth1", "address": "02:00:00:00:00:02"}],
		"config_files": {"interfaces": [file]},
	})
	count(rule.finding) == 1 with input as incident(node)
	other := object.union(node, {"config_files": {"interfaces": [object.union(file, {"mac_address": "02:00:00:00:00:02"})]}})
	count(rule.finding) == 0 with input as incident(other)
}

test_found_file_by_pattern if {
	every device, findings in {"eth*": 1, "en* eth*": 1, "e*0": 1, "!eth1": 1, "en*": 0, "!lo eth*": 0} {
		file := object.union(ifcfg(device), {"format": "networkd"})
		count(rule.finding) == findings with input as incident(object.union(both, {"config_files": {"interfaces": [file]}}))
	}
}

test_found_profile_without_device if {
	file := object.union(ifcfg(""), {"format": "keyfile"})
	count(rule.finding) == 1 with input as incident(object.union(both, {"config_files": {"interfaces": [file]}}))
}

test_found_on_any_kind_of_uplink if {
	every dev in ["bond0", "eth0.100", "br0", "veth-n1", "team0", "enp26s0f0np0"] {
		node := object.union(both, {
			"addresses": [static(dev), leased(dev)],
			"links": [{"ifname": dev, "kind": "whatever"}],
			"config_files": {"interfaces": [ifcfg(dev)]},
		})
		count(rule.finding) == 1 with input as incident(node)
	}
}

test_found_node_object_without_status if {
	node := object.union(object.remove(both, ["object"]), {"object": {"metadata": {"name": "n1"}, "source": "nodes.json"}})
	count(rule.finding) == 1 with input as incident(node)
}

test_found_restarts_what_the_node_has if {
	every version, command in {
		"docker://20.10.7": "systemctl restart docker",
		"cri-o://1.30.0": "systemctl restart crio",
		"containerd://1.7.1": "systemctl restart containerd",
	} {
		api_node := object.union(registered("192.0.2.15"), {"status": {"nodeInfo": {"containerRuntimeVersion": version}}})
		some f in rule.finding with input as incident(object.union(both, {"object": api_node}))
		command in runs(f)
	}
	k3s := object.union(registered("192.0.2.15"), {"status": {"nodeInfo": {"kubeletVersion": "v1.33.1+k3s1"}}})
	some g in rule.finding with input as incident(object.union(both, {"object": k3s}))
	"systemctl restart k3s-agent || systemctl restart k3s" in runs(g)
}

test_found_restarts_the_agent_that_is_there if {
	annotated := object.union(registered("192.0.2.15"), {"metadata": {"annotations": {"flannel.alpha.coreos.com/public-ip": "192.0.2.15"}}})
	some by_label in rule.finding with input as incident(object.union(both, {"object": annotated}))
	"kubectl delete pod -A -l app=flannel --field-selector spec.nodeName=n1" in runs(by_label)

	pod := {"metadata": {"name": "kube-flannel-ds-x1y2z", "namespace": "kube-flannel"}, "spec": {"nodeName": "n1"}}
	some by_name in rule.finding with input as incident(object.union(both, {"pods": [pod]}))
	"kubectl -n kube-flannel delete pod kube-flannel-ds-x1y2z" in runs(by_name)

	flanneld := {"comm": "flanneld", "pid": 7, "hostNetwork": true}
	some by_process in rule.finding with input as object.union(
		incident(object.union(both, {"processes": [flanneld]})),
		{"cluster": {"pods": []}},
	)
	"systemctl restart flanneld" in runs(by_process)
}

test_ruled_out_two_static_addresses if {
	second := object.union(leased("eth0"), {"dynamic": false})
	nothing_found with input as incident(object.union(both, {"addresses": [static("eth0"), second]}))
}

test_ruled_out_dhcp_alone if {
	nothing_found with input as incident(object.union(both, {
		"object": registered("192.0.2.228"),
		"addresses": [leased("eth0")],
		"config_files": {"interfaces": [object.remove(ifcfg("eth0"), ["addresses"])]},
	}))
}

test_ruled_out_link_that_the_cluster_does_not_use if {
	uplink := object.union(static("eth0"), {"local": "198.51.100.5"})
	node := object.union(both, {
		"object": registered("198.51.100.5"),
		"addresses": [uplink, static("eth1"), leased("eth1")],
		"config_files": {"interfaces": [ifcfg("eth1")]},
	})
	nothing_found with input as incident(node)
	nothing_found with input as incident(object.remove(node, ["object"]))
}

test_ruled_out_ipv6_beside_static_ipv4 if {
	slaac := {
		"dev": "eth0",
		"family": "inet6",
		"local": "2001:db8::15",
		"prefixlen": 64,
		"scope": "global",
		"dynamic": true,
		"valid_life_time": 2591999,
		"source": "ip -d address",
	}
	nothing_found with input as incident(object.union(both, {"addresses": [static("eth0"), slaac]}))
}

test_ruled_out_leased_address_of_another_subnet if {
	other := object.union(leased("eth0"), {"local": "198.51.100.7"})
	nothing_found with input as incident(object.union(both, {"addresses": [static("eth0"), other]}))
}

test_ruled_out_virtual_address_beside_lease if {
	node := object.union(both, {
		"object": registered("192.0.2.228"),
		"config_files": {"interfaces": [object.remove(ifcfg("eth0"), ["addresses"])]},
	})
	nothing_found with input as incident(node)
	some r in rule.ruled_out with input as incident(node)
	contains(r.message, "a virtual address that a program set")
}

test_ruled_out_host_address_within_the_lease if {
	host := object.union(static("eth0"), {"prefixlen": 32})
	nothing_found with input as incident(object.union(both, {"addresses": [host, leased("eth0")]}))
}

test_unexamined_nobody_asks_for_the_lease if {
	node := object.union(both, {"config_files": {"interfaces": [object.remove(ifcfg("eth0"), ["dhcp4"])]}})
	some u in rule.unexamined with input as incident(node)
	u.group == "config_files"
	count(rule.finding) == 0 with input as incident(node)
}

test_unexamined_no_file if {
	node := object.union(both, {"config_files": {"interfaces": []}})
	count(rule.unexamined) == 1 with input as incident(node)
	count(rule.finding) + count(rule.ruled_out) == 0 with input as incident(node)
}

test_unexamined_uplink_not_known if {
	some u in rule.unexamined with input as incident(object.remove(both, ["object", "routes"]))
	u.group == "routes"
	count(rule.ruled_out) == 0 with input as incident(object.remove(both, ["object", "routes"]))
}

test_found_ifupdown_goes_down_by_the_old_file if {
	file := object.union(ifcfg("eth0"), {"format": "interfaces"})
	some f in rule.finding with input as incident(object.union(both, {"config_files": {"interfaces": [file]}}))
	f.fix.steps[0].run == "ifdown eth0"
	startswith(f.fix.steps[1].edit, "at /etc/net/file:4")
	f.fix.steps[2].run == "ifup eth0"
	count([step | some step in f.fix.steps; contains(object.get(step, "run", ""), "ifup")]) == 1
}

# Ubuntu's cloud images: what is changed in this file alone is gone after the next boot.
test_found_file_of_cloud_init_is_kept_from_it if {
	source := "/etc/netplan/50-cloud-init.yaml:8"
	dhcp4 := {"key": "network.ethernets.eth0.dhcp4", "line": 8, "text": "dhcp4: true", "source": source}
	file := object.union(ifcfg("eth0"), {"file": "/etc/netplan/50-cloud-init.yaml", "format": "netplan", "dhcp4": dhcp4})
	some f in rule.finding with input as incident(object.union(both, {"config_files": {"interfaces": [file]}}))
	startswith(f.fix.steps[0].edit, sprintf("at %s", [source]))
	contains(f.fix.steps[1].run, "network: {config: disabled}")
	contains(f.fix.steps[1].why, "cloud-init wrote /etc/netplan/50-cloud-init.yaml,")
	f.fix.steps[2].run == "netplan apply"
}

generated := {
	"file": "/run/systemd/network/10-netplan-eth0.network",
	"format": "networkd",
	"device": "eth0",
	"dhcp4": {"key": "Network.DHCP", "line": 5, "text": "DHCP=ipv4", "source": "/run/systemd/network/10-netplan-eth0.network:5"},
	"addresses": [{"local": "192.0.2.15", "prefixlen": 24, "setting": {
		"key": "Network.Address",
		"line": 7,
		"text": "Address=192.0.2.15/24",
		"source": "/run/systemd/network/10-netplan-eth0.network:7",
	}}],
}

test_found_generated_file_is_evidence_and_its_source_is_edited if {
	file := object.union(ifcfg("eth0"), {"format": "netplan"})
	node := object.union(both, {"config_files": {"interfaces": [generated, file]}})
	some f in rule.finding with input as incident(node)
	"/run/systemd/network/10-netplan-eth0.network:5" in {e.source | some e in f.evidence}
	count([edit | some edit in edits(f); contains(edit, "/run/")]) == 0
	startswith(edits(f)[0], "at /etc/net/file:4")
	runs(f)[0] == "netplan apply"
	some kept_leased in rule.finding with input as incident(object.union(node, {"object": registered("192.0.2.228")}))
	count([edit | some edit in edits(kept_leased); contains(edit, "/run/")]) == 0
}

test_found_generated_file_alone_is_edited if {
	some f in rule.finding with input as incident(object.union(both, {"config_files": {"interfaces": [generated]}}))
	startswith(edits(f)[0], "at /run/systemd/network/10-netplan-eth0.network:5")
}

with_files(files, reason) := incident(object.union(both, {
	"config_files": {"interfaces": files},
	"status": {"config_files": {"status": "read", "reason": reason}},
}))

test_unexamined_says_what_was_not_understood if {
	line := {"key": "", "value": "did not find expected key", "line": 4, "text": "", "source": "/etc/netplan/50.yaml:4"}
	broken := {"file": "/etc/netplan/50.yaml", "format": "netplan", "device": "", "settings": [], "unparsed": [line]}
	partly := object.union(object.remove(ifcfg("eth0"), ["dhcp4"]), {"unparsed": [line]})
	note := "not understood: /etc/network/interfaces:3"
	every facts, words in {
		with_files([broken], note): "; not understood: /etc/netplan/50.yaml:4",
		with_files([partly], note): "; not understood: /etc/netplan/50.yaml:4",
		with_files([object.union(partly, {"device": "eth1"})], note): sprintf("asks for a lease; %s", [note]),
		with_files([], note): sprintf("asks for a lease; %s", [note]),
	} {
		some u in rule.unexamined with input as facts
		endswith(u.reason, words)
	}
	some u in rule.unexamined with input as incident(object.union(both, {"config_files": {"interfaces": []}}))
	endswith(u.reason, "asks for a lease")
}

# netplan with dhcp4 and an address more, for an ingress: the kernel has it as secondary, the client names its source.
extra_address := object.union(both, {
	"object": registered("192.0.2.228"),
	"addresses": [
		object.union(leased("eth0"), {"flags": []}),
		object.union(static("eth0"), {"flags": ["secondary"]}),
	],
	"routes": [
		object.union(default_by("eth0"), {"src": "192.0.2.228"}),
		{"dst": "192.0.2.0/24", "dev": "eth0", "src": "192.0.2.228"},
	],
})

test_ruled_out_all_leaves_with_the_leased_address_of_the_node if {
	nothing_found with input as incident(extra_address)
}

test_found_static_address_is_the_source_of_the_network if {
	routes := array.concat(extra_address.routes, [{"dst": "192.0.2.0/24", "dev": "eth0", "src": "192.0.2.15"}])
	count(rule.finding) == 1 with input as incident(object.union(extra_address, {"routes": routes}))
}

test_unexamined_all_leaves_with_the_leased_address_and_no_node_is_known if {
	alone := incident(object.remove(extra_address, ["object"]))
	count(rule.finding) == 0 with input as alone
	{u.group | some u in rule.unexamined} == {"cluster.nodes"} with input as alone
}

test_unexamined_extra_address_and_routes_not_read if {
	unread := incident(object.remove(extra_address, ["routes"]))
	count(rule.finding) == 0 with input as unread
	{u.group | some u in rule.unexamined} == {"routes"} with input as unread
}
