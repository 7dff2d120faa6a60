package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/collectors/bundle"
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
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "for ") || strings.HasPrefix(line, "kubectl ") {
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

// The same incident gives the same root, through whatever it comes.
func TestAnalyzeOneIncidentInSeveralForms(t *testing.T) {
	for name, root := range map[string]string{"route-missing": "pod-network-route-missing", "ip-forward-off": "ip-forward-disabled", "healthy": ""} {
		t.Run(name, func(t *testing.T) { analyzeInSeveralForms(t, name, root) })
	}
}

func analyzeInSeveralForms(t *testing.T, incident, root string) {
	recorded := "../../collectors/bundle/testdata/flannel-cluster-" + incident + ".tar.gz"
	dir := t.TempDir()
	if out, err := exec.Command("tar", "xzf", recorded, "-C", dir).CombinedOutput(); err != nil {
		t.Skipf("needs tool tar: %v: %s", err, out)
	}
	top := filepath.Join(dir, incident)
	snapshot, err := bundle.Read(t.Context(), []string{recorded}, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "own.tar.gz")
	if err := bundle.Write(t.Context(), own, snapshot, bundle.Options{}); err != nil {
		t.Fatal(err)
	}
	commands := map[string]string{
		"ip_-s_-d_link": "ip -s -d link", "ip_-d_address": "ip -d address", "ip_route_show_table_all": "ip route show table all", "ip_-4_rule": "ip rule",
		"ip_-6_rule": "ip -6 rule", "ip_-s_-s_neigh_show": "ip neigh", "nft_list_ruleset": "nft list ruleset", "ss_-peaonmi": "ss -peaonmi",
	}
	loose, pasted := filepath.Join(dir, "loose"), filepath.Join(dir, "pasted")
	for _, node := range []string{"n1", "n2"} {
		var ticket strings.Builder
		ticket.WriteString("Dear support,\n\nhere is what you asked for.\n\n")
		for file, command := range commands {
			text, err := os.ReadFile(filepath.Join(top, "sosreport-"+node, "sos_commands/networking", file))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(loose, node, strings.ReplaceAll(command, " ", "-")+".txt"), string(text))
			ticket.WriteString("[root@" + node + ".example.org ~]# " + command + "\n" + string(text))
		}
		ticket.WriteString("[root@" + node + ".example.org ~]# sysctl -a\n")
		text, err := os.ReadFile(filepath.Join(top, "sosreport-"+node, "sos_commands/kernel/sysctl_-a"))
		if err != nil {
			t.Fatal(err)
		}
		ticket.Write(text)
		write(t, filepath.Join(loose, node, "sysctl.txt"), string(text))
		write(t, filepath.Join(pasted, node+"-ticket.txt"), ticket.String())
	}
	cluster := filepath.Join(top, "cluster-info")
	for name, paths := range map[string][]string{
		"netcause's own":          {own},
		"folder":                  {top},
		"one by one":              {filepath.Join(top, "sosreport-n2"), cluster, filepath.Join(top, "sosreport-n1")},
		"own and a dump":          {own, cluster},
		"own and the same sos":    {filepath.Join(top, "sosreport-n1"), own},
		"loose files":             {loose, cluster},
		"pasted into a ticket":    {pasted, cluster},
		"loose and a sosreport":   {filepath.Join(loose, "n2"), filepath.Join(top, "sosreport-n1"), cluster},
		"one node and the others": {filepath.Join(top, "sosreport-n1"), cluster},
	} {
		if few := name == "netcause's own" || name == "loose files" || name == "pasted into a ticket"; !few && incident != "route-missing" {
			continue // each takes a second: what is merged with what, one incident tells
		}
		t.Run(name, func(t *testing.T) {
			status, out, _ := analyzed(t, append([]string{"-o", "json"}, paths...)...)
			var d struct {
				RootCauses []struct {
					ID      string
					Subject struct{ Name string }
				}
			}
			if err := json.Unmarshal([]byte(out), &d); err != nil {
				t.Fatal(err)
			}
			var got string
			for _, cause := range d.RootCauses {
				got += cause.ID + " " + cause.Subject.Name
			}
			if root != "" && got != root+" n1" || root == "" && got != "" || (status == 1) != (root != "") {
				t.Errorf("status %d: %q", status, got)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A packet's way through what sos wrote goes on to the Pods: their devices are told by the node's.
func TestTraceRecorded(t *testing.T) {
	const dir = "../../collectors/bundle/testdata/flannel-cluster-"
	for name, want := range map[string][]string{
		"healthy": {
			"expected delivered", "by eth0 to vethee6eb26e of n1", "to eth0 of Pod default/reg", "DELIVERED: python3 listens on 0.0.0.0:5000",
			"to eth0 of Pod default/cli", "DELIVERED: the answer arrives",
		},
		"ip-forward-off": {"expected dropped", "n1, namespace cli", "DROPPED: net.ipv4.conf.cni0.forwarding is 0"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := newRootCommand()
			var out bytes.Buffer
			cmd.SetOut(&out)
			cmd.SetErr(io.Discard)
			cmd.SetArgs([]string{"trace", "--from", "pod/default/cli", "--to", "svc/default/registry:5000", dir + name + ".tar.gz"})
			var is *statusError
			if err := cmd.ExecuteContext(t.Context()); err != nil && !errors.As(err, &is) {
				t.Fatal(err)
			}
			rest := out.String()
			for _, text := range want {
				_, after, ok := strings.Cut(rest, text)
				if !ok {
					t.Fatalf("there is no %q after what comes before it:\n%s", text, out.String())
				}
				rest = after
			}
		})
	}
}
