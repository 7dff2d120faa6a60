package main

import (
	"context"
	"strings"
)

func podResolvConfWrong() Case {
	return Case{
		ID:       "pod-resolv-conf-wrong",
		About:    "kubelet of n2 is told another address of the cluster's DNS, and a Pod is made anew",
		Symptoms: []string{"dns-failure"},
		Roots:    []Root{{ID: "pod-resolv-conf-wrong", Node: "n2"}},
		Prepare:  applyWeb,
		Inject: func(ctx context.Context, l *Lab) error {
			n2 := l.Node("n2")
			text, err := n2.ReadFile(kubeletConf)
			if err != nil {
				return err
			}
			if err := n2.WriteFile(kubeletConf, strings.ReplaceAll(text, dnsAddress, "10.96.0.11")); err != nil {
				return err
			}
			if err := n2.Run(ctx, "systemctl restart kubelet"); err != nil {
				return err
			}
			_, err = l.Kubectl(ctx, "delete", "pod", "-l", webPods)
			return err
		},
		Traffic: func(ctx context.Context, l *Lab) error {
			p, err := l.Pod(ctx, "default", webPods, "n2")
			if err != nil {
				return err
			}
			return l.Resolve(ctx, p, echoName)
		},
	}
}
