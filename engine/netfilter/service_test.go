package netfilter

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// natTable is a small kube-proxy listing of the iptables mode; base holds the rules of the base chains.
func natTable(base, more string) string {
	return "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-NODEPORTS - [0:0]\n" +
		":KUBE-MARK-MASQ - [0:0]\n:KUBE-SVC-A - [0:0]\n:KUBE-SEP-1 - [0:0]\n:KUBE-SEP-2 - [0:0]\n:KUBE-EXT-B - [0:0]\n" +
		":KUBE-SVC-B - [0:0]\n:KUBE-SVL-B - [0:0]\n:KUBE-FW-C - [0:0]\n:OTHER - [0:0]\n" + base +
		"-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment \"default/a:http cluster IP\" -m tcp --dport 80 -j KUBE-SVC-A\n" +
		"-A KUBE-SERVICES -d 10.96.0.2/32 -p tcp -m tcp --dport 80 -j KUBE-EXT-B\n" +
		"-A KUBE-SERVICES -d 10.96.0.3/32 -p tcp -m tcp --dport 80 -j KUBE-FW-C\n" +
		"-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n" +
		"-A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-EXT-B\n" +
		"-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n" +
		"-A KUBE-SVC-A ! -s 10.0.0.0/8 -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ\n" +
		"-A KUBE-SVC-A -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-1 --mask 255.255.255.255 --rsource -j KUBE-SEP-1\n" +
		"-A KUBE-SVC-A -m statistic --mode random --probability 0.25000000000 -j KUBE-SEP-1\n-A KUBE-SVC-A -j KUBE-SEP-2\n" +
		"-A KUBE-SEP-1 -s 10.1.0.1/32 -j KUBE-MARK-MASQ\n" +
		"-A KUBE-SEP-1 -p tcp -m recent --set --name KUBE-SEP-1 --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.1.0.1:8080\n" +
		"-A KUBE-SEP-2 -s 10.1.0.2/32 -j KUBE-MARK-MASQ\n-A KUBE-SEP-2 -p tcp -m tcp -j DNAT --to-destination 10.1.0.2:8080\n" +
		"-A KUBE-EXT-B -s 10.0.0.0/8 -j KUBE-SVC-B\n-A KUBE-EXT-B -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n" +
		"-A KUBE-EXT-B -m addrtype --src-type LOCAL -j KUBE-SVC-B\n-A KUBE-EXT-B -j KUBE-SVL-B\n" +
		"-A KUBE-SVC-B -j KUBE-SEP-1\n-A KUBE-SVL-B -j KUBE-SEP-2\n" +
		"-A KUBE-FW-C -s 192.0.2.0/24 -j KUBE-SVC-A\n" + more + "COMMIT\n"
}

const (
	bothBases  = "-A PREROUTING -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\n"
	kubeFilter = "*filter\n:FORWARD ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-PROXY-FIREWALL - [0:0]\n" +
		"-A FORWARD -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL\n-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES\n" +
		"-A KUBE-PROXY-FIREWALL -d 10.96.0.3/32 -p tcp -m tcp --dport 80 -j DROP\n" +
		"-A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment \"default/z:http has no endpoints\" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable\n" +
		"-A KUBE-SERVICES -d 10.96.0.8/32 -p tcp -m comment --comment \"default/y has no local endpoints\" -m tcp --dport 80 -j DROP\nCOMMIT\n"
	emptyNAT = "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
)

// brief is a path in a line: status, chains of the hops, endpoints.
func brief(p Path) string {
	var b strings.Builder
	b.WriteString(string(p.Status))
	for _, h := range p.Hops {
		fmt.Fprintf(&b, " %s:%d", h.Chain, h.Line)
	}
	for _, e := range p.Endpoints {
		fmt.Fprintf(&b, " [%s %.3g", e.Addr, e.Probability)
		for _, h := range e.Hops {
			fmt.Fprintf(&b, " %s:%d", h.Chain, h.Line)
		}
		for _, w := range e.When {
			fmt.Fprintf(&b, " if %s", w)
		}
		b.WriteString("]")
	}
	return b.String()
}

