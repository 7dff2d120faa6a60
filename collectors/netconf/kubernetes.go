package netconf

import (
	"cmp"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// componentFiles reads the configuration of one component: the file that its command line names, else those where it
// usually is.
type componentFiles[T any] struct {
	*reading
	*component
	name, kind string
	parse      func(file string, data []byte) (T, bool, error)
}

// configured reads the file that the process names, in the file system that the process sees. where is that one's path.
func (f *componentFiles[T]) configured(c *collector, file string) (conf T, where string, ok bool) {
	file = path.Join("/", file)
	t, where, closeTree, err := c.processTree(f.pid)
	defer closeTree()
	node := f.tree
	f.tree = t
	data, read := f.get(file)
	f.tree = node
	if !read {
		if err != nil {
			// It may be in a container, which may not be entered.
			f.problem(fmt.Sprintf("/proc/%d/root%s", f.pid, file), err)
		}
		if len(f.denied)+len(f.failed) == 0 {
			f.absent = append(f.absent, fmt.Sprintf("%s of %s is not in the node's files", file, f.name))
		}
		return conf, where, false
	}
	if conf, ok, err = f.parse(file, data); !ok {
		f.fail(file, err)
		return conf, where, false
	}
	f.keep(file, MaskSecrets(data))
	return conf, where, true
}

// usual reads the first of some files that is of the kind. Another kind's file is left aside: what is in the same place
// may be a kubeconfig.
func (f *componentFiles[T]) usual(patterns ...string) (conf T, ok bool) {
	for _, pattern := range patterns {
		f.look(pattern)
		looked := f.looked
		files := glob(f.reading, pattern)
		f.looked = looked
		for _, file := range files {
			data, read := f.get(file)
			if !read {
				continue
			}
			conf, ok, err := f.parse(file, data)
			if err != nil && !ok {
				f.fail(file, err)
			}
			if ok {
				f.keep(file, MaskSecrets(data))
				return conf, true
			}
		}
	}
	return conf, false
}

// process is the source of what the component's command line says, which is then one of the group's.
func (f *componentFiles[T]) process() facts.Source {
	f.seen = true
	if !slices.Contains(f.read, f.source) {
		f.read = append(f.read, f.source)
	}
	return f.source
}

func (f *componentFiles[T]) fail(file string, err error) {
	if err == nil {
		err = fmt.Errorf("no %s", f.kind)
	}
	f.failed = append(f.failed, fmt.Sprintf("read %s: %v", file, err))
}

func (c *collector) kubelet() facts.Group[facts.KubeletConfig] {
	f := componentFiles[facts.KubeletConfig]{
		reading: c.reading(), component: findComponent(c.node.Processes.Value, "kubelet"),
		name: "kubelet", kind: "KubeletConfiguration", parse: ParseKubeletConfig,
	}
	var conf facts.KubeletConfig
	switch {
	case f.component == nil:
		var ok bool
		if conf, ok = f.usual(kubeletFiles...); !ok {
			conf = k3sKubeletConfig(&f)
		}
	case f.embedded:
		conf = k3sKubeletConfig(&f)
	default:
		conf = c.kubeletProcess(&f)
	}
	return outcome(f.reading, c.partial, conf)
}

// kubeletProcess is the configuration of a running kubelet: its file, over that its drop-ins, over those its flags.
func (c *collector) kubeletProcess(f *componentFiles[facts.KubeletConfig]) (conf facts.KubeletConfig) {
	if file := f.flags.last("config"); file != "" {
		var where string
		var ok bool
		if conf, where, ok = f.configured(c, file); ok {
			conf.Source = facts.Source(where) + conf.Source
		}
	} else if len(f.flags) == 0 { // its command line is not known
		conf, _ = f.usual(kubeletFiles...)
	}
	if dir := f.flags.last("config-dir"); dir != "" {
		conf = kubeletDropins(f, conf, dir)
	}
	given := kubeletFlags(f.flags)
	if conf.Source == "" || !reflect.DeepEqual(given, facts.KubeletConfig{}) {
		conf.Source = joined(conf.Source, f.process())
	}
	return kubeletOver(conf, given)
}

// k3sKubeletConfig is the configuration of the kubelet inside k3s; zero where there is no k3s.
func k3sKubeletConfig(f *componentFiles[facts.KubeletConfig]) facts.KubeletConfig {
	conf := kubeletDropins(f, facts.KubeletConfig{}, k3sKubeletDir)
	given, source := readK3sFlags(f.reading, f.component)
	conf.Source = joined(conf.Source, source)
	if f.component != nil {
		conf.Source = joined(conf.Source, f.process())
	}
	return kubeletOver(conf, kubeletFlags(k3sKubelet(given)))
}

// kubeletDropins merges the *.conf files of kubelet's --config-dir, in the order of their names.
func kubeletDropins(f *componentFiles[facts.KubeletConfig], conf facts.KubeletConfig, dir string) facts.KubeletConfig {
	dir = path.Join("/", dir)
	for _, name := range f.dir(dir, func(name string) bool { return strings.HasSuffix(name, ".conf") }) {
		file := path.Join(dir, name)
		data, ok := f.get(file)
		if !ok {
			continue
		}
		dropin, ok, err := f.parse(file, data)
		if !ok {
			f.fail(file, err)
			continue
		}
		f.keep(file, MaskSecrets(data))
		conf.Source = joined(conf.Source, dropin.Source)
		conf = kubeletOver(conf, dropin)
	}
	return conf
}

func (c *collector) kubeProxy() facts.Group[facts.KubeProxyConfig] {
	f := componentFiles[facts.KubeProxyConfig]{
		reading: c.reading(), component: findComponent(c.node.Processes.Value, "kube-proxy"),
		name: "kube-proxy", kind: "KubeProxyConfiguration", parse: ParseKubeProxyConfig,
	}
	var conf facts.KubeProxyConfig
	switch {
	case f.component == nil:
		conf, _ = f.usual(kubeProxyFiles...)
	case f.embedded:
		given, source := readK3sFlags(f.reading, f.component)
		conf = kubeProxyFlags(k3sProxy(given))
		conf.Source = joined(source, f.process())
	case f.flags.last("config") != "":
		var where string
		var ok bool
		if conf, where, ok = f.configured(c, f.flags.last("config")); !ok {
			break
		}
		conf.Source = facts.Source(where) + conf.Source
		if name := f.flags.last("hostname-override"); name != "" {
			conf.HostnameOverride = name
			conf.Source = joined(conf.Source, f.process())
		}
	case len(f.flags) > 0:
		conf = kubeProxyFlags(f.flags)
		conf.Source = f.process()
	default: // its command line is not known
		conf, _ = f.usual(kubeProxyFiles...)
	}
	return outcome(f.reading, c.partial, conf)
}

func joined(a, b facts.Source) facts.Source {
	if a != "" && b != "" {
		return a + ", " + b
	}
	return cmp.Or(a, b)
}
