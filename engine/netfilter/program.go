package netfilter

import (
	"slices"
	"strings"
)

// program is a rule made ready to be asked: its matches and actions in the order in which the kernel meets them.
type program struct {
	ops []op
	hop Hop
}

// op is a match or an action.
type op struct {
	match matcher
	act   *action
}

type actionKind uint8

const (
	actNothing actionKind = iota // LOG, TCPMSS, counters: the packet goes on as it is
	actAccept
	actDrop
	actReject
	actReturn
	actContinue // goes on to the next rule
	actJump
	actGoto
	actMark
	actNotrack
	actSetTTL
	actNAT
	actLookup // nft's vmap
	actTProxy
	actUnknown
)

type action struct {
	kind actionKind
	// chain is where jump and goto lead; -1 is a chain that the listing does not have, called name.
	chain  int32
	name   string
	with   string // of reject
	mark   markChange
	ttl    ttlChange
	nat    *natChange
	lookup *lookup
	// quote is what is not modelled.
	quote string
}

// matters says whether a rule does anything to the packet from its i-th op on.
func (p *program) matters(i int) bool {
	for _, o := range p.ops[i:] {
		if o.act != nil && o.act.kind != actNothing {
			return true
		}
	}
	return false
}

// program gives a rule's program, made once.
func (l *Listing) program(i int32) *program {
	l.programsOnce.Do(l.makeRoom)
	if p := l.programs[i].Load(); p != nil {
		return p
	}
	r := &l.rules[i]
	c := &l.chains[r.chain]
	t := &l.tables[c.table]
	text := l.ruleText(i)
	p := &program{hop: Hop{
		Backend: l.backend, Family: t.family, Table: t.name, Chain: c.name, Rule: text, Line: l.line(r.line),
	}}
	if l.backend == NFTables {
		p.ops = kubeRecent(c.name, compileNFT(text, t.managed))
	} else {
		p.ops = compileIPTables(text)
	}
	for _, o := range p.ops {
		if o.act != nil {
			l.resolve(c.table, o.act)
		}
	}
	l.programs[i].Store(p)
	return p
}

// kubeRecent reads "xt match recent", of which nft shows no more, in kube-proxy's chains: those of Services
// check (--rcheck) whether the client was there before, those of endpoints record it (--set).
func kubeRecent(chain string, ops []op) []op {
	i := slices.IndexFunc(ops, func(o op) bool {
		b, ok := o.match.(blindMatch)
		return ok && (b.text == "xt match recent" || b.text == `xt match "recent"` || b.text == "# xt_recent")
	})
	switch {
	case i < 0:
	case strings.HasPrefix(chain, "KUBE-SVC-"), strings.HasPrefix(chain, "KUBE-SVL-"):
		ops[i].match = recentMatch{text: "xt match recent"}
	case strings.HasPrefix(chain, "KUBE-SEP-"):
		return slices.Delete(ops, i, i+1)
	}
	return ops
}

// resolve finds the chain that an action leads to. A target of iptables that is neither known nor a chain is one
// that is not modelled.
func (l *Listing) resolve(table int32, a *action) {
	if a.kind == actJump || a.kind == actGoto {
		if a.chain = l.chain(table, a.name); a.chain < 0 {
			a.kind, a.quote = actUnknown, "target "+a.name+" is neither a chain of the listing nor known here"
		}
	}
}

func compileIPTables(text string) []op {
	s := decodeIPTables(text)
	matchers := s.matchers()
	ops := make([]op, 0, len(matchers)+1)
	for _, m := range matchers {
		ops = append(ops, op{match: m})
	}
	if a := s.Target.action(); a != nil {
		ops = append(ops, op{act: a})
	}
	return ops
}

// matchers gives the conditions of a rule of iptables. Cheap ones that exclude most packets go first; order has no
// other meaning, as no match changes the packet.
func (s *Spec) matchers() []matcher {
	var out []matcher
	if s.Destination != nil {
		out = append(out, addrMatch{m: s.Destination})
	}
	if s.Protocol != nil {
		out = append(out, protoMatch{s.Protocol})
	}
	if s.DestinationPorts != nil {
		out = append(out, portMatch{m: s.DestinationPorts})
	}
	if s.SourcePorts != nil {
		out = append(out, portMatch{m: s.SourcePorts, source: true})
	}
	if s.Source != nil {
		out = append(out, addrMatch{m: s.Source, source: true})
	}
	if s.InInterface != nil {
		out = append(out, ifaceMatch{m: s.InInterface})
	}
	if s.OutInterface != nil {
		out = append(out, ifaceMatch{m: s.OutInterface, out: true})
	}
	if s.Mark != nil {
		out = append(out, markMatcher{m: s.Mark})
	}
	if s.CTState != nil {
		out = append(out, ctStateMatch{s.CTState})
	}
	if s.TCPFlags != nil {
		out = append(out, s.tcpFlags())
	}
	if s.SourceAddrType != nil {
		out = append(out, addrTypeMatch{m: s.SourceAddrType, source: true, limit: s.limitIface})
	}
	if s.DestinationAddrType != nil {
		out = append(out, addrTypeMatch{m: s.DestinationAddrType, limit: s.limitIface})
	}
	for _, m := range s.Sets {
		out = append(out, ipsetMatch{m})
	}
	out = append(out, s.extra...)
	if s.Recent != nil {
		text := "-m recent --rcheck --name " + s.Recent.list()
		if s.Recent.Negated {
			text = "! " + text
		}
		out = append(out, recentMatch{text, s.Recent.Negated})
	}
	if s.Statistic != nil {
		out = append(out, statisticMatch{s.Statistic})
	}
	for _, quote := range s.blindMatches {
		out = append(out, blindMatch{quote})
	}
	return out
}

func (s *Spec) tcpFlags() matcher {
	mask, comp, _ := cutSpace(s.TCPFlags.Names[0])
	m, ok1 := tcpFlagsOf(mask)
	v, ok2 := tcpFlagsOf(comp)
	if !ok1 || !ok2 {
		return blindMatch{"--tcp-flags " + s.TCPFlags.Names[0]}
	}
	return tcpFlagsMatch{mask: m, value: v, negated: s.TCPFlags.Negated}
}
