package netfilter

import (
	"net/netip"
	"strconv"
	"strings"
)

// decodeIPTables decodes "-A CHAIN matches -j TARGET options".
func decodeIPTables(text string) Spec {
	d := saveDecoder{text: text, quoteFrom: -1}
	d.spec.Target.Kind = TargetNone
	d.run()
	return d.spec
}

type saveDecoder struct {
	text        string
	pos         int
	spec        Spec
	quoteFrom   int // start of a part not modelled, or -1
	quoteEnd    int
	targetFrom  int // where the target's options begin, 0 before -j
	recentSet   bool
	recentCheck bool
	module      string // of the options that follow
}

// arg reads one argument, unescaped.
func (d *saveDecoder) arg() string {
	s, e, next, _ := token(d.text, d.pos, len(d.text))
	quoted := s > 0 && s < len(d.text) && d.text[s-1] == '"'
	d.pos = next
	if quoted {
		return unescape(d.text[s:e])
	}
	return d.text[s:e]
}

func (d *saveDecoder) run() {
	d.arg() // -A
	d.arg() // the chain
	neg, start := false, -1
	for d.pos < len(d.text) {
		s, e, next, ok := token(d.text, d.pos, len(d.text))
		d.pos = next
		if s >= len(d.text) && ok || s == 0 {
			break
		}
		tok := d.text[s:e]
		if tok == "!" {
			neg, start = true, s
			continue
		}
		quoted := d.text[s-1] == '"'
		if start < 0 {
			if start = s; quoted {
				start--
			}
		}
		opt, _ := classify(tok)
		if opt == optModule && !quoted && d.span(neg, start) {
			neg, start = false, -1
			continue
		}
		if quoted || opt == optUnknown {
			d.quote(start, next)
		} else {
			d.option(opt, neg, start)
		}
		neg, start = false, -1
	}
	d.flush()
	d.finish()
}

// quote remembers a part not modelled; neighbours become one quotation.
func (d *saveDecoder) quote(from, to int) {
	if d.quoteFrom >= 0 && strings.TrimSpace(d.text[d.quoteEnd:max(from, d.quoteEnd)]) == "" {
		d.quoteEnd = to
		return
	}
	d.flush()
	d.quoteFrom, d.quoteEnd = from, to
}

func (d *saveDecoder) flush() {
	if d.quoteFrom >= 0 {
		d.spec.NotModelled = append(d.spec.NotModelled, d.text[d.quoteFrom:d.quoteEnd])
		if d.targetFrom == 0 {
			d.spec.blindMatches = append(d.spec.blindMatches, d.text[d.quoteFrom:d.quoteEnd])
		}
	}
	d.quoteFrom = -1
}

