package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"golang.org/x/sync/errgroup"

	"github.com/netcause/netcause/engine/facts"
)

// evaluation is one rule for one subject. node is nil for a rule of scope cluster, and for one of scope node that has no
// node to judge.
type evaluation struct {
	rule *compiledRule
	node *nodeView
}

func (ev evaluation) subject() Subject {
	if ev.node == nil {
		return Subject{Kind: "Cluster", Name: "cluster"}
	}
	return Subject{Kind: "Node", Name: ev.node.Name, Node: ev.node.Name}
}

// outcome is what came of an evaluation. found and unexamined may both be there: part of the subject was seen.
type outcome struct {
	findings    []Finding
	ruledOut    []RuledOut
	notExamined *NotExamined
	failed      *FailedRule
}

// Diagnose evaluates every rule for every subject of the snapshot, nodes side by side. It fails only when ctx ends or the
// facts cannot be given to rules; a rule that goes wrong is among the diagnosis' FailedRules.
func (e *Engine) Diagnose(ctx context.Context, snapshot *facts.Snapshot) (*Diagnosis, error) {
	return e.DiagnoseSeen(ctx, See(snapshot))
}

// DiagnoseSeen is [Engine.Diagnose] of a snapshot that is seen already.
func (e *Engine) DiagnoseSeen(ctx context.Context, s *Seen) (*Diagnosis, error) {
	return e.diagnose(ctx, s.in)
}

