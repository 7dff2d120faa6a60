package main

import (
	"context"
	"regexp"
)

func defaultRouteMissing() Case {
	return Case{
		ID:       "default-route-missing",
		About:    "on n1 the default route is deleted",
		Symptoms: []string{"egress-failure"},
		Roots:    []Root{{ID: "default-route-missing", Node: "n1"}},
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, "ip route delete default")
		},
		// The client is outside of the cluster's networks; the node's own way to a Service needs a route, too.
		Traffic: func(ctx context.Context, l *Lab) error { return l.Post(ctx, l.Node("n1"), echoService, 1) },
		ByHand:  []ByHand{{Step: regexp.MustCompile(`^see to it that the configuration of eth0 sets the gateway`)}},
	}
}
