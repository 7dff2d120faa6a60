package netfilter

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nftSet is a rule set of one inet table with these sets and chains.
func nftSet(tb testing.TB, body string) *Ruleset {
	r := iptablesSet(tb, "")
	r.NFT = parseNFT(tb, "table inet t {\n"+body+"\n}\n")
	if p, n := r.NFT.Problems(); n != 0 {
		tb.Errorf("problems: %v", p)
	}
	return r
}

// forward is a base chain with these rules, and chains a and b.
func forward(rules ...string) string {
	return "set s {\ntype ipv4_addr\nflags interval\nelements = { 10.1.0.0/24, 10.9.0.1-10.9.0.4 }\n}\n" +
		"set c {\ntype ipv4_addr . inet_service\nflags interval\nelements = { 10.2.0.0/16 . 80-90 }\n}\n" +
		"set seen {\ntype ipv4_addr\nflags dynamic,timeout\ntimeout 3h\n}\n" +
		"map v {\ntype ipv4_addr . inet_proto . inet_service : verdict\nelements = { 10.2.0.2 . tcp . 80 : goto a, 10.2.0.3 . tcp . 80 : drop }\n}\n" +
		"chain a {\nreject with tcp reset\n}\nchain b {\nmeta l4proto udp drop\n}\n" +
		"chain f {\ntype filter hook forward priority filter; policy accept;\n" + strings.Join(rules, "\n") + "\n}"
}

