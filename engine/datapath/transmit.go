package datapath

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// transmit hands the packet to a device for a nexthop: ip_finish_output2 and dev_queue_xmit.
func (w *walker) transmit(s state, ns *Namespace, dev string, nexthop netip.Addr) []Branch {
	link, ended := w.link(s, ns, dev)
	if ended != nil {
		return ended
	}
	switch link.Kind {
	case "ipip", "sit", "gre", "ip6tnl", "ip6gre":
		return w.encapsulateIP(s, ns, link, nexthop)
	case "wireguard":
		return w.encapsulateWireGuard(s, ns, link)
	case "ipvlan":
		if link.IPVLAN != nil && link.IPVLAN.Mode != "l2" {
			return w.throughParent(s, ns, link)
		}
	case "tun", "macvtap", "ipvtap", "vrf", "ifb", "xfrm", "vti":
		return s.unknown(ns, StageLink, fmt.Sprintf("%s is a device of kind %s: what is beyond it is no fact", dev, link.Kind), nil)
	}
	s, mac, ended := w.neighbour(s, ns, link, nexthop)
	if ended != nil {
		return ended
	}
	return w.frame(s, ns, link, mac, nexthop)
}

// link is a device that is there and up, with carrier as far as its flags say.
func (w *walker) link(s state, ns *Namespace, dev string) (*facts.Link, []Branch) {
	if ns.facts.Links.Status != facts.Read {
		return nil, s.unknown(ns, StageLink, "the devices were not read", missing(ns, "links"))
	}
	link := ns.links[dev]
	if link == nil {
		return nil, s.unknown(ns, StageLink, "there is no device "+dev+" among the facts", missing(ns, "links"))
	}
	down := func(text string) (*facts.Link, []Branch) {
		s = s.step(ns, StageLink, text)
		s.last().Source = link.Source
		return nil, s.end(Dropped)
	}
	switch {
	case !slices.Contains(link.Flags, "UP"):
		return down(dev + " is down")
	case slices.Contains(link.Flags, "NO-CARRIER"):
		return down(dev + " has no carrier")
	}
	return link, nil
}

// neighbour is the hardware address of a nexthop (neigh_resolve_output of net/core/neighbour.c): empty where the kernel
// would have to ask, which whoever owns the nexthop then answers.
func (w *walker) neighbour(s state, ns *Namespace, link *facts.Link, nexthop netip.Addr) (state, string, []Branch) {
	if slices.Contains(link.Flags, "NOARP") {
		return s, "", nil
	}
	if ns.facts.Neighbours.Status != facts.Read {
		return s, "", nil // as if it were to ask
	}
	e := ns.neighbours[neighbourKey{nexthop, link.Ifname}]
	switch {
	case e == nil:
		return s, "", nil
	case e.Lladdr != "" && e.State != "FAILED" && e.State != "INCOMPLETE":
		s = s.say(ns, StageNeighbour, told(func() (string, facts.Source) {
			return fmt.Sprintf("%s is at %s, %s", e.Dst, e.Lladdr, e.State), e.Source
		}))
		return s, e.Lladdr, nil
	}
	s = s.step(ns, StageNeighbour, fmt.Sprintf("%s did not answer when last asked for its hardware address on %s: %s", nexthop, link.Ifname, e.State))
	s.last().Source = e.Source
	if len(w.model.byAddress[nexthop]) == 0 {
		return s, "", s.end(Dropped)
	}
	return s.unsure(nil), "", nil
}

// frame sends a frame by a device: to the hardware address mac, or where that is empty to whoever owns nexthop.
func (w *walker) frame(s state, ns *Namespace, link *facts.Link, mac string, nexthop netip.Addr) []Branch {
	switch link.Kind {
	case "bridge":
		return w.bridge(s, ns, link, nil, mac, nexthop)
	case "vxlan":
		return w.encapsulateVXLAN(s, ns, link, mac, nexthop)
	case "geneve":
		return w.encapsulateGeneve(s, ns, link, mac, nexthop)
	case "macvlan", "ipvlan":
		return w.sibling(s, ns, link, mac, nexthop)
	case "bond", "team":
		return w.slaves(s, ns, link, mac, nexthop)
	case "gretap", "tun":
		return s.unknown(ns, StageLink, fmt.Sprintf("what is beyond %s, a device of kind %s, is no fact", link.Ifname, link.Kind), nil)
	case "veth":
		if at, ok := w.model.peer(ns, link); ok {
			s = s.say(ns, StageLink, told(func() (string, facts.Source) {
				return fmt.Sprintf("by %s to %s of %s", link.Ifname, at.dev, at.ns.title()), link.Source
			}))
			if ended := s.unfit(at.ns, link, at.ns.links[at.dev], StageLink); ended != nil {
				return ended
			}
			if at.ns != ns {
				s.scrub()
			}
			return w.arrive(s, at, mac, nexthop)
		}
	case "vlan":
		return w.tag(s, ns, link, mac, nexthop)
	}
	return w.segment(s, ns, link, mac, nexthop)
}

