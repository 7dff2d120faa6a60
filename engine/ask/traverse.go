package ask

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
)

// traverseAnswer is what a hook's rules do to a packet, of all tables and backends.
type traverseAnswer struct {
	// Verdict is "accept", "drop", "reject" or "unknown". It is one of the first three only where the packet has no
	// other way, and accept only where no listing is missing that could hold another rule.
	Verdict string `json:"verdict"`
	// Detail says why it is unknown.
	Detail string `json:"detail,omitempty"`
	// Unread are the groups of facts that would tell.
	Unread []string `json:"unread"`
	// Rule is what drops the packet, or may.
	Rule *deciderAnswer `json:"rule,omitempty"`
}

// deciderAnswer is the rule or policy that ended a packet's way.
type deciderAnswer struct {
	Backend string       `json:"backend"`
	Family  string       `json:"family"`
	Table   string       `json:"table"`
	Chain   string       `json:"chain"`
	Rule    string       `json:"rule"`
	Source  facts.Source `json:"source"`
	// Policy: it is the chain's policy.
	Policy bool `json:"policy"`
	// Packets are what the rule has met; nil: the listing does not count.
	Packets *uint64 `json:"packets,omitempty"`
	// Handle is nft's, 0 where there is none.
	Handle int `json:"handle,omitempty"`
	// Owners are the programs that the chain's name, or that of others in its table, is known by; empty: nothing tells.
	Owners []string `json:"owners"`
	// Way are the chains that led there, base chain first.
	Way []string `json:"way"`
}

// askTraverse takes a packet through one hook of a node.
func askTraverse(in *Incident, args []any) (any, error) {
	node, err := nodeArgument(in, args)
	if err != nil {
		return nil, err
	}
	name, _ := args[1].(string)
	hook, err := hookNamed(name)
	if err != nil {
		return nil, err
	}
	packet, err := packetArgument(args[2])
	if err != nil {
		return nil, err
	}
	r, err := node.ruleset()
	if err != nil {
		return nil, err
	}
	return r.traverse(hook, packet), nil
}

func hookNamed(name string) (netfilter.Hook, error) {
	for hook := netfilter.HookPrerouting; hook <= netfilter.HookPostrouting; hook++ {
		if hook.String() == strings.ToLower(name) {
			return hook, nil
		}
	}
	return 0, fmt.Errorf("argument hook: %q is none of prerouting, input, forward, output, postrouting", name)
}

// askedPacket is a packet as rules write it.
type askedPacket struct {
	Src     string `json:"src"`
	Dst     string `json:"dst"`
	Proto   string `json:"proto"`
	Sport   uint16 `json:"sport"`
	Dport   uint16 `json:"dport"`
	Iif     string `json:"iif"`
	Oif     string `json:"oif"`
	CtState string `json:"ctstate"`
	Mark    uint32 `json:"mark"`
}

func packetArgument(arg any) (netfilter.Packet, error) {
	var asked askedPacket
	text, err := json.Marshal(arg)
	if err == nil {
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.DisallowUnknownFields()
		err = decoder.Decode(&asked)
	}
	if err != nil {
		return netfilter.Packet{}, fmt.Errorf("argument packet: %w", err)
	}
	p := netfilter.Packet{
		Proto: asked.Proto, Sport: asked.Sport, Dport: asked.Dport, Iif: asked.Iif, Oif: asked.Oif, CtState: asked.CtState,
		Mark: asked.Mark, ICMPType: -1, ICMPCode: -1,
	}
	for _, address := range []struct {
		text string
		at   *netip.Addr
	}{{asked.Src, &p.Src}, {asked.Dst, &p.Dst}} {
		if address.text == "" {
			continue
		}
		if *address.at, err = netip.ParseAddr(address.text); err != nil {
			return netfilter.Packet{}, fmt.Errorf("argument packet: %w", err)
		}
	}
	if p.Proto == "tcp" && p.CtState == "NEW" {
		p.TCPFlags = netfilter.TCPSYN
	}
	return p, nil
}

// traverse puts the ways that a packet may take together to one answer.
func (r *ruleset) traverse(hook netfilter.Hook, p netfilter.Packet) traverseAnswer {
	outcomes := r.Traverse(hook, p)
	answer := traverseAnswer{Unread: r.unreadOf(hook, p)}
	stopped := slices.DeleteFunc(slices.Clone(outcomes), func(o netfilter.Outcome) bool {
		return o.Verdict != netfilter.VerdictDrop && o.Verdict != netfilter.VerdictReject
	})
	unknown := slices.IndexFunc(outcomes, func(o netfilter.Outcome) bool { return o.Verdict == netfilter.VerdictUnknown })
	if len(stopped) > 0 {
		answer.Rule = r.decider(stopped[0])
	}
	switch {
	case unknown >= 0:
		answer.Verdict, answer.Detail = "unknown", outcomes[unknown].Reason
	case len(stopped) == len(outcomes) && len(stopped) > 0:
		answer.Verdict = string(stopped[0].Verdict)
	case len(stopped) > 0:
		answer.Verdict, answer.Detail = "unknown", "it is dropped where "+conditionsOf(stopped[0])
	case len(answer.Unread) > 0:
		answer.Verdict, answer.Detail = "unknown", "what was read lets it pass, and not all listings were read"
	default:
		answer.Verdict = string(netfilter.VerdictAccept)
	}
	return answer
}

