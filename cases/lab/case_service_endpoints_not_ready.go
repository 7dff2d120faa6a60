package main

import (
	"context"
	"errors"
)

func serviceEndpointsNotReady() Case {
	mend := logs
	mend.Do = webListensOn("8080")
	return Case{
		ID:       "service-endpoints-not-ready",
		About:    "the program of a Service gets an argument that it does not understand, and crashes",
		Symptoms: []string{"service-unreachable"},
		Roots:    []Root{{ID: "service-endpoints-not-ready"}},
		Prepare:  applyWeb,
		Inject:   webListensOn("no:such:port"),
		Traffic:  postToWeb,
		Settled: func(ctx context.Context, l *Lab) error {
			p, err := l.webPod(ctx)
			if err != nil {
				return err
			}
			for _, c := range p.Status.ContainerStatuses {
				if w := c.State.Waiting; w != nil && w.Reason == "CrashLoopBackOff" && c.RestartCount > 2 {
					return nil
				}
			}
			return errors.New("its container is not in CrashLoopBackOff")
		},
		ByHand: []ByHand{mend},
	}
}
