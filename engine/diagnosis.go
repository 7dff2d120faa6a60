package engine

import (
	"fmt"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/question"
)

// SchemaVersion is that of the JSON of a [Diagnosis]. Fields are only added under one version.
const SchemaVersion = "netcause/diagnosis/v1"

// Severity is how bad a finding is.
type Severity string

// The severities, least first. Info is advice.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

var severityRank = map[Severity]int{Info: 1, Warning: 2, Critical: 3}

// ParseSeverity reads a severity's name.
func ParseSeverity(s string) (Severity, error) {
	if _, ok := severityRank[Severity(s)]; !ok {
		return "", fmt.Errorf("unknown severity %q: one of info, warning, critical", s)
	}
	return Severity(s), nil
}

// AtLeast says whether s is as bad as other, or worse.
func (s Severity) AtLeast(other Severity) bool { return severityRank[s] >= severityRank[other] }

// Diagnosis is the outcome of every rule for every subject, causes first.
type Diagnosis struct {
	SchemaVersion string `json:"schemaVersion"`
	// RootCauses are the findings that no other finding brings about, most decisive first.
	RootCauses []Finding `json:"rootCauses"`
	// Findings are all findings, roots included, each with the root that it belongs to.
	Findings    []Finding     `json:"findings"`
	RuledOut    []RuledOut    `json:"ruledOut"`
	NotExamined []NotExamined `json:"notExamined"`
	// FailedRules could not be evaluated to their end.
	FailedRules []FailedRule `json:"failedRules"`
	Symptoms    []Symptom    `json:"symptoms"`
	// Trace is what became of the packet that was asked about; nil where none was.
	Trace   *question.Answer `json:"trace,omitempty"`
	Sources []facts.Input    `json:"sources"`
	Summary Summary          `json:"summary"`
	// Customized says how the rules differ from the built-in ones; nil: in nothing.
	Customized *Customized `json:"customized,omitempty"`
}

// Customized are the ids of rules that are the user's own, that stand in for built-in ones, that were left out, and whose
// severity was changed.
type Customized struct {
	Custom     []string `json:"custom,omitempty"`
	Overridden []string `json:"overridden,omitempty"`
	Disabled   []string `json:"disabled,omitempty"`
	Severity   []string `json:"severity,omitempty"`
}

// Summary counts what was read and what came of it.
type Summary struct {
	Nodes   int  `json:"nodes"`
	Cluster bool `json:"cluster"`
	// NodesNotCollected are the cluster's nodes of which nothing but the Node object is known.
	NodesNotCollected []string `json:"nodesNotCollected"`
	// Rules is how many were evaluated; each counts once in what follows, by the first of these that it came to on
	// any subject: found, failed, ruled out, else not examined.
	Rules       int `json:"rules"`
	Found       int `json:"found"`
	RuledOut    int `json:"ruledOut"`
	NotExamined int `json:"notExamined"`
	Failed      int `json:"failed"`
}

// Subject is what a finding is about.
type Subject struct {
	Kind      string `json:"kind"` // "Node", "Pod", "Service", "DaemonSet", "Cluster" …
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	// Node is the node that the subject is on, where it is on one.
	Node string `json:"node,omitempty"`
}

func (s Subject) String() string {
	name := s.Name
	if s.Namespace != "" {
		name = s.Namespace + "/" + name
	}
	return s.Kind + " " + name
}

// Fix is what puts it right. Steps are in order.
type Fix struct {
	Summary string `json:"summary"`
	Steps   []Step `json:"steps"`
	// Alternatives are other ways to put it right: each stands instead of Steps, never after them.
	Alternatives []Fix `json:"alternatives,omitempty"`
}

// Step is one thing to do, on a node or in the cluster: exactly one of Run, Edit and Patch is set.
type Step struct {
	// Node is the node to do it on; empty where Cluster is true.
	Node    string `json:"node,omitempty"`
	Cluster bool   `json:"cluster,omitempty"`
	// Run is a shell command line.
	Run string `json:"run,omitempty"`
	// Edit is a change of a file, in words: which file, which line, what it becomes.
	Edit string `json:"edit,omitempty"`
	// Patch is a kubectl patch command line.
	Patch string `json:"patch,omitempty"`
	// Why is an explanation, where the step needs one.
	Why string `json:"why,omitempty"`
}

// Finding is a fault that was found on one subject.
type Finding struct {
	ID       string   `json:"id"` // of the rule
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`
	Category string   `json:"category"`
	Subject  Subject  `json:"subject"`
	// Affects are the names of the nodes that it bears on; empty: all.
	Affects  []string         `json:"affects"`
	Message  string           `json:"message"`
	Evidence []facts.Evidence `json:"evidence"`
	// Chain are the ids from this cause over what it brings about to the symptom.
	Chain  []string `json:"chain"`
	Fix    Fix      `json:"fix"`
	Verify string   `json:"verify,omitempty"`
	// Root is the id of the root cause that it belongs to (its own on a root), RootSubject that root's subject.
	Root        string  `json:"root"`
	RootSubject Subject `json:"rootSubject"`
	// Explains are the symptoms that the rule names.
	Explains []string `json:"explains"`
	// Bearing is what a root cause has to do with the packet that was asked about; empty where none was.
	Bearing Bearing `json:"bearing,omitempty"`
	// Custom: the rule is not of the built-in library.
	Custom bool `json:"custom,omitempty"`
}

// RuledOut is a rule whose facts were there on a subject and whose fault was not.
type RuledOut struct {
	ID       string           `json:"id"`
	Title    string           `json:"title"`
	Category string           `json:"category"`
	Subject  Subject          `json:"subject"`
	Message  string           `json:"message"`
	Evidence []facts.Evidence `json:"evidence"`
}

// NotExamined is a rule that lacked facts on a subject.
type NotExamined struct {
	ID       string  `json:"id"`
	Title    string  `json:"title"`
	Category string  `json:"category"`
	Subject  Subject `json:"subject"`
	// Missing are the groups of facts that were not there, and why.
	Missing []MissingFacts `json:"missing"`
}

// MissingFacts is a group of facts that a rule needed.
type MissingFacts struct {
	Group  string       `json:"group"` // "iptables_legacy", "cluster.pods"
	Status facts.Status `json:"status"`
	Reason string       `json:"reason"`
	// Collect is the command that would show them.
	Collect string `json:"collect"`
	// Node is whose facts they are, where they are not the subject's own.
	Node string `json:"node,omitempty"`
}

// FailedRule is a rule that could not be evaluated to its end.
type FailedRule struct {
	ID      string  `json:"id"`
	Subject Subject `json:"subject"`
	Error   string  `json:"error"`
	// File and Line are where the rule stands, or where in it went wrong; 0: the file as a whole.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// Symptom is what a person sees.
type Symptom struct {
	ID string `json:"id"`
	// Reported by a person, rather than following from a finding.
	Reported bool `json:"reported"`
	// ExplainedBy are the ids of the root causes that explain it.
	ExplainedBy []string `json:"explainedBy"`
}
