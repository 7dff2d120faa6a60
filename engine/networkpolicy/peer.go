package networkpolicy

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// peer is a NetworkPolicyPeer: an ipBlock, or selectors of which both have to match.
type peer struct {
	block *block
	// namespaces nil: those of the policy's own namespace.
	namespaces *selector
	// pods nil: all.
	pods *selector
	// refused says what the API server would not have taken; empty where it would.
	refused string
}

// block is an IPBlock.
type block struct {
	text    facts.IPBlock
	cidr    netip.Prefix
	except  []netip.Prefix
	refused []string // of except
}

func newPeer(p *facts.NetworkPolicyPeer) peer {
	var out peer
	switch {
	case p.IPBlock != nil && (p.PodSelector != nil || p.NamespaceSelector != nil):
		out.refused = "ipBlock together with a selector"
	case p.IPBlock != nil:
		out.block, out.refused = newBlock(p.IPBlock)
	case p.PodSelector == nil && p.NamespaceSelector == nil:
		out.refused = "an empty peer"
	}
	if p.PodSelector != nil {
		s := newSelector(p.PodSelector)
		out.pods = &s
	}
	if p.NamespaceSelector != nil {
		s := newSelector(p.NamespaceSelector)
		out.namespaces = &s
	}
	return out
}

func newBlock(b *facts.IPBlock) (out *block, refused string) {
	out = &block{text: *b}
	var ok bool
	if out.cidr, ok = parseCIDR(b.CIDR); !ok {
		return out, "ipBlock cidr " + strconv.Quote(b.CIDR)
	}
	for _, text := range b.Except {
		if prefix, ok := parseCIDR(text); ok {
			out.except = append(out.except, prefix)
		} else {
			out.refused = append(out.refused, strconv.Quote(text))
		}
	}
	return out, ""
}

// parseCIDR takes IPv4 in IPv6 for IPv4, as net.ParseCIDR of the network plugins does.
func parseCIDR(text string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), true
}

// contains says of an address whether the block covers it, and for a no by which exception it does not.
func (b *block) contains(a netip.Addr) (result truth, except netip.Prefix) {
	switch {
	case !a.IsValid():
		return maybe, netip.Prefix{}
	case !b.cidr.Contains(a):
		return no, netip.Prefix{}
	}
	for _, prefix := range b.except {
		if prefix.Contains(a) {
			return no, prefix
		}
	}
	if len(b.refused) > 0 {
		return maybe, netip.Prefix{}
	}
	return yes, netip.Prefix{}
}

// matches says whether the peer, in a policy of a namespace, stands for the other end. Its conditions go to the account.
func (p *peer) matches(e *Evaluator, from *policy, other *end, a *account) truth {
	if p.refused != "" {
		a.refused(from, p.refused)
		return maybe
	}
	if p.block != nil {
		return p.matchesAddress(from, other, a)
	}
	switch other.kind {
	case outside:
		if a.misses(2) {
			a.say(p.selects() + ", and " + other.String() + " is no Pod's address")
		}
		return no
	case host:
		if a.misses(2) {
			why := " is no Pod"
			if other.pod != nil {
				why = " has the address of its node: " + hostNetworkIgnored
			}
			a.say(p.selects() + ", and " + other.String() + why)
		}
		return no
	case unidentified, service:
		a.lacks(other.missing)
		return maybe
	}
	result := p.matchesNamespace(e, from, other, a)
	if result == no && a == nil {
		return no
	}
	return and(result, p.matchesPod(from, other, a))
}

func (p *peer) matchesAddress(from *policy, other *end, a *account) truth {
	addr := other.addr
	if other.kind == service {
		addr = netip.Addr{}
	}
	result, except := p.block.contains(addr)
	switch {
	case result == yes:
		a.meets()
	case result == no:
		if a.misses(1) {
			if except.IsValid() {
				a.say("ipBlock " + p.block.text.CIDR + " excepts " + except.String() + ", which contains " + addr.String())
			} else {
				a.say("ipBlock " + p.block.text.CIDR + " does not contain " + addr.String())
			}
		}
	case addr.IsValid():
		a.refused(from, "ipBlock except "+list(p.block.refused))
	case other.kind == pod:
		a.lacks(Missing{pods, "which address of " + other.String() + " the connection uses"})
	case other.missing != (Missing{}):
		a.lacks(other.missing)
	default:
		a.lacks(Missing{What: "the address of " + other.String()})
	}
	return result
}

func (p *peer) matchesNamespace(e *Evaluator, from *policy, other *end, a *account) truth {
	namespace := other.pod.Metadata.Namespace
	if p.namespaces == nil {
		switch from.Namespace {
		case namespace:
			a.meets()
			return yes
		case "":
			a.refused(from, "a policy without a namespace")
			return maybe
		}
		if a.misses(1) {
			a.say("podSelector without namespaceSelector selects Pods of namespace " + from.Namespace + " alone, and " + other.String() + " is not there")
		}
		return no
	}
	labels := e.namespaceLabels(namespace)
	result := p.namespaces.matches(labels)
	switch result {
	case yes:
		a.meets()
	case no:
		if a.misses(1) {
			a.say(p.namespaces.unmet("namespaceSelector", "namespace "+namespace, labels)...)
		}
	default:
		if a.wanted() {
			texts, unread := p.namespaces.undecided(labels)
			if unread {
				why := e.namespacesUnread
				if why == "" {
					why = "it is not among the namespaces"
				}
				a.lacks(Missing{namespaces, "the labels of namespace " + namespace + ": " + why})
			} else {
				a.refused(from, "namespaceSelector "+list(texts))
			}
		}
	}
	return result
}

func (p *peer) matchesPod(from *policy, other *end, a *account) truth {
	if p.pods == nil {
		return yes
	}
	labels := labelSet{labels: other.pod.Metadata.Labels}
	result := p.pods.matches(labels)
	switch result {
	case yes:
		a.meets()
	case no:
		if a.misses(1) {
			a.say(p.pods.unmet("podSelector", other.String(), labels)...)
		}
	default:
		if a.wanted() {
			texts, _ := p.pods.undecided(labels)
			a.refused(from, "podSelector "+list(texts))
		}
	}
	return result
}

// selects names the selectors that there are.
func (p *peer) selects() string {
	switch {
	case p.namespaces == nil:
		return "podSelector selects Pods"
	case p.pods == nil:
		return "namespaceSelector selects Pods"
	}
	return "namespaceSelector and podSelector select Pods"
}

func (p *peer) String() string {
	switch {
	case p.refused != "":
		return p.refused
	case p.block != nil && len(p.block.text.Except) > 0:
		return "ipBlock " + p.block.text.CIDR + " except " + list(p.block.text.Except)
	case p.block != nil:
		return "ipBlock " + p.block.text.CIDR
	}
	var texts []string
	if p.namespaces != nil {
		texts = append(texts, "namespaceSelector "+orEverything(*p.namespaces))
	}
	if p.pods != nil {
		texts = append(texts, "podSelector "+orEverything(*p.pods))
	}
	return strings.Join(texts, " and ")
}

func orEverything(s selector) string {
	if len(s) == 0 {
		return "{}"
	}
	return s.String()
}
