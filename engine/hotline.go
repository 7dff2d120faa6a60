package engine

import (
	"context"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// hotlineTime is how long a rule that did not end is watched once more, to say in which line it spends its time.
const hotlineTime = 300 * time.Millisecond

// hotline is a tracer that counts where a rule is evaluated.
type hotline struct {
	counts map[place]int
	last   place
	total  int
}

func (*hotline) Enabled() bool { return true }

func (*hotline) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (h *hotline) TraceEvent(event topdown.Event) {
	if event.Op != topdown.EvalOp || event.Location == nil || event.Location.File == "" {
		return
	}
	p := place{file: event.Location.File, row: event.Location.Row}
	h.counts[p]++
	h.last = p
	h.total++
}

// hottest is the line that was evaluated most often. Where few were, a single call takes the time: then it is the last.
func (h *hotline) hottest() (place, bool) {
	if h.total < 1000 {
		return h.last, h.total > 0
	}
	var best place
	for p, n := range h.counts {
		if n > h.counts[best] || n == h.counts[best] && p.row > best.row {
			best = p
		}
	}
	return best, true
}

// watch evaluates a rule that did not end once more for a moment, and gives the line that it spends its time in.
func (r *compiledRule) watch(ctx context.Context, input ast.Value) (place, bool) {
	ctx, cancel := context.WithTimeout(ctx, hotlineTime)
	defer cancel()
	defer func() { _ = recover() }() // it is a rule that went wrong already
	h := &hotline{counts: map[place]int{}}
	_, _ = r.query.Eval(ctx, rego.EvalParsedInput(input), rego.EvalQueryTracer(h))
	return h.hottest()
}
