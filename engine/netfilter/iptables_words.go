package netfilter

import (
	"strconv"
	"strings"
)

// listWords reads what extensions print behind the columns of iptables -L, and writes their options (the print
// functions of extensions/lib*t_*.c, iptables 1.4 to 1.8).
type listWords struct {
	out  []byte
	rest string
	// negated is a ! that stood before the first word.
	negated bool
	last    string // module
}

func (w *listWords) peek() string {
	word, _ := cutWord(w.rest)
	return word
}

func (w *listWords) next() string {
	word, rest := cutWord(w.rest)
	w.rest = rest
	return word
}

// accept takes the word if it is next.
func (w *listWords) accept(word string) bool {
	if w.peek() != word {
		return false
	}
	w.next()
	return true
}

// value takes a word, and a ! before or at the front of it.
func (w *listWords) value() (v string, negated bool) {
	negated = w.accept("!")
	v = w.next()
	if bare, is := strings.CutPrefix(v, "!"); is {
		return bare, true
	}
	return v, negated
}

// quoted takes a text in quotes, which is not escaped: to the next quote or, for a target at the end of its rule, to
// the last.
func (w *listWords) quoted(find func(s string, c byte) int) (string, bool) {
	s, ok := strings.CutPrefix(strings.TrimLeft(w.rest, " "), `"`)
	end := find(s, '"')
	if !ok || end < 0 {
		return "", false
	}
	w.rest = s[end+1:]
	return s[:end], true
}

// module begins a module's options. One whose words come apart is not begun again.
func (w *listWords) module(name string) {
	if name == w.last && (name == "conntrack" || name == "iprange" || name == "owner") {
		return
	}
	w.last = name
	w.out = append(append(w.out, " -m "...), name...)
}

func (w *listWords) option(negated bool, option string, values ...string) {
	w.out = appendOption(w.out, negated, option, values...)
}

// valued writes an option with the value that is next.
func (w *listWords) valued(option string) bool {
	v, neg := w.value()
	w.option(neg, option, v)
	return v != ""
}

// took gives the negation that stood before the words.
func (w *listWords) took() bool {
	n := w.negated
	w.negated = false
	return n
}

// remainder quotes what is left.
func (w *listWords) remainder() {
	if s := strings.TrimSpace(w.rest); s != "" {
		w.out = appendQuoted(append(w.out, ' '), s)
	}
	w.rest = ""
}

// matches reads matches as long as they are understood.
func (w *listWords) matches() {
	for w.peek() != "" {
		mark, before := len(w.out), *w
		w.negated = w.accept("!")
		word := w.next()
		read := listMatches[word]
		if read == nil || !read(w, word) || w.negated {
			w.out, w.rest, w.last, w.negated = w.out[:mark], before.rest, before.last, false
			return
		}
	}
}

