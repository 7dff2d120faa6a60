package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/engine/facts"
)

// BenchmarkProcess times whole processes side by side on a bundle of the recorded node with 10,000 Services: what
// `gzip -dc` takes for it, what `netcause analyze` takes, and the start-up alone. max-RSS-MB is the largest process; it counts
// what the benchmark's own process held when it forked, so no small one is below that.
func BenchmarkProcess(b *testing.B) {
	dir := b.TempDir()
	netcause := filepath.Join(dir, "netcause")
	build := exec.Command("go", "build", "-o", netcause, ".")
	build.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
	if text, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build netcause: %v\n%s", err, text)
	}
	path := filepath.Join(dir, "n1.tar.gz")
	if err := bundle.Write(b.Context(), path, recordedNode(b), bundle.Options{}); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		command []string
	}{
		{"gzip-dc", []string{"gzip", "-dc", path}},
		{"analyze", []string{netcause, "analyze", path}},
		{"rules-list", []string{netcause, "rules", "list"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var peak int64
			for b.Loop() {
				command := exec.Command(c.command[0], c.command[1:]...)
				if err := command.Run(); err != nil {
					b.Fatal(err)
				}
				if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
					peak = max(peak, usage.Maxrss)
				}
			}
			b.ReportMetric(float64(peak)/1024, "max-RSS-MB")
		})
	}
}

// recordedNode is a node with the recorded tables of a kube-proxy with 10,000 Services.
func recordedNode(tb testing.TB) *facts.Snapshot {
	tb.Helper()
	file, err := os.Open("../../engine/netfilter/testdata/kube-proxy-iptables-10000-services.save.gz")
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
	node.IPTablesLegacy = facts.ReadGroup(facts.Listing{Format: "iptables-save"}, "iptables-legacy-save -c")
	node.IPTablesLegacy.Raw = []facts.Raw{{Name: "iptables-legacy-save_-c", Data: text}}
	node.Processes = facts.ReadGroup([]facts.Process{{PID: 1, Comm: "kubelet", HostNetwork: true, Source: "ps -eo pid,args"}})
	return &facts.Snapshot{Nodes: []*facts.Node{node}}
}
