package main

import (
	"context"
	"strings"
)

// leave takes a node out of the cluster and its network off it, as kubectl drain, kubectl delete node and kubeadm reset do.
// Its kubelet registers it again when it is restarted ([Lab.join]).
func (l *Lab) leave(ctx context.Context, node string) error {
	for _, args := range [][]string{
		{"drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=20s"},
		{"delete", "node", node},
		// Those of DaemonSets, which drain leaves.
		{"delete", "pods", "--all-namespaces", "--field-selector", "spec.nodeName=" + node, "--timeout=20s"},
	} {
		if _, err := l.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	return l.Node(node).Run(ctx, strings.Join([]string{
		"ip link delete cni0",
		"ip link delete flannel.1",
		"rm -rf /run/flannel/subnet.env /etc/cni/net.d/* /var/lib/cni/networks/*",
	}, " && "))
}

// join has a node register itself.
func (l *Lab) join(ctx context.Context, node string) error {
	return l.Node(node).Run(ctx, "systemctl restart kubelet")
}
