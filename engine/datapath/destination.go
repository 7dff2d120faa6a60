package datapath

import (
	"fmt"
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// LookupDestination is the route for a packet without a mark of which nothing but the destination is known: whatever its
// source and device. Where a policy rule looks at more and its table has a route, the answer is "unknown" with that route.
// Where the policy rules were not read, the kernel's own count.
func (n *Namespace) LookupDestination(dst netip.Addr) Result {
	if n.facts.Routes.Status != facts.Read {
		return Result{Type: "unknown", Reason: "the routes were not read", Missing: missing(n, "routes")}
	}
	p := &n.policies[familyIndex(dst)]
	if n.facts.Rules.Status != facts.Read {
		family := "inet6"
		if dst.Is4() {
			family = "inet"
		}
		own := newPolicy(defaultRules(family), family)
		p = &own
	}
	f := Flow{Dst: dst, Iif: "lo"}
	if !p.custom && dst.Is4() {
		return n.lookupDefault(p, f)
	}
	for i := 0; i < len(p.rules); i++ {
		rule := &p.rules[i]
		marked := (rule.Fwmark^f.Mark)&rule.Fwmask != 0 // it is about packets with a mark
		switch {
		case marked && !rule.Not:
			continue
		case marked:
		case rule.to.IsValid() && rule.broken == "" && rule.to.Contains(dst) == rule.Not:
			continue
		}
		selective := !marked && rule.beyondDestination()
		switch rule.Action {
		case "nop", "l3mdev": // of a VRF no packet without a device is
			continue
		case "goto":
			if rule.target < 0 {
				continue
			}
			if selective {
				return Result{Type: "unknown", Rule: rule.RoutingRule, Reason: selectiveReason(rule)}
			}
			i = rule.target - 1
			continue
		}
		r := n.apply(rule, f)
		if r.Type == "none" || r.Type == "throw" {
			continue
		}
		r.Rule = rule.RoutingRule
		if selective && r.Type != "unknown" {
			r.Type, r.Reason = "unknown", selectiveReason(rule)
		}
		return r
	}
	return Result{Type: "none"}
}

func selectiveReason(rule *policyRule) string {
	return fmt.Sprintf("policy rule %d looks at more than the destination", rule.Priority)
}

// beyondDestination is whether the rule looks at more than the destination and the mark.
func (r *policyRule) beyondDestination() bool {
	rule := *r.RoutingRule
	rule.Fwmark, rule.Fwmask = 0, 0
	other := *r
	other.RoutingRule = &rule
	other.to = netip.Prefix{}
	other.Not = r.Not && !r.to.IsValid()
	return other.selective()
}
