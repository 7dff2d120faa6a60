package netfilter

import (
	"net/netip"
	"strconv"
	"strings"
)

// addrMatch matches the source or destination.
type addrMatch struct {
	m      *PrefixMatch
	source bool
	// family is that of `ip saddr` or `ip6 saddr`: in an inet table a packet of the other family never matches.
	family string
}

func (a addrMatch) match(v *view) reply {
	if a.family != "" && a.family != v.family {
		return reply{truth: no}
	}
	addr, subject := v.p.Dst, "destination"
	if a.source {
		addr, subject = v.p.Src, "source"
	}
	if addr.IsValid() {
		return reply{truth: truthOf(a.m.matches(addr))}
	}
	if a.m.everything() {
		return reply{truth: yes}
	}
	r := open(subject, "in "+a.m.list(), a.m.Negated)
	if len(a.m.Prefixes) == 1 && len(a.m.Ranges) == 0 && a.m.Prefixes[0].IsSingleIP() {
		host := a.m.Prefixes[0].Addr()
		r.settle = func(p *Packet) {
			if a.source {
				p.Src = host
			} else {
				p.Dst = host
			}
		}
	}
	return r
}

// ifaceMatch matches the input or output interface. A name may end in iptables' + or nft's *.
type ifaceMatch struct {
	m   *NameMatch
	out bool
}

func (i ifaceMatch) match(v *view) reply {
	name, known := v.iif()
	subject := "input interface"
	if i.out {
		name, known = v.oif()
		subject = "output interface"
	}
	if known {
		return sure(ifaceIn(i.m.Names, name), i.m.Negated)
	}
	if i.m.anyInterface() {
		return reply{truth: yes}
	}
	r := open(subject, i.m.list(), i.m.Negated)
	if n := i.m.Names; len(n) == 1 && !strings.HasSuffix(n[0], "+") && !strings.HasSuffix(n[0], "*") {
		r.settle = func(p *Packet) {
			if i.out {
				p.Oif = n[0]
			} else {
				p.Iif = n[0]
			}
		}
	}
	return r
}

func ifaceIn(names []string, name string) bool {
	for _, n := range names {
		if prefix, wild := strings.CutSuffix(n, "+"); wild && strings.HasPrefix(name, prefix) {
			return true
		}
		if prefix, wild := strings.CutSuffix(n, "*"); wild && strings.HasPrefix(name, prefix) {
			return true
		}
		if n == name {
			return true
		}
	}
	return false
}

type protoMatch struct{ m *NameMatch }

func (m protoMatch) match(v *view) reply {
	for _, n := range m.m.Names {
		if n == "all" || n == "0" {
			return sure(true, m.m.Negated)
		}
	}
	if v.p.Proto != "" {
		return reply{truth: truthOf(m.m.matches(v.p.Proto))}
	}
	r := open("protocol", m.m.list(), m.m.Negated)
	if len(m.m.Names) == 1 {
		r.settle = func(p *Packet) { p.Proto = m.m.Names[0] }
	}
	return r
}

// portMatch matches ports. A later fragment has no ports and never matches (tcp_mt, multiport_mt).
type portMatch struct {
	m      *PortMatch
	source bool
	// raw is nft's `th`: it reads where ports would stand, whatever the protocol.
	raw bool
}

func (m portMatch) match(v *view) reply {
	port, subject := v.p.Dport, "destination port"
	if m.source {
		port, subject = v.p.Sport, "source port"
	}
	has := v.p.hasPorts()
	switch {
	case v.p.Fragment || (has == no && !m.raw):
		return reply{truth: no}
	case has == yes && port != 0:
		return reply{truth: truthOf(m.m.matches(port))}
	case m.m.everything() && has == yes:
		return reply{truth: yes}
	case has == no:
		return open("the "+strings.TrimSuffix(subject, " port")+" port field of its header", "in "+m.m.list(), m.m.Negated)
	}
	r := open(subject, "in "+m.m.list(), m.m.Negated)
	if p := m.m.Ranges; has == yes && len(p) == 1 && p[0].First == p[0].Last {
		r.settle = func(q *Packet) {
			if m.source {
				q.Sport = p[0].First
			} else {
				q.Dport = p[0].First
			}
		}
	}
	return r
}

// eitherPort is multiport's --ports.
type eitherPort struct{ m *PortMatch }

func (m eitherPort) match(v *view) reply {
	plain := &PortMatch{Ranges: m.m.Ranges}
	r := eitherOf(portMatch{m: plain, source: true}.match(v), portMatch{m: plain}.match(v))
	if r.truth == maybe {
		r.want = r.want != m.m.Negated
		return r
	}
	if v.p.Fragment || v.p.hasPorts() == no {
		return reply{truth: no}
	}
	return sure(r.truth == yes, m.m.Negated)
}

type tcpFlagsMatch struct {
	mask, value TCPFlags
	negated     bool
	any         bool // nft's `tcp flags syn,ack`: one of them is enough
}

func (m tcpFlagsMatch) match(v *view) reply {
	switch {
	case v.p.Proto != "" && v.p.Proto != "tcp", v.p.Fragment:
		return reply{truth: no}
	case v.p.TCPFlags == 0 || v.p.Proto == "":
		return open("flags & "+m.mask.String(), m.value.String(), m.negated)
	case m.any:
		return sure(v.p.TCPFlags&m.value != 0, m.negated)
	}
	return sure(v.p.TCPFlags&m.mask == m.value, m.negated)
}

// String lists the flags as iptables does.
func (f TCPFlags) String() string {
	if f == 0 {
		return "NONE"
	}
	var names []string
	for i, n := range [...]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// icmpMatch matches the type, and the code where one is asked for.
type icmpMatch struct {
	proto      string
	kind, code int // -1 is any
	negated    bool
}

func (m icmpMatch) match(v *view) reply {
	switch {
	case v.p.Proto != "" && v.p.Proto != m.proto, v.p.Fragment:
		return reply{truth: no}
	case m.kind < 0 && m.code < 0:
		return sure(true, m.negated)
	case v.p.Proto == "" || (m.kind >= 0 && v.p.ICMPType < 0) || (m.code >= 0 && v.p.ICMPCode < 0):
		return open("ICMP type and code", strconv.Itoa(m.kind)+"/"+strconv.Itoa(m.code), m.negated)
	}
	return sure((m.kind < 0 || m.kind == v.p.ICMPType) && (m.code < 0 || m.code == v.p.ICMPCode), m.negated)
}

// numberMatch matches a field of the header against a range: length, ttl.
type numberMatch struct {
	field       string // length or ttl
	first, last int
	negated     bool
}

func (m numberMatch) match(v *view) reply {
	n := v.p.TTL
	if m.field == "length" {
		n = v.p.Length
	}
	if n == 0 {
		return open(m.field, "between "+strconv.Itoa(m.first)+" and "+strconv.Itoa(m.last), m.negated)
	}
	return sure(m.first <= n && n <= m.last, m.negated)
}

// fragmentMatch is iptables' -f.
type fragmentMatch struct{ negated bool }

func (m fragmentMatch) match(v *view) reply { return sure(v.p.Fragment, m.negated) }

// addrRange reads FIRST-LAST or one address.
func addrRange(s string) (AddrRange, bool) {
	first, last, has := strings.Cut(s, "-")
	if !has {
		last = first
	}
	a, err1 := netip.ParseAddr(first)
	b, err2 := netip.ParseAddr(last)
	ok := err1 == nil && err2 == nil && a.BitLen() == b.BitLen() && !b.Less(a) && a.Zone() == "" && b.Zone() == ""
	return AddrRange{a, b}, ok
}
