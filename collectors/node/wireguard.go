package node

import (
	"fmt"
	"net/netip"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/netcause/netcause/engine/facts"
)

// maxWireGuardPeers bounds the peers of one device.
const maxWireGuardPeers = 65536

// wireguard adds the peers of the namespace's WireGuard devices, which are in generic netlink. It asks only where there is
// one: the question alone would make the kernel load the module. The kernel shows them to CAP_NET_ADMIN; a device whose
// peers are not shown stays without.
func wireguard(links []facts.Link) error {
	var client *wgctrl.Client
	for i := range links {
		l := &links[i]
		if l.Kind != "wireguard" {
			continue
		}
		if client == nil {
			c, err := wgctrl.New()
			if err != nil {
				return &incomplete{fmt.Sprintf("the peers of WireGuard devices were not read: %v", err)}
			}
			defer c.Close()
			client = c
		}
		device, err := client.Device(l.Ifname)
		if err != nil {
			return &incomplete{fmt.Sprintf("the peers of %s were not read: %v", l.Ifname, err)}
		}
		l.WireGuard = wireguardFacts(device)
	}
	return nil
}

// wireguardFacts leaves the keys out that are secrets.
func wireguardFacts(d *wgtypes.Device) *facts.WireGuard {
	w := &facts.WireGuard{ListenPort: d.ListenPort, Fwmark: uint32(d.FirewallMark), Peers: []facts.WireGuardPeer{}}
	if d.PublicKey != (wgtypes.Key{}) {
		w.PublicKey = d.PublicKey.String()
	}
	for _, p := range d.Peers[:min(len(d.Peers), maxWireGuardPeers)] {
		peer := facts.WireGuardPeer{PublicKey: p.PublicKey.String(), AllowedIPs: []netip.Prefix{}}
		if p.Endpoint != nil {
			e := p.Endpoint.AddrPort()
			peer.Endpoint = netip.AddrPortFrom(e.Addr().Unmap(), e.Port())
		}
		if !p.LastHandshakeTime.IsZero() {
			peer.LastHandshake = p.LastHandshakeTime.Unix()
		}
		for _, ip := range p.AllowedIPs {
			a, ok := netip.AddrFromSlice(ip.IP)
			ones, bits := ip.Mask.Size()
			if ok && bits > 0 {
				if bits == 32 {
					a = a.Unmap()
				}
				peer.AllowedIPs = append(peer.AllowedIPs, netip.PrefixFrom(a, ones))
			}
		}
		w.Peers = append(w.Peers, peer)
	}
	return w
}
