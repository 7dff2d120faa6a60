package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/spf13/cobra"

	"github.com/netcause/netcause/engine"
)

func newRulesFmtCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt PATH...",
		Short: "Write Rego files as opa fmt does",
		Long: `Format the .rego files at paths and below folders in place, and name those that changed.

With --check nothing is written: exit status 1 where a file is not as it should be.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			changed := 0
			for _, path := range paths {
				err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
					if err != nil || entry.IsDir() || filepath.Ext(name) != ".rego" {
						return err
					}
					differs, err := formatFile(name, !check)
					if differs {
						changed++
						fmt.Fprintln(cmd.OutOrStdout(), name)
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			if check && changed > 0 {
				return &statusError{status: exitRootCause}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only name the files that would change")
	return cmd
}

// formatFile formats one file and says whether it was otherwise.
func formatFile(name string, write bool) (bool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return false, err
	}
	formatted, err := formatRego(name, text)
	if err != nil {
		return false, err
	}
	if bytes.Equal(text, formatted) {
		return false, nil
	}
	if !write {
		return true, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return true, err
	}
	return true, os.WriteFile(name, formatted, info.Mode().Perm())
}

func formatRego(name string, text []byte) ([]byte, error) {
	options := ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: engine.TestCapabilities()}
	formatted, err := format.SourceWithOpts(name, text, format.Opts{RegoVersion: ast.RegoV1, ParserOptions: &options})
	if err != nil {
		return nil, engine.NewRuleError(name, err)
	}
	return formatted, nil
}
