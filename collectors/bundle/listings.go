package bundle

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// netfilter hands on the texts of netfilter's listings; engine/netfilter parses them.
func (b *built) netfilter(netns string, n *facts.NetNS) {
	n.NFTables = b.listing(netns, nftRuleset, "nft list ruleset", func(o *output) (facts.Listing, bool) {
		text := bytes.TrimLeft(o.text, " \t\r\n")
		switch {
		case bytes.HasPrefix(text, []byte("{")):
			return facts.Listing{Format: "nft-json"}, true
		case len(text) == 0, bytes.HasPrefix(text, []byte("table ")), bytes.HasPrefix(text, []byte("# Warning: table ")):
			return facts.Listing{Format: "nft"}, true
		}
		return facts.Listing{}, false
	})
	if n.NFTables.Status == facts.Read && len(bytes.TrimSpace([]byte(facts.Text(&n.NFTables)))) == 0 {
		// iptables -L shows the heads of its table's chains, whatever is in them.
		for _, o := range b.all(netns, iptablesTable) {
			if len(bytes.TrimSpace(o.text)) == 0 {
				n.NFTables = facts.Unread[facts.Listing](facts.Failed, "it is empty, and so is "+o.file+", which always shows chains", n.NFTables.Sources...)
				break
			}
		}
	}
	n.IPSet = b.listing(netns, ipsetSave, "ipset save", func(o *output) (facts.Listing, bool) {
		text := bytes.TrimLeft(o.text, " \r\n")
		return facts.Listing{Format: "ipset-save"}, len(text) == 0 || bytes.HasPrefix(text, []byte("create "))
	})
	if o := b.best(netns, ipsetList); o != nil && n.IPSet.Status != facts.Read {
		if text, ok := ipsetSaveOf(o.text); ok {
			n.IPSet = readListing(facts.Listing{Format: "ipset-save"}, &output{file: o.file, text: text})
			o.used.facts("ipset")
		}
	}
	n.IPVS = b.listing(netns, ipvsTable, "/proc/net/ip_vs", ipvsListing)
	for _, o := range b.all(netns, ipvsTable) {
		// ipvsadm asks for the kernel's ip_vs by a socket option (ENOPROTOOPT), and has tried to load it before.
		if n.IPVS.Status != facts.Read && bytes.HasPrefix(bytes.TrimSpace(o.text), []byte("Can't initialize ipvs: Protocol not available")) {
			n.IPVS = facts.ReadGroup(facts.Listing{Format: "ipvsadm"}, facts.Source(o.file))
			n.IPVS.Reason = "ip_vs is not in the kernel"
			o.used.facts("ipvs")
		}
	}
	for _, of := range []struct {
		inet6       bool
		nft, legacy *facts.Group[facts.Listing]
		save        string
	}{
		{false, &n.IPTablesNFT, &n.IPTablesLegacy, "iptables"}, {true, &n.IP6TablesNFT, &n.IP6TablesLegacy, "ip6tables"},
	} {
		*of.nft = absent[facts.Listing](of.save + "-nft-save")
		*of.legacy = absent[facts.Listing](of.save + "-legacy-save")
		b.saves(netns, of.inet6, n, of.nft, of.legacy)
		b.lists(netns, of.inet6, n, of.nft, of.legacy)
		b.contradictions(of.inet6, n, of.nft)
		b.legacyTables(netns, of.inet6, of.legacy)
	}
}

// ipvsListing says whether a text is /proc/net/ip_vs, `ipvsadm -Ln` or `ipvsadm -Sn`. With --stats, --rate or -c the table has
// other columns; without -n it has names. A saved table without servers is empty.
func ipvsListing(o *output) (facts.Listing, bool) {
	text := bytes.TrimLeft(o.text, " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("IP Virtual Server")):
		if !bytes.Contains(text[:min(len(text), headSize)], []byte("Forward Weight")) {
			return facts.Listing{}, false
		}
		if strings.Contains(o.command.line, "ipvsadm") || !ipvsHex.Match(text) && bytes.Contains(text, []byte("\nTCP ")) {
			return facts.Listing{Format: "ipvsadm"}, true
		}
		return facts.Listing{Format: "proc-ip_vs"}, true
	case bytes.HasPrefix(text, []byte("-A ")), len(text) == 0 && strings.Contains(o.command.line, "ipvsadm"):
		return facts.Listing{Format: "ipvsadm"}, true
	}
	return facts.Listing{}, false
}

