package main

import (
	"context"
	"regexp"
)

// keepRules is the step that makes rules outlast a reboot: a machine of the lab has none.
var keepRules = ByHand{Step: regexp.MustCompile(`^add the same rules to what loads the filter at boot`)}

// forwardChainDrops puts in front of kube-proxy's and flannel's rules what iptables-services of Red Hat has at the end of
// FORWARD. The policy alone would not do: flannel accepts what is of Pods before it comes to that.
func forwardChainDrops() Case {
	const rejection = "FORWARD -j REJECT --reject-with icmp-host-prohibited"
	return Case{
		ID:       "forward-chain-drops",
		About:    "on n2 FORWARD rejects everything",
		Symptoms: []string{"network-unreachable"},
		Roots:    []Root{{ID: "forward-chain-drops", Node: "n2"}},
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Node("n2").Run(ctx, "iptables -I "+rejection)
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodToPod(ctx, "n1", "n2", 1) },
		ByHand:  []ByHand{keepRules},
		After: func(ctx context.Context, l *Lab) error {
			return l.Node("n2").Run(ctx, "iptables -D "+rejection+" && "+deleteAccepts("FORWARD"))
		},
	}
}

// deleteAccepts deletes the rules of a chain that a fix has put there: those without a comment that accept.
func deleteAccepts(chain string) string {
	return "iptables-save -t filter | grep '^-A " + chain + " .*-j ACCEPT' | grep -v comment | sed 's/^-A/iptables -D/' | sh -e"
}