func TestTraverseNFT(t *testing.T) {
	for _, c := range []struct {
		name, rules, want string
	}{
		{"set with intervals", "ip saddr @s drop", "drop"},
		{"set negated", "ip saddr != @s drop", "accept"},
		{"concatenation", "ip daddr . tcp dport @c drop", "drop"},
		{"verdict map", "ip daddr . meta l4proto . th dport vmap @v", "reject"},
		{"verdict map in the rule", "ct state vmap { invalid : drop, new : jump a }", "reject"},
		{"verdict map without the key goes on", "tcp dport vmap { 22 : accept }\ndrop", "drop"},
		{"goto is no call", "goto b\ndrop", "accept"},
		{"jump is", "jump b\ndrop", "drop"},
		{"return ends a base chain", "return\ndrop", "accept"},
		{"continue does not", "continue\ndrop", "drop"},
		{"numgen", "numgen random mod 4 vmap { 0 : drop, 1 : accept, 2 : jump a }", "drop 0.25 accept 0.5 reject 0.25"},
		{"numgen compared", "numgen random mod 4 < 3 drop", "drop 0.75 accept 0.25"},
		{"mark, then a match on it", "meta mark set meta mark | 0x10 meta mark & 0x10 == 0x10 drop", "drop"},
		{"statements before a match count", "meta mark set 0x1 tcp dport 81 accept\nmeta mark 0x1 drop", "drop"},
		{"statements before a match count in a long chain too", strings.Repeat("ip daddr 10.5.0.1 tcp dport 9 drop\n", indexFrom) +
			"meta mark set 0x1 ip daddr 10.5.0.1 tcp dport 81 accept\nmeta mark 0x1 drop", "drop"},
		{"status and direction", "ct status dnat drop\nct direction reply drop\nct state invalid,untracked drop", "accept"},
		{"local", "fib daddr type local drop\nfib saddr . iif type != local reject", "reject"},
		{"wildcard", "iifname \"eth*\" oifname { \"eth1\", \"eth2\" } drop", "drop"},
		{"flags", "tcp flags & (fin | syn | rst | ack) == syn drop", "drop"},
		{"flags, any", "tcp flags ack,rst drop", "accept"},
		{"length, ttl and ports compared", "meta length < 61 ip ttl 64 tcp dport > 79 drop", "drop"},
		{"other family", "ip6 saddr != fd00::1 drop\nmeta nfproto ipv6 drop", "accept"},
		{"rate limit", "limit rate over 5/second burst 5 packets drop", "drop 0.5 accept 0.5"},
		{"what packets add to is a condition", "ip saddr @seen drop", "drop 0.5 accept 0.5"},
		{"what adds to it goes on", "update @seen { ip saddr timeout 3h } counter packets 1 bytes 1 log prefix \"x y\" drop", "drop"},
		{"unknown match", "socket transparent 1 drop", "unknown"},
		{"unknown match, same end", "socket transparent 1 drop\nip saddr @s drop", "drop"},
		{"unknown match on another", "udp dport 53 socket transparent 1 drop", "accept"},
		{"unknown statement at the end", "tproxy to :1", "unknown"},
		{"xt target of which the name is all", "xt target \"CONNMARK\"", "unknown"},
		{"xt match", "xt match \"comment\" xt match \"nfacct\" drop", "drop"},
		{"jhash", "jhash ip saddr mod 2 seed 0x1 vmap { 0 : drop, 1 : accept }", "drop 0.5 accept 0.5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, o := range nftSet(t, forward(c.rules)).Traverse(HookForward, syn()) {
				got = append(got, strings.Fields(tell(o))[0])
				if o.Probability != 1 {
					got = append(got, strings.TrimSpace(strings.Split(strings.TrimPrefix(tell(o), string(o.Verdict)+" 10.1.0.2:40000 > 10.2.0.2:80 "), " when")[0]))
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTraverseNFTNAT(t *testing.T) {
	chain := func(hook, priority, rules string) string {
		return "map to {\ntype ipv4_addr : ipv4_addr\nelements = { 10.2.0.2 : 10.7.0.1 }\n}\nchain n {\ntype nat hook " + hook + " priority " + priority + "; policy accept;\n" + rules + "\n}"
	}
	for _, c := range []struct {
		name string
		hook Hook
		body string
		want string
	}{
		{"dnat", HookPrerouting, chain("prerouting", "dstnat", "meta l4proto tcp dnat ip to 10.7.0.1:8080"), "accept 10.1.0.2:40000 > 10.7.0.1:8080"},
		{"dnat of the other family goes on", HookPrerouting, chain("prerouting", "dstnat", "dnat ip6 to fd00::1\ndnat ip to 10.7.0.1"), "accept 10.1.0.2:40000 > 10.7.0.1:80"},
		{
			"dnat by chance", HookPrerouting, chain("prerouting", "dstnat", "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.7.0.1 . 1, 1 : 10.7.0.2 . 2 }"),
			"accept 10.1.0.2:40000 > 10.7.0.1:1 0.5\naccept 10.1.0.2:40000 > 10.7.0.2:2 0.5",
		},
		{"dnat by a map", HookPrerouting, chain("prerouting", "dstnat", "dnat ip to ip daddr map @to"), "accept 10.1.0.2:40000 > 10.7.0.1:80"},
		{"snat", HookPostrouting, chain("postrouting", "srcnat", "ip saddr 10.1.0.0/24 snat ip to 10.7.0.1"), "accept 10.7.0.1:40000 > 10.2.0.2:80"},
		{"masquerade", HookPostrouting, chain("postrouting", "srcnat", "meta mark set meta mark ^ 0x4000 masquerade fully-random"), "accept 10.1.0.2:0 > 10.2.0.2:80 masquerade mark 0x4000/0x0"},
		{"redirect", HookPrerouting, chain("prerouting", "dstnat", "meta l4proto tcp redirect to :9000"), "accept 10.1.0.2:40000 > 10.1.0.1:9000"},
		// A chain of NAT runs where all NAT does: one at -200 comes after filter chains at -150.
		{
			"NAT runs at its own priority", HookPrerouting, chain("prerouting", "-200", "meta mark 0x1 dnat ip to 10.7.0.1") + "\nchain m {\ntype filter hook prerouting priority mangle; policy accept;\nmeta mark set 0x1\n}",
			"accept 10.1.0.2:40000 > 10.7.0.1:80 mark 0x1/0x0",
		},
		{
			"the first translation is the last", HookPrerouting, chain("prerouting", "dstnat", "dnat ip to 10.7.0.1") + "\nchain m {\ntype nat hook prerouting priority dstnat + 1; policy accept;\ndnat ip to 10.8.0.1\n}",
			"accept 10.1.0.2:40000 > 10.7.0.1:80",
		},
		{"notrack", HookPrerouting, chain("prerouting", "dstnat", "dnat ip to 10.7.0.1") + "\nchain m {\ntype filter hook prerouting priority raw; policy accept;\nnotrack\n}", "accept 10.1.0.2:40000 > 10.2.0.2:80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, tellAll(nftSet(t, c.body).Traverse(c.hook, syn()))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTraverseKubeProxyNFT walks kube-proxy's own table: Services with endpoints, without, and of load balancers.
func TestTraverseKubeProxyNFT(t *testing.T) {
	r := iptablesSet(t, "")
	r.NFT = parseNFT(t, nftKubeProxy)
	for dst, want := range map[string]string{"10.96.0.1:80": "accept accept", "10.97.0.1:80": "accept"} {
		p := syn()
		p.Dst, p.Dport = netip.MustParseAddrPort(dst).Addr(), netip.MustParseAddrPort(dst).Port()
		got := r.Traverse(HookPrerouting, p)
		if verdicts(got) != want && !strings.Contains(dst, "10.96.0.1:80") {
			t.Errorf("%s: %s", dst, tellAll(got))
		}
		for _, o := range got {
			if o.Verdict == VerdictUnknown || (dst == "10.96.0.1:80" && o.NAT.Kind != "DNAT") {
				t.Errorf("%s: %s", dst, tell(o))
			}
		}
	}
	p := syn()
	p.Dst = netip.MustParseAddr("10.96.0.9")
	if got := r.Traverse(HookForward, p); verdicts(got) != "reject" {
		t.Errorf("no endpoints: %s", tellAll(got))
	}
}

// TestTranslationsOfIPTables: nft shows CONNMARK without its masks, and the states DNAT and SNAT without a negation.
func TestTranslationsOfIPTables(t *testing.T) {
	table := func(rule string) *Ruleset {
		r := iptablesSet(t, "")
		r.IPTables = nil
		r.NFT = parseNFT(t, "# Warning: table ip mangle is managed by iptables-nft, do not touch!\ntable ip mangle {\n	chain FORWARD {\n		type filter hook forward priority mangle; policy accept;\n		"+rule+"\n	}\n}\n")
		return r
	}
	p := syn()
	p.Mark, p.Ctmark = 0x12, 0x4003
	for rule, want := range map[string]string{
		"counter packets 0 bytes 0 meta mark set ct mark and 0x4000":          "accept 10.1.0.2:40000 > 10.2.0.2:80 mark 0x4012/0x4003",
		"counter packets 0 bytes 0 ct mark set mark and 0xf":                  "accept 10.1.0.2:40000 > 10.2.0.2:80 mark 0x12/0x4002",
		"counter packets 0 bytes 0 meta mark set mark and 0xfffffff0 xor 0x1": "accept 10.1.0.2:40000 > 10.2.0.2:80 mark 0x11/0x4003",
		"ip ttl lt 64 counter packets 0 bytes 0 drop":                         "accept 10.1.0.2:40000 > 10.2.0.2:80 mark 0x12/0x4003",
	} {
		if diff := cmp.Diff(want, tellAll(table(rule).Traverse(HookForward, p))); diff != "" {
			t.Errorf("%s\n%s", rule, diff)
		}
	}
	if got := verdicts(table("ct state ! new counter packets 0 bytes 0 drop").Traverse(HookForward, p)); got != "accept" {
		t.Errorf("negated state: %s", got)
	}
	if got := verdicts(table("ct status dnat counter packets 0 bytes 0 drop").Traverse(HookForward, p)); got != "unknown" {
		t.Errorf("negation not shown: %s", got)
	}
	if got := verdicts(table("counter packets 0 bytes 0 meta mark set ct mark").Traverse(HookForward, p)); got != "unknown" {
		t.Errorf("masks not shown: %s", got)
	}
}

// TestTraverseNFTWithoutExtensions: an nft that finds no extension of libxtables says so in the rule, and goes on in the
// next line.
func TestTraverseNFTWithoutExtensions(t *testing.T) {
	r := nftSet(t, "")
	r.IPTables = nil // whose own listing would show the table better
	r.NFT = parseNFT(t, "table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy accept;\n"+
		"\t\tip daddr 10.2.0.2 XT match comment not found\n counter packets 0 bytes 0 drop\n"+
		"\t\tip daddr 10.2.0.3 XT match bpf not found\n counter packets 0 bytes 0 drop\n"+
		"\t\tip daddr 10.2.0.4 counter packets 0 bytes 0 XT target REJECT not found\n\n\t\tip daddr 10.2.0.4 drop\n\t}\n}\n")
	if p, n := r.NFT.Problems(); n > 0 {
		t.Error(p)
	}
	for dst, want := range map[string]string{"10.2.0.2": "drop", "10.2.0.3": "unknown", "10.2.0.4": "reject", "10.2.0.5": "accept"} {
		p := syn()
		p.Dst = netip.MustParseAddr(dst)
		if got := r.Traverse(HookForward, p); verdicts(got) != want {
			t.Errorf("%s: %s", dst, tellAll(got))
		}
	}
}