// listMatches are the readers of matches by their first word, which they are given.
var listMatches = map[string]func(w *listWords, word string) bool{
	"/*":  (*listWords).comment,
	"tcp": (*listWords).ports, "udp": (*listWords).ports, "sctp": (*listWords).ports, "dccp": (*listWords).ports,
	"udplite": (*listWords).ports,

	"multiport": func(w *listWords, _ string) bool {
		kind := w.next()
		if kind != "dports" && kind != "sports" && kind != "ports" {
			return false
		}
		v, neg := w.value()
		v, ok := portNumbers(v)
		w.module("multiport")
		w.option(neg, "--"+kind, v)
		return ok
	},
	"ctstate": (*listWords).conntrack, "ctstatus": (*listWords).conntrack, "ctproto": (*listWords).conntrack,
	"ctdir": (*listWords).conntrack, "ctexpire": (*listWords).conntrack,
	"ctorigsrc": (*listWords).conntrack, "ctorigdst": (*listWords).conntrack, "ctreplsrc": (*listWords).conntrack,
	"ctrepldst": (*listWords).conntrack, "ctorigsrcport": (*listWords).conntrack, "ctorigdstport": (*listWords).conntrack,
	"ctreplsrcport": (*listWords).conntrack, "ctrepldstport": (*listWords).conntrack,
	"state": func(w *listWords, _ string) bool {
		w.module("state")
		w.option(w.took(), "--state", w.next())
		return true
	},
	"mark":     (*listWords).mark,
	"connmark": (*listWords).mark,
	"statistic": func(w *listWords, _ string) bool {
		if !w.accept("mode") {
			return false
		}
		mode := w.next()
		w.module("statistic")
		w.option(false, "--mode", mode)
		neg := w.accept("!")
		switch {
		case mode == "random" && w.accept("probability"):
			w.option(neg, "--probability", w.next())
		case mode == "nth" && w.accept("every"):
			w.option(neg, "--every", w.next())
			if w.accept("packet") {
				w.option(false, "--packet", w.next())
			}
		default:
			return false
		}
		return true
	},
	"ADDRTYPE": func(w *listWords, _ string) bool {
		w.accept("match")
		w.module("addrtype")
		for some := false; ; some = true {
			switch w.peek() {
			case "src-type", "dst-type":
				if !w.valued("--" + w.next()) {
					return false
				}
			case "limit-in", "limit-out":
				w.option(false, "--limit-iface-"+strings.TrimPrefix(w.next(), "limit-"))
			default:
				return some
			}
		}
	},
	"recent:": (*listWords).recent,
	"match-set": func(w *listWords, _ string) bool {
		w.module("set")
		w.option(w.took(), "--match-set", w.next(), w.next())
		if w.accept("return-nomatch") {
			w.option(false, "--return-nomatch")
		}
		return true
	},
	"limit:": (*listWords).limit,
	"PHYSDEV": func(w *listWords, _ string) bool {
		if !w.accept("match") {
			return false
		}
		w.module("physdev")
		for some := false; ; some = true {
			from := w.rest
			neg := w.accept("!")
			switch option := w.peek(); option {
			case "--physdev-in", "--physdev-out":
				w.next()
				w.option(neg, option, w.next())
			case "--physdev-is-in", "--physdev-is-out", "--physdev-is-bridged":
				w.next()
				w.option(neg, option)
			default:
				w.rest = from
				return some
			}
		}
	},
	"length": func(w *listWords, _ string) bool {
		w.module("length")
		return w.valued("--length")
	},
	"TTL": (*listWords).ttl, "HL": (*listWords).ttl,
	"icmptype": (*listWords).icmp, "icmp": (*listWords).icmp, "ipv6-icmptype": (*listWords).icmp, "ipv6-icmp": (*listWords).icmp,
	"source": (*listWords).iprange, "destination": (*listWords).iprange,
	"owner": func(w *listWords, _ string) bool {
		w.module("owner")
		switch w.next() {
		case "UID":
			return w.accept("match") && w.takes("--uid-owner")
		case "GID":
			return w.accept("match") && w.takes("--gid-owner")
		case "socket":
			w.option(w.took(), "--socket-exists")
			return w.accept("exists")
		}
		return false
	},
	"nfacct-name": func(w *listWords, _ string) bool {
		w.module("nfacct")
		w.option(false, "--nfacct-name", w.next())
		return true
	},
	"rpfilter": func(w *listWords, _ string) bool {
		w.module("rpfilter")
		for {
			switch w.peek() {
			case "loose", "validmark", "accept-local", "invert":
				w.option(false, "--"+w.next())
			default:
				return true
			}
		}
	},
	"u32": func(w *listWords, _ string) bool {
		neg := w.accept("!")
		tests, ok := w.quoted(strings.IndexByte)
		w.module("u32")
		w.option(neg, "--u32", tests)
		return ok
	},
	"policy": func(w *listWords, _ string) bool {
		if !w.accept("match") {
			return false
		}
		w.module("policy")
		for some := false; ; some = true {
			from := w.rest
			neg := w.accept("!")
			switch word := w.peek(); word {
			case "dir", "pol", "reqid", "spi", "proto", "mode", "tunnel-dst", "tunnel-src":
				w.next()
				w.option(neg, "--"+word, w.next())
			case "strict":
				w.option(neg, "--"+w.next())
			default:
				w.rest = from
				return some
			}
		}
	},
	"tcpmss": func(w *listWords, _ string) bool {
		w.module("tcpmss")
		return w.accept("match") && w.valued("--mss")
	},
	"PKTTYPE": func(w *listWords, _ string) bool {
		sign := w.next()
		w.module("pkttype")
		w.option(sign == "!=", "--pkt-type", w.next())
		return sign == "=" || sign == "!="
	},
	"MAC": func(w *listWords, _ string) bool {
		w.module("mac")
		return w.valued("--mac-source")
	},
	"DSCP": func(w *listWords, _ string) bool {
		w.module("dscp")
		return w.accept("match") && w.valued("--dscp")
	},
	"tos": func(w *listWords, _ string) bool {
		v, ok := strings.CutPrefix(w.next(), "match")
		if v == "" {
			v = w.next()
		}
		v, neg := strings.CutPrefix(v, "!")
		w.module("tos")
		w.option(neg, "--tos", v)
		return ok && v != ""
	},
	"ECN": func(w *listWords, _ string) bool {
		if !w.accept("match") {
			return false
		}
		w.module("ecn")
		for some := false; ; some = true {
			from := w.rest
			v, neg := w.value()
			ect, is := strings.CutPrefix(v, "ECT=")
			switch {
			case v == "ECE", v == "CWR":
				w.option(neg, "--ecn-tcp-"+strings.ToLower(v))
			case is:
				w.option(neg, "--ecn-ip-ect", ect)
			default:
				w.rest = from
				return some
			}
		}
	},
	"realm": func(w *listWords, _ string) bool {
		w.module("realm")
		return w.valued("--realm")
	},
	"cpu": func(w *listWords, _ string) bool {
		w.module("cpu")
		return w.valued("--cpu")
	},
	"src-group": (*listWords).devgroup, "dst-group": (*listWords).devgroup,
	"#conn": func(w *listWords, _ string) bool {
		over, sign, n := w.next(), w.next(), w.next()
		end, bits, ok := strings.Cut(over, "/")
		w.module("connlimit")
		switch sign {
		case ">":
			w.option(false, "--connlimit-above", n)
		case "<=":
			w.option(false, "--connlimit-upto", n)
		default:
			return false
		}
		w.option(false, "--connlimit-mask", bits)
		w.option(false, "--connlimit-"+strings.TrimSuffix(strings.TrimSuffix(end, "rc"), "st")+"addr")
		return ok && (end == "src" || end == "dst")
	},
	"connbytes": func(w *listWords, _ string) bool {
		w.module("connbytes")
		ok := w.valued("--connbytes") && w.accept("connbytes") && w.accept("mode")
		w.option(false, "--connbytes-mode", w.next())
		ok = ok && w.accept("connbytes") && w.accept("direction")
		w.option(false, "--connbytes-dir", w.next())
		return ok
	},
	"quota:": func(w *listWords, _ string) bool {
		w.module("quota")
		return w.valued("--quota") && w.accept("bytes")
	},
	"TIME": func(w *listWords, _ string) bool {
		w.module("time")
		for {
			switch {
			case w.accept("from"):
				w.option(false, "--timestart", w.next())
			case w.accept("to"):
				w.option(false, "--timestop", w.next())
			case w.accept("on"):
				days := "--weekdays"
				if d := w.peek(); d != "" && '0' <= d[0] && d[0] <= '9' {
					days = "--monthdays"
				}
				w.option(w.took(), days, w.next())
			case w.accept("starting"):
				w.accept("from")
				w.option(false, "--datestart", w.next())
			case w.accept("until"):
				w.accept("date")
				w.option(false, "--datestop", w.next())
			case w.accept("contiguous"):
				w.option(false, "--contiguous")
			case w.accept("UTC"):
			default:
				return true
			}
		}
	},
	"socket": func(w *listWords, _ string) bool {
		w.module("socket")
		for {
			switch w.peek() {
			case "--transparent", "--nowildcard", "--restore-skmark":
				w.option(false, w.next())
			default:
				return true
			}
		}
	},
	"cgroup": func(w *listWords, _ string) bool {
		w.module("cgroup")
		return w.valued("--cgroup")
	},
}

