package engine_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"testing"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/rules"
)

// tenThousandServices is a node with the recorded tables of a kube-proxy with 10,000 Services, and a cluster that has
// those of them that have endpoints.
func tenThousandServices(tb testing.TB) *facts.Snapshot {
	tb.Helper()
	file, err := os.Open("netfilter/testdata/kube-proxy-iptables-10000-services.save.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		tb.Fatal(err)
	}
	node := &facts.Node{Name: "n1"}
	listing := facts.Listing{Format: "iptables-save"}
	node.IPTablesLegacy = facts.ReadGroup(listing, "iptables-legacy-save -c")
	node.IPTablesLegacy.Raw = []facts.Raw{{Name: "iptables-legacy-save_-c", Data: text}}
	node.IPTablesNFT = facts.ReadGroup(listing, "iptables-nft-save -c")
	node.NFTables = facts.ReadGroup(facts.Listing{Format: "nft-json"}, "nft -j list ruleset")

	var services []facts.Service
	rule := regexp.MustCompile(`-A KUBE-SERVICES -d ([0-9.]+)/32 -p tcp -m comment --comment "default/(svc-[0-9]+):http cluster IP"`)
	for _, match := range rule.FindAllSubmatch(text, -1) {
		services = append(services, facts.Service{
			Metadata: facts.ObjectMeta{Namespace: "default", Name: string(match[2])},
			Spec:     facts.ServiceSpec{Type: "ClusterIP", ClusterIP: string(match[1]), Ports: []facts.ServicePort{{Name: "http", Port: 80}}},
		})
	}
	return &facts.Snapshot{
		Nodes: []*facts.Node{node},
		Cluster: &facts.Cluster{
			Nodes:    facts.ReadGroup([]facts.NodeObject{{Metadata: facts.ObjectMeta{Name: "n1"}}}),
			Services: facts.ReadGroup(services),
		},
	}
}

func TestServiceRulesOfTenThousandServices(t *testing.T) {
	e, err := engine.New(t.Context(), rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.Diagnose(t.Context(), tenThousandServices(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.RootCauses)+len(d.FailedRules) > 0 {
		t.Errorf("roots %v, failed rules %v", d.RootCauses, d.FailedRules)
	}
	for _, r := range d.RuledOut {
		if r.ID != "service-rules-missing-on-node" {
			continue
		}
		want := "the rules of 9800 of 9800 Service ports are there, default/svc-03124: KUBE-SERVICES -> " +
			"KUBE-SVC-VHUEEHWZVTUY4P7I -> KUBE-SEP-A3EVDCHAIF7JKIHP -> DNAT 10.234.36.156:8080"
		if r.Message != want {
			t.Errorf("message %q, want %q", r.Message, want)
		}
		if len(r.Evidence) < 4 {
			t.Errorf("the way of a Service is not shown: %v", r.Evidence)
		}
		return
	}
	t.Error("service-rules-missing-on-node was not ruled out")
}

// BenchmarkDiagnose evaluates all rules on a node with 150,000 netfilter rules and a cluster with 9,800 Services. The
// parse is part of it: it is done once for each diagnosis.
func BenchmarkDiagnose(b *testing.B) {
	e, err := engine.New(b.Context(), rules.FS)
	if err != nil {
		b.Fatal(err)
	}
	snapshot := tenThousandServices(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Diagnose(b.Context(), snapshot); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompile loads and compiles the built-in library, as each run of the command does.
func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := engine.New(b.Context(), rules.FS); err != nil {
			b.Fatal(err)
		}
	}
}

// fleet is a cluster of so many nodes, each collected, with routes to all others and 30 Pods.
func fleet(nodes int) *facts.Snapshot {
	s := &facts.Snapshot{Cluster: &facts.Cluster{}}
	c := s.Cluster
	var objects []facts.NodeObject
	var pods []facts.Pod
	name := func(i int) string { return fmt.Sprintf("n%03d", i) }
	cidr := func(i int) netip.Prefix { return netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.0/24", 64+i/256, i%256)) }
	for i := range nodes {
		objects = append(objects, facts.NodeObject{
			Metadata: facts.ObjectMeta{Name: name(i), Annotations: map[string]string{"flannel.alpha.coreos.com/backend-type": "vxlan"}},
			Spec:     facts.NodeSpec{PodCIDR: cidr(i).String(), PodCIDRs: []string{cidr(i).String()}},
		})
		pods = append(pods, facts.Pod{
			Metadata: facts.ObjectMeta{Name: "kube-proxy-" + name(i), Namespace: "kube-system", Labels: map[string]string{"k8s-app": "kube-proxy"}},
			Spec:     facts.PodSpec{NodeName: name(i)}, Status: facts.PodStatus{Phase: "Running"},
		})
		for j := range 30 {
			pods = append(pods, facts.Pod{
				Metadata: facts.ObjectMeta{Name: fmt.Sprintf("app-%d-%d", i, j), Namespace: "default"},
				Spec:     facts.PodSpec{NodeName: name(i), Containers: []facts.Container{{Name: "app", Image: "app:1"}}},
				Status:   facts.PodStatus{Phase: "Running"},
			})
		}
		var routes []facts.Route
		for j := range nodes {
			if i != j {
				routes = append(routes, facts.Route{
					Type: "unicast", Family: "inet", Dst: cidr(j), Via: cidr(j).Addr(), Dev: "flannel.1", Table: facts.TableMain,
				})
			}
		}
		node := &facts.Node{Name: name(i)}
		node.Routes = facts.ReadGroup(routes, "ip route")
		s.Nodes = append(s.Nodes, node)
	}
	c.Nodes, c.Pods = facts.ReadGroup(objects), facts.ReadGroup(pods)
	c.DaemonSets = facts.ReadGroup([]facts.DaemonSet{{Metadata: facts.ObjectMeta{Name: "kube-proxy", Namespace: "kube-system"}}})
	return s
}

// BenchmarkDiagnoseFleet shows how a diagnosis grows with the number of nodes.
func BenchmarkDiagnoseFleet(b *testing.B) {
	e, err := engine.New(b.Context(), rules.FS)
	if err != nil {
		b.Fatal(err)
	}
	for _, nodes := range []int{50, 100, 200} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			snapshot := fleet(nodes)
			for b.Loop() {
				d, err := e.Diagnose(b.Context(), snapshot)
				if err != nil || len(d.RootCauses)+len(d.FailedRules) > 0 {
					b.Fatal(err, d.RootCauses, d.FailedRules)
				}
			}
		})
	}
}
