package netfilter

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// IPSet is the sets of a namespace, from `ipset save`.
type IPSet struct {
	sets map[string]*ipset
	// Problems are the lines that were not understood, the first 100 of ProblemCount.
	Problems     []Problem
	ProblemCount int
}

// Names gives the names of the sets, sorted.
func (s *IPSet) Names() []string {
	names := make([]string, 0, len(s.sets))
	for name := range s.sets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ipset is one set. kind is its type, empty for one that is not known; dims are what an element consists of: ip, net, port, iface, mac, mark; none for list:set.
type ipset struct {
	kind    string
	dims    []string
	family  string // ip or ip6; empty where the type has none
	netmask int    // hash:ip and bitmap:ip look up networks of this length; 0 is single addresses
	odd     bool   // an element or option was not understood: what is not found may be there
	members []string
	first   map[netip.Prefix][]ipsetElem // by the first dimension, where that is an address
	lengths []int                        // of its prefixes, longest first
	rest    []ipsetElem                  // of sets whose first dimension is no address
}

// ipsetElem is an element; a dimension that its type does not have is zero.
type ipsetElem struct {
	nets    []netip.Prefix // of ip and net, in order
	ports   PortRange
	proto   string // of a port in a hash
	iface   string
	mac     string
	nomatch bool
}

// ParseIPSet parses `ipset save`, and `ipset save NAME`.
func ParseIPSet(text string) (*IPSet, error) {
	if len(text) > math.MaxInt32 {
		return nil, fmt.Errorf("parse ipset save: %w", ErrTooLarge)
	}
	s := &IPSet{sets: map[string]*ipset{}}
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		why := ""
		switch {
		case words[0] == "create" && len(words) >= 3:
			why = s.create(words[1], words[2], words[3:])
		case words[0] == "add" && len(words) >= 3:
			why = s.add(words[1], words[2], words[3:])
		default:
			why = "is no line of ipset save"
		}
		if why != "" {
			s.problem(n, line, why)
		}
	}
	for _, set := range s.sets {
		set.finish()
	}
	return s, nil
}

func (s *IPSet) problem(line int, text, why string) {
	s.ProblemCount++
	if len(s.Problems) < maxProblems {
		s.Problems = append(s.Problems, Problem{Line: line, Text: strings.ToValidUTF8(text[:min(len(text), 300)], ""), Why: why})
	}
}

func (s *IPSet) create(name, kind string, options []string) string {
	set := &ipset{kind: kind, first: map[netip.Prefix][]ipsetElem{}}
	s.sets[name] = set
	method, dims, ok := strings.Cut(kind, ":")
	if !ok || (method != "hash" && method != "bitmap" && method != "list") {
		set.odd, set.kind = true, ""
		return "unknown type of set"
	}
	if set.family = "ip"; method == "list" || dims == "port" || dims == "mac" {
		set.family = ""
	}
	if method != "list" {
		set.dims = strings.Split(dims, ",")
	}
	why := ""
	for i, o := range options {
		value := ""
		if i+1 < len(options) {
			value = options[i+1]
		}
		switch o {
		case "family":
			if value == "inet6" {
				set.family = "ip6"
			}
		case "netmask":
			n, err := strconv.Atoi(value)
			if set.netmask = n; err != nil || n < 1 {
				set.odd, why = true, "netmask of an unknown form"
			}
		case "bitmask":
			set.odd, why = true, "option bitmask is not modelled"
		}
	}
	for _, d := range set.dims {
		if d != "ip" && d != "net" && d != "port" && d != "iface" && d != "mac" {
			set.odd, set.kind, why = true, "", "unknown type of set"
		}
	}
	return why
}

func (s *IPSet) add(name, entry string, options []string) string {
	set := s.sets[name]
	if set == nil {
		return "element of a set that is not declared"
	}
	switch {
	case set.kind == "":
		return "" // the set itself is told of
	case strings.HasPrefix(set.kind, "list:"):
		set.members = append(set.members, entry)
		return ""
	}
	e, ok := set.element(entry)
	if !ok {
		set.odd = true
		return "element of an unknown form"
	}
	e.nomatch = slices.Contains(options, "nomatch")
	if len(e.nets) == 0 || (set.dims[0] != "ip" && set.dims[0] != "net") {
		set.rest = append(set.rest, e)
		return ""
	}
	p := e.nets[0]
	if set.netmask > 0 && set.dims[0] == "ip" {
		if p = netip.PrefixFrom(p.Addr(), min(set.netmask, p.Bits())).Masked(); !p.IsValid() {
			set.odd = true
			return "element of an unknown form"
		}
	}
	set.first[p] = append(set.first[p], e)
	return ""
}

// element reads "10.0.0.0/8,tcp:80,10.1.1.1" by the dimensions of the set.
func (set *ipset) element(entry string) (ipsetElem, bool) {
	var e ipsetElem
	parts := strings.Split(entry, ",")
	if len(parts) != len(set.dims) {
		return e, len(parts) == 1 && set.kind == "bitmap:ip,mac" && set.ip(&e, parts[0])
	}
	for i, part := range parts {
		ok := true
		switch set.dims[i] {
		case "ip", "net":
			ok = set.ip(&e, part)
		case "port":
			proto, port, has := strings.Cut(part, ":")
			if !has {
				proto, port = "", part
			}
			e.proto = protoName(proto)
			e.ports, ok = ipsetPort(e.proto, port)
		case "iface":
			e.iface = part
			ok = !strings.HasPrefix(part, "physdev:")
		case "mac":
			e.mac = strings.ToLower(part)
		}
		if !ok {
			return e, false
		}
	}
	return e, true
}

func (set *ipset) ip(e *ipsetElem, part string) bool {
	p, ok := parsePrefix(part)
	if ok {
		e.nets = append(e.nets, p.Masked())
	}
	return ok
}

// ipsetPort reads a port, or of ICMP "type/code" or a name, which together are a number (ip_set_get_ip4_port).
func ipsetPort(proto, s string) (PortRange, bool) {
	if proto == "icmp" || proto == "icmpv6" {
		kind, code, _ := strings.Cut(s, "/")
		names := icmpNames
		if proto == "icmpv6" {
			names = icmpv6Names
		}
		n, ok := names[kind]
		if !ok {
			var err error
			if n, err = strconv.ParseUint(kind, 10, 8); err != nil {
				return PortRange{}, false
			}
		}
		c := uint64(0)
		if code != "" {
			var err error
			if c, err = strconv.ParseUint(code, 10, 8); err != nil {
				return PortRange{}, false
			}
		}
		return PortRange{uint16(n<<8 | c), uint16(n<<8 | c)}, true
	}
	first, last, has := strings.Cut(s, "-")
	if !has {
		last = first
	}
	a, ok1 := parsePort(first)
	b, ok2 := parsePort(last)
	return PortRange{a, b}, ok1 && ok2
}

// finish orders what lookups ask from the most special to the most general, as the kernel does.
func (set *ipset) finish() {
	seen := map[int]bool{}
	for p, list := range set.first {
		if !seen[p.Bits()] {
			seen[p.Bits()] = true
			set.lengths = append(set.lengths, p.Bits())
		}
		slices.SortStableFunc(list, func(a, b ipsetElem) int { return b.secondBits() - a.secondBits() })
	}
	slices.SortFunc(set.lengths, func(a, b int) int { return b - a })
}

func (e *ipsetElem) secondBits() int {
	if len(e.nets) < 2 {
		return 0
	}
	return e.nets[1].Bits()
}
