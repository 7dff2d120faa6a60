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
)

// troubleshoot is a support bundle of troubleshoot.sh (https://troubleshoot.sh).
type troubleshoot struct{}

func (troubleshoot) String() string { return "support bundles of troubleshoot.sh" }

const (
	clusterResources = "cluster-resources/"
	hostCollectors   = "host-collectors/"
)

func (troubleshoot) wants(name string) bool {
	name = "/" + name
	if i := strings.Index(name, "/"+clusterResources); i >= 0 {
		rest := name[i+1+len(clusterResources):]
		return !strings.Contains(rest, "/logs/") && !strings.HasPrefix(rest, "custom-resources/") && !strings.HasPrefix(rest, "auth-cani-list/")
	}
	if _, rest, ok := strings.Cut(name, "/"+hostCollectors); ok {
		return strings.HasPrefix(rest, "run-host/") || strings.HasPrefix(rest, "system/") || copiedFrom(rest) != ""
	}
	return strings.HasSuffix(name, "/cluster-info/cluster_version.json") || strings.HasSuffix(name, "/version.yaml")
}

// roots are the folders of a version.yaml that says what it is, or that have both kinds of collectors' folders: an archive
// that was cut may lack it.
func (troubleshoot) roots(t *tree) ([]string, error) {
	var roots []string
	for name := range t.files {
		for _, mark := range []string{"version.yaml", clusterResources, hostCollectors} {
			i := strings.Index("/"+name, "/"+mark)
			if i < 0 || mark == "version.yaml" && len(name) != i+len(mark) {
				continue
			}
			if mark == "version.yaml" {
				data, err := t.data(name)
				if err != nil {
					return nil, err
				}
				if !strings.Contains(string(data[:min(len(data), headSize)]), "SupportBundle") {
					continue
				}
			}
			if root := name[:i]; !slices.Contains(roots, root) {
				roots = append(roots, root)
			}
		}
	}
	slices.Sort(roots)
	return roots, nil
}

func (troubleshoot) read(ctx context.Context, in *intake, t *tree, root string, names []string) error {
	machines := map[string]*machine{}
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if t.files[root+name].link != "" {
			continue
		}
		data, used, ok := in.load(t, root+name)
		if !ok {
			continue
		}
		rest, isResource := strings.CutPrefix(name, clusterResources)
		switch {
		case name == "version.yaml":
			used.PassedOver = "it says what the bundle is"
			in.used++
		case name == "cluster-info/cluster_version.json":
			in.addObjects(within(t.path, root), document{name: root + name, text: data, used: used})
		case isResource:
			troubleshootResource(in, within(t.path, root), document{name: root + name, text: data, used: used}, rest)
		case strings.HasPrefix(name, hostCollectors):
			troubleshootHost(in, t, root, name, data, used, machines)
		default:
			used.PassedOver = "nothing of it is a fact that rules read"
		}
	}
	for _, m := range machines {
		if !m.named {
			m.settleName()
		}
	}
	return nil
}

// troubleshootNames are its files and folders whose names are not the resource's own.
var troubleshootNames = map[string]string{"network-policy": "networkpolicies", "ingress": "ingresses", "custom-resource-definitions": "customresourcedefinitions"}

// troubleshootResource takes a list: KIND.json of the cluster, KIND/NAMESPACE.json. Beside it *-errors.json says why there is
// none.
func troubleshootResource(in *intake, bundle string, d document, rest string) {
	kind, file, namespaced := strings.Cut(rest, "/")
	if !namespaced {
		kind = strings.TrimSuffix(rest, ".json")
	}
	errors, isErrors := strings.CutSuffix(kind, "-errors")
	kind = errors
	if name, ok := troubleshootNames[kind]; ok {
		kind = name
	}
	k := in.objects.resourceOf(kind)
	if isErrors || strings.HasSuffix(file, "-errors.json") {
		var said any
		if err := json.Unmarshal(d.text, &said); err == nil && k != nil {
			if text := fmt.Sprint(said); strings.Contains(text, "forbidden") {
				k.denied = printable(text[:min(len(text), 300)])
				d.used.facts("cluster." + k.resource.group)
				in.used++
				return
			}
		}
		d.used.PassedOver = "what could not be collected"
		return
	}
	if k == nil && kind != "endpoints" {
		d.used.PassedOver = "its objects are of kinds that no rule reads"
		return
	}
	d.kind = kind
	if namespaced {
		d.namespace = strings.TrimSuffix(strings.TrimSuffix(path.Base(file), ".json"), ".yaml")
	}
	in.addObjects(bundle, d)
}

// runInfo is NAME-info.json beside the output of a run collector.
type runInfo struct {
	Command  string `json:"command"`
	ExitCode string `json:"exitCode"`
}

