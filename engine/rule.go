package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/netcause/netcause/engine/facts"
)

// Scope is what a rule is evaluated for.
type Scope string

const (
	// ScopeNode: once for each node, with input.node, input.peers and input.cluster.
	ScopeNode Scope = "node"
	// ScopeCluster: once for everything that is known, with input.nodes and input.cluster.
	ScopeCluster Scope = "cluster"
)

// Categories are the taxonomy of root causes.
var Categories = []string{"network-unreachable", "port-unreachable", "dns-failure", "large-packet-loss", "cni"}

// Symptoms are what a person, a probe, a capture or a log sees, each with what it means.
var Symptoms = map[string]string{
	"network-unreachable":  "an address does not answer at all (no ping)",
	"port-unreachable":     "an address answers a ping, but its port refuses or stays silent",
	"dns-failure":          "by address it works, by name it does not",
	"dns-slow":             "names resolve late, often by 5 seconds",
	"large-packet-loss":    "small requests pass, large ones never arrive",
	"service-unreachable":  "the Pod's address works, the Service's does not",
	"nodeport-unreachable": "a NodePort does not answer from outside the cluster",
	"intermittent-loss":    "some connections or packets are lost",
	"slow-connections":     "connections take seconds, with retransmissions",
	"connection-reset":     "connections are reset",
	"pod-not-networked":    "Pods stay in ContainerCreating and get no address",
	"egress-failure":       "Pods do not reach the world outside the cluster",
}

// Rule is one rule of the library: its METADATA and where it stands.
type Rule struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Category    string   `json:"category"`
	Severity    Severity `json:"severity"`
	Scope       Scope    `json:"scope"`
	Description string   `json:"description"`
	// Needs are the groups of facts without which the rule is not examined; NeedsAny are alternatives, one of which
	// must be there whole.
	Needs    []string   `json:"needs"`
	NeedsAny [][]string `json:"needs_any,omitempty"`
	// Optional are groups that the rule also reads and can do without: where one that is missing would have mattered, the
	// rule says so in unexamined.
	Optional []string `json:"optional,omitempty"`
	// Explains are symptoms; Causes are ids of rules whose faults follow from this one's.
	Explains []string `json:"explains"`
	Causes   []string `json:"causes"`
	// RuledOut is the message of the rule's absence, where the rule itself gives none.
	RuledOut string   `json:"ruled_out,omitempty"`
	Sources  []string `json:"related_resources"`
	// File is where the rule stands; Package its Rego package.
	File    string `json:"file"`
	Package string `json:"package"`
	// Custom: it came from a folder of the user's. Overrides: it stands in for a built-in rule of the same id.
	Custom    bool `json:"custom"`
	Overrides bool `json:"overrides,omitempty"`

	// severitySet: the severity is the user's, not the rule's.
	severitySet bool
	module      *ast.Module
}

// RuleError is a rule that cannot be loaded or compiled.
type RuleError struct {
	File    string
	Line    int // 0: the file as a whole
	Problem string
}

func (e *RuleError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("rule %s: %s", e.File, e.Problem)
	}
	return fmt.Sprintf("rule %s:%d: %s", e.File, e.Line, e.Problem)
}

// rulesPackage is the prefix of every rule's package.
const rulesPackage = "netcause.rules."

var notKebab = regexp.MustCompile(`[^a-z0-9]+`)

var idPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// ruleFromModule reads a rule's METADATA. Modules outside netcause.rules are helpers: for them it gives nil.
func ruleFromModule(file string, module *ast.Module) (*Rule, error) {
	name := strings.TrimPrefix(module.Package.Path.String(), "data.")
	annotations := packageAnnotations(module)
	if !strings.HasPrefix(name, rulesPackage) {
		if annotations != nil && annotations.Custom["id"] != nil || hasFindings(module) {
			return nil, &RuleError{file, module.Package.Location.Row, fmt.Sprintf("its package is %s, and a rule's package begins with %[2]s: write `package %[2]s%[3]s`", name, rulesPackage, packageOf(annotations))}
		}
		return nil, nil
	}
	if annotations == nil {
		return nil, &RuleError{file, module.Package.Location.Row, "no METADATA above its package: write the lines `# METADATA`, `# title: …`, `# description: …`, `# custom:` with id, category, scope, severity, needs and explains (netcause rules new ID writes them)"}
	}
	r := &Rule{
		Title:       strings.TrimSpace(annotations.Title),
		Description: strings.Join(strings.Fields(annotations.Description), " "),
		Sources:     []string{},
		File:        file,
		Package:     name,
		module:      module,
	}
	for _, resource := range annotations.RelatedResources {
		r.Sources = append(r.Sources, resource.Ref.String())
	}
	line := annotations.Location.Row
	at := func(problem string) *RuleError {
		return &RuleError{file, metadataRow(module, problem, line), "METADATA: " + problem}
	}
	if problem := customProblem(annotations.Custom); problem != "" {
		return nil, at(problem)
	}
	var custom struct {
		ID       string     `json:"id"`
		Category string     `json:"category"`
		Severity Severity   `json:"severity"`
		Scope    Scope      `json:"scope"`
		Needs    []string   `json:"needs"`
		NeedsAny [][]string `json:"needs_any"`
		Optional []string   `json:"optional"`
		Explains []string   `json:"explains"`
		Causes   []string   `json:"causes"`
		RuledOut string     `json:"ruled_out"`
	}
	text, err := json.Marshal(annotations.Custom)
	if err == nil {
		err = json.Unmarshal(text, &custom)
	}
	if err != nil {
		return nil, at(kindProblem(err))
	}
	r.ID, r.Category, r.Severity, r.Scope = custom.ID, custom.Category, custom.Severity, custom.Scope
	r.Needs, r.Explains, r.Causes = nonNil(custom.Needs), nonNil(custom.Explains), nonNil(custom.Causes)
	r.NeedsAny, r.Optional = custom.NeedsAny, custom.Optional
	r.RuledOut = custom.RuledOut
	if problem := r.problem(); problem != "" {
		return nil, at(problem)
	}
	return r, nil
}

