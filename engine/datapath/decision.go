package datapath

import (
	"fmt"
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// Decision is what routing does with a packet, one of several where the way is chosen by a flow's hash.
type Decision struct {
	// Action is "local", "forward" (out by Way), "drop", "reject" (with ICMP to the sender) or "unknown".
	Action string
	Way    Way
	Result Result
	// Probability is among the decisions of one packet.
	Probability float64
	// ICMP is the error sent, in iptables' words: "icmp-host-unreachable".
	ICMP    string
	Text    string
	Source  facts.Source
	Missing *Missing

	dst netip.Addr // of a decision whose text is made when somebody reads it
}

// text is Text, made where it was not.
func (d *Decision) text() string {
	switch {
	case d.Text != "" || !d.dst.IsValid():
		return d.Text
	case d.Action == "forward":
		return wayText(d.dst, d.Result, d.Way)
	}
	return fmt.Sprintf("%s is this machine's (%s)", d.dst, d.Result.Type)
}

func (d *Decision) tell() (string, facts.Source) { return d.text(), d.Source }

// written are decisions with their texts.
func written(list []Decision) []Decision {
	for i := range list {
		list[i].Text = list[i].text()
	}
	return list
}

func decide(action, text string, r Result) Decision {
	return Decision{Action: action, Probability: 1, Result: r, Text: text, Source: r.Source(), Missing: r.Missing}
}

// noRoute is what becomes of a packet that routing has no way for: ip_error of net/ipv4/route.c, ip6_pkt_drop of
// net/ipv6/route.c. Of a forwarded packet, IPv4 tells its sender only where the device forwards at all.
func (n *Namespace) noRoute(f Flow, r Result) Decision {
	text := fmt.Sprintf("no route to %s", f.Dst)
	switch {
	case r.Route != nil:
		text = fmt.Sprintf("%s route %s of table %d", r.Type, r.Route.Dst, r.Route.Table)
	case r.Rule != nil:
		text = fmt.Sprintf("policy rule %d is %s", r.Rule.Priority, r.Rule.Action)
	}
	icmp := map[string]string{
		"none": "icmp-net-unreachable", "rule-unreachable": "icmp-net-unreachable", "unreachable": "icmp-host-unreachable",
		"prohibit": "icmp-admin-prohibited", "rule-prohibit": "icmp-admin-prohibited",
	}[r.Type]
	if f.Dst.Is6() {
		icmp = map[string]string{
			"none": "icmp6-no-route", "rule-unreachable": "icmp6-no-route", "unreachable": "icmp6-no-route",
			"prohibit": "icmp6-adm-prohibited", "rule-prohibit": "icmp6-adm-prohibited",
		}[r.Type]
	}
	if icmp == "" {
		return decide("drop", text, r)
	}
	d := decide("reject", text, r)
	d.ICMP = icmp
	if f.local() || f.Dst.Is6() {
		return d
	}
	forwarding, name := n.forwarding(f.Iif, true)
	switch forwarding.on() {
	case no:
		return Decision{Action: "drop", Probability: 1, Result: r, Text: text + ", and " + name + " is 0", Source: forwarding.source}
	case maybe:
		d.ICMP = "" // dropped or rejected
	}
	return d
}
