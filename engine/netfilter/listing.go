package netfilter

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// ErrTooLarge says that a listing is longer than this package addresses (2 GiB).
var ErrTooLarge = errors.New("listing is too large")

// maxProblems bounds how many problems a listing quotes; the rest are counted.
const maxProblems = 100

// Listing is one parsed listing. It is immutable after parsing and safe for concurrent use.
type Listing struct {
	backend   Backend
	generator string
	text      string
	lineOf    []uint32 // for a JSON listing: line of the rendered text -> line of the JSON

	// shown names the tables that a listing of single tables is of; nil is a listing of all. noInterfaces names those of
	// them whose rules were listed without their interfaces.
	shown, noInterfaces []string

	legacyPresent int // line of "# Warning: iptables-legacy tables present", or 0
	problems      []Problem
	problemCount  int

	tables  []tableRec
	byTable map[[2]string]int32 // family and name
	chains  []chainRec
	rules   []ruleRec
	order   []int32 // rules grouped by chain, in listing order
	maps    []mapRec

	mu     sync.Mutex
	mapIdx map[int32]*mapIndex

	programsOnce sync.Once
	programs     []atomic.Pointer[program]    // by rule
	indexes      []atomic.Pointer[chainIndex] // by chain

	refsOnce sync.Once
	refStart []int32 // by chain, into refs
	refs     []int32 // rules that jump to the chain

	notModelledOnce sync.Once
	notModelled     []int32 // rules of which a part is not interpreted

	orphanOnce sync.Once
	orphans    []int32 // KUBE-* chains with rules to which nothing jumps
}

// Problem is a line that a parser did not understand.
type Problem struct {
	Line int    `json:"line"`
	Text string `json:"text"`
	Why  string `json:"why"`
}

type tableRec struct {
	family, name string
	line         uint32
	managed      bool // iptables-nft's, in nft's words
	first        int32
	byName       map[string]int32 // chain name -> chain
	sets         map[string]int32 // set or map name -> maps
	baseChains   []int32
}

type chainRec struct {
	name              string
	policy            string // iptables: "-" for a user-defined chain
	kind, hook        string // nft base chains
	priority          int
	table             int32
	line              uint32
	handle            uint32
	ruleFrom, ruleEnd int32 // into order
}

func (c *chainRec) base() bool { return c.hook != "" }

type ruleRec struct {
	off, len uint32
	chain    int32
	line     uint32
	tOff     uint32 // span of the target's name; 0 where there is none
	tLen     uint16
	flags    uint16
}

const (
	flagNotModelled = 1 << iota // a part of the rule is not interpreted
	flagMSS                     // a TCPMSS rule
	flagQuoted                  // the target's name is in quotes
)

// Generator is the program that wrote an iptables listing, from its first comment
// ("iptables-save v1.8.9 (nf_tables)"); empty where it does not say.
func (l *Listing) Generator() string { return l.generator }

// LegacyTablesPresent is the line of iptables-nft's warning that the legacy backend holds rules too,
// or 0. The tool may print the warning to its standard error: its absence says nothing.
func (l *Listing) LegacyTablesPresent() int { return l.legacyPresent }

// Problems gives the lines that were not understood, the first 100 of them, and how many there are.
func (l *Listing) Problems() (first []Problem, count int) { return l.problems, l.problemCount }

// Rules is how many rules the listing has.
func (l *Listing) Rules() int { return len(l.rules) }

// NotModelled gives up to limit rules of which a part is not interpreted, and how many there are.
func (l *Listing) NotModelled(limit int) (first []Rule, count int) {
	l.notModelledOnce.Do(func() {
		for i := range l.rules {
			// Rules of nft are decoded when somebody asks.
			if l.rules[i].flags&flagNotModelled != 0 || l.backend == NFTables && len(decodeNFT(l.ruleText(int32(i))).NotModelled) > 0 {
				l.notModelled = append(l.notModelled, int32(i))
			}
		}
	})
	for _, i := range l.notModelled[:min(max(limit, 0), len(l.notModelled))] {
		first = append(first, l.rule(i))
	}
	return first, len(l.notModelled)
}

// Tables names the tables as "family name", in listing order.
func (l *Listing) Tables() []string {
	out := make([]string, len(l.tables))
	for i, t := range l.tables {
		out[i] = t.family + " " + t.name
	}
	return out
}

func (l *Listing) problem(line int, text, why string) {
	l.problemCount++
	if len(l.problems) < maxProblems {
		if len(text) > 300 {
			text = strings.ToValidUTF8(text[:300], "") + "…"
		}
		l.problems = append(l.problems, Problem{Line: line, Text: text, Why: why})
	}
}

func (l *Listing) line(n uint32) int {
	if l.lineOf != nil {
		if int(n) < len(l.lineOf) {
			return int(l.lineOf[n])
		}
		return 0
	}
	return int(n)
}

func (l *Listing) table(family, name string) int32 {
	if t, ok := l.byTable[[2]string{family, name}]; ok {
		return t
	}
	return -1
}

