// Package engine evaluates rules over a snapshot and makes one argument of what they find.
//
// A [Library] is read from Rego files, compiled to an [Engine], and asked with [Engine.Diagnose]. Each rule ends for
// each subject as found, ruled out or not examined; findings form a graph of causes, and the roots come first.
package engine

import (
	"context"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/netcause/netcause/engine/facts"
)

// defaultRuleTimeout is how long one rule may run for one subject.
const defaultRuleTimeout = 10 * time.Second

// Engine is a compiled library. It has no state between diagnoses and may be used from several goroutines.
type Engine struct {
	rules       []*compiledRule
	causes      map[string][]string // rule id -> ids that follow from it, transitively
	ruleTimeout time.Duration
	ruleMemory  uint64
	parallel    int
	customized  *Customized
	compiler    *ast.Compiler
}

type compiledRule struct {
	*Rule
	reads map[string]bool
	query rego.PreparedEvalQuery
}

// Option changes how an Engine evaluates.
type Option func(*Engine)

// WithRuleTimeout is how long one rule may run for one subject before it is cut off and reported as failed.
func WithRuleTimeout(d time.Duration) Option { return func(e *Engine) { e.ruleTimeout = d } }

// WithRuleMemory is how many bytes custom rules may use, beside what is in use already, before one of them is cut off and
// reported as failed.
func WithRuleMemory(bytes uint64) Option { return func(e *Engine) { e.ruleMemory = bytes } }

// Compile compiles the library. A rule that does not compile is a [RuleError].
func (l *Library) Compile(ctx context.Context, options ...Option) (*Engine, error) {
	e := &Engine{ruleTimeout: defaultRuleTimeout, ruleMemory: defaultRuleMemory, parallel: runtime.GOMAXPROCS(0), causes: l.causes(), customized: l.customized()}
	for _, option := range options {
		option(e)
	}
	if err := l.checkImports(); err != nil {
		return nil, err
	}
	compiler, err := l.check()
	if err != nil {
		return nil, err
	}
	e.compiler = compiler
	functions := functionOptions()
	for _, rule := range l.Rules() {
		query, err := rego.New(append(slices.Clone(functions),
			rego.Compiler(compiler),
			rego.Query(outcomeQuery(rule.Package)),
			rego.StrictBuiltinErrors(true),
		)...).PrepareForEval(ctx)
		if err != nil {
			return nil, ruleError(rule.File, err)
		}
		e.rules = append(e.rules, &compiledRule{Rule: rule, reads: l.reads(rule), query: query})
	}
	return e, nil
}

// checkImports finds imports of netcause's packages that are nowhere. To OPA they are undefined, and a rule that reads them
// would never find anything.
func (l *Library) checkImports() error {
	for file, module := range l.modules {
		for _, i := range module.Imports {
			ref, ok := i.Path.Value.(ast.Ref)
			if !ok || !strings.HasPrefix(ref.String(), "data.netcause.") {
				continue
			}
			if !l.hasPackage(ref.String()) {
				return &RuleError{file, i.Location.Row, l.noImport(ref)}
			}
		}
	}
	return nil
}

func (l *Library) noImport(ref ast.Ref) string {
	var names []string
	for _, module := range l.modules {
		names = append(names, module.Package.Path.String())
	}
	return fmt.Sprintf("it imports %s, which is nowhere%s", ref, didYouMean(ref.String(), names))
}

