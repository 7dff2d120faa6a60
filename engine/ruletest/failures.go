package ruletest

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/netcause/netcause/engine"
)

// failures is a tracer of tests that run one after the other. It keeps of each the place where it failed and the counts of its
// rule's conditions, never the trace itself: that of a rule which compares each with each has millions of events.
type failures struct {
	library  *engine.Library
	compiler *ast.Compiler // set before the tests run; it has compiled when the first event comes
	explain  bool
	tests    map[place]*failure
	current  *failure
}

// place is where a test stands: several may have one name.
type place struct {
	file string
	row  int
}

type failure struct {
	file   string
	tested string // the package that the test's is named by
	looked map[string]bool
	// at is the last condition of the test's own file that failed.
	at   *ast.Location
	rule *engine.TestExplanation
}

func (*failures) Enabled() bool { return true }

func (*failures) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

func (f *failures) TraceEvent(event topdown.Event) {
	switch node := event.Node.(type) {
	case *ast.Rule:
		if event.Op == topdown.EnterOp && node.Location != nil {
			f.enter(node)
		}
	case *ast.Expr:
		if f.current != nil && event.Op == topdown.FailOp && node.Location != nil && node.Location.File == f.current.file {
			f.current.at = node.Location
		}
	}
	if f.explain && f.current != nil && event.Location != nil {
		if file := event.Location.File; f.current.rule == nil && !f.current.looked[file] {
			f.current.looked[file] = true
			f.current.rule = f.explanation(f.current.tested, file)
		}
		if f.current.rule != nil {
			f.current.rule.TraceEvent(event)
		}
	}
}

// enter notes that a test begins, where the rule that is entered is one.
func (f *failures) enter(rule *ast.Rule) {
	file := rule.Location.File
	if rule.Module == nil || !strings.HasSuffix(file, "_test.rego") || !strings.HasPrefix(string(rule.Head.Name), "test_") {
		return
	}
	pkg := rule.Module.Package.Path.String()
	at := place{file, rule.Location.Row}
	if f.tests[at] == nil {
		f.tests[at] = &failure{file: file, tested: strings.TrimSuffix(strings.TrimPrefix(pkg, "data."), "_test"), looked: map[string]bool{}}
	}
	f.current = f.tests[at]
}

// explanation is of the rule in a file, if that is the one that the test is for: of the test's package, or the first that the
// test comes to where it is named by none. Else it is nil.
func (f *failures) explanation(tested, file string) *engine.TestExplanation {
	var in *engine.Rule
	for _, rule := range f.library.Rules() {
		if rule.Package == tested && rule.File != file {
			return nil
		}
		if rule.File == file {
			in = rule
		}
	}
	if in == nil {
		return nil
	}
	return f.library.ExplainTest(f.compiler, in)
}
