// Package question turns what a person asks, from where to where, into packets that can be walked.
//
// Names are those of the cluster's objects (pod/NAMESPACE/NAME, svc/NAMESPACE/NAME:PORT, node/NAME), addresses (ip/…), or
// names that a Pod would ask DNS for. What is not there is answered with what is.
package question

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/services"
)

// Question is what is asked.
type Question struct {
	// From is "pod/NAMESPACE/NAME", "node/NAME" or "ip/ADDRESS", which is outside.
	From string
	// To is "svc/NAMESPACE/NAME:PORT", "pod/NAMESPACE/NAME:PORT", "node/NAME:PORT", "ip/ADDRESS:PORT" or "NAME:PORT" with a
	// name of DNS; a port of a Service or of a Pod may be its name. A Service of one port needs none.
	To string
	// Via is the node that a packet from outside arrives at; empty where To tells.
	Via string
	// Protocol is "tcp", "udp", "icmp" or "sctp"; empty is that of the port.
	Protocol string
	// Size is the packet's length in bytes; 0 fits everywhere.
	Size int
}

// Asked is a question of which everything is found.
type Asked struct {
	Question Question
	Sender   datapath.Sender
	// Packets are as the sender sends them: several where a name has several addresses, of which it takes any.
	Packets []datapath.Packet
	// Resolved says whose the addresses are, where To is not an address: "10.96.0.9 of Service default/web".
	Resolved string
}

// asker looks things up for one question.
type asker struct {
	Question
	snapshot *facts.Snapshot
	model    *datapath.Model
	cluster  *facts.Cluster
	services *services.Index
}

// Ask finds what a question names among the facts. Errors are for the person who asked: they name what there is.
func Ask(snapshot *facts.Snapshot, model *datapath.Model, q Question) (*Asked, error) {
	a := &asker{Question: q, snapshot: snapshot, model: model, cluster: snapshot.Cluster}
	if a.cluster == nil {
		a.cluster = &facts.Cluster{}
	}
	a.services = services.New(a.cluster)
	from, err := a.from()
	if err != nil {
		return nil, fmt.Errorf("from %s: %w", q.From, err)
	}
	if q.Via != "" && !from.ip.IsValid() {
		return nil, errors.New("via names the node that a packet from outside arrives at: this one does not come from outside")
	}
	to, err := a.to(from)
	if err != nil {
		return nil, fmt.Errorf("to %s: %w", q.To, err)
	}
	out := &Asked{Question: q, Resolved: to.text}
	addresses := from.alike(to.addresses)
	if len(addresses) == 0 {
		return nil, fmt.Errorf("to %s: %s has no address of the family that %s has", q.To, to.text, q.From)
	}
	for _, dst := range addresses {
		sender, src, err := a.sender(from, dst)
		if err != nil {
			return nil, fmt.Errorf("from %s: %w", q.From, err)
		}
		out.Sender = sender
		p := datapath.Packet{Src: src, Dst: dst, Proto: to.protocol, Dport: to.port, Length: q.Size, DF: q.Size > 0}
		if p.Proto == "icmp" && dst.Is6() {
			p.Proto = "icmpv6"
		}
		out.Packets = append(out.Packets, p)
	}
	return out, nil
}

// Trace walks the packets. Of several it is as likely that the sender takes the one as the other.
func (a *Asked) Trace(m *datapath.Model) datapath.Trace {
	first := m.Trace(a.Sender, a.Packets[0])
	if len(a.Packets) == 1 {
		return first
	}
	traces := []datapath.Trace{first}
	for _, p := range a.Packets[1:] {
		traces = append(traces, m.Trace(a.Sender, p))
	}
	return datapath.Either(traces)
}

var protocols = []string{"tcp", "udp", "icmp", "sctp"}

func (a *asker) protocol() (string, error) {
	if p := strings.ToLower(a.Protocol); p == "" || slices.Contains(protocols, p) {
		return p, nil
	}
	return "", fmt.Errorf("protocol %q is not one of %s", a.Protocol, strings.Join(protocols, ", "))
}

// alike are the addresses of the family that the sender has; both families are tried by name, the first by its objects.
func (f *origin) alike(addresses []netip.Addr) []netip.Addr {
	if len(f.addresses) == 0 || len(addresses) < 2 {
		return addresses
	}
	has := func(a netip.Addr) bool {
		return slices.ContainsFunc(f.addresses, func(b netip.Addr) bool { return a.Is4() == b.Is4() })
	}
	var out []netip.Addr
	for _, a := range addresses {
		if has(a) && (len(out) == 0 || out[0].Is4() == a.Is4()) {
			out = append(out, a)
		}
	}
	return out
}

// few lists names for an error, sorted, with what they are: "Pods in default: a, b and 3 more".
func few(what string, names []string) string {
	const most = 10
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return ""
	}
	more := ""
	if n := len(names); n > most {
		names, more = names[:most], fmt.Sprintf(" and %d more", n-most)
	}
	return "; " + what + ": " + strings.Join(names, ", ") + more
}

var errNoName = errors.New("the name is missing")