func (e *Engine) diagnose(ctx context.Context, in *incident) (*Diagnosis, error) {
	ctx = withIncident(ctx, in)

	var evaluations []evaluation
	for _, rule := range e.rules {
		evaluations = append(evaluations, in.evaluations(rule)...)
	}
	guard, stop := e.guardMemory()
	defer stop()
	outcomes := make([]outcome, len(evaluations))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(e.parallel)
	for i, ev := range evaluations {
		group.Go(func() error {
			var err error
			outcomes[i], err = e.evaluate(ctx, in, ev, guard)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return e.argue(in, evaluations, outcomes), nil
}

// evaluations are those of one rule: of each node that it can judge, or of the cluster.
func (in *incident) evaluations(rule *compiledRule) []evaluation {
	if rule.Scope == ScopeCluster {
		return []evaluation{{rule, nil}}
	}
	var list []evaluation
	for _, node := range in.nodes {
		if node.Facts != nil || rule.judgesObjectsAlone(in) {
			list = append(list, evaluation{rule, node})
		}
	}
	if len(list) == 0 {
		list = append(list, evaluation{rule, nil})
	}
	return list
}

// judgesObjectsAlone says whether the rule can judge a Node of which only the cluster's object is known: all that it
// needs, or one of its alternatives, are groups of the cluster.
func (r *compiledRule) judgesObjectsAlone(in *incident) bool {
	ofCluster := func(needs []string) bool {
		return !slices.ContainsFunc(needs, func(need string) bool { return !isClusterGroup(need) })
	}
	if !ofCluster(r.Needs) || len(r.Needs)+len(r.NeedsAny) == 0 {
		return false
	}
	return len(r.NeedsAny) == 0 || slices.ContainsFunc(r.NeedsAny, func(needs []string) bool {
		return ofCluster(needs) && len(in.lacking(nil, needs)) == 0
	})
}

// lacking are the groups of needs that were not read: of the node, or for a nil node of every node there is.
func (in *incident) lacking(node *nodeView, needs []string) []MissingFacts {
	var list []MissingFacts
	for _, need := range needs {
		var meta *facts.Meta
		switch {
		case isClusterGroup(need):
			meta = in.cluster.meta(need)
		case node != nil:
			meta = node.meta(need)
		default:
			meta = &noSuchNode
			for _, view := range in.nodes {
				if m := view.meta(need); meta.Status != facts.Read && (m.Status == facts.Read || view.Facts != nil) {
					meta = m
				}
			}
		}
		if meta.Status != facts.Read {
			list = append(list, missing(need, meta))
		}
	}
	return list
}

// missingFor is what keeps a rule from being examined, empty where nothing does.
func (in *incident) missingFor(ev evaluation) []MissingFacts {
	if list := in.lacking(ev.node, ev.rule.Needs); len(list) > 0 {
		return list
	}
	var first []MissingFacts
	for i, alternative := range ev.rule.NeedsAny {
		list := in.lacking(ev.node, alternative)
		if len(list) == 0 {
			return nil
		}
		if i == 0 {
			first = list
		}
	}
	return first
}

func (e *Engine) evaluate(ctx context.Context, in *incident, ev evaluation, guard *memoryGuard) (outcome, error) {
	list := in.missingFor(ev)
	if len(list) == 0 && ev.rule.Scope == ScopeNode && ev.node == nil {
		list = []MissingFacts{missing("host", &noSuchNode)}
	}
	if len(list) > 0 {
		return outcome{notExamined: ev.notExamined(list)}, nil
	}
	input, err := in.input(ev.node, ev.rule)
	if err != nil {
		return outcome{}, err
	}
	answer, failed, err := e.run(ctx, ev, input, guard, false)
	var memory *memoryError
	if errors.As(failed, &memory) {
		answer, failed, err = e.run(ctx, ev, input, guard, true)
	}
	if err != nil {
		return outcome{}, err
	}
	if failed != nil {
		return outcome{failed: e.failure(ctx, ev, input, failed)}, nil
	}
	return ev.outcome(in, answer), nil
}

// run evaluates a rule within its bounds of time and memory. failed is what went wrong with the rule, err that ctx ended.
func (e *Engine) run(ctx context.Context, ev evaluation, input ast.Value, guard *memoryGuard, alone bool) (_ *answer, failed, err error) {
	guarded := ctx
	if guard != nil && ev.rule.Custom {
		var leave func()
		guarded, leave = guard.enter(ctx, alone)
		defer leave()
	}
	limited, cancel := context.WithTimeoutCause(guarded, e.ruleTimeout, &timeError{e.ruleTimeout})
	defer cancel()
	answer, failed := ev.rule.run(limited, input)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if failed != nil && limited.Err() != nil {
		failed = context.Cause(limited)
	}
	return answer, failed, nil
}

// timeError is why a rule was stopped.
type timeError struct{ limit time.Duration }

func (e *timeError) Error() string {
	return fmt.Sprintf("it ran for more than %s and was cut off", e.limit)
}

// failure is a rule that went wrong; of one that was stopped it says where it spends its time.
func (e *Engine) failure(ctx context.Context, ev evaluation, input ast.Value, err error) *FailedRule {
	failed := &FailedRule{ID: ev.rule.ID, Subject: ev.subject(), Error: err.Error(), File: ev.rule.File}
	if text, at := whileEvaluating(err, ev.rule.Package); at != nil {
		failed.Error, failed.File, failed.Line = text, at.File, at.Row
	}
	var late *timeError
	var large *memoryError
	if !errors.As(err, &late) && !errors.As(err, &large) {
		return failed
	}
	if at, ok := ev.rule.watch(ctx, input); ok {
		failed.File, failed.Line = at.file, at.row
		failed.Error += fmt.Sprintf(": most of it in %s:%d; go through fewer members there, or compare by a key instead of each with each", at.file, at.row)
	}
	return failed
}

// whileEvaluating says what went wrong in a rule and where, and what to write where OPA's words leave its author alone.
func whileEvaluating(err error, pkg string) (text string, at *ast.Location) {
	var e *topdown.Error
	if !errors.As(err, &e) || e.Location == nil {
		return err.Error(), nil
	}
	text = fmt.Sprintf("%s:%d: %s", e.Location.File, e.Location.Row, strings.ReplaceAll(e.Message, "data."+pkg+".", ""))
	if e.Code == topdown.ConflictErr {
		text = strings.Join(strings.Fields(text), " ") + ": let the conditions of its definitions exclude each other, join them with `else`, or make it a set with `contains`"
	}
	return text, e.Location
}

// answer is what a rule says, in its own words.
type answer struct {
	Finding    []spokenFinding    `json:"finding"`
	RuledOut   []spokenRuledOut   `json:"ruled_out"`
	Unexamined []spokenUnexamined `json:"unexamined"`
}

type spokenFinding struct {
	Subject  *Subject         `json:"subject"`
	Severity Severity         `json:"severity"`
	Affects  []string         `json:"affects"`
	Message  string           `json:"message"`
	Evidence []facts.Evidence `json:"evidence"`
	Fix      Fix              `json:"fix"`
	Verify   string           `json:"verify"`
}

type spokenRuledOut struct {
	Subject  *Subject         `json:"subject"`
	Message  string           `json:"message"`
	Evidence []facts.Evidence `json:"evidence"`
}

// spokenUnexamined names a group of facts that turned out to be needed, of the node named or the rule's own.
type spokenUnexamined struct {
	Group  string `json:"group"`
	Node   string `json:"node"`
	Reason string `json:"reason"`
}

// run evaluates the rule. A panic below it is the rule's failure: the others are still wanted.
func (r *compiledRule) run(ctx context.Context, input ast.Value) (_ *answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	results, err := r.query.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil {
		return nil, err
	}
	if len(results) != 1 {
		return nil, errors.New("it gave no answer")
	}
	text, err := json.Marshal(results[0].Bindings)
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, fmt.Errorf("what it gave is not a finding: %w", err)
	}
	for _, f := range a.Finding {
		if f.Message == "" || len(f.Evidence) == 0 {
			return nil, errors.New("a finding of it has no message or no evidence")
		}
		if f.Severity != "" {
			if _, err := ParseSeverity(string(f.Severity)); err != nil {
				return nil, err
			}
		}
	}
	return &a, nil
}

func (ev evaluation) notExamined(list []MissingFacts) *NotExamined {
	return &NotExamined{ID: ev.rule.ID, Title: ev.rule.Title, Category: ev.rule.Category, Subject: ev.subject(), Missing: list}
}

func (ev evaluation) outcome(in *incident, a *answer) outcome {
	var o outcome
	for _, f := range a.Finding {
		o.findings = append(o.findings, ev.finding(f))
	}
	if len(a.Unexamined) > 0 {
		var list []MissingFacts
		for _, u := range a.Unexamined {
			list = append(list, ev.spokenMissing(in, u))
		}
		o.notExamined = ev.notExamined(list)
	}
	for _, r := range a.RuledOut {
		o.ruledOut = append(o.ruledOut, ev.ruledOut(r))
	}
	if len(o.findings) == 0 && o.notExamined == nil && len(o.ruledOut) == 0 {
		message := ev.rule.RuledOut
		if message == "" {
			message = "its facts were read and the fault is not there"
		}
		o.ruledOut = append(o.ruledOut, ev.ruledOut(spokenRuledOut{Message: message}))
	}
	return o
}

func (ev evaluation) spokenMissing(in *incident, u spokenUnexamined) MissingFacts {
	meta := &noSuchNode
	switch node := in.byName[u.Node]; {
	case isClusterGroup(u.Group):
		meta = in.cluster.meta(u.Group)
	case node != nil:
		meta = node.meta(u.Group)
	case ev.node != nil:
		meta = ev.node.meta(u.Group)
	}
	m := missing(u.Group, meta)
	if u.Reason != "" {
		m.Reason = u.Reason
	}
	if u.Node != "" && !isClusterGroup(u.Group) && (ev.node == nil || u.Node != ev.subject().Node) {
		m.Node = u.Node
	}
	return m
}

func (ev evaluation) ruledOut(r spokenRuledOut) RuledOut {
	subject := ev.subject()
	if r.Subject != nil {
		subject = *r.Subject
	}
	return RuledOut{ID: ev.rule.ID, Title: ev.rule.Title, Category: ev.rule.Category, Subject: subject, Message: r.Message, Evidence: r.Evidence}
}

func (ev evaluation) finding(f spokenFinding) Finding {
	subject := ev.subject()
	if f.Subject != nil {
		subject = *f.Subject
	}
	if f.Affects == nil {
		switch {
		case subject.Node != "":
			f.Affects = []string{subject.Node}
		case subject.Kind == "Node":
			f.Affects = []string{subject.Name}
		}
	}
	if f.Severity == "" || ev.rule.severitySet {
		f.Severity = ev.rule.Severity
	}
	slices.Sort(f.Affects)
	return Finding{
		ID: ev.rule.ID, Title: ev.rule.Title, Severity: f.Severity, Category: ev.rule.Category,
		Subject: subject, Affects: f.Affects, Message: f.Message, Evidence: f.Evidence,
		Fix: f.Fix, Verify: f.Verify, Explains: ev.rule.Explains, Custom: ev.rule.Custom,
	}
}
