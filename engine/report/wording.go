package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netcause/netcause/engine"
)

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func nodeObjects(n int) string {
	if n == 1 {
		return "its Node object was read"
	}
	return "their Node objects were read"
}

func itOrThem(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

func knows(n int) string {
	if n == 1 {
		return "one knows"
	}
	return fmt.Sprintf("%d know", n)
}

// enumerate names up to about most of the names: "n1, n2 and 4 more". The rest is never just one.
func enumerate(names []string, most int) string {
	names = slices.DeleteFunc(slices.Clone(names), func(s string) bool { return flat(s) == "" })
	if len(names) > most+1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

func seconds(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}

// manyNames is how many subjects are named before "and N more".
const manyNames = 3

func distinct(subjects []engine.Subject) []engine.Subject {
	var out []engine.Subject
	for _, s := range subjects {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// label names subjects at the head of a finding: "Node n1", "Nodes n1 and n2", "Pod default/a on n1".
func label(subjects []engine.Subject) string {
	subjects = distinct(subjects)
	if len(subjects) == 0 {
		return ""
	}
	first := subjects[0]
	if len(subjects) == 1 {
		switch {
		case first.Kind == "Cluster":
			return "the cluster"
		case first.Node != "" && first.Kind != "Node":
			return first.String() + " on " + first.Node
		}
		return first.String()
	}
	sameKind := !slices.ContainsFunc(subjects, func(s engine.Subject) bool { return s.Kind != first.Kind })
	var names []string
	for _, s := range subjects {
		name := s.String()
		if sameKind {
			name = strings.TrimPrefix(name, s.Kind+" ")
		}
		names = append(names, name)
	}
	if sameKind {
		return plural(first.Kind, 2) + " " + enumerate(names, manyNames)
	}
	return enumerate(names, manyNames)
}

// where names subjects inside a sentence: "on n1, n2, n3 and 4 more", "in the cluster", "for Service default/a".
func where(subjects []engine.Subject) string {
	subjects = distinct(subjects)
	if len(subjects) == 0 {
		return ""
	}
	all := func(kind string) bool {
		return !slices.ContainsFunc(subjects, func(s engine.Subject) bool { return s.Kind != kind })
	}
	switch {
	case all("Node"):
		var names []string
		for _, s := range subjects {
			names = append(names, s.Name)
		}
		return "on " + enumerate(names, manyNames)
	case all("Cluster"):
		return "in the cluster"
	}
	return "for " + label(subjects)
}
