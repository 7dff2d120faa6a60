package ask

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
)

const (
	// maxServicePorts bounds the Service ports that are followed on a node, each a few microseconds a packet.
	maxServicePorts = 3000
	// maxStoppedNames bounds the Services that one rule is said to stop by name.
	maxStoppedNames = 20
	// strangePort is one that no Service has: a rule that stops it too is no rule about a port.
	strangePort = 50000
)

type stoppedServicesAnswer struct {
	// Asked is how many Service ports with a ready endpoint were followed, Left how many were not.
	Asked int `json:"asked"`
	Left  int `json:"left"`
	// Stopped are the rules that stop packets to Services or their endpoints, with the first of those.
	Stopped []stoppedServices `json:"stopped"`
	// Unknown is the first way that the facts do not tell.
	Unknown *unknownService `json:"unknown,omitempty"`
}

type stoppedServices struct {
	Rule     *deciderAnswer `json:"rule"`
	Verdict  string         `json:"verdict"`
	Hook     string         `json:"hook"`
	Services []string       `json:"services"` // namespace/name:port
	Count    int            `json:"count"`
	// Way is the first packet: "10.244.1.2 to 10.244.2.5 TCP port 5000".
	Way   string `json:"way"`
	Proto string `json:"proto"`
	Port  uint16 `json:"port"`
	Dst   string `json:"dst"`
	// Whole: the rule stops any other port on that way too.
	Whole bool `json:"whole"`
}

type unknownService struct {
	Service string   `json:"service"`
	Detail  string   `json:"detail"`
	Unread  []string `json:"unread"`
}

// askStoppedServices follows the first packet to each Service port of the cluster as far as a node sees it: from a Pod and
// from the node itself to the Service and its endpoints, and from other nodes to endpoints that are here.
func askStoppedServices(in *Incident, args []any) (any, error) {
	node, err := nodeArgument(in, args)
	if err != nil {
		return nil, err
	}
	answer := stoppedServicesAnswer{Stopped: []stoppedServices{}}
	c := in.Snapshot.Cluster
	if c == nil || node.Facts == nil || c.Services.Status != facts.Read || c.EndpointSlices.Status != facts.Read {
		return answer, nil
	}
	r, err := node.ruleset()
	if err != nil {
		return nil, err
	}
	s := newServiceSight(in, node)
	endpoints := readyEndpoints(c.EndpointSlices.Value)
	for i := range c.Services.Value {
		service := &c.Services.Value[i]
		address, ok := clusterIPv4(service)
		if !ok {
			continue
		}
		name := service.Metadata.Namespace + "/" + service.Metadata.Name
		for _, port := range service.Spec.Ports {
			ends := endpoints[servicePortKey{name, port.Name}]
			if len(ends) == 0 {
				continue
			}
			if answer.Asked >= maxServicePorts {
				answer.Left++
				continue
			}
			answer.Asked++
			for _, w := range s.ways(netip.AddrPortFrom(address, uint16(port.Port)), ends) {
				answer.follow(r, name, port, w)
			}
		}
	}
	return answer, nil
}

type servicePortKey struct{ service, port string }

type serviceEndpoint struct {
	addr netip.AddrPort
	// proto is in lower case.
	proto, node string
}

// readyEndpoints are the IPv4 endpoints that traffic is sent to, by Service and port name.
func readyEndpoints(slices []facts.EndpointSlice) map[servicePortKey][]serviceEndpoint {
	all := map[servicePortKey][]serviceEndpoint{}
	for i := range slices {
		s := &slices[i]
		service := s.Metadata.Namespace + "/" + s.Metadata.Labels["kubernetes.io/service-name"]
		for _, port := range s.Ports {
			key := servicePortKey{service, port.Name}
			proto := strings.ToLower(port.Protocol)
			if proto == "" {
				proto = "tcp"
			}
			for _, endpoint := range s.Endpoints {
				if endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready {
					continue
				}
				for _, text := range endpoint.Addresses {
					if a, err := netip.ParseAddr(text); err == nil && a.Is4() && port.Port > 0 && port.Port <= 65535 {
						all[key] = append(all[key], serviceEndpoint{netip.AddrPortFrom(a, uint16(port.Port)), proto, endpoint.NodeName})
					}
				}
			}
		}
	}
	return all
}

