package engine

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/netcause/netcause/engine/facts"
)

// A custom rule that uses too much memory is cut off; those that run beside it are not.
func TestRuleMemoryIsBounded(t *testing.T) {
	library, err := Load(fstest.MapFS{"sound.rego": rule("sound", nodeRule, always)})
	if err != nil {
		t.Fatal(err)
	}
	mine := fstest.MapFS{
		"large.rego": rule("large", nodeRule, "finding contains "+finds+" if {\n\tlarge := [x | some x in numbers.range(1, 500000000)]\n\tcount(large) < 0\n}"),
		"small.rego": rule("small", nodeRule, always),
	}
	if err := library.AddCustom(mine, "mine"); err != nil {
		t.Fatal(err)
	}
	e, err := library.Compile(t.Context(), WithRuleMemory(32<<20), WithRuleTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	d := diagnose(t, e, &facts.Snapshot{Nodes: []*facts.Node{node("n1"), node("n2")}})
	for _, f := range d.FailedRules {
		if f.ID != "large" || !strings.Contains(f.Error, "32 MiB of memory and was cut off: most of it in mine/large.rego:13") {
			t.Errorf("failed: %+v", f)
		}
	}
	if len(d.FailedRules) != 2 || len(d.RootCauses) != 4 {
		t.Errorf("outcomes: %q", outcomes(d))
	}
}

// Explaining a rule tries more than the rule itself does, and what is traced takes memory too: it is bounded as well, and
// says how far it came.
func TestExplanationIsBounded(t *testing.T) {
	library, err := Load(fstest.MapFS{"sound.rego": rule("sound", nodeRule, always)})
	if err != nil {
		t.Fatal(err)
	}
	mine := fstest.MapFS{
		"large.rego": rule("large", nodeRule, "finding contains "+finds+" if {\n\tinput.node.name == \"n1\"\n\tlarge := [x | some x in numbers.range(1, 500000000)]\n\tcount(large) < 0\n}"),
		"late.rego":  rule("late", nodeRule, "finding contains "+finds+" if {\n\tsome x in numbers.range(1, 100000)\n\tsome y in numbers.range(1, 100000)\n\tx + y < 0\n}"),
	}
	if err := library.AddCustom(mine, "mine"); err != nil {
		t.Fatal(err)
	}
	seen := See(&facts.Snapshot{Nodes: []*facts.Node{node("n1")}})
	for id, c := range map[string]struct {
		options []Option
		stopped string
		row     int
	}{
		"large": {[]Option{WithRuleMemory(32 << 20), WithRuleTimeout(time.Minute)}, "it used more than 32 MiB of memory and was cut off", 14},
		"late":  {[]Option{WithRuleTimeout(200 * time.Millisecond)}, "it ran for more than 200ms and was cut off", 0},
	} {
		e, err := library.Compile(t.Context(), c.options...)
		if err != nil {
			t.Fatal(err)
		}
		explanation, err := e.Explain(t.Context(), seen, id, "n1")
		if err != nil {
			t.Fatal(err)
		}
		if explanation.Stopped != c.stopped {
			t.Errorf("%s: stopped with %q, want %q", id, explanation.Stopped, c.stopped)
		}
		here := 0
		for _, rule := range explanation.Rules {
			for _, condition := range rule.Conditions {
				if slices.Contains(condition.Values, "it was stopped here") {
					here = condition.Row
				}
			}
		}
		if here == 0 || c.row != 0 && here != c.row {
			t.Errorf("%s: stopped in line %d, want %d: %+v", id, here, c.row, explanation.Rules)
		}
	}
}
