package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/lint"
	"github.com/netcause/netcause/engine/ruletest"
)

func newRulesLintCommand() *cobra.Command {
	var output string
	var noRegal bool
	cmd := &cobra.Command{
		Use:   "lint [DIR...]",
		Short: "Say what rules lack: METADATA, declared facts, evidence, fix, tests",
		Long: `Compile the rules in folders, or without a folder the built-in ones, check their types, and say what
they lack. Where a regal command is on PATH (https://www.openpolicyagent.org/projects/regal), its findings
come along, as a .regal/config.yaml of yours has them, but for those on what netcause checks itself.

Exit status: 0 nothing to remark, 1 something, 2 it could not be done.`,
		RunE: func(cmd *cobra.Command, folders []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output %s: it is text or json", output)
			}
			remarks, loads, err := lintFolders(cmd.Context(), folders)
			if err != nil {
				return err
			}
			var regal error
			if len(folders) > 0 && loads && !noRegal {
				var found []lint.Remark
				if found, regal = regalRemarks(cmd.Context(), folders); regal != nil {
					regal = fmt.Errorf("regal, which is on PATH, did not come to its end: %w; --no-regal leaves it out", regal)
				}
				remarks = append(remarks, found...)
			}
			if regal != nil && len(remarks) == 0 {
				return regal
			}
			if err := printRemarks(cmd.OutOrStdout(), output, remarks); regal == nil {
				return err
			}
			return regal
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	cmd.Flags().BoolVar(&noRegal, "no-regal", false, "leave regal out, also where it is on PATH")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func printRemarks(w io.Writer, output string, remarks []lint.Remark) error {
	if output == "json" {
		if err := writeJSON(w, map[string]any{"remarks": append([]lint.Remark{}, remarks...)}); err != nil {
			return err
		}
	} else {
		for _, remark := range remarks {
			fmt.Fprintln(w, remark)
		}
		if len(remarks) == 0 {
			fmt.Fprintln(w, "Nothing to remark.")
		}
	}
	if len(remarks) > 0 {
		return &statusError{status: exitRootCause}
	}
	return nil
}

// lintFolders gives netcause's own remarks. What keeps a rule from being loaded is one, and then the only one.
func lintFolders(ctx context.Context, names []string) (remarks []lint.Remark, loads bool, err error) {
	library, folders, err := underTest(names)
	if err != nil {
		return asRemark(err)
	}
	reviews, err := library.Review(len(names) > 0)
	if err != nil {
		return asRemark(err)
	}
	tests, err := ruletest.Tests(folders)
	if err != nil {
		return asRemark(err)
	}
	var ids []string
	for _, rule := range library.Rules() {
		ids = append(ids, rule.ID)
	}
	remarks, err = lint.Rules(ctx, reviews, ids, ruletest.Names(tests))
	return remarks, true, err
}

func asRemark(err error) (remarks []lint.Remark, loads bool, _ error) {
	var rule *engine.RuleError
	if errors.As(err, &rule) {
		return []lint.Remark{{File: rule.File, Row: rule.Line, ID: "load", Message: rule.Problem}}, false, nil
	}
	return nil, false, err
}

// notRegals are rules of Regal on what netcause settles or checks itself: where a rule's file lies, that the engine finds
// rules by their METADATA, and what of its library there is, of which Regal knows nothing.
var notRegals = []string{"directory-package-mismatch", "no-defined-entrypoint", "unresolved-import", "unresolved-reference"}

// regalRemarks are those of the regal command, none where it is not installed.
func regalRemarks(ctx context.Context, folders []string) ([]lint.Remark, error) {
	path, err := exec.LookPath("regal")
	if err != nil {
		return nil, nil
	}
	args := []string{"lint", "--format", "json"}
	for _, rule := range notRegals {
		args = append(args, "--disable", rule)
	}
	out, err := exec.CommandContext(ctx, path, append(append(args, "--"), folders...)...).Output()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &exit) && len(out) == 0 && len(exit.Stderr) > 0:
		return nil, fmt.Errorf("%w: %s", err, harmless(strings.Join(strings.Fields(string(exit.Stderr)), " ")))
	case err != nil && (exit == nil || len(out) == 0):
		return nil, err
	}
	var report struct {
		Violations []struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			Location    struct {
				File string `json:"file"`
				Row  int    `json:"row"`
			} `json:"location"`
			RelatedResources []struct {
				Ref string `json:"ref"`
			} `json:"related_resources"`
		} `json:"violations"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("read its report: %w", err)
	}
	var remarks []lint.Remark
	for _, v := range report.Violations {
		remark := lint.Remark{File: v.Location.File, Row: v.Location.Row, ID: "regal " + v.Title, Message: v.Description}
		if len(v.RelatedResources) > 0 {
			remark.Message += ": " + v.RelatedResources[0].Ref
		}
		remarks = append(remarks, remark)
	}
	slices.SortStableFunc(remarks, func(a, b lint.Remark) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Row-b.Row, strings.Compare(a.ID, b.ID))
	})
	return remarks, nil
}
