package node

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// maxRoutes bounds the routes of one family: half of the Internet's IPv4 table.
const maxRoutes = 500_000

// routes reads the routes of all tables of both families. The library's own decoder leaves out the source prefix and the
// nexthop object.
func (c *conn) routes(n *netns, d devices) ([]facts.Route, error) {
	return ofBothFamilies(func(family uint8) ([]facts.Route, error) {
		unresolved := 0
		header := &nl.RtMsg{RtMsg: unix.RtMsg{Family: family}}
		routes, err := list(c, "routes", unix.RTM_GETROUTE, unix.RTM_NEWROUTE, header, maxRoutes,
			func(msg []byte) (facts.Route, bool, error) {
				r, ok, err := d.decodeRoute(n, family, msg)
				if ok && r.Type == "unicast" && r.Dev == "" && len(r.Nexthops) == 0 {
					unresolved++
				}
				return r, ok, err
			})
		if err == nil && unresolved > 0 {
			// net.ipv4.nexthop_compat_mode=0.
			err = &incomplete{fmt.Sprintf("the kernel does not say where %d routes with a nexthop object lead: ip nexthop show", unresolved)}
		}
		return routes, err
	})
}

func (d devices) decodeRoute(n *netns, family uint8, msg []byte) (facts.Route, bool, error) {
	attrs, err := attributes(msg, unix.SizeofRtMsg)
	if err != nil {
		return facts.Route{}, false, err
	}
	m := nl.DeserializeRtMsg(msg)
	// The kernel answers for a family it does not have with another's; a cached route is no route of a table.
	if m.Family != family || m.Flags&unix.RTM_F_CLONED != 0 {
		return facts.Route{}, false, nil
	}
	r := facts.Route{
		Type:     routeTypeName(m.Type),
		Family:   familyName(m.Family),
		Table:    int(m.Table),
		Protocol: routeProtocolName(m.Protocol),
		Scope:    scopeName(m.Scope),
		Flags:    routeFlagNames(m.Flags),
		TOS:      int(m.Tos),
	}
	dst := netip.IPv4Unspecified()
	if m.Family == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	for _, a := range attrs {
		switch a.kind {
		case unix.RTA_DST:
			dst = rawAddress(a.value)
		case unix.RTA_SRC:
			r.From = netip.PrefixFrom(rawAddress(a.value), int(m.Src_len)).String()
		case unix.RTA_GATEWAY:
			r.Via = rawAddress(a.value)
		case unix.RTA_VIA:
			r.Via = viaAddress(a.value)
		case unix.RTA_OIF:
			r.Dev = d.name(int(number(a.value)))
		case unix.RTA_PREFSRC:
			r.Src = rawAddress(a.value)
		case unix.RTA_PRIORITY:
			r.Metric = int(number(a.value))
		case unix.RTA_TABLE:
			r.Table = int(number(a.value))
		case unix.RTA_MULTIPATH:
			if r.Nexthops, err = d.decodeNexthops(a.value); err != nil {
				return facts.Route{}, false, err
			}
		case unix.RTA_METRICS:
			metrics, err := parseAttributes(a.value)
			if err != nil {
				return facts.Route{}, false, err
			}
			for _, metric := range metrics {
				switch metric.kind {
				case unix.RTAX_MTU:
					r.MTU = int(number(metric.value))
				case unix.RTAX_ADVMSS:
					r.AdvMSS = int(number(metric.value))
				}
			}
		}
	}
	r.Dst = netip.PrefixFrom(dst, int(m.Dst_len))
	if !r.Dst.IsValid() {
		return facts.Route{}, false, fmt.Errorf("route to %v with a prefix length of %d", dst, m.Dst_len)
	}
	ip := "ip"
	if m.Family == unix.AF_INET6 {
		ip = "ip -6"
	}
	r.Source = n.source("%s route show table %s", ip, tableName(r.Table))
	return r, true, nil
}

// decodeNexthops reads RTA_MULTIPATH: struct rtnexthop (length, flags, hops, ifindex), each with its attributes.
func (d devices) decodeNexthops(b []byte) ([]facts.Nexthop, error) {
	var hops []facts.Nexthop
	for len(b) >= unix.SizeofRtNexthop {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtNexthop || size > len(b) {
			return nil, fmt.Errorf("nexthop of %d bytes in %d", size, len(b))
		}
		hop := facts.Nexthop{
			Dev: d.name(int(int32(number(b[4:8])))),
			// The kernel counts from 0.
			Weight: int(b[3]) + 1,
			Flags:  routeFlagNames(uint32(b[2])),
		}
		attrs, err := parseAttributes(b[unix.SizeofRtNexthop:size])
		if err != nil {
			return nil, err
		}
		for _, a := range attrs {
			switch a.kind {
			case unix.RTA_GATEWAY:
				hop.Via = rawAddress(a.value)
			case unix.RTA_VIA:
				hop.Via = viaAddress(a.value)
			}
		}
		hops = append(hops, hop)
		b = b[min((size+3)&^3, len(b)):]
	}
	return hops, nil
}

// viaAddress is struct rtvia: a nexthop of the other family.
func viaAddress(b []byte) netip.Addr {
	if len(b) < 2 {
		return netip.Addr{}
	}
	return rawAddress(b[2:])
}
