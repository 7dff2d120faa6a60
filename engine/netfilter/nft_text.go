package netfilter

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseNFT parses `nft list ruleset`, with or without -a, or `nft -j list ruleset`; it tells them apart.
// A rule of a JSON listing is put into the words of the text listing; its Line is the line of the JSON.
func ParseNFT(text string) (*Listing, error) {
	if len(text) > math.MaxInt32 {
		return nil, fmt.Errorf("parse nft ruleset: %w", ErrTooLarge)
	}
	if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
		return parseNFTJSON(text)
	}
	return parseNFTText(text), nil
}

func parseNFTText(text string) *Listing {
	p := nftParser{l: &Listing{backend: NFTables, text: text}, table: -1, chain: -1}
	p.l.rules = make([]ruleRec, 0, len(text)/96+8)
	for p.pos < len(text) {
		p.next()
	}
	if p.table >= 0 {
		p.l.problem(int(p.line), "", "table without end")
	}
	p.l.finish()
	p.l.markManaged()
	return p.l
}

// nftParser reads a listing line by line: a table holds blocks, a block holds lines.
type nftParser struct {
	l       *Listing
	pos     int
	line    uint32
	table   int32
	chain   int32
	block   string // kind of the open block in a table; empty outside one
	set     int32
	skip    int // open braces of a block that is not read
	managed bool
}

// takeLine gives the span of the next line without surrounding white space and handle comment.
func (p *nftParser) takeLine() (from, to int, handle uint32) {
	text := p.l.text
	p.line++
	from = p.pos
	to = strings.IndexByte(text[from:], '\n')
	if to < 0 {
		to = len(text)
	} else {
		to += from
	}
	p.pos = to + 1
	for from < to && (text[from] == ' ' || text[from] == '\t') {
		from++
	}
	tail := max(from, to-len("# handle 4294967295")-2)
	if i := strings.LastIndex(text[tail:to], "# handle "); i >= 0 {
		i += tail - from
		if n, err := strconv.ParseUint(strings.TrimSpace(text[from+i+9:to]), 10, 32); err == nil {
			handle, to = uint32(n), from+i
		}
	}
	for to > from && (text[to-1] == ' ' || text[to-1] == '\t' || text[to-1] == '\r') {
		to--
	}
	return from, to, handle
}

func (p *nftParser) next() {
	from, to, handle := p.takeLine()
	s := p.l.text[from:to]
	switch {
	case s == "":
	case p.skip > 0:
		p.skip += braces(s)
	case s[0] == '#':
		if strings.HasPrefix(s, "# Warning: ") {
			if strings.Contains(s, "is managed by iptables-nft") {
				p.managed = true
			}
			if strings.Contains(s, "legacy tables present") && p.l.legacyPresent == 0 {
				p.l.legacyPresent = int(p.line)
			}
		}
	case p.table < 0:
		p.outside(s)
	case p.block == "":
		p.inTable(s, handle)
	case s == "}":
		p.block = ""
	case p.block == "chain":
		p.inChain(from, to)
	default:
		p.inSet(from, to)
	}
}

func (p *nftParser) outside(s string) {
	words := strings.Fields(s)
	if len(words) < 3 || words[0] != "table" || words[len(words)-1] != "{" {
		p.l.problem(int(p.line), s, "is no table")
		p.skip = max(0, braces(s))
		return
	}
	family, name := "ip", words[1]
	if len(words) > 3 {
		family, name = words[1], words[2]
	}
	p.table = p.l.addTable(family, name, p.line)
	p.l.tables[p.table].managed = p.managed
	p.managed = false
}

func (l *Listing) addTable(family, name string, line uint32) int32 {
	if t := l.table(family, name); t >= 0 {
		return t
	}
	return l.newTable(tableRec{
		family: family, name: name, line: line, byName: map[string]int32{}, sets: map[string]int32{},
	})
}

func (p *nftParser) inTable(s string, handle uint32) {
	if s == "}" {
		p.table = -1
		return
	}
	if !strings.HasSuffix(s, "{") {
		if !strings.HasPrefix(s, "comment ") && !strings.HasPrefix(s, "flags ") {
			p.l.problem(int(p.line), s, "is no part of a table")
		}
		p.skip = max(0, braces(s))
		return
	}
	kind, name, _ := strings.Cut(strings.TrimSpace(strings.TrimSuffix(s, "{")), " ")
	name = strings.Trim(name, `"`)
	t := &p.l.tables[p.table]
	switch kind {
	case "chain":
		p.block = kind
		c, ok := t.byName[name]
		if !ok {
			c = int32(len(p.l.chains))
			p.l.chains = append(p.l.chains, chainRec{name: name, table: p.table, line: p.line, handle: handle})
			t.byName[name] = c
		}
		p.chain = c
	case "set", "map":
		p.block = kind
		p.set = int32(len(p.l.maps))
		p.l.maps = append(p.l.maps, mapRec{name: name, line: p.line})
		t.sets[name] = p.set
	default: // flowtable, counter, quota, limit, ct helper, secmark, synproxy: no rule of theirs
		p.skip = 1
	}
}

