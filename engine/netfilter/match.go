package netfilter

import (
	"strconv"
	"strings"
)

// truth is what is known of a condition.
type truth uint8

const (
	no truth = iota
	yes
	maybe
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func not(neg bool) string {
	if neg {
		return " not"
	}
	return ""
}

func (m *NameMatch) anyInterface() bool {
	return !m.Negated && len(m.Names) == 1 && (m.Names[0] == "+" || m.Names[0] == "*")
}

func (m *PrefixMatch) everything() bool {
	return !m.Negated && len(m.Ranges) == 0 && len(m.Prefixes) == 1 && m.Prefixes[0].Bits() == 0
}

func (m *PrefixMatch) list() string {
	var w []string
	for _, p := range m.Prefixes {
		w = append(w, p.String())
	}
	for _, r := range m.Ranges {
		w = append(w, r.First.String()+"-"+r.Last.String())
	}
	return strings.Join(w, ", ")
}

func (m *PortMatch) everything() bool {
	return !m.Negated && len(m.Ranges) == 1 && m.Ranges[0].First == 0 && m.Ranges[0].Last == 65535
}

func (m *PortMatch) list() string {
	var w []string
	for _, r := range m.Ranges {
		s := strconv.Itoa(int(r.First))
		if r.Last != r.First {
			s += "-" + strconv.Itoa(int(r.Last))
		}
		w = append(w, s)
	}
	return strings.Join(w, ",")
}
