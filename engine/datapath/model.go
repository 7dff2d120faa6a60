package datapath

import (
	"net/netip"
	"slices"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
)

// Model is a snapshot indexed for walks. It does not change once made, but for netfilter listings, which are parsed when
// the first walk comes to them, and may be used concurrently.
type Model struct {
	snapshot  *facts.Snapshot
	nodes     map[string][]*Namespace // the node's own first
	byID      map[namespaceID]*Namespace
	byAddress map[netip.Addr][]place
	byMAC     map[string][]place
	// hostAddress and hostMAC are of the nodes' own namespaces; the devices to their Pods are not among hostMAC.
	hostAddress map[netip.Addr][]place
	hostMAC     map[string][]place
	peers       map[place]place
	// parents and children are of macvlan and ipvlan devices.
	parents    map[place]place
	children   map[place][]place
	pods       map[netip.Addr]*facts.Pod
	podNames   map[facts.PodReference]podFacts
	nodeObject map[netip.Addr]string // InternalIP to name
	tunnels    tunnelWays
	objects    *objects // nil where no cluster was read
}

type namespaceID struct{ node, id string }

// podFacts is what there is of a Pod: its object, and its namespace.
type podFacts struct {
	object *facts.Pod
	ns     *Namespace
}

// place is a device of a namespace.
type place struct {
	ns  *Namespace
	dev string
}

// New indexes a snapshot. It keeps s and does not change it.
func New(s *facts.Snapshot) *Model {
	m := &Model{
		snapshot: s, nodes: map[string][]*Namespace{}, byID: map[namespaceID]*Namespace{}, byAddress: map[netip.Addr][]place{},
		byMAC: map[string][]place{}, pods: map[netip.Addr]*facts.Pod{}, podNames: map[facts.PodReference]podFacts{},
		nodeObject: map[netip.Addr]string{}, hostAddress: map[netip.Addr][]place{}, hostMAC: map[string][]place{},
	}
	for _, node := range s.Nodes {
		m.add(NewNamespace(node.Name, "", &node.NetNS))
		for _, other := range node.Namespaces {
			ns := NewNamespace(node.Name, other.ID, &other.NetNS)
			ns.Pod = other.Pod
			m.add(ns)
		}
	}
	m.indexPeers()
	m.indexParents()
	if s.Cluster == nil {
		return m
	}
	m.objects = newObjects(s.Cluster)
	for i := range s.Cluster.Pods.Value {
		p := &s.Cluster.Pods.Value[i]
		name := facts.PodReference{Namespace: p.Metadata.Namespace, Name: p.Metadata.Name}
		m.podNames[name] = podFacts{p, m.podNames[name].ns}
		if p.Spec.HostNetwork || p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" {
			continue // of one that has ended the address may be another's by now
		}
		for _, a := range podAddresses(p) {
			m.pods[a] = p
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
	if id := (namespaceID{ns.Node, ns.ID}); m.byID[id] == nil {
		m.byID[id] = ns
	}
	if ns.Pod != nil {
		name := facts.PodReference{Namespace: ns.Pod.Namespace, Name: ns.Pod.Name}
		if m.podNames[name].ns == nil {
			m.podNames[name] = podFacts{ns: ns}
		}
	}
	for i := range ns.facts.Addresses.Value {
		a := &ns.facts.Addresses.Value[i]
		m.byAddress[a.Local] = append(m.byAddress[a.Local], place{ns, a.Dev})
		if ns.ID == "" {
			m.hostAddress[a.Local] = append(m.hostAddress[a.Local], place{ns, a.Dev})
		}
	}
	for i := range ns.facts.Links.Value {
		l := &ns.facts.Links.Value[i]
		if l.Address != "" && l.Address != "00:00:00:00:00:00" {
			m.byMAC[l.Address] = append(m.byMAC[l.Address], place{ns, l.Ifname})
		}
	}
}

// Namespace finds a node's namespace by its id, empty for the node's own; nil where the snapshot has none.
func (m *Model) Namespace(node, id string) *Namespace { return m.byID[namespaceID{node, id}] }

// PodNamespace finds a Pod's namespace by the Pod's name, or by its address; nil where the snapshot has none.
func (m *Model) PodNamespace(namespace, name string) *Namespace {
	pod := m.podNames[facts.PodReference{Namespace: namespace, Name: name}]
	if pod.ns != nil || pod.object == nil || pod.object.Spec.HostNetwork {
		return pod.ns
	}
	for _, a := range podAddresses(pod.object) {
		for _, at := range m.byAddress[a] {
			if at.ns.ID != "" {
				return at.ns
			}
		}
	}
	return nil
}

// podAddresses are the addresses that a Pod's status has.
func podAddresses(p *facts.Pod) (list []netip.Addr) {
	if a, err := netip.ParseAddr(p.Status.PodIP); err == nil {
		list = append(list, a)
	}
	for _, ip := range p.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// parsedListings is what came of parsing a namespace's listings.
type parsedListings struct {
	*Listings
	err error
	// hooks are those of the rules for each family (familyIndex); untouched are the ones at which no packet meets a rule.
	hooks     [netfilter.HookPostrouting + 1][2]*netfilter.HookRules
	untouched [netfilter.HookPostrouting + 1][2]bool
}

// Listings are the namespace's netfilter listings, parsed when somebody first asks for them. The error is of the first that
// is not understood at all.
func (n *Namespace) Listings() (*Listings, error) {
	parsed := n.listings()
	return parsed.Listings, parsed.err
}

func parseListings(n *facts.NetNS) *parsedListings {
	l, err := ParseListings(n)
	parsed := &parsedListings{Listings: l, err: err}
	for hook := range parsed.hooks {
		for i, family := range []string{"ip", "ip6"} {
			at := l.Rules.At(netfilter.Hook(hook), family)
			parsed.hooks[hook][i], parsed.untouched[hook][i] = at, err == nil && at.Untouched()
		}
	}
	return parsed
}
