package networkpolicy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

// check is the truth table for one destination port.
type check struct {
	protocol string
	port     uint16
	want     []string
}

func on(protocol string, port uint16, want ...string) check { return check{protocol, port, want} }

// step is a state of the cluster: its policies, as name and spec in turn, and what else changed.
type step struct {
	policies []string
	change   func(*facts.Cluster)
	checks   []check
}

func relabel(pod string, labels map[string]string) func(*facts.Cluster) {
	return func(c *facts.Cluster) {
		p := podOf(c, pod)
		merged := map[string]string{}
		for k, v := range p.Metadata.Labels {
			merged[k] = v
		}
		for k, v := range labels {
			merged[k] = v
		}
		p.Metadata.Labels = merged
	}
}

func relabelNamespace(name string, labels map[string]string) func(*facts.Cluster) {
	return func(c *facts.Cluster) {
		for i := range c.Namespaces.Value {
			if m := &c.Namespaces.Value[i].Metadata; m.Name == name {
				m.Labels = labels
			}
		}
	}
}

func run(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		var policies []facts.NetworkPolicy
		for i := 0; i < len(s.policies); i += 2 {
			policies = append(policies, np(t, s.policies[i], s.policies[i+1]))
		}
		var change []func(*facts.Cluster)
		if s.change != nil {
			change = append(change, s.change)
		}
		c := world(policies, change...)
		for _, k := range s.checks {
			got, want := measure(c, k.protocol, k.port), expect(t, k.want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("port %d/%s: want\n%sgot\n%s", k.port, k.protocol, want, got)
			}
		}
	}
}

const (
	denyIngress = `{"podSelector":{},"policyTypes":["Ingress"]}`
	denyEgress  = `{"podSelector":{},"policyTypes":["Egress"]}`
	denyAll     = `{"podSelector":{},"policyTypes":["Ingress","Egress"],"ingress":[],"egress":[]}`
	allowIn     = `{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{}]}`
	allowOut    = `{"podSelector":{},"policyTypes":["Egress"],"egress":[{}]}`
)

// fromPeers is an ingress policy for Pods a with one rule.
func fromPeers(peers string) string {
	return `{"podSelector":{"matchLabels":{"pod":"a"}},"policyTypes":["Ingress"],"ingress":[{"from":[` + peers + `]}]}`
}

func toPeers(peers string) string {
	return `{"podSelector":{"matchLabels":{"pod":"a"}},"policyTypes":["Egress"],"egress":[{"to":[` + peers + `]}]}`
}