// troubleshootHost takes what a host collector wrote: host-collectors/run-host/NAME.txt with NAME-info.json, of several nodes
// below host-collectors/…/NODE/, and what was copied of a node's own files.
func troubleshootHost(in *intake, t *tree, root, name string, data []byte, used *File, machines map[string]*machine) {
	parts := strings.Split(strings.TrimPrefix(name, hostCollectors), "/")
	machineOf := func(host string) *machine {
		if machines[host] == nil {
			where := within(t.path, root+hostCollectors)
			m := in.machine(where, host, host != "", t.at(root+name))
			if host == "" {
				m.name = path.Base("/" + strings.TrimSuffix(root, "/"))
			}
			machines[host] = m
		}
		return machines[host]
	}
	switch {
	case parts[0] == "run-host" && (len(parts) == 2 || len(parts) == 3) && strings.HasSuffix(name, ".txt"):
		host := ""
		if len(parts) == 3 {
			host = parts[1]
		}
		var info runInfo
		infoName := root + strings.TrimSuffix(name, ".txt") + "-info.json"
		c := command{}
		if text, err := t.data(infoName); err == nil && json.Unmarshal(text, &info) == nil {
			c = parseCommand(commandWordsOf(info.Command))
		}
		if c.subject == nothing {
			c = subjectOf(path.Base(name), data[:min(len(data), headSize)])
		}
		if c.subject == nothing {
			used.PassedOver = notRecognised
			return
		}
		if why := unused[c.subject]; why != "" {
			used.PassedOver = why
			return
		}
		c.line = cmdLine(c, path.Base(name))
		m := machineOf(host)
		m.outputs = append(m.outputs, output{command: c, file: root + name, text: data, used: used})
	case parts[0] == "system" && strings.HasPrefix(parts[len(parts)-1], "sysctl"):
		host := ""
		if len(parts) == 3 {
			host = parts[1]
		}
		var values map[string]string
		if err := json.Unmarshal(data, &values); err != nil {
			used.PassedOver = "not the JSON of sysctls that it should be"
			return
		}
		var text strings.Builder
		for _, key := range slices.Sorted(maps.Keys(values)) {
			fmt.Fprintf(&text, "%s = %s\n", key, values[key])
		}
		m := machineOf(host)
		m.outputs = append(m.outputs, output{command: command{line: "sysctl -a", subject: sysctls}, file: root + name, text: []byte(text.String()), used: used})
	case parts[0] == "system" && parts[len(parts)-1] == "hostos_info.json":
		host := ""
		if len(parts) == 3 {
			host = parts[1]
		}
		var is struct {
			Name          string `json:"name"`
			KernelVersion string `json:"kernelVersion"`
		}
		if err := json.Unmarshal(data, &is); err != nil || is.Name == "" {
			used.PassedOver = "it does not say the host's name"
			return
		}
		m := machineOf(host)
		m.outputs = append(m.outputs, output{
			command: command{line: "uname -a", subject: uname}, file: root + name, used: used,
			text: fmt.Appendf(nil, "Linux %s %s", is.Name, is.KernelVersion),
		})
	default:
		place := copiedFrom(strings.Join(parts, "/"))
		if place == "" || place == kubeletConfig && !bytes.Contains(data, []byte("KubeletConfiguration")) {
			used.PassedOver = "nothing of it is a fact that rules read"
			return
		}
		m := machineOf("")
		if other := m.files[place]; other != nil && !bytes.Equal(other.data, data) {
			used.PassedOver = fmt.Sprintf("%s was copied as well, and which of them is the node's /%s is not known", other.used.Name, place)
			other.used.PassedOver = fmt.Sprintf("%s was copied as well, and which of them is the node's /%s is not known", used.Name, place)
			delete(m.files, place)
			return
		}
		m.files[place] = &nodeFile{data: data, used: used}
	}
}

const kubeletConfig = "var/lib/kubelet/config.yaml"

// copiedFrom is the node's file that a copy collector's is, empty where it is none that tells facts. The collector keeps
// of its place the last component of what it copied, below its own name (pkg/collect/host_copy.go): COLLECTOR/resolv.conf,
// COLLECTOR/net.d/10-flannel.conflist.
func copiedFrom(name string) string {
	collector, copied, ok := strings.Cut(name, "/")
	if !ok || collector == "run-host" || collector == "system" {
		return ""
	}
	switch base := path.Base(copied); {
	case base == "subnet.env":
		return "run/flannel/subnet.env"
	case base == "config.yaml":
		return kubeletConfig
	case strings.HasSuffix(base, ".conflist"):
		return "etc/cni/net.d/" + base
	case strings.HasPrefix(base, "ifcfg-"):
		return "etc/sysconfig/network-scripts/" + base
	}
	for _, place := range nodeFilePlaces {
		folder, isFolder := strings.CutSuffix(place, "/")
		if !isFolder {
			if path.Base(place) == copied {
				return place
			}
			continue
		}
		// What was copied by a pattern has no folder: people name the collector after it.
		for _, in := range []string{copied, name} {
			first, rest, below := strings.Cut(in, "/")
			if below && first == path.Base(folder) && first != "network" {
				return place + rest
			}
		}
	}
	switch path.Ext(copied) {
	case ".network", ".netdev", ".link":
		return "etc/systemd/network/" + path.Base(copied)
	}
	if path.Base(copied) == "interfaces" {
		return "etc/network/interfaces"
	}
	return ""
}

// commandWordsOf are the words of a run collector's command: it may be one that a shell gets.
func commandWordsOf(line string) []string {
	words := strings.Fields(line)
	if len(words) > 2 && (path.Base(words[0]) == "sh" || path.Base(words[0]) == "bash") && words[1] == "-c" {
		words = words[2:]
		words[0] = strings.TrimLeft(words[0], `"'`)
		words[len(words)-1] = strings.TrimRight(words[len(words)-1], `"'`)
	}
	return words
}
