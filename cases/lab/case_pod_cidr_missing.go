package main

import (
	"context"
	"errors"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podCIDRMissing gives kube-controller-manager a range of two blocks for three nodes. n1 and n2 have these; n3 is laid out
// anew and joins.
func podCIDRMissing() Case {
	return Case{
		ID:       "pod-cidr-missing",
		About:    "the cluster's range has two blocks, and n3 joins as the third node",
		Symptoms: []string{"pod-not-networked"},
		Roots:    []Root{{ID: "pod-cidr-missing", Node: "n3"}},
		Alone:    true,
		Inject: func(ctx context.Context, l *Lab) error {
			if err := l.leave(ctx, "n3"); err != nil {
				return err
			}
			if err := l.restartControllers(ctx, "10.244.0.0/23"); err != nil {
				return err
			}
			return l.join(ctx, "n3")
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.podStarts(ctx, "n3") },
		Settled: func(ctx context.Context, l *Lab) error {
			events, err := l.client.CoreV1().Events("").List(ctx, metav1.ListOptions{FieldSelector: "reason=CIDRNotAvailable"})
			if err == nil && len(events.Items) == 0 {
				err = errors.New("no event says that there is no block left")
			}
			return err
		},
		// The controllers of the lab are no Pod whose manifest could be edited. The range is that which is printed.
		ByHand: []ByHand{{
			Step: regexp.MustCompile(`^in kube-controller-manager's manifest set --cluster-cidr=` + regexp.QuoteMeta(clusterCIDR) + `\b`),
			Do:   func(ctx context.Context, l *Lab) error { return l.restartControllers(ctx, clusterCIDR) },
		}},
	}
}
