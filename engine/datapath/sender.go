package datapath

import (
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// Sender is where a packet begins.
type Sender struct {
	// Node is the node that sends it, that has the Pod that does, or that it arrives at.
	Node string
	// Namespace is the sending namespace's id, empty for the node's own.
	Namespace string
	// Dev, where set, says that the packet comes from outside and arrives at the namespace by this device.
	Dev string
}

// PodSender is where a Pod's packets begin: its namespace, or where its devices were not read, the device of its node that the
// Pod's address is routed to. Src is then the Pod's address, which the packet must have; else it is invalid, and the
// namespace chooses. ok is false where neither is among the facts.
func (m *Model) PodSender(namespace, name string) (from Sender, src netip.Addr, ok bool) {
	return m.PodSenderLike(namespace, name, netip.Addr{})
}

// PodSenderLike is PodSender for a packet of the family of dst.
func (m *Model) PodSenderLike(namespace, name string, dst netip.Addr) (from Sender, src netip.Addr, ok bool) {
	ns := m.PodNamespace(namespace, name)
	if ns != nil && ns.facts.Links.Status == facts.Read {
		return Sender{Node: ns.Node, Namespace: ns.ID}, netip.Addr{}, true
	}
	// Without its devices no packet is followed out of a namespace.
	if from, src, ok = m.podOnNode(namespace, name, dst); ok || ns == nil {
		return from, src, ok
	}
	return Sender{Node: ns.Node, Namespace: ns.ID}, netip.Addr{}, true
}

// podOnNode is where a Pod's packets come into its node's own namespace.
func (m *Model) podOnNode(namespace, name string, dst netip.Addr) (from Sender, src netip.Addr, ok bool) {
	if m.snapshot.Cluster == nil {
		return Sender{}, netip.Addr{}, false
	}
	for i := range m.snapshot.Cluster.Pods.Value {
		p := &m.snapshot.Cluster.Pods.Value[i]
		if p.Metadata.Namespace != namespace || p.Metadata.Name != name {
			continue
		}
		ns := m.Namespace(p.Spec.NodeName, "")
		if ns == nil {
			return Sender{}, netip.Addr{}, false
		}
		if p.Spec.HostNetwork {
			return Sender{Node: ns.Node}, netip.Addr{}, true
		}
		a := podAddress(p, dst)
		if !a.IsValid() {
			return Sender{}, netip.Addr{}, false
		}
		if own := ns.ownRules(); own != nil {
			ns = own
		}
		r := ns.Lookup(Flow{Dst: a, Iif: "lo", UID: new(int)})
		if r.Type != "unicast" {
			return Sender{}, netip.Addr{}, false
		}
		return Sender{Node: ns.Node, Dev: r.Ways[0].Dev}, a, true
	}
	return Sender{}, netip.Addr{}, false
}

// podAddress is the Pod's address of the family of like, its first where that is invalid.
func podAddress(p *facts.Pod, like netip.Addr) netip.Addr {
	for _, a := range podAddresses(p) {
		if !like.IsValid() || a.Is4() == like.Unmap().Is4() {
			return a
		}
	}
	return netip.Addr{}
}
