package cases_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/engine"
)

// command is the built netcause.
type command struct {
	binary     string
	kubeconfig string
}

func build(t *testing.T, kubeconfig string) command {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "netcause")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../cmd/netcause").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return command{binary, kubeconfig}
}

// on runs it on a machine, and gives what it printed and its exit status.
func (c command) on(t *testing.T, m *machine, args ...string) (stdout []byte, status int) {
	t.Helper()
	return c.run(t, exec.Command("ip", slices.Concat([]string{"netns", "exec", m.Name, c.binary}, args)...))
}

func (c command) run(t *testing.T, cmd *exec.Cmd) (stdout []byte, status int) {
	t.Helper()
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		return out.Bytes(), 1
	case err != nil:
		t.Fatalf("%v: %v: %s", cmd, err, problems.Bytes())
	}
	return out.Bytes(), 0
}

// scope are the flags that say which machine it is.
func (c command) scope(m *machine) []string {
	return []string{"--root", m.root, "--node-name", m.name, "--kubeconfig", c.kubeconfig}
}

// diagnose diagnoses a machine and its cluster. A bundle that is collected there gives the same diagnosis, once nothing is
// so young that its age decides.
func (c command) diagnose(t *testing.T, m *machine, symptoms ...string) (*engine.Diagnosis, int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		live, status, diff := c.compare(t, m, symptoms)
		switch {
		case diff == "":
			return live, status
		case time.Now().After(deadline):
			t.Errorf("diagnose on %s (-), analyze of the bundle collected there (+):\n%s", m.name, diff)
			return live, status
		}
	}
}

// compare diagnoses a machine live and from its bundle, and says how the two differ: in nothing but the time, and what was
// read, it should be.
func (c command) compare(t *testing.T, m *machine, symptoms []string) (live *engine.Diagnosis, status int, diff string) {
	t.Helper()
	text, status := c.on(t, m, slices.Concat([]string{"diagnose", "-o", "json"}, c.scope(m), reported(symptoms))...)
	live = decode(t, text)

	bundle := filepath.Join(t.TempDir(), m.name+".tar.gz")
	c.on(t, m, slices.Concat([]string{"collect", "-o", bundle}, c.scope(m), reported(symptoms))...)
	text, recordedStatus := c.run(t, exec.Command(c.binary, "analyze", "-o", "json", bundle))
	options := []cmp.Option{
		cmpopts.IgnoreFields(engine.Diagnosis{}, "Sources"),
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Fact" }, cmp.Transformer("timeless", func(fact string) string {
			return lifetime.ReplaceAllString(fact, "")
		})),
	}
	diff = cmp.Diff(live, decode(t, text), options...)
	if status != recordedStatus {
		diff += fmt.Sprintf("\nexit status %d live, %d recorded", status, recordedStatus)
	}
	return live, status, diff
}

// lifetime is what is left of a lease, in the fact of an address.
var lifetime = regexp.MustCompile(` \(\d+h\d+m left\)`)

func decode(t *testing.T, text []byte) *engine.Diagnosis {
	t.Helper()
	var d engine.Diagnosis
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return &d
}

// together diagnoses machines and their cluster as one incident: a bundle of each, and one of the cluster. With -record
// they become the snapshot of the case. The symptoms were seen on the first machine.
func (c command) together(t *testing.T, id string, symptoms []string, machines ...*machine) (*engine.Diagnosis, int) {
	t.Helper()
	folder := t.TempDir()
	if *recordFlag {
		folder = filepath.Join(id, "snapshot")
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var bundles []string
	bundle := func(name string) string {
		path := filepath.Join(folder, name+".tar.gz")
		bundles = append(bundles, path)
		return path
	}
	for i, m := range machines {
		args := []string{"collect", "--node-only", "--root", m.root, "--node-name", m.name, "-o", bundle(m.name)}
		if i == 0 {
			args = append(args, reported(symptoms)...)
		}
		c.on(t, m, args...)
	}
	c.run(t, exec.Command(c.binary, "collect", "--cluster-only", "--kubeconfig", c.kubeconfig, "-o", bundle("cluster")))
	for _, path := range bundles {
		// What is recorded here is for everybody.
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, status := c.run(t, exec.Command(c.binary, slices.Concat([]string{"analyze", "-o", "json"}, bundles)...))
	return decode(t, text), status
}

func reported(symptoms []string) []string {
	var flags []string
	for _, symptom := range symptoms {
		flags = append(flags, "--symptom", symptom)
	}
	return flags
}

// hasOneRoot checks that a diagnosis has one root cause, with that chain, and has ruled the others out.
func hasOneRoot(t *testing.T, d *engine.Diagnosis, status int, want expectation) {
	t.Helper()
	if status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	var roots []string
	for _, root := range d.RootCauses {
		roots = append(roots, root.ID)
	}
	if diff := cmp.Diff([]string{want.root()}, roots); diff != "" {
		t.Errorf("root causes: %s\n%s", diff, shown(t, d))
		return
	}
	if diff := cmp.Diff(want.chain, d.RootCauses[0].Chain); diff != "" {
		t.Errorf("chain: %s", diff)
	}
	for _, id := range want.ruledOut {
		if !slices.ContainsFunc(d.RuledOut, func(r engine.RuledOut) bool { return r.ID == id }) {
			t.Errorf("%s is not ruled out", id)
		}
		if slices.ContainsFunc(d.Findings, func(f engine.Finding) bool { return f.ID == id }) {
			t.Errorf("%s is found", id)
		}
	}
	hasNoFailedRules(t, d)
}

// isHealthy checks that nothing was found.
func isHealthy(t *testing.T, d *engine.Diagnosis, status int) {
	t.Helper()
	if len(d.Findings) > 0 || status != 0 {
		t.Errorf("exit status %d and findings, want none: %s", status, shown(t, d))
	}
	hasNoFailedRules(t, d)
}

func hasNoFailedRules(t *testing.T, d *engine.Diagnosis) {
	t.Helper()
	for _, rule := range d.FailedRules {
		t.Errorf("rule %s for %s: %s", rule.ID, rule.Subject, rule.Error)
	}
}

// shown is what a diagnosis found, for a test's message.
func shown(t *testing.T, d *engine.Diagnosis) string {
	t.Helper()
	text, err := json.MarshalIndent(d.Findings, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// showsTheWay checks that a rule was ruled out by the evidence that is wanted.
func showsTheWay(t *testing.T, d *engine.Diagnosis, want shownWay) {
	t.Helper()
	for _, r := range d.RuledOut {
		if r.ID != want.id || r.Subject.Node != want.node {
			continue
		}
		left := want.words
		for _, e := range r.Evidence {
			if len(left) > 0 && strings.Contains(e.Value, left[0]) {
				left = left[1:]
			}
		}
		if len(left) > 0 {
			t.Errorf("%s is ruled out on %s without %q: %+v", want.id, want.node, left, r.Evidence)
		}
		return
	}
	t.Errorf("%s is not ruled out on %s", want.id, want.node)
}
