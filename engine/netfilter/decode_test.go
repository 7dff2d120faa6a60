package netfilter

import (
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	compareNetip  = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	compareValues = cmp.Options{
		compareNetip,
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
		cmp.AllowUnexported(mapElem{}, Target{}),
		cmpopts.IgnoreUnexported(Spec{}),
	}
)

func prefixes(neg bool, s ...string) *PrefixMatch {
	m := &PrefixMatch{Negated: neg}
	for _, p := range s {
		m.Prefixes = append(m.Prefixes, netip.MustParsePrefix(p))
	}
	return m
}

func names(s ...string) *NameMatch { return &NameMatch{Names: s} }

func notNames(s ...string) *NameMatch { return &NameMatch{Names: s, Negated: true} }

func ports(r ...uint16) *PortMatch {
	m := &PortMatch{}
	for i := 0; i < len(r); i += 2 {
		m.Ranges = append(m.Ranges, PortRange{r[i], r[i+1]})
	}
	return m
}

func TestDecodeIPTables(t *testing.T) {
	for _, c := range []struct {
		rule string
		want Spec
	}{
		{
			`-A KUBE-SVC-X ! -s 10.233.64.0/18 -d 10.233.1.1/32 -p tcp -m comment --comment "a \"b\" c" -m tcp --dport 80 -j KUBE-MARK-MASQ`,
			Spec{
				Source: prefixes(true, "10.233.64.0/18"), Destination: prefixes(false, "10.233.1.1/32"), Protocol: names("tcp"),
				DestinationPorts: ports(80, 80), Comment: `a "b" c`, Target: Target{Kind: TargetJump, Name: "KUBE-MARK-MASQ"},
			},
		},
		{
			`-A C --source 10.0.0.0/255.255.0.0 --destination ! 10.1.0.1 --protocol 17 --jump DNAT --to-destination 10.2.0.1`,
			Spec{
				Source: prefixes(false, "10.0.0.0/16"), Destination: prefixes(true, "10.1.0.1/32"), Protocol: names("udp"),
				Target: Target{
					Kind: TargetVerdict, Name: "DNAT", Options: "--to-destination 10.2.0.1",
					ToDestinations: []Destination{{netip.AddrPortFrom(netip.MustParseAddr("10.2.0.1"), 0), 1}},
				},
			},
		},
		{
			`-A C -d fd00::1/128 -p tcp -j DNAT --to-destination [fd00::2]:8080`,
			Spec{
				Destination: prefixes(false, "fd00::1/128"), Protocol: names("tcp"),
				Target: Target{
					Kind: TargetVerdict, Name: "DNAT", Options: "--to-destination [fd00::2]:8080",
					ToDestinations: []Destination{{netip.MustParseAddrPort("[fd00::2]:8080"), 1}},
				},
			},
		},
		{
			`-A C -i eth0 ! -o cni+ -m mark ! --mark 0x4000/0x4000 -m conntrack --ctstate RELATED,ESTABLISHED -g D`,
			Spec{
				InInterface: names("eth0"), OutInterface: notNames("cni+"), Mark: &MarkMatch{0x4000, 0x4000, true},
				CTState: names("RELATED", "ESTABLISHED"), Target: Target{Kind: TargetGoto, Name: "D"},
			},
		},
		{
			`-A C -m addrtype ! --src-type LOCAL --dst-type LOCAL -m multiport --dports 80,443,1000:2000 -m set ! --match-set S src,dst -j RETURN`,
			Spec{
				SourceAddrType: notNames("LOCAL"), DestinationAddrType: names("LOCAL"),
				DestinationPorts: ports(80, 80, 443, 443, 1000, 2000), Sets: []SetMatch{{Name: "S", Fields: "src,dst", Negated: true}},
				Target: Target{Kind: TargetVerdict, Name: "RETURN"},
			},
		},
		{
			`-A C -m statistic --mode random --probability 0.25000000000 -m recent --rcheck --seconds 10 --reap --name N --mask 255.255.255.255 --rsource -j D`,
			Spec{
				Statistic: &StatisticMatch{Mode: "random", Probability: 0.25}, Recent: names("N"),
				Target: Target{Kind: TargetJump, Name: "D"},
			},
		},
		{
			`-A C -m statistic --mode nth --every 4 --packet 0 -m recent --set --name N -j ACCEPT`,
			Spec{
				Statistic: &StatisticMatch{Mode: "nth", Probability: 0.25}, Target: Target{Kind: TargetVerdict, Name: "ACCEPT"},
			},
		},
		{
			`-A C -p tcp -m tcp --tcp-flags SYN,RST SYN -m limit --limit 5/min --limit-burst 7 -m bpf --bytecode "1,6 0 0 0" -j TCPMSS --set-mss 1360`,
			Spec{
				Protocol: names("tcp"), TCPFlags: names("SYN,RST SYN"),
				Matches:     []string{`-m limit --limit 5/min --limit-burst 7`},
				NotModelled: []string{`-m bpf --bytecode "1,6 0 0 0"`},
				Target:      Target{Kind: TargetExtension, Name: "TCPMSS", Options: "--set-mss 1360", SetMSS: 1360},
			},
		},
		{`-A C -j TCPMSS --clamp-mss-to-pmtu`, Spec{
			Target: Target{Kind: TargetExtension, Name: "TCPMSS", Options: "--clamp-mss-to-pmtu", ClampMSSToPMTU: true},
		}},
		{`-A C -p udp -j CT --notrack`, Spec{
			Protocol: names("udp"), Target: Target{Kind: TargetExtension, Name: "NOTRACK", Options: "--notrack"},
		}},
		{`-A C -j REJECT --reject-with icmp-port-unreachable`, Spec{Target: Target{
			Kind: TargetVerdict, Name: "REJECT", Options: "--reject-with icmp-port-unreachable", RejectWith: "icmp-port-unreachable",
		}}},
		{`-A C`, Spec{Target: Target{Kind: TargetNone}}},
		{`-A C -m owner --uid-owner 0 ! --gid-owner 1 -d 1.2.3.x -j "A B"`, Spec{
			Matches: []string{"-m owner --uid-owner 0 ! --gid-owner 1"}, NotModelled: []string{"-d 1.2.3.x"}, Target: Target{Kind: TargetJump, Name: "A B"},
		}},
	} {
		if diff := cmp.Diff(c.want, decodeIPTables(c.rule), compareValues); diff != "" {
			t.Errorf("%s\n%s", c.rule, diff)
		}
	}
}

