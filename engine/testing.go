package engine

import (
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/tester"
)

// TesterBuiltins give OPA's test runner netcause's functions. A Rego test has no incident to ask, so it replaces the ones
// that its rule calls: `with netcause.route as {"status": "none"}`.
func TesterBuiltins() []*tester.Builtin {
	var list []*tester.Builtin
	for _, f := range functions {
		list = append(list, &tester.Builtin{
			Decl: f.declaration(),
			Func: rego.FunctionDyn(f.regoFunction(), f.call),
		})
	}
	return list
}
