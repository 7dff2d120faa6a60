package datapath

import (
	"fmt"

	"github.com/netcause/netcause/engine/facts"
)

// arrival is a device that a packet came into a namespace by.
type arrival struct {
	ns   *Namespace
	dev  string
	prev *arrival
}

// arrived notes by what the packet itself came in, for its answer.
func (s state) arrived(ns *Namespace, dev string) state {
	if s.pkt.Inner == nil && dev != "lo" {
		a := s.store.arrivals.next()
		*a = arrival{ns, dev, s.arrivals}
		s.arrivals = a
	}
	return s
}

// asymmetric says where the answer leaves a namespace by another device than the question came in by. That is no fault by
// itself: filters that look at sources or connections on the way may take it for one.
func (w *walker) asymmetric(s state, ns *Namespace, dev string) state {
	if w.answer == nil || s.pkt.Inner != nil || dev == "lo" {
		return s
	}
	in := ""
	for a := w.question; a != nil; a = a.prev {
		switch {
		case a.ns != ns:
		case a.dev == dev:
			return s
		default:
			in = a.dev
		}
	}
	if in == "" {
		return s
	}
	return s.say(ns, StageRoute, told(func() (string, facts.Source) {
		return fmt.Sprintf("asymmetric: the question came in by %s, the answer leaves by %s", in, dev), ""
	}))
}
