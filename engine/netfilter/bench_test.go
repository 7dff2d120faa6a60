package netfilter

import (
	"net/netip"
	"runtime"
	"testing"
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
			before := heap()
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
			b.ReportMetric(float64(heap()-before)/float64(len(text)), "x-text")
			runtime.KeepAlive(r)
		})
	}
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
