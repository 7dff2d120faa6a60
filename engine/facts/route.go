package facts

import "net/netip"

// Numbers of the kernel's own routing tables (include/uapi/linux/rtnetlink.h).
const (
	TableDefault = 253
	TableMain    = 254
	TableLocal   = 255
)

// Route is one route of any table, as `ip route show table all` shows it.
type Route struct {
	Source Source `json:"source"`
	// Type is "unicast", "local", "broadcast", "multicast", "blackhole", "unreachable", "prohibit", "throw" or "nat".
	Type string `json:"type"`
	// Dst is the destination; the default route is 0.0.0.0/0 or ::/0.
	Dst    netip.Prefix `json:"dst"`
	Family string       `json:"family"` // "inet" or "inet6"
	Via    netip.Addr   `json:"via,omitzero"`
	Dev    string       `json:"dev,omitempty"`
	// Src is the preferred source address.
	Src      netip.Addr `json:"src,omitzero"`
	From     string     `json:"from,omitempty"` // source prefix of an IPv6 subtree route
	Metric   int        `json:"metric"`
	Table    int        `json:"table"`
	Protocol string     `json:"protocol,omitempty"`
	Scope    string     `json:"scope,omitempty"`
	Flags    []string   `json:"flags,omitempty"` // "onlink", "linkdown", "dead", "pervasive"
	TOS      int        `json:"tos,omitempty"`
	// MTU and AdvMSS are the route's own metrics, 0 where it has none.
	MTU    int `json:"mtu,omitempty"`
	AdvMSS int `json:"advmss,omitempty"`
	// Nexthops are the ways of a multipath route.
	Nexthops []Nexthop `json:"nexthops,omitempty"`
}

// Nexthop is one way of a multipath route.
type Nexthop struct {
	Via    netip.Addr `json:"via,omitzero"`
	Dev    string     `json:"dev,omitempty"`
	Weight int        `json:"weight"`
	Flags  []string   `json:"flags,omitempty"`
}

// RoutingRule is one rule of the routing policy database, as `ip rule` shows it.
type RoutingRule struct {
	Source   Source `json:"source"`
	Family   string `json:"family"`
	Priority int    `json:"priority"`
	Not      bool   `json:"not,omitempty"`
	// From and To are prefixes; empty is "all".
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	Iif     string `json:"iif,omitempty"`
	Oif     string `json:"oif,omitempty"`
	Fwmark  uint32 `json:"fwmark,omitempty"`
	Fwmask  uint32 `json:"fwmask,omitempty"`
	TOS     int    `json:"tos,omitempty"`
	IPProto string `json:"ipproto,omitempty"`
	Sport   string `json:"sport,omitempty"` // "80" or "80-90"
	Dport   string `json:"dport,omitempty"`
	UIDs    string `json:"uidrange,omitempty"` // "1000-2000"
	// Action is "lookup" (then Table is set), "l3mdev" (the table of the packet's VRF), "goto", "nop", "blackhole",
	// "unreachable" or "prohibit".
	Action string `json:"action"`
	Table  int    `json:"table,omitempty"`
	Goto   int    `json:"goto,omitempty"`
	// SuppressPrefixlength ignores routes of that length or shorter; -1 is unset.
	SuppressPrefixlength int `json:"suppress_prefixlength"`
}
