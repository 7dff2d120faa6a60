package engine

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// forbidden says why a built-in function of OPA is kept from rules.
func forbidden(name string) string {
	switch name {
	case "http.send", "net.lookup_ip_addr":
		return "it reaches the network"
	case "opa.runtime":
		return "it reads the environment"
	case "time.now_ns", "rand.intn", "uuid.rfc4122":
		return "it gives another answer each time"
	case "trace":
		return "it is for debugging: use print in a test"
	}
	return ""
}

// wordings are OPA's messages that leave a beginner alone, and what to say instead; $1 is what the pattern captured.
var wordings = []struct {
	pattern *regexp.Regexp
	say     string
}{
	{regexp.MustCompile("^`(?:if|contains)` keyword is required"), "this is Rego v0, and rules are Rego v1: write `finding contains f if { … }`, with `contains` for a set and `if` before every body"},
	{regexp.MustCompile(`^var (\S+) is unsafe`), "nothing gives $1 a value: is it misspelt, does `some $1 in …` or an import lack, or is it only behind `not`?"},
	{regexp.MustCompile(`^assigned var (\S+) unused`), "$1 gets a value that nothing uses: use it, or drop the line"},
	{regexp.MustCompile(`^declared var (\S+) unused`), "$1 is declared with `some` and nothing uses it: write `some _ in …`, or drop it"},
	{regexp.MustCompile(`^unexpected eof token`), "the text ends within a rule: a bracket that is opened above is not closed"},
	{regexp.MustCompile(`^illegal token`), "a character that Rego does not know: texts stand in \"…\" or `…`, not in '…'"},
	{regexp.MustCompile(`^unexpected and token|hint: .import future\.keywords\.and`), "Rego has no `and`: write each condition in a line of its own, they all must hold"},
	{regexp.MustCompile(`hint: .import future\.keywords\.or|^unexpected or token`), "Rego has no `or`: write `x in {1, 2}`, or a second rule of the same name"},
	{regexp.MustCompile(`^unexpected if keyword`), "an `if` within a body: write the condition in a line of its own, or make a rule of it"},
	{regexp.MustCompile(`^unexpected (.+) token: expected \\n or ; or }`), "a condition ends before this $1: is there a bracket too many or too few, or two conditions in one line? (Rego goes through a list with `some x in …`)"},
	{regexp.MustCompile(`^rule (\S+) is recursive`), "$1 asks for itself, which Rego does not do: for ways through a graph there are graph.reachable and walk"},
	{regexp.MustCompile(`^undefined schema: (\S+)`), "METADATA schemas names $1, and there are schema.node and schema.cluster"},
	{regexp.MustCompile(`^yaml: (?:line \d+: )?(.+)`), "METADATA is no YAML ($1): each line is `# key: value`, what belongs to custom is two blanks further in, a text with `: ` in it stands in \"…\""},
}

// errorRank orders errors by how much they say: an unused variable is often the consequence of another one.
func errorRank(e *ast.Error) int {
	switch {
	case e.Code == ast.ParseErr:
		return 0
	case strings.HasPrefix(e.Message, "undefined function"):
		return 1
	case strings.Contains(e.Message, "unused"):
		return 3
	}
	return 2
}

// NewRuleError makes what OPA says of a file a [RuleError].
func NewRuleError(file string, err error) error { return ruleError(file, err) }

// ruleError makes the most telling of OPA's errors a RuleError with its place and what to write; library are the functions that
// could be meant.
func ruleError(file string, err error, library ...string) error {
	var list ast.Errors
	if !errors.As(err, &list) || len(list) == 0 {
		return &RuleError{File: file, Problem: err.Error()}
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *ast.Error) int { return errorRank(a) - errorRank(b) })
	first := list[0]
	e := &RuleError{File: file, Problem: problemOf(first, library)}
	if first.Location != nil {
		e.Line = first.Location.Row
		if first.Location.File != "" {
			e.File = first.Location.File
		}
	}
	return e
}

