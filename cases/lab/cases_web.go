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

// The Service web is that of the cases about Services: one Pod, on n2, of a program that listens on port 8080.
const (
	webAddress  = "10.96.10.20"
	webService  = webAddress + ":80"
	webNodePort = "30081"
	webPods     = "app=web"
	webManifest = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: default
spec:
  replicas: 1
  strategy:
    type: Recreate
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      nodeSelector:
        kubernetes.io/hostname: n2
      containers:
      - name: web
        image: lab/echo:1
        args: ["8080"]
        ports:
        - name: http
          containerPort: 8080
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: default
spec:
  type: NodePort
  clusterIP: ` + webAddress + `
  selector:
    app: web
  ports:
  - port: 80
    targetPort: 8080
    nodePort: ` + webNodePort + `
`
)

// applyWeb makes the Service web.
func applyWeb(ctx context.Context, l *Lab) error { return l.Apply(ctx, webManifest) }

// postToWeb posts from a Pod of n1 to the Service web.
func postToWeb(ctx context.Context, l *Lab) error { return l.PodPost(ctx, "n1", webService, 1) }

// webListensOn has the program of the Service web listen there instead, in a new Pod.
func webListensOn(address string) func(context.Context, *Lab) error {
	return func(ctx context.Context, l *Lab) error {
		_, err := l.Kubectl(ctx, "patch", "deployment", "web", "--type", "json", "-p",
			fmt.Sprintf(`[{"op":"replace","path":"/spec/template/spec/containers/0/args","value":[%q]}]`, address))
		return err
	}
}

// webSettled waits until the Pod of the Service web is ready, and has been for longer than a Pod that starts.
func webSettled(ctx context.Context, l *Lab) error {
	p, err := l.webPod(ctx)
	if err != nil {
		return err
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && time.Since(c.LastTransitionTime.Time) > 17*time.Second {
			return nil
		}
	}
	return errors.New("its Pod has not been ready for long")
}

// webPod is the only Pod of the Service web.
func (l *Lab) webPod(ctx context.Context) (*corev1.Pod, error) {
	pods, err := l.client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: webPods})
	switch {
	case err != nil:
		return nil, err
	case len(pods.Items) != 1:
		return nil, fmt.Errorf("there are %d Pods of web", len(pods.Items))
	}
	return &pods.Items[0], nil
}

// logs is the step to read what a program said: the lab's kubelet keeps no logs for kubectl.
var logs = ByHand{Step: regexp.MustCompile(`^kubectl -n \S+ logs `)}
