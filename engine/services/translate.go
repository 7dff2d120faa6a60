package services

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// Packet is the first packet of a connection, where a node translates it.
type Packet struct {
	// Node is the node that translates it.
	Node string
	// Src may be invalid: it is not known who sends it.
	Src, Dst netip.Addr
	// Protocol is "tcp", "udp" or "sctp", in any case; of another no Service has a port.
	Protocol string
	Port     uint16
	// FromNode says that the node itself sends it, ToNode that Dst is an address of the node, where the caller knows
	// addresses that the API does not list.
	FromNode, ToNode bool
}

// Outcome is what becomes of a packet by the objects.
type Outcome string

// The outcomes.
const (
	// NoService: no Service has the address, or a node port of that number.
	NoService Outcome = "no-service"
	// NoPort: a Service has the address and no such port. In iptables mode the packet goes on untranslated, in nftables
	// mode a cluster IP rejects it.
	NoPort Outcome = "no-port"
	// Translated: it goes to one of the endpoints.
	Translated Outcome = "translated"
	// Rejected: the Service has no endpoint at all.
	Rejected Outcome = "rejected"
	// Dropped: its traffic policy keeps it on a node that has no endpoint, or its source is none of the load balancer's.
	Dropped Outcome = "dropped"
	// Unknown: the objects do not tell.
	Unknown Outcome = "unknown"
)

// Translation is what becomes of a packet for a Service.
type Translation struct {
	Outcome Outcome `json:"outcome"`
	// Reason is why, in a sentence that names the Service.
	Reason string `json:"reason"`
	Kind   Kind   `json:"kind,omitempty"`
	// Port is the Service port that it is for; nil where there is none.
	Port *Port `json:"-"`
	// Owner is the Service that has the address; nil where none has.
	Owner *facts.Service `json:"-"`
	// Endpoints are where it goes, with probabilities.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Masquerade: its source becomes the node's, so that the answer comes back by the node. Endpoints that it comes from
	// are masqueraded too, whatever this says.
	Masquerade bool `json:"masquerade,omitempty"`
	// Affinity says that a client's connections stay with the endpoint of its first.
	Affinity bool `json:"affinity,omitempty"`
	// Source is the object that says so.
	Source  facts.Source `json:"source,omitempty"`
	Missing *Missing     `json:"missing,omitempty"`
}

// Service names the Service that has the address, "default/web"; empty where none has.
func (t *Translation) Service() string {
	if t.Owner == nil {
		return ""
	}
	return nameOf(t.Owner)
}

// Translate says what a node's proxy does with a packet.
func (x *Index) Translate(p Packet) Translation {
	p.Dst, p.Src = p.Dst.Unmap().WithZone(""), p.Src.Unmap().WithZone("")
	protocol := strings.ToUpper(p.Protocol)
	var other *facts.Service
	for _, f := range x.frontends[p.Dst] {
		for _, port := range Ports(f.service) {
			if port.Port == int32(p.Port) && port.Protocol() == protocol {
				return x.translate(p, f.kind, port)
			}
		}
		other = f.service
	}
	if x.toNode(p) {
		for _, f := range x.frontends[netip.Addr{}] {
			for _, port := range Ports(f.service) {
				if port.NodePort != 0 && port.NodePort == int32(p.Port) && port.Protocol() == protocol {
					return x.translate(p, NodePort, port)
				}
			}
		}
	}
	if other != nil {
		return Translation{
			Outcome: NoPort, Source: other.Source, Owner: other,
			Reason: fmt.Sprintf("Service %s has %s and not port %d/%s", nameOf(other), portList(other), p.Port, protocol),
		}
	}
	if why := x.cluster.Services.Unread(""); why != "" {
		return Translation{
			Outcome: Unknown, Reason: fmt.Sprintf("whether %s port %d/%s is a Service's is not known: %s", p.Dst, p.Port, protocol, why),
			Missing: &Missing{servicesGroup, "the Services: " + why},
		}
	}
	return Translation{Outcome: NoService, Reason: fmt.Sprintf("%s port %d/%s is no Service's", p.Dst, p.Port, protocol)}
}

func (x *Index) toNode(p Packet) bool { return p.ToNode || p.Node != "" && x.nodeOf[p.Dst] == p.Node }

func portList(s *facts.Service) string {
	var texts []string
	for _, port := range Ports(s) {
		text := fmt.Sprintf("%d/%s", port.Port, port.Protocol())
		if port.Name != "" {
			text += " (" + port.Name + ")"
		}
		texts = append(texts, text)
	}
	switch len(texts) {
	case 0:
		return "no ports"
	case 1:
		return "port " + texts[0]
	}
	return "ports " + strings.Join(texts, ", ")
}

