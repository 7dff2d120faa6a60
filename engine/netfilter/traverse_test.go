package netfilter

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// syn is the first packet of a connection from a Pod.
func syn() Packet {
	return Packet{
		Src: netip.MustParseAddr("10.1.0.2"), Dst: netip.MustParseAddr("10.2.0.2"), Proto: "tcp", Sport: 40000, Dport: 80,
		TCPFlags: TCPSYN, Length: 60, TTL: 64, Iif: "eth0", Oif: "eth1", CtState: "NEW",
	}
}

func echo() Packet {
	p := syn()
	p.Proto, p.Sport, p.Dport, p.TCPFlags, p.ICMPType = "icmp", 0, 0, 0, 8
	return p
}

// tell is an outcome in a line: verdict, where the packet then goes, marks, share, conditions.
func tell(o Outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s > %s", o.Verdict, netip.AddrPortFrom(o.Packet.Src, o.Packet.Sport), netip.AddrPortFrom(o.Packet.Dst, o.Packet.Dport))
	if o.Masquerade {
		b.WriteString(" masquerade")
	}
	if o.Packet.Mark != 0 || o.Packet.Ctmark != 0 {
		fmt.Fprintf(&b, " mark %#x/%#x", o.Packet.Mark, o.Packet.Ctmark)
	}
	if o.Probability != 1 {
		fmt.Fprintf(&b, " %.3g", o.Probability)
	}
	for _, w := range o.When {
		b.WriteString(" when " + w)
	}
	if o.Reason != "" {
		b.WriteString(" because " + o.Reason)
	}
	return b.String()
}

func tellAll(list []Outcome) string {
	var lines []string
	sum := 0.0
	for _, o := range list {
		lines = append(lines, tell(o))
		sum += o.Probability
	}
	if sum < 1-1e-6 || sum > 1+1e-6 {
		lines = append(lines, fmt.Sprintf("SUM %v", sum))
	}
	return strings.Join(lines, "\n")
}

// verdicts is what a table test looks at when only the verdict counts.
func verdicts(list []Outcome) string {
	var v []string
	for _, o := range list {
		v = append(v, string(o.Verdict))
	}
	return strings.Join(v, " ")
}

// filter is a listing of one table with rules in a base chain and user chains A and B.
func saved(table, hook string, rules ...string) string {
	return "*" + table + "\n:" + hook + " ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n" + strings.Join(rules, "\n") + "\nCOMMIT\n"
}

