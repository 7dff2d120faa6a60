package netfilter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
)

// ruleSource is a rule set of the differential test, kept rule by rule so that it can be shrunk.
type ruleSource struct {
	ipset  []string
	tables []*tableSource
}

// tableSource is a table of one backend.
type tableSource struct {
	backend Backend
	name    string   // of iptables, or "inet t0"
	head    []string // declarations
	rules   []ruleLine
}

type ruleLine struct{ chain, text string }

// grammar makes random rule sets over what is modelled.
type grammar struct {
	*rand.Rand
	port uint16 // of the next probe
}

func (g *grammar) pick(s ...string) string { return s[g.IntN(len(s))] }

func (g *grammar) not(share float64) string {
	if g.Float64() < share {
		return "! "
	}
	return ""
}

var hookChains = []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

func tableHooks(table string) []string {
	switch table {
	case "raw":
		return []string{"PREROUTING", "OUTPUT"}
	case "nat":
		return []string{"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}
	case "mangle":
		return hookChains
	}
	return []string{"INPUT", "FORWARD", "OUTPUT"}
}

// ruleSet makes a rule set of one to three backends.
func (g *grammar) ruleSet() *ruleSource {
	s := &ruleSource{ipset: g.ipsets()}
	combination := g.IntN(8)
	if combination <= 2 || combination >= 6 {
		s.iptables(g, []Backend{IPTablesNFT, IPTablesLegacy}[g.IntN(2)])
	}
	if combination == 3 || combination == 7 {
		s.iptables(g, IPTablesNFT)
		if combination == 3 {
			s.iptables(g, IPTablesLegacy)
		}
	}
	if combination >= 4 {
		s.nft(g)
	}
	return s
}

func (s *ruleSource) iptables(g *grammar, b Backend) {
	for _, table := range []string{"raw", "mangle", "nat", "filter"} {
		if g.Float64() < 0.3 {
			continue
		}
		t := &tableSource{backend: b, name: table}
		s.tables = append(s.tables, t)
		for _, hook := range tableHooks(table) {
			policy := "ACCEPT"
			if table == "filter" && g.Float64() < 0.15 {
				policy = "DROP"
			}
			t.head = append(t.head, ":"+hook+" "+policy+" [0:0]")
		}
		for _, hook := range tableHooks(table) {
			users := g.IntN(3)
			var names []string
			for i := range users {
				name := fmt.Sprintf("%s-%d", strings.ToLower(hook), i)
				names = append(names, name)
				t.head = append(t.head, ":"+name+" - [0:0]")
			}
			for i := -1; i < users; i++ {
				chain := hook
				if i >= 0 {
					chain = names[i]
				}
				for range 1 + g.IntN(4) {
					t.rules = append(t.rules, ruleLine{chain, g.rule(table, hook, names[i+1:], i >= 0)})
				}
			}
		}
	}
}

func (g *grammar) prefix() string {
	return g.pick("10.1.0.0/24", "10.1.0.2/32", "10.1.0.3/32", "10.1.0.4/30", "10.4.0.0/16", "10.4.0.2/32", "10.2.0.0/16", "10.2.0.2/32",
		"10.2.0.0/30", "10.3.0.0/16", "10.3.7.7/32", "10.0.0.0/8", "0.0.0.0/0", "10.1.0.1/32", "10.2.0.1/32", "10.96.0.0/12", "10.96.0.10/32")
}

func (g *grammar) mark() string {
	return g.pick("0x1/0xffffffff", "0x4000/0x4000", "0x0/0x4000", "0x3/0x3", "0x10/0xff", "0x0/0xffffffff", "0x2/0xf")
}

func (g *grammar) rule(table, hook string, below []string, user bool) string {
	var w []string
	proto := ""
	if g.Float64() < 0.4 {
		w = append(w, g.not(0.15)+"-s "+g.prefix())
	}
	if g.Float64() < 0.4 {
		w = append(w, g.not(0.15)+"-d "+g.prefix())
	}
	if g.Float64() < 0.2 && hook != "OUTPUT" && hook != "POSTROUTING" {
		w = append(w, g.not(0.3)+"-i "+g.pick("in0", "in1", "in+", "lo", "out+"))
	}
	if g.Float64() < 0.2 && hook != "PREROUTING" && hook != "INPUT" {
		w = append(w, g.not(0.3)+"-o "+g.pick("out0", "out1", "out+", "in+", "lo"))
	}
	if g.Float64() < 0.6 {
		proto = g.pick("tcp", "udp", "udp", "tcp", "icmp")
		if g.Float64() < 0.1 {
			w = append(w, "! -p "+proto)
			proto = ""
		} else {
			w = append(w, "-p "+proto)
			w = append(w, g.protoMatches(proto)...)
		}
	}
	for g.Float64() < 0.35 {
		w = append(w, g.anyMatch(hook))
	}
	text := strings.Join(w, " ")
	return strings.TrimSpace(text + " " + g.target(table, hook, proto, below, user))
}

func (g *grammar) ports() string {
	return g.pick("80", "53", "1000:2000", ":1023", "443", "8080", "20000:", "80:90", "30000:40000")
}

func (g *grammar) protoMatches(proto string) []string {
	var w []string
	if proto == "icmp" {
		if g.Float64() < 0.6 {
			// Not "! any": nft's translation loses that one's negation.
			w = append(w, "-m icmp "+g.pick("--icmp-type any", g.not(0.2)+"--icmp-type "+g.pick("8", "0", "8/0", "3", "3/4", "echo-request")))
		}
		return w
	}
	if g.Float64() < 0.5 {
		w = append(w, "-m "+proto+" "+g.not(0.2)+"--dport "+g.ports())
	}
	if g.Float64() < 0.2 {
		w = append(w, "-m "+proto+" "+g.not(0.2)+"--sport "+g.ports())
	}
	if g.Float64() < 0.2 {
		w = append(w, "-m multiport "+g.not(0.2)+"--"+g.pick("dports", "sports", "ports")+" "+g.pick("80,443", "53,1000:2000,8080", "1:30000", "22,80:90"))
	}
	if proto == "tcp" && g.Float64() < 0.2 {
		w = append(w, "-m tcp "+g.pick("--syn", "! --syn", "--tcp-flags SYN,ACK SYN", "--tcp-flags ALL NONE", "--tcp-flags SYN,RST SYN,RST", "! --tcp-flags ALL SYN,FIN"))
	}
	return w
}

func (g *grammar) anyMatch(hook string) string {
	n := g.not(0.2)
	switch g.IntN(18) {
	case 17:
		return "-m u32 " + n + "--u32 \"" + g.pick("0>>22&0x3C@0&0xFFFF=80,1000:9000", "6&0xFF=17", "16&0xFFFF0000=0x0a020000", "0&0xFFFF=0:60", "8>>24=64 && 6&0xFF=6",
			"0>>22&0x3C@12&0x00FF0000=0x20000", "6&0xFF=1 && 0>>22&0x3C@0>>16=0x800", "0>>22&0x3C@0>>16=20000:65535", "20&0xFFFF=53 && 100=0") + "\""
	case 0:
		return "-m mark " + n + "--mark " + g.mark()
	case 1:
		return "-m connmark " + n + "--mark " + g.mark()
	case 2, 3:
		return "-m conntrack " + n + "--ctstate " + g.pick("NEW", "RELATED,ESTABLISHED", "INVALID", "UNTRACKED", "NEW,UNTRACKED", "DNAT", "SNAT", "NEW,ESTABLISHED")
	case 4:
		return "-m conntrack " + g.pick("--ctdir ORIGINAL", "--ctdir REPLY", n+"--ctorigdst "+g.prefix(), n+"--ctorigsrc "+g.prefix(), n+"--ctproto 6", n+"--ctorigdstport 80",
			n+"--ctrepldst "+g.prefix(), n+"--ctreplsrc "+g.prefix(), "--ctstate NEW "+n+"--ctorigdst "+g.prefix())
	case 5, 6:
		limit := ""
		if hook == "PREROUTING" || hook == "INPUT" || hook == "FORWARD" {
			limit = g.pick("", "", " --limit-iface-in")
		}
		return "-m addrtype " + n + g.pick("--dst-type", "--src-type") + " " + g.pick("LOCAL", "UNICAST", "BROADCAST", "MULTICAST", "LOCAL,BROADCAST") + limit
	case 7:
		return "-m statistic --mode random " + n + "--probability " + g.pick("0.5", "0.25", "0.33333")
	case 8:
		return "-m length " + n + "--length " + g.pick("0:60", "61:100", "84", "100:65535")
	case 9:
		return "-m ttl " + g.pick("--ttl-eq 64", "! --ttl-eq 64", "--ttl-lt 64", "--ttl-gt 63", "--ttl-eq 63")
	case 10:
		return "-m iprange " + n + g.pick("--src-range", "--dst-range") + " " + g.pick("10.1.0.2-10.1.0.3", "10.2.0.0-10.2.0.9", "10.0.0.0-10.255.255.255")
	case 11:
		return "-m comment --comment \"" + g.pick("a b", `q \"x\" -j DROP`, "-m u32") + "\""
	case 12:
		return "-m physdev " + n + g.pick("--physdev-is-in", "--physdev-in in0")
	case 13:
		if hook == "OUTPUT" || hook == "POSTROUTING" {
			return "-m owner " + n + g.pick("--uid-owner 0", "--uid-owner 1000", "--socket-exists")
		}
		return "-m statistic --mode nth --every 3 --packet 1"
	default:
		sets := g.pick("h-ip src", "h-ip dst", "h-net src", "h-net dst", "h-ipport dst,dst", "h-ipport src,dst", "h-ipportip dst,dst,src", "h-ipportnet dst,dst,src",
			"h-netport dst,dst", "b-port dst", "b-port src", "l-set dst", "l-set src", "h-mask src", "h-netiface src,src")
		if hook == "POSTROUTING" || hook == "OUTPUT" {
			sets = g.pick("h-ip src", "h-net dst", "h-ipport dst,dst", "h-ipportnet src,dst,dst", "l-set src")
		}
		return "-m set " + n + "--match-set " + sets
	}
}

// ipsets declares one set of each type that the kernel of the test is likely to have.
func (g *grammar) ipsets() []string {
	out := []string{
		"create h-ip hash:ip", "create h-net hash:net", "create h-ipport hash:ip,port", "create h-ipportip hash:ip,port,ip",
		"create h-ipportnet hash:ip,port,net", "create h-netport hash:net,port", "create b-port bitmap:port range 0-65535", "create l-set list:set",
		"create h-mask hash:ip netmask 24 timeout 600", "create h-netiface hash:net,iface",
	}
	host := func() string { return strings.TrimSuffix(g.prefix(), "/32") }
	for range 4 {
		ip := func() string { h, _, _ := strings.Cut(host(), "/"); return h }
		net := func() string {
			if p := g.prefix(); !strings.HasSuffix(p, "/0") {
				return p
			}
			return "10.2.0.0/16"
		}
		port := func() string { return g.pick("tcp:80", "udp:53", "tcp:8080", "udp:80", "icmp:echo-request", "tcp:443") }
		nomatch := g.pick("", "", " nomatch")
		out = append(out, "add -exist h-ip "+notZero(ip()), "add -exist h-net "+net()+nomatch, "add -exist h-ipport "+notZero(ip())+","+port(),
			"add -exist h-ipportip "+notZero(ip())+","+port()+","+notZero(ip()), "add -exist h-ipportnet "+notZero(ip())+","+port()+","+net()+nomatch,
			"add -exist h-netport "+net()+","+port()+nomatch, "add -exist b-port "+g.pick("80", "53", "1000-1010", "8080"),
			"add -exist h-mask "+notZero(ip())+g.pick("", " timeout 300"), "add -exist h-netiface "+net()+","+g.pick("in0", "in1", "out0"))
	}
	return append(out, "add -exist l-set h-ip", "add -exist l-set h-net")
}

func notZero(ip string) string {
	if ip == "0.0.0.0" {
		return "10.2.0.2"
	}
	return ip
}

func (g *grammar) target(table, hook, proto string, below []string, user bool) string {
	for {
		switch g.IntN(16) {
		case 0, 1:
			if len(below) > 0 {
				return "-j " + below[g.IntN(len(below))]
			}
		case 2:
			if len(below) > 0 {
				return "-g " + below[g.IntN(len(below))]
			}
		case 3:
			return "-j RETURN"
		case 4:
			return "-j ACCEPT"
		case 5:
			if table != "nat" && g.Float64() < 0.6 {
				return "-j DROP"
			}
		case 6:
			if table == "filter" {
				if proto == "tcp" && g.Float64() < 0.5 {
					return "-j REJECT --reject-with tcp-reset"
				}
				return "-j REJECT --reject-with " + g.pick("icmp-port-unreachable", "icmp-admin-prohibited", "icmp-host-unreachable")
			}
		case 7, 8:
			return "-j MARK " + g.pick("--set-xmark 0x4000/0x4000", "--set-mark 0x1", "--set-xmark 0x10/0xff", "--or-mark 0x3", "--and-mark 0xfffffffe", "--xor-mark 0x2", "--set-mark 0x2/0xf")
		case 9:
			return "-j CONNMARK " + g.pick("--save-mark", "--restore-mark", "--set-mark 0x1", "--set-xmark 0x10/0xff", "--save-mark --nfmask 0xff --ctmask 0xff",
				"--restore-mark --nfmask 0x4000 --ctmask 0x4000", "--restore-mark --nfmask 0xff --ctmask 0x4000")
		case 10:
			return g.pick("-j LOG --log-prefix \"x y\"", "-j NFLOG --nflog-group 1", "")
		case 11:
			if table == "raw" {
				return g.pick("-j CT --notrack", "-j NOTRACK")
			}
			if table == "mangle" {
				return "-j TTL " + g.pick("--ttl-set 64", "--ttl-inc 1", "--ttl-dec 2")
			}
		case 12, 13, 14, 15:
			if table == "nat" {
				return g.nat(hook, proto)
			}
		}
	}
}

func (g *grammar) nat(hook, proto string) string {
	ported := proto == "tcp" || proto == "udp"
	port := func(s string) string {
		if ported && g.Float64() < 0.6 {
			return s
		}
		return ""
	}
	switch hook {
	case "PREROUTING", "OUTPUT":
		switch g.IntN(5) {
		case 0:
			if ported && hook == "PREROUTING" {
				return "-j REDIRECT --to-ports " + g.pick("8080", "9000-9003")
			}
			if hook == "PREROUTING" {
				return "-j REDIRECT"
			}
		case 1:
			return "-j NETMAP --to " + g.pick("10.2.0.0/24", "10.3.7.0/24")
		case 2:
			return "-j DNAT --to-destination 10.2.0.20-10.2.0.22" + port(":8080-8082")
		}
		return "-j DNAT --to-destination " + g.pick("10.2.0.2", "10.2.0.9", "10.3.7.7", "10.3.0.5") + port(g.pick(":8080", ":80", ":5353"))
	case "INPUT":
		return "-j SNAT --to-source 10.1.0.77" + port(":61000-62000")
	}
	switch g.IntN(4) {
	case 0, 1:
		return "-j MASQUERADE" + port(g.pick(" --to-ports 61000-62000", " --random-fully"))
	case 2:
		return "-j NETMAP --to 10.1.9.0/24"
	}
	return "-j SNAT --to-source " + g.pick("10.2.0.50", "10.3.0.50", "10.2.0.60-10.2.0.61") + port(":61000-62000")
}

// probe makes a packet whose source port no other packet of the rule set has.
func (g *grammar) probe() probe {
	p := probe{
		proto: g.pick("tcp", "udp", "udp", "tcp", "icmp"), length: []int{48, 60, 84, 120}[g.IntN(4)], id: uint16(1 + g.IntN(65000)),
		from: g.pick("in0", "in0", "in1", ""),
	}
	g.port++
	p.sport = 1000 + uint16((int(g.port)*7919)%50000)
	p.dport = []uint16{80, 53, 443, 1500, 8080, 22, 35000}[g.IntN(7)]
	if p.proto == "tcp" {
		p.flags = TCPSYN
	}
	if p.proto == "icmp" {
		p.dport = 0
	}
	p.src = netip.MustParseAddr(g.pick("10.1.0.2", "10.1.0.3", "10.1.0.5", "10.4.0.2"))
	if p.from == "" {
		p.src = netip.MustParseAddr(g.pick("10.1.0.1", "10.2.0.1"))
	}
	p.dst = netip.MustParseAddr(g.pick("10.2.0.2", "10.2.0.3", "10.3.7.7", "10.3.0.5", "10.96.0.10", "10.1.0.1", "10.2.0.1", "10.1.0.3"))
	if p.src == p.dst {
		p.dst = netip.MustParseAddr("10.2.0.2")
	}
	return p
}
