package netfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

const (
	// maxDepth bounds nested jumps. nf_tables allows 16 (NFT_JUMP_STACK_SIZE); ip_tables sizes its stack
	// by the number of chains, kube-proxy needs 6.
	maxDepth = 64
	// maxSteps bounds the rules that one walk looks at, however chains refer to each other.
	maxSteps = 200_000
	// maxOutcomes bounds the endpoints and verdicts of one walk.
	maxOutcomes = 10_000

	epsilon = 1e-9
)

// walker takes a packet through the chains of one listing. It follows every way that the packet may take,
// with the share of packets that takes it.
type walker struct {
	l     *Listing
	p     *packet
	table int32

	steps    int
	onStack  map[int32]bool
	cands    map[int32][]int32
	outcomes []outcome
	unknown  string // why the walk does not know; the first reason stays
	unkHops  []Hop
	notes    []string
	affinity bool
}

type outcome struct {
	verdict string // DNAT, ACCEPT, DROP, REJECT, NOTRACK, …
	dest    Destination
	flow    flow
	rule    Rule
}

// flow is a share of the packets on its way.
type flow struct {
	share float64
	vague bool // share is not known
	when  []string
	hops  *hopList
	depth int
}

// hopList shares tails, as many outcomes come by the same rules.
type hopList struct {
	hop  Hop
	prev *hopList
	n    int
}

func (h *hopList) push(hop Hop) *hopList {
	n := 1
	if h != nil {
		n += h.n
	}
	return &hopList{hop, h, n}
}

func (h *hopList) slice() []Hop {
	if h == nil {
		return nil
	}
	out := make([]Hop, h.n)
	for i := h.n - 1; h != nil; h, i = h.prev, i-1 {
		out[i] = h.hop
	}
	return out
}

func newWalker(l *Listing, table int32, p *packet) *walker {
	return &walker{l: l, p: p, table: table, onStack: map[int32]bool{}, cands: map[int32][]int32{}}
}

// Hop is the rule as a step of a way.
func (r Rule) Hop() Hop {
	return Hop{Backend: r.Backend, Family: r.Family, Table: r.Table, Chain: r.Chain, Rule: r.Text, Line: r.Line}
}

func (w *walker) doubt(hops *hopList, format string, args ...any) {
	if w.unknown == "" {
		w.unknown = fmt.Sprintf(format, args...)
		w.unkHops = hops.slice()
	}
}

// kubeRecent reads "xt match recent", of which nft shows no more, in kube-proxy's chains: those of Services
// check (--rcheck) whether the client was there before, those of endpoints record it (--set).
func kubeRecent(chain string, a *answer) {
	i := slices.IndexFunc(a.blind, func(s string) bool {
		return s == "xt match recent" || s == `xt match "recent"` || s == "# xt_recent"
	})
	if i < 0 {
		return
	}
	switch {
	case strings.HasPrefix(chain, "KUBE-SVC-"), strings.HasPrefix(chain, "KUBE-SVL-"):
		*a = answer{fresh: true}
	case strings.HasPrefix(chain, "KUBE-SEP-"):
		a.blind = slices.Delete(a.blind, i, i+1)
		if len(a.blind) == 0 && len(a.when) == 0 {
			a.truth = yes
		}
	}
}

