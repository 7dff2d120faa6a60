package netfilter

import (
	"net/netip"
	"strconv"
	"strings"
)

const (
	// maxU32Tests and maxU32Steps are the kernel's (XT_U32_MAXSIZE, include/uapi/linux/netfilter/xt_u32.h).
	maxU32Tests = 10
	maxU32Steps = 10

	// ipv4Header and ipv6Header are lengths in bytes without options.
	ipv4Header, ipv6Header = 20, 40
)

// u32Match is xt_u32: tests of 32 bits at places in the packet, all of which must hold.
type u32Match struct {
	tests   []u32Test
	negated bool
	text    string
}

// u32Test compares what its steps come to with any of the ranges.
type u32Test struct {
	start  uint32
	steps  []u32Step
	ranges [][2]uint32
}

// u32Step is an operator, one of & < > @, and its number.
type u32Step struct {
	op byte
	n  uint32
}

// u32Module reads "0>>22&0x3C@12&0xFFFF=0x1:0x5,0x7&&4=3".
func u32Module(o *moduleOption, quote string) (matcher, bool) {
	m := u32Match{negated: o.negated, text: quote}
	if o.name != "u32" {
		return nil, false
	}
	rest := strings.NewReplacer(" ", "", `"`, "").Replace(o.value())
	for part := range strings.SplitSeq(rest, "&&") {
		t, ok := parseU32(part)
		if !ok || len(m.tests) == maxU32Tests+1 {
			return nil, false
		}
		m.tests = append(m.tests, t)
	}
	return m, true
}

func parseU32(s string) (u32Test, bool) {
	var t u32Test
	where, values, ok := strings.Cut(s, "=")
	if !ok {
		return t, false
	}
	number := func() (uint32, bool) {
		end := strings.IndexAny(where, "&<>@")
		if end < 0 {
			end = len(where)
		}
		n, err := strconv.ParseUint(where[:end], 0, 32)
		where = where[end:]
		return uint32(n), err == nil
	}
	if t.start, ok = number(); !ok {
		return t, false
	}
	for where != "" {
		op := where[0]
		where = where[1:]
		if op == '<' || op == '>' {
			if where == "" || where[0] != op {
				return t, false
			}
			where = where[1:]
		}
		n, ok := number()
		if !ok || len(t.steps) == maxU32Steps {
			return t, false
		}
		t.steps = append(t.steps, u32Step{op, n})
	}
	for v := range strings.SplitSeq(values, ",") {
		first, last, has := strings.Cut(v, ":")
		if !has {
			last = first
		}
		a, err1 := strconv.ParseUint(first, 0, 32)
		b, err2 := strconv.ParseUint(last, 0, 32)
		if err1 != nil || err2 != nil {
			return t, false
		}
		t.ranges = append(t.ranges, [2]uint32{uint32(a), uint32(b)})
	}
	return t, true
}

func (m u32Match) match(v *view) reply {
	all := yes
	head := v.p.wire()
	for i := range m.tests {
		all = both(all, m.tests[i].holds(&head))
	}
	if all == maybe {
		return passing(m.text)
	}
	return sure(all == yes, m.negated)
}

// holds follows u32_match_it (net/netfilter/xt_u32.c). Of a packet a part of the bits is known.
func (t *u32Test) holds(w *wire) truth {
	pos, at := t.start, uint32(0)
	value, known, ok := w.read(at, pos)
	if ok != yes {
		return ok
	}
	for _, s := range t.steps {
		switch s.op {
		case '&':
			value, known = value&s.n, known|^s.n
		case '<':
			if s.n > 31 {
				return maybe
			}
			value, known = value<<s.n, known<<s.n|1<<s.n-1
		case '>':
			if s.n > 31 {
				return maybe
			}
			value, known = value>>s.n, known>>s.n|^(^uint32(0)>>s.n)
		case '@':
			if known != ^uint32(0) {
				return maybe
			}
			if at+value < at {
				return no
			}
			at += value
			if value, known, ok = w.read(at, s.n); ok != yes {
				return ok
			}
		}
	}
	least, most := value&known, value|^known
	out := no
	for _, r := range t.ranges {
		switch {
		case r[0] <= least && most <= r[1]:
			return yes
		case r[0] == r[1] && (r[0]^value)&known != 0: // a known bit differs
		case least <= r[1] && r[0] <= most:
			out = maybe
		}
	}
	return out
}

