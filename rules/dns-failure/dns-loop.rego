# METADATA
# title: The cluster's DNS forwards to itself
# description: >-
#   CoreDNS sends what is not the cluster's to the nameservers of its resolv.conf, which kubelet copies from the node. Where
#   that names a stub on a loopback address, or the cluster's DNS, the question comes back to CoreDNS: its loop plugin then
#   ends it, again and again, and without that plugin it asks itself until it has no memory left.
# related_resources:
#   - ref: https://coredns.io/plugins/loop/
#     description: how CoreDNS detects a loop, its usual causes and the ways out
#   - ref: https://github.com/coredns/coredns/issues/2087
#     description: loops by the stub of systemd-resolved
#   - ref: https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/
#     description: known issues, resolvConf of kubelet and systemd-resolved
# custom:
#   id: dns-loop
#   category: dns-failure
#   scope: cluster
#   severity: critical
#   needs: [cluster.pods, cluster.services]
#   optional: [cluster.configmaps, cluster.nodes, kubelet_config, namespaces, resolv_conf]
#   explains: [dns-failure]
#   causes: [dns-service-without-endpoints]
package netcause.rules.dns_failure.dns_loop

import data.netcause.lib.dns
import data.netcause.lib.kubernetes
import data.netcause.lib.pod as pod_status
import data.netcause.lib.text

finding contains f if {
	count(_looping) > 0
	first := _looping[0]

	f := {
		"subject": {
			"kind": "Pod",
			"name": first.pod.metadata.name,
			"namespace": first.pod.metadata.namespace,
			"node": first.pod.spec.nodeName,
		},
		"affects": [],
		"message": sprintf("The DNS %s %s names to %s, which comes back to it: %s.", [
			_names,
			_sends,
			concat(", ", {back | some way in _looping; some back in way.back}),
			first.how,
		]),
		"evidence": array.flatten([
			[fact | some way in text.few(_looping); some fact in way.evidence],
			[_corefile_fact | _corefile_fact],
			[{"fact": sprintf("Pod %s", [kubernetes.name(way.pod)]), "value": pod_status.state(way.pod), "source": way.pod.source} |
				some way in text.few(_looping)
			],
		]),
		"fix": {
			"summary": "Give the DNS Pods the nameservers that the node's stub asks itself",
			"steps": array.flatten([
				[step | some node in _nodes; some step in _node_steps(node)],
				[_anew(way.pod) | some way in _looping],
			]),
			"alternatives": [{
				"summary": "Name the nameservers in the Corefile",
				"steps": [{
					"cluster": true,
					"edit": sprintf(
						"in ConfigMap %s write forward . with the addresses of the site's nameservers instead of /etc/resolv.conf",
						[_corefile_name],
					),
				}],
			}],
		},
		"verify": sprintf("kubectl -n %s get pods shows the DNS Pods ready, and a name of outside resolves", [first.pod.metadata.namespace]),
	}
}

# The log tells that questions come back, and not by which way.
finding contains f if {
	count(_looping) == 0
	some pod in _ended

	f := {
		"subject": {
			"kind": "Pod",
			"name": pod.metadata.name,
			"namespace": pod.metadata.namespace,
			"node": pod.spec.nodeName,
		},
		"affects": [],
		"message": sprintf("The DNS Pod %s found that its questions come back to it, and ended: so says its log.", [kubernetes.name(pod)]),
		"evidence": array.flatten([
			[_log_fact(pod, line) | some line in pod.logs; _tells_loop(line)],
			[_corefile_fact | _corefile_fact],
			{"fact": sprintf("Pod %s", [kubernetes.name(pod)]), "value": pod_status.state(pod), "source": pod.source},
		]),
		"fix": {
			"summary": "Give the DNS Pods nameservers that do not send the questions back",
			"steps": _ways_out(pod),
		},
		"verify": sprintf("kubectl -n %s get pods shows the DNS Pods ready, and a name of outside resolves", [pod.metadata.namespace]),
	}
}

ruled_out contains {"message": sprintf("its %d Pods send names on to servers elsewhere", [count(_clear)]), "evidence": [fact |
	some way in text.few(_clear)
	some fact in way.evidence
]} if {
	count(_looping) == 0
	count(_ended) == 0
	count(_clear) > 0
	count(_unknown) == 0
}

