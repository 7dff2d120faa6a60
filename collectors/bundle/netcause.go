package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// netcause is netcause's own format.
type netcause struct{}

func (netcause) String() string { return "netcause bundles (.tar.gz, .tar, or the folder)" }

func (netcause) wants(name string) bool {
	if inLayout(name) {
		return true
	}
	_, below, ok := strings.Cut(name, "/")
	return ok && inLayout(below)
}

// inLayout says whether a file of that name, from the top folder, can be one of a bundle.
func inLayout(name string) bool {
	return name == manifestName || name == redactionName || strings.HasPrefix(name, "nodes/") || strings.HasPrefix(name, "cluster/")
}

// roots are the folders with a manifest of the format.
func (netcause) roots(t *tree) ([]string, error) {
	var tops []string
	for name := range t.files {
		dir, base := path.Split(name)
		if base != manifestName || t.files[name].link != "" {
			continue
		}
		text, err := t.data(name)
		if err != nil {
			return nil, err
		}
		var is struct {
			Format string `json:"format"`
		}
		// One that is damaged is to be told, not passed over.
		if err := json.Unmarshal(text, &is); is.Format == formatName || err != nil && bytes.Contains(text, []byte(formatName)) {
			tops = append(tops, dir)
		}
	}
	slices.Sort(tops)
	return tops, nil
}

// read takes a whole bundle or none: its manifest tells what belongs to it.
func (n netcause) read(ctx context.Context, in *intake, t *tree, root string, names []string) error {
	for _, name := range t.names() {
		if below, ok := strings.CutPrefix(name, root); ok && t.files[name].link != "" {
			t.problems = append(t.problems, special(t.path, root+below, "symbolic link"))
		}
	}
	r := &reading{tree: t, top: root, nodes: map[string]*readingNode{}}
	snapshot, err := r.read(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		f := in.note(t.path, root+name)
		if f.facts(groupOf(name)); len(f.Facts) == 0 {
			f.PassedOver = "it belongs to netcause's bundle"
		}
	}
	in.used++
	in.snapshots = append(in.snapshots, snapshot)
	return nil
}

// groupOf is the group of facts of a file in the layout, empty for others.
func groupOf(name string) string {
	dir, base := path.Split(name)
	group, isJSON := strings.CutSuffix(base, ".json")
	switch {
	case !isJSON || base == manifestName || base == redactionName || strings.Contains(dir, "/raw/"):
		return ""
	case dir == "cluster/":
		return "cluster." + group
	}
	return group
}

// reading is a netcause bundle that is being read.
type reading struct {
	tree *tree
	top  string // "NAME/"

	manifest manifest
	snapshot facts.Snapshot
	nodes    map[string]*readingNode // by folder
	cluster  *readingGroups
	unknown  []string // files of unknown groups
}

// readingNode is a node whose files are being read.
type readingNode struct {
	node       *facts.Node
	groups     readingGroups
	namespaces map[string]*readingGroups // by folder
}

// readingGroups are groups whose files are being read.
type readingGroups struct {
	whose  any  // what the folder's own file is read into
	told   bool // it was read
	groups map[string]facts.AnyGroup
}

func newGroups(whose any, groups ...facts.NamedGroup) readingGroups {
	g := readingGroups{whose: whose, groups: map[string]facts.AnyGroup{}}
	for _, group := range groups {
		g.groups[group.Name] = group.Group
	}
	return g
}

func (r *reading) read(ctx context.Context) (*facts.Snapshot, error) {
	if err := r.readManifest(); err != nil {
		return nil, err
	}
	if len(r.tree.problems) > 0 {
		return nil, r.tree.problems[0]
	}
	names, err := r.order()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if err := r.readFile(name); err != nil {
			return nil, err
		}
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	r.snapshot.Symptoms = r.manifest.Symptoms
	r.snapshot.Inputs = append([]facts.Input{{
		Kind: "bundle", Name: place(r.tree.path, strings.TrimSuffix(r.nested(), "/")), CollectedAt: r.manifest.CollectedAt, Problem: r.problem(),
		Redacted: r.manifest.Redacted,
	}}, r.manifest.Inputs...)
	return &r.snapshot, nil
}

