# METADATA
# title: Pods of a node ask a nameserver that is not there
# description: >-
#   kubelet writes the resolv.conf of each Pod, with the addresses of its clusterDNS. Where that is not the address of the
#   cluster's DNS Service, Pods of this node ask nobody, while those of other nodes resolve.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
#     description: a Pod's dnsPolicy and dnsConfig, and the resolv.conf that comes of them
#   - ref: https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/
#     description: check the local DNS configuration first
#   - ref: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/
#     description: clusterDNS of the KubeletConfiguration
# custom:
#   id: pod-resolv-conf-wrong
#   category: dns-failure
#   scope: node
#   severity: critical
#   needs: [cluster.services]
#   needs_any: [[kubelet_config], [namespaces, cluster.pods]]
#   optional: [addresses, cluster.nodes, cluster.pods, processes]
#   explains: [dns-failure]
#   causes: []
package netcause.rules.dns_failure.pod_resolv_conf_wrong

import data.netcause.lib.dns
import data.netcause.lib.kubernetes
import data.netcause.lib.text

finding contains f if {
	count(_wrong) > 0

	f := {
		"message": sprintf("%s %s %s for names, where no DNS of the cluster is: it is at %s.", [
			_who,
			_ask,
			concat(", ", _wrong),
			concat(", ", _right),
		]),
		"evidence": array.flatten([
			[_kubelet_fact | _kubelet_fact],
			[_pod_fact(pod) | some pod in text.few(_misled)],
			[{
				"fact": sprintf("clusterIP of Service %s", [kubernetes.name(service)]),
				"value": service.spec.clusterIP,
				"source": service.source,
			} |
				some service in _services
			],
		]),
		"fix": {
			"summary": "Let kubelet give Pods the address of the cluster's DNS",
			"steps": array.concat(_kubelet_steps, _pod_steps),
		},
		"verify": sprintf("a new Pod on %s has nameserver %s in /etc/resolv.conf", [input.node.name, _right[0]]),
	}
}

ruled_out contains {"message": "it is no node of a cluster", "evidence": []} if {
	kubernetes.is_no_node(input.node, input.cluster)
}

ruled_out contains {
	"message": sprintf("its Pods are to ask the cluster's DNS at %s", [concat(", ", _right)]),
	"evidence": array.concat([_kubelet_fact | _kubelet_fact], [_pod_fact(pod) | some pod in text.few(_asking)]),
} if {
	kubernetes.is_node(input.node)
	count(_wrong) == 0
	count(_elsewhere) == 0
	count(_services) > 0
	_is_known
}

unexamined contains {"group": "cluster.services", "reason": "no Service of the cluster is known to be its DNS, by label or name"} if {
	not kubernetes.is_no_node(input.node, input.cluster)
	count(_services) == 0
}

unexamined contains {"group": "kubelet_config", "reason": reason} if {
	not kubernetes.is_no_node(input.node, input.cluster)
	count(_services) > 0
	count(_wrong) == 0
	count(_elsewhere) > 0
	outside := sort(_elsewhere)
	question := sprintf("dig @%s kubernetes.default.svc.cluster.local", [outside[0]])
	reason := sprintf("its Pods ask %s, which is no Service: whether that knows the cluster's names, `%s` tells", [
		concat(", ", outside),
		question,
	])
}

unexamined contains {"group": "kubelet_config", "reason": "neither kubelet's clusterDNS nor the resolv.conf of a Pod was seen"} if {
	kubernetes.is_node(input.node)
	count(_services) > 0
	not _is_known
}

_services := dns.services(input.cluster)

_right := sort(dns.addresses(_services))

# Any Service with port 53 may be a DNS of somebody's own.
_others := dns.addresses([service |
	some service in input.cluster.services
	some port in service.spec.ports
	port.port == 53
])

_is_good(address) if address in _right

_is_good(address) if address in _others

# NodeLocal DNSCache has a link-local address on each node, or takes over the Service's.
_is_good(address) if startswith(address, "169.254.")

_is_good(address) if {
	some own in input.node.addresses
	own.local == address
	own.dev != "lo"
}

_bad contains address if {
	some address in array.concat(_configured, [address | some pod in _asking; some address in pod.nameservers])
	not _is_good(address)
}

# An address among those of Services, which no Service has, is nobody's. Others may be of a server outside.
_is_of_services(address) if {
	some range in _service_ranges
	net.cidr_contains(range, address)
}

_is_of_services(address) if {
	count(_service_ranges) == 0
	some right in _right
	_network(address) == _network(right)
}

