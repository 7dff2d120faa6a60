package datapath

import (
	"net/netip"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// indexPeers finds the other ends of all veth devices.
func (m *Model) indexPeers() {
	m.peers = map[place]place{}
	type wire struct{ ifindex, link int }
	for _, list := range m.nodes {
		ends := map[wire][]place{}
		for _, ns := range list {
			for i := range ns.facts.Links.Value {
				if l := &ns.facts.Links.Value[i]; l.Kind == "veth" {
					k := wire{l.Ifindex, l.LinkIndex}
					ends[k] = append(ends[k], place{ns, l.Ifname})
				}
			}
		}
		for _, ns := range list {
			for i := range ns.facts.Links.Value {
				l := &ns.facts.Links.Value[i]
				if at, ok := findPeer(ns, l, ends[wire{l.LinkIndex, l.Ifindex}]); ok {
					m.peers[place{ns, l.Ifname}] = at
				} else if ns.ID == "" && l.Address != "" && l.Address != broadcastMAC {
					m.hostMAC[l.Address] = append(m.hostMAC[l.Address], place{ns, l.Ifname})
				}
			}
		}
	}
}

// findPeer is the other end of a veth device: the device whose ifindex and link index are this one's the other way round, in
// this namespace where there is no netnsid, else in another of the node's. Ambiguity is no answer.
func findPeer(ns *Namespace, l *facts.Link, ends []place) (found place, ok bool) {
	count := 0
	for _, at := range ends {
		if (at.ns == ns) == (l.LinkNetnsid == nil) {
			found = at
			count++
		}
	}
	// Some listings have the peer's name alone.
	if l.LinkNetnsid == nil && l.LinkIndex == 0 && l.Link != "" && ns.links[l.Link] != nil {
		found = place{ns, l.Link}
		count++
	}
	return found, count == 1
}

func (m *Model) peer(ns *Namespace, l *facts.Link) (place, bool) {
	at, ok := m.peers[place{ns, l.Ifname}]
	return at, ok
}

// onSegment are the devices beyond a device that leaves the node which have an address or, where it is known, a hardware
// address: other nodes' own namespaces.
func (m *Model) onSegment(ns *Namespace, nexthop netip.Addr, mac string) (found []place, addressKnown bool) {
	for _, at := range m.hostAddress[nexthop] {
		if at.ns.Node == ns.Node {
			continue
		}
		addressKnown = true
		if l := at.ns.links[at.dev]; mac == "" || l == nil || l.Address == mac {
			found = append(found, at)
		}
	}
	for _, at := range m.byAddress[nexthop] {
		if parent, ok := m.parents[at]; ok && at.ns.Node != ns.Node && (mac == "" || at.link().Address == mac) && !slices.Contains(found, at) {
			found, addressKnown = append(found, parent), true
		}
	}
	if mac == "" || len(found) > 0 {
		return found, addressKnown
	}
	for _, at := range m.hostMAC[mac] {
		if at.ns.Node != ns.Node && !slices.Contains(found, at) {
			found = append(found, at)
		}
	}
	return found, addressKnown
}
