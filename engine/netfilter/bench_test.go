package netfilter

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func BenchmarkParseIPTablesSave(b *testing.B) {
	text := loadRecorded().save
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseIPTablesSave(text, IPTablesLegacy, "ip"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseNFT(b *testing.B) {
	text := loadRecorded().nft
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseNFT(text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseIPTablesTables parses `iptables -t nat -nvL` of 10,000 Services.
func BenchmarkParseIPTablesTables(b *testing.B) {
	var services, chains strings.Builder
	services.WriteString("Chain KUBE-SERVICES (2 references)\n" + listHead)
	for i := range recordedServices {
		fmt.Fprintf(&services, "    0     0 KUBE-SVC-%016X  6    --  *      *       0.0.0.0/0            %-20s /* default/svc-%05d:http cluster IP */ tcp dpt:80\n", i, clusterIP(i), i)
		fmt.Fprintf(&chains, "\nChain KUBE-SVC-%016X (1 references)\n%s    0     0 KUBE-MARK-MASQ  6    --  *      *      !10.244.0.0/16        %-20s /* default/svc-%05d:http cluster IP */ tcp dpt:80\n", i, listHead, clusterIP(i), i)
		for e := range 3 {
			fmt.Fprintf(&chains, "    0     0 KUBE-SEP-%016X  0    --  *      *       0.0.0.0/0            0.0.0.0/0            /* default/svc-%05d:http -> 10.244.0.%d:8080 */ statistic mode random probability 0.33333333349\n", 3*i+e, i, e)
		}
	}
	text := services.String() + chains.String()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		l, err := ParseIPTablesTables([]TableText{{"nat", text}}, IPTablesLegacy, "ip")
		if _, n := l.NotModelled(0); err != nil || n > 0 || l.Rules() != 5*recordedServices {
			b.Fatal(err, n, l.Rules())
		}
	}
}

// BenchmarkIndex parses and then asks once, which builds the index of all that stands in the way: of KUBE-SERVICES or of
// the map of Services, and of the referrers of chains.
func BenchmarkIndex(b *testing.B) {
	rec := loadRecorded()
	p := syn()
	p.Dst = rec.clusterIP[777]
	json := unzip(b, "testdata/kube-proxy-nftables-10000-services.json.gz")
	for name, text := range map[string]string{"iptables": rec.save, "nftables": rec.nft, "json": json} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			before, cpu := heap(), processorTime(b)
			var r *Ruleset
			for b.Loop() {
				r = iptablesSet(b, "")
				if name == "iptables" {
					r.IPTablesLegacy = parseSave(b, text)
				} else {
					r.NFT = parseNFT(b, text)
				}
				if got := r.Traverse(HookPrerouting, p); len(got) != 3 {
					b.Fatal(tellAll(got))
				}
				r.KubeProxyModes()
			}
			// What other processes of a busy machine take is in MB/s and not in this.
			b.ReportMetric(float64(len(text))*float64(b.N)*1e3/float64(processorTime(b)-cpu), "cpu-MB/s")
			b.ReportMetric(float64(heap()-before)/float64(len(text)), "x-text")
			runtime.KeepAlive(r)
		})
	}
}

func processorTime(b *testing.B) int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// BenchmarkServicePathFirst includes what the first question builds: the index of KUBE-SERVICES and the
// referrers of all chains.
func BenchmarkServicePathFirst(b *testing.B) {
	rec := loadRecorded()
	for b.Loop() {
		b.StopTimer()
		l := parseSave(b, rec.save)
		b.StartTimer()
		(&Ruleset{IPTablesLegacy: l}).ServicePath(rec.clusterIP[777], "tcp", 80)
	}
}

func BenchmarkServicePath(b *testing.B) {
	rec := loadRecorded()
	for _, c := range []struct {
		name string
		set  *Ruleset
	}{
		{"iptables", &Ruleset{IPTablesLegacy: parseSave(b, rec.save)}},
		{"nftables", &Ruleset{NFT: parseNFT(b, rec.nft)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var a netip.Addr
			for i := 0; b.Loop(); i++ {
				a = rec.clusterIP[i%recordedServices]
				c.set.ServicePath(a, "tcp", 80)
			}
		})
	}
}

// TestMemory holds the recorded listing below 60 MB beyond its text.
func TestMemory(t *testing.T) {
	text := loadRecorded().save
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := parseSave(t, text)
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("allocated %d kB in %d objects, kept %d kB", allocated>>10, after.Mallocs-before.Mallocs,
		(int64(after.HeapAlloc)-int64(before.HeapAlloc))>>10)
	if allocated > 60<<20 {
		t.Errorf("parsing allocates %d MB", allocated>>20)
	}
	runtime.KeepAlive(l)
}
