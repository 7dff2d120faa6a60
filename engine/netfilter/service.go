package netfilter

import (
	"fmt"
	"strings"
)

// iptablesPath asks kube-proxy's iptables chains, in an iptables listing or in nft's view of iptables-nft.
func (l *Listing) iptablesPath(family string, p *packet) Path {
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
	start := l.entry(&path, svc, "nat", "prerouting", "output")
	l.orphansOf(&path, nat)
	if start < 0 {
		path.Status = StatusNoChains
		path.Reason = fmt.Sprintf("chain KUBE-SERVICES of table nat is there (line %d, %d rules) and no base chain jumps to it",
			l.line(l.chains[svc].line), len(l.rulesOf(svc)))
		return path
	}
	if l.beforeNAT(&path, family, p) {
		return path
	}
	w := newWalker(l, nat, p)
	residual := w.walk(start, flow{share: 1})
	if l.translated(&path, w) && !passes(w, residual) {
		return path
	}
	if path.Status == StatusUnknown {
		return path
	}
	l.kubeFilter(&path, family, p)
	return path.orNoRule(w, "no rule of KUBE-SERVICES or KUBE-NODEPORTS matches")
}

// orNoRule gives the status of a path that nothing has decided.
func (path Path) orNoRule(w *walker, reason string) Path {
	if path.Status == "" {
		path.Status, path.Reason = StatusNoRule, reason
		for _, o := range w.outcomes {
			if o.verdict == "ACCEPT" && len(o.flow.when) == 0 {
				path.Reason = "a rule accepts it before any translates it: " + o.rule.Text
				path.Hops = o.flow.hops.slice()
			}
		}
	}
	return path
}

// entry finds the base chain to start from: the first hook's if it comes to the chain, or the second's.
func (l *Listing) entry(path *Path, chain int32, kind, first, second string) int32 {
	found := map[string]int32{first: -1, second: -1}
	for _, b := range l.basesReaching(chain) {
		c := &l.chains[b]
		if _, asked := found[c.hook]; asked && (c.kind == kind || c.kind == "") {
			found[c.hook] = b
		}
	}
	if found[first] < 0 && found[second] < 0 {
		return -1
	}
	for _, h := range [...]string{first, second} {
		if found[h] < 0 {
			path.Missing = append(path.Missing, kind+" "+strings.ToUpper(h))
		}
	}
	if found[first] >= 0 {
		return found[first]
	}
	return found[second]
}

// beforeNAT asks the tables that the packet meets before nat: raw, where NOTRACK keeps it from NAT, and
// mangle. Only what is sure counts; what they leave open is not kube-proxy's.
func (l *Listing) beforeNAT(path *Path, family string, p *packet) bool {
	for _, name := range [...]string{"raw", "mangle"} {
		t := l.table(family, name)
		c := l.chain(t, "PREROUTING")
		if c < 0 {
			continue
		}
		w := newWalker(l, t, p)
		w.walk(c, flow{share: 1})
		if w.unknown != "" {
			path.Notes = append(path.Notes, "table "+name+": "+w.unknown)
			continue
		}
		for _, o := range w.outcomes {
			if len(o.flow.when) > 0 || o.flow.share < 1-epsilon {
				continue
			}
			switch o.verdict {
			case "NOTRACK":
				path.Status, path.Hops = StatusUntracked, o.flow.hops.slice()
				path.Reason = "a rule of table raw keeps it from conntrack, so no NAT applies: " + o.rule.Text
				return true
			case "DROP":
				path.Status, path.Hops = StatusDropped, o.flow.hops.slice()
				path.Reason = "table " + name + " drops it: " + o.rule.Text
				return true
			}
		}
	}
	return false
}

// translated takes what the walk through nat found. It says whether that decides the path.
func (l *Listing) translated(path *Path, w *walker) bool {
	path.Notes = append(path.Notes, w.notes...)
	path.endpoints(w)
	if w.unknown != "" {
		path.Status, path.Reason = StatusUnknown, w.unknown
		if len(path.Endpoints) == 0 {
			path.Hops = w.unkHops
		}
		return true
	}
	if len(path.Endpoints) > 0 {
		path.Status = StatusTranslated
		return true
	}
	for _, o := range w.outcomes {
		switch o.verdict {
		case "DROP", "REJECT":
			path.refused(o)
			return true
		case "REDIRECT":
			path.Status, path.Hops = StatusUnknown, o.flow.hops.slice()
			path.Reason = "a rule redirects it to this node itself: " + o.rule.Text
			return true
		}
	}
	return false
}

// passes says whether some packets leave nat untranslated for sure.
func passes(w *walker, residual float64) bool {
	if residual <= epsilon {
		return false
	}
	for _, o := range w.outcomes {
		if o.verdict == "DNAT" && len(o.flow.when) == 0 {
			return false
		}
	}
	return true
}