func problemOf(e *ast.Error, library []string) string {
	for _, w := range wordings {
		if match := w.pattern.FindStringSubmatchIndex(e.Message); match != nil {
			return string(w.pattern.ExpandString(nil, w.say, e.Message, match))
		}
	}
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok {
		return undefinedFunction(name, library)
	}
	switch detail := e.Details.(type) {
	case *ast.UnificationErrDetail:
		return fmt.Sprintf("the two sides are never equal: one is %s, the other %s", inWords(detail.Left), inWords(detail.Right))
	case *ast.RefErrInvalidDetail:
		if len(detail.OneOf) > 0 {
			written := strings.Trim(detail.Ref[detail.Pos].Value.String(), `"`)
			return fmt.Sprintf("%s is nowhere%s", detail.Ref, didYouMean(written, oneOf(detail.OneOf)))
		}
	case *ast.ArgErrDetail:
		function, _, _ := strings.Cut(e.Message, ":")
		return fmt.Sprintf("%s does not take (%s): it takes (%s)", function, arguments(detail.Have), arguments(detail.Want.Args))
	}
	return e.Message
}

// arguments are a function's in words, without the last that stands for its result.
func arguments(list []types.Type) string {
	var words []string
	for _, t := range list {
		named, ok := t.(*types.NamedType)
		switch {
		case t == nil || ok && (named.Name == "answer" || named.Name == "output"):
		case ok:
			words = append(words, named.Name+": "+inWords(named.Type))
		default:
			words = append(words, inWords(t))
		}
	}
	return strings.Join(words, ", ")
}

func oneOf(values []ast.Value) []string {
	var words []string
	for _, v := range values {
		if s, ok := v.(ast.String); ok {
			words = append(words, string(s))
		}
	}
	return words
}

func undefinedFunction(name string, library []string) string {
	if why := forbidden(name); why != "" {
		return fmt.Sprintf("%s is kept from rules: %s, and a rule sees the facts alone", name, why)
	}
	if strings.HasPrefix(name, "data.netcause.") {
		return fmt.Sprintf("there is no function %s%s (netcause rules functions)", name, didYouMean(name, library))
	}
	var names []string
	for _, b := range capabilities().Builtins {
		names = append(names, b.Name)
	}
	say := fmt.Sprintf("there is no function %s%s", name, didYouMean(name, names))
	first, _, _ := strings.Cut(name, ".")
	if imported := "data.netcause.lib." + first; slices.ContainsFunc(library, func(f string) bool { return strings.HasPrefix(f, imported+".") }) {
		say = fmt.Sprintf("there is no function %s: write `import %s` above", name, imported)
	}
	return say
}

// inWords is a type as somebody says it who does not know OPA's words.
func inWords(t types.Type) string {
	switch t := t.(type) {
	case types.String:
		return "a text"
	case types.Number:
		return "a number"
	case types.Boolean:
		return "true or false"
	case *types.Array:
		return "a list"
	case *types.Set:
		return "a set"
	case *types.Object:
		return "an object"
	case types.Null:
		return "null"
	case nil:
		return "undefined"
	case types.Any:
		if len(t) == 0 {
			return "anything"
		}
		var parts []string
		for _, one := range t {
			if words := inWords(one); !slices.Contains(parts, words) {
				parts = append(parts, words)
			}
		}
		return strings.Join(parts, " or ")
	}
	return t.String()
}

// comparisons are the operators whose two sides are of one kind, in words.
var comparisons = map[string]string{
	ast.Equality.Name: "==", ast.Equal.Name: "==", ast.NotEqual.Name: "!=",
	ast.LessThan.Name: "<", ast.LessThanEq.Name: "<=", ast.GreaterThan.Name: ">", ast.GreaterThanEq.Name: ">=",
}

// compare notes a comparison of two kinds that are never the same: Rego orders them without a word.
func (b *body) compare(operator string, left, right *shape, at *ast.Location) {
	sign, ok := comparisons[operator]
	if !ok || at == nil {
		return
	}
	p := place{at.File, at.Row, at.Col, operator}
	scalar := func(s *shape) bool { return s.kind == kindText || s.kind == kindNumber || s.kind == kindBoolean }
	if !scalar(left) || !scalar(right) || left.kind == right.kind {
		b.sound[p] = true
		return
	}
	hint := ""
	if left.kind == kindNumber && right.kind == kindText || left.kind == kindText && right.kind == kindNumber {
		hint = ": a number stands without \"\", to_number makes one of a text"
	}
	b.wrong[p] = mistake{p, fmt.Sprintf("%s compares %s with %s%s", sign, kindNames[left.kind], kindNames[right.kind], hint)}
}

