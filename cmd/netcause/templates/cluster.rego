# METADATA
# title: {{.Title}}
# description: >-
#   Say here why this breaks traffic: which packets are lost where, and how that looks to whoever sends them.
# schemas:
#   - input: schema.cluster
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/service/
#     description: the page that the rule was written from
# custom:
#   id: {{.ID}}
#   category: {{.Category}}
#   scope: cluster
#   severity: {{.Severity}}
#   needs: [cluster.services]
#   explains: [{{.Symptom}}]
package {{.Package}}

# One member for each fault. The rule is evaluated once: input.cluster has the cluster's objects, input.nodes all nodes.
# "netcause facts schema cluster" says what a cluster has, "netcause rules functions" what may be called. A group of
# facts that is read below stands in needs above: where it was not read, the rule is not evaluated, and the report says
# so.
finding contains f if {
	some service in input.cluster.services
	_broken(service)
	namespace := service.metadata.namespace
	name := service.metadata.name

	f := {
		"subject": _subject(service),
		"message": sprintf("Service %s has no port.", [_name(service)]),
		"evidence": [_fact(service)],
		"fix": {
			"summary": "Say in a line what puts it right",
			"steps": [{"cluster": true, "run": sprintf("kubectl -n %s edit service %s", [namespace, name])}],
		},
		"verify": sprintf("kubectl -n %s get service %s shows a port", [namespace, name]),
	}
}

# What is said where the facts were there and the fault is not.
ruled_out contains {"message": "every Service has a port", "evidence": []} if {
	count([service | some service in input.cluster.services; _broken(service)]) == 0
}

# Put what makes the fault here. A field that an object lacks is undefined: object.get gives it a value.
_broken(service) if {
	count(object.get(service, ["spec", "ports"], [])) == 0
	object.get(service, ["spec", "type"], "ClusterIP") != "ExternalName"
}

_subject(service) := {"kind": "Service", "namespace": service.metadata.namespace, "name": service.metadata.name}

# Evidence is a fact, its value as a text, and where it was read.
_fact(service) := {
	"fact": sprintf("ports of Service %s", [_name(service)]),
	"value": "none",
	"source": service.source,
}

_name(service) := sprintf("%s/%s", [service.metadata.namespace, service.metadata.name])