func TestServicePathIPTables(t *testing.T) {
	all := natTable(bothBases, "") + kubeFilter
	for _, c := range []struct {
		name, text, dst string
		local           []netip.Addr
		want, reason    string
	}{
		{
			"two endpoints, session affinity", all, "10.96.0.1:80", nil,
			"translated PREROUTING:15 KUBE-SERVICES:17 [10.1.0.1:8080 0.25 KUBE-SVC-A:25 KUBE-SEP-1:28] " +
				"[10.1.0.2:8080 0.75 KUBE-SVC-A:26 KUBE-SEP-2:30]", "",
		},
		{
			"sources decide (externalTrafficPolicy Local)", all, "10.96.0.2:80", nil,
			"translated PREROUTING:15 KUBE-SERVICES:18 " +
				"[10.1.0.1:8080 1 KUBE-EXT-B:31 KUBE-SVC-B:35 KUBE-SEP-1:28 if source is in 10.0.0.0/8] " +
				"[10.1.0.1:8080 1 KUBE-EXT-B:33 KUBE-SVC-B:35 KUBE-SEP-1:28 if source is not in 10.0.0.0/8 if source is of type LOCAL on this node] " +
				"[10.1.0.2:8080 1 KUBE-EXT-B:34 KUBE-SVL-B:36 KUBE-SEP-2:30 if source is not in 10.0.0.0/8 if source is not of type LOCAL on this node]", "",
		},
		{
			"source ranges of a load balancer", all, "10.96.0.3:80", nil,
			"translated PREROUTING:15 KUBE-SERVICES:19 KUBE-FW-C:37 " +
				"[10.1.0.1:8080 0.25 KUBE-SVC-A:25 KUBE-SEP-1:28 if source is in 192.0.2.0/24] " +
				"[10.1.0.2:8080 0.75 KUBE-SVC-A:26 KUBE-SEP-2:30 if source is in 192.0.2.0/24]", "",
		},
		{
			"NodePort, address known to be local", all, "192.0.2.1:30080",
			[]netip.Addr{netip.MustParseAddr("192.0.2.1")},
			"translated PREROUTING:15 KUBE-SERVICES:20 KUBE-NODEPORTS:21 " +
				"[10.1.0.1:8080 1 KUBE-EXT-B:31 KUBE-SVC-B:35 KUBE-SEP-1:28 if source is in 10.0.0.0/8] " +
				"[10.1.0.1:8080 1 KUBE-EXT-B:33 KUBE-SVC-B:35 KUBE-SEP-1:28 if source is not in 10.0.0.0/8 if source is of type LOCAL on this node] " +
				"[10.1.0.2:8080 1 KUBE-EXT-B:34 KUBE-SVL-B:36 KUBE-SEP-2:30 if source is not in 10.0.0.0/8 if source is not of type LOCAL on this node]", "",
		},
		{
			"NodePort, address known to be another's", all, "192.0.2.1:30080",
			[]netip.Addr{netip.MustParseAddr("192.0.2.2")},
			"no-rule", "no rule of KUBE-SERVICES",
		},
		{"no endpoints", all, "10.96.0.9:80", nil, "rejected FORWARD:44 KUBE-SERVICES:46", "default/z:http has no endpoints"},
		{"no local endpoints", all, "10.96.0.8:80", nil, "dropped FORWARD:44 KUBE-SERVICES:47", "no local endpoints"},
		{"other port", all, "10.96.0.1:81", nil, "no-rule", "no rule of KUBE-SERVICES"},
		{
			"nothing jumps to KUBE-SERVICES", natTable("", "") + kubeFilter, "10.96.0.1:80", nil, "no-chains",
			"KUBE-SERVICES of table nat is there (line 4, 4 rules) and no base chain jumps to it",
		},
		{"no KUBE-SERVICES", emptyNAT, "10.96.0.1:80", nil, "no-chains", "table nat has no chain KUBE-SERVICES"},
		{"no table nat", kubeFilter, "10.96.0.1:80", nil, "no-chains", "there is no table nat"},
		{"empty", "", "10.96.0.1:80", nil, "no-chains", "there is no table nat"},
		{
			"OUTPUT alone", natTable("-A OUTPUT -j KUBE-SERVICES\n", ""), "10.96.0.1:80", nil,
			"translated OUTPUT:15 KUBE-SERVICES:16 [10.1.0.1:8080 0.25 KUBE-SVC-A:24 KUBE-SEP-1:27] " +
				"[10.1.0.2:8080 0.75 KUBE-SVC-A:25 KUBE-SEP-2:29]", "",
		},
		{
			"unknown match before", natTable("-A PREROUTING -d 10.96.0.0/16 -m bpf --bytecode 0 -j ACCEPT\n"+bothBases, ""), "10.96.0.9:80", nil,
			"unknown PREROUTING:15", "(-m bpf --bytecode 0)",
		},
		{
			"unknown match that decides nothing", natTable("-A PREROUTING -m bpf --bytecode 0 -j MARK --set-mark 1\n"+bothBases, ""),
			"10.96.0.7:80", nil, "no-rule", "",
		},
		{
			"unknown match on another destination", natTable("-A PREROUTING -d 10.97.0.0/16 -m bpf --bytecode 0 -j ACCEPT\n"+bothBases, ""),
			"10.96.0.7:80", nil, "no-rule", "",
		},
		{"unknown target", natTable("-A PREROUTING -j FOO\n"+bothBases, ""), "10.96.0.7:80", nil, "unknown PREROUTING:15", "FOO"},
		{
			"accepted before", natTable("-A PREROUTING -p tcp -j ACCEPT\n"+bothBases, ""), "10.96.0.1:80", nil,
			"no-rule PREROUTING:15", "accepts it before any translates it",
		},
		{
			"translated before by a condition", natTable("-A PREROUTING -i eth9 -p tcp -j DNAT --to-destination 10.9.9.9\n"+bothBases, ""),
			"10.96.0.7:80", nil, "translated PREROUTING:15 [10.9.9.9:80 1 if input interface is eth9]", "",
		},
		{
			"chain that returns and one that loops", natTable("-A PREROUTING -j OTHER\n"+bothBases,
				"-A OTHER -p udp -j OTHER\n-A OTHER -d 10.96.0.1/32 -j RETURN\n-A OTHER -j OTHER\n"), "10.96.0.1:80", nil,
			"translated PREROUTING:16 KUBE-SERVICES:18 [10.1.0.1:8080 0.25 KUBE-SVC-A:26 KUBE-SEP-1:29] " +
				"[10.1.0.2:8080 0.75 KUBE-SVC-A:27 KUBE-SEP-2:31]", "",
		},
		{
			"loop", natTable("-A PREROUTING -j OTHER\n"+bothBases, "-A OTHER -j OTHER\n"), "10.96.0.1:80", nil,
			"unknown PREROUTING:15 OTHER:39", "comes back to itself",
		},
		{
			"notrack", "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.96.0.1/32 -p tcp -j NOTRACK\nCOMMIT\n" + all,
			"10.96.0.1:80", nil, "untracked PREROUTING:3", "NOTRACK",
		},
		{
			"dropped in raw", "*raw\n:PREROUTING DROP [0:0]\n-A PREROUTING -p tcp -j DROP\nCOMMIT\n" + all,
			"10.96.0.1:80", nil, "dropped PREROUTING:3", "table raw drops it",
		},
		{
			"marked to be dropped", natTable(bothBases, ":KUBE-MARK-DROP - [0:0]\n-A KUBE-FW-C -j KUBE-MARK-DROP\n"),
			"10.96.0.3:80", nil, "translated", "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &Ruleset{IPTablesLegacy: parseSave(t, c.text), IPTables: parseSave(t, ""), NFT: parseNFT(t, ""), LocalAddrs: c.local}
			dst := netip.MustParseAddrPort(c.dst)
			p := r.ServicePath(dst.Addr(), "TCP", dst.Port())
			got := brief(p)
			if c.want == "translated" {
				got = string(p.Status)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s\nreason %s", diff, p.Reason)
			}
			if !strings.Contains(p.Reason, c.reason) {
				t.Errorf("reason %q, want %q", p.Reason, c.reason)
			}
		})
	}
}

