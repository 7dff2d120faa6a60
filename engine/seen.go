package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/netcause/netcause/engine/facts"
)

// Seen is a snapshot as rules see it.
type Seen struct{ in *incident }

// See gives a snapshot's nodes their names of the cluster and makes it what rules see.
func See(snapshot *facts.Snapshot) *Seen {
	MatchNodes(snapshot)
	return &Seen{newIncident(snapshot)}
}

// Prepare does what diagnoses need and what takes long, until ctx ends: they do the rest themselves.
func (s *Seen) Prepare(ctx context.Context) { s.in.Prepare(ctx) }

// Nodes are the names of the nodes.
func (s *Seen) Nodes() []string {
	var names []string
	for _, node := range s.in.nodes {
		names = append(names, node.Name)
	}
	return names
}

// readsAll stands for a rule that reads every group of facts.
func readsAll() *compiledRule {
	r := &compiledRule{Rule: &Rule{}, reads: map[string]bool{"peers": true, "pods": true, "namespaces": true}}
	for _, name := range facts.GroupNames() {
		r.reads[strings.TrimPrefix(name, facts.ClusterPrefix)] = true
	}
	return r
}

// Input is what a rule of scope node sees of a node, or for "" what one of scope cluster sees, with all groups of facts.
func (s *Seen) Input(node string) (json.RawMessage, error) {
	value, err := s.input(node, readsAll())
	if err != nil {
		return nil, err
	}
	plain, err := ast.JSON(value)
	if err != nil {
		return nil, fmt.Errorf("convert the facts: %w", err)
	}
	return json.Marshal(plain)
}

func (s *Seen) input(node string, rule *compiledRule) (ast.Value, error) {
	view, err := s.view(node)
	if err != nil {
		return nil, err
	}
	return s.in.input(view, rule)
}

func (s *Seen) view(node string) (*nodeView, error) {
	if node == "" {
		return nil, nil
	}
	view, ok := s.in.byName[node]
	if !ok {
		return nil, fmt.Errorf("no node %q: there are %s", node, strings.Join(s.Nodes(), ", "))
	}
	return view, nil
}

// GroupStatus is how one group of facts was obtained.
type GroupStatus struct {
	Name string `json:"name"`
	facts.Meta
	// Bulk: rules do not see it whole, but ask about it with functions.
	Bulk bool `json:"bulk,omitempty"`
	// Items is how many members its list or object has; -1: it is neither.
	Items int `json:"items"`
}

// Groups are those of a node, or for "" those of the cluster.
func (s *Seen) Groups(node string) ([]GroupStatus, error) {
	set := s.in.cluster.groups
	if node != "" {
		view, err := s.view(node)
		if err != nil {
			return nil, err
		}
		set = view.groups
	}
	var list []GroupStatus
	for _, g := range set {
		status := GroupStatus{Name: g.name, Meta: *g.meta, Bulk: bulkGroups[g.name], Items: -1}
		if g.meta.Status == facts.Read && !status.Bulk {
			value, err := g.value()
			if err != nil {
				return nil, fmt.Errorf("convert facts %s: %w", g.name, err)
			}
			switch v := value.(type) {
			case *ast.Array:
				status.Items = v.Len()
			case ast.Null:
				status.Items = 0
			}
		}
		list = append(list, status)
	}
	return list, nil
}

// Query answers a Rego query over input as [Seen.Input] has it: for each answer the variables, or the values of its
// expressions where it has none. Rules' functions and packages may be asked too. A field that no fact has is an error.
func (l *Library) Query(ctx context.Context, s *Seen, node, query string) ([]any, error) {
	scope := ScopeNode
	if node == "" {
		scope = ScopeCluster
	}
	compiler, err := l.checkQuery(scope, query)
	if err != nil {
		return nil, err
	}
	input, err := s.input(node, readsAll())
	if err != nil {
		return nil, err
	}
	prepared, err := rego.New(append(functionOptions(),
		rego.Compiler(compiler), rego.Query(query), rego.StrictBuiltinErrors(true))...).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("query: %w", ruleError("query", err))
	}
	results, err := prepared.Eval(withIncident(ctx, s.in), rego.EvalParsedInput(input))
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	answers := []any{}
	for _, result := range results {
		switch {
		case len(result.Bindings) > 0:
			answers = append(answers, map[string]any(result.Bindings))
		case len(result.Expressions) == 1:
			answers = append(answers, result.Expressions[0].Value)
		default:
			var values []any
			for _, expression := range result.Expressions {
				values = append(values, expression.Value)
			}
			answers = append(answers, values)
		}
	}
	return answers, nil
}

// checkQuery compiles the library with a query as the body of a rule, to find fields that no fact has.
func (l *Library) checkQuery(scope Scope, query string) (*ast.Compiler, error) {
	const file, before = "query", "package netcause.query\n\nasked if {\n"
	module, err := ast.ParseModuleWithOpts(file, before+query+"\n}\n", ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities()})
	if err != nil {
		return nil, queryError(err)
	}
	in, err := inputs()
	if err != nil {
		return nil, err
	}
	modules := maps.Clone(l.modules)
	modules[file] = module
	compiler := ast.NewCompiler().WithCapabilities(capabilities())
	if compiler.Compile(modules); compiler.Failed() {
		return nil, queryError(compiler.Errors)
	}
	inf := newInference(in, scope, rulesByPath(compiler.Modules), builtinResults(in))
	inf.follow("netcause.query")
	for _, m := range inf.mistakes() {
		if m.file == file {
			return nil, fmt.Errorf("query: %s", m.problem)
		}
	}
	return compiler, nil
}

func queryError(err error) error {
	var e *RuleError
	if errors.As(ruleError("query", err), &e) {
		return fmt.Errorf("query: %s", e.Problem)
	}
	return err
}
