package networkpolicy

import (
	"maps"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// metadataName is the label that the API server gives every namespace (since Kubernetes 1.21) and keeps at its name.
const metadataName = "kubernetes.io/metadata.name"

// labelSet are the labels of a Pod or a namespace.
type labelSet struct {
	labels map[string]string
	// unread: they are not among the facts. Of a namespace, its name is then known nonetheless.
	unread    bool
	namespace string
}

func (l labelSet) lookup(key string) (value string, present truth) {
	if !l.unread {
		value, ok := l.labels[key]
		return value, truthOf(ok)
	}
	if key == metadataName && l.namespace != "" {
		return l.namespace, yes
	}
	return "", maybe
}

type operator int8

const (
	in operator = iota
	notIn
	exists
	doesNotExist
	// refused: the API server would not have taken the requirement.
	refused
)

// requirement is one condition of a selector.
type requirement struct {
	key      string
	operator operator
	values   []string
	// text is that of the facts, where they are not understood.
	text string
}

// selector is a metav1 LabelSelector: the conjunction of its requirements; without any it selects everything.
type selector []requirement

func newSelector(s *facts.LabelSelector) selector {
	var out selector
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		r := requirement{key: key, values: []string{s.MatchLabels[key]}}
		if key == "" {
			r.operator, r.text = refused, "a label without a name"
		}
		out = append(out, r)
	}
	for _, e := range s.MatchExpressions {
		out = append(out, newRequirement(e))
	}
	return out
}

func newRequirement(e facts.SelectorRequirement) requirement {
	r := requirement{key: e.Key, values: e.Values}
	valid := e.Key != ""
	switch e.Operator {
	case "In":
		r.operator = in
		valid = valid && len(e.Values) > 0
	case "NotIn":
		r.operator = notIn
		valid = valid && len(e.Values) > 0
	case "Exists":
		r.operator = exists
		valid = valid && len(e.Values) == 0
	case "DoesNotExist":
		r.operator = doesNotExist
		valid = valid && len(e.Values) == 0
	default:
		valid = false
	}
	if !valid {
		r.operator = refused
		r.text = strings.TrimSpace(strings.Join([]string{e.Key, e.Operator, "(" + list(e.Values) + ")"}, " "))
	}
	return r
}

func (r *requirement) matches(l labelSet) truth {
	if r.operator == refused {
		return maybe
	}
	value, present := l.lookup(r.key)
	if present == maybe {
		return maybe
	}
	switch r.operator {
	case in:
		return truthOf(present == yes && slices.Contains(r.values, value))
	case notIn:
		return truthOf(present == no || !slices.Contains(r.values, value))
	case exists:
		return present
	default: // doesNotExist
		return truthOf(present == no)
	}
}

func (s selector) matches(l labelSet) truth {
	result := yes
	for i := range s {
		if result = and(result, s[i].matches(l)); result == no {
			return no
		}
	}
	return result
}

// undecided are the requirements that the facts do not decide, and whether a label that was not read would.
func (s selector) undecided(l labelSet) (texts []string, unread bool) {
	for i := range s {
		if s[i].matches(l) == maybe {
			texts = append(texts, s[i].String())
			unread = unread || s[i].operator != refused
		}
	}
	return texts, unread
}

// unmet says which requirements somebody's labels do not meet: "namespaceSelector wants team=a, namespace b has none".
func (s selector) unmet(field, somebody string, l labelSet) []string {
	var out []string
	for i := range s {
		if s[i].matches(l) != no {
			continue
		}
		has := "none"
		if value, present := l.lookup(s[i].key); present == yes {
			has = s[i].key + "=" + value
		}
		out = append(out, field+" wants "+s[i].String()+", "+somebody+" has "+has)
	}
	return out
}

// String is the requirement in the syntax of kubectl's --selector.
func (r *requirement) String() string {
	switch {
	case r.operator == refused:
		return r.text
	case r.operator == exists:
		return r.key
	case r.operator == doesNotExist:
		return "!" + r.key
	case r.operator == notIn:
		return r.key + " notin (" + list(r.values) + ")"
	case len(r.values) == 1:
		return r.key + "=" + r.values[0]
	}
	return r.key + " in (" + list(r.values) + ")"
}

func (s selector) String() string {
	texts := make([]string, 0, min(len(s), maxListed+1))
	for i := range s[:min(len(s), maxListed+1)] {
		texts = append(texts, s[i].String())
	}
	return listOf(texts, len(s))
}

// maxListed bounds what a text enumerates: a policy may have thousands of peers.
const maxListed = 8

func list(texts []string) string { return listOf(texts, len(texts)) }

// listOf enumerates the first of n texts.
func listOf(texts []string, n int) string {
	if n <= maxListed {
		return strings.Join(texts, ", ")
	}
	return strings.Join(texts[:maxListed], ", ") + " and more"
}
