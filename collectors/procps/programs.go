package procps

import (
	"path"
	"slices"
	"strings"

	"github.com/netcause/netcause/collectors/netconf"
)

// commMax is TASK_COMM_LEN of include/linux/sched.h without its zero: the kernel cuts longer names of programs.
const commMax = 15

// programs are those that configure or carry the network of a node, by the name of their file.
var programs = map[string]bool{
	// Kubernetes and its distributions.
	"kubelet": true, "kube-proxy": true, "k3s": true, "k3s-server": true, "k3s-agent": true, "rke2": true,
	"hyperkube": true, "k0s": true, "microk8s": true, "kubelite": true, "coredns": true, "node-cache": true,
	// Container runtimes.
	"containerd": true, "dockerd": true, "crio": true, "cri-dockerd": true, "podman": true,
	// Network plugins.
	"flanneld": true, "calico-node": true, "felix": true, "confd": true, "bird": true, "bird6": true,
	"calico-typha": true, "cilium-agent": true, "cilium-envoy": true, "cilium-operator": true, "kube-router": true,
	"antrea-agent": true, "ovnkube": true, "ovn-controller": true, "ovs-vswitchd": true, "ovsdb-server": true,
	"weaver": true, "kube-ovn-daemon": true, "kube-ovn-cni": true, "aws-k8s-agent": true, "azure-cns": true,
	"multus-daemon": true, "kindnetd": true, "ip-masq-agent": true,
	// The host's own network.
	"NetworkManager": true, "systemd-networkd": true, "systemd-resolved": true, "dhclient": true, "dhcpcd": true,
	"wickedd": true, "wicked": true, "netplan": true, "connmand": true, "firewalld": true, "ufw": true,
	"nftables": true, "dnsmasq": true, "unbound": true, "named": true, "keepalived": true, "haproxy": true,
	"frr": true, "zebra": true, "bgpd": true, "speaker": true, "cloud-init": true, "tailscaled": true,
}

// byComm are the same names as the kernel cuts them.
var byComm = func() map[string]bool {
	m := make(map[string]bool, len(programs))
	for name := range programs {
		m[name[:min(len(name), commMax)]] = true
	}
	return m
}()

// IsNetworkProgram says whether a process has to do with the network of a node, by its name as the kernel has it (comm of
// proc(5)) or the program that its arguments begin with.
func IsNetworkProgram(comm string, args []string) bool {
	return byComm[comm] || len(args) > 0 && programs[path.Base(args[0])]
}

// nodeAgents are the programs of which it matters whether they run in the node's own network namespace: they make a machine
// a node, or its Pods' network.
var nodeAgents = []string{
	"kubelet", "kube-proxy", "kubelite", "k3s", "k3s-agent", "k3s-server", "rke2", "hyperkube", "flanneld", "calico-node", "kube-router",
	"cilium-agent", "antrea-agent", "ovnkube",
}

// IsNodeAgent says whether a program makes the machine a node of a cluster, or its Pods' network, where it runs in the node's
// own network namespace.
func IsNodeAgent(comm string) bool { return slices.Contains(nodeAgents, comm) }

// MaskArguments masks the values of arguments that look secret: "--token=…", "--token …", passwords in URLs.
func MaskArguments(args []string) []string {
	masked := make([]string, len(args))
	for i, arg := range args {
		masked[i] = string(netconf.MaskSecrets([]byte(arg)))
		if i == 0 {
			continue
		}
		flag := args[i-1]
		if strings.HasPrefix(flag, "-") && !strings.Contains(flag, "=") && !strings.HasPrefix(arg, "-") {
			pair := flag + "="
			masked[i] = strings.TrimPrefix(string(netconf.MaskSecrets([]byte(pair+arg))), pair)
		}
	}
	return masked
}
