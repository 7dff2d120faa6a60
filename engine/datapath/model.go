package datapath

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/netcause/netcause/engine/facts"
)

// Model is a snapshot indexed for walks. It does not change once made, but for netfilter listings, which are parsed when
// the first walk comes to them, and may be used concurrently.
type Model struct {
	snapshot   *facts.Snapshot
	nodes      map[string][]*Namespace // the node's own first
	byAddress  map[netip.Addr][]place
	byMAC      map[string][]place
	pods       map[netip.Addr]*facts.Pod
	nodeObject map[netip.Addr]string // InternalIP to name
	parsed     sync.Map              // *Namespace to parsedListings
	objects    *objects              // nil where no cluster was read
}

// place is a device of a namespace.
type place struct {
	ns  *Namespace
	dev string
}

// New indexes a snapshot. It keeps s and does not change it.
func New(s *facts.Snapshot) *Model {
	m := &Model{
		snapshot: s, nodes: map[string][]*Namespace{}, byAddress: map[netip.Addr][]place{}, byMAC: map[string][]place{},
		pods: map[netip.Addr]*facts.Pod{}, nodeObject: map[netip.Addr]string{},
	}
	for _, node := range s.Nodes {
		m.add(NewNamespace(node.Name, "", &node.NetNS))
		for _, other := range node.Namespaces {
			ns := NewNamespace(node.Name, other.ID, &other.NetNS)
			ns.Pod = other.Pod
			m.add(ns)
		}
	}
	if s.Cluster == nil {
		return m
	}
	m.objects = newObjects(s.Cluster)
	for i := range s.Cluster.Pods.Value {
		p := &s.Cluster.Pods.Value[i]
		if p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" {
			continue // its address may be another's by now
		}
		if a, err := netip.ParseAddr(p.Status.PodIP); err == nil && !p.Spec.HostNetwork {
			m.pods[a] = p
		}
		for _, ip := range p.Status.PodIPs {
			if a, err := netip.ParseAddr(ip.IP); err == nil && !p.Spec.HostNetwork {
				m.pods[a] = p
			}
		}
	}
	for i := range s.Cluster.Nodes.Value {
		n := &s.Cluster.Nodes.Value[i]
		for _, address := range n.Status.Addresses {
			if a, err := netip.ParseAddr(address.Address); err == nil {
				m.nodeObject[a] = n.Metadata.Name
			}
		}
	}
	return m
}

func (m *Model) add(ns *Namespace) {
	m.nodes[ns.Node] = append(m.nodes[ns.Node], ns)
	for i := range ns.facts.Addresses.Value {
		a := &ns.facts.Addresses.Value[i]
		m.byAddress[a.Local] = append(m.byAddress[a.Local], place{ns, a.Dev})
	}
	for i := range ns.facts.Links.Value {
		l := &ns.facts.Links.Value[i]
		if l.Address != "" && l.Address != "00:00:00:00:00:00" {
			m.byMAC[l.Address] = append(m.byMAC[l.Address], place{ns, l.Ifname})
		}
	}
}

// Namespace finds a node's namespace by its id, empty for the node's own; nil where the snapshot has none.
func (m *Model) Namespace(node, id string) *Namespace {
	for _, ns := range m.nodes[node] {
		if ns.ID == id {
			return ns
		}
	}
	return nil
}

// PodNamespace finds a Pod's namespace by the Pod's name, or by its address; nil where the snapshot has none.
func (m *Model) PodNamespace(namespace, name string) *Namespace {
	for _, list := range m.nodes {
		for _, ns := range list {
			if ns.Pod != nil && ns.Pod.Namespace == namespace && ns.Pod.Name == name {
				return ns
			}
		}
	}
	for a, p := range m.pods {
		if p.Metadata.Namespace != namespace || p.Metadata.Name != name {
			continue
		}
		for _, at := range m.byAddress[a] {
			if at.ns.ID != "" {
				return at.ns
			}
		}
	}
	return nil
}

// parsedListings is what came of parsing a namespace's listings.
type parsedListings struct {
	*Listings
	err error
}

func (m *Model) listings(ns *Namespace) (*Listings, error) {
	p, ok := m.parsed.Load(ns)
	if !ok {
		l, err := ParseListings(ns.facts)
		p, _ = m.parsed.LoadOrStore(ns, parsedListings{l, err})
	}
	parsed := p.(parsedListings)
	return parsed.Listings, parsed.err
}

// peer is the other end of a veth device: the device whose ifindex and link index are this one's the other way round, in
// this namespace where there is no netnsid, else in another of the node's. Ambiguity is no answer.
func (m *Model) peer(ns *Namespace, l *facts.Link) (place, bool) {
	var found []place
	for _, other := range m.nodes[ns.Node] {
		if (other == ns) != (l.LinkNetnsid == nil) {
			continue
		}
		for i := range other.facts.Links.Value {
			o := &other.facts.Links.Value[i]
			if o.Kind == "veth" && l.LinkIndex == o.Ifindex && (o.LinkIndex == l.Ifindex) {
				found = append(found, place{other, o.Ifname})
			}
			// Some listings have the peer's name alone.
			if l.LinkNetnsid == nil && l.LinkIndex == 0 && l.Link != "" && o.Ifname == l.Link {
				found = append(found, place{other, o.Ifname})
			}
		}
	}
	if len(found) != 1 {
		return place{}, false
	}
	return found[0], true
}

// onSegment are the devices beyond a device that leaves the node which have an address or, where it is known, a hardware
// address: other nodes' own namespaces.
func (m *Model) onSegment(ns *Namespace, nexthop netip.Addr, mac string) (found []place, addressKnown bool) {
	for _, at := range m.byAddress[nexthop] {
		if at.ns == ns || at.ns.ID != "" || at.ns.Node == ns.Node {
			continue
		}
		addressKnown = true
		if l := at.ns.links[at.dev]; mac == "" || l == nil || l.Address == mac {
			found = append(found, at)
		}
	}
	if mac == "" || len(found) > 0 {
		return found, addressKnown
	}
	for _, at := range m.byMAC[mac] {
		if at.ns.Node != ns.Node && at.ns.ID == "" && !slices.Contains(found, at) {
			found = append(found, at)
		}
	}
	return found, addressKnown
}
