package datapath

import (
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// bridgeFilters is whether iptables sees what a bridge forwards: br_netfilter is loaded and its switch is on.
func (n *Namespace) bridgeFilters(p *Packet) (truth, *Missing) {
	calls := n.bridgeCalls[familyIndex(p.Dst)]
	if calls == maybe {
		return maybe, missing(n, "sysctls")
	}
	return calls, nil
}

// bridgeCall is what a sysctl says of it.
func (n *Namespace) bridgeCall(name string) truth {
	if n.facts.Sysctls.Status != facts.Read {
		return maybe
	}
	v, _, ok := n.sysctl(name)
	return truthOf(ok && v != 0) // no such sysctl: the module is not loaded
}

// bridged takes a frame that a bridge forwards through iptables where br_netfilter does so: br_nf_pre_routing, br_nf_forward
// and br_nf_post_routing of net/bridge/br_netfilter_hooks.c.
func (w *walker) bridged(s state, ns *Namespace, br, in, out *facts.Link, next func(state) []Branch) []Branch {
	s, denied := w.egress(s, ns)
	if denied != nil {
		return denied
	}
	on, why := ns.bridgeFilters(s.pkt)
	switch on {
	case maybe:
		s = s.step(ns, StageBridge, "whether iptables sees the bridge's packets was not read")
		return next(s.unsure(why))
	case no:
		return next(s)
	}
	ports := bridgePorts{in.Ifname, out.Ifname}
	rest := func(s state) []Branch {
		return w.bridgedHook(s, ns, StageForward, br.Ifname, br.Ifname, netip.Addr{}, ports, func(s state) []Branch {
			return w.bridgedHook(s, ns, StagePostrouting, br.Ifname, br.Ifname, s.pkt.Dst, ports, next)
		})
	}
	if s.prerouted {
		s.prerouted = false
		return rest(s)
	}
	before := s.pkt.Dst
	return w.bridgedHook(s, ns, StagePrerouting, br.Ifname, "", netip.Addr{}, bridgePorts{in: in.Ifname}, func(s state) []Branch {
		if s.pkt.Dst != before {
			return w.rerouted(s, ns, br, in)
		}
		return rest(s)
	})
}

// upFiltered is a frame for the bridge itself: iptables has it at the bridge, and not again at the network layer.
func (w *walker) upFiltered(s state, ns *Namespace, br, in *facts.Link) []Branch {
	s, over := w.enter(s, ns, br.Ifname)
	if over != nil {
		return over
	}
	before := s.pkt.Dst
	return w.bridgedHook(s, ns, StagePrerouting, br.Ifname, "", netip.Addr{}, bridgePorts{in: in.Ifname}, func(s state) []Branch {
		if s.pkt.Dst != before {
			return w.rerouted(s, ns, br, in)
		}
		return w.route(s, ns, br.Ifname)
	})
}

// rerouted is br_nf_pre_routing_finish for a packet whose destination was translated: what the routes send back to the
// bridge is bridged, and so needs a hairpin port to leave by the port that it came in by; all else is routed.
func (w *walker) rerouted(s state, ns *Namespace, br, in *facts.Link) []Branch {
	var out []Branch
	decisions := ns.likelyInput(s.pkt.flow(br.Ifname))
	for i := range decisions {
		d := &decisions[i]
		if i > 0 && !w.fork() {
			break
		}
		b := s
		b.probability *= d.Probability
		if d.Action != "forward" || d.Way.Dev != br.Ifname {
			out = append(out, w.decided(b, ns, br.Ifname, d)...)
			continue
		}
		nexthop := d.Way.Nexthop(b.pkt.Dst)
		b, ended := w.routed(b, ns, d)
		if ended == nil {
			var mac string
			b, mac, ended = w.neighbour(b, ns, br, nexthop)
			if ended == nil {
				b.prerouted = true
				ended = w.bridge(b, ns, br, in, mac, nexthop)
			}
		}
		out = append(out, ended...)
	}
	return out
}