// segment is the way out of the node: to the other node on the link that owns the nexthop.
func (w *walker) segment(s state, ns *Namespace, link *facts.Link, mac string, nexthop netip.Addr) []Branch {
	if child, ok := w.model.childOf(place{ns, link.Ifname}, nexthop, nexthop); ok {
		s = s.step(ns, StageLink, fmt.Sprintf("%s has %s, on %s of %s: a parent and its %ss do not reach each other",
			child.ns.title(), nexthop, child.dev, link.Ifname, child.ns.links[child.dev].Kind))
		s.last().Source = link.Source
		return s.end(Dropped)
	}
	found, addressKnown := w.model.onSegment(ns, nexthop, mac)
	s = s.say(ns, StageLink, told(func() (string, facts.Source) {
		return fmt.Sprintf("leaves %s by %s for %s", ns.title(), link.Ifname, nexthop), link.Source
	}))
	switch {
	case len(found) == 1:
		if text := otherVLAN(s.pkt.vlan, found[0]); text != "" {
			s.last().Text += text
			return s.end(Unknown)
		}
		s.scrub()
		if s.pkt.vlan != 0 {
			s.edit().vlan = 0
		}
		return w.arrive(s, found[0], mac, nexthop)
	case len(found) > 1:
		s.last().Text += fmt.Sprintf(": %d nodes have this address", len(found))
		return s.end(Unknown)
	case addressKnown:
		s.last().Text += fmt.Sprintf(": no device of its owner has the hardware address %s", mac)
		return s.end(Dropped)
	case w.returns(s):
		return w.returned(s)
	}
	if text, service := w.untranslated(s, ns); text != "" {
		s.last().Text += ": " + text
		s.last().Service = service
		return s.expect(Dropped)
	}
	if name, ok := w.model.nodeObject[nexthop]; ok {
		s.last().Missing = &Missing{Node: name, Collect: "netcause collect on " + name}
		s.last().Text += ", node " + name + ": facts of node " + name + " would take it further"
	} else {
		s.last().Text += ": nobody among the facts"
		if pod := w.model.pods[s.pkt.Dst]; pod != nil && w.answer == nil {
			s.last().Text += fmt.Sprintf(" (%s is Pod %s/%s on node %s)", s.pkt.Dst, pod.Metadata.Namespace, pod.Metadata.Name, pod.Spec.NodeName)
		}
	}
	if pod, ok := w.model.pods[nexthop]; ok && pod.Spec.NodeName == ns.Node {
		s.last().Missing = &Missing{Node: ns.Node, Namespace: pod.Metadata.Namespace + "/" + pod.Metadata.Name, Collect: "netcause collect on " + ns.Node}
		s.steps.says, s.last().Source = nil, link.Source
		s.last().Text = fmt.Sprintf("by %s to Pod %s/%s, whose namespace was not read", link.Ifname, pod.Metadata.Namespace, pod.Metadata.Name)
		if denied := w.ingressUnread(s, ns, pod); denied != nil {
			return denied
		}
	}
	return s.end(Unknown)
}

// returns is whether the packet is the answer to a sender of which there are no facts.
func (w *walker) returns(s state) bool {
	return w.answer != nil && w.outside && s.pkt.Inner == nil && s.pkt.Dst == w.answer.Src
}

// returned ends such an answer at the step that it leaves the facts with.
func (w *walker) returned(s state) []Branch {
	if !answers(s.pkt, w.answer) {
		s.last().Text += fmt.Sprintf(": the answer comes from %s, and the sender asked %s", end(s.pkt.Src, s.pkt.Sport), end(w.answer.Dst, w.answer.Dport))
		return s.end(Rejected)
	}
	return s.end(Delivered)
}

