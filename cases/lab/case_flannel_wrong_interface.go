package main

import (
	"context"
	"fmt"
	"strings"
)

// flannelWrongInterface gives every node what Vagrant gives machines: a first card to the hypervisor's NAT, with the same
// address on each, and the default route by it. flannel takes that card when it starts.
func flannelWrongInterface() Case {
	const nat = "nat0"
	return Case{
		ID:       "flannel-wrong-interface",
		About:    "every node gets a card with the address 10.0.2.15 and the default route, and flannel is restarted",
		Symptoms: []string{"network-unreachable"},
		Roots:    []Root{{ID: "flannel-wrong-interface"}},
		Alone:    true,
		Inject: func(ctx context.Context, l *Lab) error {
			for _, n := range l.Nodes() {
				if err := n.Run(ctx, strings.Join([]string{
					"ip link add " + nat + " type veth peer name " + nat + "p",
					"ip address add 10.0.2.15/24 dev " + nat,
					"ip link set " + nat + " up",
					"ip link set " + nat + "p up",
					"ip route replace default via 10.0.2.2 dev " + nat,
				}, " && ")); err != nil {
					return err
				}
			}
			return l.restartFlannel(ctx)
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodToPod(ctx, "n1", "n2", 1) },
		// A NAT that leads nowhere is the lab's, not flannel's. The card stays as long as flannel has connections from its
		// address: without it flannel hears of nothing for 45 seconds, which is how long client-go takes to give one up.
		Repair: func(ctx context.Context, l *Lab) error {
			for _, n := range l.Nodes() {
				if err := n.Run(ctx, fmt.Sprintf("ip route replace default via %s dev %s", gatewayAddress, n.Uplink)); err != nil {
					return err
				}
			}
			return nil
		},
		After: func(ctx context.Context, l *Lab) error {
			if _, err := l.Kubectl(ctx, "-n", "kube-flannel", "patch", "daemonset", "kube-flannel-ds", "--type", "json", "-p",
				`[{"op":"replace","path":"/spec/template/spec/containers/0/args","value":["--ip-masq","--kube-subnet-mgr"]}]`); err != nil {
				return err
			}
			if _, err := l.Kubectl(ctx, "-n", "kube-flannel", "rollout", "status", "daemonset/kube-flannel-ds", "--timeout=30s"); err != nil {
				return err
			}
			for _, n := range l.Nodes() {
				if err := n.Run(ctx, "ip link delete "+nat); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (l *Lab) restartFlannel(ctx context.Context) error {
	if _, err := l.Kubectl(ctx, "-n", "kube-flannel", "delete", "pods", "--all", "--timeout=20s"); err != nil {
		return err
	}
	_, err := l.Kubectl(ctx, "-n", "kube-flannel", "rollout", "status", "daemonset/kube-flannel-ds", "--timeout=30s")
	return err
}
