package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/netcause/netcause/engine"
)

// ruledOut writes the rules that look like what was found or reported and are not it, or all of them.
func (t *text) ruledOut() {
	groups := t.ruledOutGroups()
	var wholly, mixed [][]engine.RuledOut
	for _, group := range groups {
		if id := group[0].ID; t.found[id] || t.failed[id] {
			mixed = append(mixed, group)
		} else {
			wholly = append(wholly, group)
		}
	}
	if len(groups) == 0 || len(wholly) == 0 && !t.o.RuledOut {
		return
	}
	t.blank()
	if t.o.RuledOut {
		t.heading("RULED OUT", fmt.Sprintf("(all %d)", len(wholly)))
		t.ruledOutRows(slices.Concat(wholly, mixed))
		return
	}
	looks := slices.DeleteFunc(slices.Clone(wholly), func(group []engine.RuledOut) bool { return t.resemblance(group[0]) == 0 })
	slices.SortStableFunc(looks, func(a, b []engine.RuledOut) int {
		return cmp.Compare(t.resemblance(b[0]), t.resemblance(a[0]))
	})
	looks = looks[:min(len(looks), manyLookAlikes)]
	switch {
	case len(looks) == 0:
		t.heading("RULED OUT", fmt.Sprintf("%s: --ruled-out lists them with their evidence", count(len(wholly), "rule", "rules")))
	case len(looks) == len(wholly):
		t.heading("RULED OUT", "")
	default:
		t.heading("RULED OUT", fmt.Sprintf("(the ones that look like it; all %d: --ruled-out)", len(wholly)))
	}
	t.ruledOutRows(looks)
}

// ruledOutGroups are the outcomes of each rule, in the order of the first of each.
func (t *text) ruledOutGroups() [][]engine.RuledOut {
	var groups [][]engine.RuledOut
	index := map[string]int{}
	for _, r := range t.d.RuledOut {
		i, ok := index[r.ID]
		if !ok {
			i = len(groups)
			index[r.ID] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}

// resemblance is how much a rule that was ruled out looks like what was found or reported; 0: not at all.
func (t *text) resemblance(r engine.RuledOut) int {
	n := 0
	for _, symptom := range t.d.Symptoms {
		if symptom.Reported && t.mayExplain(r.ID, r.Category, symptom.ID) {
			n += 8
			break
		}
	}
	var explains, sameCategory, linked bool
	for _, group := range t.causes {
		root := group[0]
		explains = explains || slices.ContainsFunc(root.Explains, func(s string) bool { return slices.Contains(t.explains[r.ID], s) })
		sameCategory = sameCategory || root.Category == r.Category
		linked = linked || slices.Contains(t.brings[r.ID], root.ID) || slices.Contains(t.brings[root.ID], r.ID)
	}
	for weight, is := range []bool{sameCategory, explains, linked} {
		if is {
			n += 1 << weight
		}
	}
	return n
}

// ruledOutRows writes a row for each rule: its id, and what shows that its fault is not there.
func (t *text) ruledOutRows(groups [][]engine.RuledOut) {
	const widest = 36
	column := 0
	for _, group := range groups {
		if w := displaywidth.String(flat(group[0].ID)); w <= widest {
			column = max(column, w)
		}
	}
	for _, group := range groups {
		id := flat(group[0].ID)
		w := displaywidth.String(id)
		said := words(t.ruledOutText(group))
		// With little room beside the ids, what is said stands below them.
		if t.width-column-4 < 40 {
			t.hang("  ", id)
			t.words("      ", said)
			continue
		}
		beside := strings.Repeat(" ", column+4)
		if w > column {
			t.hang("  ", id)
			t.words(beside, said)
			continue
		}
		lines := fill(said, t.width-column-4)
		if len(lines) == 0 {
			lines = []string{""}
		}
		for i, line := range lines {
			prefix := beside
			if i == 0 {
				prefix = "  " + id + strings.Repeat(" ", column-w+2)
			}
			t.line(prefix, line)
		}
	}
}

// ruledOutText is the first subject's message with its best evidence, and on what else the rule is ruled out.
func (t *text) ruledOutText(group []engine.RuledOut) string {
	first := group[0]
	said := flat(first.Message)
	if said == "" {
		said = "not so: " + flat(first.Title)
	}
	like, unlike := []engine.Subject{first.Subject}, []engine.Subject(nil)
	for _, r := range group[1:] {
		if neutral(r.Message, r.Subject) == neutral(first.Message, first.Subject) {
			like = append(like, r.Subject)
		} else {
			unlike = append(unlike, r.Subject)
		}
	}
	like = distinct(like)
	unlike = slices.DeleteFunc(distinct(unlike), func(s engine.Subject) bool { return slices.Contains(like, s) })
	evidence := bestEvidence(first, said)
	names := replaceName(first.Message, first.Subject.Name, "") != first.Message
	switch {
	case names || t.d.Summary.Nodes < 2 || first.Subject.Kind != "Node":
		said += evidence + theSame(like[1:])
	case len(like) > 2 && len(like) == t.d.Summary.Nodes && len(t.d.Summary.NodesNotCollected) == 0:
		said = fmt.Sprintf("all %d nodes: %s%s", len(like), said, evidence)
	default:
		said = strings.TrimPrefix(where(like), "on ") + ": " + said + evidence
	}
	if len(unlike) > 0 {
		said += " (ruled out " + where(unlike) + " too, for another reason)"
	}
	return said + t.elsewhere(first.ID)
}

// bestEvidence is the first evidence, as far as what was said does not have it already.
func bestEvidence(r engine.RuledOut, said string) string {
	if len(r.Evidence) == 0 {
		return ""
	}
	const short = 44
	e := r.Evidence[0]
	value, what, source := flat(e.Value), flat(e.Fact), flat(string(e.Source))
	var show []string
	if value != "" && !strings.Contains(said, value) && displaywidth.String(value) <= short {
		show = append(show, strings.TrimSpace(what+" "+value))
	}
	if source != "" {
		show = append(show, source)
	}
	if len(show) == 0 {
		return ""
	}
	return " [" + strings.Join(show, ": ") + "]"
}

// elsewhere says what else came of a rule that was ruled out on some subjects.
func (t *text) elsewhere(id string) string {
	var found, failed, not []engine.Subject
	for _, f := range t.d.Findings {
		if f.ID == id {
			found = append(found, f.Subject)
		}
	}
	for _, f := range t.d.FailedRules {
		if f.ID == id {
			failed = append(failed, f.Subject)
		}
	}
	for _, n := range t.d.NotExamined {
		if n.ID == id {
			not = append(not, n.Subject)
		}
	}
	var b strings.Builder
	for _, outcome := range []struct {
		name     string
		subjects []engine.Subject
	}{{"found", found}, {"failed", failed}, {"not examined", not}} {
		if len(outcome.subjects) > 0 {
			fmt.Fprintf(&b, "; but %s %s", outcome.name, where(outcome.subjects))
		}
	}
	return b.String()
}
