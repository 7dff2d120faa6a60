package networkpolicy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func policyOf(name string) Policy {
	ns, n, _ := strings.Cut(name, "/")
	return Policy{Namespace: ns, Name: n, Source: facts.Source("kubectl get networkpolicy -n " + ns + " " + n + " -o yaml")}
}

func TestDenialNamesWhatDidNotMatch(t *testing.T) {
	const onlyY = `{"namespaceSelector":{"matchLabels":{"team":"a"}}}`
	for name, test := range map[string]struct {
		policies []string
		conn     func(*facts.Cluster) Connection
		near     string
		unmet    []string
	}{
		"port": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":80},{"port":443}]}]}`},
			conn:     func(c *facts.Cluster) Connection { return between(c, "y/a", "x/a", udp, 53) },
			near:     "ingress[0] of NetworkPolicy x/p",
			unmet:    []string{"port 53/UDP is not among its ports: 80/TCP, 443/TCP"},
		},
		"named port": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":"serve-80-tcp"},{"port":"http"},{"port":90,"endPort":99}]}]}`},
			conn:     func(c *facts.Cluster) Connection { return between(c, "y/a", "x/a", tcp, 8080) },
			near:     "ingress[0] of NetworkPolicy x/p",
			unmet:    []string{"port 8080/TCP is not among its ports: serve-80-tcp/TCP (80 on Pod x/a), http/TCP (not declared by Pod x/a), 90-99/TCP"},
		},
		"named port towards what is no Pod": {
			policies: []string{"x/p", `{"podSelector":{},"policyTypes":["Egress"],"egress":[{"ports":[{"port":"https"}]}]}`},
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("10.244.1.10"), Dst: addr("203.0.113.9"), Protocol: tcp, Port: 443}
			},
			near:  "egress[0] of NetworkPolicy x/p",
			unmet: []string{"port 443/TCP is not among its ports: https/TCP (a name, and 203.0.113.9 is no Pod that declares ports)"},
		},
		"label of the namespace": {
			policies: []string{"x/p", fromPeers(onlyY)},
			conn:     func(c *facts.Cluster) Connection { return between(c, "y/b", "x/a", tcp, 80) },
			near:     "ingress[0] of NetworkPolicy x/p",
			unmet:    []string{"namespaceSelector wants team=a, namespace y has none"},
		},
		"labels of the Pod": {
			policies: []string{"x/p", fromPeers(`{"podSelector":{"matchLabels":{"pod":"c"},"matchExpressions":[{"key":"tier","operator":"Exists"},{"key":"pod","operator":"NotIn","values":["b"]}]}}`)},
			conn:     func(c *facts.Cluster) Connection { return between(c, "x/b", "x/a", tcp, 80) },
			near:     "ingress[0] of NetworkPolicy x/p",
			unmet: []string{
				"podSelector wants pod=c, Pod x/b has pod=b", "podSelector wants tier, Pod x/b has none",
				"podSelector wants pod notin (b), Pod x/b has pod=b",
			},
		},
		"podSelector meant for another namespace": {
			policies: []string{"x/p", fromPeers(`{"podSelector":{"matchLabels":{"pod":"b"}}}`)},
			conn:     func(c *facts.Cluster) Connection { return between(c, "y/b", "x/a", tcp, 80) },
			near:     "ingress[0] of NetworkPolicy x/p",
			unmet:    []string{"podSelector without namespaceSelector selects Pods of namespace x alone, and Pod y/b is not there"},
		},
		"ipBlock": {
			policies: []string{"x/p", fromPeers(`{"ipBlock":{"cidr":"198.51.100.0/24"}},{"podSelector":{}}`)},
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("203.0.113.9"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
			},
			near:  "ingress[0] of NetworkPolicy x/p",
			unmet: []string{"ipBlock 198.51.100.0/24 does not contain 203.0.113.9"},
		},
		"exception of an ipBlock": {
			policies: []string{"x/p", fromPeers(`{"ipBlock":{"cidr":"203.0.0.0/16","except":["203.0.113.0/24"]}}`)},
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("203.0.113.9"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
			},
			near:  "ingress[0] of NetworkPolicy x/p",
			unmet: []string{"ipBlock 203.0.0.0/16 excepts 203.0.113.0/24, which contains 203.0.113.9"},
		},
		"selectors towards what is no Pod": {
			policies: []string{"x/p", fromPeers(`{"podSelector":{}}`)},
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("203.0.113.9"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
			},
			near:  "ingress[0] of NetworkPolicy x/p",
			unmet: []string{"podSelector selects Pods, and 203.0.113.9 is no Pod's address"},
		},
		"selectors towards another node": {
			policies: []string{"x/p", fromPeers(`{"namespaceSelector":{}}`)},
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("192.168.0.2"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
			},
			near:  "ingress[0] of NetworkPolicy x/p",
			unmet: []string{"namespaceSelector selects Pods, and node nb is no Pod"},
		},
		"the rule that misses one condition, not the one that misses two": {
			policies: []string{
				"x/deny", denyIngress,
				"x/far", `{"podSelector":{},"ingress":[{"from":[{"podSelector":{"matchLabels":{"pod":"c"}}}],"ports":[{"port":443}]}]}`,
				"x/near", `{"podSelector":{},"ingress":[{"ports":[{"port":1}],"from":[{"podSelector":{"matchLabels":{"pod":"c"}}}]},{"from":[{"podSelector":{"matchLabels":{"pod":"c"}}},{"namespaceSelector":{"matchLabels":{"ns":"x"}},"podSelector":{"matchLabels":{"pod":"b"}}}],"ports":[{"port":443}]}]}`,
			},
			conn:  func(c *facts.Cluster) Connection { return between(c, "x/b", "x/a", tcp, 80) },
			near:  "ingress[1] of NetworkPolicy x/near",
			unmet: []string{"port 80/TCP is not among its ports: 443/TCP"},
		},
		"of rules that miss one condition the one that meets more": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"192.0.2.0/24"}}]},{"from":[{"namespaceSelector":{"matchLabels":{"ns":"x"}},"podSelector":{"matchLabels":{"pod":"c"}}}],"ports":[{"port":80}]}]}`},
			conn:     func(c *facts.Cluster) Connection { return between(c, "x/b", "x/a", tcp, 80) },
			near:     "ingress[1] of NetworkPolicy x/p",
			unmet:    []string{"podSelector wants pod=c, Pod x/b has pod=b"},
		},
		"no rules at all": {
			policies: []string{"x/deny", denyIngress},
			conn:     func(c *facts.Cluster) Connection { return between(c, "y/b", "x/a", tcp, 80) },
			near:     "NetworkPolicy x/deny without ingress rules",
			unmet:    []string{"it has no ingress rules: it allows nothing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var policies []facts.NetworkPolicy
			for i := 0; i < len(test.policies); i += 2 {
				policies = append(policies, np(t, test.policies[i], test.policies[i+1]))
			}
			c := world(policies)
			v := New(c).Judge(test.conn(c))
			coherent(t, v)
			j := v.Ingress
			if v.Egress.Outcome == Denied {
				j = v.Egress
			}
			if j.Outcome != Denied {
				t.Fatalf("%s: %s", j.Outcome, j.Reason)
			}
			if j.Nearest.String() != test.near {
				t.Errorf("nearest is %s, want %s", j.Nearest, test.near)
			}
			if diff := cmp.Diff(test.unmet, j.Nearest.Unmet); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVerdictSaysWhyAndByWhom(t *testing.T) {
	c := world([]facts.NetworkPolicy{
		np(t, "x/web", `{"podSelector":{"matchLabels":{"pod":"a"}},"ingress":[{"ports":[{"port":443}]},{"from":[{"podSelector":{"matchLabels":{"pod":"b"}}},{"ipBlock":{"cidr":"203.0.113.0/24","except":["203.0.113.7/32"]}}],"ports":[{"port":80},{"port":90,"endPort":99,"protocol":"UDP"}]}]}`),
		np(t, "x/deny", denyIngress),
		np(t, "y/other", denyIngress),
	})
	e := New(c)
	t.Run("allowed by a rule", func(t *testing.T) {
		want := Judgement{
			Outcome: Allowed, Pod: &facts.PodReference{Namespace: "x", Name: "a"}, Policies: []Policy{policyOf("x/deny"), policyOf("x/web")},
			Reason: "ingress[1] of NetworkPolicy x/web allows it: from podSelector pod=b, or ipBlock 203.0.113.0/24 except 203.0.113.7/32, ports 80/TCP, 90-99/UDP",
			Rule: &Rule{
				Policy: policyOf("x/web"), Field: "ingress", Index: 1,
				Text: "from podSelector pod=b, or ipBlock 203.0.113.0/24 except 203.0.113.7/32, ports 80/TCP, 90-99/UDP",
			},
		}
		if diff := cmp.Diff(want, e.Judge(between(c, "x/b", "x/a", tcp, 80)).Ingress); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("allowed by default", func(t *testing.T) {
		want := Judgement{Outcome: Allowed, Pod: &facts.PodReference{Namespace: "x", Name: "b"}, Reason: "no egress policy selects Pod x/b"}
		if diff := cmp.Diff(want, e.Judge(between(c, "x/b", "x/a", tcp, 80)).Egress); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("denied", func(t *testing.T) {
		j := e.Judge(between(c, "y/b", "x/a", tcp, 80)).Ingress
		want := "NetworkPolicies x/deny, x/web select Pod x/a, and no ingress rule allows it"
		if j.Reason != want {
			t.Errorf("got %q, want %q", j.Reason, want)
		}
	})
	t.Run("as JSON", func(t *testing.T) {
		text, err := json.Marshal(e.Judge(between(c, "y/b", "x/b", tcp, 80)).Ingress)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"outcome":"denied","reason":"NetworkPolicy x/deny selects Pod x/b, and no ingress rule allows it","pod":{"namespace":"x","name":"b"},` +
			`"policies":[{"namespace":"x","name":"deny","source":"kubectl get networkpolicy -n x deny -o yaml"}],` +
			`"nearest":{"policy":{"namespace":"x","name":"deny","source":"kubectl get networkpolicy -n x deny -o yaml"},"field":"ingress","index":-1,` +
			`"text":"no ingress rules","unmet":["it has no ingress rules: it allows nothing"]}}`
		if diff := cmp.Diff(want, string(text)); diff != "" {
			t.Error(diff)
		}
		var back Judgement
		if err := json.Unmarshal(text, &back); err != nil || back.Outcome != Denied {
			t.Errorf("%v, %v", back.Outcome, err)
		}
	})
}