// inChain reads a base chain's header or a rule. A rule goes on over lines while a brace is open.
func (p *nftParser) inChain(from, to int) {
	text := p.l.text
	s := text[from:to]
	c := &p.l.chains[p.chain]
	if strings.HasPrefix(s, "type ") && strings.Contains(s, " hook ") {
		c.header(s)
		return
	}
	if strings.HasPrefix(s, "comment ") {
		if i := strings.LastIndexByte(s, '"'); i == len(s)-1 || strings.HasSuffix(s, `";`) {
			return
		}
	}
	if strings.HasPrefix(s, "policy ") && strings.HasSuffix(s, ";") {
		c.policy = strings.TrimSuffix(s[len("policy "):], ";")
		return
	}
	line := p.line
	for open := braces(s); open > 0 && p.pos < len(text); {
		f, t, _ := p.takeLine()
		open += braces(text[f:t])
		to = t
	}
	// An nft that lacks libxtables' extension for a part of a rule breaks the line behind its complaint.
	for strings.HasSuffix(text[from:to], " not found") && strings.Contains(text[from:to], "XT ") && p.pos < len(text) {
		pos, number := p.pos, p.line
		f, t, _ := p.takeLine()
		if text[f:t] == "}" {
			p.pos, p.line = pos, number
			break
		}
		if f == t {
			break
		}
		to = t
	}
	p.addRule(from, to, line)
}

// addRule keeps a rule as a span and where it leads. The rest of it is read when somebody asks.
func (p *nftParser) addRule(from, to int, line uint32) {
	r := ruleRec{off: uint32(from), len: uint32(to - from), chain: p.chain, line: line}
	r.findTarget(p.l.text)
	p.l.rules = append(p.l.rules, r)
}

// findTarget notes where a rule of a text leads.
func (r *ruleRec) findTarget(text string) {
	rule := text[r.off : r.off+r.len]
	if at, n := jumpOf(rule); n > 0 && n <= math.MaxUint16 {
		r.tOff, r.tLen = r.off+uint32(at), uint16(n)
	}
	if strings.Contains(rule, "maxseg size set") || strings.Contains(rule, "TCPMSS") && decodeNFT(rule).Target.Name == "TCPMSS" {
		r.flags |= flagMSS
	}
}

// jumpOf finds the chain that a rule itself jumps or goes to, outside of braces and quotes; n is 0 where there is none.
func jumpOf(text string) (at, n int) {
	depth, leads := 0, false
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ', '\t', '\n', '\r', ',':
			i++
		case '{':
			depth++
			i++
		case '}':
			depth--
			i++
		case '"':
			end := strings.IndexByte(text[i+1:], '"')
			if end < 0 {
				return at, n
			}
			i += end + 2
		default:
			from := i
			for i < len(text) && !nftBreaks[text[i]] {
				i++
			}
			word := text[from:i]
			switch {
			case depth > 0:
			case leads:
				at, n, leads = from, len(word), false
			default:
				leads = word == "jump" || word == "goto"
			}
		}
	}
	return at, n
}

// nftBreaks are the bytes that end a word.
var nftBreaks = [256]bool{' ': true, '\t': true, '\n': true, '\r': true, '{': true, '}': true, ',': true}

// header reads "type nat hook prerouting priority dstnat - 10; policy accept;".
func (c *chainRec) header(s string) {
	for part := range strings.SplitSeq(s, ";") {
		w := strings.Fields(part)
		for i := 0; i+1 < len(w); i++ {
			switch w[i] {
			case "type":
				c.kind = w[i+1]
			case "hook":
				c.hook = w[i+1]
			case "policy":
				c.policy = w[i+1]
			case "priority":
				c.priority = nftPriority(w[i+1:])
			}
		}
	}
}

// nftPriority reads "-100", "dstnat" or "dstnat - 10". The names are of nft(8), families ip, ip6, inet.
func nftPriority(w []string) int {
	base := map[string]int{
		"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100,
	}
	n, ok := base[w[0]]
	if !ok {
		n, _ = strconv.Atoi(w[0])
		return n
	}
	if len(w) >= 3 {
		d, _ := strconv.Atoi(w[2])
		if w[1] == "-" {
			d = -d
		}
		n += d
	}
	return n
}

// inSet reads a line of a set or map. Its elements may go on over many lines.
func (p *nftParser) inSet(from, to int) {
	text := p.l.text
	m := &p.l.maps[p.set]
	s := text[from:to]
	if typ, ok := strings.CutPrefix(s, "type "); ok {
		m.typ = typ
		return
	}
	if flags, ok := strings.CutPrefix(s, "flags "); ok {
		m.dynamic = strings.Contains(flags, "dynamic")
	}
	i := strings.IndexByte(s, '{')
	if !strings.HasPrefix(s, "elements") || i < 0 {
		return // flags, timeout, size, comment, counter
	}
	m.elemLine = p.line
	m.from = uint32(from + i + 1)
	open := braces(s)
	for open > 0 && p.pos < len(text) {
		f, t, _ := p.takeLine()
		open += braces(text[f:t])
		to = t
	}
	if open > 0 || to <= int(m.from) {
		p.l.problem(int(m.elemLine), s, "elements without end")
		m.to = m.from
		return
	}
	m.to = uint32(to - 1)
}

// braces gives how many braces a line opens more than it closes, outside quotes. nft escapes nothing: of
// an odd number of quotes the last stands for itself.
func braces(s string) int {
	if strings.IndexByte(s, '{') < 0 && strings.IndexByte(s, '}') < 0 {
		return 0
	}
	n, quoted, literal := 0, false, -1
	if strings.Count(s, `"`)%2 == 1 {
		literal = strings.LastIndexByte(s, '"')
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			quoted = quoted != (i != literal)
		case '{':
			if !quoted {
				n++
			}
		case '}':
			if !quoted {
				n--
			}
		}
	}
	return n
}

// markManaged finds iptables-nft's tables in listings of an nft that does not say so (before 1.0.6, and
// JSON): the table has iptables' name and a base chain with iptables' upper-case name and hook.
func (l *Listing) markManaged() {
	for i := range l.chains {
		c := &l.chains[i]
		t := &l.tables[c.table]
		switch t.name {
		case "filter", "nat", "mangle", "raw", "security":
			if c.hook != "" && (t.family == "ip" || t.family == "ip6") && c.name == strings.ToUpper(c.hook) {
				t.managed = true
			}
		}
	}
}
