package datapath

import (
	"fmt"
	"net/netip"
)

// RouteInput is what routing does with a packet that came in by f.Iif: ip_route_input_slow of net/ipv4/route.c with its
// checks of martians and sources, and ip6_rcv_core with ip6_route_input. Several decisions are the ways of a multipath
// route; probabilities sum to 1.
func (n *Namespace) RouteInput(f Flow) []Decision { return written(n.routeInput(f)) }

func (n *Namespace) routeInput(f Flow) []Decision {
	if f.UID == nil {
		f.UID = &kernelUID
	}
	if f.Dst.Is6() {
		return n.routeInput6(f)
	}
	if d, martian := n.martian(f); martian {
		return []Decision{d}
	}
	if f.Dst == broadcast4 || f.Src.IsUnspecified() && f.Dst.IsUnspecified() {
		return []Decision{n.deliver(f, Result{Type: "broadcast"})}
	}
	r := n.Lookup(f)
	switch r.Type {
	case "unknown":
		return []Decision{decide("unknown", r.Reason, r)}
	case "broadcast":
		if n.forwardsBroadcasts(f.Iif) {
			return []Decision{decide("unknown", "bc_forwarding is set on "+f.Iif+": broadcasts that a router forwards are not followed", r)}
		}
		return []Decision{n.deliver(f, r)}
	case "local":
		return []Decision{n.deliver(f, r)}
	}
	if !r.found() {
		return []Decision{n.noRoute(f, r)}
	}
	if d, stop := n.mayForward(f, r); stop {
		return []Decision{d}
	}
	if r.Type != "unicast" {
		return []Decision{decide("drop", fmt.Sprintf("martian destination: the route is of type %s", r.Type), r)}
	}
	out := make([]Decision, len(r.Ways))
	for i, way := range r.Ways {
		out[i] = n.forward(f, r, way)
		out[i].Probability = way.Probability
	}
	return out
}

// kernelUID is the user of what the kernel forwards.
var kernelUID int

var broadcast4 = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// martian are the packets that ip_route_input_slow throws away before it looks them up.
func (n *Namespace) martian(f Flow) (Decision, bool) {
	localnet := func(what string) (Decision, bool) {
		s := n.maxConf(f.Iif, "route_localnet")
		switch s.on() {
		case yes:
			return Decision{}, false
		case maybe:
			d := decide("unknown", "route_localnet of "+f.Iif+" was not read", Result{})
			d.Missing = missing(n, "sysctls")
			return d, true
		}
		d := decide("drop", fmt.Sprintf("martian %s: a loopback address comes in by %s and route_localnet is 0", what, f.Iif), Result{})
		d.Source = s.source
		return d, true
	}
	src, dst := f.Src.As4(), f.Dst.As4()
	switch {
	case f.Src.IsMulticast(), f.Src == broadcast4:
		return decide("drop", fmt.Sprintf("martian source %s", f.Src), Result{}), true
	case f.Dst == broadcast4, f.Src.IsUnspecified() && f.Dst.IsUnspecified():
		return Decision{}, false
	case src[0] == 0:
		return decide("drop", fmt.Sprintf("martian source %s", f.Src), Result{}), true
	case dst[0] == 0:
		return decide("drop", fmt.Sprintf("martian destination %s", f.Dst), Result{}), true
	case f.Iif == "lo":
		return Decision{}, false // it keeps the route that it left with
	case f.Dst.IsLoopback():
		return localnet("destination")
	case f.Src.IsLoopback():
		return localnet("source")
	}
	return Decision{}, false
}

// deliver validates the source of what this machine takes. Of a broadcast the way back is looked up as from no address at
// all, and a source in 0.0.0.0/8 is let through (brd_input of ip_route_input_slow).
func (n *Namespace) deliver(f Flow, r Result) Decision {
	from := f
	if r.Type == "broadcast" {
		from.Dst = netip.IPv4Unspecified()
	}
	if f.Iif != "lo" && !(r.Type == "broadcast" && f.Src.As4()[0] == 0) {
		if c := n.validate(from, ""); c.ok != yes {
			return c.decision(r)
		}
	}
	return n.own(f, r)
}

