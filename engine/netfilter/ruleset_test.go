package netfilter

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const procIPVS = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr persistent 10800 FFFFFFFF
  -> 0A990A0A:192B      Masq    1      2          3         
  -> 0A990A0B:192B      Masq    3      0          0         
UDP  0A60000A:0035 rr
FWM  00000005 wrr
  -> 0A010001:0050      Route   1      0          0         
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0050 rr
  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:1F90 Masq    1      0          0         
`

const savedIPVS = `-A -t 10.96.0.1:443 -s rr -p 10800
-a -t 10.96.0.1:443 -r 10.153.10.10:6443 -m -w 1
-a -t 10.96.0.1:443 -r 10.153.10.11:6443 -m -w 3
-A -u 10.96.0.10:53 -s rr
-A -f 5 -s wrr
-a -f 5 -r 10.1.0.1:80 -g -w 1
-A -t [2001:db8::1]:80 -s rr
-a -t [2001:db8::1]:80 -r [2001:db8::2]:8080 -m -w 1
`

const listedIPVS = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:443 rr persistent 10800
  -> 10.153.10.10:6443            Masq    1      2          3         
  -> 10.153.10.11:6443            Masq    3      0          0         
UDP  10.96.0.10:53 rr
FWM  5 wrr
  -> 10.1.0.1:80                  Route   1      0          0         
TCP  [2001:db8::1]:80 rr
  -> [2001:db8::2]:8080           Masq    1      0          0         
`

