package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/report"
	"github.com/netcause/netcause/rules"
)

//go:embed templates
var templates embed.FS

// maxDifferences is how many differences are shown.
const maxDifferences = 25

var ruleID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// newRule is what the templates of a rule are filled with.
type newRule struct {
	ID, Scope, Category, Severity, Symptom, Title, Dir string
	// From is a bundle of the incident, Node the one that is broken there.
	From, Node string

	Package string
	Bundle  string   // From, as the rule's folder sees it
	Peers   []string // the other nodes that were collected
}

func newRulesNewCommand() *cobra.Command {
	var n newRule
	cmd := &cobra.Command{
		Use:   "new ID",
		Short: "Write a rule, its test and the stub of its story",
		Long: `Write a folder named ID with a rule, its test and the stub of the incident's story. They compile and pass
as they stand; comments say what to change.

With --from and --node, the facts are listed that are otherwise on the broken node than on every other
one of the bundle: candidates for evidence.`,
		Example: `  netcause rules new site-uplink-mtu --scope node
  netcause rules new site-uplink-mtu --scope node --from incident/ --node n1`,
		Args: between(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n.ID = args[0]
			return n.write(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&n.Scope, "scope", "node", "evaluate it once for each node, or once for the `SCOPE` cluster")
	f.StringVar(&n.Category, "category", "cni", "its `CATEGORY`: "+strings.Join(engine.Categories, ", "))
	f.StringVar(&n.Severity, "severity", "warning", "its `SEVERITY`: info, warning or critical")
	f.StringVar(&n.Symptom, "explains", "network-unreachable", "the `SYMPTOM` that it explains")
	f.StringVar(&n.Title, "title", "Say the fault in one line", "its `TITLE`: the fault in one line")
	f.StringVar(&n.Dir, "dir", ".", "write the folder into this `DIR`")
	f.StringVar(&n.From, "from", "", "`BUNDLE` of the incident")
	f.StringVar(&n.Node, "node", "", "`NAME` of the broken node in the bundle")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions([]string{"node", "cluster"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("category", cobra.FixedCompletions(engine.Categories, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("explains", cobra.FixedCompletions(symptomIDs(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (n *newRule) check() error {
	switch {
	case !ruleID.MatchString(n.ID):
		return fmt.Errorf("the id %q is not kebab-case: write small letters, digits and single dashes", n.ID)
	case n.Scope != string(engine.ScopeNode) && n.Scope != string(engine.ScopeCluster):
		return fmt.Errorf("--scope %s: it is node or cluster", n.Scope)
	case !slices.Contains(engine.Categories, n.Category):
		return fmt.Errorf("--category %s: it is one of %s", n.Category, strings.Join(engine.Categories, ", "))
	case engine.Symptoms[n.Symptom] == "":
		return fmt.Errorf("--explains %s: it is one of %s", n.Symptom, strings.Join(symptomIDs(), ", "))
	case strings.ContainsAny(n.Title, "\n:#\"'"):
		return errors.New("--title: write it without quotes, colons and #: it is a line of YAML")
	}
	if _, err := engine.ParseSeverity(n.Severity); err != nil {
		return fmt.Errorf("--severity: %w", err)
	}
	library, err := engine.Load(rules.FS)
	if err != nil {
		return err
	}
	if _, ok := library.Rule(n.ID); ok {
		return fmt.Errorf("the id %s is that of a built-in rule: netcause rules show %[1]s", n.ID)
	}
	return nil
}

func (n *newRule) write(ctx context.Context, w io.Writer) error {
	if err := n.check(); err != nil {
		return err
	}
	folder := filepath.Join(n.Dir, n.ID)
	n.Package = "netcause.rules." + strings.ReplaceAll(n.Category+"."+n.ID, "-", "_")
	differences, err := n.compare(ctx, folder)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(n.Dir, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return fmt.Errorf("write the rule: %w", err)
	}
	var written []string
	for name, from := range map[string]string{
		n.ID + ".rego": n.Scope + ".rego", n.ID + "_test.rego": n.Scope + "_test.rego", "README.md": "README.md",
	} {
		text, err := n.fill(from)
		if err != nil {
			return err
		}
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return err
		}
		written = append(written, name)
	}
	slices.Sort(written)
	fmt.Fprintf(w, "Wrote %s\n", strings.Join(written, ", "))
	if err := n.showDifferences(w, differences); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "Test it with: netcause rules test %s\n", folder)
	return err
}

func (n *newRule) fill(name string) ([]byte, error) {
	t, err := template.ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, n); err != nil {
		return nil, err
	}
	if filepath.Ext(name) != ".rego" {
		return text.Bytes(), nil
	}
	return formatRego(name, text.Bytes())
}

// compare reads the incident and gives what tells the broken node from the others.
func (n *newRule) compare(ctx context.Context, folder string) ([]engine.Difference, error) {
	if n.From == "" {
		return nil, nil
	}
	snapshot, err := readBundle(ctx, n.From)
	if err != nil {
		return nil, err
	}
	seen := engine.See(snapshot)
	if n.Bundle, err = filepath.Rel(folder, n.From); err != nil {
		n.Bundle = n.From
	}
	for _, node := range snapshot.Nodes {
		if node.Name != n.Node {
			n.Peers = append(n.Peers, node.Name)
		}
	}
	if n.Scope == string(engine.ScopeCluster) && n.Node == "" {
		return nil, nil
	}
	if !slices.Contains(seen.Nodes(), n.Node) {
		return nil, fmt.Errorf("--node: name the node that is broken: there are %s", strings.Join(seen.Nodes(), ", "))
	}
	return seen.Differences(n.Node)
}

func (n *newRule) showDifferences(w io.Writer, list []engine.Difference) error {
	if n.From == "" || n.Node == "" {
		return nil
	}
	fmt.Fprintf(w, "\nOtherwise on %s than on %s:\n", n.Node, strings.Join(n.Peers, ", "))
	if len(list) == 0 {
		fmt.Fprintln(w, "  nothing that was read")
	}
	for i, d := range list {
		if i == maxDifferences {
			fmt.Fprintf(w, "  and %d more\n", len(list)-i)
			break
		}
		what := fmt.Sprintf("%s, elsewhere %s", d.Here, d.Elsewhere)
		switch {
		case d.Elsewhere == "":
			what = d.Here + ", elsewhere not"
		case d.Here == "":
			what = "not there, elsewhere " + d.Elsewhere
		}
		fmt.Fprintf(w, "  %s: %s  (%s)\n", report.Plain(d.Path), report.Plain(what), report.Plain(d.Source))
	}
	return newline(w)
}
