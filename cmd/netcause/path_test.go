package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// pathParts are what a report says of the packet, and the titles of what was found; the rest is of other tests.
var pathParts = regexp.MustCompile(`(?m)^PATH  (.+\n)+|^(ROOT CAUSE|ALSO FOUND|FOUND ELSEWHERE).*\n`)

// The recorded cases, asked about by one packet: what explains the hop where it ends comes first, and where no rule does
// the hop is the answer.
func TestDiagnosePathOfRecordedCases(t *testing.T) {
	for name, c := range map[string]struct {
		args   string
		status int
		// explains and others are the root causes by their bearing.
		explains, others string
	}{
		"service-without-kube-proxy": {
			"--from pod/default/echo@n3 --to kube-dns.kube-system:dns ../../cases/kube-proxy-missing-priority-class/snapshot", exitRootCause,
			"kube-proxy-missing-priority-class", "",
		},
		"service-where-kube-proxy-runs": {
			"--from pod/default/echo@n1 --to kube-dns.kube-system:dns ../../cases/kube-proxy-missing-priority-class/snapshot", exitRootCause,
			"", "kube-proxy-missing-priority-class",
		},
		"too-big": {
			"--from ip/172.16.30.7 --to node/n1:30080 --size 1500 ../../cases/path-mtu-mismatch/calico/snapshot", exitRootCause,
			"path-mtu-mismatch", "",
		},
		"small-enough": {
			"--from ip/172.16.30.7 --to node/n1:30080 --size 1400 ../../cases/path-mtu-mismatch/calico/snapshot", exitRootCause,
			"", "path-mtu-mismatch",
		},
		"tunnel-source": {
			"--from pod/default/echo@n1 --to pod/default/echo@n2:8080 ../../cases/node-static-and-dhcp-address/snapshot", exitRootCause,
			"", "node-static-and-dhcp-address",
		},
		"closed-port":  {"--from pod/default/echo@n1 --to pod/default/echo@n2:9 ../../cases/healthy/snapshot", exitRootCause, "", ""},
		"healthy":      {"--from pod/default/echo@n1 --to echo:80 ../../cases/healthy/snapshot", exitNothingFound, "", ""},
		"nobody-known": {"--from node/n1 --to ip/198.51.100.1:80 ../../cases/healthy/snapshot", exitNotDone, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := append([]string{"analyze"}, recordedPods(t, c.args)...)
			if status := run(t.Context(), args, &stdout, &stderr); status != c.status {
				t.Errorf("exit status %d, want %d: %s", status, c.status, stderr.String())
			}
			got := strings.Join(pathParts.FindAllString(stdout.String(), -1), "")
			golden := filepath.Join("testdata", "path", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v: run the test with -update", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("it says something else (-golden +now), -update writes it anew:\n%s", diff)
			}
			stdout.Reset()
			run(t.Context(), append(args, "-o", "json"), &stdout, &stderr)
			var d struct {
				Trace struct {
					Verdict string
					EndsAt  *struct{ Node string }
				}
				RootCauses []struct{ ID, Bearing string }
			}
			if err := json.Unmarshal(stdout.Bytes(), &d); err != nil {
				t.Fatal(err)
			}
			by := map[bool][]string{}
			for _, root := range d.RootCauses {
				by[root.Bearing == "explains"] = append(by[root.Bearing == "explains"], root.ID)
			}
			if strings.Join(by[true], " ") != c.explains || strings.Join(by[false], " ") != c.others || d.Trace.Verdict == "" || d.Trace.EndsAt == nil {
				t.Errorf("root causes %+v, trace %+v", d.RootCauses, d.Trace)
			}
		})
	}
}

func TestPathFlagsGoTogether(t *testing.T) {
	for args, want := range map[string]string{
		"analyze --from node/n1 ../../cases/healthy/snapshot":                      "[to]",
		"analyze --size 1500 ../../cases/healthy/snapshot":                         "say whose with --from and --to",
		"analyze --from node/n1 --to svc/a/b:1 ../../cases/healthy/snapshot":       "there is no Service in namespace a; namespaces with Services: default, kube-system",
		"diagnose --node-only --from node/nobody --to ip/192.0.2.1:1 --timeout 9s": "there is no node \"nobody\"",
	} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), strings.Fields(args), &stdout, &stderr); status != exitNotDone || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: exit status %d, said %q, want %q", args, status, stderr.String(), want)
		}
	}
}
