package netfilter

import (
	"math"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// recordedSets are the recorded rules in each form. The node's address is known: of it are the NodePorts.
func recordedSets(tb testing.TB) map[string]*Ruleset {
	rec := loadRecorded()
	iptables, nft, json := iptablesSet(tb, ""), iptablesSet(tb, ""), iptablesSet(tb, "")
	iptables.IPTables, iptables.IPTablesLegacy = parseSave(tb, ""), parseSave(tb, rec.save)
	nft.NFT = parseNFT(tb, rec.nft)
	json.NFT = parseNFT(tb, unzip(tb, "testdata/kube-proxy-nftables-10000-services.json.gz"))
	sets := map[string]*Ruleset{"iptables": iptables, "nftables": nft, "nftables in JSON": json}
	for _, r := range sets {
		r.LocalAddrs = []netip.Addr{recordedNode}
		r.InterfaceAddrs = map[string][]netip.Addr{"eth0": {recordedNode}}
		r.BroadcastAddrs = []netip.Addr{}
	}
	return sets
}

var recordedKubernetes = netip.MustParseAddr("10.233.0.1")

var recordedNode = netip.MustParseAddr("10.153.204.20")

// TestTraverseRecorded takes a packet to every Service, and every NodePort, through the hooks, and holds where it comes
// out to the EndpointSlices: the same endpoints, each with its share, or a refusal. Every chain that kube-proxy wrote for a
// Service is on the way of one of them.
func TestTraverseRecorded(t *testing.T) {
	rec := loadRecorded()
	for name, r := range recordedSets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			visited := map[string]bool{}
			for i := range recordedServices {
				p := syn()
				p.Src, p.Dst, p.Dport, p.Iif = netip.MustParseAddr("192.0.2.7"), rec.clusterIP[i], 80, "eth0"
				checkRecorded(t, r, p, i, HookForward, visited)
				if port, ok := rec.nodePort[i]; ok {
					p.Dst, p.Dport = recordedNode, port
					checkRecorded(t, r, p, i, HookInput, visited)
				}
				if t.Failed() && i > 100 {
					t.FailNow()
				}
			}
			p := syn()
			p.Src, p.Dst, p.Dport = netip.MustParseAddr("192.0.2.7"), recordedKubernetes, 443
			for _, o := range r.Traverse(HookPrerouting, p) { // the API server's has no endpoint of the README
				if o.NAT.Kind != "DNAT" || o.Packet.Dport != 6443 {
					t.Errorf("default/kubernetes: %s", tell(o))
				}
				visit(visited, o)
			}
			for _, chain := range serviceChains(r) {
				if !visited[chain] {
					t.Errorf("no packet came to chain %s", chain)
				}
			}
		})
	}
}

// serviceChains are the chains of one Service or endpoint each.
func serviceChains(r *Ruleset) []string {
	var out []string
	for _, l := range []*Listing{r.IPTablesLegacy, r.NFT} {
		for i := range l.chains {
			name := l.chains[i].name
			if slices.ContainsFunc([]string{"KUBE-SVC-", "KUBE-SEP-", "KUBE-EXT-", "service-", "endpoint-", "external-"}, func(prefix string) bool {
				return strings.HasPrefix(name, prefix)
			}) {
				out = append(out, name)
			}
		}
	}
	return out
}

// checkRecorded takes the packet through PREROUTING and then the hook where one without endpoints is refused.
func checkRecorded(t *testing.T, r *Ruleset, p Packet, i int, next Hook, visited map[string]bool) {
	t.Helper()
	got := r.Traverse(HookPrerouting, p)
	if i%50 == 0 {
		if len(got) != 1 || got[0].Verdict != VerdictAccept || got[0].NAT.Kind != "" {
			t.Errorf("svc-%05d without endpoints at PREROUTING: %s", i, tellAll(got))
			return
		}
		got[0].Packet.Oif = "eth0"
		f := r.Traverse(next, got[0].Packet)
		if verdicts(f) != "reject" || len(f) != 1 || len(f[0].When) > 0 {
			t.Errorf("svc-%05d without endpoints: %s", i, tellAll(f))
			return
		}
		visit(visited, f[0])
		return
	}
	share := map[netip.AddrPort]float64{}
	for _, o := range got {
		if o.Verdict != VerdictAccept || len(o.When) > 0 || o.NAT.Kind != "DNAT" || o.Packet.Mark&0x4000 == 0 {
			t.Errorf("svc-%05d: %s", i, tell(o))
			return
		}
		share[netip.AddrPortFrom(o.Packet.Dst, o.Packet.Dport)] += o.Probability
		visit(visited, o)
	}
	for _, e := range wantEndpoints(i) {
		if math.Abs(share[e]-1.0/3) > 1e-9 {
			t.Errorf("svc-%05d: %v has %v of the packets", i, e, share[e])
		}
		delete(share, e)
	}
	if len(share) > 0 {
		t.Errorf("svc-%05d: also %v", i, share)
	}
}

func visit(visited map[string]bool, o Outcome) {
	for _, h := range o.Hops {
		visited[h.Chain] = true
	}
}

// TestTraverseRecordedMasquerade takes a packet from outside on to POSTROUTING, where its mark makes the node its source.
func TestTraverseRecordedMasquerade(t *testing.T) {
	rec := loadRecorded()
	for name, r := range recordedSets(t) {
		p := syn()
		p.Src, p.Dst, p.Dport, p.Iif = netip.MustParseAddr("192.0.2.7"), rec.clusterIP[1], 80, "eth0"
		for _, o := range r.Traverse(HookPrerouting, p) {
			q := o.Packet
			q.Oif = "eth0"
			after := r.Traverse(HookPostrouting, q)
			if len(after) != 1 || !after[0].Masquerade || after[0].Packet.Mark&0x4000 != 0 {
				t.Errorf("%s: %s", name, tellAll(after))
			}
		}
	}
}

// BenchmarkTraverseRecorded takes a packet to each of the 10,000 Services in turn: ns/op is for all of them, on rules that
// nobody asked before.
func BenchmarkTraverseRecorded(b *testing.B) {
	rec := loadRecorded()
	for name := range recordedSets(b) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				r := recordedSets(b)[name]
				b.StartTimer()
				for i := range recordedServices {
					p := syn()
					p.Dst, p.Dport = rec.clusterIP[i], 80
					r.Traverse(HookPrerouting, p)
				}
			}
		})
	}
}

// TestSizeOfIndex holds the tables to twelve times their text, also once every Service was asked for.
func TestSizeOfIndex(t *testing.T) {
	rec := loadRecorded()
	for name, text := range map[string]string{"iptables": rec.save, "nftables": rec.nft} {
		before := heap()
		r := iptablesSet(t, "")
		start := time.Now()
		if name == "iptables" {
			r.IPTablesLegacy = parseSave(t, text)
		} else {
			r.NFT = parseNFT(t, text)
		}
		took := time.Since(start)
		parsed := heap() - before
		for i := range recordedServices {
			p := syn()
			p.Dst, p.Dport = rec.clusterIP[i], 80
			r.Traverse(HookPrerouting, p)
		}
		asked := heap() - before
		t.Logf("%s: %.1f MB of text, parsed at %.0f MB/s, %.2f x-text parsed, %.2f x-text when every Service was asked for",
			name, float64(len(text))/1e6, float64(len(text))/1e6/took.Seconds(), float64(parsed)/float64(len(text)), float64(asked)/float64(len(text)))
		if asked > 12*int64(len(text)) {
			t.Errorf("%s: %d bytes for %d of text", name, asked, len(text))
		}
		runtime.KeepAlive(r)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
