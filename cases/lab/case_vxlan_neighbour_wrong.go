package main

import (
	"context"
	"strings"
)

func vxlanNeighbourWrong() Case {
	return Case{
		ID:       "vxlan-neighbour-wrong",
		About:    "on n1 the neighbour entry for n2's tunnel has a former hardware address",
		Symptoms: []string{"network-unreachable"},
		Roots:    []Root{{ID: "vxlan-neighbour-wrong", Node: "n1"}},
		Prepare:  func(ctx context.Context, l *Lab) error { return l.awaitTunnels(ctx, "n1") },
		Inject: func(ctx context.Context, l *Lab) error {
			cidr, err := l.PodCIDR(ctx, "n2")
			if err != nil {
				return err
			}
			gateway, _, _ := strings.Cut(cidr, "/")
			return l.Node("n1").Run(ctx, "ip neighbour replace "+gateway+" lladdr 02:00:5e:00:53:01 dev flannel.1 nud permanent")
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodToPod(ctx, "n1", "n2", 1) },
	}
}