// TestUpstreamSuite has the situations of Kubernetes' own end-to-end tests of NetworkPolicy (test/e2e/network/netpol).
func TestUpstreamSuite(t *testing.T) {
	one := func(checks []check, policies ...string) []step {
		return []step{{policies: policies, checks: checks}}
	}
	for name, steps := range map[string][]step{
		"default deny of ingress isolates the whole namespace": one([]check{
			on(tcp, 80, "- * > x/*"), on(udp, 80, "- * > x/*"), on(sctp, 80, "- * > x/*"),
		}, "x/deny", denyIngress),
		"default deny of both directions": one([]check{on(tcp, 80, "- * > x/*", "- x/* > *")}, "x/deny", denyAll),
		"a podSelector lets in Pods of its own namespace": one([]check{
			on(tcp, 80, "- * > x/a", "+ x/b > x/a"),
		}, "x/p", fromPeers(`{"podSelector":{"matchLabels":{"pod":"b"}}}`)),
		"an allowing policy adds to a default deny": one([]check{
			on(tcp, 80, "- * > x/*", "+ * > x/a"),
		}, "x/deny", denyIngress, "x/allow", fromPeers(`{"podSelector":{},"namespaceSelector":{}}`)),
		"an empty namespaceSelector is all namespaces": one([]check{on(tcp, 80)},
			"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{}}}`)),
		"a namespaceSelector lets in one namespace": one([]check{
			on(tcp, 80, "- * > x/a", "+ y/* > x/a"),
		}, "x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"ns":"y"}}}`)),
		"a podSelector of expressions": one([]check{
			on(tcp, 80, "- * > x/a", "+ x/b > x/a"),
		}, "x/p", fromPeers(`{"podSelector":{"matchExpressions":[{"key":"pod","operator":"In","values":["b"]}]}}`)),
		"a namespaceSelector of expressions": one([]check{
			on(tcp, 80, "- * > x/a", "+ y/* > x/a"),
		}, "x/p", fromPeers(`{"namespaceSelector":{"matchExpressions":[{"key":"ns","operator":"In","values":["y"]}]}}`)),
		"two peers: either selector": one([]check{
			on(tcp, 80, "- x/* > x/a", "+ x/b > x/a"),
		}, "x/p", fromPeers(`{"namespaceSelector":{"matchExpressions":[{"key":"ns","operator":"NotIn","values":["x"]}]}},{"podSelector":{"matchLabels":{"pod":"b"}}}`)),
		"one peer: both selectors": one([]check{
			on(tcp, 80, "- * > x/a", "+ y/b > x/a", "+ z/b > x/a"),
		}, "x/p", fromPeers(`{"namespaceSelector":{"matchExpressions":[{"key":"ns","operator":"NotIn","values":["x"]}]},"podSelector":{"matchLabels":{"pod":"b"}}}`)),
		"selectors of several values": one([]check{
			on(tcp, 80, "- * > x/a", "+ y/b > x/a", "+ y/c > x/a", "+ z/b > x/a", "+ z/c > x/a"),
		}, "x/p", fromPeers(`{"namespaceSelector":{"matchExpressions":[{"key":"ns","operator":"NotIn","values":["x"]}]},"podSelector":{"matchExpressions":[{"key":"pod","operator":"In","values":["b","c"]}]}}`)),
		"any of several podSelectors": one([]check{
			on(tcp, 80, "- * > x/a", "+ x/b > x/a", "+ x/c > x/a"),
		}, "x/p", fromPeers(`{"podSelector":{"matchLabels":{"pod":"b"}}},{"podSelector":{"matchLabels":{"pod":"c"}}}`)),
		"one Pod of another namespace": one([]check{
			on(tcp, 80, "- * > x/a", "+ y/a > x/a"),
			on(udp, 80, "- * > x/a", "+ y/a > x/a"),
			on(sctp, 80, "- * > x/a", "+ y/a > x/a"),
		}, "x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"ns":"y"}},"podSelector":{"matchLabels":{"pod":"a"}}}`)),
		"a port and a namespace": one([]check{
			on(tcp, 81, "- * > x/a", "+ y/* > x/a"), on(tcp, 80, "- * > x/a"), on(udp, 81, "- * > x/a"),
		}, "x/p", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}],"ports":[{"port":81,"protocol":"TCP"}]}]}`),
		"a UDP port and a namespace": one([]check{
			on(udp, 81, "- * > x/a", "+ y/* > x/a"), on(tcp, 81, "- * > x/a"),
		}, "x/p", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}],"ports":[{"port":81,"protocol":"UDP"}]}]}`),
		"an SCTP port and a namespace": one([]check{
			on(sctp, 81, "- * > x/a", "+ y/* > x/a"), on(tcp, 81, "- * > x/a"),
		}, "x/p", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}],"ports":[{"port":81,"protocol":"SCTP"}]}]}`),
		"stacked policies add up": {
			{
				policies: []string{"x/81", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}],"ports":[{"port":81}]}]}`},
				checks:   []check{on(tcp, 81, "- * > x/a", "+ y/* > x/a"), on(tcp, 80, "- * > x/a")},
			},
			{
				policies: []string{
					"x/81", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}],"ports":[{"port":81}]}]}`,
					"x/80", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}],"ports":[{"port":80}]}]}`,
				},
				checks: []check{on(tcp, 80, "- * > x/a", "+ y/* > x/a"), on(tcp, 81, "- * > x/a", "+ y/* > x/a")},
			},
		},
		"an empty rule allows all": one([]check{on(tcp, 80), on(tcp, 81)}, "x/p", allowIn),
		"ingress on a named port": one([]check{on(tcp, 81), on(tcp, 80, "- * > x/*"), on(udp, 81, "- * > x/*")},
			"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":"serve-81-tcp"}]}]}`),
		"ingress from a namespace on a named port": one([]check{
			on(tcp, 80, "- * > x/a", "+ y/* > x/a"), on(tcp, 81, "- * > x/a"),
		}, "x/p", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}],"ports":[{"port":"serve-80-tcp","protocol":"TCP"}]}]}`),
		"egress on a named port": one([]check{on(tcp, 80), on(tcp, 81, "- x/* > *")},
			"x/p", `{"podSelector":{},"policyTypes":["Egress"],"egress":[{"ports":[{"port":"serve-80-tcp"}]}]}`),
		"a policy that is changed": {
			{policies: []string{"x/p", allowIn}, checks: []check{on(tcp, 81)}},
			{policies: []string{"x/p", denyIngress}, checks: []check{on(tcp, 81, "- * > x/*")}},
		},
		"a namespace that gets the label": {
			{policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"ns2":"updated"}}}`)}, checks: []check{on(tcp, 80, "- * > x/a")}},
			{
				policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"ns2":"updated"}}}`)},
				change:   relabelNamespace("y", map[string]string{"ns2": "updated"}),
				checks:   []check{on(tcp, 80, "- * > x/a", "+ y/* > x/a")},
			},
		},
		"a client that gets the label": {
			{policies: []string{"x/p", fromPeers(`{"podSelector":{"matchLabels":{"pod":"b","pod2":"updated"}}}`)}, checks: []check{on(tcp, 80, "- * > x/a")}},
			{
				policies: []string{"x/p", fromPeers(`{"podSelector":{"matchLabels":{"pod":"b","pod2":"updated"}}}`)},
				change:   relabel("x/b", map[string]string{"pod2": "updated"}),
				checks:   []check{on(tcp, 80, "- * > x/a", "+ x/b > x/a")},
			},
		},
		"an empty podSelector keeps other namespaces out": one([]check{
			on(tcp, 80, "- * > x/*", "+ x/* > x/*"),
		}, "x/p", `{"podSelector":{},"ingress":[{"from":[{"podSelector":{}}]}]}`),
		"a server that gets the label": {
			{policies: []string{"x/p", `{"podSelector":{"matchLabels":{"target":"isolated"}}}`}, checks: []check{on(tcp, 80)}},
			{
				policies: []string{"x/p", `{"podSelector":{"matchLabels":{"target":"isolated"}}}`},
				change:   relabel("x/a", map[string]string{"target": "isolated"}),
				checks:   []check{on(tcp, 80, "- * > x/a")},
			},
		},
		"egress of one Pod": one([]check{on(tcp, 80, "- x/a > *")},
			"x/p", `{"podSelector":{"matchLabels":{"pod":"a"}},"policyTypes":["Egress"]}`),
		"egress of a namespace": one([]check{on(tcp, 80, "- x/* > *")}, "x/p", denyEgress),
		"ingress and egress in one policy": one([]check{
			on(tcp, 80, "- * > x/a", "+ x/b > x/a"),
			on(tcp, 81, "- * > x/a", "+ x/b > x/a", "- x/a > *"),
		}, "x/p", `{"podSelector":{"matchLabels":{"pod":"a"}},"policyTypes":["Egress","Ingress"],"ingress":[{"from":[{"podSelector":{"matchLabels":{"pod":"b"}}}]}],"egress":[{"ports":[{"port":80}]}]}`),
		"egress is denied though ingress allows": one([]check{
			on(tcp, 80, "- x/a > *", "- * > y/a", "- * > y/b", "+ x/a > y/a"),
		},
			"x/out", toPeers(`{"namespaceSelector":{"matchLabels":{"ns":"y"}},"podSelector":{"matchLabels":{"pod":"a"}}}`),
			"y/in-a", fromPeers(`{"namespaceSelector":{"matchLabels":{"ns":"x"}},"podSelector":{"matchLabels":{"pod":"a"}}}`),
			"y/in-b", `{"podSelector":{"matchLabels":{"pod":"b"}},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"x"}},"podSelector":{"matchLabels":{"pod":"a"}}}]}]}`),
		"egress to a Pod of another namespace": one([]check{on(tcp, 80, "- x/a > *", "+ x/a > y/a")},
			"x/p", toPeers(`{"namespaceSelector":{"matchLabels":{"ns":"y"}},"podSelector":{"matchLabels":{"pod":"a"}}}`)),
		"a protocol without a port is all its ports": one([]check{
			on(tcp, 80), on(tcp, 81), on(udp, 80, "- * > x/a"), on(sctp, 80, "- * > x/a"),
		}, "x/p", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"ports":[{"protocol":"TCP"}]}]}`),
		"of ingress policies one that allows all prevails": {
			{policies: []string{"x/80", `{"podSelector":{},"ingress":[{"ports":[{"port":80}]}]}`}, checks: []check{on(tcp, 81, "- * > x/*")}},
			{policies: []string{"x/80", `{"podSelector":{},"ingress":[{"ports":[{"port":80}]}]}`, "x/all", allowIn}, checks: []check{on(tcp, 81)}},
		},
		"of egress policies one that allows all prevails": {
			{policies: []string{"x/80", `{"podSelector":{},"policyTypes":["Egress"],"egress":[{"ports":[{"port":80}]}]}`}, checks: []check{on(tcp, 81, "- x/* > *")}},
			{policies: []string{"x/80", `{"podSelector":{},"policyTypes":["Egress"],"egress":[{"ports":[{"port":80}]}]}`, "x/all", allowOut}, checks: []check{on(tcp, 81)}},
		},
		"a policy that is deleted": {
			{policies: []string{"x/p", denyAll}, checks: []check{on(tcp, 80, "- x/* > *", "- * > x/*")}},
			{checks: []check{on(tcp, 80)}},
		},
		"egress to the one address of a Pod": one([]check{on(tcp, 80, "- x/a > *", "+ x/a > y/b")},
			"x/p", toPeers(`{"ipBlock":{"cidr":"10.244.2.11/32"}}`)),
		"egress to a range but for one address": one([]check{on(tcp, 80, "- x/a > x/b")},
			"x/p", toPeers(`{"ipBlock":{"cidr":"10.244.0.0/16","except":["10.244.2.10/32"]}}`)),
		"an exception binds its own ipBlock alone": one([]check{on(tcp, 80)},
			"x/p", toPeers(`{"ipBlock":{"cidr":"10.244.0.0/16","except":["10.244.2.10/32"]}},{"ipBlock":{"cidr":"10.244.2.10/32"}}`)),
		"egress allowed and ingress denied of one Pod": one([]check{on(tcp, 80, "- * > x/a")},
			"x/out", `{"podSelector":{"matchLabels":{"pod":"a"}},"policyTypes":["Egress"],"egress":[{}]}`,
			"x/in", `{"podSelector":{"matchLabels":{"pod":"a"}},"policyTypes":["Ingress"]}`),
		"SCTP is not TCP": one([]check{on(tcp, 81, "- * > x/*"), on(sctp, 81, "- * > x/*", "+ * > x/a")},
			"x/deny", denyIngress, "x/sctp", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"ports":[{"port":81,"protocol":"SCTP"}]}]}`),
		"a policy for SCTP isolates from TCP": one([]check{on(tcp, 81, "- * > x/a")},
			"x/sctp", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"ports":[{"port":80,"protocol":"SCTP"}]}]}`),
		"a policy for UDP isolates from TCP": one([]check{on(tcp, 81, "- * > x/a"), on(udp, 81)},
			"x/udp", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"ports":[{"port":81,"protocol":"UDP"}]}]}`),
		"a namespace by the label of its name": one([]check{on(tcp, 80, "- * > x/a", "+ y/* > x/a")},
			"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"y"}}}`)),
		"all namespaces but one by the label of its name": one([]check{on(tcp, 80, "- x/a > y/*")},
			"x/p", toPeers(`{"namespaceSelector":{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["y"]}]}}`)),
	} {
		t.Run(name, func(t *testing.T) { run(t, steps) })
	}
}

