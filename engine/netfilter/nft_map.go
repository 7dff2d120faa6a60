package netfilter

import (
	"net/netip"
	"strings"
)

// mapRec is a set or a map of a table: its elements are a span, read when somebody looks one up.
type mapRec struct {
	name, typ string
	dynamic   bool // packets add to it
	line      uint32
	elemLine  uint32 // line of "elements = {"
	from, to  uint32 // the text between the braces
}

// mapElem is one element of a set or map.
type mapElem struct {
	key, data, comment string
	text               string
	line               int // lines behind the first element
}

// splitElements walks over the elements of "a : b, c comment \"x\" : d", at commas outside quotes and braces.
func splitElements(body string, each func(e mapElem)) {
	depth, quoted, from, line, fromLine := 0, false, 0, 0, 0
	emit := func(to int) {
		raw := body[from:to]
		text := strings.TrimSpace(raw)
		if text == "" {
			return
		}
		lead := raw[:strings.Index(raw, text[:1])]
		e := parseElement(text)
		e.line = fromLine + strings.Count(lead, "\n")
		each(e)
	}
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '\n':
			line++
			quoted = false
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == ',' && depth <= 0:
			emit(i)
			from, fromLine = i+1, line
		}
	}
	emit(len(body))
}

func parseElements(body string) []mapElem {
	var out []mapElem
	splitElements(body, func(e mapElem) { out = append(out, e) })
	return out
}

// parseElement reads `KEY [timeout T] [expires T] [counter …] [comment "C"] [: DATA]`.
func parseElement(text string) mapElem {
	e := mapElem{text: text, key: text}
	if i := strings.Index(text, " : "); i >= 0 && strings.Count(text[:i], `"`)%2 == 0 {
		e.key, e.data = text[:i], strings.TrimSpace(text[i+3:])
	} else if i := strings.LastIndex(text, `" : `); i >= 0 {
		e.key, e.data = text[:i+1], strings.TrimSpace(text[i+4:])
	}
	if i := strings.Index(e.key, ` comment "`); i >= 0 {
		e.comment, _, _ = strings.Cut(e.key[i+len(` comment "`):], `"`)
		e.key = e.key[:i]
	}
	for _, word := range [...]string{" timeout ", " expires ", " counter "} {
		if i := strings.Index(e.key, word); i >= 0 {
			e.key = e.key[:i]
		}
	}
	e.key = strings.TrimSpace(e.key)
	return e
}

// mapIndex finds an element by its key: exact ones by the text of the key, the others (prefixes, ranges)
// one after another.
type mapIndex struct {
	exact map[string]mapElem
	wide  []mapElem
}

func (l *Listing) mapIndexOf(m int32) *mapIndex {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ix := l.mapIdx[m]; ix != nil {
		return ix
	}
	rec := &l.maps[m]
	ix := &mapIndex{exact: map[string]mapElem{}}
	splitElements(l.text[rec.from:rec.to], func(e mapElem) {
		e.line = l.line(rec.elemLine + uint32(e.line))
		ix.add(e)
	})
	if l.mapIdx == nil {
		l.mapIdx = map[int32]*mapIndex{}
	}
	l.mapIdx[m] = ix
	return ix
}

func (ix *mapIndex) add(e mapElem) {
	if strings.ContainsAny(e.key, "/-*") {
		ix.wide = append(ix.wide, e)
		return
	}
	ix.exact[e.key] = e
}

// find gives the element for the values of a key. Exact keys win, as nothing overlaps in an nft set.
func (ix *mapIndex) find(values []string) (mapElem, bool) {
	if e, ok := ix.exact[strings.Join(values, " . ")]; ok {
		return e, true
	}
	var rest *mapElem // the element for all keys that have none
	for i, e := range ix.wide {
		if e.key == "*" {
			rest = &ix.wide[i]
		} else if elementMatches(e.key, values) {
			return e, true
		}
	}
	if rest != nil {
		return *rest, true
	}
	return mapElem{}, false
}

func elementMatches(key string, values []string) bool {
	if key == "*" {
		return true
	}
	n := 0
	for part := range strings.SplitSeq(key, " . ") {
		if n >= len(values) || !fieldMatches(strings.TrimSpace(part), values[n]) {
			return false
		}
		n++
	}
	return n == len(values)
}

func fieldMatches(part, value string) bool {
	if part == value {
		return true
	}
	a, err := netip.ParseAddr(value)
	if err != nil {
		m, ok := nftPorts([]string{part}, false)
		p, pok := parsePort(value)
		if ok && pok {
			return m.matches(p)
		}
		prefix, wild := strings.CutSuffix(strings.TrimSuffix(part, `"`), "*")
		return wild && strings.HasPrefix(value, prefix)
	}
	m, ok := nftPrefixes([]string{part}, false)
	return ok && m.matches(a)
}

// setOf finds a set or map by name in a table.
func (l *Listing) setOf(table int32, name string) (int32, bool) {
	m, ok := l.tables[table].sets[name]
	return m, ok
}
