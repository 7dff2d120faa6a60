package cases_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/rules"
)

// TestNodes diagnoses nodes of many kinds, from the outputs of their commands, with the objects of their cluster and
// without. A file of testdata/nodes is one cluster: its comment says what it is, and in lines "found:" and "open:" which
// rules find something in it and which are not examined; nothing else may be found. How a node is written: see nodeText. A
// bundle beside it was collected in a real network namespace, which the part "how" says how to make.
func TestNodes(t *testing.T) {
	compiled := compile(t)
	files, err := filepath.Glob(nodesFolder + "*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) { readNodes(t, name).check(t, compiled) })
	}
}

// TestNodesInPart leaves out of healthy nodes one group of facts after the other: what was not read is no proof.
func TestNodesInPart(t *testing.T) {
	compiled := compile(t)
	for _, name := range []string{"flannel-vxlan", "ipv6-only-nat64", "dhcp-and-static-secondary", "eks-vpc-cni"} {
		t.Run(name, func(t *testing.T) {
			w := readNodes(t, name)
			for node, parts := range w.nodes {
				for _, part := range []string{"links", "routes", "rules", "sysctls", "legacy", "legacy6", "nft", "neighbours", "processes"} {
					whole := parts[part]
					parts[part] = unread + whole
					for _, objects := range []bool{true, false} {
						if d := w.diagnose(t, compiled, objects); len(d.Findings) > 0 {
							t.Errorf("without %s of %s (objects: %v): %s", part, node, objects, messages(d))
						}
					}
					parts[part] = whole
				}
			}
		})
	}
}

const nodesFolder = "testdata/nodes/"

func compile(t *testing.T) *engine.Engine {
	t.Helper()
	library, err := engine.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := library.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func (w *nodeWorld) check(t *testing.T, compiled *engine.Engine) {
	t.Helper()
	d := w.diagnose(t, compiled, true)
	found, open := w.expected("found"), w.expected("open")
	if diff := cmp.Diff(found, idsOf(d.Findings)); diff != "" {
		t.Errorf("found: %s\n%s", diff, messages(d))
	}
	for _, n := range d.NotExamined {
		t.Logf("not examined: %s %v: %v", n.ID, n.Subject, n.Missing)
		open = slices.DeleteFunc(open, func(id string) bool { return id == n.ID })
	}
	for _, r := range d.RuledOut {
		t.Logf("ruled out: %s %v: %v", r.ID, r.Subject, r.Message)
	}
	if len(open) > 0 {
		t.Errorf("examined: %v", open)
	}
	if len(d.FailedRules) > 0 {
		t.Errorf("failed: %+v", d.FailedRules)
	}
	if alone := w.diagnose(t, compiled, false); len(found) == 0 && len(alone.Findings) > 0 {
		t.Errorf("without the objects: %s", messages(alone))
	}
}

func idsOf(findings []engine.Finding) []string {
	ids := []string{}
	for _, f := range findings {
		ids = append(ids, f.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func messages(d *engine.Diagnosis) string {
	var b strings.Builder
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "%s on %v: %s\n", f.ID, f.Subject, f.Message)
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "    %s | %s | %s\n", e.Fact, e.Value, e.Source)
		}
	}
	return b.String()
}

// nodeWorld is one cluster with the nodes that were collected.
type nodeWorld struct {
	comment string
	nodes   map[string]map[string]string // by node and part
	// recorded are netcause's own bundles of nodes that were made of real namespaces.
	recorded []string
	objects  []any
	service  []nodeService
}

func readNodes(t *testing.T, name string) *nodeWorld {
	t.Helper()
	archive, err := txtar.ParseFile(nodesFolder + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	w := &nodeWorld{comment: string(archive.Comment), nodes: map[string]map[string]string{}}
	for _, f := range archive.Files {
		node, part, ok := strings.Cut(f.Name, "/")
		switch {
		case ok:
			if w.nodes[node] == nil {
				w.nodes[node] = map[string]string{}
			}
			w.nodes[node][part] = string(f.Data)
		case f.Name == "how":
		case f.Name == "objects":
			for line := range strings.Lines(string(f.Data)) {
				w.object(t, strings.Fields(line))
			}
		default:
			t.Fatalf("%s is no part of a cluster", f.Name)
		}
	}
	if recorded, err := filepath.Glob(nodesFolder + name + ".tar.gz"); err == nil {
		w.recorded = recorded
	}
	return w
}

// expected are the ids in the lines of the comment that begin with a word.
func (w *nodeWorld) expected(word string) []string {
	ids := []string{}
	for line := range strings.Lines(w.comment) {
		if rest, ok := strings.CutPrefix(line, word+":"); ok {
			ids = append(ids, strings.Fields(rest)...)
		}
	}
	slices.Sort(ids)
	return ids
}

func (w *nodeWorld) diagnose(t *testing.T, compiled *engine.Engine, objects bool) *engine.Diagnosis {
	t.Helper()
	dir := t.TempDir()
	for name, parts := range w.nodes {
		w.put(t, dir, name+".txt", w.nodeText(t, name, parts))
	}
	if objects && len(w.objects) > 0 {
		list, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": w.objects})
		if err != nil {
			t.Fatal(err)
		}
		w.put(t, dir, "objects.json", string(list))
	}
	snapshot, files, err := bundle.ReadFiles(t.Context(), append(w.paths(t, dir), w.recorded...), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Bundle, dir) && (f.PassedOver != "" || f.FirstUnparsed != "") {
			t.Errorf("%s was not understood: %+v", f.Name, f)
		}
	}
	for _, n := range snapshot.Nodes {
		if w.nodes[n.Name] == nil {
			continue
		}
		if text := w.nodes[n.Name]["processes"]; !strings.HasPrefix(text, unread) {
			n.Processes = processes(text)
		}
	}
	d, err := compiled.Diagnose(t.Context(), snapshot)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// paths are the folder, where something is in it.
func (w *nodeWorld) paths(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 {
		return nil
	}
	return []string{dir}
}

func (w *nodeWorld) put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// processes are command lines, those of the node's own network. No bundle but netcause's own has any.
func processes(text string) facts.Group[[]facts.Process] {
	g := facts.Group[[]facts.Process]{Meta: facts.Meta{Status: facts.Read}}
	for line := range strings.Lines(text) {
		args := strings.Fields(line)
		g.Value = append(g.Value, facts.Process{PID: 1000 + len(g.Value), Comm: filepath.Base(args[0]), Args: args, HostNetwork: true, Source: "ps"})
	}
	return g
}
