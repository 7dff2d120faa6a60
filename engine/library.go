package engine

import (
	"bytes"
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
	// overridden, disabled and changed are ids of built-in rules that custom ones stand in for, of rules that are left out,
	// and of rules whose severity was set.
	overridden, disabled, changed []string
	// capabilities are what rules may use.
	capabilities *ast.Capabilities
}

// Load reads the built-in rules.
func Load(builtin fs.FS) (*Library, error) {
	l := &Library{modules: map[string]*ast.Module{}, seen: map[string]*Rule{}, custom: map[string]bool{}, capabilities: capabilities()}
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

// Disable leaves a rule out. Others that cause it or that it causes stay.
func (l *Library) Disable(id string) error {
	rule, ok := l.seen[id]
	if !ok {
		return l.noRule(id)
	}
	l.rules = slices.DeleteFunc(l.rules, func(r *Rule) bool { return r == rule })
	delete(l.seen, id)
	delete(l.modules, rule.File)
	l.disabled = append(l.disabled, id)
	return nil
}

// SetSeverity changes how bad a rule's findings are, whatever the rule itself says of one.
func (l *Library) SetSeverity(id string, severity Severity) error {
	rule, ok := l.seen[id]
	if !ok {
		return l.noRule(id)
	}
	if _, err := ParseSeverity(string(severity)); err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	rule.Severity, rule.severitySet = severity, true
	l.changed = append(l.changed, id)
	return nil
}

// customized says how the rules differ from the built-in ones.
func (l *Library) customized() *Customized {
	c := &Customized{Overridden: slices.Sorted(slices.Values(l.overridden)), Disabled: slices.Sorted(slices.Values(l.disabled)), Severity: slices.Sorted(slices.Values(l.changed))}
	for _, rule := range l.Rules() {
		if rule.Custom {
			c.Custom = append(c.Custom, rule.ID)
		}
	}
	if len(c.Custom)+len(c.Overridden)+len(c.Disabled)+len(c.Severity) == 0 {
		return nil
	}
	return c
}

func (l *Library) noRule(id string) error {
	var ids []string
	for id := range l.seen {
		ids = append(ids, id)
	}
	return fmt.Errorf("no rule has the id %q%s", id, didYouMean(id, ids))
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
	// Editors of Windows begin a file with a byte order mark.
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	module, err := ast.ParseModuleWithOpts(file, string(text), ast.ParserOptions{
		ProcessAnnotation: true,
		RegoVersion:       ast.RegoV1,
		Capabilities:      l.capabilities,
	})
	if err != nil {
		return ruleError(file, err)
	}
	rule, err := ruleFromModule(file, module)
	if err != nil {
		return err
	}
	if custom && rule == nil {
		for name, other := range l.modules {
			if !l.custom[name] && other.Package.Path.Equal(module.Package.Path) {
				return &RuleError{file, module.Package.Location.Row, fmt.Sprintf("its package %s is the library's, and what it adds would change the built-in rules: give it another name", strings.TrimPrefix(module.Package.Path.String(), "data."))}
			}
		}
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
		l.overridden = append(l.overridden, rule.ID)
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