func TestDecodeNFT(t *testing.T) {
	for _, c := range []struct {
		rule string
		want Spec
	}{
		{
			`meta l4proto tcp ip saddr != 10.233.64.0/18 ip daddr 10.233.0.1  tcp dport 443 counter packets 1 bytes 60 jump KUBE-MARK-MASQ`,
			Spec{
				Source: prefixes(true, "10.233.64.0/18"), Destination: prefixes(false, "10.233.0.1/32"), Protocol: names("tcp"),
				DestinationPorts: ports(443, 443), Target: Target{Kind: TargetJump, Name: "KUBE-MARK-MASQ"},
			},
		},
		{
			`ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports`,
			Spec{
				Sets:   []SetMatch{{Name: "nodeport-ips", Fields: "ip daddr"}},
				Target: Target{Kind: TargetMap, Map: "service-nodeports", Key: "meta l4proto . th dport"},
			},
		},
		{
			`meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 8080, 1 : 10.0.0.2 . 8080 }`,
			Spec{
				Protocol: names("tcp"), Target: Target{Kind: TargetVerdict, Name: "DNAT", ToDestinations: []Destination{
					{netip.MustParseAddrPort("10.0.0.1:8080"), 0.5}, {netip.MustParseAddrPort("10.0.0.2:8080"), 0.5},
				}},
			},
		},
		{
			`ip saddr @affinity-ABC goto endpoint-X/tcp/p80__10.0.0.1/80`,
			Spec{Recent: names("affinity-ABC"), Target: Target{Kind: TargetGoto, Name: "endpoint-X/tcp/p80__10.0.0.1/80"}},
		},
		{
			`update @affinity-ABC { ip saddr timeout 3h } meta l4proto tcp dnat to [fd00::1]:80`,
			Spec{Protocol: names("tcp"), Target: Target{Kind: TargetVerdict, Name: "DNAT", ToDestinations: []Destination{
				{netip.MustParseAddrPort("[fd00::1]:80"), 1},
			}}},
		},
		{
			`meta random & 2147483647 < 1073741824 counter packets 0 bytes 0 jump S`,
			Spec{Statistic: &StatisticMatch{Mode: "random", Probability: 0.5}, Target: Target{Kind: TargetJump, Name: "S"}},
		},
		{
			`fib daddr type local ip6 daddr != ::1 meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random`,
			Spec{
				DestinationAddrType: names("LOCAL"), Destination: prefixes(true, "::1/128"), Mark: &MarkMatch{0, 0x4000, true},
				Target: Target{Kind: TargetVerdict, Name: "MASQUERADE", Options: "fully-random"},
			},
		},
		{
			`tcp flags & (fin | syn | rst | ack) == syn limit rate 5/second reject with tcp reset comment "no more"`,
			Spec{
				TCPFlags: names("FIN,SYN,RST,ACK SYN"), Matches: []string{"limit rate 5/second"}, Comment: "no more",
				Target: Target{Kind: TargetVerdict, Name: "REJECT", RejectWith: "tcp reset"},
			},
		},
		{
			`ip saddr { 10.0.0.0/8, 192.168.1.1-192.168.1.9 } oifname "wg0" tcp option maxseg size set rt mtu`,
			Spec{
				Source: &PrefixMatch{
					Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
					Ranges:   []AddrRange{{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("192.168.1.9")}},
				},
				OutInterface: names("wg0"), Target: Target{Kind: TargetExtension, Name: "TCPMSS", ClampMSSToPMTU: true},
			},
		},
		{
			`ip daddr 10.0.0.1 # xt_comment tcp dport 80 # xt_u32 counter packets 0 bytes 0 # xt_DNAT`,
			Spec{
				Destination: prefixes(false, "10.0.0.1/32"), Protocol: names("tcp"), DestinationPorts: ports(80, 80),
				NotModelled: []string{"# xt_u32", "# xt_DNAT"}, Target: Target{Kind: TargetVerdict, Name: "DNAT"},
			},
		},
		{
			`ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections accept`,
			Spec{
				CTState: names("DNAT"),
				Sets:    []SetMatch{{Name: "hairpin-connections", Fields: "ip saddr . ip daddr . meta l4proto . th dport"}},
				Target:  Target{Kind: TargetVerdict, Name: "ACCEPT"},
			},
		},
		{`ct state vmap { established : accept, new : jump x }`, Spec{Target: Target{Kind: TargetMap, Key: "ct state", elements: []mapElem{
			{key: "established", data: "accept", text: "established : accept"}, {key: "new", data: "jump x", text: "new : jump x"},
		}}}},
		{`meta cpu { 1, 2 } ct label { accept, drop } return`, Spec{
			NotModelled: []string{"meta cpu { 1, 2 } ct label { accept, drop }"}, Target: Target{Kind: TargetVerdict, Name: "RETURN"},
		}},
		{`socket transparent 1 vlan id 5 drop`, Spec{
			NotModelled: []string{"socket transparent 1 vlan id 5"}, Target: Target{Kind: TargetVerdict, Name: "DROP"},
		}},
	} {
		if diff := cmp.Diff(c.want, decodeNFT(c.rule), compareValues); diff != "" {
			t.Errorf("%s\n%s", c.rule, diff)
		}
	}
}

