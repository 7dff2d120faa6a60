package main

import "github.com/spf13/cobra"

func newDiagnoseCommand() *cobra.Command {
	var (
		scope   scope
		verdict verdict
	)
	cmd := &cobra.Command{
		Use:   "diagnose",
		Short: "Find the root cause here and now: this node, and the cluster",
		Long: `Read this node and, where a kubeconfig is found, the cluster; evaluate every rule; print the root
causes with their evidence and fix. It reads and changes nothing. As root it sees all of the node;
as another user it says what it could not see.

The node is the network namespace that the command runs in: "ip netns exec NAME netcause diagnose"
diagnoses another one.

With --from and --to one packet is followed first, as "netcause trace" does, and what explains the
hop where it ends comes before what is found elsewhere.

` + endsHelp + `

Exit status: 0 nothing found, 1 a root cause at or above --fail-level, or the packet does not arrive,
2 it could not be done, or whether the packet arrives is not known.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return verdict.judge(cmd.Context(), cmd.OutOrStdout(), scope.collect)
		},
	}
	scope.flags(cmd)
	verdict.flags(cmd)
	return cmd
}
