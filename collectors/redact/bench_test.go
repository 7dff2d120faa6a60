package redact_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/netcause/netcause/collectors/redact"
	"github.com/netcause/netcause/engine/facts"
)

// BenchmarkApply redacts the rules of 2,000 Services as kube-proxy writes them.
func BenchmarkApply(b *testing.B) {
	var rules strings.Builder
	for i := range 2000 {
		service := fmt.Sprintf("team-%d/service-%d:http", i%50, i)
		chain := fmt.Sprintf("KUBE-SVC-%016d", i)
		chain = strings.NewReplacer("0", "A", "1", "B", "8", "C", "9", "D").Replace(chain)
		address := fmt.Sprintf("10.96.%d.%d", i/250, i%250)
		fmt.Fprintf(&rules, "-A KUBE-SERVICES -d %s/32 -p tcp -m comment --comment \"%s cluster IP\" -m tcp --dport 80 -j %s\n", address, service, chain)
		for k := range 3 {
			fmt.Fprintf(&rules, "[0:0] -A %s -m comment --comment \"%s -> 10.244.%d.%d:8080\" -m statistic --mode random --probability 0.5 -j KUBE-SEP-%s\n",
				chain, service, i/80, i%80*3+k, chain[9:])
		}
	}
	node := &facts.Node{Name: "n1"}
	node.IPTablesNFT = facts.ReadGroup(facts.Listing{Format: "iptables-save"})
	node.IPTablesNFT.Raw = []facts.Raw{{Name: "iptables-nft-save_-c", Data: []byte(rules.String())}}
	snapshot := &facts.Snapshot{Nodes: []*facts.Node{node}}
	for _, options := range []redact.Options{{}, {Names: true}, {Addresses: true}, {Names: true, Addresses: true}} {
		b.Run(fmt.Sprintf("names=%v,addresses=%v", options.Names, options.Addresses), func(b *testing.B) {
			b.SetBytes(int64(rules.Len()))
			for b.Loop() {
				if _, _, err := redact.Apply(b.Context(), snapshot, options); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