// TestEveryPartIsCounted: what is not understood is in Problems or NotModelled, by its line.
func TestEveryPartIsCounted(t *testing.T) {
	l := parseSave(t, "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n"+
		"# Generated by iptables-nft-save v1.8.9 (nf_tables) on Tue\n-A TOO-EARLY -j ACCEPT\n*filter\n:INPUT ACCEPT [0:0]\n"+
		"[3:180] -A INPUT -p tcp -j ACCEPT\n-A INPUT -m u32 --u32 0 -j DROP\nnonsense\n"+
		"-A INPUT -m comment --comment \"no end\n-A NOT-DECLARED -j RETURN\nCOMMIT\n")
	problems, n := l.Problems()
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if diff := cmp.Diff([]int{3, 8, 9, 10}, lines); diff != "" || n != 4 {
		t.Errorf("problems (%d): %s", n, diff)
	}
	rules, n := l.NotModelled(10)
	if n != 2 || rules[0].Line != 7 || rules[1].Line != 9 {
		t.Errorf("not modelled: %d %v", n, rules)
	}
	if l.LegacyTablesPresent() != 1 || l.Generator() != "iptables-nft-save v1.8.9 (nf_tables)" {
		t.Errorf("warning at line %d, generator %q", l.LegacyTablesPresent(), l.Generator())
	}
	chains := (&Ruleset{IPTables: l}).Chain("ip", "filter", "INPUT", 1)
	want := []ChainRules{{
		Backend: IPTablesLegacy, Family: "ip", Table: "filter", Chain: "INPUT", Line: 5, Policy: "ACCEPT", Type: "filter",
		Hook: "input", Count: 3, Rules: []Rule{{
			Backend: IPTablesLegacy, Family: "ip", Table: "filter", Chain: "INPUT", Line: 6, Text: "-A INPUT -p tcp -j ACCEPT",
			Packets: 3, Bytes: 180,
		}},
	}}
	if diff := cmp.Diff(want, chains, compareValues); diff != "" {
		t.Error(diff)
	}
}

