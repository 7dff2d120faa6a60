package netfilter

import (
	"net/netip"
	"strings"
	"sync/atomic"
)

// indexFrom is the number of rules from which a chain is worth an index.
const indexFrom = 16

// destKey is the destination that a rule asks for. KUBE-NODEPORTS asks for a port alone: its address is zero.
type destKey struct {
	addr  netip.Addr
	proto string
	port  uint16
}

// chainIndex finds the rules of a chain that may match a destination. wide holds those that no key can
// exclude; all lists are in the chain's order.
type chainIndex struct {
	exact map[destKey][]int32
	wide  []int32
	ports bool // some rule asks for a port alone
}

func (l *Listing) indexOf(chain int32) *chainIndex {
	l.programsOnce.Do(l.makeRoom)
	if ix := l.indexes[chain].Load(); ix != nil {
		return ix
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ix := l.indexes[chain].Load(); ix != nil {
		return ix
	}
	ix := &chainIndex{exact: map[destKey][]int32{}}
	for _, r := range l.rulesOf(chain) {
		var s Spec
		if l.backend == NFTables {
			text := l.ruleText(r)
			if strings.Contains(text, " set ") || strings.Contains(text, "notrack") {
				ix.wide = append(ix.wide, r) // it may act before it asks for the destination
				continue
			}
			s = decodeNFT(text)
		} else {
			s = decodeIPTables(l.ruleText(r))
		}
		proto, ok1 := s.Protocol.single()
		port, ok2 := s.DestinationPorts.single()
		if !ok1 || !ok2 {
			ix.wide = append(ix.wide, r)
			continue
		}
		k := destKey{proto: proto, port: port}
		if a, ok := s.Destination.host(); ok {
			k.addr = a
		} else {
			ix.ports = true
		}
		ix.exact[k] = append(ix.exact[k], r)
	}
	l.indexes[chain].Store(ix)
	return ix
}

// makeRoom is for what is made of rules and chains when a packet first comes to them.
func (l *Listing) makeRoom() {
	l.programs, l.indexes = make([]atomic.Pointer[program], len(l.rules)), make([]atomic.Pointer[chainIndex], len(l.chains))
}

// candidates gives the rules of a chain that may match the destination, in order.
func (l *Listing) candidates(chain int32, addr netip.Addr, proto string, port uint16) []int32 {
	all := l.rulesOf(chain)
	if len(all) < indexFrom {
		return all
	}
	ix := l.indexOf(chain)
	out := ix.exact[destKey{addr, proto, port}]
	if ix.ports {
		out = mergeOrdered(out, ix.exact[destKey{proto: proto, port: port}])
	}
	return mergeOrdered(out, ix.wide)
}

// mergeOrdered merges two ascending lists. Rules of a chain ascend as they are numbered by the listing.
func mergeOrdered(a, b []int32) []int32 {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]int32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
