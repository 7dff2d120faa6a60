package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/ruletest"
	"github.com/netcause/netcause/rules"
)

// watchInterval is how often --watch looks for changed files.
const watchInterval = 500 * time.Millisecond

type ruleTests struct {
	folders  []string
	run      string
	coverage bool
	watch    bool
	explain  bool
	output   string
}

func newRulesTestCommand() *cobra.Command {
	var t ruleTests
	cmd := &cobra.Command{
		Use:   "test [DIR...]",
		Short: "Run the tests of rules",
		Long: `Run the Rego tests (rules named test_… in files named …_test.rego) of the rules in folders, or without a
folder those of the built-in rules. A test may call

  netcause.facts("BUNDLE", "NODE")        what a rule sees of a recorded incident: with input as …
  netcause.outcomes("BUNDLE", "RULE-ID")  what comes of a rule for it, by node: finding, ruled_out, not_examined

with the bundle's path from the test's own folder on.

Exit status: 0 all passed, 1 some did not, 2 they could not be run.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			t.folders = args
			return t.execute(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.run, "run", "", "run only the tests whose package and name match this `PATTERN`")
	f.BoolVar(&t.coverage, "coverage", false, "say which lines of the rules no test evaluated")
	f.BoolVar(&t.explain, "explain", false, "say of tests that failed which condition of their rule held how often")
	f.BoolVar(&t.watch, "watch", false, "run them again whenever a file changes, until interrupted")
	f.StringVarP(&t.output, "output", "o", "text", "`FORMAT`: text, json or junit")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json", "junit"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (t *ruleTests) execute(ctx context.Context, w, stderr io.Writer) error {
	switch t.output {
	case "text", "json", "junit":
	default:
		return fmt.Errorf("--output %s: it is text, json or junit", t.output)
	}
	if !t.watch {
		return t.once(ctx, w)
	}
	if len(t.folders) == 0 {
		return errors.New("--watch: name the folders to watch")
	}
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	last := time.Time{}
	for {
		if changed := latestChange(t.folders); changed.After(last) {
			last = changed
			var failed *statusError
			if err := t.once(ctx, w); err != nil && !errors.As(err, &failed) {
				fmt.Fprintf(stderr, "netcause: %v\n", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// latestChange is when a file below the folders was last written.
func latestChange(folders []string) time.Time {
	var latest time.Time
	for _, folder := range folders {
		_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if info, err := entry.Info(); err == nil && info.ModTime().After(latest) {
				latest = info.ModTime()
			}
			return nil
		})
	}
	return latest
}

func (t *ruleTests) once(ctx context.Context, w io.Writer) error {
	library, folders, err := underTest(t.folders)
	if err != nil {
		return err
	}
	tests, err := ruletest.Tests(folders)
	if err != nil {
		return err
	}
	results, err := ruletest.Run(ctx, library, tests, ruletest.Options{Run: t.run, Coverage: t.coverage, Explain: t.explain, Read: readBundle})
	if err != nil {
		return err
	}
	if err := t.print(w, results); err != nil {
		return err
	}
	if results.Failed() > 0 {
		return &statusError{status: exitRootCause}
	}
	return nil
}

func readBundle(ctx context.Context, path string) (*facts.Snapshot, error) {
	return bundle.Read(ctx, []string{path}, bundle.Limits{})
}

// underTest is the library with the rules of folders alone, and the folders; without any, the built-in rules.
func underTest(names []string) (*engine.Library, []ruletest.Folder, error) {
	library, err := engine.Load(rules.FS)
	if err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		return library, []ruletest.Folder{{Files: rules.FS}}, nil
	}
	var folders []ruletest.Folder
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, nil, err
		}
		if !info.IsDir() {
			return nil, nil, fmt.Errorf("%s: it is no folder", name)
		}
		folder := ruletest.Folder{Files: os.DirFS(name), Name: filepath.Clean(name)}
		if err := library.AddCustom(folder.Files, folder.Name); err != nil {
			return nil, nil, err
		}
		folders = append(folders, folder)
	}
	return library, folders, nil
}

func (t *ruleTests) print(w io.Writer, results *ruletest.Results) error {
	switch t.output {
	case "json":
		return writeJSON(w, results)
	case "junit":
		return writeJUnit(w, results)
	}
	failed := results.Failed()
	for _, r := range results.Tests {
		if r.Problem == "" {
			continue
		}
		fmt.Fprintf(w, "FAIL  %s\n      %s:%d: %s\n", r.Name, r.File, r.Row, r.Problem)
		if r.Output != "" {
			fmt.Fprintf(w, "      %s\n", r.Output)
		}
		if err := writeExplanation(w, engine.Explanation{Rules: r.Explained}); err != nil {
			return err
		}
	}
	for _, c := range results.Coverage {
		fmt.Fprintf(w, "%5.1f%%  %s", c.Percent, c.File)
		if len(c.NotCovered) > 0 {
			fmt.Fprint(w, "  not evaluated: ")
			for i, lines := range c.NotCovered {
				if i > 0 {
					fmt.Fprint(w, ", ")
				}
				fmt.Fprint(w, lines)
			}
		}
		fmt.Fprintln(w)
	}
	passed := len(results.Tests) - failed
	if failed > 0 {
		why := " --explain says which condition of their rules did not hold."
		if t.explain {
			why = ""
		}
		_, err := fmt.Fprintf(w, "%d of %d tests passed, %d failed.%s\n", passed, len(results.Tests), failed, why)
		return err
	}
	_, err := fmt.Fprintf(w, "%d tests passed.\n", passed)
	return err
}

// junitSuite is the XML that CI systems read.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Skipped *struct{}     `xml:"skipped,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func writeJUnit(w io.Writer, results *ruletest.Results) error {
	suite := junitSuite{Name: "netcause rules", Tests: len(results.Tests), Failures: results.Failed()}
	for _, r := range results.Tests {
		c := junitCase{Class: r.Package, Name: r.Name, File: r.File, Line: r.Row, Time: fmt.Sprintf("%.6f", r.Duration.Seconds())}
		if r.Problem != "" {
			var text strings.Builder
			text.WriteString(r.Output)
			if len(r.Explained) > 0 {
				text.WriteString("\n")
			}
			if err := writeExplanation(&text, engine.Explanation{Rules: r.Explained}); err != nil {
				return err
			}
			c.Failure = &junitFailure{Message: fmt.Sprintf("%s:%d: %s", r.File, r.Row, r.Problem), Text: text.String()}
		}
		if r.Skipped {
			c.Skipped = &struct{}{}
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	return errors.Join(encoder.Encode(suite), encoder.Close(), newline(w))
}

func newline(w io.Writer) error {
	_, err := io.WriteString(w, "\n")
	return err
}
