package datapath

import (
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// ownRules is a namespace whose policy rules were not read, with those that a kernel begins with: most namespaces that a
// bundle tells no rules of, those of Pods above all, have no others. nil for a namespace whose rules were read.
func (n *Namespace) ownRules() *Namespace {
	if n.facts.Rules.Status == facts.Read || n.facts.Routes.Status != facts.Read {
		return nil
	}
	withOwn, own := *n.facts, *n
	withOwn.Rules = facts.ReadGroup(append(defaultRules("inet"), defaultRules("inet6")...))
	own.facts = &withOwn
	own.policies = [2]policy{newPolicy(withOwn.Rules.Value, "inet"), newPolicy(withOwn.Rules.Value, "inet6")}
	return &own
}

// byOwnRules says of decisions that were made by rules that were not read what would make them certain.
func (n *Namespace) byOwnRules(decisions []Decision) []Decision {
	for i := range decisions {
		if d := &decisions[i]; d.Action != "unknown" {
			d.Missing, d.Result.Rule = missing(n, "rules"), nil
		}
	}
	return decisions
}

// likelyInput is routeInput, by the kernel's own policy rules where none were read: decisions that have Missing and are not
// "unknown" are not certain.
func (n *Namespace) likelyInput(f Flow) []Decision {
	if own := n.ownRules(); own != nil {
		return n.byOwnRules(own.routeInput(f))
	}
	return n.routeInput(f)
}

// likelyOutput is output, which is routeOutput or socketOutput, in the same way.
func (n *Namespace) likelyOutput(output func(*Namespace, Flow) ([]Decision, []netip.Addr), f Flow) ([]Decision, []netip.Addr) {
	if own := n.ownRules(); own != nil {
		decisions, sources := output(own, f)
		return n.byOwnRules(decisions), sources
	}
	return output(n, f)
}

// routedAway ends the branch at a route, for sure only if that is.
func (s state) routedAway(v Verdict) []Branch {
	if s.last().Verdict == Unknown {
		return s.expect(v)
	}
	return s.end(v)
}
