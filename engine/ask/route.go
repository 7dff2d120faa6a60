package ask

import (
	"fmt"
	"net/netip"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

type routeAnswer struct {
	Status string       `json:"status"` // "route", "none", "unknown"
	Route  *facts.Route `json:"route,omitempty"`
	Detail string       `json:"detail,omitempty"`
}

// askRoute looks a destination up as packets of which nothing else is known would be.
func askRoute(in *Incident, args []any) (any, error) {
	node, address, err := nodeAndAddress(in, args)
	if err != nil {
		return nil, err
	}
	if node.Facts == nil || node.Facts.Routes.Status != facts.Read {
		return routesUnread(node), nil
	}
	return routeAnswerOf(in.Model().Namespace(node.Name, "").LookupDestination(address)), nil
}

func routesUnread(node *Node) routeAnswer {
	return routeAnswer{Status: "unknown", Detail: "the routes of " + node.Name + " were not read"}
}

func routeAnswerOf(r datapath.Result) routeAnswer {
	switch {
	case r.Type == "unknown":
		return routeAnswer{Status: "unknown", Route: r.Route, Detail: r.Reason}
	case r.Route == nil && r.Rule != nil:
		return routeAnswer{Status: "none", Detail: fmt.Sprintf("policy rule %d is %s", r.Rule.Priority, r.Rule.Action)}
	case r.Route == nil:
		return routeAnswer{Status: "none", Detail: "no table has a route"}
	default:
		return routeAnswer{Status: "route", Route: r.Route}
	}
}

// nodeAndAddress are the first two arguments of a function.
func nodeAndAddress(in *Incident, args []any) (*Node, netip.Addr, error) {
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
func nodeArgument(in *Incident, args []any) (*Node, error) {
	name, _ := args[0].(string)
	node, ok := in.byName[name]
	if !ok {
		return nil, fmt.Errorf("no node %q in this incident", name)
	}
	return node, nil
}
