package engine

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
	{regexp.MustCompile(`^illegal ! character`), "Rego has no `!`: write `not x`, or `!=` between two values"},
	{regexp.MustCompile(`^unexpected and token|hint: .import future\.keywords\.and`), "Rego has no `and`: write each condition in a line of its own, they all must hold"},
	{regexp.MustCompile(`hint: .import future\.keywords\.or|^unexpected or token`), "Rego has no `or`: write `x in {1, 2}`, or a second rule of the same name"},
	{regexp.MustCompile(`^unexpected \] token`), "nothing stands between [ and ]: Rego goes through a list with `some x in list`, and then asks for x.field"},
	{regexp.MustCompile(`^unexpected minus token`), "a name has no dash: write _ instead, also in the package"},
	{regexp.MustCompile(`^cannot assign to call`), "left of := stands no name: a name has letters, digits and _, no dash"},
	{regexp.MustCompile(`^var (\S+) assigned above`), "$1 has a value already, and keeps it: give the second value another name"},
	{regexp.MustCompile(`non-terminated (object|array|set)`), "the brackets close too late, or a comma lacks in the line above"},
	{regexp.MustCompile(`^unexpected : token: expected \\n`), "an object stands where a name is expected: a rule that gives objects begins with `finding contains {…} if {`"},
	{regexp.MustCompile(`^unexpected if keyword`), "an `if` within a body: write the condition in a line of its own, or make a rule of it"},
	{regexp.MustCompile(`^unexpected identifier token: expected \\n`), "two words stand side by side that do not belong together: one condition in a line, and a list is gone through with `some x in list` (Rego has no `for`)"},
	{regexp.MustCompile(`^unexpected (.+) token: expected \\n or ; or }`), "a condition ends before this `$1`: is there a bracket too many or too few, or two conditions in one line? (Rego goes through a list with `some x in …`)"},
	{regexp.MustCompile(`^rule (\S+) is recursive`), "$1 asks for itself, which Rego does not do: for ways through a graph there are graph.reachable and walk"},
	{regexp.MustCompile(`^undefined schema: (\S+)`), "METADATA schemas names $1, and there are schema.node and schema.cluster"},
	{regexp.MustCompile(`^yaml: (?:line \d+: )?found character that cannot start any token`), "METADATA has a tab, or a character that has a meaning in YAML: indent with blanks, and write such a text in \"…\""},
	{regexp.MustCompile(`(?s)^yaml: unmarshal errors:\s+line \d+: mapping key ("\w+") already defined`), "METADATA has $1 twice: drop one"},
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
	if strings.HasPrefix(e.Message, "illegal token") {
		return illegalToken(e)
	}
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok {
		return undefinedFunction(name, library)
	}
	switch detail := e.Details.(type) {
	case *ast.UnificationErrDetail:
		hint := ""
		if types.Compare(detail.Left, types.Nl) == 0 || types.Compare(detail.Right, types.Nl) == 0 {
			hint = ": a field that is not there is undefined in Rego, not null: ask with `not`"
		}
		return fmt.Sprintf("the two sides are never equal: one is %s, the other %s%s", inWords(detail.Left), inWords(detail.Right), hint)
	case *ast.RefErrInvalidDetail:
		if len(detail.OneOf) > 0 {
			written := strings.Trim(detail.Ref[detail.Pos].Value.String(), `"`)
			return fmt.Sprintf("%s is nowhere%s", detail.Ref, didYouMean(written, oneOf(detail.OneOf)))
		}
	case *ast.ArgErrDetail:
		function, _, _ := strings.Cut(e.Message, ":")
		have, want := detail.Have, detail.Want.Args
		if arity, ok := arityOf(function); ok {
			want = want[:min(len(want), arity)]
			if !strings.Contains(e.Message, "arity") {
				have = have[:min(len(have), arity)]
			}
		}
		hint := ""
		if len(have) > 0 && (function == "contains" || function == "startswith" || function == "endswith") && inWords(have[0]) == "a list" {
			hint = ": whether a list has a member is asked with `x in list`"
		}
		return fmt.Sprintf("%s does not take (%s): it takes (%s)%s", function, arguments(have), arguments(want), hint)
	}
	return e.Message
}

// illegalToken names the character that the parser stops at.
func illegalToken(e *ast.Error) string {
	say := "a character that Rego does not know"
	if detail, ok := e.Details.(*ast.ParserErrorDetail); ok && detail.Idx >= 0 && detail.Idx < len(detail.Line) {
		r, _ := utf8.DecodeRuneInString(detail.Line[detail.Idx:])
		say = fmt.Sprintf("%c is a character that Rego does not know", r)
		if r == '?' {
			return say + ": write two rules of one name, each with its `if`"
		}
	}
	return say + ": texts stand in \"…\" or `…`, not in '…'"
}

