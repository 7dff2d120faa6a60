package engine

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// forbiddenBuiltins reach outside the facts: the network, the environment, the clock. No rule may call them, so that a
// rule is a function of its facts and nothing else.
var forbiddenBuiltins = []string{
	"http.send", "net.lookup_ip_addr", "opa.runtime", "time.now_ns", "rand.intn", "uuid.rfc4122", "trace",
}

// capabilities are what rules may use: OPA's built-in functions without the forbidden ones, and netcause's own.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(slices.Clone(c.Builtins), func(b *ast.Builtin) bool {
		return slices.Contains(forbiddenBuiltins, b.Name)
	})
	for _, f := range functions() {
		c.Builtins = append(c.Builtins, f.declaration())
	}
	c.AllowNet = []string{}
	return c
}

// Capabilities are what rules may use, in the form that the stock opa command and Rego editors read.
func Capabilities() *ast.Capabilities { return capabilities() }

// options give a query netcause's functions.
func functionOptions() []func(*rego.Rego) {
	var options []func(*rego.Rego)
	for _, f := range functions() {
		options = append(options, rego.FunctionDyn(f.regoFunction(), f.call))
	}
	return options
}
