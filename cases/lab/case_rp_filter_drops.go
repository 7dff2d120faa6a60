package main

import (
	"context"
	"fmt"
	"os/exec"
)

// The second network of n1: another way to n2.
const (
	secondCard    = "eth1"
	secondAddress = "10.153.205.15/24"
	secondGateway = "10.153.205.1"
)

// rpFilterDrops gives n1 a second card by which it sends to n2, what n2 answers comes by the first.
func rpFilterDrops() Case {
	return Case{
		ID:       "rp-filter-drops",
		About:    "n1 sends to n2 by a second card, and rp_filter of the first is set to 1",
		Symptoms: []string{"network-unreachable"},
		Roots:    []Root{{ID: "rp-filter-drops", Node: "n1"}},
		Prepare: func(ctx context.Context, l *Lab) error {
			fabric, n1 := l.Fabric(), l.Node("n1")
			if _, err := output(exec.CommandContext(ctx, "nsenter", "--target", fmt.Sprint(fabric.process.PID), "--net", "--",
				"ip", "link", "add", "n1b", "type", "veth", "peer", "name", secondCard, "netns", fmt.Sprint(n1.process.PID))); err != nil {
				return err
			}
			if err := fabric.Run(ctx, "ip address add "+secondGateway+"/24 dev n1b && ip link set n1b up"); err != nil {
				return err
			}
			return n1.Run(ctx, fmt.Sprintf("ip address add %s dev %s && ip link set %[2]s up && ip route add %[3]s via %[4]s",
				secondAddress, secondCard, nodeAddresses["n2"], secondGateway))
		},
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, "sysctl -qw net.ipv4.conf.eth0.rp_filter=1")
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodToPod(ctx, "n1", "n2", 1) },
		After: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, "ip link delete "+secondCard+" && sysctl -qw net.ipv4.conf.eth0.rp_filter=0 && rm -f /etc/sysctl.d/99-zz-*")
		},
	}
}