// ipvsHex is a server of /proc/net/ip_vs.
var ipvsHex = regexp.MustCompile(`(?m)^(TCP|UDP|SCTP) +(\[[0-9a-f:]{39}\]|[0-9A-F]{8}):[0-9A-F]{4} `)

// ipsetSaveOf writes what `ipset list` prints as `ipset save` would: one is what facts have, the other what most bundles
// have. ok is false where a line is neither of a set's head nor one of its members.
func ipsetSaveOf(list []byte) (save []byte, ok bool) {
	var b bytes.Buffer
	var name, kind string
	members := false
	for _, line := range lines.All(list) {
		key, value, colon := strings.Cut(line, ": ")
		switch {
		case strings.TrimSpace(line) == "":
			members = false
		case !members && colon && key == "Name":
			name, kind = value, ""
		case !members && colon && key == "Type":
			kind = value
		case !members && colon && key == "Header" && name != "" && kind != "":
			fmt.Fprintf(&b, "create %s %s %s\n", name, kind, strings.TrimSpace(value))
		case !members && colon && (key == "Revision" || key == "Size in memory" || key == "References" || key == "Number of entries"):
		case !members && strings.TrimSpace(line) == "Members:":
			members = true
		case members && name != "":
			fmt.Fprintf(&b, "add %s %s\n", name, strings.TrimSpace(line))
		default:
			return nil, false
		}
	}
	return b.Bytes(), true
}

func (b *built) listing(netns string, s subject, command string, format func(*output) (facts.Listing, bool)) facts.Group[facts.Listing] {
	g := absent[facts.Listing](command)
	for _, o := range b.all(netns, s) {
		listing, ok := format(o)
		switch {
		case !ok && g.Status != facts.Read:
			g = facts.Unread[facts.Listing](refusal(string(o.text)), fmt.Sprintf("%s says: %s", o.file, printable(firstLine(o.text))), facts.Source(o.file))
		case ok && (g.Status != facts.Read || len(o.text) > len(facts.Text(&g))):
			g = readListing(listing, o)
			o.used.facts(map[subject]string{nftRuleset: "nftables", ipsetSave: "ipset", ipvsTable: "ipvs"}[s])
		}
	}
	return g
}

func readListing(listing facts.Listing, o *output) facts.Group[facts.Listing] {
	g := facts.ReadGroup(listing, facts.Source(o.file))
	g.Raw = []facts.Raw{{Name: o.file, Data: o.text}}
	return g
}

func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimLeft(text, " \t\r\n"), []byte("\n"))
	return string(line[:min(len(line), 200)])
}

// saves reads iptables-save's listings: their first line tells the backend where the command's name does not. Those that
// neither tells of come last, beside what the others are.
func (b *built) saves(netns string, inet6 bool, n *facts.NetNS, nft, legacy *facts.Group[facts.Listing]) {
	keep := func(o *output, backend, version string) {
		g, name := nft, "iptables_nft"
		if backend == "legacy" {
			g, name = legacy, "iptables_legacy"
		}
		if inet6 {
			name = strings.Replace(name, "ip", "ip6", 1)
		}
		if g.Status != facts.Read || len(o.text) > len(facts.Text(g)) {
			*g = readListing(facts.Listing{Format: "iptables-save", Version: version}, o)
			o.used.facts(name)
		}
	}
	outputs := slices.DeleteFunc(b.all(netns, iptablesSave), func(o *output) bool { return o.command.inet6 != inet6 })
	for _, o := range outputs {
		if backend, version, ok := saveBackend(o); ok && backend != "" {
			keep(o, backend, version)
		}
	}
	for _, o := range outputs {
		if backend, version, ok := saveBackend(o); ok && backend == "" {
			keep(o, b.plainSaveBackend(inet6, n, o, legacy), version)
		}
	}
}

// saveBackend says which backend an iptables-save shows, "" where nothing of it tells. Its first line is "# Generated by
// iptables-save v1.8.9 (nf_tables) on …": since 1.8.8 (iptables/xtables-save.c) nf_tables is named, before 1.8 there was the
// legacy backend alone, between them a program's own name tells at best. An empty text tells only where the program's name does.
func saveBackend(o *output) (backend, version string, ok bool) {
	i := bytes.Index(o.text[:min(len(o.text), 4096)], []byte("# Generated by "))
	if i < 0 {
		return o.command.backend, "", o.command.backend != "" && len(bytes.TrimSpace(o.text)) == 0
	}
	words := strings.Fields(firstLine(o.text[i:]))
	for j, word := range words {
		if strings.HasPrefix(word, "v1.") {
			version = strings.TrimPrefix(word, "v")
			if j+1 < len(words) && words[j+1] == "(nf_tables)" {
				backend = "nft"
			}
		}
	}
	program := words[min(3, len(words)-1)]
	switch {
	case backend != "":
	case strings.Contains(program, "-nft-") || strings.HasPrefix(program, "xtables-"):
		backend = "nft"
	case strings.Contains(program, "-legacy-"):
		backend = "legacy"
	case !unnamedBackend.MatchString(version):
		backend = "legacy"
	default:
		backend = o.command.backend
	}
	return backend, version, version != ""
}

