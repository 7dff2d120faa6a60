package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// groupFile is the JSON of a group's file: that of the [facts.Group], and where its raw texts are.
type groupFile struct {
	facts.Meta
	Raw   []rawFile `json:"raw,omitempty"`
	Value any       `json:"value,omitempty"`
}

// rawFile is one raw text of a group.
type rawFile struct {
	// Name is that of the [facts.Raw].
	Name string `json:"name"`
	// File is the text's file, from the folder of the group's.
	File string `json:"file"`
}

// encodeGroup is a group's file, one line for each element of its value.
func encodeGroup(group facts.AnyGroup, raw []rawFile) ([]byte, error) {
	var value []byte
	if v := reflect.ValueOf(group.Any()); v.IsValid() && !v.IsZero() {
		var err error
		if value, err = encodeLines(v); err != nil {
			return nil, err
		}
	}
	return encodeWith(groupFile{Meta: *group.GetMeta(), Raw: raw}, "value", value)
}

// encodeWith is the JSON object of v with one member more.
func encodeWith(v any, name string, value []byte) ([]byte, error) {
	object, err := encodeJSON(v)
	if err != nil || value == nil {
		return append(object, '\n'), err
	}
	object = append(bytes.TrimSuffix(object, []byte("}")), ",\n\""+name+"\":"...)
	object = append(object, value...)
	return append(object, "}\n"...), nil
}

// encodeLines is the JSON of v, with each element of a slice or map on a line of its own.
func encodeLines(v reflect.Value) ([]byte, error) {
	var b bytes.Buffer
	line := func(key string, element any) error {
		text, err := encodeJSON(element)
		if err != nil {
			return err
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.WriteString(key)
		b.Write(text)
		return nil
	}
	switch v.Kind() {
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			if err := line("", v.Index(i).Addr().Interface()); err != nil {
				return nil, err
			}
		}
		b.WriteString("\n]")
	case reflect.Map:
		b.WriteByte('{')
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			key, err := encodeJSON(k.String())
			if err != nil {
				return nil, err
			}
			if err := line(string(key)+":", v.MapIndex(k).Interface()); err != nil {
				return nil, err
			}
		}
		b.WriteString("\n}")
	default:
		return encodeJSON(v.Interface())
	}
	return b.Bytes(), nil
}

// encodeJSON is v on one line, with <, > and & as they are: people read bundles before they send them.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decodeGroup reads a group's file into group, and says where its raw texts are.
func (t *tree) decodeGroup(name string, group facts.AnyGroup) ([]rawFile, error) {
	value := reflect.ValueOf(group).Elem().FieldByName("Value")
	file := groupFile{Value: value.Addr().Interface()}
	if err := t.decode(name, &file, value); err != nil {
		return nil, err
	}
	if file.Status == facts.NotAsked {
		return nil, &FormatError{Path: t.path, Entry: name, Offset: -1, Problem: "it does not say with what status the facts were read"}
	}
	*group.GetMeta() = file.Meta
	return file.Raw, nil
}

// decodeObject reads a JSON file that is no group's into v, a pointer.
func (t *tree) decodeObject(name string, v any) error {
	return t.decode(name, v, reflect.ValueOf(v).Elem())
}

// decode reads a JSON file into v, the bulk of it into value.
func (t *tree) decode(name string, v any, value reflect.Value) error {
	text, err := t.data(name)
	if err != nil {
		return err
	}
	counted := countJSON(text)
	if err := t.meter.countDecoded(t.path, name, text, counted, sizesOf(value.Type())); err != nil {
		return err
	}
	const large = 1024
	if value.Kind() == reflect.Slice && counted.outer > large {
		value.Grow(int(counted.outer)) // else it would grow by copies of itself
	}
	if err = json.Unmarshal(text, v); err == nil {
		return nil
	}
	problem := &FormatError{Path: t.path, Entry: name, Offset: -1, Err: err, Problem: fmt.Sprintf("not the JSON it should be: %v", err)}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		problem.Offset = syntax.Offset
	} else if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		problem.Offset = mismatch.Offset
	}
	if problem.Offset >= 0 {
		problem.Line = 1 + bytes.Count(text[:min(problem.Offset, int64(len(text)))], []byte("\n"))
	}
	return problem
}
