package netfilter

import (
	"fmt"
	"strings"
)

// serviceWalk is what became of anybody's first packet to a Service in one chain.
type serviceWalk struct {
	leaves   []*leaf
	affinity string // the first rule for clients that were here before
}

// walk takes the packet through one chain as Traverse does, and through no other of its hook.
func (r *Ruleset) walk(l *Listing, hook Hook, chain int32, p Packet) serviceWalk {
	m := &traversal{set: r, hook: hook, family: p.family(), services: true}
	b, ok := l.baseAt(chain, hook)
	if !ok {
		b = base{l: l, chain: chain}
	}
	w := &way{pkt: p, base: &b, in: true, nat: &untranslated}
	w.rules = m.candidates(w, chain)
	return serviceWalk{m.run(w), m.affinity}
}

// unknown is the first leaf that is not known, or nil.
func (s *serviceWalk) unknown() *leaf {
	for _, l := range s.leaves {
		if l.verdict == VerdictUnknown {
			return l
		}
	}
	return nil
}

// refusal is the first leaf that drops or rejects; a sure one goes before one with conditions.
func (s *serviceWalk) refusal() *leaf {
	var found *leaf
	for _, l := range s.leaves {
		if l.verdict != VerdictDrop && l.verdict != VerdictReject {
			continue
		}
		if l.when == nil {
			return l
		}
		if found == nil {
			found = l
		}
	}
	return found
}

func (l *leaf) translates() bool { return l.verdict == VerdictAccept && l.nat.Kind == "DNAT" }

func (l *leaf) conditions() []string {
	var out []string
	for c := l.when; c != nil; c = c.next {
		out = append(out, c.text)
	}
	return out
}

// ruleOf is the rule at the end of a path: behind it may stand an element of a map.
func ruleOf(path []Hop) (rule Hop, element string) {
	if len(path) == 0 {
		return Hop{}, ""
	}
	last := path[len(path)-1]
	if strings.HasPrefix(last.Chain, "map ") && len(path) > 1 {
		return path[len(path)-2], last.Rule
	}
	return last, ""
}

// iptablesPath asks kube-proxy's iptables chains, in an iptables listing or in nft's view of iptables-nft.
func (r *Ruleset) iptablesPath(l *Listing, family string, p Packet) Path {
	nat := l.table(family, "nat")
	svc := l.chain(nat, "KUBE-SERVICES")
	path := Path{Backend: l.backend}
	if svc < 0 {
		path.Status = StatusNoChains
		path.Reason = "table nat has no chain KUBE-SERVICES"
		if nat < 0 {
			path.Reason = "there is no table nat, so no chain KUBE-SERVICES"
		}
		return path
	}
	start := l.entry(&path, svc, "nat", HookPrerouting, HookOutput)
	l.orphansOf(&path, nat)
	if start < 0 {
		path.Status = StatusNoChains
		path.Reason = fmt.Sprintf("chain KUBE-SERVICES of table nat is there (line %d, %d rules) and no base chain jumps to it",
			l.line(l.chains[svc].line), len(l.rulesOf(svc)))
		return path
	}
	if len(l.noInterfaces) > 0 {
		path.Notes = append(path.Notes, "listed without -v, rules do not show which interfaces they ask for")
	}
	if r.beforeNAT(l, &path, family, p) {
		return path
	}
	w := r.walk(l, l.hookOf(start), start, p)
	if path.translated(&w) && !w.passes() {
		return path
	}
	if path.Status == StatusUnknown {
		return path
	}
	filter := r.filterOf(l, family)
	if filter == nil {
		if path.Status == "" {
			path.Status = StatusUnknown
			path.Reason = "no rule of table nat translates it, and table filter, which refuses packets to Services without endpoints, was not read"
		}
		return path
	}
	r.kubeFilter(filter, &path, family, p)
	return path.orNoRule(&w, "no rule of KUBE-SERVICES or KUBE-NODEPORTS matches")
}

