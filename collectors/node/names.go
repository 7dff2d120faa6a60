package node

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// The names below are those that iproute2 prints. They are compiled in, not read from /etc/iproute2: a name that
// somebody gave there would differ from node to node.

// linkFlags are the bits of ifi_flags in the order of print_link_flags of iproute2's ip/ipaddress.c.
var linkFlags = []struct {
	bit  uint32
	name string
}{
	{unix.IFF_LOOPBACK, "LOOPBACK"},
	{unix.IFF_BROADCAST, "BROADCAST"},
	{unix.IFF_POINTOPOINT, "POINTOPOINT"},
	{unix.IFF_MULTICAST, "MULTICAST"},
	{unix.IFF_NOARP, "NOARP"},
	{unix.IFF_ALLMULTI, "ALLMULTI"},
	{unix.IFF_PROMISC, "PROMISC"},
	{unix.IFF_MASTER, "MASTER"},
	{unix.IFF_SLAVE, "SLAVE"},
	{unix.IFF_DEBUG, "DEBUG"},
	{unix.IFF_DYNAMIC, "DYNAMIC"},
	{unix.IFF_AUTOMEDIA, "AUTOMEDIA"},
	{unix.IFF_PORTSEL, "PORTSEL"},
	{unix.IFF_NOTRAILERS, "NOTRAILERS"},
	{unix.IFF_UP, "UP"},
	{unix.IFF_LOWER_UP, "LOWER_UP"},
	{unix.IFF_DORMANT, "DORMANT"},
	{unix.IFF_ECHO, "ECHO"},
}

// linkFlagNames also says "NO-CARRIER" for a device that is up without running, as iproute2 does.
func linkFlagNames(flags uint32) []string {
	names := []string{}
	if flags&unix.IFF_UP != 0 && flags&unix.IFF_RUNNING == 0 {
		names = append(names, "NO-CARRIER")
	}
	flags &^= unix.IFF_RUNNING
	for _, f := range linkFlags {
		if flags&f.bit != 0 {
			names = append(names, f.name)
			flags &^= f.bit
		}
	}
	if flags != 0 {
		names = append(names, fmt.Sprintf("%x", flags))
	}
	return names
}

// operstates are the values of RFC 2863's ifOperStatus, IF_OPER_ of include/uapi/linux/if.h.
var operstates = []string{"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"}

func operstateName(state uint8) string {
	if int(state) < len(operstates) {
		return operstates[state]
	}
	return fmt.Sprintf("%#x", state)
}

// linkTypes are the ARPHRD types that a node's devices have (iproute2's lib/ll_types.c).
var linkTypes = map[uint16]string{
	unix.ARPHRD_ETHER:      "ether",
	unix.ARPHRD_INFINIBAND: "infiniband",
	unix.ARPHRD_PPP:        "ppp",
	unix.ARPHRD_TUNNEL:     "ipip",
	unix.ARPHRD_TUNNEL6:    "tunnel6",
	unix.ARPHRD_LOOPBACK:   "loopback",
	unix.ARPHRD_SIT:        "sit",
	unix.ARPHRD_IPGRE:      "gre",
	unix.ARPHRD_IP6GRE:     "gre6",
	unix.ARPHRD_IEEE80211:  "ieee802.11",
	unix.ARPHRD_NETLINK:    "netlink",
	unix.ARPHRD_CAN:        "can",
	unix.ARPHRD_NONE:       "none",
	unix.ARPHRD_VOID:       "void",
	unix.ARPHRD_IEEE1394:   "ieee1394",
	unix.ARPHRD_RAWIP:      "rawip",
}

func linkTypeName(arphrd uint16) string {
	if name, ok := linkTypes[arphrd]; ok {
		return name
	}
	return fmt.Sprintf("[%d]", arphrd)
}

func scopeName(scope uint8) string {
	switch scope {
	case unix.RT_SCOPE_UNIVERSE:
		return "global"
	case unix.RT_SCOPE_SITE:
		return "site"
	case unix.RT_SCOPE_LINK:
		return "link"
	case unix.RT_SCOPE_HOST:
		return "host"
	case unix.RT_SCOPE_NOWHERE:
		return "nowhere"
	}
	return strconv.Itoa(int(scope))
}

// routeProtocols are iproute2's etc/iproute2/rt_protos.
var routeProtocols = map[uint8]string{
	0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt", 11: "zebra",
	12: "bird", 13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp", 18: "keepalived", 42: "babel", 84: "ovn",
	99: "openr", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
}

func routeProtocolName(p uint8) string {
	if name, ok := routeProtocols[p]; ok {
		return name
	}
	return strconv.Itoa(int(p))
}

