package report_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/report"
)

// One node of a customer's five was read, and a rule about it lacks what the others have: the others are asked.
func TestAskTheNodeThatHasTheFacts(t *testing.T) {
	lacks := func(id string, subject engine.Subject, missing ...engine.MissingFacts) engine.NotExamined {
		return engine.NotExamined{ID: id, Title: id, Category: "cni", Subject: subject, Missing: missing}
	}
	n1 := engine.Subject{Kind: "Node", Name: "n1", Node: "n1"}
	link := func(node string) engine.MissingFacts {
		return engine.MissingFacts{Group: "links", Status: facts.NotAsked, Reason: "the tunnel of n2, n3 is not known", Collect: "ip -s -d link", Node: node}
	}
	d := &engine.Diagnosis{NotExamined: []engine.NotExamined{
		lacks("vxlan-neighbour-wrong", n1, link("n2"), link("n3")),
		lacks("dns-loop", engine.Subject{Kind: "Cluster", Name: "cluster"}, engine.MissingFacts{Group: "listeners", Status: facts.NotAsked, Reason: "no listeners", Collect: "ss -lntup"}),
	}}
	var b bytes.Buffer
	if err := report.Text(&b, d, report.TextOptions{Width: 100, Ask: true}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if !strings.Contains(text, "on n2 and n3\n    settles  vxlan-neighbour-wrong\n") {
		t.Errorf("NOT EXAMINED names another node:\n%s", text)
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^  (on .*), as root:\n.*?( >+)\$`).FindAllStringSubmatch(text, -1) {
		got = append(got, m[1]+m[2])
	}
	// What is asked of all nodes is in the same file, and stays there.
	if diff := cmp.Diff([]string{"on the nodes >", "on n2 and n3 >>"}, got); diff != "" {
		t.Errorf("%s\n%s", diff, text)
	}
}