// wire is the head of a packet as far as it is known: the IP header, which has no options, and the first bytes behind it.
type wire struct {
	bytes, known [ipv6Header + 20]byte
	n            int // bytes that are in the arrays
	length       int // of the packet; 0 is not known
}

// read gives four bytes and which of their bits are known; no is that the packet is shorter.
func (w *wire) read(at, pos uint32) (value, known uint32, ok truth) {
	first := uint64(at) + uint64(pos)
	if first+4 > 1<<32 || w.length > 0 && first+4 > uint64(w.length) {
		return 0, 0, no
	}
	if w.length == 0 && first+4 > uint64(w.n) {
		return 0, 0, maybe
	}
	for i := first; i < first+4; i++ {
		value, known = value<<8, known<<8
		if i < uint64(w.n) {
			value, known = value|uint32(w.bytes[i]&w.known[i]), known|uint32(w.known[i])
		}
	}
	return value, known, yes
}

func (w *wire) put(at int, b ...byte) {
	for i, v := range b {
		w.bytes[at+i], w.known[at+i] = v, 0xff
	}
}

func (w *wire) put16(at, v int) { w.put(at, byte(v>>8), byte(v)) }

// wire lays the packet out.
func (p *Packet) wire() wire {
	w := wire{n: ipv4Header, length: p.Length}
	src, dst, hops, proto := 12, 16, 8, 9
	if p.family() == "ip6" {
		w.n = ipv6Header
		src, dst, hops, proto = 8, 24, 7, 6
		w.put(0, 0x60)
		w.known[0] = 0xf0
		if p.Length > 0 {
			w.put16(4, p.Length-ipv6Header)
		}
	} else {
		w.put(0, 0x45)
		if p.Length > 0 {
			w.put16(2, p.Length)
		}
		if !p.Fragment {
			w.put(6, 0, 0)
			w.known[6] = 0x9f // not whether it may be fragmented, nor whether more of it follows
		}
	}
	if p.TTL > 0 {
		w.put(hops, byte(p.TTL))
	}
	if n, ok := protoNumber(p.Proto); ok {
		w.put(proto, n)
	}
	for at, a := range map[int]netip.Addr{src: p.Src, dst: p.Dst} {
		if a.IsValid() {
			w.put(at, a.AsSlice()...)
		}
	}
	if p.Fragment {
		return w
	}
	w.layTransport(p)
	return w
}

func (w *wire) layTransport(p *Packet) {
	l4 := w.n
	switch p.Proto {
	case "tcp":
		w.n += 20
		if p.TCPFlags != 0 {
			w.put(l4+13, byte(p.TCPFlags))
		}
	case "icmp", "icmpv6":
		w.n += 4
		if p.ICMPType >= 0 {
			w.put(l4, byte(p.ICMPType))
		}
		if p.ICMPCode >= 0 {
			w.put(l4+1, byte(p.ICMPCode))
		}
	case "udp":
		w.n += 8
		if p.Length > 0 {
			w.put16(l4+4, p.Length-l4)
		}
	case "sctp", "dccp", "udplite":
		w.n += 8
	}
	if p.hasPorts() == yes {
		if p.Sport != 0 {
			w.put16(l4, int(p.Sport))
		}
		if p.Dport != 0 {
			w.put16(l4+2, int(p.Dport))
		}
	}
}

// protoNumber is the number of a protocol by its name.
func protoNumber(name string) (byte, bool) {
	switch name {
	case "":
		return 0, false
	case "icmp":
		return 1, true
	case "icmpv6":
		return 58, true
	}
	if n, err := strconv.ParseUint(name, 10, 8); err == nil {
		return byte(n), true
	}
	for n := range 256 {
		if protoName(strconv.Itoa(n)) == name {
			return byte(n), true
		}
	}
	return 0, false
}
