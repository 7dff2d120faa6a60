package netconf

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// flags are a process's command line flags, in order.
type flags []flag

type flag struct{ name, value string }

// parseFlags reads --name=value and --name value, as pflag does. A flag that nothing follows, or another flag, is true.
func parseFlags(args []string) flags {
	var parsed flags
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "--")
		if !ok || name == "" {
			continue
		}
		name, value, found := strings.Cut(name, "=")
		switch {
		case found:
		case i+1 < len(args) && !strings.HasPrefix(args[i+1], "-"):
			i++
			value = args[i]
		default:
			value = "true"
		}
		parsed = append(parsed, flag{strings.ReplaceAll(name, "_", "-"), value})
	}
	return parsed
}

// last is the value of the last flag of that name, "" where there is none.
func (f flags) last(name string) string {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].name == name {
			return f[i].value
		}
	}
	return ""
}

// list is the comma-separated values of all flags of that name.
func (f flags) list(name string) []string {
	var values []string
	for _, flag := range f {
		if flag.name == name {
			values = append(values, splitComma(flag.value)...)
		}
	}
	return values
}

func splitComma(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// component is a running kubelet or kube-proxy.
type component struct {
	pid    int
	source facts.Source
	flags  flags
	// embedded: it runs inside k3s, which has a configuration of its own.
	embedded bool
}

// findComponent finds the node's kubelet or kube-proxy ("kubelet", "kube-proxy") among its processes: one of its own
// name, or k3s, which has both in it. A process in another network namespace is another node's (a node in a container),
// except where the namespaces were not told at all.
func findComponent(processes []facts.Process, name string) *component {
	told := slices.ContainsFunc(processes, func(p facts.Process) bool { return p.HostNetwork })
	var embedded *component
	for _, p := range processes {
		if told && !p.HostNetwork {
			continue
		}
		program, args := p.Comm, p.Args
		if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			program, args = path.Base(args[0]), args[1:]
		}
		c := &component{pid: p.PID, source: p.Source, flags: parseFlags(args)}
		if c.source == "" {
			c.source = facts.Source(fmt.Sprintf("ps -p %d -o args", p.PID))
		}
		switch {
		case program == name || p.Comm == name, program == "hyperkube" && slices.Contains(args[:min(1, len(args))], name):
			return c
		case embedded == nil && (program == "k3s" || strings.HasPrefix(p.Comm, "k3s-")):
			c.embedded = true
			embedded = c
		}
	}
	return embedded
}
