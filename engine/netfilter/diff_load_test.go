package netfilter

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// load gives the rules to the kernel.
func (s *ruleSource) load(r *router) error {
	if _, err := r.run(strings.Join(s.ipset, "\n")+"\n", "ipset", "-exist", "restore"); err != nil {
		return err
	}
	for _, c := range []struct {
		backend Backend
		command []string
	}{
		{IPTablesNFT, []string{"iptables-nft-restore"}}, {IPTablesLegacy, []string{"iptables-legacy-restore"}}, {NFTables, []string{"nft", "-f", "-"}},
	} {
		for tries := 0; s.has(c.backend); tries++ {
			_, err := r.run(s.text(c.backend), c.command...)
			if err == nil {
				break
			}
			if tries == 12 || !s.withdraw(c.backend, err.Error()) {
				return err
			}
		}
	}
	return nil
}

var refusedLine = regexp.MustCompile(`(?:line:? |stdin:)([0-9]+)`)

// withdraw takes out the rules that a tool or the kernel refused: the grammar knows no such laws as that a rule asks for
// one protocol.
func (s *ruleSource) withdraw(b Backend, complaint string) bool {
	lines := strings.Split(s.text(b), "\n")
	found := false
	for _, m := range refusedLine.FindAllStringSubmatch(complaint, -1) {
		n, _ := strconv.Atoi(m[1])
		if n < 1 || n > len(lines) {
			continue
		}
		for _, t := range s.tables {
			for k, r := range t.rules {
				if t.backend == b && t.line(r) == lines[n-1] {
					t.rules = slices.Delete(t.rules, k, k+1)
					found = true
					break
				}
			}
		}
	}
	return found
}

// line writes a rule as the tool of its table reads it.
func (t *tableSource) line(r ruleLine) string {
	if t.backend == NFTables {
		return fmt.Sprintf("add rule %s %s %s", t.name, r.chain, r.text)
	}
	return fmt.Sprintf("-A %s %s", r.chain, r.text)
}

func (s *ruleSource) has(b Backend) bool {
	return slices.ContainsFunc(s.tables, func(t *tableSource) bool { return t.backend == b })
}

// text writes the tables of a backend as its tool reads them.
func (s *ruleSource) text(b Backend) string {
	var out strings.Builder
	for _, t := range s.tables {
		if t.backend != b {
			continue
		}
		if b == NFTables {
			fmt.Fprintf(&out, "table %s {\n%s\n}\n", t.name, strings.Join(t.head, "\n"))
			for _, r := range t.rules {
				out.WriteString(t.line(r) + "\n")
			}
			continue
		}
		fmt.Fprintf(&out, "*%s\n%s\n", t.name, strings.Join(t.head, "\n"))
		for _, r := range t.rules {
			out.WriteString(t.line(r) + "\n")
		}
		out.WriteString("COMMIT\n")
	}
	return out.String()
}

// views reads the rules back.
func (s *ruleSource) views(r *router) (map[string]*Ruleset, error) {
	var err error
	read := func(wanted bool, command ...string) string {
		if !wanted || err != nil {
			return ""
		}
		var text string
		text, err = r.run("", command...)
		return text
	}
	sets, _ := ParseIPSet(read(true, "ipset", "save"))
	base := Ruleset{IPSet: sets, LocalAddrs: routerLocals(), InterfaceAddrs: routerAddrs, BroadcastAddrs: routerBroadcasts()}
	if sets.ProblemCount > 0 {
		return nil, fmt.Errorf("ipset save: %v", sets.Problems)
	}
	nft := read(s.has(NFTables) || s.has(IPTablesNFT), "nft", "list", "ruleset")
	all, alone, json := base, base, base
	all.IPTables, _ = ParseIPTablesSave(read(s.has(IPTablesNFT), "iptables-nft-save"), IPTablesNFT, "ip")
	all.IPTablesLegacy, _ = ParseIPTablesSave(read(s.has(IPTablesLegacy), "iptables-legacy-save"), IPTablesLegacy, "ip")
	if all.NFT, _ = ParseNFT(nft); err != nil {
		return nil, err
	}
	out := map[string]*Ruleset{viewAll: &all}
	if s.has(NFTables) {
		json.IPTables, json.IPTablesLegacy = all.IPTables, all.IPTablesLegacy
		if json.NFT, err = ParseNFT(read(true, "nft", "-j", "list", "ruleset")); err != nil {
			return nil, err
		}
		out[viewJSON] = &json
	}
	if s.has(IPTablesNFT) || s.has(IPTablesLegacy) {
		for view, option := range map[string]string{viewList: "-nvL", viewRules: "-S"} {
			listed := base
			listed.NFT = all.NFT
			listed.IPTables = s.listed(r, IPTablesNFT, "iptables-nft", option)
			listed.IPTablesLegacy = s.listed(r, IPTablesLegacy, "iptables-legacy", option)
			out[view] = &listed
		}
	}
	if s.has(IPTablesNFT) {
		alone.IPTablesLegacy, alone.NFT = all.IPTablesLegacy, all.NFT
		out[viewNFTAlone] = &alone
	}
	return out, nil
}

// listed reads the tables of a backend one by one.
func (s *ruleSource) listed(r *router, b Backend, tool, option string) *Listing {
	var texts []TableText
	for _, table := range []string{"raw", "mangle", "nat", "filter", "security"} {
		text := ""
		if s.has(b) {
			text, _ = r.run("", tool, "-t", table, option) // the kernel may not have the table
		}
		texts = append(texts, TableText{table, text})
	}
	l, err := ParseIPTablesTables(texts, b, "ip")
	if err != nil {
		panic(err)
	}
	return l
}
