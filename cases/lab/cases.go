package main

import (
	"fmt"
	"slices"
)

// allCases are the cases, in the order that they are run in.
func allCases() []Case {
	return slices.Concat(incidents(), nodeCases(), serviceCases(), traps())
}

// incidents are those of the case studies.
func incidents() []Case {
	return []Case{kubeProxyMissingPriorityClass(), nodeStaticAndDHCPAddress(), pathMTUMismatch()}
}

func findCase(id string) (Case, error) {
	for _, c := range allCases() {
		if c.ID == id {
			return c, nil
		}
	}
	return Case{}, fmt.Errorf("no case %q: go run . list shows all", id)
}
