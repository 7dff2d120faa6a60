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

// longWay is how many devices a packet comes in by before it is looked at whether it comes back: few ways are as long, and
// the first round of a circle is found all the same.
const longWay = 12

// again ends the way of a packet that comes back to where it was with nothing changed but its TTL: it goes the same way
// until that has run out, and a frame between bridges for ever.
func (s state) again(v visit) (state, []Branch) {
	if s.devices++; s.devices <= longWay {
		return s, nil
	}
	return s.back(v)
}

func (s state) back(v visit) (state, []Branch) {
	v.pkt, v.steps, v.prev = *s.pkt, s.steps, s.visits
	v.pkt.TTL = 0
	for o := s.visits; o != nil; o = o.prev {
		if o.at == v.at && o.frame == v.frame && o.mac == v.mac && o.nexthop == v.nexthop && o.pkt == v.pkt {
			return s, s.looped(v.at, o.steps)
		}
	}
	s.visits = &v
	return s, nil
}

// looped cuts the way after the first round of the circle whose last round began at since, and names it: the places, and
// in Circle what led on at each.
func (s state) looped(at place, since *stepNode) []Branch {
	nodes := s.steps.expanded()
	for i, n := range nodes {
		own := *n
		if nodes[i] = &own; i > 0 {
			own.prev = nodes[i-1]
		}
	}
	round := len(nodes) - len(since.expanded())
	first := len(nodes) - round
	for first > 0 && sameStep(nodes[first-1], nodes[first-1+round]) {
		first--
	}
	s.steps = nodes[first+round-1]
	var circle, places []string
	for _, n := range nodes[first : first+round] {
		if n.stage == StageRoute || n.stage == StageBridge || n.stage == StageEncap {
			where := n.ns.title()
			circle = append(circle, where+": "+n.step().Text)
			if n := len(places); n == 0 || places[n-1] != where {
				places = append(places, where)
			}
		}
	}
	if len(places) > 0 {
		places = append(places, places[0])
	}
	s = s.step(at.ns, StageRoute, "it comes back to where it was with nothing changed, and goes in a circle: "+strings.Join(places, " > "))
	s.last().circle = &circle
	return s.end(Looped)
}

// sameStep says whether the packet is at the same place in the same form.
func sameStep(a, b *stepNode) bool {
	p, q := *a.pkt, *b.pkt
	p.TTL, q.TTL = 0, 0
	return a.ns == b.ns && a.stage == b.stage && p == q
}

// ownTunnel ends the way of a tunnel's packet that would leave by the tunnel itself: the kernel drops it as a circular
// route (vxlan_xmit_one, ip_md_tunnel_xmit), or when devices have called each other too often (dev_xmit_recursion).
func (s state) ownTunnel(at place, outer *Packet) []Branch {
	for p := outer.Inner; p != nil; p = p.Inner {
		if p.tunnel != nil && p.tunnel.device == at {
			s = s.step(at.ns, StageEncap, fmt.Sprintf("the packets of tunnel %s are routed into %s themselves: the way to %s goes in a circle", at.dev, at.dev, outer.Dst))
			s.last().circle = &[]string{at.ns.title() + ": " + at.dev, at.ns.title() + ": " + at.dev}
			if l := at.ns.links[at.dev]; l != nil {
				s.last().Source = l.Source
			}
			return s.end(Looped)
		}
	}
	return nil
}
