package netconf

import (
	"cmp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/netcause/netcause/engine/facts"
)

// kubeletFiles are where kubelet's configuration is when no process tells: kubeadm's place.
var kubeletFiles = []string{"/var/lib/kubelet/config.yaml"}

// ParseKubeletConfig reads a KubeletConfiguration (kubelet.config.k8s.io), which may stand among other documents. ok is
// false where there is none: a kubeconfig, say.
func ParseKubeletConfig(file string, data []byte) (conf facts.KubeletConfig, ok bool, err error) {
	doc, err := documentOfKind(data, "KubeletConfiguration")
	if doc == nil {
		return conf, false, err
	}
	conf = facts.KubeletConfig{
		File: file, Source: facts.Source(file),
		ClusterDomain: scalar(doc, "clusterDomain"),
		ResolvConf:    scalar(doc, "resolvConf"),
		HairpinMode:   scalar(doc, "hairpinMode"),
		PodCIDR:       scalar(doc, "podCIDR"),
	}
	if list := field(doc, "clusterDNS"); list != nil && list.Kind == yaml.SequenceNode {
		for _, item := range list.Content {
			if address := scalar(item); address != "" {
				conf.ClusterDNS = append(conf.ClusterDNS, address)
			}
		}
	}
	if n, err := strconv.Atoi(scalar(doc, "maxPods")); err == nil {
		conf.MaxPods = n
	}
	return conf, true, nil
}

// documentOfKind is the first document of that kind, nil where there is none.
func documentOfKind(data []byte, kind string) (*yaml.Node, error) {
	documents, err := decodeYAML(data)
	i := slices.IndexFunc(documents, func(doc *yaml.Node) bool { return scalar(doc, "kind") == kind })
	if i < 0 {
		return nil, err
	}
	return documents[i], nil
}

// kubeletOver is base with what over sets.
func kubeletOver(base, over facts.KubeletConfig) facts.KubeletConfig {
	base.File = cmp.Or(base.File, over.File)
	base.ClusterDomain = cmp.Or(over.ClusterDomain, base.ClusterDomain)
	base.ResolvConf = cmp.Or(over.ResolvConf, base.ResolvConf)
	base.HairpinMode = cmp.Or(over.HairpinMode, base.HairpinMode)
	base.PodCIDR = cmp.Or(over.PodCIDR, base.PodCIDR)
	base.NodeIP = cmp.Or(over.NodeIP, base.NodeIP)
	base.MaxPods = cmp.Or(over.MaxPods, base.MaxPods)
	if len(over.ClusterDNS) > 0 {
		base.ClusterDNS = over.ClusterDNS
	}
	return base
}

// kubeletFlags is what kubelet's command line says.
func kubeletFlags(f flags) facts.KubeletConfig {
	conf := facts.KubeletConfig{
		ClusterDNS:    f.list("cluster-dns"),
		ClusterDomain: f.last("cluster-domain"),
		ResolvConf:    f.last("resolv-conf"),
		HairpinMode:   f.last("hairpin-mode"),
		PodCIDR:       f.last("pod-cidr"),
		NodeIP:        f.last("node-ip"),
	}
	if n, err := strconv.Atoi(f.last("max-pods")); err == nil {
		conf.MaxPods = n
	}
	return conf
}
