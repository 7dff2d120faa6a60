package bundle

import (
	"bytes"
	"context"
	"path"
	"regexp"
	"slices"
	"strings"
)

// bugtool is what cilium-bugtool writes (cilium/cilium, bugtool/cmd): of itself an archive, in a sysdump of the cilium CLI a
// folder for each agent's Pod. The agent has the node's network namespace, and a file system and processes of its own.
type bugtool struct{}

func (bugtool) String() string { return "cilium-bugtool and cilium sysdump" }

// bugtoolCommands are those of its commands that tell facts. Versions differ in the options.
var bugtoolCommands = []string{
	"hostname", "uname -a", "sysctl -a", "ip a", "ip -d -s a", "ip -4 r", "ip -6 r", "ip -d -s l", "ip -4 n", "ip -6 n", "ip rule", "ip -4 rule", "ip -6 rule",
	"iptables-save -c", "ip6tables-save -c", "iptables-nft-save -c", "ip6tables-nft-save -c", "iptables-legacy-save -c", "ip6tables-legacy-save -c",
	"nft list ruleset", "nft -a list ruleset", "ipset list",
}

// bugtoolFiles are the names of their files: slashes and blanks of the command are dashes (writeCmdToFile).
var bugtoolFiles = func() map[string]string {
	files := map[string]string{}
	for _, line := range bugtoolCommands {
		files[strings.NewReplacer("/", "-", " ", "-").Replace(line)+".md"] = line
	}
	return files
}()

var bugtoolTable = regexp.MustCompile(`\Aip--([46])-route-show-table-(\d+)\.md\z`)

// bugtoolCommand is the command of a file of the folder cmd.
func bugtoolCommand(file string) (line string) {
	if m := bugtoolTable.FindStringSubmatch(file); m != nil {
		return "ip -" + m[1] + " route show table " + m[2]
	}
	return bugtoolFiles[file]
}

func (bugtool) wants(name string) bool {
	dir, file := path.Split(name)
	return path.Base(dir) == "cmd" && bugtoolCommand(file) != ""
}

func (b bugtool) roots(t *tree) ([]string, error) {
	var roots []string
	for name := range t.files {
		if !b.wants(name) {
			continue
		}
		if root := strings.TrimSuffix(path.Dir(name), "cmd"); !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	slices.Sort(roots)
	return roots, nil
}

func (bugtool) read(ctx context.Context, in *intake, t *tree, root string, names []string) error {
	m := in.machine(within(t.path, root), path.Base("/"+strings.TrimSuffix(root, "/")), false, t.at(root+"cmd/uname--a.md"))
	var loose []string
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if t.files[root+name].link != "" {
			continue
		}
		dir, file := path.Split(name)
		if dir != "cmd/" {
			loose = append(loose, root+name)
			continue
		}
		data, used, ok := in.load(t, root+name)
		if !ok {
			continue
		}
		data = withoutTitle(unixLines(data))
		if failed := bugtoolFailed(data); failed != "" {
			used.PassedOver = "the command failed: " + failed
			continue
		}
		c := parseCommand(strings.Fields(bugtoolCommand(file)))
		if c.subject == nothing {
			if c = subjectOf(file, data[:min(len(data), headSize)]); c.subject == processList {
				c = command{} // those of the agent's container
			}
			c.line = cmdLine(c, file)
		}
		if c.subject == nothing || unused[c.subject] != "" {
			used.PassedOver = passedOver(name, data[:min(len(data), headSize)])
			continue
		}
		m.outputs = append(m.outputs, output{command: c, file: root + name, text: data, used: used})
	}
	m.settleName()
	return in.objectsOf(ctx, t, loose)
}

// withoutTitle is an output without the title and the Markdown block that some versions put around it; lines stay where they
// are.
func withoutTitle(data []byte) []byte {
	if !titled(data[:min(len(data), headSize)]) {
		return data
	}
	_, rest, _ := bytes.Cut(data, []byte("\n"))
	return append([]byte("\n"), withoutFence(bytes.TrimRight(rest, " \n"))...)
}

// bugtoolFailed is what bugtool adds to the output of a command that failed.
func bugtoolFailed(data []byte) string {
	i := bytes.LastIndex(data, []byte("> Error while running '"))
	if i < 0 || i > 0 && data[i-1] != '\n' {
		return ""
	}
	return printable(firstLine(data[i:]))
}
