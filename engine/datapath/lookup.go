package datapath

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// Way is one nexthop that a packet may take.
type Way struct {
	Dev string `json:"dev"`
	// Via is the gateway; invalid: the destination itself is on the link.
	Via netip.Addr `json:"via,omitzero"`
	// Probability is the share of flows that take it.
	Probability float64 `json:"probability"`

	route *facts.Route // where it is not the result's
}

// Nexthop is whom the frame goes to.
func (w Way) Nexthop(dst netip.Addr) netip.Addr {
	if w.Via.IsValid() {
		return w.Via
	}
	return dst
}

// Result is what a lookup in the forwarding information base gives: struct fib_result.
type Result struct {
	// Type is a route's type: "unicast", "local", "broadcast", "multicast", "blackhole", "unreachable", "prohibit"; "none"
	// where no table has a route, "rule-blackhole", "rule-unreachable" and "rule-prohibit" where a policy rule ended it,
	// and "unknown".
	Type  string             `json:"type"`
	Route *facts.Route       `json:"route,omitempty"`
	Rule  *facts.RoutingRule `json:"rule,omitempty"`
	// Ways are the nexthops of a unicast route; probabilities sum to 1.
	Ways []Way `json:"ways,omitempty"`
	// Reason is why it is unknown, and Missing what would tell.
	Reason  string   `json:"reason,omitempty"`
	Missing *Missing `json:"missing,omitempty"`
}

// found is whether the kernel's fib_lookup returns 0: a route of an error type is an error.
func (r Result) found() bool {
	switch r.Type {
	case "unicast", "local", "broadcast", "multicast", "anycast":
		return true
	}
	return false
}

// Source is where what decided was read.
func (r Result) Source() facts.Source {
	switch {
	case r.Route != nil:
		return r.Route.Source
	case r.Rule != nil:
		return r.Rule.Source
	}
	return ""
}

// Lookup follows the policy rules and tables: fib_lookup of include/net/ip_fib.h, __fib_lookup of net/ipv4/fib_rules.c and
// fib6_rule_lookup of net/ipv6/fib6_rules.c. Nexthops on a device without carrier are left out where the device ignores
// them.
func (n *Namespace) Lookup(f Flow) Result {
	if n.facts.Routes.Status != facts.Read {
		return Result{Type: "unknown", Reason: "the routes were not read", Missing: missing(n, "routes")}
	}
	if n.facts.Rules.Status != facts.Read {
		return Result{Type: "unknown", Reason: "the policy rules were not read", Missing: missing(n, "rules")}
	}
	p := &n.policies[familyIndex(f.Dst)]
	if !p.custom && f.Dst.Is4() {
		return n.lookupDefault(p, f)
	}
	return n.lookupRules(p, f, 0, maxGotos)
}

// maxGotos bounds the ways that rules of which the facts do not tell whether they match may branch into.
const maxGotos = 16

// lookupDefault is fib_lookup without rules of anybody's own: tables local and main are one trie, in which the longer
// prefix wins whichever of them it is in, and local at the same length.
func (n *Namespace) lookupDefault(p *policy, f Flow) Result {
	local, main := n.fib[facts.TableLocal], n.fib[facts.TableMain]
	l, m := n.lookupTable(local, f), n.lookupTable(main, f)
	r, rule := l, 0
	if l.Type == "none" || m.Route != nil && m.Route.Dst.Bits() > l.Route.Dst.Bits() {
		r, rule = m, 1
	}
	if r.Type == "none" || r.Type == "throw" {
		r, rule = n.lookupTable(n.fib[facts.TableDefault], f), 2
	}
	if r.Type == "throw" {
		r = Result{Type: "none"}
	}
	if r.Type != "none" {
		r.Rule = p.rules[rule].RoutingRule
	}
	return r
}

func (n *Namespace) lookupRules(p *policy, f Flow, from, budget int) Result {
	for i := from; i < len(p.rules); i++ {
		rule := &p.rules[i]
		match := rule.matches(f)
		if match == no {
			continue
		}
		var r Result
		switch rule.Action {
		case "goto":
			if rule.target < 0 {
				continue
			}
			if match == yes {
				i = rule.target - 1
				continue
			}
			r = n.lookupRules(p, f, rule.target, budget-1)
		case "nop":
			continue
		default:
			r = n.apply(rule, f)
			if r.Type == "none" || r.Type == "throw" {
				continue
			}
			r.Rule = rule.RoutingRule
		}
		if match == yes {
			return r
		}
		if budget <= 0 {
			return Result{Type: "unknown", Rule: rule.RoutingRule, Reason: "too many policy rules of which the facts do not tell whether they match"}
		}
		if rest := n.lookupRules(p, f, i+1, budget-1); rest.Route != r.Route || rest.Type != r.Type {
			why := rule.broken
			if why == "" {
				why = "uidrange " + rule.UIDs
			}
			return Result{
				Type: "unknown", Rule: rule.RoutingRule,
				Reason: fmt.Sprintf("whether policy rule %d (%s) takes the packet is not known", rule.Priority, why),
			}
		}
		return r
	}
	return Result{Type: "none"}
}

