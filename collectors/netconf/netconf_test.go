package netconf

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

// writeTree makes a directory with files; a text that starts with "-> " is a symbolic link.
func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, file)
		} else {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestCollect(t *testing.T) {
	root := writeTree(t, map[string]string{
		"etc/hostname":                "# name\nn1.example.com\n",
		"etc/machine-id":              "c9f0f895fb98ab9159f51fd0297e236d\n",
		"proc/sys/kernel/osrelease":   "5.14.0-427.el9.x86_64\n",
		"etc/os-release":              "-> ../usr/lib/os-release",
		"usr/lib/os-release":          "NAME=\"Rocky Linux\"\nID=rocky\nVERSION_ID=\"9.4\"\n",
		"etc/resolv.conf":             "-> /run/NetworkManager/resolv.conf",
		"run/NetworkManager":          "-> /../../../../run/nm",
		"run/nm/resolv.conf":          "nameserver 10.0.0.53\n",
		"run/flannel/subnet.env":      "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
		"var/lib/kubelet/config.yaml": kubeletYAML,
		"var/lib/kube-proxy/x.conf":   kubeProxyYAML,
		"etc/kubernetes/kubelet.conf": "kind: Config\n",

		"etc/sysconfig/network":                                "NETWORKING=yes\n",
		"etc/sysconfig/network-scripts/ifcfg-enp26s0f0":        ifcfgUplink,
		"etc/sysconfig/network-scripts/ifcfg-enp26s0f0.bak":    "BOOTPROTO=none\n",
		"etc/sysconfig/network-scripts/ifcfg-mac":              "HWADDR=52:54:00:00:00:01\nBOOTPROTO=none\n",
		"etc/netplan/10.yaml":                                  "network: {ethernets: {np0: {dhcp4: true}}}\n",
		"run/netplan/10.yaml":                                  "network: {ethernets: {np1: {dhcp4: true}}}\n",
		"etc/netplan/20.yaml":                                  "-> /dev/null",
		"lib/netplan/20.yaml":                                  "network: {ethernets: {np2: {dhcp4: true}}}\n",
		"etc/netplan/30.yaml":                                  "network: [\n",
		"etc/NetworkManager/system-connections/a.nmconnection": "[connection]\nuuid=1\ntype=ethernet\ninterface-name=nm0\n[ipv4]\nmethod=auto\n[wifi-security]\npsk=hunter2\n",
		"run/NetworkManager.x":                                 "",
		"run/nm/system-connections/a.nmconnection":             "[connection]\nuuid=1\ntype=ethernet\ninterface-name=nm1\n[ipv4]\nmethod=manual\n",
		"etc/systemd/network/50-a.network":                     "[Match]\nName=nd0\n[Network]\nDHCP=no\n",
		"usr/lib/systemd/network/50-a.network":                 "[Match]\nName=nd1\n[Network]\nDHCP=yes\n",
		"run/systemd/network/50-a.network.d/x.conf":            "[Network]\nAddress=10.0.0.1/24\n",
		"etc/network/interfaces":                               "auto if0\nsource interfaces.d/*\nsource interfaces\niface if0 inet dhcp\n",
		"etc/network/interfaces.d/b":                           "iface if1 inet dhcp\n",
		"etc/network/interfaces.d/a":                           "auto if1\n",

		"etc/cni/net.d/99-b.conf":     `{"name":"b","type":"bridge"}`,
		"etc/cni/net.d/10-a.conflist": `{"name":"a","plugins":[{"type":"flannel","token":"hunter2"}]}`,
		"etc/cni/net.d/a.txt":         "x",
	})
	n := &facts.Node{}
	n.Links = facts.ReadGroup([]facts.Link{{Ifname: "eth7.5", Kind: "vlan", Address: "52:54:00:00:00:01"}, {Ifname: "eth7", Address: "52:54:00:00:00:01"}})
	Collect(t.Context(), n, Options{Root: root})

	if n.Name != "n1.example.com" {
		t.Errorf("name %q", n.Name)
	}
	host := facts.Host{
		Hostname: "n1.example.com", MachineID: "c9f0f895fb98ab9159f51fd0297e236d", Kernel: "5.14.0-427.el9.x86_64",
		OS: map[string]string{"NAME": "Rocky Linux", "ID": "rocky", "VERSION_ID": "9.4"},
	}
	if diff := cmp.Diff(host, n.Host.Value); diff != "" {
		t.Errorf("host (-want +got):\n%s", diff)
	}
	var interfaces []string
	for _, config := range n.ConfigFiles.Value.Interfaces {
		interfaces = append(interfaces, fmt.Sprintf("%s %s dhcp=%t addresses=%d boot=%t", config.File, config.Device, config.DHCP4 != nil, len(config.Addresses), config.OnBoot))
	}
	want := []string{
		"/etc/sysconfig/network-scripts/ifcfg-enp26s0f0 enp26s0f0 dhcp=true addresses=1 boot=true",
		"/etc/sysconfig/network-scripts/ifcfg-mac eth7 dhcp=false addresses=0 boot=true",
		"/etc/netplan/30.yaml  dhcp=false addresses=0 boot=true",
		"/run/netplan/10.yaml np1 dhcp=true addresses=0 boot=true",
		"/run/NetworkManager/system-connections/a.nmconnection nm1 dhcp=false addresses=0 boot=true",
		"/etc/systemd/network/50-a.network nd0 dhcp=false addresses=1 boot=true",
		"/etc/network/interfaces if0 dhcp=true addresses=0 boot=true",
		"/etc/network/interfaces.d/b if1 dhcp=true addresses=0 boot=true",
	}
	if diff := cmp.Diff(want, interfaces); diff != "" {
		t.Errorf("interfaces (-want +got):\n%s", diff)
	}
	if g := n.ConfigFiles; g.Status != facts.Read || !strings.Contains(g.Reason, "/etc/netplan/30.yaml:1") {
		t.Errorf("config files %+v", g.Meta.Reason)
	}
	if g := n.ResolvConf; g.Status != facts.Read || len(g.Value.Nameservers) != 1 || g.Raw[0].Name != "etc/resolv.conf" {
		t.Errorf("resolv.conf %+v", g)
	}
	if g := n.FlannelSubnetEnv; g.Status != facts.Read || g.Value.MTU != 1450 {
		t.Errorf("flannel %+v", g)
	}
	if g := n.KubeletConfig; g.Status != facts.Read || g.Value.File != "/var/lib/kubelet/config.yaml" || g.Sources[0] != "/var/lib/kubelet/config.yaml" {
		t.Errorf("kubelet %+v", g)
	}
	if g := n.KubeProxyConfig; g.Status != facts.Read || g.Value.File != "/var/lib/kube-proxy/x.conf" || g.Value.Mode != "ipvs" {
		t.Errorf("kube-proxy %+v", g)
	}
	if g := n.CNI; g.Status != facts.Read || g.Value.Dir != "/etc/cni/net.d" || len(g.Value.Files) != 2 || g.Value.Files[0].Name != "a" {
		t.Errorf("CNI %+v", g)
	}
	for _, group := range n.Groups() {
		for _, raw := range group.Group.GetMeta().Raw {
			if strings.Contains(string(raw.Data), "hunter2") {
				t.Errorf("secret in %s", raw.Name)
			}
		}
	}
}

func TestCollectNothing(t *testing.T) {
	n := &facts.Node{Name: "given"}
	Collect(t.Context(), n, Options{Root: t.TempDir()})
	if n.Name != "given" {
		t.Errorf("name %q", n.Name)
	}
	for _, group := range n.Groups()[:7] {
		if m := group.Group.GetMeta(); m.Status != facts.Read || m.Reason != "" || len(m.Sources) == 0 {
			t.Errorf("%s: %+v", group.Name, m)
		}
	}
	if g := n.CNI.Value; g.Dir != "/etc/cni/net.d" || g.Files == nil {
		t.Errorf("CNI %+v", g)
	}
	n = &facts.Node{}
	Collect(t.Context(), n, Options{FS: fstest.MapFS{"etc/netplan/a.yaml": {Data: []byte("network: {}")}}, Partial: true})
	for _, group := range n.Groups()[:7] {
		want := facts.Absent
		if group.Name == "config_files" {
			want = facts.Read
		}
		if m := group.Group.GetMeta(); m.Status != want {
			t.Errorf("partial, %s: %+v", group.Name, m)
		}
	}
	n = &facts.Node{}
	Collect(t.Context(), n, Options{Root: filepath.Join(t.TempDir(), "none")})
	if n.CNI.Status != facts.Failed || n.Host.Status != facts.Failed {
		t.Errorf("no root: %+v", n.CNI.Meta)
	}
}

// deniedFS refuses to open some files.
type deniedFS struct {
	fstest.MapFS
	denied string
}

func (d deniedFS) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, d.denied) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return d.MapFS.Open(name)
}

