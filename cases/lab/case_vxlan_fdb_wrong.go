package main

import (
	"context"
	"fmt"
)

func vxlanFDBWrong() Case {
	return Case{
		ID:       "vxlan-fdb-wrong",
		About:    "on n1 the forwarding entry for n2 leads to an address that nobody has",
		Symptoms: []string{"network-unreachable"},
		Roots:    []Root{{ID: "vxlan-fdb-wrong", Node: "n1"}},
		Inject: func(ctx context.Context, l *Lab) error {
			mac, err := l.vtepMAC(ctx, "n2")
			if err != nil {
				return err
			}
			return l.Node("n1").Run(ctx, fmt.Sprintf("bridge fdb replace %s dev flannel.1 dst 10.153.204.99 self permanent", mac))
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodToPod(ctx, "n1", "n2", 1) },
	}
}

// vtepMAC is the hardware address of a node's tunnel.
func (l *Lab) vtepMAC(ctx context.Context, node string) (string, error) {
	return l.Node(node).Shell(ctx, `ip -o link show dev flannel.1 | sed -n 's/.*link\/ether \([0-9a-f:]*\).*/\1/p' | tr -d '\n'`)
}
