package netfilter

import (
	"net/netip"
	"strings"
)

// action gives what the target of an iptables rule does; nil for a rule without one.
func (t *Target) action() *action {
	unknown := &action{kind: actUnknown, quote: strings.TrimSpace("-j " + t.Name + " " + t.Options)}
	switch t.Kind {
	case TargetNone:
		return nil
	case TargetJump:
		return &action{kind: actJump, name: t.Name}
	case TargetGoto:
		return &action{kind: actGoto, name: t.Name}
	}
	switch t.Name {
	case "ACCEPT":
		return &action{kind: actAccept}
	case "DROP":
		return &action{kind: actDrop}
	case "REJECT":
		return &action{kind: actReject, with: t.RejectWith}
	case "RETURN":
		return &action{kind: actReturn}
	case "NOTRACK":
		return &action{kind: actNotrack}
	case "MARK", "CONNMARK":
		c, ok := markTarget(t.Name == "CONNMARK", t.Options)
		if !ok {
			return unknown
		}
		return &action{kind: actMark, mark: c}
	case "TPROXY":
		return tproxyTarget(t.Options, unknown)
	case "TTL", "HL":
		c, ok := ttlTarget(t.Options)
		if !ok {
			return unknown
		}
		return &action{kind: actSetTTL, ttl: c}
	case "DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP":
		n, ok := natTarget(t.Name, t.Options)
		if !ok {
			return unknown
		}
		return &action{kind: actNAT, nat: n}
	}
	if known, ends := extension(t.Name); known && !ends {
		return &action{kind: actNothing}
	}
	return unknown
}

// tproxyTarget reads where TPROXY looks for a socket, and the mark that it sets.
func tproxyTarget(options string, unknown *action) *action {
	a := &action{kind: actTProxy, mark: markChange{ofMark: ^uint32(0)}}
	words := strings.Fields(options)
	addr, port := "any address", ""
	for i := 0; i+1 < len(words); i += 2 {
		switch words[i] {
		case "--on-port":
			port = words[i+1]
		case "--on-ip":
			addr = words[i+1]
		case "--tproxy-mark":
			m, ok := markMatch(words[i+1], false)
			if !ok {
				return unknown
			}
			a.mark.and(^m.Mask) // (mark & ~mask) ^ value, as MARK's xset
			a.mark.xor(m.Value)
		default:
			return unknown
		}
	}
	if port == "" || len(words)%2 != 0 {
		return unknown
	}
	a.name = "a transparent socket takes it, as one listening at " + addr + " port " + port + " does"
	return a
}

// natTarget reads the options of iptables' NAT targets.
func natTarget(kind, options string) (*natChange, bool) {
	n := &natChange{kind: kind}
	words := strings.Fields(options)
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "--random", "--random-fully":
			n.random = true
			continue
		case "--persistent":
			continue
		}
		option := words[i]
		if i++; i >= len(words) {
			return nil, false
		}
		var d natDest
		ok := true
		switch option {
		case "--to-destination", "--to-source":
			d, ok = natDestination(words[i])
		case "--to-ports":
			d.ports, ok = portRange(words[i])
		case "--to":
			n.prefix, ok = parsePrefix(words[i])
		default:
			return nil, false
		}
		if !ok {
			return nil, false
		}
		n.dests = append(n.dests, d)
	}
	if n.prefix.IsValid() != (kind == "NETMAP") {
		return nil, false
	}
	if len(n.dests) == 0 {
		if kind == "DNAT" || kind == "SNAT" {
			return nil, false
		}
		n.dests = []natDest{{}}
	}
	for i := range n.dests {
		n.dests[i].share = 1 / float64(len(n.dests))
	}
	return n, true
}

// natDestination reads ADDR, ADDR-ADDR, with :PORT or :PORT-PORT, :PORT, and ADDR . PORT of nft's maps.
func natDestination(s string) (natDest, bool) {
	var d natDest
	addr, ports := s, ""
	switch {
	case strings.Contains(s, " . "):
		addr, ports, _ = strings.Cut(s, " . ")
	case strings.HasPrefix(s, "["):
		end := strings.LastIndexByte(s, ']')
		if end < 0 {
			return d, false
		}
		addr, ports = s[1:end], strings.TrimPrefix(s[end+1:], ":")
	case strings.Count(s, ":") == 1:
		addr, ports, _ = strings.Cut(s, ":")
	}
	if addr = strings.TrimSpace(addr); addr != "" {
		var ok bool
		if strings.IndexByte(addr, '[') >= 0 { // nft brackets both ends of a range
			addr = strings.ReplaceAll(strings.ReplaceAll(addr, "[", ""), "]", "")
		}
		if d.addrs, ok = addrRange(addr); !ok {
			return d, false
		}
	}
	if ports != "" {
		var ok bool
		if d.ports, ok = portRange(strings.TrimSpace(ports)); !ok {
			return d, false
		}
	}
	return d, addr != "" || ports != ""
}

func portRange(s string) (PortRange, bool) {
	first, last, has := strings.Cut(s, "-")
	if !has {
		last = first
	}
	a, ok1 := parsePort(first)
	b, ok2 := parsePort(last)
	return PortRange{a, b}, ok1 && ok2 && a > 0 && a <= b
}

// mapped puts a prefix's bits over an address, as NETMAP does.
func mapped(a netip.Addr, to netip.Prefix) (netip.Addr, bool) {
	if a.BitLen() != to.Addr().BitLen() {
		return netip.Addr{}, false
	}
	out, over := a.AsSlice(), to.Masked().Addr().AsSlice()
	for i := range out {
		bits := min(max(to.Bits()-8*i, 0), 8)
		mask := byte(0xff) << (8 - bits)
		out[i] = out[i]&^mask | over[i]&mask
	}
	return netip.AddrFromSlice(out)
}
