package main

import "context"

func externalTrafficPolicyLocalNoEndpoint() Case {
	return Case{
		ID:       "external-traffic-policy-local-no-endpoint",
		About:    "a Service gets externalTrafficPolicy Local, and the client sends to a node without its Pod",
		Symptoms: []string{"nodeport-unreachable"},
		Roots:    []Root{{ID: "external-traffic-policy-local-no-endpoint", Node: "n1"}},
		Prepare:  applyWeb,
		Inject: func(ctx context.Context, l *Lab) error {
			_, err := l.Kubectl(ctx, "patch", "service", "web", "--type", "merge", "-p", `{"spec":{"externalTrafficPolicy":"Local"}}`)
			return err
		},
		Traffic: func(ctx context.Context, l *Lab) error {
			return l.Post(ctx, l.Client(), nodeAddresses["n1"]+":"+webNodePort, 1)
		},
	}
}
