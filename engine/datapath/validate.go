package datapath

import (
	"fmt"
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// check is the outcome of source validation: ok is yes, no or unknown, and why.
type check struct {
	ok      truth
	text    string
	source  facts.Source
	missing *Missing
}

// validate is fib_validate_source of net/ipv4/fib_frontend.c: whether a packet with the source f.Src may come in by f.Iif.
// out is the device that it would leave by, empty for local delivery.
func (n *Namespace) validate(f Flow, out string) check {
	all, own := n.settings[0]["all"], n.settings[0][f.Iif]
	rp := greater(all.of("rp_filter"), own.of("rp_filter"))
	acceptLocal := greater(all.of("accept_local"), own.of("accept_local"))
	if !rp.known {
		// What even the strict filter lets through needs no sysctl.
		if c := n.reverse(f, out, setting{1, "", true}, acceptLocal); c.ok == yes {
			return c
		}
		return check{maybe, fmt.Sprintf("rp_filter of %s was not read", f.Iif), "", missing(n, "sysctls")}
	}
	if rp.value != 0 || f.Iif == out && greater(all.of("send_redirects"), own.of("send_redirects")).on() != no {
		return n.reverse(f, out, rp, acceptLocal)
	}
	if acceptLocal.on() == yes {
		return check{ok: yes}
	}
	if n.customLocal || n.policies[0].custom {
		return n.reverse(f, out, rp, acceptLocal)
	}
	if a := n.local[f.Src]; a != nil {
		return n.localSource(f, a.Source, acceptLocal)
	}
	return check{ok: yes}
}

func (n *Namespace) localSource(f Flow, source facts.Source, acceptLocal setting) check {
	text := fmt.Sprintf("the source %s is an address of this machine and %s does not accept such (accept_local)", f.Src, f.Iif)
	switch acceptLocal.on() {
	case yes:
		return check{ok: yes}
	case no:
		return check{no, text, source, nil}
	}
	return check{maybe, "accept_local of " + f.Iif + " was not read", source, missing(n, "sysctls")}
}

// reverse is __fib_validate_source: a lookup of the way back, as if the answer came in by the device that the packet leaves
// by.
func (n *Namespace) reverse(f Flow, out string, rp, acceptLocal setting) check {
	back := Flow{Src: f.Dst, Dst: f.Src, Iif: out, Proto: f.Proto, Sport: f.Dport, Dport: f.Sport, TOS: f.TOS, UID: &kernelUID}
	if out == "" {
		back.Iif = "lo"
	}
	if n.maxConf(f.Iif, "src_valid_mark").on() == yes {
		back.Mark = f.Mark
	}
	r := n.Lookup(back)
	if r.Type == "unknown" {
		return check{maybe, "the way back to " + f.Src.String() + ": " + r.Reason, r.Source(), r.Missing}
	}
	filtered := check{
		ok: no, source: rp.source,
		text: fmt.Sprintf("rp_filter=%d (%s) drops it: it comes in by %s, and %s",
			rp.value, map[bool]string{true: "strict", false: "loose"}[rp.value == 1], f.Iif, n.backText(r, f.Src)),
	}
	if !r.found() {
		if rp.value != 0 {
			return filtered
		}
		return check{ok: yes}
	}
	switch r.Type {
	case "unicast":
	case "local":
		if c := n.localSource(f, r.Source(), acceptLocal); c.ok != yes {
			return c
		}
	default:
		return check{no, fmt.Sprintf("the source %s is no host's: its route is of type %s", f.Src, r.Type), r.Source(), nil}
	}
	for _, dev := range routeDevs(r.Route) {
		if dev == f.Iif || r.Type == "local" && f.Iif == "lo" {
			return check{ok: yes}
		}
	}
	// A device without an address of its own has no loose mode.
	if !n.hasIPv4(f.Iif) && rp.value != 0 || rp.value == 1 {
		return filtered
	}
	return check{ok: yes}
}

func (n *Namespace) hasIPv4(dev string) bool {
	for _, a := range n.addresses[dev] {
		if a.Family == "inet" {
			return true
		}
	}
	return false
}

// routeDevs are the devices of all nexthops, dead ones too (fib_info_nh_uses_dev).
func routeDevs(r *facts.Route) []string {
	if len(r.Nexthops) == 0 {
		return []string{r.Dev}
	}
	var devs []string
	for _, hop := range r.Nexthops {
		devs = append(devs, hop.Dev)
	}
	return devs
}

func (n *Namespace) backText(r Result, src netip.Addr) string {
	if r.Route == nil || len(r.Ways) == 0 {
		return fmt.Sprintf("there is no route back to its source %s", src)
	}
	return fmt.Sprintf("the way back to its source %s is by %s (route %s)", src, r.Ways[0].Dev, r.Route.Dst)
}
