package datapath

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// bridge is what a bridge does with a frame that came in by a port, nil for the namespace's own: br_handle_frame_finish and
// br_dev_xmit. Where the sender has to ask for the hardware address, it goes where the answer would come from.
func (w *walker) bridge(s state, ns *Namespace, br, in *facts.Link, mac string, nexthop netip.Addr) []Branch {
	if br.Bridge != nil && br.Bridge.VLANFiltering {
		s = s.step(ns, StageBridge, br.Ifname+" filters VLANs, and which VLANs its ports are in is no fact").unsure(nil)
	}
	if in != nil && (mac == br.Address && mac != "" || mac == "" && ns.isLocal(nexthop)) {
		if on, why := ns.bridgeFilters(s.pkt); on == yes {
			return w.upFiltered(s, ns, br, in)
		} else if on == maybe {
			s = s.step(ns, StageBridge, "whether iptables sees the bridge's packets was not read").unsure(why)
		}
		return w.up(s, ns, br, mac, nexthop)
	}
	out, source := w.bridgePort(ns, br, in, mac, nexthop)
	if out == nil {
		s = s.step(ns, StageBridge, fmt.Sprintf("no port of %s leads to %s", br.Ifname, nexthop))
		s.last().Source = br.Source
		if w.returns(s) {
			return w.returned(s)
		}
		if pod, ok := w.model.pods[nexthop]; ok {
			s.last().Text += fmt.Sprintf(", Pod %s/%s, whose namespace was not read", pod.Metadata.Namespace, pod.Metadata.Name)
			s.last().Missing = missing(ns, "")
			if denied := w.ingressUnread(s, ns, pod); denied != nil {
				return denied
			}
			return s.end(Unknown)
		}
		if w.unreadPort(ns, br, in) {
			s.last().Text += " among those whose other end was read"
			s.last().Missing = missing(ns, "namespaces")
			return s.end(Unknown)
		}
		return s.end(Dropped)
	}
	s = s.say(ns, StageBridge, told(func() (string, facts.Source) { return br.Ifname + " forwards it to port " + out.Ifname, source }))
	if in == nil {
		if ended := s.unfit(ns, br, out, StageBridge); ended != nil {
			return ended
		}
		return w.port(s, ns, out, mac, nexthop)
	}
	if ended := s.unfitPort(ns, in, out); ended != nil {
		return ended
	}
	if text := blocked(in, out); text != "" {
		s.steps.says, s.last().Text, s.last().Source = nil, text, source
		return s.end(Dropped)
	}
	return w.bridged(s, ns, br, in, out, func(s state) []Branch { return w.port(s, ns, out, mac, nexthop) })
}

// blocked is should_deliver of net/bridge/br_forward.c.
func blocked(in, out *facts.Link) string {
	switch {
	case in == out && (in.BridgePort == nil || !in.BridgePort.Hairpin):
		return fmt.Sprintf("it would have to leave by port %s that it came in by, which is no hairpin port", in.Ifname)
	case in != out && in.BridgePort != nil && out.BridgePort != nil && in.BridgePort.Isolated && out.BridgePort.Isolated:
		return fmt.Sprintf("ports %s and %s are both isolated", in.Ifname, out.Ifname)
	}
	return ""
}

func (w *walker) port(s state, ns *Namespace, out *facts.Link, mac string, nexthop netip.Addr) []Branch {
	if _, ended := w.link(s, ns, out.Ifname); ended != nil {
		return ended
	}
	return w.frame(s, ns, out, mac, nexthop)
}

// bridgePort is the port for a hardware address: by the forwarding database, else the one behind which it is, since an
// unknown address is flooded.
func (w *walker) bridgePort(ns *Namespace, br, in *facts.Link, mac string, nexthop netip.Addr) (*facts.Link, facts.Source) {
	if mac != "" {
		for _, e := range ns.fdb[fdbKey{"", mac}] {
			if p := ns.links[e.Dev]; p != nil && p.Master == br.Ifname && !slices.Contains(e.Flags, "self") && p.Address != mac {
				return p, e.Source
			}
		}
	}
	at := w.model.byMAC[mac]
	if mac == "" {
		at = w.model.byAddress[nexthop]
	}
	for _, end := range at {
		for i := range end.ns.facts.Links.Value {
			far := &end.ns.facts.Links.Value[i]
			if mac != "" && far.Ifname != end.dev {
				continue
			}
			if near, ok := w.model.peers[place{end.ns, far.Ifname}]; ok && near.ns == ns && ns.links[near.dev].Master == br.Ifname {
				return ns.links[near.dev], ns.links[near.dev].Source
			}
		}
	}
	if found, _ := w.model.onSegment(ns, nexthop, mac); len(found) == 0 {
		return nil, ""
	}
	for _, p := range ns.ports[br.Ifname] {
		if _, ok := w.model.peer(ns, p); p != in && !(p.Kind == "veth" && ok) {
			return p, p.Source
		}
	}
	return nil, ""
}

// unreadPort is whether the bridge has a port of which the other end is no fact.
func (w *walker) unreadPort(ns *Namespace, br, in *facts.Link) bool {
	return slices.ContainsFunc(ns.ports[br.Ifname], func(p *facts.Link) bool {
		_, ok := w.model.peer(ns, p)
		return p != in && !ok
	})
}