// newTable adds a table that is not there yet.
func (l *Listing) newTable(t tableRec) int32 {
	if l.byTable == nil {
		l.byTable = map[[2]string]int32{}
	}
	i := int32(len(l.tables))
	l.byTable[[2]string{t.family, t.name}] = i
	l.tables = append(l.tables, t)
	return i
}

// chain finds a chain of a table, or gives -1.
func (l *Listing) chain(table int32, name string) int32 {
	if table < 0 {
		return -1
	}
	if c, ok := l.tables[table].byName[name]; ok {
		return c
	}
	return -1
}

// rulesOf gives the rules of a chain in order.
func (l *Listing) rulesOf(chain int32) []int32 {
	c := &l.chains[chain]
	return l.order[c.ruleFrom:c.ruleEnd]
}

// finish groups rules by chain, once every rule is known.
func (l *Listing) finish() {
	counts := make([]int32, len(l.chains)+1)
	for i := range l.rules {
		counts[l.rules[i].chain+1]++
	}
	for i := range l.chains {
		counts[i+1] += counts[i]
		l.chains[i].ruleFrom, l.chains[i].ruleEnd = counts[i], counts[i]
	}
	l.order = make([]int32, len(l.rules))
	for i := range l.rules {
		c := &l.chains[l.rules[i].chain]
		l.order[c.ruleEnd] = int32(i)
		c.ruleEnd++
	}
	for i := range l.chains {
		if c := &l.chains[i]; c.base() {
			t := &l.tables[c.table]
			t.baseChains = append(t.baseChains, int32(i))
		}
	}
}

func (l *Listing) ruleText(i int32) string {
	r := &l.rules[i]
	return l.text[r.off : r.off+r.len]
}

func (l *Listing) targetName(i int32) string {
	r := &l.rules[i]
	name := l.text[r.tOff : r.tOff+uint32(r.tLen)]
	if r.flags&flagQuoted != 0 {
		name = unescape(name)
	}
	return name
}

func (l *Listing) rule(i int32) Rule {
	r := &l.rules[i]
	c := &l.chains[r.chain]
	t := &l.tables[c.table]
	out := Rule{
		Backend: l.backend, Family: t.family, Table: t.name, Chain: c.name,
		Line: l.line(r.line), Text: l.ruleText(i),
	}
	if l.backend == NFTables {
		out.Handle = l.handleAfter(r.off + r.len)
		out.Packets, out.Bytes = nftCounter(out.Text)
		return out
	}
	// With -c the counters stand before the rule: [packets:bytes] -A ...
	start := strings.LastIndexByte(l.text[:r.off], '\n') + 1
	out.Packets, out.Bytes = bracketCounters(l.text[start:r.off])
	return out
}

// handleAfter reads " # handle N" behind a rule of an nft listing.
func (l *Listing) handleAfter(end uint32) int {
	rest := l.text[end:]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(rest), "# handle ")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return 0
	}
	return n
}

func bracketCounters(s string) (packets, bytes uint64) {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return 0, 0
	}
	p, b, _ := strings.Cut(s[1:len(s)-1], ":")
	packets, _ = strconv.ParseUint(p, 10, 64)
	bytes, _ = strconv.ParseUint(b, 10, 64)
	return packets, bytes
}

// referrers gives the rules that jump or go to a chain.
func (l *Listing) referrers(chain int32) []int32 {
	l.refsOnce.Do(l.buildReferrers)
	return l.refs[l.refStart[chain]:l.refStart[chain+1]]
}

func (l *Listing) buildReferrers() {
	to := make([]int32, len(l.rules))
	start := make([]int32, len(l.chains)+1)
	for i := range l.rules {
		to[i] = -1
		r := &l.rules[i]
		if r.tLen == 0 {
			continue
		}
		to[i] = l.chain(l.chains[r.chain].table, l.targetName(int32(i)))
		if to[i] >= 0 {
			start[to[i]+1]++
		}
	}
	for i := 1; i < len(start); i++ {
		start[i] += start[i-1]
	}
	refs := make([]int32, start[len(start)-1])
	next := append([]int32(nil), start...)
	for i, c := range to {
		if c >= 0 {
			refs[next[c]] = int32(i)
			next[c]++
		}
	}
	l.refStart, l.refs = start, refs
}

// Referrers gives up to limit rules that jump or go to the chain, and how many there are.
func (l *Listing) Referrers(family, table, chain string, limit int) (first []Rule, count int) {
	c := l.chain(l.table(family, table), chain)
	if c < 0 {
		return nil, 0
	}
	refs := l.referrers(c)
	for _, r := range refs[:min(limit, len(refs))] {
		first = append(first, l.rule(r))
	}
	return first, len(refs)
}

// basesReaching gives the base chains from which a packet may come to the chain, itself included.
func (l *Listing) basesReaching(chain int32) []int32 {
	seen := map[int32]bool{chain: true}
	queue := []int32{chain}
	var bases []int32
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		if l.chains[c].base() {
			bases = append(bases, c)
		}
		for _, r := range l.referrers(c) {
			if from := l.rules[r].chain; !seen[from] {
				seen[from] = true
				queue = append(queue, from)
			}
		}
	}
	return bases
}
