package netfilter

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// errNFTJSON says that a JSON text is no listing of nft.
var errNFTJSON = errors.New(`not a listing of nft: no "nftables" array`)

// maxExprDepth bounds nesting of expressions; nft itself nests no deeper than 16.
const maxExprDepth = 24

type jsonObject struct {
	Table *jsonTable `json:"table"`
	Chain *jsonChain `json:"chain"`
	Rule  *jsonRule  `json:"rule"`
	Set   *jsonSet   `json:"set"`
	Map   *jsonSet   `json:"map"`
}

type jsonTable struct {
	Family, Name string
	Handle       int
}

type jsonChain struct {
	Family, Table, Name, Type, Hook, Policy string
	Prio, Handle                            int
}

type jsonRule struct {
	Family, Table, Chain, Comment string
	Handle                        int
	Expr                          []any
}

type jsonSet struct {
	Family, Table, Name, Comment string
	Handle                       int
	Type, Map, Flags             any
	Elem                         []any
}

// jsonGroup gathers one table, as objects of several may be mixed.
type jsonGroup struct {
	family, name string
	line         uint32
	handle       int
	sets         []jsonLine
	chains       []*jsonChainLines
	byName       map[string]*jsonChainLines
}

type jsonLine struct {
	text string
	line uint32
}

type jsonChainLines struct {
	head  jsonLine
	hook  jsonLine // of a base chain; its text is empty for others
	rules []jsonLine
}

// parseNFTJSON decodes the objects one by one, writes each in the words of the text listing, and parses
// that: the two forms then cannot come to mean different things.
func parseNFTJSON(text string) (*Listing, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := toArray(dec); err != nil {
		return nil, fmt.Errorf("parse nft json: %w", err)
	}
	r := &jsonReader{byTable: map[[2]string]*jsonGroup{}, line: 1}
	offset := 0
	for dec.More() {
		var o jsonObject
		err := dec.Decode(&o)
		var typ *json.UnmarshalTypeError
		if errors.As(err, &typ) {
			r.odd = append(r.odd, Problem{Line: int(r.line), Text: typ.Error(), Why: "object of an unexpected shape"})
			err = nil
		}
		if err != nil {
			return nil, fmt.Errorf("parse nft json: object behind line %d: %w", r.line, err)
		}
		next := int(dec.InputOffset())
		r.line += uint32(strings.Count(text[offset:next], "\n"))
		offset = next
		r.add(&o)
	}
	out, lines := r.render()
	l := parseNFTText(out)
	l.lineOf = lines
	for i := range l.problems {
		l.problems[i].Line = l.line(uint32(l.problems[i].Line))
	}
	for _, p := range r.odd {
		l.problem(p.Line, p.Text, p.Why)
	}
	return l, nil
}

// toArray steps to the first element of {"nftables": [ ….
func toArray(dec *json.Decoder) error {
	if t, err := dec.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return errNFTJSON
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		if key == "nftables" {
			t, err := dec.Token()
			if err == nil && t != json.Delim('[') {
				err = errNFTJSON
			}
			return err
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return err
		}
	}
	return errNFTJSON
}

type jsonReader struct {
	tables  []*jsonGroup
	byTable map[[2]string]*jsonGroup
	line    uint32
	odd     []Problem
}

func (r *jsonReader) group(family, name string) *jsonGroup {
	k := [2]string{family, name}
	g := r.byTable[k]
	if g == nil {
		g = &jsonGroup{family: family, name: name, line: r.line, byName: map[string]*jsonChainLines{}}
		r.byTable[k] = g
		r.tables = append(r.tables, g)
	}
	return g
}

func (g *jsonGroup) chain(name string, line uint32) *jsonChainLines {
	c := g.byName[name]
	if c == nil {
		c = &jsonChainLines{head: jsonLine{"\tchain " + oneLine(name) + " {", line}}
		g.byName[name] = c
		g.chains = append(g.chains, c)
	}
	return c
}

