package main

import "context"

func serviceTargetPortMismatch() Case {
	return Case{
		ID:       "service-target-port-mismatch",
		About:    "the targetPort of a Service is changed to one that its Pods do not have",
		Symptoms: []string{"service-unreachable"},
		Roots:    []Root{{ID: "service-target-port-mismatch", Node: "n2"}},
		Prepare:  applyWeb,
		Inject: func(ctx context.Context, l *Lab) error {
			_, err := l.Kubectl(ctx, "patch", "service", "web", "--type", "json", "-p", `[{"op":"replace","path":"/spec/ports/0/targetPort","value":8081}]`)
			return err
		},
		Traffic: postToWeb,
		Settled: webSettled,
	}
}
