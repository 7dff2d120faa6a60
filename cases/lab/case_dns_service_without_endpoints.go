package main

import "context"

func dnsServiceWithoutEndpoints() Case {
	return Case{
		ID:       "dns-service-without-endpoints",
		About:    "the Deployment of the cluster's DNS is scaled to zero",
		Symptoms: []string{"dns-failure"},
		Roots:    []Root{{ID: "dns-service-without-endpoints"}},
		Alone:    true,
		Inject: func(ctx context.Context, l *Lab) error {
			_, err := l.Kubectl(ctx, "-n", "kube-system", "scale", "deployment", "coredns", "--replicas=0")
			return err
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodResolve(ctx, "n1", echoName) },
	}
}
