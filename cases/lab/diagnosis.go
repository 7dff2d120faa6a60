package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// diagnosis is what the lab needs of the JSON that netcause prints (netcause/diagnosis/v1).
type diagnosis struct {
	SchemaVersion string    `json:"schemaVersion"`
	RootCauses    []finding `json:"rootCauses"`
	Findings      []finding `json:"findings"`
	RuledOut      []struct {
		ID string `json:"id"`
	} `json:"ruledOut"`
	NotExamined []struct {
		ID string `json:"id"`
	} `json:"notExamined"`
	FailedRules []struct {
		ID    string `json:"id"`
		Error string `json:"error"`
	} `json:"failedRules"`
	// text is all that was printed.
	text []byte
}

type finding struct {
	ID       string   `json:"id"`
	Severity string   `json:"severity"`
	Subject  subject  `json:"subject"`
	Affects  []string `json:"affects"`
	Message  string   `json:"message"`
	Chain    []string `json:"chain"`
	Fix      fix      `json:"fix"`
}

type fix struct {
	Steps []step `json:"steps"`
}

type subject struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Node      string `json:"node"`
}

type step struct {
	Node    string `json:"node"`
	Cluster bool   `json:"cluster"`
	Run     string `json:"run"`
	Edit    string `json:"edit"`
	Patch   string `json:"patch"`
}

// text is what is printed of the step.
func (s step) text() string { return s.Run + s.Edit + s.Patch }

// is says whether the finding is the root cause that is expected.
func (f finding) is(r Root) bool {
	return f.ID == r.ID && (r.Node == "" || r.Node == f.Subject.Node ||
		f.Subject.Kind == "Node" && f.Subject.Name == r.Node || slices.Contains(f.Affects, r.Node))
}

func (f finding) String() string {
	where := f.Subject.Node
	if where == "" {
		where = f.Subject.Name
	}
	return f.ID + " (" + where + ")"
}

// buildNetcause builds the command that this tree has.
func buildNetcause(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/netcause")
	cmd.Dir = filepath.Join("..", "..")
	_, err := output(cmd)
	return err
}

// diagnose runs the command and reads what it prints. Its exit status must go with that.
func diagnose(cmd *exec.Cmd) (diagnosis, error) {
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		return diagnosis{}, err
	}
	if status > 1 {
		return diagnosis{}, fmt.Errorf("%v: exit status %d: %s", cmd.Args, status, bytes.TrimSpace(problems.Bytes()))
	}
	d := diagnosis{text: out.Bytes()}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		return diagnosis{}, fmt.Errorf("%v: %w: %s", cmd.Args, err, out.Bytes())
	}
	counted := slices.ContainsFunc(d.RootCauses, func(f finding) bool { return f.Severity != "info" })
	if counted != (status == 1) {
		return diagnosis{}, fmt.Errorf("%v: exit status %d with %d root causes", cmd.Args, status, len(d.RootCauses))
	}
	for _, f := range d.FailedRules {
		return d, fmt.Errorf("rule %s failed: %s", f.ID, f.Error)
	}
	return d, nil
}

func reported(symptoms []string) []string {
	var flags []string
	for _, s := range symptoms {
		flags = append(flags, "--symptom", s)
	}
	return flags
}

// diagnoseOn runs netcause diagnose on a node, of the node and the cluster.
func (l *Lab) diagnoseOn(ctx context.Context, node string, symptoms []string) (diagnosis, error) {
	args := append([]string{"diagnose", "-o", "json", "--kubeconfig", kubeletKubeconfig}, reported(symptoms)...)
	return diagnose(l.Node(node).command(ctx, l.netcause, args...))
}

// bundles collects a bundle of each node and of the cluster into a folder.
func (l *Lab) bundles(ctx context.Context, folder string, symptoms []string) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	var paths []string
	group, ctx := errgroup.WithContext(ctx)
	collect := func(m *Machine, name string, args ...string) {
		path := filepath.Join(folder, name+".tar.gz")
		paths = append(paths, path)
		args = append([]string{"collect", "--force", "-o", path}, args...)
		group.Go(func() error {
			_, err := output(m.command(ctx, l.netcause, args...))
			if err != nil {
				return fmt.Errorf("collect %s: %w", name, err)
			}
			return nil
		})
	}
	for i, n := range l.Nodes() {
		args := []string{"--node-only"}
		if i == 0 {
			args = append(args, reported(symptoms)...)
		}
		collect(n, n.Name, args...)
	}
	collect(l.Control(), "cluster", "--cluster-only", "--kubeconfig", adminKubeconfig)
	return paths, group.Wait()
}

// diagnoseAll analyses bundles of each node and of the cluster.
func (l *Lab) diagnoseAll(ctx context.Context, symptoms []string) (diagnosis, error) {
	paths, err := l.bundles(ctx, filepath.Join(l.dir, "bundles"), symptoms)
	if err != nil {
		return diagnosis{}, err
	}
	return l.analyze(ctx, paths)
}

// examined says whether a rule had its facts of everything that it is about.
func (d diagnosis) examined(id string) bool {
	for _, n := range d.NotExamined {
		if n.ID == id {
			return false
		}
	}
	for _, f := range d.Findings {
		if f.ID == id {
			return true
		}
	}
	for _, r := range d.RuledOut {
		if r.ID == id {
			return true
		}
	}
	return false
}

// compare says what root causes are missing, and which are too many.
func compare(d diagnosis, want []Root) (missing []Root, extra []finding) {
	for _, r := range want {
		if !slices.ContainsFunc(d.RootCauses, func(f finding) bool { return f.is(r) }) {
			missing = append(missing, r)
		}
	}
	for _, f := range d.RootCauses {
		if !slices.ContainsFunc(want, f.is) {
			extra = append(extra, f)
		}
	}
	return missing, extra
}

func names[T fmt.Stringer](list []T) string {
	var all []string
	for _, item := range list {
		all = append(all, item.String())
	}
	return strings.Join(all, ", ")
}

func (r Root) String() string {
	if r.Node == "" {
		return r.ID
	}
	return r.ID + " (" + r.Node + ")"
}
