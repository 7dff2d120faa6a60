package netfilter

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNFTJSONWords holds what is written of JSON to the words of `nft list ruleset`, whatever the order of members.
func TestNFTJSONWords(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{`{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 80}}`, "tcp dport 80"},
		{`{"match": {"right": "::1", "left": {"payload": {"field": "daddr", "protocol": "ip6"}}, "op": "!="}}`, "ip6 daddr != ::1"},
		{`{"match": {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, 16384]}, "right": 16384}}`, "meta mark & 16384 == 16384"},
		{`{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}`, "ct state established,related"},
		{`{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": {"set": ["a", "b"]}}}`, "iifname { a, b }"},
		{`{"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"|": [{"meta": {"key": "mark"}}, 1]}}}`, "meta mark set meta mark | 1"},
		{`{"dnat": {"family": "ip6", "addr": "fd00::1", "port": 8080}}`, "dnat ip6 to [fd00::1]:8080"},
		{`{"dnat": {"addr": "10.0.0.1", "port": 8080, "flags": "random"}}`, "dnat to 10.0.0.1:8080 random"},
		{`{"redirect": {"port": 80}}`, "redirect to :80"},
		{`{"masquerade": null}`, "masquerade"},
		{`{"counter": {"packets": 3, "bytes": 4}}`, "counter packets 3 bytes 4"},
		{`{"counter": null}`, "counter"},
		{`{"log": {"prefix": "a \"b\"\n"}}`, `log prefix "a 'b' "`},
		{`{"jump": {"target": "x"}}`, "jump x"},
		{`{"reject": {"type": "tcp reset"}}`, "reject with tcp reset"},
		{
			`{"vmap": {"key": {"numgen": {"mode": "random", "mod": 2, "offset": 0}}, "data": {"set": [[0, {"goto": {"target": "a"}}], [1, {"drop": null}]]}}}`,
			"numgen random mod 2 vmap { 0 : goto a, 1 : drop }",
		},
		{`{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}}`, "ip saddr 10.0.0.0/8"},
		{`{"tproxy": {"port": 5}}`, "json  tproxy: port:5"},
	} {
		l := parseNFT(t, `{"nftables": [{"rule": {"expr": [`+c.expr+`], "family": "ip", "table": "t", "chain": "c", "handle": 7}}]}`)
		if l.Rules() != 1 {
			t.Errorf("%s: %d rules", c.expr, l.Rules())
			continue
		}
		if r := l.rule(0); strings.TrimRight(r.Text, " ") != c.want || r.Handle != 7 || r.Table != "t" || r.Chain != "c" {
			t.Errorf("%s: %q, handle %d", c.expr, r.Text, r.Handle)
		}
	}
}

// TestNFTJSONLines is that rules and elements have the lines that they stand on, in a listing that somebody has indented.
func TestNFTJSONLines(t *testing.T) {
	const text = `{"nftables": [
{"metainfo": {"version": "1.0.6"}},
{"table": {"family": "ip", "name": "t", "handle": 1}},
{"chain": {"family": "ip", "table": "t", "name": "c", "type": "nat", "hook": "prerouting", "prio": -100, "policy": "accept"}},
{"map": {"family": "ip", "name": "m", "table": "t", "type": ["ipv4_addr", "inet_service"], "map": "verdict", "elem": [
 [{"elem": {"val": {"concat": ["10.96.0.1", 80]}, "comment": "one"}}, {"drop": null}],
 [
  {"concat": ["10.96.0.2", 80]}, {"accept": null}
 ]
]}},
{"rule": {"family": "ip", "table": "t", "chain": "c", "expr": [
 {"vmap": {"key": {"concat": [{"payload": {"protocol": "ip", "field": "daddr"}}, {"payload": {"protocol": "tcp", "field": "dport"}}]}, "data": "@m"}}]}}
]}`
	l := parseNFT(t, text)
	if p, n := l.Problems(); n != 0 {
		t.Errorf("problems: %v", p)
	}
	var got []string
	for _, dst := range []string{"10.96.0.1", "10.96.0.2"} {
		p := syn()
		p.Dst = netip.MustParseAddr(dst)
		r := iptablesSet(t, "")
		r.NFT = l
		for _, o := range r.Traverse(HookPrerouting, p) {
			for _, h := range o.Hops {
				got = append(got, fmt.Sprintf("%s %s:%d", o.Verdict, h.Chain, h.Line))
			}
		}
	}
	want := []string{"drop c:12", "drop map m:6", "accept c:12", "accept map m:9"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestNFTJSONShape is that nothing of an unexpected shape passes in silence.
func TestNFTJSONShape(t *testing.T) {
	for _, text := range []string{
		`7`, `["rule"]`, `{"rule": 7}`, `{"rule": {"family": "ip", "table": "t", "expr": []}}`, `{"chain": {"family": "ip", "table": 3, "name": "c"}}`,
		`{"rule": {"family": "ip", "table": "t", "chain": "c", "expr": {"drop": null}}}`, `{"set": {"family": "ip", "table": "t", "name": "s", "elem": 7}}`,
	} {
		l := parseNFT(t, `{"nftables": [`+text+`]}`)
		if p, n := l.Problems(); n != 1 || p[0].Line != 1 {
			t.Errorf("%s: problems %v", text, p)
		}
	}
	for _, text := range []string{`{`, `{"nftables": 7}`, `{"nftables": [`, `{"nftables": [{]}`, `{"nftables": [{"rule": {"a"}}]}`, `{"other": []}`} {
		if _, err := ParseNFT(text); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}