func TestServicePathMissingAndOrphans(t *testing.T) {
	r := &Ruleset{IPTables: parseSave(t, natTable("-A OUTPUT -j KUBE-SERVICES\n", ":KUBE-SVC-LOST - [0:0]\n-A KUBE-SVC-LOST -j KUBE-SEP-1\n"))}
	p := r.ServicePath(netip.MustParseAddr("10.96.0.1"), "tcp", 80)
	if diff := cmp.Diff([]string{"nat PREROUTING"}, p.Missing); diff != "" {
		t.Error(diff)
	}
	if len(p.Orphans) != 1 || p.Orphans[0].Chain != "KUBE-SVC-LOST" {
		t.Errorf("orphans %v", p.Orphans)
	}
	flushed := &Ruleset{IPTables: parseSave(t, natTable("", ""))}
	p = flushed.ServicePath(netip.MustParseAddr("10.96.0.1"), "tcp", 80)
	if p.Status != StatusNoChains || len(p.Orphans) != 1 || p.Orphans[0].Chain != "KUBE-SERVICES" {
		t.Errorf("flushed: %s, orphans %v", p.Status, p.Orphans)
	}
}

// TestServicePathUnread: silence is never an answer.
func TestServicePathUnread(t *testing.T) {
	empty, kube := parseSave(t, emptyNAT), parseSave(t, natTable(bothBases, ""))
	none := parseNFT(t, "")
	for _, c := range []struct {
		name         string
		set          *Ruleset
		want, reason string
	}{
		{"nothing read", &Ruleset{}, "unknown", "no listing of rules was read"},
		{"nf_tables alone, empty", &Ruleset{IPTables: empty}, "unknown", "not read: iptables-legacy-save, nft list ruleset"},
		{"legacy not read", &Ruleset{IPTables: empty, NFT: none}, "unknown", "not read: iptables-legacy-save"},
		{"nft not read", &Ruleset{IPTables: empty, IPTablesLegacy: empty}, "unknown", "not read: nft list ruleset"},
		{"all read, all empty", &Ruleset{NFT: none, IPTablesLegacy: empty}, "no-chains", "iptables-legacy: table nat has no chain KUBE-SERVICES"},
		{"the other backend has them", &Ruleset{IPTables: empty, IPTablesLegacy: kube}, "translated", ""},
		{"the other family only", &Ruleset{IP6Tables: kube}, "unknown", "no listing"},
	} {
		p := c.set.ServicePath(netip.MustParseAddr("10.96.0.1"), "tcp", 80)
		if string(p.Status) != c.want || !strings.Contains(p.Reason, c.reason) {
			t.Errorf("%s: %s %q", c.name, p.Status, p.Reason)
		}
	}
}

