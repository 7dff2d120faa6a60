package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
)

// want is what has to be collected, and what for.
type want struct {
	commands []string
	places   string
	settles  []string // rules that need nothing else
	helps    []string // rules that need more than this
	lacks    []lack
}

// lack is a group of facts that was not there.
type lack struct {
	group, why string
	subjects   []engine.Subject
}

// notExamined writes the commands that would settle what is open, first those of unexplained symptoms. Where the root
// cause is found it is brief.
func (t *text) notExamined() {
	wants := t.wants()
	if len(wants) == 0 {
		return
	}
	most, ids := 8, 12
	if len(t.causes) > 0 && len(t.unexplained()) == 0 {
		most, ids = 3, 4
	}
	t.blank()
	if t.o.Ask {
		t.heading("NOT EXAMINED", "(facts were missing; below is what to ask for)")
	} else {
		t.heading("NOT EXAMINED", "(facts were missing; these commands show them)")
	}
	more := 0
	if len(wants) > most+1 {
		more = len(wants) - most
		wants = wants[:most]
	}
	for _, w := range wants {
		commands := w.commands
		switch {
		case len(commands) == 0:
			t.hang("  ", w.places+": no command is known that shows this")
		case t.o.Ask && !slices.ContainsFunc(w.lacks, func(l lack) bool { return !isAsked(l.group) }):
			t.hang("  ", w.places)
			commands = nil
		default:
			t.hang("  ", w.places+":")
		}
		if len(commands) > manyCommands+1 {
			commands = commands[:manyCommands]
		}
		for _, command := range commands {
			t.command(6, command)
		}
		if n := len(w.commands) - len(commands); n > 0 && len(commands) > 0 {
			t.hang("      ", fmt.Sprintf("and %d more: -o json", n))
		}
		if len(w.settles) > 0 {
			t.hang("    settles  ", enumerate(w.settles, ids))
		}
		if len(w.helps) > 0 {
			lacking := "lacks"
			if len(w.helps) > 1 {
				lacking = "lack"
			}
			t.hang("    helps    ", enumerate(w.helps, ids)+" ("+lacking+" more than this)")
		}
		for i, line := range w.reasons() {
			if i == 0 {
				t.hang("    missing  ", line)
			} else {
				t.hang("             ", line)
			}
		}
	}
	if more > 0 {
		t.hang("  ", fmt.Sprintf("and %d more: -o json", more))
	}
}

// reasons are why the facts are missing: groups with one reason on one line.
func (w *want) reasons() []string {
	groups := map[string][]string{}
	subjects := map[string][]engine.Subject{}
	var order []string
	for _, l := range w.lacks {
		if _, ok := groups[l.why]; !ok {
			order = append(order, l.why)
		}
		groups[l.why] = append(groups[l.why], l.group)
		subjects[l.why] = append(subjects[l.why], l.subjects...)
	}
	var lines []string
	for i, why := range order {
		if i == manyMessages && len(order) > manyMessages+1 {
			return append(lines, fmt.Sprintf("and %d more reasons: -o json", len(order)-manyMessages))
		}
		line := why
		if names := enumerate(groups[why], 6); names != "" {
			line = names + ", " + why
		}
		if len(order) > 1 {
			line += " (" + where(subjects[why]) + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// wantKey puts together what one command shows. What nobody asked for is missing as a whole, for one reason, and is best
// asked for as a whole.
func wantKey(m engine.MissingFacts) string {
	switch {
	case m.Status == facts.NotAsked && ofCluster(m.Group):
		return "cluster\x00" + m.Reason
	case m.Status == facts.NotAsked:
		return "node\x00" + m.Reason
	case m.Collect == "":
		return "group\x00" + m.Group
	}
	return "command\x00" + m.Collect
}

func ofCluster(group string) bool { return strings.HasPrefix(group, "cluster.") }

func (t *text) wants() []*want {
	// A rule is settled by one of them only if it lacks nothing else on any of its subjects.
	keys := map[string][]string{}
	for _, n := range t.d.NotExamined {
		for _, m := range n.Missing {
			if key := wantKey(m); !slices.Contains(keys[n.ID], key) {
				keys[n.ID] = append(keys[n.ID], key)
			}
		}
	}
	var wants []*want
	index := map[string]*want{}
	for _, n := range t.d.NotExamined {
		missing := n.Missing
		if len(missing) == 0 {
			missing = []engine.MissingFacts{{Reason: "the rule did not say what it lacks"}}
		}
		for _, m := range missing {
			key := wantKey(m)
			w := index[key]
			if w == nil {
				w = &want{}
				index[key] = w
				wants = append(wants, w)
			}
			w.add(n, m, len(keys[n.ID]) <= 1)
		}
	}
	for _, w := range wants {
		w.place()
	}
	unexplained := t.unexplained()
	explains := func(w *want) int {
		for _, id := range slices.Concat(w.settles, w.helps) {
			for _, symptom := range unexplained {
				if t.mayExplain(id, t.category(id), symptom) {
					return 1
				}
			}
		}
		return 0
	}
	slices.SortStableFunc(wants, func(a, b *want) int {
		return cmp.Or(
			cmp.Compare(explains(b), explains(a)),
			cmp.Compare(len(b.settles), len(a.settles)),
			cmp.Compare(len(b.helps), len(a.helps)),
		)
	})
	return wants
}

func (t *text) category(id string) string {
	i := slices.IndexFunc(t.d.NotExamined, func(n engine.NotExamined) bool { return n.ID == id })
	if i < 0 {
		return ""
	}
	return t.d.NotExamined[i].Category
}

// add notes that the rule of n lacks m.
func (w *want) add(n engine.NotExamined, m engine.MissingFacts, alone bool) {
	rules := &w.helps
	if alone {
		rules = &w.settles
	}
	if !slices.Contains(*rules, n.ID) {
		*rules = append(*rules, n.ID)
	}
	if flat(m.Collect) != "" && !slices.Contains(w.commands, m.Collect) {
		w.commands = append(w.commands, m.Collect)
	}
	why := strings.ReplaceAll(m.Status.String(), "-", " ")
	if reason := flat(m.Reason); reason != "" {
		if rest, ok := strings.CutPrefix(reason, "it was "); ok {
			why = rest
		} else {
			why += ": " + reason
		}
	}
	i := slices.IndexFunc(w.lacks, func(l lack) bool { return l.group == m.Group && l.why == why })
	if i < 0 {
		i = len(w.lacks)
		w.lacks = append(w.lacks, lack{group: m.Group, why: why})
	}
	subject := n.Subject
	if m.Node != "" {
		subject = engine.Subject{Kind: "Node", Name: m.Node, Node: m.Node}
	}
	w.lacks[i].subjects = append(w.lacks[i].subjects, subject)
}

// place says where the commands are to be run.
func (w *want) place() {
	var nodes, places []string
	var cluster, anyNode bool
	for _, l := range w.lacks {
		for _, s := range l.subjects {
			node := s.Node
			if s.Kind == "Node" {
				node = s.Name
			}
			switch {
			case ofCluster(l.group):
				cluster = true
			case node == "":
				anyNode = true
			case !slices.Contains(nodes, node):
				nodes = append(nodes, node)
			}
		}
	}
	if len(nodes) > 0 {
		places = append(places, "on "+enumerate(nodes, 8))
	} else if anyNode {
		places = append(places, "on the nodes")
	}
	if cluster {
		places = append(places, "in the cluster")
	}
	w.places = strings.Join(places, ", ")
}
