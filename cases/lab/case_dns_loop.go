package main

import (
	"context"
	"errors"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// dnsLoop gives the nodes a resolv.conf as systemd-resolved writes it: a stub on loopback, and the servers that it asks in a
// file beside it.
func dnsLoop() Case {
	const stub = "nameserver 127.0.0.53\noptions edns0 trust-ad\n"
	before := map[string]string{}
	remade := func(ctx context.Context, l *Lab) error {
		_, err := l.Kubectl(ctx, "-n", "kube-system", "delete", "pod", "-l", "k8s-app=kube-dns")
		return err
	}
	return Case{
		ID:       "dns-loop",
		About:    "resolv.conf of the nodes names a stub on loopback, and the DNS Pods are made anew",
		Symptoms: []string{"dns-failure"},
		Roots:    []Root{{ID: "dns-loop"}},
		Alone:    true,
		Inject: func(ctx context.Context, l *Lab) error {
			for _, node := range l.Nodes() {
				text, err := node.ReadFile("/etc/resolv.conf")
				if err != nil {
					return err
				}
				before[node.Name] = text
				if err := node.Run(ctx, "mkdir -p /run/systemd/resolve && cp /etc/resolv.conf /run/systemd/resolve/resolv.conf"); err != nil {
					return err
				}
				if err := node.WriteFile("/etc/resolv.conf", stub); err != nil {
					return err
				}
			}
			return remade(ctx, l)
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodResolve(ctx, "n1", echoName) },
		Settled: func(ctx context.Context, l *Lab) error {
			pods, err := l.client.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
			if err != nil {
				return err
			}
			for _, p := range pods.Items {
				for _, c := range p.Status.ContainerStatuses {
					if p.DeletionTimestamp == nil && c.RestartCount == 0 {
						return errors.New("a DNS Pod has not ended yet")
					}
				}
				if p.Status.Phase != corev1.PodRunning {
					return errors.New("a DNS Pod does not run yet")
				}
			}
			return nil
		},
		ByHand: []ByHand{{Step: regexp.MustCompile(`^in ConfigMap kube-system/coredns`)}},
		After: func(ctx context.Context, l *Lab) error {
			for _, node := range l.Nodes() {
				if err := node.WriteFile("/etc/resolv.conf", before[node.Name]); err != nil {
					return err
				}
				if err := node.Run(ctx, "sed -i 's,^resolvConf:.*,resolvConf: /etc/resolv.conf,' "+kubeletConf+" && systemctl restart kubelet"); err != nil {
					return err
				}
			}
			return remade(ctx, l)
		},
	}
}
