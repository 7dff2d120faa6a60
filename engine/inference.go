package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/netcause/netcause/engine/facts"
)

// inference follows the shapes of input through one rule and the functions that it calls, on what OPA's compiler made of
// them. OPA's own type checker takes every argument of a function as any; here a function is looked at with the shapes
// that it is called with, so that a misspelt field is seen in a helper too, and which groups of facts are read by whom.
type inference struct {
	in    *inputShapes
	input *shape
	rules map[string][]*ast.Rule // by path: data.netcause.lib.text.names
	// results are what built-in functions give.
	results map[string]*shape
	known   map[string]*shape // by path and arguments
	// reads are the groups of facts, with where each is read first.
	reads map[string]*ast.Location
	// calls are the built-in functions of netcause that are called.
	calls map[string]bool
	// sound and wrong are the places where a field is asked for. A function that is called with several shapes is wrong
	// only where none of them has it.
	sound map[place]bool
	wrong map[place]mistake
}

// place is one part of a reference in a file.
type place struct {
	file     string
	row, col int
	key      string
}

type mistake struct {
	place
	problem string
}

func newInference(in *inputShapes, scope Scope, rules map[string][]*ast.Rule, results map[string]*shape) *inference {
	return &inference{
		in: in, input: in.byScope[scope], rules: rules, results: results,
		known: map[string]*shape{}, reads: map[string]*ast.Location{}, calls: map[string]bool{}, sound: map[place]bool{}, wrong: map[place]mistake{},
	}
}

// rulesByPath are the rules of compiled modules by the constant part of their references.
func rulesByPath(modules map[string]*ast.Module) map[string][]*ast.Rule {
	byPath := map[string][]*ast.Rule{}
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		module := modules[file]
		for _, rule := range module.Rules {
			path := module.Package.Path.Extend(rule.Head.Ref()).ConstantPrefix().String()
			byPath[path] = append(byPath[path], rule)
		}
	}
	return byPath
}

// builtinResults are the shapes of what built-in functions give, as far as they are declared.
func builtinResults(in *inputShapes) map[string]*shape {
	results := map[string]*shape{}
	for _, b := range capabilities().Builtins {
		results[b.Name] = in.ofRego(b.Decl.Result())
	}
	for _, f := range functions() {
		results[f.Name] = f.answerShape(in.shapes)
	}
	return results
}

func (s *shapes) ofRego(t types.Type) *shape {
	switch t := t.(type) {
	case *types.NamedType:
		return s.ofRego(t.Type)
	case types.String:
		return s.text
	case types.Number:
		return s.number
	case types.Boolean:
		return s.boolean
	case *types.Set:
		return s.set(s.ofRego(t.Of()))
	case *types.Array:
		if t.Dynamic() != nil && t.Len() == 0 {
			return s.list(s.ofRego(t.Dynamic()))
		}
	}
	return s.any
}

// follow goes through a rule's package.
func (inf *inference) follow(pkg string) {
	prefix := "data." + pkg + "."
	for _, path := range slices.Sorted(maps.Keys(inf.rules)) {
		if !strings.HasPrefix(path, prefix) {
			continue
		}
		if len(inf.rules[path][0].Head.Args) == 0 {
			inf.document(path)
		}
	}
}

// mistakes are what is wrong, in the order of the text.
func (inf *inference) mistakes() []mistake {
	var list []mistake
	for p, m := range inf.wrong {
		if !inf.sound[p] {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b mistake) int {
		if c := strings.Compare(a.file, b.file); c != 0 {
			return c
		}
		if a.row != b.row {
			return a.row - b.row
		}
		return a.col - b.col
	})
	return list
}

// document is the shape of the rules at a path that take no arguments.
func (inf *inference) document(path string) *shape {
	if known, ok := inf.known[path]; ok {
		return known
	}
	inf.known[path] = inf.in.any // recursion is an error of its own
	var all []*shape
	for _, rule := range inf.rules[path] {
		all = append(all, inf.definition(rule))
	}
	result := inf.in.union(all...)
	if result == nil {
		result = inf.in.any
	}
	inf.known[path] = result
	return result
}

