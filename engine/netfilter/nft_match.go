package netfilter

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

func (d *nftDecoder) set(m SetMatch) bool {
	addMatch(d, setMatcher{m})
	if strings.HasPrefix(m.Name, "affinity-") && !m.Negated {
		d.spec.Recent = &NameMatch{Names: []string{m.Name}}
		return true
	}
	d.spec.Sets = append(d.spec.Sets, m)
	return true
}

func (d *nftDecoder) compare(key string, from int) bool {
	var neg bool
	proto, field, _ := strings.Cut(key, " ")
	switch field {
	case "saddr", "daddr":
		v := d.values(&neg)
		if len(v) == 1 && strings.HasPrefix(v[0], "@") {
			return d.set(SetMatch{Name: v[0][1:], Fields: key, Negated: neg})
		}
		m, ok := nftPrefixes(v, neg)
		if field == "saddr" {
			ok = ok && d.spec.Source == nil
			d.spec.Source = m
		} else {
			ok = ok && d.spec.Destination == nil
			d.spec.Destination = m
		}
		if proto != "ip" && proto != "ip6" {
			d.i = from + 2
			return d.field(key, from)
		}
		if m != nil {
			addMatch(d, addrMatch{m: m, source: field == "saddr", family: proto})
		}
		return ok || d.compiling && m != nil
	case "protocol", "nexthdr", "l4proto":
		m := &NameMatch{}
		for _, n := range d.values(&neg) {
			m.Names = append(m.Names, protoName(n))
		}
		m.Negated = neg
		d.spec.Protocol = m
		if proto == "meta" {
			addMatch(d, protoMatch{m})
		} else {
			addMatch(d, fieldMatch{key: key, values: m.Names, negated: neg})
		}
		return len(m.Names) > 0
	case "nfproto":
		v := d.values(&neg)
		addMatch(d, fieldMatch{key: key, values: v, negated: neg})
		return len(v) == 1 && !neg && (v[0] == "ipv4" || v[0] == "ipv6")
	case "sport", "dport":
		v := d.values(&neg)
		if len(v) == 1 && strings.HasPrefix(v[0], "@") {
			return d.set(SetMatch{Name: v[0][1:], Fields: key, Negated: neg})
		}
		m, ok := nftPorts(v, neg)
		if proto != "th" {
			addMatch(d, protoMatch{&NameMatch{Names: []string{proto}}})
		}
		if m != nil {
			addMatch(d, portMatch{m: m, source: field == "sport", raw: proto == "th"})
		}
		if d.compiling {
			return m != nil
		}
		if proto != "th" {
			if d.spec.Protocol == nil {
				d.spec.Protocol = &NameMatch{Names: []string{proto}}
			} else if p, one := d.spec.Protocol.single(); !one || p != proto {
				ok = false
			}
		}
		if field == "sport" {
			d.spec.SourcePorts = m
		} else {
			d.spec.DestinationPorts = m
		}
		return ok
	case "flags":
		return d.tcpFlags()
	case "daddr type", "saddr type":
		m := &NameMatch{}
		for _, n := range d.values(&neg) {
			m.Names = append(m.Names, strings.ToUpper(n))
		}
		m.Negated = neg
		addMatch(d, addrTypeMatch{m: m, source: field != "daddr type"})
		if field == "daddr type" {
			d.spec.DestinationAddrType = m
		} else {
			d.spec.SourceAddrType = m
		}
		return len(m.Names) > 0
	case "mark":
		if m, ok := d.markCompare(); ok {
			d.spec.Mark = m
			addMatch(d, markMatcher{m: m})
			return true
		}
		d.i = from + 2
		return d.field(key, from)
	case "random":
		return d.random()
	}
	if proto == "numgen" {
		return d.numgen(key)
	}
	if proto == "jhash" || proto == "symhash" {
		return false
	}
	return d.field(key, from)
}

// tcpFlags reads "syn", "syn / syn,rst" or "& (syn | rst) == syn".
func (d *nftDecoder) tcpFlags() bool {
	var neg bool
	var mask []string
	if d.starts("&") {
		for d.at(0) != "==" && d.at(0) != "!=" && d.at(0) != "" {
			for w := range strings.FieldsFuncSeq(d.at(0), func(r rune) bool { return strings.ContainsRune("(|),", r) }) {
				mask = append(mask, w)
			}
			d.i++
		}
	}
	exact := len(mask) > 0 || d.at(0) == "==" || d.at(0) == "!="
	comp := d.values(&neg)
	if len(mask) == 0 {
		mask = comp
	}
	if d.starts("/") {
		mask, exact = d.values(new(bool)), true
	}
	if !d.flagsOp(mask, comp, neg, exact) {
		return false
	}
	d.spec.TCPFlags = &NameMatch{
		Names:   []string{strings.ToUpper(strings.Join(mask, ",") + " " + strings.Join(comp, ","))},
		Negated: neg,
	}
	return len(comp) > 0
}

