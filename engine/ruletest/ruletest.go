// Package ruletest runs the Rego tests of rules with netcause's functions and recorded incidents at hand.
package ruletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
)

// timeout is how long one test may run.
const timeout = 30 * time.Second

// Options say what to run.
type Options struct {
	// Run is a pattern of the names of the tests, with their package; empty: all.
	Run string
	// Coverage notes which lines of the rules were evaluated.
	Coverage bool
	// Explain says of the tests that failed what became of the conditions of the rule that they test.
	Explain bool
	// Read reads a recorded incident that a test names.
	Read func(ctx context.Context, path string) (*facts.Snapshot, error)
}

// Folder is a place with tests: its files, and what messages call it.
type Folder struct {
	Files fs.FS
	Name  string
}

// Result is one test's.
type Result struct {
	Package string `json:"package"`
	Name    string `json:"name"`
	File    string `json:"file"`
	Row     int    `json:"row"`
	// Problem is why it did not pass; empty: it did.
	Problem  string        `json:"problem,omitempty"`
	Output   string        `json:"output,omitempty"`
	Skipped  bool          `json:"skipped,omitempty"`
	Duration time.Duration `json:"duration_ns"`
	// Explained is what became of the rule's conditions, of a test that failed and where it was asked for.
	Explained []engine.ExplainedRule `json:"explained,omitempty"`
}

// Coverage is which lines of a file no test evaluated.
type Coverage struct {
	File       string   `json:"file"`
	Percent    float64  `json:"percent"`
	NotCovered []string `json:"not_covered,omitempty"` // "12", "14-16"
}

// Results are those of a run.
type Results struct {
	Tests    []Result   `json:"tests"`
	Coverage []Coverage `json:"coverage,omitempty"`
}

// Failed is how many tests did not pass.
func (r *Results) Failed() int {
	n := 0
	for _, test := range r.Tests {
		if test.Problem != "" {
			n++
		}
	}
	return n
}

// Tests reads the tests below folders.
func Tests(folders []Folder) (map[string]*ast.Module, error) {
	modules := map[string]*ast.Module{}
	for _, folder := range folders {
		err := fs.WalkDir(folder.Files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(name, "_test.rego") {
				return err
			}
			text, err := fs.ReadFile(folder.Files, name)
			if err != nil {
				return err
			}
			file := path.Join(folder.Name, name)
			module, err := ast.ParseModuleWithOpts(file, string(text), ast.ParserOptions{
				RegoVersion: ast.RegoV1, Capabilities: engine.TestCapabilities(),
			})
			if err != nil {
				return engine.NewRuleError(file, err)
			}
			modules[file] = module
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read tests: %w", err)
		}
	}
	return modules, nil
}

// notTrue is what is wrong with a test as long as no more is known.
const notTrue = "it is not true"

// Names are the names of tests by the package that they test.
func Names(tests map[string]*ast.Module) map[string][]string {
	names := map[string][]string{}
	for _, module := range tests {
		tested, isTest := strings.CutSuffix(strings.TrimPrefix(module.Package.Path.String(), "data."), "_test")
		if !isTest {
			continue
		}
		for _, rule := range module.Rules {
			if name := string(rule.Head.Name); !slices.Contains(names[tested], name) {
				names[tested] = append(names[tested], name)
			}
		}
	}
	return names
}

