# METADATA
# description: Ports that Services send to, and what Pods listen on.
package netcause.lib.target

import data.netcause.lib.service
import data.netcause.lib.text

# shown is a port of a Service: "shop/web:80".
shown(fault) := sprintf("%s:%d", [service.name(fault.service), fault.port.port])

# judged are the faults that are a rule's of ports to judge: of DNS Pods that are not ready dns-service-without-endpoints
# speaks.
judged(answer) := [fault | some fault in answer.faults; not _dns_not_ready(fault)]

_dns_not_ready(fault) if {
	fault.service.dns
	not fault.ready
}

# is_mismatch says that the Service asks for a port that its Pods are not meant to have.
is_mismatch(fault) if fault.state == "undeclared"

is_mismatch(fault) if {
	fault.state == "nothing"
	not fault.declared
	count(others(fault)) > 0
}

severity(fault) := "critical" if {
	fault.service.dns
} else := "warning"

# others are the ports that the Pods listen on instead.
others(fault) := {l.port | some pod in fault.pods; some l in pod.others}

# pods are the Pods of a fault: "Pod web-1" or "2 Pods (web-1, web-2)".
pods(fault) := sprintf("Pod %s", [fault.pods[0].name]) if {
	fault.count == 1
} else := sprintf("%d Pods (%s)", [fault.count, text.names([pod.name | some pod in fault.pods])])

# port_fact is what the Service says of the port.
port_fact(fault) := {
	"fact": sprintf("port %d of Service %s", [fault.port.port, service.name(fault.service)]),
	"value": sprintf("targetPort %v", [object.get(fault.port, "targetPort", fault.port.port)]),
	"source": fault.service.source,
}

# listener_facts are the sockets of the Pods that matter here.
listener_facts(fault, key) := [{
	"fact": sprintf("listener of Pod %s/%s", [pod.namespace, pod.name]),
	"value": sprintf("%s %s%s", [l.proto, _socket(l), _process(l)]),
	"source": l.source,
} |
	some pod in text.few(fault.pods)
	some l in pod[key]
]

_socket(l) := sprintf("[%s]:%d", [l.local, l.port]) if contains(l.local, ":")

_socket(l) := sprintf("%s:%d", [l.local, l.port]) if not contains(l.local, ":")

_process(l) := sprintf(" (%s, pid %d)", [l.process, l.pid]) if {
	l.process
} else := ""

silence_fact(fault) := {
	"fact": sprintf("listeners on port %d of Pod %s/%s", [fault.target, fault.pods[0].namespace, fault.pods[0].name]),
	"value": "none",
	"source": "ss -lntup in its network namespace",
}

# patch makes the Service send to another port.
patch(fault, number) := {
	"cluster": true,
	"patch": sprintf(`kubectl -n %s patch service %s --type json -p '[{"op":"add","path":"/spec/ports/%d/targetPort","value":%v}]'`, [
		fault.service.namespace,
		fault.service.name,
		fault.index,
		number,
	]),
}

logs(fault) := {
	"cluster": true,
	"run": sprintf("kubectl -n %s logs %s -c %s --tail=50", [
		fault.pods[0].namespace,
		fault.pods[0].name,
		fault.pods[0].container,
	]),
	"why": "programs tell at their start what they listen on",
}

verify(fault, number) := sprintf("on %s curl -v telnet://%s connects", [
	fault.pods[0].node,
	_socket({"local": fault.pods[0].address, "port": number}),
])

nothing_asked := "no Service selects Pods that are there"

# undecided says of how many ports it is not known what listens there, and why.
undecided(answer) := sprintf("of %d of %d ports of Services it is not known whether their Pods listen: %s", [
	answer.undecided,
	answer.total,
	concat("; ", answer.reasons),
])

# subject is the Service, or where there are many the cluster.
many(faults) := {
	"subject": {"kind": "Cluster", "name": "cluster"},
	"affects": [node | some node in {n | some fault in faults; some n in fault.nodes}],
	"names": text.names([shown(fault) | some fault in faults]),
	"port_facts": [port_fact(fault) | some fault in text.few(faults)],
}
