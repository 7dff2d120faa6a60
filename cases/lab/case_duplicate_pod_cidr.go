package main

import (
	"context"
	"encoding/json"
	"strings"
)

// duplicatePodCIDR has n3 join with a Node that somebody made of n2's: a copy of its manifest, with its podCIDR. The API
// server and the controllers take it as it is.
func duplicatePodCIDR() Case {
	// Pods of n3 may have the address of the Service's Pod. None of them listens on its port.
	const port = "8081"
	manifest := strings.ReplaceAll(webManifest, "8080", port)
	return Case{
		ID:       "duplicate-pod-cidr",
		About:    "n3 is laid out anew, and joins with a Node that is a copy of n2's",
		Symptoms: []string{"network-unreachable"},
		Roots:    []Root{{ID: "duplicate-pod-cidr", Node: "n3"}},
		Alone:    true,
		Prepare:  func(ctx context.Context, l *Lab) error { return l.Apply(ctx, manifest) },
		Inject: func(ctx context.Context, l *Lab) error {
			cidr, err := l.PodCIDR(ctx, "n2")
			if err != nil {
				return err
			}
			if err := l.leave(ctx, "n3"); err != nil {
				return err
			}
			copied, err := json.Marshal(map[string]any{
				"apiVersion": "v1", "kind": "Node",
				"metadata": map[string]any{"name": "n3", "labels": map[string]string{
					"kubernetes.io/hostname": "n3", "kubernetes.io/os": "linux",
				}},
				"spec": map[string]any{"podCIDR": cidr, "podCIDRs": []string{cidr}},
			})
			if err != nil {
				return err
			}
			if _, err := l.kubectl(ctx, string(copied), "create", "-f", "-"); err != nil {
				return err
			}
			return l.join(ctx, "n3")
		},
		Traffic: postToWeb,
		// What is found by addresses of Pods is found when n3 has some again.
		Settled: func(ctx context.Context, l *Lab) error { return l.podsReady(ctx, 0) },
	}
}