func (r *jsonReader) add(o *jsonObject) {
	switch {
	case o.Table != nil:
		r.group(o.Table.Family, o.Table.Name).handle = o.Table.Handle
	case o.Chain != nil:
		c := r.group(o.Chain.Family, o.Chain.Table).chain(o.Chain.Name, r.line)
		if h := o.Chain; h.Hook != "" {
			c.hook = jsonLine{oneLine(fmt.Sprintf("\t\ttype %s hook %s priority %d; policy %s;",
				h.Type, h.Hook, h.Prio, h.Policy)), r.line}
		}
	case o.Rule != nil:
		c := r.group(o.Rule.Family, o.Rule.Table).chain(o.Rule.Chain, r.line)
		text := "\t\t" + oneLine(ruleWords(o.Rule))
		if o.Rule.Handle > 0 {
			text += " # handle " + strconv.Itoa(o.Rule.Handle)
		}
		c.rules = append(c.rules, jsonLine{text, r.line})
	case o.Set != nil:
		r.set("set", o.Set)
	case o.Map != nil:
		r.set("map", o.Map)
	}
}

func (r *jsonReader) set(kind string, s *jsonSet) {
	g := r.group(s.Family, s.Table)
	put := func(text string) { g.sets = append(g.sets, jsonLine{oneLine(text), r.line}) }
	put("\t" + kind + " " + s.Name + " {")
	typ := exprWords(s.Type, 0)
	if list, ok := s.Type.([]any); ok {
		typ = joinWords(list, " . ", 0)
	}
	if s.Map != nil {
		typ += " : " + exprWords(s.Map, 0)
	}
	put("\t\ttype " + typ)
	if s.Flags != nil {
		put("\t\tflags " + exprWords(s.Flags, 0))
	}
	if len(s.Elem) > 0 {
		put("\t\telements = {")
		for i, e := range s.Elem {
			end := ","
			if i == len(s.Elem)-1 {
				end = " }"
			}
			put(elementWords(e, 0) + end)
		}
	}
	put("\t}")
}

// oneLine keeps a name or comment of the JSON from breaking the lines of the rendered listing.
func oneLine(s string) string {
	if strings.ContainsAny(s, "\n\r") {
		return strings.NewReplacer("\n", " ", "\r", " ").Replace(s)
	}
	return s
}

// render writes the tables as text, and for each of its lines the line of the JSON.
func (r *jsonReader) render() (string, []uint32) {
	var b strings.Builder
	lines := []uint32{0}
	put := func(l jsonLine) {
		b.WriteString(l.text)
		b.WriteByte('\n')
		lines = append(lines, l.line)
	}
	for _, g := range r.tables {
		put(jsonLine{oneLine("table " + g.family + " " + g.name + " {"), g.line})
		for _, l := range g.sets {
			put(l)
		}
		for _, c := range g.chains {
			put(c.head)
			if c.hook.text != "" {
				put(c.hook)
			}
			for _, l := range c.rules {
				put(l)
			}
			put(jsonLine{"\t}", c.head.line})
		}
		put(jsonLine{"}", g.line})
	}
	return b.String(), lines
}

func ruleWords(r *jsonRule) string {
	words := make([]string, 0, len(r.Expr)+1)
	for _, v := range r.Expr {
		words = append(words, statementWords(v))
	}
	if r.Comment != "" {
		words = append(words, `comment "`+strings.ReplaceAll(r.Comment, `"`, "'")+`"`)
	}
	return strings.Join(words, " ")
}

// only gives the single member of an object.
func only(v any) (string, any, bool) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return "", nil, false
	}
	for k, val := range m {
		return k, val, true
	}
	return "", nil, false
}

func statementWords(v any) string {
	k, val, ok := only(v)
	if !ok {
		return opaque(v)
	}
	m, _ := val.(map[string]any)
	switch k {
	case "match":
		return matchWords(m)
	case "counter":
		if m == nil || m["packets"] == nil {
			return "counter"
		}
		return "counter packets " + exprWords(m["packets"], 0) + " bytes " + exprWords(m["bytes"], 0)
	case "accept", "drop", "return", "continue", "notrack", "jump", "goto":
		return exprWords(v, 0)
	case "vmap":
		return exprWords(m["key"], 0) + " vmap " + exprWords(m["data"], 0)
	case "mangle":
		return exprWords(m["key"], 0) + " set " + exprWords(m["value"], 0)
	case "reject":
		if m == nil {
			return "reject"
		}
		if m["type"] == "tcp reset" {
			return "reject with tcp reset"
		}
		return "reject with " + exprWords(m["type"], 0) + " type " + exprWords(m["expr"], 0)
	case "masquerade", "redirect", "snat", "dnat":
		return natWords(k, m)
	case "log":
		s := "log"
		if p, ok := m["prefix"].(string); ok {
			s += ` prefix "` + strings.ReplaceAll(p, `"`, "'") + `"`
		}
		return s
	case "xt":
		return "xt " + exprWords(m["type"], 0) + " " + exprWords(m["name"], 0)
	case "limit":
		return "limit rate " + exprWords(m["rate"], 0) + "/" + exprWords(m["per"], 0)
	case "set":
		return exprWords(m["op"], 0) + " " + exprWords(m["set"], 0) + " { " + exprWords(m["elem"], 0) + " }"
	}
	return opaque(v)
}

