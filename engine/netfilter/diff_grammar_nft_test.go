package netfilter

import (
	"fmt"
	"strings"
)

// nftBase is a base chain that a random table may have.
type nftBase struct {
	kind, hook string
	priorities []string
}

var nftBases = []nftBase{
	{"filter", "prerouting", []string{"raw", "mangle", "dstnat - 10", "filter", "-210"}},
	{"nat", "prerouting", []string{"dstnat", "dstnat - 5", "-150"}},
	{"filter", "input", []string{"filter", "mangle", "10"}},
	{"filter", "forward", []string{"filter", "mangle", "security"}},
	{"filter", "output", []string{"filter", "raw", "-90"}},
	{"nat", "output", []string{"-100"}},
	{"nat", "postrouting", []string{"srcnat", "srcnat + 5"}},
	{"filter", "postrouting", []string{"mangle", "filter"}},
	{"nat", "input", []string{"100"}},
	{"route", "output", []string{"mangle"}},
}

func (s *ruleSource) nft(g *grammar) {
	for i := range 1 + g.IntN(2) {
		family := g.pick("ip", "inet")
		t := &tableSource{backend: NFTables, name: fmt.Sprintf("%s t%d", family, i)}
		s.tables = append(s.tables, t)
		t.head = append(t.head,
			"set a { type ipv4_addr; flags interval; elements = { 10.1.0.2, 10.2.0.0/24, 10.3.0.0-10.3.6.255 }; }",
			"set p { type inet_service; flags interval; elements = { 80, 1000-2000, 8080 }; }",
			"set c { type ipv4_addr . inet_proto . inet_service; elements = { 10.2.0.2 . tcp . 80, 10.3.7.7 . udp . 53, 10.96.0.10 . udp . 53 }; }",
			"set ci { type ipv4_addr . inet_service; flags interval; elements = { 10.2.0.0/16 . 80-90, 10.3.7.7 . 53 }; }",
			"set i { type ifname; elements = { \"in0\", \"out1\" }; }")
		for k, b := range nftBases {
			if g.Float64() < 0.5 {
				continue
			}
			prio := g.pick(b.priorities...)
			policy := "accept"
			if b.kind == "filter" && g.Float64() < 0.08 {
				policy = "drop"
			}
			base := fmt.Sprintf("b%d", k)
			users := g.IntN(3)
			var names []string
			for u := range users {
				names = append(names, fmt.Sprintf("u%d-%d", k, u))
			}
			// Chains are declared before those that lead to them.
			for u := users - 1; u >= 0; u-- {
				t.head = append(t.head, "chain "+names[u]+" {}")
			}
			for u := users - 1; u >= 0; u-- {
				for range 1 + g.IntN(3) {
					t.rules = append(t.rules, ruleLine{names[u], g.nftRule(b, names[u+1:])})
				}
			}
			t.head = append(t.head, fmt.Sprintf("chain %s { type %s hook %s priority %s; policy %s; }", base, b.kind, b.hook, prio, policy))
			for range 1 + g.IntN(4) {
				t.rules = append(t.rules, ruleLine{base, g.nftRule(b, names)})
			}
		}
	}
}

func (g *grammar) nftRule(b nftBase, below []string) string {
	var w []string
	for g.Float64() < 0.55 && len(w) < 3 {
		w = append(w, g.nftMatch(b))
	}
	if g.Float64() < 0.3 {
		w = append(w, "counter")
	}
	if g.Float64() < 0.15 {
		w = append(w, "meta mark set "+g.pick("0x1", "mark or 0x4000", "mark and 0xff", "mark xor 0x3", "ct mark", "mark and 0xffff00ff or 0x100"), g.nftMatch(b))
	}
	return strings.Join(append(w, g.nftVerdict(b, below, strings.Contains(strings.Join(w, " "), "tcp "))), " ")
}

