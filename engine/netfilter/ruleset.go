package netfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Ruleset is every listing of one network namespace. A nil listing is one that nobody read: it is not known
// what it would show. A backend that is known to be empty has a listing of an empty text.
type Ruleset struct {
	// IPTables and IP6Tables come from iptables-nft-save and ip6tables-nft-save.
	IPTables, IP6Tables *Listing
	// IPTablesLegacy and IP6TablesLegacy come from iptables-legacy-save and ip6tables-legacy-save.
	IPTablesLegacy, IP6TablesLegacy *Listing
	// NFT comes from `nft list ruleset`. It shows iptables-nft's tables as well.
	NFT *Listing
	// IPVS comes from /proc/net/ip_vs or ipvsadm.
	IPVS *IPVSTable
	// LocalAddrs are the namespace's own addresses. Nil is not known: what depends on an address being
	// local (NodePorts) is then answered with a condition.
	LocalAddrs []netip.Addr
	// InterfaceAddrs are the same by interface, in the kernel's order, and BroadcastAddrs the broadcast addresses of its
	// networks. Nil is not known: addrtype's --limit-iface-in, BROADCAST and UNICAST, and where REDIRECT leads, are then
	// answered with a condition.
	InterfaceAddrs map[string][]netip.Addr
	BroadcastAddrs []netip.Addr
	// IPSet comes from `ipset save`. Nil is not known.
	IPSet *IPSet
}

// ServicePath says what the rules do to the first packet of a connection to addr, proto (tcp, udp, sctp) and
// port. It asks every backend that was read. Answers go before silence: translated, then rejected, dropped
// and untracked, then unknown, then no-rule, then no-chains; and no-chains is said only where all listings
// in which kube-proxy could have rules were read, or where flushed chains are left as proof.
func (r *Ruleset) ServicePath(addr netip.Addr, proto string, port uint16) Path {
	p := Packet{Dst: addr, Proto: proto, Dport: port, CtState: "NEW"}
	p.normalize()
	if addr = p.Dst; p.Proto == "tcp" {
		p.TCPFlags = TCPSYN
	}
	if !addr.IsValid() {
		return Path{Status: StatusUnknown, Reason: "no address was asked for"}.filled()
	}
	return r.join(r.ask(p), addr).filled()
}

// filled makes lists that are empty lists, and not null, in JSON.
func (path Path) filled() Path {
	if path.Hops == nil {
		path.Hops = []Hop{}
	}
	if path.Endpoints == nil {
		path.Endpoints = []Endpoint{}
	}
	for i := range path.Endpoints {
		if path.Endpoints[i].Hops == nil {
			path.Endpoints[i].Hops = []Hop{}
		}
	}
	for i := range path.Backends {
		path.Backends[i] = path.Backends[i].filled()
	}
	return path
}

func (r *Ruleset) isLocal(a netip.Addr) truth {
	if a.IsLoopback() {
		return yes
	}
	if r.LocalAddrs == nil {
		return maybe
	}
	return truthOf(slices.Contains(r.LocalAddrs, a))
}

// forFamily gives the iptables listings of a family and nft's name for it.
func (r *Ruleset) forFamily(a netip.Addr) (nft, legacy *Listing, family string) {
	if a.Is4() {
		return r.IPTables, r.IPTablesLegacy, "ip"
	}
	return r.IP6Tables, r.IP6TablesLegacy, "ip6"
}

func (r *Ruleset) ask(p Packet) []Path {
	nft, legacy, family := r.forFamily(p.Dst)
	var paths []Path
	ipvs := false
	add := func(l *Listing) {
		if l.ipvsChains(family) {
			ipvs = true
			return
		}
		paths = append(paths, r.iptablesPath(l, family, p))
	}
	if nft != nil && nft.Shows("nat") {
		add(nft)
	} else if r.NFT != nil && r.NFT.table(family, "nat") >= 0 {
		add(r.NFT)
	}
	if legacy != nil && legacy.Shows("nat") {
		add(legacy)
	}
	if r.NFT != nil {
		paths = append(paths, r.nftablesPath(r.NFT, family, p))
	}
	switch {
	case r.IPVS != nil:
		paths = append(paths, r.IPVS.path(p))
	case ipvs:
		paths = append(paths, Path{
			Status: StatusUnknown, Backend: IPVS,
			Reason: "iptables holds kube-proxy's chains of IPVS mode and the IPVS table was not read",
		})
	}
	return paths
}

