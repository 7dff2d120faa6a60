package bundle

import (
	"context"
	"path"
	"slices"
	"strings"
)

// sosreport is what sos (https://github.com/sosreport/sos) writes, of versions 3 and 4.
type sosreport struct{}

func (sosreport) String() string { return "sosreports" }

// sosCommands is the folder of the commands' outputs: in it a folder for each plugin, in that a file for each command,
// whose name is the command with blanks as underscores and slashes as dots (sos/report/plugins, _mangle_command).
const sosCommands = "sos_commands/"

// sosPlugins are the plugins whose commands may tell facts.
var sosPlugins = []string{"host", "kernel", "networking", "firewall_tables", "kubernetes", "systemd", "openshift", "conntrack", "iptables", "nftables", "process", "ipvs"}

func (sosreport) wants(name string) bool {
	if i := strings.Index("/"+name, "/"+sosCommands); i >= 0 {
		rest := name[i+len(sosCommands):]
		plugin, file, below := strings.Cut(rest, "/")
		if !below || !slices.Contains(sosPlugins, plugin) {
			return false
		}
		s := sosCommand(file).subject
		return s != nothing && unused[s] == "" || isKubectlGet(path.Base(file))
	}
	return path.Base(name) == "version.txt" || isNodeFile(name)
}

// isKubectlGet says whether a file has what `kubectl get` or `oc get` printed, with whatever options.
func isKubectlGet(file string) bool {
	return (strings.HasPrefix(file, "kubectl_") || strings.HasPrefix(file, "oc_")) && strings.Contains(file, "_get_")
}

// isNodeFile says whether a file, below whatever folders, is one of a node's own that tell facts.
func isNodeFile(name string) bool {
	for _, dir := range nodeFilePlaces {
		i := strings.Index("/"+name, "/"+dir)
		if i < 0 {
			continue
		}
		if strings.HasSuffix(dir, "/") || len(name) == i+len(dir) {
			return true
		}
	}
	if i := strings.Index("/"+name, "/proc/"); i >= 0 {
		s, _ := procSubject(name[i:])
		return s != nothing
	}
	return false
}

// nodeFilePlaces are the files, and with a slash the folders, that configuration is read from.
var nodeFilePlaces = []string{
	"etc/hostname", "etc/machine-id", "etc/os-release", "usr/lib/os-release", "etc/resolv.conf", "run/systemd/resolve/", "run/NetworkManager/resolv.conf",
	"etc/sysconfig/network-scripts/", "etc/sysconfig/network/", "etc/netplan/", "run/netplan/", "usr/lib/netplan/", "lib/netplan/",
	"etc/NetworkManager/system-connections/", "run/NetworkManager/system-connections/", "usr/lib/NetworkManager/system-connections/",
	"etc/systemd/network/", "run/systemd/network/", "usr/lib/systemd/network/", "usr/local/lib/systemd/network/",
	"lib/systemd/network/", "etc/network/", "etc/iproute2/", "etc/cni/net.d/",
	"var/lib/rancher/k3s/agent/etc/cni/", "var/lib/rancher/rke2/agent/etc/cni/", "etc/rancher/", "run/flannel/", "var/lib/kubelet/config.yaml", "etc/kubernetes/kubelet/",
	"etc/kubernetes/kubelet.conf", "var/lib/kube-proxy/", "etc/kubernetes/cni/net.d/", "proc/sys/net/", "proc/sys/kernel/random/boot_id",
	"proc/sys/kernel/osrelease", "proc/sys/kernel/hostname",
}

func (sosreport) roots(t *tree) ([]string, error) {
	var roots []string
	for name := range t.files {
		i := strings.Index("/"+name, "/"+sosCommands)
		if i < 0 {
			continue
		}
		if root := name[:i]; !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	slices.Sort(roots)
	return roots, nil
}

// sosCommand is the command whose output a file below sos_commands/PLUGIN/ has.
func sosCommand(file string) command {
	dir, base := path.Split(file)
	words := strings.Split(base, "_")
	c := parseCommand(words)
	// Since 4.x each network namespace has a folder, which tells a name with underscores whole.
	if rest, ok := strings.CutPrefix(dir, "namespaces/"); ok {
		ns := strings.TrimSuffix(rest, "/")
		if tail, ok := strings.CutPrefix(base, "ip_netns_exec_"+ns+"_"); ok {
			line := c.line
			c = parseCommand(strings.Split(tail, "_"))
			c.line = line
		}
		c.netns = ns
	}
	return c
}

func (sosreport) read(ctx context.Context, in *intake, t *tree, root string, names []string) error {
	m := in.machine(within(t.path, root), strings.TrimPrefix(path.Base("/"+strings.TrimSuffix(root, "/")), "/"), false, t.at(root+"version.txt"))
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		file := t.files[root+name]
		if file.link != "" {
			m.files[name] = &nodeFile{link: file.link}
			continue
		}
		data, used, ok := in.load(t, root+name)
		if !ok {
			continue
		}
		if file.at.After(m.at) {
			m.at = file.at
		}
		m.take(in, t.path, root, name, data, used)
	}
	m.settleName()
	return nil
}

// take takes a file of a sosreport.
func (m *machine) take(in *intake, bundle, root, name string, data []byte, used *File) {
	if rest, ok := strings.CutPrefix(name, sosCommands); ok {
		_, file, _ := strings.Cut(rest, "/")
		if c := sosCommand(file); c.subject != nothing && unused[c.subject] == "" {
			m.outputs = append(m.outputs, output{command: c, file: root + name, text: data, used: used})
			return
		}
		if isKubectlGet(path.Base(file)) && looksLikeObjects(data[:min(len(data), headSize)]) {
			in.addObjects(bundle, document{
				name: root + name, text: data, used: used, namespace: argument(path.Base(file), "namespace"),
				whole: strings.Contains(file, "all-namespaces"),
			})
			return
		}
		of, ok := tableOfObjects(data)
		switch {
		case ok && of.resource == "pods" && in.takePods(data, argument(path.Base(file), "namespace"), used):
		case ok:
			used.PassedOver = tableUnused(of)
		default:
			used.PassedOver = "a table for people: its columns leave out what rules read"
		}
		return
	}
	if strings.HasPrefix(name, "proc/") {
		var c command
		if c.file(name); c.subject != nothing {
			c.line = "cat /" + name
			m.outputs = append(m.outputs, output{command: c, file: root + name, text: data, used: used})
			return
		}
	}
	m.files[name] = &nodeFile{data: data, used: used}
}

// argument is the value of --name in a command's file name: "kubectl_get_--namespace_default_pods".
func argument(file, name string) string {
	_, rest, ok := strings.Cut(file, "--"+name+"_")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, "_")
	return value
}

// anybody are names that a machine has which nobody has given one.
var anybody = []string{"localhost", "localhost.localdomain", "localhost4", "(none)", "debian", "ubuntu", "fedora"}

// settleName takes the name that the machine calls itself.
func (m *machine) settleName() {
	name := m.hostname(strings.TrimSpace(string(m.files.data("etc/hostname"))))
	if name == "" || strings.ContainsAny(name, " \t\n") || slices.Contains(anybody, strings.ToLower(name)) {
		return
	}
	m.name, m.named = printable(name), true
}
