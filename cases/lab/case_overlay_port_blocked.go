package main

import "context"

func overlayPortBlocked() Case {
	const drop = "INPUT -p udp -m udp --dport 8472 -j DROP"
	return Case{
		ID:       "overlay-port-blocked",
		About:    "on n2 INPUT drops UDP 8472",
		Symptoms: []string{"network-unreachable"},
		Roots:    []Root{{ID: "overlay-port-blocked", Node: "n2"}},
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Node("n2").Run(ctx, "iptables -A "+drop)
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodToPod(ctx, "n1", "n2", 1) },
		ByHand:  []ByHand{keepRules},
		After: func(ctx context.Context, l *Lab) error {
			return l.Node("n2").Run(ctx, "iptables -D "+drop+" && "+deleteAccepts("INPUT"))
		},
	}
}
