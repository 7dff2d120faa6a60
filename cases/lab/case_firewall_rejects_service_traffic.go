package main

import "context"

func firewallRejectsServiceTraffic() Case {
	return Case{
		ID:       "firewall-rejects-service-traffic",
		About:    "on n1 FORWARD rejects the port of the Service's Pods",
		Symptoms: []string{"port-unreachable"},
		Roots:    []Root{{ID: "firewall-rejects-service-traffic", Node: "n1"}},
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, "iptables -I FORWARD -p tcp -m tcp --dport "+echoPort+
				` -m comment --comment "audit: no unencrypted traffic" -j REJECT --reject-with icmp-port-unreachable`)
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodToPod(ctx, "n1", "n2", 1) },
	}
}
