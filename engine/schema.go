package engine

import (
	_ "embed" // descriptions.json
	"encoding/json"
	"fmt"
	"reflect"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/netcause/netcause/engine/facts"
)

// descriptionsText are the doc comments of the facts' types and fields, by "Type" and "Type.Field". The test
// TestDescriptionsAreCurrent makes it anew with -update.
//
//go:embed descriptions.json
var descriptionsText []byte

// inputShapes are what rules of each scope see as input.
type inputShapes struct {
	*shapes
	node, namespace, cluster *shape
	byScope                  map[Scope]*shape
}

// inputs are the shapes of input: they follow from the facts' types and are made once.
var inputs = sync.OnceValues(func() (*inputShapes, error) {
	var descriptions map[string]string
	if err := json.Unmarshal(descriptionsText, &descriptions); err != nil {
		return nil, fmt.Errorf("read the descriptions of facts: %w", err)
	}
	return newInputShapes(descriptions), nil
})

func newInputShapes(descriptions map[string]string) *inputShapes {
	in := &inputShapes{shapes: newShapes(descriptions)}
	meta := in.of(reflect.TypeFor[facts.Meta]())

	netns := (&facts.NetNS{}).Groups()
	namespace := in.structFields(reflect.TypeFor[facts.Namespace]())
	namespace = append(namespace, in.groups("NetNS", (&facts.Namespace{}).Groups(), meta)...)
	in.namespace = in.object("Namespace", namespace)
	in.namespace.description = descriptions["Namespace"]

	pods := in.list(in.of(reflect.TypeFor[facts.Pod]()))
	node := []shapeField{
		{name: "name", shape: in.text, description: descriptions["Node.Name"]},
		{name: "collected", shape: in.boolean, description: "Whether anything was collected on the machine itself. False: only the cluster's Node object is known."},
		{name: "object", shape: in.of(reflect.TypeFor[facts.NodeObject]()), optional: true, description: "The cluster's Node object of this machine, where it has one."},
		{name: "pods", shape: pods, description: "The cluster's Pods that are on the node, or that their DaemonSet wants on it."},
		{name: "namespaces", shape: in.list(in.namespace), description: descriptions["Node.Namespaces"]},
	}
	for _, f := range in.groups("Node", append((&facts.Node{}).Groups(), netns...), meta) {
		if f.name != "namespaces" {
			node = append(node, f)
		}
	}
	in.node = in.object("Node", node)
	in.node.description = descriptions["Node"]
	in.cluster = in.object("Cluster", in.groups("Cluster", (&facts.Cluster{}).Groups(), meta))
	in.cluster.description = descriptions["Cluster"]

	cluster := shapeField{name: "cluster", shape: in.cluster, description: "The cluster's objects. A group that was not read is missing; status says why."}
	in.byScope = map[Scope]*shape{
		ScopeNode: in.object("input", []shapeField{
			{name: "node", shape: in.node, description: "The node that the rule is evaluated for."},
			{name: "peers", shape: in.list(in.node), description: "All other nodes."},
			cluster,
		}),
		ScopeCluster: in.object("input", []shapeField{
			{name: "nodes", shape: in.list(in.node), description: "All nodes."},
			cluster,
		}),
	}
	return in
}

// groups are the fields of an owner of groups: those that rules see whole, each missing where it was not read, and the
// status of all.
func (in *inputShapes) groups(owner string, groups []facts.NamedGroup, meta *shape) []shapeField {
	var fields, status []shapeField
	for _, g := range groups {
		prefix := ""
		if owner == "Cluster" {
			prefix = facts.ClusterPrefix
		}
		description := in.descriptions["group "+prefix+g.Name]
		status = append(status, shapeField{name: g.Name, shape: meta, optional: true, description: "How " + g.Name + " was obtained."})
		if !bulkGroups[g.Name] {
			fields = append(fields, shapeField{name: g.Name, shape: in.of(reflect.TypeOf(g.Group.Any())), optional: true, description: description})
		}
	}
	return append(fields, shapeField{
		name: "status", shape: in.object(owner+"GroupStatus", status),
		description: "How each group was obtained: read, absent, denied, failed or not-asked.",
	})
}

// schemaRoot is the path below which a rule's METADATA names schemas: schema.node, schema.cluster.
const schemaRoot = "schema"

func schemaRef(scope Scope) ast.Ref {
	return ast.Ref{ast.VarTerm(schemaRoot), ast.StringTerm(string(scope))}
}

// Schemas are the JSON Schemas (draft 7) of input by scope, as OPA reads them from a folder: schema.node and
// schema.cluster in a rule's METADATA.
func Schemas() (map[Scope]json.RawMessage, error) {
	in, err := inputs()
	if err != nil {
		return nil, err
	}
	schemas := map[Scope]json.RawMessage{}
	for scope, root := range in.byScope {
		text, err := json.MarshalIndent(jsonSchema(root, scope), "", "  ")
		if err != nil {
			return nil, fmt.Errorf("write the schema of scope %s: %w", scope, err)
		}
		schemas[scope] = text
	}
	return schemas, nil
}

// schemaSet is what OPA's type checker takes.
func schemaSet(in *inputShapes) (*ast.SchemaSet, error) {
	set := ast.NewSchemaSet()
	for scope, root := range in.byScope {
		text, err := json.Marshal(jsonSchema(root, scope))
		if err != nil {
			return nil, err
		}
		var schema any
		if err := json.Unmarshal(text, &schema); err != nil {
			return nil, err
		}
		set.Put(schemaRef(scope), schema)
	}
	return set, nil
}

// jsonSchema is the document of one scope: named shapes are definitions.
func jsonSchema(root *shape, scope Scope) map[string]any {
	w := schemaWriter{definitions: map[string]any{}}
	document := w.body(root)
	document["$schema"] = "http://json-schema.org/draft-07/schema#"
	document["title"] = "What a netcause rule of scope " + string(scope) + " sees as input"
	document["definitions"] = w.definitions
	return document
}

type schemaWriter struct{ definitions map[string]any }

func (w schemaWriter) schema(s *shape) map[string]any {
	if s.kind != kindObject || s.name == "" {
		return w.body(s)
	}
	if _, ok := w.definitions[s.name]; !ok {
		w.definitions[s.name] = nil
		w.definitions[s.name] = w.body(s)
	}
	return map[string]any{"$ref": "#/definitions/" + s.name}
}

func (w schemaWriter) body(s *shape) map[string]any {
	schema := map[string]any{}
	switch s.kind {
	case kindText:
		schema["type"] = "string"
	case kindNumber:
		schema["type"] = "number"
	case kindBoolean:
		schema["type"] = "boolean"
	case kindNull:
		schema["type"] = "null"
	case kindList:
		schema["type"], schema["items"] = "array", w.schema(s.elem)
	case kindDict:
		schema["type"], schema["additionalProperties"] = "object", w.schema(s.elem)
	case kindObject:
		properties, required := map[string]any{}, []string{}
		for _, f := range s.fields {
			property := w.schema(f.shape)
			// Draft 7 ignores what stands beside a $ref; editors show it.
			if f.description != "" {
				property["description"] = f.description
			}
			properties[f.name] = property
			if !f.optional {
				required = append(required, f.name)
			}
		}
		schema["type"], schema["properties"], schema["additionalProperties"] = "object", properties, false
		if len(required) > 0 {
			schema["required"] = required
		}
	}
	if s.description != "" {
		schema["description"] = s.description
	}
	return schema
}
