package datapath

import (
	"fmt"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// socket is the end of the way: the socket that takes the packet, a tunnel's device, or nobody. What is delivered is
// answered.
func (w *walker) socket(s state, ns *Namespace, dev string) []Branch {
	switch {
	case s.pkt.Inner != nil:
		return w.decapsulate(s, ns)
	case w.answer != nil:
		return w.answered(s, ns)
	}
	if branches, taken := w.virtualServer(s, ns); taken {
		return branches
	}
	s, v := w.listener(s, ns, dev)
	if v != Delivered {
		return s.end(v)
	}
	if s.last().Verdict == Pass {
		s.last().Verdict = Delivered
	}
	branches := s.branch(Delivered)
	b := &branches[0]
	if !w.fork() {
		return branches
	}
	back := &walker{model: w.model, origin: w.origin, outside: w.outside, answer: s.began, question: s.arrivals, branches: w.branches}
	answer := s.pkt.reversed()
	answer.TTL = defaultTTL
	b.Reply = back.send(state{pkt: &answer, probability: 1, connections: s.connections, assumed: s.assumed, store: s.store}, ns)
	w.branches = back.branches
	b.settle()
	return branches
}

// listener finds the socket: inet_lookup_listener of net/ipv4/inet_hashtables.c, udp4_lib_lookup of net/ipv4/udp.c. The
// step that it adds is Unknown where the sockets were not read; the verdict is then still Delivered, and in doubt.
func (w *walker) listener(s state, ns *Namespace, dev string) (state, Verdict) {
	p := s.pkt
	switch p.Proto {
	case "icmp", "icmpv6":
		if v, source, ok := ns.sysctl("net.ipv4.icmp_echo_ignore_all"); ok && v != 0 && p.Proto == "icmp" {
			s = s.step(ns, StageSocket, "icmp_echo_ignore_all is set: echo requests are not answered")
			s.last().Source = source
			return s, Dropped
		}
		return s.step(ns, StageSocket, "the kernel answers echo requests itself"), Delivered
	case "tcp", "udp":
	default:
		return s.step(ns, StageSocket, "sockets of protocol "+p.Proto+" are no facts").unsure(nil), Delivered
	}
	if ns.facts.Listeners.Status != facts.Read {
		s = s.step(ns, StageSocket, fmt.Sprintf("arrives; whether somebody listens on %s port %d was not read", p.Proto, p.Dport))
		return s.unsure(missing(ns, "listeners")), Delivered
	}
	var elsewhere []string
	for _, l := range ns.listeners[listenerKey{p.Proto, int(p.Dport)}] {
		local := l.Local.Unmap()
		takes := local == p.Dst || local.IsUnspecified() && (local.Is4() == p.Dst.Is4() || local.Is6() && !l.V6Only)
		if takes && (l.Dev == "" || l.Dev == dev) {
			return s.say(ns, StageSocket, told(func() (string, facts.Source) {
				return fmt.Sprintf("%s listens on %s", who(l), end(l.Local, uint16(l.Port))), l.Source
			})), Delivered
		}
		elsewhere = append(elsewhere, end(l.Local, p.Dport))
	}
	text := fmt.Sprintf("nobody listens on %s port %d", p.Proto, p.Dport)
	if len(elsewhere) > 0 {
		text = fmt.Sprintf("nobody listens on %s, but on %s", end(p.Dst, p.Dport), strings.Join(elsewhere, ", "))
	}
	if p.Proto == "tcp" {
		text += ": the answer is a reset"
	} else {
		text += ": the answer is icmp port-unreachable"
	}
	s = s.step(ns, StageSocket, text)
	if len(ns.facts.Listeners.Sources) > 0 {
		s.last().Source = ns.facts.Listeners.Sources[0]
	}
	return s, Rejected
}

func who(l *facts.Listener) string {
	if l.Process == "" {
		return "a socket"
	}
	return l.Process
}

// answered is an answer that came to a namespace: to the sender, from whom it asked, or not.
func (w *walker) answered(s state, ns *Namespace) []Branch {
	s = s.step(ns, StageSocket, "the answer arrives")
	switch {
	case ns != w.origin:
		s.last().Text = fmt.Sprintf("the answer ends here, and the sender is elsewhere (%s)", w.answer.Src)
		return s.end(Dropped)
	case !answers(s.pkt, w.answer):
		s.last().Text = fmt.Sprintf("the answer comes from %s, and the sender asked %s: its socket does not take it",
			end(s.pkt.Src, s.pkt.Sport), end(w.answer.Dst, w.answer.Dport))
		return s.end(Rejected)
	}
	return s.end(Delivered)
}
