package main

import "github.com/spf13/cobra"

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "netcause",
		Short: "Say why a Kubernetes network path fails and what puts it right",
		Long: `netcause reads what a node and a cluster show, matches it against a library of rules drawn from
real cases, and prints root causes with their evidence and their fix. It also says what it ruled
out, and what it could not examine and how to get that.

It changes nothing: not on a node, not in the cluster. Fixes are printed, never applied.`,
		Example: `  netcause diagnose                        this node, and the cluster that the kubeconfig names
  netcause diagnose --symptom dns-failure  what explains that names do not resolve comes first
  netcause diagnose --from pod/shop/web-0 --to db.shop:5432
                                           why this packet does not arrive
  netcause collect -o n1.tar.gz            the same facts into a bundle, for somebody else
  netcause analyze n1.tar.gz n2.tar.gz     the diagnosis of bundles
  netcause rules list                      what netcause knows`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          showHelp,
	}
	root.AddCommand(
		newDiagnoseCommand(),
		newCollectCommand(),
		newAnalyzeCommand(),
		newRedactCommand(),
		newTraceCommand(),
		newFactsCommand(),
		newRulesCommand(),
		newRBACCommand(),
		newVersionCommand(),
	)
	return root
}

// showHelp is what a command does that has only subcommands. Having it makes cobra check the arguments.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }
