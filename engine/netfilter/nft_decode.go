package netfilter

import (
	"math"
	"strconv"
	"strings"
)

// decodeNFT decodes a rule in the words of `nft list ruleset`.
func decodeNFT(text string) Spec {
	d := nftDecoder{text: text}
	d.spec.Target.Kind = TargetNone
	d.split()
	d.run()
	return d.spec
}

// span is a token's place in the rule.
type span struct{ from, to int }

type nftDecoder struct {
	text string
	tok  []span
	i    int
	spec Spec

	compiling bool // fill ops, the rule's program
	ops       []op
	managed   bool // the table is iptables-nft's: matches and targets are as libxtables translates them
}

// split cuts the rule into words; braces and commas are words, a quoted string is one.
func (d *nftDecoder) split() {
	t := d.text
	d.tok = make([]span, 0, len(t)/6+4)
	for i := 0; i < len(t); {
		switch c := t[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '{' || c == '}' || c == ',':
			d.tok = append(d.tok, span{i, i + 1})
			i++
		case c == '"':
			end := strings.IndexByte(t[i+1:], '"')
			if end < 0 {
				end = len(t)
			} else {
				end += i + 2
			}
			d.tok = append(d.tok, span{i, end})
			i = end
		default:
			from := i
			for i < len(t) && (!nftBreaks[t[i]] || t[i] == ',' && from == i) {
				i++
			}
			d.tok = append(d.tok, span{from, i})
		}
	}
}

// at gives the word k places on, or "".
func (d *nftDecoder) at(k int) string {
	if d.i+k >= len(d.tok) || d.i+k < 0 {
		return ""
	}
	s := d.tok[d.i+k]
	return d.text[s.from:s.to]
}

// starts says whether the next words are these, and steps over them.
func (d *nftDecoder) starts(words ...string) bool {
	for k, w := range words {
		if d.at(k) != w {
			return false
		}
	}
	d.i += len(words)
	return true
}

func (d *nftDecoder) run() {
	bad := -1 // first word of a part not modelled
	badOp := 0
	flush := func() {
		if bad >= 0 {
			quote := d.text[d.tok[bad].from:d.tok[d.i-1].to]
			d.spec.NotModelled = append(d.spec.NotModelled, quote)
			if d.compiling {
				d.ops[badOp].match = blindMatch{quote}
			}
			bad = -1
		}
	}
	for d.i < len(d.tok) {
		at, ops := d.i, len(d.ops)
		ok := d.statement()
		d.i = min(d.i, len(d.tok)) // a statement cut short steps past the end
		if ok && d.i > at {
			end := d.i
			d.i = at
			flush()
			d.i = end
			continue
		}
		d.ops = d.ops[:ops] // what was begun of a statement not understood
		if bad < 0 {
			bad, badOp = at, len(d.ops)
			if d.compiling {
				d.ops = append(d.ops, op{})
			}
		}
		if d.i = max(d.i, at+1); d.i == at+1 && d.text[d.tok[at].from] == '{' {
			// What is in the braces belongs to what was not understood before them.
			if d.i = at; !d.skipBraces() {
				d.i = len(d.tok)
			}
		}
	}
	flush()
}