const nftKubeProxy = `table ip kube-proxy {
	comment "rules for kube-proxy"
	set cluster-ips {
		type ipv4_addr
		elements = { 10.96.0.1, 10.96.0.2,
			     10.96.0.9 }
	}
	set affinity-A1 {
		type ipv4_addr
		flags dynamic,timeout
		timeout 3h
	}
	map no-endpoint-services {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.9 . tcp . 80 comment "default/z:http" : goto reject-chain,
			     10.96.0.8 . tcp . 80 comment "default/y, x" : drop }
	}
	map firewall-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.2 . tcp . 80 : goto firewall-B }
	}
	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.1 . tcp . 80 : goto service-A,
			     10.96.0.2 . tcp . 80 : goto service-B }
	}
	chain filter-prerouting-pre-dnat {
		type filter hook prerouting priority dstnat - 10; policy accept;
		ct state new jump firewall-check
	}
	chain filter-forward {
		type filter hook forward priority filter; policy accept;
		ct state new jump service-endpoints-check
		ct state new jump cluster-ips-check
	}
	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}
	chain firewall-check {
		ip daddr . meta l4proto . th dport vmap @firewall-ips
	}
	chain service-endpoints-check {
		ip daddr . meta l4proto . th dport vmap @no-endpoint-services
	}
	chain cluster-ips-check {
		ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"
		ip daddr 10.96.0.0/16 drop comment "Drop traffic to unallocated ClusterIPs"
	}
	chain services {
		ip daddr . meta l4proto . th dport vmap @service-ips
	}
	chain reject-chain {
		reject
	}
	chain firewall-B {
		ip saddr != { 192.0.2.0/24 } drop
	}
	chain mark-for-masquerade {
		meta mark set meta mark | 0x00004000
	}
	chain service-A {
		ip daddr 10.96.0.1 tcp dport 80 ip saddr != 10.0.0.0/8 jump mark-for-masquerade
		ip saddr @affinity-A1 goto endpoint-A1
		numgen random mod 2 vmap { 0 : goto endpoint-A1, 1 : goto endpoint-A2 }
	}
	chain endpoint-A1 {
		ip saddr 10.1.0.1 jump mark-for-masquerade
		update @affinity-A1 { ip saddr timeout 3h }
		meta l4proto tcp dnat to 10.1.0.1:8080
	}
	chain endpoint-A2 {
		meta l4proto tcp dnat to 10.1.0.2:8080
	}
	chain service-B {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.1.0.1 . 8080,
			1 : 10.1.0.2 . 8080 }
	}
}
`

