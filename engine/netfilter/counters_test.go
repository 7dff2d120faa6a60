package netfilter

import "testing"

func TestPackets(t *testing.T) {
	parse := func(text string) *Listing {
		l, err := ParseIPTablesSave(text, IPTablesNFT, "ip")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	counted := parse("*filter\n:INPUT DROP [9:900]\n[3:180] -A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n")
	plain := parse("*filter\n:INPUT ACCEPT\n-A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n")
	native, err := ParseNFT("table inet site {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t\tip saddr 192.0.2.1 counter packets 4 bytes 240 drop\n\t\tip saddr 192.0.2.2 drop\n\t}\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	at := func(rule string, line int) Hop {
		return Hop{Backend: IPTablesNFT, Family: "ip", Table: "filter", Chain: "INPUT", Rule: rule, Line: line}
	}
	nft := func(rule string, line int) Hop {
		return Hop{Backend: NFTables, Family: "inet", Table: "site", Chain: "input", Rule: rule, Line: line}
	}
	for _, c := range []struct {
		name  string
		set   *Ruleset
		hop   Hop
		want  uint64
		known bool
	}{
		{"policy", &Ruleset{IPTables: counted}, at("policy DROP", 2), 9, true},
		{"rule", &Ruleset{IPTables: counted}, at("-A INPUT -s 192.0.2.1/32 -j DROP", 3), 3, true},
		{"listing without counters", &Ruleset{IPTables: plain}, at("-A INPUT -s 192.0.2.1/32 -j DROP", 3), 0, false},
		{"policy without counters", &Ruleset{IPTables: plain}, at("policy ACCEPT", 2), 0, false},
		{"rule of another line", &Ruleset{IPTables: counted}, at("-A INPUT -s 192.0.2.1/32 -j DROP", 9), 0, false},
		{"listing that was not read", &Ruleset{}, at("policy DROP", 2), 0, false},
		{"nft rule", &Ruleset{NFT: native}, nft("ip saddr 192.0.2.1 counter packets 4 bytes 240 drop", 4), 4, true},
		{"nft rule without a counter", &Ruleset{NFT: native}, nft("ip saddr 192.0.2.2 drop", 5), 0, false},
		{"nft policy", &Ruleset{NFT: native}, nft("policy drop", 3), 0, false},
	} {
		if got, known := c.set.Packets(c.hop); got != c.want || known != c.known {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, got, known, c.want, c.known)
		}
	}
}
