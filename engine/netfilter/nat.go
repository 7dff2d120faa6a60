package netfilter

import "net/netip"

// maxNATChoices bounds how many addresses or ports of a range are told apart; of more the port is not known.
const maxNATChoices = 16

// natChange is a translation of the first packet of a connection.
type natChange struct {
	kind   string
	family string // of nft's statement in an inet table; empty is the packet's
	dests  []natDest
	random bool // the source port is changed to a random one
	prefix netip.Prefix
	lookup *lookup // nft: dests come from a map
}

// natDest is one destination, or source, and its share of the packets. Zero addresses and ports are kept.
type natDest struct {
	addrs AddrRange
	ports PortRange
	share float64
}

func (n *natChange) source() bool { return n.kind == "SNAT" || n.kind == "MASQUERADE" }

// natChoice is a natDest made definite: port 0 with some is set means a port that only chance knows.
type natChoice struct {
	addr    netip.Addr
	port    uint16
	setPort bool
	share   float64
}

// choices expands a destination for a packet whose port is now: the kernel keeps a port that is in the range unless
// told otherwise, and takes any of them else (get_unique_tuple, net/netfilter/nf_nat_core.c).
func (n *natChange) choices(d natDest, now uint16, hasPorts bool) ([]natChoice, bool) {
	var addrs []netip.Addr
	if d.addrs.First.IsValid() {
		for a := d.addrs.First; a.Compare(d.addrs.Last) <= 0; a = a.Next() {
			if len(addrs) == maxNATChoices {
				return nil, false
			}
			addrs = append(addrs, a)
			if a == d.addrs.Last {
				break
			}
		}
	} else {
		addrs = []netip.Addr{{}}
	}
	ports, set := []uint16{0}, false
	switch size := int(d.ports.Last) - int(d.ports.First) + 1; {
	case !hasPorts:
	case d.ports.First == 0:
		set = n.random && n.source()
	case size == 1:
		ports[0], set = d.ports.First, true
	case !n.random && d.ports.First <= now && now <= d.ports.Last:
		ports[0], set = now, true
	case size <= maxNATChoices:
		ports, set = ports[:0], true
		for p := d.ports.First; len(ports) < size; p++ {
			ports = append(ports, p)
		}
	default:
		set = true
	}
	var out []natChoice
	for _, a := range addrs {
		for _, p := range ports {
			out = append(out, natChoice{a, p, set, d.share / float64(len(addrs)*len(ports))})
		}
	}
	return out, true
}

// redirectAddr is where REDIRECT sends a packet: to this host by its first address on the interface by which it came,
// or to loopback (nf_nat_redirect_ipv4). It is not valid where those addresses are not known.
func (v *view) redirectAddr() netip.Addr {
	if v.hook == HookOutput {
		if v.family == "ip6" {
			return netip.IPv6Loopback()
		}
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if v.family == "ip6" {
		return netip.Addr{} // chosen by scope
	}
	for _, a := range v.set.InterfaceAddrs[v.p.Iif] {
		if a.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// translate applies NAT and leaves the chain, and with it the NAT of this hook.
func (m *traversal) translate(w *way, n *natChange, dests []natDest, hop *Hop) []*leaf {
	v := m.view(w)
	p := &w.pkt
	now := p.Dport
	if n.source() || (n.kind == "NETMAP" && !m.hook.translatesDestination()) {
		now = p.Sport
	}
	var choices []natChoice
	for _, d := range dests {
		c, ok := n.choices(d, now, p.hasPorts() != no)
		if !ok {
			m.by(w, hop)
			return m.unknown(w, "the range of addresses is too wide to tell where it leads: %s", hop.Rule)
		}
		choices = append(choices, c...)
	}
	if len(choices) == 1 {
		m.translateTo(w, v, n, choices[0], hop)
		return nil
	}
	var ways []branch
	for _, c := range choices {
		next := m.copy(w)
		m.translateTo(next, v, n, c, hop)
		ways = append(ways, branch{way: next, weight: c.share})
	}
	return m.part(w, ways)
}

func (m *traversal) translateTo(w *way, v *view, n *natChange, c natChoice, hop *Hop) {
	w.apply(v, n, c)
	m.by(w, hop)
	w.translated, w.in, w.op = true, false, 0
}

// apply rewrites the packet. The connection counts as translated only if that changes something (nf_nat_setup_info).
func (w *way) apply(v *view, n *natChange, c natChoice) {
	p := &w.pkt
	before := NAT{Kind: n.kind, OldSrc: netip.AddrPortFrom(p.Src, p.Sport), OldDst: netip.AddrPortFrom(p.Dst, p.Dport)}
	addr, port := &p.Dst, &p.Dport
	if !v.hook.translatesDestination() {
		addr, port = &p.Src, &p.Sport
	}
	newAddr := c.addr
	switch n.kind {
	case "NETMAP":
		newAddr, _ = mapped(*addr, n.prefix)
	case "REDIRECT":
		newAddr = v.redirectAddr()
	case "MASQUERADE":
		newAddr = *addr
		w.masquerade = true
	}
	if newAddr.IsValid() || n.kind == "REDIRECT" {
		*addr = newAddr
	}
	if c.setPort {
		*port = c.port
	}
	before.NewSrc, before.NewDst = netip.AddrPortFrom(p.Src, p.Sport), netip.AddrPortFrom(p.Dst, p.Dport)
	if n.kind == "MASQUERADE" {
		before.NewSrc = netip.AddrPortFrom(netip.Addr{}, p.Sport)
	}
	if before.OldDst != before.NewDst {
		p.CtDNAT = true
	}
	if before.OldSrc != before.NewSrc {
		p.CtSNAT = true
	}
	w.nat = &before
}