// takes writes an option with its value and the negation that stood before the words.
func (w *listWords) takes(option string) bool {
	v := w.next()
	w.option(w.took(), option, v)
	return v != ""
}

// comment reads to the first end of a comment: a comment that holds one itself cannot be told.
func (w *listWords) comment(string) bool {
	text, rest, ok := strings.Cut(w.rest, " */")
	if !ok {
		return false
	}
	w.rest = rest
	w.module("comment")
	w.out = appendQuoted(append(w.out, " --comment "...), strings.TrimPrefix(text, " "))
	return true
}

// ports reads what follows the name of a protocol with ports.
func (w *listWords) ports(proto string) bool {
	w.module(proto)
	for {
		word := w.peek()
		name, v, ok := strings.Cut(word, ":")
		neg := false
		switch {
		case ok && (name == "dpt" || name == "dpts" || name == "spt" || name == "spts"):
			v, neg = strings.CutPrefix(v, "!")
			if v, ok = portNumbers(v); !ok {
				return false
			}
			w.option(neg, map[byte]string{'d': "--dport", 's': "--sport"}[name[0]], v)
		case ok && name == "flags" && proto == "tcp":
			v, neg = strings.CutPrefix(v, "!")
			mask, comp, both := strings.Cut(v, "/")
			m, ok1 := flagNames(mask)
			c, ok2 := flagNames(comp)
			if !both || !ok1 || !ok2 {
				return false
			}
			w.option(neg, "--tcp-flags", m, c)
		case strings.HasPrefix(word, "option=") && proto == "tcp":
			v, neg = strings.CutPrefix(word[len("option="):], "!")
			w.option(neg, "--tcp-option", v)
		default:
			return true
		}
		w.next()
	}
}

