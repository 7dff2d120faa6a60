package engine

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Review is what a rule's text shows beside its METADATA.
type Review struct {
	*Rule
	// Row is the line of its package, MetadataRow that of its METADATA.
	Row         int `json:"row"`
	MetadataRow int `json:"metadata_row"`
	// Reads are the groups of facts that it and the functions that it calls refer to, by name.
	Reads []Reading `json:"reads"`
	// Findings are the definitions of its set of findings.
	Findings []FindingText `json:"findings"`
	// Functions are the built-in functions of netcause that it calls, itself or through others.
	Functions []string `json:"functions"`
}

// Reading is a group of facts with the place where it is read first.
type Reading struct {
	Group string `json:"group"`
	File  string `json:"file"`
	Row   int    `json:"row"`
	// Declared: the METADATA names it in needs, needs_any or optional.
	Declared bool `json:"declared"`
}

// FindingText is one definition of a rule's findings.
type FindingText struct {
	Row int `json:"row"`
	// Fields are those of the finding, none where they do not show in the text.
	Fields []string `json:"fields"`
	// NoEvidence: its list of evidence is always empty.
	NoEvidence bool `json:"no_evidence"`
}

// Review looks through all rules, or only the custom ones. What keeps a rule from being loaded is its error, a [RuleError].
func (l *Library) Review(custom bool) ([]Review, error) {
	if err := l.checkImports(); err != nil {
		return nil, err
	}
	compiler, err := l.check()
	if err != nil {
		return nil, err
	}
	var reviews []Review
	for _, rule := range l.Rules() {
		if custom && !rule.Custom {
			continue
		}
		reviews = append(reviews, l.review(compiler, rule))
	}
	return reviews, nil
}

// Mistakes are what the built-in rules ask for that no fact has: for custom ones it is an error to load them.
func (l *Library) Mistakes() ([]*RuleError, error) {
	compiler, err := l.check()
	if err != nil {
		return nil, err
	}
	all := map[place]mistake{}
	sound := map[place]bool{}
	var list []*RuleError
	for _, rule := range l.Rules() {
		inf := l.follow(compiler, rule)
		for p, m := range inf.wrong {
			all[p] = m
		}
		for p := range inf.sound {
			sound[p] = true
		}
		if problem := inf.outcomeMistake(rule); problem != nil {
			list = append(list, problem)
		}
	}
	for p, m := range all {
		if !sound[p] {
			list = append(list, m.ruleError())
		}
	}
	return list, nil
}

func (l *Library) review(compiler *ast.Compiler, rule *Rule) Review {
	inf := l.follow(compiler, rule)
	r := Review{
		Rule: rule, Row: rule.module.Package.Location.Row, MetadataRow: packageAnnotations(rule.module).Location.Row,
		Reads: []Reading{}, Findings: []FindingText{}, Functions: []string{},
	}
	declared := rule.declared()
	for group, at := range inf.reads {
		reading := Reading{Group: group, Declared: slices.Contains(declared, group)}
		if at != nil {
			reading.File, reading.Row = at.File, at.Row
		}
		r.Reads = append(r.Reads, reading)
	}
	slices.SortFunc(r.Reads, func(a, b Reading) int { return strings.Compare(a.Group, b.Group) })
	for _, definition := range inf.rules["data."+rule.Package+".finding"] {
		r.Findings = append(r.Findings, inf.findingText(definition))
	}
	for name := range inf.calls {
		r.Functions = append(r.Functions, name)
	}
	slices.Sort(r.Functions)
	return r
}

func (inf *inference) findingText(definition *ast.Rule) FindingText {
	text := FindingText{Row: definition.Head.Location.Row, Fields: []string{}}
	given := inf.definition(definition)
	if given.kind != kindSet {
		return text
	}
	for _, one := range inf.in.alternatives(given.elem) {
		text.Fields = append(text.Fields, one.fieldNames()...)
		if f, ok := one.field("evidence"); ok && f.shape.kind == kindList && f.shape.elem.kind == kindUnion && len(f.shape.elem.members) == 0 {
			text.NoEvidence = true
		}
	}
	return text
}
