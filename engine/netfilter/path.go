package netfilter

import "net/netip"

// Status says what becomes of a packet for a Service.
type Status string

// The statuses, of one backend or of all together.
const (
	// StatusTranslated: DNAT gives it an endpoint.
	StatusTranslated Status = "translated"
	// StatusRejected: a rule answers it with an error, as kube-proxy's for a Service without endpoints.
	StatusRejected Status = "rejected"
	// StatusDropped: a rule drops it without a word.
	StatusDropped Status = "dropped"
	// StatusNoRule: kube-proxy's chains are there and none of their rules matches.
	StatusNoRule Status = "no-rule"
	// StatusNoChains: kube-proxy's chains are not there, or no base chain comes to them. Reason says which.
	StatusNoChains Status = "no-chains"
	// StatusUntracked: a NOTRACK rule keeps it from conntrack and so from any NAT, as NodeLocal DNSCache's do.
	StatusUntracked Status = "untracked"
	// StatusUnknown: a rule not modelled stands in the way, or a listing is not there. Reason says which.
	StatusUnknown Status = "unknown"
)

// Path is the way of a packet to a Service through one namespace's rules.
type Path struct {
	Status Status `json:"status"`
	// Backend is the one that decided; empty where none did.
	Backend Backend `json:"backend,omitempty"`
	// Reason says why, in one sentence, for every status but translated.
	Reason string `json:"reason,omitempty"`
	// Hops is the way that all packets share, and ends at the rule that decided or at the first choice.
	Hops []Hop `json:"hops"`
	// Endpoints are the ways on from there.
	Endpoints []Endpoint `json:"endpoints"`
	// Missing names base chains, as "nat PREROUTING", that do not come to kube-proxy's chains while others do.
	// Without PREROUTING packets of Pods and of other machines are not translated, without OUTPUT this node's own.
	Missing []string `json:"missing,omitempty"`
	// Orphans are rules of KUBE-* chains that no rule jumps to, at most 10, with how many chains there are
	// in Reason or Notes: what remains when something flushed the base chains.
	Orphans []Rule `json:"orphans,omitempty"`
	// Notes are what else a reader must know.
	Notes []string `json:"notes,omitempty"`
	// Backends holds the answer of each backend that was asked, when several were.
	Backends []Path `json:"backends,omitempty"`
}

// Hop is one rule, or one element of an nft map, on the way.
type Hop struct {
	Backend Backend `json:"backend"`
	Family  string  `json:"family,omitempty"`
	Table   string  `json:"table,omitempty"`
	// Chain is the chain of the rule; for an element of a map "map NAME"; for IPVS "virtual server".
	Chain string `json:"chain"`
	Rule  string `json:"rule"`
	Line  int    `json:"line"`
}

// Endpoint is one destination that the packet may be given.
type Endpoint struct {
	Addr netip.AddrPort `json:"addr"`
	// Probability is between 0 and 1, among the packets for which When holds; 0 where the listing does not
	// say (nft shows iptables' statistic by its name alone, in JSON and in older versions).
	Probability float64 `json:"probability"`
	// When lists the conditions on what the question leaves open: the packet's source, its interface,
	// whether the address is this node's.
	When []string `json:"when,omitempty"`
	// Hops is the way from the path's last shared hop.
	Hops []Hop `json:"hops"`
}
