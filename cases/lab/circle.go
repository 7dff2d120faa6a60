package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// row is what became of one case.
type row struct {
	id string
	// symptom is what a client was told, in its own words.
	symptom string
	found   string
	// others are findings that are no roots, which follow from them.
	others  string
	healed  string
	seconds float64
	// skipped: why it could not run here.
	skipped string
	// short are the ways in which it fell short.
	short []string
	// again: it fell short before, and was tried again.
	again bool
}

func (r *row) fail(format string, args ...any) {
	r.short = append(r.short, fmt.Sprintf(format, args...))
}

// How long the lab waits for a symptom, and for a cluster to heal.
const (
	symptomWithin = 20 * time.Second
	healWithin    = 40 * time.Second
	foundWithin   = 10 * time.Second
)

// traffic is the case's, or the lab's own.
func (c Case) traffic(ctx context.Context, l *Lab) error {
	if c.Traffic == nil {
		return l.Healthy(ctx)
	}
	return c.Traffic(ctx, l)
}

// inject makes what the case needs, sees its traffic pass, breaks it, and waits for the symptom, which it returns.
func (l *Lab) inject(ctx context.Context, c Case) (symptom string, err error) {
	if c.Prepare != nil {
		if err := c.Prepare(ctx, l); err != nil {
			return "", fmt.Errorf("prepare: %w", err)
		}
	}
	if err := l.await(ctx, "traffic before the fault", healWithin, func(ctx context.Context) error { return c.traffic(ctx, l) }); err != nil {
		return "", err
	}
	// Known before it is done: whatever happens, what is broken then is known to be.
	l.state.Broken = append(l.state.Broken, c.ID)
	if err := l.writeState(); err != nil {
		return "", err
	}
	if c.Inject != nil {
		if err := c.Inject(ctx, l); err != nil {
			return "", fmt.Errorf("inject: %w", err)
		}
	}
	if len(c.Roots) > 0 {
		if symptom, err = l.symptom(ctx, c); err != nil {
			return "", err
		}
	}
	if c.Settled != nil {
		if err := l.await(ctx, "the fault", healWithin, func(ctx context.Context) error { return c.Settled(ctx, l) }); err != nil {
			return symptom, err
		}
	}
	return symptom, nil
}