// filterOf gives the listing that shows table filter of the listing's backend, or nil.
func (r *Ruleset) filterOf(l *Listing, family string) *Listing {
	switch {
	case l.Shows("filter"):
		return l
	case l.backend == IPTablesNFT && r.NFT != nil:
		return r.NFT
	}
	return nil
}

// hookOf is the hook of a base chain.
func (l *Listing) hookOf(chain int32) Hook {
	for i, name := range hookNames {
		if l.chains[chain].hook == name {
			return Hook(i)
		}
	}
	return HookForward
}

// orNoRule gives the status of a path that nothing has decided.
func (path Path) orNoRule(w *serviceWalk, reason string) Path {
	if path.Status == "" {
		path.Status, path.Reason = StatusNoRule, reason
		for _, l := range w.leaves {
			if l.accepted && !l.translates() && l.when == nil {
				path.Hops = l.path.copies()
				rule, _ := ruleOf(path.Hops)
				path.Reason = "a rule accepts it before any translates it: " + rule.Rule
			}
		}
	}
	return path
}

// entry finds the base chain to start from: the first hook's if it comes to the chain, or the second's.
func (l *Listing) entry(path *Path, chain int32, kind string, first, second Hook) int32 {
	found := map[string]int32{first.String(): -1, second.String(): -1}
	for _, b := range l.basesReaching(chain) {
		c := &l.chains[b]
		if _, asked := found[c.hook]; asked && (c.kind == kind || c.kind == "") {
			found[c.hook] = b
		}
	}
	one, other := found[first.String()], found[second.String()]
	if one < 0 && other < 0 {
		return -1
	}
	for _, h := range [...]Hook{first, second} {
		if found[h.String()] < 0 {
			path.Missing = append(path.Missing, kind+" "+strings.ToUpper(h.String()))
		}
	}
	if one >= 0 {
		return one
	}
	return other
}

// beforeNAT asks the tables that the packet meets before nat: raw, where NOTRACK keeps it from NAT, and
// mangle. Only what is sure counts; what they leave open is not kube-proxy's.
func (r *Ruleset) beforeNAT(l *Listing, path *Path, family string, p Packet) bool {
	for _, name := range [...]string{"raw", "mangle"} {
		c := l.chain(l.table(family, name), "PREROUTING")
		if c < 0 {
			continue
		}
		w := r.walk(l, HookPrerouting, c, p)
		if u := w.unknown(); u != nil {
			path.Notes = append(path.Notes, "table "+name+": "+u.reason)
			continue
		}
		if len(w.leaves) != 1 {
			continue
		}
		only := w.leaves[0]
		switch {
		case only.verdict == VerdictDrop:
			path.Status, path.Hops = StatusDropped, only.path.copies()
			rule, _ := ruleOf(path.Hops)
			path.Reason = "table " + name + " drops it: " + rule.Rule
			return true
		case only.notracked != nil:
			path.Status, path.Hops = StatusUntracked, only.notracked.copies()
			rule, _ := ruleOf(path.Hops)
			path.Reason = "a rule of table raw keeps it from conntrack, so no NAT applies: " + rule.Rule
			return true
		}
	}
	return false
}

// translated takes what the walk through nat found. It says whether that decides the path.
func (path *Path) translated(w *serviceWalk) bool {
	if w.affinity != "" {
		path.Notes = append(path.Notes, "session affinity: a client seen before goes by "+w.affinity)
	}
	path.endpoints(w)
	if u := w.unknown(); u != nil {
		path.Status, path.Reason = StatusUnknown, u.reason
		if len(path.Endpoints) == 0 {
			path.Hops = u.path.copies()
		}
		return true
	}
	if len(path.Endpoints) > 0 {
		path.Status = StatusTranslated
		return true
	}
	if l := w.refusal(); l != nil {
		path.refused(l)
		return true
	}
	for _, l := range w.leaves {
		if l.nat.Kind == "REDIRECT" {
			path.Status, path.Hops = StatusUnknown, l.path.copies()
			rule, _ := ruleOf(path.Hops)
			path.Reason = "a rule redirects it to this node itself: " + rule.Rule
			return true
		}
	}
	return false
}

