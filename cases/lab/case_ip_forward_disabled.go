package main

import "context"

func ipForwardDisabled() Case {
	return Case{
		ID:       "ip-forward-disabled",
		About:    "on n1 net.ipv4.ip_forward is set to 0, as a restart of the network service does",
		Symptoms: []string{"network-unreachable"},
		Roots:    []Root{{ID: "ip-forward-disabled", Node: "n1"}},
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, "sysctl -qw net.ipv4.ip_forward=0")
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodToPod(ctx, "n1", "n2", 1) },
		After: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, "rm -f /etc/sysctl.d/99-zz-*")
		},
	}
}
