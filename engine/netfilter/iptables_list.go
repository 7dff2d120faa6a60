package netfilter

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// TableText is what a command listed of one table. The output names no table: the command line does.
type TableText struct {
	// Table is filter where the command has no -t.
	Table string
	// Text is empty for a table that is known not to be there.
	Text string
}

// ParseIPTablesTables parses what `iptables -t TABLE -nvL` (also -vnxL, -nL, -L, --line-numbers) and
// `iptables -t TABLE -S` print, or ip6tables, with one text for each table. The listing shows these tables and says of
// the others that they were not read. Lines are those of each table's own text.
//
// Rules are put into the words of iptables-save. A part that is not understood stands in them in quotes and is not
// modelled. A listing without -v shows no interfaces: answers from it have that as a condition, beside what nobody knows.
func ParseIPTablesTables(texts []TableText, backend Backend, family string) (*Listing, error) {
	r := listReader{lineOf: []uint32{0}}
	size := 0
	for _, t := range texts {
		size += len(t.Text)
	}
	if size > math.MaxInt32/4 {
		return nil, fmt.Errorf("parse iptables -L: %w", ErrTooLarge)
	}
	r.out = make([]byte, 0, size+size/8)
	l := &Listing{backend: backend, shown: []string{}}
	for _, t := range texts {
		if slices.Contains(l.shown, t.Table) {
			l.problem(0, t.Table, "table is listed twice")
			continue
		}
		r.table(t)
		if r.chains > 0 || t.Text == "" {
			l.shown = append(l.shown, t.Table)
		}
		if r.noInterfaces {
			l.noInterfaces = append(l.noInterfaces, t.Table)
		}
	}
	if len(r.out) > math.MaxInt32 {
		return nil, fmt.Errorf("parse iptables -L: %w", ErrTooLarge)
	}
	l.text, l.lineOf = string(r.out), r.lineOf
	p := saveParser{l: l, family: family, table: -1, last: -1}
	l.rules = make([]ruleRec, 0, len(l.text)/112+8)
	p.run()
	l.finish()
	for i := range l.problems {
		l.problems[i].Line = l.line(uint32(l.problems[i].Line))
	}
	return l, nil
}

// listReader puts listings of tables into the words of iptables-save.
type listReader struct {
	out    []byte
	lineOf []uint32 // line of out -> line of the table's text
	line   uint32

	words        listWords
	chains       int
	chain        string // of -L
	columns      listColumns
	header       string // the last, and what it names
	named        listColumns
	noInterfaces bool
}

// listColumns are those that the header of a chain names.
type listColumns struct{ number, counters, interfaces bool }

func (r *listReader) table(t TableText) {
	r.line, r.chains, r.chain, r.noInterfaces = 0, 0, "", false
	if t.Text != "" {
		r.emit("*" + t.Table)
	}
	for line := range strings.Lines(t.Text) {
		r.line++
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			continue
		}
		r.one(line)
	}
}

// emit ends a line of the output.
func (r *listReader) emit(s string) {
	r.out = append(append(r.out, s...), '\n')
	r.lineOf = append(r.lineOf, r.line)
}

func (r *listReader) one(line string) {
	switch {
	case strings.HasPrefix(line, "Chain "):
		r.chainHeader(line)
	case strings.HasPrefix(line, "-P "):
		name, rest, _ := strings.Cut(line[3:], " ")
		policy, _, _ := strings.Cut(rest, " ")
		r.chains++
		r.emit(":" + name + " " + policy + " [0:0]")
	case strings.HasPrefix(line, "-N "):
		r.chains++
		r.emit(":" + line[3:] + " - [0:0]")
	case strings.HasPrefix(line, "-A "), line[0] == '#':
		r.emit(line)
	case r.chain == "":
		// The parser of iptables-save calls it a problem.
		r.emit("? " + line)
	case isListHeader(line):
		if line != r.header {
			f := strings.Fields(line)
			r.header, r.named = line, listColumns{
				number: f[0] == "num", counters: slices.Contains(f, "pkts"), interfaces: slices.Contains(f, "in") && slices.Contains(f, "out"),
			}
		}
		r.columns = r.named // the same for every chain
		r.noInterfaces = r.noInterfaces || !r.columns.interfaces
	default:
		r.rule(line)
	}
}

func isListHeader(line string) bool {
	return strings.Contains(line, "target ") && strings.Contains(line, "prot ") && strings.HasSuffix(line, "destination")
}

// chainHeader reads "Chain INPUT (policy ACCEPT 0 packets, 0 bytes)" and "Chain NAME (2 references)".
func (r *listReader) chainHeader(line string) {
	name, about, ok := strings.Cut(strings.TrimPrefix(line, "Chain "), " (")
	if !ok || name == "" {
		r.emit("? " + line)
		return
	}
	policy := "-"
	if rest, is := strings.CutPrefix(about, "policy "); is {
		policy, _, _ = strings.Cut(strings.TrimSuffix(rest, ")"), " ")
	}
	r.chain, r.columns = name, listColumns{}
	r.chains++
	r.emit(":" + name + " " + policy + " [0:0]")
}

// listRule is the columns of one rule.
type listRule struct {
	target, proto, opt, in, out, source, destination string
	// rest is what stands behind the columns.
	rest string
}