// ipvsChains says whether KUBE-SERVICES is that of kube-proxy's IPVS mode, which leaves translation to IPVS
// and matches Services by ipset.
func (l *Listing) ipvsChains(family string) bool {
	_, ok := l.ipvsRule(family)
	return ok
}

func (l *Listing) ipvsRule(family string) (Rule, bool) {
	c := l.chain(l.table(family, "nat"), "KUBE-SERVICES")
	if c < 0 {
		return Rule{}, false
	}
	rules := l.rulesOf(c)
	for _, i := range rules[:min(len(rules), indexFrom)] {
		if strings.Contains(l.ruleText(i), "KUBE-CLUSTER-IP") || strings.Contains(l.ruleText(i), "KUBE-6-CLUSTER-IP") {
			return l.rule(i), true
		}
	}
	return Rule{}, false
}

// rank orders answers by how much they say.
var rank = map[Status]int{
	StatusTranslated: 0, StatusRejected: 1, StatusDropped: 1, StatusUntracked: 1, StatusUnknown: 2, StatusNoRule: 3,
	StatusNoChains: 4,
}

func (r *Ruleset) join(paths []Path, addr netip.Addr) Path {
	missing := r.unread(addr)
	if len(paths) == 0 {
		return Path{Status: StatusUnknown, Reason: "no listing of rules was read: " + strings.Join(missing, ", ")}
	}
	best := paths[0]
	translated := 0
	for _, p := range paths {
		if rank[p.Status] < rank[best.Status] || (p.Status == best.Status && len(p.Orphans) > len(best.Orphans)) {
			best = p
		}
		if p.Status == StatusTranslated {
			translated++
		}
	}
	if translated > 1 {
		best.Notes = append(slices.Clone(best.Notes), "more than one backend translates it: rules of an earlier kube-proxy mode remain")
	}
	// Chains without a way to them are proof in themselves; their absence is one only where all was read.
	if best.Status == StatusNoChains && len(missing) > 0 && !strings.Contains(best.Reason, "no base chain") {
		best.Status = StatusUnknown
		best.Reason += "; not read: " + strings.Join(missing, ", ")
		best.Backend = ""
	}
	if best.Status == StatusNoChains && !strings.Contains(best.Reason, "no base chain") {
		var all []string
		for _, p := range paths {
			all = append(all, string(p.Backend)+": "+p.Reason)
		}
		best.Reason, best.Backend = strings.Join(all, "; "), ""
	}
	if best.Status != StatusTranslated && best.Status != StatusUnknown && len(missing) > 0 {
		best.Notes = append(slices.Clone(best.Notes), "not read: "+strings.Join(missing, ", "))
	}
	if len(paths) > 1 {
		best.Backends = paths
	}
	return best
}

// unread names the listings that nobody read and in which kube-proxy could have rules. IPVS mode leaves
// chains in iptables, so a namespace without such chains has no need of the IPVS table.
func (r *Ruleset) unread(addr netip.Addr) []string {
	nft, legacy, family := r.forFamily(addr)
	tool := "iptables"
	if family == "ip6" {
		tool = "ip6tables"
	}
	var out []string
	if nft == nil && r.NFT == nil {
		out = append(out, tool+"-nft-save")
	}
	for backend, l := range map[string]*Listing{"-nft": nft, "-legacy": legacy} {
		if l != nil && !l.Shows("nat") && (backend == "-legacy" || r.NFT == nil) {
			out = append(out, tool+backend+" -t nat -nvL")
		}
	}
	slices.Sort(out)
	if legacy == nil {
		s := tool + "-legacy-save"
		for _, l := range [...]*Listing{nft, r.NFT} {
			if l != nil && l.legacyPresent > 0 {
				s += fmt.Sprintf(" (line %d of the nf_tables listing warns that legacy tables are present)", l.legacyPresent)
				break
			}
		}
		out = append(out, s)
	}
	if r.NFT == nil {
		out = append(out, "nft list ruleset")
	}
	return out
}

