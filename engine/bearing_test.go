package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/question"
)

func TestBearing(t *testing.T) {
	hops := []datapath.Step{{Node: "n1", Stage: datapath.StageRoute}, {Node: "n2", Stage: datapath.StageRoute}}
	ended := func(change func(*datapath.Step)) *question.Answer {
		s := datapath.Step{Node: "n2", Stage: datapath.StageForward, Verdict: datapath.Dropped, Source: "iptables-nft-save -c, line 7"}
		change(&s)
		return &question.Answer{Verdict: datapath.Dropped, Hops: append(hops, s), EndsAt: &s}
	}
	same := ended(func(*datapath.Step) {})
	of := func(affects []string, explains []string, evidence ...facts.Evidence) Finding {
		return Finding{ID: "x", Severity: Critical, Affects: affects, Explains: explains, Evidence: evidence}
	}
	unreachable, advice := []string{"network-unreachable"}, of([]string{"n2"}, []string{"network-unreachable"})
	advice.Severity = Info
	table := func(text string) *question.Answer {
		return ended(func(s *datapath.Step) {
			s.Stage, s.Source, s.Text = datapath.StageRoute, "ip route show table main", text
		})
	}
	route := facts.Evidence{Value: "10.244.3.0/24 via 10.0.0.3 dev eth0", Source: "ip route show table main"}
	for name, c := range map[string]struct {
		answer  *question.Answer
		finding Finding
		want    Bearing
	}{
		"its node and what is seen":        {same, of([]string{"n2"}, unreachable), Explains},
		"all nodes":                        {same, of(nil, unreachable), Explains},
		"its node, and seen otherwise":     {same, of([]string{"n2"}, []string{"dns-slow"}), OnPath},
		"another node of the way":          {same, of([]string{"n1"}, unreachable), OnPath},
		"a node that it does not come to":  {same, of([]string{"n3"}, unreachable), Elsewhere},
		"the same line":                    {same, of([]string{"n2"}, nil, facts.Evidence{Source: "iptables-nft-save -c, line 7"}), Explains},
		"another line":                     {same, of([]string{"n2"}, nil, facts.Evidence{Source: "iptables-nft-save -c, line 8"}), OnPath},
		"the same line of another node":    {same, of([]string{"n1"}, nil, facts.Evidence{Source: "iptables-nft-save -c, line 7"}), OnPath},
		"advice":                           {same, advice, OnPath},
		"the same route":                   {table("10.244.3.9 by route 10.244.3.0/24 via 10.0.0.3 dev eth0, table 254"), of([]string{"n2"}, nil, route), Explains},
		"another route of the table":       {table("10.244.4.9 by route 10.244.4.0/24 via 10.0.0.4 dev eth0, table 254"), of([]string{"n2"}, nil, route), OnPath},
		"too big, and what loses such":     {ended(func(s *datapath.Step) { s.TooBig = &datapath.Oversize{} }), of([]string{"n2"}, []string{"large-packet-loss"}), Explains},
		"too big, and what loses all":      {ended(func(s *datapath.Step) { s.TooBig = &datapath.Oversize{} }), of([]string{"n2"}, unreachable), OnPath},
		"a Service":                        {ended(func(s *datapath.Step) { s.Service = "default/web" }), of([]string{"n2"}, []string{"service-unreachable"}), Explains},
		"a closed port":                    {ended(func(s *datapath.Step) { s.Stage = datapath.StageSocket }), of([]string{"n2"}, unreachable), OnPath},
		"a policy, and what loses packets": {ended(func(s *datapath.Step) { s.Stage = datapath.StagePolicy }), of([]string{"n2"}, unreachable), OnPath},
		"a policy, and what names it":      {ended(func(s *datapath.Step) { s.Stage = datapath.StagePolicy }), of([]string{"n2"}, nil, facts.Evidence{Source: "iptables-nft-save -c, line 7"}), Explains},
		"it arrives":                       {&question.Answer{Verdict: datapath.Delivered, Hops: hops, EndsAt: &hops[1]}, of([]string{"n2"}, unreachable), OnPath},
		"it arrives, as far as is known":   {&question.Answer{Verdict: datapath.Unknown, Expected: datapath.Delivered, Hops: hops, EndsAt: &hops[1]}, of([]string{"n2"}, unreachable), OnPath},
		"where it ends is not certain":     {&question.Answer{Verdict: datapath.Unknown, Hops: hops, EndsAt: &hops[1]}, of([]string{"n2"}, unreachable), Explains},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newHop(c.answer).bearing(&c.finding); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// A root takes the bearing of the nearest of what follows from it, and the nearest root comes first.
func TestBearingOfRoots(t *testing.T) {
	finding := func(id, root string, affects ...string) Finding {
		return Finding{ID: id, Root: root, Severity: Critical, Affects: affects, Explains: []string{"service-unreachable"}}
	}
	d := &Diagnosis{
		RootCauses: []Finding{finding("far", "far", "n9"), finding("near", "near", "n8")},
		Findings:   []Finding{finding("far", "far", "n9"), finding("near", "near", "n8"), finding("follows", "near", "n1")},
	}
	d.bear(&question.Answer{
		Verdict: datapath.Rejected, Hops: []datapath.Step{{Node: "n1"}},
		EndsAt: &datapath.Step{Node: "n1", Stage: datapath.StageOutput, Service: "default/web"},
	})
	var got []string
	for _, f := range append(d.RootCauses, d.Findings...) {
		got = append(got, f.ID+" "+string(f.Bearing))
	}
	want := []string{"near explains", "far elsewhere", "near explains", "follows explains", "far elsewhere"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
