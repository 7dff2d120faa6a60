package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxExamples of values that a condition failed with.
const maxExplained = 3

// ExplainedRule is one rule of a file with what became of each of its conditions.
type ExplainedRule struct {
	Name string `json:"name"`
	File string `json:"file"`
	Row  int    `json:"row"`
	// Held is how often all of its conditions did.
	Held       int                  `json:"held"`
	Conditions []ExplainedCondition `json:"conditions"`
}

// ExplainedCondition is one expression of a rule's body.
type ExplainedCondition struct {
	Row  int    `json:"row"`
	Text string `json:"text"`
	// Tried is how often it was evaluated, Held how often it was true. A condition that was never tried stands behind one
	// that never held.
	Tried int `json:"tried"`
	Held  int `json:"held"`
	// Values are examples of what it had where it did not hold: "link.mtu is 1500".
	Values []string `json:"values,omitempty"`
}

// Explanation is what became of a rule's conditions.
type Explanation struct {
	Rules []ExplainedRule `json:"rules"`
	// Stopped is why the rule did not come to its end, as far as which it is explained; empty: it did.
	Stopped string `json:"stopped,omitempty"`
}

// Explain evaluates a rule for a node, or for the cluster, and says of its findings' conditions, and of those of the helpers
// in its file that never gave anything, which did not hold and with what values. Where the rule lacks facts, and is not
// evaluated therefore, it gives nothing. It has the bounds of time and memory that a rule of the user's has.
func (e *Engine) Explain(ctx context.Context, s *Seen, id, node string) (_ Explanation, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("explain rule %s: it panicked: %v", id, p)
		}
	}()
	rule, err := e.rule(id)
	if err != nil {
		return Explanation{}, err
	}
	i := slices.IndexFunc(s.in.evaluations(rule), func(ev evaluation) bool { return ev.subject().Name == node })
	if i < 0 {
		return Explanation{}, fmt.Errorf("rule %s is not evaluated for %q", id, node)
	}
	ev := s.in.evaluations(rule)[i]
	if len(s.in.missingFor(ev)) > 0 || rule.Scope == ScopeNode && ev.node == nil {
		return Explanation{Rules: []ExplainedRule{}}, nil
	}
	input, err := s.in.input(ev.node, rule)
	if err != nil {
		return Explanation{}, err
	}
	x := newExplainer(e.compiler, rule.Rule)
	// Every condition is tried for all it could be tried for: that may take what the rule itself does not.
	guard, stop := startMemoryGuard(e.ruleMemory)
	defer stop()
	guarded, leave := guard.enter(withIncident(ctx, s.in), true)
	defer leave()
	limited, cancel := context.WithTimeoutCause(guarded, e.ruleTimeout, &timeError{e.ruleTimeout})
	defer cancel()
	_, err = rule.query.Eval(limited, rego.EvalParsedInput(input), rego.EvalQueryTracer(x), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
	if ctx.Err() != nil {
		return Explanation{}, context.Cause(ctx)
	}
	if err == nil {
		return Explanation{Rules: x.explained()}, nil
	}
	if limited.Err() != nil {
		err = context.Cause(limited)
	}
	if x.last != nil {
		x.last.failed++
		x.last.values = append(x.last.values, "it was stopped here")
	}
	stopped, _ := whileEvaluating(err, rule.Package)
	return Explanation{Rules: x.explained(), Stopped: stopped}, nil
}

// TestExplanation is a tracer that explains a rule while a test evaluates it.
type TestExplanation struct{ explainer *explainer }

// ExplainTest explains a rule of the library as the compiler of its tests has it: that must have compiled it.
func (l *Library) ExplainTest(compiler *ast.Compiler, rule *Rule) *TestExplanation {
	return &TestExplanation{newExplainer(compiler, rule)}
}

// TraceEvent is called by the evaluation with what it does.
func (t *TestExplanation) TraceEvent(event topdown.Event) { t.explainer.TraceEvent(event) }

// Rules are what became of the rule's conditions, as of [Engine.Explain].
func (t *TestExplanation) Rules() []ExplainedRule { return t.explainer.explained() }

