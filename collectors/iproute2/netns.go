package iproute2

import (
	"strings"

	"github.com/netcause/netcause/collectors/lines"
)

// Netns is one network namespace with a name.
type Netns struct {
	Name string
	// ID is the one by which the namespace where it was asked knows it, -1 where it has none.
	ID int
}

// ParseNetns reads the output of `ip netns`: "cli (id: 1)" or, without an id, "cli".
func ParseNetns(text []byte) Parsed[Netns] {
	var p Parsed[Netns]
	for n, line := range lines.All(text) {
		if noise(line) {
			continue
		}
		ns := Netns{ID: -1}
		name, id, has := strings.Cut(strings.TrimSpace(line), " (id: ")
		ok := true
		if has {
			ns.ID, ok = number[int](strings.TrimSuffix(id, ")"))
		}
		if ns.Name = name; !ok || strings.ContainsAny(name, " \t/") {
			p.Unparsed.Add(n, line)
			continue
		}
		p.Items = append(p.Items, ns)
	}
	return p
}

// IDs are the ids of those that have one.
func IDs(list []Netns) NetnsIDs {
	ids := NetnsIDs{}
	for _, ns := range list {
		if ns.ID >= 0 {
			ids[ns.Name] = ns.ID
		}
	}
	return ids
}
