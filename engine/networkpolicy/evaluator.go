package networkpolicy

import (
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// Names of groups in [Missing].
const (
	pods       = "cluster.pods"
	nodes      = "cluster.nodes"
	namespaces = "cluster.namespaces"
	policies   = "cluster.networkpolicies"
)

// Evaluator answers for one cluster. It may be used by several goroutines at once.
type Evaluator struct {
	// policies are by namespace; those whose namespace the facts do not tell are under "".
	policies map[string]*[2]shelf
	// count is how many policies there are for each direction.
	count [2]int
	// policiesUnread says why the policies of a namespace may not all be there; "" where they are.
	policiesUnread func(namespace string) string

	pods map[netip.Addr]podAddress
	// podsUnread is why a Pod may not be among pods; empty where all are.
	podsUnread string
	// nodes are the Nodes' own addresses that the API lists, or the network plugin.
	nodes      map[netip.Addr]string
	nodesRead  bool
	podCIDRs   map[netip.Prefix]string
	podLengths []int
	services   map[netip.Addr]string

	namespaces map[string]map[string]string
	// namespacesUnread is why a namespace may not be among them.
	namespacesUnread string
}

// podAddress is whose a Pod's address is, or why that is not to be told.
type podAddress struct {
	pod     *facts.Pod
	missing string
}

// New indexes the cluster, which must not change while the evaluator is in use. A nil cluster is one of which nothing was
// read.
func New(cluster *facts.Cluster) *Evaluator {
	if cluster == nil {
		cluster = &facts.Cluster{}
	}
	e := &Evaluator{}
	e.indexPolicies(&cluster.NetworkPolicies)
	e.indexPods(&cluster.Pods)
	e.indexNodes(&cluster.Nodes)
	e.indexServices(&cluster.Services)
	e.indexNamespaces(&cluster.Namespaces)
	return e
}

func (e *Evaluator) indexPolicies(g *facts.Group[[]facts.NetworkPolicy]) {
	e.policiesUnread = g.Unread
	e.policies = map[string]*[2]shelf{}
	if g.Status != facts.Read {
		return
	}
	for i := range g.Value {
		p := &g.Value[i]
		of := e.policies[p.Metadata.Namespace]
		if of == nil {
			of = &[2]shelf{}
			e.policies[p.Metadata.Namespace] = of
		}
		for _, d := range []direction{egress, ingress} {
			if compiled := newPolicy(p, d); compiled.applies != no {
				of[d].policies = append(of[d].policies, compiled)
				e.count[d]++
			}
		}
	}
	for _, of := range e.policies {
		for d := range of {
			of[d].arrange()
		}
	}
}

func (e *Evaluator) indexPods(g *facts.Group[[]facts.Pod]) {
	e.podsUnread = g.Unread("")
	e.pods = map[netip.Addr]podAddress{}
	e.nodes = map[netip.Addr]string{}
	if g.Status != facts.Read {
		return
	}
	for i := range g.Value {
		p := &g.Value[i]
		if a, err := netip.ParseAddr(p.Status.HostIP); err == nil && p.Spec.NodeName != "" {
			e.nodes[plain(a)] = p.Spec.NodeName
		}
		if p.Spec.HostNetwork {
			continue
		}
		for a := range addresses(p) {
			e.addPod(a, p)
		}
	}
}

// addPod: a Pod that ended or is about to gives way to a running one, and is not taken for the owner of its address.
func (e *Evaluator) addPod(a netip.Addr, p *facts.Pod) {
	had, known := e.pods[a]
	gone := departed(p)
	switch {
	case gone != "" && known:
	case gone != "":
		e.pods[a] = podAddress{missing: "whose " + a.String() + " is: Pod " + podName(p) + ", which had it, " + gone}
	case !known || had.pod == nil && !had.ambiguous():
		e.pods[a] = podAddress{pod: p}
	case had.pod == nil, p.Metadata.Namespace == had.pod.Metadata.Namespace && p.Metadata.Name == had.pod.Metadata.Name:
		// A Pod that was read twice is one.
	default:
		e.pods[a] = podAddress{missing: ambiguous + a.String() + " is: Pod " + podName(had.pod) + " and Pod " + podName(p) + " have it"}
	}
}

const ambiguous = "which of two Pods' "

func (a podAddress) ambiguous() bool { return strings.HasPrefix(a.missing, ambiguous) }

// departed says what became of a Pod that no longer, or not for long, has its address; empty of one that runs.
func departed(p *facts.Pod) string {
	switch {
	case p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed":
		return "ended (" + p.Status.Phase + ")"
	case p.Metadata.DeletionTimestamp != "":
		return "is terminating"
	}
	return ""
}

// addresses are a Pod's own, podIPs first; what is no address is left out.
func addresses(p *facts.Pod) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for i := range p.Status.PodIPs {
			if a, err := netip.ParseAddr(p.Status.PodIPs[i].IP); err == nil && !yield(plain(a)) {
				return
			}
		}
		if len(p.Status.PodIPs) > 0 && p.Status.PodIPs[0].IP == p.Status.PodIP {
			return
		}
		if a, err := netip.ParseAddr(p.Status.PodIP); err == nil {
			yield(plain(a))
		}
	}
}