// call is the shape of what a function gives for arguments.
func (inf *inference) call(path string, args []*shape) *shape {
	key := path
	for _, arg := range args {
		key += fmt.Sprintf(" %d", arg.number)
	}
	if known, ok := inf.known[key]; ok {
		return known
	}
	inf.known[key] = inf.in.any
	var all []*shape
	for _, rule := range inf.rules[path] {
		all = append(all, inf.branches(rule, args)...)
	}
	result := inf.in.union(all...)
	if result == nil {
		result = inf.in.any
	}
	inf.known[key] = result
	return result
}

// branches are the shapes of a function's value and of its elses'.
func (inf *inference) branches(rule *ast.Rule, args []*shape) []*shape {
	var all []*shape
	for ; rule != nil; rule = rule.Else {
		b := &body{inference: inf, vars: map[ast.Var]*shape{}}
		for i, arg := range rule.Head.Args {
			if i < len(args) {
				b.bind(arg, args[i])
			}
		}
		b.follow(rule.Body)
		all = append(all, b.term(rule.Head.Value, rule.Head.Location))
	}
	return all
}

// definition is the shape of the whole document that one rule without arguments adds to.
func (inf *inference) definition(rule *ast.Rule) *shape {
	var all []*shape
	head := rule.Head
	for ; rule != nil; rule = rule.Else {
		b := &body{inference: inf, vars: map[ast.Var]*shape{}}
		b.follow(rule.Body)
		if rule.Head.RuleKind() == ast.MultiValue {
			all = append(all, inf.in.set(b.term(rule.Head.Key, rule.Head.Location)))
		} else {
			all = append(all, b.term(rule.Head.Value, rule.Head.Location))
		}
	}
	result := inf.in.union(all...)
	ref := head.Ref()
	for range len(ref) - len(ref.ConstantPrefix()) {
		result = inf.in.dict(result)
	}
	return result
}

// body is one body with the shapes of its variables.
type body struct {
	*inference
	vars map[ast.Var]*shape
}

func (b *body) inner() *body { return &body{inference: b.inference, vars: maps.Clone(b.vars)} }

func (b *body) follow(body ast.Body) {
	for _, expr := range body {
		b.expr(expr)
	}
}

func (b *body) expr(expr *ast.Expr) {
	for _, with := range expr.With {
		b.term(with.Value, expr.Location)
	}
	switch terms := expr.Terms.(type) {
	case *ast.Term:
		b.term(terms, expr.Location)
	case []*ast.Term:
		b.operation(terms, expr.Location)
	case *ast.Every:
		inner := b.inner()
		domain := inner.term(terms.Domain, expr.Location)
		if terms.Key != nil {
			inner.bind(terms.Key, b.in.keys(domain))
		}
		inner.bind(terms.Value, b.in.values(domain))
		inner.follow(terms.Body)
	}
}

// operation is a call as an expression: the last term may take the result.
func (b *body) operation(terms []*ast.Term, at *ast.Location) {
	operator, ok := terms[0].Value.(ast.Ref)
	if !ok {
		return
	}
	name, operands := operator.String(), terms[1:]
	if (name == ast.Equality.Name || name == ast.Assign.Name) && len(operands) == 2 {
		left, right := b.term(operands[0], at), b.term(operands[1], at)
		b.compare(name, left, right, at)
		b.bind(operands[0], right)
		b.bind(operands[1], left)
		return
	}
	args := make([]*shape, len(operands))
	for i, operand := range operands {
		args[i] = b.term(operand, at)
	}
	if len(args) == 2 {
		b.compare(name, args[0], args[1], at)
	}
	result := b.apply(name, operands, args, at)
	if len(operands) > b.arity(name) && len(operands) > 0 {
		b.bind(operands[len(operands)-1], result)
	}
}

func (b *body) arity(name string) int {
	if rules := b.rules[name]; len(rules) > 0 {
		return len(rules[0].Head.Args)
	}
	if builtin, ok := ast.BuiltinMap[name]; ok {
		return builtin.Decl.Arity()
	}
	for _, f := range functions() {
		if f.Name == name {
			return len(f.Args)
		}
	}
	return 1 << 10
}

