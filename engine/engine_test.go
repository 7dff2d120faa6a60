package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

// rule writes a rule's text: METADATA with custom fields, then its body.
func rule(id, custom, body string) *fstest.MapFile {
	text := fmt.Sprintf(`# METADATA
# title: Title of %[1]s
# description: Why %[1]s breaks traffic.
# custom:
#   id: %[1]s
#   category: cni
%[2]s
package netcause.rules.cni.%[3]s

%[4]s
`, id, custom, strings.ReplaceAll(id, "-", "_"), body)
	return &fstest.MapFile{Data: []byte(text)}
}

const (
	nodeRule    = "#   scope: node\n#   severity: critical\n#   explains: [dns-failure]"
	clusterRule = "#   scope: cluster\n#   severity: warning\n#   explains: [service-unreachable]"
	always      = `finding contains {"message": "m", "evidence": [{"fact": "f", "value": "v", "source": "s"}], "fix": {"summary": "", "steps": []}}`
)

func compile(t *testing.T, files fstest.MapFS, options ...Option) *Engine {
	t.Helper()
	e, err := New(t.Context(), files, options...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func diagnose(t *testing.T, e *Engine, snapshot *facts.Snapshot) *Diagnosis {
	t.Helper()
	d, err := e.Diagnose(t.Context(), snapshot)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// outcomes are a diagnosis in a line for each entry.
func outcomes(d *Diagnosis) []string {
	var lines []string
	for _, f := range d.RootCauses {
		lines = append(lines, fmt.Sprintf("root %s %s: %s", f.ID, f.Subject, strings.Join(f.Chain, " > ")))
	}
	for _, f := range d.Findings {
		lines = append(lines, fmt.Sprintf("found %s %s: root %s", f.ID, f.Subject, f.Root))
	}
	for _, r := range d.RuledOut {
		lines = append(lines, fmt.Sprintf("ruled out %s %s: %s", r.ID, r.Subject, r.Message))
	}
	for _, n := range d.NotExamined {
		for _, m := range n.Missing {
			lines = append(lines, fmt.Sprintf("not examined %s %s: %s %s (%s)", n.ID, n.Subject, m.Group, m.Status, m.Reason))
		}
	}
	for _, f := range d.FailedRules {
		lines = append(lines, fmt.Sprintf("failed %s %s: %s", f.ID, f.Subject, f.Error))
	}
	return lines
}

func node(name string) *facts.Node { return &facts.Node{Name: name} }

func TestThreeOutcomes(t *testing.T) {
	e := compile(t, fstest.MapFS{
		"wrong-mtu.rego": rule("wrong-mtu", nodeRule+"\n#   needs: [links]", `
finding contains {
	"message": sprintf("%s has MTU %d", [link.ifname, link.mtu]),
	"evidence": [{"fact": "MTU", "value": "9", "source": link.source}],
	"fix": {"summary": "", "steps": []},
} if {
	some link in input.node.links
	link.mtu < 10
}`),
	})
	links := func(mtu int) facts.Group[[]facts.Link] {
		return facts.ReadGroup([]facts.Link{{Ifname: "eth0", MTU: mtu, Source: "ip link"}}, "ip link")
	}
	small, sound, unread, denied := node("n1"), node("n2"), node("n3"), node("n4")
	small.Links, sound.Links = links(9), links(1500)
	denied.Links = facts.Unread[[]facts.Link](facts.Denied, "needs CAP_NET_ADMIN")
	d := diagnose(t, e, &facts.Snapshot{Nodes: []*facts.Node{small, sound, unread, denied}})
	want := []string{
		"root wrong-mtu Node n1: wrong-mtu > dns-failure",
		"found wrong-mtu Node n1: root wrong-mtu",
		"ruled out wrong-mtu Node n2: its facts were read and the fault is not there",
		"not examined wrong-mtu Node n3: links not-asked (it was not asked)",
		"not examined wrong-mtu Node n4: links denied (needs CAP_NET_ADMIN)",
	}
	if diff := cmp.Diff(want, outcomes(d)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Summary{Nodes: 4, NodesNotCollected: []string{}, Rules: 1, Found: 1}, d.Summary); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func TestNeedsAnyTakesOneAlternative(t *testing.T) {
	e := compile(t, fstest.MapFS{
		"either.rego": rule("either", nodeRule+"\n#   needs_any: [[cluster.pods, cluster.nodes], [processes]]", "finding contains 1 if false"),
	})
	byProcess, unread := node("n1"), node("n2")
	byProcess.Processes = facts.ReadGroup([]facts.Process{})
	cluster := &facts.Cluster{
		Nodes: facts.ReadGroup([]facts.NodeObject{{Metadata: facts.ObjectMeta{Name: "n3"}}}),
		Pods:  facts.Unread[[]facts.Pod](facts.Denied, "needs verb list on pods"),
	}
	for _, c := range []struct {
		name    string
		cluster *facts.Cluster
		want    []string
	}{
		{"no cluster", nil, []string{
			"ruled out either Node n1: its facts were read and the fault is not there",
			"not examined either Node n2: cluster.pods not-asked (no cluster was read: no kubeconfig and no recorded cluster)",
			"not examined either Node n2: cluster.nodes not-asked (no cluster was read: no kubeconfig and no recorded cluster)",
		}},
		{"Pods are denied", cluster, []string{
			"ruled out either Node n1: its facts were read and the fault is not there",
			"not examined either Node n2: cluster.pods denied (needs verb list on pods)",
		}},
		{"the cluster is known", &facts.Cluster{Nodes: cluster.Nodes, Pods: facts.ReadGroup([]facts.Pod{})}, []string{
			"ruled out either Node n1: its facts were read and the fault is not there",
			"ruled out either Node n2: its facts were read and the fault is not there",
			"ruled out either Node n3: its facts were read and the fault is not there",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := diagnose(t, e, &facts.Snapshot{Nodes: []*facts.Node{byProcess, unread}, Cluster: c.cluster})
			if diff := cmp.Diff(c.want, outcomes(d)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnexaminedIsTheRulesOwnWord(t *testing.T) {
	e := compile(t, fstest.MapFS{
		"open.rego": rule("open", nodeRule, `unexamined contains {"group": "iptables_legacy"} if not input.node.links`),
	})
	n := node("n1")
	n.IPTablesLegacy = facts.Unread[facts.Listing](facts.Absent, "iptables-legacy-save is not installed")
	d := diagnose(t, e, &facts.Snapshot{Nodes: []*facts.Node{n}})
	want := []string{"not examined open Node n1: iptables_legacy absent (iptables-legacy-save is not installed)"}
	if diff := cmp.Diff(want, outcomes(d)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if got := d.NotExamined[0].Missing[0].Collect; got != "iptables-legacy-save -c" {
		t.Errorf("to collect it: %q", got)
	}
}

// A rule about one node may lack what another has: that one is asked, and the rule's own is not named twice.
func TestUnexaminedOfAnotherNode(t *testing.T) {
	e := compile(t, fstest.MapFS{
		"open.rego": rule("open", nodeRule, `unexamined contains {"group": "links", "node": n} if some n in ["n1", "n2"]`),
	})
	d := diagnose(t, e, &facts.Snapshot{Nodes: []*facts.Node{node("n1"), node("n2")}})
	var got []string
	for _, n := range d.NotExamined {
		for _, m := range n.Missing {
			got = append(got, n.Subject.Name+" lacks of "+m.Node)
		}
	}
	if diff := cmp.Diff([]string{"n1 lacks of ", "n1 lacks of n2", "n2 lacks of n1", "n2 lacks of "}, got); diff != "" {
		t.Error(diff)
	}
}

// What was read and is empty is an empty list to a rule, however it came: counting null would be an error.
func TestNothingReadIsAnEmptyList(t *testing.T) {
	e := compile(t, fstest.MapFS{
		"none.rego": rule("none", nodeRule+"\n#   needs: [links]", `
finding contains 1 if false
ruled_out contains {"message": "nothing is there", "evidence": []} if count(input.node.links) == 0`),
	})
	n := node("n1")
	n.Links = facts.ReadGroup[[]facts.Link](nil, "ip link")
	d := diagnose(t, e, &facts.Snapshot{Nodes: []*facts.Node{n}})
	if diff := cmp.Diff([]string{"ruled out none Node n1: nothing is there"}, outcomes(d)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// A rule that no node could be asked about is not examined: it does not vanish.
func TestNoNodeIsNotExamined(t *testing.T) {
	e := compile(t, fstest.MapFS{
		"links.rego": rule("links", nodeRule+"\n#   needs: [links]", "finding contains 1 if false"),
		"bare.rego":  rule("bare", nodeRule, "finding contains 1 if false"),
	})
	cluster := &facts.Cluster{Nodes: facts.ReadGroup([]facts.NodeObject{{Metadata: facts.ObjectMeta{Name: "n1"}}})}
	d := diagnose(t, e, &facts.Snapshot{Cluster: cluster})
	want := []string{
		"not examined bare Cluster cluster: host not-asked (nothing was collected on this node)",
		"not examined links Cluster cluster: links not-asked (nothing was collected on this node)",
	}
	if diff := cmp.Diff(want, outcomes(d)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// An API server that did not answer is the reason, not that nobody asked.
func TestUnreachableClusterIsTheReason(t *testing.T) {
	e := compile(t, fstest.MapFS{"pods.rego": rule("pods", clusterRule+"\n#   needs: [cluster.pods]", "finding contains 1 if false")})
	d := diagnose(t, e, &facts.Snapshot{Inputs: []facts.Input{{Kind: "cluster", Name: "https://192.0.2.1", Problem: "API server https://192.0.2.1: it did not answer in time"}}})
	want := []string{"not examined pods Cluster cluster: cluster.pods failed (API server https://192.0.2.1: it did not answer in time)"}
	if diff := cmp.Diff(want, outcomes(d)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestCausesLeadToOneRoot(t *testing.T) {
	on := func(nodes string) string {
		return fmt.Sprintf(`finding contains {"subject": {"kind": "Node", "name": n, "node": n}, "message": "m", "evidence": [{"fact": "f", "value": "v", "source": "s"}], "fix": {"summary": "", "steps": []}} if some n in [%s]`, nodes)
	}
	files := fstest.MapFS{
		"a.rego": rule("a-priority", clusterRule+"\n#   causes: [b-proxy]", `finding contains {"affects": ["n1"], "message": "m", "evidence": [{"fact": "f", "value": "v", "source": "s"}], "fix": {"summary": "", "steps": []}}`),
		"b.rego": rule("b-proxy", clusterRule+"\n#   causes: [c-rules]", on(`"n1", "n2"`)),
		"c.rego": rule("c-rules", "#   scope: cluster\n#   severity: critical\n#   explains: [service-unreachable, dns-failure]", on(`"n1", "n3"`)),
	}
	for _, c := range []struct {
		name     string
		reported []string
		want     []string
	}{
		{"nothing reported", nil, []string{
			"root c-rules Node n3: c-rules > service-unreachable > dns-failure",
			"root a-priority Cluster cluster: a-priority > b-proxy > c-rules > service-unreachable > dns-failure",
			"root b-proxy Node n2: b-proxy > service-unreachable",
			"found c-rules Node n3: root c-rules",
			"found a-priority Cluster cluster: root a-priority",
			"found b-proxy Node n1: root a-priority",
			"found c-rules Node n1: root a-priority",
			"found b-proxy Node n2: root b-proxy",
		}},
		{"DNS reported", []string{"dns-failure"}, []string{
			"root c-rules Node n3: c-rules > dns-failure",
			"root a-priority Cluster cluster: a-priority > b-proxy > c-rules > dns-failure",
			"root b-proxy Node n2: b-proxy > service-unreachable",
			"found c-rules Node n3: root c-rules",
			"found a-priority Cluster cluster: root a-priority",
			"found b-proxy Node n1: root a-priority",
			"found c-rules Node n1: root a-priority",
			"found b-proxy Node n2: root b-proxy",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := diagnose(t, compile(t, files), &facts.Snapshot{Symptoms: c.reported})
			if diff := cmp.Diff(c.want, outcomes(d)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReportedSymptomIsNeverLost(t *testing.T) {
	e := compile(t, fstest.MapFS{"none.rego": rule("none", clusterRule, "finding contains 1 if false")})
	d := diagnose(t, e, &facts.Snapshot{Symptoms: []string{"connection-reset"}})
	want := []Symptom{{ID: "connection-reset", Reported: true, ExplainedBy: []string{}}}
	if diff := cmp.Diff(want, d.Symptoms); diff != "" {
		t.Errorf("symptoms (-want +got):\n%s", diff)
	}
}

func TestMutualCausesStillHaveARoot(t *testing.T) {
	e := compile(t, fstest.MapFS{
		"a.rego": rule("a", clusterRule+"\n#   causes: [b]", always),
		"b.rego": rule("b", clusterRule+"\n#   causes: [a]", always),
	})
	d := diagnose(t, e, &facts.Snapshot{})
	if len(d.RootCauses) != 1 || d.RootCauses[0].ID != "a" {
		t.Errorf("root causes: %q", outcomes(d))
	}
}

func TestRuleThatFailsDoesNotStopOthers(t *testing.T) {
	e := compile(t, fstest.MapFS{
		"endless.rego": rule("endless", nodeRule, `finding contains i if {
	some i in numbers.range(1, 100000)
	some j in numbers.range(1, 100000)
	i * j < 0
}`),
		"conflict.rego": rule("conflict", nodeRule, `f(x) := x

f(x) := x + 1

finding contains f(1)`),
		"speechless.rego": rule("speechless", nodeRule, `finding contains {"message": ""}`),
		"divides.rego":    rule("divides", nodeRule, `finding contains 1 / count(input.peers)`),
		"no-node.rego":    rule("no-node", nodeRule, `finding contains netcause.route("nobody", "10.0.0.1")`),
		"sound.rego":      rule("sound", nodeRule, always),
	}, WithRuleTimeout(200*time.Millisecond))
	start := time.Now()
	d := diagnose(t, e, &facts.Snapshot{Nodes: []*facts.Node{node("n1")}})
	if elapsed := time.Since(start); elapsed > 5*time.Second {
		t.Errorf("it took %s: the endless rule was not cut off", elapsed)
	}
	if len(d.RootCauses) != 1 || d.RootCauses[0].ID != "sound" {
		t.Errorf("root causes: %q", outcomes(d))
	}
	failed := map[string]string{}
	for _, f := range d.FailedRules {
		failed[f.ID] = f.Error
	}
	for id, part := range map[string]string{
		"endless":    "200ms and was cut off",
		"conflict":   "conflicting values",
		"speechless": "no message or no evidence",
		"no-node":    `no node "nobody"`,
		"divides":    "divide by zero",
	} {
		if !strings.Contains(failed[id], part) {
			t.Errorf("%s failed with %q, not with %q", id, failed[id], part)
		}
	}
	if d.Summary.Failed != 5 || d.Summary.Found != 1 {
		t.Errorf("summary: %+v", d.Summary)
	}
}

func TestDiagnoseEndsWithItsContext(t *testing.T) {
	e := compile(t, fstest.MapFS{"a.rego": rule("a", clusterRule, always)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Diagnose(ctx, &facts.Snapshot{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error of a cancelled diagnosis: %v", err)
	}
}

func TestLoadNamesFileAndLine(t *testing.T) {
	sound := rule("sound", nodeRule, always)
	for _, c := range []struct{ name, text, want string }{
		{"no METADATA", "package netcause.rules.cni.x\n\nfinding := 1", "rule x.rego:1: no METADATA"},
		{"v0 syntax", "package netcause.rules.cni.x\n\nfinding[f] { f := 1 }", "rule x.rego:3: "},
		{"no id", "# METADATA\n# title: t\n# description: d\n# custom:\n#   category: cni\npackage netcause.rules.cni.x", "rule x.rego:1: METADATA: custom.id is missing"},
		{"unknown symptom", string(rule("x", "#   scope: node\n#   severity: info\n#   explains: [dns]", always).Data), `custom.explains names "dns", which is no symptom`},
		{"unknown group", string(rule("x", nodeRule+"\n#   needs: [linkz]", always).Data), `custom.needs names "linkz", which is no group of facts`},
		{"scope", string(rule("x", "#   scope: pod\n#   severity: info", always).Data), `custom.scope "pod" is not one of node, cluster`},
		{"package", "# METADATA\n# title: t\n# description: d\n# custom:\n#   id: x\npackage rules.x", "rule x.rego:6: its package is rules.x, and a rule's package begins with netcause.rules."},
		{"neither METADATA nor package", "package mine\n\nfinding contains 1", "rule x.rego:1: its package is mine, and a rule's package begins with netcause.rules.: write `package netcause.rules.CATEGORY.ID`"},
		{"duplicate id", string(sound.Data), `its id "sound" is that of sound.rego too`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(fstest.MapFS{"sound.rego": sound, "x.rego": {Data: []byte(c.text)}})
			var ruleError *RuleError
			if !errors.As(err, &ruleError) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestCustomRuleStandsInForABuiltInOne(t *testing.T) {
	library, err := Load(fstest.MapFS{"a.rego": rule("a", nodeRule, always)})
	if err != nil {
		t.Fatal(err)
	}
	mine := fstest.MapFS{
		"a.rego":      rule("a", nodeRule, always+" if false"),
		"b.rego":      rule("b", nodeRule, always),
		"b_test.rego": {Data: []byte("this is no Rego, and no rule")},
	}
	if err := library.AddCustom(mine, "mine"); err != nil {
		t.Fatal(err)
	}
	e, err := library.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := diagnose(t, e, &facts.Snapshot{Nodes: []*facts.Node{node("n1")}})
	want := []string{
		"root b Node n1: b > dns-failure",
		"found b Node n1: root b",
		"ruled out a Node n1: its facts were read and the fault is not there",
	}
	if diff := cmp.Diff(want, outcomes(d)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	a, _ := library.Rule("a")
	if !a.Overrides || !a.Custom || a.File != "mine/a.rego" || !d.RootCauses[0].Custom {
		t.Errorf("the custom rule is not marked: %+v", a)
	}
	if err := library.AddCustom(fstest.MapFS{"again.rego": rule("b", nodeRule, always)}, "again"); err == nil {
		t.Error("two custom rules of one id were taken")
	}
}