func (path *Path) refused(o outcome) {
	path.Status = StatusRejected
	verb := "rejects"
	if o.verdict == "DROP" {
		path.Status, verb = StatusDropped, "drops"
	}
	path.Hops = o.flow.hops.slice()
	path.Reason = fmt.Sprintf("a rule of table %s %s it: %s", o.rule.Table, verb, o.rule.Text)
	if h := path.Hops[len(path.Hops)-1]; h.Rule != o.rule.Text {
		path.Reason += " (" + h.Rule + ")"
	}
	if len(o.flow.when) > 0 {
		path.Reason += ", when " + strings.Join(o.flow.when, " and ")
	}
}

// endpoints turns the walk's DNAT outcomes to endpoints, behind the hops that all of them share.
func (path *Path) endpoints(w *walker) {
	type key struct {
		dest string
		when string
	}
	at := map[key]int{}
	var ways [][]Hop
	for _, o := range w.outcomes {
		if o.verdict != "DNAT" {
			continue
		}
		k := key{o.dest.AddrPort.String(), strings.Join(o.flow.when, "\x00")}
		if o.flow.vague {
			o.flow.share = 0
		}
		if i, ok := at[k]; ok {
			path.Endpoints[i].Probability += o.flow.share
			continue
		}
		at[k] = len(path.Endpoints)
		path.Endpoints = append(path.Endpoints, Endpoint{
			Addr: o.dest.AddrPort, Probability: o.flow.share, When: o.flow.when,
		})
		ways = append(ways, o.flow.hops.slice())
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
func (l *Listing) kubeFilter(path *Path, family string, p *packet) {
	t := l.table(family, "filter")
	for _, name := range [...]string{"KUBE-PROXY-FIREWALL", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"} {
		c := l.chain(t, name)
		if c < 0 {
			continue
		}
		w := newWalker(l, t, p)
		w.walk(c, flow{share: 1})
		refusal := w.refusal()
		if refusal == nil && w.unknown == "" {
			continue
		}
		if len(l.basesReaching(c)) == 0 {
			path.Notes = append(path.Notes, fmt.Sprintf("chain %s of table filter has a rule for it and no base chain jumps to it", name))
			continue
		}
		if refusal == nil {
			if path.Status == "" {
				path.Status, path.Reason, path.Hops = StatusUnknown, w.unknown, w.unkHops
			}
			continue
		}
		l.refuse(path, c, *refusal)
		return
	}
}

// refusal is the first outcome that drops or rejects; a sure one goes before one with conditions.
func (w *walker) refusal() *outcome {
	var found *outcome
	for i := range w.outcomes {
		o := &w.outcomes[i]
		if o.verdict != "DROP" && o.verdict != "REJECT" {
			continue
		}
		if len(o.flow.when) == 0 {
			return o
		}
		if found == nil {
			found = o
		}
	}
	return found
}

// refuse records a refusal in filter, with the jump that brings the packet to the chain. A path that is
// translated under conditions stays so, and the refusal becomes a note.
func (l *Listing) refuse(path *Path, chain int32, o outcome) {
	if path.Status == StatusTranslated {
		path.Notes = append(path.Notes, fmt.Sprintf("otherwise %s by line %d of table filter: %s",
			map[string]string{"DROP": "dropped", "REJECT": "rejected"}[o.verdict], o.rule.Line, o.rule.Text))
		return
	}
	path.refused(o)
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
func (l *Listing) nftablesPath(family string, p *packet) Path {
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
	start := l.entry(&path, svc, "nat", "prerouting", "output")
	if start < 0 {
		path.Status = StatusNoChains
		path.Reason = fmt.Sprintf("chain services of table %s kube-proxy is there (line %d) and no base chain of type nat jumps to it",
			family, l.line(l.chains[svc].line))
		return path
	}
	// LoadBalancerSourceRanges are asked before DNAT.
	l.nftFilter(&path, t, p, "prerouting")
	if path.Status != "" {
		return path
	}
	w := newWalker(l, t, p)
	residual := w.walk(start, flow{share: 1})
	if l.translated(&path, w) && !passes(w, residual) {
		return path
	}
	if path.Status != StatusUnknown {
		l.nftFilter(&path, t, p, "forward", "output", "input")
	}
	return path.orNoRule(w, "no element of service-ips or service-nodeports matches")
}

// nftFilter walks the base chains of type filter at the hooks.
func (l *Listing) nftFilter(path *Path, table int32, p *packet, hooks ...string) {
	for _, hook := range hooks {
		for _, c := range l.tables[table].bases(l, hook) {
			w := newWalker(l, table, p)
			w.walk(c, flow{share: 1})
			if o := w.refusal(); o != nil {
				if hook == "prerouting" && len(o.flow.when) > 0 {
					path.Notes = append(path.Notes, fmt.Sprintf("refused before translation when %s: %s",
						strings.Join(o.flow.when, " and "), o.rule.Text))
					continue
				}
				l.refuse(path, -1, *o)
				return
			}
			if w.unknown != "" && path.Status == "" {
				path.Status, path.Reason, path.Hops = StatusUnknown, w.unknown, w.unkHops
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
