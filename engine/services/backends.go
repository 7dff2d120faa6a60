package services

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// Missing is a fact without which an answer is not known.
type Missing struct {
	// Group is the group of facts that would tell, as in a rule's needs; empty where the facts are there and not understood.
	Group string `json:"group,omitempty"`
	// What is missing, in a sentence.
	What string `json:"what"`
}

// Endpoint is where a proxy may send a connection.
type Endpoint struct {
	Addr netip.AddrPort `json:"addr"`
	// Probability is of this endpoint for a new connection; those of an answer sum to 1.
	Probability float64 `json:"probability"`
	// Node is the node that the endpoint is on, empty where the objects do not say.
	Node string              `json:"node,omitempty"`
	Pod  *facts.PodReference `json:"pod,omitempty"`
	// Ready is as the EndpointSlice says; an endpoint that is not is there for want of a ready one.
	Ready       bool         `json:"ready"`
	Terminating bool         `json:"terminating,omitempty"`
	Source      facts.Source `json:"source"`

	serving            bool
	zone               string
	forZones, forNodes []string
}

// Backends are the endpoints of a Service port for one address family on one node: CategorizeEndpoints of
// pkg/proxy/topology.go.
type Backends struct {
	// All are the endpoints whatever their state, without probabilities.
	All []Endpoint `json:"all"`
	// Cluster are those that a node may use where the traffic policy is Cluster: the ready ones, of these the ones hinted
	// for the node or its zone, or for want of any ready one those that still serve while they terminate.
	Cluster []Endpoint `json:"cluster"`
	// Local are those on the node itself, for the traffic policy Local: ready, or for want of such serving and terminating.
	Local []Endpoint `json:"local"`
	// Topology is "", "PreferSameNode" or "PreferSameZone": by which hints Cluster was chosen.
	Topology string `json:"topology,omitempty"`
	// FromPods says that the EndpointSlices were not read, and the Pods that the selector matches stand for them.
	FromPods bool `json:"fromPods,omitempty"`
	// Missing is set where the endpoints are not known: All, Cluster and Local are then empty.
	Missing *Missing `json:"missing,omitempty"`
}

// For are the endpoints for packets that address the Service in a way: those of its traffic policy.
func (b *Backends) For(s *facts.Service, kind Kind) []Endpoint {
	if policyLocal(s, kind) {
		return b.Local
	}
	return b.Cluster
}

// policyLocal says whether packets that address the Service so stay on the node that translates them.
func policyLocal(s *facts.Service, kind Kind) bool {
	if kind.Internal() {
		return s.Spec.InternalTrafficPolicy == "Local"
	}
	return s.Spec.ExternalTrafficPolicy == "Local"
}

// Backends are the endpoints of a Service port that a node should have, for the family of like.
func (x *Index) Backends(node string, p Port, like netip.Addr) *Backends {
	all, fromPods, missing := x.endpoints(p, like.Is4())
	b := &Backends{All: all, FromPods: fromPods, Missing: missing}
	if missing != nil {
		return b
	}
	zone := ""
	if n := x.nodes[node]; n != nil {
		zone = n.Metadata.Labels[zoneLabel]
	}
	b.Topology = topology(all, node, zone)
	b.Cluster = pick(all, func(e *Endpoint) bool { return e.Ready && e.hinted(b.Topology, node, zone) })
	local := func(e *Endpoint) bool { return node != "" && e.Node == node }
	b.Local = pick(all, func(e *Endpoint) bool { return local(e) && e.Ready })
	leaving := func(e *Endpoint) bool { return e.serving && e.Terminating }
	if len(b.Cluster) == 0 {
		b.Cluster = pick(all, leaving)
	}
	if len(b.Local) == 0 {
		b.Local = pick(all, func(e *Endpoint) bool { return local(e) && leaving(e) })
	}
	return b
}

func pick(all []Endpoint, keep func(*Endpoint) bool) []Endpoint {
	out := []Endpoint{}
	for i := range all {
		if keep(&all[i]) {
			out = append(out, all[i])
		}
	}
	for i := range out {
		out[i].Probability = 1 / float64(len(out))
	}
	return out
}

func (e *Endpoint) hinted(topology, node, zone string) bool {
	switch topology {
	case "PreferSameNode":
		return slices.Contains(e.forNodes, node)
	case "PreferSameZone":
		return slices.Contains(e.forZones, zone)
	}
	return true
}

// topology is by which hints a node chooses: those that every ready endpoint has, and one of them has for this node.
// Hints for nodes are heeded since Kubernetes 1.35, before that only with the feature gate PreferSameTrafficDistribution.
func topology(all []Endpoint, node, zone string) string {
	ready := pick(all, func(e *Endpoint) bool { return e.Ready })
	for _, by := range []struct {
		name  string
		hints func(*Endpoint) []string
		self  string
	}{
		{"PreferSameNode", func(e *Endpoint) []string { return e.forNodes }, node},
		{"PreferSameZone", func(e *Endpoint) []string { return e.forZones }, zone},
	} {
		every, own := len(ready) > 0, false
		for i := range ready {
			hints := by.hints(&ready[i])
			every = every && len(hints) > 0
			own = own || slices.Contains(hints, by.self)
		}
		if every && own && by.self != "" {
			return by.name
		}
	}
	return ""
}

// endpoints are those of all EndpointSlices of the Service that have its port, by name and protocol.
func (x *Index) endpoints(p Port, v4 bool) (out []Endpoint, fromPods bool, missing *Missing) {
	namespace := p.Service.Metadata.Namespace
	if why := x.cluster.EndpointSlices.Unread(namespace); why != "" {
		return x.selected(p, v4, why)
	}
	family := "IPv6"
	if v4 {
		family = "IPv4"
	}
	at := map[netip.AddrPort]int{}
	for _, slice := range x.slices[nameOf(p.Service)] {
		if slice.AddressType != family {
			continue
		}
		for _, port := range slice.Ports {
			if port.Name != p.Name || strings.ToUpper(cmp.Or(port.Protocol, "TCP")) != p.Protocol() || port.Port == 0 {
				continue
			}
			for i := range slice.Endpoints {
				e, ok := endpointOf(slice, &slice.Endpoints[i], uint16(port.Port))
				if !ok {
					continue
				}
				// An endpoint that moves from one slice to another is in both for a while.
				if j, had := at[e.Addr]; !had {
					at[e.Addr] = len(out)
					out = append(out, e)
				} else if e.Ready && !out[j].Ready {
					out[j] = e
				}
			}
		}
	}
	sortEndpoints(out)
	return out, false, nil
}

func sortEndpoints(list []Endpoint) {
	slices.SortFunc(list, func(a, b Endpoint) int { return a.Addr.Compare(b.Addr) })
}

// endpointOf is one endpoint of a slice; its first address alone counts.
func endpointOf(slice *facts.EndpointSlice, e *facts.Endpoint, port uint16) (Endpoint, bool) {
	if len(e.Addresses) == 0 {
		return Endpoint{}, false
	}
	a, ok := parseAddr(e.Addresses[0])
	if !ok {
		return Endpoint{}, false
	}
	c := e.Conditions
	out := Endpoint{
		Addr: netip.AddrPortFrom(a, port), Node: e.NodeName, Source: slice.Source, zone: e.Zone,
		Ready: c.Ready == nil || *c.Ready, serving: c.Serving == nil || *c.Serving, Terminating: c.Terminating != nil && *c.Terminating,
	}
	if ref := e.TargetRef; ref != nil && ref.Kind == "Pod" {
		out.Pod = &facts.PodReference{Namespace: cmp.Or(ref.Namespace, slice.Metadata.Namespace), Name: ref.Name}
	}
	if h := e.Hints; h != nil {
		out.forZones, out.forNodes = hintNames(h.ForZones), hintNames(h.ForNodes)
	}
	return out, true
}

