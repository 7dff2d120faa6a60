package engine

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/types"
)

// kind is what a shape describes, in JSON's words with Rego's sets.
type kind int

const (
	kindAny kind = iota
	kindText
	kindNumber
	kindBoolean
	kindNull
	kindObject // has fields
	kindDict   // any key, values of elem
	kindList
	kindSet
	kindUnion
)

// shape is what a value looks like to a rule. Shapes of one [shapes] are equal exactly where their pointers are.
type shape struct {
	kind kind
	// name is that of the Go type of a fact, "Link"; empty for what a rule makes itself.
	name        string
	description string
	fields      []shapeField
	elem        *shape
	members     []*shape // of a union
	number      int
}

type shapeField struct {
	name, description string
	optional          bool // it may be missing
	shape             *shape
}

func (s *shape) field(name string) (*shapeField, bool) {
	i := slices.IndexFunc(s.fields, func(f shapeField) bool { return f.name == name })
	if i < 0 {
		return nil, false
	}
	return &s.fields[i], true
}

func (s *shape) fieldNames() []string {
	var names []string
	for _, f := range s.fields {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names
}

// shapes makes shapes, each once.
type shapes struct {
	byType       map[reflect.Type]*shape
	byKey        map[string]*shape
	descriptions map[string]string // "Link", "Link.mtu"
	any, text    *shape
	number       *shape
	boolean      *shape
	null         *shape
}

func newShapes(descriptions map[string]string) *shapes {
	s := &shapes{byType: map[reflect.Type]*shape{}, byKey: map[string]*shape{}, descriptions: descriptions}
	s.any, s.text, s.number = s.make("any", shape{kind: kindAny}), s.make("text", shape{kind: kindText}), s.make("number", shape{kind: kindNumber})
	s.boolean, s.null = s.make("boolean", shape{kind: kindBoolean}), s.make("null", shape{kind: kindNull})
	return s
}

func (s *shapes) make(key string, template shape) *shape {
	if made, ok := s.byKey[key]; ok {
		return made
	}
	template.number = len(s.byKey)
	s.byKey[key] = &template
	return &template
}

func (s *shapes) list(elem *shape) *shape {
	return s.make(fmt.Sprintf("list %d", elem.number), shape{kind: kindList, elem: elem})
}

func (s *shapes) set(elem *shape) *shape {
	return s.make(fmt.Sprintf("set %d", elem.number), shape{kind: kindSet, elem: elem})
}

func (s *shapes) dict(elem *shape) *shape {
	return s.make(fmt.Sprintf("dict %d", elem.number), shape{kind: kindDict, elem: elem})
}

// object is one that a rule writes; name makes it a fact's.
func (s *shapes) object(name string, fields []shapeField) *shape {
	slices.SortFunc(fields, func(a, b shapeField) int { return strings.Compare(a.name, b.name) })
	var key strings.Builder
	fmt.Fprintf(&key, "object %s", name)
	for _, f := range fields {
		fmt.Fprintf(&key, " %q %d", f.name, f.shape.number)
	}
	return s.make(key.String(), shape{kind: kindObject, name: name, fields: fields})
}

// union is a value of any of the shapes; nil ones count for nothing, and of none it is nil.
func (s *shapes) union(of ...*shape) *shape {
	var members []*shape
	for _, m := range of {
		switch {
		case m == nil:
		case m.kind == kindAny:
			return m
		case m.kind == kindUnion:
			members = append(members, m.members...)
		default:
			members = append(members, m)
		}
	}
	slices.SortFunc(members, func(a, b *shape) int { return a.number - b.number })
	members = slices.Compact(members)
	switch len(members) {
	case 0:
		return nil
	case 1:
		return members[0]
	}
	key := "union"
	for _, m := range members {
		key += fmt.Sprintf(" %d", m.number)
	}
	return s.make(key, shape{kind: kindUnion, members: members})
}

var (
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	rawMessage    = reflect.TypeFor[json.RawMessage]()
)

// of is the shape of a Go type as encoding/json writes it.
func (s *shapes) of(t reflect.Type) *shape {
	if made, ok := s.byType[t]; ok {
		return made
	}
	s.byType[t] = s.any // within itself, as an alternative of a Fix
	made := s.reflect(t)
	s.byType[t] = made
	return made
}

func (s *shapes) reflect(t reflect.Type) *shape {
	switch {
	case t == rawMessage:
		return s.any
	case t.Implements(textMarshaler):
		return s.text
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return s.text
	case reflect.Bool:
		return s.boolean
	case reflect.Slice, reflect.Array:
		return s.list(s.of(t.Elem()))
	case reflect.Map:
		return s.dict(s.of(t.Elem()))
	case reflect.Struct:
		made := s.object(t.Name(), s.structFields(t))
		if made.name != "" && made.description == "" {
			made.description = s.descriptions[t.Name()]
		}
		return made
	case reflect.Interface:
		return s.any
	}
	return s.number
}

func (s *shapes) structFields(t reflect.Type) []shapeField {
	var fields []shapeField
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			fields = append(fields, s.structFields(f.Type)...)
			continue
		case name == "-" || !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		fields = append(fields, shapeField{
			name: name, shape: s.of(f.Type),
			description: s.descriptions[t.Name()+"."+f.Name],
			optional:    strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero"),
		})
	}
	return fields
}

// regoType is a shape for OPA's type checker.
func (s *shape) regoType() types.Type {
	switch s.kind {
	case kindText:
		return types.S
	case kindNumber:
		return types.N
	case kindBoolean:
		return types.B
	case kindNull:
		return types.Nl
	case kindList:
		return types.NewArray(nil, s.elem.regoType())
	case kindSet:
		return types.NewSet(s.elem.regoType())
	case kindDict:
		return types.NewObject(nil, types.NewDynamicProperty(types.S, s.elem.regoType()))
	case kindObject:
		var properties []*types.StaticProperty
		for _, f := range s.fields {
			properties = append(properties, types.NewStaticProperty(f.name, f.shape.regoType()))
		}
		return types.NewObject(properties, nil)
	case kindUnion:
		var of types.Type
		for _, m := range s.members {
			of = types.Or(of, m.regoType())
		}
		return of
	}
	return types.A
}
