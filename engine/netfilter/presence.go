package netfilter

import (
	"net/netip"
	"strconv"
	"strings"
)

// HasService says whether any backend has a rule, an element of a map or a virtual server for exactly this address,
// protocol and port, to translate it or to refuse it. It does not follow the rule: [Ruleset.ServicePath] does, at a
// hundred times the price.
func (r *Ruleset) HasService(addr netip.Addr, proto string, port uint16) bool {
	addr, proto = addr.Unmap(), strings.ToLower(proto)
	if r.IPVS != nil {
		if _, ok := r.IPVS.Lookup(addr, proto, port); ok {
			return true
		}
	}
	nft, legacy, family := r.forFamily(addr)
	for _, l := range [...]*Listing{nft, legacy, r.NFT} {
		if l != nil && (l.hasServiceRule(family, destKey{addr, proto, port}) || l.hasServiceElement(family, addr, proto, port)) {
			return true
		}
	}
	return false
}

func (l *Listing) hasServiceRule(family string, key destKey) bool {
	for _, table := range [...]string{"nat", "filter"} {
		if c := l.chain(l.table(family, table), "KUBE-SERVICES"); c >= 0 && len(l.indexOf(c).exact[key]) > 0 {
			return true
		}
	}
	return false
}

func (l *Listing) hasServiceElement(family string, addr netip.Addr, proto string, port uint16) bool {
	t := l.table(family, "kube-proxy")
	if t < 0 {
		return false
	}
	key := []string{addr.String(), proto, strconv.Itoa(int(port))}
	for _, name := range [...]string{"service-ips", "no-endpoint-services"} {
		if m, ok := l.setOf(t, name); ok {
			if _, ok := l.mapIndexOf(m).find(key); ok {
				return true
			}
		}
	}
	return false
}