func (r *listReader) rule(line string) {
	rest := line
	if r.columns.number {
		_, rest = cutWord(rest)
	}
	if r.columns.counters {
		var pkts, bytes string
		pkts, rest = cutWord(rest)
		bytes, rest = cutWord(rest)
		p, ok1 := listCount(pkts)
		b, ok2 := listCount(bytes)
		if ok1 && ok2 {
			r.out = append(strconv.AppendUint(append(r.out, '['), p, 10), ':')
			r.out = append(strconv.AppendUint(r.out, b, 10), "] "...)
		}
	}
	rule, ok := splitListRule(rest, r.columns.interfaces)
	r.out = append(append(r.out, "-A "...), r.chain...)
	if !ok {
		// Nothing is known of it: not even that it has no target.
		r.out = appendQuoted(append(r.out, " -j "...), strings.TrimSpace(line))
		r.emit("")
		return
	}
	r.out = rule.append(r.out, &r.words)
	r.emit("")
}

func cutWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, " ")
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// listCount reads a counter: without -x it is rounded to thousands (xtables_print_num).
func listCount(s string) (uint64, bool) {
	factor := uint64(1)
	if s != "" {
		if i := strings.IndexByte("KMGT", s[len(s)-1]); i >= 0 {
			for s = s[:len(s)-1]; i >= 0; i-- {
				factor *= 1000
			}
		}
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n * factor, err == nil && n <= math.MaxUint64/factor
}

// splitListRule finds the columns. A rule may lack a target, and lists of IPv6 before 1.8.9 lack opt: that is the
// mark by which the columns are told.
func splitListRule(line string, interfaces bool) (listRule, bool) {
	var words [7]string
	var rests [8]string
	rests[0] = line
	for i := range words {
		words[i], rests[i+1] = cutWord(rests[i])
	}
	without, with := isListOpt(words[1]), isListOpt(words[2])
	switch {
	case with != without:
		r := listRow(&words, &rests, with, true, interfaces)
		return r, r.source != "" && r.destination != ""
	case with:
		return listRule{}, false
	}
	one := listRow(&words, &rests, true, false, interfaces)
	other := listRow(&words, &rests, false, false, interfaces)
	// Without opt only addresses tell the columns apart.
	isOne := isListAddr(one.source) && isListAddr(one.destination)
	isOther := isListAddr(other.source) && isListAddr(other.destination)
	if isOther {
		one = other
	}
	return one, isOne != isOther
}

// listRow puts words into columns.
func listRow(words *[7]string, rests *[8]string, target, opt, interfaces bool) listRule {
	var r listRule
	i := 0
	take := func(has bool) string {
		if !has {
			return ""
		}
		i++
		return words[i-1]
	}
	r.target, r.proto, r.opt = take(target), take(true), take(opt)
	r.in, r.out = take(interfaces), take(interfaces)
	r.source, r.destination = take(true), take(true)
	r.rest = rests[i]
	return r
}

func isListOpt(s string) bool { return s == "--" || s == "-f" || s == "!f" }

// isListAddr says whether a word is an address, or a name for all of them.
func isListAddr(s string) bool {
	s = strings.TrimPrefix(s, "!")
	if s == "anywhere" {
		return true
	}
	_, ok := parsePrefix(s)
	return ok
}

// append writes the rule behind "-A CHAIN". The words are a reader to use.
func (r *listRule) append(b []byte, w *listWords) []byte {
	b = appendAddr(b, "-s", "source", r.source)
	b = appendAddr(b, "-d", "destination", r.destination)
	b = appendInterface(b, "-i", r.in)
	b = appendInterface(b, "-o", r.out)
	if r.proto != "0" && r.proto != "all" {
		bare, neg := strings.CutPrefix(r.proto, "!")
		b = appendOption(b, neg, "-p", protoName(bare))
	}
	switch r.opt {
	case "-f":
		b = append(b, " -f"...)
	case "!f":
		b = append(b, " ! -f"...)
	}
	jump := "-j"
	rest := strings.TrimSpace(r.rest)
	if after, is := strings.CutPrefix(rest, "[goto]"); is {
		jump, rest = "-g", after
	}
	*w = listWords{out: b, rest: rest}
	w.matches()
	if r.target == "" {
		w.remainder()
		return w.out
	}
	mark := len(w.out)
	w.out = appendOption(w.out, false, jump, r.target)
	from := w.rest
	if known, _ := extension(r.target); jump == "-g" || !known || !w.target(r.target) {
		// What is left is a match that is not understood, which stands before the target.
		w.out, w.rest = w.out[:mark], from
		w.remainder()
		w.out = appendOption(w.out, false, jump, r.target)
	}
	return w.out
}

func appendAddr(b []byte, option, what, s string) []byte {
	bare, neg := strings.CutPrefix(s, "!")
	if bare == "anywhere" || bare == "0.0.0.0/0" || bare == "::/0" {
		if !neg {
			return b
		}
		bare = strings.Replace(bare, "anywhere", "0.0.0.0/0", 1)
	}
	if _, ok := parsePrefix(bare); !ok {
		return appendQuoted(append(b, ' '), what+" "+s)
	}
	return appendOption(b, neg, option, bare)
}

func appendInterface(b []byte, option, s string) []byte {
	if s == "" || s == "*" || s == "any" {
		return b
	}
	bare, neg := strings.CutPrefix(s, "!")
	return appendOption(b, neg, option, bare)
}

func appendOption(b []byte, negated bool, option string, values ...string) []byte {
	if negated {
		b = append(b, " !"...)
	}
	b = append(append(b, ' '), option...)
	for _, v := range values {
		b = append(b, ' ')
		if v == "" || strings.ContainsAny(v, " \"\\") {
			b = appendQuoted(b, v)
		} else {
			b = append(b, v...)
		}
	}
	return b
}

// appendQuoted quotes as xtables_save_string does.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
