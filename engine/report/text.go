// Package report renders a diagnosis as text for people and as JSON for programs.
package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/clipperhouse/displaywidth"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/datapath"
)

const (
	defaultWidth = 100
	leastWidth   = 40
)

// Bounds of what a text shows before it says how many more there are: what is needed must not scroll past. The JSON has
// all.
const (
	manyEvidence   = 15
	manyLookAlikes = 8
	manyMessages   = 3
	manyCommands   = 8
)

// TextOptions says how [Text] writes. The zero value is the text for a pipe.
type TextOptions struct {
	// Width in columns; 0: 100. Only commands and words that cannot be broken go beyond it; nothing is cut off.
	Width int
	// Color marks severities with ANSI colours.
	Color bool
	// RuledOut lists all rules that were ruled out, not only those that look like what was found or reported.
	RuledOut bool
	// Elapsed is how long reading and diagnosing took; 0: it is not said.
	Elapsed time.Duration
	// Rules are those that were evaluated ([engine.Library.Rules]): what they explain and cause tells which ruled out
	// rule looks like the root cause, and which rule that was not examined could explain a symptom. Without them the
	// rules' categories have to do.
	Rules []*engine.Rule
	// Ask ends the text with the commands to ask for, where something was not examined: for a diagnosis of what somebody
	// sent.
	Ask bool
}

// Text writes the diagnosis for a person: what was read, the root causes with their evidence and fix, what was ruled
// out, and what could not be examined. Strings of the diagnosis cannot bring control characters into it.
func Text(w io.Writer, d *engine.Diagnosis, o TextOptions) error {
	if d == nil {
		return errors.New("write a diagnosis as text: there is none")
	}
	t := newText(d, o)
	t.read()
	t.path()
	t.verdict()
	t.reported()
	t.rootCauses()
	for _, group := range t.advice {
		t.finding("ADVICE", group)
	}
	t.unattached()
	t.ruledOut()
	t.notExamined()
	t.failedRules()
	if o.Ask {
		t.ask()
	}
	if _, err := w.Write(t.buf.Bytes()); err != nil {
		return fmt.Errorf("write a diagnosis as text: %w", err)
	}
	return nil
}

// rootCauses writes them by what they have to do with the packet that was asked about, if any was.
func (t *text) rootCauses() {
	for _, part := range []struct {
		bearing engine.Bearing
		title   string
	}{{"", "ROOT CAUSE"}, {engine.Explains, "ROOT CAUSE"}, {engine.OnPath, "ALSO FOUND ON THE WAY"}, {engine.Elsewhere, "FOUND ELSEWHERE"}} {
		groups := slices.DeleteFunc(slices.Clone(t.causes), func(g []engine.Finding) bool { return g[0].Bearing != part.bearing })
		for i, group := range groups {
			title := part.title
			if len(groups) > 1 {
				title = fmt.Sprintf("%s %d of %d", title, i+1, len(groups))
			}
			t.finding(title, group)
		}
	}
}

// rootKey names a root cause.
type rootKey struct {
	id      string
	subject engine.Subject
}

// text is a report in the making.
type text struct {
	page
	d        *engine.Diagnosis
	o        TextOptions
	explains map[string][]string // rule id -> symptoms
	brings   map[string][]string // rule id -> rule ids
	// follow are the findings that belong to a root and are not it.
	follow map[rootKey][]engine.Finding
	found  map[string]bool // rule ids
	failed map[string]bool
	causes [][]engine.Finding
	advice [][]engine.Finding
	shown  map[rootKey]bool
}

func newText(d *engine.Diagnosis, o TextOptions) *text {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	t := &text{
		page: page{width: max(o.Width, leastWidth), color: o.Color},
		d:    d, o: o,
		explains: map[string][]string{}, brings: map[string][]string{},
		follow: map[rootKey][]engine.Finding{},
		found:  map[string]bool{}, failed: map[string]bool{}, shown: map[rootKey]bool{},
	}
	for _, rule := range o.Rules {
		t.explains[rule.ID], t.brings[rule.ID] = rule.Explains, rule.Causes
	}
	for _, f := range slices.Concat(d.RootCauses, d.Findings) {
		t.found[f.ID] = true
		if len(t.explains[f.ID]) == 0 {
			t.explains[f.ID] = f.Explains
		}
	}
	for _, f := range d.Findings {
		if f.Root != f.ID || f.RootSubject != f.Subject {
			key := rootKey{f.Root, f.RootSubject}
			t.follow[key] = append(t.follow[key], f)
		}
	}
	for _, f := range d.FailedRules {
		t.failed[f.ID] = true
	}
	var causes, advice []engine.Finding
	for _, f := range d.RootCauses {
		if t.isAdvice(f) {
			advice = append(advice, f)
		} else {
			causes = append(causes, f)
		}
	}
	t.causes, t.advice = alike(causes), alike(advice)
	return t
}

