# METADATA
# title: {{.Title}}
# description: >-
#   Say here why this breaks traffic: which packets are lost where, and how that looks to whoever sends them.
# schemas:
#   - input: schema.node
# related_resources:
#   - ref: https://man7.org/linux/man-pages/man8/ip-link.8.html
#     description: the page that the rule was written from
# custom:
#   id: {{.ID}}
#   category: {{.Category}}
#   scope: node
#   severity: {{.Severity}}
#   needs: [links]
#   explains: [{{.Symptom}}]
package {{.Package}}

# One member for each fault. The rule is evaluated for each node: input.node is that one, input.peers are the others,
# input.cluster has the cluster's objects. "netcause facts schema node" says what a node has, "netcause rules functions"
# what may be called. A group of facts that is read below stands in needs above: where it was not read, the rule is not
# evaluated, and the report says so.
finding contains f if {
	some link in input.node.links
	_broken(link)

	f := {
		"message": sprintf("The link %s of %s is up and has no carrier.", [link.ifname, input.node.name]),
		"evidence": [_fact(link)],
		"fix": {
			"summary": "Say in a line what puts it right",
			"steps": [{"node": input.node.name, "run": sprintf("ip -d link show dev %s", [link.ifname])}],
		},
		"verify": sprintf("ip link show dev %s has LOWER_UP among its flags", [link.ifname]),
	}
}

# What is said where the facts were there and the fault is not.
ruled_out contains {
	"message": "every link that is up has a carrier",
	"evidence": [_fact(link) | some link in input.node.links],
} if {
	count([link | some link in input.node.links; _broken(link)]) == 0
}

# Put what makes the fault here.
_broken(link) if {
	"UP" in link.flags
	"NO-CARRIER" in link.flags
}

# Evidence is a fact, its value as a text, and where it was read.
_fact(link) := {
	"fact": sprintf("flags of %s", [link.ifname]),
	"value": concat(",", link.flags),
	"source": link.source,
}
