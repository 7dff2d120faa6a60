package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/netcause/netcause/engine"
)

// What rules see of each recorded case is what the schema says that they see.
func TestFactsFollowTheirSchema(t *testing.T) {
	snapshots, err := filepath.Glob("../../cases/*/snapshot")
	if err != nil || len(snapshots) == 0 {
		t.Fatalf("no recorded case: %v", err)
	}
	snapshots = append(snapshots, "../../cases/path-mtu-mismatch/calico/snapshot")
	schemas, err := engine.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range snapshots {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			snapshot, err := snapshotOf(t.Context(), path, nil)
			if err != nil {
				t.Fatal(err)
			}
			seen := engine.See(snapshot)
			for _, node := range append(seen.Nodes(), "") {
				scope := engine.ScopeNode
				if node == "" {
					scope = engine.ScopeCluster
				}
				input, err := seen.Input(node)
				if err != nil {
					t.Fatal(err)
				}
				for _, problem := range against(t, input, schemas[scope]) {
					t.Errorf("input of %q: %s", node, problem)
				}
			}
		})
	}
}

// against gives the first ways in which a document is not of a schema.
func against(t *testing.T, document, schema json.RawMessage) []string {
	t.Helper()
	text := bytes.Join([][]byte{[]byte(`{"document":`), document, []byte(`,"schema":`), schema, []byte("}")}, nil)
	input, err := ast.ValueFromReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	results, err := rego.New(
		rego.Query(`[_, problems] := json.match_schema(input.document, input.schema); wrong := {sprintf("%v: %v", [p.field, p.desc]) | some p in problems}`),
		rego.ParsedInput(input),
	).Eval(t.Context())
	if err != nil || len(results) != 1 {
		t.Fatalf("%v, %v", results, err)
	}
	var problems []string
	for _, problem := range results[0].Bindings["wrong"].([]any) {
		if len(problems) < 5 {
			problems = append(problems, problem.(string))
		}
	}
	return problems
}

func TestPath(t *testing.T) {
	value := map[string]any{"nodes": []any{
		map[string]any{"name": "n1", "sysctls": map[string]any{"net.ipv4.ip_forward": map[string]any{"value": "1"}}},
		map[string]any{"name": "n2"},
	}}
	for path, want := range map[string]string{
		".nodes[].name":   ".nodes[0].name n1 .nodes[1].name n2",
		".input.nodes[1]": `.nodes[1] {"name":"n2"}`,
		".nodes[0].name":  ".nodes[0].name n1",
		".nodes[7].name":  "",
		".nodes[].sysctls[\"net.ipv4.ip_forward\"].value": ".nodes[0].sysctls[\"net.ipv4.ip_forward\"].value 1",
	} {
		steps, err := parsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		for i, l := range walkPath([]located{{"", value}}, steps) {
			if i > 0 {
				got.WriteByte(' ')
			}
			text, ok := l.value.(string)
			if !ok {
				bytes, err := json.Marshal(l.value)
				if err != nil {
					t.Fatal(err)
				}
				text = string(bytes)
			}
			got.WriteString(l.way + " " + text)
		}
		if got.String() != want {
			t.Errorf("%s: %q, want %q", path, got.String(), want)
		}
	}
	for _, path := range []string{".nodes[", ".nodes[x]", ".a..b", ".nodes[99999999999999999999]"} {
		if steps, err := parsePath(path); err == nil {
			t.Errorf("%s: %+v, want an error", path, steps)
		}
	}
}