func TestServicePathNFT(t *testing.T) {
	l := parseNFT(t, nftKubeProxy)
	if p, n := l.Problems(); n != 0 {
		t.Error(p)
	}
	for _, c := range []struct{ dst, want, note string }{
		{"10.96.0.1:80", "translated nat-prerouting:38 services:51 map service-ips:24 service-A:65 " +
			"[10.1.0.1:8080 0.5 endpoint-A1:70] [10.1.0.2:8080 0.5 endpoint-A2:73]", "session affinity"},
		{
			"10.96.0.2:80", "translated nat-prerouting:38 services:51 map service-ips:25 service-B:76 [10.1.0.1:8080 0.5] [10.1.0.2:8080 0.5]",
			"refused before translation when source is not in 192.0.2.0/24",
		},
		{"10.96.0.9:80", "rejected filter-forward:33 service-endpoints-check:44 map no-endpoint-services:15 reject-chain:54", ""},
		{"10.96.0.8:80", "dropped filter-forward:33 service-endpoints-check:44 map no-endpoint-services:16", ""},
		{"10.96.0.1:81", "rejected filter-forward:34 cluster-ips-check:47", ""},
		{"10.96.3.3:81", "dropped filter-forward:34 cluster-ips-check:48", ""},
		{"10.97.0.1:80", "no-rule", ""},
	} {
		dst := netip.MustParseAddrPort(c.dst)
		p := (&Ruleset{NFT: l}).ServicePath(dst.Addr(), "tcp", dst.Port())
		if diff := cmp.Diff(c.want, brief(p)); diff != "" {
			t.Errorf("%s: %s %s", c.dst, diff, p.Reason)
		}
		if !strings.Contains(strings.Join(p.Notes, "\n"), c.note) {
			t.Errorf("%s: notes %q, want %q", c.dst, p.Notes, c.note)
		}
	}
	cut := parseNFT(t, strings.Replace(nftKubeProxy, "\t\tjump services\n", "", 1))
	p := (&Ruleset{NFT: cut}).ServicePath(netip.MustParseAddr("10.96.0.1"), "tcp", 80)
	if p.Status != StatusNoChains || !strings.Contains(p.Reason, "no base chain") {
		t.Errorf("without jump: %s %s", p.Status, p.Reason)
	}
}

