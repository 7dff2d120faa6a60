package netfilter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// truth is what is known of a condition.
type truth uint8

const (
	no truth = iota
	yes
	maybe
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) negate(neg bool) truth {
	if !neg || t == maybe {
		return t
	}
	return truthOf(t == no)
}

// packet is the first packet of a connection to a Service: its source, interface and mark are anybody's.
type packet struct {
	dst   netip.Addr
	proto string
	port  uint16
	local truth // whether dst is an address of this namespace
}

// answer is whether a rule matches a packet.
type answer struct {
	truth truth
	share float64  // of the packets, by statistic
	vague bool     // share is not known
	when  []string // conditions on what the question leaves open
	blind []string // quoted parts of the rule that are not modelled
	fresh bool     // the rule is for clients seen before; this one is new
}

// match asks a rule about a packet. lookup answers for named sets.
func (s *Spec) match(p *packet, lookup func(SetMatch) truth) answer {
	a := answer{truth: yes, share: 1}
	open := func(format string, args ...any) { a.when = append(a.when, fmt.Sprintf(format, args...)) }
	deny := func(t truth) bool { return t == no }
	if m := s.Destination; m != nil && !m.matches(p.dst) {
		return answer{}
	}
	if m := s.Protocol; m != nil && deny(m.protocol(p.proto)) {
		return answer{}
	}
	if m := s.DestinationPorts; m != nil && !m.matches(p.port) {
		return answer{}
	}
	if m := s.CTState; m != nil && deny(m.newState()) {
		return answer{}
	}
	if m := s.TCPFlags; m != nil && (p.proto != "tcp" || deny(m.synFlags())) {
		return answer{}
	}
	if m := s.DestinationAddrType; m != nil {
		switch m.addrType(p.local) {
		case no:
			return answer{}
		case maybe:
			open("%s is%s of type %s on this node", p.dst, not(m.Negated), strings.Join(m.Names, ","))
		}
	}
	if s.Recent != nil && !s.Recent.Negated {
		return answer{fresh: true}
	}
	for _, m := range s.Sets {
		switch lookup(m).negate(m.Negated) {
		case no:
			return answer{}
		case maybe:
			if m.Fields == "ip saddr" || m.Fields == "ip6 saddr" || m.Fields == "src" {
				open("source is%s in set %s", not(m.Negated), m.Name)
				continue
			}
			a.blind = append(a.blind, strings.TrimSpace(not(m.Negated)+" set "+m.Name+" "+m.Fields))
		}
	}
	if m := s.Source; m != nil && !m.everything() {
		open("source is%s in %s", not(m.Negated), m.list())
	}
	if m := s.InInterface; m != nil && !m.anyInterface() {
		open("input interface is%s %s", not(m.Negated), strings.Join(m.Names, ","))
	}
	if m := s.OutInterface; m != nil && !m.anyInterface() {
		open("output interface is%s %s", not(m.Negated), strings.Join(m.Names, ","))
	}
	if m := s.SourcePorts; m != nil && !m.everything() {
		open("source port is%s in %s", not(m.Negated), m.list())
	}
	if m := s.SourceAddrType; m != nil {
		open("source is%s of type %s", not(m.Negated), strings.Join(m.Names, ","))
	}
	if m := s.Mark; m != nil {
		open("mark is%s %#x/%#x", not(m.Negated), m.Value, m.Mask)
	}
	if m := s.Statistic; m != nil {
		switch {
		case m.Hidden:
			a.share, a.vague = 0.5, true // any share that leaves some to both ways
		case m.Negated:
			a.share = 1 - m.Probability
		default:
			a.share = m.Probability
		}
	}
	a.blind = append(append(a.blind, s.Matches...), s.NotModelled...)
	if len(a.when) > 0 || len(a.blind) > 0 {
		a.truth = maybe
	}
	return a
}

func not(neg bool) string {
	if neg {
		return " not"
	}
	return ""
}

func (m *NameMatch) protocol(proto string) truth {
	for _, n := range m.Names {
		if n == "all" || n == "0" {
			return truthOf(!m.Negated)
		}
	}
	return truthOf(m.matches(proto))
}

// newState asks for the conntrack state of a first packet that nothing has translated yet.
func (m *NameMatch) newState() truth { return truthOf(m.matches("NEW")) }

// synFlags asks whether a packet with SYN alone matches "MASK COMP".
func (m *NameMatch) synFlags() truth {
	mask, comp, _ := strings.Cut(m.Names[0], " ")
	got := true
	for f := range strings.SplitSeq(mask, ",") {
		want := false
		for c := range strings.SplitSeq(comp, ",") {
			want = want || c == f || c == "ALL"
		}
		if f == "ALL" {
			got = got && comp == "SYN"
			continue
		}
		got = got && want == (f == "SYN")
	}
	return truthOf(got != m.Negated)
}

func (m *NameMatch) addrType(local truth) truth {
	for _, n := range m.Names {
		switch {
		case n == "LOCAL" && len(m.Names) == 1:
			return local.negate(m.Negated)
		case n == "UNICAST" && len(m.Names) == 1 && local == yes:
			return truthOf(m.Negated)
		}
	}
	return maybe
}

func (m *NameMatch) anyInterface() bool {
	return !m.Negated && len(m.Names) == 1 && (m.Names[0] == "+" || m.Names[0] == "*")
}

func (m *PrefixMatch) everything() bool {
	return !m.Negated && len(m.Ranges) == 0 && len(m.Prefixes) == 1 && m.Prefixes[0].Bits() == 0
}

func (m *PrefixMatch) list() string {
	var w []string
	for _, p := range m.Prefixes {
		w = append(w, p.String())
	}
	for _, r := range m.Ranges {
		w = append(w, r.First.String()+"-"+r.Last.String())
	}
	return strings.Join(w, ", ")
}

func (m *PortMatch) everything() bool {
	return !m.Negated && len(m.Ranges) == 1 && m.Ranges[0].First == 0 && m.Ranges[0].Last == 65535
}

func (m *PortMatch) list() string {
	var w []string
	for _, r := range m.Ranges {
		s := strconv.Itoa(int(r.First))
		if r.Last != r.First {
			s += "-" + strconv.Itoa(int(r.Last))
		}
		w = append(w, s)
	}
	return strings.Join(w, ",")
}