func TestOutcomeOfBothDirections(t *testing.T) {
	all := []Outcome{Allowed, Denied, Unknown}
	want := map[[2]Outcome]Outcome{
		{Allowed, Allowed}: Allowed, {Allowed, Denied}: Denied, {Allowed, Unknown}: Unknown,
		{Denied, Allowed}: Denied, {Denied, Denied}: Denied, {Denied, Unknown}: Denied,
		{Unknown, Allowed}: Unknown, {Unknown, Denied}: Denied, {Unknown, Unknown}: Unknown,
	}
	for _, a := range all {
		for _, b := range all {
			if got := (Verdict{Egress: Judgement{Outcome: a}, Ingress: Judgement{Outcome: b}}).Outcome(); got != want[[2]Outcome{a, b}] {
				t.Errorf("%s and %s: %s", a, b, got)
			}
		}
	}
}

// hostPod is a hostNetwork Pod on the node of the Pods a, which every policy of its namespace would select.
func hostPod(c *facts.Cluster) *facts.Pod {
	p := &facts.Pod{Metadata: facts.ObjectMeta{Namespace: "x", Name: "host", Labels: map[string]string{"pod": "b"}}}
	p.Spec.HostNetwork, p.Spec.NodeName = true, "na"
	p.Status = facts.PodStatus{Phase: "Running", HostIP: "192.168.0.1", PodIP: "192.168.0.1", PodIPs: []facts.PodIP{{IP: "192.168.0.1"}}}
	c.Pods.Value = append(c.Pods.Value, *p)
	return p
}

