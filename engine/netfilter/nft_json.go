package netfilter

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// errNFTJSON says that a JSON text is no listing of nft.
var errNFTJSON = errors.New(`not a listing of nft: no "nftables" array`)

// maxExprDepth bounds nesting of expressions; nft itself nests no deeper than 16.
const maxExprDepth = 24

// parseNFTJSON decodes the objects one by one and writes rules and elements in the words of the text listing, as which they are
// decoded later: the two forms then cannot come to mean different things.
func parseNFTJSON(text string) (*Listing, error) {
	// The decoder reads a bytes.Buffer where it is, and writes nothing to it.
	buffer := bytes.NewBuffer(unsafe.Slice(unsafe.StringData(text), len(text)))
	dec := jsontext.NewDecoder(buffer, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err := toArray(dec); err != nil {
		return nil, fmt.Errorf("parse nft json: %w", err)
	}
	r := &jsonReader{
		l: &Listing{backend: NFTables}, words: make([]byte, 0, len(text)/2), table: -1, chain: -1,
		text: text, line: 1,
	}
	r.tree.each = r.addElement
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("parse nft json: object behind line %d: %w", r.line, err)
		}
		r.begins = int(dec.InputOffset()) - len(value)
		r.tree.decode(value)
		r.countLines()
		r.add(r.tree.root())
		r.elements = r.elements[:0]
	}
	r.l.text = string(r.words)
	for i := range r.l.rules {
		r.l.rules[i].findTarget(r.l.text)
	}
	r.l.finish()
	r.l.markManaged()
	return r.l, nil
}

// toArray steps to the first element of {"nftables": [ ….
func toArray(dec *jsontext.Decoder) error {
	if t, err := dec.ReadToken(); err != nil {
		return err
	} else if t.Kind() != '{' {
		return errNFTJSON
	}
	for dec.PeekKind() == '"' {
		key, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if key.String() == "nftables" {
			t, err := dec.ReadToken()
			if err == nil && t.Kind() != '[' {
				err = errNFTJSON
			}
			return err
		}
		if err := dec.SkipValue(); err != nil {
			return err
		}
	}
	return errNFTJSON
}

// jsonReader makes a listing of the objects of an array.
type jsonReader struct {
	l     *Listing
	words []byte // the listing's text
	// table and chain are those of the object before: the next is most likely of the same.
	table, chain int32

	text string // of the JSON
	// tree is the object at hand, which begins at begins. Lines are counted up to counted, where line is.
	tree            jsonTree
	begins, counted int
	line            uint32
	// elements is the text of the elements of the set at hand, and elemLine the line of the first.
	elements []byte
	elemLine uint32
}

func (r *jsonReader) countLines() (more int) {
	next := r.begins + r.tree.pos
	more = strings.Count(r.text[r.counted:next], "\n")
	r.counted = next
	r.line += uint32(more)
	return more
}

// add takes one element of the list: an object whose one member says what it is. Others than these hold no rules.
func (r *jsonReader) add(o jsonValue) {
	if o.kind() != '{' {
		r.strange("an element of the list is no object")
		return
	}
	for m := o.first(); m.there(); m = m.next() {
		switch string(m.name()) {
		case "table":
			if r.shaped(m, "family", "name") {
				r.toTable(m.member("family").text(), m.member("name").text())
			}
		case "chain":
			if r.shaped(m, "family", "table", "name") {
				r.addChain(m)
			}
		case "rule":
			if r.shaped(m, "family", "table", "chain") {
				r.addRule(m)
			}
		case "set", "map":
			if r.shaped(m, "family", "table", "name") {
				r.addSet(m)
			}
		}
	}
}

// shaped says whether an object has the names of what it is, which are strings.
func (r *jsonReader) shaped(o jsonValue, names ...string) bool {
	for _, name := range names {
		if v := o.member(name); v.kind() != '"' {
			r.strange("a " + string(o.name()) + " has no string " + strconv.Quote(name))
			return false
		}
	}
	return true
}

func (r *jsonReader) strange(text string) {
	r.l.problem(int(r.line), text, "object of an unexpected shape")
}

