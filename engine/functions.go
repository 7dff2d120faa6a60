package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/netcause/netcause/engine/ask"
)

// function is a built-in function that rules call, as OPA knows it.
type function struct{ ask.Function }

// functions are netcause's own, in the order of the documentation.
func functions() []function {
	var list []function
	for _, f := range ask.Functions() {
		list = append(list, function{f})
	}
	return list
}

func (f function) declaration() *ast.Builtin {
	return &ast.Builtin{
		Name:             f.Name,
		Description:      f.Description,
		Decl:             f.signature(),
		Nondeterministic: true,
	}
}

func (f function) signature() *types.Function {
	args := make([]types.Type, len(f.Args))
	for i := range f.Args {
		args[i] = types.Named(f.Args[i].Name, f.Args[i].Type)
	}
	answer := f.answerShape(newShapes(nil)).regoType()
	return types.NewFunction(args, types.Named("answer", answer).Description(f.Result))
}

// answerShape is what the function gives.
func (f function) answerShape(s *shapes) *shape {
	if f.Answer == nil {
		return s.any
	}
	return s.of(reflect.TypeOf(f.Answer))
}

func (f function) regoFunction() *rego.Function {
	return &rego.Function{Name: f.Name, Description: f.Description, Decl: f.signature(), Memoize: true, Nondeterministic: true}
}

type incidentKey struct{}

func withIncident(ctx context.Context, in *incident) context.Context {
	return context.WithValue(ctx, incidentKey{}, in)
}

// call decodes the arguments, asks, and encodes the answer.
func (f function) call(ctx rego.BuiltinContext, terms []*ast.Term) (*ast.Term, error) {
	in, ok := ctx.Context.Value(incidentKey{}).(*incident)
	if !ok {
		return nil, fmt.Errorf("%s: no incident to ask: in a test, replace it: `with %s as …`", f.Name, f.Name)
	}
	args := make([]any, len(f.Args)) // a term for the result may follow
	for i, term := range terms[:len(args)] {
		arg, err := ast.JSON(term.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: argument %s: %w", f.Name, f.Args[i].Name, err)
		}
		args[i] = arg
	}
	answer, err := f.Ask(in.Incident, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	if answer == nil {
		return nil, nil // undefined
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	value, err := ast.ValueFromReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return ast.NewTerm(value), nil
}