// TestFeatures goes through each feature of a policy alone, in both directions: the plan of cyclonus' generated cases.
func TestFeatures(t *testing.T) {
	// A policy for x/a of one rule about Pods b, c of namespaces y, z and port 80, of which each case changes one thing.
	const peers = `{"namespaceSelector":{"matchExpressions":[{"key":"ns","operator":"In","values":["y","z"]}]},"podSelector":{"matchExpressions":[{"key":"pod","operator":"In","values":["b","c"]}]}}`
	policy := func(selector, in, out string) string {
		return `{"podSelector":` + selector + `,"policyTypes":["Ingress","Egress"],"ingress":` + in + `,"egress":` + out + `}`
	}
	onlyA := `{"matchLabels":{"pod":"a"}}`
	base := func(from, ports string) (in, out string) {
		r := ""
		if ports != "" {
			r = `,"ports":` + ports
		}
		return `[{"from":` + from + r + `}]`, `[{"to":` + from + r + `}]`
	}
	// peersOnly are cases of peers on all ports; who is who may be reached and reaches.
	peersOnly := func(from string, who ...string) []step {
		want := []string{"- * > x/a", "- x/a > *"}
		for _, w := range who {
			want = append(want, "+ "+w+" > x/a", "+ x/a > "+w)
		}
		in, out := base(`[`+from+`]`, "")
		return []step{{policies: []string{"x/p", policy(onlyA, in, out)}, checks: []check{on(tcp, 80, want...), on(udp, 81, want...)}}}
	}
	// portsOnly are cases of ports and all peers.
	portsOnly := func(ports string, checks ...check) []step {
		in, out := base(`[]`, ports)
		return []step{{policies: []string{"x/p", policy(onlyA, in, out)}, checks: checks}}
	}
	closed := func(protocol string, port uint16) check { return on(protocol, port, "- * > x/a", "- x/a > *") }
	open := func(protocol string, port uint16) check { return on(protocol, port) }
	in, out := base(`[`+peers+`]`, `[{"port":80,"protocol":"TCP"}]`)
	baseTable := func(selected string) []string {
		return []string{
			"- * > " + selected, "- " + selected + " > *",
			"+ y/b > " + selected, "+ y/c > " + selected, "+ z/b > " + selected, "+ z/c > " + selected,
			"+ " + selected + " > y/b", "+ " + selected + " > y/c", "+ " + selected + " > z/b", "+ " + selected + " > z/c",
		}
	}
	for name, steps := range map[string][]step{
		"base": {{policies: []string{"x/p", policy(onlyA, in, out)}, checks: []check{on(tcp, 80, baseTable("x/a")...), closed(tcp, 81), closed(udp, 80)}}},
		"policy in another namespace": {{
			policies: []string{"y/p", policy(onlyA, in, out)},
			checks:   []check{on(tcp, 80, "- * > y/a", "- y/a > *", "+ y/b > y/a", "+ y/c > y/a", "+ z/b > y/a", "+ z/c > y/a", "+ y/a > y/b", "+ y/a > y/c", "+ y/a > z/b", "+ y/a > z/c")},
		}},
		"empty podSelector of the policy": {{policies: []string{"x/p", policy(`{}`, in, out)}, checks: []check{on(tcp, 80, baseTable("x/*")...)}}},
		"podSelector of the policy by In": {{
			policies: []string{"x/p", policy(`{"matchExpressions":[{"key":"pod","operator":"In","values":["a","b"]}]}`, in, out)},
			checks:   []check{on(tcp, 80, append(baseTable("x/a"), baseTable("x/b")...)...)},
		}},
		"podSelector of the policy by NotIn": {{
			policies: []string{"x/p", policy(`{"matchExpressions":[{"key":"pod","operator":"NotIn","values":["b","c"]}]}`, in, out)},
			checks:   []check{on(tcp, 80, baseTable("x/a")...)},
		}},
		"podSelector of the policy by Exists": {{
			policies: []string{"x/p", policy(`{"matchExpressions":[{"key":"pod","operator":"Exists"}]}`, in, out)},
			checks:   []check{on(tcp, 80, baseTable("x/*")...)},
		}},
		"podSelector of the policy by DoesNotExist": {{
			policies: []string{"x/p", policy(`{"matchExpressions":[{"key":"pod","operator":"DoesNotExist"}]}`, in, out)},
			checks:   []check{on(tcp, 80)},
		}},
		"NotIn takes what lacks the label": {{
			policies: []string{"x/p", policy(`{"matchExpressions":[{"key":"nowhere","operator":"NotIn","values":["a"]}]}`, in, out)},
			checks:   []check{on(tcp, 80, baseTable("x/*")...)},
		}},
		"labels and expressions are one conjunction": {{
			policies: []string{"x/p", policy(`{"matchLabels":{"pod":"a"},"matchExpressions":[{"key":"pod","operator":"NotIn","values":["a"]}]}`, in, out)},
			checks:   []check{on(tcp, 80)},
		}},
		"no rules":             {{policies: []string{"x/p", policy(onlyA, `[]`, `[]`)}, checks: []check{closed(tcp, 80), closed(udp, 80)}}},
		"an empty rule":        {{policies: []string{"x/p", policy(onlyA, `[{}]`, `[{}]`)}, checks: []check{open(tcp, 80), open(sctp, 81)}}},
		"empty lists of peers": {{policies: []string{"x/p", policy(onlyA, `[{"from":[],"ports":[]}]`, `[{"to":[],"ports":[]}]`)}, checks: []check{open(tcp, 80)}}},

		"policyTypes absent, no egress rules: ingress alone": {{
			policies: []string{"x/p", `{"podSelector":{}}`}, checks: []check{on(tcp, 80, "- * > x/*")},
		}},
		"policyTypes absent, empty egress: ingress alone": {{
			policies: []string{"x/p", `{"podSelector":{},"egress":[]}`}, checks: []check{on(tcp, 80, "- * > x/*")},
		}},
		"policyTypes absent, egress rules: both": {{
			policies: []string{"x/p", `{"podSelector":{},"egress":[{"to":[{"podSelector":{"matchLabels":{"pod":"b"}}}]}]}`},
			checks:   []check{on(tcp, 80, "- * > x/*", "- x/* > *")},
		}},
		"rules of a direction that is not in policyTypes mean nothing": {{
			policies: []string{"x/p", `{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{}],"egress":[{"ports":[{"port":1}]}]}`},
			checks:   []check{on(tcp, 80)},
		}},

		"peer: all Pods of the policy's namespace": peersOnly(`{"podSelector":{}}`, "x/*"),
		"peer: Pods of the policy's namespace":     peersOnly(`{"podSelector":{"matchLabels":{"pod":"c"}}}`, "x/c"),
		"peer: namespaces":                         peersOnly(`{"namespaceSelector":{"matchLabels":{"ns":"y"}}}`, "y/*"),
		"peer: all Pods of namespaces":             peersOnly(`{"podSelector":{},"namespaceSelector":{"matchLabels":{"ns":"y"}}}`, "y/*"),
		"peer: all Pods of all namespaces":         peersOnly(`{"podSelector":{},"namespaceSelector":{}}`, "*"),
		"peer: Pods of namespaces":                 peersOnly(`{"podSelector":{"matchLabels":{"pod":"c"}},"namespaceSelector":{"matchLabels":{"ns":"z"}}}`, "z/c"),
		"peer: Pods of all namespaces":             peersOnly(`{"podSelector":{"matchLabels":{"pod":"c"}},"namespaceSelector":{}}`, "x/c", "y/c", "z/c"),
		"peer: no such namespace":                  peersOnly(`{"namespaceSelector":{"matchLabels":{"never":"seen"}}}`),
		"peer: ipBlock with host bits":             peersOnly(`{"ipBlock":{"cidr":"10.244.2.11/24"}}`, "x/b", "y/b", "z/b"),
		"peer: ipBlock with except":                peersOnly(`{"ipBlock":{"cidr":"10.244.2.0/24","except":["10.244.2.10/31"]}}`, "z/b"),
		"peer: ipBlock of everything":              peersOnly(`{"ipBlock":{"cidr":"0.0.0.0/0"}}`, "*"),
		"peer: ipBlock of the other family":        peersOnly(`{"ipBlock":{"cidr":"::/0"}}`),
		"peer: ipBlock beside a selector":          peersOnly(`{"ipBlock":{"cidr":"10.244.2.11/32"}},{"podSelector":{"matchLabels":{"pod":"c"}}}`, "y/b", "x/c"),

		"ports: none given":                  portsOnly(`[]`, open(tcp, 80), open(udp, 81), open(sctp, 81)),
		"ports: protocol defaults to TCP":    portsOnly(`[{"port":81}]`, open(tcp, 81), closed(tcp, 80), closed(udp, 81), closed(sctp, 81)),
		"ports: neither protocol nor port":   portsOnly(`[{}]`, open(tcp, 80), open(tcp, 81), closed(udp, 80), closed(sctp, 80)),
		"ports: UDP":                         portsOnly(`[{"protocol":"UDP"}]`, open(udp, 80), closed(tcp, 80), closed(sctp, 80)),
		"ports: SCTP 81":                     portsOnly(`[{"protocol":"SCTP","port":81}]`, open(sctp, 81), closed(sctp, 80), closed(tcp, 81)),
		"ports: a name":                      portsOnly(`[{"protocol":"UDP","port":"serve-81-udp"}]`, open(udp, 81), closed(udp, 80), closed(tcp, 81)),
		"ports: a name of another protocol":  portsOnly(`[{"protocol":"UDP","port":"serve-81-tcp"}]`, closed(udp, 81), closed(tcp, 81)),
		"ports: a name that nobody declares": portsOnly(`[{"port":"http"}]`, closed(tcp, 80)),
		"ports: two":                         portsOnly(`[{"port":80},{"protocol":"UDP","port":81}]`, open(tcp, 80), open(udp, 81), closed(tcp, 81), closed(udp, 80)),
		"ports: number and name":             portsOnly(`[{"port":80},{"port":"serve-81-tcp"}]`, open(tcp, 80), open(tcp, 81), closed(sctp, 81)),
		"ports: range":                       portsOnly(`[{"port":79,"endPort":80}]`, open(tcp, 79), open(tcp, 80), closed(tcp, 81), closed(tcp, 78), closed(udp, 80)),
		"ports: range of one":                portsOnly(`[{"port":80,"endPort":80}]`, open(tcp, 80), closed(tcp, 81)),
		"ports: range to the end":            portsOnly(`[{"port":80,"endPort":65535}]`, open(tcp, 80), open(tcp, 65535), closed(tcp, 79)),

		"two rules: ports of one do not go with peers of the other": {{
			policies: []string{"x/p", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"pod":"b"}}}],"ports":[{"port":80}]},{"from":[{"podSelector":{"matchLabels":{"pod":"c"}}}],"ports":[{"port":81}]}]}`},
			checks: []check{
				on(tcp, 80, "- * > x/a", "+ x/b > x/a"),
				on(tcp, 81, "- * > x/a", "+ x/c > x/a"),
			},
		}},

		"conflict: egress denied, ingress allowed":      {{policies: []string{"x/p", denyEgress, "y/p", allowIn}, checks: []check{on(tcp, 80, "- x/* > *")}}},
		"conflict: egress allowed, ingress denied":      {{policies: []string{"x/p", allowOut, "y/p", denyIngress}, checks: []check{on(tcp, 80, "- * > y/*")}}},
		"conflict: egress denied and allowed":           {{policies: []string{"x/p", denyEgress, "x/q", allowOut}, checks: []check{on(tcp, 80)}}},
		"conflict: ingress denied and allowed":          {{policies: []string{"x/p", denyIngress, "x/q", allowIn}, checks: []check{on(tcp, 80)}}},
		"conflict: egress denied, allowed to all Pods":  {{policies: []string{"x/p", denyEgress, "x/q", toPeers(`{"namespaceSelector":{}}`)}, checks: []check{on(tcp, 80, "- x/* > *", "+ x/a > *")}}},
		"conflict: egress denied, allowed to all IPv4":  {{policies: []string{"x/p", denyEgress, "x/q", toPeers(`{"ipBlock":{"cidr":"0.0.0.0/0"}}`)}, checks: []check{on(tcp, 80, "- x/* > *", "+ x/a > *")}}},
		"conflict: nobody by address, everybody by Pod": {{policies: []string{"x/p", fromPeers(`{"ipBlock":{"cidr":"0.0.0.0/31"}}`), "x/q", fromPeers(`{"namespaceSelector":{}}`)}, checks: []check{on(tcp, 80)}}},
		"conflict: nobody by Pod, everybody by address": {{policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"never":"seen"}}}`), "x/q", fromPeers(`{"ipBlock":{"cidr":"0.0.0.0/0"}}`)}, checks: []check{on(tcp, 80)}}},
		"conflict: nobody by address":                   {{policies: []string{"x/p", fromPeers(`{"ipBlock":{"cidr":"0.0.0.0/31"}}`)}, checks: []check{on(tcp, 80, "- * > x/a")}}},
		"conflict: nobody by Pod":                       {{policies: []string{"x/p", toPeers(`{"namespaceSelector":{"matchLabels":{"never":"seen"}}}`)}, checks: []check{on(tcp, 80, "- x/a > *")}}},
		"change: a Pod gets and loses a label": {
			{policies: []string{"x/p", fromPeers(`{"podSelector":{"matchLabels":{"new":"abc"}},"namespaceSelector":{"matchLabels":{"ns":"y"}}}`)}, checks: []check{on(tcp, 80, "- * > x/a")}},
			{
				policies: []string{"x/p", fromPeers(`{"podSelector":{"matchLabels":{"new":"abc"}},"namespaceSelector":{"matchLabels":{"ns":"y"}}}`)},
				change:   relabel("y/b", map[string]string{"new": "abc"}), checks: []check{on(tcp, 80, "- * > x/a", "+ y/b > x/a")},
			},
		},
	} {
		t.Run(name, func(t *testing.T) { run(t, steps) })
	}
}
