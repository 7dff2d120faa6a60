package engine

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxRuleFile bounds one rule's text in bytes.
const maxRuleFile = 1 << 20

// Library is a set of rules that were read and whose METADATA is in order. They are not compiled yet.
type Library struct {
	rules   []*Rule
	modules map[string]*ast.Module
	seen    map[string]*Rule
	// custom are the files that are not built in.
	custom map[string]bool
}

// Load reads the built-in rules.
func Load(builtin fs.FS) (*Library, error) {
	l := &Library{modules: map[string]*ast.Module{}, seen: map[string]*Rule{}, custom: map[string]bool{}}
	return l, l.add(builtin, "", false)
}

// AddCustom reads the rules below a folder of the user's; name is what messages call it. A rule with the id of a
// built-in one takes its place. It fails on the first rule that is not in order, with a [RuleError].
func (l *Library) AddCustom(folder fs.FS, name string) error { return l.add(folder, name, true) }

// Rules are all rules, by id.
func (l *Library) Rules() []*Rule {
	rules := slices.Clone(l.rules)
	slices.SortFunc(rules, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	return rules
}

// Rule is the rule of an id.
func (l *Library) Rule(id string) (*Rule, bool) {
	r, ok := l.seen[id]
	return r, ok
}

func (l *Library) add(folder fs.FS, prefix string, custom bool) error {
	found := 0
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read rules %s: %w", path.Join(prefix, name), err)
		}
		if entry.IsDir() || path.Ext(name) != ".rego" || strings.HasSuffix(name, "_test.rego") {
			return nil
		}
		found++
		return l.addFile(folder, name, path.Join(prefix, name), custom)
	})
	if err == nil && found == 0 {
		return fmt.Errorf("read rules %s: no .rego file in it", prefix)
	}
	return err
}

func (l *Library) addFile(folder fs.FS, name, file string, custom bool) error {
	info, err := fs.Stat(folder, name)
	if err == nil && info.Size() > maxRuleFile {
		err = fmt.Errorf("%d bytes are more than a rule may have (%d)", info.Size(), maxRuleFile)
	}
	if err != nil {
		return &RuleError{File: file, Problem: err.Error()}
	}
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		return &RuleError{File: file, Problem: err.Error()}
	}
	module, err := ast.ParseModuleWithOpts(file, string(text), ast.ParserOptions{
		ProcessAnnotation: true,
		RegoVersion:       ast.RegoV1,
		Capabilities:      capabilities(),
	})
	if err != nil {
		return ruleError(file, err)
	}
	rule, err := ruleFromModule(file, module)
	if err != nil {
		return err
	}
	l.modules[file] = module
	l.custom[file] = custom
	if rule == nil {
		return nil
	}
	rule.Custom = custom
	if other, ok := l.seen[rule.ID]; ok {
		if other.Custom || !custom {
			return &RuleError{file, module.Package.Location.Row, fmt.Sprintf("its id %q is that of %s too: give one of them another", rule.ID, other.File)}
		}
		rule.Overrides = true
		delete(l.modules, other.File)
		l.rules = slices.DeleteFunc(l.rules, func(r *Rule) bool { return r == other })
	}
	for _, other := range l.rules {
		if other.Package == rule.Package {
			return &RuleError{file, module.Package.Location.Row, fmt.Sprintf("its package %s is that of %s too: write `package %s%s`", rule.Package, other.File, rulesPackage, packageOf(packageAnnotations(module)))}
		}
	}
	l.seen[rule.ID] = rule
	l.rules = append(l.rules, rule)
	return nil
}
