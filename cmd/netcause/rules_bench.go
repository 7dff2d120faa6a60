package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/engine"
)

// ruleCost is what one rule takes on a bundle, all nodes together.
type ruleCost struct {
	ID       string        `json:"id"`
	Time     time.Duration `json:"ns"`
	Bytes    uint64        `json:"bytes"`
	Subjects int           `json:"subjects"`
}

func newRulesBenchCommand() *cobra.Command {
	var (
		listing ruleListing
		count   int
	)
	cmd := &cobra.Command{
		Use:   "bench BUNDLE [ID...]",
		Short: "Measure what rules take on a bundle, slowest first",
		Long: `Evaluate each rule, or those named, a number of times on a bundle, and print the time and memory of one
time, all nodes together. Facts are parsed and converted before.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			library, err := listing.rules.load(cmd.Context())
			if err != nil {
				return err
			}
			costs, err := benchRules(cmd.Context(), library, args[0], args[1:], max(1, count))
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return listing.print(w, map[string]any{"rules": costs}, func() error { return writeCosts(w, costs) })
		},
	}
	listing.flags(cmd)
	cmd.Flags().IntVar(&count, "count", 10, "evaluate each rule this `NUMBER` of times")
	return cmd
}

func benchRules(ctx context.Context, library *engine.Library, path string, ids []string, count int) ([]ruleCost, error) {
	if len(ids) == 0 {
		for _, rule := range library.Rules() {
			ids = append(ids, rule.ID)
		}
	}
	compiled, err := library.Compile(ctx)
	if err != nil {
		return nil, err
	}
	snapshot, err := snapshotOf(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	seen := engine.See(snapshot)
	var costs []ruleCost
	for _, id := range ids {
		first, err := compiled.Outcomes(ctx, seen, id)
		if err != nil {
			return nil, err
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		for range count {
			if _, err := compiled.Outcomes(ctx, seen, id); err != nil {
				return nil, err
			}
		}
		elapsed := time.Since(start)
		runtime.ReadMemStats(&after)
		costs = append(costs, ruleCost{id, elapsed / time.Duration(count), (after.TotalAlloc - before.TotalAlloc) / uint64(count), len(first)})
	}
	slices.SortFunc(costs, func(a, b ruleCost) int { return int(b.Time - a.Time) })
	return costs, nil
}

func writeCosts(w io.Writer, costs []ruleCost) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "TIME\tMEMORY\tSUBJECTS\t  ID")
	for _, c := range costs {
		fmt.Fprintf(table, "%s\t%d KiB\t%d\t  %s\n", c.Time.Round(time.Microsecond), c.Bytes>>10, c.Subjects, c.ID)
	}
	return table.Flush()
}
