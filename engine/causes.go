package engine

import (
	"cmp"
	"slices"
	"strings"
)

// argue joins the outcomes to one argument: findings to causes, causes to symptoms, the most decisive root first.
func (e *Engine) argue(in *incident, evaluations []evaluation, outcomes []outcome) *Diagnosis {
	d := &Diagnosis{
		SchemaVersion: SchemaVersion,
		RootCauses:    []Finding{}, Findings: []Finding{}, RuledOut: []RuledOut{}, NotExamined: []NotExamined{},
		FailedRules: []FailedRule{}, Symptoms: []Symptom{}, Sources: in.Snapshot.Inputs,
		Customized: e.customized,
	}
	for _, o := range outcomes {
		d.Findings = append(d.Findings, o.findings...)
		d.RuledOut = append(d.RuledOut, o.ruledOut...)
		if o.notExamined != nil {
			d.NotExamined = append(d.NotExamined, *o.notExamined)
		}
		if o.failed != nil {
			d.FailedRules = append(d.FailedRules, *o.failed)
		}
	}
	g := newCauseGraph(e.causes, d.Findings)
	reported := in.Snapshot.Symptoms
	for i := range d.Findings {
		d.Findings[i].Chain = g.chain(i, reported)
	}
	roots := g.roots(reported)
	for _, root := range roots {
		f := &d.Findings[root]
		f.Root, f.RootSubject = f.ID, f.Subject
	}
	for i := range d.Findings {
		for _, root := range roots {
			if d.Findings[i].Root == "" && g.explains[root][i] {
				d.Findings[i].Root, d.Findings[i].RootSubject = d.Findings[root].ID, d.Findings[root].Subject
			}
		}
	}
	for _, root := range roots {
		d.RootCauses = append(d.RootCauses, d.Findings[root])
	}
	d.Findings = g.ordered(d.Findings, roots)
	d.Symptoms = symptoms(d.RootCauses, reported)
	d.Summary = e.summary(in, evaluations, outcomes)
	return d
}

// causeGraph says which finding explains which.
type causeGraph struct {
	findings []Finding
	// explains[i][j]: finding j follows from finding i.
	explains [][]bool
}

func newCauseGraph(causes map[string][]string, findings []Finding) *causeGraph {
	g := &causeGraph{findings: findings, explains: make([][]bool, len(findings))}
	for i := range findings {
		g.explains[i] = make([]bool, len(findings))
		for j := range findings {
			g.explains[i][j] = i != j && follows(causes, findings[i], findings[j])
		}
	}
	return g
}

// follows says whether b is brought about by a: a's rule names b's among its causes, and they bear on a common node.
// Of two rules that name each other, the one that sorts first is the cause.
func follows(causes map[string][]string, a, b Finding) bool {
	if !slices.Contains(causes[a.ID], b.ID) {
		return false
	}
	if slices.Contains(causes[b.ID], a.ID) && b.ID < a.ID {
		return false
	}
	if len(a.Affects) == 0 || len(b.Affects) == 0 {
		return true
	}
	return slices.ContainsFunc(a.Affects, func(node string) bool { return slices.Contains(b.Affects, node) })
}

// consequences are the findings that follow from i, causes before what they bring about.
func (g *causeGraph) consequences(i int) []int {
	var list []int
	for j := range g.findings {
		if g.explains[i][j] {
			list = append(list, j)
		}
	}
	depth := func(j int) int {
		n := 0
		for _, k := range list {
			if g.explains[k][j] {
				n++
			}
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(depth(a), depth(b)) })
	return list
}

// chain are the ids from finding i over its consequences to the symptoms: the reported ones where it explains any, else
// all that the last of the chain explains.
func (g *causeGraph) chain(i int, reported []string) []string {
	chain := []string{g.findings[i].ID}
	last := g.findings[i]
	explained := slices.Clone(last.Explains)
	for _, j := range g.consequences(i) {
		last = g.findings[j]
		if !slices.Contains(chain, last.ID) {
			chain = append(chain, last.ID)
		}
		explained = append(explained, last.Explains...)
	}
	end := slices.DeleteFunc(slices.Clone(reported), func(s string) bool { return !slices.Contains(explained, s) })
	if len(end) == 0 {
		end = last.Explains
	}
	for _, symptom := range end {
		if !slices.Contains(chain, symptom) {
			chain = append(chain, symptom)
		}
	}
	return chain
}

