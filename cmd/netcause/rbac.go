package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/collectors/cluster"
)

func newRBACCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rbac",
		Short:   "Print the read-only permissions that netcause needs in a cluster",
		Long:    `Print a manifest with a ServiceAccount, a ClusterRole that may only read, and their binding.`,
		Example: `  netcause rbac | kubectl apply -f -`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), cluster.ClusterRole)
			return err
		},
	}
}