// passes says whether some packets leave nat untranslated.
func (w *serviceWalk) passes() bool {
	passes := false
	for _, l := range w.leaves {
		if l.translates() && l.when == nil {
			return false
		}
		passes = passes || l.verdict == VerdictAccept && l.nat.Kind == ""
	}
	return passes
}

func (path *Path) refused(l *leaf) {
	path.Status = StatusRejected
	verb := "rejects"
	if l.verdict == VerdictDrop {
		path.Status, verb = StatusDropped, "drops"
	}
	path.Hops = l.path.copies()
	rule, element := ruleOf(path.Hops)
	path.Reason = fmt.Sprintf("a rule of table %s %s it: %s", rule.Table, verb, rule.Rule)
	if element != "" {
		path.Reason += " (" + element + ")"
	}
	if l.when != nil {
		path.Reason += ", when " + strings.Join(l.conditions(), " and ")
	}
}

// endpoints turns the walk's translations to endpoints, behind the hops that all of them share.
func (path *Path) endpoints(w *serviceWalk) {
	type key struct {
		dest string
		when string
	}
	at := map[key]int{}
	var ways [][]Hop
	for _, l := range w.leaves {
		if !l.translates() {
			continue
		}
		when := l.conditions()
		k := key{l.nat.NewDst.String(), strings.Join(when, "\x00")}
		share := l.given
		if l.vague {
			share = 0
		}
		if i, ok := at[k]; ok {
			path.Endpoints[i].Probability += share
			continue
		}
		at[k] = len(path.Endpoints)
		path.Endpoints = append(path.Endpoints, Endpoint{Addr: l.nat.NewDst, Probability: share, When: when})
		ways = append(ways, l.path.copies())
	}
	if len(ways) == 0 {
		return
	}
	shared := len(ways[0])
	for _, way := range ways[1:] {
		n := 0
		for n < shared && n < len(way) && way[n] == ways[0][n] {
			n++
		}
		shared = n
	}
	path.Hops = ways[0][:shared:shared]
	for i := range ways {
		path.Endpoints[i].Hops = ways[i][shared:]
	}
}

// kubeFilter asks kube-proxy's chains of table filter about a packet that nat let pass: there are the rules
// for Services without endpoints and for sources that a load balancer does not allow.
func (r *Ruleset) kubeFilter(l *Listing, path *Path, family string, p Packet) {
	t := l.table(family, "filter")
	for _, name := range [...]string{"KUBE-PROXY-FIREWALL", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"} {
		c := l.chain(t, name)
		if c < 0 {
			continue
		}
		w := r.walk(l, HookForward, c, p)
		refusal, unknown := w.refusal(), w.unknown()
		if refusal == nil && unknown == nil {
			continue
		}
		if len(l.basesReaching(c)) == 0 {
			path.Notes = append(path.Notes, fmt.Sprintf("chain %s of table filter has a rule for it and no base chain jumps to it", name))
			continue
		}
		if refusal == nil {
			path.notKnown(unknown)
			continue
		}
		l.refuse(path, c, refusal)
		return
	}
}

// notKnown is what a walk through filter leaves unknown, where nothing else has decided.
func (path *Path) notKnown(l *leaf) {
	if path.Status == "" {
		path.Status, path.Reason, path.Hops = StatusUnknown, l.reason, l.path.copies()
	}
}

// refuse records a refusal in filter, with the jump that brings the packet to the chain. A path that is
// translated under conditions stays so, and the refusal becomes a note.
func (l *Listing) refuse(path *Path, chain int32, refusal *leaf) {
	if path.Status == StatusTranslated {
		rule, _ := ruleOf(refusal.path.copies())
		path.Notes = append(path.Notes, fmt.Sprintf("otherwise %s by line %d of table filter: %s",
			map[Verdict]string{VerdictDrop: "dropped", VerdictReject: "rejected"}[refusal.verdict], rule.Line, rule.Rule))
		return
	}
	path.refused(refusal)
	if chain < 0 {
		return
	}
	for _, r := range l.referrers(chain) {
		if l.chains[l.rules[r].chain].base() {
			path.Hops = append([]Hop{l.rule(r).Hop()}, path.Hops...)
			return
		}
	}
}