func (b *body) apply(name string, operands []*ast.Term, args []*shape, at *ast.Location) *shape {
	if rules := b.rules[name]; len(rules) > 0 {
		return b.call(name, args[:min(len(args), len(rules[0].Head.Args))])
	}
	if strings.HasPrefix(name, "netcause.") {
		b.calls[name] = true
	}
	b.misuse(name, operands, args, at)
	switch name {
	case "array.concat":
		return b.in.list(b.in.union(b.in.values(args[0]), b.in.values(args[1])))
	case "array.slice", "array.reverse":
		return args[0]
	case "array.flatten":
		return b.in.list(b.in.union(b.flat(args[0])...))
	case "sort":
		return b.in.list(b.in.values(args[0]))
	case "max", "min":
		return b.in.values(args[0])
	case "or", "and", "minus":
		if args[0].kind == kindSet && args[1].kind == kindSet {
			return b.in.union(args[0], args[1])
		}
		return b.in.any
	case "object.get":
		return b.in.union(b.path(args[0], operands[1], at), args[2])
	}
	if result, ok := b.results[name]; ok && result != nil {
		return result
	}
	return b.in.any
}

func (b *body) flat(s *shape) []*shape {
	var all []*shape
	for _, elem := range b.in.alternatives(b.in.values(s)) {
		if elem.kind == kindList {
			all = append(all, b.flat(elem)...)
			continue
		}
		all = append(all, elem)
	}
	return all
}

// path is what object.get finds at a key or a list of keys.
func (b *body) path(s *shape, key *ast.Term, at *ast.Location) *shape {
	keys := []*ast.Term{key}
	if array, ok := key.Value.(*ast.Array); ok {
		keys = nil
		array.Foreach(func(t *ast.Term) { keys = append(keys, t) })
	} else if _, ok := key.Value.(ast.String); !ok {
		return b.in.any
	}
	for _, key := range keys {
		s = b.choose(s, key, at)
	}
	return s
}

// term is a term's shape: any where it is a variable without a value yet.
func (b *body) term(t *ast.Term, at *ast.Location) *shape {
	if t == nil {
		return b.in.any
	}
	switch v := t.Value.(type) {
	case ast.Null:
		return b.in.null
	case ast.Boolean:
		return b.in.boolean
	case ast.Number:
		return b.in.number
	case ast.String:
		return b.in.text
	case ast.Var:
		if s, ok := b.vars[v]; ok {
			return s
		}
	case ast.Ref:
		return b.ref(v, at)
	case *ast.Array:
		var all []*shape
		v.Foreach(func(t *ast.Term) { all = append(all, b.term(t, at)) })
		return b.in.list(b.in.orNothing(all))
	case ast.Set:
		var all []*shape
		v.Foreach(func(t *ast.Term) { all = append(all, b.term(t, at)) })
		return b.in.set(b.in.orNothing(all))
	case ast.Object:
		return b.object(v, at)
	case *ast.ArrayComprehension:
		inner := b.inner()
		inner.follow(v.Body)
		return b.in.list(inner.term(v.Term, at))
	case *ast.SetComprehension:
		inner := b.inner()
		inner.follow(v.Body)
		return b.in.set(inner.term(v.Term, at))
	case *ast.ObjectComprehension:
		inner := b.inner()
		inner.follow(v.Body)
		inner.term(v.Key, at)
		return b.in.dict(inner.term(v.Value, at))
	case ast.Call:
		if operator, ok := v[0].Value.(ast.Ref); ok {
			args := make([]*shape, len(v)-1)
			for i, operand := range v[1:] {
				args[i] = b.term(operand, at)
			}
			return b.apply(operator.String(), v[1:], args, at)
		}
	}
	return b.in.any
}

// orNothing is the union of the members of a collection: an empty one holds nothing, of whatever shape.
func (in *inputShapes) orNothing(all []*shape) *shape {
	if s := in.union(all...); s != nil {
		return s
	}
	return in.make("nothing", shape{kind: kindUnion})
}

