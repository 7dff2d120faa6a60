package datapath

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/netcause/netcause/engine/facts"
)

// Scopes of addresses and routes (include/uapi/linux/rtnetlink.h).
const (
	scopeUniverse = 0
	scopeSite     = 200
	scopeLink     = 253
	scopeHost     = 254
)

func scopeNumber(name string) int {
	switch name {
	case "global", "":
		return scopeUniverse
	case "site":
		return scopeSite
	case "link":
		return scopeLink
	case "host":
		return scopeHost
	}
	n, err := strconv.Atoi(name)
	if err != nil {
		return scopeUniverse
	}
	return n
}

// sourceFor is the source address of a packet of this machine's own: the route's (fib_result_prefsrc of
// net/ipv4/fib_semantics.c), or an address of the device. It is invalid where the facts do not tell.
func (n *Namespace) sourceFor(r Result, way Way, dst netip.Addr) netip.Addr {
	switch {
	case r.Route != nil && r.Route.Src.IsValid():
		return r.Route.Src
	case r.Type == "local":
		return dst
	case n.facts.Addresses.Status != facts.Read:
		return netip.Addr{}
	case dst.Is6():
		return n.selectAddress6(way.Dev, dst)
	}
	gateway := way.Via
	if gateway.Is6() {
		gateway = netip.Addr{}
	}
	return n.selectAddress(way.Dev, gateway, scopeNumber(r.Route.Scope))
}

// selectAddress is inet_select_addr of net/ipv4/devinet.c: the first primary address of the device whose network has the
// gateway, else the first, of no narrower scope; where there is none, one of another device.
func (n *Namespace) selectAddress(dev string, gateway netip.Addr, scope int) netip.Addr {
	hostIsWide := n.maxConf(dev, "route_localnet").on() == yes
	var first netip.Addr
	for _, a := range n.addresses[dev] {
		if a.Family != "inet" || slices.Contains(a.Flags, "secondary") {
			continue
		}
		s := scopeNumber(a.Scope)
		if s > scope && !(hostIsWide && scopeHost <= scope) {
			continue
		}
		if !gateway.IsValid() || network(a).Contains(gateway) {
			return a.Local
		}
		if !first.IsValid() {
			first = a.Local
		}
	}
	if first.IsValid() {
		return first
	}
	for i := range n.facts.Links.Value {
		for _, a := range n.addresses[n.facts.Links.Value[i].Ifname] {
			s := scopeNumber(a.Scope)
			if a.Family == "inet" && !slices.Contains(a.Flags, "secondary") && s != scopeLink && s <= scope {
				return a.Local
			}
		}
	}
	return netip.Addr{}
}

// network is the address's network, that of the peer where it has one (inet_ifa_match).
func network(a *facts.Address) netip.Prefix {
	of := a.Local
	if a.Peer.IsValid() {
		of = a.Peer
	}
	p, _ := of.Prefix(a.Prefixlen)
	return p
}

// selectAddress6 is ipv6_dev_get_saddr of net/ipv6/addrconf.c as far as facts allow, RFC 6724 section 5: the same address,
// the scope, not deprecated, the device (rule 5), public before temporary is left to the order, the longest prefix.
func (n *Namespace) selectAddress6(dev string, dst netip.Addr) netip.Addr {
	var best *facts.Address
	for i := range n.facts.Addresses.Value {
		a := &n.facts.Addresses.Value[i]
		if a.Family != "inet6" || slices.Contains(a.Flags, "tentative") || slices.Contains(a.Flags, "dadfailed") ||
			dst.IsLinkLocalUnicast() && a.Dev != dev {
			continue
		}
		if best == nil || better6(a, best, dev, dst) {
			best = a
		}
	}
	if best == nil {
		return netip.Addr{}
	}
	return best.Local
}

func better6(a, b *facts.Address, dev string, dst netip.Addr) bool {
	if same := a.Local == dst; same != (b.Local == dst) {
		return same
	}
	if sa, sb := scope6(a.Local), scope6(b.Local); sa != sb {
		// The smaller scope that still holds the destination's.
		if sa < sb {
			return sa >= scope6(dst)
		}
		return sb < scope6(dst)
	}
	if da, db := slices.Contains(a.Flags, "deprecated"), slices.Contains(b.Flags, "deprecated"); da != db {
		return db
	}
	if (a.Dev == dev) != (b.Dev == dev) {
		return a.Dev == dev
	}
	return commonBits(a.Local, dst, a.Prefixlen) > commonBits(b.Local, dst, b.Prefixlen)
}

// scope6 orders scopes: loopback, link, global.
func scope6(a netip.Addr) int {
	switch {
	case a.IsLoopback():
		return 1
	case a.IsLinkLocalUnicast(), a.IsLinkLocalMulticast():
		return 2
	}
	return 14
}

func commonBits(a, b netip.Addr, limit int) int {
	x, y := a.As16(), b.As16()
	for i := range limit {
		if (x[i/8]^y[i/8])>>(7-i%8)&1 != 0 {
			return i
		}
	}
	return limit
}
