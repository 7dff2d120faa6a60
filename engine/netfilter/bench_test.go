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
