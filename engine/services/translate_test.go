package services

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func TestTranslate(t *testing.T) {
	two := slice(endpoint("10.244.1.5", "n1"), endpoint("10.244.2.5", "n2"))
	const (
		cluster, lb, external, proxied = "10.96.0.9:80", "198.51.100.8:80", "198.51.100.7:80", "198.51.100.9:80"
		fromOutside                    = "203.0.113.7"
	)
	for _, c := range []struct {
		name    string
		objects []any
		node    string
		src     string
		to      string
		want    string // outcome, kind, endpoints
		reason  string
	}{
		{"cluster IP", []any{service(), two}, "n1", "", cluster, "translated clusterIP 10.244.1.5:8080 50% 10.244.2.5:8080 50%", "2 endpoints"},
		{"no such Service", []any{service(), two}, "n1", "", "10.96.0.10:80", "no-service", "no Service's"},
		{"no such port", []any{service(), two}, "n1", "", "10.96.0.9:81", "no-port", "port 80/TCP (http) and not port 81/TCP"},
		{"Services not read", []any{func(c *facts.Cluster) {
			c.Services = facts.Unread[[]facts.Service](facts.Denied, "list services")
		}}, "n1", "", cluster, "unknown", "denied: list services"},
		{"no endpoints", []any{service()}, "n1", "", cluster, "rejected clusterIP", "no EndpointSlice"},
		{"none ready", []any{service(), slice(endpoint("10.244.1.5", "n1", broken))}, "n1", "", cluster, "rejected clusterIP", "Pod default/web-n1 is not"},
		{"conditions left out", []any{service(), slice(endpoint("10.244.1.5", "n1", bare))}, "n1", "", cluster, "translated clusterIP 10.244.1.5:8080 100%", ""},
		{
			"a terminating one gives way",
			[]any{service(), slice(endpoint("10.244.1.5", "n1", leaving), endpoint("10.244.2.5", "n2"))},
			"n1", "", cluster, "translated clusterIP 10.244.2.5:8080 100%", "",
		},
		{
			"terminating ones for want of others",
			[]any{service(), slice(endpoint("10.244.1.5", "n1", leaving), endpoint("10.244.2.5", "n2", broken))},
			"n1", "", cluster, "translated clusterIP 10.244.1.5:8080 100%", "still serving",
		},
		{"the same endpoint in two slices", []any{service(), two, two}, "n1", "", cluster, "translated clusterIP 10.244.1.5:8080 50% 10.244.2.5:8080 50%", ""},
		{
			"a slice of another port",
			[]any{service(), func(c *facts.Cluster) {
				s := two
				s.Ports = []facts.EndpointPort{{Name: "metrics", Protocol: "TCP", Port: 9090}, {Name: "http", Protocol: "UDP", Port: 1}}
				c.EndpointSlices.Value = append(c.EndpointSlices.Value, s)
			}},
			"n1", "", cluster, "rejected clusterIP", "",
		},
		{"the other family has none", []any{service(), two}, "n1", "", "[fd00:96::9]:80", "rejected clusterIP", "port and family"},
		{
			"dual stack",
			[]any{service(), two, func(c *facts.Cluster) {
				s := slice(endpoint("fd00:244::5", "n1"))
				s.AddressType = "IPv6"
				c.EndpointSlices.Value = append(c.EndpointSlices.Value, s)
			}},
			"n1", "", "[fd00:96::9]:80", "translated clusterIP [fd00:244::5]:8080 100%", "",
		},
		{"internalTrafficPolicy Local, one here", []any{service(internalLocal), two}, "n1", "", cluster, "translated clusterIP 10.244.1.5:8080 100%", "internalTrafficPolicy"},
		{"internalTrafficPolicy Local, none here", []any{service(internalLocal), two}, "n3", "", cluster, "dropped clusterIP", "no endpoint is on node n3: they are on n1, n2"},
		{"internalTrafficPolicy Local, none at all", []any{service(internalLocal)}, "n3", "", cluster, "rejected clusterIP", ""},
		{
			"internalTrafficPolicy Local, here one that terminates",
			[]any{service(internalLocal), slice(endpoint("10.244.1.5", "n1", leaving), endpoint("10.244.2.5", "n2"))},
			"n1", "", cluster, "translated clusterIP 10.244.1.5:8080 100%", "",
		},
		{"node port", []any{service(), two}, "n1", fromOutside, "192.0.2.1:30080", "translated nodePort masquerade 10.244.1.5:8080 50% 10.244.2.5:8080 50%", ""},
		{"node port on another node's address", []any{service(), two}, "n1", fromOutside, "192.0.2.2:30080", "no-service", ""},
		{"node port, Local", []any{service(externalLocal), two}, "n1", fromOutside, "192.0.2.1:30080", "translated nodePort 10.244.1.5:8080 100%", "externalTrafficPolicy"},
		{"node port, Local, none here", []any{service(externalLocal), two}, "n3", fromOutside, "192.0.2.3:30080", "dropped nodePort", "externalTrafficPolicy is Local"},
		{
			"node port, Local, from the node itself",
			[]any{service(externalLocal), two},
			"n3", "192.0.2.3", "192.0.2.3:30080",
			"translated nodePort masquerade 10.244.1.5:8080 50% 10.244.2.5:8080 50%", "",
		},
		{
			"node port, Local, from a Pod",
			[]any{service(externalLocal), two, pod("client", "10.244.3.9", "n3")},
			"n3", "10.244.3.9", "192.0.2.3:30080",
			"translated nodePort 10.244.1.5:8080 50% 10.244.2.5:8080 50%", "",
		},
		{"node port, Local, from whom is not known", []any{service(externalLocal), two}, "n3", "", "192.0.2.3:30080", "unknown nodePort", "from outside"},
		{"cluster IP, external Local", []any{service(externalLocal), two}, "n3", "", cluster, "translated clusterIP 10.244.1.5:8080 50% 10.244.2.5:8080 50%", ""},
		{"external IP", []any{service(balanced), two}, "n1", fromOutside, external, "translated externalIP masquerade 10.244.1.5:8080 50% 10.244.2.5:8080 50%", ""},
		{"load balancer", []any{service(balanced), two}, "n1", fromOutside, lb, "translated loadBalancer masquerade 10.244.1.5:8080 50% 10.244.2.5:8080 50%", ""},
		{"load balancer that is a proxy", []any{service(balanced), two}, "n1", fromOutside, proxied, "no-service", ""},
		{"a source that it does not allow", []any{service(balanced, ranges("10.0.0.0/8", " 192.0.2.0/24")), two}, "n1", fromOutside, lb, "dropped loadBalancer", "do not have 203.0.113.7"},
		{"one that it allows", []any{service(balanced, ranges("203.0.113.0/24"), externalLocal), two}, "n1", fromOutside, lb, "translated loadBalancer 10.244.1.5:8080 100%", ""},
		{"ranges of the other family alone", []any{service(balanced, ranges("2001:db8::/32")), two}, "n1", fromOutside, lb, "translated loadBalancer masquerade 10.244.1.5:8080 50% 10.244.2.5:8080 50%", ""},
		{"ranges, and whom is not known", []any{service(balanced, ranges("203.0.113.0/24")), two}, "n1", "", lb, "unknown loadBalancer", "loadBalancerSourceRanges"},
		{"ranges do not bind the node port", []any{service(balanced, ranges("10.0.0.0/8")), two}, "n2", fromOutside, "192.0.2.2:30080", "translated nodePort masquerade 10.244.1.5:8080 50% 10.244.2.5:8080 50%", ""},
		{"another proxy's", []any{service(labelled(proxyNameLabel, "mesh")), two}, "n1", "", cluster, "unknown clusterIP", "leaves it to that"},
		{
			"zone hints",
			[]any{service(), slice(endpoint("10.244.1.5", "n1", zones("a")), endpoint("10.244.3.5", "n3", zones("b")))},
			"n3", "", cluster, "translated clusterIP 10.244.3.5:8080 100%", "PreferSameZone",
		},
		{
			"zone hints, and one endpoint without",
			[]any{service(), slice(endpoint("10.244.1.5", "n1", zones("a")), endpoint("10.244.3.5", "n3"))},
			"n3", "", cluster, "translated clusterIP 10.244.1.5:8080 50% 10.244.3.5:8080 50%", "",
		},
		{
			"zone hints, none for this zone",
			[]any{service(), slice(endpoint("10.244.1.5", "n1", zones("a")), endpoint("10.244.2.5", "n2", zones("a")))},
			"n3", "", cluster, "translated clusterIP 10.244.1.5:8080 50% 10.244.2.5:8080 50%", "",
		},
		{
			"node hints before zone hints",
			[]any{service(), slice(endpoint("10.244.1.5", "n1", zones("a"), nodes("n1")), endpoint("10.244.2.5", "n2", zones("a"), nodes("n2")))},
			"n2", "", cluster, "translated clusterIP 10.244.2.5:8080 100%", "PreferSameNode",
		},
		{
			"hints do not count for Local",
			[]any{service(externalLocal), slice(endpoint("10.244.1.5", "n1", zones("b")), endpoint("10.244.3.5", "n3", zones("a")))},
			"n1", fromOutside, "192.0.2.1:30080", "translated nodePort 10.244.1.5:8080 100%", "",
		},
		{
			"by Pods",
			[]any{service(), noSlices, pod("web-0", "10.244.1.5", "n1"), pod("web-1", "10.244.2.5", "n2", func(p *facts.Pod) {
				p.Metadata.DeletionTimestamp = "2026-01-01T00:00:00Z"
			}), pod("done", "10.244.2.6", "n2", func(p *facts.Pod) { p.Status.Phase = "Succeeded" }), pod("other", "10.244.2.7", "n2", func(p *facts.Pod) {
				p.Metadata.Labels = map[string]string{"app": "db"}
			}), pod("unnamed", "10.244.2.8", "n2", func(p *facts.Pod) { p.Spec.Containers = nil })},
			"n1", "", cluster, "translated clusterIP 10.244.1.5:8080 100%", "EndpointSlices were not read",
		},
		{"by Pods, none", []any{service(), noSlices}, "n1", "", cluster, "rejected clusterIP", "its selector matches no Pod"},
		{
			"by nothing",
			[]any{service(func(s *facts.Service) { s.Spec.Selector = nil }), noSlices},
			"n1", "", cluster, "unknown clusterIP", "which has no selector (absent: the bundle has none)",
		},
		{
			"endpoints that somebody writes by hand",
			[]any{service(func(s *facts.Service) { s.Spec.Selector = nil }), slice(endpoint("203.0.113.80", ""))},
			"n1", "", cluster, "translated clusterIP 203.0.113.80:8080 100%", "",
		},
		{
			"headless",
			[]any{service(func(s *facts.Service) {
				s.Spec.ClusterIP, s.Spec.ClusterIPs, s.Spec.Ports[0].NodePort = "None", []string{"None"}, 0
			}), two},
			"n1", "", cluster, "no-service", "",
		},
		{"ExternalName", []any{service(func(s *facts.Service) { s.Spec.Type = "ExternalName" }), two}, "n1", "", cluster, "no-service", ""},
		{"slices of other namespaces alone", []any{service(), two, func(c *facts.Cluster) {
			c.EndpointSlices.Reason = "limited to namespaces kube-system"
		}}, "n1", "", cluster, "rejected clusterIP", "matches no Pod"},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := netip.MustParseAddrPort(c.to)
			p := Packet{Node: c.node, Dst: to.Addr(), Protocol: "tcp", Port: to.Port()}
			if c.src != "" {
				p.Src = netip.MustParseAddr(c.src)
			}
			got := New(world(c.objects...)).Translate(p)
			if diff := cmp.Diff(c.want, short(got)); diff != "" {
				t.Errorf("(-want +got)\n%s%s", diff, got.Reason)
			}
			if !strings.Contains(got.Reason, c.reason) || strings.Contains(got.Reason, "%!") {
				t.Errorf("reason %q, want %q in it", got.Reason, c.reason)
			}
			if got.Port != nil && got.Source == "" {
				t.Error("it names no object")
			}
			if got.Outcome == Unknown && got.Missing == nil {
				t.Error("it does not say what is missing")
			}
		})
	}
}

