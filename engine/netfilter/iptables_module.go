package netfilter

import (
	"strconv"
	"strings"
)

// moduleOption is one option of a match module, with its values.
type moduleOption struct {
	name    string
	values  []string
	negated bool
}

func (o *moduleOption) value() string { return strings.Join(o.values, " ") }

// modules are the match modules that are read as a whole: from -m to the next -m or the target. A reader gives false for
// what it does not understand.
var modules = map[string]func(o *moduleOption, quote string) (matcher, bool){
	"conntrack": conntrackModule, "physdev": physdevModule, "length": lengthModule, "ttl": ttlModule, "hl": ttlModule,
	"icmp": icmpModule, "icmp6": icmpModule, "iprange": iprangeModule, "owner": ownerModule, "u32": u32Module,
}

// momentModules match by what neither rules nor packets show: rates, clients, time, parts of the frame and of the
// header that Packet does not have. They are conditions.
var momentModules = map[string]bool{
	"limit": true, "hashlimit": true, "rpfilter": true, "connlimit": true, "connbytes": true, "quota": true, "time": true,
	"policy": true, "tos": true, "dscp": true, "ecn": true, "mac": true, "pkttype": true, "realm": true, "devgroup": true,
	"cpu": true, "rateest": true, "tcpmss": true, "socket": true, "cgroup": true, "string": true, "esp": true, "ah": true,
	"rt": true, "frag": true, "hbh": true, "dst": true, "mh": true, "ipv6header": true, "eui64": true,
}

// spanned says whether a module is read as a whole.
func spanned(module string) bool { return modules[module] != nil || momentModules[module] }

// moduleEnd gives where the options of a module end: before the next -m, -j or -g, and before a ! of a basic option.
func moduleEnd(text string, pos, end int) int {
	last := pos
	for pos < end {
		s, e, next, ok := token(text, pos, end)
		if !ok || s >= end {
			return last
		}
		if quoted := text[s-1] == '"'; !quoted && e-s == 2 && text[s] == '-' && text[s+1] != '-' && strings.IndexByte("mjgpsdiof", text[s+1]) >= 0 {
			return last
		}
		pos = next
		if !(e-s == 1 && text[s] == '!') {
			last = next
		}
	}
	return last
}

// span reads a module as a whole; false leaves it to the options.
func (d *saveDecoder) span(negated bool, start int) bool {
	s, e, next, ok := token(d.text, d.pos, len(d.text))
	if !ok || negated || !spanned(d.text[s:e]) {
		return false
	}
	name := d.text[s:e]
	end := moduleEnd(d.text, next, len(d.text))
	if name == "conntrack" && onlyState(d.text[next:end]) {
		return false
	}
	quote := d.text[start:end]
	matchers, ok := readModule(name, d.text[next:end], quote)
	d.pos = end
	if !ok {
		d.quote(start, end)
		return true
	}
	d.spec.extra = append(d.spec.extra, matchers...)
	d.spec.Matches = append(d.spec.Matches, quote)
	return true
}

// onlyState says whether the options of conntrack are --ctstate alone, for which Spec has a field.
func onlyState(options string) bool {
	return strings.Count(options, "--") == 1 && strings.Contains(options, "--ctstate")
}

// readModule gives the conditions of a module's options.
func readModule(name, options, quote string) ([]matcher, bool) {
	if momentModules[name] {
		return []matcher{momentMatch{quote}}, true
	}
	var out []matcher
	list, ok := moduleOptions(options)
	for i := range list {
		m, valid := modules[name](&list[i], quote)
		ok = ok && valid
		if m != nil {
			out = append(out, m)
		}
	}
	return out, ok
}

func moduleOptions(text string) ([]moduleOption, bool) {
	var out []moduleOption
	negated := false
	for pos := 0; pos < len(text); {
		s, e, next, ok := token(text, pos, len(text))
		if !ok {
			return nil, false
		}
		word := text[s:e]
		pos = next
		switch {
		case s >= len(text):
		case word == "!":
			negated = true
		case strings.HasPrefix(word, "--"):
			out = append(out, moduleOption{name: word[2:], negated: negated})
			negated = false
		case len(out) == 0:
			return nil, false
		default:
			// Before iptables 1.4.3 the ! stood behind the option.
			o := &out[len(out)-1]
			o.values, o.negated = append(o.values, word), o.negated || negated
			negated = false
		}
	}
	return out, !negated
}

// also adds a condition that no field of Spec holds.
func (d *saveDecoder) also(m matcher, start int) {
	d.spec.extra = append(d.spec.extra, m)
	d.spec.Matches = append(d.spec.Matches, d.text[start:d.pos])
}

