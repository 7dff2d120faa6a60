package netfilter

import (
	"strconv"
	"strings"
)

// Packets is how many packets a hop's rule or policy has met, as its listing counts them; false where it does not.
func (r *Ruleset) Packets(h Hop) (uint64, bool) {
	l := r.listing(h)
	if l == nil {
		return 0, false
	}
	c := l.chain(l.table(h.Family, h.Table), h.Chain)
	if c < 0 {
		return 0, false
	}
	if strings.HasPrefix(h.Rule, "policy ") {
		if l.backend == NFTables {
			return 0, false
		}
		return countersIn(lineOf(l.text, int(l.chains[c].line)))
	}
	i, ok := l.ruleAt(c, h)
	if !ok {
		return 0, false
	}
	if l.backend == NFTables {
		packets, _ := nftCounter(h.Rule)
		return packets, strings.Contains(h.Rule, "counter packets ")
	}
	rule := &l.rules[i]
	return countersIn(l.text[strings.LastIndexByte(l.text[:rule.off], '\n')+1 : rule.off])
}

// Handle is nft's handle of a hop's rule, by which it can be deleted; 0 where the listing has none.
func (r *Ruleset) Handle(h Hop) int {
	l := r.listing(h)
	if l == nil || l.backend != NFTables {
		return 0
	}
	c := l.chain(l.table(h.Family, h.Table), h.Chain)
	if c < 0 {
		return 0
	}
	i, ok := l.ruleAt(c, h)
	if !ok {
		return 0
	}
	return l.rule(i).Handle
}

func (l *Listing) ruleAt(chain int32, h Hop) (int32, bool) {
	for _, i := range l.rulesOf(chain) {
		if l.line(l.rules[i].line) == h.Line && l.ruleText(i) == h.Rule {
			return i, true
		}
	}
	return 0, false
}

// listing is where a hop's rule stands.
func (r *Ruleset) listing(h Hop) *Listing {
	switch h.Backend {
	case IPTablesNFT:
		if h.Family == "ip6" {
			return r.IP6Tables
		}
		return r.IPTables
	case IPTablesLegacy:
		if h.Family == "ip6" {
			return r.IP6TablesLegacy
		}
		return r.IPTablesLegacy
	case NFTables:
		return r.NFT
	}
	return nil
}

// countersIn reads the packets of "[packets:bytes]".
func countersIn(line string) (uint64, bool) {
	_, rest, ok := strings.Cut(line, "[")
	packets, _, colon := strings.Cut(rest, ":")
	n, err := strconv.ParseUint(packets, 10, 64)
	return n, ok && colon && err == nil
}

// lineOf is the line of that number, from 1.
func lineOf(text string, number int) string {
	for ; number > 1; number-- {
		_, rest, ok := strings.Cut(text, "\n")
		if !ok {
			return ""
		}
		text = rest
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// ChainNames are the chains of the table that a hop is in.
func (r *Ruleset) ChainNames(h Hop) []string {
	l := r.listing(h)
	if l == nil {
		return nil
	}
	t := l.table(h.Family, h.Table)
	if t < 0 {
		return nil
	}
	var names []string
	for i := range l.chains {
		if l.chains[i].table == t {
			names = append(names, l.chains[i].name)
		}
	}
	return names
}
