# METADATA
# description: The cluster's DNS.
package netcause.lib.dns

# services are those that Pods ask for names: by the labels and names of the usual distributions, with port 53 over UDP.
services(cluster) := [service |
	some service in cluster.services
	_is_dns(service)
	count(_ports(service)) > 0
]

_is_dns(service) if object.get(service.metadata, ["labels", "k8s-app"], "") in {"kube-dns", "coredns"}

_is_dns(service) if service.metadata.labels["dns.operator.openshift.io/owning-dns"]

_is_dns(service) if service.metadata.name in {"kube-dns", "coredns", "dns-default"}

_is_dns(service) if {
	service.metadata.namespace == "kube-system"
	service.metadata.labels["app.kubernetes.io/name"] == "coredns"
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

_slice_of(slice, service) if {
	slice.metadata.namespace == service.metadata.namespace
	slice.metadata.labels["kubernetes.io/service-name"] == service.metadata.name
}

_target_ports(slice) := {port.port |
	some port in slice.ports
	object.get(port, "protocol", "TCP") == "UDP"
}