func arityOf(function string) (int, bool) {
	for _, b := range capabilities().Builtins {
		if b.Name == function {
			return b.Decl.Arity(), true
		}
	}
	return 0, false
}

// arguments are a function's in words.
func arguments(list []types.Type) string {
	var words []string
	for _, t := range list {
		if named, ok := t.(*types.NamedType); ok {
			words = append(words, named.Name+": "+inWords(named.Type))
			continue
		}
		if t == nil {
			t = types.A
		}
		words = append(words, inWords(t))
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
			return fmt.Sprintf("a member of %s is %s, where an object belongs: write %s", name, kindNames[one.kind], write)
		}
		for _, field := range required {
			if _, ok := one.field(field); !ok {
				return fmt.Sprintf("a member of %s has no %q%s: write %s", name, field, insteadOf(field, one, want), write)
			}
		}
		if problem := inf.misfit(one, want, name); problem != "" {
			return problem
		}
		if problem := inf.evidenceProblem(one, name, want); problem != "" {
			return problem
		}
	}
	return ""
}

// evidenceProblem says what evidence lacks: a reader checks a fact by its value and where it was read.
func (inf *inference) evidenceProblem(member *shape, name string, want *shape) string {
	list, ok := member.field("evidence")
	if !ok || list.shape.elem == nil {
		return ""
	}
	evidence, ok := want.field("evidence")
	if !ok {
		return ""
	}
	for _, one := range inf.in.alternatives(list.shape.elem) {
		for _, field := range []string{"fact", "value", "source"} {
			if _, ok := one.field(field); !ok && one.kind == kindObject {
				return fmt.Sprintf("evidence of %s has no %q%s: write {\"fact\": …, \"value\": …, \"source\": x.source}", name, field, insteadOf(field, one, evidence.shape.elem))
			}
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

// misuse notes what a function makes of arguments of these shapes without an error: nothing, or a text that nobody wants.
func (b *body) misuse(function string, operands []*ast.Term, args []*shape, at *ast.Location) {
	if at == nil {
		return
	}
	problem := ""
	switch function {
	case "internal.member_2", "internal.member_3":
		if last := args[map[string]int{"internal.member_2": 1, "internal.member_3": 2}[function]]; b.all(last, kindText, kindNumber, kindBoolean) {
			problem = fmt.Sprintf("`in` goes through a list, a set or an object, and this is %s", kindNames[last.kind])
			if last.kind == kindText {
				problem += ": write `contains(text, \"part\")`"
			}
		}
	case "sprintf":
		problem = b.formatProblem(operands, at)
	default:
		return
	}
	p := place{at.File, at.Row, at.Col, function}
	if problem == "" {
		b.sound[p] = true
		return
	}
	b.wrong[p] = mistake{p, problem}
}

// all is whether a shape is of one of some kinds, whatever it is at a time.
func (b *body) all(s *shape, kinds ...kind) bool {
	members := b.in.alternatives(s)
	return len(members) > 0 && !slices.ContainsFunc(members, func(one *shape) bool { return !slices.Contains(kinds, one.kind) })
}

// verb is one of sprintf's, with its flags, width and precision, and the number of its value where the format says it.
var verb = regexp.MustCompile(`%[-+# 0]*\d*(?:\.\d+)?(?:\[(\d+)\])?(.)`)

// formatProblem compares the places of a format with the values for them: sprintf writes %!d(string=a) where they do not fit.
func (b *body) formatProblem(operands []*ast.Term, at *ast.Location) string {
	format, ok := operands[0].Value.(ast.String)
	if !ok || len(operands) < 2 {
		return ""
	}
	values, ok := operands[1].Value.(*ast.Array)
	if !ok {
		return ""
	}
	numbered, next := false, 0
	for _, match := range verb.FindAllStringSubmatch(string(format), -1) {
		switch match[2] {
		case "%":
			continue
		case "*":
			return "" // a width that is a value itself: who writes that knows
		}
		if match[1] != "" {
			numbered = true
			next, _ = strconv.Atoi(match[1])
			next--
		}
		if next < 0 || next >= values.Len() {
			return fmt.Sprintf("sprintf has a place %d and is given %d values: give it one for each %%s, %%d, …", next+1, values.Len())
		}
		switch value := b.term(values.Elem(next), at); {
		case match[2] == "s" && b.all(value, kindNumber):
			return fmt.Sprintf("place %d of sprintf is %%s, and its value is a number: write %%d", next+1)
		case match[2] == "d" && b.all(value, kindText, kindBoolean, kindList, kindSet, kindObject, kindDict):
			return fmt.Sprintf("place %d of sprintf is %%d, and its value is %s: write %%s", next+1, kindNames[b.in.alternatives(value)[0].kind])
		}
		next++
	}
	if !numbered && next < values.Len() {
		return fmt.Sprintf("sprintf has %d places and is given %d values: write a %%s or %%d for each", next, values.Len())
	}
	return ""
}