// statement reads one match or statement; false leaves it to be quoted.
func (d *nftDecoder) statement() bool {
	switch w := d.at(0); w {
	case "counter":
		d.i++
		if d.at(0) == "packets" && d.at(2) == "bytes" {
			d.i += 4
		}
		return true
	case "comment":
		d.spec.Comment = unquote(d.at(1))
		d.i += 2
		return true
	case "tcp":
		if d.starts("tcp", "option", "maxseg", "size", "set") {
			return d.maxseg()
		}
		return d.expression()
	case "fib":
		if d.at(2) == "type" {
			return d.expression()
		}
		return d.fib()
	case "udp":
		if d.starts("udp", "checksum", "set") { // of a packet whose sum the card was to fill in
			d.i++
			return true
		}
		return d.expression()
	case "ip", "ip6", "meta", "sctp", "dccp", "th", "numgen", "symhash", "jhash", "icmp", "icmpv6", "ether":
		return d.expression()
	case "pkttype":
		from := d.i
		d.i++
		return d.field("meta pkttype", from)
	case "limit", "quota":
		return d.rate()
	case "iifname", "iif", "oifname", "oif":
		if d.i++; d.starts("vmap") {
			return d.vmap(w)
		}
		m := &NameMatch{}
		for _, n := range d.values(&m.Negated) {
			m.Names = append(m.Names, unquote(n))
		}
		if len(m.Names) == 1 && strings.HasPrefix(m.Names[0], "@") {
			addMatch(d, setMatcher{SetMatch{Name: m.Names[0][1:], Fields: w, Negated: m.Negated}})
		} else {
			addMatch(d, ifaceMatch{m, w[0] == 'o'})
		}
		if w[0] == 'i' {
			d.spec.InInterface = m
		} else {
			d.spec.OutInterface = m
		}
		return len(m.Names) > 0
	case "ct":
		if d.starts("ct", "status", "vmap") {
			return d.vmap("ct status")
		}
		from, status := d.i, d.at(1) == "status"
		if d.starts("ct", "state") || d.starts("ct", "status") { // status dnat is iptables' state DNAT
			if d.starts("vmap") {
				return d.vmap("ct state")
			}
			m := &NameMatch{}
			for _, n := range d.values(&m.Negated) {
				m.Names = append(m.Names, strings.ToUpper(n))
			}
			d.spec.CTState = m
			if status && d.managed {
				// A translation of "--ctstate NEW,DNAT", or of its negation, which nft both leaves out (state_xlate_print,
				// extensions/libxt_conntrack.c).
				addMatch(d, blindMatch{d.since(from)})
			} else if status {
				addMatch(d, ctStatusMatch{m, d.since(from)})
			} else {
				addMatch(d, ctStateMatch{m})
			}
			return len(m.Names) > 0 && ctWords(m.Names)
		}
		return d.connection()
	case "XT": // XT match comment not found
		if d.at(3) != "not" || d.at(4) != "found" {
			return false
		}
		return d.xt(d.at(1) == "target", d.at(2), 5)
	case "xt":
		return d.xt(d.at(1) == "target", unquote(d.at(2)), 3)
	case "#":
		// An nft built without libxtables writes "# xt_NAME", targets in upper case.
		if name, ok := strings.CutPrefix(d.at(1), "xt_"); ok {
			return d.xt(name == strings.ToUpper(name), name, 2)
		}
		return false
	}
	return d.action()
}

// expression reads a key, which may be a concatenation, and what is asked of it.
func (d *nftDecoder) expression() bool {
	from := d.i
	key, ok := d.keys()
	if !ok {
		return false
	}
	if d.at(0) == "vmap" {
		d.i++
		return d.vmap(key)
	}
	if d.starts("set") {
		return d.metaSet(key, from)
	}
	if strings.Contains(key, " . ") {
		m := SetMatch{Fields: key}
		v := d.values(&m.Negated)
		if len(v) != 1 || !strings.HasPrefix(v[0], "@") {
			return false
		}
		m.Name = v[0][1:]
		return d.set(m)
	}
	return d.compare(key, from)
}

// key reads one field: two words, or more for numgen, fib and hashes.
func (d *nftDecoder) key() (string, bool) {
	n := 2
	switch d.at(0) {
	case "ip", "ip6":
		switch d.at(1) {
		case "saddr", "daddr", "protocol", "nexthdr", "ttl", "hoplimit", "length", "dscp", "ecn", "id", "version":
		default:
			return "", false
		}
	case "tcp", "udp", "sctp", "dccp", "th":
		switch d.at(1) {
		case "sport", "dport", "flags":
		default:
			return "", false
		}
	case "icmp", "icmpv6":
		switch d.at(1) {
		case "type", "code", "checksum", "id", "sequence": // checksum is also what a listing makes of th dport behind icmp type
		default:
			return "", false
		}
	case "ether":
		switch d.at(1) {
		case "saddr", "daddr", "type":
		default:
			return "", false
		}
	case "ct":
		switch d.at(1) {
		case "state", "mark", "direction":
		default:
			return "", false
		}
	case "iifname", "oifname", "iif", "oif":
		n = 1
	case "fib":
		if d.at(2) != "type" {
			return "", false
		}
		n = 3
	case "numgen": // numgen random mod 3
		if d.at(2) != "mod" {
			return "", false
		}
		if n = 4; d.at(4) == "offset" {
			return "", false
		}
	case "symhash": // symhash mod 3
		if n = 3; d.at(1) != "mod" || d.at(3) == "offset" {
			return "", false
		}
	case "jhash": // jhash ip saddr . tcp sport mod 3 seed 0x1
		for n = 1; n < 16 && d.at(n) != "mod" && d.at(n) != ""; n++ {
		}
		if n += 2; d.at(n) == "seed" {
			n += 2
		}
		if d.at(n) == "offset" {
			return "", false
		}
	case "meta":
		switch d.at(1) {
		case "l4proto", "nfproto", "mark", "random", "iifname", "oifname", "iif", "oif", "length", "skuid", "skgid", "pkttype",
			"protocol", "priority", "nftrace", "iifgroup", "oifgroup", "iiftype", "oiftype":
		default:
			return "", false
		}
	default:
		return "", false
	}
	if d.at(n-1) == "" {
		return "", false
	}
	words := make([]string, n)
	for k := range words {
		words[k] = d.at(k)
	}
	d.i += n
	return strings.Join(words, " "), true
}

