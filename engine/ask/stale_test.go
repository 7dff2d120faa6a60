package ask

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

// translating is a node whose rules translate 10.96.0.20:80 to these.
func translating(targets ...string) *facts.Node {
	var b strings.Builder
	b.WriteString("*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n")
	for i := range targets {
		fmt.Fprintf(&b, ":KUBE-SEP-%d - [0:0]\n", i)
	}
	b.WriteString("-A PREROUTING -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\n")
	if len(targets) > 0 {
		b.WriteString("-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A\n")
	}
	for i := range targets {
		chance := ""
		if left := len(targets) - i; left > 1 {
			chance = fmt.Sprintf(" -m statistic --mode random --probability %.11f", 1/float64(left))
		}
		fmt.Fprintf(&b, "-A KUBE-SVC-A%s -j KUBE-SEP-%d\n", chance, i)
	}
	for i, target := range targets {
		fmt.Fprintf(&b, "-A KUBE-SEP-%d -p tcp -m tcp -j DNAT --to-destination %s\n", i, target)
	}
	b.WriteString("COMMIT\n")
	if len(targets) == 0 {
		b.WriteString(`*filter
:FORWARD ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m comment --comment "shop/web has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable
COMMIT
`)
	}
	return nodeWithRules(b.String())
}

func nodeWithRules(save string) *facts.Node {
	node := &facts.Node{Name: "n1"}
	node.IPTablesNFT = facts.ReadGroup(facts.Listing{Format: "iptables-save"}, "iptables-nft-save -c")
	node.IPTablesNFT.Raw = []facts.Raw{{Name: "iptables-nft-save_-c", Data: []byte(save)}}
	node.IPTablesLegacy = facts.ReadGroup(facts.Listing{Format: "iptables-save"}, "iptables-legacy-save -c")
	node.NFTables = facts.ReadGroup(facts.Listing{Format: "nft-json"}, "nft -j list ruleset")
	return node
}

func endpointAt(address, node string, change func(*facts.Endpoint)) facts.Endpoint {
	yes, no := true, false
	e := facts.Endpoint{
		Addresses: []string{address}, NodeName: node,
		Conditions: facts.EndpointConditions{Ready: &yes, Serving: &yes, Terminating: &no},
	}
	if change != nil {
		change(&e)
	}
	return e
}

func leaving(e *facts.Endpoint) {
	yes, no := true, false
	e.Conditions = facts.EndpointConditions{Ready: &no, Serving: &yes, Terminating: &yes}
}

func sliceOf(endpoints ...facts.Endpoint) facts.EndpointSlice {
	return facts.EndpointSlice{
		Source: "endpointslices.json", AddressType: "IPv4", Endpoints: endpoints, Ports: []facts.EndpointPort{{Protocol: "TCP", Port: 8080}},
		Metadata: facts.ObjectMeta{
			Namespace: "shop", Name: "web-x", Labels: labelled("kubernetes.io/service-name", "web"),
			Annotations: map[string]string{"endpoints.kubernetes.io/last-change-trigger-time": ago(time.Minute)},
		},
	}
}

