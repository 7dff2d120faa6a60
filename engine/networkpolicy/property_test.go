package networkpolicy

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// everywhere judges all pairs on some ports.
func everywhere(t testing.TB, c *facts.Cluster, conns []Connection) []Outcome {
	e := New(c)
	out := make([]Outcome, len(conns))
	for i, conn := range conns {
		v := e.Judge(conn)
		coherent(t, v)
		out[i] = v.Outcome()
	}
	return out
}

// connections are between all Pods, an outside address, nodes, and an address of no Pod.
func connections() []Connection {
	c := world(nil)
	var out []Connection
	for _, protocol := range []string{tcp, udp, "ICMP"} {
		for _, port := range []uint16{80, 81, 0} {
			for i := range c.Pods.Value {
				a := addr(c.Pods.Value[i].Status.PodIP)
				for j := range c.Pods.Value {
					out = append(out, Connection{Src: a, Dst: addr(c.Pods.Value[j].Status.PodIP), Protocol: protocol, Port: port})
				}
				for _, other := range []string{"203.0.113.9", "192.168.0.2", "10.244.1.1", "10.244.2.99"} {
					out = append(
						out,
						Connection{Src: addr(other), Dst: a, Protocol: protocol, Port: port},
						Connection{Src: a, Dst: addr(other), Protocol: protocol, Port: port},
					)
				}
			}
		}
	}
	return out
}

// TestRulesAddUp: another rule in a policy turns nothing that was allowed into anything else.
func TestRulesAddUp(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(3, 4))}
	conns := connections()
	changed := 0
	for range 40 {
		before := d.policies(t)
		if len(before) == 0 {
			continue
		}
		after := slices.Clone(before)
		i := d.IntN(len(after))
		// policyTypes as they were: a first egress rule would make a policy one for egress.
		spec := &after[i].Spec
		if len(spec.PolicyTypes) == 0 {
			spec.PolicyTypes = []string{"Ingress"}
			if len(spec.Egress) > 0 {
				spec.PolicyTypes = append(spec.PolicyTypes, "Egress")
			}
		}
		var in, out facts.NetworkPolicyRule
		for text, rule := range map[string]*facts.NetworkPolicyRule{d.rule("from"): &in, d.rule("to"): &out} {
			if err := json.Unmarshal([]byte(text), rule); err != nil {
				t.Fatal(err)
			}
		}
		spec.Ingress = append(slices.Clone(spec.Ingress), in)
		spec.Egress = append(slices.Clone(spec.Egress), out)
		was, is := everywhere(t, world(before), conns), everywhere(t, world(after), conns)
		for k := range conns {
			if was[k] == Allowed && is[k] != Allowed || was[k] == Unknown && is[k] == Denied {
				t.Fatalf("%+v was %s and is %s", conns[k], was[k], is[k])
			}
			if was[k] != is[k] {
				changed++
			}
		}
	}
	if changed == 0 {
		t.Error("no rule changed anything")
	}
}

