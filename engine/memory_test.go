package engine

import (
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
