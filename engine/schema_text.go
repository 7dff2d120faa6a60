package engine

import (
	"fmt"
	"slices"
	"strings"
)

// FieldDescription is one field that rules see, for somebody who looks it up.
type FieldDescription struct {
	Name string `json:"name"`
	// Type is "text", "number", "list of Link", "object of text" (any keys) …; words in capitals are looked up in turn.
	Type        string `json:"type"`
	Optional    bool   `json:"optional,omitempty"`
	Description string `json:"description,omitempty"`
}

// TypeDescription is one type of fact.
type TypeDescription struct {
	Name        string             `json:"name"`
	Description string             `json:"description,omitempty"`
	Fields      []FieldDescription `json:"fields"`
}

// Describe looks up a type of fact ("Link"), a way into input ("node.links", "cluster.pods.spec") or, for "input", what
// rules of both scopes see.
func Describe(name string) (*TypeDescription, error) {
	in, err := inputs()
	if err != nil {
		return nil, err
	}
	found, err := in.lookUp(name)
	if err != nil {
		return nil, err
	}
	d := &TypeDescription{Name: found.name, Description: found.description}
	if d.Name == "" {
		d.Name = name
	}
	fields := found.fields
	if found == in.byScope[ScopeNode] {
		nodes, _ := in.byScope[ScopeCluster].field("nodes")
		only := *nodes
		only.description += " Only in rules of scope cluster, instead of node and peers."
		fields = append(slices.Clone(fields), only)
	}
	for _, f := range fields {
		d.Fields = append(d.Fields, FieldDescription{f.name, in.typeName(f.shape), f.optional, f.description})
	}
	return d, nil
}

func (in *inputShapes) lookUp(name string) (*shape, error) {
	named := map[string]*shape{}
	in.named(in.byScope[ScopeNode], named)
	if s, ok := named[name]; ok {
		return s, nil
	}
	s := in.byScope[ScopeNode]
	for i, part := range strings.Split(strings.TrimPrefix(strings.TrimPrefix(name, "input"), "."), ".") {
		part = strings.TrimRight(part, "[]_0123456789")
		if part == "" {
			continue
		}
		if i == 0 && part == "nodes" {
			part = "peers"
		}
		for s.kind == kindList || s.kind == kindDict {
			s = s.elem
		}
		f, ok := s.field(part)
		if !ok {
			words := s.fieldNames()
			if i == 0 {
				for name := range named {
					words = append(words, name)
				}
			}
			return nil, fmt.Errorf("no fact is called %q%s", name, didYouMean(part, words))
		}
		s = f.shape
	}
	for s.kind == kindList || s.kind == kindDict {
		s = s.elem
	}
	return s, nil
}

// named are all shapes below one that have a name.
func (in *inputShapes) named(s *shape, into map[string]*shape) {
	if s.elem != nil {
		in.named(s.elem, into)
	}
	if s.kind != kindObject || into[s.name] != nil {
		return
	}
	if s.name != "" {
		into[s.name] = s
	}
	for _, f := range s.fields {
		in.named(f.shape, into)
	}
}

func (in *inputShapes) typeName(s *shape) string {
	switch s.kind {
	case kindObject:
		return s.name
	case kindList:
		return "list of " + in.typeName(s.elem)
	case kindDict:
		return "object of " + in.typeName(s.elem)
	case kindText:
		return "text"
	case kindNumber:
		return "number"
	case kindBoolean:
		return "boolean"
	}
	return "any"
}
