# METADATA
# description: The cluster's DNS.
package netcause.lib.dns

# services are those that Pods ask for the cluster's names, by the labels and names of the usual distributions, with port 53
# over UDP. CoreDNS in a namespace of its own serves somebody's other names, or a virtual cluster's.
services(cluster) := [service |
	some service in cluster.services
	_is_dns(service)
	object.get(service.spec, "clusterIP", "") != "None"
	count(_ports(service)) > 0
]

_is_dns(service) if {
	service.metadata.namespace == "kube-system"
	service.metadata.name in {"kube-dns", "coredns"}
}

_is_dns(service) if {
	service.metadata.namespace == "kube-system"
	some label, names in _labels
	service.metadata.labels[label] in names
}

_is_dns(service) if {
	service.metadata.namespace == "openshift-dns"
	service.metadata.name == "dns-default"
}

_is_dns(service) if {
	service.metadata.namespace == "openshift-dns"
	service.metadata.labels["dns.operator.openshift.io/owning-dns"]
}

_labels := {
	"k8s-app": {"kube-dns", "coredns"},
	"app.kubernetes.io/name": {"coredns", "rke2-coredns"},
	"kubernetes.io/name": {"CoreDNS", "KubeDNS"},
}

# addresses are the cluster IPs of Services.
addresses(services) := {address |
	some service in services
	some address in array.concat([service.spec.clusterIP], object.get(service.spec, "clusterIPs", []))
	not address in {"", "None"}
}

_ports(service) := [port |
	some port in service.spec.ports
	port.port == 53
	port.protocol == "UDP"
]

# endpoints are, by target port, the addresses of the Pods behind a Service.
endpoints(cluster, service) := {port: addresses |
	some slice in cluster.endpointslices
	_slice_of(slice, service)
	some port in _target_ports(slice)
	addresses := {address |
		some other in cluster.endpointslices
		_slice_of(other, service)
		port in _target_ports(other)
		some endpoint in other.endpoints
		some address in endpoint.addresses
	}
}

# caches are the addresses at which NodeLocal DNSCache answers Pods on their own node: who may ask there needs no other.
caches(cluster) := {address |
	some daemonset in cluster.daemonsets
	some container in daemonset.spec.template.spec.containers
	contains(object.get(container, "image", ""), "k8s-dns-node-cache")
	words := array.concat(object.get(container, "command", []), object.get(container, "args", []))
	some i, word in words
	word in {"-localip", "--localip"}
	some address in split(words[i + 1], ",")
}

_slice_of(slice, service) if {
	slice.metadata.namespace == service.metadata.namespace
	slice.metadata.labels["kubernetes.io/service-name"] == service.metadata.name
}

_target_ports(slice) := {port.port |
	some port in slice.ports
	object.get(port, "protocol", "TCP") == "UDP"
}