_is_of_services(address) if startswith(address, "127.")

_is_of_services("::1")

# Without the API server's flag the smallest range that there is: 256 addresses.
_network(address) := array.slice(split(address, "."), 0, 3) if not contains(address, ":")

_network(address) := array.slice(split(address, ":"), 0, 4) if contains(address, ":")

_service_ranges contains range if {
	some pod in input.cluster.pods
	startswith(pod.metadata.name, "kube-apiserver-")
	some container in pod.spec.containers
	some word in array.concat(object.get(container, "command", []), object.get(container, "args", []))
	startswith(word, "--service-cluster-ip-range=")
	some range in split(trim_prefix(word, "--service-cluster-ip-range="), ",")
	contains(range, "/")
}

# One that is right beside it answers: a resolver asks the next after a while.
_wrong := sort({address |
	some address in _bad
	_is_of_services(address)
	not _has_a_good_one
})

_elsewhere contains address if {
	not _has_a_good_one
	some address in _bad
	not address in _wrong
}

_has_a_good_one if {
	count(_misled) == 0
	some address in _configured
	_is_good(address)
}

_has_a_good_one if {
	count(_configured) == 0
	count(_misled) == 0
}

_configured := object.get(input.node, ["kubelet_config", "clusterDNS"], [])

_kubelet_fact := {
	"fact": sprintf("clusterDNS of kubelet on %s", [input.node.name]),
	"value": concat(", ", _configured),
	"source": input.node.kubelet_config.source,
} if {
	count(_configured) > 0
}

# _asking are Pods that kubelet is to give the cluster's DNS, with the nameservers that they have.
_asking := [{"pod": pod, "nameservers": nameservers, "source": namespace.resolv_conf.source} |
	some namespace in input.node.namespaces
	some pod in input.node.pods
	_is_of(namespace, pod)
	_is_to_ask_the_cluster(pod)
	own := object.get(pod.spec, ["dnsConfig", "nameservers"], [])
	nameservers := [nameserver.address |
		some nameserver in namespace.resolv_conf.nameservers
		not nameserver.address in own
	]
	count(nameservers) > 0
]

_is_of(namespace, pod) if {
	namespace.pod.uid == pod.metadata.uid
} else if {
	namespace.pod.name == pod.metadata.name
	namespace.pod.namespace == pod.metadata.namespace
}

_is_to_ask_the_cluster(pod) if {
	object.get(pod.spec, "dnsPolicy", "ClusterFirst") == "ClusterFirst"
	not pod.spec.hostNetwork
}

_is_to_ask_the_cluster(pod) if pod.spec.dnsPolicy == "ClusterFirstWithHostNet"

_misled := [pod |
	some pod in _asking
	count([address | some address in pod.nameservers; _is_good(address)]) == 0
]

_is_known if count(_configured) > 0

_is_known if count(_asking) > 0

_who := sprintf("%d Pods of %s (%s)", [count(_misled), input.node.name, text.names([kubernetes.name(pod.pod) | some pod in _misled])]) if {
	count(_misled) > 1
} else := sprintf("Pod %s of %s", [kubernetes.name(_misled[0].pod), input.node.name]) if {
	count(_misled) == 1
} else := sprintf("New Pods of %s", [input.node.name])

_ask := "asks" if count(_misled) == 1

_ask := "ask" if count(_misled) != 1

_pod_fact(pod) := {
	"fact": sprintf("nameserver in resolv.conf of Pod %s", [kubernetes.name(pod.pod)]),
	"value": concat(", ", pod.nameservers),
	"source": pod.source,
}

_kubelet_steps := [
{
	"node": input.node.name,
	"run": sprintf(`sed -i 's/%s/%s/' %s`, [replace(address, ".", `\.`), _right[0], input.node.kubelet_config.file]),
	"why": "clusterDNS: where kubelet has it from --cluster-dns, change that",
} |
	some address in _configured
	address in _wrong
	input.node.kubelet_config.file
]

_restart := [{"node": input.node.name, "run": "systemctl restart kubelet"} | count(_kubelet_steps) > 0]

# What a Pod has was written when it was made.
_pod_steps := array.concat(_restart, [{
	"cluster": true,
	"run": sprintf("kubectl -n %s delete pod %s", [pod.pod.metadata.namespace, pod.pod.metadata.name]),
	"why": "its resolv.conf was written when it was made; the other Pods of the node that ask there need it too",
} |
	some pod in array.slice(_misled, 0, 20)
])