// serviceSight is what a node sees of packets to Services.
type serviceSight struct {
	in   *Incident
	node *Node
	// pod is a Pod of the node, podDev leads to it; remote is a Pod of another node. They are invalid where not known.
	pod, remote netip.Addr
	podDev      string
	own         netip.Addr // by which the cluster knows the node
	peer        netip.Addr // of another node
	addresses   map[netip.Addr]string
}

func newServiceSight(in *Incident, node *Node) *serviceSight {
	s := &serviceSight{in: in, node: node, addresses: map[netip.Addr]string{}}
	for _, a := range node.Facts.Addresses.Value {
		s.addresses[a.Local] = a.Dev
	}
	for _, view := range in.Nodes {
		if view.Object == nil {
			continue
		}
		for _, a := range view.Object.Status.Addresses {
			address, err := netip.ParseAddr(a.Address)
			if err != nil || !address.Is4() || a.Type != "InternalIP" {
				continue
			}
			if view == node {
				s.own = address
			} else if !s.peer.IsValid() {
				s.peer = address
			}
		}
	}
	c := in.Snapshot.Cluster
	for i := range c.Pods.Value {
		pod := &c.Pods.Value[i]
		address, err := netip.ParseAddr(pod.Status.PodIP)
		if err != nil || !address.Is4() || pod.Spec.HostNetwork || pod.Status.Phase != "Running" {
			continue
		}
		switch {
		case pod.Spec.NodeName != node.Name:
			s.remote = address
		case s.dev(address) != "":
			s.pod, s.podDev = address, s.dev(address)
		}
	}
	for _, view := range in.Nodes {
		address, ok := firstOfRange(view.Object)
		switch {
		case !ok:
		case view != node && !s.remote.IsValid():
			s.remote = address
		case view == node && !s.pod.IsValid() && s.dev(address) != "":
			s.pod, s.podDev = address, s.dev(address)
		}
	}
	return s
}

// firstOfRange is an address that a Pod of the node may have: the one after the bridge's.
func firstOfRange(object *facts.NodeObject) (netip.Addr, bool) {
	if object == nil {
		return netip.Addr{}, false
	}
	for _, text := range append([]string{object.Spec.PodCIDR}, object.Spec.PodCIDRs...) {
		if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Addr().Is4() {
			return prefix.Masked().Addr().Next().Next(), true
		}
	}
	return netip.Addr{}, false
}

// dev is the device that packets to an address leave by, empty where the facts do not tell. Where policy rules look at the
// source it is that of what a Pod of the node sends, or the node itself.
func (s *serviceSight) dev(address netip.Addr) string {
	got, err := askRoute(s.in, []any{s.node.Name, address.String()})
	answer, ok := got.(routeAnswer)
	if err == nil && ok && answer.Status == "unknown" {
		packet := map[string]any{"dst": address.String(), "iif": "lo"}
		if s.pod.IsValid() {
			packet["src"], packet["iif"] = s.pod.String(), s.podDev
		}
		got, err = askLookup(s.in, []any{s.node.Name, packet})
		answer, ok = got.(routeAnswer)
	}
	if err != nil || !ok || answer.Status != "route" {
		return ""
	}
	return answer.Route.Dev
}

type serviceWay struct {
	hook   netfilter.Hook
	packet netfilter.Packet
}

