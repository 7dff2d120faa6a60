package networkpolicy

import (
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// shelf holds the policies of a namespace for one direction, by name. Most of them ask for one value of a label first, and
// are found by it: a Pod has few labels, its namespace may have many policies.
type shelf struct {
	policies []policy
	byLabel  map[label][]int
	// rest are the places of those that ask for no such label.
	rest []int
}

type label struct{ key, value string }

// key is the one label value that a Pod cannot lack.
func (s selector) key() (label, bool) {
	for i := range s {
		if r := &s[i]; r.operator == in && len(r.values) == 1 {
			return label{r.key, r.values[0]}, true
		}
	}
	return label{}, false
}

// arrange is called once, when all policies are there.
func (s *shelf) arrange() {
	slices.SortStableFunc(s.policies, func(a, b policy) int { return strings.Compare(a.Name, b.Name) })
	s.byLabel = map[label][]int{}
	for i := range s.policies {
		if key, ok := s.policies[i].pods.key(); ok {
			s.byLabel[key] = append(s.byLabel[key], i)
		} else {
			s.rest = append(s.rest, i)
		}
	}
}

// selection is a policy with whether it selects the Pod.
type selection struct {
	*policy
	sure truth
}

// selecting adds the policies that select a Pod, or may.
func (s *shelf) selecting(out []selection, p *facts.Pod) []selection {
	places := slices.Clone(s.rest)
	if len(s.byLabel) > 0 {
		for key, value := range p.Metadata.Labels {
			places = append(places, s.byLabel[label{key, value}]...)
		}
		slices.Sort(places)
	}
	for _, i := range places {
		if t := s.policies[i].selects(p); t != no {
			out = append(out, selection{&s.policies[i], t})
		}
	}
	return out
}