func iptablesSet(tb testing.TB, text string) *Ruleset {
	return &Ruleset{
		IPTables: parseSave(tb, ""), IPTablesLegacy: parseSave(tb, text), NFT: parseNFT(tb, ""),
		LocalAddrs: []netip.Addr{netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1")},
		InterfaceAddrs: map[string][]netip.Addr{
			"eth0": {netip.MustParseAddr("10.1.0.1")}, "eth1": {netip.MustParseAddr("10.2.0.1")},
		},
		BroadcastAddrs: []netip.Addr{netip.MustParseAddr("10.1.0.255")},
	}
}

// TestTraverseIPTables: each name is a thing that simulators of iptables get wrong.
func TestTraverseIPTables(t *testing.T) {
	goesOn := "accept 10.1.0.2:40000 > 10.2.0.2:80"
	dropped := "drop 10.1.0.2:40000 > 10.2.0.2:80"
	for _, c := range []struct {
		name  string
		hook  Hook
		text  string
		with  func(*Packet)
		want  string
		wants func(string) bool
	}{
		{name: "no rules", hook: HookForward, text: "", want: goesOn},
		{
			name: "DNAT rewrites", hook: HookPrerouting, text: saved("nat", "PREROUTING", "-A PREROUTING -d 10.2.0.2/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.3.0.9:8080"),
			want: "accept 10.1.0.2:40000 > 10.3.0.9:8080",
		},
		{
			name: "DNAT is for the first packet", hook: HookPrerouting, text: saved("nat", "PREROUTING", "-A PREROUTING -j DNAT --to-destination 10.3.0.9"),
			with: func(p *Packet) { p.CtState = "ESTABLISHED" }, want: goesOn,
		},
		{
			name: "DNAT of a range keeps a port in it", hook: HookPrerouting, text: saved("nat", "PREROUTING", "-A PREROUTING -p tcp -j DNAT --to-destination 10.3.0.8-10.3.0.9:70-90"),
			want: "accept 10.1.0.2:40000 > 10.3.0.8:80 0.5\naccept 10.1.0.2:40000 > 10.3.0.9:80 0.5",
		},
		{
			name: "REDIRECT leads to the interface's address", hook: HookPrerouting, text: saved("nat", "PREROUTING", "-A PREROUTING -p tcp -j REDIRECT --to-ports 9000"),
			want: "accept 10.1.0.2:40000 > 10.1.0.1:9000",
		},
		{
			name: "REDIRECT of an own packet leads to loopback", hook: HookOutput, text: saved("nat", "OUTPUT", "-A OUTPUT -p tcp -j REDIRECT --to-ports 9000"),
			want: "accept 10.1.0.2:40000 > 127.0.0.1:9000",
		},
		{
			name: "SNAT", hook: HookPostrouting, text: saved("nat", "POSTROUTING", "-A POSTROUTING -p tcp -j SNAT --to-source 10.2.0.7:500-600"),
			want: "accept 10.2.0.7:0 > 10.2.0.2:80",
		},
		{name: "NETMAP", hook: HookPrerouting, text: saved("nat", "PREROUTING", "-A PREROUTING -j NETMAP --to 192.168.4.0/22"), want: "accept 10.1.0.2:40000 > 192.168.4.2:80"},
		{
			name: "MASQUERADE is a verdict", hook: HookPostrouting, text: saved("nat", "POSTROUTING", "-A POSTROUTING -j MASQUERADE", "-A POSTROUTING -j SNAT --to-source 10.9.9.9"),
			want: goesOn + " masquerade",
		},
		{
			name: "MASQUERADE --random-fully has a port that nobody knows", hook: HookPostrouting, text: saved("nat", "POSTROUTING", "-A POSTROUTING -j MASQUERADE --random-fully"),
			want: "accept 10.1.0.2:0 > 10.2.0.2:80 masquerade",
		},
		{
			name: "REJECT is a verdict", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -j REJECT --reject-with tcp-reset", "-A FORWARD -j ACCEPT"),
			want: "reject 10.1.0.2:40000 > 10.2.0.2:80",
		},
		{
			name: "MARK goes on", hook: HookPrerouting, text: saved("mangle", "PREROUTING", "-A PREROUTING -j MARK --set-xmark 0x4000/0x4000", "-A PREROUTING -m mark --mark 0x4000/0x4000 -j DROP"),
			want: dropped + " mark 0x4000/0x0",
		},
		{
			name: "marks and, or, xor", hook: HookPrerouting, text: saved("mangle", "PREROUTING", "-A PREROUTING -j MARK --or-mark 0x3", "-A PREROUTING -j MARK --and-mark 0xfe", "-A PREROUTING -j MARK --xor-mark 0x12", "-A PREROUTING -j MARK --set-mark 0x4/0x4"),
			want: goesOn + " mark 0x14/0x0",
		},
		{name: "connmark saves and restores", hook: HookPrerouting, text: saved("mangle", "PREROUTING", "-A PREROUTING -j MARK --set-mark 0x12", "-A PREROUTING -j CONNMARK --save-mark --nfmask 0xf0 --ctmask 0xff",
			"-A PREROUTING -j MARK --set-mark 0x1", "-A PREROUTING -m connmark --mark 0x10 -j CONNMARK --restore-mark --nfmask 0xf0 --ctmask 0xff"), want: goesOn + " mark 0x11/0x10"},
		{name: "! negates", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD ! -s 10.1.0.0/16 -j DROP", "-A FORWARD ! -i eth0 -j DROP", "-A FORWARD ! -p tcp -j DROP", "-A FORWARD -p tcp -m tcp ! --dport 80 -j DROP",
			"-A FORWARD -m mark ! --mark 0x0 -j DROP", "-A FORWARD -m conntrack ! --ctstate NEW -j DROP"), want: goesOn},
		{name: "INVALID is not a fresh SYN", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m conntrack --ctstate INVALID -j DROP"), want: goesOn},
		{name: "INVALID is everything before conntrack", hook: HookPrerouting, text: saved("raw", "PREROUTING", "-A PREROUTING -m conntrack --ctstate INVALID -j DROP"), want: dropped},
		{
			name: "loopback has its connection already", hook: HookPrerouting, text: saved("raw", "PREROUTING", "-A PREROUTING -m conntrack --ctstate INVALID -j DROP"),
			with: func(p *Packet) { p.Iif = "lo" }, want: goesOn,
		},
		{name: "NOTRACK keeps from NAT", hook: HookPrerouting, text: saved("raw", "PREROUTING", "-A PREROUTING -j CT --notrack") +
			saved("nat", "PREROUTING", "-A PREROUTING -j DNAT --to-destination 10.9.9.9") + saved("mangle", "PREROUTING", "-A PREROUTING -m conntrack --ctstate UNTRACKED -j MARK --set-mark 0x1"), want: goesOn + " mark 0x1/0x0"},
		{name: "goto is no call", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -g A", "-A FORWARD -j DROP", "-A A -p udp -j DROP"), want: goesOn},
		{name: "goto returns to who jumped", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -j A", "-A FORWARD -j DROP", "-A A -g B", "-A A -j ACCEPT", "-A B -p udp -j DROP"), want: dropped},
		{name: "RETURN ends a chain", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -j A", "-A FORWARD -j DROP", "-A A -j RETURN", "-A A -j ACCEPT"), want: dropped},
		{name: "ACCEPT ends its table alone", hook: HookPrerouting, text: saved("raw", "PREROUTING", "-A PREROUTING -j ACCEPT") + saved("mangle", "PREROUTING", "-A PREROUTING -j DROP"), want: dropped},
		{name: "order is of tables, not of the listing", hook: HookPrerouting, text: saved("nat", "PREROUTING", "-A PREROUTING -m mark --mark 0x1 -j DNAT --to-destination 10.9.9.9") +
			saved("mangle", "PREROUTING", "-A PREROUTING -j MARK --set-mark 0x1"), want: "accept 10.1.0.2:40000 > 10.9.9.9:80 mark 0x1/0x0"},
		{name: "policy", hook: HookForward, text: "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -p udp -j ACCEPT\nCOMMIT\n", want: dropped},
		{name: "ranges of ports", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -p tcp -m tcp --dport 81: -j ACCEPT", "-A FORWARD -p tcp -m tcp --dport :79 -j ACCEPT",
			"-A FORWARD -p tcp -m multiport --ports 22,39999:40001 -j DROP"), want: dropped},
		{name: "two lists of ports", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -p tcp -m tcp --dport 80 -m multiport --dports 81,82 -j DROP"), want: goesOn},
		{name: "flags of TCP", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", "-A FORWARD -p tcp -m tcp --tcp-flags ALL NONE -j ACCEPT", "-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j DROP"), want: dropped},
		{name: "physdev without a bridge", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m physdev --physdev-is-bridged -j ACCEPT", "-A FORWARD -m physdev ! --physdev-is-in -j DROP"), want: dropped},
		{
			name: "physdev with one", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m physdev ! --physdev-is-bridged -j ACCEPT", "-A FORWARD -m physdev --physdev-in veth+ --physdev-out veth2 -j DROP"),
			with: func(p *Packet) { p.PhysIn, p.PhysOut = "veth1", "veth2" }, want: dropped,
		},
		{name: "LOG, NFLOG, TRACE and nfacct are known", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m nfacct --nfacct-name x -j LOG --log-prefix \"a b\"", "-A FORWARD -j NFLOG --nflog-group 1", "-A FORWARD -m nfacct --nfacct-name x -j DROP"), want: dropped},
		{
			name: "recent is a condition", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m recent --rcheck --seconds 60 --name bad --mask 255.255.255.255 --rsource -j DROP", "-A FORWARD -m recent --set --name bad --mask 255.255.255.255 --rsource -j ACCEPT"),
			want: dropped + " 0.5 when `-m recent --rcheck --name bad` matches\n" + goesOn + " 0.5 when `-m recent --rcheck --name bad` does not match",
		},
		{
			name: "recent records and matches", hook: HookForward,
			text: saved("filter", "FORWARD", "-A FORWARD -m recent ! --set --name a --rsource -j ACCEPT", "-A FORWARD -m recent --set --name a --mask 255.255.255.255 --rsource -j DROP"),
			want: dropped,
		},
		{
			name: "rate limit is a condition", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m limit --limit 5/min -j ACCEPT", "-A FORWARD -j DROP"),
			want: goesOn + " 0.5 when `-m limit --limit 5/min` matches\n" + dropped + " 0.5 when `-m limit --limit 5/min` does not match",
		},
		{name: "a condition that does not matter is none", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m limit --limit 5/min -j ACCEPT", "-A FORWARD -m limit --limit 5/min -j LOG", "-A FORWARD -j ACCEPT"), want: goesOn},
		{
			name: "chance", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m statistic --mode random --probability 0.25 -j DROP", "-A FORWARD -m statistic --mode nth ! --every 3 --packet 0 -j DROP"),
			want: dropped + " 0.75\n" + goesOn + " 0.25",
		},
		{name: "one unknown match makes one rule unknown", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -p udp -m bpf --bytecode \"1,6 0 0 0\" -j DROP", "-A FORWARD -m bpf --bytecode \"1,6 0 0 0\" -j LOG", "-A FORWARD -m bpf --bytecode \"1,6 0 0 0\" -j A", "-A A -p udp -j DROP", "-A FORWARD -p tcp -j ACCEPT"), want: goesOn},
		{
			name: "unknown where match and miss differ", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m bpf --bytecode \"1,6 0 0 0\" -j DROP"),
			want: "unknown 10.1.0.2:40000 > 10.2.0.2:80 because rule of chain FORWARD is not modelled (-m bpf --bytecode \"1,6 0 0 0\"): -A FORWARD -m bpf --bytecode \"1,6 0 0 0\" -j DROP",
		},
		{name: "certain where both are dropped", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m socket --transparent -j DROP", "-A FORWARD -i eth0 -j DROP"), want: dropped},
		{
			name: "a target that is not modelled", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -p udp -j NFQUEUE --queue-num 1", "-A FORWARD -p tcp -j NFQUEUE --queue-num 1"),
			want: "unknown 10.1.0.2:40000 > 10.2.0.2:80 because rule of chain FORWARD is not modelled (target NFQUEUE is neither a chain of the listing nor known here): -A FORWARD -p tcp -j NFQUEUE --queue-num 1",
		},
		{
			name: "addresses of this host", hook: HookPrerouting, text: saved("nat", "PREROUTING", "-A PREROUTING -m addrtype --dst-type LOCAL -j DNAT --to-destination 10.9.9.9"),
			with: func(p *Packet) { p.Dst = netip.MustParseAddr("10.2.0.1") }, want: "accept 10.1.0.2:40000 > 10.9.9.9:80",
		},
		{
			name: "addresses of the interface", hook: HookPrerouting, text: saved("nat", "PREROUTING", "-A PREROUTING -m addrtype --dst-type LOCAL --limit-iface-in -j DNAT --to-destination 10.9.9.9"),
			with: func(p *Packet) { p.Dst = netip.MustParseAddr("10.2.0.1") }, want: "accept 10.1.0.2:40000 > 10.2.0.1:80",
		},
		{
			name: "broadcast", hook: HookPrerouting, text: saved("mangle", "PREROUTING", "-A PREROUTING -m addrtype --dst-type BROADCAST -j DROP"),
			with: func(p *Packet) { p.Dst = netip.MustParseAddr("10.1.0.255") }, want: "drop 10.1.0.2:40000 > 10.1.0.255:80",
		},
		{
			name: "owner", hook: HookOutput, text: saved("filter", "OUTPUT", "-A OUTPUT -m owner ! --uid-owner 0-99 -j DROP"),
			with: func(p *Packet) { root := 0; p.UID = &root }, want: goesOn,
		},
		{name: "no owner of a forwarded packet", hook: HookPostrouting, text: saved("mangle", "POSTROUTING", "-A POSTROUTING -m owner --uid-owner 0 -j DROP"), want: goesOn},
		{
			name: "original destination", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -m conntrack --ctorigdst 10.96.0.10/32 --ctorigdstport 443 -j DROP"),
			with: func(p *Packet) { p.CtDNAT, p.CtOrigDst = true, netip.MustParseAddrPort("10.96.0.10:443") }, want: dropped,
		},
		{
			name: "source not known", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -s 10.1.0.0/16 -j DROP", "-A FORWARD ! -s 10.1.0.0/16 -i eth0 -j REJECT"),
			with: func(p *Packet) { p.Src = netip.Addr{} },
			want: "drop invalid AddrPort > 10.2.0.2:80 0.5 when source is in 10.1.0.0/16\nreject invalid AddrPort > 10.2.0.2:80 0.5 when source is not in 10.1.0.0/16",
		},
		{name: "loop", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -j A", "-A A -j B", "-A B -j A"), want: "unknown 10.1.0.2:40000 > 10.2.0.2:80 because chain A comes back to itself"},
		{name: "loop of gotos", hook: HookForward, text: saved("filter", "FORWARD", "-A FORWARD -j A", "-A A -g B", "-A B -g A"), wants: func(s string) bool { return strings.Contains(s, "gave up: ") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := syn()
			if c.with != nil {
				c.with(&p)
			}
			got := tellAll(iptablesSet(t, c.text).Traverse(c.hook, p))
			if c.wants != nil {
				if !c.wants(got) {
					t.Error(got)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTraverseICMP: types, and rules for ports that an echo request never matches.
func TestTraverseICMP(t *testing.T) {
	for rule, want := range map[string]string{
		"-p icmp -m icmp --icmp-type 8 -j DROP": "drop", "-p icmp -m icmp --icmp-type 8/0 -j DROP": "drop", "-p icmp -m icmp --icmp-type 0 -j DROP": "accept",
		"-p icmp -m icmp --icmp-type any -j DROP": "drop", "-p icmp -m icmp ! --icmp-type 3/4 -j DROP": "drop", "-p tcp -m tcp --dport 1:65535 -j DROP": "accept",
	} {
		if got := verdicts(iptablesSet(t, saved("filter", "FORWARD", "-A FORWARD "+rule)).Traverse(HookForward, echo())); got != want {
			t.Errorf("%s: %s, want %s", rule, got, want)
		}
	}
}

// TestTraverseBothBackends: legacy and nf_tables both see the packet; which of two filters is first is not known.
func TestTraverseBothBackends(t *testing.T) {
	r := iptablesSet(t, saved("filter", "FORWARD", "-A FORWARD -p tcp -j DROP"))
	r.IPTables, _ = ParseIPTablesSave(saved("filter", "FORWARD", "-A FORWARD -p tcp -j ACCEPT"), IPTablesNFT, "ip")
	if got := tellAll(r.Traverse(HookForward, syn())); got != "drop 10.1.0.2:40000 > 10.2.0.2:80" {
		t.Errorf("accept in one and drop in the other: %s", got)
	}
	r.IPTables, _ = ParseIPTablesSave(saved("filter", "FORWARD", "-A FORWARD -p tcp -j REJECT"), IPTablesNFT, "ip")
	want := "reject 10.1.0.2:40000 > 10.2.0.2:80 0.5 when chain FORWARD of table ip filter (iptables-nf_tables) is the first of those at priority 0\n" +
		"drop 10.1.0.2:40000 > 10.2.0.2:80 0.5 when chain FORWARD of table ip filter (iptables-legacy) is the first of those at priority 0"
	if diff := cmp.Diff(want, tellAll(r.Traverse(HookForward, syn()))); diff != "" {
		t.Error(diff)
	}
}

// TestTraverseUnread: a listing that nobody read is a condition, and unknown where it is known to hold rules.
func TestTraverseUnread(t *testing.T) {
	if got := tellAll((&Ruleset{}).Traverse(HookForward, syn())); !strings.Contains(got, "unknown") || !strings.Contains(got, "no listing of rules was read") {
		t.Error(got)
	}
	r := &Ruleset{IPTables: parseSave(t, "")}
	want := "accept 10.1.0.2:40000 > 10.2.0.2:80 when nft list ruleset, which was not read, shows no rule for it when iptables-legacy-save, which was not read, shows no rule for it"
	if diff := cmp.Diff(want, tellAll(r.Traverse(HookForward, syn()))); diff != "" {
		t.Error(diff)
	}
	r.IPTables = parseSave(t, "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n")
	if got := verdicts(r.Traverse(HookForward, syn())); got != "unknown" {
		t.Error(got)
	}
}

// TestTraverseBounds: what leaves too many ways ends, and says so.
func TestTraverseBounds(t *testing.T) {
	var rules []string
	for i := range 40 {
		rules = append(rules, fmt.Sprintf("-A FORWARD -m limit --limit %d/min -j MARK --set-xmark 0x%x/0x%x", i+1, 1<<(i%32), 1<<(i%32)))
	}
	got := iptablesSet(t, saved("mangle", "FORWARD", rules...)).Traverse(HookForward, syn())
	sum := 0.0
	unknown := false
	for _, o := range got {
		sum += o.Probability
		unknown = unknown || o.Verdict == VerdictUnknown
	}
	if len(got) > 2*maxOutcomes || !unknown || sum < 0.999 || sum > 1.001 {
		t.Errorf("%d outcomes, unknown %v, sum %v", len(got), unknown, sum)
	}
}

// TestTraverseIPv6: the family of the packet chooses the listings, and inet tables see both.
func TestTraverseIPv6(t *testing.T) {
	p := syn()
	p.Src, p.Dst = netip.MustParseAddr("fd00:1::2"), netip.MustParseAddr("fd00:96::10")
	l, err := ParseIPTablesSave(saved("nat", "PREROUTING", "-A PREROUTING -d fd00:96::10/128 -p tcp -m tcp --dport 80 -j DNAT --to-destination [fd00:1::9]:8080"), IPTablesLegacy, "ip6")
	if err != nil {
		t.Fatal(err)
	}
	r := iptablesSet(t, saved("nat", "PREROUTING", "-A PREROUTING -j DROP"))
	r.IP6Tables, r.IP6TablesLegacy = parseSave(t, ""), l
	if diff := cmp.Diff("accept [fd00:1::2]:40000 > [fd00:1::9]:8080", tellAll(r.Traverse(HookPrerouting, p))); diff != "" {
		t.Error(diff)
	}
	r = nftSet(t, "chain f {\ntype filter hook forward priority filter; policy accept;\nip saddr 0.0.0.0/0 drop\nip6 daddr { fd00:96::/64 } icmpv6 type echo-request drop\nip6 nexthdr tcp reject\n}")
	r.IP6TablesLegacy = parseSave(t, "")
	if got := verdicts(r.Traverse(HookForward, p)); got != "reject" {
		t.Errorf("tcp: %s", got)
	}
	p.Proto, p.Sport, p.Dport, p.TCPFlags, p.ICMPType = "ipv6-icmp", 0, 0, 0, 128
	if got := verdicts(r.Traverse(HookForward, p)); got != "drop" {
		t.Errorf("echo request: %s", got)
	}
}

// TestTraverseConcurrently: a rule set answers many at once.
func TestTraverseConcurrently(t *testing.T) {
	r := iptablesSet(t, kubeProxySave(50))
	r.NFT = parseNFT(t, kubeProxyNFT(50))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := syn()
			for i := range 50 {
				p.Dst = clusterIP(i)
				if got := r.Traverse(HookPrerouting, p); len(got) == 0 || got[0].Verdict != VerdictAccept {
					t.Errorf("%s: %s", p.Dst, tellAll(got))
				}
			}
		})
	}
	wg.Wait()
}
