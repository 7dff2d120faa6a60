package main

import (
	"context"
	"errors"
	"fmt"
)

// The namespace shop has a client Pod on n1, of which policies allow the way to the Service echo.
const shopManifest = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: shop}
spec:
  selector: {matchLabels: {app: checkout}}
  template:
    metadata: {labels: {app: checkout}}
    spec:
      nodeSelector: {kubernetes.io/hostname: n1}
      containers: [{name: checkout, image: "lab/echo:1", args: ["8080"]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Ingress]
`

// shopEgress isolates the Pods of the namespace shop but for the Service echo, and what follows it.
const shopEgress = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: checkout-egress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: checkout}}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}
      podSelector: {matchLabels: {app: echo}}
    ports:
    - {port: 8080, protocol: TCP}
`

// enforced is a cluster whose network policies are enforced.
var enforced = Variant{Policy: KubeRouter}

func networkPolicyBlocksDNS() Case {
	return Case{
		ID:       "network-policy-blocks-dns",
		About:    "a policy for egress of Pods of n1 allows a Service's Pods, and no DNS",
		Cluster:  enforced,
		Symptoms: []string{"dns-failure"},
		Roots:    []Root{{ID: "network-policy-blocks-dns", Node: "n1"}},
		Prepare:  func(ctx context.Context, l *Lab) error { return l.Apply(ctx, shopManifest) },
		Inject:   func(ctx context.Context, l *Lab) error { return l.Apply(ctx, shopEgress) },
		Traffic: func(ctx context.Context, l *Lab) error {
			p, err := l.Pod(ctx, "shop", "app=checkout", "n1")
			if err != nil {
				return err
			}
			// By its address the Service answers throughout.
			if err := l.Post(ctx, p, echoService, 1); err != nil {
				return fmt.Errorf("%w: %w", errNotTried, err)
			}
			return l.Resolve(ctx, p, echoName)
		},
	}
}

// trapPolicyAllowsDNS is the same, with what everybody adds to it. What it denies is what it is for.
func trapPolicyAllowsDNS() Case {
	return Case{
		ID:      "trap-network-policy-allows-dns",
		About:   "a policy for egress of Pods of n1 allows a Service's Pods and DNS, and denies all else",
		Cluster: enforced,
		Prepare: func(ctx context.Context, l *Lab) error { return l.Apply(ctx, shopManifest) },
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Apply(ctx, shopEgress+`
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      podSelector: {matchLabels: {k8s-app: kube-dns}}
    ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
`)
		},
		// It is enforced: what it does not allow is denied.
		Settled: func(ctx context.Context, l *Lab) error {
			p, err := l.Pod(ctx, "shop", "app=checkout", "n1")
			if err != nil {
				return err
			}
			if l.Post(ctx, p, nodeAddresses["n2"]+":"+echoNodePort, 1) == nil {
				return errors.New("the policy denies nothing yet")
			}
			return errors.Join(l.Post(ctx, p, echoName+":80", 1), l.Resolve(ctx, p, siteName))
		},
	}
}