// flagsOp adds the comparison to the program. Without a mask, == compares all flags and a plain list asks for any.
func (d *nftDecoder) flagsOp(mask, comp []string, neg, exact bool) bool {
	if !d.compiling {
		return true
	}
	addMatch(d, protoMatch{&NameMatch{Names: []string{"tcp"}}})
	c, ok1 := tcpFlagsOf(strings.Join(comp, ","))
	k, ok2 := tcpFlagsOf(strings.Join(mask, ","))
	if len(comp) == 1 && comp[0] == "0x0" {
		c, ok1 = 0, true
		k, ok2 = tcpFlagsOf(strings.Join(mask, ","))
	}
	m := tcpFlagsMatch{mask: k, value: c, negated: neg, any: !exact}
	if exact && slices.Equal(mask, comp) {
		m.mask = 0xff
	}
	addMatch(d, m)
	return ok1 && ok2
}

// markCompare reads "0x1", "!= 0x1" or "& 0x4000 == 0x4000".
func (d *nftDecoder) markCompare() (*MarkMatch, bool) {
	m := &MarkMatch{Mask: 0xffffffff}
	if d.starts("&") || d.starts("and") {
		n, err := strconv.ParseUint(d.at(0), 0, 32)
		if err != nil {
			return nil, false
		}
		m.Mask = uint32(n)
		d.i++
	}
	v := d.values(&m.Negated)
	if len(v) != 1 {
		return nil, false
	}
	n, err := strconv.ParseUint(v[0], 0, 32)
	m.Value = uint32(n)
	return m, err == nil
}

// random reads iptables-nft's statistic: "& 2147483647 < 1073741824".
func (d *nftDecoder) random() bool {
	if d.at(0) != "&" || (d.at(2) != "<" && d.at(2) != ">=") {
		return false
	}
	mod, err1 := strconv.ParseUint(d.at(1), 0, 64)
	lim, err2 := strconv.ParseUint(d.at(3), 0, 64)
	neg := d.at(2) == ">="
	d.i += 4
	if err1 != nil || err2 != nil || lim > mod+1 || mod == 0 {
		return false
	}
	d.spec.Statistic = &StatisticMatch{Mode: "random", Probability: float64(lim) / (float64(mod) + 1), Negated: neg}
	addMatch(d, statisticMatch{d.spec.Statistic})
	return true
}

// numgen reads "== 0", "0" or "< 5" behind "numgen random mod N".
func (d *nftDecoder) numgen(key string) bool {
	w := strings.Split(key, " ")
	mod, err := strconv.ParseUint(w[len(w)-1], 0, 32)
	less := d.starts("<")
	var neg bool
	v := d.values(&neg)
	if err != nil || mod == 0 || len(v) != 1 {
		return false
	}
	n, err := strconv.ParseUint(v[0], 0, 32)
	if err != nil || n > mod {
		return false
	}
	share := 1 / float64(mod)
	if less {
		share *= float64(n)
	}
	mode := "random"
	if w[1] == "inc" {
		mode = "nth"
	}
	d.spec.Statistic = &StatisticMatch{Mode: mode, Probability: share, Negated: neg}
	addMatch(d, statisticMatch{d.spec.Statistic})
	return true
}

func nftPrefixes(v []string, neg bool) (*PrefixMatch, bool) {
	m := &PrefixMatch{Negated: neg}
	for _, s := range v {
		if p, ok := parsePrefix(s); ok {
			m.Prefixes = append(m.Prefixes, p)
			continue
		}
		first, last, has := strings.Cut(s, "-")
		a, err1 := netip.ParseAddr(first)
		b, err2 := netip.ParseAddr(last)
		if !has || err1 != nil || err2 != nil {
			return nil, false
		}
		m.Ranges = append(m.Ranges, AddrRange{a, b})
	}
	return m, len(v) > 0
}

func nftPorts(v []string, neg bool) (*PortMatch, bool) {
	m := &PortMatch{Negated: neg}
	for _, s := range v {
		first, last, has := strings.Cut(s, "-")
		if !has {
			last = first
		}
		if last == "4294967295" {
			last = "65535" // of a comparison with >
		}
		a, ok1 := parsePort(first)
		b, ok2 := parsePort(last)
		if !ok1 || !ok2 {
			return nil, false
		}
		m.Ranges = append(m.Ranges, PortRange{a, b})
	}
	return m, len(v) > 0
}
