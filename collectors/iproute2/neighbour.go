package iproute2

import (
	"slices"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

var neighbourStates = []string{
	"PERMANENT", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "INCOMPLETE", "NOARP",
}

var neighbourFlags = []string{"router", "proxy", "extern_learn", "offload"}

// ParseNeighbours reads the output of `ip neighbour`.
func ParseNeighbours(name string, text []byte) Parsed[facts.Neighbour] {
	if isJSON(text) {
		return neighboursJSON(name, text)
	}
	p := Parsed[facts.Neighbour]{Items: []facts.Neighbour{}}
	for n, line := range lines.All(text) {
		if noise(line) {
			continue
		}
		m, ok := neighbour(strings.Fields(line))
		switch {
		case !ok:
			p.Unparsed.Add(n, line)
		case m.State != "": // not begun to resolve
			m.Source = facts.FileLine(name, n)
			p.Items = append(p.Items, m)
		}
	}
	return p
}

// neighbour reads "10.0.0.2 dev eth0 lladdr 3a:8f:1b:00:00:01 used 1/1/13probes 0 PERMANENT": before 6.2 there is no blank
// between the times and the word probes.
func neighbour(w words) (facts.Neighbour, bool) {
	var m facts.Neighbour
	var ok bool
	if m.Dst, ok = address(w.next()); !ok || m.Dst.Zone() != "" || w.next() != "dev" {
		return m, false
	}
	if m.Dev = w.next(); m.Dev == "" {
		return m, false
	}
	for len(w) > 0 {
		switch word := w.next(); word {
		case "lladdr":
			m.Lladdr = w.next()
		case "ref", "probes", "proto", "nhid", "NONE", "managed", "extern_valid":
			if word != "NONE" && word != "managed" && word != "extern_valid" {
				w.next()
			}
		case "used":
			if strings.HasSuffix(w.next(), "probes") {
				w.next()
			}
		default:
			switch {
			case slices.Contains(neighbourFlags, word):
				m.Flags = append(m.Flags, word)
			case slices.Contains(neighbourStates, word):
				m.State = word
			default:
				return m, false
			}
		}
	}
	sortBy(m.Flags, neighbourFlags)
	return m, true
}

func sortBy(list, order []string) {
	slices.SortStableFunc(list, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
}

var fdbFlags = []string{"self", "router", "extern_learn", "offload", "master", "sticky"}

// ParseFDB reads the output of `bridge fdb`.
func ParseFDB(name string, text []byte) Parsed[facts.FDBEntry] {
	if isJSON(text) {
		return fdbJSON(name, text)
	}
	p := Parsed[facts.FDBEntry]{Items: []facts.FDBEntry{}}
	for n, line := range lines.All(text) {
		if noise(line) {
			continue
		}
		e, ok := fdbEntry(strings.Fields(line))
		if !ok {
			p.Unparsed.Add(n, line)
			continue
		}
		e.Source = facts.FileLine(name, n)
		p.Items = append(p.Items, e)
	}
	return p
}

// fdbEntry reads "ca:07:07:22:ba:cb dev flannel.1 dst 10.0.0.2 used 2/15 self permanent".
func fdbEntry(w words) (facts.FDBEntry, bool) {
	var e facts.FDBEntry
	e.MAC = w.next()
	if strings.Count(e.MAC, ":") != 5 || w.next() != "dev" {
		return e, false
	}
	if e.Dev = w.next(); e.Dev == "" {
		return e, false
	}
	ok := true
	for len(w) > 0 {
		switch word := w.next(); word {
		case "dst":
			e.Dst, ok = address(w.next())
		case "vlan":
			e.VLAN, ok = number[int](w.next())
		case "vni":
			e.VNI, ok = number[int](w.next())
		case "master":
			// Followed by the bridge's name; in versions before 4.x by nothing, as a flag.
			if next := w.peek(); next == "" || slices.Contains(fdbFlags, next) || isFDBState(next) {
				e.Flags = append(e.Flags, word)
			} else {
				e.Master = w.next()
			}
		case "port", "src_vni", "via", "link-netnsid", "link-netns", "used", "nhid", "activity_notify":
			if word != "activity_notify" {
				w.next()
			}
		case "inactive", "locked", "added_by_user", "dynamic", "norefresh":
		default:
			switch {
			case slices.Contains(fdbFlags, word):
				e.Flags = append(e.Flags, word)
			case isFDBState(word):
				e.State = word
			default:
				return e, false
			}
		}
		if !ok {
			return e, false
		}
	}
	sortBy(e.Flags, fdbFlags)
	return e, true
}

func isFDBState(word string) bool {
	return word == "permanent" || word == "static" || word == "stale" || strings.HasPrefix(word, "state=")
}
