package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine"
)

// alike puts together the findings that say and mend the same on several subjects, in the order of the first of each.
func alike(findings []engine.Finding) [][]engine.Finding {
	var groups [][]engine.Finding
	index := map[string]int{}
	for _, f := range findings {
		key := likeness(f)
		i, ok := index[key]
		if !ok {
			i = len(groups)
			index[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// likeness is a finding's text with its own subject and node left out.
func likeness(f engine.Finding) string {
	parts := []string{
		f.ID, string(f.Severity), string(f.Bearing), f.Subject.Kind, f.Subject.Namespace,
		neutral(f.Message, f.Subject), neutral(f.Verify, f.Subject),
	}
	return strings.Join(append(parts, fixLikeness(f.Fix, f.Subject)...), "\x00")
}

func fixLikeness(fix engine.Fix, subject engine.Subject) []string {
	parts := []string{strconv.Itoa(len(fix.Steps)), strconv.Itoa(len(fix.Alternatives)), neutral(fix.Summary, subject)}
	for _, s := range fix.Steps {
		onNode := "elsewhere " + s.Node
		if s.Node == subject.Name || s.Node == subject.Node {
			onNode = "here"
		}
		parts = append(parts, onNode, neutral(s.Run, subject), neutral(s.Edit, subject), neutral(s.Patch, subject), neutral(s.Why, subject))
	}
	for _, alternative := range fix.Alternatives {
		parts = append(parts, fixLikeness(alternative, subject)...)
	}
	return parts
}

func neutral(s string, subject engine.Subject) string {
	return replaceName(replaceName(s, subject.Name, "\x01"), subject.Node, "\x02")
}

// replaceName replaces name where it stands as a word of its own: n1, not the beginning of n10 or n1-b or n1.example.
func replaceName(s, name, by string) string {
	if name == "" {
		return s
	}
	var b strings.Builder
	done := 0
	for at := 0; ; {
		i := strings.Index(s[at:], name)
		if i < 0 {
			break
		}
		start, end := at+i, at+i+len(name)
		if !continuesBefore(s[:start]) && !continuesAfter(s[end:]) {
			b.WriteString(s[done:start])
			b.WriteString(by)
			done = end
		}
		at = end
	}
	return b.String() + s[done:]
}

func nameByte(c byte) bool {
	return c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func continuesBefore(s string) bool {
	n := len(s)
	return n > 0 && (nameByte(s[n-1]) || s[n-1] == '.' && n > 1 && nameByte(s[n-2]))
}

func continuesAfter(s string) bool {
	return s != "" && (nameByte(s[0]) || s[0] == '.' && len(s) > 1 && nameByte(s[1]))
}

// finding writes a root cause, or several alike.
func (t *text) finding(title string, group []engine.Finding) {
	f := group[0]
	var subjects []engine.Subject
	for _, f := range group {
		subjects = append(subjects, f.Subject)
	}
	rule := f.ID
	if f.Custom {
		rule += " (custom rule)"
	}
	t.blank()
	t.banner(title, label(subjects), f.Severity, rule)
	message := f.Message
	if flat(message) == "" {
		message = f.Title
	}
	t.hang("  ", message)
	t.affected(group)
	t.evidence(group)
	t.because(group)
	t.fix(group)
}

// affected names the nodes that a finding bears on, where its subject does not say it.
func (t *text) affected(group []engine.Finding) {
	var nodes, subjects []string
	for _, f := range group {
		if len(f.Affects) == 0 {
			return
		}
		for _, node := range f.Affects {
			if !slices.Contains(nodes, node) {
				nodes = append(nodes, node)
			}
		}
		subjects = append(subjects, f.Subject.Name, f.Subject.Node)
	}
	if slices.ContainsFunc(nodes, func(node string) bool { return !slices.Contains(subjects, node) }) {
		t.hang("  ", "Affected: "+enumerate(nodes, 8))
	}
}

func (t *text) evidence(group []engine.Finding) {
	f := group[0]
	if len(f.Evidence) == 0 {
		return
	}
	title := "Evidence"
	if len(group) > 1 {
		title = fmt.Sprintf("Evidence of %s (that of the others: -o json)", label([]engine.Subject{f.Subject}))
	}
	t.hang("  ", title)
	var rows []row
	for _, e := range f.Evidence {
		r := row{e.Value, e.Fact, string(e.Source)}
		if flat(r.value) == "" {
			r.value = "(empty)"
		}
		if !slices.Contains(rows, r) {
			rows = append(rows, r)
		}
	}
	more := 0
	if len(rows) > manyEvidence+1 {
		more = len(rows) - manyEvidence
		rows = rows[:manyEvidence]
	}
	t.table(4, rows)
	if more > 0 {
		t.hang("    ", fmt.Sprintf("and %d more: -o json", more))
	}
}

// because writes what follows from the finding, up to the symptoms.
func (t *text) because(group []engine.Finding) {
	follow := map[string][]engine.Finding{}
	var ids []string
	add := func(id string) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, f := range group {
		for _, id := range f.Chain {
			if id != f.ID {
				add(id)
			}
		}
	}
	symptoms := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !t.isSymptom(id) })
	ids = slices.DeleteFunc(ids, t.isSymptom)
	for _, f := range group {
		key := rootKey{f.ID, f.Subject}
		if t.shown[key] {
			continue
		}
		t.shown[key] = true
		for _, g := range t.follow[key] {
			follow[g.ID] = append(follow[g.ID], g)
			add(g.ID)
		}
	}
	if len(ids)+len(symptoms) == 0 {
		return
	}
	t.hang("  ", "Because of it")
	for _, id := range ids {
		switch findings := follow[id]; {
		case len(findings) > 0:
			t.consequence(id, findings)
		case t.found[id]:
			t.hang("    -> ", id+" (see the other findings)")
		default:
			t.hang("    -> ", id)
		}
	}
	for _, id := range symptoms {
		line := id
		if slices.ContainsFunc(t.d.Symptoms, func(s engine.Symptom) bool { return s.ID == id && s.Reported }) {
			line += " (reported)"
		}
		if meaning := engine.Symptoms[id]; meaning != "" {
			line += ": " + meaning
		}
		t.hang("    -> ", line)
	}
}

func (t *text) isSymptom(id string) bool {
	if t.found[id] {
		return false
	}
	_, known := engine.Symptoms[id]
	return known || slices.ContainsFunc(t.d.Symptoms, func(s engine.Symptom) bool { return s.ID == id })
}

// consequence writes the findings of one rule: what they say, and of what.
func (t *text) consequence(id string, findings []engine.Finding) {
	var subjects []engine.Subject
	for _, f := range findings {
		subjects = append(subjects, f.Subject)
	}
	t.hang("    -> ", id+" "+where(subjects))
	groups := sameMessages(findings)
	more := 0
	if len(groups) > manyMessages+1 {
		for _, group := range groups[manyMessages:] {
			more += len(group)
		}
		groups = groups[:manyMessages]
	}
	for _, group := range groups {
		message := group[0].Message
		if flat(message) == "" {
			message = group[0].Title
		}
		t.hang("       ", message+t.others(group))
	}
	if more > 0 {
		t.hang("       ", fmt.Sprintf("and %d more: -o json", more))
	}
}

// others names the subjects beside the first, whose message it is.
func (t *text) others(group []engine.Finding) string {
	var subjects []engine.Subject
	for _, f := range group[1:] {
		if f.Subject != group[0].Subject {
			subjects = append(subjects, f.Subject)
		}
	}
	return theSame(subjects)
}

func theSame(subjects []engine.Subject) string {
	if len(subjects) == 0 {
		return ""
	}
	return " (the same " + where(subjects) + ")"
}

func sameMessages(findings []engine.Finding) [][]engine.Finding {
	var groups [][]engine.Finding
	index := map[string]int{}
	for _, f := range findings {
		key := neutral(f.Message, f.Subject)
		i, ok := index[key]
		if !ok {
			i = len(groups)
			index[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// fix writes the steps, each once for all findings of the group, and the check.
func (t *text) fix(group []engine.Finding) {
	f := group[0]
	var fixes []engine.Fix
	for _, f := range group {
		fixes = append(fixes, f.Fix)
	}
	t.way("  Fix", fixes)
	for i := range f.Fix.Alternatives {
		var others []engine.Fix
		for _, fix := range fixes {
			others = append(others, fix.Alternatives[i])
		}
		t.way("  Or, instead", others)
	}
	if verify := f.Verify; flat(verify) != "" {
		t.prose("  Check  ", verify)
		for _, other := range group[1:] {
			if other.Verify != verify {
				t.hang("         ", "and alike for the others")
				break
			}
		}
	}
}

// way writes one way to put it right, given as it is for each finding of a group.
func (t *text) way(title string, fixes []engine.Fix) {
	first := fixes[0]
	if first.Summary != "" || len(first.Steps) > 0 {
		t.heading(title, first.Summary)
	}
	for i := range first.Steps {
		var steps []engine.Step
		for _, fix := range fixes {
			steps = append(steps, fix.Steps[i])
		}
		t.step(i+1, steps)
	}
}

// step writes one step, given as it is for each finding of a group.
func (t *text) step(number int, steps []engine.Step) {
	var nodes, edits, commands []string
	cluster := false
	add := func(to *[]string, s string) {
		if strings.TrimSpace(s) != "" && !slices.Contains(*to, s) {
			*to = append(*to, s)
		}
	}
	for _, s := range steps {
		add(&nodes, s.Node)
		add(&edits, s.Edit)
		add(&commands, s.Run)
		add(&commands, s.Patch)
		cluster = cluster || s.Cluster
	}
	place := ""
	switch {
	case len(nodes) > 0:
		// Every node is named: the step is to be done on each.
		place = "on " + enumerate(nodes, len(nodes))
	case cluster:
		place = "in the cluster"
	}
	if place != "" {
		place += ": "
	}
	prefix := fmt.Sprintf("    %d. ", number)
	below := strings.Repeat(" ", len(prefix))
	for _, edit := range edits {
		t.prose(prefix, place+edit)
		prefix = below
	}
	if len(commands) > 0 {
		if len(edits) == 0 {
			if place == "" {
				place = "run: "
			}
			t.hang(prefix, place)
		}
		for _, command := range commands {
			t.command(len(prefix)+2, command)
		}
		prefix = below
	}
	if why := steps[0].Why; flat(why) != "" {
		if prefix != below {
			why = place + why
		}
		t.prose(prefix, why)
	}
}

// unattached are findings whose root is not among the root causes: nothing found is kept from the reader.
func (t *text) unattached() {
	var rest []engine.Finding
	for _, f := range t.d.Findings {
		listed := slices.ContainsFunc(t.d.RootCauses, func(r engine.Finding) bool { return r.ID == f.Root && r.Subject == f.RootSubject })
		if !listed {
			rest = append(rest, f)
		}
	}
	for _, group := range alike(rest) {
		t.finding("ALSO FOUND", group)
	}
}
