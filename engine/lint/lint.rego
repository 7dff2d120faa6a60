# METADATA
# description: >-
#   What is asked of a rule beyond that it compiles. input has the rule (its METADATA, what it reads, its findings), the
#   names of its tests and the ids of all rules.
package netcause.lint

remark contains {"id": "related-resources", "row": input.rule.metadata_row, "message": message} if {
	count(input.rule.related_resources) == 0
	message := "no related_resources: name the page that it was written from, with `- ref: https://…`"
}

remark contains {"id": "related-resources", "row": input.rule.metadata_row, "message": message} if {
	some ref in input.rule.related_resources
	not regex.match(`^https?://`, ref)
	message := sprintf("related_resources: %q is no address of a page", [ref])
}

remark contains {"id": "explains", "row": input.rule.metadata_row, "message": message} if {
	count(input.rule.explains) == 0
	message := "explains no symptom: the report could not say what follows from it"
}

remark contains {"id": "causes", "row": input.rule.metadata_row, "message": message} if {
	some id in input.rule.causes
	not id in input.ids
	message := sprintf("causes %q, which is no rule", [id])
}

remark contains {"id": "needs", "row": input.rule.metadata_row, "message": message} if {
	count(input.rule.needs) == 0
	count(object.get(input.rule, "needs_any", [])) == 0
	message := "needs no facts: where nothing was read, its fault would count as ruled out"
}

# A group of facts that was not read is missing from input: what a rule makes of that has to be meant.
remark contains {"id": "needs", "row": row, "message": message} if {
	some reading in input.rule.reads
	not reading.declared
	row := _row(reading)
	message := sprintf("it reads %s%s: write it in needs, or in optional where it can do without", [reading.group, _where(reading)])
}

remark contains {"id": "optional", "row": input.rule.metadata_row, "message": message} if {
	count(input.rule.functions) == 0
	some group in object.get(input.rule, "optional", [])
	not group in {reading.group | some reading in input.rule.reads}
	message := sprintf("optional names %s, which it does not read", [group])
}

remark contains {"id": "evidence", "row": finding.row, "message": message} if {
	some finding in input.rule.findings
	finding.no_evidence
	message := "its evidence is always empty: a reader has nothing to check it by"
}

remark contains {"id": "fix", "row": finding.row, "message": message} if {
	some finding in input.rule.findings
	count(finding.fields) > 0
	not "fix" in finding.fields
	message := "it has no fix: say what puts it right, with the commands as they are to be run"
}

remark contains {"id": "name", "row": input.rule.row, "message": message} if {
	name := sprintf("%s.rego", [input.rule.id])
	not endswith(sprintf("/%s", [input.rule.file]), sprintf("/%s", [name]))
	message := sprintf("its file is found by its id: name it %s", [name])
}

remark contains {"id": "name", "row": input.rule.row, "message": message} if {
	last := replace(input.rule.id, "-", "_")
	not endswith(input.rule.package, sprintf(".%s", [last]))
	message := sprintf("its package is found by its id: let it end with .%s", [last])
}

remark contains {"id": "tests", "row": input.rule.row, "message": message} if {
	some prefix, of in {"test_found": "what it finds", "test_ruled_out": "what looks like it and is not"}
	not _has_test(prefix)
	message := sprintf("no test of %s: write %s_… in package %s_test", [of, prefix, input.rule.package])
}

_has_test(prefix) if {
	some name in input.tests
	startswith(name, prefix)
}

_row(reading) := reading.row if reading.file == input.rule.file

_row(reading) := input.rule.metadata_row if reading.file != input.rule.file

_where(reading) := "" if reading.file == input.rule.file

_where(reading) := sprintf(" (in %s:%d)", [reading.file, reading.row]) if reading.file != input.rule.file