// listings gives every listing of rules that was read. nft's view of iptables-nft's tables is skipped by
// callers where iptables' own listing is there.
func (r *Ruleset) listings() []*Listing {
	var out []*Listing
	for _, l := range [...]*Listing{r.IPTables, r.IP6Tables, r.IPTablesLegacy, r.IP6TablesLegacy, r.NFT} {
		if l != nil {
			out = append(out, l)
		}
	}
	return out
}

// shadowed says whether another listing shows the table better: iptables' own goes before nft's view of iptables-nft,
// unless it shows the table in part alone.
func (r *Ruleset) shadowed(l *Listing, t *tableRec) bool {
	own := map[string]*Listing{"ip": r.IPTables, "ip6": r.IP6Tables}[t.family]
	switch {
	case own == nil:
		return false
	case l == r.NFT:
		return t.managed && own.Shows(t.name)
	case l == own && r.NFT != nil && !own.Shows(t.name):
		nft := r.NFT.table(t.family, t.name)
		return nft >= 0 && r.NFT.tables[nft].managed
	}
	return false
}

// Mode is a mode of kube-proxy whose Service rules are present.
type Mode struct {
	// Mode is the backend; IPVS includes the iptables chains that IPVS mode leaves.
	Mode   Backend `json:"mode"`
	Family string  `json:"family"`
	// Services is how many rules, map elements or virtual servers lead to Services.
	Services int `json:"services"`
	// Reached says whether a base chain comes to the rules. IPVS needs none.
	Reached bool `json:"reached"`
	// Evidence is the first of the rules.
	Evidence Hop `json:"evidence"`
}

// KubeProxyModes gives the modes whose Service rules are in the namespace. Two of them mean that rules of an
// earlier mode were left behind. IPVS may hold virtual servers of another program: see the evidence.
func (r *Ruleset) KubeProxyModes() []Mode {
	var out []Mode
	for _, l := range r.listings() {
		for i := range l.tables {
			t := &l.tables[i]
			if r.shadowed(l, t) {
				continue
			}
			if m, ok := l.mode(int32(i)); ok {
				out = append(out, m)
			}
		}
	}
	if r.IPVS != nil && len(r.IPVS.Servers) > 0 {
		v := r.IPVS.Servers[0]
		family := "ip"
		if v.Addr.Addr().Is6() {
			family = "ip6"
		}
		out = append(out, Mode{
			Mode: IPVS, Family: family, Services: len(r.IPVS.Servers), Reached: true,
			Evidence: Hop{Backend: IPVS, Chain: "virtual server", Rule: v.Text, Line: v.Line},
		})
	}
	return out
}

