package netfilter

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonTree is one JSON value, decoded once into memory that the next one uses again.
type jsonTree struct {
	nodes []jsonNode
	text  []byte  // of names, strings and numbers
	open  []int32 // the arrays and objects around what is decoded
	pos   int     // up to where it is decoded
	// each takes the elements of a set, {"set": {"elem": [ … ]}}, one by one: they can be most of a listing and are not kept.
	each func(element jsonValue)
}

type jsonNode struct {
	kind        jsontext.Kind // { [ " 0 t f n
	name, value jsonSpan      // name of a member
	// child is the first element or member, next the one after this; 0 is none, as the root is neither.
	child, next int32
}

type jsonSpan struct{ from, to uint32 }

// decode takes a value that jsontext has read, and so found to be valid.
func (t *jsonTree) decode(raw jsontext.Value) {
	t.nodes, t.text, t.open = t.nodes[:0], t.text[:0], t.open[:0]
	last := int32(-1) // the one before, among those of the innermost array or object
	var name jsonSpan
	named, kept := false, 0
	for i := 0; i < len(raw); {
		c := raw[i]
		switch c {
		case ' ', '\t', '\n', '\r', ',', ':':
			i++
			continue
		case '}', ']':
			i++
			last = t.open[len(t.open)-1]
			t.open = t.open[:len(t.open)-1]
		default:
			inside := int32(-1)
			if n := len(t.open); n > 0 {
				inside = t.open[n-1]
			}
			if inside >= 0 && t.nodes[inside].kind == '{' && !named {
				name, i = t.leaf(raw, i)
				named = true
				continue
			}
			at := int32(len(t.nodes))
			if last >= 0 {
				t.nodes[last].next = at
			} else if inside >= 0 {
				t.nodes[inside].child = at
			}
			node := jsonNode{kind: jsontext.Kind(c), name: name}
			last, name, named = at, jsonSpan{}, false
			if c == '{' || c == '[' {
				i++
				t.nodes, t.open, last = append(t.nodes, node), append(t.open, at), -1
				if len(t.open) == 3 {
					kept = len(t.text)
				}
				continue
			}
			if c == '-' || '0' <= c && c <= '9' {
				node.kind = '0'
			}
			node.value, i = t.leaf(raw, i)
			t.nodes = append(t.nodes, node)
		}
		if len(t.open) == 3 && t.isElem(t.open[2]) {
			t.pos = i
			t.each(jsonValue{t, last})
			t.nodes, t.text = t.nodes[:last], t.text[:kept]
			t.nodes[t.open[2]].child, last = 0, -1
		}
	}
	t.pos = len(raw)
}

// leaf decodes the name, string, number or literal at i, and gives where it ends.
func (t *jsonTree) leaf(raw jsontext.Value, i int) (jsonSpan, int) {
	from, end := uint32(len(t.text)), i+1
	if raw[i] != '"' {
		for end < len(raw) && raw[end] > ' ' && raw[end] != ',' && raw[end] != ']' && raw[end] != '}' {
			end++
		}
		t.text = append(t.text, raw[i:end]...)
		return jsonSpan{from, uint32(len(t.text))}, end
	}
	escaped := false
	for ; raw[end] != '"'; end++ {
		if raw[end] == '\\' {
			escaped = true
			end++
		}
	}
	if end++; escaped {
		// An error is of text that is no UTF-8, which stays as it can.
		t.text, _ = jsontext.AppendUnquote(t.text, raw[i:end])
	} else {
		t.text = append(t.text, raw[i+1:end-1]...)
	}
	return jsonSpan{from, uint32(len(t.text))}, end
}

// isElem says whether a node is an array that is called elem.
func (t *jsonTree) isElem(at int32) bool {
	n := &t.nodes[at]
	return n.kind == '[' && string(t.text[n.name.from:n.name.to]) == "elem"
}

// root is the value that was read.
func (t *jsonTree) root() jsonValue { return jsonValue{t, 0} }

// jsonValue is a value of a tree. The zero value is one that is not there.
type jsonValue struct {
	tree *jsonTree
	at   int32
}

func (v jsonValue) there() bool { return v.tree != nil }

// kind is that of jsontext; of what is not there, and of null, it is 'n'.
func (v jsonValue) kind() jsontext.Kind {
	if v.tree == nil {
		return 'n'
	}
	return v.tree.nodes[v.at].kind
}

// text is that of a string, number or literal; empty for others. It is good until the tree is read anew.
func (v jsonValue) text() []byte {
	if v.tree == nil {
		return nil
	}
	s := v.tree.nodes[v.at].value
	return v.tree.text[s.from:s.to]
}

// name is the value's, of a member of an object.
func (v jsonValue) name() []byte {
	s := v.tree.nodes[v.at].name
	return v.tree.text[s.from:s.to]
}

// first is the first element or member.
func (v jsonValue) first() jsonValue {
	if v.tree == nil {
		return v
	}
	return v.tree.value(v.tree.nodes[v.at].child)
}

func (v jsonValue) next() jsonValue { return v.tree.value(v.tree.nodes[v.at].next) }

func (t *jsonTree) value(at int32) jsonValue {
	if at == 0 {
		return jsonValue{}
	}
	return jsonValue{t, at}
}

// only is the single member of an object, else not there.
func (v jsonValue) only() jsonValue {
	if m := v.first(); v.kind() == '{' && m.there() && !m.next().there() {
		return m
	}
	return jsonValue{}
}

// member is a member of an object by its name. One that is null is not there.
func (v jsonValue) member(name string) jsonValue {
	if v.kind() != '{' {
		return jsonValue{}
	}
	for m := v.first(); m.there(); m = m.next() {
		if string(m.name()) == name {
			if m.kind() == 'n' {
				return jsonValue{}
			}
			return m
		}
	}
	return jsonValue{}
}

// is says whether the value is a string of that text.
func (v jsonValue) is(text string) bool { return v.kind() == '"' && string(v.text()) == text }

// number is an integer, 0 where the value is none.
func (v jsonValue) number() int {
	if v.kind() != '0' {
		return 0
	}
	n, err := strconv.Atoi(string(v.text()))
	if err != nil {
		return 0
	}
	return n
}
