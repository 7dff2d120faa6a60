package networkpolicy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// The world of most tests: namespaces x, y, z with Pods a, b, c in each, on the Nodes na, nb, nc, that listen on ports 80
// and 81 of each protocol.
var (
	worldNamespaces = []string{"x", "y", "z"}
	worldPods       = []string{"a", "b", "c"}
	protocols       = []string{tcp, udp, sctp}
)

// everyPod are the names "x/a" … "z/c".
func everyPod() []string {
	var out []string
	for _, n := range worldNamespaces {
		for _, p := range worldPods {
			out = append(out, n+"/"+p)
		}
	}
	return out
}

// world is the cluster with policies; change, if any, is made before it is indexed.
func world(policies []facts.NetworkPolicy, change ...func(*facts.Cluster)) *facts.Cluster {
	var nodes []facts.NodeObject
	var namespaces []facts.NamespaceObject
	var pods []facts.Pod
	for i, p := range worldPods {
		var n facts.NodeObject
		n.Metadata.Name = "n" + p
		n.Spec.PodCIDRs = []string{fmt.Sprintf("10.244.%d.0/24", i+1), fmt.Sprintf("fd00:%d::/64", i+1)}
		n.Status.Addresses = []facts.NodeAddress{
			{Type: "InternalIP", Address: fmt.Sprintf("192.168.0.%d", i+1)},
			{Type: "Hostname", Address: "n" + p},
		}
		nodes = append(nodes, n)
	}
	for i, ns := range worldNamespaces {
		namespaces = append(namespaces, facts.NamespaceObject{Metadata: facts.ObjectMeta{
			Name: ns, Labels: map[string]string{"ns": ns, metadataName: ns},
		}})
		for j, name := range worldPods {
			p := facts.Pod{Metadata: facts.ObjectMeta{Namespace: ns, Name: name, Labels: map[string]string{"pod": name}}}
			p.Spec.NodeName = "n" + name
			p.Status = facts.PodStatus{
				Phase: "Running", HostIP: fmt.Sprintf("192.168.0.%d", j+1), PodIP: fmt.Sprintf("10.244.%d.%d", j+1, i+10),
				PodIPs: []facts.PodIP{{IP: fmt.Sprintf("10.244.%d.%d", j+1, i+10)}, {IP: fmt.Sprintf("fd00:%d::%d", j+1, i+10)}},
			}
			for _, protocol := range protocols {
				var c facts.Container
				for _, port := range []int32{80, 81} {
					c.Ports = append(c.Ports, facts.ContainerPort{
						Name: fmt.Sprintf("serve-%d-%s", port, strings.ToLower(protocol)), ContainerPort: port, Protocol: protocol,
					})
				}
				p.Spec.Containers = append(p.Spec.Containers, c)
			}
			pods = append(pods, p)
		}
	}
	c := &facts.Cluster{
		Nodes:           facts.ReadGroup(nodes),
		Namespaces:      facts.ReadGroup(namespaces),
		Pods:            facts.ReadGroup(pods),
		Services:        facts.ReadGroup([]facts.Service(nil)),
		NetworkPolicies: facts.ReadGroup(policies),
	}
	for _, f := range change {
		f(c)
	}
	return c
}

// np is a policy "namespace/name" with a spec in JSON.
func np(t testing.TB, name, spec string) facts.NetworkPolicy {
	t.Helper()
	var p facts.NetworkPolicy
	p.Metadata.Namespace, p.Metadata.Name, _ = strings.Cut(name, "/")
	p.Source = facts.Source("kubectl get networkpolicy -n " + p.Metadata.Namespace + " " + p.Metadata.Name + " -o yaml")
	if err := json.Unmarshal([]byte(spec), &p.Spec); err != nil {
		t.Fatalf("spec of %s: %v", name, err)
	}
	return p
}

func podOf(c *facts.Cluster, name string) *facts.Pod {
	for i := range c.Pods.Value {
		if p := &c.Pods.Value[i]; podName(p) == name {
			return p
		}
	}
	return nil
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// between is a connection from Pod to Pod, by their IPv4 addresses alone.
func between(c *facts.Cluster, src, dst, protocol string, port uint16) Connection {
	return Connection{
		Src: addr(podOf(c, src).Status.PodIP), Dst: addr(podOf(c, dst).Status.PodIP), Protocol: protocol, Port: port,
	}
}

// table is a truth table: who reaches whom.
type table map[[2]string]Outcome

// expect is a table that allows everything but what lines say, the later over the earlier: "- x/a > y/*" denies,
// "+ * > x/b" allows.
func expect(t *testing.T, lines []string) table {
	t.Helper()
	out := table{}
	set := func(src, dst string, o Outcome) {
		for _, s := range everyPod() {
			for _, d := range everyPod() {
				if s != d && matchesName(src, s) && matchesName(dst, d) {
					out[[2]string{s, d}] = o
				}
			}
		}
	}
	set("*", "*", Allowed)
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) != 4 || f[2] != ">" {
			t.Fatalf("bad line %q", line)
		}
		set(f[1], f[3], map[string]Outcome{"+": Allowed, "-": Denied, "?": Unknown}[f[0]])
	}
	for _, p := range everyPod() {
		out[[2]string{p, p}] = Allowed
	}
	return out
}

func matchesName(pattern, name string) bool {
	prefix, star := strings.CutSuffix(pattern, "*")
	return pattern == name || star && strings.HasPrefix(name, prefix)
}

// measure judges all pairs.
func measure(c *facts.Cluster, protocol string, port uint16) table {
	e := New(c)
	out := table{}
	for _, s := range everyPod() {
		for _, d := range everyPod() {
			out[[2]string{s, d}] = e.Judge(between(c, s, d, protocol, port)).Outcome()
		}
	}
	return out
}

// String draws the table, sources down, destinations across.
func (t table) String() string {
	var b strings.Builder
	b.WriteString("      " + strings.Join(everyPod(), " ") + "\n")
	for _, s := range everyPod() {
		b.WriteString(s + "  ")
		for _, d := range everyPod() {
			b.WriteString("  " + []string{"?", "+", "-"}[t[[2]string{s, d}]] + " ")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// coherent checks what holds of every verdict.
func coherent(t testing.TB, v Verdict) {
	t.Helper()
	for _, j := range []Judgement{v.Egress, v.Ingress} {
		bad := ""
		switch {
		case j.Reason == "":
			bad = "no reason"
		case (j.Outcome == Denied) != (j.Nearest != nil):
			bad = "a denial has a nearest rule, and nothing else has"
		case j.Nearest != nil && (len(j.Nearest.Unmet) == 0 || slices.Contains(j.Nearest.Unmet, "")):
			bad = "a nearest rule without what it misses"
		case j.Outcome == Denied && len(j.Policies) == 0:
			bad = "denied by no policy"
		case (j.Outcome == Unknown) != (len(j.Missing) > 0):
			bad = "what is unknown lacks something, and nothing else does"
		case j.Outcome != Allowed && j.Rule != nil:
			bad = "a rule allows what is not allowed"
		case slices.ContainsFunc(j.Missing, func(m Missing) bool { return m.What == "" }):
			bad = "missing without a word"
		}
		if bad != "" {
			text, _ := json.Marshal(j)
			t.Errorf("%s: %s", bad, text)
		}
	}
}