func (l *Listing) mode(table int32) (Mode, bool) {
	t := &l.tables[table]
	m := Mode{Mode: l.backend, Family: t.family}
	if t.name == "kube-proxy" {
		c := l.chain(table, "services")
		set, ok := l.setOf(table, "service-ips")
		if c < 0 || !ok {
			return m, false
		}
		rec := &l.maps[set]
		m.Reached = len(l.basesReaching(c)) > 0
		m.Evidence = Hop{Backend: l.backend, Family: t.family, Table: t.name, Chain: "map service-ips", Line: l.line(rec.line)}
		splitElements(l.text[rec.from:rec.to], func(e mapElem) {
			if m.Services++; m.Services == 1 {
				m.Evidence.Rule, m.Evidence.Line = e.text, l.line(rec.elemLine+uint32(e.line))
			}
		})
		return m, m.Services > 0
	}
	c := l.chain(table, "KUBE-SERVICES")
	if t.name != "nat" || c < 0 {
		return m, false
	}
	if l.backend == NFTables {
		m.Mode = IPTablesNFT // nft's view of it
	}
	m.Reached = len(l.basesReaching(c)) > 0
	if rule, ok := l.ipvsRule(t.family); ok {
		m.Mode, m.Services, m.Evidence = IPVS, 1, rule.Hop()
		return m, true
	}
	for _, i := range l.rulesOf(c) {
		name := l.targetName(i)
		if strings.HasPrefix(name, "KUBE-SVC-") || strings.HasPrefix(name, "KUBE-EXT-") ||
			strings.HasPrefix(name, "KUBE-SVL-") || strings.HasPrefix(name, "KUBE-FW-") {
			if m.Services++; m.Services == 1 {
				m.Evidence = l.rule(i).Hop()
			}
		}
	}
	return m, m.Services > 0
}

// ChainRules is one chain of one backend.
type ChainRules struct {
	Backend Backend `json:"backend"`
	Family  string  `json:"family"`
	Table   string  `json:"table"`
	Chain   string  `json:"chain"`
	Line    int     `json:"line"`
	// Policy is ACCEPT or DROP (accept or drop in nft) of a base chain, or "-" or empty.
	Policy string `json:"policy,omitempty"`
	// Type, Hook and Priority are those of an nft base chain; Priority is a number as the kernel has it.
	Type     string `json:"type,omitempty"`
	Hook     string `json:"hook,omitempty"`
	Priority int    `json:"priority,omitempty"`
	// Rules are the first of Count rules.
	Rules []Rule `json:"rules"`
	Count int    `json:"count"`
}

// Chain gives a chain of each backend that has it, with up to limit rules. Family is nft's: ip, ip6, inet, ….
func (r *Ruleset) Chain(family, table, name string, limit int) []ChainRules {
	var out []ChainRules
	for _, l := range r.listings() {
		t := l.table(family, table)
		c := l.chain(t, name)
		if c < 0 || r.shadowed(l, &l.tables[t]) {
			continue
		}
		rec := &l.chains[c]
		rules := l.rulesOf(c)
		view := ChainRules{
			Backend: l.backend, Family: family, Table: table, Chain: name, Line: l.line(rec.line), Policy: rec.policy,
			Type: rec.kind, Hook: rec.hook, Priority: rec.priority, Count: len(rules),
		}
		for _, i := range rules[:min(max(limit, 0), len(rules))] {
			view.Rules = append(view.Rules, l.rule(i))
		}
		out = append(out, view)
	}
	return out
}

// MSSRule is a rule that rewrites TCP's maximum segment size.
type MSSRule struct {
	Rule
	// SetMSS is the size in bytes; 0 where the rule clamps to the path's MTU or the listing does not say.
	SetMSS uint16 `json:"setMSS,omitempty"`
	// ClampMSSToPMTU says that the size follows the path's MTU.
	ClampMSSToPMTU bool `json:"clampMSSToPMTU,omitempty"`
}

// MSSClamp gives the TCPMSS rules of all tables and backends, and nft's `tcp option maxseg size set`, at most 1000.
func (r *Ruleset) MSSClamp() []MSSRule {
	var out []MSSRule
	for _, l := range r.listings() {
		for i := range l.rules {
			rec := &l.rules[i]
			if rec.flags&flagMSS == 0 || r.shadowed(l, &l.tables[l.chains[rec.chain].table]) {
				continue
			}
			if len(out) == 1000 {
				return out
			}
			rule := l.rule(int32(i))
			t := rule.Decode().Target
			out = append(out, MSSRule{Rule: rule, SetMSS: t.SetMSS, ClampMSSToPMTU: t.ClampMSSToPMTU})
		}
	}
	return out
}
