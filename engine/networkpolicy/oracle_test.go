package networkpolicy

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcause/netcause/engine/facts"
)

// The oracle is the API's field descriptions written down a second time: on Kubernetes' own types, with its selectors and
// net.ParseCIDR, two-valued, in the plainest loops.
type oracle struct {
	t        testing.TB
	policies []networkingv1.NetworkPolicy
	cluster  *facts.Cluster
}

func newOracle(t testing.TB, c *facts.Cluster) *oracle {
	o := &oracle{t: t, cluster: c}
	for _, p := range c.NetworkPolicies.Value {
		var spec networkingv1.NetworkPolicySpec
		text, err := json.Marshal(p.Spec)
		if err == nil {
			err = json.Unmarshal(text, &spec)
		}
		if err != nil {
			t.Fatal(err)
		}
		o.policies = append(o.policies, networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.Metadata.Namespace, Name: p.Metadata.Name}, Spec: spec,
		})
	}
	return o
}

func (o *oracle) selected(s *metav1.LabelSelector, l map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		o.t.Fatal(err)
	}
	return selector.Matches(labels.Set(l))
}

func (o *oracle) namespaceLabels(name string) map[string]string {
	for _, n := range o.cluster.Namespaces.Value {
		if n.Metadata.Name == name {
			return n.Metadata.Labels
		}
	}
	o.t.Fatalf("no namespace %s", name)
	return nil
}

func (o *oracle) allows(src, dst *facts.Pod, protocol string, port int32) bool {
	if src == dst {
		return true
	}
	return o.direction(src, dst, dst, networkingv1.PolicyTypeEgress, protocol, port) &&
		o.direction(dst, src, dst, networkingv1.PolicyTypeIngress, protocol, port)
}

func (o *oracle) direction(self, other, server *facts.Pod, d networkingv1.PolicyType, protocol string, port int32) bool {
	isolated := false
	for _, p := range o.policies {
		types := p.Spec.PolicyTypes
		if len(types) == 0 {
			types = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
			if len(p.Spec.Egress) > 0 {
				types = append(types, networkingv1.PolicyTypeEgress)
			}
		}
		if p.Namespace != self.Metadata.Namespace || !o.selected(&p.Spec.PodSelector, self.Metadata.Labels) || !slices.Contains(types, d) {
			continue
		}
		isolated = true
		if d == networkingv1.PolicyTypeEgress {
			for _, r := range p.Spec.Egress {
				if o.anyPort(r.Ports, server, protocol, port) && o.anyPeer(r.To, p.Namespace, other) {
					return true
				}
			}
			continue
		}
		for _, r := range p.Spec.Ingress {
			if o.anyPort(r.Ports, server, protocol, port) && o.anyPeer(r.From, p.Namespace, other) {
				return true
			}
		}
	}
	return !isolated
}

func (o *oracle) anyPort(ports []networkingv1.NetworkPolicyPort, server *facts.Pod, protocol string, port int32) bool {
	for _, p := range ports {
		want := corev1.ProtocolTCP
		if p.Protocol != nil {
			want = *p.Protocol
		}
		if string(want) != protocol {
			continue
		}
		switch {
		case p.Port == nil:
			return true
		case p.Port.Type == intstr.Int && p.EndPort != nil:
			if p.Port.IntVal <= port && port <= *p.EndPort {
				return true
			}
		case p.Port.Type == intstr.Int:
			if p.Port.IntVal == port {
				return true
			}
		default:
			for _, c := range server.Spec.Containers {
				for _, cp := range c.Ports {
					if cp.Name == p.Port.StrVal && cp.Protocol == protocol && cp.ContainerPort == port {
						return true
					}
				}
			}
		}
	}
	return len(ports) == 0
}

func (o *oracle) anyPeer(peers []networkingv1.NetworkPolicyPeer, namespace string, other *facts.Pod) bool {
	for _, p := range peers {
		if p.IPBlock != nil {
			if o.inBlock(p.IPBlock, other.Status.PodIP) {
				return true
			}
			continue
		}
		where := other.Metadata.Namespace == namespace
		if p.NamespaceSelector != nil {
			where = o.selected(p.NamespaceSelector, o.namespaceLabels(other.Metadata.Namespace))
		}
		if where && (p.PodSelector == nil || o.selected(p.PodSelector, other.Metadata.Labels)) {
			return true
		}
	}
	return len(peers) == 0
}

func (o *oracle) inBlock(b *networkingv1.IPBlock, address string) bool {
	in := func(cidr string) bool {
		_, n, err := net.ParseCIDR(cidr)
		if err != nil {
			o.t.Fatal(err)
		}
		return n.Contains(net.ParseIP(address))
	}
	return in(b.CIDR) && !slices.ContainsFunc(b.Except, in)
}

// dice writes random policies that the API server would take, out of words that the world knows and some that it does not.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }

