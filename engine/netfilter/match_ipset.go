package netfilter

import (
	"net/netip"
	"strings"
)

// maxSetDepth bounds list:set; the kernel lets no list be in another (list_set_uadd).
const maxSetDepth = 2

// ipsetMatch is xt_set's --match-set.
type ipsetMatch struct{ m SetMatch }

func (i ipsetMatch) match(v *view) reply {
	text := strings.TrimSpace("--match-set " + i.m.Name + " " + i.m.Fields)
	if v.set.IPSet == nil {
		return notModelled(text + ": ipset save was not read")
	}
	set := v.set.IPSet.sets[i.m.Name]
	if set == nil {
		return notModelled(text + ": the set is not in the listing")
	}
	t, exception := v.set.IPSet.holds(set, strings.Split(i.m.Fields, ","), v, 0)
	if i.m.ReturnNomatch && t != maybe {
		t = truthOf(t == no && exception)
	}
	if t != maybe {
		return sure(t == yes, i.m.Negated)
	}
	if set.odd {
		return notModelled(text + ": not all of the set is understood")
	}
	return open(i.m.Fields, "in set "+i.m.Name, i.m.Negated)
}

// holds asks whether a set holds the packet; exception is that an element marked nomatch does. A set of another family,
// or of more dimensions than are asked for, never does (ip_set_test, net/netfilter/ipset/ip_set_core.c).
func (s *IPSet) holds(set *ipset, dirs []string, v *view, depth int) (t truth, exception bool) {
	if (set.family != "" && set.family != v.family) || len(dirs) < len(set.dims) {
		return no, false
	}
	if strings.HasPrefix(set.kind, "list:") {
		if depth >= maxSetDepth {
			return maybe, false
		}
		opened := false
		for _, name := range set.members {
			member := s.sets[name]
			if member == nil {
				opened = true
				continue
			}
			switch t, ex := s.holds(member, dirs, v, depth+1); t {
			case yes:
				return yes, ex
			case maybe:
				opened = true
			}
		}
		if opened {
			return maybe, false
		}
		return no, false
	}
	t, exception = set.lookup(dirs, v)
	if t == no && set.odd && !exception {
		return maybe, false
	}
	return t, exception
}

func (set *ipset) lookup(dirs []string, v *view) (t truth, exception bool) {
	if set.kind == "" {
		return maybe, false
	}
	if dim := set.dims[0]; dim != "ip" && dim != "net" {
		return set.among(set.rest, 0, dirs, v)
	}
	addr := v.addr(dirs[0])
	if !addr.IsValid() {
		if len(set.first) == 0 {
			return no, false
		}
		return maybe, false
	}
	opened := false
	for _, bits := range set.lengths {
		p, err := addr.Prefix(bits)
		if err != nil {
			continue
		}
		switch t, ex := set.among(set.first[p], 1, dirs, v); {
		case t == yes || ex:
			if opened {
				return maybe, false
			}
			return t, ex
		case t == maybe:
			opened = true
		}
	}
	if opened {
		return maybe, false
	}
	return no, false
}

// among looks for an element whose dimensions from the given one on are the packet's.
func (set *ipset) among(list []ipsetElem, from int, dirs []string, v *view) (t truth, exception bool) {
	opened := false
	for i := range list {
		e := &list[i]
		got, nets := yes, 0
		for d, dim := range set.dims {
			second := nets
			if dim == "ip" || dim == "net" {
				nets++
			}
			if d < from {
				continue
			}
			got = both(got, e.holds(dim, second, dirs[d], v))
		}
		switch {
		case got == yes && opened:
			return maybe, false
		case got == yes:
			return truthOf(!e.nomatch), e.nomatch
		case got == maybe:
			opened = true
		}
	}
	if opened {
		return maybe, false
	}
	return no, false
}

// both is a logical and.
func both(a, b truth) truth {
	switch {
	case a == no || b == no:
		return no
	case a == maybe || b == maybe:
		return maybe
	}
	return yes
}

func (v *view) addr(dir string) netip.Addr {
	if dir == "src" {
		return v.p.Src
	}
	return v.p.Dst
}

func (e *ipsetElem) holds(dim string, net int, dir string, v *view) truth {
	switch dim {
	case "ip", "net":
		a := v.addr(dir)
		if !a.IsValid() {
			return maybe
		}
		return truthOf(net < len(e.nets) && e.nets[net].Contains(a))
	case "port":
		return e.holdsPort(dir, v)
	case "iface":
		name, known := v.iif()
		if dir == "dst" {
			name, known = v.oif()
		}
		if !known {
			return maybe
		}
		return truthOf(ifaceIn([]string{e.iface}, name))
	}
	if e.mac == "" {
		return yes // an element of bitmap:ip,mac without address takes any
	}
	return maybe
}

// holdsPort follows ip_set_get_ip4_port: ICMP has its type and code for a port, other protocols without ports have 0. A
// bitmap:port takes TCP and UDP alike.
func (e *ipsetElem) holdsPort(dir string, v *view) truth {
	p := v.p
	if p.Proto == "" {
		return maybe
	}
	if p.Fragment || (e.proto != "" && e.proto != p.Proto) || (e.proto == "" && p.Proto != "tcp" && p.Proto != "udp") {
		return no
	}
	port := p.Dport
	if dir == "src" {
		port = p.Sport
	}
	switch {
	case p.Proto == "icmp" || p.Proto == "icmpv6":
		if p.ICMPType < 0 || p.ICMPCode < 0 {
			return maybe
		}
		port = uint16(p.ICMPType&0xff)<<8 | uint16(p.ICMPCode&0xff)
	case p.hasPorts() == yes && port == 0:
		return maybe
	}
	return truthOf(e.ports.First <= port && port <= e.ports.Last)
}
