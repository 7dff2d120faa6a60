package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/engine"
)

func newRulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Show, write, test and check rules",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(newRulesListCommand(), newRulesShowCommand(), newRulesFunctionsCommand(), newRulesTestCommand(),
		newRulesLintCommand(), newRulesFmtCommand(), newRulesNewCommand(), newRulesEvalCommand(),
		newRulesBenchCommand(), newRulesDocsCommand(), newRulesCapabilitiesCommand())
	return cmd
}

type ruleListing struct {
	rules  ruleSources
	output string
}

func (l *ruleListing) flags(cmd *cobra.Command) {
	l.rules.flags(cmd)
	cmd.Flags().StringVarP(&l.output, "output", "o", "text", "`FORMAT`: text or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func (l *ruleListing) print(w io.Writer, value any, text func() error) error {
	switch l.output {
	case "json":
		return writeJSON(w, value)
	case "text":
		return text()
	}
	return fmt.Errorf("--output %s: it is text or json", l.output)
}

func newRulesListCommand() *cobra.Command {
	var listing ruleListing
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all rules",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			library, err := listing.rules.load(cmd.Context())
			if err != nil {
				return err
			}
			rules := library.Rules()
			return listing.print(cmd.OutOrStdout(), map[string]any{"rules": rules}, func() error {
				table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "ID\tCATEGORY\tSEVERITY\tTITLE")
				for _, rule := range rules {
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", rule.ID, rule.Category, rule.Severity, rule.Title+origin(rule))
				}
				return table.Flush()
			})
		},
	}
	listing.flags(cmd)
	return cmd
}

func newRulesShowCommand() *cobra.Command {
	var listing ruleListing
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one rule: what it finds, what it needs, what follows from it",
		Args:  between(1, 1),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			library, err := listing.rules.load(cmd.Context())
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			var ids []string
			for _, rule := range library.Rules() {
				ids = append(ids, rule.ID)
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			library, err := listing.rules.load(cmd.Context())
			if err != nil {
				return err
			}
			rule, ok := library.Rule(args[0])
			if !ok {
				return fmt.Errorf("no rule has the id %q: netcause rules list shows all", args[0])
			}
			return listing.print(cmd.OutOrStdout(), rule, func() error { return showRule(cmd.OutOrStdout(), rule) })
		},
	}
	listing.flags(cmd)
	return cmd
}

func origin(rule *engine.Rule) string {
	switch {
	case rule.Overrides:
		return " (yours, instead of the built-in rule)"
	case rule.Custom:
		return " (yours)"
	}
	return ""
}

func showRule(w io.Writer, rule *engine.Rule) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n%s\n\n%s\n\n", rule.ID, origin(rule), rule.Title, rule.Description)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	needs := rule.Needs
	for _, alternative := range rule.NeedsAny {
		needs = append(needs[:len(needs):len(needs)], "or "+strings.Join(alternative, " + "))
	}
	rows := []struct {
		name   string
		values []string
	}{
		{"category", []string{rule.Category}},
		{"severity", []string{string(rule.Severity)}},
		{"scope", []string{string(rule.Scope)}},
		{"needs", needs},
		{"optional", rule.Optional},
		{"explains", rule.Explains},
		{"causes", rule.Causes},
		{"sources", rule.Sources},
		{"file", []string{rule.File}},
	}
	for _, row := range rows {
		for i, value := range row.values {
			name := row.name
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(table, "%s\t%s\n", name, value)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}