func TestParseIPVS(t *testing.T) {
	type real struct {
		Addr    string
		Forward string
		Weight  int
	}
	type virtual struct {
		Key        string
		Persistent int
		Real       []real
	}
	want := []virtual{
		{"tcp 10.96.0.1:443 rr 0", 10800, []real{{"10.153.10.10:6443", "masq", 1}, {"10.153.10.11:6443", "masq", 3}}},
		{"udp 10.96.0.10:53 rr 0", 0, nil},
		{" invalid AddrPort wrr 5", 0, []real{{"10.1.0.1:80", "route", 1}}},
		{"tcp [2001:db8::1]:80 rr 0", 0, []real{{"[2001:db8::2]:8080", "masq", 1}}},
	}
	for name, text := range map[string]string{"proc": procIPVS, "saved": savedIPVS, "listed": listedIPVS} {
		table, err := ParseIPVS(text)
		if err != nil || table.ProblemCount != 0 {
			t.Errorf("%s: %v %v", name, err, table.Problems)
		}
		var got []virtual
		for _, v := range table.Servers {
			w := virtual{Key: v.Protocol + " " + v.Addr.String() + " " + v.Scheduler + " " + string(rune('0'+v.FirewallMark)), Persistent: v.Persistent}
			for _, r := range v.Real {
				w.Real = append(w.Real, real{r.Addr.String(), r.Forward, r.Weight})
			}
			got = append(got, w)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	// ipvsadm prints a mark as it was given, in decimal, and says of which family it is; the kernel prints eight hexadecimal digits.
	for text, mark := range map[string]uint32{"FWM  10 IPv6 rr\n": 10, "FWM  10 rr\n": 10, "FWM  0000000A rr\n": 10} {
		if table, _ := ParseIPVS(text); table.ProblemCount != 0 || table.Servers[0].FirewallMark != mark || table.Servers[0].Scheduler != "rr" {
			t.Errorf("%q: %+v", text, table)
		}
	}
	table, _ := ParseIPVS("TCP  0A600001:01BB rr\n  -> nonsense Masq 1 0 0\nBAD\n  -> 0A990A0A:192B Masq 1 0 0\nTCP kubernetes:https rr\n")
	if table.ProblemCount != 4 || table.Problems[3].Line != 5 {
		t.Errorf("problems %v", table.Problems)
	}
}

func TestServicePathIPVS(t *testing.T) {
	table, err := ParseIPVS(procIPVS)
	if err != nil {
		t.Fatal(err)
	}
	chains := parseSave(t, "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n"+
		"-A KUBE-SERVICES -m comment --comment \"Kubernetes service cluster ip + port for masquerade purpose\" -m set --match-set KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ\n"+
		"-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\nCOMMIT\n")
	for _, c := range []struct {
		set  *Ruleset
		dst  string
		want string
	}{
		{
			&Ruleset{IPTables: chains, IPVS: table}, "10.96.0.1:443",
			"translated virtual server:4 [10.153.10.10:6443 0.25 real server:5] [10.153.10.11:6443 0.75 real server:6]",
		},
		{&Ruleset{IPTables: chains, IPVS: table}, "10.96.0.1:444", "no-rule"},
		{&Ruleset{IPTables: chains}, "10.96.0.1:443", "unknown"},
	} {
		dst := netip.MustParseAddrPort(c.dst)
		if diff := cmp.Diff(c.want, brief(c.set.ServicePath(dst.Addr(), "tcp", dst.Port()))); diff != "" {
			t.Error(diff)
		}
	}
	p := (&Ruleset{IPVS: table}).ServicePath(netip.MustParseAddr("10.96.0.10"), "udp", 53)
	if p.Status != StatusRejected {
		t.Errorf("virtual server without real servers: %s", p.Status)
	}
	modes := (&Ruleset{IPTables: chains}).KubeProxyModes()
	if len(modes) != 1 || modes[0].Mode != IPVS || modes[0].Evidence.Line != 6 {
		t.Errorf("modes %+v", modes)
	}
}

func TestKubeProxyModes(t *testing.T) {
	table, err := ParseIPVS(procIPVS)
	if err != nil {
		t.Fatal(err)
	}
	r := &Ruleset{
		IPTables: parseSave(t, emptyNAT), IPTablesLegacy: parseSave(t, natTable(bothBases, "")), NFT: parseNFT(t, nftKubeProxy), IPVS: table,
	}
	type mode struct {
		Mode     Backend
		Services int
		Reached  bool
		Line     int
	}
	var got []mode
	for _, m := range r.KubeProxyModes() {
		got = append(got, mode{m.Mode, m.Services, m.Reached, m.Evidence.Line})
	}
	want := []mode{{IPTablesLegacy, 3, true, 17}, {NFTables, 2, true, 24}, {IPVS, 4, true, 4}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMSSClamp(t *testing.T) {
	nft := parseNFT(t, read(t, "iptables-nft.nft"))
	save, err := ParseIPTablesSave(read(t, "iptables-nft.save"), IPTablesNFT, "ip")
	if err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Backend Backend
		Line    int
		MSS     uint16
		Clamp   bool
	}
	get := func(r *Ruleset) (out []rule) {
		for _, m := range r.MSSClamp() {
			out = append(out, rule{m.Backend, m.Line, m.SetMSS, m.ClampMSSToPMTU})
		}
		return out
	}
	native := []rule{{NFTables, 51, 0, true}, {NFTables, 53, 1300, false}}
	if diff := cmp.Diff(append([]rule{{IPTablesNFT, 9, 0, true}, {IPTablesNFT, 10, 1360, false}}, native...),
		get(&Ruleset{IPTables: save, NFT: nft})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(append([]rule{{NFTables, 29, 0, true}, {NFTables, 30, 1360, false}}, native...),
		get(&Ruleset{NFT: nft})); diff != "" {
		t.Error(diff)
	}
}

func TestReferrers(t *testing.T) {
	l := parseSave(t, natTable(bothBases, ""))
	rules, n := l.Referrers("ip", "nat", "KUBE-SVC-B", 1)
	if n != 2 || len(rules) != 1 || rules[0].Line != 31 {
		t.Errorf("%d referrers, first %v", n, rules)
	}
}

// TestNFTViewOfIPTables: the same answers where nft's listing is all that a bundle has.
func TestNFTViewOfIPTables(t *testing.T) {
	const view = "# Warning: table ip nat is managed by iptables-nft, do not touch!\ntable ip nat {\n" +
		"\tchain PREROUTING {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t\t counter packets 8 bytes 804 jump KUBE-SERVICES\n\t}\n" +
		"\tchain KUBE-SERVICES {\n\t\tmeta l4proto tcp ip daddr 10.96.0.1  tcp dport 80 counter packets 0 bytes 0 jump KUBE-SVC-A\n\t}\n" +
		"\tchain KUBE-SVC-A {\n\t\txt match \"recent\" counter packets 0 bytes 0 jump KUBE-SEP-1\n" +
		"\t\txt match \"statistic\" counter packets 0 bytes 0 jump KUBE-SEP-1\n\t\t counter packets 0 bytes 0 jump KUBE-SEP-2\n\t}\n" +
		"\tchain KUBE-SEP-1 {\n\t\tmeta l4proto tcp xt match \"recent\" counter packets 0 bytes 0 dnat to 10.1.0.1:8080\n\t}\n" +
		"\tchain KUBE-SEP-2 {\n\t\tmeta l4proto tcp   counter packets 0 bytes 0 dnat to 10.1.0.2:8080\n\t}\n}\n"
	p := (&Ruleset{NFT: parseNFT(t, view)}).ServicePath(netip.MustParseAddr("10.96.0.1"), "tcp", 80)
	if diff := cmp.Diff("translated PREROUTING:5 KUBE-SERVICES:8 [10.1.0.1:8080 0 KUBE-SVC-A:12 KUBE-SEP-1:16] "+
		"[10.1.0.2:8080 0 KUBE-SVC-A:13 KUBE-SEP-2:19]", brief(p)); diff != "" {
		t.Error(diff, p.Reason)
	}
	p = (&Ruleset{NFT: parseNFT(t, read(t, "iptables-nft.json"))}).ServicePath(netip.MustParseAddr("10.96.0.10"), "tcp", 80)
	if p.Status != StatusUnknown {
		t.Errorf("JSON does not show where DNAT leads, and the answer is %s", p.Status)
	}
}