// symptom waits until the case's traffic fails twice.
func (l *Lab) symptom(ctx context.Context, c Case) (string, error) {
	failed := 0
	var words string
	err := l.await(ctx, "the symptom", symptomWithin, func(ctx context.Context) error {
		err := c.traffic(ctx, l)
		switch {
		case err == nil:
			failed = 0
			return errors.New("the traffic still passes")
		case errors.Is(err, errNotTried):
			return err
		}
		words = firstLine(err)
		if failed++; failed < 2 {
			return errors.New("it failed once")
		}
		return nil
	})
	return words, err
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// run takes a case through the whole circle. record is the folder for its bundles; empty: they are not kept.
func (l *Lab) run(ctx context.Context, c Case, record string) (r row) {
	began := time.Now()
	r = row{id: c.ID}
	defer func() { r.seconds = time.Since(began).Seconds() }()
	l.say("%s: %s", c.ID, c.About)

	var err error
	if r.symptom, err = l.inject(ctx, c); err != nil {
		r.fail("%v", err)
		return r
	}
	if r.symptom != "" {
		l.say("    symptom  %s", r.symptom)
	}

	d, err := l.diagnoseAll(ctx, c.Symptoms)
	if err != nil {
		r.fail("%v", err)
		return r
	}
	l.judge(&r, "found", d, c.Roots)
	r.found = names(d.RootCauses)
	var others []finding
	for _, f := range d.Findings {
		if !isRoot(f, d) {
			others = append(others, f)
		}
	}
	r.others = names(others)
	if record != "" {
		if err := keepBundles(filepath.Join(l.dir, "bundles"), record); err != nil {
			r.fail("record: %v", err)
		}
	}
	if c.Foreign {
		if err := l.judgeForeign(ctx, &r, c); err != nil {
			r.fail("%v", err)
			return r
		}
	}
	for _, node := range c.liveOn() {
		live, err := l.diagnoseOn(ctx, node, c.Symptoms)
		if err != nil {
			r.fail("%v", err)
			return r
		}
		l.judge(&r, "on "+node, live, c.rootsOn(node))
	}
	if c.Same {
		if err := l.sameFromBundle(ctx, c.liveOn()[0], c.Symptoms); err != nil {
			r.fail("%v", err)
		}
	}

	if len(c.Roots) == 0 {
		if err := c.traffic(ctx, l); err != nil {
			r.fail("the trap's traffic: %v", err)
		}
	} else if len(r.short) == 0 {
		ran, hand, err := l.applyFix(ctx, d.RootCauses, c)
		if err != nil {
			r.fail("%v", err)
			return r
		}
		r.healed = fmt.Sprintf("%d of %d steps run", ran, ran+hand)
	} else {
		return r
	}
	l.heal(ctx, c, &r)
	return r
}

// heal waits until all traffic passes and nothing is found any more.
func (l *Lab) heal(ctx context.Context, c Case, r *row) {
	if c.Repair != nil {
		if err := c.Repair(ctx, l); err != nil {
			r.fail("repair: %v", err)
			return
		}
	}
	if err := l.await(ctx, "healed traffic", healWithin, func(ctx context.Context) error {
		if err := c.traffic(ctx, l); err != nil {
			return err
		}
		return l.Healthy(ctx)
	}); err != nil {
		r.healed = "no"
		r.fail("%v", err)
		return
	}
	if len(c.Roots) > 0 {
		// What was made anew is there a moment after traffic passes: a Pod that is leaving, a rollout's last one.
		var d diagnosis
		if err := l.await(ctx, "a diagnosis without findings", foundWithin, func(ctx context.Context) (err error) {
			if d, err = l.diagnoseAll(ctx, nil); err == nil && len(d.Findings) > 0 {
				err = errors.New("still found: " + names(d.Findings))
			}
			return err
		}); err != nil {
			r.healed = "no"
			r.fail("%v", err)
			for _, f := range d.Findings {
				l.say("    still    %s: %s", f, f.Message)
			}
		}
	}
	if err := l.clear(ctx, c); err != nil {
		r.fail("%v", err)
	}
}

// clear takes away what the case made, and waits until what the lab always has is there as before.
func (l *Lab) clear(ctx context.Context, c Case) error {
	if c.After != nil {
		if err := c.After(ctx, l); err != nil {
			return fmt.Errorf("after: %w", err)
		}
	}
	if err := l.deleteApplied(ctx); err != nil {
		return err
	}
	if c.After != nil {
		if err := l.await(ctx, "traffic after the case", healWithin, l.Healthy); err != nil {
			return err
		}
	}
	l.state.Broken = nil
	return l.writeState()
}

// judge says what a diagnosis found and what it should have; where is of what the diagnosis is.
func (l *Lab) judge(r *row, where string, d diagnosis, want []Root) {
	missing, extra := compare(d, want)
	for _, f := range d.RootCauses {
		l.say("    %-8s %s: %s", where, f, f.Message)
	}
	if len(missing) > 0 {
		r.fail("%s: not found: %s", where, names(missing))
	}
	if len(extra) > 0 {
		r.fail("%s: found, and should not be: %s", where, names(extra))
	}
}

func isRoot(f finding, d diagnosis) bool {
	for _, root := range d.RootCauses {
		if root.ID == f.ID && root.Subject == f.Subject {
			return true
		}
	}
	return false
}

// liveOn are the nodes where the command is run live.
func (c Case) liveOn() []string {
	if len(c.On) > 0 {
		return c.On
	}
	var nodes []string
	for _, r := range c.Roots {
		if r.Node != "" {
			nodes = append(nodes, r.Node)
		}
	}
	if len(nodes) == 0 {
		nodes = []string{"n1"}
	}
	return nodes
}

// rootsOn are the root causes that can be seen from one node and the cluster.
func (c Case) rootsOn(node string) []Root {
	var roots []Root
	for _, r := range c.Roots {
		if r.Node == "" || r.Node == node {
			roots = append(roots, r)
		}
	}
	return roots
}

// keepBundles makes a folder have these bundles and no others.
func keepBundles(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(from, "*.tar.gz"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// What is recorded is for everybody.
		if err := os.WriteFile(filepath.Join(to, filepath.Base(path)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// table prints the rows. It says whether none fell short.
func table(out io.Writer, rows []row) bool {
	good := true
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CASE\tSYMPTOM SEEN\tFOUND\tOTHER FINDINGS\tHEALED\tSECONDS\t")
	for _, r := range rows {
		if r.skipped != "" {
			fmt.Fprintf(w, "%s\tcannot run: %s\t\t\t\t\t\n", r.id, r.skipped)
			continue
		}
		verdict := ""
		switch {
		case len(r.short) > 0:
			verdict, good = "FELL SHORT", false
		case r.again:
			verdict = "at the second try"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.1f\t%s\n", r.id, dash(r.symptom), dash(r.found), dash(r.others), dash(r.healed), r.seconds, verdict)
	}
	_ = w.Flush() // a standard output that cannot be written to
	for _, r := range rows {
		for _, s := range r.short {
			fmt.Fprintf(out, "%s: %s\n", r.id, s)
		}
	}
	return good
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
