package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// check compiles the library and checks what its rules ask of input: with OPA's type checker, by the schema of each rule's
// scope, and what custom rules and helpers ask also through the functions that they call. The built-in rules are checked so by their tests.
func (l *Library) check() (*ast.Compiler, error) {
	for _, rule := range l.rules {
		if err := declareSchema(rule); err != nil {
			return nil, err
		}
	}
	compiler, err := newCompiler(l.capabilities)
	if err != nil {
		return nil, err
	}
	compiler.Compile(l.modules)
	outcome, err := l.checkCustom(compiler)
	switch {
	case err != nil:
		return nil, err
	case compiler.Failed():
		return nil, ruleError("", compiler.Errors, l.libraryFunctions()...)
	case outcome != nil:
		return nil, outcome
	}
	return compiler, nil
}

// newCompiler is a compiler that knows the schemas and what rules may use.
func newCompiler(capabilities *ast.Capabilities) (*ast.Compiler, error) {
	in, err := inputs()
	if err != nil {
		return nil, err
	}
	schemas, err := schemaSet(in)
	if err != nil {
		return nil, err
	}
	return ast.NewCompiler().WithCapabilities(capabilities).WithStrict(true).
		WithSchemas(schemas).WithUseTypeCheckAnnotations(true), nil
}

// checkCustom looks through what compiled of the custom rules; where little did, it finds little, and OPA's errors stand.
// The first result is what a rule says wrongly: worth a word only where nothing else is wrong.
func (l *Library) checkCustom(compiler *ast.Compiler) (outcome *RuleError, err error) {
	if len(compiler.Errors) > 0 && !slices.ContainsFunc(compiler.Errors, func(e *ast.Error) bool { return e.Code == ast.TypeErr }) {
		return nil, nil
	}
	var all *inference
	for _, rule := range l.Rules() {
		if !rule.Custom {
			continue
		}
		inf := l.follow(compiler, rule)
		if problem := inf.outcomeMistake(rule); problem != nil && outcome == nil {
			outcome = problem
		}
		if all == nil {
			all = inf
			continue
		}
		maps.Copy(all.sound, inf.sound)
		maps.Copy(all.wrong, inf.wrong)
	}
	if all == nil {
		return nil, nil
	}
	for _, m := range all.mistakes() {
		if l.custom[m.file] {
			return nil, m.ruleError()
		}
	}
	return outcome, nil
}

// libraryFunctions are the functions of the packages that rules import, in full.
func (l *Library) libraryFunctions() []string {
	var names []string
	for _, module := range l.modules {
		for _, rule := range module.Rules {
			if len(rule.Head.Args) > 0 && !strings.HasPrefix(string(rule.Head.Name), "_") {
				names = append(names, module.Package.Path.String()+"."+string(rule.Head.Name))
			}
		}
	}
	return names
}

// declareSchema gives a rule's package the schema of its scope, where its METADATA names none.
func declareSchema(rule *Rule) error {
	annotations := packageAnnotations(rule.module)
	want := schemaRef(rule.Scope)
	for _, schema := range annotations.Schemas {
		if !schema.Path.Equal(ast.InputRootRef) {
			continue
		}
		if schema.Schema != nil && !schema.Schema.Equal(want) {
			return &RuleError{rule.File, annotations.Location.Row, fmt.Sprintf("METADATA schemas: input is %s, and a rule of scope %s sees %s", schema.Schema, rule.Scope, want)}
		}
		return nil
	}
	annotations.Schemas = append(annotations.Schemas, &ast.SchemaAnnotation{Path: ast.InputRootRef, Schema: want})
	return nil
}

// follow goes through a rule with the shapes of its input.
func (l *Library) follow(compiler *ast.Compiler, rule *Rule) *inference {
	in := newInputShapes(nil)
	inf := newInference(in, rule.Scope, rulesByPath(compiler.Modules), builtinResults(in))
	inf.follow(rule.Package)
	return inf
}

func (m mistake) ruleError() *RuleError {
	return &RuleError{File: m.file, Line: m.row, Problem: m.problem}
}
