package netfilter

import (
	"slices"
	"strconv"
	"strings"
)

// maxOpenElements bounds the elements that a lookup with an open key may give.
const maxOpenElements = 64

// lookup finds the element of a map for a packet: of a named one, or of one written in the rule.
type lookup struct {
	key      string
	name     string
	elements []mapElem
	text     string
}

// found is what a lookup gave: one element, several that may be it, or none.
type found struct {
	only      *mapElem
	maybe     []candidate
	otherwise string // condition of none of them
	blind     string
	cost      int
}

// candidate is an element with the share of packets for which it is the one, or the condition.
type candidate struct {
	elem  mapElem
	share float64
	when  string
}

func (l *lookup) find(v *view) found {
	if mod, ok := chanceKey(l.key); ok {
		return l.byChance(mod)
	}
	ix, ok := l.index(v)
	if !ok {
		return found{blind: "map " + l.name + " is not in the listing"}
	}
	return ix.ask(v, l.key, l.text)
}

// index gives the elements, indexed; false where the map is not in the listing.
func (l *lookup) index(v *view) (*mapIndex, bool) {
	if l.name == "" {
		ix := &mapIndex{exact: map[string]mapElem{}}
		for _, e := range l.elements {
			ix.add(e)
		}
		return ix, true
	}
	m, ok := v.list.setOf(v.table, l.name)
	if !ok {
		return nil, false
	}
	return v.list.mapIndexOf(m), true
}

// chanceKey reads "numgen random mod N" and hashes, whose value is anybody's of N.
func chanceKey(key string) (mod int, ok bool) {
	if !strings.HasPrefix(key, "numgen ") && !strings.HasPrefix(key, "jhash ") && !strings.HasPrefix(key, "symhash ") {
		return 0, false
	}
	_, after, _ := strings.Cut(key, " mod ")
	word, _, _ := strings.Cut(after, " ")
	n, err := strconv.Atoi(word)
	return n, err == nil && n > 0
}

func (l *lookup) byChance(mod int) found {
	if l.name != "" {
		return found{blind: l.text}
	}
	var out found
	for _, e := range l.elements {
		first, last, has := strings.Cut(e.key, "-")
		a, ok1 := nftNumber(first)
		b := a
		ok2 := true
		if has {
			b, ok2 = nftNumber(last)
		}
		if !ok1 || !ok2 || b < a || b >= uint64(mod) {
			return found{blind: l.text}
		}
		out.maybe = append(out.maybe, candidate{elem: e, share: float64(b-a+1) / float64(mod)})
	}
	return out
}

// ask looks the packet up by a key that may be a concatenation.
func (ix *mapIndex) ask(v *view, key, text string) found {
	keys := strings.Split(key, " . ")
	values := make([]string, len(keys))
	var openKeys []int
	for i, k := range keys {
		f := v.field(k)
		switch {
		case f.blind:
			return found{blind: text}
		case f.truth == no:
			return found{}
		case f.truth == maybe:
			openKeys = append(openKeys, i)
		}
		values[i] = f.text
	}
	if len(openKeys) > 0 {
		return ix.askOpen(keys, values, openKeys, text)
	}
	out := found{cost: len(ix.wide) / 4}
	if e, ok := ix.find(values); ok {
		out.only = &e
		return out
	}
	if slices.ContainsFunc(keys, isIface) {
		for i, k := range keys {
			if isIface(k) {
				values[i] = `"` + values[i] + `"`
			}
		}
		if e, ok := ix.find(values); ok {
			out.only = &e
		}
	}
	return out
}

// askOpen gives the elements that differ from the packet in nothing that is known.
func (ix *mapIndex) askOpen(keys, values []string, openKeys []int, text string) found {
	all := slices.Clone(ix.wide)
	for _, e := range ix.exact {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b mapElem) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return strings.Compare(a.key, b.key)
	})
	out := found{cost: len(all) / 4}
	var named []string
	for _, k := range openKeys {
		named = append(named, keys[k])
	}
	for _, e := range all {
		parts := strings.Split(e.key, " . ")
		if e.key == "*" {
			parts = make([]string, len(keys))
			for i := range parts {
				parts[i] = "*"
			}
		}
		if len(parts) != len(keys) {
			continue
		}
		fits := true
		var asked []string
		for i, part := range parts {
			if slices.Contains(openKeys, i) {
				asked = append(asked, strings.TrimSpace(part))
				continue
			}
			fits = fits && (valueMatches(strings.TrimSpace(part), values[i]) || part == "*")
		}
		if !fits {
			continue
		}
		if len(out.maybe) == maxOpenElements {
			return found{blind: text + ": too many elements may be meant"}
		}
		out.maybe = append(out.maybe, candidate{elem: e, when: strings.Join(named, " . ") + " is " + strings.Join(asked, " . ")})
	}
	for i := range out.maybe {
		out.maybe[i].share = 0.5 / float64(len(out.maybe))
	}
	out.otherwise = strings.Join(named, " . ") + " is none of these"
	return out
}

// setMatcher is a lookup in a named set of nft. What a packet puts into a set (an affinity set) differs from one
// moment to the next: it is a condition.
type setMatcher struct{ m SetMatch }

func (s setMatcher) match(v *view) reply {
	text := strings.TrimSpace(s.m.Fields + not(s.m.Negated) + " @" + s.m.Name)
	set, ok := v.list.setOf(v.table, s.m.Name)
	if !ok {
		return notModelled(text + ": the set is not in the listing")
	}
	keys := strings.Split(s.m.Fields, " . ")
	for _, k := range keys {
		if f := v.field(k); f.truth == no && !f.blind {
			return reply{truth: no}
		}
	}
	if v.list.maps[set].dynamic {
		return recentMatch{text, s.m.Negated}.match(v)
	}
	got := v.list.mapIndexOf(set).ask(v, s.m.Fields, text)
	switch {
	case got.blind != "":
		return notModelled(got.blind)
	case got.only == nil && len(got.maybe) > 0:
		return open(s.m.Fields, "in set "+s.m.Name, s.m.Negated)
	}
	return sure(got.only != nil, s.m.Negated)
}

// verdictOf reads the verdict of an element.
func verdictOf(data string) *action {
	ops := compileNFT(data, false)
	if len(ops) == 1 && ops[0].act != nil && ops[0].act.kind != actLookup {
		return ops[0].act
	}
	return &action{kind: actUnknown, quote: "verdict of a map: " + data}
}

// natLookUp translates to what a map gives.
func (m *traversal) natLookUp(w *way, v *view, n *natChange, hop *Hop) []*leaf {
	found := n.lookup.find(v)
	m.steps += found.cost
	if found.blind != "" {
		m.by(w, hop)
		return m.unknown(w, "rule of chain %s is not modelled (%s): %s", hop.Chain, found.blind, hop.Rule)
	}
	return m.choose(w, found, func(next *way, e mapElem) []*leaf {
		d, ok := natDestination(e.data)
		if !ok {
			m.by(next, hop)
			return m.unknown(next, "rule of chain %s is not modelled (%s): %s", hop.Chain, e.data, hop.Rule)
		}
		d.share = 1
		return m.translate(next, n, []natDest{d}, hop)
	})
}
