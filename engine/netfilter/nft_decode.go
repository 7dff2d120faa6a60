package netfilter

import (
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
			for i < len(t) && !strings.ContainsRune(" \t\n\r{}", rune(t[i])) && (t[i] != ',' || from == i) {
				i++
			}
			d.tok = append(d.tok, span{from, i})
		}
	}
}

// at gives the word k places on, or "".
func (d *nftDecoder) at(k int) string {
	if d.i+k >= len(d.tok) {
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
	flush := func() {
		if bad >= 0 {
			d.spec.NotModelled = append(d.spec.NotModelled, d.text[d.tok[bad].from:d.tok[d.i-1].to])
			bad = -1
		}
	}
	for d.i < len(d.tok) {
		at := d.i
		ok := d.statement()
		d.i = min(d.i, len(d.tok)) // a statement cut short steps past the end
		if ok && d.i > at {
			end := d.i
			d.i = at
			flush()
			d.i = end
			continue
		}
		if bad < 0 {
			bad = at
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
	case "ip", "ip6", "meta", "udp", "sctp", "dccp", "th", "fib", "numgen", "symhash", "jhash":
		return d.expression()
	case "iifname", "iif", "oifname", "oif":
		if d.i++; d.starts("vmap") {
			return d.vmap(w)
		}
		m := &NameMatch{}
		for _, n := range d.values(&m.Negated) {
			m.Names = append(m.Names, unquote(n))
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
		if d.starts("ct", "state") || d.starts("ct", "status") { // status dnat is iptables' state DNAT
			if d.starts("vmap") {
				return d.vmap("ct state")
			}
			m := &NameMatch{}
			for _, n := range d.values(&m.Negated) {
				m.Names = append(m.Names, strings.ToUpper(n))
			}
			d.spec.CTState = m
			return len(m.Names) > 0
		}
		return false
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
	key, ok := d.key()
	if !ok {
		return false
	}
	for d.at(0) == "." {
		d.i++
		k, ok := d.key()
		if !ok {
			return false
		}
		key += " . " + k
	}
	if d.at(0) == "vmap" {
		d.i++
		return d.vmap(key)
	}
	if d.starts("set") {
		return d.metaSet(key)
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
	return d.compare(key)
}

// key reads one field: two words, or more for numgen, fib and hashes.
func (d *nftDecoder) key() (string, bool) {
	n := 2
	switch d.at(0) {
	case "ip", "ip6":
		switch d.at(1) {
		case "saddr", "daddr", "protocol", "nexthdr":
		default:
			return "", false
		}
	case "tcp", "udp", "sctp", "dccp", "th":
		switch d.at(1) {
		case "sport", "dport", "flags":
		default:
			return "", false
		}
	case "fib":
		if d.at(2) != "type" {
			return "", false
		}
		n = 3
	case "numgen": // numgen random mod 3
		if d.at(2) != "mod" {
			return "", false
		}
		n = 4
	case "meta":
		switch d.at(1) {
		case "l4proto", "nfproto", "mark", "random", "iifname", "oifname", "iif", "oif":
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
	case "!=":
		*neg = true
		d.i++
	case "==":
		d.i++
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