// unnamedBackend are the versions whose iptables-save of nf_tables has the same first line as the legacy one.
var unnamedBackend = regexp.MustCompile(`^1\.8\.[0-7]$`)

// plainSaveBackend is what an iptables-save of those versions most likely shows. The legacy one never warns of legacy tables;
// nft shows nf_tables' chains as well; and a listing that repeats the legacy one is of that. Else it is nf_tables: of the
// distributions with these versions all but one use that.
func (b *built) plainSaveBackend(inet6 bool, n *facts.NetNS, o *output, legacy *facts.Group[facts.Listing]) string {
	if bytes.Contains(o.text[:min(len(o.text), 4096)], []byte("legacy tables present")) {
		return "nft"
	}
	if legacy.Status == facts.Read && slices.Equal(appended(facts.Text(legacy)), appended(o.text)) {
		return "legacy"
	}
	if n.NFTables.Status != facts.Read || n.NFTables.Value.Format == "nft-json" {
		return cmp.Or(b.programBackend(), "nft")
	}
	family := "ip"
	if inet6 {
		family = "ip6"
	}
	var table []byte
	chains, shown := 0, 0
	for _, line := range lines.All(o.text) {
		switch {
		case strings.HasPrefix(line, "*"):
			table, _ = nftTable(facts.Text(&n.NFTables), family, strings.TrimSpace(line[1:]))
		case strings.HasPrefix(line, ":") && strings.Contains(line, " - ["):
			chain, _, _ := strings.Cut(line[1:], " ")
			chains++
			if bytes.Contains(table, []byte("chain "+chain+" {")) {
				shown++
			}
		case len(table) == 0 && (strings.HasPrefix(line, "-A ") || strings.HasPrefix(line, "[")):
			return "legacy"
		}
	}
	if 2*shown < chains {
		return "legacy"
	}
	return "nft"
}

// programBackend is the backend of the program that the machine calls iptables: what its version says, else what its kernel
// does. "" is not known.
func (b *built) programBackend() string {
	for _, o := range b.all("", iptablesVersion) {
		words := strings.Fields(firstLine(o.text)) // "iptables v1.8.9 (nf_tables)", "iptables v1.4.21"
		switch {
		case len(words) < 2 || !strings.HasPrefix(words[1], "v1.") || o.command.backend != "":
		case len(words) > 2 && words[2] == "(nf_tables)":
			return "nft"
		case len(words) > 2 && words[2] == "(legacy)", !strings.HasPrefix(words[1], "v1.8"):
			return "legacy"
		}
	}
	if o := b.best("", uname); o != nil {
		// nf_tables came with Linux 3.13; RHEL 7 has 3.10, and an iptables 1.4 without it.
		var major, minor int
		if f := strings.Fields(string(o.text)); len(f) > 2 {
			if n, _ := fmt.Sscanf(f[2], "%d.%d", &major, &minor); n == 2 && (major < 3 || major == 3 && minor < 13) {
				return "legacy"
			}
		}
	}
	return ""
}

// appended are the rules of an iptables-save, without their counters.
func appended(save []byte) []string {
	var rules []string
	for _, line := range lines.All(save) {
		if i := strings.Index(line, "-A "); i == 0 || i > 0 && line[0] == '[' {
			rules = append(rules, strings.TrimSpace(line[i:]))
		}
	}
	return rules
}

