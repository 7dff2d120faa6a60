package {{.Package}}_test

import data.{{.Package}} as rule

service(spec) := {"metadata": {"name": "web", "namespace": "default"}, "spec": spec, "source": "services.json"}

cluster(services) := {"nodes": [], "cluster": {"services": services}}

test_found_no_port if {
	found := rule.finding with input as cluster([service({"type": "ClusterIP"})])
	count(found) == 1
	some f in found
	f.message == "Service default/web has no port."
	f.evidence[0].source == "services.json"
}

test_ruled_out_port if {
	facts := cluster([service({"ports": [{"port": 80}]})])
	count(rule.finding) == 0 with input as facts
	count(rule.ruled_out) == 1 with input as facts
}

# What looks like it and is not: a Service that is a name needs none.
test_ruled_out_external_name if {
	count(rule.finding) == 0 with input as cluster([service({"type": "ExternalName"})])
}
{{- if .Bundle}}

# The incident itself. Take away the marks when the rule finds it.
# test_found_in_the_incident if {
# 	outcomes := netcause.outcomes("{{.Bundle}}", "{{.ID}}")
# 	count(outcomes.cluster.finding) == 1
# }
{{- end}}
