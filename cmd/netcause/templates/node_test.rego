package {{.Package}}_test

import data.{{.Package}} as rule

link(ifname, flags) := {"ifname": ifname, "flags": flags, "source": sprintf("ip -d link show dev %s", [ifname])}

node(links) := {"node": {"name": "n1", "links": links}, "peers": [], "cluster": {}}

test_found_no_carrier if {
	found := rule.finding with input as node([link("eth0", ["UP", "NO-CARRIER"])])
	count(found) == 1
	some f in found
	f.message == "The link eth0 of n1 is up and has no carrier."
	f.evidence[0].value == "UP,NO-CARRIER"
}

test_ruled_out_carrier if {
	facts := node([link("eth0", ["UP", "LOWER_UP"])])
	count(rule.finding) == 0 with input as facts
	count(rule.ruled_out) == 1 with input as facts
}

# What looks like it and is not: a link that is meant to be down.
test_ruled_out_down if {
	count(rule.finding) == 0 with input as node([link("eth1", ["NO-CARRIER"])])
}
{{- if .Bundle}}

# The incident itself. Take away the marks when the rule finds it.
# test_found_in_the_incident if {
# 	outcomes := netcause.outcomes("{{.Bundle}}", "{{.ID}}")
# 	count(outcomes["{{.Node}}"].finding) == 1
{{- range .Peers}}
# 	count(outcomes["{{.}}"].ruled_out) == 1
{{- end}}
# }
{{- end}}