ruled_out contains {"message": "it forwards to servers that are named in its Corefile", "evidence": [_corefile_fact]} if {
	count(_looping) == 0
	count(_ended) == 0
	_names_servers
	count(_pods) > 0
}

ruled_out contains {"message": "no Pod of CoreDNS serves the cluster's names", "evidence": []} if {
	count(_services) > 0
	count(_pods) == 0
}

unexamined contains {"group": "cluster.services", "reason": "no Service of the cluster is known to be its DNS, by label or name"} if {
	count(_services) == 0
}

unexamined contains {"group": lack.group, "node": object.get(pod.spec, "nodeName", ""), "reason": reason} if {
	count(_looping) == 0
	count(_ended) == 0
	not _names_servers
	some pod in text.few(_unknown)
	lack := _lack(pod)
	reason := sprintf("the nameservers of Pod %s are not known: %s", [kubernetes.name(pod), lack.text])
}

_lack(pod) := {"group": "kubelet_config", "text": "which file kubelet gives it is in kubelet's configuration, which was not read"} if {
	pod.spec.dnsPolicy == "Default"
	node := _node(pod.spec.nodeName)
	node.resolv_conf.file
	not node.kubelet_config
} else := {"group": "resolv_conf", "text": "neither its resolv.conf nor its node's was read"}

_services := dns.services(input.cluster)

# CoreDNS' alone: others do not copy resolv.conf.
_pods := [pod |
	some pod in input.cluster.pods
	_is_dns(pod)
	some container in pod.spec.containers
	_runs_coredns(container)
	not pod.status.phase in {"Succeeded", "Failed"}
]

_runs_coredns(container) if contains(object.get(container, "image", ""), "coredns")

_runs_coredns(container) if {
	some word in array.concat(object.get(container, "command", []), object.get(container, "args", []))
	contains(word, "Corefile")
}

_is_dns(pod) if {
	some service in _services
	service.metadata.namespace == pod.metadata.namespace
	count(service.spec.selector) > 0
	every key, value in service.spec.selector {
		pod.metadata.labels[key] == value
	}
}

_corefile := [{"text": config.data.Corefile, "source": config.source, "name": name} |
	some config in input.cluster.configmaps
	name := sprintf("%s/%s", [config.metadata.namespace, config.metadata.name])
	name in _corefiles
	config.data.Corefile
][0]

default _corefile_name := "kube-system/coredns"

_corefile_name := _corefile.name

_corefiles := {"kube-system/coredns", "kube-system/rke2-coredns-rke2-coredns", "openshift-dns/dns-default"}

# _forwards are the lines that send the names of the root zone on.
_forwards := [trim_space(line) |
	some line in split(_corefile.text, "\n")
	regex.match(`^\s*(forward|proxy)\s+\.\s`, line)
]

_corefile_fact := {
	"fact": "forward in the Corefile",
	"value": concat("; ", _forwards),
	"source": _corefile.source,
} if {
	count(_forwards) > 0
}

_names_servers if {
	count(_named_back) == 0
	count(_forwards) > 0
	every line in _forwards {
		not regex.match(`\s/`, line)
	}
}

# _named_back are servers in the Corefile itself that lead back.
_named_back := [word |
	some line in _forwards
	some word in split(line, " ")
	word in dns.addresses(_services)
]

# _ways are the DNS Pods with the nameservers that they send names to.
_ways := [way |
	some pod in _pods
	not _names_servers
	way := _way(pod)
]

_way(pod) := {
	"pod": pod,
	"evidence": conf.evidence,
	"back": back,
	"how": _how(pod, back),
} if {
	conf := _conf(pod)
	back := [address | some address in conf.nameservers; _comes_back(pod, address)]
}

_looping := array.concat(
	[way | some way in _ways; count(way.back) > 0],
	[{"pod": pod, "evidence": [], "back": _named_back, "how": "its Corefile names the cluster's own DNS"} |
		count(_named_back) > 0
		some pod in _pods
	],
)

# _ended are the Pods whose log says that the loop plugin ended them. One that is Ready again has left that behind.
_ended := [pod |
	some pod in _pods
	kubernetes.not_ready(pod)
	count([line | some line in pod.logs; _tells_loop(line)]) > 0
]

_tells_loop(line) if {
	contains(line.text, "plugin/loop: Loop (")
	contains(line.text, ") detected")
}

_log_fact(pod, line) := {"fact": sprintf("log of Pod %s", [kubernetes.name(pod)]), "value": line.text, "source": line.source}