// outcomeSets are the sets that the engine asks a rule for, with a value of what each holds and what none may lack.
var outcomeSets = []struct {
	name     string
	of       any
	required []string
	write    string
}{
	{"finding", spokenFinding{}, []string{"message", "evidence"}, `{"message": …, "evidence": [{"fact": …, "value": …, "source": …}], "fix": {"summary": …, "steps": […]}}`},
	{"ruled_out", spokenRuledOut{}, []string{"message"}, `{"message": …, "evidence": […]}`},
	{"unexamined", spokenUnexamined{}, []string{"group"}, `{"group": …, "reason": …}`},
}

// outcomeMistake is what is wrong with the sets that a rule gives the engine, as far as it shows without facts.
func (inf *inference) outcomeMistake(rule *Rule) *RuleError {
	names := map[string]*ast.Location{}
	for _, r := range rule.module.Rules {
		names[string(r.Head.Ref()[0].Value.(ast.Var))] = r.Location
	}
	some := false
	for _, set := range outcomeSets {
		path := "data." + rule.Package + "." + set.name
		for _, r := range inf.rules[path] {
			some = true
			if problem := inf.outcomeProblem(r, set.name, set.write, inf.in.of(reflect.TypeOf(set.of)), set.required); problem != "" {
				return &RuleError{rule.File, r.Head.Location.Row, problem}
			}
		}
		if _, ok := names[set.name]; ok {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if nearest(name, []string{"finding", "ruled_out", "unexamined"}) == set.name && !strings.HasPrefix(name, "_") {
				return &RuleError{rule.File, names[name].Row, fmt.Sprintf("%s is asked by nobody: did you mean %q?", name, set.name)}
			}
		}
	}
	if !some {
		return &RuleError{rule.File, rule.module.Package.Location.Row, "it says nothing: write `finding contains f if { … }` for the fault that it looks for"}
	}
	return nil
}

func (inf *inference) outcomeProblem(r *ast.Rule, name, write string, want *shape, required []string) string {
	given := inf.definition(r)
	if r.Head.RuleKind() != ast.MultiValue || given.kind != kindSet {
		return fmt.Sprintf("%s is a set, one member for each fault: write `%[1]s contains f if { … }`", name)
	}
	for _, one := range inf.in.alternatives(given.elem) {
		switch one.kind {
		case kindAny, kindDict, kindUnion:
			continue
		case kindObject:
		default:
			return fmt.Sprintf("a member of %s is %s, and it is an object: write %s", name, kindNames[one.kind], write)
		}
		for _, field := range required {
			if _, ok := one.field(field); !ok {
				return fmt.Sprintf("a member of %s has no %q%s: write %s", name, field, insteadOf(field, one, want), write)
			}
		}
		if problem := inf.misfit(one, want, name); problem != "" {
			return problem
		}
	}
	return ""
}

func insteadOf(field string, given, want *shape) string {
	for _, name := range given.fieldNames() {
		if _, ok := want.field(name); !ok && nearest(name, []string{field}) != "" {
			return fmt.Sprintf(" but %q", name)
		}
	}
	return ""
}

// misfit says where a value is not of the shape that the engine reads.
func (inf *inference) misfit(given, want *shape, path string) string {
	if want.kind == kindAny || given.kind == kindAny || given.kind == kindUnion {
		return ""
	}
	switch want.kind {
	case kindObject:
		if given.kind == kindDict {
			return ""
		}
		if given.kind != kindObject {
			return fmt.Sprintf("%s is %s, and the engine reads an object with %s", path, kindNames[given.kind], strings.Join(want.fieldNames(), ", "))
		}
		for _, f := range given.fields {
			expected, ok := want.field(f.name)
			if !ok {
				return fmt.Sprintf("%s has no field %q%s: it has %s", path, f.name, didYouMean(f.name, want.fieldNames()), strings.Join(want.fieldNames(), ", "))
			}
			for _, one := range inf.in.alternatives(f.shape) {
				if problem := inf.misfit(one, expected.shape, path+"."+f.name); problem != "" {
					return problem
				}
			}
		}
	case kindList:
		if given.kind != kindList && given.kind != kindSet {
			return fmt.Sprintf("%s is %s, and the engine reads a list", path, kindNames[given.kind])
		}
		for _, one := range inf.in.alternatives(given.elem) {
			if problem := inf.misfit(one, want.elem, path+"[]"); problem != "" {
				return problem
			}
		}
	default:
		if given.kind != want.kind {
			hint := ""
			if want.kind == kindText && given.kind == kindNumber {
				hint = `: write sprintf("%d", [x])`
			}
			return fmt.Sprintf("%s is %s, and the engine reads %s%s", path, kindNames[given.kind], kindNames[want.kind], hint)
		}
	}
	return ""
}
