package main

import (
	"errors"
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
		redacts redactFlag
		words   []string
		mapping string
	)
	cmd := &cobra.Command{
		Use:   "collect -o FILE.tar.gz",
		Short: "Write what diagnose would read into a bundle",
		Long: `Read this node and, where a kubeconfig is found, the cluster, as diagnose does, and write the facts
into a bundle that "netcause analyze" reads. Bundles of several nodes and of the cluster are
analysed together. Secrets and environment variables are never collected; names and addresses are.
With --redact the bundle is swept for secrets once more, and names and addresses are replaced where
that is asked for: see netcause redact --help. Bundles that belong together and are collected on
several machines are better redacted together, by that command: only one mapping makes them agree.

The file appears whole or not at all, and only its owner can read it.`,
		Example: `  netcause collect -o n1.tar.gz --node-only
  netcause collect -o cluster.tar.gz --cluster-only
  netcause collect -o cluster.tar.gz --redact=names,addresses --mapping mine.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			symptom.output, symptom.failLevel = "text", "warning"
			if err := symptom.check(); err != nil {
				return err
			}
			if !redacts.asked && (len(words) > 0 || mapping != "") {
				return errors.New("--redact-word and --mapping are of --redact")
			}
			snapshot, err := scope.collect(cmd.Context())
			if err != nil {
				return err
			}
			snapshot.Symptoms = symptom.symptoms
			printProblems(cmd.ErrOrStderr(), snapshot)
			if redacts.asked {
				redacts.options.Words = words
				return writeRedacted(cmd.Context(), cmd, output, snapshot, redacts.options, mapping, force)
			}
			if err := bundle.Write(cmd.Context(), output, snapshot, bundle.Options{Tool: version(), Overwrite: force}); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Wrote %s. Read it with: netcause analyze %[1]s\n", output)
			return nil
		},
	}
	scope.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "the bundle's `FILE`")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file where it is there already")
	cmd.Flags().StringArrayVar(&symptom.symptoms, "symptom", nil, "`ID` of what is seen, kept in the bundle (repeatable)")
	cmd.Flags().Var(&redacts, "redact", "sweep all texts for secrets; with =names,addresses or one of them replace those too")
	cmd.Flags().Lookup("redact").NoOptDefVal = "secrets"
	cmd.Flags().StringArrayVar(&words, "redact-word", nil, "replace this `TEXT` wherever it occurs, case aside (repeatable)")
	cmd.Flags().StringVar(&mapping, "mapping", "", "write what stands for what into this `FILE`, only yours to read; one that is there is continued")
	_ = cmd.MarkFlagRequired("output")
	_ = cmd.MarkFlagFilename("output", "tar.gz", "tgz")
	return cmd
}