// values reads [== | !=] VALUE, a list "a,b" or an anonymous set.
func (d *nftDecoder) values(neg *bool) []string {
	switch d.at(0) {
	case "!=", "!": // "ct state ! new" is a translation of iptables' rule
		*neg = true
		d.i++
	case "==":
		d.i++
	case "<", "<=", ">", ">=", "lt", "le", "gt", "ge":
		return d.bound()
	}
	if d.at(0) != "{" {
		var out []string
		for {
			if d.at(0) == "" || d.at(0) == "}" || d.at(0) == "{" || d.at(0) == "vmap" || d.at(0) == "map" {
				return out
			}
			out = append(out, d.at(0))
			d.i++
			if d.at(0) != "," {
				return out
			}
			d.i++
		}
	}
	var out []string
	for d.i++; d.i < len(d.tok); d.i++ {
		switch w := d.at(0); w {
		case "}":
			d.i++
			return out
		case ",":
		default:
			out = append(out, w)
		}
	}
	return nil
}

// bound reads "< 64" as the range that it is. Translations of iptables' rules write "lt 64".
func (d *nftDecoder) bound() []string {
	op := d.at(0)
	d.i++
	n, err := strconv.ParseUint(d.at(0), 0, 32)
	d.i++
	if err != nil {
		return nil
	}
	first, last := n, uint64(math.MaxUint32)
	switch op {
	case "<", "lt":
		if n == 0 {
			return nil
		}
		first, last = 0, n-1
	case "<=", "le":
		first, last = 0, n
	case ">", "gt":
		first = n + 1
	}
	if first > last {
		return nil
	}
	return []string{strconv.FormatUint(first, 10) + "-" + strconv.FormatUint(last, 10)}
}

// braced gives the text between the brace here and its end, and steps over it.
func (d *nftDecoder) braced() (string, bool) {
	if d.at(0) != "{" {
		return "", false
	}
	from, open := d.i, 0
	for ; d.i < len(d.tok); d.i++ {
		switch d.at(0) {
		case "{":
			open++
		case "}":
			open--
		}
		if open == 0 {
			body := d.text[d.tok[from].to:d.tok[d.i].from]
			d.i++
			return body, true
		}
	}
	return "", false
}

func (d *nftDecoder) skipBraces() bool {
	_, ok := d.braced()
	return ok
}

// ctWords says whether every word is a state or status, and none an operator.
func ctWords(names []string) bool {
	for _, n := range names {
		if n[0] < 'A' || n[0] > 'Z' {
			return false
		}
	}
	return true
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// nftCounter reads "counter packets N bytes N" of a rule.
func nftCounter(text string) (packets, bytes uint64) {
	i := strings.Index(text, "counter packets ")
	if i < 0 {
		return 0, 0
	}
	w := strings.Fields(text[i:min(len(text), i+80)])
	if len(w) < 5 || w[3] != "bytes" {
		return 0, 0
	}
	packets, _ = strconv.ParseUint(w[2], 10, 64)
	bytes, _ = strconv.ParseUint(w[4], 10, 64)
	return packets, bytes
}
