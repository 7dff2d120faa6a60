package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/collectors/bundle"
)

func newCollectCommand() *cobra.Command {
	var (
		scope   scope
		output  string
		force   bool
		symptom verdict
	)
	cmd := &cobra.Command{
		Use:   "collect -o FILE.tar.gz",
		Short: "Write what diagnose would read into a bundle",
		Long: `Read this node and, where a kubeconfig is found, the cluster, as diagnose does, and write the facts
into a bundle that "netcause analyze" reads. Bundles of several nodes and of the cluster are
analysed together. Secrets and environment variables are never collected; names and addresses are.

The file appears whole or not at all, and only its owner can read it.`,
		Example: `  netcause collect -o n1.tar.gz --node-only
  netcause collect -o cluster.tar.gz --cluster-only`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			symptom.output, symptom.failLevel = "text", "warning"
			if err := symptom.check(); err != nil {
				return err
			}
			snapshot, err := scope.collect(cmd.Context())
			if err != nil {
				return err
			}
			snapshot.Symptoms = symptom.symptoms
			if err := bundle.Write(cmd.Context(), output, snapshot, bundle.Options{Tool: version(), Overwrite: force}); err != nil {
				return err
			}
			for _, input := range snapshot.Inputs {
				if input.Problem != "" {
					fmt.Fprintf(cmd.ErrOrStderr(), "netcause: %s\n", input.Problem)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Wrote %s. Read it with: netcause analyze %[1]s\n", output)
			return nil
		},
	}
	scope.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "the bundle's `FILE`")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file where it is there already")
	cmd.Flags().StringArrayVar(&symptom.symptoms, "symptom", nil, "`ID` of what is seen, kept in the bundle (repeatable)")
	_ = cmd.MarkFlagRequired("output")
	_ = cmd.MarkFlagFilename("output", "tar.gz", "tgz")
	return cmd
}
