package netfilter

import "net/netip"

// Verdict is what a hook's rules decide about a packet.
type Verdict string

// The verdicts.
const (
	// VerdictAccept: the packet goes on behind the hook.
	VerdictAccept Verdict = "accept"
	// VerdictDrop: it is dropped without a word.
	VerdictDrop Verdict = "drop"
	// VerdictReject: it is dropped and its sender is told.
	VerdictReject Verdict = "reject"
	// VerdictUnknown: a rule decides that is not modelled, or a listing is not there. Reason quotes it.
	VerdictUnknown Verdict = "unknown"
)

// Outcome is one way that a packet may take through all tables of a hook.
type Outcome struct {
	Verdict Verdict
	// Packet is as it leaves: rewritten by NAT and marks, and with the fields that a condition of When settles.
	Packet Packet
	// Masquerade says that the source becomes an address of the outgoing interface: Packet.Src is still the old one.
	Masquerade bool
	// NAT is what the hook translated, with an empty Kind where it translated nothing.
	NAT NAT
	// RejectWith is the answer to the sender, in the rule's words; empty is the default (port unreachable).
	RejectWith string
	// Probability is the share of packets that take this way; over all outcomes it sums to 1. An open condition
	// counts half either way: with conditions it is a weight and no figure of the rules.
	Probability float64
	// When are the conditions on what the question left open.
	When []string
	// Hops are the rules that matched and had an effect, in order, and the one that decided. They are shared with other
	// outcomes and must not be changed.
	Hops []*Hop
	// Reason says for unknown which rule or listing.
	Reason string
}

// NAT is a translation of the first packet of a connection.
type NAT struct {
	// Kind is DNAT, SNAT, MASQUERADE, REDIRECT or NETMAP.
	Kind string
	// OldSrc to NewDst are before and after; MASQUERADE's new source, and REDIRECT's new destination where the
	// addresses of the interface are not known, have no address.
	OldSrc, OldDst, NewSrc, NewDst netip.AddrPort
}
