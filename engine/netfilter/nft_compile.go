package netfilter

import (
	"slices"
	"strings"
)

// compileNFT gives the program of a rule in the words of `nft list ruleset`. managed is of tables that are iptables-nft's.
func compileNFT(text string, managed bool) []op {
	d := nftDecoder{text: text, compiling: true, managed: managed}
	d.spec.Target.Kind = TargetNone
	d.split()
	d.run()
	// What was not understood and has nothing behind it that it could guard may itself be what the rule does.
	for i := range d.ops {
		if blind, ok := d.ops[i].match.(blindMatch); ok && !(&program{ops: d.ops[i+1:]}).matters(0) {
			d.ops[i] = op{act: &action{kind: actUnknown, quote: blind.text}}
		}
	}
	return d.ops
}

// addMatch adds a condition to the program.
func addMatch[M matcher](d *nftDecoder, m M) {
	if d.compiling {
		d.ops = append(d.ops, op{match: m})
	}
}

// act adds an action to the program.
func (d *nftDecoder) act(a action) {
	if d.compiling {
		d.ops = append(d.ops, op{act: &a})
	}
}

// since gives the text of the words from the i-th to here.
func (d *nftDecoder) since(i int) string {
	end := min(d.i, len(d.tok))
	if i >= end {
		return ""
	}
	return d.text[d.tok[i].from:d.tok[end-1].to]
}

// narrow notes a condition that no field of Spec holds.
func (d *nftDecoder) narrow(from int) bool {
	d.spec.Matches = append(d.spec.Matches, d.since(from))
	return true
}

// field compares a key that Spec has no field for: icmp type, ip ttl, meta length, ether saddr, ….
func (d *nftDecoder) field(key string, from int) bool {
	m := fieldMatch{key: key}
	m.values = d.values(&m.negated)
	if len(m.values) == 1 && strings.HasPrefix(m.values[0], "@") {
		addMatch(d, setMatcher{SetMatch{Name: m.values[0][1:], Fields: key, Negated: m.negated}})
		return d.narrow(from)
	}
	if len(m.values) == 0 || slices.ContainsFunc(m.values, func(s string) bool { return strings.ContainsAny(s[:1], "&|^<>(@!=") }) {
		return false
	}
	if _, numeric := numericKeys[key]; numeric && !allNumbers(m.values) {
		return false
	}
	m.text = d.since(from)
	switch key {
	case "meta skuid":
		o := ownerMatch{negated: m.negated, strict: true}
		if first, last, ok := uidRange(m.values); ok {
			o.first, o.last = first, last
			addMatch(d, o)
			return d.narrow(from)
		}
	case "meta pkttype", "meta cpu", "meta skgid":
		addMatch(d, momentMatch{m.text})
		return d.narrow(from)
	}
	addMatch(d, m)
	return d.narrow(from)
}

// numericKeys are the keys that compare with numbers: another word is one that this package does not know.
var numericKeys = map[string]struct{}{
	"ip ttl": {}, "ip6 hoplimit": {}, "ip length": {}, "meta length": {}, "meta mark": {}, "ct mark": {}, "icmp type": {}, "icmp code": {},
	"icmpv6 type": {}, "icmpv6 code": {},
}

func allNumbers(values []string) bool {
	for _, v := range values {
		if first, last, has := strings.Cut(v, "-"); has {
			_, ok1 := nftNumber(first)
			if _, ok2 := nftNumber(last); ok1 && ok2 {
				continue
			}
		}
		_, named := icmpv6Names[v]
		if _, ok := nftNumber(v); !ok && !named {
			return false
		}
	}
	return true
}

func uidRange(values []string) (first, last int, ok bool) {
	if len(values) != 1 {
		return 0, 0, false
	}
	a, b, has := strings.Cut(values[0], "-")
	if !has {
		b = a
	}
	x, ok1 := nftNumber(a)
	y, ok2 := nftNumber(b)
	return int(min(x, 1<<31)), int(min(y, 1<<31)), ok1 && ok2
}

// rate reads "limit rate over 5/second burst 5 packets" and "quota over 10 mbytes": conditions of the moment.
func (d *nftDecoder) rate() bool {
	from := d.i
	d.i++
	for d.i < len(d.tok) {
		w := d.at(0)
		switch {
		case w == "rate", w == "over", w == "until", w == "burst", w == "used", w == "packets", w == "bytes", w == "kbytes", w == "mbytes", w == "count", strings.Contains(w, "/"), w[0] >= '0' && w[0] <= '9':
			d.i++
			continue
		}
		break
	}
	if d.i == from+1 {
		return false
	}
	addMatch(d, momentMatch{d.since(from)})
	return d.narrow(from)
}

// fib reads "fib daddr . iif type local" and "fib saddr . iif oif missing".
func (d *nftDecoder) fib() bool {
	from := d.i
	words := []string{}
	for d.i++; d.i < len(d.tok) && len(words) < 8; d.i++ {
		w := d.at(0)
		if w == "type" || (w == "oif" || w == "oifname") && len(words) > 0 && words[len(words)-1] != "." {
			break
		}
		words = append(words, w)
	}
	what := d.at(0)
	d.i++
	m := &NameMatch{}
	for _, n := range d.values(&m.Negated) {
		m.Names = append(m.Names, strings.ToUpper(n))
	}
	if len(m.Names) == 0 || len(words) == 0 {
		return false
	}
	if what != "type" {
		addMatch(d, momentMatch{d.since(from)}) // the reverse path, which routes decide
		return d.narrow(from)
	}
	a := addrTypeMatch{m: m, source: words[0] == "saddr"}
	switch {
	case len(words) == 1:
	case len(words) == 3 && (words[2] == "iif" || words[2] == "oif"):
		a.limit = strings.TrimSuffix(words[2], "if")
		a.limit = map[string]string{"i": "in", "o": "out"}[a.limit]
	default:
		return false
	}
	addMatch(d, a)
	return d.narrow(from)
}

