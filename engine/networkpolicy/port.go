package networkpolicy

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

const (
	tcp  = "TCP"
	udp  = "UDP"
	sctp = "SCTP"
)

// layer4: policies are defined for these protocols alone.
func layer4(protocol string) bool { return protocol == tcp || protocol == udp || protocol == sctp }

// port is a NetworkPolicyPort.
type port struct {
	protocol string
	// first and last bound the numbers; both 0 is all of them.
	first, last int32
	// name is of a port that the destination's containers declare; it stands instead of numbers.
	name string
	// refused says what the API server would not have taken; empty where it would. A protocol that is understood still
	// tells whether the port could match at all.
	refused string
}

func newPort(p *facts.NetworkPolicyPort) port {
	out := port{protocol: p.Protocol}
	if out.protocol == "" {
		out.protocol = tcp
	}
	number, isNumber := wholeNumber(p.Port)
	switch {
	case !layer4(out.protocol):
		out.refused = fmt.Sprintf("protocol %q", p.Protocol)
	case p.Port == nil && p.EndPort != 0:
		out.refused = fmt.Sprintf("endPort %d without port", p.EndPort)
	case p.Port == nil:
	case isNumber && !validPort(number):
		out.refused = fmt.Sprintf("port %d", number)
	case isNumber:
		out.first, out.last = int32(number), int32(number)
		if p.EndPort != 0 {
			out.last = p.EndPort
		}
		if out.last < out.first || !validPort(int64(out.last)) {
			out.refused = fmt.Sprintf("endPort %d of port %d", p.EndPort, number)
		}
	default:
		name, isName := p.Port.(string)
		switch {
		case !isName || name == "":
			out.refused = fmt.Sprintf("port %v", p.Port)
		case p.EndPort != 0:
			out.refused = fmt.Sprintf("endPort %d of the named port %s", p.EndPort, name)
		case !portName(name):
			out.refused = fmt.Sprintf("port %q", name)
		default:
			out.name = name
		}
	}
	return out
}

func validPort(n int64) bool { return 1 <= n && n <= 65535 }

// portName is IsValidPortName of k8s.io/apimachinery/pkg/util/validation: an IANA service name (RFC 6335, section 5.1).
func portName(name string) bool {
	letters := false
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z':
			letters = true
		case '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return letters && len(name) <= 15 && !strings.Contains(name, "--") && name[0] != '-' && name[len(name)-1] != '-'
}

// wholeNumber takes what a decoder or a collector may have made of a number.
func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case float64:
		if n != math.Trunc(n) || math.Abs(n) > 1<<53 {
			return 0, false
		}
		return int64(n), true
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case uint16:
		return int64(n), true
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

// matches takes a connection to dst with its protocol, empty for not known, and its port, 0 for not known.
func (p *port) matches(protocol string, number uint16, dst *end) truth {
	result := maybe
	if protocol != "" && layer4(p.protocol) {
		result = truthOf(protocol == p.protocol)
	}
	switch {
	case result == no:
		return no
	case p.refused != "":
		return maybe
	case p.name != "":
		return and(result, p.named(number, dst))
	case p.last == 0:
		return result
	case dst.kind == service || number == 0:
		return maybe // translation may change the port
	}
	return and(result, truthOf(p.first <= int32(number) && int32(number) <= p.last))
}

// named resolves the port's name on the destination, which alone knows what it calls so.
func (p *port) named(number uint16, dst *end) truth {
	switch dst.kind {
	case outside, host:
		return no
	case unidentified, service:
		return maybe
	}
	found := false
	for i := range dst.pod.Spec.Containers {
		for j := range dst.pod.Spec.Containers[i].Ports {
			c := &dst.pod.Spec.Containers[i].Ports[j]
			if c.Name == p.name && sameProtocol(c.Protocol, p.protocol) {
				if c.ContainerPort == int32(number) {
					return yes
				}
				found = true
			}
		}
	}
	if found && number == 0 || !found && hasSidecars(dst.pod) {
		return maybe
	}
	return no
}

// hasSidecars says whether a Pod has an init container that runs on beside its containers (restartPolicy Always): it may
// declare ports, which are not among the facts.
func hasSidecars(p *facts.Pod) bool {
	for i := range p.Status.InitContainerStatuses {
		if p.Status.InitContainerStatuses[i].State.Running != nil {
			return true
		}
	}
	return false
}

// sameProtocol: that of a container's port defaults to TCP.
func sameProtocol(ofContainer, protocol string) bool {
	if ofContainer == "" {
		return protocol == tcp
	}
	return ofContainer == protocol
}

func (p *port) String() string {
	switch {
	case p.refused != "":
		return p.refused
	case p.name != "":
		return p.name + "/" + p.protocol
	case p.last == 0:
		return "all " + p.protocol
	case p.last != p.first:
		return fmt.Sprintf("%d-%d/%s", p.first, p.last, p.protocol)
	}
	return fmt.Sprintf("%d/%s", p.first, p.protocol)
}

// resolved is String with what the destination declares under a name.
func (p *port) resolved(dst *end) string {
	if p.name == "" || p.refused != "" {
		return p.String()
	}
	if dst.kind != pod {
		return p.String() + " (a name, and " + dst.String() + " is no Pod that declares ports)"
	}
	var numbers []string
	for i := range dst.pod.Spec.Containers {
		for _, c := range dst.pod.Spec.Containers[i].Ports {
			if c.Name == p.name && sameProtocol(c.Protocol, p.protocol) {
				numbers = append(numbers, strconv.Itoa(int(c.ContainerPort)))
			}
		}
	}
	if len(numbers) == 0 {
		return p.String() + " (not declared by " + dst.String() + ")"
	}
	return p.String() + " (" + list(numbers) + " on " + dst.String() + ")"
}
