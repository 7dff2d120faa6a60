package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kubeProxyMissingPriorityClass fills a node with Pods of a higher priority than kube-proxy has: the scheduler takes the
// place of kube-proxy's Pod for one of them, and finds none for it when the DaemonSet makes it anew. The node then starts
// again without Service rules, which kube-proxy's own cleaning up stands for.
func kubeProxyMissingPriorityClass() Case {
	kubeProxyOnN3 := metav1.ListOptions{LabelSelector: "k8s-app=kube-proxy", FieldSelector: "spec.nodeName=n3"}
	return Case{
		ID:       "kube-proxy-missing-priority-class",
		About:    "kube-proxy has no priority, n3 is filled with Pods that have one, and starts again",
		Symptoms: []string{"service-unreachable", "dns-failure"},
		Roots:    []Root{{ID: "kube-proxy-missing-priority-class", Node: "n3"}},
		On:       []string{"n3"},
		Alone:    true,
		Same:     true,
		Inject: func(ctx context.Context, l *Lab) error {
			if _, err := l.Kubectl(ctx, "-n", "kube-system", "patch", "daemonset", "kube-proxy", "--type", "json", "-p",
				`[{"op":"remove","path":"/spec/template/spec/priorityClassName"}]`); err != nil {
				return err
			}
			if _, err := l.Kubectl(ctx, "-n", "kube-system", "rollout", "status", "daemonset/kube-proxy", "--timeout=30s"); err != nil {
				return err
			}
			free, err := l.freeCPU(ctx, "n3", "kube-proxy")
			if err != nil {
				return err
			}
			if err := l.Apply(ctx, fmt.Sprintf(batch, free)); err != nil {
				return err
			}
			if err := l.await(ctx, "the scheduler to take kube-proxy's place on n3", 20*time.Second, func(ctx context.Context) error {
				pods, err := l.client.CoreV1().Pods("kube-system").List(ctx, kubeProxyOnN3)
				if err == nil && len(pods.Items) > 0 {
					err = errors.New("it is there")
				}
				return err
			}); err != nil {
				return err
			}
			return l.Node("n3").Run(ctx, l.program("kube-proxy")+" --cleanup")
		},
		Traffic: func(ctx context.Context, l *Lab) error {
			return errors.Join(l.PodPost(ctx, "n3", echoService, 1), l.PodResolve(ctx, "n3", echoName))
		},
		Settled: func(ctx context.Context, l *Lab) error {
			pods, err := l.client.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-proxy"})
			if err != nil {
				return err
			}
			// By address everything answers, and on the other nodes by name, too.
			if err := errors.Join(l.PodToPod(ctx, "n3", "n1", 1), l.PodPost(ctx, "n1", echoService, 1), l.PodResolve(ctx, "n1", echoName)); err != nil {
				return err
			}
			for _, p := range pods.Items {
				for _, c := range p.Status.Conditions {
					if p.DeletionTimestamp == nil && c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
						return nil
					}
				}
			}
			return errors.New("no kube-proxy Pod waits for a place")
		},
		ByHand: []ByHand{{Step: regexp.MustCompile(`^give applications a readiness probe`)}},
	}
}

// batch fills what it is told of n3.
const batch = `
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata:
  name: batch
value: 1000000
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: batch
  namespace: default
spec:
  selector:
    matchLabels:
      app: batch
  template:
    metadata:
      labels:
        app: batch
    spec:
      priorityClassName: batch
      nodeSelector:
        kubernetes.io/hostname: n3
      containers:
      - name: batch
        image: lab/pause:1
        resources:
          requests:
            cpu: %dm
`

// freeCPU is what Pods of a node but those of an app leave of its CPU, in thousandths.
func (l *Lab) freeCPU(ctx context.Context, node, but string) (int64, error) {
	n, err := l.client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	free := n.Status.Allocatable.Cpu().MilliValue()
	pods, err := l.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		return 0, err
	}
	for _, p := range pods.Items {
		if p.Labels["k8s-app"] == but {
			continue
		}
		for _, c := range p.Spec.Containers {
			free -= c.Resources.Requests.Cpu().MilliValue()
		}
	}
	return free, nil
}
