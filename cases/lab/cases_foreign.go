package main

// foreignCases are read from what other programs collect, too: a cluster with nothing wrong, and one with a fault.
func foreignCases() []Case {
	healthy := Case{
		ID:      "trap-foreign-bundles",
		About:   "nothing is wrong, and sos, kubectl and troubleshoot.sh collect it",
		Needs:   []Need{NeedSOS},
		Foreign: true,
		Same:    true,
	}
	broken := podNetworkRouteMissing()
	broken.ID = "foreign-bundles"
	broken.About += ", and sos, kubectl and troubleshoot.sh collect it"
	broken.Needs, broken.Foreign, broken.Same, broken.Alone = []Need{NeedSOS}, true, true, true
	return []Case{healthy, broken}
}