// toTable finds or begins the table that an object is of.
func (r *jsonReader) toTable(family, name []byte) {
	if r.table >= 0 {
		if t := &r.l.tables[r.table]; t.family == string(family) && t.name == string(name) {
			return
		}
	}
	r.table, r.chain = r.l.addTable(string(family), string(name), r.line), -1
}

// toChain finds or begins the chain that an object is of.
func (r *jsonReader) toChain(o jsonValue, name []byte) *chainRec {
	r.toTable(o.member("family").text(), o.member("table").text())
	l := r.l
	if r.chain >= 0 && l.chains[r.chain].name == string(name) {
		return &l.chains[r.chain]
	}
	t := &l.tables[r.table]
	c, ok := t.byName[string(name)]
	if !ok {
		c = int32(len(l.chains))
		l.chains = append(l.chains, chainRec{name: string(name), table: r.table, line: r.line})
		t.byName[l.chains[c].name] = c
	}
	r.chain = c
	return &l.chains[c]
}

func (r *jsonReader) addChain(o jsonValue) {
	c := r.toChain(o, o.member("name").text())
	if hook := o.member("hook").text(); len(hook) > 0 {
		c.kind, c.hook, c.policy = string(o.member("type").text()), string(hook), string(o.member("policy").text())
		c.priority = o.member("prio").number()
	}
}

func (r *jsonReader) addRule(o jsonValue) {
	r.toChain(o, o.member("chain").text())
	expr := o.member("expr")
	if expr.kind() != '[' && expr.there() {
		r.strange("a rule's expressions are no array")
	}
	from := len(r.words)
	w := r.words
	if expr.kind() != '[' {
		w = append(opaque(w, expr), ' ')
	} else {
		for v := expr.first(); v.there(); v = v.next() {
			w = append(statementWords(w, v), ' ')
		}
	}
	if len(w) == from {
		return // it does nothing
	}
	if comment := o.member("comment").text(); len(comment) > 0 {
		w = append(commentWords(w, comment), ' ')
	}
	inOneLine(w[from:])
	to := len(bytes.TrimRight(w, " "))
	if handle := o.member("handle").number(); handle > 0 {
		w = strconv.AppendInt(append(w, "# handle "...), int64(handle), 10)
	}
	r.words = append(w, '\n')
	r.l.rules = append(r.l.rules, ruleRec{off: uint32(from), len: uint32(to - from), chain: r.chain, line: r.line})
}

// addElement takes an element of the set at hand. Between them stand as many ends of lines as in the JSON, so that lines are
// counted alike.
func (r *jsonReader) addElement(v jsonValue) {
	more := r.countLines()
	if len(r.elements) == 0 {
		r.elemLine = r.line
	} else {
		r.elements = append(r.elements, ',')
		r.elements = append(r.elements, strings.Repeat("\n", more)...)
	}
	from := len(r.elements)
	r.elements = elementWords(append(r.elements, ' '), v, 0)
	inOneLine(r.elements[from:])
}

func (r *jsonReader) addSet(o jsonValue) {
	r.toTable(o.member("family").text(), o.member("table").text())
	if elem := o.member("elem"); elem.there() && elem.kind() != '[' {
		r.strange("the elements of " + string(o.member("name").text()) + " are no array")
	}
	m := mapRec{name: string(o.member("name").text()), line: r.line, elemLine: r.elemLine, from: uint32(len(r.words))}
	r.words = append(r.words, r.elements...)
	m.to = uint32(len(r.words))
	r.words = append(r.words, '\n')

	var w []byte
	if typ := o.member("type"); typ.kind() == '[' {
		w = joinWords(w, typ, " . ", 0)
	} else {
		w = exprWords(w, typ, 0)
	}
	if data := o.member("map"); data.there() {
		w = exprWords(append(w, " : "...), data, 0)
	}
	m.typ = string(w)
	m.dynamic = bytes.Contains(exprWords(nil, o.member("flags"), 0), []byte("dynamic"))
	r.l.tables[r.table].sets[m.name] = int32(len(r.l.maps))
	r.l.maps = append(r.l.maps, m)
}

// inOneLine keeps a name or comment of the JSON from breaking a line.
func inOneLine(line []byte) {
	for _, end := range []byte("\n\r") {
		for i := bytes.IndexByte(line, end); i >= 0; i = bytes.IndexByte(line, end) {
			line[i] = ' '
		}
	}
}
