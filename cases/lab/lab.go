package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Lab is a cluster that is up, or is being brought up.
type Lab struct {
	dir      string
	tools    string // where .ci/kubernetes has the programs
	netcause string // the built command
	machines map[string]*Machine
	state    state

	kubeconfig []byte
	config     *rest.Config
	client     *kubernetes.Clientset

	// applied is what the present case made in the cluster.
	applied []string
	out     io.Writer
}

// nodeNames are the cluster's.
var nodeNames = []string{"n1", "n2", "n3"}

var nodeAddresses = map[string]string{"n1": "10.153.204.15", "n2": "10.153.204.16", "n3": "10.153.204.17"}

// Node is one of n1, n2 and n3.
func (l *Lab) Node(name string) *Machine { return l.machines[name] }

// Nodes are all of them.
func (l *Lab) Nodes() []*Machine {
	var nodes []*Machine
	for _, name := range nodeNames {
		nodes = append(nodes, l.machines[name])
	}
	return nodes
}

// Control is the machine of the control plane.
func (l *Lab) Control() *Machine { return l.machines["control"] }

// Client is the machine outside of the cluster.
func (l *Lab) Client() *Machine { return l.machines["client"] }

// Fabric is the network between all machines: its bridge br0 has a port for each node, with the node's name.
func (l *Lab) Fabric() *Machine { return l.machines["fabric"] }

// API is a client of the API server, as the administrator.
func (l *Lab) API() *kubernetes.Clientset { return l.client }

// program is one of those that .ci/kubernetes built.
func (l *Lab) program(name string) string { return filepath.Join(l.tools, name) }

func (l *Lab) programs() string { return filepath.Join(l.dir, "programs") }

func (l *Lab) say(format string, args ...any) { fmt.Fprintf(l.out, format+"\n", args...) }

// open is a lab that an earlier command brought up.
func open(dir string, out io.Writer) (*Lab, error) {
	s, err := readState(dir)
	if err != nil {
		return nil, err
	}
	l := &Lab{dir: dir, tools: s.Tools, netcause: s.Netcause, machines: map[string]*Machine{}, state: s, out: out}
	if !s.Up {
		return nil, fmt.Errorf("the lab did not come up whole: go run . down")
	}
	for name, process := range s.Machines {
		if !process.alive() {
			return nil, fmt.Errorf("machine %s is gone: go run . down", name)
		}
		l.machines[name] = l.machine(name, process)
	}
	if l.kubeconfig, err = os.ReadFile(filepath.Join(dir, "kubeconfig")); err != nil {
		return nil, err
	}
	return l, l.connect()
}

func (l *Lab) machine(name string, process processID) *Machine {
	return &Machine{
		Name: name, Address: machineAddress(name), Uplink: uplink, dir: filepath.Join(l.dir, name), process: process, self: filepath.Join(l.dir, "lab"),
	}
}

const uplink = "eth0"

func machineAddress(name string) string {
	switch name {
	case "control":
		return controlAddress
	case "client":
		return clientAddress
	case "fabric":
		return gatewayAddress
	}
	return nodeAddresses[name]
}

// down takes a lab down, whatever there is of it, and removes its folder.
func down(ctx context.Context, dir string) error {
	s, err := readState(dir)
	if errors.Is(err, errNoLab) {
		return os.RemoveAll(dir)
	} else if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for name, process := range s.Machines {
		group.Go(func() error {
			if err := process.end(ctx); err != nil {
				return fmt.Errorf("end machine %s: %w", name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// up brings a lab up in a folder that is not there yet, and waits until its traffic passes.
func up(ctx context.Context, dir, tools, netcause string, variant Variant, out io.Writer) (_ *Lab, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	l := &Lab{
		dir: dir, tools: tools, netcause: netcause, machines: map[string]*Machine{}, out: out,
		state: state{Machines: map[string]processID{}, Variant: variant, Tools: tools, Netcause: netcause},
	}
	if err := l.writeState(); err != nil {
		return nil, err
	}
	if err := l.installPrograms(ctx); err != nil {
		return nil, err
	}
	for _, name := range append([]string{"fabric", "control", "client"}, nodeNames...) {
		m, err := startMachine(ctx, filepath.Join(l.dir, "lab"), dir, name, func(p processID) error {
			l.state.Machines[name] = p
			return l.writeState()
		})
		if err != nil {
			return nil, err
		}
		l.machines[name] = l.machine(name, m.process)
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"network", l.wire},
		{"control plane", l.startControlPlane},
		{"nodes", l.startNodes},
		{"cluster", l.populate},
		{"traffic", func(ctx context.Context) error {
			return l.await(ctx, "healthy traffic", 90*time.Second, l.Healthy)
		}},
	} {
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
		l.say("  %-14s %5.1f s", step.what, time.Since(began).Seconds())
	}
	l.state.Up = true
	return l, l.writeState()
}

// installPrograms lays out the programs that machines run: the lab's own, and those of images by their names.
func (l *Lab) installPrograms(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// go run removes its own when it ends.
	lab := filepath.Join(l.dir, "lab")
	if _, err := output(exec.CommandContext(ctx, "cp", self, lab)); err != nil {
		return err
	}
	if err := os.MkdirAll(l.programs(), 0o755); err != nil {
		return err
	}
	for name, program := range map[string]string{
		"kube-proxy": l.program("kube-proxy"), "coredns": l.program("coredns"), "flanneld": l.program("flannel"),
		"cnitool": l.program("cni/cnitool"), "kube-router": l.program("kube-router"), "echo": lab, "pause": lab,
	} {
		if err := os.Symlink(program, filepath.Join(l.programs(), name)); err != nil {
			return err
		}
	}
	return nil
}

// wire connects the machines.
func (l *Lab) wire(ctx context.Context) error {
	fabric := l.Fabric()
	if err := fabric.Run(ctx, strings.Join([]string{
		"ip link add br0 type bridge",
		"ip address add " + gatewayAddress + "/24 dev br0",
		"ip link set br0 up",
		"sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=0",
	}, " && ")); err != nil {
		return err
	}
	for name, m := range l.machines {
		if m == fabric {
			continue
		}
		gateway, port := gatewayAddress, fmt.Sprintf("ip link set %s master br0", name)
		if name == "client" {
			gateway, port = clientGateway, fmt.Sprintf("ip address add %s/24 dev %s", clientGateway, name)
		}
		// In nobody's namespace but the two.
		if _, err := output(exec.CommandContext(ctx, "nsenter", "--target", fmt.Sprint(fabric.process.PID), "--net", "--",
			"ip", "link", "add", name, "type", "veth", "peer", "name", uplink, "netns", fmt.Sprint(m.process.PID))); err != nil {
			return err
		}
		if err := fabric.Run(ctx, port+" && ip link set "+name+" up"); err != nil {
			return err
		}
		if err := m.Run(ctx, fmt.Sprintf("ip address add %s/24 dev %s && ip link set %[2]s up && ip route add default via %s", m.Address, m.Uplink, gateway)); err != nil {
			return err
		}
		if err := m.WriteFile("/etc/resolv.conf", "nameserver "+gatewayAddress+"\n"); err != nil {
			return err
		}
	}
	return fabric.start(fabric.self, "nameserver", gatewayAddress)
}

// startNodes lays out the nodes' files and starts their kubelets.
func (l *Lab) startNodes(ctx context.Context) error {
	for _, n := range l.Nodes() {
		for name, text := range map[string]string{
			kubeletConf: fmt.Sprintf("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"+
				"clusterDNS:\n- %s\nclusterDomain: cluster.local\nresolvConf: /etc/resolv.conf\n", dnsAddress),
			kubeletKubeconfig: string(l.kubeconfig),
			ifcfgFile:         ifcfg("none", n.Address),
		} {
			if err := n.WriteFile(name, text); err != nil {
				return err
			}
		}
		if err := n.installStandIns(); err != nil {
			return err
		}
		for _, dir := range []string{cniConfDir, cniBinDir, "/run/netns", "/run/flannel"} {
			if err := os.MkdirAll(n.path(dir), 0o755); err != nil {
				return err
			}
		}
		for _, plugin := range []string{"bridge", "host-local", "loopback", "portmap"} {
			if err := os.Symlink(l.program("cni/"+plugin), n.path(cniBinDir+"/"+plugin)); err != nil {
				return err
			}
		}
		if err := os.Symlink(n.self, n.path(cniBinDir+"/flannel")); err != nil {
			return err
		}
		if l.state.Variant.Proxy == IPTablesLegacy {
			if err := n.useLegacy(); err != nil {
				return err
			}
		}
		// Kubernetes asks for these, and the distribution or kubeadm sets them.
		if err := n.Run(ctx, "sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1"); err != nil {
			return err
		}
		if err := n.start(n.self, "kubelet", n.Name, n.Address, l.programs(), n.self); err != nil {
			return err
		}
		// One after the other, so that each node has the same block of the cluster's range in every lab.
		if err := l.await(ctx, "podCIDR of "+n.Name, time.Minute, func(ctx context.Context) error {
			_, err := l.PodCIDR(ctx, n.Name)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// useLegacy makes iptables that of the legacy backend, as update-alternatives does.
func (m *Machine) useLegacy() error {
	for _, name := range []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"} {
		link := m.path("/etc/alternatives/" + name)
		legacy := strings.Replace(name, "tables", "tables-legacy", 1)
		if err := os.Remove(link); err != nil && !isNotExist(err) {
			return err
		}
		if err := os.Symlink("/usr/sbin/"+legacy, link); err != nil {
			return err
		}
	}
	return nil
}

// populate makes what a cluster has, and waits until the nodes are ready and its Pods, too.
func (l *Lab) populate(ctx context.Context) error {
	names, pods := []string{"kube-proxy", "flannel", "coredns", "echo"}, 11
	if l.state.Variant.Policy == KubeRouter {
		names, pods = append(names, "kube-router"), pods+len(nodeNames)
	}
	yaml, err := l.manifests(names...)
	if err != nil {
		return err
	}
	if _, err := l.kubectl(ctx, yaml, "apply", "-f", "-"); err != nil {
		return err
	}
	return l.await(ctx, "Pods", time.Minute, func(ctx context.Context) error { return l.podsReady(ctx, pods) })
}

// podsReady says whether there are at least that many Pods, and all of them are ready.
func (l *Lab) podsReady(ctx context.Context, least int) error {
	pods, err := l.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var not []string
	for _, p := range pods.Items {
		if !podReady(&p) {
			not = append(not, p.Namespace+"/"+p.Name+" on "+p.Spec.NodeName)
		}
	}
	if len(not) > 0 {
		return fmt.Errorf("not ready: %s", strings.Join(not, ", "))
	}
	if len(pods.Items) < least {
		return fmt.Errorf("%d Pods, want %d", len(pods.Items), least)
	}
	return nil
}

func podReady(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
