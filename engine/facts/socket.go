package facts

import "net/netip"

// Sysctl is the value of one sysctl, in the namespace it was read in.
type Sysctl struct {
	Value  string `json:"value"`
	Source Source `json:"source"`
}

// Listener is a TCP socket in LISTEN or a bound, unconnected UDP socket.
type Listener struct {
	Source Source `json:"source"`
	// Proto is "tcp" or "udp".
	Proto  string `json:"proto"`
	Family string `json:"family"` // "inet" or "inet6"
	// Local is the address bound; 0.0.0.0 or :: is any.
	Local netip.Addr `json:"local"`
	Port  int        `json:"port"`
	// V6Only: a socket on :: that does not take IPv4.
	V6Only bool `json:"v6only,omitempty"`
	// Dev is the device that it is bound to (SO_BINDTODEVICE), if any.
	Dev string `json:"dev,omitempty"`
	// RecvQ and SendQ of a TCP listener are its accept queue's length and limit.
	RecvQ   int    `json:"recv_q"`
	SendQ   int    `json:"send_q"`
	UID     int    `json:"uid,omitempty"`
	PID     int    `json:"pid,omitempty"`
	Process string `json:"process,omitempty"`
}

// Conntrack are the connection tracker's size and counters.
type Conntrack struct {
	Count  int    `json:"count"` // net.netfilter.nf_conntrack_count
	Max    int    `json:"max"`   // net.netfilter.nf_conntrack_max
	Source Source `json:"source"`
	// Counters are the sums over all processors of `conntrack -S`: "found", "invalid", "insert", "insert_failed",
	// "drop", "early_drop", "error", "search_restart", "clash_resolve", "chaintoolong".
	Counters map[string]uint64 `json:"counters,omitempty"`
}

// ConntrackEntry is one tracked connection.
type ConntrackEntry struct {
	Proto  string `json:"proto"`
	Family string `json:"family"`
	// Orig is the first packet's direction, Reply what answers look like: a difference is a translation.
	Orig    Tuple    `json:"orig"`
	Reply   Tuple    `json:"reply"`
	State   string   `json:"state,omitempty"` // of TCP
	Timeout uint32   `json:"timeout"`         // seconds left
	Mark    uint32   `json:"mark,omitempty"`
	Zone    int      `json:"zone,omitempty"`
	Flags   []string `json:"flags,omitempty"` // "ASSURED", "UNREPLIED", "SEEN_REPLY"
}

// Tuple is one direction of a connection.
type Tuple struct {
	Src     netip.Addr `json:"src"`
	Dst     netip.Addr `json:"dst"`
	Sport   int        `json:"sport,omitempty"`
	Dport   int        `json:"dport,omitempty"`
	Packets uint64     `json:"packets,omitempty"`
	Bytes   uint64     `json:"bytes,omitempty"`
}
