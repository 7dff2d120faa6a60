package main

import (
	"fmt"
	"slices"
)

// allCases are the cases, in the order that they are run in.
func allCases() []Case {
	return slices.Concat(incidents(), nodeCases(), serviceCases(), proxyCases(), foreignCases(), traps())
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

const healthyID = "healthy"

// healthy is what every kind of cluster begins with: nothing is wrong.
func healthy(v Variant) Case {
	return Case{ID: healthyID, About: "nothing is wrong, " + v.String(), Cluster: v, On: nodeNames}
}
