package networkpolicy

import (
	"cmp"
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// Connection is the first packet of what is judged.
type Connection struct {
	// Src and Dst are the addresses, Dst after Service translation. An invalid one is taken from the Pod, where that is
	// given and has one of the family.
	Src, Dst netip.Addr
	// Protocol is "TCP", "UDP" or "SCTP"; empty is not known. Of any other the API leaves undefined what policies do.
	Protocol string
	// Port is the destination's, after Service translation; 0 is not known.
	Port uint16
	// SrcPod and DstPod are whose the addresses are, where the caller knows; else they are found by the address.
	SrcPod, DstPod *facts.Pod
	// SrcNode and DstNode name the Node whose own the address is, where the caller knows: the API does not list those of
	// a node's bridges and tunnels (cni0, flannel.1), which it answers and probes from.
	SrcNode, DstNode string
}

// kind is what an end of a connection is to policies.
type kind int8

const (
	// unidentified: it may be a Pod, and which is not known.
	unidentified kind = iota
	// pod: a Pod with an address of its own.
	pod
	// host: a node, or a Pod in its network namespace.
	host
	// outside: no Pod and no node.
	outside
	// service: an address that a Service translates.
	service
)

// end is an end of a connection.
type end struct {
	kind kind
	// addr is invalid where it is not known.
	addr netip.Addr
	// pod is that of kinds pod and host, where there is one.
	pod *facts.Pod
	// node is the Node of a host; of what is not identified, the Node whose own address it may be.
	node string
	// missing is what would identify it.
	missing Missing
}

func (e *end) String() string {
	switch {
	case e.pod != nil && e.kind == host:
		return "hostNetwork Pod " + podName(e.pod)
	case e.pod != nil:
		return "Pod " + podName(e.pod)
	case e.kind == host:
		return "node " + cmp.Or(e.node, e.addr.String())
	case e.addr.IsValid():
		return e.addr.String()
	}
	return "an unknown address"
}

func podName(p *facts.Pod) string { return p.Metadata.Namespace + "/" + p.Metadata.Name }

func (e *end) reference() *facts.PodReference {
	if e.pod == nil {
		return nil
	}
	m := &e.pod.Metadata
	return &facts.PodReference{Namespace: m.Namespace, Name: m.Name, UID: m.UID}
}

// plain is an address as prefixes compare it: without zone, IPv4 as such.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// end identifies an end by what the caller knows, then by address. like is the other end's address.
func (e *Evaluator) end(addr, like netip.Addr, p *facts.Pod, node string) end {
	out := end{addr: plain(addr)}
	switch {
	case p != nil:
		out.pod = p
		if !out.addr.IsValid() {
			out.addr = addressOf(p, plain(like))
		}
		switch {
		case p.Spec.HostNetwork:
			out.kind, out.node = host, p.Spec.NodeName
		case p.Metadata.Namespace == "":
			out.pod, out.missing = nil, Missing{pods, "the namespace of Pod " + p.Metadata.Name}
		default:
			out.kind = pod
			if _, ok := e.services[out.addr]; ok {
				out.addr = netip.Addr{} // it is not the Pod's, and which of the Pod's it becomes is open
			}
		}
	case node != "":
		out.kind, out.node = host, node
	case !out.addr.IsValid():
		out.missing = Missing{pods, "whose end of the connection it is: neither address nor Pod is known"}
	default:
		e.identify(&out)
	}
	return out
}

// addressOf is the Pod's address of like's family, or its first.
func addressOf(p *facts.Pod, like netip.Addr) netip.Addr {
	var first netip.Addr
	for a := range addresses(p) {
		if like.IsValid() && a.BitLen() == like.BitLen() {
			return a
		}
		if !first.IsValid() {
			first = a
		}
	}
	if like.IsValid() {
		return netip.Addr{}
	}
	return first
}

func (e *Evaluator) identify(out *end) {
	if found, ok := e.pods[out.addr]; ok {
		if found.missing == "" {
			out.kind, out.pod = pod, found.pod
			return
		}
		out.missing = Missing{pods, found.missing}
		return
	}
	if node, ok := e.nodes[out.addr]; ok {
		out.kind, out.node = host, node
		return
	}
	if name, ok := e.services[out.addr]; ok {
		out.kind = service
		out.missing = Missing{"cluster.endpointslices", "the endpoint that Service " + name + " translates " + out.addr.String() + " to: policies see its address and port"}
		return
	}
	node, prefix := e.podCIDR(out.addr)
	switch {
	case e.podsUnread != "":
		out.node = node
		out.missing = Missing{pods, "whether " + out.addr.String() + " is a Pod's: " + e.podsUnread}
	case prefix.IsValid():
		out.node = node
		out.missing = Missing{pods, "whose " + out.addr.String() + " is: it lies in podCIDR " + prefix.String() + " of node " + node + ", and no running Pod has it"}
	default:
		out.kind = outside
	}
}
