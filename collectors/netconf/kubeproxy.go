package netconf

import (
	"cmp"

	"github.com/netcause/netcause/engine/facts"
)

// kubeProxyFiles are patterns of where kube-proxy's configuration is when no process tells: kubeadm's ConfigMap as it is
// mounted, and what installers by hand use.
var kubeProxyFiles = []string{
	"/var/lib/kube-proxy/config.conf", "/var/lib/kube-proxy/*.yaml", "/var/lib/kube-proxy/*.conf",
	"/etc/kubernetes/kube-proxy*.yaml", "/etc/kubernetes/kube-proxy*.conf",
}

// ParseKubeProxyConfig reads a KubeProxyConfiguration (kubeproxy.config.k8s.io), which may stand among other documents.
// ok is false where there is none: a kubeconfig, say.
func ParseKubeProxyConfig(file string, data []byte) (conf facts.KubeProxyConfig, ok bool, err error) {
	doc, err := documentOfKind(data, "KubeProxyConfiguration")
	if doc == nil {
		return conf, false, err
	}
	conf = facts.KubeProxyConfig{
		File: file, Source: facts.Source(file),
		Mode:               scalar(doc, "mode"),
		ClusterCIDR:        scalar(doc, "clusterCIDR"),
		HostnameOverride:   scalar(doc, "hostnameOverride"),
		BindAddress:        scalar(doc, "bindAddress"),
		HealthzBindAddress: scalar(doc, "healthzBindAddress"),
	}
	backend := conf.Mode
	if backend != "nftables" {
		backend = "iptables" // ipvs masquerades by this section, too
	}
	conf.MasqueradeAll, _ = truth(cmp.Or(scalar(doc, "linux", "masqueradeAll"), scalar(doc, backend, "masqueradeAll")))
	conf.IPVSStrictARP, _ = truth(scalar(doc, "ipvs", "strictARP"))
	return conf, true, nil
}

// kubeProxyFlags is what kube-proxy's command line says. It leaves all of it but --hostname-override aside when it has a
// --config.
func kubeProxyFlags(f flags) facts.KubeProxyConfig {
	conf := facts.KubeProxyConfig{
		Mode:               f.last("proxy-mode"),
		ClusterCIDR:        f.last("cluster-cidr"),
		HostnameOverride:   f.last("hostname-override"),
		BindAddress:        f.last("bind-address"),
		HealthzBindAddress: f.last("healthz-bind-address"),
	}
	conf.MasqueradeAll, _ = truth(f.last("masquerade-all"))
	conf.IPVSStrictARP, _ = truth(f.last("ipvs-strict-arp"))
	return conf
}