// roots are the findings that nothing else explains: first those that explain what was reported, then by severity, by
// how much they explain and on how many nodes.
func (g *causeGraph) roots(reported []string) []int {
	var list []int
	for j := range g.findings {
		if !slices.ContainsFunc(g.explains, func(of []bool) bool { return of[j] }) {
			list = append(list, j)
		}
	}
	explainsReported := func(i int) int {
		n := 0
		for _, symptom := range reported {
			if slices.Contains(g.findings[i].Chain, symptom) {
				n++
			}
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b int) int {
		fa, fb := g.findings[a], g.findings[b]
		return cmp.Or(
			cmp.Compare(explainsReported(b), explainsReported(a)),
			cmp.Compare(severityRank[fb.Severity], severityRank[fa.Severity]),
			cmp.Compare(len(g.consequences(b)), len(g.consequences(a))),
			cmp.Compare(len(fb.Affects), len(fa.Affects)),
			strings.Compare(fa.ID, fb.ID),
			strings.Compare(fa.Subject.String(), fb.Subject.String()),
		)
	})
	return list
}

// ordered are all findings: each root with its consequences behind it.
func (g *causeGraph) ordered(findings []Finding, roots []int) []Finding {
	list := []Finding{}
	placed := make([]bool, len(findings))
	place := func(i int) {
		if !placed[i] {
			placed[i] = true
			list = append(list, findings[i])
		}
	}
	for _, root := range roots {
		place(root)
		for _, i := range g.consequences(root) {
			place(i)
		}
	}
	return list
}

// symptoms are the reported ones and those that the roots bring about.
func symptoms(roots []Finding, reported []string) []Symptom {
	list := []Symptom{}
	index := func(id string) int {
		return slices.IndexFunc(list, func(s Symptom) bool { return s.ID == id })
	}
	for _, id := range reported {
		if index(id) < 0 {
			list = append(list, Symptom{ID: id, Reported: true, ExplainedBy: []string{}})
		}
	}
	for _, root := range roots {
		for _, id := range root.Chain {
			if _, ok := Symptoms[id]; !ok {
				continue
			}
			i := index(id)
			if i < 0 {
				i = len(list)
				list = append(list, Symptom{ID: id, ExplainedBy: []string{}})
			}
			if !slices.Contains(list[i].ExplainedBy, root.ID) {
				list[i].ExplainedBy = append(list[i].ExplainedBy, root.ID)
			}
		}
	}
	return list
}

// summary counts each rule once: found, failed, ruled out where it was examined anywhere, else not examined.
func (e *Engine) summary(in *incident, evaluations []evaluation, outcomes []outcome) Summary {
	s := Summary{Cluster: in.Snapshot.Cluster != nil, Nodes: len(in.Snapshot.Nodes), NodesNotCollected: []string{}, Rules: len(e.rules)}
	for _, node := range in.nodes {
		if node.Facts == nil {
			s.NodesNotCollected = append(s.NodesNotCollected, node.Name)
		}
	}
	type seen struct{ found, failed, ruledOut bool }
	by := map[string]seen{}
	for i, ev := range evaluations {
		o, was := outcomes[i], by[ev.rule.ID]
		by[ev.rule.ID] = seen{
			found:    was.found || len(o.findings) > 0,
			failed:   was.failed || o.failed != nil,
			ruledOut: was.ruledOut || len(o.ruledOut) > 0,
		}
	}
	for _, rule := range e.rules {
		switch was := by[rule.ID]; {
		case was.found:
			s.Found++
		case was.failed:
			s.Failed++
		case was.ruledOut:
			s.RuledOut++
		default:
			s.NotExamined++
		}
	}
	return s
}