// nested is the bundle's top folder where it is one of several in the tree, else empty.
func (r *reading) nested() string {
	if strings.Count(r.top, "/") > 1 {
		return r.top
	}
	tops, err := netcause{}.roots(r.tree)
	if err != nil || len(tops) < 2 {
		return ""
	}
	return r.top
}

func (r *reading) readManifest() error {
	// A later version may have changed everything but these.
	var is struct {
		Version int `json:"version"`
	}
	if err := r.object(manifestName, &is); err != nil {
		return err
	}
	switch {
	case is.Version > formatVersion:
		return &VersionError{Path: r.tree.path, Version: is.Version, Supported: formatVersion}
	case is.Version < 1:
		return r.malformed(manifestName, fmt.Sprintf("there is no version %d of the format", is.Version))
	}
	return r.object(manifestName, &r.manifest)
}

// order is the order to read the files in: the manifest's, then those that it does not name.
func (r *reading) order() ([]string, error) {
	var names []string
	listed := map[string]bool{manifestName: true}
	missing, first := 0, ""
	for _, entry := range r.manifest.Entries {
		if !inLayout(entry.Name) || listed[entry.Name] {
			return nil, r.malformed(manifestName, fmt.Sprintf("it names the file %s, which is not one of a bundle, or twice", printable(entry.Name)))
		}
		listed[entry.Name] = true
		if !r.tree.has(r.top + entry.Name) {
			if missing++; missing == 1 {
				first = entry.Name
			}
			continue
		}
		names = append(names, entry.Name)
	}
	if missing > 0 {
		return nil, r.malformed(first, fmt.Sprintf("truncated: %d of %d files that the manifest names are missing, this one first",
			missing, len(r.manifest.Entries)))
	}
	for _, name := range r.tree.names() {
		if name, ok := strings.CutPrefix(name, r.top); ok && inLayout(name) && !listed[name] {
			names = append(names, name)
		}
	}
	return names, nil
}

// readFile reads one file by its place in the layout. Raw texts are read with the groups that name them.
func (r *reading) readFile(name string) error {
	dir, base := path.Split(name)
	base, isJSON := strings.CutSuffix(base, ".json")
	parts := strings.Split(strings.TrimSuffix(dir, "/"), "/")
	switch {
	case !isJSON:
		return nil
	case len(parts) == 1 && parts[0] == "cluster":
		return r.readGroup(r.clusterGroups(), name, dir, base, "cluster")
	case len(parts) == 2 && parts[0] == "nodes":
		return r.readGroup(&r.nodeAt(dir).groups, name, dir, base, "node")
	case len(parts) == 4 && parts[0] == "nodes" && parts[2] == "netns":
		node := r.nodeAt("nodes/" + parts[1] + "/")
		return r.readGroup(node.namespaceAt(dir), name, dir, base, "namespace")
	default:
		return nil
	}
}

// readGroup reads the file of a group, or the one that says whose the groups are.
func (r *reading) readGroup(groups *readingGroups, name, dir, group, own string) error {
	if group == own {
		groups.told = true
		return r.object(name, groups.whose)
	}
	into, ok := groups.groups[group]
	if !ok {
		r.unknown = append(r.unknown, name)
		return nil
	}
	raw, err := r.tree.decodeGroup(r.top+name, into)
	if err != nil {
		return err
	}
	for _, text := range raw {
		from := r.top + dir + text.File
		if !strings.HasPrefix(text.File, "raw/") || !r.tree.has(from) {
			return r.malformed(name, fmt.Sprintf("its text %s is not in the bundle", printable(text.File)))
		}
		data, err := r.tree.data(from)
		if err != nil {
			return err
		}
		into.GetMeta().Raw = append(into.GetMeta().Raw, facts.Raw{Name: text.Name, Data: data})
	}
	return nil
}

