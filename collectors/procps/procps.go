// Package procps reads what sysctl(8) and ps(1) print into facts.
package procps

import (
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// Sysctls are what `sysctl -a` says of the network.
type Sysctls struct {
	// Values are those of net.* by sysctl(8)'s names: a dot in a device's name is a slash.
	Values map[string]facts.Sysctl
	// All: settings of other parts of the kernel are there too, so the text is one of `sysctl -a`.
	All bool
	// Denied are the keys of net.* that could not be read.
	Denied   []string
	Unparsed lines.Unparsed
}

// ParseSysctls reads the output of `sysctl`, or lines of "key = value" such as sysctl.conf(5) has.
func ParseSysctls(name string, text []byte) Sysctls {
	s := Sysctls{Values: map[string]facts.Sysctl{}}
	last := ""
	for n, line := range lines.All(text) {
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		switch {
		case strings.TrimSpace(line) == "":
		case strings.HasPrefix(line, "sysctl: "):
			// sysctl: permission denied on key 'net.ipv4.tcp_fastopen_key'; sysctl: reading key "…"
			if denied := quoted(line); strings.HasPrefix(denied, "net.") && strings.Contains(line, "permission denied") {
				s.Denied = append(s.Denied, denied)
			}
		case ok && isKey(key):
			last = ""
			if !strings.HasPrefix(key, "net.") {
				s.All = true
				continue
			}
			last = key
			s.Values[key] = facts.Sysctl{Value: strings.Join(strings.Fields(value), " "), Source: facts.FileLine(name, n)}
		case last == "" && s.All && (line[0] == '\t' || line[0] == ' '):
			// The rest of a value of several lines, of which the network has none.
		default:
			s.Unparsed.Add(n, line)
		}
	}
	return s
}

// isKey says whether a word can be the name of a sysctl.
func isKey(key string) bool {
	return strings.Contains(key, ".") && !strings.ContainsAny(key, " \t'\"{}()<>") && key[0] != '#' && key[0] != ';' && key[0] != '-'
}

func quoted(line string) string {
	i := strings.IndexAny(line, `'"`)
	if i < 0 {
		return ""
	}
	rest := line[i+1:]
	if j := strings.IndexByte(rest, line[i]); j >= 0 {
		return rest[:j]
	}
	return rest
}

// SysctlKey is sysctl(8)'s name for a path below /proc/sys: each slash is a dot, and each dot a slash.
func SysctlKey(path string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '/':
			return '.'
		case '.':
			return '/'
		}
		return r
	}, path)
}
