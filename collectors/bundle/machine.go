package bundle

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/netcause/netcause/collectors/iproute2"
	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/collectors/netconf"
	"github.com/netcause/netcause/engine/facts"
)

// machine is what bundles hold of one node: its files, and the outputs of commands that ran on it.
type machine struct {
	// where names the bundle, or the folder in it, for a person.
	where string
	// name is the node's where the bundle says it, else something that tells it from others.
	name string
	// named: name is what the machine calls itself, not a folder's or file's name.
	named bool
	// ofPod: name is a Pod's of whose node these are files; where no list of Pods has it they are nobody's.
	ofPod   bool
	at      time.Time
	outputs []output
	files   nodeFiles
	// notes are what is said of the bundle besides.
	notes []string
}

// output is what a command printed, or a file of the kernel's said.
type output struct {
	command command
	// file is where it is in the bundle; facts' sources name it.
	file string
	text []byte
	// used is told what facts it gave, and what of it was not understood.
	used *File
}

// built is a node while its facts are made of outputs.
type built struct {
	*machine
	tables   iproute2.TableNames
	netnsIDs iproute2.NetnsIDs
	// plain are the outputs of each namespace that do not tell the kinds of devices.
	plain    map[string]plainDevices
	unparsed []string
}

// node makes the facts.
func (m *machine) node(ctx context.Context) (*facts.Node, string) {
	n := &facts.Node{Name: m.name}
	for i := range m.outputs {
		m.outputs[i].text = unixLines(validText(m.outputs[i].text))
	}
	for _, file := range m.files {
		file.data = validText(file.data)
	}
	b := &built{machine: m, tables: iproute2.TableNames{}, plain: map[string]plainDevices{}}
	for _, name := range m.files.under("etc/iproute2/") {
		if base := strings.TrimPrefix(name, "etc/iproute2/"); base == "rt_tables" || strings.HasPrefix(base, "rt_tables.d/") {
			maps.Copy(b.tables, iproute2.ParseTableNames(m.files.data(name)))
		}
	}
	var names []string
	if o := b.best("", namespaceNames); o != nil {
		p := iproute2.ParseNetns(o.text)
		b.note(o, p.Unparsed, len(p.Items), "namespaces")
		b.netnsIDs = iproute2.IDs(p.Items)
		for _, ns := range p.Items {
			names = append(names, ns.Name)
		}
	}
	b.netns("", &n.NetNS)
	for _, o := range m.outputs {
		if ns := o.command.netns; ns != "" && !slices.Contains(names, ns) {
			names = append(names, ns)
		}
	}
	for _, name := range names {
		ns := &facts.Namespace{ID: name, Path: "/run/netns/" + name, FoundBy: "/var/run/netns"}
		if pid, ok := strings.CutPrefix(name, netnsOfPID); ok {
			ns.Path, ns.FoundBy = "/proc/"+pid+"/ns/net", "nsenter"
		}
		b.netns(name, &ns.NetNS)
		n.Namespaces = append(n.Namespaces, ns)
	}
	b.joinVeths(n)
	if b.best("", namespaceNames) != nil || len(names) > 0 {
		n.NamespaceList = facts.ReadGroup(names, "ip netns")
		if len(names) == 0 {
			n.NamespaceList.Value = []string{}
		}
		n.NamespaceList.Reason = "those with a name alone"
	} else {
		n.NamespaceList = absent[[]string]("ip netns")
	}
	b.processes(n)
	netconf.Collect(ctx, n, netconf.Options{FS: m.files, Partial: true})
	m.files.report(n)
	b.host(n)
	return n, b.problem()
}

// validText is a text without bytes that are no UTF-8: facts are written as JSON.
func validText(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return bytes.ToValidUTF8(text, []byte(string(utf8.RuneError)))
}

// host adds to the machine's identity what commands said of it.
func (b *built) host(n *facts.Node) {
	h := &n.Host
	h.Value.Hostname = b.hostname(h.Value.Hostname)
	said := h.Status == facts.Read
	if o := b.best("", uname); o != nil {
		if f := strings.Fields(string(o.text)); len(f) > 2 && f[0] == "Linux" {
			h.Value.Kernel = f[2]
			for _, machine := range []string{"x86_64", "aarch64", "ppc64le", "s390x", "i686", "armv7l", "riscv64"} {
				if slices.Contains(f[2:], machine) {
					h.Value.Machine = machine
				}
			}
			h.Sources = append(h.Sources, facts.Source(o.file))
			o.used.facts("host")
			said = true
		}
	}
	if said {
		h.Status, h.Reason = facts.Read, ""
	}
	if h.Status == facts.Read && h.Value.Hostname == "" {
		h.Value.Hostname = b.name
	}
}