// opaque keeps an object that has no words here: a decoder quotes it as not modelled.
func opaque(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "json"
	}
	// Without braces, which would open a block of the rendered listing.
	return "json " + strings.Map(func(r rune) rune {
		switch r {
		case '{', '}', '"', ',':
			return ' '
		}
		return r
	}, string(b))
}

func matchWords(m map[string]any) string {
	left, right := exprWords(m["left"], 0), exprWords(m["right"], 0)
	op, _ := m["op"].(string)
	k, _, _ := only(m["left"])
	switch {
	case op == "in" || (op == "==" && k != "&"):
		return left + " " + right
	}
	return left + " " + op + " " + right
}

func natWords(k string, m map[string]any) string {
	s := k
	if f, ok := m["family"].(string); ok {
		s += " " + f
	}
	addr, port := m["addr"], m["port"]
	switch {
	case addr != nil && port != nil:
		a := exprWords(addr, 0)
		if strings.Contains(a, ":") {
			a = "[" + a + "]"
		}
		s += " to " + a + ":" + exprWords(port, 0)
	case addr != nil:
		s += " to " + exprWords(addr, 0)
	case port != nil:
		s += " to :" + exprWords(port, 0)
	}
	if f := m["flags"]; f != nil {
		s += " " + exprWords(f, 0)
	}
	return s
}

func joinWords(list []any, sep string, depth int) string {
	words := make([]string, len(list))
	for i, e := range list {
		words[i] = exprWords(e, depth+1)
	}
	return strings.Join(words, sep)
}

// elementWords writes an element of a set or map: a key, or a pair of key and data.
func elementWords(v any, depth int) string {
	if pair, ok := v.([]any); ok && len(pair) == 2 {
		return exprWords(pair[0], depth+1) + " : " + exprWords(pair[1], depth+1)
	}
	return exprWords(v, depth+1)
}

// exprWords writes an expression as nft prints it.
func exprWords(v any, depth int) string {
	if depth > maxExprDepth {
		return "…"
	}
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	case []any:
		return joinWords(x, ",", depth)
	}
	k, val, ok := only(v)
	if !ok {
		return opaque(v)
	}
	list, _ := val.([]any)
	m, _ := val.(map[string]any)
	sub := func(name string) string { return exprWords(m[name], depth+1) }
	switch k {
	case "payload":
		if m["field"] != nil {
			return sub("protocol") + " " + sub("field")
		}
	case "meta":
		switch name := sub("key"); name {
		case "iifname", "oifname", "iif", "oif":
			return name
		default:
			return "meta " + name
		}
	case "ct":
		if dir := sub("dir"); dir != "" {
			return "ct " + dir + " " + sub("key")
		}
		return "ct " + sub("key")
	case "rt":
		return "rt " + sub("key")
	case "fib":
		return "fib " + sub("flags") + " " + sub("result")
	case "tcp option":
		return "tcp option " + sub("name") + " " + sub("field")
	case "concat":
		return joinWords(list, " . ", depth)
	case "set":
		parts := make([]string, len(list))
		for i, e := range list {
			parts[i] = elementWords(e, depth+1)
		}
		if list == nil {
			return "{ " + exprWords(val, depth+1) + " }"
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case "prefix":
		return sub("addr") + "/" + sub("len")
	case "range":
		return joinWords(list, "-", depth)
	case "elem":
		s := sub("val")
		if c, ok := m["comment"].(string); ok {
			s += ` comment "` + strings.ReplaceAll(c, `"`, "'") + `"`
		}
		return s
	case "map":
		return sub("key") + " map " + sub("data")
	case "numgen":
		return "numgen " + sub("mode") + " mod " + sub("mod")
	case "&", "|", "^", "<<", ">>":
		if len(list) == 2 {
			right := exprWords(list[1], depth+1)
			if r, ok := list[1].([]any); ok {
				right = "(" + joinWords(r, " | ", depth) + ")"
			}
			return exprWords(list[0], depth+1) + " " + k + " " + right
		}
	case "jump", "goto":
		return k + " " + sub("target")
	case "accept", "drop", "return", "continue", "notrack":
		return k
	}
	return opaque(v)
}
