package netfilter

import (
	"net/netip"
	"testing"
	"unicode/utf8"
)

// ask puts every question to a rule set; none may panic or run away.
func ask(t *testing.T, r *Ruleset) {
	for _, a := range []string{"10.96.0.1", "10.96.0.9", "fd00::1"} {
		p := r.ServicePath(netip.MustParseAddr(a), "tcp", 80)
		if p.Status == "" {
			t.Error("a path without status")
		}
		if p.Status == StatusTranslated && len(p.Endpoints) == 0 {
			t.Error("translated to nothing")
		}
		if p.Status != StatusTranslated && p.Reason == "" {
			t.Errorf("%s without reason", p.Status)
		}
	}
	r.KubeProxyModes()
	r.MSSClamp()
	for h, p := range map[Hook]Packet{HookPrerouting: syn(), HookForward: {}, HookPostrouting: echo()} {
		sum := 0.0
		for _, o := range r.Traverse(h, p) {
			sum += o.Probability
			if o.Verdict == VerdictUnknown && o.Reason == "" {
				t.Error("unknown without reason")
			}
		}
		if sum < 0.999 || sum > 1.001 {
			t.Errorf("probabilities sum to %v", sum)
		}
	}
	for _, l := range r.listings() {
		for i := range l.rules {
			if rule := l.rule(int32(i)); i < 100 {
				rule.Decode()
			}
		}
		for i := range l.maps {
			l.mapIndexOf(int32(i))
		}
		for _, tab := range l.tables {
			for name := range tab.byName {
				r.Chain(tab.family, tab.name, name, 3)
				l.Referrers(tab.family, tab.name, name, 3)
			}
		}
	}
}

func FuzzParseIPTablesSave(f *testing.F) {
	f.Add(natTable(bothBases, "-A OTHER -j OTHER\n") + kubeFilter)
	f.Add(emptyNAT)
	f.Add(read(f, "iptables-nft.save"))
	f.Add("*nat\n[1:2] -A A -m comment --comment \"a \\\"b\\\\\" -j \"x\"\n-A A ! -s\n-A A -d ! \n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseIPTablesSave(text, IPTablesNFT, "ip")
		if err != nil {
			t.Fatal(err)
		}
		ask(t, &Ruleset{IPTables: l, LocalAddrs: []netip.Addr{netip.MustParseAddr("10.96.0.9")}})
	})
}

func FuzzParseNFT(f *testing.F) {
	f.Add(nftKubeProxy)
	f.Add(read(f, "iptables-nft.nft"))
	f.Add(read(f, "iptables-nft.json"))
	f.Add(`{"nftables": [{"map": {"family": "ip", "name": "service-ips", "table": "kube-proxy", "type": ["ipv4_addr"], "map": "verdict",` +
		`"elem": [[{"elem": {"val": {"concat": ["10.96.0.1", "tcp", 80]}, "comment": "c"}}, {"goto": {"target": "x"}}]]}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseNFT(text)
		if err != nil {
			return
		}
		ask(t, &Ruleset{NFT: l})
	})
}

func FuzzDecodeNFT(f *testing.F) {
	f.Add(`ip saddr { 10.0.0.0/8, 192.168.1.1-192.168.1.9 } tcp dport { 22, 80-90 } limit rate 5/second accept`)
	f.Add(`tcp flags & (fin | syn) == syn numgen random mod 3 vmap { 0 : accept, 1 : goto x } comment "c"`)
	f.Add(`meta mark set meta mark | 0x1 log prefix "x" level debug dnat ip to numgen random mod 1 map { 0 : 1.2.3.4 . 5 }`)
	f.Add(`fib saddr . iif oif missing ct original ip daddr 10.0.0.0/8 jhash ip saddr mod 2 seed 0x1 vmap { 0-1 : drop } snat ip to 1.2.3.4-1.2.3.9:1-5 random`)
	f.Add(`update @affinity-x { ip saddr timeout 3h } xt target "DNAT" # xt_comment ct state new tcp option maxseg size set rt mtu`)
	f.Fuzz(func(t *testing.T, text string) {
		compileNFT(text, true)
		decodeNFT(text)
	})
}

func FuzzDecodeIPTables(f *testing.F) {
	f.Add(`-A C ! -s 10.0.0.0/255.0.0.0 -p tcp -m multiport --dports 1:2,3 -m comment --comment "a \"b" -m statistic --mode nth --every 2 --packet 0 -j D`)
	f.Add(`-A C -m conntrack --ctstate NEW ! --ctorigdst 1.2.3.4 -m physdev ! --physdev-is-in -m icmp --icmp-type 3/4 -g CONNMARK --restore-mark --nfmask 0x1`)
	f.Add(`-A C -m limit --limit 1/s -m set ! --match-set S src -j DNAT --to-destination [::1]:80 --random`)
	f.Fuzz(func(t *testing.T, text string) {
		compileIPTables(text)
		decodeIPTables(text)
	})
}

func FuzzParseIPVS(f *testing.F) {
	f.Add(procIPVS)
	f.Add(savedIPVS)
	f.Add(listedIPVS)
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ParseIPVS(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range table.Problems {
			if utf8.ValidString(text) && p.Line == 0 {
				t.Error("problem without line")
			}
		}
		ask(t, &Ruleset{IPVS: table})
	})
}
