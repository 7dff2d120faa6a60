package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
)

// seeing is which facts are shown, and how.
type seeing struct {
	scope  scope
	node   string
	output string
	rules  ruleSources
}

func newFactsCommand() *cobra.Command {
	var s seeing
	cmd := &cobra.Command{
		Use:   "facts BUNDLE|live [QUERY]",
		Short: "Show the facts that a rule sees",
		Long: `Show what rules see of a bundle, or with the word live of this node and the cluster. Without a query it
lists the groups of facts, how each was obtained and from what.

A query is a path (".nodes[].links[].mtu") or Rego over input, as in a rule. With --node, input has
node, peers and cluster, as rules of scope node see them; without, nodes and cluster.`,
		Example: `  netcause facts incident/
  netcause facts incident/ .cluster.nodes[].spec.podCIDR
  netcause facts incident/ --node n1 .node.links
  netcause facts incident/ --node n1 'some l in input.node.links; l.mtu < 1500; name := l.ifname'
  netcause facts schema Link`,
		Args: between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := ""
			if len(args) > 1 {
				query = args[1]
			}
			return s.show(cmd.Context(), cmd.OutOrStdout(), args[0], query)
		},
	}
	s.scope.flags(cmd)
	s.rules.flags(cmd)
	cmd.Flags().StringVar(&s.node, "node", "", "`NAME` of the node to look at, as a rule of scope node does")
	cmd.Flags().StringVarP(&s.output, "output", "o", "text", "`FORMAT`: text or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.AddCommand(newFactsSchemaCommand())
	return cmd
}

// snapshotOf reads a bundle, or for "live" this machine.
func snapshotOf(ctx context.Context, path string, scope *scope) (*facts.Snapshot, error) {
	if path == "live" && scope != nil {
		return scope.collect(ctx)
	}
	return bundle.Read(ctx, []string{path}, bundle.Limits{})
}

func (s *seeing) show(ctx context.Context, w io.Writer, path, query string) error {
	if s.output != "text" && s.output != "json" {
		return fmt.Errorf("--output %s: it is text or json", s.output)
	}
	snapshot, err := snapshotOf(ctx, path, &s.scope)
	if err != nil {
		return err
	}
	seen := engine.See(snapshot)
	if s.node != "" && !slices.Contains(seen.Nodes(), s.node) {
		return fmt.Errorf("--node %s: there are %s", s.node, strings.Join(seen.Nodes(), ", "))
	}
	switch {
	case query == "":
		return s.overview(w, seen)
	case strings.HasPrefix(query, "."):
		return s.path(w, seen, query)
	}
	library, err := s.rules.load(ctx)
	if err != nil {
		return err
	}
	answers, err := library.Query(ctx, seen, s.node, query)
	if err != nil {
		return err
	}
	if s.output == "json" {
		return writeJSON(w, answers)
	}
	if len(answers) == 0 {
		_, err := fmt.Fprintln(w, "undefined: no answer makes all of it true")
		return err
	}
	for _, answer := range answers {
		if err := writeTree(w, answer); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// overview lists the groups of facts of each node and of the cluster.
func (s *seeing) overview(w io.Writer, seen *engine.Seen) error {
	names := seen.Nodes()
	if s.node != "" {
		names = []string{s.node}
	}
	all := map[string][]engine.GroupStatus{}
	for _, name := range append(slices.Clone(names), "") {
		groups, err := seen.Groups(name)
		if err != nil {
			return err
		}
		all[name] = groups
	}
	if s.output == "json" {
		nodes := map[string]any{}
		for _, name := range names {
			nodes[name] = all[name]
		}
		return writeJSON(w, map[string]any{"nodes": nodes, "cluster": all[""]})
	}
	for _, name := range append(names, "") {
		title := "node " + name
		if name == "" {
			title = "cluster"
		}
		if len(all[name]) == 0 {
			title += "  (nothing was collected)"
		}
		fmt.Fprintln(w, title)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, g := range all[name] {
			fmt.Fprintf(table, "  %s\t%s\t%s\n", g.Name, statusOf(g), origins(g))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func statusOf(g engine.GroupStatus) string {
	switch {
	case g.Status == facts.Read && g.Bulk:
		return "read, asked by functions"
	case g.Status == facts.Read && g.Items >= 0:
		return fmt.Sprintf("read, %d", g.Items)
	}
	return g.Status.String()
}

func origins(g engine.GroupStatus) string {
	if g.Status != facts.Read && g.Reason != "" {
		return g.Reason
	}
	var list []string
	for _, source := range g.Sources {
		list = append(list, string(source))
	}
	if len(list) > 3 {
		list = append(list[:3], fmt.Sprintf("and %d more", len(g.Sources)-3))
	}
	return strings.Join(list, ", ")
}

func (s *seeing) path(w io.Writer, seen *engine.Seen, path string) error {
	text, err := seen.Input(s.node)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var input any
	if err := decoder.Decode(&input); err != nil {
		return err
	}
	steps, err := parsePath(path)
	if err != nil {
		return err
	}
	found := walkPath([]located{{"", input}}, steps)
	if len(found) == 0 {
		if _, err := engine.Describe(wordsOf(steps)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if s.output == "json" {
		values := []any{}
		for _, l := range found {
			values = append(values, l.value)
		}
		if len(values) == 1 && !slices.ContainsFunc(steps, func(s pathStep) bool { return s.each }) {
			return writeJSON(w, values[0])
		}
		return writeJSON(w, values)
	}
	if len(found) == 0 {
		_, err := fmt.Fprintln(w, "nothing: no fact that was read has it")
		return err
	}
	for _, l := range found {
		if err := writeLocated(w, l); err != nil {
			return err
		}
	}
	return nil
}

func newFactsSchemaCommand() *cobra.Command {
	var output, scope string
	cmd := &cobra.Command{
		Use:   "schema [NAME]",
		Short: "Show what facts there are: their fields, types and what they mean",
		Long: `Show the fields of a type of fact (Link) or of a way into input (node.links), with what each means. With
-o json it is the JSON Schema of input, which rules are checked by and which editors read.`,
		Example: `  netcause facts schema
  netcause facts schema node.links
  netcause facts schema -o json --scope node > node.json`,
		Args: between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "input"
			if len(args) > 0 {
				name = args[0]
			}
			return showSchema(cmd.OutOrStdout(), output, engine.Scope(scope), name, len(args) > 0)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	cmd.Flags().StringVar(&scope, "scope", "node", "whose input the JSON Schema is of: `SCOPE` node or cluster")
	return cmd
}

func showSchema(w io.Writer, output string, scope engine.Scope, name string, named bool) error {
	switch {
	case output != "text" && output != "json":
		return fmt.Errorf("--output %s: it is text or json", output)
	case output == "json" && !named:
		schemas, err := engine.Schemas()
		if err != nil {
			return err
		}
		text, ok := schemas[scope]
		if !ok {
			return fmt.Errorf("--scope %s: it is node or cluster", scope)
		}
		_, err = fmt.Fprintf(w, "%s\n", text)
		return err
	}
	d, err := engine.Describe(name)
	if err != nil {
		return err
	}
	if output == "json" {
		return writeJSON(w, d)
	}
	fmt.Fprintln(w, d.Name)
	if d.Description != "" {
		fmt.Fprintf(w, "%s\n", d.Description)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range d.Fields {
		if f.Optional {
			f.Type += ", may be missing"
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\n", f.Name, f.Type, f.Description)
	}
	return table.Flush()
}