func TestStaleServices(t *testing.T) {
	const a, b, c = "10.244.1.7", "10.244.2.7", "10.244.3.7"
	hint := func(zone string) func(*facts.Endpoint) {
		return func(e *facts.Endpoint) { e.Hints = &facts.EndpointHints{ForZones: []facts.EndpointHint{{Name: zone}}} }
	}
	for _, test := range []struct {
		name      string
		endpoints []facts.Endpoint
		node      *facts.Node
		change    func(*facts.Cluster)
		want      string
	}{
		{"as they should be", []facts.Endpoint{endpointAt(a, "n1", nil), endpointAt(b, "n2", nil)}, translating(a+":8080", b+":8080"), nil, "fresh"},
		{"one is gone", []facts.Endpoint{endpointAt(a, "n1", nil)}, translating(a+":8080", c+":8080"), nil, "gone 10.244.3.7:8080"},
		{"one is new", []facts.Endpoint{endpointAt(a, "n1", nil), endpointAt(b, "n2", nil)}, translating(a + ":8080"), nil, "absent 10.244.2.7:8080"},
		{"all are others", []facts.Endpoint{endpointAt(b, "n2", nil)}, translating(c + ":8080"), nil, "gone 10.244.3.7:8080 absent 10.244.2.7:8080"},
		{"another port", []facts.Endpoint{endpointAt(a, "n1", nil)}, translating(a + ":9090"), nil, "gone 10.244.1.7:9090 absent 10.244.1.7:8080"},
		{"refused with endpoints", []facts.Endpoint{endpointAt(a, "n1", nil)}, translating(), nil, "refused"},
		{"refused without", nil, translating(), nil, "fresh"},
		{"no rule at all", []facts.Endpoint{endpointAt(a, "n1", nil)}, nodeWithRules("*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n"), nil, "missing"},
		{"serving while it terminates", []facts.Endpoint{endpointAt(a, "n1", leaving)}, translating(a + ":8080"), nil, "fresh"},
		{"terminating beside a ready one, still there", []facts.Endpoint{endpointAt(a, "n1", leaving), endpointAt(b, "n2", nil)}, translating(a+":8080", b+":8080"), nil, "fresh"},
		{
			"hints for the zone",
			[]facts.Endpoint{endpointAt(a, "n1", hint("z1")), endpointAt(b, "n2", hint("z2"))},
			translating(a + ":8080"),
			func(c *facts.Cluster) {
				c.Nodes.Value[0].Metadata.Labels = labelled("topology.kubernetes.io/zone", "z1")
			},
			"fresh",
		},
		{
			"a proxy that heeds no hints",
			[]facts.Endpoint{endpointAt(a, "n1", hint("z1")), endpointAt(b, "n2", hint("z2"))},
			translating(a+":8080", b+":8080"),
			func(c *facts.Cluster) {
				c.Nodes.Value[0].Metadata.Labels = labelled("topology.kubernetes.io/zone", "z1")
			},
			"fresh",
		},
		{
			"internalTrafficPolicy Local",
			[]facts.Endpoint{endpointAt(a, "n1", nil), endpointAt(b, "n2", nil)},
			translating(a + ":8080"),
			func(c *facts.Cluster) { c.Services.Value[0].Spec.InternalTrafficPolicy = "Local" }, "fresh",
		},
		{
			"another proxy's",
			[]facts.Endpoint{endpointAt(a, "n1", nil)},
			translating(c + ":8080"),
			func(c *facts.Cluster) {
				c.Services.Value[0].Metadata.Labels = labelled("service.kubernetes.io/service-proxy-name", "other")
			}, "none",
		},
		{
			"neither slices nor Pods were read", nil, translating(c + ":8080"),
			func(c *facts.Cluster) {
				c.EndpointSlices = facts.Unread[[]facts.EndpointSlice](facts.Absent, "")
				c.Pods = facts.Unread[[]facts.Pod](facts.Absent, "")
			}, "undecided",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			cluster := shop([]facts.Service{webService("web", labelled("app", "web"), http)}, nil)
			cluster.Nodes = facts.ReadGroup([]facts.NodeObject{{Metadata: facts.ObjectMeta{Name: "n1"}}})
			cluster.EndpointSlices.Value = []facts.EndpointSlice{sliceOf(test.endpoints...)}
			if test.change != nil {
				test.change(cluster)
			}
			in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{test.node}, Cluster: cluster, Inputs: []facts.Input{
				{Kind: "node", Name: "n1", CollectedAt: read.Add(-3 * time.Second)}, {Kind: "cluster", CollectedAt: read},
			}})
			got, err := askStaleServices(in, []any{"n1"})
			if err != nil {
				t.Fatal(err)
			}
			answer := got.(*staleServicesAnswer)
			if diff := cmp.Diff(test.want, shownStale(answer)); diff != "" {
				t.Errorf("%s\n%+v", diff, answer)
			}
			if *answer.Lag != 3 {
				t.Errorf("lag %d", *answer.Lag)
			}
			for _, s := range answer.Stale {
				if seconds(s.Seconds) != 57 || !s.Missing && len(s.Evidence) == 0 {
					t.Errorf("seconds %d, evidence %v", seconds(s.Seconds), s.Evidence)
				}
			}
		})
	}
}

func shownStale(a *staleServicesAnswer) string {
	switch {
	case a.Count > 0:
		s := a.Stale[0]
		var words []string
		for _, gone := range s.Gone {
			words = append(words, "gone "+gone)
		}
		for _, absent := range s.Absent {
			words = append(words, "absent "+absent)
		}
		if s.Refused {
			words = append(words, "refused")
		}
		if s.Missing {
			words = append(words, "missing")
		}
		return strings.Join(words, " ")
	case a.Fresh > 0:
		return "fresh"
	case a.Undecided > 0:
		return "undecided"
	}
	return "none"
}
