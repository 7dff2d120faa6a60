package services

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// Names of groups in [Missing].
const (
	servicesGroup = "cluster.services"
	slicesGroup   = "cluster.endpointslices"
)

// Labels of Services and EndpointSlices.
const (
	serviceNameLabel = "kubernetes.io/service-name"               // of an EndpointSlice: its Service
	proxyNameLabel   = "service.kubernetes.io/service-proxy-name" // of a Service: kube-proxy leaves it to another proxy
	zoneLabel        = "topology.kubernetes.io/zone"
)

// Index answers for one cluster. It does not change once made and may be used concurrently.
type Index struct {
	cluster *facts.Cluster
	// services and slices are by "namespace/name" of the Service.
	services map[string]*facts.Service
	slices   map[string][]*facts.EndpointSlice
	pods     map[string][]*facts.Pod // by namespace
	nodes    map[string]*facts.NodeObject
	// frontends are by the address that a packet is sent to; node ports are under the invalid address.
	frontends map[netip.Addr][]frontend
	nodeOf    map[netip.Addr]string
	podOf     map[netip.Addr]*facts.Pod
}

// frontend is one way to address a Service.
type frontend struct {
	kind    Kind
	service *facts.Service
}

// Kind is how a packet addresses a Service.
type Kind string

// The kinds.
const (
	ClusterIP    Kind = "clusterIP"
	ExternalIP   Kind = "externalIP"
	LoadBalancer Kind = "loadBalancer"
	NodePort     Kind = "nodePort"
)

// Port is a port of a Service.
type Port struct {
	Service *facts.Service
	facts.ServicePort
}

// Protocol is "TCP", "UDP" or "SCTP".
func (p Port) Protocol() string { return strings.ToUpper(cmp.Or(p.ServicePort.Protocol, "TCP")) }

// String is "default/web:80/TCP".
func (p Port) String() string {
	return fmt.Sprintf("%s:%d/%s", nameOf(p.Service), p.Port, p.Protocol())
}

func nameOf(s *facts.Service) string { return s.Metadata.Namespace + "/" + s.Metadata.Name }

// New indexes a cluster's objects, which must not change while the index is in use. A nil cluster is one of which nothing
// was read.
func New(cluster *facts.Cluster) *Index {
	if cluster == nil {
		cluster = &facts.Cluster{}
	}
	x := &Index{
		cluster: cluster, services: map[string]*facts.Service{}, slices: map[string][]*facts.EndpointSlice{}, pods: map[string][]*facts.Pod{},
		nodes: map[string]*facts.NodeObject{}, frontends: map[netip.Addr][]frontend{},
		nodeOf: map[netip.Addr]string{}, podOf: map[netip.Addr]*facts.Pod{},
	}
	for i := range cluster.Services.Known() {
		x.addService(&cluster.Services.Value[i])
	}
	for i := range cluster.EndpointSlices.Known() {
		s := &cluster.EndpointSlices.Value[i]
		if name := s.Metadata.Labels[serviceNameLabel]; name != "" {
			name = s.Metadata.Namespace + "/" + name
			x.slices[name] = append(x.slices[name], s)
		}
	}
	for i := range cluster.Pods.Known() {
		p := &cluster.Pods.Value[i]
		x.pods[p.Metadata.Namespace] = append(x.pods[p.Metadata.Namespace], p)
		if p.Spec.HostNetwork || ended(p) {
			continue
		}
		for _, a := range podAddresses(p) {
			x.podOf[a] = p
		}
	}
	for i := range cluster.Nodes.Known() {
		n := &cluster.Nodes.Value[i]
		x.nodes[n.Metadata.Name] = n
		for _, address := range n.Status.Addresses {
			if a, ok := parseAddr(address.Address); ok {
				x.nodeOf[a] = n.Metadata.Name
			}
		}
	}
	return x
}

func (x *Index) addService(s *facts.Service) {
	x.services[nameOf(s)] = s
	add := func(kind Kind, text string) {
		if a, ok := parseAddr(text); ok {
			f := frontend{kind, s}
			if !slices.Contains(x.frontends[a], f) {
				x.frontends[a] = append(x.frontends[a], f)
			}
		}
	}
	if s.Spec.Type == "ExternalName" {
		return
	}
	for _, text := range append([]string{s.Spec.ClusterIP}, s.Spec.ClusterIPs...) {
		add(ClusterIP, text)
	}
	if headless(s) {
		return
	}
	for _, text := range s.Spec.ExternalIPs {
		add(ExternalIP, text)
	}
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		// In mode Proxy the load balancer ends the connection itself: kube-proxy leaves its address alone.
		if ingress.IPMode != "Proxy" {
			add(LoadBalancer, ingress.IP)
		}
	}
	if slices.ContainsFunc(s.Spec.Ports, func(p facts.ServicePort) bool { return p.NodePort != 0 }) {
		x.frontends[netip.Addr{}] = append(x.frontends[netip.Addr{}], frontend{NodePort, s})
	}
}

func headless(s *facts.Service) bool { return s.Spec.ClusterIP == "None" }

func parseAddr(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}

// Service finds a Service by its name; nil where the facts have none.
func (x *Index) Service(namespace, name string) *facts.Service { return x.services[namespace+"/"+name] }

// Ports are a Service's ports.
func Ports(s *facts.Service) []Port {
	out := make([]Port, len(s.Spec.Ports))
	for i := range s.Spec.Ports {
		out[i] = Port{s, s.Spec.Ports[i]}
	}
	return out
}

// Addresses are the addresses of a Service that a node's proxy takes packets for, with how they address it: cluster IPs
// first. A node port has none of its own.
func Addresses(s *facts.Service) []Frontend {
	x := Index{services: map[string]*facts.Service{}, frontends: map[netip.Addr][]frontend{}}
	x.addService(s)
	var out []Frontend
	for a, list := range x.frontends {
		for _, f := range list {
			if a.IsValid() {
				out = append(out, Frontend{f.kind, a})
			}
		}
	}
	order := []Kind{ClusterIP, ExternalIP, LoadBalancer}
	slices.SortFunc(out, func(a, b Frontend) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)), a.Address.Compare(b.Address))
	})
	return out
}

// Frontend is an address of a Service.
type Frontend struct {
	Kind    Kind       `json:"kind"`
	Address netip.Addr `json:"address"`
}

// Internal says whether a Service's internalTrafficPolicy counts for packets to such an address, else the external one.
func (k Kind) Internal() bool { return k == ClusterIP }

// Proxied says whether a Service is kube-proxy's: one that has a cluster IP and no label that leaves it to another proxy.
func Proxied(s *facts.Service) bool {
	return s.Spec.Type != "ExternalName" && !headless(s) && s.Spec.ClusterIP != "" && s.Metadata.Labels[proxyNameLabel] == ""
}
