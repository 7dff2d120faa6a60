package netfilter

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// clusterIP is the address of the i-th Service of the generated rule sets.
func clusterIP(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 96 + byte(i>>16), byte(i >> 8), byte(i)})
}

// kubeProxySave is the rules of kube-proxy's iptables mode for n Services of three endpoints each.
func kubeProxySave(n int) string {
	var head, services, rest strings.Builder
	head.WriteString("*mangle\n:PREROUTING ACCEPT [0:0]\n:KUBE-PROXY-CANARY - [0:0]\n-A PREROUTING -m conntrack --ctstate INVALID -m comment --comment x -j DROP\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-NODEPORTS - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n")
	for i := range n {
		fmt.Fprintf(&head, ":KUBE-SVC-%d - [0:0]\n", i)
		fmt.Fprintf(&services, "-A KUBE-SERVICES -d %s/32 -p tcp -m comment --comment \"default/svc-%d:http cluster IP\" -m tcp --dport 80 -j KUBE-SVC-%d\n", clusterIP(i), i, i)
		fmt.Fprintf(&rest, "-A KUBE-SVC-%d ! -s 10.244.0.0/16 -d %s/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ\n", i, clusterIP(i))
		for e := range 3 {
			fmt.Fprintf(&head, ":KUBE-SEP-%d-%d - [0:0]\n", i, e)
			chance := fmt.Sprintf("-m statistic --mode random --probability %.11f ", 1/float64(3-e))
			if e == 2 {
				chance = ""
			}
			fmt.Fprintf(&rest, "-A KUBE-SVC-%d -m comment --comment \"default/svc-%d:http -> 10.244.%d.%d:8080\" %s-j KUBE-SEP-%d-%d\n", i, i, i/80%250, i%80*3+e, chance, i, e)
			fmt.Fprintf(&rest, "-A KUBE-SEP-%d-%d -s 10.244.%d.%d/32 -j KUBE-MARK-MASQ\n-A KUBE-SEP-%d-%d -p tcp -m tcp -j DNAT --to-destination 10.244.%d.%d:8080\n", i, e, i/80%250, i%80*3+e, i, e, i/80%250, i%80*3+e)
		}
	}
	return head.String() + "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\n-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n" +
		services.String() + "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n" + rest.String() + "COMMIT\n"
}

// kubeProxyNFT is the same in kube-proxy's nftables mode.
func kubeProxyNFT(n int) string {
	var ips, chains strings.Builder
	for i := range n {
		fmt.Fprintf(&ips, "%s . tcp . 80 comment \"default/svc-%d:http\" : goto service-%d,\n", clusterIP(i), i, i)
		fmt.Fprintf(&chains, "chain service-%d {\nip daddr %s tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade\nnumgen random mod 3 vmap { 0 : goto endpoint-%d-0, 1 : goto endpoint-%d-1, 2 : goto endpoint-%d-2 }\n}\n", i, clusterIP(i), i, i, i)
		for e := range 3 {
			fmt.Fprintf(&chains, "chain endpoint-%d-%d {\nip saddr 10.244.%d.%d jump mark-for-masquerade\nmeta l4proto tcp dnat to 10.244.%d.%d:8080\n}\n", i, e, i/80%250, i%80*3+e, i/80%250, i%80*3+e)
		}
	}
	return "table ip kube-proxy {\nmap service-ips {\ntype ipv4_addr . inet_proto . inet_service : verdict\nelements = { " + strings.TrimSuffix(ips.String(), ",\n") +
		" }\n}\nchain filter-prerouting {\ntype filter hook prerouting priority -110; policy accept;\nct state invalid drop\n}\n" +
		"chain nat-prerouting {\ntype nat hook prerouting priority dstnat; policy accept;\njump services\n}\nchain services {\nip daddr . meta l4proto . th dport vmap @service-ips\n}\n" +
		"chain mark-for-masquerade {\nmeta mark set meta mark | 0x00004000\n}\n" + chains.String() + "}\n"
}

// BenchmarkTraverse takes the first packet to a ClusterIP through PREROUTING, to a hundred of them in turn. It must not
// depend on how many Services there are. The first question to a Service also reads its rules: BenchmarkTraverseFirst.
func BenchmarkTraverse(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := iptablesSet(b, kubeProxySave(n))
			b.Run("iptables", func(b *testing.B) { benchmarkTraverse(b, r, n) })
			r = iptablesSet(b, "")
			r.NFT = parseNFT(b, kubeProxyNFT(n))
			b.Run("nftables", func(b *testing.B) { benchmarkTraverse(b, r, n) })
		})
	}
}

func benchmarkTraverse(b *testing.B, r *Ruleset, n int) {
	p := syn()
	traverse := func(i int) {
		p.Dst = clusterIP(i % 100 * (n / 100))
		if got := r.Traverse(HookPrerouting, p); len(got) != 3 || got[0].NAT.Kind != "DNAT" {
			b.Fatal(tellAll(got))
		}
	}
	for i := range 100 {
		traverse(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		traverse(i)
	}
}

// BenchmarkTraverseFirst asks each of 10,000 Services for the first time.
func BenchmarkTraverseFirst(b *testing.B) {
	text := kubeProxySave(10_000)
	p := syn()
	var r *Ruleset
	for i := 0; b.Loop(); i++ {
		if i%10_000 == 0 {
			b.StopTimer()
			r = iptablesSet(b, text)
			r.Traverse(HookPrerouting, p) // the index of KUBE-SERVICES
			b.StartTimer()
		}
		p.Dst = clusterIP(i % 10_000)
		r.Traverse(HookPrerouting, p)
	}
}