func (g *grammar) nftMatch(b nftBase) string {
	n := g.pick("", "", "", "!= ")
	before := b.hook == "prerouting" || b.hook == "input"
	switch g.IntN(22) {
	case 0:
		return "ip saddr " + n + g.pick("10.1.0.2", "10.1.0.0/24", "@a", "{ 10.1.0.2, 10.4.0.0/16 }", "10.1.0.2-10.1.0.4")
	case 1, 2:
		return "ip daddr " + n + g.pick("10.2.0.2", "10.2.0.0/16", "@a", "{ 10.3.7.7, 10.2.0.0/24 }", "10.1.0.1")
	case 3:
		return g.pick("tcp", "udp") + " dport " + g.pick("< 1024", "> 100", n+"80", n+"1000-2000", n+"@p", n+"{ 53, 80, 8000-9000 }")
	case 4:
		return "meta l4proto " + n + g.pick("tcp", "udp", "icmp", "{ tcp, udp }")
	case 5:
		return "meta l4proto { tcp, udp } th dport " + n + g.pick("80", "@p", "53")
	case 6:
		return "ct state " + g.pick("new", "established,related", "invalid", "untracked", "!= new", "{ new, untracked }")
	case 7:
		return "ct status " + g.pick("dnat", "snat")
	case 8:
		return "meta mark " + g.pick("0x1", "!= 0x1", "and 0x4000 == 0x4000", "and 0x4000 != 0", "{ 0x0, 0x1 }")
	case 9:
		return "fib daddr type " + n + g.pick("local", "unicast", "{ local, broadcast }")
	case 10:
		return "iifname " + n + g.pick("\"in0\"", "\"in*\"", "{ \"in0\", \"lo\" }", "@i")
	case 11:
		if before {
			return "oifname " + g.pick("!= ", "") + "\"out0\""
		}
		return "oifname " + n + g.pick("\"out0\"", "\"out*\"", "@i")
	case 12:
		return "ip daddr . meta l4proto . th dport " + g.pick("@c", "!= @c")
	case 13:
		return "ip daddr . th dport @ci"
	case 14:
		return "numgen random mod 4 " + g.pick("0", "< 2")
	case 15:
		return "tcp flags " + g.pick("syn", "syn / syn,ack", "& (fin|syn) == syn", "!= syn", "& (syn|ack) != syn")
	case 16:
		return "icmp type " + n + g.pick("echo-request", "{ echo-reply, destination-unreachable }")
	case 17:
		return "meta length " + n + g.pick("0-60", "84", "100-200")
	case 18:
		return "ip ttl " + n + g.pick("64", "63", "60-64")
	case 19:
		return "ct original " + g.pick("ip daddr 10.2.0.0/16", "ip saddr 10.1.0.2")
	case 20:
		return "ct mark " + g.pick("0x0", "0x1", "and 0x1 == 0x1", "!= 0x0")
	}
	return "ip protocol " + n + g.pick("tcp", "udp")
}

func (g *grammar) nftVerdict(b nftBase, below []string, tcp bool) string {
	chain := func() string { return below[g.IntN(len(below))] }
	for {
		switch g.IntN(16) {
		case 0, 1:
			if len(below) > 0 {
				return "jump " + chain()
			}
		case 2:
			if len(below) > 0 {
				return "goto " + chain()
			}
		case 3:
			return g.pick("return", "continue")
		case 4:
			return "accept"
		case 5:
			if b.kind != "nat" && g.Float64() < 0.5 {
				return "drop"
			}
		case 6:
			if b.kind == "filter" && (b.hook == "forward" || b.hook == "input") {
				return g.pick("reject", "reject with icmp type admin-prohibited")
			}
		case 7:
			return "meta mark set " + g.pick("0x1", "0x4000", "mark or 0x2")
		case 8:
			return "ct mark set " + g.pick("0x1", "mark", "mark and 0xff")
		case 9:
			if b.hook == "prerouting" && b.kind == "filter" {
				return "notrack"
			}
			return "log prefix \"x y\""
		case 10:
			to := g.pick("accept", "drop", "return", "continue")
			if b.kind == "nat" {
				to = g.pick("accept", "return", "continue")
			}
			if len(below) > 0 && g.Float64() < 0.7 {
				to = g.pick("jump ", "goto ") + chain()
			}
			return g.pick(
				"meta l4proto vmap { tcp : "+to+", udp : continue }", "ip daddr . meta l4proto . th dport vmap { 10.2.0.2 . tcp . 80 : "+to+", 10.3.7.7 . udp . 53 : accept }",
				"ct state vmap { new : "+to+", invalid : return }", "numgen random mod 3 vmap { 0 : "+to+", 1 : accept, 2 : return }", "tcp dport vmap { 80 : "+to+", 1000-2000 : return }",
				"iifname vmap { \"in0\" : "+to+", \"in1\" : accept }", "ip saddr vmap { 10.1.0.0/24 : "+to+", 10.4.0.2 : return }")
		case 11, 12, 13, 14, 15:
			if b.kind != "nat" {
				continue
			}
			if b.hook == "prerouting" || b.hook == "output" {
				d := g.pick("dnat ip to 10.2.0.9", "dnat ip to 10.3.7.7", "meta l4proto tcp dnat ip to 10.2.0.9:8080", "meta l4proto udp dnat ip to 10.3.0.5:5353",
					"meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.2.0.21 . 8080, 1 : 10.2.0.22 . 8081 }", "dnat ip to ip daddr map { 10.2.0.2 : 10.2.0.30, 10.96.0.10 : 10.3.7.7 }")
				if b.hook == "prerouting" && g.Float64() < 0.2 {
					d = g.pick("redirect", "meta l4proto tcp redirect to :8080")
				}
				return d
			}
			if b.hook == "input" {
				return "snat ip to 10.1.0.77"
			}
			return g.pick("masquerade", "masquerade fully-random", "snat ip to 10.2.0.50", "meta l4proto udp snat ip to 10.2.0.50:61000-62000", "meta l4proto tcp masquerade to :61000-62000")
		}
	}
}
