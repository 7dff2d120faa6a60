package bundle

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// chainShape is what two texts of one chain have in common whatever program printed them: how many rules it has, and which
// chains these send packets to, in order.
type chainShape struct {
	rules int
	jumps []string
}

func (c *chainShape) add(target string) {
	c.rules++
	if target != "" {
		c.jumps = append(c.jumps, target)
	}
}

// tableShape are a table's chains by name.
type tableShape map[string]*chainShape

func (t tableShape) chain(name string) *chainShape {
	if t[name] == nil {
		t[name] = &chainShape{}
	}
	return t[name]
}

// contradictions says where an iptables listing of the nf_tables backend and nft's of the same tables differ: both are views
// of the same rules, so one of them is of another time, or was made while rules were written. Which one, the texts do not
// tell. Counters differ whenever there is traffic, and are not compared.
func (b *built) contradictions(inet6 bool, n *facts.NetNS, g *facts.Group[facts.Listing]) {
	if g.Status != facts.Read || n.NFTables.Status != facts.Read || n.NFTables.Value.Format != "nft" || len(n.NFTables.Sources) == 0 {
		return
	}
	family := "ip"
	if inet6 {
		family = "ip6"
	}
	for i, raw := range g.Raw {
		tables := map[string]tableShape{}
		if g.Value.Format == facts.IPTablesList {
			if len(bytes.TrimSpace(raw.Data)) == 0 {
				continue
			}
			tables[g.Value.Tables[i]] = shapeOfList(raw.Data)
		} else {
			tables = shapesOfSave(raw.Data)
		}
		for _, table := range slices.Sorted(maps.Keys(tables)) {
			text, ok := nftTable(facts.Text(&n.NFTables), family, table)
			if !ok {
				text = nil // its built-in chains are shown all the same, and have no rules
			}
			if difference := differs(tables[table], shapeOfNFT(text)); difference != "" {
				b.notes = append(b.notes, fmt.Sprintf("%s and %s differ in table %s %s: %s. One was taken at another time: take both again at once",
					g.Sources[min(i, len(g.Sources)-1)], n.NFTables.Sources[0], family, table, difference))
			}
		}
	}
}

// builtinChains are those that a table's hooks have: iptables -L shows them where there are none.
var builtinChains = []string{"INPUT", "OUTPUT", "FORWARD", "PREROUTING", "POSTROUTING"}

// differs is the first difference of two texts of a table, in a few words.
func differs(list, nft tableShape) string {
	names := map[string]bool{}
	for name := range list {
		names[name] = true
	}
	for name := range nft {
		names[name] = true
	}
	none := &chainShape{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, inList := list[name]
		c, inNFT := nft[name]
		builtin := slices.Contains(builtinChains, name)
		switch {
		case !inList && !builtin:
			return "the second alone has chain " + printable(name)
		case !inNFT && !builtin:
			return "the first alone has chain " + printable(name)
		case !inList:
			a = none
		case !inNFT:
			c = none
		}
		switch {
		case a.rules != c.rules:
			return fmt.Sprintf("chain %s has %d and %d rules", printable(name), a.rules, c.rules)
		case !slices.Equal(a.jumps, c.jumps):
			return fmt.Sprintf("the rules of chain %s lead to other chains", printable(name))
		}
	}
	return ""
}

// shapeOfList reads `iptables -L` with whatever of -n, -v, -x and --line-numbers, or `iptables -S`.
func shapeOfList(text []byte) tableShape {
	t := tableShape{}
	chain, target := "", -1
	var jumps []struct{ chain, target string }
	for _, line := range lines.All(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0, strings.HasPrefix(line, "#"):
		case f[0] == "Chain" && len(f) > 1:
			chain, target = f[1], -1
			t.chain(chain)
		case (f[0] == "-P" || f[0] == "-N") && len(f) > 1:
			t.chain(f[1])
		case f[0] == "-A" && len(f) > 1:
			jumps = append(jumps, struct{ chain, target string }{f[1], targetOf(f)})
		case chain != "" && target < 0:
			target = slices.Index(f, "target")
		case chain != "" && target < len(f):
			jumps = append(jumps, struct{ chain, target string }{chain, f[target]})
		}
	}
	for _, j := range jumps {
		if t[j.target] == nil {
			j.target = ""
		}
		t.chain(j.chain).add(j.target)
	}
	return t
}

// targetOf is the target of a rule of iptables-save.
func targetOf(words []string) string {
	for i, word := range words[:max(len(words)-1, 0)] {
		if word == "-j" || word == "-g" {
			return words[i+1]
		}
	}
	return ""
}

// shapesOfSave reads iptables-save, by table.
func shapesOfSave(text []byte) map[string]tableShape {
	tables := map[string]tableShape{}
	var t tableShape
	for _, line := range lines.All(text) {
		line = strings.TrimSpace(line)
		if i := strings.Index(line, "] -A "); strings.HasPrefix(line, "[") && i > 0 { // counters
			line = line[i+2:]
		}
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "*"):
			t = tableShape{}
			tables[line[1:]] = t
		case t == nil || len(f) == 0:
		case strings.HasPrefix(line, ":"):
			t.chain(strings.TrimPrefix(f[0], ":"))
		case f[0] == "-A" && len(f) > 1:
			target := targetOf(f)
			if t[target] == nil {
				target = ""
			}
			t.chain(f[1]).add(target)
		}
	}
	return tables
}

// nftTable is the text of a table in nft's listing, with the chains in it.
func nftTable(ruleset []byte, family, name string) ([]byte, bool) {
	head := fmt.Sprintf("table %s %s {", family, name)
	i := bytes.Index(ruleset, []byte(head))
	if i < 0 || i > 0 && ruleset[i-1] != '\n' {
		return nil, false
	}
	text, _, _ := bytes.Cut(ruleset[i:], []byte("\n}"))
	return text, true
}

var nftJump = regexp.MustCompile(`\b(?:jump|goto) (\S+)`)

// quotedText is a comment or a name, which may have any words.
var quotedText = regexp.MustCompile(`"[^"]*"`)

// shapeOfNFT reads the text of a table.
func shapeOfNFT(text []byte) tableShape {
	t := tableShape{}
	var chain *chainShape
	for _, line := range lines.All(text) {
		line = strings.TrimSpace(line)
		switch name, isChain := strings.CutPrefix(line, "chain "); {
		case isChain && strings.Contains(line, "{"): // -a puts its handle behind
			name, _, _ = strings.Cut(name, " ")
			chain = t.chain(name)
		case line == "}":
			chain = nil
		case chain == nil, line == "", strings.HasPrefix(line, "type ") && strings.Contains(line, " hook "), strings.HasPrefix(line, "policy "):
		default:
			target := ""
			if m := nftJump.FindStringSubmatch(quotedText.ReplaceAllString(line, "")); m != nil {
				target = m[1]
			}
			chain.add(target)
		}
	}
	return t
}
