package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// analyzed runs analyze, and gives its exit status and output.
func analyzed(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := newRootCommand()
	var out, errs bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(append([]string{"analyze"}, args...))
	err := cmd.ExecuteContext(t.Context())
	var is *statusError
	switch {
	case errors.As(err, &is):
		return is.status, out.String(), errs.String()
	case err != nil:
		t.Fatal(err)
	}
	return 0, out.String(), errs.String()
}

// What sos and kubectl wrote of real clusters gives the diagnosis that the clusters had.
func TestAnalyzeRecorded(t *testing.T) {
	const dir = "../../collectors/bundle/testdata/flannel-cluster-"
	for name, want := range map[string][]string{
		"healthy":        nil,
		"ip-forward-off": {"ip-forward-disabled n1"},
		"route-missing":  {"pod-network-route-missing n1"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := analyzed(t, "-o", "json", "--explain-sources", dir+name+".tar.gz")
			var d struct {
				RootCauses []struct {
					ID      string
					Subject struct{ Name string }
				}
				RuledOut, NotExamined []struct{ ID string }
			}
			if err := json.Unmarshal([]byte(out), &d); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, root := range d.RootCauses {
				got = append(got, root.ID+" "+root.Subject.Name)
			}
			if diff := cmp.Diff(want, got); diff != "" || (status == 1) != (len(want) > 0) {
				t.Errorf("status %d: %s", status, diff)
			}
			for _, id := range []string{"kube-proxy-not-running-on-node", "service-rules-missing-on-node", "tunnel-source-not-node-address"} {
				if !slices.ContainsFunc(d.RuledOut, func(r struct{ ID string }) bool { return r.ID == id }) {
					t.Errorf("%s is not ruled out", id)
				}
			}
			for _, line := range []string{"/sosreport-n1/sos_commands/networking/ip_-d_address  ", "/cluster-info/nodes.json  "} {
				if !strings.Contains(errs, line) {
					t.Errorf("%s is not explained", line)
				}
			}
			if used, passed, ok := strings.Cut(errs, "FILES PASSED OVER"); !ok || !strings.Contains(used, "cluster.nodes") || !strings.Contains(passed, "/etc/nsswitch.conf") {
				t.Errorf("what was passed over is not said: %.2000s", errs)
			}
		})
	}
}

// The line that a report asks for is one that a shell takes.
func TestAskedForIsRunnable(t *testing.T) {
	_, out, _ := analyzed(t, "../../collectors/bundle/testdata/flannel-cluster-healthy.tar.gz")
	_, asked, ok := strings.Cut(out, "TO SETTLE THE REST")
	if !ok {
		t.Fatalf("nothing is asked for:\n%s", out)
	}
	lines := 0
	for line := range strings.Lines(asked) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "for ") {
			lines++
			if out, err := exec.Command("sh", "-n", "-c", line).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", line, err, out)
			}
		}
	}
	if lines != 2 {
		t.Errorf("%d lines:\n%s", lines, asked)
	}
}
