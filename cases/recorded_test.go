package cases_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
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
	folders, err := filepath.Glob("*/snapshot")
	if err != nil {
		t.Fatal(err)
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
				isHealthy(t, d, 0)
			} else {
				hasOneRoot(t, d, 1, want)
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
