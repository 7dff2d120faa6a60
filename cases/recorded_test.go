package cases_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/report"
	"github.com/netcause/netcause/rules"
)

var updateFlag = flag.Bool("update", false, "rewrite the expected diagnoses")

// TestRecorded analyses the snapshot of each case, and compares the diagnosis with the expected one, by its properties
// and to the letter.
func TestRecorded(t *testing.T) {
	library, err := engine.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := library.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, pattern := range []string{"*/snapshot", "*/*/snapshot"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		folders = append(folders, found...)
	}
	if len(folders) != len(expected) {
		t.Errorf("%d cases have a snapshot, %d are expected: %v", len(folders), len(expected), folders)
	}
	for id, want := range expected {
		t.Run(id, func(t *testing.T) {
			bundles, err := filepath.Glob(filepath.Join(id, "snapshot", "*.tar.gz"))
			if err != nil {
				t.Fatal(err)
			}
			snapshot, err := bundle.Read(t.Context(), bundles, bundle.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			d, err := compiled.Diagnose(t.Context(), snapshot)
			if err != nil {
				t.Fatal(err)
			}
			if want.chain == nil {
				isHealthy(t, d)
			} else {
				hasOneRoot(t, d, want)
			}
			for _, way := range want.shown {
				showsTheWay(t, d, way)
			}

			var asJSON, asText bytes.Buffer
			if err := report.JSON(&asJSON, d); err != nil {
				t.Fatal(err)
			}
			if err := report.Text(&asText, d, report.TextOptions{Rules: library.Rules()}); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join(id, "diagnosis.json"), asJSON.Bytes())
			golden(t, filepath.Join(id, "diagnosis.txt"), asText.Bytes())
		})
	}
}

// hasOneRoot checks that a diagnosis has one root cause, with that chain, and has ruled the others out.
func hasOneRoot(t *testing.T, d *engine.Diagnosis, want expectation) {
	t.Helper()
	var roots []string
	for _, root := range d.RootCauses {
		roots = append(roots, root.ID)
	}
	if diff := cmp.Diff([]string{want.root()}, roots); diff != "" {
		t.Errorf("root causes: %s\n%s", diff, shown(t, d))
		return
	}
	if diff := cmp.Diff(want.chain, d.RootCauses[0].Chain); diff != "" {
		t.Errorf("chain: %s", diff)
	}
	for _, id := range want.ruledOut {
		if !slices.ContainsFunc(d.RuledOut, func(r engine.RuledOut) bool { return r.ID == id }) {
			t.Errorf("%s is not ruled out", id)
		}
		if slices.ContainsFunc(d.Findings, func(f engine.Finding) bool { return f.ID == id }) {
			t.Errorf("%s is found", id)
		}
	}
	hasNoFailedRules(t, d)
}

// isHealthy checks that nothing was found.
func isHealthy(t *testing.T, d *engine.Diagnosis) {
	t.Helper()
	if len(d.Findings) > 0 {
		t.Errorf("findings, want none: %s", shown(t, d))
	}
	hasNoFailedRules(t, d)
}

func hasNoFailedRules(t *testing.T, d *engine.Diagnosis) {
	t.Helper()
	for _, rule := range d.FailedRules {
		t.Errorf("rule %s for %s: %s", rule.ID, rule.Subject, rule.Error)
	}
}

// shown is what a diagnosis found, for a test's message.
func shown(t *testing.T, d *engine.Diagnosis) string {
	t.Helper()
	text, err := json.MarshalIndent(d.Findings, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// showsTheWay checks that a rule was ruled out by the evidence that is wanted.
func showsTheWay(t *testing.T, d *engine.Diagnosis, want shownWay) {
	t.Helper()
	for _, r := range d.RuledOut {
		if r.ID != want.id || r.Subject.Node != want.node {
			continue
		}
		left := want.words
		for _, e := range r.Evidence {
			if len(left) > 0 && strings.Contains(e.Value, left[0]) {
				left = left[1:]
			}
		}
		if len(left) > 0 {
			t.Errorf("%s is ruled out on %s without %q: %+v", want.id, want.node, left, r.Evidence)
		}
		return
	}
	t.Errorf("%s is not ruled out on %s", want.id, want.node)
}

// golden compares with the file of what is expected.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *updateFlag {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-), this one (+); go test ./cases -run TestRecorded -update rewrites it:\n%s", path, diff)
	}
}
