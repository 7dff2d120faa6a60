package netconf

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// cniDirs are where CNI configurations are, first the standard place, then those of k3s, OpenShift and MicroK8s.
var cniDirs = []string{
	"/etc/cni/net.d", "/var/lib/rancher/k3s/agent/etc/cni/net.d", "/etc/kubernetes/cni/net.d",
	"/var/snap/microk8s/current/args/cni-network",
}

// isCNI says whether a runtime reads a file of that name: the extensions that containerd's go-cni and CRI-O's ocicni
// hand to libcni's ConfFiles. The runtime takes the files in byte order of their names.
func isCNI(name string) bool {
	return slices.Contains([]string{".conf", ".conflist", ".json"}, path.Ext(name))
}

// cniName is what libcni takes for a network's name (pkg/utils of containernetworking/cni).
var cniName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$`)

// ParseCNI reads one CNI configuration: a list of plugins where the file's name ends in .conflist, a single plugin
// otherwise. Problem says why libcni would refuse it.
func ParseCNI(file string, data []byte) facts.CNIFile {
	conf := facts.CNIFile{File: file, Source: facts.Source(file), Plugins: []map[string]json.RawMessage{}}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			conf.Source = facts.FileLine(file, 1+bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n")))
		}
		conf.Problem = fmt.Sprintf("not JSON: %v", err)
		return conf
	}
	conf.Name, conf.CNIVersion = jsonString(top["name"]), jsonString(top["cniVersion"])
	if path.Ext(file) == ".conflist" {
		conf.Plugins, conf.Problem = cniPlugins(top["plugins"])
	} else {
		conf.Plugins = append(conf.Plugins, maskPlugin(top))
		switch {
		case jsonString(top["type"]) == "" && top["plugins"] != nil:
			conf.Problem = `no "type": a list of plugins is read only from a file that ends in .conflist`
		case jsonString(top["type"]) == "":
			conf.Problem = `no "type"`
		}
	}
	if conf.Problem == "" {
		conf.Problem = cniNameProblem(conf.Name)
	}
	return conf
}

func cniNameProblem(name string) string {
	switch {
	case name == "":
		return `no "name"`
	case !cniName.MatchString(name):
		return fmt.Sprintf("invalid name %q", name)
	}
	return ""
}

// cniPlugins reads the plugins of a list.
func cniPlugins(raw json.RawMessage) (plugins []map[string]json.RawMessage, problem string) {
	plugins = []map[string]json.RawMessage{}
	var list []json.RawMessage
	switch err := json.Unmarshal(raw, &list); {
	case raw == nil:
		return plugins, `no "plugins"`
	case err != nil:
		return plugins, `"plugins" is no list`
	case len(list) == 0:
		return plugins, `no plugin in "plugins"`
	}
	for i, raw := range list {
		var plugin map[string]json.RawMessage
		if err := json.Unmarshal(raw, &plugin); err != nil || plugin == nil {
			problem = cmp.Or(problem, fmt.Sprintf("plugin %d is no object", i+1))
			continue
		}
		if jsonString(plugin["type"]) == "" {
			problem = cmp.Or(problem, fmt.Sprintf(`plugin %d has no "type"`, i+1))
		}
		plugins = append(plugins, maskPlugin(plugin))
	}
	return plugins, problem
}

// maskPlugin is a plugin's configuration without its secrets: keys of etcd, tokens of the API server.
func maskPlugin(plugin map[string]json.RawMessage) map[string]json.RawMessage {
	masked := make(map[string]json.RawMessage, len(plugin))
	for key, value := range plugin {
		if secretName(key) {
			value = json.RawMessage(`"` + mask + `"`)
		}
		masked[key] = maskJSON(value)
	}
	return masked
}

// maskCNI masks a CNI configuration's text. Of valid JSON the text stays as it is where there is nothing to mask, and is
// written anew where there is; the rest is masked as any text.
func maskCNI(data []byte) []byte {
	if !json.Valid(data) {
		return MaskSecrets(data)
	}
	masked := maskJSON(data)
	if bytes.Equal(masked, data) {
		return data
	}
	var b bytes.Buffer
	if err := json.Indent(&b, masked, "", "  "); err != nil {
		return MaskSecrets(data)
	}
	return append(b.Bytes(), '\n')
}

// jsonString is a JSON string's text, "" for anything else.
func jsonString(raw json.RawMessage) string {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return ""
	}
	return s
}
