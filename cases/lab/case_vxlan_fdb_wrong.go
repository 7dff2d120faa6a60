package main

import (
	"context"
	"fmt"
	"strings"
)

func vxlanFDBWrong() Case {
	return Case{
		ID:       "vxlan-fdb-wrong",
		About:    "on n1 the forwarding entry for n2 leads to an address that nobody has",
		Symptoms: []string{"network-unreachable"},
		Roots:    []Root{{ID: "vxlan-fdb-wrong", Node: "n1"}},
		Prepare:  func(ctx context.Context, l *Lab) error { return l.awaitTunnels(ctx, "n1") },
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

// awaitTunnels waits until flannel of a node has written its entries for the other nodes: it does when it starts, which may
// be what a fix has just had it do, and not again.
func (l *Lab) awaitTunnels(ctx context.Context, node string) error {
	return l.await(ctx, "flannel of "+node+" to write its entries", healWithin, func(ctx context.Context) error {
		p, err := l.Pod(ctx, "kube-flannel", "app=flannel", node)
		if err != nil {
			return err
		}
		log, err := l.Node(node).Shell(ctx, fmt.Sprintf("cat /var/log/pods/kube-flannel_%s_%s/kube-flannel/*.log", p.Name, p.uid))
		if err != nil {
			return err
		}
		for _, peer := range nodeNames {
			// Its words before it writes the entry.
			if event := "Received Subnet Event with VxLan: BackendType: vxlan, PublicIP: " + nodeAddresses[peer]; peer != node && !strings.Contains(log, event) {
				return fmt.Errorf("it has not heard of %s", peer)
			}
		}
		return nil
	})
}

// vtepMAC is the hardware address of a node's tunnel.
func (l *Lab) vtepMAC(ctx context.Context, node string) (string, error) {
	return l.Node(node).Shell(ctx, `ip -o link show dev flannel.1 | sed -n 's/.*link\/ether \([0-9a-f:]*\).*/\1/p' | tr -d '\n'`)
}
