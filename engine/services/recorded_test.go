package services_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
	"github.com/netcause/netcause/engine/services"
)

// recordedServices are the 10,000 Services of which a real kube-proxy wrote the recorded tables: endpoints 3i, 3i+1 and
// 3i+2 of Service i at an address made of the number, none where i is divisible by 50; the addresses are in the listing.
func recordedServices(t *testing.T, listing string) *facts.Cluster {
	t.Helper()
	clusterIP := regexp.MustCompile(`-A KUBE-SERVICES -d ([0-9.]+)/32 -p tcp -m comment --comment "default/svc-([0-9]+):http (?:cluster IP|has no endpoints)"`)
	nodePort := regexp.MustCompile(`-A KUBE-NODEPORTS [^\n]*--comment "default/svc-([0-9]+):http"[^\n]* --dport ([0-9]+) `)
	ports := map[string]int32{}
	for _, m := range nodePort.FindAllStringSubmatch(listing, -1) {
		n, err := strconv.ParseUint(m[2], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		ports[m[1]] = int32(n)
	}
	var list []facts.Service
	var slicesOf []facts.EndpointSlice
	for _, m := range clusterIP.FindAllStringSubmatch(listing, -1) {
		i, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		name := "svc-" + m[2]
		list = append(list, facts.Service{
			Source: "services", Metadata: facts.ObjectMeta{Namespace: "default", Name: name},
			Spec: facts.ServiceSpec{ClusterIP: m[1], Ports: []facts.ServicePort{{Name: "http", Port: 80, NodePort: ports[m[2]]}}},
		})
		s := facts.EndpointSlice{
			AddressType: "IPv4", Ports: []facts.EndpointPort{{Name: "http", Port: 8080}},
			Metadata: facts.ObjectMeta{Namespace: "default", Labels: map[string]string{"kubernetes.io/service-name": name}},
		}
		for x := 3 * i; x < 3*i+3 && i%50 != 0; x++ {
			address := fmt.Sprintf("10.%d.%d.%d", 234+x/65536, x/256%256, x%256)
			s.Endpoints = append(s.Endpoints, facts.Endpoint{Addresses: []string{address}, NodeName: fmt.Sprintf("n%d", 1+x%2)})
		}
		slicesOf = append(slicesOf, s)
	}
	return &facts.Cluster{Services: facts.ReadGroup(list), EndpointSlices: facts.ReadGroup(slicesOf)}
}

// What the objects say should be there is what a real kube-proxy wrote, for all 10,000 Services and 500 node ports.
func TestAgreesWithKubeProxy(t *testing.T) {
	file, err := os.Open("../netfilter/testdata/kube-proxy-iptables-10000-services.save.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	listing, err := netfilter.ParseIPTablesSave(string(text), netfilter.IPTablesLegacy, "ip")
	if err != nil {
		t.Fatal(err)
	}
	node := netip.MustParseAddr("192.0.2.1")
	nothing, err := netfilter.ParseIPTablesSave("", netfilter.IPTablesNFT, "ip")
	if err != nil {
		t.Fatal(err)
	}
	rules := &netfilter.Ruleset{IPTablesLegacy: listing, IPTables: nothing, LocalAddrs: []netip.Addr{node}}
	cluster := recordedServices(t, string(text))
	x := services.New(cluster)
	compared, nodePorts, rejected := 0, 0, 0
	compare := func(to netip.Addr, port uint16, dst string) {
		should := x.Translate(services.Packet{Node: "n1", Src: netip.MustParseAddr("203.0.113.7"), Dst: to, Protocol: "tcp", Port: port, ToNode: to == node})
		is := rules.ServicePath(to, "tcp", port)
		compared++
		if string(is.Status) != string(should.Outcome) {
			t.Errorf("%s: kube-proxy has %s (%s), the objects say %s (%s)", dst, is.Status, is.Reason, should.Outcome, should.Reason)
			return
		}
		if should.Outcome == services.Rejected {
			rejected++
		}
		var have []netip.AddrPort
		for _, e := range is.Endpoints {
			have = append(have, e.Addr)
			i := slices.IndexFunc(should.Endpoints, func(s services.Endpoint) bool { return s.Addr == e.Addr })
			if i >= 0 && math.Abs(e.Probability-should.Endpoints[i].Probability) > 1e-4 {
				t.Errorf("%s: %s with probability %f, the objects say %f", dst, e.Addr, e.Probability, should.Endpoints[i].Probability)
			}
		}
		if stale, absent := services.Compare(should.Endpoints, have); len(stale)+len(absent) > 0 {
			t.Errorf("%s: stale %v, absent %v", dst, stale, absent)
		}
	}
	for i := range cluster.Services.Value {
		s := &cluster.Services.Value[i]
		compare(netip.MustParseAddr(s.Spec.ClusterIP), 80, s.Metadata.Name)
		if p := s.Spec.Ports[0].NodePort; p != 0 {
			nodePorts++
			compare(node, uint16(p), s.Metadata.Name+" by its node port")
		}
	}
	t.Logf("%d compared, %d of them node ports, %d rejected", compared, nodePorts, rejected)
	if len(cluster.Services.Value) != 10000 || nodePorts < 400 || rejected < 200 {
		t.Errorf("%d Services, %d node ports, %d rejected: the listing was not understood", len(cluster.Services.Value), nodePorts, rejected)
	}
}
