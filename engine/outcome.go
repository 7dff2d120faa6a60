package engine

import (
	"context"
	"fmt"
)

// Outcome is what came of one rule for one subject: a node, or the cluster.
type Outcome struct {
	Finding     []Finding      `json:"finding"`
	RuledOut    []RuledOut     `json:"ruled_out"`
	NotExamined []MissingFacts `json:"not_examined"`
	// Failed is why the rule could not be evaluated to its end.
	Failed string `json:"failed,omitempty"`
}

// Outcomes evaluates one rule alone: by the name of the node that it was evaluated for, "cluster" where it was for none.
func (e *Engine) Outcomes(ctx context.Context, s *Seen, id string) (map[string]Outcome, error) {
	rule, err := e.rule(id)
	if err != nil {
		return nil, err
	}
	ctx = withIncident(ctx, s.in)
	guard, stop := e.guardMemory()
	defer stop()
	outcomes := map[string]Outcome{}
	for _, ev := range s.in.evaluations(rule) {
		o, err := e.evaluate(ctx, s.in, ev, guard)
		if err != nil {
			return nil, err
		}
		outcome := Outcome{Finding: append([]Finding{}, o.findings...), RuledOut: append([]RuledOut{}, o.ruledOut...), NotExamined: []MissingFacts{}}
		if o.notExamined != nil {
			outcome.NotExamined = o.notExamined.Missing
		}
		if o.failed != nil {
			outcome.Failed = o.failed.Error
		}
		outcomes[ev.subject().Name] = outcome
	}
	return outcomes, nil
}

func (e *Engine) rule(id string) (*compiledRule, error) {
	var ids []string
	for _, rule := range e.rules {
		if rule.ID == id {
			return rule, nil
		}
		ids = append(ids, rule.ID)
	}
	return nil, fmt.Errorf("no rule has the id %q%s", id, didYouMean(id, ids))
}