// walk sends a flow through a chain and gives the share that comes out at its end or by RETURN.
func (w *walker) walk(chain int32, f flow) float64 {
	if w.onStack[chain] {
		w.doubt(f.hops, "chain %s comes back to itself", w.l.chains[chain].name)
		return 0
	}
	if f.depth > maxDepth {
		w.doubt(f.hops, "jumps nest deeper than %d at chain %s", maxDepth, w.l.chains[chain].name)
		return 0
	}
	w.onStack[chain] = true
	defer delete(w.onStack, chain)
	in, returned := f.share, 0.0
	for _, i := range w.candidates(chain) {
		if f.share <= epsilon {
			break
		}
		if w.spend(1+int(w.l.rules[i].len)/256) || len(w.outcomes) > maxOutcomes {
			w.doubt(f.hops, "gave up after %d rules and %d verdicts", maxSteps, len(w.outcomes))
			return 0
		}
		rule := w.l.rule(i)
		spec := rule.Decode()
		a := spec.match(w.p, w.inSet)
		if rule.Backend == NFTables {
			kubeRecent(rule.Chain, &a)
		}
		if a.fresh && !w.affinity {
			w.affinity = true
			w.notes = append(w.notes, "session affinity: a client seen before goes by "+rule.Text)
		}
		if a.truth == no {
			continue
		}
		out := w.take(rule, &spec, a, f)
		returned += out.returned
		if a.truth == yes {
			f.share -= out.consumed
			f.vague = f.vague || (a.vague && out.consumed > epsilon)
		}
	}
	return min(in, returned+f.share)
}

// candidates merges a chain's lists once in a walk.
func (w *walker) candidates(chain int32) []int32 {
	c, ok := w.cands[chain]
	if !ok {
		c = w.l.candidates(chain, w.p.dst, w.p.proto, w.p.port)
		w.cands[chain] = c
	}
	return c
}

// spend counts work, in rules of common length, and says whether it is too much.
func (w *walker) spend(n int) bool {
	w.steps += n
	return w.steps > maxSteps
}

// lookup finds the element of a set or map.
func (w *walker) lookup(set int32, values []string) (mapElem, bool) {
	ix := w.l.mapIndexOf(set)
	w.spend(len(ix.wide) / 4)
	return ix.find(values)
}

// effect is what a rule did with the share that it matched.
type effect struct {
	consumed float64 // does not come to the next rule
	returned float64 // goes back to the caller of the chain
}

func (w *walker) take(rule Rule, spec *Spec, a answer, f flow) effect {
	taken := flow{
		share: f.share * a.share, when: f.when, hops: f.hops.push(rule.Hop()), depth: f.depth,
		vague: f.vague || a.vague,
	}
	if len(a.when) > 0 {
		taken.when = append(slices.Clone(f.when), a.when...)
	}
	before := len(w.outcomes)
	e := w.act(rule, &spec.Target, taken)
	// A rule of which a part is not modelled matters if it would decide something.
	if len(a.blind) > 0 && (e.consumed > epsilon || len(w.outcomes) > before) {
		w.doubt(taken.hops, "rule of chain %s is not modelled (%s): %s", rule.Chain, strings.Join(a.blind, "; "), rule.Text)
	}
	return e
}

func (w *walker) act(rule Rule, t *Target, f flow) effect {
	switch t.Kind {
	case TargetJump, TargetGoto:
		return w.enter(rule, t.Kind, t.Name, f)
	case TargetMap:
		return w.vmap(rule, t, f)
	case TargetVerdict:
		if t.Name == "RETURN" {
			return effect{f.share, f.share}
		}
		w.verdict(rule, t, f)
		return effect{consumed: f.share}
	case TargetExtension:
		if t.Name == "NOTRACK" {
			w.outcomes = append(w.outcomes, outcome{verdict: t.Name, flow: f, rule: rule})
		}
	}
	return effect{}
}

func (w *walker) enter(rule Rule, kind TargetKind, name string, f flow) effect {
	if name == "KUBE-MARK-DROP" {
		// Its mark makes kubelet's KUBE-FIREWALL of table filter drop the packet.
		w.outcomes = append(w.outcomes, outcome{verdict: "DROP", flow: f, rule: rule})
		return effect{consumed: f.share}
	}
	c := w.l.chain(w.table, name)
	if c < 0 {
		w.doubt(f.hops, "rule of chain %s goes to %s, which is no chain of the listing and no target known here: %s",
			rule.Chain, name, rule.Text)
		return effect{consumed: f.share}
	}
	f.depth++
	rest := w.walk(c, f)
	if kind == TargetGoto {
		return effect{f.share, rest}
	}
	return effect{consumed: f.share - rest}
}

