package netfilter

import (
	"fmt"
	"strconv"
	"strings"
)

// field is the value of an nft key for a packet, as elements of sets write it.
type field struct {
	text string
	// truth is yes for a value, maybe for one that the packet does not tell, and no where the packet has no such field: nft
	// then ends the rule, whatever is compared (NFT_BREAK).
	truth truth
	blind bool // the key is not modelled
}

func known(text string) field { return field{text: text, truth: yes} }

func given(text string, is bool) field {
	if is {
		return known(text)
	}
	return field{truth: maybe}
}

// field reads a key, as "ip saddr" or "meta l4proto".
func (v *view) field(key string) field {
	proto, name, _ := strings.Cut(key, " ")
	switch proto {
	case "ip", "ip6":
		if proto != v.family {
			return field{}
		}
		switch name {
		case "saddr":
			return given(v.p.Src.String(), v.p.Src.IsValid())
		case "daddr":
			return given(v.p.Dst.String(), v.p.Dst.IsValid())
		case "protocol", "nexthdr":
			return given(v.p.Proto, v.p.Proto != "")
		case "ttl", "hoplimit":
			return given(strconv.Itoa(v.p.TTL), v.p.TTL != 0)
		case "length":
			if proto == "ip" {
				return given(strconv.Itoa(v.p.Length), v.p.Length != 0)
			}
		}
		return field{truth: maybe}
	case "tcp", "udp", "sctp", "dccp", "th":
		return v.portField(proto, name)
	case "icmp", "icmpv6":
		return v.icmpField(proto, name)
	case "meta":
		return v.metaField(name)
	case "iifname", "oifname", "iif", "oif":
		return v.metaField(proto)
	case "ct":
		return v.ctField(name)
	case "fib", "ether", "pkttype":
		return field{truth: maybe}
	}
	return field{blind: true}
}

func (v *view) portField(proto, name string) field {
	if name != "sport" && name != "dport" {
		return field{truth: maybe}
	}
	if v.p.Fragment || (proto != "th" && v.p.Proto != "" && v.p.Proto != proto) {
		return field{}
	}
	port := v.p.Dport
	if name == "sport" {
		port = v.p.Sport
	}
	return given(strconv.Itoa(int(port)), port != 0 && v.p.hasPorts() == yes)
}

func (v *view) icmpField(proto, name string) field {
	if v.p.Fragment || (v.p.Proto != "" && v.p.Proto != proto) {
		return field{}
	}
	switch name {
	case "type":
		return given(strconv.Itoa(v.p.ICMPType), v.p.Proto != "" && v.p.ICMPType >= 0)
	case "code":
		return given(strconv.Itoa(v.p.ICMPCode), v.p.Proto != "" && v.p.ICMPCode >= 0)
	}
	return field{truth: maybe}
}

func (v *view) metaField(name string) field {
	switch name {
	case "l4proto":
		return given(v.p.Proto, v.p.Proto != "")
	case "nfproto":
		return known(map[string]string{"ip": "ipv4", "ip6": "ipv6"}[v.family])
	case "protocol":
		return known(v.family)
	case "mark":
		return known(fmt.Sprintf("0x%08x", v.p.Mark))
	case "length":
		return given(strconv.Itoa(v.p.Length), v.p.Length != 0)
	case "iifname", "iif":
		return given(v.iif())
	case "oifname", "oif":
		return given(v.oif())
	case "skuid", "skgid", "pkttype", "cpu", "day", "hour", "time", "iiftype", "oiftype", "iifgroup", "oifgroup", "priority":
		return field{truth: maybe}
	}
	return field{blind: true}
}

func (v *view) ctField(name string) field {
	if name == "state" {
		return given(strings.ToLower(v.state), v.state != "")
	}
	if v.conn == no {
		return field{}
	}
	switch name {
	case "mark":
		return given(fmt.Sprintf("0x%08x", v.p.Ctmark), v.conn == yes)
	case "direction":
		return given(strings.ToLower(v.p.CtDir), v.conn == yes && v.p.CtDir != "")
	}
	return field{blind: true}
}

// isIface says whether a key is an interface's name, which listings write in quotes, and JSON without.
func isIface(key string) bool {
	return strings.HasSuffix(key, "iifname") || strings.HasSuffix(key, "oifname") || strings.HasSuffix(key, "iif") || strings.HasSuffix(key, "oif")
}

// valueMatches compares one value with one of an element: a word, a number, a range, a prefix, a name with a *.
func valueMatches(part, value string) bool {
	part = unquote(part)
	if part == value || part == "*" {
		return true
	}
	if prefix, wild := strings.CutSuffix(part, "*"); wild {
		return strings.HasPrefix(value, prefix)
	}
	if n, ok := nftNumber(value); ok {
		first, last, has := strings.Cut(part, "-")
		if a, isNumber := nftNumber(first); isNumber && has {
			b, ok := nftNumber(last)
			return ok && a <= n && n <= b
		}
		a, ok := nftNumber(part)
		return ok && a == n
	}
	return fieldMatches(part, value) || protoName(part) == value
}

// nftNumber reads a number, or the name that nft prints for one.
func nftNumber(s string) (uint64, bool) {
	if n, ok := icmpNames[s]; ok {
		return n, true
	}
	n, err := strconv.ParseUint(s, 0, 64)
	return n, err == nil
}

// icmpNames are nft's names of types (icmp_type_tbl, icmp6_type_tbl of nftables/src/proto.c) with a number of their own
// in each family.
var icmpNames = map[string]uint64{
	"echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
	"router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
	"timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16,
	"address-mask-request": 17, "address-mask-reply": 18,
}

var icmpv6Names = map[string]uint64{
	"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4,
	"echo-request": 128, "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131,
	"mld-listener-done": 132, "mld-listener-reduction": 132, "nd-router-solicit": 133, "nd-router-advert": 134,
	"nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137, "router-renumbering": 138,
	"ind-neighbor-solicit": 141, "ind-neighbor-advert": 142, "mld2-listener-report": 143,
}

// fieldMatch compares a key with values.
type fieldMatch struct {
	key     string
	values  []string
	negated bool
	text    string
}

func (m fieldMatch) match(v *view) reply {
	f := v.field(m.key)
	switch {
	case f.blind:
		return notModelled(m.text)
	case f.truth == no:
		return reply{truth: no}
	case f.truth == maybe:
		return open(m.key, strings.Join(m.values, ","), m.negated)
	}
	in := false
	for _, value := range m.values {
		if n, ok := icmpv6Names[value]; ok && m.key == "icmpv6 type" {
			value = strconv.FormatUint(n, 10)
		}
		in = in || valueMatches(value, f.text)
	}
	return sure(in, m.negated)
}