// connection reads what `ct` asks beside state and status.
func (d *nftDecoder) connection() bool {
	from := d.i
	switch {
	case d.starts("ct", "mark"):
		if d.starts("set") {
			return d.setMark(true, from)
		}
		m, ok := d.markCompare()
		if !ok {
			d.i = from
			d.i += 2
			return d.field("ct mark", from)
		}
		addMatch(d, markMatcher{m: m, conn: true})
		return d.narrow(from)
	case d.starts("ct", "direction"):
		return d.field("ct direction", from)
	case d.starts("ct", "original"), d.starts("ct", "reply"):
		return d.tuple(from)
	}
	// What rules set of a connection, and what does not change where it goes.
	switch d.at(1) {
	case "helper", "zone", "timeout", "expectation", "label", "event":
		if d.at(2) == "set" {
			d.i += 4
			d.act(action{kind: actNothing})
			return true
		}
	}
	return false
}

// tuple reads "ct original ip daddr 10.0.0.1" and "ct reply proto-src 80".
func (d *nftDecoder) tuple(from int) bool {
	m := ctTupleMatch{reply: d.at(-1) == "reply"}
	family := ""
	if w := d.at(0); w == "ip" || w == "ip6" {
		family = w
		d.i++
	}
	what := d.at(0)
	d.i++
	var neg, ok bool
	v := d.values(&neg)
	switch what {
	case "saddr", "daddr":
		m.source = what == "saddr"
		m.addrs, ok = nftPrefixes(v, neg)
	case "proto-src", "proto-dst":
		m.source = what == "proto-src"
		m.ports, ok = nftPorts(v, neg)
	}
	if !ok || d.compiling && family == "ip6" {
		return false
	}
	m.text = d.since(from)
	addMatch(d, m)
	return d.narrow(from)
}

// setMark reads the value of `meta mark set` and `ct mark set`.
func (d *nftDecoder) setMark(conn bool, from int) bool {
	words := d.markValue()
	if len(words) == 0 {
		return false
	}
	if d.compiling {
		c, ok := markWords(conn, words)
		if ok && d.managed {
			ok = c.translated()
		}
		if ok {
			d.act(action{kind: actMark, mark: c})
		} else {
			d.act(action{kind: actUnknown, quote: d.since(from)})
		}
	}
	if conn {
		return true
	}
	return d.spec.Target.Kind != TargetNone || d.markTarget(from)
}

func (d *nftDecoder) markTarget(from int) bool {
	d.spec.Target = Target{Kind: TargetExtension, Name: "MARK", Options: d.text[d.tok[from].from:d.tok[d.i-1].to]}
	return true
}

// markValue steps over a value of a mark: TERM { & | ^ TERM }.
func (d *nftDecoder) markValue() []string {
	var words []string
	for {
		switch w := d.at(0); {
		case (w == "meta" || w == "ct") && d.at(1) == "mark":
			words = append(words, w)
			d.i++
			words = append(words, "mark")
		case w == "mark" || w != "" && w[0] >= '0' && w[0] <= '9':
			words = append(words, w)
		default:
			return nil
		}
		d.i++
		switch w := d.at(0); w {
		case "&", "|", "^", "and", "or", "xor":
			words = append(words, w)
			d.i++
		default:
			return words
		}
	}
}

// natStatement reads a NAT statement to its end, for the program.
func (d *nftDecoder) natStatement() bool {
	from := d.i
	n := &natChange{kind: strings.ToUpper(d.at(0))}
	d.i++
	for slices.Contains([]string{"ip", "ip6", "addr", ".", "port"}, d.at(0)) {
		if w := d.at(0); w == "ip" || w == "ip6" {
			n.family = w
		}
		d.i++
	}
	ok := true
	if d.starts("to") {
		ok = d.natTo(n)
	} else {
		ok = n.kind == "MASQUERADE" || n.kind == "REDIRECT"
		n.dests = []natDest{{share: 1}}
	}
	for ok && d.i < len(d.tok) && d.at(0) != "comment" {
		switch d.at(0) {
		case "random", "fully-random":
			n.random = true
		case "persistent", ",":
		default:
			ok = false
		}
		d.i++
	}
	if !ok {
		for d.i < len(d.tok) && d.at(0) != "comment" {
			d.i++
		}
		d.act(action{kind: actUnknown, quote: d.since(from)})
		return true
	}
	d.act(action{kind: actNAT, nat: n})
	return true
}

// natTo reads the destination: an address with port, or KEY map @NAME or { … }.
func (d *nftDecoder) natTo(n *natChange) bool {
	if dest, ok := natDestination(d.at(0)); ok {
		dest.share = 1
		n.dests = []natDest{dest}
		d.i++
		return true
	}
	from := d.i
	key, ok := d.keys()
	if !ok || !d.starts("map") {
		return false
	}
	n.lookup = &lookup{key: key}
	if name, named := strings.CutPrefix(d.at(0), "@"); named {
		n.lookup.name = name
		d.i++
	} else {
		body, ok := d.braced()
		if !ok {
			return false
		}
		n.lookup.elements = parseElements(body)
	}
	n.lookup.text = d.since(from)
	return true
}

// keys reads a key that may be a concatenation.
func (d *nftDecoder) keys() (string, bool) {
	key, ok := d.key()
	for ok && d.at(0) == "." {
		d.i++
		var k string
		if k, ok = d.key(); ok {
			key += " . " + k
		}
	}
	return key, ok
}
