package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/report"
)

type ruleEvaluation struct {
	rules   ruleSources
	scope   scope
	node    string
	explain bool
	output  string
}

func newRulesEvalCommand() *cobra.Command {
	var e ruleEvaluation
	cmd := &cobra.Command{
		Use:   "eval ID BUNDLE|live",
		Short: "Evaluate one rule, and say why it fired or did not",
		Long: `Evaluate one rule on a bundle, or with the word live on this node and the cluster: found, ruled out or
not examined for each node. With --explain, for each condition of its findings how often it was tried
and how often it held, and the values where it did not.`,
		Example: `  netcause rules eval path-mtu-mismatch incident/
  netcause rules eval site-mtu incident/ --rules site-mtu --node n1 --explain`,
		Args: between(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.evaluate(cmd.Context(), cmd.OutOrStdout(), args[0], args[1])
		},
	}
	e.rules.flags(cmd)
	e.scope.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&e.node, "node", "", "only for the node of this `NAME`")
	f.BoolVar(&e.explain, "explain", false, "say which condition held how often")
	f.StringVarP(&e.output, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

func (r *ruleEvaluation) evaluate(ctx context.Context, w io.Writer, id, path string) error {
	if r.output != "text" && r.output != "json" {
		return fmt.Errorf("--output %s: it is text or json", r.output)
	}
	library, err := r.rules.load(ctx)
	if err != nil {
		return err
	}
	compiled, err := library.Compile(ctx)
	if err != nil {
		return err
	}
	snapshot, err := snapshotOf(ctx, path, &r.scope)
	if err != nil {
		return err
	}
	seen := engine.See(snapshot)
	outcomes, err := compiled.Outcomes(ctx, seen, id)
	if err != nil {
		return err
	}
	if r.node != "" {
		one, ok := outcomes[r.node]
		if !ok {
			return fmt.Errorf("--node %s: the rule is evaluated for %s", r.node, strings.Join(slices.Sorted(maps.Keys(outcomes)), ", "))
		}
		outcomes = map[string]engine.Outcome{r.node: one}
	}
	explained := map[string]engine.Explanation{}
	if r.explain {
		for name := range outcomes {
			if explained[name], err = compiled.Explain(ctx, seen, id, name); err != nil {
				return err
			}
		}
	}
	if r.output == "json" {
		return writeJSON(w, map[string]any{"outcomes": outcomes, "explained": explained})
	}
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		writeOutcome(w, name, outcomes[name])
		if err := writeExplanation(w, explained[name]); err != nil {
			return err
		}
	}
	return nil
}

func writeOutcome(w io.Writer, name string, o engine.Outcome) {
	line := func(word, text string) { fmt.Fprintf(w, "%s: %s: %s\n", name, word, report.Plain(text)) }
	for _, f := range o.Finding {
		line("found", f.Message)
		for _, e := range f.Evidence {
			fmt.Fprintf(w, "    %s\n", report.Plain(fmt.Sprintf("%s  %s  %s", e.Fact, e.Value, e.Source)))
		}
	}
	for _, r := range o.RuledOut {
		line("ruled out", r.Message)
	}
	for _, m := range o.NotExamined {
		line("not examined", fmt.Sprintf("%s: %s (%s)", m.Group, m.Reason, m.Collect))
	}
	if o.Failed != "" {
		line("failed", o.Failed)
	}
}

// writeExplanation shows the conditions in the order of the file: "+" held, "-" never held, " " was not come to.
func writeExplanation(w io.Writer, explanation engine.Explanation) error {
	if explanation.Stopped != "" {
		fmt.Fprintf(w, "  as far as it came: %s\n", report.Plain(explanation.Stopped))
	}
	for _, rule := range explanation.Rules {
		fmt.Fprintf(w, "  %s  %s:%d\n", rule.Name, rule.File, rule.Row)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, c := range rule.Conditions {
			mark, held := "+", fmt.Sprintf("held %d of %d", c.Held, c.Tried)
			switch {
			case c.Tried == 0:
				mark, held = " ", "not come to"
			case c.Held == 0:
				mark, held = "-", fmt.Sprintf("never held of %d", c.Tried)
			}
			if len(c.Values) > 0 {
				held += ": " + strings.Join(c.Values, "; ")
			}
			fmt.Fprintf(table, "    %s %d\t%s\t%s\n", mark, c.Row, report.Plain(c.Text), report.Plain(held))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}
