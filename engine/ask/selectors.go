package ask

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

const (
	// maxSearched bounds the Services for which Pods with nearly their labels are searched: each is compared with all Pods
	// of its namespace.
	maxSearched = 100
	// maxNear bounds the ways in which Pods are near that are looked at.
	maxNear = 20
)

// emptyService is a Service that selects no Pod, and of which no workload wants any.
type emptyService struct {
	Service   serviceReference    `json:"service"`
	Workloads []workloadReference `json:"workloads"` // all scaled to zero
	// Near are Pods that the selector is probably meant for, the nearest first.
	Near []nearPods `json:"near"`
}

// nearPods are Pods of a Service's namespace that have nearly the labels that it selects.
type nearPods struct {
	Pods   []facts.PodReference `json:"pods"` // the first of them
	Count  int                  `json:"count"`
	Source facts.Source         `json:"source"`
	// Labels are those of the Pods that matter here: the selector's keys, and those that it should have.
	Labels string `json:"labels"`
	// Patch is the strategic change of the Service's selector, in JSON.
	Patch string `json:"patch"`
	// How is "spelling" (each label is there by a name or a value that is nearly right), "label" (all labels but one are
	// there) or "port" (the Pods listen where the Service sends).
	How string `json:"how"`
	// SelectedBy are other Services that select these Pods.
	SelectedBy []string `json:"selected_by"`
}

// near are Pods that have nearly the labels that a Service selects, those that nothing else selects first.
func (w *serviceWorld) near(service *facts.Service) []nearPods {
	list := []nearPods{}
	byPatch := map[string]int{}
	for _, pod := range w.pods.byNamespace[service.Metadata.Namespace] {
		near, ok := nearness(service, pod)
		if !ok {
			continue
		}
		i, seen := byPatch[near.Patch]
		if !seen {
			if len(list) == maxNear {
				continue
			}
			near.SelectedBy = w.selectedBy(pod)
			i = len(list)
			byPatch[near.Patch] = i
			list = append(list, near)
		}
		n := &list[i]
		n.Count++
		if len(n.Pods) < maxServicePods {
			n.Pods = append(n.Pods, facts.PodReference{Namespace: pod.Metadata.Namespace, Name: pod.Metadata.Name})
		}
	}
	rank := map[string]int{"spelling": 0, "label": 1, "port": 2}
	slices.SortStableFunc(list, func(a, b nearPods) int {
		return cmp.Or(cmp.Compare(len(a.SelectedBy), len(b.SelectedBy)), cmp.Compare(rank[a.How], rank[b.How]), cmp.Compare(b.Count, a.Count))
	})
	return list[:min(len(list), maxServicePods)]
}

func (w *serviceWorld) selectedBy(pod *facts.Pod) []string {
	names := []string{}
	for key, value := range pod.Metadata.Labels {
		for _, service := range w.byRarest[podLabel{pod.Metadata.Namespace, key, value}] {
			if matches(service.Spec.Selector, pod.Metadata.Labels) {
				names = append(names, service.Metadata.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// nearness says how a Pod's labels differ from what a Service selects, where the difference is small. Most Pods of a
// namespace are far, so that is seen first.
func nearness(service *facts.Service, pod *facts.Pod) (nearPods, bool) {
	have, selector := pod.Metadata.Labels, service.Spec.Selector
	exact, alike, far, shared := 0, 0, 0, 0
	for key, value := range selector {
		is, ok := have[key]
		if ok {
			shared++
		}
		switch {
		case ok && is == value:
			exact++
		case ok && sameWord(value, is), hasValue(have, value) && keyOf(have, selector, value) != "":
			alike++
		default:
			far++
		}
	}
	how := ""
	switch {
	case far == 0 && alike > 0:
		how = "spelling"
	case far == 1 && exact > 0 && alike == 0 && declaresTargets(service, pod):
		how = "label"
	case shared == len(selector) && declaresTargets(service, pod):
		how = "port"
	default:
		return nearPods{}, false
	}
	return difference(service, pod, how)
}

func hasValue(labels map[string]string, value string) bool {
	for _, is := range labels {
		if is == value {
			return true
		}
	}
	return false
}

// difference is what a Service would have to select instead.
func difference(service *facts.Service, pod *facts.Pod, how string) (nearPods, bool) {
	have := pod.Metadata.Labels
	patch := map[string]any{} // null takes a key away
	shown := map[string]string{}
	for key, value := range service.Spec.Selector {
		is, ok := have[key]
		if ok {
			shown[key] = is
		}
		switch other := keyOf(have, service.Spec.Selector, value); {
		case ok && is == value:
		case ok && sameWord(value, is):
			patch[key] = is
		case other != "":
			patch[key], patch[other] = nil, value
			shown[other] = value
		case ok:
			patch[key] = is
		default:
			patch[key] = nil
		}
	}
	text, err := json.Marshal(map[string]any{"spec": map[string]any{"selector": patch}})
	if err != nil {
		return nearPods{}, false
	}
	return nearPods{
		Pods: []facts.PodReference{}, Source: pod.Source, Labels: labelsText(shown), Patch: string(text), How: how, SelectedBy: []string{},
	}, true
}

// keyOf is a label that has the value under another key, one that the selector does not use.
func keyOf(labels, selector map[string]string, value string) string {
	if len(value) < 3 || value == "true" || value == "false" {
		return ""
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if _, used := selector[key]; !used && labels[key] == value && key != "pod-template-hash" {
			return key
		}
	}
	return ""
}

// sameWord says whether b is probably a misspelt a: but for case, or one or two letters. Names that differ in digits
// alone (web-1, web-2) are names of different things.
func sameWord(a, b string) bool {
	if len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return false
	}
	if strings.EqualFold(a, b) {
		return true
	}
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return '#'
			}
			return r
		}, s)
	}
	if letters(a) == letters(b) || strings.Trim(letters(a), "-#") == strings.Trim(letters(b), "-#") {
		return false
	}
	allowed := min(len(a), len(b)) / 3
	return distance(a, b, min(allowed, 2)) <= min(allowed, 2)
}

// distance is how many letters must be changed, added, taken away or swapped with their neighbour (optimal string
// alignment); more than limit is limit+1.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	if letterDifference(a, b) > 2*limit {
		return limit + 1
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return min(rows[len(a)][len(b)], limit+1)
}

// letterDifference is how many letters one word has and the other has not: a change makes it two more at the most.
func letterDifference(a, b string) int {
	var counts [256]int8
	for i := range min(len(a), 64) {
		counts[a[i]]++
	}
	for i := range min(len(b), 64) {
		counts[b[i]]--
	}
	n := 0
	for _, c := range counts {
		n += max(int(c), -int(c))
	}
	if len(a) > 64 || len(b) > 64 {
		return 0 // not known
	}
	return n
}

// declaresTargets says whether a Pod's containers declare every port that a Service sends to.
func declaresTargets(service *facts.Service, pod *facts.Pod) bool {
	for _, port := range service.Spec.Ports {
		if number, ok := targetNumber(port); ok {
			if !declares(pod, number, protocolOf(port)) {
				return false
			}
			continue
		}
		if _, ok := namedPort(pod, fmt.Sprint(port.TargetPort), protocolOf(port)); !ok {
			return false
		}
	}
	return len(service.Spec.Ports) > 0
}