// addressAnnotations are where network plugins write down which addresses a Node has: those of its tunnels are from the
// ranges of Pods, and the Node speaks from them. They may have a prefix length.
var addressAnnotations = []string{
	"projectcalico.org/IPv4Address", "projectcalico.org/IPv6Address",
	"projectcalico.org/IPv4IPIPTunnelAddr", "projectcalico.org/IPv4VXLANTunnelAddr", "projectcalico.org/IPv6VXLANTunnelAddr",
	"projectcalico.org/IPv4WireguardInterfaceAddr", "projectcalico.org/IPv6WireguardInterfaceAddr",
	"network.cilium.io/ipv4-cilium-host", "network.cilium.io/ipv6-cilium-host",
	"flannel.alpha.coreos.com/public-ip", "flannel.alpha.coreos.com/public-ipv6",
}

func (e *Evaluator) indexNodes(g *facts.Group[[]facts.NodeObject]) {
	e.nodesRead = g.Status == facts.Read && g.Reason == ""
	e.podCIDRs = map[netip.Prefix]string{}
	if g.Status != facts.Read {
		return
	}
	for i := range g.Value {
		n := &g.Value[i]
		for _, address := range n.Status.Addresses {
			// A Hostname may be an address too.
			if a, err := netip.ParseAddr(address.Address); err == nil {
				e.nodes[plain(a)] = n.Metadata.Name
			}
		}
		for _, name := range addressAnnotations {
			text, _, _ := strings.Cut(n.Metadata.Annotations[name], "/")
			if a, err := netip.ParseAddr(text); err == nil {
				if _, ok := e.nodes[plain(a)]; !ok {
					e.nodes[plain(a)] = n.Metadata.Name
				}
			}
		}
		for _, text := range append([]string{n.Spec.PodCIDR}, n.Spec.PodCIDRs...) {
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				continue
			}
			e.podCIDRs[prefix.Masked()] = n.Metadata.Name
			if !slices.Contains(e.podLengths, prefix.Bits()) {
				e.podLengths = append(e.podLengths, prefix.Bits())
			}
		}
	}
}

// podCIDR is the Node whose Pods have addresses around this one; there are few lengths, whatever the number of Nodes.
func (e *Evaluator) podCIDR(a netip.Addr) (node string, prefix netip.Prefix) {
	for _, bits := range e.podLengths {
		if prefix, err := a.Prefix(bits); err == nil {
			if node, ok := e.podCIDRs[prefix]; ok {
				return node, prefix
			}
		}
	}
	return "", netip.Prefix{}
}

func (e *Evaluator) indexServices(g *facts.Group[[]facts.Service]) {
	e.services = map[netip.Addr]string{}
	if g.Status != facts.Read {
		return
	}
	for i := range g.Value {
		s := &g.Value[i]
		texts := slices.Concat([]string{s.Spec.ClusterIP}, s.Spec.ClusterIPs, s.Spec.ExternalIPs)
		for _, ingress := range s.Status.LoadBalancer.Ingress {
			texts = append(texts, ingress.IP)
		}
		for _, text := range texts {
			if a, err := netip.ParseAddr(text); err == nil {
				e.services[plain(a)] = s.Metadata.Namespace + "/" + s.Metadata.Name
			}
		}
	}
}

func (e *Evaluator) indexNamespaces(g *facts.Group[[]facts.NamespaceObject]) {
	e.namespacesUnread = g.Unread("")
	e.namespaces = map[string]map[string]string{}
	if g.Status != facts.Read {
		return
	}
	for i := range g.Value {
		m := &g.Value[i].Metadata
		if _, ok := e.namespaces[m.Name]; !ok {
			e.namespaces[m.Name] = m.Labels
		}
	}
}

func (e *Evaluator) namespaceLabels(name string) labelSet {
	labels, ok := e.namespaces[name]
	return labelSet{labels: labels, unread: !ok, namespace: name}
}