// explainer is a tracer that counts what became of the conditions of one rule's file.
type explainer struct {
	rule *Rule
	// written are the variables as the rule's author wrote them.
	written map[ast.Var]ast.Var
	// source names the variables that the compiler made for a part of an expression: "link.mtu".
	source map[ast.Var]string
	// conditions are those of each definition, by its place, and of each expression that the compiler made of them.
	definitions map[int][]*condition
	expressions map[expressionKey]*condition
	exits       map[int]int // of definitions, by place
	last        *condition  // the one that was evaluated last
}

// expressionKey finds an expression again: evaluation has copies.
type expressionKey struct {
	offset int
	text   string
}

func expressionKeyOf(expr *ast.Expr) expressionKey {
	return expressionKey{expr.Location.Offset, expr.String()}
}

// condition is one line of a body as it is written.
type condition struct {
	row    int
	offset int
	text   string
	first  expressionKey // what the compiler made of it that is evaluated first
	tried  int
	failed int
	values []string
}

func newExplainer(compiler *ast.Compiler, rule *Rule) *explainer {
	module := compiler.Modules[rule.File]
	x := &explainer{
		rule: rule, written: compiler.RewrittenVars, source: map[ast.Var]string{},
		definitions: map[int][]*condition{}, expressions: map[expressionKey]*condition{}, exits: map[int]int{},
	}
	for _, definition := range rule.module.Rules {
		for ; definition != nil; definition = definition.Else {
			x.definitions[definition.Location.Offset] = conditionsWritten(definition.Body)
		}
	}
	for _, definition := range module.Rules {
		for ; definition != nil; definition = definition.Else {
			x.assign(x.definitions[definition.Location.Offset], definition.Body)
		}
	}
	ast.WalkExprs(module, func(expr *ast.Expr) bool {
		operands := expr.Operands()
		if !expr.IsEquality() || len(operands) != 2 {
			return false
		}
		made, ok := operands[0].Value.(ast.Var)
		ref, isRef := operands[1].Value.(ast.Ref)
		if ok && isRef && x.written[made] == "" {
			x.source[made] = x.named(ref)
		}
		return false
	})
	return x
}

func conditionsWritten(body ast.Body) []*condition {
	var list []*condition
	for _, expr := range body {
		line, rest, _ := strings.Cut(strings.TrimSpace(string(expr.Location.Text)), "\n")
		if rest != "" {
			line += " …"
		}
		if line != "true" && line != "" {
			list = append(list, &condition{row: expr.Location.Row, offset: expr.Location.Offset, text: line})
		}
	}
	slices.SortFunc(list, func(a, b *condition) int { return a.offset - b.offset })
	return list
}

// assign gives each expression that the compiler made to the condition in whose text it stands. What stands before the
// first is of the head.
func (x *explainer) assign(list []*condition, body ast.Body) {
	for _, expr := range body {
		if expr.Location == nil {
			continue
		}
		var of *condition
		for _, c := range list {
			if c.offset <= expr.Location.Offset {
				of = c
			}
		}
		if of == nil {
			continue
		}
		x.expressions[expressionKeyOf(expr)] = of
		if of.first.text == "" {
			of.first = expressionKeyOf(expr)
		}
	}
}

func (*explainer) Enabled() bool { return true }

func (*explainer) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

func (x *explainer) TraceEvent(event topdown.Event) {
	if event.Location == nil || event.Location.File != x.rule.File {
		return
	}
	switch node := event.Node.(type) {
	case *ast.Rule:
		if event.Op == topdown.ExitOp {
			x.exits[node.Location.Offset]++
		}
	case *ast.Expr:
		if node.Location == nil || event.Op != topdown.EvalOp && event.Op != topdown.FailOp {
			return
		}
		key := expressionKeyOf(node)
		c := x.expressions[key]
		if c != nil && event.Op == topdown.EvalOp {
			x.last = c
		}
		switch {
		case c == nil:
		case event.Op == topdown.FailOp:
			c.failed++
			if len(c.values) < maxExplained {
				c.note(x.values(event, node))
			}
		case key == c.first:
			c.tried++
		}
	}
}

func (c *condition) note(values string) {
	if values != "" && !slices.Contains(c.values, values) {
		c.values = append(c.values, values)
	}
}