// keep saves a field from being overwritten, where a rule asks for it twice.
func keep[T any](d *saveDecoder, old *T, as func(*T) matcher) {
	if old != nil {
		d.spec.extra = append(d.spec.extra, as(old))
	}
}

func conntrackModule(o *moduleOption, quote string) (matcher, bool) {
	names := &NameMatch{Names: strings.Split(o.value(), ","), Negated: o.negated}
	tuple := ctTupleMatch{text: quote}
	switch o.name {
	case "ctstate":
		return ctStateMatch{names}, true
	case "ctstatus":
		if o.value() == "NONE" {
			return momentMatch{quote}, true
		}
		return ctStatusMatch{names, quote}, true
	case "ctdir":
		return ctDirMatch{strings.ToUpper(o.value()), o.negated}, true
	case "ctproto":
		return protoMatch{&NameMatch{Names: []string{protoName(strings.ToLower(o.value()))}, Negated: o.negated}}, true
	case "ctexpire":
		return momentMatch{quote}, true
	}
	rest, ok := strings.CutPrefix(o.name, "ctorig")
	if !ok {
		if rest, ok = strings.CutPrefix(o.name, "ctrepl"); !ok {
			return nil, false
		}
		tuple.reply = true
	}
	end, port := strings.CutSuffix(rest, "port")
	tuple.source = end == "src"
	if end != "src" && end != "dst" {
		return nil, false
	}
	if port {
		tuple.ports, ok = parsePorts(o.value(), o.negated)
	} else {
		tuple.addrs, ok = prefixMatch(o.value(), o.negated)
	}
	return tuple, ok
}

func physdevModule(o *moduleOption, _ string) (matcher, bool) {
	what, ok := strings.CutPrefix(o.name, "physdev-")
	m := physdevMatch{what: what, name: o.value(), negated: o.negated}
	switch what {
	case "in", "out", "is-in", "is-out", "is-bridged":
		return m, ok
	}
	return nil, false
}

// span16 reads N or FIRST:LAST of numbers to 65535.
func span16(s string) (first, last int, ok bool) {
	m, ok := parsePorts(s, false)
	if !ok || len(m.Ranges) != 1 {
		return 0, 0, false
	}
	return int(m.Ranges[0].First), int(m.Ranges[0].Last), true
}

func lengthModule(o *moduleOption, _ string) (matcher, bool) {
	first, last, ok := span16(o.value())
	return numberMatch{"length", first, last, o.negated}, ok && o.name == "length"
}

func ttlModule(o *moduleOption, _ string) (matcher, bool) {
	n, err := strconv.ParseUint(o.value(), 0, 8)
	m := numberMatch{field: "ttl", first: int(n), last: int(n), negated: o.negated}
	switch strings.TrimPrefix(strings.TrimPrefix(o.name, "ttl-"), "hl-") {
	case "eq":
	case "lt":
		m.first, m.last = 0, int(n)-1
	case "gt":
		m.first, m.last = int(n)+1, 255
	default:
		return nil, false
	}
	return m, err == nil
}

// icmpModule reads --icmp-type and --icmpv6-type; tools save numbers.
func icmpModule(o *moduleOption, _ string) (matcher, bool) {
	m := icmpMatch{kind: -1, code: -1, negated: o.negated}
	switch o.name {
	case "icmp-type":
		m.proto = "icmp"
	case "icmpv6-type":
		m.proto = "icmpv6"
	default:
		return nil, false
	}
	value := o.value()
	if value == "any" || value == "255" {
		return m, true
	}
	kind, code, has := strings.Cut(value, "/")
	n, ok := nftNumber(kind)
	if six, named := icmpv6Names[kind]; named && m.proto == "icmpv6" {
		n = six
	}
	m.kind = int(min(n, 256))
	if has {
		c, err := strconv.ParseUint(code, 10, 8)
		m.code, ok = int(c), ok && err == nil
	}
	return m, ok
}

func iprangeModule(o *moduleOption, _ string) (matcher, bool) {
	r, ok := addrRange(o.value())
	m := addrMatch{m: &PrefixMatch{Ranges: []AddrRange{r}, Negated: o.negated}, source: o.name == "src-range"}
	return m, ok && (m.source || o.name == "dst-range")
}

func ownerModule(o *moduleOption, _ string) (matcher, bool) {
	m := ownerMatch{first: -1, negated: o.negated, group: o.name == "gid-owner"}
	switch o.name {
	case "socket-exists":
		return m, len(o.values) == 0
	case "uid-owner", "gid-owner":
	default:
		return nil, false
	}
	first, last, has := strings.Cut(o.value(), "-")
	if !has {
		last = first
	}
	a, err1 := strconv.ParseUint(first, 10, 31)
	b, err2 := strconv.ParseUint(last, 10, 31)
	m.first, m.last = int(a), int(b)
	return m, err1 == nil && err2 == nil
}
