package netfilter

import (
	"net/netip"
	"strconv"
)

// Backend names the kernel subsystem, or the tool's view of it, that a listing shows.
type Backend string

// The backends. Both iptables backends may hold rules at once, and the kernel then runs both.
const (
	// IPTablesNFT is iptables over nf_tables (iptables-nft).
	IPTablesNFT Backend = "iptables-nf_tables"
	// IPTablesLegacy is iptables over ip_tables (iptables-legacy).
	IPTablesLegacy Backend = "iptables-legacy"
	// NFTables is what `nft list ruleset` shows: native tables, and iptables-nft's in nft's words.
	NFTables Backend = "nftables"
	// IPVS is the kernel's virtual server table.
	IPVS Backend = "ipvs"
)

// Rule is one rule of a listing. Its strings are spans of the listing's text.
type Rule struct {
	Backend Backend `json:"backend"`
	// Family is the nft family: ip, ip6, inet, arp, bridge, netdev.
	Family string `json:"family"`
	Table  string `json:"table"`
	Chain  string `json:"chain"`
	// Line is the 1-based line of the listing. A JSON listing is often one line: see Handle.
	Line int `json:"line"`
	// Handle is nft's handle; 0 where the listing has none.
	Handle int `json:"handle,omitempty"`
	// Text is the rule without its counters (iptables) or handle (nft). A rule of a JSON listing is
	// put into the words of `nft list ruleset`.
	Text string `json:"text"`
	// Packets and Bytes are the rule's counters; 0 where the listing has none.
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Decode reads the rule's text into typed matches and its target. Decoding happens anew on each
// call; a caller that asks often keeps the result.
func (r Rule) Decode() Spec {
	if r.Backend == NFTables {
		return decodeNFT(r.Text)
	}
	return decodeIPTables(r.Text)
}

// Spec is what a rule matches and what it then does. A nil match is one that the rule does not have.
type Spec struct {
	Source, Destination                 *PrefixMatch
	InInterface, OutInterface           *NameMatch
	Protocol                            *NameMatch
	SourcePorts, DestinationPorts       *PortMatch
	Mark                                *MarkMatch
	SourceAddrType, DestinationAddrType *NameMatch
	// CTState lists conntrack states in upper case, as iptables writes them.
	CTState *NameMatch
	// Statistic is a random or every-nth choice.
	Statistic *StatisticMatch
	// Recent is xt_recent's check or, in kube-proxy's nftables mode, a lookup of an affinity set:
	// both say "this client was here before".
	Recent *NameMatch
	// TCPFlags is "MASK COMP" as iptables writes it; --syn is "SYN,RST,ACK,FIN SYN".
	TCPFlags *NameMatch
	// Sets are ipset matches and nft named sets.
	Sets    []SetMatch
	Comment string
	// Matches quotes conditions that [Ruleset.Traverse] evaluates and no field here holds.
	Matches []string
	// NotModelled quotes the parts of the rule that this package does not interpret.
	NotModelled []string
	Target      Target

	extra        []matcher // iptables: conditions of Matches, and of fields that the rule has twice
	blindMatches []string  // iptables: the parts of NotModelled that are no options of the target
	limitIface   string    // of addrtype: in or out
}

// PrefixMatch matches an address against any of the prefixes or ranges.
type PrefixMatch struct {
	Prefixes []netip.Prefix
	Ranges   []AddrRange
	Negated  bool
}

// AddrRange is an inclusive range of addresses.
type AddrRange struct{ First, Last netip.Addr }

// NameMatch matches a word: an interface, a protocol, an address type, a list of states.
type NameMatch struct {
	Names   []string
	Negated bool
}

// PortMatch matches a port against any of the ranges.
type PortMatch struct {
	Ranges  []PortRange
	Negated bool
}

// PortRange is an inclusive range of ports.
type PortRange struct{ First, Last uint16 }

// MarkMatch matches fwmark&Mask == Value.
type MarkMatch struct {
	Value, Mask uint32
	Negated     bool
}

// StatisticMatch is xt_statistic, nft's numgen, or `meta random`.
type StatisticMatch struct {
	// Mode is random or nth.
	Mode string
	// Probability is the share of packets that match, between 0 and 1.
	Probability float64
	Negated     bool
	// Hidden says that nft did not show the mode and probability of iptables' statistic.
	Hidden bool
}

// SetMatch matches against a named set.
type SetMatch struct {
	Name string
	// Fields says what is looked up: "dst,dst" of ipset, or nft's key "ip daddr . meta l4proto".
	Fields  string
	Negated bool
	// ReturnNomatch is ipset's --return-nomatch: exceptions match, and members do not.
	ReturnNomatch bool
}

// TargetKind says how a rule ends.
type TargetKind string

// The kinds of target.
const (
	// TargetNone is a rule without target: it only counts.
	TargetNone TargetKind = "none"
	// TargetJump and TargetGoto go to the chain or, in iptables, the extension called Name.
	TargetJump TargetKind = "jump"
	TargetGoto TargetKind = "goto"
	// TargetVerdict is ACCEPT, DROP, RETURN, or a terminating extension such as DNAT or REJECT.
	TargetVerdict TargetKind = "verdict"
	// TargetExtension lets the packet go on to the next rule: MARK, LOG, TCPMSS.
	TargetExtension TargetKind = "extension"
	// TargetMap is nft's vmap: the verdict is looked up.
	TargetMap TargetKind = "vmap"
)

// Target is what a rule does with a packet that it matches.
type Target struct {
	Kind TargetKind
	// Name is the chain, or the verdict or extension in iptables' spelling (ACCEPT, DNAT, TCPMSS).
	Name string
	// Options is the rest of the target as the listing writes it.
	Options string
	// ToDestinations are DNAT's destinations. A port of 0 keeps the packet's. nft's
	// `numgen random mod N map` gives several, each with its share.
	ToDestinations []Destination
	// RejectWith is REJECT's --reject-with.
	RejectWith string
	// SetMSS is TCPMSS's --set-mss in bytes; 0 where the rule does not set one.
	SetMSS uint16
	// ClampMSSToPMTU is TCPMSS's --clamp-mss-to-pmtu, nft's `maxseg size set rt mtu`.
	ClampMSSToPMTU bool
	// Map is the name of a vmap's map, or empty for one written in the rule; Key is what it looks up.
	Map, Key string

	elements []mapElem // of a vmap written in the rule
}

// Destination is one destination of DNAT and its share of the packets.
type Destination struct {
	AddrPort netip.AddrPort
	Share    float64
}

func (m *PrefixMatch) matches(a netip.Addr) bool {
	in := false
	for _, p := range m.Prefixes {
		in = in || p.Contains(a)
	}
	for _, r := range m.Ranges {
		in = in || (r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0 && r.First.Is4() == a.Is4())
	}
	return in != m.Negated
}

func (m *PortMatch) matches(port uint16) bool {
	in := false
	for _, r := range m.Ranges {
		in = in || (r.First <= port && port <= r.Last)
	}
	return in != m.Negated
}

func (m *NameMatch) matches(name string) bool {
	in := false
	for _, n := range m.Names {
		in = in || n == name
	}
	return in != m.Negated
}

// host gives the one address that the match asks for, where it is one.
func (m *PrefixMatch) host() (netip.Addr, bool) {
	if m == nil || m.Negated || len(m.Ranges) > 0 || len(m.Prefixes) != 1 || !m.Prefixes[0].IsSingleIP() {
		return netip.Addr{}, false
	}
	return m.Prefixes[0].Addr(), true
}

// single gives the one port that the match asks for, where it is one.
func (m *PortMatch) single() (uint16, bool) {
	if m == nil || m.Negated || len(m.Ranges) != 1 || m.Ranges[0].First != m.Ranges[0].Last {
		return 0, false
	}
	return m.Ranges[0].First, true
}

// single gives the one word that the match asks for, where it is one.
func (m *NameMatch) single() (string, bool) {
	if m == nil || m.Negated || len(m.Names) != 1 {
		return "", false
	}
	return m.Names[0], true
}

// protoName is the name of a protocol that a tool may print as its number.
func protoName(s string) string {
	switch s {
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "132":
		return "sctp"
	case "1":
		return "icmp"
	case "58", "ipv6-icmp", "icmp6":
		return "icmpv6"
	case "2":
		return "igmp"
	case "4", "ipip":
		return "ipencap"
	case "33":
		return "dccp"
	case "41":
		return "ipv6"
	case "47":
		return "gre"
	case "50":
		return "esp"
	case "51":
		return "ah"
	case "89", "ospfigp":
		return "ospf"
	case "112":
		return "vrrp"
	case "136":
		return "udplite"
	}
	return s
}

func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil
}
