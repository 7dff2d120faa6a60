# METADATA
# description: Services, as messages and evidence name them.
package netcause.lib.service

import data.netcause.lib.text

name(service) := sprintf("%s/%s", [service.namespace, service.name])

# names are up to five Services' names.
names(services) := text.names([name(service) | some service in services])

# noun is "Service" or "Services", as many as they are.
noun(services) := "Service" if count(services) == 1

noun(services) := "Services" if count(services) != 1

selector_fact(service) := {
	"fact": sprintf("selector of Service %s", [name(service)]),
	"value": service.selector,
	"source": service.source,
}

workload_fact(workload) := {
	"fact": sprintf("replicas of %s %s/%s", [workload.kind, workload.namespace, workload.name]),
	"value": sprintf("%d", [workload.replicas]),
	"source": workload.source,
}

# subject is one Service, or the cluster where there are several.
subject([service]) := {"kind": "Service", "name": service.name, "namespace": service.namespace}

subject(services) := {"kind": "Cluster", "name": "cluster"} if count(services) > 1

# shown_each is how many findings of a kind are told one by one: above that they are one finding.
shown_each := 5

# unknown_text says of how many Services it is not known which Pods they have, where there are such.
unknown_text(answer) := sprintf("the Pods of the namespaces of %d Services were not read, the first %s", [
	answer.unknown,
	answer.first_unknown,
]) if {
	object.get(answer, "unknown", 0) > 0
}
