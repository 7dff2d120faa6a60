package datapath

import (
	"slices"
	"sync"
)

// maxTunnelWays bounds the ways that a model remembers: one or two for each pair of nodes.
const maxTunnelWays = 4096

// tunnelWays remembers by what ways the packets of tunnels come from the device that wraps them to the namespace that unwraps
// them. What they carry has no part in it, so all that a device sends to one other end with one header go the same way.
// Only ways that do not part and leave no doubt are remembered.
type tunnelWays struct {
	mu   sync.RWMutex
	seen map[tunnelHead]*tunnelWay
}

// tunnelHead is a tunnel's packet without what it carries, and the device that made it.
type tunnelHead struct {
	device place
	pkt    Packet
}

// tunnelWay is where such a packet comes to, how, and as what, all without what it carries.
type tunnelWay struct {
	to    *Namespace
	steps []stepNode
	// pkt is what it comes as; changes is whether that is another than it went as.
	pkt     Packet
	changes bool
	// hops and devices are those that it counts on the way.
	hops, devices int32
}

// tunnelStart is where a branch began a way that is not remembered yet.
type tunnelStart struct {
	head  tunnelHead
	state state
}

// carrying is the header p with what another packet carries.
func (p Packet) carrying(of *Packet) Packet {
	p.Inner, p.tunnel = of.Inner, of.tunnel
	return p
}

// bare is the header of a tunnel's packet without what that carries.
func (p Packet) bare() Packet { return p.carrying(&Packet{}) }

func (t *tunnelWays) find(head *tunnelHead) (way *tunnelWay, full bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.seen[*head], len(t.seen) >= maxTunnelWays
}

func (t *tunnelWays) add(head tunnelHead, way *tunnelWay) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[tunnelHead]*tunnelWay{}
	}
	t.seen[head] = way
}

// throughTunnel is the way of a tunnel's packet, which begins here: as it is remembered, or walked.
func (w *walker) throughTunnel(s state, ns *Namespace) []Branch {
	s.tunnel = nil
	if s.pkt.Inner.Inner != nil || s.prerouted {
		return w.send(s, ns) // a tunnel in a tunnel: neither is remembered
	}
	head := tunnelHead{s.pkt.tunnel.device, s.pkt.bare()}
	way, full := w.model.tunnels.find(&head)
	switch {
	case way == nil && !full:
		s.tunnel = &tunnelStart{head, s}
	case way != nil && s.hops+way.hops <= maxHops && s.devices+way.devices <= longWay:
		return w.decapsulate(s.skipped(way), way.to)
	}
	return w.send(s, ns)
}

// skipped is the state at the end of a way.
func (s state) skipped(way *tunnelWay) state {
	if way.changes {
		s = s.carrying(way.pkt.carrying(s.pkt))
	}
	s.hops, s.devices = s.hops+way.hops, s.devices+way.devices
	n := s.store.nodes.next()
	n.prev, n.pkt, n.way = s.steps, s.pkt, way
	s.steps = n
	return s
}

// remember notes the way that a branch came by from where its packet was wrapped to ns, which unwraps it.
func (t *tunnelWays) remember(s state, ns *Namespace) {
	start := s.tunnel
	if start == nil {
		return
	}
	from := &start.state
	if s.probability != from.probability || len(s.when) != len(from.when) || s.doubt || s.assumed || s.prerouted {
		return
	}
	way := &tunnelWay{to: ns, pkt: s.pkt.bare(), changes: s.pkt != from.pkt, hops: s.hops - from.hops, devices: s.devices - from.devices}
	for n := s.steps; n != from.steps; n = n.prev {
		step := n.told()
		header := n.pkt.bare()
		step.prev, step.pkt = nil, &header
		way.steps = append(way.steps, step)
	}
	slices.Reverse(way.steps)
	t.add(start.head, way)
}

// expanded are the steps up to this one with those of remembered ways written in.
func (n *stepNode) expanded() (list []*stepNode) {
	for ; n != nil; n = n.prev {
		if n.way == nil {
			list = append(list, n)
			continue
		}
		for i := range slices.Backward(n.way.steps) {
			step := n.way.steps[i]
			pkt := step.pkt.carrying(n.pkt)
			step.pkt = &pkt
			list = append(list, &step)
		}
	}
	slices.Reverse(list)
	return list
}
