package netfilter

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// addrTypeMatch is xt_addrtype and nft's `fib … type`: what the local routing table says of an address.
type addrTypeMatch struct {
	m      *NameMatch
	source bool
	limit  string // in or out: only addresses of that interface are local
}

func (m addrTypeMatch) match(v *view) reply {
	addr, subject := v.p.Dst, "destination"
	if m.source {
		addr, subject = v.p.Src, "source"
	}
	var dev string
	if m.limit != "" {
		known := false
		if dev, known = v.iif(); m.limit == "out" {
			dev, known = v.oif()
		}
		if !known {
			return open(subject, "of type "+m.m.list()+" on its "+m.limit+"put interface", m.m.Negated)
		}
	}
	if addr.IsValid() {
		subject = addr.String()
	}
	held, opened := false, false
	for _, name := range m.m.Names {
		switch v.set.addrHasType(addr, name, dev) {
		case yes:
			held = true
		case maybe:
			opened = true
		}
	}
	if !held && opened {
		return open(subject, "of type "+m.m.list()+" on this node", m.m.Negated)
	}
	return sure(held, m.m.Negated)
}

// addrHasType follows __inet_dev_addr_type (net/ipv4/fib_frontend.c): an address is broadcast or multicast by its
// value, local or broadcast by the local table, and unicast else. With dev, routes of another interface do not count.
func (r *Ruleset) addrHasType(a netip.Addr, name, dev string) truth {
	if !a.IsValid() {
		return maybe
	}
	fixed := ""
	switch {
	case a.IsMulticast():
		fixed = "MULTICAST"
	case a.Is4() && (a.As4()[0] == 0 || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})):
		fixed = "BROADCAST"
	}
	if fixed != "" {
		return truthOf(fixed == name)
	}
	local := r.isLocal(a)
	if dev != "" && local != no {
		local = maybe
		if r.InterfaceAddrs != nil {
			local = truthOf(slices.Contains(r.InterfaceAddrs[dev], a) || (dev == "lo" && a.IsLoopback()))
		}
	}
	broadcast := no
	if a.Is4() && local != yes {
		broadcast = maybe
		if r.BroadcastAddrs != nil {
			broadcast = truthOf(slices.Contains(r.BroadcastAddrs, a))
		}
	}
	switch name {
	case "LOCAL":
		return local
	case "BROADCAST":
		return broadcast
	case "UNICAST":
		if local == yes || broadcast == yes {
			return no
		}
		if local == no && broadcast == no && a.Is4() {
			return yes
		}
		return maybe
	case "MULTICAST":
		return no
	}
	return maybe
}

// physdevMatch is xt_physdev (physdev_mt): the ports of a bridge, or that there are some.
type physdevMatch struct {
	what    string // in, out, is-in, is-out, is-bridged
	name    string
	negated bool
}

func (m physdevMatch) match(v *view) reply {
	in, out := v.p.PhysIn, v.p.PhysOut
	if in == "" && out == "" {
		return reply{truth: truthOf(m.negated)}
	}
	switch m.what {
	case "in":
		// A packet without a port of entry passes --physdev-in, negated or not.
		return reply{truth: truthOf(in == "" || ifaceIn([]string{m.name}, in) != m.negated)}
	case "out":
		return reply{truth: truthOf(out != "" && ifaceIn([]string{m.name}, out) != m.negated)}
	case "is-in":
		return sure(in != "", m.negated)
	}
	return sure(out != "", m.negated)
}

// ownerMatch is xt_owner's --uid-owner, and --socket-exists with first < 0. A packet that no socket of this host
// sent has no owner: it matches the negation alone (owner_mt).
type ownerMatch struct {
	first, last int
	negated     bool
	strict      bool // nft's `meta skuid`: without a socket never
	group       bool
}

func (m ownerMatch) match(v *view) reply {
	if v.hook != HookOutput && v.p.UID == nil {
		if v.hook != HookPostrouting || v.p.Iif != "" {
			return reply{truth: truthOf(m.negated && !m.strict)}
		}
	}
	switch {
	case v.p.UID != nil && m.first < 0:
		return sure(true, m.negated)
	case v.p.UID != nil && !m.group:
		return sure(m.first <= *v.p.UID && *v.p.UID <= m.last, m.negated)
	case m.first < 0:
		return open("the sender", "a socket of this host", m.negated)
	}
	who := "user of the sender"
	if m.group {
		who = "group of the sender"
	}
	span := strconv.Itoa(m.first)
	if m.last != m.first {
		span += "-" + strconv.Itoa(m.last)
	}
	return open(who, span, m.negated)
}

// statisticMatch is a choice by chance, or every nth packet, which for one packet is the same.
type statisticMatch struct{ m *StatisticMatch }

func (m statisticMatch) match(*view) reply {
	p := m.m.Probability
	if m.m.Hidden {
		p = 0.5 // any share that leaves some to both ways
	}
	if m.m.Negated {
		p = 1 - p
	}
	r := chance(p)
	if r.truth == maybe {
		r.vague = m.m.Hidden
	}
	return r
}

// recentMatch asks whether the client was here before: xt_recent's check, and lookups in the sets that packets fill.
type recentMatch struct {
	text    string
	negated bool
}

func (m recentMatch) match(v *view) reply {
	if v.fresh {
		r := sure(false, m.negated)
		if !m.negated {
			r.doubt = &doubt{seen: true}
		}
		return r
	}
	return passing(m.text)
}

// momentMatch depends on what no listing and no packet tells: a rate, a list of clients, the time.
type momentMatch struct{ text string }

func (m momentMatch) match(*view) reply { return passing(strings.TrimSpace(m.text)) }

// blindMatch is not modelled.
type blindMatch struct{ text string }

func (m blindMatch) match(*view) reply { return notModelled(m.text) }

// neverMatch matches no packet.
type neverMatch struct{}

func (neverMatch) match(*view) reply { return reply{truth: no} }
