package lint_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/lint"
)

const sound = `# METADATA
# title: The MTU of the uplink is wrong
# description: Packets are lost.
# related_resources:
#   - ref: https://www.rfc-editor.org/rfc/rfc1191
# custom:
#   id: site-mtu
#   category: large-packet-loss
#   scope: node
#   severity: warning
#   needs: [links]
#   explains: [large-packet-loss]
package netcause.rules.large_packet_loss.site_mtu

finding contains {
	"message": "m",
	"evidence": [{"fact": "f", "value": "v", "source": link.source}],
	"fix": {"summary": "s", "steps": []},
} if {
	some link in input.node.links
	link.mtu < 1500
}
`

func TestRules(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(sound, old, new, 1) }
	both := []string{"test_found_small", "test_ruled_out_usual"}
	for _, c := range []struct {
		name, text string
		tests      []string
		want       []string
	}{
		{"sound", sound, both, nil},
		{
			"no sources", replace("# related_resources:\n#   - ref: https://www.rfc-editor.org/rfc/rfc1191\n", ""), both,
			[]string{"site-mtu.rego:1: no related_resources: name the page that it was written from, with `- ref: https://…` (related-resources)"},
		},
		{"no symptom", replace("[large-packet-loss]", "[]"), both, []string{"site-mtu.rego:1: explains no symptom: the report could not say what follows from it (explains)"}},
		{"unknown cause", replace("#   explains", "#   causes: [nothing]\n#   explains"), both, []string{`site-mtu.rego:1: causes "nothing", which is no rule (causes)`}},
		{"no needs", replace("needs: [links]", "optional: [links]"), both, []string{"site-mtu.rego:1: needs no facts: where nothing was read, its fault would count as ruled out (needs)"}},
		{"undeclared", replace("link.mtu <", "some route in input.node.routes\n\troute.mtu <"), both, []string{"site-mtu.rego:21: it reads routes: write it in needs, or in optional where it can do without (needs)"}},
		{"undeclared in a helper", replace("link.mtu <", "_one(input.node)\n\tlink.mtu <") + "\n_one(node) if count(node.routes) == 1\n", both, []string{"site-mtu.rego:25: it reads routes: write it in needs, or in optional where it can do without (needs)"}},
		{"declared as optional", strings.Replace(replace("link.mtu <", "some route in input.node.routes\n\troute.mtu <"), "#   explains", "#   optional: [routes]\n#   explains", 1), both, nil},
		{"optional and not read", replace("#   explains", "#   optional: [routes]\n#   explains"), both, []string{"site-mtu.rego:1: optional names routes, which it does not read (optional)"}},
		{"no fix", replace("\t\"fix\": {\"summary\": \"s\", \"steps\": []},\n", ""), both, []string{"site-mtu.rego:15: it has no fix: say what puts it right, with the commands as they are to be run (fix)"}},
		{"empty evidence", replace(`[{"fact": "f", "value": "v", "source": link.source}]`, "[]"), both, []string{"site-mtu.rego:15: its evidence is always empty: a reader has nothing to check it by (evidence)"}},
		{"package", replace("large_packet_loss.site_mtu", "large_packet_loss.mtu"), both, []string{"site-mtu.rego:13: its package is found by its id: let it end with .site_mtu (name)"}},
		{"no tests", sound, nil, []string{
			"site-mtu.rego:13: no test of what it finds: write test_found_… in package netcause.rules.large_packet_loss.site_mtu_test (tests)",
			"site-mtu.rego:13: no test of what looks like it and is not: write test_ruled_out_… in package netcause.rules.large_packet_loss.site_mtu_test (tests)",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			library, err := engine.Load(fstest.MapFS{"site-mtu.rego": {Data: []byte(c.text)}})
			if err != nil {
				t.Fatal(err)
			}
			reviews, err := library.Review(false)
			if err != nil {
				t.Fatal(err)
			}
			tests := map[string][]string{reviews[0].Package: c.tests}
			remarks, err := lint.Rules(t.Context(), reviews, []string{"site-mtu"}, tests)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, remark := range remarks {
				got = append(got, remark.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("remarks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFileName(t *testing.T) {
	library, err := engine.Load(fstest.MapFS{"mtu.rego": {Data: []byte(sound)}})
	if err != nil {
		t.Fatal(err)
	}
	reviews, err := library.Review(false)
	if err != nil {
		t.Fatal(err)
	}
	remarks, err := lint.Rules(t.Context(), reviews, nil, map[string][]string{reviews[0].Package: {"test_found_x", "test_ruled_out_x"}})
	if err != nil || len(remarks) != 1 || remarks[0].Message != "its file is found by its id: name it site-mtu.rego" {
		t.Errorf("remarks %v, %v", remarks, err)
	}
}

func TestFormat(t *testing.T) {
	text, err := os.ReadFile("lint.rego")
	if err != nil {
		t.Fatal(err)
	}
	formatted, err := format.Source("lint.rego", text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(formatted)); diff != "" {
		t.Errorf("lint.rego is not as opa fmt writes it (-file +formatted):\n%s", diff)
	}
}
