package bundle

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

// What CoreDNS said before it ended is its Pod's, whichever collector took its log.
func TestReadPodLogs(t *testing.T) {
	const (
		loop  = `[FATAL] plugin/loop: Loop (127.0.0.1:38520 -> :53) detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO 4547991504243258144.3688648895315093531."`
		calm  = ".:53\n[INFO] plugin/reload: Running configuration SHA512 = 1\nCoreDNS-1.11.1\n"
		frame = "==== START logs for container coredns of pod kube-system/coredns-1 ====\n"
		end   = "==== END logs for container coredns of pod kube-system/coredns-1 ====\n"
	)
	list := func(pods ...string) string {
		var items []string
		for _, pod := range pods {
			namespace, name, _ := strings.Cut(pod, "/")
			items = append(items, `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"`+name+`","namespace":"`+namespace+`"}}`)
		}
		return `{"kind":"PodList","apiVersion":"v1","items":[` + strings.Join(items, ",") + `]}`
	}
	both := list("kube-system/coredns-1", "default/web")
	for name, test := range map[string]struct {
		files map[string]string
		want  string // the source; empty: none
	}{
		"cluster-info dump":     {map[string]string{"kube-system/pods.json": both, "kube-system/coredns-1/logs.txt": frame + calm + loop + "\n" + end}, "kube-system/coredns-1/logs.txt:5"},
		"as one stream":         {map[string]string{"dump": both + "\n" + frame + calm + loop + "\n" + end + "{}"}, "dump: logs of Pod kube-system/coredns-1"},
		"troubleshoot.sh":       {map[string]string{"sb/cluster-resources/pods/kube-system.json": both, "sb/cluster-resources/pods/logs/kube-system/coredns-1/coredns-previous.log": calm + loop}, "sb/cluster-resources/pods/logs/kube-system/coredns-1/coredns-previous.log:4"},
		"its collector of logs": {map[string]string{"sb/cluster-resources/pods/kube-system.json": both, "sb/dns/coredns-1/coredns.log": loop + "\n"}, "sb/dns/coredns-1/coredns.log:1"},
		"must-gather": {map[string]string{
			"mg/namespaces/kube-system/core/pods.yaml":                                            "apiVersion: v1\nkind: PodList\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: coredns-1, namespace: kube-system}\n",
			"mg/namespaces/kube-system/pods/coredns-1/coredns/coredns/logs/previous.insecure.log": "2026-03-01T10:00:00.000000000Z " + loop + "\n",
		}, "mg/namespaces/kube-system/pods/coredns-1/coredns/coredns/logs/previous.insecure.log:1"},
		"Rancher's collector":       {map[string]string{"n1/rke2/kubectl/pods.json": both, "n1/rke2/podlogs/kube-system-coredns-1-previous": calm + loop}, "n1/rke2/podlogs/kube-system-coredns-1-previous:4"},
		"of a node's files":         {map[string]string{"n1/pods.json": both, "n1/k3s/podlogs/kube-system_coredns-1_3f2a/coredns/0.log": "2026-03-01T10:00:00Z stderr F " + loop + "\n"}, "n1/k3s/podlogs/kube-system_coredns-1_3f2a/coredns/0.log:1"},
		"calm":                      {map[string]string{"kube-system/pods.json": both, "kube-system/coredns-1/logs.txt": frame + calm + end}, ""},
		"of a Pod that is not here": {map[string]string{"kube-system/pods.json": list("default/web"), "kube-system/coredns-1/logs.txt": frame + loop + "\n" + end}, ""},
		"of either of two":          {map[string]string{"pods.json": list("kube-system/coredns-1", "web/coredns-1"), "sb/coredns-1/coredns.log": loop + "\n"}, ""},
		"no log":                    {map[string]string{"pods.json": both, "dns1-ip-route.log": "default via 10.0.0.254 dev eth0\n"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{folderOf(t, test.files), onDisk(t, "x", tarOf(t, test.files)), onDisk(t, "y", zippedFiles(t, test.files))} {
				snapshot := read(t, path)
				var got []facts.LogLine
				for _, p := range snapshot.Cluster.Pods.Value {
					if len(p.Logs) > 0 && p.Metadata.Name != "coredns-1" {
						t.Errorf("%s: %+v", p.Metadata.Name, p.Logs)
					}
					got = append(got, p.Logs...)
				}
				switch {
				case test.want == "" && len(got) == 0:
				case test.want == "" || len(got) != 1 || string(got[0].Source) != test.want || !strings.Contains(got[0].Text, "Loop (127.0.0.1:38520 -> :53) detected"):
					t.Errorf("%s: %+v", path, got)
				}
			}
		})
	}
	if n := read(t, folderOf(t, map[string]string{"dns1-ip-route.log": "default via 10.0.0.254 dev eth0\n"})).Nodes; len(n) != 1 || n[0].Routes.Status != facts.Read {
		t.Error("an output that is called as a log is was not read")
	}
}

