package main

import "context"

// iptablesBackendsMixed leaves in the legacy tables what an earlier kube-proxy with another iptables would have: the
// Services of today, and Pods that are gone. Of two chains of one priority the kernel runs the one that came last first.
func iptablesBackendsMixed() Case {
	return Case{
		ID:       "iptables-backends-mixed",
		About:    "on n1 the legacy tables have Service rules to Pods that are gone",
		Needs:    []Need{NeedLegacyXtables},
		Symptoms: []string{"service-unreachable"},
		Roots:    []Root{{ID: "iptables-backends-mixed", Node: "n1"}},
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, `{ echo '*nat'; iptables-nft-save -t nat | grep -E '^(:|-A ).*KUBE-' |`+
				` sed -E 's/(--to-destination [0-9]+\.[0-9]+\.[0-9]+)\.[0-9]+/\1.250/'; echo COMMIT; } | iptables-legacy-restore -n`)
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodPost(ctx, "n1", echoService, 1) },
	}
}