func short(t Translation) string {
	text := string(t.Outcome)
	if t.Kind != "" {
		text += " " + string(t.Kind)
	}
	if t.Masquerade && t.Outcome == Translated {
		text += " masquerade"
	}
	for _, e := range t.Endpoints {
		text += fmt.Sprintf(" %s %.0f%%", e.Addr, e.Probability*100)
	}
	return text
}

func TestAddressesAndFrontends(t *testing.T) {
	s := service(balanced)
	var got []string
	for _, f := range Addresses(&s) {
		got = append(got, string(f.Kind)+" "+f.Address.String())
	}
	want := []string{"clusterIP 10.96.0.9", "clusterIP fd00:96::9", "externalIP 198.51.100.7", "loadBalancer 198.51.100.8"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Nothing read is nothing known, and no panic.
func TestNothingRead(t *testing.T) {
	got := New(nil).Translate(Packet{Dst: netip.MustParseAddr("10.96.0.9"), Protocol: "tcp", Port: 80})
	if got.Outcome != Unknown {
		t.Errorf("outcome %s", got.Outcome)
	}
}

// What a rule asks: what should be on a node, and what of what is there is not that.
func TestCompare(t *testing.T) {
	s := service(internalLocal)
	x := New(world(s, slice(endpoint("10.244.1.5", "n1"), endpoint("10.244.1.6", "n1"), endpoint("10.244.2.5", "n2"))))
	b := x.Backends("n1", Ports(&s)[0], netip.MustParseAddr("10.96.0.9"))
	stale, absent := Compare(b.For(&s, ClusterIP), []netip.AddrPort{netip.MustParseAddrPort("10.244.1.5:8080"), netip.MustParseAddrPort("10.244.2.5:8080")})
	if len(stale) != 1 || stale[0].String() != "10.244.2.5:8080" || len(absent) != 1 || absent[0].Addr.String() != "10.244.1.6:8080" {
		t.Errorf("stale %v, absent %v", stale, absent)
	}
	if !Proxied(&s) || len(b.For(&s, NodePort)) != 3 {
		t.Errorf("proxied %v, external endpoints %v", Proxied(&s), b.For(&s, NodePort))
	}
}