func (d *saveDecoder) option(opt option, neg bool, start int) {
	// iptables before 1.4.3 wrote the negation behind the option.
	if s, e, next, _ := token(d.text, d.pos, len(d.text)); d.text[s:e] == "!" {
		neg, d.pos = true, next
	}
	ok := true
	switch opt {
	case optModule:
		d.module = d.arg()
		ok = moduleKnown(d.module)
	case optJump, optGoto:
		d.flush()
		d.spec.Target.Kind = TargetJump
		if opt == optGoto {
			d.spec.Target.Kind = TargetGoto
		}
		d.spec.Target.Name = d.arg()
		d.targetFrom = d.pos
	case optSource:
		keep(d, d.spec.Source, func(m *PrefixMatch) matcher { return addrMatch{m: m, source: true} })
		d.spec.Source, ok = prefixMatch(d.arg(), neg)
	case optDestination:
		keep(d, d.spec.Destination, func(m *PrefixMatch) matcher { return addrMatch{m: m} })
		d.spec.Destination, ok = prefixMatch(d.arg(), neg)
	case optIn:
		d.spec.InInterface = &NameMatch{Names: []string{d.arg()}, Negated: neg}
	case optOut:
		d.spec.OutInterface = &NameMatch{Names: []string{d.arg()}, Negated: neg}
	case optProtocol:
		d.spec.Protocol = &NameMatch{Names: []string{protoName(d.arg())}, Negated: neg}
	case optSport, optSports:
		keep(d, d.spec.SourcePorts, func(m *PortMatch) matcher { return portMatch{m: m, source: true} })
		d.spec.SourcePorts, ok = parsePorts(d.arg(), neg)
	case optDport, optDports:
		keep(d, d.spec.DestinationPorts, func(m *PortMatch) matcher { return portMatch{m: m} })
		d.spec.DestinationPorts, ok = parsePorts(d.arg(), neg)
	case optMark:
		if d.module == "connmark" {
			m, valid := markMatch(d.arg(), neg)
			if ok = valid; ok {
				d.also(markMatcher{m: m, conn: true}, start)
			}
			break
		}
		keep(d, d.spec.Mark, func(m *MarkMatch) matcher { return markMatcher{m: m} })
		d.spec.Mark, ok = markMatch(d.arg(), neg)
	case optPorts:
		m, valid := parsePorts(d.arg(), neg)
		if ok = valid; ok {
			d.also(eitherPort{m}, start)
		}
	case optFragment:
		d.also(fragmentMatch{neg}, start)
	case optLimitIfaceIn, optLimitIfaceOut:
		d.spec.limitIface = map[option]string{optLimitIfaceIn: "in", optLimitIfaceOut: "out"}[opt]
		d.spec.Matches = append(d.spec.Matches, d.text[start:d.pos])
	case optReturnNomatch:
		if n := len(d.spec.Sets); n > 0 {
			d.spec.Sets[n-1].ReturnNomatch = true
		}
	case optSrcType:
		keep(d, d.spec.SourceAddrType, func(m *NameMatch) matcher { return addrTypeMatch{m: m, source: true} })
		d.spec.SourceAddrType = &NameMatch{Names: strings.Split(d.arg(), ","), Negated: neg}
	case optDstType:
		keep(d, d.spec.DestinationAddrType, func(m *NameMatch) matcher { return addrTypeMatch{m: m} })
		d.spec.DestinationAddrType = &NameMatch{Names: strings.Split(d.arg(), ","), Negated: neg}
	case optCTState:
		keep(d, d.spec.CTState, func(m *NameMatch) matcher { return ctStateMatch{m} })
		d.spec.CTState = &NameMatch{Names: strings.Split(d.arg(), ","), Negated: neg}
	case optMode:
		d.statistic().Mode = d.arg()
	case optProbability:
		f, err := strconv.ParseFloat(d.arg(), 64)
		ok = err == nil && f >= 0 && f <= 1
		d.statistic().Probability, d.statistic().Negated = f, neg
	case optEvery:
		n, err := strconv.ParseUint(d.arg(), 10, 32)
		ok = err == nil && n > 0
		if ok {
			d.statistic().Probability, d.statistic().Negated = 1/float64(n), neg
		}
	case optMatchSet:
		d.spec.Sets = append(d.spec.Sets, SetMatch{Name: d.arg(), Fields: d.arg(), Negated: neg})
	case optComment:
		d.spec.Comment = d.arg()
	case optTCPFlags:
		mask, comp := d.arg(), d.arg()
		d.spec.TCPFlags = &NameMatch{Names: []string{mask + " " + comp}, Negated: neg}
	case optSyn:
		d.spec.TCPFlags = &NameMatch{Names: []string{"FIN,SYN,RST,ACK SYN"}, Negated: neg}
	case optRcheck, optRecentUpdate:
		d.recent().Negated, d.recentCheck = neg, true
	case optRecentSet:
		d.recentSet = true
		if neg { // it records the client and never matches (recent_mt, net/netfilter/xt_recent.c)
			d.also(neverMatch{}, start)
		}
	case optRecentName:
		d.recent().Names = []string{d.arg()}
	case optPacket, optAccounting:
		if _, n := classify(d.text[start:tokenEnd(d.text, start)]); n == 1 {
			d.arg()
		}
	case optCounters:
		d.arg()
		d.arg()
	default:
		ok = d.targetOption(opt, start)
	}
	if !ok {
		d.quote(start, d.pos)
	}
}

func (d *saveDecoder) targetOption(opt option, start int) bool {
	t := &d.spec.Target
	switch opt {
	case optToDestination:
		dest, ok := parseDestination(d.arg())
		if !ok {
			return false
		}
		t.ToDestinations = append(t.ToDestinations, Destination{AddrPort: dest, Share: 1})
	case optRejectWith:
		t.RejectWith = d.arg()
	case optSetMSS:
		var ok bool
		t.SetMSS, ok = parsePort(d.arg())
		return ok
	case optClampMSS:
		t.ClampMSSToPMTU = true
	case optTargetOther:
		if _, n := classify(d.text[start:tokenEnd(d.text, start)]); n == 1 {
			d.arg()
		}
	}
	return true
}

