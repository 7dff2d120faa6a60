package main

import "regexp"

func listenerOnLoopbackOnly() Case {
	return Case{
		ID:       "listener-on-loopback-only",
		About:    "the program of a Service listens on 127.0.0.1",
		Symptoms: []string{"service-unreachable"},
		Roots:    []Root{{ID: "listener-on-loopback-only", Node: "n2"}},
		Prepare:  applyWeb,
		Inject:   webListensOn("127.0.0.1:8080"),
		Traffic:  postToWeb,
		Settled:  webSettled,
		ByHand: []ByHand{{
			Step: regexp.MustCompile(`^in the template of Pod default/web-\S+ let the program of container web listen on 0\.0\.0\.0`), Do: webListensOn("8080"),
		}},
	}
}
