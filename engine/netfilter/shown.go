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

// unseenInterfaces gives the condition that rules have which were listed without their interfaces.
func (r *Ruleset) unseenInterfaces(hook Hook, family string) []string {
	var out []string
	for _, l := range [...]*Listing{r.IPTables, r.IPTablesLegacy, r.IP6Tables, r.IP6TablesLegacy} {
		if l == nil {
			continue
		}
		for _, table := range l.noInterfaces {
			t := l.table(family, table)
			if t < 0 || r.shadowed(l, &l.tables[t]) || !slices.Contains(hookTables[hook], table) {
				continue
			}
			out = append(out, "the rules of table "+table+" ask for no interface, which its listing without -v does not show")
		}
	}
	return out
}
