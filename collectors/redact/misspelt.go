package redact

import (
	"maps"
	"slices"
	"strings"
)

// noteSelected notes what a Service selects, noteLabelled what Pods have.
func (n *names) noteSelected(selector map[string]string) { noteByKey(n.selected, selector) }
func (n *names) noteLabelled(labels map[string]string)   { noteByKey(n.labelled, labels) }

func noteByKey(values map[string]map[string]bool, labels map[string]string) {
	for key, value := range labels {
		if values[key] == nil {
			values[key] = map[string]bool{}
		}
		values[key][strings.ToLower(value)] = true
	}
}

// misspelt are the values that Services select and no Pod has, where Pods have one that is nearly the same: by the value, that
// one. What stands for the two must be nearly the same too, or the diagnosis would be another.
func (n *names) misspelt() map[string]string {
	of := map[string]string{}
	for key, selected := range n.selected {
		for _, value := range slices.Sorted(maps.Keys(selected)) {
			if n.labelled[key][value] {
				continue
			}
			for _, is := range slices.Sorted(maps.Keys(n.labelled[key])) {
				if nearlySame(value, is) {
					of[value] = is
					break
				}
			}
		}
	}
	// A value that is somebody's name as well has what stands for that.
	for _, noted := range n.noted {
		if noted.kind != aValue {
			delete(of, noted.part)
		}
	}
	return of
}

// misspell is what stands for a value that is nearly another one: two letters of what stands for that are swapped.
func (n *names) misspell(other string) string {
	to, _ := n.replace(other, true)
	taken := map[string]bool{}
	for _, used := range n.to {
		taken[used] = true
	}
	for i := 0; i+1 < len(to); i++ {
		if a, b := to[i], to[i+1]; a == b || !isLetter(a) || !isLetter(b) {
			continue
		}
		if swapped := to[:i] + to[i+1:i+2] + to[i:i+1] + to[i+2:]; !taken[swapped] {
			return swapped
		}
	}
	return n.fresh(aValue)
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' }

// nearlySame says whether two words differ by one or two letters that are changed, added, taken away or swapped with their
// neighbour, by one in every three at most, and not by digits alone. Rules ask the same of labels.
func nearlySame(a, b string) bool {
	if len(a) > 63 || len(b) > 63 || len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return false
	}
	letters := func(s string) string {
		return strings.Trim(strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return '#'
			}
			return r
		}, s), "-#")
	}
	if letters(a) == letters(b) {
		return false
	}
	// The distance of optimal string alignment: rows are those of the last three prefixes of a.
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)] <= min(2, min(len(a), len(b))/3)
}
