package netfilter

import (
	"net/netip"
	"strings"
)

// ServiceTarget is a rule that sends packets of a Service to one endpoint, in a KUBE-SEP- chain of kube-proxy's.
type ServiceTarget struct {
	Addr netip.AddrPort
	Hop  Hop
}

// IPTablesBackend is what one of the two backends of iptables holds of kube-proxy's and Calico's.
type IPTablesBackend struct {
	Backend Backend
	// Services is how many rules of KUBE-SERVICES lead to a Service, Reached whether a base chain comes to them.
	Services int
	Reached  bool
	// Evidence is the first of the rules.
	Evidence Hop
	Targets  []ServiceTarget
	// Calico is how many rules stand in chains of Calico's.
	Calico         int
	CalicoEvidence Hop
}

// IPTablesBackends gives both backends of iptables of IPv4, as far as they were read: over nf_tables first. Where
// iptables-nft-save is not there, nft's view of its tables is taken.
func (r *Ruleset) IPTablesBackends() []IPTablesBackend {
	var out []IPTablesBackend
	for _, l := range [...]*Listing{r.IPTables, r.NFT, r.IPTablesLegacy} {
		if l == nil || l == r.NFT && r.IPTables != nil {
			continue
		}
		b := IPTablesBackend{Backend: l.backend}
		if l == r.NFT {
			b.Backend = IPTablesNFT
		}
		for i := range l.tables {
			if l.tables[i].family == "ip" {
				b.add(l, int32(i))
			}
		}
		out = append(out, b)
	}
	return out
}

func (b *IPTablesBackend) add(l *Listing, table int32) {
	if l.tables[table].name == "nat" {
		if m, ok := l.mode(table); ok && m.Mode != IPVS {
			b.Services, b.Reached, b.Evidence = m.Services, m.Reached, m.Evidence
		}
	}
	for i := range l.rules {
		c := &l.chains[l.rules[i].chain]
		switch {
		case c.table != table:
		case strings.HasPrefix(c.name, "KUBE-SEP-"):
			rule := l.rule(int32(i))
			for _, to := range rule.Decode().Target.ToDestinations {
				b.Targets = append(b.Targets, ServiceTarget{to.AddrPort, rule.Hop()})
			}
		case strings.HasPrefix(c.name, "cali-"):
			if b.Calico++; b.Calico == 1 {
				b.CalicoEvidence = l.rule(int32(i)).Hop()
			}
		}
	}
}
