// Package iproute2 reads what ip(8), bridge(8) and ss(8) print, as text or (-j) as JSON, into facts.
//
// The texts are those of iproute2 3.x to 6.x, with any of -d, -s and -o. Each function takes the name of the text, which
// becomes the source of every fact together with the line that it stands in, and the text. None fails on a line that it
// does not understand: it is in the result's Unparsed. What the text does not say stays zero: each function's comment
// names that.
package iproute2

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// Parsed is what an output says.
type Parsed[T any] struct {
	Items    []T
	Unparsed lines.Unparsed
}

// isJSON says whether a text is the output of -j rather than that for people.
func isJSON(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && text[0] == '['
}

// words are the words of a line, read one after the other.
type words []string

// next takes the next word, "" at the end.
func (w *words) next() string {
	if len(*w) == 0 {
		return ""
	}
	word := (*w)[0]
	*w = (*w)[1:]
	return word
}

// peek is the next word, "" at the end.
func (w words) peek() string {
	if len(w) == 0 {
		return ""
	}
	return w[0]
}

// take takes the next word if it is this one.
func (w *words) take(word string) bool {
	if w.peek() != word {
		return false
	}
	w.next()
	return true
}

// number reads a decimal or 0x number; ok is false where it is none or does not fit.
func number[T int | uint32 | uint64](text string) (T, bool) {
	n, err := strconv.ParseUint(text, 0, 63)
	if err != nil || uint64(T(n)) != n {
		return 0, false
	}
	return T(n), true
}

// prefix reads "10.0.0.0/24" or an address that stands for itself. iproute2 leaves out zero bytes at the end of an IPv4
// prefix in old versions: "10.0/16".
func prefix(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	address, bits, ok := strings.Cut(text, "/")
	if !ok || strings.Contains(address, ":") {
		return netip.Prefix{}, false
	}
	for strings.Count(address, ".") < 3 {
		address += ".0"
	}
	p, err := netip.ParsePrefix(address + "/" + bits)
	return p, err == nil
}

func address(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a, err == nil
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "inet"
	}
	return "inet6"
}

// TableNames are routing tables by name: those of the kernel, and those of /etc/iproute2/rt_tables where it is known.
type TableNames map[string]int

// ParseTableNames reads /etc/iproute2/rt_tables.
func ParseTableNames(text []byte) TableNames {
	names := TableNames{}
	for _, line := range lines.All(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		if n, ok := number[int](fields[0]); ok {
			names[fields[1]] = n
		}
	}
	return names
}

func (names TableNames) number(table string) (int, bool) {
	switch table {
	case "main":
		return facts.TableMain, true
	case "local":
		return facts.TableLocal, true
	case "default":
		return facts.TableDefault, true
	case "unspec", "all":
		return 0, true
	}
	if n, ok := names[table]; ok {
		return n, true
	}
	return number[int](table)
}

// noise are lines that the programs write beside what they were asked for.
func noise(line string) bool {
	for _, start := range []string{
		"RTNETLINK answers", "Dump terminated", "Dump was interrupted", "Failed to find cgroup2 mount", "Cannot open netlink socket",
		"Error: Peer netns reference is invalid", "netlink receive error",
	} {
		if strings.HasPrefix(line, start) {
			return true
		}
	}
	return strings.TrimSpace(line) == ""
}
