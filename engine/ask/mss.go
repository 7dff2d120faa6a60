package ask

import (
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/netfilter"
)

// maxJumps bounds the way back from a chain to the base chains that lead to it.
const maxJumps = 8

type mssClampAnswer struct {
	ruleAnswer
	// SetMSS is the MSS that the rule sets, in bytes; 0: it follows the path's MTU.
	SetMSS int `json:"set_mss,omitempty"`
	// Always: every TCP connection that the node forwards comes by the rule. False: some chain, address, port or
	// condition may keep a connection from it.
	Always bool `json:"always"`
}

func askMSSClamps(in *Incident, args []any) (any, error) {
	r, err := rulesetArgument(in, args)
	if err != nil {
		return nil, err
	}
	answers := []mssClampAnswer{}
	for _, clamp := range r.MSSClamp() {
		answers = append(answers, mssClampAnswer{
			ruleAnswer: r.ruleAnswer(clamp.Rule),
			SetMSS:     int(clamp.SetMSS),
			Always:     r.meetsForwarded(clamp.Rule, maxJumps),
		})
	}
	return answers, nil
}

// meetsForwarded says whether all forwarded TCP comes by a rule: it stands in a base chain of the forwarding path, or all
// that leads there does, and neither it nor a jump looks at more than devices and TCP flags.
func (r *ruleset) meetsForwarded(rule netfilter.Rule, jumps int) bool {
	if jumps == 0 || selective(rule.Decode()) {
		return false
	}
	if r.onForwardingPath(rule) {
		return true
	}
	listing := r.listing(rule)
	if listing == nil {
		return false
	}
	referrers, _ := listing.Referrers(rule.Family, rule.Table, rule.Chain, maxChainRules)
	for _, jump := range referrers {
		if r.meetsForwarded(jump, jumps-1) {
			return true
		}
	}
	return false
}

func (r *ruleset) onForwardingPath(rule netfilter.Rule) bool {
	hook := rule.Chain
	if rule.Backend == netfilter.NFTables {
		hook = ""
		for _, chain := range r.Chain(rule.Family, rule.Table, rule.Chain, 0) {
			if chain.Backend == netfilter.NFTables {
				hook = chain.Hook
			}
		}
	}
	switch strings.ToLower(hook) {
	case "prerouting", "forward", "postrouting":
		return true
	}
	return false
}

func (r *ruleset) listing(rule netfilter.Rule) *netfilter.Listing {
	switch {
	case rule.Backend == netfilter.NFTables:
		return r.NFT
	case rule.Backend == netfilter.IPTablesLegacy && rule.Family == "ip":
		return r.IPTablesLegacy
	case rule.Backend == netfilter.IPTablesLegacy:
		return r.IP6TablesLegacy
	case rule.Family == "ip":
		return r.IPTables
	}
	return r.IP6Tables
}

// selective says whether a rule looks at what only some connections have. Devices are judged by who asks; a match on the
// MSS itself ("tcpmss") lets pass what is small enough already.
func selective(s netfilter.Spec) bool {
	for _, part := range slices.Concat(s.NotModelled, s.Matches) {
		if !strings.Contains(part, "tcpmss") && !strings.Contains(part, "maxseg") {
			return true
		}
	}
	return s.Source != nil || s.Destination != nil || s.SourcePorts != nil || s.DestinationPorts != nil || s.Mark != nil ||
		s.SourceAddrType != nil || s.DestinationAddrType != nil || s.Statistic != nil || s.Recent != nil || len(s.Sets) > 0
}
