package question

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// origin is where a packet comes from: a Pod, a node or an address outside.
type origin struct {
	pod  *facts.Pod
	node string
	ip   netip.Addr
	// addresses are the origin's own, as far as they are known.
	addresses []netip.Addr
}

func (a *asker) from() (*origin, error) {
	kind, name, _ := strings.Cut(a.From, "/")
	switch kind {
	case "pod":
		pod, err := a.pod(name)
		if err != nil {
			return nil, err
		}
		o := &origin{pod: pod, addresses: podAddresses(pod)}
		if pod.Spec.HostNetwork {
			o.node = pod.Spec.NodeName
		}
		return o, nil
	case "node":
		if a.model.Namespace(name, "") == nil {
			return nil, a.notCollected(name)
		}
		return &origin{node: name, addresses: a.nodeAddresses(name)}, nil
	case "ip":
		ip, err := parseAddr(name)
		if err != nil {
			return nil, err
		}
		return &origin{ip: ip, addresses: []netip.Addr{ip}}, nil
	}
	return nil, fmt.Errorf("it begins with none of pod/, node/, ip/")
}

func parseAddr(text string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return ip, fmt.Errorf("%q is no address", text)
	}
	return ip.Unmap(), nil
}

func (a *asker) pod(name string) (*facts.Pod, error) {
	namespace, short, ok := strings.Cut(name, "/")
	if !ok || namespace == "" || short == "" {
		return nil, fmt.Errorf("a Pod is named as pod/NAMESPACE/NAME")
	}
	if why := a.cluster.Pods.Unread(namespace); why != "" && a.cluster.Pods.Status != facts.Read {
		// A namespace among the facts may still be known to be the Pod's.
		if ns := a.model.PodNamespace(namespace, short); ns != nil {
			return &facts.Pod{Metadata: facts.ObjectMeta{Namespace: namespace, Name: short}, Spec: facts.PodSpec{NodeName: ns.Node}}, nil
		}
		return nil, fmt.Errorf("the cluster's Pods were not read (%s)", why)
	}
	var there, namespaces []string
	for i := range a.cluster.Pods.Value {
		p := &a.cluster.Pods.Value[i]
		namespaces = append(namespaces, p.Metadata.Namespace)
		if p.Metadata.Namespace != namespace {
			continue
		}
		if p.Metadata.Name == short {
			return p, nil
		}
		there = append(there, p.Metadata.Name)
	}
	if len(there) == 0 {
		return nil, fmt.Errorf("there is no Pod in namespace %s among the facts%s", namespace, few("namespaces with Pods", namespaces))
	}
	return nil, fmt.Errorf("there is no Pod %s/%s among the facts%s", namespace, short, few("Pods in "+namespace, there))
}

func podAddresses(p *facts.Pod) []netip.Addr {
	var out []netip.Addr
	for _, ip := range append([]facts.PodIP{{IP: p.Status.PodIP}}, p.Status.PodIPs...) {
		if a, err := parseAddr(ip.IP); err == nil && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// nodeAddresses are those that the API lists, InternalIPs first; of a machine that is no Node, those of its devices.
func (a *asker) nodeAddresses(name string) []netip.Addr {
	var internal, other []netip.Addr
	for _, n := range a.cluster.Nodes.Known() {
		if n.Metadata.Name != name {
			continue
		}
		for _, address := range n.Status.Addresses {
			ip, err := parseAddr(address.Address)
			switch {
			case err != nil:
			case address.Type == "InternalIP":
				internal = append(internal, ip)
			default:
				other = append(other, ip)
			}
		}
	}
	if len(internal)+len(other) > 0 {
		return append(internal, other...)
	}
	for _, n := range a.snapshot.Nodes {
		if n.Name != name {
			continue
		}
		for _, address := range n.Addresses.Known() {
			if address.Scope == "global" && !slices.Contains(internal, address.Local) {
				internal = append(internal, address.Local)
			}
		}
	}
	return internal
}

func (a *asker) collected() []string {
	var names []string
	for _, n := range a.snapshot.Nodes {
		names = append(names, n.Name)
	}
	return names
}

func (a *asker) notCollected(name string) error {
	what := fmt.Sprintf("node %q", name)
	for _, n := range a.cluster.Nodes.Known() {
		if n.Metadata.Name == name {
			return fmt.Errorf("%s was not collected: netcause collect on %s%s", what, name, few("collected", a.collected()))
		}
	}
	return fmt.Errorf("there is no %s among the facts%s", what, few("collected", a.collected()))
}

// sender is where the packet for dst begins, and its source where that is not the sender's to choose.
func (a *asker) sender(from *origin, dst netip.Addr) (datapath.Sender, netip.Addr, error) {
	switch {
	case from.pod != nil:
		m := &from.pod.Metadata
		sender, src, ok := a.model.PodSenderLike(m.Namespace, m.Name, dst)
		if !ok {
			return sender, src, a.podSenderError(from.pod)
		}
		return sender, src, nil
	case from.node != "":
		return datapath.Sender{Node: from.node}, netip.Addr{}, nil
	}
	sender, err := a.arrival(dst)
	return sender, from.ip, err
}

func (a *asker) podSenderError(p *facts.Pod) error {
	node := p.Spec.NodeName
	switch {
	case node == "":
		return fmt.Errorf("the Pod is on no node yet (phase %s)", p.Status.Phase)
	case a.model.Namespace(node, "") == nil:
		return a.notCollected(node)
	case len(podAddresses(p)) == 0:
		return fmt.Errorf("the Pod has no address (phase %s)", p.Status.Phase)
	}
	return fmt.Errorf("the Pod has no address of that family, or node %s has no route to it: its network namespace was not read", node)
}

// arrival is the node and device by which a packet from outside comes: the node named, or the one that has the address.
func (a *asker) arrival(dst netip.Addr) (datapath.Sender, error) {
	via := a.Via
	if via == "" {
		var owners []string
		for _, n := range a.snapshot.Nodes {
			own := slices.ContainsFunc(n.Addresses.Known(), func(x facts.Address) bool { return x.Local == dst })
			if own || slices.Contains(a.nodeAddresses(n.Name), dst) {
				owners = append(owners, n.Name)
			}
		}
		if len(owners) != 1 {
			return datapath.Sender{}, fmt.Errorf("name the node that it arrives at with --via%s", few("nodes", a.collected()))
		}
		via = owners[0]
	}
	if a.model.Namespace(via, "") == nil {
		return datapath.Sender{}, a.notCollected(via)
	}
	own := a.nodeAddresses(via)
	for _, n := range a.snapshot.Nodes {
		if n.Name != via {
			continue
		}
		for _, like := range []bool{true, false} { // of the packet's family first
			for _, x := range n.Addresses.Known() {
				if slices.Contains(own, x.Local) && (x.Local.Is4() == dst.Is4()) == like {
					return datapath.Sender{Node: via, Dev: x.Dev}, nil
				}
			}
		}
	}
	return datapath.Sender{}, fmt.Errorf("by which device packets arrive at node %s is not known: none of its devices has an address of its Node object", via)
}