// Lines are found wherever a read ends, are the last ones, and are cut.
func TestScanLog(t *testing.T) {
	scan := func(text string, r io.Reader) []string {
		in := newIntake(&meter{Limits: Limits{}.withDefaults()})
		if err := in.scanLog("b", "dns.log", r); err != nil && !errors.Is(err, iotest.ErrTimeout) {
			t.Fatal(err)
		}
		var got []string
		for _, l := range in.objects.logs {
			got = append(got, string(l.line.Source)+" "+l.line.Text)
			if len(l.line.Text) > maxLogLine {
				t.Errorf("%d bytes are kept", len(l.line.Text))
			}
		}
		return got
	}
	const loop = "plugin/loop: Loop (a) detected\n"
	for _, text := range []string{
		strings.Repeat("x\n", 100_000) + loop + "y\n" + loop, loop + strings.Repeat("z", 200_000) + "\n" + loop, strings.Repeat(loop, 9), loop + strings.Repeat("plugin/loop: Loop (\n", 10_000),
		strings.TrimSpace(loop) + strings.Repeat("€", 1000) + "\n", "no end: " + strings.TrimSpace(loop), "plugin/loop: Loop (\nb) detected\n",
	} {
		var want []string
		for i, line := range strings.Split(text, "\n") {
			if strings.Contains(line, "Loop (a) detected") {
				want = append(want, string(facts.FileLine("dns.log", i+1))+" "+strings.ToValidUTF8(line[:min(len(line), maxLogLine)], ""))
			}
		}
		want = want[max(len(want)-maxPodLogs, 0):]
		got := scan(text, strings.NewReader(text))
		// A line longer than what is read at once counts as several.
		if !strings.Contains(text, "zzz") {
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if odd := scan(text, iotest.HalfReader(strings.NewReader(text))); !slices.Equal(odd, got) {
				t.Errorf("read otherwise it is %q", odd)
			}
		} else if len(got) != len(want) {
			t.Errorf("%q", got)
		}
	}
	// A line is a text like others: what looks secret is masked before it is cut.
	secret := strings.TrimSpace(loop) + strings.Repeat(" ", 200) + "https://user:" + strings.Repeat("hunter2", 20) + "@dns.example\n"
	if got := scan(secret, strings.NewReader(secret)); len(got) != 1 || strings.Contains(got[0], "hunter2") || !strings.Contains(got[0], "@dns.example") {
		t.Errorf("%q", got)
	}
	if got := scan("", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(loop)))); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func FuzzScanLog(f *testing.F) {
	f.Add("==== START logs for container a of pod b/c ====\nplugin/loop: Loop (a) detected\n", "kube-dns/logs.txt")
	f.Add("plugin/loop: Loop (\xff) detected", "podlogs/kube-system-coredns-1")
	f.Fuzz(func(t *testing.T, text, name string) {
		in := newIntake(&meter{Limits: Limits{}.withDefaults()})
		if err := in.scanLog("b", name, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		pods := []facts.Pod{{Metadata: facts.ObjectMeta{Name: "c", Namespace: "b"}}, {Metadata: facts.ObjectMeta{Name: "coredns-1", Namespace: "kube-system"}}}
		in.objects.attachLogs(pods)
		for _, p := range pods {
			if len(p.Logs) > maxPodLogs {
				t.Fatalf("%d lines", len(p.Logs))
			}
		}
	})
}
