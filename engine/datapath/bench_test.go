package datapath_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// recordedServices is how many Services the recorded listings of engine/netfilter/testdata hold.
const recordedServices = 10_000

// recordedRules is iptables-legacy-save -c of a node where kube-proxy programmed 10,000 Services of three endpoints.
var recordedRules = sync.OnceValues(func() (string, error) {
	return inflate("../netfilter/testdata/kube-proxy-iptables-10000-services.save.gz")
})

// recordedNFT is nft -a list ruleset of a node where kube-proxy's nftables mode programmed the same.
var recordedNFT = sync.OnceValues(func() (string, error) {
	return inflate("../netfilter/testdata/kube-proxy-nftables-10000-services.nft.gz")
})

func inflate(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	_, err = bufio.NewReaderSize(z, 1<<20).WriteTo(&b)
	return b.String(), err
}

var (
	recordedService = regexp.MustCompile(`^\[\d+:\d+\] -A KUBE-SERVICES -d (\S+)/32 .*"default/svc-(\d{5}):http cluster IP".* -j KUBE-SVC-(\S+)$`)
	chainName       = regexp.MustCompile(`KUBE-(SVC|SEP|EXT)-([A-Z2-7]+)`)
)

// onlyServices keeps the rules of the first count Services.
func onlyServices(save string, count int) string {
	keep := map[string]bool{}
	for line := range strings.Lines(save) {
		if m := recordedService.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			if i, _ := strconv.Atoi(m[2]); i < count {
				keep[m[3]] = true
			}
		}
	}
	for line := range strings.Lines(save) {
		if m := chainName.FindAllStringSubmatch(line, -1); len(m) == 2 && m[0][1] == "SVC" && keep[m[0][2]] {
			keep[m[1][2]] = true
		}
	}
	var b strings.Builder
	for line := range strings.Lines(save) {
		if m := chainName.FindStringSubmatch(line); m == nil || keep[m[2]] {
			if s := recordedService.FindStringSubmatch(strings.TrimSuffix(line, "\n")); s == nil || keep[s[3]] {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// recordedClusterIPs are the addresses of the Services of a listing, by their numbers.
func recordedClusterIPs(save string) map[int]netip.Addr {
	list := map[int]netip.Addr{}
	for line := range strings.Lines(save) {
		if m := recordedService.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			i, _ := strconv.Atoi(m[2])
			list[i] = netip.MustParseAddr(m[1])
		}
	}
	return list
}

// recordedCluster are two nodes as flannel makes them with the recorded rules: a Pod on n1, and on n2 the endpoints, on 118
// ports of its bridge. A namespace there has 256 addresses, so that all 30,000 endpoints answer.
func recordedCluster(rules func(*facts.NetNS)) *facts.Snapshot {
	pod := func(index int, addresses []netip.Addr, gateway string) *facts.Namespace {
		n := host(func(n *facts.NetNS) {
			n.Links.Value = append(n.Links.Value[:1], facts.Link{
				Source: "ip -d link show dev eth0", Ifindex: 2, Ifname: "eth0", Kind: "veth", LinkType: "ether", MTU: 1450, Flags: []string{"UP", "LOWER_UP"},
				Address: fmt.Sprintf("02:00:00:01:%02x:%02x", index>>8, index&255), LinkIndex: 100 + index, LinkNetnsid: new(int),
			})
			n.Addresses.Value, n.Routes.Value = nil, []facts.Route{via("0.0.0.0/0", gateway, "eth0")}
			for _, a := range addresses {
				n.Addresses.Value = append(n.Addresses.Value, facts.Address{Dev: "eth0", Family: "inet", Local: a, Prefixlen: 17, Scope: "global"})
				local := route("local", a.String()+"/32", "eth0")
				local.Table, local.Scope = facts.TableLocal, "host"
				n.Routes.Value = append(n.Routes.Value, local)
			}
			n.Listeners.Value = []facts.Listener{{Source: "ss -lntu", Proto: "tcp", Local: netip.IPv4Unspecified(), Port: 8080}}
		})
		return &facts.Namespace{ID: fmt.Sprintf("pod%d", index), Pod: &facts.PodReference{Namespace: "default", Name: fmt.Sprintf("pod%d", index)}, NetNS: n}
	}
	s := &facts.Snapshot{}
	for i, subnet := range []string{"10.233.64.0/18", "10.234.0.0/17"} {
		own, other := i+1, 2-i
		prefix := netip.MustParsePrefix(subnet)
		gateway := prefix.Addr().Next()
		if own == 2 {
			gateway = netip.MustParseAddr("10.234.127.1")
		}
		n := host(rules, func(n *facts.NetNS) {
			up := []string{"UP", "LOWER_UP"}
			n.Links.Value[1] = facts.Link{Source: "ip -d link show dev eth0", Ifindex: 2, Ifname: "eth0", LinkType: "ether", MTU: 1500, Flags: up, Address: fmt.Sprintf("02:00:00:00:03:0%d", own)}
			n.Links.Value = append(n.Links.Value[:2],
				facts.Link{Source: "ip -d link show dev cni0", Ifindex: 3, Ifname: "cni0", Kind: "bridge", LinkType: "ether", MTU: 1450, Flags: up, Address: fmt.Sprintf("02:00:00:00:01:0%d", own), Bridge: &facts.Bridge{}},
				facts.Link{
					Source: "ip -d link show dev flannel.1", Ifindex: 4, Ifname: "flannel.1", Kind: "vxlan", LinkType: "ether", MTU: 1450, Flags: up, Address: fmt.Sprintf("02:00:00:00:00:0%d", own),
					VXLAN: &facts.VXLAN{ID: 1, Local: netip.MustParseAddr(fmt.Sprintf("192.168.50.%d", own)), Port: 8472, Link: "eth0"},
				})
			address := func(dev, a string, bits int) {
				n.Addresses.Value = append(n.Addresses.Value, facts.Address{Dev: dev, Family: "inet", Local: netip.MustParseAddr(a), Prefixlen: bits, Scope: "global"})
				local := route("local", a+"/32", dev)
				local.Table, local.Scope = facts.TableLocal, "host"
				n.Routes.Value = append(n.Routes.Value, local)
			}
			n.Addresses.Value, n.Routes.Value = nil, nil
			address("eth0", fmt.Sprintf("192.168.50.%d", own), 24)
			address("cni0", gateway.String(), prefix.Bits())
			address("flannel.1", fmt.Sprintf("10.25%d.0.0", own), 32)
			far := via([]string{"10.233.64.0/18", "10.234.0.0/17"}[other-1], fmt.Sprintf("10.25%d.0.0", other), "flannel.1")
			far.Flags = []string{"onlink"}
			n.Routes.Value = append(n.Routes.Value, route("unicast", "192.168.50.0/24", "eth0"), route("unicast", subnet, "cni0"), far)
			n.Neighbours.Value = append(n.Neighbours.Value,
				facts.Neighbour{Source: "ip neighbour", Dst: netip.MustParseAddr(fmt.Sprintf("10.25%d.0.0", other)), Dev: "flannel.1", Lladdr: fmt.Sprintf("02:00:00:00:00:0%d", other), State: "PERMANENT"},
				facts.Neighbour{Source: "ip neighbour", Dst: netip.MustParseAddr(fmt.Sprintf("192.168.50.%d", other)), Dev: "eth0", Lladdr: fmt.Sprintf("02:00:00:00:03:0%d", other), State: "REACHABLE"})
			n.FDB.Value = append(n.FDB.Value, facts.FDBEntry{
				Source: "bridge fdb show", MAC: fmt.Sprintf("02:00:00:00:00:0%d", other), Dev: "flannel.1", Dst: netip.MustParseAddr(fmt.Sprintf("192.168.50.%d", other)), Flags: []string{"self"},
			})
			n.Sysctls.Value["net.bridge.bridge-nf-call-iptables"] = facts.Sysctl{Value: "1"}
			for _, dev := range []string{"cni0", "flannel.1", "eth0"} {
				for _, name := range []string{"rp_filter", "accept_local", "send_redirects", "route_localnet"} {
					n.Sysctls.Value["net.ipv4.conf."+strings.ReplaceAll(dev, ".", "/")+"."+name] = facts.Sysctl{Value: "0"}
				}
			}
		})
		node := &facts.Node{Name: fmt.Sprintf("n%d", own), NetNS: n}
		ports := 1
		if own == 2 {
			ports = 118
		}
		for k := range ports {
			addresses := []netip.Addr{netip.MustParseAddr("10.233.64.2")}
			if own == 2 {
				addresses = addresses[:0]
				for x := range 256 {
					addresses = append(addresses, netip.AddrFrom4([4]byte{10, 234, byte(k), byte(x)}))
				}
			}
			ns := pod(k, addresses, gateway.String())
			node.Namespaces = append(node.Namespaces, ns)
			node.Links.Value = append(node.Links.Value, facts.Link{
				Source: "ip -d link", Ifindex: 100 + k, Ifname: fmt.Sprintf("veth%d", k), Kind: "veth", LinkType: "ether", MTU: 1450, Flags: []string{"UP", "LOWER_UP"},
				Address: fmt.Sprintf("02:00:00:02:%02x:%02x", k>>8, k&255), Master: "cni0", LinkIndex: 2, LinkNetnsid: new(int), BridgePort: &facts.BridgePort{Hairpin: true, Learning: true},
			})
			node.FDB.Value = append(node.FDB.Value, facts.FDBEntry{Source: "bridge fdb show", MAC: ns.Links.Value[1].Address, Dev: fmt.Sprintf("veth%d", k), Master: "cni0"})
			for _, a := range addresses {
				node.Neighbours.Value = append(node.Neighbours.Value, facts.Neighbour{Source: "ip neighbour", Dst: a, Dev: "cni0", Lladdr: ns.Links.Value[1].Address, State: "REACHABLE"})
			}
		}
		s.Nodes = append(s.Nodes, node)
	}
	return s
}

func legacyRules(save string) func(*facts.NetNS) {
	return func(n *facts.NetNS) {
		n.IPTablesLegacy.Raw, n.IPTablesLegacy.Sources = []facts.Raw{{Data: []byte(save)}}, []facts.Source{"iptables-legacy-save -c"}
	}
}

func nftRules(text string) func(*facts.NetNS) {
	return func(n *facts.NetNS) {
		n.NFTables.Raw, n.NFTables.Sources = []facts.Raw{{Data: []byte(text)}}, []facts.Source{"nft -a list ruleset"}
	}
}

// recordedModel is a model of the first count recorded Services by iptables, or of all by nftables where count is 0, and the
// Services' addresses.
func recordedModel(t testing.TB, count int) (*datapath.Model, map[int]netip.Addr) {
	t.Helper()
	save, err := recordedRules()
	if err != nil {
		t.Fatal(err)
	}
	if count > 0 && count < recordedServices {
		return datapath.New(recordedCluster(legacyRules(onlyServices(save, count)))), recordedClusterIPs(save)
	}
	if count > 0 {
		return datapath.New(recordedCluster(legacyRules(save))), recordedClusterIPs(save)
	}
	nft, err := recordedNFT()
	if err != nil {
		t.Fatal(err)
	}
	return datapath.New(recordedCluster(nftRules(nft))), recordedClusterIPs(save)
}

var fromRecordedPod = datapath.Sender{Node: "n1", Namespace: "pod0"}

func walkService(t testing.TB, m *datapath.Model, ip netip.Addr, want datapath.Verdict, ways int) *datapath.Walk {
	t.Helper()
	got := m.Walk(fromRecordedPod, datapath.Packet{Dst: ip, Dport: 80, Proto: "tcp"})
	if got.Verdict() != want || got.Ways() != ways {
		t.Fatalf("%s: %s, %d ways\n%s", ip, got.Verdict(), got.Ways(), show(got.Trace().Branches, ""))
	}
	return got
}

// BenchmarkTraceService is one trace of a ClusterIP's packet from a Pod by all three endpoints on another node and back, in
// a model that has parsed its listings: "walk" finds the verdict, "trace" writes all of its steps out besides.
func BenchmarkTraceService(b *testing.B) {
	for _, x := range []struct {
		name  string
		count int
	}{{"iptables/100", 100}, {"iptables/10000", recordedServices}, {"nftables/10000", 0}} {
		m, ips := recordedModel(b, x.count)
		for i := range 100 {
			m.Walk(fromRecordedPod, datapath.Packet{Dst: ips[i], Dport: 80, Proto: "tcp"})
		}
		for _, written := range []bool{false, true} {
			b.Run(x.name+map[bool]string{false: "/walk", true: "/trace"}[written], func(b *testing.B) {
				b.ReportAllocs()
				defer reportCPU(b)()
				i := 0
				for b.Loop() {
					if i = (i + 7) % 100; i%50 == 0 {
						i++
					}
					if w := walkService(b, m, ips[i], datapath.Delivered, 3); written {
						w.Trace()
					}
				}
			})
		}
	}
}

// walkAll traces the recorded Services from one Pod, or each of a stride: every fiftieth has no endpoints.
func walkAll(t testing.TB, m *datapath.Model, ips map[int]netip.Addr, stride int) {
	t.Helper()
	for i := 0; i < recordedServices; i += stride {
		if i%50 == 0 {
			walkService(t, m, ips[i], datapath.Rejected, 1)
			continue
		}
		walkService(t, m, ips[i], datapath.Delivered, 3)
	}
}

// BenchmarkTraceAllServices traces all of the 10,000 recorded Services from one node, by 29,400 ways and back: on one
// processor, and on all that there are.
func BenchmarkTraceAllServices(b *testing.B) {
	m, ips := recordedModel(b, recordedServices)
	walkAll(b, m, ips, 1)
	b.Run("one", func(b *testing.B) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		defer reportCPU(b)()
		for b.Loop() {
			walkAll(b, m, ips, 1)
		}
	})
	b.Run("all", func(b *testing.B) {
		defer reportCPU(b)()
		for b.Loop() {
			walkTogether(m, ips, runtime.GOMAXPROCS(0))
		}
	})
}

// walkTogether traces the recorded Services in several goroutines.
func walkTogether(m *datapath.Model, ips map[int]netip.Addr, goroutines int) {
	var group sync.WaitGroup
	for first := range goroutines {
		group.Go(func() {
			for i := first; i < recordedServices; i += goroutines {
				m.Walk(fromRecordedPod, datapath.Packet{Dst: ips[i], Dport: 80, Proto: "tcp"}).Verdict()
			}
		})
	}
	group.Wait()
}

// TestTraceServices is that Services come to their endpoints and back by both of kube-proxy's modes, and that one takes as
// much work among 10,000 Services as among 100. BenchmarkTraceAllServices has all of them.
func TestTraceServices(t *testing.T) {
	few, ips := recordedModel(t, 100)
	many, _ := recordedModel(t, recordedServices)
	nft, _ := recordedModel(t, 0)
	walkAll(t, many, ips, 7)
	for i := 1; i < recordedServices; i += 50 {
		walkService(t, nft, ips[i], datapath.Delivered, 3)
	}
	work := func(m *datapath.Model) float64 {
		return testing.AllocsPerRun(20, func() { walkService(t, m, ips[77], datapath.Delivered, 3) })
	}
	a, b := work(few), work(many)
	t.Logf("allocations of one walk: %.0f among 100 Services, %.0f among %d", a, b, recordedServices)
	if b > a*1.05 || a > 1500 {
		t.Errorf("a walk takes %.0f allocations among 100 Services and %.0f among %d", a, b, recordedServices)
	}
}

// reportCPU reports the processor time of an operation, collection of garbage included: what other processes of a busy machine
// take is in ns/op and not in it.
func reportCPU(b *testing.B) func() {
	b.Helper()
	before := processorTime(b)
	return func() { b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op") }
}

func processorTime(b *testing.B) int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