func (x *Index) translate(p Packet, kind Kind, port Port) Translation {
	s := port.Service
	t := Translation{Kind: kind, Port: &port, Owner: s, Source: s.Source, Affinity: s.Spec.SessionAffinity == "ClientIP"}
	end := func(o Outcome, format string, args ...any) Translation {
		t.Outcome, t.Reason = o, fmt.Sprintf("Service %s: ", port)+fmt.Sprintf(format, args...)
		return t
	}
	unknown := func(m Missing) Translation {
		t.Missing = &m
		return end(Unknown, "it is not known %s", m.What)
	}
	if name := s.Metadata.Labels[proxyNameLabel]; name != "" {
		return unknown(Missing{What: "what " + name + " does with it: label " + proxyNameLabel + " leaves it to that"})
	}
	if kind == LoadBalancer {
		switch ranges := sourceRanges(s, p.Dst); {
		case len(ranges) == 0:
		case !p.Src.IsValid():
			return unknown(Missing{What: "whether loadBalancerSourceRanges have its source"})
		case !slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return r.Contains(p.Src) }):
			return end(Dropped, "loadBalancerSourceRanges %s do not have %s", strings.Join(s.Spec.LoadBalancerSourceRanges, ", "), p.Src)
		}
	}
	b := x.Backends(p.Node, port, p.Dst)
	if b.Missing != nil {
		t.Missing = b.Missing
		return end(Unknown, "its endpoints are not known: %s", b.Missing.What)
	}
	local := policyLocal(s, kind)
	if local && !kind.Internal() {
		// Packets of Pods and of the node itself go where those for the cluster IP do: they do not come from outside.
		switch pod := x.podOf[p.Src] != nil; {
		case p.FromNode || pod || p.Src.IsValid() && x.nodeOf[p.Src] == p.Node && p.Node != "":
			local = false
			t.Masquerade = !pod
		case !p.Src.IsValid() && len(b.Local) != len(b.Cluster):
			return unknown(Missing{What: "whether it comes from outside the cluster, which externalTrafficPolicy Local asks"})
		}
	} else if !kind.Internal() {
		t.Masquerade = true
	}
	t.Endpoints = b.Cluster
	policy := ""
	if local {
		t.Endpoints = b.Local
		policy = "externalTrafficPolicy"
		if kind.Internal() {
			policy = "internalTrafficPolicy"
		}
	}
	switch {
	case len(t.Endpoints) > 0:
		return end(Translated, "%s", b.text(t.Endpoints, policy, p.Node))
	case len(b.Cluster) > 0:
		return end(Dropped, "%s is Local and no endpoint is on node %s: %s", policy, p.Node, where(b.Cluster))
	}
	return end(Rejected, "it has no endpoint%s", b.why(s))
}

// sourceRanges are the load balancer's of the address's family; those of another do not count.
func sourceRanges(s *facts.Service, like netip.Addr) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range s.Spec.LoadBalancerSourceRanges {
		if r, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil && r.Addr().Is4() == like.Is4() {
			out = append(out, r)
		}
	}
	return out
}

// text is which endpoints these are.
func (b *Backends) text(list []Endpoint, policy, node string) string {
	n := fmt.Sprintf("%d endpoints", len(list))
	if len(list) == 1 {
		n = "endpoint " + list[0].Addr.String()
	}
	switch {
	case policy != "":
		n += fmt.Sprintf(" on node %s (%s Local)", node, policy)
	case b.Topology != "":
		n += fmt.Sprintf(" of %d by hints (%s)", len(b.All), b.Topology)
	}
	if !list[0].Ready {
		n += ", none ready: terminating and still serving"
	}
	if b.FromPods {
		n += ", by the Pods that its selector matches: EndpointSlices were not read"
	}
	return n
}

func where(list []Endpoint) string {
	var nodes []string
	for _, e := range list {
		if e.Node != "" && !slices.Contains(nodes, e.Node) {
			nodes = append(nodes, e.Node)
		}
	}
	const most = 5
	slices.Sort(nodes)
	switch {
	case len(nodes) == 0:
		return "the nodes of its endpoints are not named"
	case len(nodes) > most:
		return fmt.Sprintf("they are on %s and %d other nodes", strings.Join(nodes[:most], ", "), len(nodes)-most)
	}
	return "they are on " + strings.Join(nodes, ", ")
}

// why a Service has no endpoint to use.
func (b *Backends) why(s *facts.Service) string {
	var notReady []string
	for _, e := range b.All {
		name := e.Addr.String()
		if e.Pod != nil {
			name = "Pod " + e.Pod.Namespace + "/" + e.Pod.Name
		}
		notReady = append(notReady, name)
	}
	switch n := len(notReady); {
	case n == 1:
		return " that is ready: " + notReady[0] + " is not"
	case n > 1:
		return fmt.Sprintf(" that is ready: %s is not, and %d more", notReady[0], n-1)
	case len(s.Spec.Selector) == 0:
		return ", and no selector"
	case b.FromPods:
		return ": its selector matches no Pod with an address and that port"
	}
	return ": no EndpointSlice of it has one for this port and family"
}