// hostname is what the machine calls itself; inFile is what its /etc/hostname says.
func (m *machine) hostname(inFile string) string {
	for _, o := range m.outputs {
		f := strings.Fields(string(o.text))
		switch {
		case o.command.netns != "":
		case o.command.subject == hostname && len(f) == 1 && !strings.Contains(o.command.line, " -f"):
			o.used.facts("host")
			return f[0]
		case o.command.subject == uname && len(f) > 2 && f[0] == "Linux":
			return f[1]
		}
	}
	return inFile
}

// best is the output of a subject in a namespace that says most: the longest of those that say something.
func (m *machine) best(netns string, s subject) *output {
	var best *output
	for i := range m.outputs {
		o := &m.outputs[i]
		if o.command.netns == netns && o.command.subject == s && (best == nil || len(o.text) > len(best.text)) {
			best = o
		}
	}
	return best
}

func (m *machine) all(netns string, s subject) []*output {
	var all []*output
	for i := range m.outputs {
		if o := &m.outputs[i]; o.command.netns == netns && o.command.subject == s {
			all = append(all, o)
		}
	}
	return all
}

// note tells an output's file which facts it gave, and keeps what was not understood.
func (b *built) note(o *output, unparsed lines.Unparsed, items int, group string) {
	if items > 0 || unparsed.Count == 0 {
		o.used.facts(group)
	}
	o.used.Unparsed = max(o.used.Unparsed, unparsed.Count)
	if unparsed.Count > 0 {
		if o.used.FirstUnparsed == "" {
			o.used.FirstUnparsed = fmt.Sprintf("line %d: %s", unparsed.First[0].Number, printable(strings.TrimSpace(unparsed.First[0].Text)))
		}
		b.unparsed = append(b.unparsed, fmt.Sprintf("%s: %s", o.file, unparsed.String()))
	}
}

// problem is what of the machine's outputs was not understood.
func (b *built) problem() string {
	return strings.Join(append(slices.Clone(b.notes), b.unparsed[:min(len(b.unparsed), 5)]...), "; ")
}

func absent[T any](commands string) facts.Group[T] {
	return facts.Unread[T](facts.Absent, "the bundle has no output of "+commands)
}

// collectedFrom makes a group of what was read of an output: a text of which nothing was understood is none.
func collectedFrom[T any](items T, count int, o *output, unparsed lines.Unparsed) facts.Group[T] {
	source := facts.Source(o.file)
	if count == 0 && unparsed.Count > 0 {
		said := strings.TrimSpace(unparsed.First[0].Text)
		return facts.Unread[T](refusal(said), fmt.Sprintf("%s says: %s", o.file, printable(said)), source)
	}
	g := facts.ReadGroup(items, source)
	if unparsed.Count > 0 {
		g.Reason = unparsed.String()
	}
	return g
}

// refusal is what a program that did not do its work said: that it may not, or something else.
func refusal(said string) facts.Status {
	for _, denial := range []string{"ermission denied", "not permitted", "must be root", "need to be root", "Forbidden"} {
		if strings.Contains(said[:min(len(said), headSize)], denial) {
			return facts.Denied
		}
	}
	return facts.Failed
}

// nodeFiles are a node's own files in a bundle, by path without the leading slash. It is an [fs.FS] that follows the
// links among them and no others.
type nodeFiles map[string]*nodeFile

type nodeFile struct {
	data []byte
	link string
	used *File
}

func (f nodeFiles) data(name string) []byte {
	if file := f[name]; file != nil {
		return file.data
	}
	return nil
}

// under are the names that begin so, sorted.
func (f nodeFiles) under(prefix string) []string {
	var names []string
	for name := range f {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// report tells each file which facts it gave.
func (f nodeFiles) report(n *facts.Node) {
	for _, g := range n.Groups() {
		meta := g.Group.GetMeta()
		for _, source := range meta.Sources {
			if file := f[strings.TrimPrefix(string(source), "/")]; file != nil && meta.Status == facts.Read {
				file.used.facts(g.Name)
			}
		}
	}
}
