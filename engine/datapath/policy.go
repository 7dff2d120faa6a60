package datapath

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// policyRule is a policy rule with its selectors parsed.
type policyRule struct {
	*facts.RoutingRule
	from, to     netip.Prefix
	sport, dport span
	uids         span
	proto        string
	// target is where goto leads, -1 where there is no such rule.
	target int
	// broken is a selector that was not understood.
	broken string
}

// span is an inclusive range of numbers; set says whether there is one.
type span struct {
	first, last int
	set         bool
}

func (s span) contains(n int) bool { return s.first <= n && n <= s.last }

func parseSpan(text string) (span, bool) {
	if text == "" {
		return span{}, true
	}
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		last = first
	}
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(last)
	return span{a, b, true}, err1 == nil && err2 == nil
}

// policy is the policy rules of one family in the kernel's order.
type policy struct {
	rules []policyRule
	// custom: they are not the kernel's own. Until a rule is added, tables local and main are one trie
	// (fib_lookup of include/net/ip_fib.h, fib_trie_table of net/ipv4/fib_trie.c).
	custom bool
}

func newPolicy(rules []facts.RoutingRule, family string) policy {
	var p policy
	for i := range rules {
		if rules[i].Family == family {
			p.rules = append(p.rules, parseRule(&rules[i]))
		}
	}
	slices.SortStableFunc(p.rules, func(a, b policyRule) int { return a.Priority - b.Priority })
	for i := range p.rules {
		r := &p.rules[i]
		if r.Action == "goto" {
			r.target = slices.IndexFunc(p.rules, func(o policyRule) bool { return o.Priority == r.Goto })
		}
	}
	p.custom = !slices.EqualFunc(p.rules, defaultRules(family), func(r policyRule, d facts.RoutingRule) bool {
		return r.Priority == d.Priority && r.Action == "lookup" && r.Table == d.Table && !r.selective() && r.SuppressPrefixlength < 0
	})
	return p
}

// defaultRules are fib_default_rules_init of net/ipv4/fib_rules.c and fib6_rules_net_init of net/ipv6/fib6_rules.c.
func defaultRules(family string) []facts.RoutingRule {
	rules := []facts.RoutingRule{
		{Family: family, Priority: 0, Action: "lookup", Table: facts.TableLocal, SuppressPrefixlength: -1},
		{Family: family, Priority: 32766, Action: "lookup", Table: facts.TableMain, SuppressPrefixlength: -1},
	}
	if family == "inet" {
		rules = append(rules, facts.RoutingRule{
			Family: family, Priority: 32767, Action: "lookup", Table: facts.TableDefault, SuppressPrefixlength: -1,
		})
	}
	return rules
}

func parseRule(r *facts.RoutingRule) policyRule {
	p := policyRule{RoutingRule: r, proto: protocol(r.IPProto), target: -1}
	var ok bool
	if p.from, ok = parsePrefix(r.From); !ok {
		p.broken = "from " + r.From
	}
	if p.to, ok = parsePrefix(r.To); !ok {
		p.broken = "to " + r.To
	}
	if p.sport, ok = parseSpan(r.Sport); !ok {
		p.broken = "sport " + r.Sport
	}
	if p.dport, ok = parseSpan(r.Dport); !ok {
		p.broken = "dport " + r.Dport
	}
	if p.uids, ok = parseSpan(r.UIDs); !ok {
		p.broken = "uidrange " + r.UIDs
	}
	return p
}

// parsePrefix takes a prefix, an address, or nothing, which is all.
func parsePrefix(text string) (netip.Prefix, bool) {
	if text == "" || text == "all" {
		return netip.Prefix{}, true
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func (r *policyRule) selective() bool {
	return r.from.IsValid() || r.to.IsValid() || r.Iif != "" || r.Oif != "" || r.Fwmark != 0 || r.Fwmask != 0 || r.TOS != 0 ||
		r.proto != "" || r.sport.set || r.dport.set || r.uids.set || r.Not || r.broken != ""
}

// matches is fib_rule_match of net/core/fib_rules.c with fib4_rule_match and fib6_rule_match.
func (r *policyRule) matches(f Flow) truth {
	if r.broken != "" {
		return maybe
	}
	t := r.selects(f)
	if r.Not {
		return t.not()
	}
	return t
}

func (r *policyRule) selects(f Flow) truth {
	switch {
	case r.Iif != "" && r.Iif != f.Iif, r.Oif != "" && r.Oif != f.Oif:
		return no
	case (r.Fwmark^f.Mark)&r.Fwmask != 0:
		return no
	case r.to.IsValid() && r.to.Bits() > 0 && !r.to.Contains(f.Dst):
		return no
	case r.from.IsValid() && r.from.Bits() > 0 && !r.from.Contains(f.Src):
		return no // also an address yet to be chosen, which is 0.0.0.0 here
	case r.TOS != 0 && r.TOS != f.TOS&iptosMask:
		return no
	}
	switch {
	case r.proto != "" && r.proto != f.Proto:
		return no
	case r.sport.set && !r.sport.contains(int(f.Sport)), r.dport.set && !r.dport.contains(int(f.Dport)):
		return no
	}
	if r.uids.set && !(r.uids.first == 0 && r.uids.last >= 1<<32-1) {
		switch {
		case !f.local():
			return truthOf(r.uids.contains(0))
		case f.UID == nil:
			return maybe
		default:
			return truthOf(r.uids.contains(*f.UID))
		}
	}
	return yes
}

// iptosMask are the bits of the TOS that rules and routes compare: IPTOS_RT_MASK of include/uapi/linux/ip.h without ECN.
const iptosMask = 0x1c

// protocol is one name for a protocol whatever the tool wrote.
func protocol(name string) string {
	switch name = strings.ToLower(name); name {
	case "1":
		return "icmp"
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "58", "ipv6-icmp", "icmp6":
		return "icmpv6"
	case "132":
		return "sctp"
	case "4", "ipip":
		return "ipencap"
	case "47":
		return "gre"
	}
	return name
}