// values are what the variables of an expression that did not hold have.
func (x *explainer) values(event topdown.Event, expr *ast.Expr) string {
	if operands := expr.Operands(); expr.IsEquality() && len(operands) == 2 {
		// The compiler's own variable for a reference: where the reference has no value, it fails here.
		if ref, ok := operands[1].Value.(ast.Ref); ok {
			if v, ok := operands[0].Value.(ast.Var); ok && event.Locals != nil && event.Locals.Get(v) == nil {
				return x.named(ref) + " is not there"
			}
		}
	}
	if term, ok := expr.Terms.(*ast.Term); ok {
		if ref, ok := term.Value.(ast.Ref); ok {
			if expr.Negated {
				return x.named(ref) + " is there, or true"
			}
			return x.named(ref) + " is not there, or false"
		}
	}
	var parts []string
	ast.WalkVars(expr, func(v ast.Var) bool {
		if event.Locals == nil || ast.RootDocumentNames.Contains(ast.NewTerm(v)) {
			return false
		}
		value := event.Locals.Get(v)
		written := x.name(v)
		if value == nil || written == "" {
			return false
		}
		if part := written + " is " + shownValue(value); !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
		return false
	})
	return strings.Join(parts, ", ")
}

// name is a variable as it is written, or the reference that a variable of the compiler stands for; empty: it is neither.
func (x *explainer) name(v ast.Var) string {
	if source := x.source[v]; source != "" {
		return source
	}
	if written := x.written[v]; written != "" && !written.IsWildcard() && !written.IsGenerated() {
		return string(written)
	}
	return ""
}

// named is a reference with its variables as they are written.
func (x *explainer) named(ref ast.Ref) string {
	var b strings.Builder
	for i, term := range ref {
		switch v := term.Value.(type) {
		case ast.Var:
			name := x.name(v)
			if name == "" {
				name = "_"
				if i == 0 && !v.IsGenerated() && !v.IsWildcard() {
					name = string(v) // input, data
				}
			}
			if i > 0 {
				name = "[" + name + "]"
			}
			b.WriteString(name)
		case ast.String:
			if i == len(x.rulePath())-1 && strings.HasPrefix(ref.String(), "data."+x.rule.Package+".") {
				b.Reset()
				continue
			}
			if b.Len() == 0 {
				b.WriteString(string(v))
				continue
			}
			if strings.ContainsAny(string(v), ".-/ ") {
				fmt.Fprintf(&b, "[%q]", string(v))
				continue
			}
			b.WriteString("." + string(v))
		default:
			fmt.Fprintf(&b, "[%s]", term)
		}
	}
	return b.String()
}

// rulePath are the parts of the rule's package, which its author does not write.
func (x *explainer) rulePath() []string { return strings.Split("data."+x.rule.Package, ".") }

// shownValue is a value in short: an object by its name.
func shownValue(value ast.Value) string {
	if object, ok := value.(ast.Object); ok {
		for _, name := range []string{"ifname", "dev", "name", "local", "dst", "file", "key", "metadata"} {
			field := object.Get(ast.StringTerm(name))
			if field == nil {
				continue
			}
			if metadata, ok := field.Value.(ast.Object); ok {
				field = metadata.Get(ast.StringTerm("name"))
			}
			if field != nil {
				return strings.Trim(field.Value.String(), `"`)
			}
		}
	}
	text := value.String()
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "…"
	}
	return text
}

// explained are the definitions of findings, and the helpers that were asked and never gave anything.
func (x *explainer) explained() []ExplainedRule {
	list := []ExplainedRule{}
	for _, definition := range x.rule.module.Rules {
		for ; definition != nil; definition = definition.Else {
			place := definition.Location.Offset
			e := ExplainedRule{Name: definition.Head.Ref().String(), File: x.rule.File, Row: definition.Location.Row, Held: x.exits[place]}
			tried := false
			for _, c := range x.definitions[place] {
				e.Conditions = append(e.Conditions, ExplainedCondition{c.row, c.text, c.tried, max(0, c.tried-c.failed), c.values})
				tried = tried || c.tried > 0
			}
			if e.Name == "finding" || tried && e.Held == 0 && e.Name != "ruled_out" && e.Name != "unexamined" {
				list = append(list, e)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b ExplainedRule) int {
		if (a.Name == "finding") != (b.Name == "finding") {
			if a.Name == "finding" {
				return -1
			}
			return 1
		}
		return a.Row - b.Row
	})
	return list
}