// isAdvice: nothing is broken by it.
func (t *text) isAdvice(f engine.Finding) bool {
	return f.Severity == engine.Info && !slices.ContainsFunc(t.follow[rootKey{f.ID, f.Subject}], func(f engine.Finding) bool {
		return f.Severity != engine.Info
	})
}

// read says what the diagnosis rests on.
func (t *text) read() {
	s := t.d.Summary
	what := "nothing"
	if s.Nodes > 0 || s.Cluster {
		var things []string
		if s.Nodes > 0 {
			things = append(things, count(s.Nodes, "node", "nodes"))
		}
		if s.Cluster {
			things = append(things, "1 cluster")
		}
		what = strings.Join(things, ", ")
	}
	if t.o.Elapsed > 0 {
		what += " in " + seconds(t.o.Elapsed)
	}
	var outcomes []string
	if s.Found > 0 {
		outcomes = append(outcomes, t.foundCount())
	}
	for _, outcome := range []struct {
		n    int
		name string
	}{{s.RuledOut, "ruled out"}, {s.NotExamined, "not examined"}, {s.Failed, "failed"}} {
		if outcome.n > 0 {
			outcomes = append(outcomes, fmt.Sprintf("%d %s", outcome.n, outcome.name))
		}
	}
	what = "Read " + what + "."
	line := count(s.Rules, "rule", "rules")
	if len(outcomes) > 0 {
		line += ": " + strings.Join(outcomes, ", ")
	}
	line += "."
	if both := what + " " + line; displaywidth.String(both) <= t.width {
		t.line("", both)
	} else {
		t.hang("", what)
		t.hang("", line)
	}
	t.bundles()
	t.customized()
	if n := len(s.NodesNotCollected); n > 0 {
		t.hang("NOT COLLECTED  ", fmt.Sprintf("%s: only %s; a fault on %s does not show here",
			enumerate(s.NodesNotCollected, 8), nodeObjects(n), itOrThem(n)))
	}
	t.problems()
}

// customized says how the rules differ from the built-in ones: who reads another's report has to know.
func (t *text) customized() {
	c := t.d.Customized
	if c == nil {
		return
	}
	var parts []string
	for _, part := range []struct {
		of  string
		ids []string
	}{
		{"custom", c.Custom},
		{"instead of the built-in rule", c.Overridden},
		{"disabled", c.Disabled},
		{"severity changed", c.Severity},
	} {
		if len(part.ids) > 0 {
			parts = append(parts, part.of+" "+enumerate(part.ids, 8))
		}
	}
	t.hang("RULES  ", strings.Join(parts, "; "))
}

// foundCount says what was found. Faults alike on several subjects count once, as they are written.
func (t *text) foundCount() string {
	rules := map[string]bool{}
	for _, group := range slices.Concat(t.causes, t.advice) {
		rules[group[0].ID] = true
	}
	var parts []string
	if n := len(t.causes); n > 0 {
		parts = append(parts, count(n, "root cause", "root causes"))
	}
	if n := len(t.advice); n > 0 {
		parts = append(parts, count(n, "piece of advice", "pieces of advice"))
	}
	found := t.d.Summary.Found
	switch consequences := found - len(rules); {
	case len(parts) == 0:
		return fmt.Sprintf("%d found", found)
	case len(rules) != len(t.causes)+len(t.advice) || consequences < 0:
		// One rule found several things: the numbers would not add up.
		return fmt.Sprintf("%d found (%s)", found, strings.Join(parts, ", "))
	case consequences > 0:
		return strings.Join(parts, ", ") + " and " + count(consequences, "consequence", "consequences")
	}
	return strings.Join(parts, ", ")
}

// bundles says how old the facts are that were not read just now.
func (t *text) bundles() {
	var names []string
	var first, last time.Time
	for _, source := range t.d.Sources {
		if source.Kind != "bundle" {
			continue
		}
		if !slices.Contains(names, source.Name) { // nodes and the cluster may be of one
			names = append(names, source.Name)
		}
		if at := source.CollectedAt; !at.IsZero() {
			if first.IsZero() || at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
			}
		}
	}
	if len(names) == 0 {
		return
	}
	line := "From " + enumerate(names, 3)
	if !first.IsZero() {
		const minute = "2006-01-02 15:04"
		from, to := first.UTC().Format(minute), last.UTC().Format(minute)
		line += ", collected " + from
		if from != to {
			line += " to " + to
		}
		line += " UTC"
	}
	t.hang("", line+".")
}

