package netfilter

import "bytes"

// The functions here write an expression or statement of nft's JSON behind w as `nft list ruleset` prints it, and give what
// append does.

func statementWords(w []byte, v jsonValue) []byte {
	m := v.only()
	if !m.there() {
		return opaque(w, v)
	}
	sub := func(name string) { w = exprWords(w, m.member(name), 0) }
	say := func(text string) { w = append(w, text...) }
	switch string(m.name()) {
	case "match":
		return matchWords(w, m)
	case "counter":
		say("counter")
		if m.member("packets").there() {
			say(" packets ")
			sub("packets")
			say(" bytes ")
			sub("bytes")
		}
	case "accept", "drop", "return", "continue", "notrack", "jump", "goto":
		return exprWords(w, v, 0)
	case "vmap":
		sub("key")
		say(" vmap ")
		sub("data")
	case "mangle":
		sub("key")
		say(" set ")
		sub("value")
	case "reject":
		say("reject")
		switch typ := m.member("type"); {
		case m.kind() != '{':
		case typ.is("tcp reset"):
			say(" with tcp reset")
		default:
			say(" with ")
			sub("type")
			say(" type ")
			sub("expr")
		}
	case "masquerade", "redirect", "snat", "dnat":
		return natWords(w, m)
	case "log":
		say("log")
		if p := m.member("prefix"); p.kind() == '"' {
			w = quotedWords(append(w, " prefix "...), p.text())
		}
	case "xt":
		say("xt ")
		sub("type")
		say(" ")
		sub("name")
	case "limit":
		say("limit rate ")
		sub("rate")
		say("/")
		sub("per")
	case "set":
		sub("op")
		say(" ")
		sub("set")
		say(" { ")
		sub("elem")
		say(" }")
	default:
		return opaque(w, v)
	}
	return w
}

// quotedWords writes a string in quotes. nft escapes nothing.
func quotedWords(w, text []byte) []byte {
	w = append(w, '"')
	from := len(w)
	w = append(w, text...)
	for i := from; i < len(w); i++ {
		if w[i] == '"' {
			w[i] = '\''
		}
	}
	return append(w, '"')
}

func commentWords(w, text []byte) []byte { return quotedWords(append(w, "comment "...), text) }

// opaque keeps a value that has no words here: a decoder quotes it as not modelled.
func opaque(w []byte, v jsonValue) []byte { return rawWords(append(w, "json "...), v, 0) }

// rawWords writes JSON without braces, which would open a block of the listing, quotes and commas.
func rawWords(w []byte, v jsonValue, depth int) []byte {
	if depth > maxExprDepth {
		return append(w, "…"...)
	}
	switch v.kind() {
	case 'n':
		return append(w, "null"...)
	case '{', '[':
		w = append(w, ' ')
		for m := v.first(); m.there(); m = m.next() {
			if v.kind() == '{' {
				w = append(plainWords(w, m.name()), ':')
			}
			w = append(rawWords(w, m, depth+1), ' ')
		}
		return w
	}
	return plainWords(w, v.text())
}

func plainWords(w, text []byte) []byte {
	from := len(w)
	w = append(w, text...)
	for i := from; i < len(w); i++ {
		if bytes.IndexByte([]byte(`{}",`), w[i]) >= 0 {
			w[i] = ' '
		}
	}
	return w
}

func matchWords(w []byte, m jsonValue) []byte {
	op := m.member("op")
	masked := string(nameOf(m.member("left").only())) == "&"
	w = append(exprWords(w, m.member("left"), 0), ' ')
	if !op.is("in") && (!op.is("==") || masked) {
		w = append(append(w, op.text()...), ' ')
	}
	return exprWords(w, m.member("right"), 0)
}

func nameOf(m jsonValue) []byte {
	if !m.there() {
		return nil
	}
	return m.name()
}

