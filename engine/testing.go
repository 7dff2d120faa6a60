package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/netcause/netcause/engine/facts"
)

// TesterBuiltins give OPA's test runner netcause's functions. A Rego test has no incident to ask, so it replaces the ones
// that its rule calls: `with netcause.route as {"status": "none"}`.
func TesterBuiltins() []*tester.Builtin {
	var list []*tester.Builtin
	for _, f := range functions() {
		list = append(list, &tester.Builtin{
			Decl: f.declaration(),
			Func: rego.FunctionDyn(f.regoFunction(), f.call),
		})
	}
	return list
}

// Incidents are the recorded incidents that tests name, each read once. Engine evaluates the rules under test.
type Incidents struct {
	Read   func(ctx context.Context, path string) (*facts.Snapshot, error)
	Engine *Engine

	mu   sync.Mutex
	seen map[string]*Seen
}

// declarations of the functions that only tests have.
var (
	factsFunction = &ast.Builtin{
		Name:        "netcause.facts",
		Description: "What a rule sees of a recorded incident: of a node, or for \"\" what a rule of scope cluster sees. The path is from the test's own folder on.",
		Decl: types.NewFunction(types.Args(types.Named("path", types.S), types.Named("node", types.S)),
			types.Named("input", types.A)),
		Nondeterministic: true,
	}
	outcomesFunction = &ast.Builtin{
		Name:        "netcause.outcomes",
		Description: "What comes of a rule for a recorded incident, by node or \"cluster\": finding, ruled_out, not_examined. The path is from the test's own folder on.",
		Decl: types.NewFunction(types.Args(types.Named("path", types.S), types.Named("id", types.S)),
			types.Named("outcomes", types.NewObject(nil, types.NewDynamicProperty(types.S, newShapes(nil).of(reflect.TypeFor[Outcome]()).regoType())))),
		Nondeterministic: true,
	}
)

// Builtins are the functions that only tests have: netcause.facts and netcause.outcomes.
func (i *Incidents) Builtins() []*tester.Builtin {
	function := func(b *ast.Builtin, answer func(ctx context.Context, s *Seen, argument string) (ast.Value, error)) *tester.Builtin {
		declaration := &rego.Function{Name: b.Name, Description: b.Description, Decl: b.Decl, Memoize: true, Nondeterministic: true}
		return &tester.Builtin{Decl: b, Func: rego.Function2(declaration, func(bctx rego.BuiltinContext, path, argument *ast.Term) (*ast.Term, error) {
			file, ok := path.Value.(ast.String)
			name, ok2 := argument.Value.(ast.String)
			if !ok || !ok2 {
				return nil, fmt.Errorf("%s takes two texts", b.Name)
			}
			s, err := i.see(bctx.Context, bctx.Location, string(file))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", b.Name, err)
			}
			value, err := answer(bctx.Context, s, string(name))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", b.Name, err)
			}
			return ast.NewTerm(value), nil
		})}
	}
	return []*tester.Builtin{
		function(factsFunction, func(_ context.Context, s *Seen, node string) (ast.Value, error) { return s.input(node, readsAll()) }),
		function(outcomesFunction, func(ctx context.Context, s *Seen, id string) (ast.Value, error) {
			outcomes, err := i.Engine.Outcomes(ctx, s, id)
			if err != nil {
				return nil, err
			}
			return toValue(outcomes)
		}),
	}
}

func (i *Incidents) see(ctx context.Context, at *ast.Location, path string) (*Seen, error) {
	if at != nil && !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(at.File), path)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if s, ok := i.seen[path]; ok {
		return s, nil
	}
	snapshot, err := i.Read(ctx, path)
	if err != nil {
		return nil, err
	}
	if i.seen == nil {
		i.seen = map[string]*Seen{}
	}
	s := See(snapshot)
	i.seen[path] = s
	return s, nil
}

// TestCapabilities are what tests may use: what rules may, print, and the functions for tests.
func TestCapabilities() *ast.Capabilities {
	c := capabilities()
	c.Builtins = append(c.Builtins, factsFunction, outcomesFunction)
	return c
}

// Compiler is one that compiles [Library.Modules] as [Library.Compile] does.
func (l *Library) Compiler() (*ast.Compiler, error) { return newCompiler(l.capabilities) }

// Modules are the parsed modules of all rules and helpers, by file.
func (l *Library) Modules() map[string]*ast.Module {
	modules := map[string]*ast.Module{}
	for file, module := range l.modules {
		modules[file] = module
	}
	return modules
}

// Custom says whether a file of [Library.Modules] is none of the built-in ones.
func (l *Library) Custom(file string) bool { return l.custom[file] }
