package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/question"
	"github.com/netcause/netcause/engine/report"
)

func newTraceCommand() *cobra.Command {
	var (
		scope  scope
		ends   ends
		output string
		all    bool
	)
	cmd := &cobra.Command{
		Use:   "trace --from X --to Y [PATH...]",
		Short: "Follow one packet hop by hop, and its answer",
		Long: `Walk a packet through the facts as the kernel would: routes, netfilter, devices, tunnels, the next
node, down to the socket that listens, and the answer back. Each hop names the rule or route that
decided it. Nothing is sent. The facts are this node's and the cluster's, or those of bundles.

` + endsHelp + `

The verdict is one of: delivered, and the answer too; dropped; rejected (its sender is told); looped (the
ways go in a circle, which is named); too-big (longer than the MTU of its way, and not to be fragmented);
unknown (the facts do not tell, and whose would is said).

Exit status: 0 delivered; 1 dropped, rejected, looped or too-big; 2 it could not be walked, or unknown.`,
		Example: `  netcause trace --from pod/default/web-0 --to svc/kube-system/kube-dns:53 --proto udp
  netcause trace --from pod/default/web-0 --to db.shop:5432
  netcause trace --from ip/192.0.2.7 --to node/n1:30080 n1.tar.gz n2.tar.gz cluster.tar.gz`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output %s: it is text or json", output)
			}
			if flag := liveOnly(cmd); len(paths) > 0 && flag != "" {
				return fmt.Errorf("--%s says what to read live: leave it out with bundles", flag)
			}
			snapshot, err := traceFacts(cmd.Context(), &scope, paths)
			if err != nil {
				return err
			}
			model := datapath.New(snapshot)
			asked, err := question.Ask(snapshot, model, ends.question())
			if err != nil {
				return err
			}
			answer := asked.Answer(model, all)
			print := report.PathText
			if output == "json" {
				print = report.PathJSON
			}
			if err := print(cmd.OutOrStdout(), answer); err != nil {
				return err
			}
			switch answer.Verdict {
			case datapath.Delivered:
				return nil
			case datapath.Unknown:
				return &statusError{status: exitNotDone}
			}
			return &statusError{status: exitRootCause}
		},
	}
	scope.flags(cmd)
	f := cmd.Flags()
	ends.flags(cmd)
	f.BoolVar(&all, "all", false, "show every way (every endpoint), not only the one that decides")
	f.StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	_ = cmd.MarkFlagRequired("from")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

// liveOnly is a flag that was given and that says what to read of the live node and cluster.
func liveOnly(cmd *cobra.Command) string {
	for _, name := range []string{"kubeconfig", "context", "namespace", "node-only", "cluster-only", "node-name", "root", "timeout"} {
		if cmd.Flags().Changed(name) {
			return name
		}
	}
	return ""
}

func traceFacts(ctx context.Context, scope *scope, paths []string) (*facts.Snapshot, error) {
	if len(paths) == 0 {
		return scope.collect(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	snapshot, err := bundle.Read(ctx, paths, bundle.Limits{})
	if err == nil {
		engine.MatchNodes(snapshot)
	}
	return snapshot, err
}