func (n *Namespace) title() string {
	switch {
	case n.Pod != nil:
		return fmt.Sprintf("Pod %s/%s", n.Pod.Namespace, n.Pod.Name)
	case n.ID != "":
		return "namespace " + n.ID + " of " + n.Node
	}
	return n.Node
}

// arrive is __netif_receive_skb_core: a frame comes in by a device, for a bridge or for the namespace.
func (w *walker) arrive(s state, at place, mac string, nexthop netip.Addr) []Branch {
	link, ended := w.link(s, at.ns, at.dev)
	if ended != nil {
		return ended
	}
	if s, ended = s.again(visit{at: at, mac: mac, nexthop: nexthop, frame: true}); ended != nil {
		return ended
	}
	if s.pkt.vlan != 0 {
		return w.untag(s, at, mac, nexthop)
	}
	if child, ok := w.model.childOf(at, nexthop, s.pkt.Dst); ok && (mac == "" || mac == child.ns.links[child.dev].Address) {
		return w.toChild(s, at, child, mac, nexthop)
	}
	if master := at.ns.links[link.Master]; master != nil {
		switch master.Kind {
		case "bridge":
			return w.bridge(s, at.ns, master, link, mac, nexthop)
		case "bond", "team":
			link = master
		default:
			return s.unknown(at.ns, StageLink, fmt.Sprintf("%s belongs to %s, a device of kind %s", at.dev, master.Ifname, master.Kind), nil)
		}
	}
	return w.up(s, at.ns, link, mac, nexthop)
}

// up takes a frame from a device to the network layer, if it is for this machine: eth_type_trans, and where the sender had
// to ask, arp_process of net/ipv4/arp.c.
func (w *walker) up(s state, ns *Namespace, link *facts.Link, mac string, nexthop netip.Addr) []Branch {
	switch {
	case mac != "" && link.Address != "" && mac != link.Address:
		s = s.step(ns, StageLink, fmt.Sprintf("the frame is for %s, and %s of %s is %s: it is another's", mac, link.Ifname, ns.title(), link.Address))
		s.last().Source = link.Source
		return s.end(Dropped)
	case mac == "" && link.LinkType == "ether" && !ns.isLocal(nexthop):
		if ns.facts.Addresses.Status != facts.Read {
			s = s.step(ns, StageNeighbour, "whether "+ns.title()+" has "+nexthop.String()+" was not read").unsure(missing(ns, "addresses"))
			break
		}
		if text, why, answers := ns.proxies(link.Ifname, nexthop); answers == maybe {
			s = s.step(ns, StageNeighbour, text).unsure(why)
		} else if answers == no {
			s = s.step(ns, StageNeighbour, text)
			return s.end(Dropped)
		}
	}
	return w.receive(s, ns, link.Ifname)
}

// proxies is whether the namespace answers who asks on a device for the hardware address of another: arp_process and
// arp_fwd_proxy of net/ipv4/arp.c, which take a route by another device. IPv6 needs an entry for each address besides.
func (n *Namespace) proxies(dev string, a netip.Addr) (text string, why *Missing, answers truth) {
	nobody := fmt.Sprintf("nobody has %s: who asks for its hardware address on %s gets no answer", a, dev)
	proxy := n.maxConf(dev, "proxy_arp")
	if a.Is6() {
		if proxy = n.conf("ipv6", dev, "proxy_ndp"); proxy.on() == yes {
			return "whether " + dev + " has a proxy entry for " + a.String() + " is no fact", nil, maybe
		}
	}
	switch proxy.on() {
	case no:
		return nobody, nil, no
	case maybe:
		return "whether " + dev + " answers for others (proxy_arp) was not read", missing(n, "sysctls"), maybe
	}
	r := n.Lookup(Flow{Src: zeroOf(a), Dst: a, Iif: dev, UID: new(int)})
	switch {
	case r.Type == "unknown":
		return r.Reason, r.Missing, maybe
	case r.Type != "unicast" || r.Ways[0].Dev == dev:
		return nobody + fmt.Sprintf(": proxy_arp is 1, and there is no route to %s by another device", a), nil, no
	}
	return "", nil, yes
}

func zeroOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