// flagNames gives the names of TCP flags that a listing shows as a number, or with names.
func flagNames(s string) (string, bool) {
	if n, err := strconv.ParseUint(s, 0, 8); err == nil {
		return TCPFlags(n).String(), true
	}
	_, ok := tcpFlagsOf(s)
	return s, ok
}

// services are the ports that a listing without -n is likely to name (IANA's registry).
var services = map[string]string{
	"ftp": "21", "ssh": "22", "telnet": "23", "smtp": "25", "domain": "53", "bootps": "67", "bootpc": "68", "tftp": "69",
	"http": "80", "pop3": "110", "sunrpc": "111", "ntp": "123", "imap2": "143", "snmp": "161", "bgp": "179", "ldap": "389",
	"https": "443", "microsoft-ds": "445", "syslog": "514", "mdns": "5353", "imaps": "993", "pop3s": "995", "nfs": "2049",
	"mysql": "3306", "postgresql": "5432", "http-alt": "8080", "dhcpv6-client": "546", "dhcpv6-server": "547",
}

// portNumbers puts numbers for the names in a list of ports and ranges.
func portNumbers(list string) (string, bool) {
	if _, ok := parsePorts(list, false); ok {
		return list, true
	}
	parts := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ':' })
	for _, p := range parts {
		if n, ok := services[p]; ok {
			list = strings.Replace(list, p, n, 1)
		}
	}
	_, ok := parsePorts(list, false)
	return list, ok
}

func (w *listWords) conntrack(name string) bool {
	w.module("conntrack")
	return w.takes("--" + name)
}

func (w *listWords) mark(module string) bool {
	w.module(module)
	return w.accept("match") && w.valued("--mark")
}

func (w *listWords) devgroup(name string) bool {
	w.module("devgroup")
	return w.valued("--" + name)
}

func (w *listWords) recent(string) bool {
	verb, ok := map[string]string{"SET": "--set", "CHECK": "--rcheck", "UPDATE": "--update", "REMOVE": "--remove"}[w.next()]
	w.module("recent")
	w.option(w.took(), verb)
	for ok {
		switch w.peek() {
		case "seconds:":
			w.next()
			w.option(false, "--seconds", w.next())
		case "hit_count:":
			w.next()
			w.option(false, "--hitcount", w.next())
		case "reap":
			w.option(false, "--"+w.next())
		case "TTL-Match":
			w.next()
			w.option(false, "--rttl")
		case "name:":
			w.next()
			w.option(false, "--name", w.next())
		case "mask:":
			w.next()
			w.option(false, "--mask", w.next())
		case "side:":
			w.next()
			w.option(false, map[string]string{"source": "--rsource", "dest": "--rdest"}[w.next()])
		default:
			return true
		}
	}
	return false
}

