package engine

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

var update = flag.Bool("update", false, "write descriptions.json from the doc comments of the facts")

// The descriptions that rule authors see are the doc comments of engine/facts.
func TestDescriptionsAreCurrent(t *testing.T) {
	text, err := json.MarshalIndent(docComments(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile("descriptions.json", text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(descriptionsText), string(text)); diff != "" {
		t.Errorf("descriptions.json is not current: go test ./engine -run TestDescriptionsAreCurrent -update\n%s", diff)
	}
}

// docComments are the comments of exported types and fields of engine/facts, and of the fields by the groups' names.
func docComments(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	files, err := filepath.Glob("facts/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources of the facts: %v", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				return true
			}
			for _, spec := range decl.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok && spec.Name.IsExported() {
					typeComments(docs, decl, spec)
				}
			}
			return false
		})
	}
	for _, owner := range []struct {
		prefix string
		value  any
		groups []facts.NamedGroup
	}{
		{"", &facts.Node{}, nil}, {"", &facts.NetNS{}, nil}, {"cluster.", &facts.Cluster{}, nil},
	} {
		groups := owner.value.(interface{ Groups() []facts.NamedGroup }).Groups()
		structure := reflect.ValueOf(owner.value).Elem()
		for _, g := range groups {
			for i := range structure.NumField() {
				if structure.Field(i).Addr().Interface() == any(g.Group) {
					field := structure.Type().Field(i)
					docs["group "+owner.prefix+g.Name] = groupComment(docs, structure.Type().Name(), field)
				}
			}
		}
	}
	for key, value := range docs {
		if value == "" {
			delete(docs, key)
		}
	}
	return docs
}

// groupComment is the field's comment, else that of the type of its values.
func groupComment(docs map[string]string, owner string, field reflect.StructField) string {
	if doc := docs[owner+"."+field.Name]; doc != "" {
		return doc
	}
	value, _ := field.Type.FieldByName("Value")
	of, many := value.Type, ""
	for of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		switch {
		case many != "":
		case of.Kind() == reflect.Map:
			many = "An object by name; each: "
		default:
			many = "A list; each: "
		}
		of = of.Elem()
	}
	return many + docs[of.Name()]
}

func typeComments(docs map[string]string, decl *ast.GenDecl, spec *ast.TypeSpec) {
	doc := spec.Doc
	if doc == nil {
		doc = decl.Doc
	}
	docs[spec.Name.Name] = comment(spec.Name.Name, doc)
	structure, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range structure.Fields.List {
		for _, name := range field.Names {
			words := []string{comment(name.Name, field.Doc), comment(name.Name, field.Comment)}
			docs[spec.Name.Name+"."+name.Name] = strings.TrimSpace(strings.Join(words, " "))
		}
	}
}

var docLink = regexp.MustCompile(`\[([A-Z][A-Za-z.]*)\]`)

// comment is a doc comment in one line that begins as a sentence without the Go name: "VXLAN are the attributes of a VXLAN
// device." becomes "The attributes of a VXLAN device."
func comment(name string, group *ast.CommentGroup) string {
	text := docLink.ReplaceAllString(strings.Join(strings.Fields(group.Text()), " "), "$1")
	for _, verb := range []string{" is ", " are ", ": "} {
		if rest, ok := strings.CutPrefix(text, name+verb); ok {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return text
}
