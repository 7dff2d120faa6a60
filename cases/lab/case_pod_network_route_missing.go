package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func podNetworkRouteMissing() Case {
	return Case{
		ID:       "pod-network-route-missing",
		About:    "on n1 the route to the Pods of n2 is deleted",
		Symptoms: []string{"network-unreachable"},
		Roots:    []Root{{ID: "pod-network-route-missing", Node: "n1"}},
		Inject: func(ctx context.Context, l *Lab) error {
			cidr, err := l.PodCIDR(ctx, "n2")
			if err != nil {
				return err
			}
			return l.Node("n1").Run(ctx, "ip route delete "+cidr)
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodToPod(ctx, "n1", "n2", 1) },
	}
}

// PodCIDR is the range of a node's Pods, as the controller manager chose it.
func (l *Lab) PodCIDR(ctx context.Context, node string) (string, error) {
	n, err := l.client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if n.Spec.PodCIDR == "" {
		return "", fmt.Errorf("node %s has no podCIDR", node)
	}
	return n.Spec.PodCIDR, nil
}