// limit reads limit's and hashlimit's words, which begin alike.
func (w *listWords) limit(string) bool {
	if w.accept("avg") {
		w.module("limit")
		w.option(false, "--limit", w.next())
		if w.accept("burst") {
			w.option(false, "--limit-burst", w.next())
		}
		return true
	}
	w.module("hashlimit")
	switch {
	case w.accept("up"):
		if !w.accept("to") {
			return false
		}
		w.option(false, "--hashlimit-upto", w.next())
	case w.accept("above"):
		w.option(false, "--hashlimit-above", w.next())
	default:
		return false
	}
	for {
		switch word := w.peek(); word {
		case "burst", "mode", "htable-size", "htable-max", "htable-gcinterval", "htable-expire", "srcmask", "dstmask":
			w.next()
			w.option(false, "--hashlimit-"+word, strings.ReplaceAll(w.next(), "-", ","))
		default:
			return true
		}
	}
}

func (w *listWords) ttl(name string) bool {
	sub := strings.ToLower(name)
	if !w.accept("match") || !w.accept(name) {
		return false
	}
	w.module(sub)
	switch sign := w.next(); sign {
	case "==", "!=":
		w.option(sign == "!=", "--"+sub+"-eq", w.next())
	case "<":
		w.option(false, "--"+sub+"-lt", w.next())
	case ">":
		w.option(false, "--"+sub+"-gt", w.next())
	default:
		return false
	}
	return true
}

// icmp reads "icmptype 8", "icmp !type 3 code 4", "ipv6-icmptype 135" and, without -n, "icmp echo-request".
func (w *listWords) icmp(word string) bool {
	proto, numbered := strings.CutSuffix(word, "type")
	module, option := "icmp", "--icmp-type"
	if proto == "ipv6-icmp" {
		module, option = "icmp6", "--icmpv6-type"
	}
	neg := false
	if !numbered {
		switch w.peek() {
		case "!type", "type":
			neg, numbered = w.next() == "!type", true
		default:
			w.module(module)
			return w.valued(option)
		}
	}
	kind := w.next()
	if w.accept("code") {
		kind += "/" + w.next()
	}
	w.module(module)
	w.option(neg, option, kind)
	return numbered && kind != "" && w.peek() != "codes"
}

func (w *listWords) iprange(end string) bool {
	if !w.accept("IP") || !w.accept("range") {
		return false
	}
	w.module("iprange")
	return w.valued(map[string]string{"source": "--src-range", "destination": "--dst-range"}[end])
}