func (s *serviceSight) ways(service netip.AddrPort, ends []serviceEndpoint) []serviceWay {
	var ways []serviceWay
	add := func(hook netfilter.Hook, src, dst netip.Addr, port uint16, proto, iif, oif string, translated bool) {
		if !src.IsValid() || src == dst {
			return
		}
		p := netfilter.Packet{
			Src: src, Dst: dst, Dport: port, Proto: proto, Iif: iif, Oif: oif, CtState: "NEW", CtDNAT: translated, ICMPType: -1, ICMPCode: -1,
		}
		if translated {
			p.CtOrigDst = service
		}
		if proto == "tcp" {
			p.TCPFlags = netfilter.TCPSYN
		}
		ways = append(ways, serviceWay{hook, p})
	}
	add(netfilter.HookPrerouting, s.pod, service.Addr(), service.Port(), ends[0].proto, s.podDev, "", false)
	here := slices.IndexFunc(ends, func(e serviceEndpoint) bool { return s.isHere(e) })
	there := slices.IndexFunc(ends, func(e serviceEndpoint) bool { return !s.isHere(e) })
	if there >= 0 {
		e := ends[there]
		oif := s.dev(e.addr.Addr())
		add(netfilter.HookForward, s.pod, e.addr.Addr(), e.addr.Port(), e.proto, s.podDev, oif, true)
		add(netfilter.HookOutput, s.own, e.addr.Addr(), e.addr.Port(), e.proto, "", oif, true)
	}
	if here >= 0 {
		e := ends[here]
		if dev, ok := s.addresses[e.addr.Addr()]; ok {
			add(netfilter.HookInput, s.peer, e.addr.Addr(), e.addr.Port(), e.proto, dev, "", false)
		} else if s.remote.IsValid() {
			add(netfilter.HookForward, s.remote, e.addr.Addr(), e.addr.Port(), e.proto, s.dev(s.remote), s.dev(e.addr.Addr()), false)
		}
	}
	return ways
}

func (s *serviceSight) isHere(e serviceEndpoint) bool {
	_, own := s.addresses[e.addr.Addr()]
	return own || e.node == s.node.Name
}

// meant are the owners whose rules are what the cluster asks for: NetworkPolicies, and kube-proxy's own.
var meant = []string{"Calico", "kube-router", "Weave Net", "Cilium", "Antrea", "kube-network-policies", "kube-proxy"}

func (a *stoppedServicesAnswer) follow(r *ruleset, service string, port facts.ServicePort, w serviceWay) {
	got := r.traverse(w.hook, w.packet)
	name := service + ":" + portName(port)
	if got.Verdict == "unknown" && a.Unknown == nil {
		a.Unknown = &unknownService{name, w.hook.String() + ": " + got.Detail, got.Unread}
	}
	if got.Verdict != "drop" && got.Verdict != "reject" || got.Rule == nil {
		return
	}
	if slices.ContainsFunc(got.Rule.Owners, func(owner string) bool { return slices.Contains(meant, owner) }) && len(got.Rule.Owners) == 1 {
		return
	}
	for i := range a.Stopped {
		s := &a.Stopped[i]
		if s.Rule.Source == got.Rule.Source && s.Rule.Rule == got.Rule.Rule {
			if !slices.Contains(s.Services, name) {
				s.Count++
				if len(s.Services) < maxStoppedNames {
					s.Services = append(s.Services, name)
				}
			}
			return
		}
	}
	other := w.packet
	other.Dport, other.CtDNAT, other.CtOrigDst = strangePort, false, netip.AddrPort{}
	same := r.traverse(w.hook, other)
	whole := same.Rule != nil && same.Rule.Source == got.Rule.Source && same.Rule.Rule == got.Rule.Rule
	// What stops every packet between Pods is another fault than a rule about a Service.
	if whole && w.hook == netfilter.HookForward {
		return
	}
	a.Stopped = append(a.Stopped, stoppedServices{
		Rule: got.Rule, Verdict: got.Verdict, Hook: w.hook.String(), Services: []string{name}, Count: 1,
		Way:   w.packet.Src.String() + " to " + w.packet.Dst.String() + " " + strings.ToUpper(w.packet.Proto) + " port " + strconv.Itoa(int(w.packet.Dport)),
		Proto: w.packet.Proto, Port: w.packet.Dport, Dst: w.packet.Dst.String(), Whole: whole,
	})
}

func portName(port facts.ServicePort) string {
	if port.Name != "" {
		return port.Name
	}
	return strconv.Itoa(int(port.Port))
}
