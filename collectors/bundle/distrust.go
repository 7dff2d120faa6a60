package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/netcause/netcause/engine/facts"
)

// shellWords are the characters beside letters and digits that mean nothing to a shell within a word: those of device names
// as tools choose them, of hardware addresses, paths and sysctls.
const shellWords = "_.:@/%+=,-"

// isShellWord says whether a text stands for itself in a command line, and is no option there.
func isShellWord(text string) bool {
	return !strings.HasPrefix(text, "-") && !strings.ContainsFunc(text, meansSomething)
}

func meansSomething(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(shellWords, r)
}

// distrustNode keeps out of the commands that a diagnosis prints what a stranger's bundle could put there. The kernel takes
// `$(reboot)` for a device (dev_valid_name of net/core/dev.c): a group that has such a word counts as failed, for to leave
// one device or route out would make a fault of its absence. Names are the bundle's own and are written otherwise.
func distrustNode(n *facts.Node) {
	n.Name = plainName(n.Name)
	distrust(&n.KubeletConfig, func(yield func(string)) { yield(n.KubeletConfig.Value.File) })
	distrust(&n.ResolvConf, func(yield func(string)) { yield(n.ResolvConf.Value.File) })
	distrustNetNS(&n.NetNS)
	for _, ns := range n.Namespaces {
		ns.ID = plainName(ns.ID)
		distrustNetNS(&ns.NetNS)
	}
}

func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if meansSomething(r) {
			return '_'
		}
		return r
	}, strings.TrimLeft(name, "-"))
}

func distrustNetNS(n *facts.NetNS) {
	distrust(&n.Links, func(yield func(string)) {
		for _, l := range n.Links.Value {
			yield(l.Ifname)
			yield(l.Address)
			yield(l.Master)
			yield(l.Link)
		}
	})
	distrust(&n.Addresses, func(yield func(string)) {
		for _, a := range n.Addresses.Value {
			yield(a.Dev)
		}
	})
	distrust(&n.Routes, func(yield func(string)) {
		for _, r := range n.Routes.Value {
			yield(r.Dev)
			for _, hop := range r.Nexthops {
				yield(hop.Dev)
			}
		}
	})
	distrust(&n.Neighbours, func(yield func(string)) {
		for _, e := range n.Neighbours.Value {
			yield(e.Dev)
			yield(e.Lladdr)
		}
	})
	distrust(&n.FDB, func(yield func(string)) {
		for _, e := range n.FDB.Value {
			yield(e.Dev)
			yield(e.MAC)
			yield(e.Master)
		}
	})
	distrust(&n.Sysctls, func(yield func(string)) {
		for _, key := range slices.Sorted(maps.Keys(n.Sysctls.Value)) {
			yield(key)
		}
	})
}

// distrust fails a group that has a word which is none of its own in a command line.
func distrust[T any](g *facts.Group[T], words func(yield func(string))) {
	if g.Status != facts.Read {
		return
	}
	var bad []string
	words(func(word string) {
		if !isShellWord(word) {
			bad = append(bad, word)
		}
	})
	if len(bad) == 0 {
		return
	}
	var none T
	g.Value, g.Status = none, facts.Failed
	g.Reason = fmt.Sprintf("it has words that would be commands of their own where a fix names them: %s", few(bad))
}
