package netconf

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/netcause/netcause/engine/facts"
)

// k3sFile is the configuration of k3s, whose keys are its flags; k3sKubeletDir its kubelet's drop-ins.
const (
	k3sFile       = "/etc/rancher/k3s/config.yaml"
	k3sDir        = "/etc/rancher/k3s/config.yaml.d"
	k3sKubeletDir = "/var/lib/rancher/k3s/agent/etc/kubelet.conf.d"
)

// readK3sFlags are the flags of k3s' configuration files, then those of its command line, which win.
func readK3sFlags(r *reading, process *component) (given flags, source facts.Source) {
	r.look(k3sFile)
	files := []string{k3sFile}
	for _, name := range r.dir(k3sDir, func(name string) bool { return strings.HasSuffix(name, ".yaml") }) {
		files = append(files, path.Join(k3sDir, name))
	}
	for _, file := range files {
		data, ok := r.file(file)
		if !ok {
			continue
		}
		parsed, err := parseK3s(data)
		if err != nil {
			r.failed = append(r.failed, fmt.Sprintf("read %s: %v", file, err))
		}
		given = append(given, parsed...)
		source = joined(source, facts.Source(file))
	}
	if process != nil {
		given = append(given, process.flags...)
	}
	return given, source
}

// k3sKubelet are the flags that k3s hands its kubelet: those of its own that mean the same, then --kubelet-arg.
func k3sKubelet(f flags) flags {
	return k3sFlags(f, "kubelet-arg", "cluster-dns", "cluster-domain", "node-ip", "resolv-conf")
}

// k3sProxy are those for its kube-proxy. Its --cluster-cidr is kube-proxy's; the mode is iptables unless an argument
// says otherwise.
func k3sProxy(f flags) flags { return k3sFlags(f, "kube-proxy-arg", "cluster-cidr") }

func k3sFlags(f flags, args string, names ...string) flags {
	var given flags
	for _, flag := range f {
		if slices.Contains(names, flag.name) {
			given = append(given, flag)
		}
	}
	for _, flag := range f {
		if flag.name == args {
			given = append(given, parseFlags([]string{"--" + flag.value})...)
		}
	}
	return given
}

// parseK3s reads k3s' configuration file as the flags that it stands for. Lists are repeated flags.
func parseK3s(data []byte) (flags, error) {
	documents, err := decodeYAML(data)
	if err != nil || len(documents) == 0 {
		return nil, err
	}
	top := resolved(documents[0])
	if top == nil || top.Kind != yaml.MappingNode {
		return nil, nil
	}
	var parsed flags
	for i := 0; i+1 < len(top.Content); i += 2 {
		name, value := top.Content[i].Value, resolved(top.Content[i+1])
		switch {
		case value == nil:
		case value.Kind == yaml.ScalarNode:
			parsed = append(parsed, flag{name, scalar(value)})
		case value.Kind == yaml.SequenceNode:
			for _, item := range value.Content {
				parsed = append(parsed, flag{name, scalar(item)})
			}
		}
	}
	return parsed, nil
}
