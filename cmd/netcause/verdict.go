package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/report"
)

// maxWidth is the widest text, in columns, that is still read at a glance.
const maxWidth = 100

// verdict is how to judge a snapshot and print what comes of it: the flags that diagnose and analyze share.
type verdict struct {
	symptoms  []string
	rules     ruleSources
	output    string
	failLevel string
	strict    bool
	ruledOut  bool
	// ends are those of the packet whose way is to be explained; none where it is empty.
	ends ends
	// ask: the text ends with what to ask for where something was not examined.
	ask bool
}

func (v *verdict) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&v.symptoms, "symptom", nil, "`ID` of what is seen, for example dns-failure; what explains it comes first (repeatable)")
	f.StringVarP(&v.output, "output", "o", "text", "`FORMAT`: text or json")
	f.StringVar(&v.failLevel, "fail-level", "warning", "exit with 1 from this `SEVERITY` on: info, warning or critical")
	f.BoolVar(&v.strict, "strict", false, "exit with 2 where a rule could not be examined")
	v.ends.flags(cmd)
	cmd.MarkFlagsRequiredTogether("from", "to")
	f.BoolVar(&v.ruledOut, "ruled-out", false, "list everything that was ruled out, not only what looks like the fault")
	v.rules.flags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("symptom", cobra.FixedCompletions(symptomIDs(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("fail-level", cobra.FixedCompletions([]string{"info", "warning", "critical"}, cobra.ShellCompDirectiveNoFileComp))
}

func symptomIDs() []string { return slices.Sorted(maps.Keys(engine.Symptoms)) }

// check finds words that mean nothing before any work is done.
func (v *verdict) check() error {
	if v.output != "text" && v.output != "json" {
		return fmt.Errorf("--output %s: it is text or json", v.output)
	}
	if _, err := engine.ParseSeverity(v.failLevel); err != nil {
		return fmt.Errorf("--fail-level: %w", err)
	}
	if p := v.ends; p.from == "" && (p.via != "" || p.protocol != "" || p.size != 0) {
		return errors.New("--via, --proto and --size are of a packet: say whose with --from and --to")
	}
	for _, id := range v.symptoms {
		if _, ok := engine.Symptoms[id]; !ok {
			return fmt.Errorf("--symptom %s: it is one of %s", id, strings.Join(symptomIDs(), ", "))
		}
	}
	return nil
}

// judge gets a snapshot and compiles the rules side by side, diagnoses, and prints.
func (v *verdict) judge(ctx context.Context, stdout io.Writer, get func(context.Context) (*facts.Snapshot, error)) error {
	start := time.Now()
	if err := v.check(); err != nil {
		return err
	}
	library, err := v.rules.load(ctx)
	if err != nil {
		return err
	}
	var (
		snapshot *facts.Snapshot
		seen     *engine.Seen
		compiled *engine.Engine
	)
	group, together := errgroup.WithContext(ctx)
	compiling, done := context.WithCancel(together)
	group.Go(func() (err error) {
		defer done()
		compiled, err = library.Compile(together)
		return err
	})
	group.Go(func() (err error) {
		if snapshot, err = get(together); err != nil {
			return err
		}
		seen = engine.See(snapshot)
		seen.Prepare(compiling)
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	for _, id := range v.symptoms {
		if !slices.Contains(snapshot.Symptoms, id) {
			snapshot.Symptoms = append(snapshot.Symptoms, id)
		}
	}
	var diagnosis *engine.Diagnosis
	if v.ends.from == "" {
		diagnosis, err = compiled.DiagnoseSeen(ctx, seen)
	} else {
		diagnosis, err = compiled.DiagnosePath(ctx, seen, v.ends.question())
	}
	if err != nil {
		return err
	}
	if err := v.print(stdout, diagnosis, library, time.Since(start)); err != nil {
		return fmt.Errorf("print the diagnosis: %w", err)
	}
	return v.status(diagnosis)
}

func (v *verdict) print(stdout io.Writer, d *engine.Diagnosis, library *engine.Library, elapsed time.Duration) error {
	if v.output == "json" {
		return report.JSON(stdout, d)
	}
	options := report.TextOptions{Width: maxWidth, RuledOut: v.ruledOut, Elapsed: elapsed, Rules: library.Rules(), Ask: v.ask}
	if file, ok := stdout.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		options.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			options.Width = min(width, maxWidth)
		}
	}
	return report.Text(stdout, d, options)
}

// status is the exit status of a diagnosis. A packet that does not arrive is a fault, whether or not a rule explains it;
// one of which that is not known is not health.
func (v *verdict) status(d *engine.Diagnosis) error {
	if t := d.Trace; t != nil && t.Fails() {
		return &statusError{status: exitRootCause}
	}
	for _, root := range d.RootCauses {
		if root.Severity.AtLeast(engine.Severity(v.failLevel)) {
			return &statusError{status: exitRootCause}
		}
	}
	if t := d.Trace; t != nil && t.Verdict != datapath.Delivered {
		return &statusError{status: exitNotDone}
	}
	if v.strict && len(d.NotExamined)+len(d.FailedRules) > 0 {
		return &statusError{status: exitNotDone}
	}
	return nil
}