func (b *body) object(o ast.Object, at *ast.Location) *shape {
	var fields []shapeField
	constant := true
	var values []*shape
	o.Foreach(func(k, v *ast.Term) {
		value := b.term(v, at)
		values = append(values, value)
		if name, ok := k.Value.(ast.String); ok {
			fields = append(fields, shapeField{name: string(name), shape: value})
			return
		}
		b.term(k, at)
		constant = false
	})
	if !constant {
		return b.in.dict(b.in.orNothing(values))
	}
	return b.in.object("", fields)
}

func (b *body) ref(ref ast.Ref, at *ast.Location) *shape {
	var s *shape
	rest := ref[1:]
	switch head := ref[0].Value.(type) {
	case ast.Var:
		switch {
		case head.Equal(ast.InputRootDocument.Value):
			s = b.input
		case head.Equal(ast.DefaultRootDocument.Value):
			s, rest = b.data(ref, at)
		default:
			s = b.vars[head]
		}
	default:
		s = b.term(ref[0], at)
	}
	if s == nil {
		s = b.in.any
	}
	for _, key := range rest {
		s = b.choose(s, key, at)
	}
	return s
}

// data is the document that the longest constant part of a reference names, and what of the reference is left.
func (b *body) data(ref ast.Ref, at *ast.Location) (*shape, ast.Ref) {
	for n := len(ref.ConstantPrefix()); n > 1; n-- {
		if rules := b.rules[ref[:n].String()]; len(rules) > 0 && len(rules[0].Head.Args) == 0 {
			return b.document(ref[:n].String()), ref[n:]
		}
	}
	if path := ref.ConstantPrefix().String(); len(ref.ConstantPrefix()) > 1 && !b.named(path) && at != nil {
		p := place{at.File, at.Row, at.Col, path}
		b.wrong[p] = mistake{p, fmt.Sprintf("%s is nowhere: a rule sees the facts in input and what rules say, no data: write what it has to know into the rule", path)}
	}
	return b.in.any, nil
}

// named is whether a path is a rule's, or leads to one.
func (b *body) named(path string) bool {
	if b.rules[path] != nil {
		return true
	}
	for rule := range b.rules {
		if strings.HasPrefix(rule, path+".") || strings.HasPrefix(path, rule+".") || strings.HasPrefix(path, rule+"[") || strings.HasPrefix(rule, path+"[") {
			return true
		}
	}
	return false
}

// choose is one step of a reference.
func (b *body) choose(s *shape, key *ast.Term, at *ast.Location) *shape {
	name, constant := key.Value.(ast.String)
	if !constant {
		if at != nil && b.all(s, kindText, kindNumber, kindBoolean) {
			p := place{at.File, at.Row, at.Col, "[]"}
			b.wrong[p] = mistake{p, fmt.Sprintf("it goes through %s, which has no members: `some x in …` takes a list, a set or an object", kindNames[b.in.alternatives(s)[0].kind])}
		}
		b.bind(key, b.in.keys(s))
		return b.in.values(s)
	}
	if key.Location != nil && key.Location.Row > 0 {
		at = key.Location
	}
	b.read(s, string(name), at)
	p := place{key: string(name)}
	if at != nil {
		p.file, p.row, p.col = at.File, at.Row, at.Col
	}
	var found []*shape
	problem := ""
	for _, one := range b.in.alternatives(s) {
		chosen, why := b.in.field(one, string(name))
		if why != "" && problem == "" {
			problem = why
		}
		found = append(found, chosen)
	}
	result := b.in.union(found...)
	if result == nil {
		if problem != "" {
			b.wrong[p] = mistake{p, problem}
		}
		return b.in.any
	}
	b.sound[p] = true
	return result
}

// field is what a shape has under a name: nil and why where it never has it.
func (in *inputShapes) field(s *shape, name string) (*shape, string) {
	switch s.kind {
	case kindObject:
		if f, ok := s.field(name); ok {
			return f.shape, ""
		}
		return nil, in.noField(s, name)
	case kindDict, kindSet:
		return s.elem, ""
	case kindList:
		if s.elem.kind == kindObject && s.elem.name != "" {
			if _, ok := s.elem.field(name); !ok {
				return nil, fmt.Sprintf("a list of %s has no field %q: go through it with `some x in …` and compare a field of x (netcause facts schema %[1]s)", s.elem.name, name)
			}
			return nil, fmt.Sprintf("a list of %s has no field %q: go through it with `some x in …` and write x.%[2]s", s.elem.name, name)
		}
		return nil, fmt.Sprintf("a list has no field %q: go through it with `some x in …`", name)
	case kindText, kindNumber, kindBoolean, kindNull:
		return nil, fmt.Sprintf("%s has no field %q", kindNames[s.kind], name)
	}
	return in.any, ""
}