// target reads the words of a target that is an extension; false says that they are not understood as a whole.
func (w *listWords) target(name string) bool {
	switch name {
	case "ACCEPT", "DROP", "RETURN", "NOTRACK", "TRACE":
	case "REJECT":
		if w.accept("reject-with") {
			w.option(false, "--reject-with", w.next())
		}
	case "DNAT", "SNAT", "NETMAP", "REDIRECT", "MASQUERADE":
		if !w.natTarget(name) {
			return false
		}
	case "MARK", "CONNMARK":
		if !w.accept(name) || !w.markTarget() {
			return false
		}
	case "CT":
		w.accept("CT")
		switch word := w.next(); word {
		case "notrack", "NOTRACK":
			w.option(false, "--notrack")
		case "helper", "zone":
			w.option(false, "--"+word, w.next())
		default:
			return false
		}
	case "TTL", "HL":
		if !w.accept(name) {
			return false
		}
		verb, link := w.next(), w.next()
		short, ok := map[string]string{"set to": "set", "increment by": "inc", "decrement by": "dec"}[verb+" "+link]
		w.option(false, "--"+strings.ToLower(name)+"-"+short, w.next())
		if !ok {
			return false
		}
	case "TCPMSS":
		if !w.accept(name) {
			return false
		}
		switch {
		case w.accept("set"):
			w.option(false, "--set-mss", w.next())
		case w.accept("clamp") && w.accept("to") && w.accept("PMTU"):
			w.option(false, "--clamp-mss-to-pmtu")
		default:
			return false
		}
	case "TPROXY":
		if !w.accept(name) || !w.accept("redirect") {
			return false
		}
		to := w.next()
		i := strings.LastIndexByte(to, ':')
		if i < 0 || !w.accept("mark") {
			return false
		}
		w.option(false, "--on-port", to[i+1:])
		w.option(false, "--on-ip", strings.Trim(to[:i], "[]"))
		w.option(false, "--tproxy-mark", w.next())
	case "SET":
		kind := w.next()
		if kind != "add-set" && kind != "del-set" {
			return false
		}
		w.option(false, "--"+kind, w.next(), w.next())
		if w.accept("exist") {
			w.option(false, "--exist")
		}
		if w.accept("timeout") {
			w.option(false, "--timeout", w.next())
		}
	case "DSCP", "TOS", "CLASSIFY":
		if !w.accept(name) || !w.accept("set") {
			return false
		}
		w.option(false, map[string]string{"DSCP": "--set-dscp", "TOS": "--set-tos", "CLASSIFY": "--set-class"}[name], w.next())
	case "CHECKSUM":
		if !w.accept(name) || !w.accept("fill") {
			return false
		}
		w.option(false, "--checksum-fill")
	case "LOG":
		return w.accept(name) && w.logTarget()
	case "NFLOG":
		return w.nflogTarget()
	default:
		// The packet goes on as it is, whatever they say.
		if w.peek() != "" && w.peek() != name {
			return false
		}
		w.rest = ""
	}
	return w.peek() == ""
}

// logTarget reads "LOG flags 0 level 4 prefix "x y"": the flags are what else is logged.
func (w *listWords) logTarget() bool {
	for {
		switch w.peek() {
		case "flags":
			w.next()
			w.next()
		case "level":
			w.next()
			w.option(false, "--log-level", w.next())
		case "prefix":
			w.next()
			prefix, ok := w.quoted(strings.LastIndexByte)
			w.option(false, "--log-prefix", prefix)
			return ok
		case "tcp-sequence", "tcp-options", "ip-options":
			w.option(false, "--log-"+w.next())
		case "":
			return true
		case "uid":
			w.next()
			w.option(false, "--log-uid")
		default:
			return false
		}
	}
}

func (w *listWords) nflogTarget() bool {
	for {
		switch word := w.peek(); word {
		case "nflog-prefix":
			w.next()
			prefix, ok := w.quoted(strings.LastIndexByte)
			if !ok {
				prefix = w.next()
			}
			w.option(false, "--"+word, prefix)
		case "nflog-group", "nflog-range", "nflog-size", "nflog-threshold":
			w.next()
			w.option(false, "--"+word, w.next())
		default:
			return word == ""
		}
	}
}

func (w *listWords) natTarget(name string) bool {
	to := map[string]string{"DNAT": "--to-destination", "SNAT": "--to-source", "NETMAP": "--to"}[name]
	for {
		switch word := w.peek(); {
		case to != "" && strings.HasPrefix(word, "to:"):
			w.option(false, to, w.next()[len("to:"):])
		case name == "NETMAP" && word != "":
			w.option(false, to, w.next())
		case word == "random", word == "random-fully", word == "persistent":
			w.option(false, "--"+w.next())
		case name == "REDIRECT" && word == "redir", name == "MASQUERADE" && word == "masq":
			w.next()
			if p := w.next(); p != "ports" && p != "ports:" {
				return false
			}
			w.option(false, "--to-ports", w.next())
		default:
			return true
		}
	}
}

func (w *listWords) markTarget() bool {
	switch verb := w.next(); verb {
	case "set":
		w.option(false, "--set-mark", w.next())
	case "xset":
		w.option(false, "--set-xmark", w.next())
	case "and", "or", "xor":
		w.option(false, "--"+verb+"-mark", w.next())
	case "save", "restore":
		w.option(false, "--"+verb+"-mark")
		for {
			switch word := w.peek(); word {
			case "mask", "nfmask", "ctmask":
				w.next()
				w.option(false, "--"+word, strings.TrimPrefix(w.next(), "~"))
			default:
				return true
			}
		}
	default:
		return false
	}
	return true
}
