package netconf

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

const (
	kubeletYAML = `apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  webhook: {cacheTTL: 0s, enabled: true}
clusterDNS:
- 10.96.0.10
- "fd00::a"
clusterDomain: cluster.local
kind: KubeletConfiguration
resolvConf: /run/systemd/resolve/resolv.conf
maxPods: 110
staticPodURLHeader:
  Authorization: ["Bearer hunter2"]
`
	kubeProxyYAML = `apiVersion: v1
kind: Config
clusters: []
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
clusterCIDR: 10.244.0.0/16
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  masqueradeAll: true
ipvs:
  strictARP: true
kind: KubeProxyConfiguration
mode: ipvs
`
)

func TestParseKubeletConfig(t *testing.T) {
	const file = "/var/lib/kubelet/config.yaml"
	got, ok, err := ParseKubeletConfig(file, []byte(kubeletYAML))
	want := facts.KubeletConfig{
		File: file, Source: file, ClusterDNS: []string{"10.96.0.10", "fd00::a"}, ClusterDomain: "cluster.local",
		ResolvConf: "/run/systemd/resolve/resolv.conf", MaxPods: 110,
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
		t.Errorf("ParseKubeletConfig: %t, %v (-want +got):\n%s", ok, err, diff)
	}
	if _, ok, err := ParseKubeletConfig(file, []byte("kind: Config\napiVersion: v1\n")); ok || err != nil {
		t.Errorf("a kubeconfig: %t, %v", ok, err)
	}
	if _, ok, err := ParseKubeletConfig(file, []byte("kind: [\n")); ok || err == nil {
		t.Errorf("no YAML: %t, %v", ok, err)
	}
	if got, ok, _ := ParseKubeletConfig(file, []byte(`{"kind":"KubeletConfiguration","clusterDNS":"10.0.0.1","maxPods":[]}`)); !ok || got.ClusterDNS != nil {
		t.Errorf("JSON with wrong types: %t, %+v", ok, got)
	}
}

func TestParseKubeProxyConfig(t *testing.T) {
	const file = "/var/lib/kube-proxy/config.conf"
	got, ok, err := ParseKubeProxyConfig(file, []byte(kubeProxyYAML))
	want := facts.KubeProxyConfig{
		File: file, Source: file, Mode: "ipvs", ClusterCIDR: "10.244.0.0/16", BindAddress: "0.0.0.0", MasqueradeAll: true, IPVSStrictARP: true,
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
		t.Errorf("ParseKubeProxyConfig: %t, %v (-want +got):\n%s", ok, err, diff)
	}
	for in, want := range map[string]bool{
		"kind: KubeProxyConfiguration\nmode: nftables\nnftables: {masqueradeAll: true}\n":  true,
		"kind: KubeProxyConfiguration\nmode: nftables\niptables: {masqueradeAll: true}\n":  false,
		"kind: KubeProxyConfiguration\nlinux: {masqueradeAll: true}\n":                     true,
		"kind: KubeProxyConfiguration\nmode: iptables\niptables: {masqueradeAll: false}\n": false,
	} {
		if got, ok, _ := ParseKubeProxyConfig(file, []byte(in)); !ok || got.MasqueradeAll != want {
			t.Errorf("masqueradeAll of %q: %t", in, got.MasqueradeAll)
		}
	}
}

func TestParseFlags(t *testing.T) {
	got := parseFlags([]string{"--node-ip=10.0.0.1", "-v", "2", "--cluster-dns", "10.0.0.10,10.0.0.11", "--cluster-dns=10.0.0.12", "--masquerade-all", "--config", "/x", "--", "--v=2", "--proxy_mode=ipvs", "--last"})
	want := flags{
		{"node-ip", "10.0.0.1"},
		{"cluster-dns", "10.0.0.10,10.0.0.11"},
		{"cluster-dns", "10.0.0.12"},
		{"masquerade-all", "true"},
		{"config", "/x"},
		{"v", "2"},
		{"proxy-mode", "ipvs"},
		{"last", "true"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(flag{})); diff != "" {
		t.Errorf("parseFlags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"10.0.0.10", "10.0.0.11", "10.0.0.12"}, got.list("cluster-dns")); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

func TestFindComponent(t *testing.T) {
	tests := []struct {
		name      string
		processes []facts.Process
		want      int
		embedded  bool
	}{
		{"by comm, arguments with and without the program", []facts.Process{
			{PID: 1, Comm: "containerd", HostNetwork: true}, {PID: 2, Comm: "kubelet", Args: []string{"--config=/x"}, HostNetwork: true},
		}, 2, false},
		{"by program", []facts.Process{{PID: 3, Comm: "exe", Args: []string{"/usr/bin/kubelet", "--config", "/x"}, HostNetwork: true}}, 3, false},
		{"another node's in a container", []facts.Process{{PID: 4, Comm: "kubelet"}, {PID: 5, Comm: "dockerd", HostNetwork: true}}, 0, false},
		{"namespaces not told", []facts.Process{{PID: 4, Comm: "kubelet"}}, 4, false},
		{"k3s", []facts.Process{{PID: 6, Comm: "k3s-server", Args: []string{"/usr/local/bin/k3s", "server"}, HostNetwork: true}}, 6, true},
		{"hyperkube", []facts.Process{{PID: 7, Comm: "hyperkube", Args: []string{"/hyperkube", "kubelet", "--v=2"}}}, 7, false},
		{"none", []facts.Process{{PID: 8, Comm: "kube-proxy"}}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := findComponent(tt.processes, "kubelet")
			if (got == nil) != (tt.want == 0) || got != nil && (got.pid != tt.want || got.embedded != tt.embedded) {
				t.Errorf("findComponent: %+v", got)
			}
		})
	}
}

func FuzzParseKubeletConfig(f *testing.F) {
	f.Add([]byte(kubeletYAML))
	f.Add([]byte("kind: &k KubeletConfiguration\nclusterDNS: [*k, {a: b}]\nx: &y [*y]\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		conf, ok, err := ParseKubeletConfig("/x", data)
		if ok && (conf.File != "/x" || err != nil) {
			t.Errorf("%+v, %v", conf, err)
		}
		if _, err := parseK3s(data); err != nil {
			return
		}
	})
}

func FuzzParseKubeProxyConfig(f *testing.F) {
	f.Add([]byte(kubeProxyYAML))
	f.Fuzz(func(t *testing.T, data []byte) {
		conf, ok, err := ParseKubeProxyConfig("/x", data)
		if ok && (conf.File != "/x" || err != nil) {
			t.Errorf("%+v, %v", conf, err)
		}
	})
}