// TestServicePathBounded: neither depth nor exponentially many ways stop a walk from ending.
func TestServicePathBounded(t *testing.T) {
	var chains, rules strings.Builder
	for i := range 200 {
		fmt.Fprintf(&chains, ":C%d - [0:0]\n", i)
		fmt.Fprintf(&rules, "-A C%d -j C%d\n-A C%d -j C%d\n", i, i+1, i, i+1)
	}
	chains.WriteString(":C200 - [0:0]\n")
	deep := natTable("-A PREROUTING -j C0\n"+bothBases, chains.String()+rules.String())
	p := (&Ruleset{IPTables: parseSave(t, deep)}).ServicePath(netip.MustParseAddr("10.96.0.1"), "tcp", 80)
	if p.Status != StatusUnknown || !strings.Contains(p.Reason, "deeper") {
		t.Errorf("deep: %s %s", p.Status, p.Reason)
	}
	wide := strings.ReplaceAll(deep, "-A PREROUTING -j C0\n", "-A PREROUTING -j C170\n")
	p = (&Ruleset{IPTables: parseSave(t, wide)}).ServicePath(netip.MustParseAddr("10.96.0.1"), "tcp", 80)
	if p.Status != StatusUnknown || !strings.Contains(p.Reason, "gave up") {
		t.Errorf("wide: %s %s", p.Status, p.Reason)
	}
}

func TestServicePathIPv6(t *testing.T) {
	text := "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n:KUBE-SEP-1 - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n" +
		"-A KUBE-SERVICES -d fd00::1/128 -p tcp -m tcp --dport 80 -j KUBE-SVC-A\n-A KUBE-SVC-A -j KUBE-SEP-1\n" +
		"-A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination [fd01::5]:8080\nCOMMIT\n"
	l, err := ParseIPTablesSave(text, IPTablesNFT, "ip6")
	if err != nil {
		t.Fatal(err)
	}
	nft := parseNFT(t, "table ip6 kube-proxy {\n\tmap service-ips {\n\t\ttype ipv6_addr . inet_proto . inet_service : verdict\n"+
		"\t\telements = { fd00::1 . tcp . 80 : goto service-A }\n\t}\n\tchain nat-prerouting {\n"+
		"\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t\tjump services\n\t}\n\tchain services {\n"+
		"\t\tip6 daddr . meta l4proto . th dport vmap @service-ips\n\t}\n\tchain service-A {\n"+
		"\t\tmeta l4proto tcp dnat ip6 to numgen random mod 1 map { 0 : fd01::5 . 8080 }\n\t}\n}\n")
	for name, set := range map[string]*Ruleset{"iptables": {IP6Tables: l}, "nftables": {NFT: nft}} {
		p := set.ServicePath(netip.MustParseAddr("fd00::1"), "tcp", 80)
		if p.Status != StatusTranslated || len(p.Endpoints) != 1 || p.Endpoints[0].Addr != netip.MustParseAddrPort("[fd01::5]:8080") {
			t.Errorf("%s: %s %s", name, brief(p), p.Reason)
		}
	}
}

// TestServicePathManyEndpoints: each endpoint is a choice of its own, and the source that a rule asks for splits none.
func TestServicePathManyEndpoints(t *testing.T) {
	const n = 1500
	var chains, rules strings.Builder
	for i := range n {
		fmt.Fprintf(&chains, ":KUBE-SEP-M%d - [0:0]\n", i)
		chance := fmt.Sprintf("-m statistic --mode random --probability %.11f ", 1/float64(n-i))
		if i == n-1 {
			chance = ""
		}
		fmt.Fprintf(&rules, "-A OTHER %s-j KUBE-SEP-M%d\n-A KUBE-SEP-M%d -s 10.7.%d.%d/32 -j KUBE-MARK-MASQ\n-A KUBE-SEP-M%d -p tcp -m tcp -j DNAT --to-destination 10.7.%d.%d:80\n",
			chance, i, i, i/250, i%250, i, i/250, i%250)
	}
	text := natTable("-A PREROUTING -j KUBE-SERVICES\n-A KUBE-SERVICES -d 10.96.7.7/32 -p tcp -m tcp --dport 80 -j OTHER\n-A OTHER ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ\n", chains.String()+rules.String())
	p := (&Ruleset{IPTables: parseSave(t, text)}).ServicePath(netip.MustParseAddr("10.96.7.7"), "tcp", 80)
	if p.Status != StatusTranslated || len(p.Endpoints) != n {
		t.Fatalf("%s %s: %d endpoints", p.Status, p.Reason, len(p.Endpoints))
	}
	for _, e := range p.Endpoints {
		if e.Probability < 0.99/n || e.Probability > 1.01/n || len(e.When) > 0 || len(e.Hops) != 2 {
			t.Fatalf("%+v", e)
		}
	}
}

