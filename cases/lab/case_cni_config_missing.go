package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

func cniConfigMissing() Case {
	return Case{
		ID:       "cni-config-missing",
		About:    "on n3 flannel's file is taken out of /etc/cni/net.d, and a Pod is started there",
		Symptoms: []string{"pod-not-networked"},
		Roots:    []Root{{ID: "cni-config-missing", Node: "n3"}},
		Alone:    true,
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Node("n3").Run(ctx, "rm /etc/cni/net.d/10-flannel.conflist")
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.podStarts(ctx, "n3") },
		Settled: func(ctx context.Context, l *Lab) error {
			node, err := l.client.CoreV1().Nodes().Get(ctx, "n3", metav1.GetOptions{})
			if err != nil {
				return err
			}
			for _, condition := range node.Status.Conditions {
				if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionFalse {
					return nil
				}
			}
			return fmt.Errorf("node n3 is still Ready")
		},
	}
}

// podStarts starts a Pod on a node, past the scheduler, and waits until it has an address.
func (l *Lab) podStarts(ctx context.Context, node string) error {
	pods := l.client.CoreV1().Pods("default")
	pod, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "starts-"},
		Spec: corev1.PodSpec{
			NodeName: node, TerminationGracePeriodSeconds: new(int64),
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers:  []corev1.Container{{Name: "echo", Image: "lab/echo:1", Args: []string{echoPort}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("%w: %w", errNotTried, err)
	}
	defer func() {
		_ = pods.Delete(context.WithoutCancel(ctx), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	}()
	last := pod
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 3*time.Second, true, func(ctx context.Context) (bool, error) {
		now, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		last = now
		return now.Status.PodIP != "", nil
	})
	if err != nil {
		return fmt.Errorf("Pod %s on %s has no address after 3 s: %s", pod.Name, node, cmp.Or(l.sandboxError(ctx, pod), string(last.Status.Phase)))
	}
	return nil
}

// sandboxError is what the kubelet said last of why a Pod has no network, in one line; "" where it said nothing.
func (l *Lab) sandboxError(ctx context.Context, pod *corev1.Pod) string {
	events, err := l.client.CoreV1().Events(pod.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "reason=FailedCreatePodSandBox,involvedObject.name=" + pod.Name,
	})
	if err != nil || len(events.Items) == 0 {
		return ""
	}
	return strings.Join(strings.Fields(events.Items[len(events.Items)-1].Message), " ")
}
