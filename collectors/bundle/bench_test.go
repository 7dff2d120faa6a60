package bundle

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/netcause/netcause/engine/facts"
)

// recordedListing is the iptables-legacy-save of a node of a cluster with 10,000 Services.
func recordedListing(b *testing.B) []byte {
	b.Helper()
	packed, err := os.ReadFile("../../engine/netfilter/testdata/kube-proxy-iptables-10000-services.save.gz")
	if err != nil {
		b.Fatal(err)
	}
	return gunzip(b, packed)
}

func listingSnapshot(listing []byte) *facts.Snapshot {
	node := &facts.Node{Name: "n1"}
	node.IPTablesLegacy = facts.ReadGroup(facts.Listing{Format: "iptables-save"}, "iptables-legacy-save -c")
	node.IPTablesLegacy.Raw = []facts.Raw{{Name: "iptables-legacy-save_-c", Data: listing}}
	return &facts.Snapshot{Nodes: []*facts.Node{node}}
}

// BenchmarkDecompress is the least that reading can take.
func BenchmarkDecompress(b *testing.B) {
	listing := recordedListing(b)
	packed := readFile(b, writeBundle(b, "x.tar.gz", listingSnapshot(listing), Options{}))
	b.SetBytes(int64(len(listing)))
	for b.Loop() {
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	listing := recordedListing(b)
	path := writeBundle(b, "x.tar.gz", listingSnapshot(listing), Options{})
	b.SetBytes(int64(len(listing)))
	b.ReportAllocs()
	for b.Loop() {
		snapshot, err := Read(b.Context(), []string{path}, Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if len(facts.Text(&snapshot.Nodes[0].IPTablesLegacy)) != len(listing) {
			b.Fatal("the listing is not what it was")
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	listing := recordedListing(b)
	snapshot := listingSnapshot(listing)
	path := filepath.Join(b.TempDir(), "x.tar.gz")
	b.SetBytes(int64(len(listing)))
	for b.Loop() {
		if err := Write(b.Context(), path, snapshot, Options{Overwrite: true}); err != nil {
			b.Fatal(err)
		}
	}
}
