package netfilter

import (
	"slices"
	"strings"
)

// hookTables are the tables that iptables has at each hook.
var hookTables = map[Hook][]string{
	HookPrerouting: {"raw", "mangle", "nat"}, HookInput: {"mangle", "nat", "filter", "security"},
	HookForward: {"mangle", "filter", "security"}, HookOutput: {"raw", "mangle", "nat", "filter", "security"},
	HookPostrouting: {"mangle", "nat"},
}

// Shows says whether the listing would show every rule of a table of iptables, if the table had some. A listing of all
// tables shows each, also one that is not there; [ParseIPTablesTables] gives one of single tables, or of single chains.
func (l *Listing) Shows(table string) bool {
	for hook, tables := range hookTables {
		if slices.Contains(tables, table) && !l.showsHook(table, hook) {
			return false
		}
	}
	return true
}

func (l *Listing) showsHook(table string, hook Hook) bool {
	if l.shown == nil {
		return true
	}
	if !slices.Contains(l.shown, table) {
		return false
	}
	for i := range l.tables {
		if t := &l.tables[i]; t.name == table {
			// Kernels before 2.6.36 have no chain INPUT in nat.
			return l.chain(int32(i), strings.ToUpper(hook.String())) >= 0 || table == "nat" && hook == HookInput
		}
	}
	return true
}

// unreadTables gives the commands that show what is missing of a hook.
func (l *Listing) unreadTables(hook Hook, tool string) []string {
	var out []string
	for _, table := range hookTables[hook] {
		if !l.showsHook(table, hook) {
			out = append(out, tool+" -t "+table+" -nvL")
		}
	}
	return out
}

// ShowsHook says whether the listing would show every rule at the hook, with all that it asks for.
func (l *Listing) ShowsHook(hook Hook) bool {
	for _, table := range hookTables[hook] {
		if !l.showsHook(table, hook) || slices.Contains(l.noInterfaces, table) {
			return false
		}
	}
	return true
}

// withoutInterfaces gives the first table at a hook whose rules were listed without their interfaces, or nothing.
func (r *Ruleset) withoutInterfaces(plan []base) string {
	for _, b := range plan {
		c := b.rec()
		if table := b.l.tables[c.table].name; slices.Contains(b.l.noInterfaces, table) && c.ruleFrom != c.ruleEnd {
			return table
		}
	}
	return ""
}