// Run runs tests over a library. A rule or test that does not compile is an [engine.RuleError].
func Run(ctx context.Context, library *engine.Library, tests map[string]*ast.Module, options Options) (*Results, error) {
	if _, err := regexp.Compile(options.Run); err != nil {
		return nil, fmt.Errorf("pattern of tests: %w", err)
	}
	compiled, err := library.Compile(ctx)
	if err != nil {
		return nil, err
	}
	modules := library.Modules()
	for _, file := range slices.Sorted(maps.Keys(tests)) {
		modules[file] = tests[file]
		if err := library.CheckTest(file, tests[file]); err != nil {
			return nil, err
		}
	}
	incidents := &engine.Incidents{Read: options.Read, Engine: compiled}
	coverage := cover.New()
	run := func(pattern string, prepare func(*tester.Runner, *ast.Compiler)) ([]*tester.Result, error) {
		compiler, err := library.Compiler()
		if err != nil {
			return nil, err
		}
		compiler.WithCapabilities(engine.TestCapabilities()).WithEnablePrintStatements(true)
		runner := tester.NewRunner().
			SetCompiler(compiler).
			SetModules(modules).
			AddCustomBuiltins(append(engine.TesterBuiltins(), incidents.Builtins()...)).
			RaiseBuiltinErrors(true).
			CapturePrintOutput(true).
			SetTimeout(timeout).
			Filter(pattern)
		prepare(runner, compiler)
		return collect(ctx, runner)
	}
	found, err := run(options.Run, func(runner *tester.Runner, _ *ast.Compiler) {
		if options.Coverage {
			runner.SetCoverageQueryTracer(coverage)
		}
	})
	if err != nil {
		return nil, err
	}
	results := &Results{Tests: []Result{}}
	var failed []string
	for _, result := range found {
		results.Tests = append(results.Tests, of(result))
		if result.Fail {
			failed = append(failed, regexp.QuoteMeta(result.Package+"."+result.Name))
		}
	}
	if len(results.Tests) == 0 {
		return nil, errors.New("no test ran: tests are rules named test_… in files named …_test.rego")
	}
	if len(failed) > 0 {
		// Once more with a tracer, which is too slow for all: it says in which line a test failed, and why.
		watched := &failures{library: library, explain: options.Explain, tests: map[place]*failure{}}
		_, err := run("^("+strings.Join(failed, "|")+")$", func(runner *tester.Runner, compiler *ast.Compiler) {
			watched.compiler = compiler
			runner.SetParallel(1).SetCoverageQueryTracer(watched)
		})
		if err != nil {
			return nil, err
		}
		for i := range results.Tests {
			test := &results.Tests[i]
			f := watched.tests[place{test.File, test.Row}]
			if f == nil || test.Problem == "" {
				continue
			}
			if f.at != nil && test.Problem == notTrue {
				test.Row, test.Problem = f.at.Row, "not true: "+firstLine(string(f.at.Text))
			}
			if f.rule != nil {
				test.Explained = f.rule.Rules()
			}
		}
	}
	if options.Coverage {
		results.Coverage = covered(library, coverage.Report(modules))
	}
	return results, nil
}

func collect(ctx context.Context, runner *tester.Runner) ([]*tester.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found, err := runner.RunTests(ctx, nil)
	if err != nil {
		return nil, engine.NewRuleError("", err)
	}
	var results []*tester.Result
	for result := range found {
		results = append(results, result)
	}
	return results, ctx.Err()
}

func of(r *tester.Result) Result {
	result := Result{
		Package: strings.TrimPrefix(r.Package, "data."), Name: r.Name, File: r.Location.File, Row: r.Location.Row,
		Skipped: r.Skip, Duration: r.Duration, Output: string(bytes.TrimSpace(r.Output)),
	}
	switch {
	case r.Error != nil:
		result.Problem = r.Error.Error()
	case r.Fail:
		result.Problem = notTrue
	}
	return result
}

func firstLine(text string) string {
	line, rest, _ := strings.Cut(text, "\n")
	if rest != "" {
		line += " …"
	}
	return line
}

// covered are the files under test: custom rules where there are any, else the built-in ones.
func covered(library *engine.Library, report cover.Report) []Coverage {
	custom := slices.ContainsFunc(library.Rules(), func(r *engine.Rule) bool { return r.Custom })
	var list []Coverage
	for file, r := range report.Files {
		if strings.HasSuffix(file, "_test.rego") || library.Custom(file) != custom {
			continue
		}
		c := Coverage{File: file, Percent: r.Coverage}
		for _, lines := range r.NotCovered {
			span := fmt.Sprint(lines.Start.Row)
			if lines.End.Row > lines.Start.Row {
				span = fmt.Sprintf("%d-%d", lines.Start.Row, lines.End.Row)
			}
			if !slices.Contains(c.NotCovered, span) {
				c.NotCovered = append(c.NotCovered, span)
			}
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Coverage) int { return strings.Compare(a.File, b.File) })
	return list
}
