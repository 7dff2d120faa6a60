package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

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
they lack. Where a regal command is on PATH, its findings come along.

Exit status: 0 nothing to remark, 1 something, 2 it could not be done.`,
		RunE: func(cmd *cobra.Command, folders []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output %s: it is text or json", output)
			}
			remarks, err := lintFolders(cmd.Context(), folders)
			if err != nil {
				return err
			}
			if len(folders) > 0 && !noRegal {
				found, err := regalRemarks(cmd.Context(), folders)
				if err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "netcause: regal: %v\n", err)
				}
				remarks = append(remarks, found...)
			}
			return printRemarks(cmd.OutOrStdout(), output, remarks)
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

// lintFolders gives netcause's own remarks. What keeps a rule from being loaded is one as well.
func lintFolders(ctx context.Context, names []string) ([]lint.Remark, error) {
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
	return lint.Rules(ctx, reviews, ids, ruletest.Names(tests))
}

func asRemark(err error) ([]lint.Remark, error) {
	var rule *engine.RuleError
	if errors.As(err, &rule) {
		return []lint.Remark{{File: rule.File, Row: rule.Line, ID: "load", Message: rule.Problem}}, nil
	}
	return nil, err
}

// regalRemarks are those of the regal command, none where it is not installed.
func regalRemarks(ctx context.Context, folders []string) ([]lint.Remark, error) {
	path, err := exec.LookPath("regal")
	if err != nil {
		return nil, nil
	}
	out, err := exec.CommandContext(ctx, path, append([]string{"lint", "--format", "json"}, folders...)...).Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && len(out) > 0) {
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
		} `json:"violations"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("read its report: %w", err)
	}
	var remarks []lint.Remark
	for _, v := range report.Violations {
		remarks = append(remarks, lint.Remark{File: v.Location.File, Row: v.Location.Row, ID: "regal " + v.Title, Message: v.Description})
	}
	return remarks, nil
}