func (w *walker) verdict(rule Rule, t *Target, f flow) {
	if t.Name != "DNAT" {
		w.outcomes = append(w.outcomes, outcome{verdict: t.Name, flow: f, rule: rule})
		return
	}
	if len(t.ToDestinations) == 0 {
		w.doubt(f.hops, "destination of DNAT is not shown or not modelled: %s", rule.Text)
		return
	}
	for _, d := range t.ToDestinations {
		g := f
		g.share *= d.Share
		if d.AddrPort.Port() == 0 {
			d.AddrPort = netip.AddrPortFrom(d.AddrPort.Addr(), w.p.port)
		}
		w.outcomes = append(w.outcomes, outcome{verdict: t.Name, dest: d, flow: g, rule: rule})
	}
}

// vmap looks the packet up in a verdict map.
func (w *walker) vmap(rule Rule, t *Target, f flow) effect {
	if t.Map == "" && strings.HasPrefix(t.Key, "numgen ") {
		var sum effect
		for _, e := range t.elements {
			g := f
			g.share /= float64(len(t.elements))
			out := w.data(rule, e.data, g)
			sum.consumed += out.consumed
			sum.returned += out.returned
		}
		return sum
	}
	values, ok := w.keyValues(t.Key)
	if !ok {
		w.doubt(f.hops, "key of vmap is not modelled: %s", rule.Text)
		return effect{}
	}
	if t.Map == "" {
		for _, e := range t.elements {
			if elementMatches(e.key, values) {
				return w.data(rule, e.data, f)
			}
		}
		return effect{}
	}
	m, ok := w.l.setOf(w.table, t.Map)
	if !ok {
		w.doubt(f.hops, "map %s is not in the listing: %s", t.Map, rule.Text)
		return effect{}
	}
	e, ok := w.lookup(m, values)
	if !ok {
		return effect{}
	}
	f.hops = f.hops.push(Hop{
		Backend: rule.Backend, Family: rule.Family, Table: rule.Table, Chain: "map " + t.Map, Rule: e.text, Line: e.line,
	})
	return w.data(rule, e.data, f)
}

// data acts on the verdict of a map's element.
func (w *walker) data(rule Rule, data string, f flow) effect {
	spec := decodeNFT(data)
	if len(spec.NotModelled) > 0 || spec.Target.Kind == TargetNone {
		w.doubt(f.hops, "verdict of a map is not modelled: %s", data)
		return effect{}
	}
	if spec.Target.Kind == TargetMap {
		w.doubt(f.hops, "verdict of a map is a map: %s", data)
		return effect{}
	}
	return w.act(rule, &spec.Target, f)
}

// keyValues gives the packet's values for the fields of an nft key.
func (w *walker) keyValues(key string) ([]string, bool) {
	var out []string
	for part := range strings.SplitSeq(key, " . ") {
		switch part {
		case "ip daddr", "ip6 daddr":
			out = append(out, w.p.dst.String())
		case "meta l4proto", "ip protocol":
			out = append(out, w.p.proto)
		case "ct state":
			out = append(out, "new")
		case "th dport", "tcp dport", "udp dport", "sctp dport":
			out = append(out, fmt.Sprint(w.p.port))
		default:
			return nil, false
		}
	}
	return out, true
}

// inSet answers for nft's named sets. An ipset's members are in no listing of rules.
func (w *walker) inSet(s SetMatch) truth {
	if w.l.backend != NFTables {
		return maybe
	}
	values, ok := w.keyValues(s.Fields)
	if !ok {
		return maybe
	}
	m, ok := w.l.setOf(w.table, s.Name)
	if !ok {
		return maybe
	}
	_, found := w.lookup(m, values)
	return truthOf(found)
}