// TestFewerFactsNeverTellOtherwise: with facts taken away a verdict becomes unknown or stays what it was.
func TestFewerFactsNeverTellOtherwise(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(5, 6))}
	conns := connections()
	for name, hide := range map[string]func(*facts.Cluster){
		"no policies": func(c *facts.Cluster) { c.NetworkPolicies = facts.Unread[[]facts.NetworkPolicy](facts.Denied, "no") },
		"policies of x alone": func(c *facts.Cluster) {
			c.NetworkPolicies.Reason = "limited to namespaces x, kube-system"
			c.NetworkPolicies.Value = slices.DeleteFunc(c.NetworkPolicies.Value, func(p facts.NetworkPolicy) bool { return p.Metadata.Namespace != "x" })
		},
		"some policies": func(c *facts.Cluster) {
			c.NetworkPolicies.Reason = "2 files are damaged"
			c.NetworkPolicies.Value = slices.DeleteFunc(c.NetworkPolicies.Value, func(facts.NetworkPolicy) bool { return d.IntN(2) == 0 })
		},
		"no Pods": func(c *facts.Cluster) { c.Pods = facts.Unread[[]facts.Pod](facts.Absent, "no") },
		"some Pods": func(c *facts.Cluster) {
			c.Pods.Reason = "cut off"
			c.Pods.Value = slices.DeleteFunc(c.Pods.Value, func(facts.Pod) bool { return d.IntN(2) == 0 })
		},
		"no nodes":      func(c *facts.Cluster) { c.Nodes = facts.Unread[[]facts.NodeObject](facts.Denied, "no") },
		"no namespaces": func(c *facts.Cluster) { c.Namespaces = facts.Unread[[]facts.NamespaceObject](facts.Failed, "no") },
		"some namespaces": func(c *facts.Cluster) {
			c.Namespaces.Value = slices.DeleteFunc(c.Namespaces.Value, func(facts.NamespaceObject) bool { return d.IntN(2) == 0 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			known := 0
			for range 12 {
				all := d.policies(t)
				was, is := everywhere(t, world(slices.Clone(all)), conns), everywhere(t, world(slices.Clone(all), hide), conns)
				for k := range conns {
					if is[k] != Unknown && was[k] != Unknown && is[k] != was[k] {
						text, _ := json.Marshal(all)
						t.Fatalf("%+v: %s with all facts, %s with fewer\n%s", conns[k], was[k], is[k], text)
					}
					if is[k] != Unknown {
						known++
					}
				}
			}
			if known == 0 {
				t.Error("nothing is known")
			}
		})
	}
}

// TestWhatIsNotUnderstoodIsNotTakenForAnything: a verdict over a policy with a damaged part holds for whatever stood there.
func TestWhatIsNotUnderstoodIsNotTakenForAnything(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(7, 8))}
	conns := connections()
	for what, part := range map[string]struct {
		damaged []string
		good    func() string
		spec    string
	}{
		"peer": {
			[]string{`{}`, `{"ipBlock":{"cidr":"10.244.0.0"}}`, `{"ipBlock":{"cidr":"::/0"},"podSelector":{}}`},
			d.peer, `{"podSelector":{},"ingress":[{"from":[PART,PEER],"ports":PORTS}]}`,
		},
		"port": {
			[]string{`{"protocol":"QUIC"}`, `{"protocol":"tcp","port":true}`, `{"endPort":5,"protocol":"TCP2"}`},
			d.port, `{"podSelector":{},"ingress":[{"from":[PEER],"ports":[PART]}]}`,
		},
		"podSelector": {
			[]string{`{"matchExpressions":[{"key":"pod","operator":"Near","values":["a"]}]}`, `{"matchExpressions":[{"key":"pod","operator":"In"}]}`},
			d.podSelector, `{"podSelector":PART,"ingress":[{"from":[PEER],"ports":PORTS}]}`,
		},
		"namespaceSelector": {
			[]string{`{"matchExpressions":[{"key":"ns","operator":"Exists","values":["x"]}]}`, `{"matchLabels":{"":"x"}}`},
			d.nsSelector, `{"podSelector":{},"policyTypes":["Egress"],"egress":[{"to":[{"namespaceSelector":PART},PEER],"ports":PORTS}]}`,
		},
	} {
		t.Run(what, func(t *testing.T) {
			known := 0
			for range 6 {
				others := d.policies(t)
				peer, ports := d.peer(), d.some(2, d.port)
				judge := func(text string) []Outcome {
					spec := strings.NewReplacer("PART", text, "PEER", peer, "PORTS", ports).Replace(part.spec)
					return everywhere(t, world(append(slices.Clone(others), np(t, "x/p", spec))), conns)
				}
				damaged := judge(d.one(part.damaged...))
				for range 6 {
					good := judge(part.good())
					for k := range conns {
						if damaged[k] != Unknown && good[k] != Unknown && damaged[k] != good[k] {
							t.Fatalf("%+v: %s though it may be %s", conns[k], damaged[k], good[k])
						}
						if damaged[k] != Unknown {
							known++
						}
					}
				}
			}
			if known == 0 {
				t.Error("nothing is known")
			}
		})
	}
}