// metadataRow is the line of the field that a problem begins with, or of the METADATA where the field is not there.
func metadataRow(module *ast.Module, problem string, otherwise int) int {
	field, _, _ := strings.Cut(strings.TrimPrefix(problem, "custom."), " ")
	field = strings.TrimSuffix(field, ":")
	for _, comment := range module.Comments {
		text := strings.TrimSpace(string(comment.Text))
		if comment.Location.Row >= otherwise && comment.Location.Row < module.Package.Location.Row && strings.HasPrefix(text, field+":") {
			return comment.Location.Row
		}
	}
	return otherwise
}

// kindProblem is what is said of a field of METADATA that is of another kind than it should be.
func kindProblem(err error) string {
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return "custom: " + err.Error()
	}
	field, _, _ := strings.Cut(kind.Field, ".")
	switch kind.Type.Kind() {
	case reflect.Slice:
		if field == "needs_any" {
			return fmt.Sprintf("custom.%s is no list of lists: write `%[1]s: [[links], [routes]]`", field)
		}
		return fmt.Sprintf("custom.%s is no list: write `%[1]s: […]`", field)
	default:
		return fmt.Sprintf("custom.%s is of JSON kind %s, where a text belongs", field, kind.Value)
	}
}

// nonNil is a list that JSON shows as one, also where it is empty.
func nonNil(list []string) []string { return append([]string{}, list...) }

// problem says what is wrong with the METADATA, empty where nothing is.
func (r *Rule) problem() string {
	switch {
	case r.Title == "":
		return "title is missing"
	case r.Description == "":
		return "description is missing: say why this breaks traffic"
	case r.ID == "":
		return "custom.id is missing"
	case !idPattern.MatchString(r.ID):
		return fmt.Sprintf("custom.id %q is not kebab-case: write %s", r.ID, strings.Trim(notKebab.ReplaceAllString(strings.ToLower(r.ID), "-"), "-"))
	case !slices.Contains(Categories, r.Category):
		return fmt.Sprintf("custom.category %q is not one of %s", r.Category, strings.Join(Categories, ", "))
	case r.Scope != ScopeNode && r.Scope != ScopeCluster:
		return fmt.Sprintf("custom.scope %q is not one of node, cluster", r.Scope)
	}
	if _, err := ParseSeverity(string(r.Severity)); err != nil {
		return "custom.severity: " + err.Error()
	}
	for _, symptom := range r.Explains {
		if _, ok := Symptoms[symptom]; !ok {
			return fmt.Sprintf("custom.explains names %q, which is no symptom: it is one of %s", symptom, strings.Join(slices.Sorted(maps.Keys(Symptoms)), ", "))
		}
	}
	for _, need := range r.declared() {
		if !knownGroup(need) {
			return fmt.Sprintf("custom.needs names %q, which is no group of facts%s", need, didYouMean(need, facts.GroupNames()))
		}
	}
	return ""
}

// declared are the groups that the METADATA names as read.
func (r *Rule) declared() []string {
	return slices.Concat(append([][]string{r.Needs, r.Optional}, r.NeedsAny...)...)
}

// customFields are the fields of METADATA's custom. A site may have others of its own.
var customFields = []string{"id", "category", "scope", "severity", "needs", "needs_any", "optional", "explains", "causes", "ruled_out"}

// customProblem finds fields that are missing as a whole or misspelt.
func customProblem(custom map[string]any) string {
	if len(custom) == 0 {
		return "custom is missing: write `# custom:` and below it, two blanks further in, id, category, scope, severity, needs and explains"
	}
	for _, name := range slices.Sorted(maps.Keys(custom)) {
		if slices.Contains(customFields, name) {
			continue
		}
		if meant := nearest(name, customFields); meant != "" && custom[meant] == nil {
			return fmt.Sprintf("custom.%s is no field: did you mean %q?", name, meant)
		}
	}
	return ""
}

// packageOf is the end of the package that a rule's METADATA makes right.
func packageOf(annotations *ast.Annotations) string {
	if annotations == nil {
		return "CATEGORY.ID"
	}
	category, _ := annotations.Custom["category"].(string)
	id, _ := annotations.Custom["id"].(string)
	return strings.ReplaceAll(category+"."+id, "-", "_")
}

// hasFindings says whether a module defines what the engine asks of rules alone.
func hasFindings(module *ast.Module) bool {
	return slices.ContainsFunc(module.Rules, func(r *ast.Rule) bool { return r.Head.Ref()[0].Equal(ast.VarTerm("finding")) })
}

func packageAnnotations(module *ast.Module) *ast.Annotations {
	for _, a := range module.Annotations {
		if a.Scope == "package" {
			return a
		}
	}
	return nil
}