// CheckTest finds what a test asks of rules that they do not have: to OPA that is undefined, and the test fails without a
// word, or passes where it asks with `not`. The error is a [RuleError].
func (l *Library) CheckTest(file string, test *ast.Module) error {
	imported := map[ast.Var]ast.Ref{}
	for _, i := range test.Imports {
		ref, ok := i.Path.Value.(ast.Ref)
		if !ok || !strings.HasPrefix(ref.String(), "data.netcause.") {
			continue
		}
		if !l.hasPackage(ref.String()) {
			return &RuleError{file, i.Location.Row, l.noImport(ref)}
		}
		imported[i.Name()] = ref
	}
	var problem error
	ast.WalkRefs(test, func(ref ast.Ref) bool {
		if problem != nil || len(ref) < 2 {
			return problem != nil
		}
		head, _ := ref[0].Value.(ast.Var)
		name, ok := ref[1].Value.(ast.String)
		pkg := imported[head]
		if !ok || pkg == nil {
			return false
		}
		if names := l.namesIn(pkg); len(names) > 0 && !slices.Contains(names, string(name)) && ref[0].Location != nil {
			problem = &RuleError{file, ref[0].Location.Row, fmt.Sprintf("%s has no %q%s", pkg, string(name), didYouMean(string(name), names))}
		}
		return false
	})
	return problem
}

// namesIn are the names that rules define in a package; none where there is no such package, or others are below it.
func (l *Library) namesIn(pkg ast.Ref) []string {
	var names []string
	for _, module := range l.modules {
		path := module.Package.Path
		if path.HasPrefix(pkg) && !path.Equal(pkg) {
			return nil
		}
		if !path.Equal(pkg) {
			continue
		}
		for _, rule := range module.Rules {
			names = append(names, string(rule.Head.Ref()[0].Value.(ast.Var)))
		}
	}
	return names
}

// hasPackage says whether a package of that path is there, or one that the path goes into or out of.
func (l *Library) hasPackage(path string) bool {
	for _, module := range l.modules {
		name := module.Package.Path.String()
		if name == path || strings.HasPrefix(path, name+".") || strings.HasPrefix(name, path+".") {
			return true
		}
	}
	return false
}

// outcomeQuery asks for a rule's three sets; one that the rule does not have is empty.
func outcomeQuery(pkg string) string {
	return fmt.Sprintf("finding = [x | some x in data.%[1]s.finding]; ruled_out = [x | some x in data.%[1]s.ruled_out]; unexamined = [x | some x in data.%[1]s.unexamined]", pkg)
}

// reads are the groups of facts that a rule or a module it imports speaks of: only those are converted for it. Every
// string in the text that is a group's name counts, so it errs on the side of more.
func (l *Library) reads(rule *Rule) map[string]bool {
	reads := map[string]bool{}
	seen := map[*ast.Module]bool{}
	var visit func(*ast.Module)
	visit = func(m *ast.Module) {
		if seen[m] {
			return
		}
		seen[m] = true
		ast.WalkTerms(m, func(t *ast.Term) bool {
			if s, ok := t.Value.(ast.String); ok {
				if name := string(s); name == "peers" || knownGroup(name) || knownGroup(facts.ClusterPrefix+name) {
					reads[name] = true
				}
			}
			return false
		})
		for _, i := range m.Imports {
			for _, other := range l.modules {
				if ref, ok := i.Path.Value.(ast.Ref); ok && strings.HasPrefix(ref.String(), other.Package.Path.String()) {
					visit(other)
				}
			}
		}
	}
	visit(rule.module)
	for _, need := range rule.declared() {
		reads[strings.TrimPrefix(need, facts.ClusterPrefix)] = true
	}
	return reads
}

// causes are, for each rule, all ids that follow from it.
func (l *Library) causes() map[string][]string {
	all := map[string][]string{}
	for _, rule := range l.rules {
		seen := map[string]bool{rule.ID: true}
		queue := rule.Causes
		for len(queue) > 0 {
			id := queue[0]
			queue = queue[1:]
			if seen[id] {
				continue
			}
			seen[id] = true
			all[rule.ID] = append(all[rule.ID], id)
			if next, ok := l.seen[id]; ok {
				queue = append(queue[:len(queue):len(queue)], next.Causes...)
			}
		}
	}
	return all
}

// New loads and compiles the built-in rules.
func New(ctx context.Context, builtin fs.FS, options ...Option) (*Engine, error) {
	library, err := Load(builtin)
	if err != nil {
		return nil, err
	}
	return library.Compile(ctx, options...)
}