// lists reads `iptables -t TABLE -nvL`. Its text does not tell the backend: it is that of nf_tables where nft shows the
// table's chains, else not known.
func (b *built) lists(netns string, inet6 bool, n *facts.NetNS, nft, legacy *facts.Group[facts.Listing]) {
	var nftTables, legacyTables []*output
	seen := map[string]bool{}
	for _, o := range b.all(netns, iptablesTable) {
		if o.command.inet6 != inet6 || seen[o.command.table+o.command.backend] {
			continue
		}
		text := strings.TrimLeft(string(o.text), " \r\n")
		if !strings.Contains(text, "Chain ") && !strings.HasPrefix(text, "-P ") && !strings.HasPrefix(text, "-N ") {
			continue
		}
		backend := o.command.backend
		why := "it does not say which backend of iptables it shows, and no nft list ruleset tells it"
		if backend == "" {
			var odd string
			if backend, odd = b.listBackend(inet6, n, o); odd != "" {
				why = "it does not say which backend of iptables it shows: chain " + odd + " of it is not among those of nft list ruleset, so it is of the other backend or of another time"
				b.notes = append(b.notes, o.file+" is not used: "+why)
			} else if backend == "" {
				backend = b.programBackend()
			}
		}
		seen[o.command.table+o.command.backend] = true
		switch backend {
		case "nft":
			nftTables = append(nftTables, o)
		case "legacy":
			legacyTables = append(legacyTables, o)
		default:
			o.used.PassedOver = why
		}
	}
	for _, of := range []struct {
		g       *facts.Group[facts.Listing]
		outputs []*output
		name    string
	}{{nft, nftTables, "iptables_nft"}, {legacy, legacyTables, "iptables_legacy"}} {
		if of.g.Status == facts.Read || len(of.outputs) == 0 {
			continue
		}
		g := facts.ReadGroup(facts.Listing{Format: facts.IPTablesList})
		for _, o := range of.outputs {
			g.Sources = append(g.Sources, facts.Source(o.file))
			g.Raw = append(g.Raw, facts.Raw{Name: o.file, Data: o.text})
			g.Value.Tables = append(g.Value.Tables, o.command.table)
			name := of.name
			if inet6 {
				name = strings.Replace(name, "ip", "ip6", 1)
			}
			o.used.facts(name)
		}
		g.Reason = "the tables " + strings.Join(g.Value.Tables, ", ") + " alone"
		*of.g = g
	}
}

// listBackend tells an iptables -L's backend by its chains: nft shows those of nf_tables as well. Where it does so of its
// table, odd is the first chain that it does not show.
func (b *built) listBackend(inet6 bool, n *facts.NetNS, o *output) (backend, odd string) {
	if n.NFTables.Status != facts.Read {
		return "", ""
	}
	family := "ip"
	if inet6 {
		family = "ip6"
	}
	if n.NFTables.Value.Format == "nft-json" {
		return "", ""
	}
	shown := shapeOfList(o.text)
	table, ok := nftTable(facts.Text(&n.NFTables), family, o.command.table)
	if !ok {
		// iptables-nft shows the built-in chains of a table that is not there.
		for _, chain := range shown {
			if chain.rules > 0 {
				return "legacy", ""
			}
		}
		return "", ""
	}
	chains := 0
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if slices.Contains(builtinChains, name) {
			continue
		}
		if chains++; !bytes.Contains(table, []byte("chain "+name+" {")) {
			return "", printable(name)
		}
	}
	if chains == 0 {
		return "", ""
	}
	return "nft", ""
}

// legacyTables uses what /proc/net/ip_tables_names says: an empty file is knowledge, of tables without a listing it tells
// that there are such.
func (b *built) legacyTables(netns string, inet6 bool, legacy *facts.Group[facts.Listing]) {
	for _, o := range b.all(netns, legacyTables) {
		if o.command.inet6 != inet6 {
			continue
		}
		name := "iptables_legacy"
		if inet6 {
			name = "ip6tables_legacy"
		}
		tables := strings.Fields(string(o.text))
		switch {
		case len(tables) == 0 && legacy.Status == facts.Absent:
			*legacy = facts.ReadGroup(facts.Listing{Format: "iptables-save"}, facts.Source(o.file))
			o.used.facts(name)
		case len(tables) > 0 && legacy.Status == facts.Absent:
			legacy.Reason = fmt.Sprintf("the kernel has legacy tables (%s: %s), and no listing of them is there", o.file, strings.Join(tables, ", "))
			o.used.facts(name)
		}
		return
	}
	warned := slices.ContainsFunc(b.outputs, func(o output) bool {
		return o.command.netns == netns && bytes.Contains(o.text[:min(len(o.text), 4096)], []byte("# Warning: iptables-legacy tables present"))
	})
	if warned && legacy.Status == facts.Absent {
		legacy.Reason = "there are legacy tables: iptables warned of them, and no listing of them is there"
	}
}
