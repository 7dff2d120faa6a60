package engine

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

type routeAnswer struct {
	Status string       `json:"status"` // "route", "none", "unknown"
	Route  *facts.Route `json:"route,omitempty"`
	Detail string       `json:"detail,omitempty"`
}

// askRoute follows the policy rules of a node for a packet to an address, as fib_rules_lookup does. A rule that looks at
// more than the destination is not modelled: it makes the answer unknown where its table would have one.
func askRoute(in *incident, args []any) (any, error) {
	node, address, err := nodeAndAddress(in, args)
	if err != nil {
		return nil, err
	}
	if node.node == nil || node.node.Routes.Status != facts.Read {
		return routeAnswer{Status: "unknown", Detail: "the routes of " + node.name + " were not read"}, nil
	}
	routes := node.fib()
	for _, table := range policyTables(node.node, address) {
		route := routes.lookup(table.number, address)
		if route == nil || suppressed(route, table.suppress) || route.Type == "throw" {
			continue
		}
		if table.selective {
			return routeAnswer{Status: "unknown", Route: route, Detail: fmt.Sprintf("policy rule %d looks at more than the destination", table.priority)}, nil
		}
		return routeAnswer{Status: "route", Route: route}, nil
	}
	return routeAnswer{Status: "none", Detail: "no table has a route"}, nil
}

// policyTable is a table that a policy rule asks.
type policyTable struct {
	number, priority, suppress int
	selective                  bool // the rule looks at more than the destination
}

func policyTables(node *facts.Node, address netip.Addr) []policyTable {
	family := "inet"
	if address.Is6() {
		family = "inet6"
	}
	if node.Rules.Status != facts.Read {
		return []policyTable{{number: facts.TableLocal, suppress: -1}, {number: facts.TableMain, suppress: -1}, {number: facts.TableDefault, suppress: -1}}
	}
	var tables []policyTable
	for _, rule := range node.Rules.Value {
		if rule.Family != family || rule.Action != "lookup" {
			continue
		}
		if rule.To != "" {
			to, err := netip.ParsePrefix(rule.To)
			if err == nil && to.Contains(address) == rule.Not {
				continue
			}
		}
		selective := rule.From != "" || rule.Iif != "" || rule.Oif != "" || rule.Fwmark != 0 || rule.Fwmask != 0 || rule.TOS != 0 ||
			rule.IPProto != "" || rule.Sport != "" || rule.Dport != "" || rule.UIDs != "" || rule.Not && rule.To == ""
		tables = append(tables, policyTable{rule.Table, rule.Priority, rule.SuppressPrefixlength, selective})
	}
	slices.SortStableFunc(tables, func(a, b policyTable) int { return a.priority - b.priority })
	return tables
}

func suppressed(route *facts.Route, prefixlength int) bool {
	return prefixlength >= 0 && route.Dst.Bits() <= prefixlength
}

// nodeAndAddress are the first two arguments of a function.
func nodeAndAddress(in *incident, args []any) (*nodeView, netip.Addr, error) {
	node, err := nodeArgument(in, args)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	text, _ := args[1].(string)
	address, err := netip.ParseAddr(text)
	if err != nil {
		return nil, netip.Addr{}, fmt.Errorf("argument address: %w", err)
	}
	return node, address.Unmap(), nil
}

// nodeArgument is the first argument of a function.
func nodeArgument(in *incident, args []any) (*nodeView, error) {
	name, _ := args[0].(string)
	node, ok := in.byName[name]
	if !ok {
		return nil, fmt.Errorf("no node %q in this incident", name)
	}
	return node, nil
}