func (d dice) some(n int, item func() string) string {
	var items []string
	for range d.IntN(n + 1) {
		items = append(items, item())
	}
	return "[" + strings.Join(items, ",") + "]"
}

func (d dice) selector(key string, values ...string) string {
	switch d.IntN(6) {
	case 0:
		return `{}`
	case 1, 2:
		return fmt.Sprintf(`{"matchLabels":{%q:%q}}`, key, d.one(values...))
	case 3:
		return fmt.Sprintf(`{"matchExpressions":[{"key":%q,"operator":%q,"values":[%q,%q]}]}`, key, d.one("In", "NotIn"), d.one(values...), d.one(values...))
	case 4:
		return fmt.Sprintf(`{"matchExpressions":[{"key":%q,"operator":%q}]}`, d.one(key, "nowhere"), d.one("Exists", "DoesNotExist"))
	}
	return fmt.Sprintf(`{"matchLabels":{%q:%q},"matchExpressions":[{"key":%q,"operator":"NotIn","values":[%q]}]}`, key, d.one(values...), key, d.one(values...))
}

func (d dice) podSelector() string { return d.selector("pod", "a", "b", "c") }
func (d dice) nsSelector() string {
	return d.selector(d.one("ns", metadataName), "x", "y", "z")
}

func (d dice) peer() string {
	switch d.IntN(5) {
	case 0:
		return `{"podSelector":` + d.podSelector() + `}`
	case 1:
		return `{"namespaceSelector":` + d.nsSelector() + `}`
	case 2, 3:
		return `{"namespaceSelector":` + d.nsSelector() + `,"podSelector":` + d.podSelector() + `}`
	}
	cidr := d.one("10.244.0.0/16", "10.244.1.0/24", "10.244.2.11/32", "0.0.0.0/0", "fd00::/8", "192.0.2.0/24")
	if d.IntN(2) == 0 {
		return fmt.Sprintf(`{"ipBlock":{"cidr":%q}}`, cidr)
	}
	return fmt.Sprintf(`{"ipBlock":{"cidr":%q,"except":[%q]}}`, cidr, d.one("10.244.2.0/24", "10.244.1.10/32", "10.244.3.8/30"))
}

func (d dice) port() string {
	protocol := d.one(`"TCP"`, `"UDP"`, `"SCTP"`)
	switch d.IntN(6) {
	case 0:
		return `{}`
	case 1:
		return `{"protocol":` + protocol + `}`
	case 2:
		return `{"port":` + d.one("80", "81", "443") + `}`
	case 3:
		return `{"protocol":` + protocol + `,"port":` + d.one("80", "81") + `}`
	case 4:
		return `{"protocol":` + protocol + `,"port":` + d.one("1", "80", "81") + `,"endPort":` + d.one("81", "65535") + `}`
	}
	return `{"protocol":` + protocol + `,"port":` + d.one(`"serve-80-tcp"`, `"serve-81-udp"`, `"serve-80-sctp"`, `"absent"`) + `}`
}

func (d dice) rule(peers string) string {
	return fmt.Sprintf(`{%q:%s,"ports":%s}`, peers, d.some(2, d.peer), d.some(2, d.port))
}

func (d dice) spec() string {
	types := d.one(`[]`, `["Ingress"]`, `["Egress"]`, `["Ingress","Egress"]`)
	return fmt.Sprintf(`{"podSelector":%s,"policyTypes":%s,"ingress":%s,"egress":%s}`, d.podSelector(), types,
		d.some(3, func() string { return d.rule("from") }), d.some(3, func() string { return d.rule("to") }))
}

func (d dice) policies(t testing.TB) []facts.NetworkPolicy {
	var out []facts.NetworkPolicy
	for i := range d.IntN(5) {
		out = append(out, np(t, fmt.Sprintf("%s/p%d", d.one(worldNamespaces...), i), d.spec()))
	}
	return out
}

// TestAgreesWithOracle compares whole truth tables under random policies.
func TestAgreesWithOracle(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	counts := map[Outcome]int{}
	for range 200 {
		c := world(d.policies(t))
		o, e := newOracle(t, c), New(c)
		for _, protocol := range protocols {
			for _, port := range []uint16{80, 81, 443} {
				for i := range c.Pods.Value {
					for j := range c.Pods.Value {
						src, dst := &c.Pods.Value[i], &c.Pods.Value[j]
						v := e.Judge(between(c, podName(src), podName(dst), protocol, port))
						coherent(t, v)
						want := Denied
						if o.allows(src, dst, protocol, int32(port)) {
							want = Allowed
						}
						counts[want]++
						if got := v.Outcome(); got != want {
							text, _ := json.Marshal(c.NetworkPolicies.Value)
							t.Fatalf("%s to %s, port %d/%s: got %s, want %s\n%s", podName(src), podName(dst), port, protocol, got, want, text)
						}
					}
				}
			}
		}
	}
	if counts[Allowed] < 5000 || counts[Denied] < 5000 {
		t.Errorf("the policies decide too little: %v", counts)
	}
}
