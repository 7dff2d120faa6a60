package ask_test

import (
	"testing"
	"testing/fstest"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/ask"
)

// A rule follows a packet and quotes the hop.
func TestRuleFollowsPacket(t *testing.T) {
	const text = `# METADATA
# title: A packet is thrown away
# description: d
# custom:
#   id: thrown-away
#   category: network-unreachable
#   scope: node
#   severity: critical
#   needs: [routes]
#   explains: [network-unreachable]
#   causes: []
package netcause.rules.network_unreachable.thrown_away

finding contains {
	"message": trace.ends_at.text,
	"evidence": [{"fact": trace.ends_at.stage, "value": trace.verdict, "source": trace.ends_at.source}],
	"fix": {"summary": "", "steps": []},
} if {
	trace := netcause.trace(sprintf("node/%s", [input.node.name]), "ip/203.0.113.7:80", "")
	trace.verdict == "dropped"
}
`
	e, err := engine.New(t.Context(), fstest.MapFS{"network-unreachable/thrown-away.rego": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.Diagnose(t.Context(), ask.Blackholed())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.FailedRules) > 0 || len(d.RootCauses) != 1 || d.RootCauses[0].Evidence[0].Source != "ip route show table main" {
		t.Errorf("findings %+v, failed %+v", d.RootCauses, d.FailedRules)
	}
}
