package netfilter

import (
	"net/netip"
	"slices"
	"strings"
)

// ctStateMatch is --ctstate, --state and `ct state`. A packet without connection is INVALID, or UNTRACKED: so is every
// packet to a chain before conntrack (conntrack_mt, net/netfilter/xt_conntrack.c; nft_ct_get_eval).
type ctStateMatch struct{ m *NameMatch }

func (m ctStateMatch) match(v *view) reply {
	for _, n := range m.m.Names {
		if (n == "DNAT" && v.p.CtDNAT || n == "SNAT" && v.p.CtSNAT) && v.conn == yes {
			return sure(true, m.m.Negated)
		}
	}
	if v.state != "" {
		return sure(slices.Contains(m.m.Names, v.state), m.m.Negated)
	}
	r := open("conntrack state", m.m.list(), m.m.Negated)
	if n := m.m.Names; len(n) == 1 && v.conn == yes {
		r.settle = func(p *Packet) { p.CtState = n[0] }
	}
	return r
}

// ctStatusMatch is --ctstatus and `ct status`, as far as packets tell: SNAT and DNAT, and SEEN_REPLY of connections
// that are established.
type ctStatusMatch struct {
	m    *NameMatch
	text string
}

func (m ctStatusMatch) match(v *view) reply {
	if v.conn == no {
		return reply{truth: no}
	}
	holds, opened := false, v.conn == maybe
	for _, n := range m.m.Names {
		switch strings.ReplaceAll(strings.ToUpper(n), "-", "_") {
		case "DNAT":
			holds = holds || v.p.CtDNAT
		case "SNAT":
			holds = holds || v.p.CtSNAT
		case "SEEN_REPLY":
			holds = holds || v.p.CtDir == "REPLY"
			opened = opened || v.state != "NEW"
		case "ASSURED", "CONFIRMED", "EXPECTED":
			opened = opened || v.state != "NEW"
		default:
			return notModelled(m.text)
		}
	}
	if !holds && opened {
		return open("connection status", m.m.list(), m.m.Negated)
	}
	return sure(holds, m.m.Negated)
}

type ctDirMatch struct {
	dir     string
	negated bool
}

func (m ctDirMatch) match(v *view) reply {
	switch {
	case v.conn == no:
		return reply{truth: no}
	case v.conn == maybe || v.p.CtDir == "":
		return open("direction", m.dir, m.negated)
	}
	return sure(v.p.CtDir == m.dir, m.negated)
}

// ctTupleMatch matches an end of the connection as it was first, or as replies come (--ctorigdst, --ctreplsrc, …).
type ctTupleMatch struct {
	reply, source bool
	addrs         *PrefixMatch // or
	ports         *PortMatch
	text          string
}

func (m ctTupleMatch) match(v *view) reply {
	if v.conn == no {
		return reply{truth: no}
	}
	ap := v.p.CtOrigDst
	if m.source {
		ap = v.p.CtOrigSrc
	}
	if m.reply {
		ap = v.replyEnd(m.source)
	}
	switch {
	case v.conn == yes && m.addrs != nil && ap.Addr().IsValid():
		return reply{truth: truthOf(m.addrs.matches(ap.Addr()))}
	case v.conn == yes && m.ports != nil && ap.Addr().IsValid() && (ap.Port() != 0 || v.p.hasPorts() == no):
		return reply{truth: truthOf(m.ports.matches(ap.Port()))}
	}
	return passing(m.text)
}

// replyEnd gives the source or destination of answers, as far as the packet tells: those to a packet of the
// original direction go the other way between what it has now.
func (v *view) replyEnd(source bool) netip.AddrPort {
	if v.p.CtDir != "ORIGINAL" {
		return netip.AddrPort{}
	}
	if source {
		return netip.AddrPortFrom(v.p.Dst, v.p.Dport)
	}
	return netip.AddrPortFrom(v.p.Src, v.p.Sport)
}

// markMatcher matches the packet's mark, or with conn the connection's: without one it never matches.
type markMatcher struct {
	m    *MarkMatch
	conn bool
}

func (m markMatcher) match(v *view) reply {
	mark := v.p.Mark
	if m.conn {
		if v.conn != yes {
			if v.conn == no {
				return reply{truth: no}
			}
			return passing("connmark")
		}
		mark = v.p.Ctmark
	}
	return sure(mark&m.m.Mask == m.m.Value, m.m.Negated)
}
