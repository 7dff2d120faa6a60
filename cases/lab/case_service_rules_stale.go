package main

import (
	"context"
	"fmt"
)

func serviceRulesStale() Case {
	return Case{
		ID:       "service-rules-stale",
		About:    "kube-proxy of n1 hangs, and then the Pod of a Service is made anew",
		Symptoms: []string{"service-unreachable"},
		Roots:    []Root{{ID: "service-rules-stale", Node: "n1"}},
		Prepare:  applyWeb,
		Inject: func(ctx context.Context, l *Lab) error {
			proxy, err := l.Pod(ctx, "kube-system", "k8s-app=kube-proxy", "n1")
			if err != nil {
				return err
			}
			if err := l.Node("n1").Run(ctx, fmt.Sprintf("kill -STOP $(cat %s/pods/%s/containers/%s)", kubeletDir, proxy.uid, proxy.container)); err != nil {
				return err
			}
			_, err = l.Kubectl(ctx, "delete", "pod", "-l", webPods)
			return err
		},
		Traffic: postToWeb,
		Settled: webSettled,
		ByHand:  []ByHand{logs},
	}
}