var kindNames = map[kind]string{
	kindAny: "anything", kindText: "a text", kindNumber: "a number", kindBoolean: "true or false", kindNull: "null",
	kindObject: "an object", kindDict: "an object", kindList: "a list", kindSet: "a set", kindUnion: "one of several",
}

func (in *inputShapes) noField(s *shape, name string) string {
	switch {
	case s.name == "":
		return fmt.Sprintf("the object has no field %q%s", name, didYouMean(name, s.fieldNames()))
	case s == in.byScope[ScopeNode] || s == in.byScope[ScopeCluster]:
		scope := ScopeNode
		if s == in.byScope[ScopeCluster] {
			scope = ScopeCluster
		}
		return fmt.Sprintf("input has no field %q: a rule of scope %s has input.%s",
			name, scope, strings.Join(s.fieldNames(), ", input."))
	case (s == in.node || s == in.namespace) && bulkGroups[name]:
		return fmt.Sprintf("%s is too large to be seen whole: ask about it with a function such as netcause.chain or netcause.service_path (netcause rules functions)", name)
	}
	if s.name == "Sysctl" {
		return fmt.Sprintf("Sysctl has no field %q: a key with dots stands in brackets, sysctls[\"net.ipv4.ip_forward\"].value", name)
	}
	return fmt.Sprintf("%s has no field %q%s (netcause facts schema %s)", s.name, name, didYouMean(name, s.fieldNames()), s.name)
}

// read notes the group of facts that a step of a reference reads.
func (b *body) read(s *shape, name string, at *ast.Location) {
	group := ""
	switch {
	case s == b.in.cluster:
		group = facts.ClusterPrefix + name
	case s == b.in.node && name == "pods":
		group = "cluster.pods"
	case s == b.in.node && name == "object":
		group = "cluster.nodes"
	case s == b.in.node:
		group = name
	}
	if _, seen := b.reads[group]; !seen && knownGroup(group) {
		b.reads[group] = at
	}
}

// bind gives the variables of a pattern that have none yet their shapes.
func (b *body) bind(t *ast.Term, s *shape) {
	switch v := t.Value.(type) {
	case ast.Var:
		if _, ok := b.vars[v]; !ok {
			b.vars[v] = s
		}
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { b.bind(t, b.in.values(s)) })
	case ast.Object:
		v.Foreach(func(key, t *ast.Term) {
			var found []*shape
			if name, ok := key.Value.(ast.String); ok {
				for _, one := range b.in.alternatives(s) {
					chosen, _ := b.in.field(one, string(name))
					found = append(found, chosen)
				}
			}
			if chosen := b.in.union(found...); chosen != nil {
				b.bind(t, chosen)
				return
			}
			b.bind(t, b.in.any)
		})
	}
}

func (in *inputShapes) alternatives(s *shape) []*shape {
	if s.kind == kindUnion {
		return s.members
	}
	return []*shape{s}
}

// values are what a collection holds.
func (in *inputShapes) values(s *shape) *shape {
	var all []*shape
	for _, one := range in.alternatives(s) {
		switch one.kind {
		case kindList, kindSet, kindDict:
			all = append(all, one.elem)
		case kindObject:
			for _, f := range one.fields {
				all = append(all, f.shape)
			}
		case kindAny:
			return in.any
		}
	}
	return in.orNothing(all)
}

// keys are what a collection is gone through by.
func (in *inputShapes) keys(s *shape) *shape {
	switch s.kind {
	case kindList:
		return in.number
	case kindObject:
		return in.text
	case kindSet:
		return s.elem
	}
	return in.any // a rule may key an object by whatever it likes
}
