package main

import "context"

func serviceSelectorMatchesNothing() Case {
	return Case{
		ID:       "service-selector-matches-nothing",
		About:    "the selector of a Service is misspelt",
		Symptoms: []string{"service-unreachable"},
		Roots:    []Root{{ID: "service-selector-matches-nothing"}},
		Prepare:  applyWeb,
		Inject: func(ctx context.Context, l *Lab) error {
			_, err := l.Kubectl(ctx, "patch", "service", "web", "--type", "merge", "-p", `{"spec":{"selector":{"app":"wbe"}}}`)
			return err
		},
		Traffic: postToWeb,
	}
}
