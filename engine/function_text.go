package engine

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// FunctionDescription is a function that rules may call beside OPA's own.
type FunctionDescription struct {
	// Name is as it is called: "netcause.route"; of the library "data.netcause.lib.text.names".
	Name        string   `json:"name"`
	Args        []string `json:"args"`
	Description string   `json:"description"`
	// Result is what a built-in function gives.
	Result string `json:"result,omitempty"`
}

// Functions are netcause's built-in functions and those that the library's packages offer, whose names do not begin with
// an underscore.
func (l *Library) Functions() []FunctionDescription {
	var list []FunctionDescription
	for _, f := range functions() {
		d := FunctionDescription{Name: f.Name, Description: f.Description, Result: f.Result}
		for _, arg := range f.Args {
			d.Args = append(d.Args, arg.Name)
		}
		list = append(list, d)
	}
	var library []FunctionDescription
	for _, module := range l.modules {
		path := module.Package.Path.String()
		if !strings.HasPrefix(path, "data.netcause.lib.") {
			continue
		}
		seen := map[string]bool{}
		for _, rule := range module.Rules {
			name := string(rule.Head.Name)
			if strings.HasPrefix(name, "_") || seen[name] || len(rule.Head.Args) == 0 {
				continue
			}
			seen[name] = true
			d := FunctionDescription{Name: path + "." + name, Description: commentAbove(module, rule, name)}
			for _, arg := range rule.Head.Args {
				d.Args = append(d.Args, arg.String())
			}
			library = append(library, d)
		}
	}
	slices.SortFunc(library, func(a, b FunctionDescription) int { return strings.Compare(a.Name, b.Name) })
	return append(list, library...)
}

// commentAbove is the comment that ends in the line before a rule, without the name that it begins with.
func commentAbove(module *ast.Module, rule *ast.Rule, name string) string {
	var lines []string
	row := rule.Location.Row
	for _, c := range slices.Backward(module.Comments) {
		if c.Location.Row == row-1 {
			lines = append([]string{strings.TrimSpace(string(c.Text))}, lines...)
			row--
		}
	}
	text := strings.Join(lines, " ")
	for _, verb := range []string{" is ", " are ", " says "} {
		if rest, ok := strings.CutPrefix(text, name+verb); ok {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return text
}