// apply is fib4_rule_action and fib4_rule_suppress. "none" and "throw" let the next rule have a go.
func (n *Namespace) apply(rule *policyRule, f Flow) Result {
	switch rule.Action {
	case "blackhole", "unreachable", "prohibit":
		return Result{Type: "rule-" + rule.Action}
	case "l3mdev":
		for _, dev := range []string{f.Iif, f.Oif} {
			if l := n.links[dev]; l != nil && (l.Kind == "vrf" || n.links[l.Master] != nil && n.links[l.Master].Kind == "vrf") {
				return Result{Type: "unknown", Reason: "the table of the VRF of " + dev + " is not among the facts"}
			}
		}
		return Result{Type: "none"}
	case "lookup":
		r := n.lookupTable(n.fib[rule.Table], f)
		if r.found() && rule.SuppressPrefixlength >= 0 && r.Route.Dst.Bits() <= rule.SuppressPrefixlength {
			return Result{Type: "none"}
		}
		return r
	}
	return Result{Type: "unknown", Reason: fmt.Sprintf("policy rule %d: action %q is not modelled", rule.Priority, rule.Action)}
}

// lookupTable is fib_table_lookup of net/ipv4/fib_trie.c: the longest prefix that has a usable route.
func (n *Namespace) lookupTable(t *table, f Flow) Result {
	if t == nil {
		return Result{Type: "none"}
	}
	for _, length := range t.lengths[familyIndex(f.Dst)] {
		prefix, err := f.Dst.Prefix(length)
		if err != nil {
			continue
		}
		for _, route := range t.routes[prefix] {
			if r, ok := n.usable(route, f); ok {
				return r
			}
		}
	}
	return Result{Type: "none"}
}

// usable is one alias of fib_table_lookup, with fib_lookup_good_nhc for its nexthops.
func (n *Namespace) usable(e *entry, f Flow) (Result, bool) {
	route := e.Route
	if route.TOS != 0 && route.TOS != f.TOS&iptosMask {
		return Result{}, false
	}
	if route.From != "" {
		from, ok := parsePrefix(route.From)
		if !ok {
			return Result{Type: "unknown", Route: route, Reason: "the route's source prefix was not understood"}, true
		}
		if from.Bits() > 0 && !from.Contains(f.Src) {
			return Result{}, false
		}
	}
	r := Result{Type: route.Type, Route: route}
	switch route.Type {
	case "blackhole", "unreachable", "prohibit", "throw":
		return r, true
	}
	if e.ways != nil && f.Oif == "" {
		r.Ways = e.ways
		return r, true
	}
	hops := route.Nexthops
	if len(hops) == 0 {
		if route.Dev == "" && route.Type == "unicast" {
			return Result{
				Type: "unknown", Route: route, Reason: "the route's nexthop object was not read: ip nexthop show",
				Missing: missing(n, "routes"),
			}, true
		}
		hops = []facts.Nexthop{{Via: route.Via, Dev: route.Dev, Weight: 1, Flags: route.Flags}}
	}
	total := 0
	for _, hop := range hops {
		if slices.Contains(hop.Flags, "dead") || slices.Contains(route.Flags, "dead") || f.Oif != "" && f.Oif != hop.Dev {
			continue
		}
		if slices.Contains(hop.Flags, "linkdown") {
			switch s := n.conf(ipv(f.Dst), hop.Dev, "ignore_routes_with_linkdown"); s.on() {
			case yes:
				continue
			case maybe:
				return Result{
					Type: "unknown", Route: route, Missing: missing(n, "sysctls"),
					Reason: hop.Dev + " has no carrier and its ignore_routes_with_linkdown was not read",
				}, true
			}
		}
		weight := max(hop.Weight, 1)
		total += weight
		r.Ways = append(r.Ways, Way{Dev: hop.Dev, Via: hop.Via, Probability: float64(weight)})
	}
	for i := range r.Ways {
		r.Ways[i].Probability /= float64(total)
	}
	return r, len(r.Ways) > 0
}

func ipv(a netip.Addr) string {
	if a.Is4() {
		return "ipv4"
	}
	return "ipv6"
}
