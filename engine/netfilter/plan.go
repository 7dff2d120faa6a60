package netfilter

import (
	"cmp"
	"slices"
	"strings"
)

// base is a base chain that a packet is to pass at a hook.
type base struct {
	l        *Listing
	chain    int32
	nat      bool
	priority int // where it runs
	within   int // among chains of NAT: they all run at one priority, ordered by what they state
}

func (b *base) rec() *chainRec { return &b.l.chains[b.chain] }

func (b *base) name() string {
	c := b.rec()
	t := &b.l.tables[c.table]
	return "chain " + c.name + " of table " + t.family + " " + t.name + " (" + string(b.l.backend) + ")"
}

// sameRank says whether the kernel may run either of two chains first. Among equals it runs first what was registered
// last (nf_hook_entries_grow, net/netfilter/core.c), which no listing shows.
func (b *base) sameRank(c *base) bool {
	return b.priority == c.priority && (b.nat != c.nat || b.within == c.within)
}

// plan gives the base chains at a hook for a family, in the kernel's order. Those that let everything pass are left out.
func (r *Ruleset) plan(hook Hook, family string) []base {
	var out []base
	for _, l := range [...]*Listing{r.IPTables, r.IPTablesLegacy, r.IP6Tables, r.IP6TablesLegacy, r.NFT} {
		if l == nil {
			continue
		}
		for i := range l.tables {
			t := &l.tables[i]
			if t.family != family && t.family != "inet" || r.shadowed(l, t) {
				continue
			}
			for _, c := range t.baseChains {
				if b, ok := l.baseAt(c, hook); ok {
					out = append(out, b)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b base) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(boolRank(a.nat), boolRank(b.nat)), cmp.Compare(a.within, b.within))
	})
	return out
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (l *Listing) baseAt(chain int32, hook Hook) (base, bool) {
	c := &l.chains[chain]
	if c.hook != hook.String() || (c.ruleFrom == c.ruleEnd && !c.drops()) {
		return base{}, false
	}
	b := base{l: l, chain: chain, nat: c.kind == "nat", priority: c.priority}
	if l.backend != NFTables {
		b.priority = hook.tablePriority(l.tables[c.table].name)
	}
	b.within = b.priority
	if b.nat {
		b.priority = hook.natPriority()
	}
	return b, true
}

// drops says whether the chain's policy is to drop.
func (c *chainRec) drops() bool { return c.policy == "DROP" || c.policy == "drop" }

// unreadRules names the listings of a family that nobody read and that could have rules for the hook. firm says that one
// is known to hold rules.
func (r *Ruleset) unreadRules(family string, hook Hook) (unread []string, firm string) {
	nft, legacy, tool := r.IPTables, r.IPTablesLegacy, "iptables"
	if family == "ip6" {
		nft, legacy, tool = r.IP6Tables, r.IP6TablesLegacy, "ip6tables"
	}
	if r.NFT == nil {
		if nft == nil {
			unread = append(unread, tool+"-nft-save")
		} else {
			unread = append(unread, nft.unreadTables(hook, tool+"-nft")...)
		}
		unread = append(unread, "nft list ruleset")
	}
	if legacy != nil {
		unread = append(unread, legacy.unreadTables(hook, tool+"-legacy")...)
	} else {
		name := tool + "-legacy-save"
		unread = append(unread, name)
		for _, l := range [...]*Listing{nft, r.NFT} {
			if l != nil && l.legacyPresent > 0 && (l == nft || family == "ip") {
				firm = name + " was not read, and " + string(l.backend) + " warns that legacy tables are present"
			}
		}
	}
	if r.NFT == nil && nft == nil && legacy == nil {
		firm = "no listing of rules was read: " + strings.Join(unread, ", ")
	}
	return unread, firm
}
