package datapath

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

const broadcastMAC = "00:00:00:00:00:00" // the FDB's default entry

// Bytes that a tunnel adds before the inner packet.
const (
	vxlanOverhead4 = 50
	vxlanOverhead6 = 70
)

// encapsulateVXLAN is vxlan_xmit of drivers/net/vxlan/vxlan_core.c: the forwarding database gives the remote VTEP, and the
// frame becomes a UDP packet of this namespace's own.
func (w *walker) encapsulateVXLAN(s state, ns *Namespace, link *facts.Link, mac string, nexthop netip.Addr) []Branch {
	v := link.VXLAN
	if v == nil || v.External {
		return s.unknown(ns, StageEncap, link.Ifname+" takes its destination from the program that sends: it is no fact", nil)
	}
	if ns.facts.FDB.Status != facts.Read {
		return s.unknown(ns, StageEncap, "the forwarding database was not read", missing(ns, "fdb"))
	}
	vtep, source, many := ns.vtep(link, mac)
	switch {
	case many:
		return s.unknown(ns, StageEncap, fmt.Sprintf("%s floods the frame for %s to several VTEPs", link.Ifname, nexthop), nil)
	case !vtep.IsValid() && mac == "":
		s = s.step(ns, StageNeighbour, fmt.Sprintf("%s has no neighbour entry for %s, and nowhere to ask: its forwarding database has no default", link.Ifname, nexthop))
		s.last().Source = link.Source
		return s.end(Dropped)
	case !vtep.IsValid():
		s = s.step(ns, StageEncap, fmt.Sprintf("the forwarding database of %s has no VTEP for %s", link.Ifname, mac))
		s.last().Source = link.Source
		return s.end(Dropped)
	case vtep.IsMulticast():
		return s.unknown(ns, StageEncap, fmt.Sprintf("%s floods the frame for %s to group %s", link.Ifname, nexthop, vtep), nil)
	}
	inner := s.pkt
	outer := Packet{
		Src: v.Local, Dst: vtep, Proto: "udp", Dport: uint16(v.Port), Mark: inner.Mark, TTL: defaultTTL, VNI: v.ID, Inner: inner,
		tunnel: &wrapping{place{ns, link.Ifname}, mac, nexthop},
	}
	if inner.Length > 0 {
		outer.Length = inner.Length + vxlanOverhead4
		if vtep.Is6() {
			outer.Length = inner.Length + vxlanOverhead6
		}
	}
	s = s.carrying(outer)
	s = s.say(ns, StageEncap, told(func() (string, facts.Source) {
		return fmt.Sprintf("%s wraps it, VNI %d, for VTEP %s port %d", link.Ifname, v.ID, vtep, v.Port), source
	}))
	return w.sendOuter(s, ns, link, v.Local)
}

// vtep is the remote end for a hardware address; many says that there are several.
func (n *Namespace) vtep(link *facts.Link, mac string) (vtep netip.Addr, source facts.Source, many bool) {
	for _, want := range []string{mac, broadcastMAC} {
		for _, e := range n.fdb[fdbKey{link.Ifname, want}] {
			if want == "" || !e.Dst.IsValid() {
				continue
			}
			if vtep.IsValid() {
				return vtep, source, true
			}
			vtep, source = e.Dst, e.Source
		}
		if vtep.IsValid() {
			return vtep, source, false
		}
	}
	return link.VXLAN.Group, link.Source, false
}

// sendOuter routes a tunnel's packet. Its source must be an address of this namespace's.
func (w *walker) sendOuter(s state, ns *Namespace, link *facts.Link, local netip.Addr) []Branch {
	if looped := s.ownTunnel(place{ns, link.Ifname}, s.pkt); looped != nil {
		return looped
	}
	if local.IsValid() && !local.IsUnspecified() && ns.facts.Addresses.Status == facts.Read && !ns.isLocal(local) {
		s = s.step(ns, StageEncap, fmt.Sprintf("%s sends from %s, which is no address of %s", link.Ifname, local, ns.title()))
		s.last().Source = link.Source
		return s.end(Dropped)
	}
	if local.IsValid() && local.IsUnspecified() {
		s.from(netip.Addr{})
	}
	return w.throughTunnel(s, ns)
}

// encapsulateIP is ip_tunnel_xmit of net/ipv4/ip_tunnel.c; without a remote end the route's nexthop is it.
func (w *walker) encapsulateIP(s state, ns *Namespace, link *facts.Link, nexthop netip.Addr) []Branch {
	t := link.Tunnel
	if t == nil {
		return s.unknown(ns, StageEncap, fmt.Sprintf("the ends of %s (%s) are no facts", link.Ifname, link.Kind), nil)
	}
	proto, overhead := "ipencap", 20
	switch {
	case link.Kind == "gre":
		proto, overhead = "gre", 24
	case link.Kind == "sit":
		proto = "ipv6"
	case link.Kind != "ipip":
		return s.unknown(ns, StageEncap, "tunnels of kind "+link.Kind+" are not followed", nil)
	}
	remote := t.Remote
	if !remote.IsValid() || remote.IsUnspecified() {
		remote = nexthop
	}
	inner := s.pkt
	outer := Packet{Src: t.Local, Dst: remote, Proto: proto, Mark: inner.Mark, TTL: defaultTTL, DF: t.PMTUDisc, Inner: inner, tunnel: &wrapping{device: place{ns, link.Ifname}}}
	if outer.Src.IsValid() && outer.Src.IsUnspecified() {
		outer.Src = netip.Addr{}
	}
	if inner.Length > 0 {
		outer.Length = inner.Length + overhead
	}
	s = s.carrying(outer)
	s = s.say(ns, StageEncap, told(func() (string, facts.Source) {
		return fmt.Sprintf("%s wraps it for %s", link.Ifname, remote), link.Source
	}))
	return w.sendOuter(s, ns, link, t.Local)
}

