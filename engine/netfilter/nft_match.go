package netfilter

import (
	"net/netip"
	"strconv"
	"strings"
)

func (d *nftDecoder) set(m SetMatch) bool {
	if strings.HasPrefix(m.Name, "affinity-") && !m.Negated {
		d.spec.Recent = &NameMatch{Names: []string{m.Name}}
		return true
	}
	d.spec.Sets = append(d.spec.Sets, m)
	return true
}

func (d *nftDecoder) compare(key string) bool {
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
		return ok
	case "protocol", "nexthdr", "l4proto":
		m := &NameMatch{}
		for _, n := range d.values(&neg) {
			m.Names = append(m.Names, protoName(n))
		}
		m.Negated = neg
		d.spec.Protocol = m
		return len(m.Names) > 0
	case "nfproto":
		v := d.values(&neg)
		return len(v) == 1 && !neg && (v[0] == "ipv4" || v[0] == "ipv6")
	case "sport", "dport":
		v := d.values(&neg)
		m, ok := nftPorts(v, neg)
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
		if field == "daddr type" {
			d.spec.DestinationAddrType = m
		} else {
			d.spec.SourceAddrType = m
		}
		return len(m.Names) > 0
	case "mark":
		return d.mark()
	case "random":
		return d.random()
	}
	if proto == "numgen" {
		return d.numgen(key)
	}
	return false
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
	comp := d.values(&neg)
	if len(mask) == 0 {
		mask = comp
	}
	if d.starts("/") {
		mask = d.values(new(bool))
	}
	d.spec.TCPFlags = &NameMatch{
		Names:   []string{strings.ToUpper(strings.Join(mask, ",") + " " + strings.Join(comp, ","))},
		Negated: neg,
	}
	return len(comp) > 0
}

// mark reads "0x1", "!= 0x1" or "& 0x4000 == 0x4000".
func (d *nftDecoder) mark() bool {
	m := &MarkMatch{Mask: 0xffffffff}
	if d.starts("&") || d.starts("and") {
		n, err := strconv.ParseUint(d.at(0), 0, 32)
		if err != nil {
			return false
		}
		m.Mask = uint32(n)
		d.i++
	}
	v := d.values(&m.Negated)
	if len(v) != 1 {
		return false
	}
	n, err := strconv.ParseUint(v[0], 0, 32)
	m.Value = uint32(n)
	d.spec.Mark = m
	return err == nil
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
		a, ok1 := parsePort(first)
		b, ok2 := parsePort(last)
		if !ok1 || !ok2 {
			return nil, false
		}
		m.Ranges = append(m.Ranges, PortRange{a, b})
	}
	return m, len(v) > 0
}
