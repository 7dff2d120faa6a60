package rules_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/netcause/netcause/engine"
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

func modules(t *testing.T) map[string]*ast.Module {
	t.Helper()
	parsed := map[string]*ast.Module{}
	for path, text := range sources(t) {
		module, err := ast.ParseModuleWithOpts(path, string(text), parserOptions())
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		parsed[path] = module
	}
	return parsed
}

func library(t *testing.T) *engine.Library {
	t.Helper()
	l, err := engine.Load(rules.FS)
	if err != nil {
		t.Fatalf("load the library: %v", err)
	}
	return l
}

func TestRego(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	runner := tester.NewRunner().
		SetCompiler(ast.NewCompiler().WithCapabilities(engine.Capabilities()).WithStrict(true).WithEnablePrintStatements(true)).
		SetModules(modules(t)).
		AddCustomBuiltins(engine.TesterBuiltins()).
		RaiseBuiltinErrors(true).
		CapturePrintOutput(true)
	results, err := runner.RunTests(ctx, nil)
	if err != nil {
		t.Fatalf("compile the library with its tests: %v", err)
	}
	ran := 0
	for result := range results {
		ran++
		name := strings.TrimPrefix(strings.TrimPrefix(result.Package, "data.netcause."), "rules.") + "." + result.Name
		t.Run(name, func(t *testing.T) {
			switch {
			case result.Error != nil:
				t.Errorf("%s: %v", result.Location, result.Error)
			case result.Skip:
				t.Errorf("%s: skipped: a test named todo_ tests nothing", result.Location)
			case result.Fail:
				t.Errorf("%s: it is not true\n%s", result.Location, result.Output)
			}
		})
	}
	if ran == 0 {
		t.Error("no Rego test ran")
	}
}

// A rule without a test of what it finds, and of what looks like it and is not, is not done.
func TestEveryRuleIsTested(t *testing.T) {
	tests := map[string][]string{} // package of a rule -> names of its tests
	for _, module := range modules(t) {
		tested, isTest := strings.CutSuffix(strings.TrimPrefix(module.Package.Path.String(), "data."), "_test")
		if !isTest {
			continue
		}
		for _, rule := range module.Rules {
			tests[tested] = append(tests[tested], string(rule.Head.Name))
		}
	}
	for _, rule := range library(t).Rules() {
		for _, prefix := range []string{"test_found_", "test_ruled_out_"} {
			if !hasPrefix(tests[rule.Package], prefix) {
				t.Errorf("%s: no test named %s… in package %s_test", rule.File, prefix, rule.Package)
			}
		}
	}
}

func hasPrefix(names []string, prefix string) bool {
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
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

// Every rule names the pages that it was written from, and what it says that it causes is there.
func TestMetadataIsComplete(t *testing.T) {
	l := library(t)
	for _, rule := range l.Rules() {
		if len(rule.Sources) == 0 {
			t.Errorf("%s: no related_resources", rule.File)
		}
		for _, source := range rule.Sources {
			if !strings.HasPrefix(source, "https://") {
				t.Errorf("%s: %q is no address of a page", rule.File, source)
			}
		}
		if len(rule.Explains) == 0 {
			t.Errorf("%s: it explains no symptom", rule.File)
		}
		for _, id := range rule.Causes {
			if _, ok := l.Rule(id); !ok {
				t.Errorf("%s: it causes %q, which is no rule", rule.File, id)
			}
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
