package rules_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/lint"
	"github.com/netcause/netcause/engine/ruletest"
	"github.com/netcause/netcause/rules"
)

// sources are the library's Rego files by path, tests included.
func sources(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(rules.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".rego") {
			return err
		}
		files[path], err = fs.ReadFile(rules.FS, path)
		return err
	})
	if err != nil {
		t.Fatalf("read the library: %v", err)
	}
	return files
}

func parserOptions() ast.ParserOptions {
	return ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: engine.Capabilities()}
}

func library(t *testing.T) *engine.Library {
	t.Helper()
	l, err := engine.Load(rules.FS)
	if err != nil {
		t.Fatalf("load the library: %v", err)
	}
	return l
}

func tests(t *testing.T) map[string]*ast.Module {
	t.Helper()
	modules, err := ruletest.Tests([]ruletest.Folder{{Files: rules.FS}})
	if err != nil {
		t.Fatal(err)
	}
	return modules
}

func TestRego(t *testing.T) {
	results, err := ruletest.Run(t.Context(), library(t), tests(t), ruletest.Options{})
	if err != nil {
		t.Fatalf("compile the library with its tests: %v", err)
	}
	for _, result := range results.Tests {
		t.Run(strings.TrimPrefix(result.Package, "netcause.rules.")+"."+result.Name, func(t *testing.T) {
			switch {
			case result.Problem != "":
				t.Errorf("%s:%d: %s\n%s", result.File, result.Row, result.Problem, result.Output)
			case result.Skipped:
				t.Errorf("%s:%d: skipped: a test named todo_ tests nothing", result.File, result.Row)
			}
		})
	}
}

// Nothing is remarked at a rule of the library: it declares what it reads, names the pages that it was written from, has
// evidence and a fix, and a test of what it finds and of what looks like it and is not. With -update, groups that a rule
// reads and does not declare are written as optional: whether it can do without them is for its author to see.
func TestLint(t *testing.T) {
	l := library(t)
	reviews, err := l.Review(false)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		for _, review := range reviews {
			writeOptional(t, review)
		}
		return
	}
	var ids []string
	for _, review := range reviews {
		ids = append(ids, review.ID)
	}
	remarks, err := lint.Rules(t.Context(), reviews, ids, ruletest.Names(tests(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, remark := range remarks {
		t.Error(remark)
	}
}

// writeOptional adds what a rule reads and does not declare to its METADATA.
func writeOptional(t *testing.T, review engine.Review) {
	t.Helper()
	optional := slices.Clone(review.Optional)
	for _, reading := range review.Reads {
		if !reading.Declared {
			optional = append(optional, reading.Group)
		}
	}
	if len(optional) == len(review.Optional) {
		return
	}
	slices.Sort(optional)
	text, err := os.ReadFile(review.File)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return strings.HasPrefix(line, "#   optional:") })
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "#   explains:") })
	lines = slices.Insert(lines, i, "#   optional: ["+strings.Join(optional, ", ")+"]")
	if err := os.WriteFile(review.File, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What rules and the library ask of facts and of answers is what these have.
func TestRulesAskForWhatThereIs(t *testing.T) {
	mistakes, err := library(t).Mistakes()
	if err != nil {
		t.Fatal(err)
	}
	for _, mistake := range mistakes {
		t.Error(mistake)
	}
}

// Where a rule stands follows from its id and its category.
func TestRulesStandWhereTheirNamesSay(t *testing.T) {
	type place struct{ File, Package string }
	underscored := strings.NewReplacer("-", "_")
	for _, rule := range library(t).Rules() {
		want := place{
			File:    fmt.Sprintf("%s/%s.rego", rule.Category, rule.ID),
			Package: "netcause.rules." + underscored.Replace(rule.Category+"."+rule.ID),
		}
		if diff := cmp.Diff(want, place{rule.File, rule.Package}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rule.ID, diff)
		}
	}
}

var update = flag.Bool("update", false, "write the Rego files as opa fmt does")

func TestFormat(t *testing.T) {
	options := parserOptions()
	for path, text := range sources(t) {
		formatted, err := format.SourceWithOpts(path, text, format.Opts{RegoVersion: ast.RegoV1, ParserOptions: &options})
		if err != nil {
			t.Errorf("format %s: %v", path, err)
			continue
		}
		if *update {
			if err := os.WriteFile(path, formatted, 0o644); err != nil {
				t.Fatalf("write %s: %v", path, err)
			}
			continue
		}
		if diff := cmp.Diff(string(text), string(formatted)); diff != "" {
			t.Errorf("%s is not as opa fmt writes it (-file +formatted):\n%s", path, diff)
		}
	}
}