// own is the decision to keep a packet.
func (n *Namespace) own(f Flow, r Result) Decision {
	d := decide("local", "", r)
	d.dst = f.Dst
	return d
}

// forwardsBroadcasts is IN_DEV_BFORWARD of include/linux/inetdevice.h: all and the device's own.
func (n *Namespace) forwardsBroadcasts(dev string) bool {
	return n.conf("ipv4", "all", "bc_forwarding").on() == yes && n.conf("ipv4", dev, "bc_forwarding").on() == yes
}

func (c check) decision(r Result) Decision {
	action := "drop"
	if c.ok == maybe {
		action = "unknown"
	}
	return Decision{Action: action, Probability: 1, Result: r, Text: c.text, Source: c.source, Missing: c.missing}
}

func (n *Namespace) mayForward(f Flow, r Result) (Decision, bool) {
	s, name := n.forwarding(f.Iif, f.Dst.Is4())
	switch s.on() {
	case yes:
		return Decision{}, false
	case maybe:
		return Decision{
			Action: "unknown", Probability: 1, Result: r, Text: name + " was not read", Missing: missing(n, "sysctls"),
		}, true
	}
	return Decision{Action: "drop", Probability: 1, Result: r, Text: name + " is 0: it does not forward", Source: s.source}, true
}

// forward is __mkroute_input for one way.
func (n *Namespace) forward(f Flow, r Result, way Way) Decision {
	if f.Dst.Is4() {
		if c := n.validate(f, way.Dev); c.ok != yes {
			return c.decision(r)
		}
	}
	d := decide("forward", "", r)
	d.Way, d.dst = way, f.Dst
	return d
}

func wayText(dst netip.Addr, r Result, way Way) string {
	text := fmt.Sprintf("%s by route %s", dst, r.Route.Dst)
	if way.Via.IsValid() {
		text += " via " + way.Via.String()
	}
	text += " dev " + way.Dev
	if r.Rule != nil {
		text += fmt.Sprintf(", table %d, policy rule %d", r.Route.Table, r.Rule.Priority)
	}
	return text
}

func (n *Namespace) routeInput6(f Flow) []Decision {
	if f.Iif != "lo" && (f.Src.IsLoopback() || f.Dst.IsLoopback()) || f.Src.IsMulticast() {
		return []Decision{decide("drop", fmt.Sprintf("%s to %s may not come in by %s", f.Src, f.Dst, f.Iif), Result{})}
	}
	look := f
	if f.Dst.IsLinkLocalUnicast() || f.Dst.IsLinkLocalMulticast() {
		look.Oif = f.Iif
	}
	r := n.Lookup(look)
	switch {
	case r.Type == "unknown":
		return []Decision{decide("unknown", r.Reason, r)}
	case r.Type == "local", r.Type == "anycast", r.Type == "multicast":
		return []Decision{n.own(f, r)}
	case !r.found():
		return []Decision{n.noRoute(f, r)}
	}
	if d, stop := n.mayForward(f, r); stop {
		return []Decision{d}
	}
	out := make([]Decision, len(r.Ways))
	for i, way := range r.Ways {
		out[i] = n.forward(f, r, way)
		// ip6_forward looks at the source only where it does not send back to where it came from.
		switch {
		case way.Dev == f.Iif:
		case f.Src.IsUnspecified():
			out[i] = decide("drop", fmt.Sprintf("a packet from %s is not forwarded", f.Src), r)
		case f.Src.IsLinkLocalUnicast():
			out[i] = decide("reject", fmt.Sprintf("a packet from %s stays on its link", f.Src), r)
			out[i].ICMP = "icmp6-beyond-scope"
		}
		out[i].Probability = way.Probability
	}
	return out
}
