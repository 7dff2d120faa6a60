package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newRulesFunctionsCommand() *cobra.Command {
	var listing ruleListing
	cmd := &cobra.Command{
		Use:   "functions",
		Short: "List the functions that rules may call beside OPA's own",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			library, err := listing.rules.load(cmd.Context())
			if err != nil {
				return err
			}
			functions := library.Functions()
			w := cmd.OutOrStdout()
			return listing.print(w, map[string]any{"functions": functions}, func() error {
				for _, f := range functions {
					fmt.Fprintf(w, "%s(%s)\n", f.Name, strings.Join(f.Args, ", "))
					for _, line := range []string{f.Description, f.Result} {
						if line != "" {
							fmt.Fprintf(w, "    %s\n", line)
						}
					}
				}
				return nil
			})
		},
	}
	listing.flags(cmd)
	return cmd
}