func natWords(w []byte, m jsonValue) []byte {
	w = append(w, m.name()...)
	if f := m.member("family"); f.kind() == '"' {
		w = append(append(w, ' '), f.text()...)
	}
	addr, port := m.member("addr"), m.member("port")
	if addr.there() || port.there() {
		w = append(w, " to "...)
	}
	if addr.there() {
		from := len(w)
		w = exprWords(w, addr, 0)
		if port.there() && bytes.IndexByte(w[from:], ':') >= 0 {
			w = append(w, "[]"...)
			copy(w[from+1:], w[from:len(w)-2])
			w[from], w[len(w)-1] = '[', ']'
		}
	}
	if port.there() {
		w = exprWords(append(w, ':'), port, 0)
	}
	if f := m.member("flags"); f.there() {
		w = exprWords(append(w, ' '), f, 0)
	}
	return w
}

func joinWords(w []byte, list jsonValue, sep string, depth int) []byte {
	if list.kind() != '[' {
		return w
	}
	for e := list.first(); e.there(); e = e.next() {
		w = exprWords(w, e, depth+1)
		if e.next().there() {
			w = append(w, sep...)
		}
	}
	return w
}

// elementWords writes an element of a set or map: a key, or a pair of key and data.
func elementWords(w []byte, v jsonValue, depth int) []byte {
	if key := v.first(); v.kind() == '[' && key.there() {
		if data := key.next(); data.there() && !data.next().there() {
			w = append(exprWords(w, key, depth+1), " : "...)
			return exprWords(w, data, depth+1)
		}
	}
	return exprWords(w, v, depth+1)
}

func exprWords(w []byte, v jsonValue, depth int) []byte {
	if depth > maxExprDepth {
		return append(w, "…"...)
	}
	switch v.kind() {
	case 'n':
		return w
	case '"', '0', 't', 'f':
		return append(w, v.text()...)
	case '[':
		return joinWords(w, v, ",", depth)
	}
	m := v.only()
	if !m.there() {
		return opaque(w, v)
	}
	sub := func(name string) { w = exprWords(w, m.member(name), depth+1) }
	say := func(text string) { w = append(w, text...) }
	switch k := string(m.name()); k {
	case "payload":
		if !m.member("field").there() {
			return opaque(w, v)
		}
		sub("protocol")
		say(" ")
		sub("field")
	case "meta":
		switch key := m.member("key"); string(key.text()) {
		case "iifname", "oifname", "iif", "oif":
		default:
			say("meta ")
		}
		sub("key")
	case "ct":
		say("ct ")
		if m.member("dir").there() {
			sub("dir")
			say(" ")
		}
		sub("key")
	case "rt":
		say("rt ")
		sub("key")
	case "fib":
		say("fib ")
		sub("flags")
		say(" ")
		sub("result")
	case "tcp option":
		say("tcp option ")
		sub("name")
		say(" ")
		sub("field")
	case "concat":
		return joinWords(w, m, " . ", depth)
	case "set":
		say("{ ")
		if m.kind() == '[' {
			for e := m.first(); e.there(); e = e.next() {
				w = elementWords(w, e, depth+1)
				if e.next().there() {
					say(", ")
				}
			}
		} else {
			w = exprWords(w, m, depth+1)
		}
		say(" }")
	case "prefix":
		sub("addr")
		say("/")
		sub("len")
	case "range":
		return joinWords(w, m, "-", depth)
	case "elem":
		sub("val")
		if c := m.member("comment"); c.kind() == '"' {
			w = commentWords(append(w, ' '), c.text())
		}
	case "map":
		sub("key")
		say(" map ")
		sub("data")
	case "numgen":
		say("numgen ")
		sub("mode")
		say(" mod ")
		sub("mod")
	case "&", "|", "^", "<<", ">>":
		left := m.first()
		if m.kind() != '[' || !left.there() || !left.next().there() || left.next().next().there() {
			return opaque(w, v)
		}
		w = append(append(append(exprWords(w, left, depth+1), ' '), k...), ' ')
		if right := left.next(); right.kind() == '[' {
			w = append(joinWords(append(w, '('), right, " | ", depth), ')')
		} else {
			w = exprWords(w, right, depth+1)
		}
	case "jump", "goto":
		say(k)
		say(" ")
		sub("target")
	case "accept", "drop", "return", "continue", "notrack":
		say(k)
	default:
		return opaque(w, v)
	}
	return w
}
