package report_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/question"
	"github.com/netcause/netcause/engine/report"
)

func TestPath(t *testing.T) {
	packet := func(src, dst string) datapath.Packet {
		s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
		return datapath.Packet{Src: s.Addr(), Sport: s.Port(), Dst: d.Addr(), Dport: d.Port(), Proto: "tcp"}
	}
	there, back := packet("10.1.0.5:50000", "10.96.0.9:80"), packet("10.2.0.5:8080", "10.1.0.5:50000")
	sent := datapath.Step{Node: "n1", Namespace: "pod", Stage: datapath.StageRoute, Packet: there, Text: "by the default route", Verdict: datapath.Pass}
	idle := datapath.Step{Node: "n1", Stage: datapath.StageForward, Packet: there, Text: "no rule has an effect", Verdict: datapath.Pass}
	assumed := datapath.Step{
		Node: "n1", Stage: datapath.StagePrerouting, Packet: packet("10.1.0.5:50000", "10.2.0.5:8080"), Text: "by the cluster's objects", Verdict: datapath.Unknown,
		Assumed: true, Missing: &datapath.Missing{Node: "n1", Collect: "netcause collect on n1"},
	}
	denied := datapath.Step{Node: "n1", Stage: datapath.StagePolicy, Packet: there, Text: "egress: NetworkPolicy a/b denies", Source: "policies.json", Verdict: datapath.Dropped}
	filtered := datapath.Step{Node: "n2", Stage: datapath.StageForward, Packet: back, Text: "FORWARD: -j DROP", Source: "iptables-save, line 7", Verdict: datapath.Dropped}
	root := engine.Finding{
		ID: "network-policy-blocks", Title: "t", Severity: engine.Critical, Subject: engine.Subject{Kind: "NetworkPolicy", Name: "b", Namespace: "a"},
		Message: "it denies", Root: "network-policy-blocks", RootSubject: engine.Subject{Kind: "NetworkPolicy", Name: "b", Namespace: "a"}, Bearing: engine.Explains,
	}
	other := root
	other.ID, other.Root, other.Bearing = "other-fault", "other-fault", engine.Elsewhere
	for name, c := range map[string]struct {
		answer   question.Answer
		findings []engine.Finding
		want     []string
		not      []string
	}{
		"a policy that a rule explains": {
			question.Answer{From: "pod/a/x", To: "web:80", Resolved: "web.a.svc.cluster.local, Service a/web", Packet: there, Verdict: datapath.Dropped, Hops: []datapath.Step{sent, idle, denied}, EndsAt: &denied},
			[]engine.Finding{root, other},
			[]string{
				"PATH  pod/a/x -> web:80 (tcp): DROPPED\n", "  to 10.96.0.9:80 of web.a.svc.cluster.local, Service a/web\n",
				"  n1, namespace pod: 10.1.0.5:50000 > 10.96.0.9:80\n", "  It ends on n1, policy: DROPPED: egress: NetworkPolicy a/b denies [policies.json]\n",
				"  Explained by network-policy-blocks.\n", "ROOT CAUSE  NetworkPolicy a/b  critical  network-policy-blocks\n", "FOUND ELSEWHERE  NetworkPolicy a/b  critical  other-fault\n",
			},
			[]string{"no rule has an effect", "No rule"},
		},
		"nothing explains it": {
			question.Answer{From: "pod/a/x", To: "web:80", Packet: there, Verdict: datapath.Dropped, Hops: []datapath.Step{sent, denied}, EndsAt: &denied},
			[]engine.Finding{other},
			[]string{"No rule explains this hop: the hop itself is the answer.", "FOUND ELSEWHERE"},
			[]string{"ROOT CAUSE"},
		},
		"the answer is lost": {
			question.Answer{
				From: "pod/a/x", To: "web:80", Packet: there, Verdict: datapath.Dropped, Hops: []datapath.Step{sent}, EndsAt: &filtered, OnReply: true,
				Reply: []question.Way{{Verdict: datapath.Delivered}, {Verdict: datapath.Dropped, Hops: []datapath.Step{filtered}}},
			},
			nil,
			[]string{"  the answer\n  n2: 10.2.0.5:8080 > 10.1.0.5:50000\n", "  The answer ends on n2, forward: DROPPED: FORWARD: -j DROP [iptables-save, line 7]\n", "No rule finds a fault."},
			nil,
		},
		"as the objects say": {
			question.Answer{From: "pod/a/x", To: "web:80", Packet: there, Verdict: datapath.Unknown, Expected: datapath.Delivered, Hops: []datapath.Step{sent, assumed}, EndsAt: &assumed},
			nil,
			[]string{"UNKNOWN, expected delivered: rules that were not read are", "It is not certain what happens on n1, prerouting: by the cluster's objects", "    to know more: netcause collect on n1\n"},
			[]string{"the hop itself is the answer"},
		},
		"it arrives": {
			question.Answer{From: "pod/a/x", To: "web:80", Packet: there, Verdict: datapath.Delivered, Hops: []datapath.Step{sent}, EndsAt: &sent},
			nil,
			[]string{"DELIVERED", "By the facts it arrives, and so does its answer"},
			[]string{"No rule"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &engine.Diagnosis{Trace: &c.answer, RootCauses: c.findings, Findings: c.findings, Summary: engine.Summary{Nodes: 2, Rules: 3, RuledOut: 3}}
			var b bytes.Buffer
			if err := report.Text(&b, d, report.TextOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, part := range c.want {
				if !strings.Contains(b.String(), part) {
					t.Errorf("%q is not in\n%s", part, b.String())
				}
			}
			for _, part := range c.not {
				if strings.Contains(b.String(), part) {
					t.Errorf("%q is in\n%s", part, b.String())
				}
			}
			b.Reset()
			if err := report.JSON(&b, d); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), `"trace": {`) || len(c.findings) > 0 && !strings.Contains(b.String(), `"bearing": "`) {
				t.Errorf("JSON lacks the trace or what the causes have to do with it:\n%s", b.String())
			}
		})
	}
}
