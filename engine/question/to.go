package question

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/services"
)

// target is where a packet goes.
type target struct {
	// addresses are those that may be taken, one or several alike.
	addresses []netip.Addr
	protocol  string
	port      uint16
	// text is whose the address is.
	text string
}

func (a *asker) to(from *origin) (*target, error) {
	protocol, err := a.protocol()
	if err != nil {
		return nil, err
	}
	name, port := splitPort(a.To)
	kind, rest, slash := strings.Cut(name, "/")
	t := &target{protocol: protocol}
	switch {
	case kind == "ip" && slash:
		ip, err := parseAddr(rest)
		if err != nil {
			return nil, err
		}
		t.addresses = []netip.Addr{ip}
		return t, t.number(port)
	case kind == "svc" && slash:
		s, err := a.service(rest)
		if err != nil {
			return nil, err
		}
		return t, a.toService(t, s, port)
	case kind == "pod" && slash:
		pod, err := a.pod(rest)
		if err != nil {
			return nil, err
		}
		return t, t.pod(pod, port)
	case kind == "node" && slash:
		t.addresses = a.nodeAddresses(rest)
		if len(t.addresses) == 0 {
			return nil, a.noNode(rest)
		}
		t.text = "node " + rest
		return t, t.number(port)
	case slash:
		return nil, errors.New("it begins with none of svc/, pod/, node/, ip/, and is no name of DNS")
	case name == "":
		return nil, errNoName
	}
	return t, a.toName(t, from, name, port)
}

// splitPort takes a port from the end of a target: "ip/[2001:db8::1]:80", "svc/default/web:http". An IPv6 address needs
// its brackets to have one.
func splitPort(text string) (target, port string) {
	i := strings.LastIndex(text, ":")
	if i < 0 || strings.HasPrefix(text, "ip/") && strings.Count(text, ":") > 1 && (i == 0 || text[i-1] != ']') {
		return text, ""
	}
	return text[:i], text[i+1:]
}

// number takes a port by its number; icmp has none.
func (t *target) number(port string) error {
	t.protocol = cmp.Or(t.protocol, "tcp")
	if t.protocol == "icmp" {
		if port != "" {
			return errors.New("icmp has no ports")
		}
		return nil
	}
	if port == "" {
		return errors.New("the port is missing (…:PORT)")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is no port", port)
	}
	t.port = uint16(n)
	return nil
}

func (a *asker) service(name string) (*facts.Service, error) {
	namespace, short, ok := strings.Cut(name, "/")
	if !ok || namespace == "" || short == "" {
		return nil, errors.New("a Service is named as svc/NAMESPACE/NAME")
	}
	if s := a.services.Service(namespace, short); s != nil {
		return s, nil
	}
	if why := a.cluster.Services.Unread(namespace); why != "" {
		return nil, fmt.Errorf("there is no Service %s/%s among the facts, and not all were read (%s)", namespace, short, why)
	}
	if near := a.services.Nearby(namespace); near != "" {
		return nil, fmt.Errorf("there is no Service %s/%s; %s", namespace, short, near)
	}
	var namespaces []string
	for i := range a.cluster.Services.Value {
		namespaces = append(namespaces, a.cluster.Services.Value[i].Metadata.Namespace)
	}
	return nil, fmt.Errorf("there is no Service in namespace %s%s", namespace, few("namespaces with Services", namespaces))
}

// toService takes the cluster IPs, or of a headless Service the endpoints.
func (a *asker) toService(t *target, s *facts.Service, port string) error {
	name := s.Metadata.Namespace + "/" + s.Metadata.Name
	t.text = "Service " + name
	if s.Spec.Type == "ExternalName" {
		return fmt.Errorf("the Service is an alias of %s (ExternalName): facts do not tell its address, name it as ip/ADDRESS:PORT", s.Spec.ExternalName)
	}
	for _, f := range services.Addresses(s) {
		if f.Kind == services.ClusterIP {
			t.addresses = append(t.addresses, f.Address)
		}
	}
	if primary, err := netip.ParseAddr(s.Spec.ClusterIP); err == nil {
		t.addresses = []netip.Addr{primary}
		for _, text := range s.Spec.ClusterIPs {
			if second, err := netip.ParseAddr(text); err == nil && second != primary {
				t.addresses = append(t.addresses, second)
			}
		}
	}
	if t.protocol == "icmp" {
		if len(t.addresses) == 0 {
			return errors.New("the Service has no cluster IP")
		}
		return nil
	}
	p, err := t.servicePort(s, port)
	if err != nil {
		return err
	}
	t.protocol = strings.ToLower(p.Protocol())
	t.port = uint16(p.Port)
	if len(t.addresses) > 0 {
		return nil
	}
	return a.headless(t, p)
}

