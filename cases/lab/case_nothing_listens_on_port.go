package main

import "regexp"

func nothingListensOnPort() Case {
	return Case{
		ID:       "nothing-listens-on-port",
		About:    "the program of a Service listens on another port than its container declares",
		Symptoms: []string{"service-unreachable"},
		Roots:    []Root{{ID: "nothing-listens-on-port", Node: "n2"}},
		Prepare:  applyWeb,
		Inject:   webListensOn("9090"),
		Traffic:  postToWeb,
		Settled:  webSettled,
		ByHand:   []ByHand{logs, {Step: regexp.MustCompile(`^in the template of Pod web-\S+ let the program of container web listen on port 8080`), Do: webListensOn("8080")}},
	}
}