func TestEndsThatPoliciesTreatApart(t *testing.T) {
	deny := func(t *testing.T) []facts.NetworkPolicy {
		return []facts.NetworkPolicy{np(t, "x/deny", denyAll), np(t, "y/deny", denyAll)}
	}
	t.Run("a hostNetwork Pod is not selected", func(t *testing.T) {
		c := world(deny(t))
		p := hostPod(c)
		v := New(c).Judge(Connection{SrcPod: p, Dst: addr("203.0.113.9"), Protocol: tcp, Port: 80})
		if v.Egress.Outcome != Allowed || len(v.Egress.Policies) != 0 || len(v.Egress.Notes) != 1 || !strings.Contains(v.Egress.Notes[0], "ignore them when matching podSelector") {
			t.Errorf("%+v", v.Egress)
		}
		if v = New(c).Judge(Connection{Src: addr("203.0.113.9"), DstPod: p, Protocol: tcp, Port: 80}); v.Ingress.Outcome != Allowed {
			t.Errorf("%+v", v.Ingress)
		}
	})
	t.Run("a hostNetwork Pod is no peer of selectors, and its node's address of ipBlock", func(t *testing.T) {
		c := world([]facts.NetworkPolicy{
			np(t, "x/p", `{"podSelector":{"matchLabels":{"pod":"b"}},"ingress":[{"from":[{"podSelector":{}},{"ipBlock":{"cidr":"192.168.0.1/32"}}],"ports":[{"port":80}]},{"from":[{"podSelector":{}}]}]}`),
		})
		p := hostPod(c)
		e := New(c)
		if j := e.Judge(Connection{SrcPod: p, DstPod: podOf(c, "x/b"), Protocol: tcp, Port: 80}).Ingress; j.Outcome != Allowed || j.Rule.Index != 0 {
			t.Errorf("%+v", j)
		}
		j := e.Judge(Connection{SrcPod: p, DstPod: podOf(c, "x/b"), Protocol: tcp, Port: 81}).Ingress
		if j.Outcome != Denied {
			t.Fatalf("%+v", j)
		}
	})
	t.Run("a Pod's traffic to itself", func(t *testing.T) {
		c := world(deny(t))
		for _, conn := range []Connection{
			between(c, "x/a", "x/a", tcp, 80),
			{Src: addr("10.244.1.10"), Dst: addr("fd00:1::10"), Protocol: tcp, Port: 80}, // both of x/a
			{SrcPod: podOf(c, "x/a"), DstPod: podOf(c, "x/a"), Protocol: tcp, Port: 80},
		} {
			if v := New(c).Judge(conn); v.Outcome() != Allowed {
				t.Errorf("%+v", v)
			}
		}
	})
	t.Run("the Pod's own node comes in", func(t *testing.T) {
		c := world(deny(t))
		for _, conn := range []Connection{
			{Src: addr("192.168.0.1"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80},
			{Src: addr("10.244.1.1"), SrcNode: "na", Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}, // cni0
			{SrcPod: hostPod(c), DstPod: podOf(c, "x/a"), Protocol: tcp, Port: 80},
		} {
			j := New(c).Judge(conn).Ingress
			if j.Outcome != Allowed || len(j.Notes) != 1 || len(j.Policies) != 1 {
				t.Errorf("%+v", j)
			}
		}
	})
	t.Run("the Pod's own node from its tunnel, which the network plugin wrote down", func(t *testing.T) {
		c := world(deny(t))
		c.Nodes.Value[0].Metadata.Annotations = map[string]string{"projectcalico.org/IPv4VXLANTunnelAddr": "10.244.1.64"}
		c.Nodes.Value[1].Metadata.Annotations = map[string]string{"projectcalico.org/IPv4IPIPTunnelAddr": "10.244.1.65"}
		e := New(c)
		for from, want := range map[string]Outcome{"10.244.1.64": Allowed, "10.244.1.65": Denied, "10.244.1.66": Unknown} {
			if j := e.Judge(Connection{Src: addr(from), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}).Ingress; j.Outcome != want {
				t.Errorf("%s: %+v", from, j)
			}
		}
	})
	t.Run("another node does not", func(t *testing.T) {
		c := world(deny(t))
		if j := New(c).Judge(Connection{Src: addr("192.168.0.2"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}).Ingress; j.Outcome != Denied {
			t.Errorf("%+v", j)
		}
	})
	t.Run("to the own node: the sources differ", func(t *testing.T) {
		c := world(deny(t))
		v := New(c).Judge(Connection{Src: addr("10.244.1.10"), Dst: addr("192.168.0.1"), Protocol: tcp, Port: 10250})
		coherent(t, v)
		if v.Egress.Outcome != Unknown || v.Ingress.Outcome != Allowed {
			t.Errorf("%+v", v)
		}
	})
	t.Run("addresses outside have no policies of their own", func(t *testing.T) {
		c := world(deny(t))
		v := New(c).Judge(Connection{Src: addr("203.0.113.9"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80})
		if v.Egress.Outcome != Allowed || v.Ingress.Outcome != Denied {
			t.Errorf("%+v", v)
		}
	})
	t.Run("dual stack: policies go by the Pod, ipBlock by the address used", func(t *testing.T) {
		c := world([]facts.NetworkPolicy{np(t, "x/p", fromPeers(`{"ipBlock":{"cidr":"fd00:2::/64"}}`))})
		e := New(c)
		if j := e.Judge(Connection{Src: addr("fd00:2::11"), Dst: addr("fd00:1::10"), Protocol: tcp, Port: 80}).Ingress; j.Outcome != Allowed || len(j.Notes) != 1 {
			t.Errorf("%+v", j)
		}
		if j := e.Judge(between(c, "y/b", "x/a", tcp, 80)).Ingress; j.Outcome != Denied {
			t.Errorf("%+v", j)
		}
		// The family of the other end tells which address of the Pod is used.
		if j := e.Judge(Connection{SrcPod: podOf(c, "y/b"), Dst: addr("fd00:1::10"), Protocol: tcp, Port: 80}).Ingress; j.Outcome != Allowed {
			t.Errorf("%+v", j)
		}
		if j := e.Judge(Connection{Src: addr("::ffff:10.244.2.11"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}).Ingress; j.Outcome != Denied {
			t.Errorf("%+v", j)
		}
	})
	t.Run("a running Pod has the address, whoever had it before", func(t *testing.T) {
		for name, gone := range map[string]func(*facts.Pod){
			"ended":       func(p *facts.Pod) { p.Status.Phase = "Succeeded" },
			"terminating": func(p *facts.Pod) { p.Metadata.DeletionTimestamp = "2026-01-02T03:04:05Z" },
		} {
			for _, first := range []bool{true, false} {
				c := world(deny(t))
				old := *podOf(c, "z/a")
				old.Metadata.Name = "old"
				old.Status.PodIP, old.Status.PodIPs = "10.244.1.10", nil
				gone(&old)
				if first {
					c.Pods.Value = append([]facts.Pod{old}, c.Pods.Value...)
				} else {
					c.Pods.Value = append(c.Pods.Value, old)
				}
				if j := New(c).Judge(between(c, "z/b", "x/a", tcp, 80)).Ingress; j.Outcome != Denied {
					t.Errorf("%s, first %v: %+v", name, first, j)
				}
			}
		}
	})
	t.Run("the protocol of a container's port defaults to TCP", func(t *testing.T) {
		for protocol, want := range map[string]Outcome{tcp: Allowed, udp: Denied} {
			c := world([]facts.NetworkPolicy{np(t, "x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":"web","protocol":"`+protocol+`"}]}]}`)})
			podOf(c, "x/a").Spec.Containers = []facts.Container{{Ports: []facts.ContainerPort{{Name: "web", ContainerPort: 80}}}}
			if o := New(c).Judge(between(c, "y/a", "x/a", protocol, 80)).Outcome(); o != want {
				t.Errorf("%s: %s", protocol, o)
			}
		}
	})
	t.Run("lower case protocol", func(t *testing.T) {
		c := world([]facts.NetworkPolicy{np(t, "x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":53,"protocol":"UDP"}]}]}`)})
		if o := New(c).Judge(between(c, "y/a", "x/a", "udp", 53)).Outcome(); o != Allowed {
			t.Error(o)
		}
	})
}
