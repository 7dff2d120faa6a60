package services

import (
	"errors"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

func TestResolve(t *testing.T) {
	named := func(namespace, name string, change func(*facts.Service)) facts.Service {
		return service(func(s *facts.Service) { s.Metadata.Namespace, s.Metadata.Name = namespace, name; change(s) })
	}
	headlessWeb := func(s *facts.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = "None", []string{"None"} }
	db := slice(endpoint("10.244.1.7", "n1", func(e *facts.Endpoint) { e.Hostname = "db-0" }), endpoint("10.244.2.7", "n2"), endpoint("10.244.2.8", "n2", broken))
	db.Metadata.Labels = map[string]string{serviceNameLabel: "db"}
	x := New(world(
		service(), named("kube-system", "kube-dns", func(s *facts.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = "10.96.0.10", nil }),
		named("default", "db", headlessWeb), db, named("default", "empty", headlessWeb),
		named("default", "alias", func(s *facts.Service) {
			s.Spec.Type, s.Spec.ExternalName = "ExternalName", "web.default.svc.cluster.local"
		}),
		named("default", "away", func(s *facts.Service) { s.Spec.Type, s.Spec.ExternalName = "ExternalName", "db.example.com" }),
		named("default", "loop", func(s *facts.Service) {
			s.Spec.Type, s.Spec.ExternalName = "ExternalName", "loop.default.svc.cluster.local"
		}),
	))
	client := pod("client", "10.244.1.9", "n1")
	fromPod := Resolver{}.ForPod(&client)
	hostClient := pod("host", "192.0.2.1", "n1", func(p *facts.Pod) { p.Spec.HostNetwork, p.Spec.DNSPolicy = true, "ClusterFirst" })
	for _, c := range []struct {
		name string
		r    Resolver
		want string // full name and addresses, or the error
	}{
		{"web", fromPod, "web.default.svc.cluster.local 10.96.0.9 fd00:96::9"},
		{"WEB.default", fromPod, "web.default.svc.cluster.local 10.96.0.9 fd00:96::9"},
		{"kube-dns.kube-system", fromPod, "kube-dns.kube-system.svc.cluster.local 10.96.0.10"},
		{"kube-dns.kube-system.svc.cluster.local.", fromPod, "kube-dns.kube-system.svc.cluster.local 10.96.0.10"},
		{"db", fromPod, "db.default.svc.cluster.local 10.244.1.7 10.244.2.7"},
		{"db-0.db", fromPod, "db-0.db.default.svc.cluster.local 10.244.1.7"},
		{"10-244-2-7.db", fromPod, "10-244-2-7.db.default.svc.cluster.local 10.244.2.7"},
		{"10-244-2-8.db", fromPod, "error: it is no name of the cluster's"},
		{"10-244-9-9.default.pod", fromPod, "10-244-9-9.default.pod.cluster.local 10.244.9.9"},
		{"alias", fromPod, "web.default.svc.cluster.local 10.96.0.9 fd00:96::9"},
		{"away", fromPod, "external error: away.default.svc.cluster.local is an alias of db.example.com (ExternalName): it is no name of the cluster's"},
		{"loop", fromPod, "error: loop.default.svc.cluster.local is an alias"},
		{"empty", fromPod, "error: headless Service default/empty has no ready endpoint"},
		{"example.com", fromPod, "external error: it is no name of the cluster's"},
		{"webb", fromPod, "error: it is no name of the cluster's, and facts do not tell what a DNS server outside answers; Services in default: alias, away"},
		{"webb.default.svc.cluster.local.", fromPod, "error: there is no webb.default.svc.cluster.local; Services in default:"},
		{"web", Resolver{}.ForPod(&hostClient), "external error: it is no name of the cluster's"},
		{"web.default.svc.cluster.local", Resolver{Ndots: 1}, "web.default.svc.cluster.local 10.96.0.9 fd00:96::9"},
		{"web.default.svc.cluster.example", Resolver{Domain: "cluster.example."}.ForPod(&client), "web.default.svc.cluster.example 10.96.0.9 fd00:96::9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := x.Resolve(c.name, c.r)
			text := got.Name
			for _, a := range got.Addresses {
				text += " " + a.String()
			}
			var e *NameError
			if errors.As(err, &e) {
				text = "error: " + e.Reason
				if strings.HasPrefix(c.want, "external ") && e.External {
					text = "external " + text
				}
			}
			if text != c.want && (err == nil || !strings.HasPrefix(text, c.want)) {
				t.Errorf("%s\nwant %s", text, c.want)
			}
		})
	}
}
