package datapath

import (
	"net/netip"
	"sync"

	"github.com/netcause/netcause/engine/netfilter"
)

// maxCached bounds the packets of tunnels that a model remembers the rules' answers to.
const maxCached = 4096

// hookCache remembers what rules do with the packets of tunnels: between two nodes all of them are alike, whatever they
// carry.
type hookCache struct {
	mu   sync.RWMutex
	seen map[hookKey][]netfilter.Outcome
}

// hookKey is what one packet of a tunnel has otherwise than another: all of them are the first of their connection.
type hookKey struct {
	ns                *Namespace
	stage             netfilter.Hook
	src, dst          netip.Addr
	proto, iif, oif   string
	physIn, physOut   string
	sport, dport      uint16
	mark              uint32
	length, ttl, user int
}

func (c *hookCache) outcomes(l *parsedListings, ns *Namespace, stage Stage, p *netfilter.Packet) []netfilter.Outcome {
	k := hookKey{
		ns: ns, stage: hookOf(stage), src: p.Src, dst: p.Dst, proto: p.Proto, iif: p.Iif, oif: p.Oif, physIn: p.PhysIn, physOut: p.PhysOut,
		sport: p.Sport, dport: p.Dport, mark: p.Mark, length: p.Length, ttl: p.TTL, user: -1,
	}
	if p.UID != nil {
		k.user = *p.UID
	}
	c.mu.RLock()
	list, ok := c.seen[k]
	c.mu.RUnlock()
	if ok {
		return list
	}
	list = l.hooks[k.stage][familyIndex(p.Dst)].Traverse(*p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[hookKey][]netfilter.Outcome{}
	}
	if len(c.seen) < maxCached {
		c.seen[k] = list
	}
	return list
}
