package datapath

import (
	"fmt"
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// Bytes that WireGuard adds: outer IP and UDP, its header, the tag of Poly1305 (drivers/net/wireguard/messages.h).
const (
	wireguardOverhead4 = 60
	wireguardOverhead6 = 80
	wireguardPadding   = 16
)

// encapsulateWireGuard is wg_xmit of drivers/net/wireguard/device.c: the allowed IPs of the peers are its routes.
func (w *walker) encapsulateWireGuard(s state, ns *Namespace, link *facts.Link) []Branch {
	wg := link.WireGuard
	if wg == nil {
		return s.unknown(ns, StageEncap, fmt.Sprintf("the peers of %s were not read: wg show %s", link.Ifname, link.Ifname), missing(ns, "links"))
	}
	peer, allowed := allowedIPs(wg, s.pkt.Dst)
	rejected := func(text string) []Branch {
		s = s.step(ns, StageEncap, text+": the sender is told by icmp host-unreachable")
		s.last().Source = link.Source
		return s.end(Rejected)
	}
	switch {
	case peer == nil:
		return rejected(fmt.Sprintf("no peer of %s has %s among its allowed IPs", link.Ifname, s.pkt.Dst))
	case !peer.Endpoint.IsValid() && w.answer != nil:
		return s.unknown(ns, StageEncap, fmt.Sprintf("%s has no endpoint of peer %s yet, and learns it from what comes in", link.Ifname, peer.PublicKey), nil)
	case !peer.Endpoint.IsValid():
		return rejected(fmt.Sprintf("%s has no endpoint of peer %s, whose allowed IPs have %s", link.Ifname, peer.PublicKey, s.pkt.Dst))
	}
	inner := s.pkt
	outer := Packet{
		Dst: peer.Endpoint.Addr(), Proto: "udp", Sport: uint16(wg.ListenPort), Dport: peer.Endpoint.Port(), Mark: wg.Fwmark, TTL: defaultTTL,
		Inner: inner, tunnel: &wrapping{device: place{ns, link.Ifname}},
	}
	if inner.Length > 0 {
		padded := (inner.Length + wireguardPadding - 1) / wireguardPadding * wireguardPadding
		if link.MTU > 0 {
			padded = max(inner.Length, min(padded, link.MTU))
		}
		outer.Length = padded + wireguardOverhead4
		if outer.Dst.Is6() {
			outer.Length = padded + wireguardOverhead6
		}
	}
	s = s.carrying(outer)
	s = s.say(ns, StageEncap, told(func() (string, facts.Source) {
		return fmt.Sprintf("%s encrypts it for peer %s at %s, whose allowed IPs have %s", link.Ifname, peer.PublicKey, peer.Endpoint, allowed), link.Source
	}))
	return w.sendOuter(s, ns, link, netip.Addr{})
}

// allowedIPs is wg_allowedips_lookup_dst: the peer whose allowed IPs have the longest prefix around an address.
func allowedIPs(wg *facts.WireGuard, a netip.Addr) (peer *facts.WireGuardPeer, by netip.Prefix) {
	for i := range wg.Peers {
		for _, p := range wg.Peers[i].AllowedIPs {
			if p.Contains(a) && (peer == nil || p.Bits() > by.Bits()) {
				peer, by = &wg.Peers[i], p
			}
		}
	}
	return peer, by
}

// decryptWireGuard is wg_packet_consume_data_done of drivers/net/wireguard/receive.c, after a handshake that needs the
// sender's key among the peers: the source must be among that peer's allowed IPs.
func (w *walker) decryptWireGuard(s state, ns *Namespace, link *facts.Link) []Branch {
	outer := s.pkt
	dropped := func(text string) []Branch {
		s = s.step(ns, StageDecap, text)
		s.last().Source = link.Source
		return s.end(Dropped)
	}
	var key string
	if from := outer.tunnel.device.link(); from != nil && from.WireGuard != nil {
		key = from.WireGuard.PublicKey
	}
	peer, _ := allowedIPs(link.WireGuard, outer.Inner.Src)
	known := false
	for i := range link.WireGuard.Peers {
		known = known || link.WireGuard.Peers[i].PublicKey == key
	}
	switch {
	case key == "":
		return s.unknown(ns, StageDecap, "the public key of the sending device was not read", missing(outer.tunnel.device.ns, "links"))
	case !known:
		return dropped(fmt.Sprintf("%s has no peer with the sender's public key %s: there is no handshake", link.Ifname, key))
	case peer == nil || peer.PublicKey != key:
		return dropped(fmt.Sprintf("%s does not take %s from peer %s: it is not among its allowed IPs", link.Ifname, outer.Inner.Src, key))
	}
	if s.pkt = outer.Inner; s.pkt.Mark != 0 {
		s.edit().Mark = 0 // wg_reset_packet
	}
	s = s.say(ns, StageDecap, told(func() (string, facts.Source) { return link.Ifname + " decrypts it", link.Source }))
	return w.receive(s, ns, link.Ifname)
}
