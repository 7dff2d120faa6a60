package redact

import (
	"reflect"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// TestEveryFieldIsSaid fails for a text of the facts of which nobody said what it is, and for entries of fields that are gone.
func TestEveryFieldIsSaid(t *testing.T) {
	found := map[string]bool{}
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type, string)
	visit = func(typ reflect.Type, field string) {
		switch typ {
		case addrType, prefixType, addrPortType:
			return
		case rawJSONType:
			found[field] = true
			return
		}
		switch typ.Kind() {
		case reflect.Struct:
			if seen[typ] || typ.PkgPath() != reflect.TypeFor[facts.Meta]().PkgPath() {
				return
			}
			seen[typ] = true
			owner, _, _ := strings.Cut(typ.Name(), "[")
			for i := range typ.NumField() {
				visit(typ.Field(i).Type, owner+"."+typ.Field(i).Name)
			}
		case reflect.Map:
			visit(typ.Key(), field+"#key")
			visit(typ.Elem(), field)
		case reflect.Slice, reflect.Pointer:
			if field != "Raw.Data" {
				visit(typ.Elem(), field)
			}
		case reflect.String, reflect.Interface:
			found[field] = true
		}
	}
	visit(reflect.TypeFor[facts.Snapshot](), "Snapshot")
	for field := range found {
		if fields[field] == unsaid {
			t.Errorf("%s: say in fields what this text is", field)
		}
	}
	for field := range fields {
		if !found[field] {
			t.Errorf("%s is in fields and not among the facts", field)
		}
	}
}