func read(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// TestNFTTextAndJSON: both forms of one native table give the same rules, chains and maps.
func TestNFTTextAndJSON(t *testing.T) {
	text, js := parseNFT(t, read(t, "iptables-nft.nft")), parseNFT(t, read(t, "iptables-nft.json"))
	get := func(l *Listing) ChainRules {
		c := (&Ruleset{NFT: l}).Chain("inet", "t", "fw", 100)
		if len(c) != 1 {
			t.Fatalf("%d chains", len(c))
		}
		return c[0]
	}
	a, b := get(text), get(js)
	if a.Hook != "forward" || a.Priority != -150 || a.Hook != b.Hook || a.Priority != b.Priority || a.Policy != b.Policy {
		t.Errorf("chain in text %+v, in JSON %+v", a, b)
	}
	for i := range a.Rules {
		// nft prints the reject type of an inet table in JSON, and omits the default in text.
		x, y := a.Rules[i].Decode(), b.Rules[i].Decode()
		x.Target.RejectWith, y.Target.RejectWith = "", ""
		if diff := cmp.Diff(x, y, compareValues); diff != "" || a.Rules[i].Handle != b.Rules[i].Handle {
			t.Errorf("%s | %s\n%s", a.Rules[i].Text, b.Rules[i].Text, diff)
		}
	}
	for _, l := range []*Listing{text, js} {
		var managed []string
		for _, tab := range l.tables {
			if tab.managed {
				managed = append(managed, tab.family+" "+tab.name)
			}
		}
		if diff := cmp.Diff([]string{"ip nat", "ip mangle", "ip filter", "ip raw"}, managed); diff != "" {
			t.Error(diff)
		}
	}
}