func conditionsOf(o netfilter.Outcome) string {
	if len(o.When) == 0 {
		return "chance decides so"
	}
	return strings.Join(o.When, ", ")
}

// unreadOf are the groups of a packet's family that were not read, or in part, and may hold rules for the hook: nft shows iptables-nft's too.
func (r *ruleset) unreadOf(hook netfilter.Hook, p netfilter.Packet) []string {
	legacy, nft, names := r.IPTablesLegacy, r.IPTables, [2]string{"iptables_legacy", "iptables_nft"}
	if p.Dst.Is6() || !p.Dst.IsValid() && p.Src.Is6() {
		legacy, nft, names = r.IP6TablesLegacy, r.IP6Tables, [2]string{"ip6tables_legacy", "ip6tables_nft"}
	}
	unread := []string{}
	if legacy == nil || !legacy.ShowsHook(hook) {
		unread = append(unread, names[0])
	}
	if r.NFT == nil {
		if nft == nil || !nft.ShowsHook(hook) {
			unread = append(unread, names[1])
		}
		unread = append(unread, "nftables")
	}
	return unread
}

func (r *ruleset) decider(o netfilter.Outcome) *deciderAnswer {
	if len(o.Hops) == 0 {
		return nil
	}
	last := *o.Hops[len(o.Hops)-1]
	d := &deciderAnswer{
		Backend: string(last.Backend), Family: last.Family, Table: last.Table, Chain: last.Chain, Rule: last.Rule,
		Source: r.listings.Source(last), Policy: strings.HasPrefix(last.Rule, "policy "), Way: []string{},
		Handle: r.Handle(last),
	}
	if n, ok := r.Packets(last); ok {
		d.Packets = &n
	}
	for _, hop := range o.Hops {
		if hop.Backend == last.Backend && hop.Table == last.Table && !slices.Contains(d.Way, hop.Chain) {
			d.Way = append(d.Way, hop.Chain)
		}
	}
	d.Owners = ownersOf(last, d.Way, r.ChainNames(last))
	return d
}

// chainOwners are the programs by the beginnings of the names of their chains and tables.
var chainOwners = []struct {
	owner    string
	prefixes []string
}{
	{"Docker", []string{"DOCKER"}},
	{"ufw", []string{"ufw-", "ufw6-"}},
	{"firewalld", []string{"firewalld", "filter_FWD", "filter_IN", "filter_FORWARD_", "filter_INPUT_", "FWDI_", "FWDO_", "FWD_", "IN_", "FORWARD_direct", "INPUT_direct", "INPUT_ZONES", "FORWARD_IN_ZONES"}},
	{"Calico", []string{"cali-"}},
	{"kube-router", []string{"KUBE-POD-FW-", "KUBE-NWPLCY-", "KUBE-ROUTER-"}},
	{"Weave Net", []string{"WEAVE"}},
	{"Cilium", []string{"CILIUM_", "OLD_CILIUM_"}},
	{"Antrea", []string{"ANTREA-"}},
	{"kube-network-policies", []string{"kube-network-policies"}},
	{"kubelet", []string{"KUBE-FIREWALL", "KUBE-KUBELET-"}},
	{"kube-proxy", []string{"KUBE-", "kube-proxy"}},
	{"libvirt", []string{"LIBVIRT_", "libvirt_network"}},
	{"fail2ban", []string{"f2b-"}},
	{"shorewall", []string{"shorewall", "sfilter", "sw_"}},
}

func ownerOf(name string) string {
	for _, o := range chainOwners {
		if slices.ContainsFunc(o.prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return o.owner
		}
	}
	return ""
}

// packetFilters set the policy of base chains, or add rules of their own to them.
var packetFilters = []string{"Docker", "ufw", "firewalld", "shorewall"}

// ownersOf says whose a rule is: by its chain, its table, or the chain that led to it. A base chain's own rules and policy
// may be anybody's: then those that set policies and have chains in its table are named.
func ownersOf(last netfilter.Hop, way, chains []string) []string {
	for _, name := range []string{last.Chain, last.Table} {
		if owner := ownerOf(name); owner != "" {
			return []string{owner}
		}
	}
	for i := len(way) - 1; i >= 0; i-- {
		if owner := ownerOf(way[i]); owner != "" {
			return []string{owner}
		}
	}
	owners := []string{}
	for _, filter := range packetFilters {
		if slices.ContainsFunc(chains, func(name string) bool { return ownerOf(name) == filter }) {
			owners = append(owners, filter)
		}
	}
	return owners
}