// routeTypes are indexed by RTN_ of include/uapi/linux/rtnetlink.h.
var routeTypes = []string{
	"none", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw",
	"nat", "xresolve",
}

func routeTypeName(t uint8) string {
	if int(t) < len(routeTypes) {
		return routeTypes[t]
	}
	return strconv.Itoa(int(t))
}

// routeFlags are the RTNH_F_ bits of rtm_flags and rtnh_flags, and the RTM_F_ ones, in print_rt_flags' order.
var routeFlags = []struct {
	bit  uint32
	name string
}{
	{0x01, "dead"},
	{0x04, "onlink"},
	{0x02, "pervasive"},
	{0x08, "offload"},
	{0x40, "trap"},
	{0x100, "notify"},
	{0x10, "linkdown"},
	{0x20, "unresolved"},
	{0x4000, "rt_offload"},
	{0x8000, "rt_trap"},
	{0x20000000, "rt_offload_failed"},
}

func routeFlagNames(flags uint32) []string {
	var names []string
	for _, f := range routeFlags {
		if flags&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// tableName is a routing table as a command takes it.
func tableName(table int) string {
	switch table {
	case facts.TableDefault:
		return "default"
	case facts.TableMain:
		return "main"
	case facts.TableLocal:
		return "local"
	}
	return strconv.Itoa(table)
}

// ipProtocols are the protocols that rules and conntrack entries name.
var ipProtocols = map[uint8]string{
	unix.IPPROTO_ICMP: "icmp", unix.IPPROTO_IGMP: "igmp", unix.IPPROTO_IPIP: "ipencap", unix.IPPROTO_TCP: "tcp",
	unix.IPPROTO_UDP: "udp", unix.IPPROTO_DCCP: "dccp", unix.IPPROTO_GRE: "gre", unix.IPPROTO_ESP: "esp",
	unix.IPPROTO_AH: "ah", unix.IPPROTO_ICMPV6: "ipv6-icmp", unix.IPPROTO_SCTP: "sctp",
	unix.IPPROTO_UDPLITE: "udplite",
}

func ipProtocolName(p uint8) string {
	if name, ok := ipProtocols[p]; ok {
		return name
	}
	return strconv.Itoa(int(p))
}

func familyName(family uint8) string {
	switch family {
	case unix.AF_INET:
		return "inet"
	case unix.AF_INET6:
		return "inet6"
	}
	return strconv.Itoa(int(family))
}

// neighbourStates are the NUD_ bits of include/uapi/linux/neighbour.h.
var neighbourStates = map[int]string{
	unix.NUD_INCOMPLETE: "INCOMPLETE", unix.NUD_REACHABLE: "REACHABLE", unix.NUD_STALE: "STALE",
	unix.NUD_DELAY: "DELAY", unix.NUD_PROBE: "PROBE", unix.NUD_FAILED: "FAILED", unix.NUD_NOARP: "NOARP",
	unix.NUD_PERMANENT: "PERMANENT",
}

// neighbourFlags are the NTF_ bits as ip-neighbour prints them. bridge-fdb has the same names and two more.
var neighbourFlags = []struct {
	bit  int
	name string
}{
	{unix.NTF_ROUTER, "router"},
	{unix.NTF_PROXY, "proxy"},
	{unix.NTF_EXT_LEARNED, "extern_learn"},
	{unix.NTF_OFFLOADED, "offload"},
}

func neighbourFlagNames(flags int) []string {
	var names []string
	for _, f := range neighbourFlags {
		if flags&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

var fdbFlags = []struct {
	bit  int
	name string
}{
	{unix.NTF_SELF, "self"},
	{unix.NTF_ROUTER, "router"},
	{unix.NTF_EXT_LEARNED, "extern_learn"},
	{unix.NTF_OFFLOADED, "offload"},
	{unix.NTF_MASTER, "master"},
	{0x40, "sticky"},
}

func fdbFlagNames(flags int) []string {
	var names []string
	for _, f := range fdbFlags {
		if flags&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// fdbStateName is state_n2a of iproute2's bridge/fdb.c: an entry that was learned and is fresh has no word.
func fdbStateName(state int) string {
	switch {
	case state&unix.NUD_PERMANENT != 0:
		return "permanent"
	case state&unix.NUD_NOARP != 0:
		return "static"
	case state&unix.NUD_STALE != 0:
		return "stale"
	case state&unix.NUD_REACHABLE != 0:
		return ""
	}
	return fmt.Sprintf("state=%#x", state)
}

// tcpConntrackStates are indexed by enum tcp_conntrack of include/uapi/linux/netfilter/nf_conntrack_tcp.h.
var tcpConntrackStates = []string{
	"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2",
}
