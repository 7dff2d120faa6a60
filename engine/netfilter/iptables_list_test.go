package netfilter

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const listHead = " pkts bytes target     prot opt in     out     source               destination         \n"

// listed parses one table's listing.
func listed(tb testing.TB, table, text string) *Listing {
	tb.Helper()
	l, err := ParseIPTablesTables([]TableText{{table, text}}, IPTablesNFT, "ip")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// TestIPTablesList holds lines of iptables -L, as versions 1.4 to 1.8 print them, to the rules that they are of.
func TestIPTablesList(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"ACCEPT     6    --  *      *       0.0.0.0/0            0.0.0.0/0            tcp dpt:80", "-p tcp -m tcp --dport 80 -j ACCEPT"},
		{"ACCEPT     tcp  --  *      *       0.0.0.0/0            0.0.0.0/0            tcp spts:1:65535 dpts:!80:90 flags:0x12/0x02", "-p tcp -m tcp --sport 1:65535 ! --dport 80:90 --tcp-flags SYN,ACK SYN -j ACCEPT"},
		{"ACCEPT     6    --  *      *       0.0.0.0/0            0.0.0.0/0            tcp flags:!0x17/0x02", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT"},
		{"ACCEPT     tcp  --  any    any     anywhere             anywhere             tcp dpt:http flags:FIN,SYN,RST,PSH,ACK,URG/NONE", "-p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j ACCEPT"},
		{"UC         17   --  *      *       0.0.0.0/0            0.0.0.0/0           [goto]  udp spt:53 /* a \"b\" c */", `-p udp -m udp --sport 53 -m comment --comment "a \"b\" c" -g UC`},
		{"           132  --  *      *       0.0.0.0/0            0.0.0.0/0            sctp dpt:53", "-p sctp -m sctp --dport 53"},
		{"UC        !17   --  eth0   !eth+   10.0.0.0/8          !1.2.3.4             ", "-s 10.0.0.0/8 ! -d 1.2.3.4 -i eth0 ! -o eth+ ! -p udp -j UC"},
		{"DROP       all  -f  *      *       0.0.0.0/0            0.0.0.0/0           ", "-f -j DROP"},
		{"DROP       0    !f  *      *       0.0.0.0/0            0.0.0.0/0           ", "! -f -j DROP"},
		{"ACCEPT     tcp      eth0   *       fd00::/64           !::/0                 tcp dpt:80", "-s fd00::/64 ! -d ::/0 -i eth0 -p tcp -m tcp --dport 80 -j ACCEPT"},
		{"           tcp      *      *       ::/0                 ::/0                 tcp dpt:80", "-p tcp -m tcp --dport 80"},
		{"DROP       58   --  *      *       ::/0                 ::/0                 ipv6-icmptype 1 code 3", "-p icmpv6 -m icmp6 --icmpv6-type 1/3 -j DROP"},
		{"ACCEPT     6    --  *      *       0.0.0.0/0            0.0.0.0/0            multiport sports  !80,443:445", "-p tcp -m multiport ! --sports 80,443:445 -j ACCEPT"},
		{"ACCEPT     all  --  *      *       0.0.0.0/0            0.0.0.0/0            ctstate RELATED,ESTABLISHED", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"},
		{"ACCEPT     0    --  *      *       0.0.0.0/0            0.0.0.0/0            ! ctproto 6 ctreplsrc 10.0.0.0/8 ! ctreplsrcport 80:90", "-m conntrack ! --ctproto 6 --ctreplsrc 10.0.0.0/8 ! --ctreplsrcport 80:90 -j ACCEPT"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            ! state NEW", "-m state ! --state NEW -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            mark match ! 0x4000/0x4000 connmark match  0x4000", "-m mark ! --mark 0x4000/0x4000 -m connmark --mark 0x4000 -j DROP"},
		{"KUBE-SEP-A  all  --  *      *       0.0.0.0/0            0.0.0.0/0            /* default/a:http */ statistic mode random probability 0.33333333349", `-m comment --comment "default/a:http" -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-A`},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            statistic mode nth ! every 3 packet 1", "-m statistic --mode nth ! --every 3 --packet 1 -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            ADDRTYPE match src-type LOCAL dst-type !LOCAL,BROADCAST limit-in", "-m addrtype --src-type LOCAL ! --dst-type LOCAL,BROADCAST --limit-iface-in -j DROP"},
		{"           all  --  *      *       0.0.0.0/0            0.0.0.0/0            recent: SET name: X side: source mask: 255.255.255.255", "-m recent --set --name X --rsource --mask 255.255.255.255"},
		{"DROP       all  --  *      *       0.0.0.0/0            0.0.0.0/0            ! recent: UPDATE seconds: 10 hit_count: 5 TTL-Match name: X side: dest", "-m recent ! --update --seconds 10 --hitcount 5 --rttl --name X --rdest -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            ! match-set N4 src match-set S4 dst,dst return-nomatch", "-m set ! --match-set N4 src -m set --match-set S4 dst,dst --return-nomatch -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            limit: above 1mb/s mode srcip-dstport htable-expire 1000 srcmask 24", "-m hashlimit --hashlimit-above 1mb/s --hashlimit-mode srcip,dstport --hashlimit-htable-expire 1000 --hashlimit-srcmask 24 -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            PHYSDEV match ! --physdev-out eth+ ! --physdev-is-bridged", "-m physdev ! --physdev-out eth+ ! --physdev-is-bridged -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            length 0:60 length !84 TTL match TTL != 1", "-m length --length 0:60 -m length ! --length 84 -m ttl ! --ttl-eq 1 -j DROP"},
		{"DROP       1    --  *      *       0.0.0.0/0            0.0.0.0/0            icmp !type 3 code 4", "-p icmp -m icmp ! --icmp-type 3/4 -j DROP"},
		{"DROP       icmp --  *      *       0.0.0.0/0            0.0.0.0/0            icmp type 8", "-p icmp -m icmp --icmp-type 8 -j DROP"},
		{"DROP       icmp --  any    any     anywhere             anywhere             icmp echo-request", "-p icmp -m icmp --icmp-type echo-request -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            source IP range 1.1.1.1-1.1.1.9 destination IP range ! 2.2.2.2-2.2.2.3", "-m iprange --src-range 1.1.1.1-1.1.1.9 ! --dst-range 2.2.2.2-2.2.2.3 -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            owner UID match 0 ! owner GID match 1-5", "-m owner --uid-owner 0 ! --gid-owner 1-5 -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            rpfilter loose validmark invert", "-m rpfilter --loose --validmark --invert -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            u32 ! \"0x0=0x3\"", "-m u32 ! --u32 0x0=0x3 -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            nfacct-name  web", "-m nfacct --nfacct-name web -j DROP"},
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            policy match dir out pol none", "-m policy --dir out --pol none -j DROP"},
		{"DROP       6    --  *      *       0.0.0.0/0            0.0.0.0/0            #conn src/24 > 5", "-p tcp -m connlimit --connlimit-above 5 --connlimit-mask 24 --connlimit-saddr -j DROP"},
		{"REJECT     6    --  *      *       0.0.0.0/0            0.0.0.0/0            reject-with tcp-reset", "-p tcp -j REJECT --reject-with tcp-reset"},
		{"LOG        0    --  *      *       0.0.0.0/0            0.0.0.0/0            limit: avg 5/min burst 5 LOG flags 12 level 7 prefix \"x -j y\"", `-m limit --limit 5/min --limit-burst 5 -j LOG --log-level 7 --log-prefix "x -j y"`},
		{"NFLOG      0    --  *      *       0.0.0.0/0            0.0.0.0/0            nflog-prefix \"cali: x\" nflog-group 1 nflog-size 80", `-j NFLOG --nflog-prefix "cali: x" --nflog-group 1 --nflog-size 80`},
		{"MARK       all  --  *      *       0.0.0.0/0            0.0.0.0/0            MARK or 0x4000", "-j MARK --or-mark 0x4000"},
		{"CONNMARK   0    --  *      *       0.0.0.0/0            0.0.0.0/0            CONNMARK restore ctmask 0x4000 nfmask ~0xff", "-j CONNMARK --restore-mark --ctmask 0x4000 --nfmask 0xff"},
		{"TCPMSS     6    --  *      *       0.0.0.0/0            0.0.0.0/0            tcp flags:0x06/0x02 TCPMSS clamp to PMTU", "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"},
		{"CT         0    --  *      *       0.0.0.0/0            0.0.0.0/0            NOTRACK", "-j CT --notrack"},
		{"DNAT       6    --  *      *       0.0.0.0/0            0.0.0.0/0            to:1.2.3.4:80-90 random persistent", "-p tcp -j DNAT --to-destination 1.2.3.4:80-90 --random --persistent"},
		{"REDIRECT   6    --  *      *       0.0.0.0/0            0.0.0.0/0            redir ports 80", "-p tcp -j REDIRECT --to-ports 80"},
		{"MASQUERADE  6    --  *      *       0.0.0.0/0            0.0.0.0/0            masq ports: 80-90 random-fully", "-p tcp -j MASQUERADE --to-ports 80-90 --random-fully"},

		// Found by random rule sets.
		{"ACCEPT     0    --  *      *      !10.3.0.0/16          0.0.0.0/0            u32 \"0x8>>0x18=0x40&&0x6&0xff=0x6\" match-set h-ip src u32 ! \"0x6&0xff=0x11\"", "! -s 10.3.0.0/16 -m u32 --u32 0x8>>0x18=0x40&&0x6&0xff=0x6 -m set --match-set h-ip src -m u32 ! --u32 0x6&0xff=0x11 -j ACCEPT"},

		// What is not understood stands in the rule, in quotes.
		{"DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0            ctstate NEW STRING match  \"tcp dpt:80\" ALGO name bm", `-m conntrack --ctstate NEW "STRING match  \"tcp dpt:80\" ALGO name bm" -j DROP`},
		{"DROP       6    --  any    any     web.example.org      anywhere             tcp dpt:frobnicate", `"source web.example.org" -p tcp "tcp dpt:frobnicate" -j DROP`},
		{"NFQUEUE    0    --  *      *       0.0.0.0/0            0.0.0.0/0            NFQUEUE num 1 bypass", `"NFQUEUE num 1 bypass" -j NFQUEUE`},
		{"not a rule at all", `-j "not a rule at all"`},
	} {
		for _, counters := range []string{"    0     0 ", "12345 1234M ", " 123K  456G "} {
			l := listed(t, "filter", "Chain C (1 references)\n"+listHead+counters+c.line+"\n")
			if n, _ := l.Problems(); len(n) > 0 || l.Rules() != 1 {
				t.Fatalf("%s: %d rules, problems %v", c.line, l.Rules(), n)
			}
			got := l.rule(0)
			want := "-A C " + c.want
			if strings.HasPrefix(c.line, "not") {
				want = "-A C -j \"" + strings.TrimSpace(counters) + " " + strings.TrimSpace(c.line) + "\""
			}
			if diff := cmp.Diff(strings.Join(strings.Fields(want), " "), strings.Join(strings.Fields(got.Text), " ")); diff != "" {
				t.Errorf("%s: %s", c.line, diff)
			}
			if got.Line != 3 {
				t.Errorf("%s: line %d", c.line, got.Line)
			}
			if want := map[string]string{"    0     0 ": "0 0", "12345 1234M ": "12345 1234000000", " 123K  456G ": "123000 456000000000"}[counters]; fmt.Sprint(got.Packets, got.Bytes) != want {
				t.Errorf("%s: counters %d %d, want %s", c.line, got.Packets, got.Bytes, want)
			}
		}
	}
}

// TestIPTablesListForms takes one chain in every form that options give a listing.
func TestIPTablesListForms(t *testing.T) {
	const rule = "-A FORWARD -p tcp -m tcp --dport 80 -j UC"
	for name, text := range map[string]string{
		"-nvL":                "Chain FORWARD (policy DROP 1 packets, 60 bytes)\n" + listHead + "    5   300 UC         6    --  *      *       0.0.0.0/0            0.0.0.0/0            tcp dpt:80\n\nChain UC (1 references)\n" + listHead,
		"-vnxL":               "Chain FORWARD (policy DROP 1 packets, 60 bytes)\n    pkts      bytes target     prot opt in     out     source               destination         \n       5      300 UC         tcp  --  *      *       0.0.0.0/0            0.0.0.0/0            tcp dpt:80\n\nChain UC (1 references)\n",
		"-nL":                 "Chain FORWARD (policy DROP)\ntarget     prot opt source               destination         \nUC         6    --  0.0.0.0/0            0.0.0.0/0            tcp dpt:80\n\nChain UC (1 references)\ntarget     prot opt source               destination         \n",
		"-L --line-numbers":   "Chain FORWARD (policy DROP)\nnum  target     prot opt source               destination         \n1    UC         tcp  --  anywhere             anywhere             tcp dpt:http\n\nChain UC (1 references)\n",
		"-nvL --line-numbers": "Chain FORWARD (policy DROP 0 packets, 0 bytes)\nnum   pkts bytes target     prot opt in     out     source               destination         \n1        5   300 UC         tcp  --  *      *       0.0.0.0/0            0.0.0.0/0            tcp dpt:80\r\n\r\nChain UC (1 references)\r\n",
		"-S":                  "-P FORWARD DROP\n-N UC\n-A FORWARD -p tcp -m tcp --dport 80 -j UC\n",
		"-vS":                 "-P FORWARD DROP -c 1 60\n-N UC\n-A FORWARD -p tcp -m tcp --dport 80 -j UC\n",
	} {
		l := listed(t, "filter", text)
		if p, n := l.Problems(); n > 0 {
			t.Errorf("%s: problems %v", name, p)
		}
		if l.Rules() != 1 || l.ruleText(0) != rule {
			t.Errorf("%s: %d rules, %q", name, l.Rules(), l.ruleText(0))
		}
		r := &Ruleset{IPTables: l, IPTablesLegacy: &Listing{}, NFT: &Listing{}}
		if c := r.Chain("ip", "filter", "FORWARD", 9); len(c) != 1 || c[0].Policy != "DROP" || c[0].Line != 1 {
			t.Errorf("%s: chain %+v", name, c)
		}
		p := syn()
		got := r.Traverse(HookForward, p)
		unseen := slices.ContainsFunc(got[0].When, func(s string) bool { return strings.Contains(s, "ask for no interface") })
		want := "drop"
		without := name == "-nL" || strings.HasPrefix(name, "-L")
		if without {
			want = "drop unknown"
		}
		if verdicts(got) != want || unseen != without {
			t.Errorf("%s: %s", name, tellAll(got))
		}
	}
}

// TestIPTablesListPart holds a listing of single tables to saying what it does not show.
func TestIPTablesListPart(t *testing.T) {
	filter := "Chain INPUT (policy ACCEPT 0 packets, 0 bytes)\n" + listHead + "\nChain FORWARD (policy ACCEPT 0 packets, 0 bytes)\n" + listHead + "\nChain OUTPUT (policy ACCEPT 0 packets, 0 bytes)\n" + listHead
	l := listed(t, "filter", filter)
	if !l.Shows("filter") || l.Shows("nat") || l.Shows("raw") {
		t.Error("it shows filter alone")
	}
	r := &Ruleset{IPTables: l, IPTablesLegacy: &Listing{}}
	want := []string{
		"iptables-nft -t mangle -nvL, which was not read, shows no rule for it",
		"iptables-nft -t security -nvL, which was not read, shows no rule for it",
		"nft list ruleset, which was not read, shows no rule for it",
	}
	got := r.Traverse(HookForward, syn())
	if diff := cmp.Diff(want, got[0].When); len(got) != 1 || diff != "" {
		t.Error(diff)
	}
	// The kernel's view of nf_tables shows the rest.
	r.NFT = parseNFT(t, "table ip nat {\n\tchain PREROUTING {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t\tip daddr 10.96.0.1 counter packets 0 bytes 0 dnat to 10.244.0.9\n\t}\n}\n")
	if got := r.Traverse(HookForward, syn()); len(got[0].When) > 0 {
		t.Errorf("with nft: %s", tellAll(got))
	}
	p := syn()
	p.Dst = clusterIP(1)
	if got := r.Traverse(HookPrerouting, p); got[0].NAT.Kind != "DNAT" {
		t.Errorf("nat is nft's: %s", tellAll(got))
	}
	// A table that is known not to be there.
	l, err := ParseIPTablesTables([]TableText{{"filter", filter}, {"mangle", ""}, {"security", ""}}, IPTablesLegacy, "ip")
	if err != nil {
		t.Fatal(err)
	}
	r = &Ruleset{IPTables: &Listing{}, NFT: &Listing{}, IPTablesLegacy: l}
	if got := r.Traverse(HookForward, syn()); len(got[0].When) > 0 || !l.Shows("mangle") {
		t.Errorf("no mangle: %s", tellAll(got))
	}
	// The listing of one chain says nothing of the others.
	l = listed(t, "nat", "Chain PREROUTING (policy ACCEPT 0 packets, 0 bytes)\n"+listHead)
	if l.Shows("nat") || !l.showsHook("nat", HookPrerouting) || l.showsHook("nat", HookOutput) {
		t.Error("it shows PREROUTING alone")
	}
	// An error is no listing.
	l = listed(t, "nat", "iptables v1.8.9 (legacy): can't initialize iptables table `nat': Permission denied (you must be root)\n")
	if p, n := l.Problems(); l.Shows("nat") || n != 1 || p[0].Line != 1 {
		t.Errorf("shows %v, problems %v", l.Shows("nat"), p)
	}
	l = listed(t, "nat", "# Warning: iptables-legacy tables present, use iptables-legacy to see them\nChain PREROUTING (policy ACCEPT)\n")
	if l.LegacyTablesPresent() == 0 {
		t.Error("the warning of legacy tables is lost")
	}
}

// TestIPTablesListUnknown holds a rule that is not understood to being unknown, with its text, and the others to what
// they are.
func TestIPTablesListUnknown(t *testing.T) {
	l := listed(t, "filter", "Chain FORWARD (policy ACCEPT 0 packets, 0 bytes)\n"+listHead+
		"    0     0 DROP       6    --  *      *       0.0.0.0/0            0.0.0.0/0            tcp dpt:81 FROB match 7\n"+
		"    0     0 LOG        6    --  *      *       0.0.0.0/0            0.0.0.0/0            FROB match 8 LOG flags 0 level 4\n"+
		"    0     0 REJECT     6    --  *      *       0.0.0.0/0            0.0.0.0/0            tcp dpt:80 reject-with tcp-reset\n"+
		"    0     0 something else\n")
	r := &Ruleset{IPTables: l, IPTablesLegacy: &Listing{}, NFT: &Listing{}}
	p := syn()
	p.Dport = 80
	if got := r.Traverse(HookForward, p); verdicts(got) != "reject" || len(got) != 1 {
		t.Errorf("port 80: %s", tellAll(got))
	}
	p.Dport = 81
	if got := r.Traverse(HookForward, p); verdicts(got) != "unknown" || !strings.Contains(got[0].Reason, "FROB match 7") {
		t.Errorf("port 81: %s", tellAll(got))
	}
	p.Dport = 82
	if got := r.Traverse(HookForward, p); verdicts(got) != "unknown" || !strings.Contains(got[0].Reason, "something else") {
		t.Errorf("port 82: %s", tellAll(got))
	}
	if _, n := l.NotModelled(9); n != 2 {
		t.Errorf("%d rules not modelled", n)
	}
}

func FuzzParseIPTablesTables(f *testing.F) {
	f.Add("Chain PREROUTING (policy ACCEPT 0 packets, 0 bytes)\n" + listHead + "    0     0 DNAT       6    --  *      *       0.0.0.0/0            10.96.0.1            /* a */ tcp dpt:80 to:10.0.0.1:80\n\nChain X (1 references)\n")
	f.Add("-P PREROUTING ACCEPT\n-N X\n-A PREROUTING -p tcp -m tcp --dport 80 -j X\n")
	f.Add("Chain OUTPUT (policy DROP)\nnum  target     prot opt source               destination         \n1    X  !udp  !f  anywhere  !10.0.0.1 [goto] recent: CHECK name: y ! u32 \"0=1\" LOG prefix \"\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, table := range []string{"nat", "filter"} {
			l, err := ParseIPTablesTables([]TableText{{table, text}}, IPTablesNFT, "ip")
			if err != nil {
				t.Fatal(err)
			}
			if len(l.text) > 8*len(text)+64 {
				t.Errorf("%d bytes become %d", len(text), len(l.text))
			}
			ask(t, &Ruleset{IPTables: l, LocalAddrs: nil})
		}
	})
}
