package datapath

import (
	"fmt"
	"net/netip"
	"strings"
)

// visit is a device that the packet came in by.
type visit struct {
	at  place
	pkt Packet
	// mac and nexthop are of its frame where it is not yet at the network layer.
	mac     string
	nexthop netip.Addr
	frame   bool
	steps   *stepNode
	prev    *visit
}

// again ends the way of a packet that comes back to where it was with nothing changed but its TTL: it goes the same way
// until that has run out, and a frame between bridges for ever.
func (s state) again(v visit) (state, []Branch) {
	v.pkt, v.steps, v.prev = s.pkt, s.steps, s.visits
	v.pkt.TTL = 0
	for o := s.visits; o != nil; o = o.prev {
		if o.at == v.at && o.frame == v.frame && o.mac == v.mac && o.nexthop == v.nexthop && o.pkt == v.pkt {
			return s, s.looped(v.at, o.steps)
		}
	}
	s.visits = &v
	return s, nil
}

// looped names the circle: the places since a step, and in Circle what led on at each.
func (s state) looped(at place, since *stepNode) []Branch {
	var circle, places []string
	from := 0
	if since != nil {
		from = since.n
	}
	for _, step := range s.steps.steps()[from:] {
		if step.Stage == StageRoute || step.Stage == StageBridge || step.Stage == StageEncap {
			where := step.Node
			if step.Namespace != "" {
				where += ", namespace " + step.Namespace
			}
			circle = append(circle, where+": "+step.Text)
			if n := len(places); n == 0 || places[n-1] != where {
				places = append(places, where)
			}
		}
	}
	if len(places) > 0 {
		places = append(places, places[0])
	}
	s = s.step(at.ns, StageRoute, fmt.Sprintf("it is back at %s of %s with nothing changed, and goes in a circle: %s", at.dev, at.ns.title(), strings.Join(places, " > ")))
	s.last().Circle = circle
	return s.end(Looped)
}

// ownTunnel ends the way of a tunnel's packet that would leave by the tunnel itself: the kernel drops it as a circular
// route (vxlan_xmit_one, ip_md_tunnel_xmit), or when devices have called each other too often (dev_xmit_recursion).
func (s state) ownTunnel(at place, outer Packet) []Branch {
	for p := outer.Inner; p != nil; p = p.Inner {
		if p.wrapper == at {
			s = s.step(at.ns, StageEncap, fmt.Sprintf("the packets of tunnel %s are routed into %s themselves: the way to %s goes in a circle", at.dev, at.dev, outer.Dst))
			s.last().Circle = []string{at.ns.title() + ": " + at.dev, at.ns.title() + ": " + at.dev}
			if l := at.ns.links[at.dev]; l != nil {
				s.last().Source = l.Source
			}
			return s.end(Looped)
		}
	}
	return nil
}