func TestCollectDenied(t *testing.T) {
	tree := fstest.MapFS{
		"etc/netplan/a.yaml":  {Data: []byte("network: {ethernets: {eth0: {dhcp4: true}}}")},
		"etc/netplan/b.yaml":  {Data: []byte("network: {}")},
		"etc/cni/net.d/x":     {},
		"etc/resolv.conf":     {Data: make([]byte, maxFile+1)},
		"run/flannel/any":     {},
		"etc/network/unknown": {},
	}
	n := &facts.Node{}
	Collect(t.Context(), n, Options{FS: deniedFS{tree, "etc/netplan/b.yaml"}})
	if g := n.ConfigFiles; g.Status != facts.Denied || g.Reason != "read /etc/netplan/b.yaml: permission denied" || len(g.Value.Interfaces) != 1 {
		t.Errorf("file denied: %+v", g)
	}
	if g := n.ResolvConf; g.Status != facts.Failed || g.Reason != "read /etc/resolv.conf: larger than 1 MiB" {
		t.Errorf("large file: %+v", g.Meta)
	}
	Collect(t.Context(), n, Options{FS: deniedFS{tree, "etc/cni/net.d"}})
	if g := n.CNI; g.Status != facts.Denied || g.Reason != "read /etc/cni/net.d: permission denied" {
		t.Errorf("directory denied: %+v", g)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	Collect(ctx, n, Options{FS: tree})
	if g := n.ConfigFiles; g.Status != facts.Failed || !strings.Contains(g.Reason, "context canceled") {
		t.Errorf("canceled: %+v", g.Meta)
	}
}

func TestTreeStaysInside(t *testing.T) {
	root := writeTree(t, map[string]string{
		"a/loop": "-> loop", "a/out": "-> ../../../../../../../etc/passwd", "etc/passwd": "inside", "a/dir": "-> /etc", "a/self": "-> .",
	})
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in := tree{r.FS()}
	for _, name := range []string{"/a/out", "/a/dir/passwd", "/a/self/self/dir/passwd", "/../etc/passwd"} {
		if data, err := in.read(name); string(data) != "inside" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, want := range map[string]string{"/a/loop": errManyLinks.Error(), "/fifo": errNotRegular.Error(), "/a": errNotRegular.Error()} {
		if _, err := in.read(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if _, err := in.read("/etc/passwd/x"); !notThere(err) {
		t.Errorf("below a file: %v", err)
	}
}

func TestCollectKubernetes(t *testing.T) {
	process := func(comm string, args ...string) facts.Group[[]facts.Process] {
		return facts.ReadGroup([]facts.Process{{PID: 1 << 30, Comm: comm, Args: args, HostNetwork: true, Source: "ps"}})
	}
	tests := []struct {
		name      string
		files     fstest.MapFS
		processes facts.Group[[]facts.Process]
		kubelet   facts.KubeletConfig
		proxy     facts.KubeProxyConfig
		// statuses of the two groups, and what their reasons have in them
		kubeletStatus, proxyStatus facts.Status
		reason                     string
	}{
		{
			name:      "flags go before the file",
			files:     fstest.MapFS{"etc/k.yaml": {Data: []byte(kubeletYAML)}, "var/lib/kubelet/config.yaml": {Data: []byte("kind: KubeletConfiguration\nclusterDomain: wrong\n")}},
			processes: process("kubelet", "/usr/bin/kubelet", "--config=/etc/k.yaml", "--node-ip", "10.0.0.1", "--cluster-dns=10.0.0.10", "--resolv-conf=/x"),
			kubelet: facts.KubeletConfig{
				File: "/etc/k.yaml", ClusterDNS: []string{"10.0.0.10"}, ClusterDomain: "cluster.local", ResolvConf: "/x", NodeIP: "10.0.0.1", MaxPods: 110,
				Source: "/etc/k.yaml, ps",
			},
			kubeletStatus: facts.Read, proxyStatus: facts.Read,
		},
		{
			name:      "kube-proxy's file goes before its flags",
			files:     fstest.MapFS{"var/lib/kube-proxy/config.conf": {Data: []byte(kubeProxyYAML)}},
			processes: process("kube-proxy", "/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf", "--hostname-override=n1", "--proxy-mode=iptables"),
			proxy: facts.KubeProxyConfig{
				File: "/var/lib/kube-proxy/config.conf", Mode: "ipvs", ClusterCIDR: "10.244.0.0/16", HostnameOverride: "n1", BindAddress: "0.0.0.0",
				MasqueradeAll: true, IPVSStrictARP: true, Source: "/var/lib/kube-proxy/config.conf, ps",
			},
			kubeletStatus: facts.Read, proxyStatus: facts.Read,
		},
		{
			name:          "kube-proxy by flags alone leaves files aside",
			files:         fstest.MapFS{"var/lib/kube-proxy/config.conf": {Data: []byte(kubeProxyYAML)}},
			processes:     process("kube-proxy", "--proxy-mode=nftables", "--cluster-cidr=10.42.0.0/16"),
			proxy:         facts.KubeProxyConfig{Mode: "nftables", ClusterCIDR: "10.42.0.0/16", Source: "ps"},
			kubeletStatus: facts.Read, proxyStatus: facts.Read,
		},
		{
			name:          "the file is not there",
			processes:     process("kube-proxy", "--config=/none"),
			kubeletStatus: facts.Read, proxyStatus: facts.Absent, reason: "/none of kube-proxy is not in the node's files",
		},
		{
			name:          "the file is another",
			files:         fstest.MapFS{"etc/shadow": {Data: []byte("root:x:hash\n")}},
			processes:     process("kubelet", "--config=/etc/shadow"),
			kubelet:       facts.KubeletConfig{Source: "ps"},
			kubeletStatus: facts.Failed, proxyStatus: facts.Read, reason: "read /etc/shadow: no KubeletConfiguration",
		},
		{
			name: "drop-ins, RKE2",
			files: fstest.MapFS{
				"d/00.conf": {Data: []byte("kind: KubeletConfiguration\nclusterDNS: [10.43.0.10]\nclusterDomain: cluster.local\n")},
				"d/10.conf": {Data: []byte("kind: KubeletConfiguration\nclusterDomain: other\n")},
				"d/x":       {Data: []byte("x")},
			},
			processes: process("kubelet", "kubelet", "--config-dir=/d", "--node-ip=10.0.0.1"),
			kubelet: facts.KubeletConfig{
				File: "/d/00.conf", ClusterDNS: []string{"10.43.0.10"}, ClusterDomain: "other", NodeIP: "10.0.0.1", Source: "/d/00.conf, /d/10.conf, ps",
			},
			kubeletStatus: facts.Read, proxyStatus: facts.Read,
		},
		{
			name: "k3s",
			files: fstest.MapFS{
				"etc/rancher/k3s/config.yaml":     {Data: []byte("token: hunter2\nnode-ip: 10.0.0.2\ncluster-cidr: 10.42.0.0/16\nkube-proxy-arg: [proxy-mode=ipvs, ipvs-strict-arp]\nkubelet-arg:\n- max-pods=250\n- resolv-conf=/y\n")},
				"etc/rancher/k3s/config.yaml.d/a": {},
			},
			processes: process("k3s-server", "/usr/local/bin/k3s", "server", "--node-ip=10.0.0.3"),
			kubelet:   facts.KubeletConfig{NodeIP: "10.0.0.3", MaxPods: 250, ResolvConf: "/y", Source: "/etc/rancher/k3s/config.yaml, ps"},
			proxy: facts.KubeProxyConfig{
				Mode: "ipvs", ClusterCIDR: "10.42.0.0/16", IPVSStrictARP: true, Source: "/etc/rancher/k3s/config.yaml, ps",
			},
			kubeletStatus: facts.Read, proxyStatus: facts.Read,
		},
		{
			name:          "broken in the usual place",
			files:         fstest.MapFS{"var/lib/kubelet/config.yaml": {Data: []byte("a: [\n")}, "etc/kubernetes/kube-proxy.conf": {Data: []byte("kind: Config\n")}},
			kubeletStatus: facts.Failed, proxyStatus: facts.Read, reason: "read /var/lib/kubelet/config.yaml: yaml: line",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &facts.Node{Processes: tt.processes}
			if tt.files == nil {
				tt.files = fstest.MapFS{}
			}
			Collect(t.Context(), n, Options{FS: tt.files})
			if diff := cmp.Diff(tt.kubelet, n.KubeletConfig.Value); diff != "" {
				t.Errorf("kubelet (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.proxy, n.KubeProxyConfig.Value); diff != "" {
				t.Errorf("kube-proxy (-want +got):\n%s", diff)
			}
			if n.KubeletConfig.Status != tt.kubeletStatus || n.KubeProxyConfig.Status != tt.proxyStatus {
				t.Errorf("statuses %v, %v", n.KubeletConfig.Meta, n.KubeProxyConfig.Meta)
			}
			if reasons := n.KubeletConfig.Reason + n.KubeProxyConfig.Reason; !strings.Contains(reasons, tt.reason) {
				t.Errorf("reason %q, want %q", reasons, tt.reason)
			}
			for _, raw := range append(n.KubeletConfig.Raw, n.KubeProxyConfig.Raw...) {
				if strings.Contains(string(raw.Data), "hash") || strings.Contains(string(raw.Data), "hunter2") {
					t.Errorf("secret in %s", raw.Name)
				}
			}
		})
	}
}

// buildWaiting builds a program that needs no file of its root: it says that it is ready and waits for its input to end.
func buildWaiting(t *testing.T, path string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "main.go")
	text := `package main

import (
	"io"
	"os"
)

func main() {
	os.Stdout.WriteString("ready\n")
	io.Copy(io.Discard, os.Stdin)
}
`
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestCollectInContainer reads kube-proxy's file where kube-proxy has it: below a root of its own.
func TestCollectInContainer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: chroot")
	}
	container := writeTree(t, map[string]string{"var/lib/kube-proxy/config.conf": kubeProxyYAML})
	buildWaiting(t, filepath.Join(container, "wait"))
	cmd := exec.CommandContext(t.Context(), "/wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: container, Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	if _, err := io.ReadFull(stdout, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}

	n := &facts.Node{Processes: facts.ReadGroup([]facts.Process{{
		PID: cmd.Process.Pid, Comm: "kube-proxy", Args: []string{"--config=/var/lib/kube-proxy/config.conf"}, HostNetwork: true, Source: "ps",
	}})}
	Collect(t.Context(), n, Options{})
	g := n.KubeProxyConfig
	want := facts.Source(fmt.Sprintf("/proc/%d/root/var/lib/kube-proxy/config.conf", cmd.Process.Pid))
	if g.Status != facts.Read || g.Value.Source != want || g.Value.File != "/var/lib/kube-proxy/config.conf" || g.Value.Mode != "ipvs" {
		t.Errorf("kube-proxy %+v", g)
	}
}

func TestCollectThisMachine(t *testing.T) {
	n := &facts.Node{}
	Collect(t.Context(), n, Options{})
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if h := n.Host; n.Name != name || h.Status != facts.Read || h.Value.Kernel == "" || h.Value.BootID == "" || h.Value.OS["ID"] == "" {
		t.Errorf("host %+v", h)
	}
	if n.ResolvConf.Status == facts.NotAsked || n.ConfigFiles.Status == facts.NotAsked {
		t.Errorf("groups not asked: %+v", n)
	}
}
