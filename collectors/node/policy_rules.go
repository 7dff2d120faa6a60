package node

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// Attributes of a rule, FRA_ of include/uapi/linux/fib_rules.h.
const (
	fraDst               = 1
	fraSrc               = 2
	fraIifname           = 3
	fraGoto              = 4
	fraPriority          = 6
	fraFwmark            = 10
	fraSuppressPrefixlen = 14
	fraTable             = 15
	fraFwmask            = 16
	fraOifname           = 17
	fraL3mdev            = 19
	fraUIDRange          = 20
	fraIPProto           = 22
	fraSportRange        = 23
	fraDportRange        = 24
)

// fibRuleInvert is FIB_RULE_INVERT.
const fibRuleInvert = 2

// ruleActions are FR_ACT_ of include/uapi/linux/fib_rules.h.
var ruleActions = map[uint8]string{
	1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit",
}

// maxRules bounds the policy rules of one family.
const maxRules = 100_000

// rules reads the policy rules of both families. The library's own decoder leaves out the action.
func (c *conn) rules(n *netns) ([]facts.RoutingRule, error) {
	return ofBothFamilies(func(family uint8) ([]facts.RoutingRule, error) {
		header := &nl.RtMsg{RtMsg: unix.RtMsg{Family: family}}
		return list(c, "policy rules", unix.RTM_GETRULE, unix.RTM_NEWRULE, header, maxRules,
			func(msg []byte) (facts.RoutingRule, bool, error) { return decodeRule(n, family, msg) })
	})
}

func decodeRule(n *netns, family uint8, msg []byte) (facts.RoutingRule, bool, error) {
	attrs, err := attributes(msg, unix.SizeofRtMsg)
	if err != nil {
		return facts.RoutingRule{}, false, err
	}
	// struct fib_rule_hdr is laid out as struct rtmsg; Type is its action.
	m := nl.DeserializeRtMsg(msg)
	if m.Family != family {
		return facts.RoutingRule{}, false, nil
	}
	r := facts.RoutingRule{
		Family:               familyName(m.Family),
		Not:                  m.Flags&fibRuleInvert != 0,
		TOS:                  int(m.Tos),
		Action:               ruleActions[m.Type],
		Table:                int(m.Table),
		SuppressPrefixlength: -1,
	}
	if r.Action == "" {
		r.Action = fmt.Sprintf("action %d", m.Type)
	}
	var mask *uint32
	for _, a := range attrs {
		switch a.kind {
		case fraSrc:
			r.From = netip.PrefixFrom(rawAddress(a.value), int(m.Src_len)).String()
		case fraDst:
			r.To = netip.PrefixFrom(rawAddress(a.value), int(m.Dst_len)).String()
		case fraIifname:
			r.Iif = cString(a.value)
		case fraOifname:
			r.Oif = cString(a.value)
		case fraPriority:
			r.Priority = int(number(a.value))
		case fraFwmark:
			r.Fwmark = uint32(number(a.value))
		case fraFwmask:
			v := uint32(number(a.value))
			mask = &v
		case fraTable:
			r.Table = int(number(a.value))
		case fraGoto:
			r.Goto = int(number(a.value))
		case fraSuppressPrefixlen:
			r.SuppressPrefixlength = int(int32(number(a.value)))
		case fraIPProto:
			r.IPProto = ipProtocolName(uint8(number(a.value)))
		case fraSportRange:
			r.Sport = portRange(a.value)
		case fraDportRange:
			r.Dport = portRange(a.value)
		case fraUIDRange:
			if len(a.value) >= 8 {
				r.UIDs = fmt.Sprintf("%d-%d", number(a.value[:4]), number(a.value[4:8]))
			}
		case fraL3mdev:
			if number(a.value) != 0 {
				r.Action = "l3mdev"
			}
		}
	}
	switch {
	case mask != nil:
		r.Fwmask = *mask
	case r.Fwmark != 0:
		r.Fwmask = 0xffffffff
	}
	if r.Action != "lookup" {
		r.Table = 0
	}
	ip := "ip"
	if m.Family == unix.AF_INET6 {
		ip = "ip -6"
	}
	r.Source = n.source("%s rule show", ip)
	return r, true, nil
}

// portRange is struct fib_rule_port_range.
func portRange(b []byte) string {
	if len(b) < 4 {
		return ""
	}
	start, end := number(b[:2]), number(b[2:4])
	if start == end {
		return fmt.Sprint(start)
	}
	return fmt.Sprintf("%d-%d", start, end)
}