// servicePort is a Service's port by its number or name, or the only one.
func (t *target) servicePort(s *facts.Service, port string) (services.Port, error) {
	var fits, other []services.Port
	for _, p := range services.Ports(s) {
		if port != "" && port != p.Name && port != strconv.Itoa(int(p.Port)) {
			continue
		}
		if t.protocol == "" || strings.EqualFold(t.protocol, p.Protocol()) {
			fits = append(fits, p)
		} else {
			other = append(other, p)
		}
	}
	all := portNames(services.Ports(s))
	switch {
	case len(fits) == 1:
		return fits[0], nil
	case len(fits) > 1 && port != "":
		for _, p := range fits { // the same number over several protocols
			if p.Protocol() == "TCP" {
				return p, nil
			}
		}
		return fits[0], nil
	case len(fits) > 1:
		return services.Port{}, fmt.Errorf("the port is missing: the Service has %s", all)
	case len(other) > 0:
		return services.Port{}, fmt.Errorf("the Service has no such port over %s, but %s", t.protocol, portNames(other))
	case all == "":
		return services.Port{}, errors.New("the Service has no ports")
	}
	// A port that the Service does not have can be asked for by its number: what becomes of it is a good question.
	if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
		return services.Port{Service: s, ServicePort: facts.ServicePort{Protocol: strings.ToUpper(t.protocol), Port: int32(n)}}, nil
	}
	return services.Port{}, fmt.Errorf("the Service has no port named %q: it has %s", port, all)
}

func portNames(ports []services.Port) string {
	var texts []string
	for _, p := range ports {
		text := fmt.Sprintf("%d/%s", p.Port, p.Protocol())
		if p.Name != "" {
			text = p.Name + " (" + text + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// headless takes the ready endpoints of a Service without a cluster IP, at their own port.
func (a *asker) headless(t *target, p services.Port) error {
	name := p.Service.Metadata.Namespace + "/" + p.Service.Metadata.Name
	t.text = "an endpoint of headless Service " + name
	var why *services.Missing
	for _, family := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		b := a.services.Backends("", p, family)
		if b.Missing != nil {
			why = b.Missing
		}
		for _, e := range b.Cluster {
			t.addresses, t.port = append(t.addresses, e.Addr.Addr()), e.Addr.Port()
		}
	}
	switch {
	case len(t.addresses) > 0:
		return nil
	case why != nil:
		return errors.New("the endpoints are not known: " + why.What)
	}
	return fmt.Errorf("headless Service %s has no ready endpoint for port %d/%s", name, p.Port, p.Protocol())
}

func (t *target) pod(p *facts.Pod, port string) error {
	name := p.Metadata.Namespace + "/" + p.Metadata.Name
	if t.addresses = podAddresses(p); len(t.addresses) == 0 {
		return fmt.Errorf("the Pod has no address (phase %s)", p.Status.Phase)
	}
	t.text = "Pod " + name
	var names []string
	for _, c := range p.Spec.Containers {
		for _, cp := range c.Ports {
			protocol := strings.ToLower(cmp.Or(cp.Protocol, "TCP"))
			if cp.Name != "" && cp.Name == port && (t.protocol == "" || t.protocol == protocol) {
				t.protocol, t.port = protocol, uint16(cp.ContainerPort)
				return nil
			}
			if cp.Name != "" {
				names = append(names, fmt.Sprintf("%s (%d/%s)", cp.Name, cp.ContainerPort, strings.ToUpper(protocol)))
			}
		}
	}
	err := t.number(port)
	if err != nil && port != "" {
		return fmt.Errorf("%w of Pod %s%s", err, name, few("its named ports", names))
	}
	return err
}

func (a *asker) noNode(name string) error {
	var names []string
	for _, n := range a.cluster.Nodes.Known() {
		names = append(names, n.Metadata.Name)
	}
	return fmt.Errorf("there is no node %q with an address among the facts%s", name, few("nodes", append(names, a.collected()...)))
}

// toName resolves a name as the sender would: a Pod with its search list, else as it stands.
func (a *asker) toName(t *target, from *origin, name, port string) error {
	resolver := services.Resolver{Domain: a.domain(), Ndots: 1}
	if from.pod != nil {
		resolver = resolver.ForPod(from.pod)
	}
	found, err := a.services.Resolve(name, resolver)
	var unresolved *services.NameError
	if errors.As(err, &unresolved) && unresolved.External {
		return fmt.Errorf("%w; name its address as ip/ADDRESS:PORT", err)
	}
	if err != nil {
		return err
	}
	if found.Service != nil {
		err := a.toService(t, found.Service, port)
		t.text = fmt.Sprintf("%s, %s", found.Name, t.text)
		return err
	}
	t.addresses, t.text = found.Addresses, found.Name+", "+found.Text
	return t.number(port)
}

// domain is the cluster domain that a kubelet is configured with.
func (a *asker) domain() string {
	for _, n := range a.snapshot.Nodes {
		if d := n.KubeletConfig.Known().ClusterDomain; d != "" {
			return d
		}
	}
	return services.DefaultDomain
}