func hintNames(hints []facts.EndpointHint) []string {
	var names []string
	for _, h := range hints {
		names = append(names, h.Name)
	}
	return names
}

// selected are the endpoints that the EndpointSlice controller would write of the Pods that the selector matches.
func (x *Index) selected(p Port, v4 bool, why string) (out []Endpoint, fromPods bool, missing *Missing) {
	s := p.Service
	switch podsWhy := x.cluster.Pods.Unread(s.Metadata.Namespace); {
	case len(s.Spec.Selector) == 0:
		return nil, false, &Missing{slicesGroup, fmt.Sprintf("the EndpointSlices of Service %s, which has no selector (%s)", nameOf(s), why)}
	case podsWhy != "":
		return nil, false, &Missing{slicesGroup, fmt.Sprintf("the EndpointSlices of Service %s (%s), or the Pods (%s)", nameOf(s), why, podsWhy)}
	}
	for _, pod := range x.pods[s.Metadata.Namespace] {
		if !selects(s.Spec.Selector, pod.Metadata.Labels) || ended(pod) {
			continue
		}
		port, ok := targetPort(p, pod)
		if !ok {
			continue
		}
		for _, a := range podAddresses(pod) {
			if a.Is4() != v4 {
				continue
			}
			ready, terminating := podReady(pod), pod.Metadata.DeletionTimestamp != ""
			out = append(out, Endpoint{
				Addr: netip.AddrPortFrom(a, port), Node: pod.Spec.NodeName, Source: pod.Source, serving: ready, Terminating: terminating,
				Ready: ready && !terminating || s.Spec.PublishNotReadyAddresses,
				Pod:   &facts.PodReference{Namespace: pod.Metadata.Namespace, Name: pod.Metadata.Name},
			})
			break
		}
	}
	sortEndpoints(out)
	return out, true, nil
}

func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if v, ok := labels[key]; !ok || v != value {
			return false
		}
	}
	return true
}

func ended(p *facts.Pod) bool { return p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" }

func podReady(p *facts.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c facts.Condition) bool { return c.Type == "Ready" && c.Status == "True" })
}

// podAddresses are a Pod's own.
func podAddresses(p *facts.Pod) []netip.Addr {
	var out []netip.Addr
	for _, ip := range append([]facts.PodIP{{IP: p.Status.PodIP}}, p.Status.PodIPs...) {
		if a, ok := parseAddr(ip.IP); ok && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// sidecars are the init containers that stay.
func sidecars(pod *facts.Pod) []facts.Container {
	return slices.DeleteFunc(slices.Clone(pod.Spec.InitContainers), func(c facts.Container) bool { return c.RestartPolicy != "Always" })
}

// targetPort is the number of a Service port's targetPort on a Pod: FindPort of pkg/api/v1/pod.
func targetPort(p Port, pod *facts.Pod) (uint16, bool) {
	switch target := p.TargetPort.(type) {
	case string:
		for _, c := range slices.Concat(pod.Spec.Containers, sidecars(pod)) {
			for _, port := range c.Ports {
				if port.Name == target && strings.ToUpper(cmp.Or(port.Protocol, "TCP")) == p.Protocol() {
					return uint16(port.ContainerPort), true
				}
			}
		}
		return 0, false
	case float64:
		if target > 0 && target <= 65535 {
			return uint16(target), true
		}
	}
	return uint16(p.Port), true // targetPort is the port's own where it is left out
}

// Compare sets what is on a node against the endpoints that should be: stale are there and should not, absent should and
// are not.
func Compare(should []Endpoint, is []netip.AddrPort) (stale []netip.AddrPort, absent []Endpoint) {
	for _, a := range is {
		if !slices.ContainsFunc(should, func(e Endpoint) bool { return e.Addr == a }) {
			stale = append(stale, a)
		}
	}
	for _, e := range should {
		if !slices.Contains(is, e.Addr) {
			absent = append(absent, e)
		}
	}
	return stale, absent
}
