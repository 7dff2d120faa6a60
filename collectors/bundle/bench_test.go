package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// sosreportOf is a sosreport of so many bytes unpacked, most of it logs that are of no use.
func sosreportOf(b *testing.B, size int) (path string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "sosreport-n1.tar.gz")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	zip, err := gzip.NewWriterLevel(file, 3)
	if err != nil {
		b.Fatal(err)
	}
	w := tar.NewWriter(zip)
	add := func(e entry) {
		if err := errors.Join(w.WriteHeader(&e.header), func() error { _, err := io.WriteString(w, e.text); return err }()); err != nil {
			b.Fatal(err)
		}
	}
	for _, e := range untar(b, gunzip(b, readFile(b, healthy))) {
		if strings.HasPrefix(e.header.Name, "healthy/sosreport-n1/") {
			add(e)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	var log bytes.Buffer
	for log.Len() < 4<<20 {
		fmt.Fprintf(&log, "Nov 24 12:%02d:%02d n1 kubelet[%d]: I1124 %x reconciler.go:%d] operationExecutor.VerifyControllerAttachedVolume started for volume %x\n",
			random.IntN(60), random.IntN(60), random.IntN(40000), random.Uint64(), random.IntN(900), random.Uint64())
	}
	for written := 0; written < size; written += log.Len() {
		add(textEntry(fmt.Sprintf("healthy/sosreport-n1/var/log/messages-%d", written), log.String()))
	}
	if err := errors.Join(w.Close(), zip.Close(), file.Close()); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkReadSosreport reads one of 500 MB beside what decompressing it alone takes: "of-gzip" is the part of that speed
// that is reached.
func BenchmarkReadSosreport(b *testing.B) {
	const size = 500 << 20
	path := sosreportOf(b, size)
	start := time.Now()
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.WriteTo(io.Discard); err != nil {
		b.Fatal(err)
	}
	alone := time.Since(start)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		snapshot, err := Read(b.Context(), []string{path}, Limits{})
		if err != nil || len(snapshot.Nodes) != 1 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(alone)/(float64(b.Elapsed())/float64(b.N)), "of-gzip")
}

// BenchmarkReadFleet reads the sosreports of 200 nodes.
func BenchmarkReadFleet(b *testing.B) {
	dir := b.TempDir()
	all := untar(b, gunzip(b, readFile(b, healthy)))
	for n := range 200 {
		var node entries
		for _, e := range all {
			if name, ok := strings.CutPrefix(e.header.Name, "healthy/sosreport-n1/"); ok {
				if name == "etc/hostname" || strings.HasSuffix(name, "/hostname") {
					e.text = fmt.Sprintf("n%03d\n", n)
				}
				node = append(node, textEntry(fmt.Sprintf("sosreport-n%03d/%s", n, name), e.text))
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("n%03d.tar.gz", n)), compress(b, node.tar(b)), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		snapshot, err := Read(b.Context(), []string{dir}, Limits{})
		if err != nil || len(snapshot.Nodes) != 200 {
			b.Fatal(err, len(snapshot.Nodes))
		}
	}
}
