// Package conntrack reads what conntrack(8) and the kernel's files below /proc/net print of tracked connections.
package conntrack

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// ParseCounters reads the output of `conntrack -S` or the file /proc/net/stat/nf_conntrack: sums over all processors. It
// gives nil where the text is neither.
func ParseCounters(text []byte) (map[string]uint64, lines.Unparsed) {
	var unparsed lines.Unparsed
	var sums map[string]uint64
	var columns []string
	add := func(key string, n uint64) {
		if sums == nil {
			sums = map[string]uint64{}
		}
		sums[key] += n
	}
	for n, line := range lines.All(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[0] == "entries": // nf_conntrack_standalone.c, ct_cpu_seq_show
			columns = f
		case columns != nil && len(f) == len(columns):
			for i, text := range f {
				value, err := strconv.ParseUint(text, 16, 64)
				if err != nil {
					unparsed.Add(n, line)
					break
				}
				if counters[columns[i]] {
					add(columns[i], value)
				}
			}
		case strings.HasPrefix(f[0], "cpu="):
			for _, word := range f[1:] {
				key, text, _ := strings.Cut(word, "=")
				value, err := strconv.ParseUint(text, 10, 64)
				switch {
				case err != nil:
					unparsed.Add(n, line)
				case counters[key]:
					add(key, value)
				}
			}
		default:
			unparsed.Add(n, line)
		}
	}
	return sums, unparsed
}

// counters are those that facts have.
var counters = map[string]bool{
	"found": true, "invalid": true, "insert": true, "insert_failed": true, "drop": true, "early_drop": true, "error": true,
	"search_restart": true, "clash_resolve": true, "chaintoolong": true,
}

// ParseEntries reads the output of `conntrack -L`, with or without -o extended, or the file /proc/net/nf_conntrack.
func ParseEntries(text []byte) ([]facts.ConntrackEntry, lines.Unparsed) {
	entries := []facts.ConntrackEntry{}
	var unparsed lines.Unparsed
	for n, line := range lines.All(text) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(line, "conntrack v") {
			continue
		}
		e, ok := entry(f)
		if !ok {
			unparsed.Add(n, line)
			continue
		}
		entries = append(entries, e)
	}
	return entries, unparsed
}

// entry reads "ipv4 2 tcp 6 431994 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=… [ASSURED] mark=0 use=1", where
// conntrack -L leaves out the family.
func entry(f []string) (facts.ConntrackEntry, bool) {
	var e facts.ConntrackEntry
	if f[0] == "ipv4" || f[0] == "ipv6" {
		if len(f) < 2 {
			return e, false
		}
		f = f[2:]
	}
	if len(f) < 5 {
		return e, false
	}
	if _, err := strconv.ParseUint(f[1], 10, 8); err != nil {
		return e, false
	}
	e.Proto = f[0]
	f = f[2:]
	if timeout, err := strconv.ParseUint(f[0], 10, 32); err == nil {
		e.Timeout, f = uint32(timeout), f[1:]
	}
	tuple, seen := &e.Orig, map[string]bool{}
	e.Flags = []string{"SEEN_REPLY"}
	for _, word := range f {
		switch word {
		case "[UNREPLIED]":
			e.Flags[0] = "UNREPLIED"
			continue
		case "[ASSURED]":
			e.Flags = append(e.Flags, "ASSURED")
			continue
		}
		key, value, pair := strings.Cut(word, "=")
		if !pair {
			if e.State == "" && strings.ToUpper(word) == word && word[0] != '[' {
				e.State = word
			}
			continue
		}
		if key == "src" && seen["src"] {
			tuple, seen = &e.Reply, map[string]bool{}
		}
		seen[key] = true
		if !tupleField(&e, tuple, key, value) {
			return e, false
		}
	}
	if e.Family = "inet"; e.Orig.Src.Is6() {
		e.Family = "inet6"
	}
	return e, e.Orig.Src.IsValid() && e.Orig.Dst.IsValid() && e.Reply.Src.IsValid() && e.Reply.Dst.IsValid()
}

func tupleField(e *facts.ConntrackEntry, tuple *facts.Tuple, key, value string) bool {
	var err error
	var n uint64
	switch key {
	case "src":
		tuple.Src, err = netip.ParseAddr(value)
	case "dst":
		tuple.Dst, err = netip.ParseAddr(value)
	case "sport":
		n, err = strconv.ParseUint(value, 10, 16)
		tuple.Sport = int(n)
	case "dport":
		n, err = strconv.ParseUint(value, 10, 16)
		tuple.Dport = int(n)
	case "packets":
		tuple.Packets, err = strconv.ParseUint(value, 10, 64)
	case "bytes":
		tuple.Bytes, err = strconv.ParseUint(value, 10, 64)
	case "mark":
		n, err = strconv.ParseUint(value, 10, 32)
		e.Mark = uint32(n)
	case "zone":
		n, err = strconv.ParseUint(value, 10, 16)
		e.Zone = int(n)
	}
	return err == nil
}
