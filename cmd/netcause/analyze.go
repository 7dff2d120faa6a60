package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/engine/facts"
)

func newAnalyzeCommand() *cobra.Command {
	var (
		verdict verdict
		limits  bundle.Limits
		timeout time.Duration
		explain bool
	)
	cmd := &cobra.Command{
		Use:   "analyze PATH...",
		Short: "Find the root cause in bundles",
		Long: `Read files and folders as one incident, and print the same diagnosis that diagnose would have
printed where they were collected. Each is read by what it contains, whatever it is called:
netcause's own bundles, sosreports, troubleshoot.sh support bundles, must-gather, Rancher's log
collector, kubectl's dumps and lists, and the outputs of commands that people paste into tickets;
packed or not, archives in archives too. What could not be examined ends the report, with the
commands that would show it.

Bundles are read as what a stranger sent: nothing is unpacked to disk, and their size is bounded.

With --from and --to one packet is followed first, as "netcause trace" does, and what explains the
hop where it ends comes before what is found elsewhere.

` + endsHelp + `

Exit status: 0 nothing found, 1 a root cause at or above --fail-level, or the packet does not arrive,
2 it could not be done, or whether the packet arrives is not known.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			var files []bundle.File
			verdict.ask = true
			judged := verdict.judge(ctx, cmd.OutOrStdout(), func(ctx context.Context) (snapshot *facts.Snapshot, err error) {
				snapshot, files, err = bundle.ReadFiles(ctx, paths, limits)
				return snapshot, err
			})
			if !explain || files == nil {
				return judged
			}
			to := cmd.OutOrStdout()
			if verdict.output == "json" {
				to = cmd.ErrOrStderr()
			}
			if err := printFiles(to, files); err != nil {
				return err
			}
			return judged
		},
	}
	verdict.flags(cmd)
	f := cmd.Flags()
	f.DurationVar(&timeout, "timeout", 10*time.Minute, "give up after this time")
	f.BoolVar(&explain, "explain-sources", false, "list every file: which facts it gave, or why it was passed over; with -o json on standard error")
	limitFlags(cmd, &limits)
	return cmd
}

// limitFlags are those that raise what bundles may take.
func limitFlags(cmd *cobra.Command, limits *bundle.Limits) {
	f := cmd.Flags()
	f.Int64Var(&limits.FileSize, "max-file-size", 0, "largest file in a bundle, in `BYTES`; default 512 MiB")
	f.Int64Var(&limits.TotalSize, "max-total-size", 0, "size of all files that are kept, in `BYTES`; default 2 GiB")
	f.IntVar(&limits.Files, "max-files", 0, "`NUMBER` of files of all bundles; default 200000")
	f.Int64Var(&limits.Ratio, "max-ratio", 0, "how many `TIMES` its size an archive may unpack to; default 200")
}