func (r *reading) clusterGroups() *readingGroups {
	if r.cluster == nil {
		r.snapshot.Cluster = &facts.Cluster{}
		groups := newGroups(r.snapshot.Cluster, r.snapshot.Cluster.Groups()...)
		r.cluster = &groups
	}
	return r.cluster
}

func (r *reading) nodeAt(folder string) *readingNode {
	if r.nodes[folder] == nil {
		node := &facts.Node{}
		r.snapshot.Nodes = append(r.snapshot.Nodes, node)
		r.nodes[folder] = &readingNode{
			node: node, namespaces: map[string]*readingGroups{},
			groups: newGroups(node, append(node.Groups(), node.NetNS.Groups()...)...),
		}
	}
	return r.nodes[folder]
}

func (n *readingNode) namespaceAt(folder string) *readingGroups {
	if n.namespaces[folder] == nil {
		namespace := &facts.Namespace{}
		n.node.Namespaces = append(n.node.Namespaces, namespace)
		groups := newGroups(namespace, namespace.Groups()...)
		n.namespaces[folder] = &groups
	}
	return n.namespaces[folder]
}

// check says whether every folder told whose it is.
func (r *reading) check() error {
	if r.cluster != nil && !r.cluster.told {
		return r.malformed("cluster/cluster.json", "it is missing")
	}
	names := map[string]string{}
	for _, folder := range slices.Sorted(maps.Keys(r.nodes)) {
		node := r.nodes[folder]
		own := folder + "node.json"
		switch other := names[node.node.Name]; {
		case !node.groups.told:
			return r.malformed(own, "it is missing")
		case node.node.Name == "":
			return r.malformed(own, "the node has no name")
		case other != "":
			return r.malformed(own, fmt.Sprintf("node %s is in %s too", printable(node.node.Name), printable(r.top+other)))
		}
		names[node.node.Name] = own
		ids := map[string]string{}
		for _, folder := range slices.Sorted(maps.Keys(node.namespaces)) {
			own := folder + "namespace.json"
			namespace := node.namespaces[folder].whose.(*facts.Namespace)
			switch other := ids[namespace.ID]; {
			case !node.namespaces[folder].told:
				return r.malformed(own, "it is missing")
			case namespace.ID == "":
				return r.malformed(own, "the network namespace has no id")
			case other != "":
				return r.malformed(own, fmt.Sprintf("network namespace %s is in %s too", printable(namespace.ID), printable(r.top+other)))
			}
			ids[namespace.ID] = own
		}
	}
	return nil
}

// problem is what the bundle's input says of what was not read as it was written.
func (r *reading) problem() string {
	var problems []string
	if len(r.unknown) > 0 {
		problems = append(problems, "groups of facts that this netcause does not know were skipped: "+few(r.unknown))
	}
	var edited []string
	for _, entry := range r.manifest.Entries {
		if file := r.tree.files[r.top+entry.Name]; file != nil && file.data != nil && int64(len(file.data)) != entry.Size {
			edited = append(edited, entry.Name)
		}
	}
	if len(edited) > 0 {
		problems = append(problems, "files that are not as they were collected: "+few(edited))
	}
	return strings.Join(problems, "; ")
}

// few names the first of some files.
func few(names []string) string {
	const most = 5
	var b strings.Builder
	for i, name := range names[:min(len(names), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(printable(name))
	}
	if more := len(names) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// object reads a JSON file that is no group's.
func (r *reading) object(name string, v any) error { return r.tree.decodeObject(r.top+name, v) }

func (r *reading) malformed(name, problem string) error {
	return &FormatError{Path: r.tree.path, Entry: r.top + name, Offset: -1, Problem: problem}
}