func (d *saveDecoder) finish() {
	t := &d.spec.Target
	if t.Kind == TargetNone {
		return
	}
	t.Options = strings.TrimSpace(d.text[d.targetFrom:])
	if n := len(t.ToDestinations); n > 1 {
		for i := range t.ToDestinations {
			t.ToDestinations[i].Share = 1 / float64(n)
		}
	}
	if d.recentSet && !d.recentCheck {
		d.spec.Recent = nil // --set alone records the client and matches
	}
	if t.Kind == TargetGoto {
		return
	}
	if known, ends := extension(t.Name); known {
		t.Kind = TargetExtension
		if ends {
			t.Kind = TargetVerdict
		}
		if t.Name == "CT" && strings.Contains(t.Options, "--notrack") {
			t.Name = "NOTRACK"
		}
	}
}

func (d *saveDecoder) statistic() *StatisticMatch {
	if d.spec.Statistic == nil {
		d.spec.Statistic = &StatisticMatch{}
	}
	return d.spec.Statistic
}

func (d *saveDecoder) recent() *NameMatch {
	if d.spec.Recent == nil {
		d.spec.Recent = &NameMatch{}
	}
	return d.spec.Recent
}

func tokenEnd(text string, pos int) int {
	_, e, _, _ := token(text, pos, len(text))
	return e
}

// prefixMatch reads ADDR, ADDR/LEN or ADDR/MASK, and a list of them.
func prefixMatch(s string, neg bool) (*PrefixMatch, bool) {
	m := &PrefixMatch{Negated: neg}
	for part := range strings.SplitSeq(s, ",") {
		p, ok := parsePrefix(part)
		if !ok {
			return nil, false
		}
		m.Prefixes = append(m.Prefixes, p)
	}
	return m, true
}

func parsePrefix(s string) (netip.Prefix, bool) {
	addr, mask, has := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits := a.BitLen()
	if has {
		if n, err := strconv.Atoi(mask); err == nil {
			bits = n
		} else if bits = maskBits(mask); bits < 0 {
			return netip.Prefix{}, false
		}
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}

// maskBits is the length of a contiguous netmask, or -1.
func maskBits(s string) int {
	m, err := netip.ParseAddr(s)
	if err != nil {
		return -1
	}
	bits, ended := 0, false
	for _, b := range m.AsSlice() {
		for i := 7; i >= 0; i-- {
			one := b&(1<<i) != 0
			if one && ended {
				return -1
			}
			if one {
				bits++
			}
			ended = ended || !one
		}
	}
	return bits
}

// parsePorts reads PORT, FIRST:LAST, and a list of them.
func parsePorts(s string, neg bool) (*PortMatch, bool) {
	m := &PortMatch{Negated: neg}
	for part := range strings.SplitSeq(s, ",") {
		first, last, has := strings.Cut(part, ":")
		if !has {
			last = first
		} else {
			if first == "" {
				first = "0"
			}
			if last == "" {
				last = "65535"
			}
		}
		a, ok1 := parsePort(first)
		b, ok2 := parsePort(last)
		if !ok1 || !ok2 {
			return nil, false
		}
		m.Ranges = append(m.Ranges, PortRange{a, b})
	}
	return m, true
}

func markMatch(s string, neg bool) (*MarkMatch, bool) {
	value, mask, has := strings.Cut(s, "/")
	v, err := strconv.ParseUint(value, 0, 32)
	if err != nil {
		return nil, false
	}
	m := uint64(0xffffffff)
	if has {
		if m, err = strconv.ParseUint(mask, 0, 32); err != nil {
			return nil, false
		}
	}
	return &MarkMatch{Value: uint32(v), Mask: uint32(m), Negated: neg}, true
}

// parseDestination reads ADDR or ADDR:PORT; a range of addresses or ports is not modelled.
func parseDestination(s string) (netip.AddrPort, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap, true
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(a, 0), true
	}
	return netip.AddrPort{}, false
}