// problems are what could not be done about an input as a whole.
func (t *text) problems() {
	type problem struct{ kind, what string }
	names := map[problem][]string{}
	var order []problem
	for _, source := range t.d.Sources {
		if source.Problem == "" {
			continue
		}
		p := problem{source.Kind, source.Problem}
		if names[p] == nil {
			order = append(order, p)
		}
		names[p] = append(names[p], source.Name)
	}
	for _, p := range order {
		t.hang("PROBLEM  ", fmt.Sprintf("%s %s: %s", plural(p.kind, len(names[p])), enumerate(names[p], 4), p.what))
	}
}

// verdict is for a diagnosis without a root cause: it tells apart that nothing is wrong and that nothing was seen.
func (t *text) verdict() {
	s := t.d.Summary
	if len(t.causes) > 0 || slices.ContainsFunc(t.d.Findings, func(f engine.Finding) bool { return f.Severity != engine.Info }) {
		return
	}
	t.blank()
	if s.Found+s.RuledOut == 0 {
		var why string
		switch {
		case s.NotExamined == 0 && s.Failed == 0:
			why = "no rule was evaluated."
		case s.Failed == 0:
			why = "every rule lacked facts that it needs."
		case s.NotExamined == 0:
			why = "every rule failed."
		default:
			why = fmt.Sprintf("%s lacked facts, %d failed.", count(s.NotExamined, "rule", "rules"), s.Failed)
		}
		t.hang("", "Nothing could be examined: "+why+" This says nothing about whether the network works.")
		return
	}
	line := "No fault found."
	if t.d.Trace != nil && t.d.Trace.Verdict != datapath.Delivered {
		line = "No rule finds a fault."
	}
	examined := s.Found + s.RuledOut
	switch {
	case examined < s.Rules:
		line += fmt.Sprintf(" %d of %s could be examined; a fault that only the other %s would not show here.",
			examined, count(s.Rules, "rule", "rules"), knows(s.Rules-examined))
	case len(t.d.NotExamined) > 0:
		line += fmt.Sprintf(" All %d rules were examined, some of them not everywhere: see NOT EXAMINED.", s.Rules)
	default:
		line += fmt.Sprintf(" All %d rules were examined.", s.Rules)
	}
	t.hang("", line)
}

// reported says of each symptom that a person reported what explains it.
func (t *text) reported() {
	first := true
	for _, symptom := range t.d.Symptoms {
		if !symptom.Reported {
			continue
		}
		if first {
			t.blank()
			first = false
		}
		if len(symptom.ExplainedBy) > 0 {
			t.hang("REPORTED  ", fmt.Sprintf("%s: explained by %s", symptom.ID, enumerate(symptom.ExplainedBy, 4)))
			continue
		}
		t.hang("REPORTED  ", symptom.ID+": NOT EXPLAINED by anything that was found")
		could := t.couldExplain(symptom.ID)
		switch {
		case len(could) > 0:
			t.hang("          ", "could explain it, but not examined: "+strings.Join(could, ", "))
		case len(t.o.Rules) > 0:
			t.hang("          ", "every rule that could explain it was examined: the fault is of a kind that no rule knows, or outside what was read")
		}
	}
}

// couldExplain are the rules that were not examined, or failed, and explain the symptom.
func (t *text) couldExplain(symptom string) []string {
	var ids []string
	add := func(id, category string) {
		if t.mayExplain(id, category, symptom) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, n := range t.d.NotExamined {
		add(n.ID, n.Category)
	}
	for _, f := range t.d.FailedRules {
		add(f.ID, "")
	}
	return ids
}

func (t *text) mayExplain(id, category, symptom string) bool {
	if explains, ok := t.explains[id]; ok {
		return slices.Contains(explains, symptom)
	}
	return category == symptom
}

// unexplained are the reported symptoms that nothing explains.
func (t *text) unexplained() []string {
	var ids []string
	for _, symptom := range t.d.Symptoms {
		if symptom.Reported && len(symptom.ExplainedBy) == 0 {
			ids = append(ids, symptom.ID)
		}
	}
	return ids
}

// failedRules are those whose outcome nobody knows.
func (t *text) failedRules() {
	if len(t.d.FailedRules) == 0 {
		return
	}
	type failure struct{ id, err string }
	subjects := map[failure][]engine.Subject{}
	var order []failure
	for _, f := range t.d.FailedRules {
		key := failure{f.ID, f.Error}
		if subjects[key] == nil {
			order = append(order, key)
		}
		subjects[key] = append(subjects[key], f.Subject)
	}
	t.blank()
	t.heading("FAILED RULES", "(a fault of the rule, not of the network; what it looks for may be there)")
	for _, f := range order {
		t.hang("  ", f.id+" "+where(subjects[f]))
		t.hang("    ", f.err)
	}
}