_ways_out(pod) := array.concat(_node_steps(pod.spec.nodeName), [_anew(pod)]) if not _names_servers

_ways_out(_) := [{
	"cluster": true,
	"edit": sprintf("in ConfigMap %s name servers that do not ask the cluster's DNS in their turn, instead of: %s", [
		_corefile_name,
		concat("; ", _forwards),
	]),
}] if {
	_names_servers
}

_clear := [way | some way in _ways; count(way.back) == 0]

_unknown := [pod | some pod in _pods; not _conf(pod)]

# The Pod's own file is the best witness; the one that kubelet copies is the next.
_conf(pod) := {"nameservers": [n.address | some n in namespace.resolv_conf.nameservers], "evidence": [{
	"fact": sprintf("nameservers of Pod %s", [kubernetes.name(pod)]),
	"value": concat(", ", [n.address | some n in namespace.resolv_conf.nameservers]),
	"source": namespace.resolv_conf.source,
}]} if {
	namespace := _namespace(pod)
} else := {"nameservers": [n.address | some n in node.resolv_conf.nameservers], "evidence": [{
	"fact": sprintf("nameservers of %s, which kubelet gives Pod %s", [node.name, kubernetes.name(pod)]),
	"value": concat(", ", [n.address | some n in node.resolv_conf.nameservers]),
	"source": node.resolv_conf.source,
}]} if {
	pod.spec.dnsPolicy == "Default"
	node := _node(pod.spec.nodeName)
	node.kubelet_config
	node.resolv_conf.file == _copied_file(node)
}

_copied_file(node) := "/etc/resolv.conf" if object.get(node.kubelet_config, "resolvConf", "") == ""

_copied_file(node) := node.kubelet_config.resolvConf if object.get(node.kubelet_config, "resolvConf", "") != ""

_namespace(pod) := [namespace |
	node := _node(pod.spec.nodeName)
	some namespace in node.namespaces
	namespace.pod.uid == pod.metadata.uid
	count(namespace.resolv_conf.nameservers) > 0
][0]

_node(name) := [node | some node in input.nodes; node.name == name][0]

# On the node's own network another program may listen on loopback.
_comes_back(pod, address) if {
	_is_loopback(address)
	not pod.spec.hostNetwork
}

_comes_back(_, address) if address in dns.addresses(_services)

_comes_back(pod, address) if address == pod.status.podIP

_is_loopback(address) if startswith(address, "127.")

_is_loopback("::1")

_how(pod, back) := "in its Pod that is CoreDNS itself, not the node's stub" if {
	some address in back
	_is_loopback(address)
} else := "that is the cluster's DNS" if {
	pod
	count(back) > 0
} else := ""

_names := sprintf("Pod %s", [kubernetes.name(_looping[0].pod)]) if count(_looping) == 1

_names := sprintf("Pods %s", [text.names([kubernetes.name(way.pod) | some way in _looping])]) if count(_looping) > 1

_sends := "sends" if count(_looping) == 1

_sends := "send" if count(_looping) > 1

_nodes contains way.pod.spec.nodeName if some way in _looping

# A DNS Pod that is made anew may be placed on any node.
_nodes contains node.name if {
	count(_looping) > 0
	some node in input.nodes
	node.object
	node.resolv_conf.file == _copied_file(node)
	some nameserver in node.resolv_conf.nameservers
	_is_loopback(nameserver.address)
}

# systemd-resolved keeps the servers that it asks itself in a file beside that of its stub.
_node_steps(name) := [
	{
		"node": name,
		"run": sprintf(
			"f=%[1]s; sed -i '/^resolvConf:/d' $f && echo 'resolvConf: %[2]s' >> $f",
			[_kubelet_file(name), "/run/systemd/resolve/resolv.conf"],
		),
		"why": "where kubelet has it from --resolv-conf, change that; without systemd-resolved name a file with the site's nameservers",
	},
	{"node": name, "run": "systemctl restart kubelet"},
]

_kubelet_file(name) := _node(name).kubelet_config.file if {
	_node(name).kubelet_config.file != ""
} else := "/var/lib/kubelet/config.yaml"

_anew(pod) := {
	"cluster": true,
	"run": sprintf("kubectl -n %s delete pod %s", [pod.metadata.namespace, pod.metadata.name]),
	"why": "its resolv.conf was written when it was made",
}