// TestServicePathOfTables asks listings of single tables, as a sosreport has them.
func TestServicePathOfTables(t *testing.T) {
	nat := "-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n-P POSTROUTING ACCEPT\n-N KUBE-SERVICES\n-A PREROUTING -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\n" +
		"-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.1:8080\n"
	filter := "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n-N KUBE-SERVICES\n-A FORWARD -j KUBE-SERVICES\n" +
		"-A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m tcp --dport 80 -j REJECT\n"
	none := parseNFT(t, "")
	for _, c := range []struct {
		name   string
		tables []TableText
		dst    string
		want   string
		reason string
	}{
		{"nat alone", []TableText{{"nat", nat}}, "10.96.0.1", "translated PREROUTING:6 KUBE-SERVICES:8 [10.1.0.1:8080 1]", ""},
		{"nat alone, no endpoints", []TableText{{"nat", nat}}, "10.96.0.9", "unknown", "table filter, which refuses packets to Services without endpoints, was not read"},
		{"both", []TableText{{"filter", filter}, {"nat", nat}}, "10.96.0.9", "rejected FORWARD:5 KUBE-SERVICES:6", "-j REJECT"},
		{"both, no such Service", []TableText{{"filter", filter}, {"nat", nat}}, "10.96.0.7", "no-rule", ""},
		{"filter alone", []TableText{{"filter", filter}}, "10.96.0.1", "unknown", "iptables-legacy -t nat -nvL"},
	} {
		l, err := ParseIPTablesTables(c.tables, IPTablesLegacy, "ip")
		if err != nil {
			t.Fatal(err)
		}
		p := (&Ruleset{IPTables: parseSave(t, ""), IPTablesLegacy: l, NFT: none}).ServicePath(netip.MustParseAddr(c.dst), "tcp", 80)
		got := brief(p)
		if got != c.want || !strings.Contains(p.Reason, c.reason) {
			t.Errorf("%s: %s, %q", c.name, got, p.Reason)
		}
	}
}

// TestTraverseBounded: rules that leave exponentially many ways neither take seconds nor much memory.
func TestTraverseBounded(t *testing.T) {
	for name, match := range map[string]string{
		"chance": "-m statistic --mode random --probability 0.5", "condition": "-m limit --limit 5/s", "unknown": "-m bpf --bytecode 0",
		"source and chance": "-s 10.0.0.0/8 -m statistic --mode random --probability 0.5",
	} {
		var b strings.Builder
		b.WriteString("*nat\n:PREROUTING ACCEPT [0:0]\n")
		for i := range 20_000 {
			fmt.Fprintf(&b, "-A PREROUTING %s -j MARK --set-xmark %#x/%#x\n", match, 1<<(i%32), 1<<(i%32))
		}
		r := iptablesSet(t, b.String()+"COMMIT\n")
		for _, p := range []Packet{syn(), {Dst: syn().Dst, Proto: "tcp", Dport: 80, CtState: "NEW"}} {
			before := time.Now()
			got := r.Traverse(HookPrerouting, p)
			if took := time.Since(before); took > 5*time.Second {
				t.Errorf("%s: %v", name, took)
			}
			sum, hops, unknown := 0.0, 0, false
			for _, o := range got {
				sum += o.Probability
				hops += len(o.Hops)
				unknown = unknown || o.Verdict == VerdictUnknown
			}
			if sum < 0.999 || sum > 1.001 || !unknown || hops > 2*maxHops {
				t.Errorf("%s: %d outcomes with %d hops sum to %v, one of them unknown: %v", name, len(got), hops, sum, unknown)
			}
		}
	}
}