// decapsulate finds the device that a tunnel's packet is for: vxlan_rcv, ip_tunnel_lookup.
func (w *walker) decapsulate(s state, ns *Namespace) []Branch {
	w.model.tunnels.remember(s, ns)
	s.tunnel = nil
	if ns.facts.Links.Status != facts.Read {
		return s.unknown(ns, StageDecap, "the devices were not read", missing(ns, "links"))
	}
	outer := s.pkt
	var port *facts.Link // a VXLAN device of that port
	made := outer.made()
	for _, l := range ns.tunnels {
		switch {
		case made == "wireguard":
			if l.Kind == "wireguard" && l.WireGuard == nil {
				return s.unknown(ns, StageDecap, fmt.Sprintf("the peers of %s were not read: wg show %s", l.Ifname, l.Ifname), missing(ns, "links"))
			}
			if l.Kind != "wireguard" || l.WireGuard.ListenPort != int(outer.Dport) {
				continue
			}
		case l.VXLAN != nil && made == "vxlan" && l.VXLAN.Port == int(outer.Dport):
			port = l
			if l.VXLAN.ID != outer.VNI && !l.VXLAN.External {
				continue
			}
		case made == "geneve" && l.Kind == "geneve" && l.Tunnel != nil && l.Tunnel.Port == int(outer.Dport) && l.Tunnel.External:
			return s.unknown(ns, StageDecap, l.Ifname+" leaves it to a program what it takes: it is no fact", nil)
		case l.Tunnel == nil || !tunnelTakes(l, outer):
			continue
		}
		if !slices.Contains(l.Flags, "UP") {
			s = s.step(ns, StageDecap, l.Ifname+" is down")
			s.last().Source = l.Source
			return s.end(Dropped)
		}
		if made == "wireguard" {
			return w.decryptWireGuard(s, ns, l)
		}
		if s.pkt = outer.Inner; s.pkt.Mark != outer.Mark {
			s.edit().Mark = outer.Mark
		}
		s = s.say(ns, StageDecap, told(func() (string, facts.Source) { return l.Ifname + " unwraps it", l.Source }))
		if l.Kind == "vxlan" || l.Kind == "geneve" {
			return w.arrive(s, place{ns, l.Ifname}, outer.tunnel.mac, outer.tunnel.nexthop)
		}
		return w.receive(s, ns, l.Ifname)
	}
	text := fmt.Sprintf("no tunnel device takes %s from %s", outer.Proto, outer.Src)
	switch {
	case made == "wireguard":
		text = fmt.Sprintf("no WireGuard device listens on port %d", outer.Dport)
	case made == "geneve":
		text = fmt.Sprintf("no Geneve device of VNI %d takes port %d from %s", outer.VNI, outer.Dport, outer.Src)
	case outer.VNI != 0:
		text = fmt.Sprintf("no VXLAN device of VNI %d takes port %d", outer.VNI, outer.Dport)
	}
	if port != nil {
		text += fmt.Sprintf("; %s has VNI %d", port.Ifname, port.VXLAN.ID)
	}
	s = s.step(ns, StageDecap, text)
	return s.end(Dropped)
}

// made is the kind of the tunnel's device that wrapped a packet.
func (p *Packet) made() string {
	if p.tunnel != nil {
		if l := p.tunnel.device.link(); l != nil {
			return l.Kind
		}
	}
	return ""
}

// encapsulateGeneve is geneve_xmit of drivers/net/geneve.c: one device has one other end, unless a program gives each packet
// its own (Cilium, OVN).
func (w *walker) encapsulateGeneve(s state, ns *Namespace, link *facts.Link, mac string, nexthop netip.Addr) []Branch {
	t := link.Tunnel
	if t == nil || t.External || t.ID == 0 || !t.Remote.IsValid() {
		return s.unknown(ns, StageEncap, link.Ifname+" takes its destination from the program that sends: it is no fact", nil)
	}
	inner := s.pkt
	outer := Packet{
		Dst: t.Remote, Proto: "udp", Dport: uint16(t.Port), Mark: inner.Mark, TTL: defaultTTL, DF: t.PMTUDisc, VNI: t.ID, Inner: inner,
		tunnel: &wrapping{place{ns, link.Ifname}, mac, nexthop},
	}
	if inner.Length > 0 {
		outer.Length = inner.Length + vxlanOverhead4 // without options it is as long
		if t.Remote.Is6() {
			outer.Length = inner.Length + vxlanOverhead6
		}
	}
	s = s.carrying(outer)
	s = s.say(ns, StageEncap, told(func() (string, facts.Source) {
		return fmt.Sprintf("%s wraps it, VNI %d, for %s port %d", link.Ifname, t.ID, t.Remote, t.Port), link.Source
	}))
	return w.sendOuter(s, ns, link, netip.Addr{})
}

func tunnelTakes(l *facts.Link, p *Packet) bool {
	if l.Kind == "geneve" {
		return p.made() == "geneve" && l.Tunnel.ID == p.VNI && l.Tunnel.Port == int(p.Dport) && l.Tunnel.Remote == p.Src // geneve_lookup
	}
	kind := map[string]string{"ipencap": "ipip", "gre": "gre", "ipv6": "sit"}[p.Proto]
	is := func(a, want netip.Addr) bool { return !a.IsValid() || a.IsUnspecified() || a == want }
	return l.Kind == kind && is(l.Tunnel.Local, p.Dst) && is(l.Tunnel.Remote, p.Src)
}