// orphansOf tells of KUBE-* chains with rules and nothing that jumps to them.
func (l *Listing) orphansOf(path *Path, table int32) {
	l.orphanOnce.Do(func() {
		for i := range l.chains {
			c := &l.chains[i]
			if !strings.HasPrefix(c.name, "KUBE-") || c.ruleFrom == c.ruleEnd || c.base() ||
				strings.HasPrefix(c.name, "KUBE-MARK-") || strings.HasSuffix(c.name, "-CANARY") {
				continue
			}
			if len(l.referrers(int32(i))) == 0 {
				l.orphans = append(l.orphans, int32(i))
			}
		}
	})
	n := 0
	for _, c := range l.orphans {
		if l.chains[c].table != table {
			continue
		}
		if n++; n <= 10 {
			path.Orphans = append(path.Orphans, l.rule(l.rulesOf(c)[0]))
		}
	}
	if n > 0 {
		path.Notes = append(path.Notes, fmt.Sprintf("%d KUBE- chains of table nat have rules and nothing jumps to them, first %s",
			n, path.Orphans[0].Chain))
	}
}

// nftablesPath asks kube-proxy's own nftables table.
func (r *Ruleset) nftablesPath(l *Listing, family string, p Packet) Path {
	path := Path{Backend: NFTables}
	t := l.table(family, "kube-proxy")
	if t < 0 {
		path.Status, path.Reason = StatusNoChains, "there is no table "+family+" kube-proxy"
		return path
	}
	svc := l.chain(t, "services")
	if svc < 0 {
		path.Status, path.Reason = StatusNoChains, "table "+family+" kube-proxy has no chain services"
		return path
	}
	start := l.entry(&path, svc, "nat", HookPrerouting, HookOutput)
	if start < 0 {
		path.Status = StatusNoChains
		path.Reason = fmt.Sprintf("chain services of table %s kube-proxy is there (line %d) and no base chain of type nat jumps to it",
			family, l.line(l.chains[svc].line))
		return path
	}
	// LoadBalancerSourceRanges are asked before DNAT.
	r.nftFilter(l, &path, t, p, HookPrerouting)
	if path.Status != "" {
		return path
	}
	w := r.walk(l, l.hookOf(start), start, p)
	if path.translated(&w) && !w.passes() {
		return path
	}
	if path.Status != StatusUnknown {
		r.nftFilter(l, &path, t, p, HookForward, HookOutput, HookInput)
	}
	return path.orNoRule(&w, "no element of service-ips or service-nodeports matches")
}

// nftFilter walks the base chains of type filter at the hooks.
func (r *Ruleset) nftFilter(l *Listing, path *Path, table int32, p Packet, hooks ...Hook) {
	for _, hook := range hooks {
		for _, c := range l.tables[table].bases(l, hook.String()) {
			w := r.walk(l, hook, c, p)
			if refusal := w.refusal(); refusal != nil {
				if hook == HookPrerouting && refusal.when != nil {
					rule, _ := ruleOf(refusal.path.copies())
					path.Notes = append(path.Notes, fmt.Sprintf("refused before translation when %s: %s",
						strings.Join(refusal.conditions(), " and "), rule.Rule))
					continue
				}
				l.refuse(path, -1, refusal)
				return
			}
			if u := w.unknown(); u != nil {
				path.notKnown(u)
			}
		}
	}
}

// bases gives the table's base chains of type filter at a hook.
func (t *tableRec) bases(l *Listing, hook string) []int32 {
	var out []int32
	for _, c := range t.baseChains {
		if l.chains[c].kind == "filter" && l.chains[c].hook == hook {
			out = append(out, c)
		}
	}
	return out
}
