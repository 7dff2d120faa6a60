package cases_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/netcause/netcause/collectors/cluster/clustertest"
	"github.com/netcause/netcause/collectors/nettest"
)

// controlPlane is one etcd and kube-apiserver that all cases use, one after the other.
type controlPlane struct{ *clustertest.Server }

func startControlPlane(t *testing.T) controlPlane {
	t.Helper()
	return controlPlane{clustertest.Start(t, clustertest.Options{
		ServiceCIDR: serviceCIDR,
		// The taint that TaintNodesByCondition gives new Nodes is the node controller's to remove, and there is none.
		Flags: []string{"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition"},
	})}
}

// create makes objects that go with the test.
func (c controlPlane) create(t *testing.T, objects ...object) {
	t.Helper()
	t.Cleanup(func() { c.clear(t) })
	var manifests strings.Builder
	encoder := json.NewEncoder(&manifests)
	for _, o := range objects {
		if err := encoder.Encode(o); err != nil {
			t.Fatal(err)
		}
	}
	c.Create(t, manifests.String())
}

// clear deletes all objects but those that the API server makes by itself.
func (c controlPlane) clear(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/api/v1/nodes?"} {
		c.delete(t, path)
	}
	for _, namespace := range namespaces {
		for _, path := range []string{
			"/api/v1/namespaces/%s/pods?gracePeriodSeconds=0",
			// The API server makes this one, but not at once when it is gone.
			"/api/v1/namespaces/%s/services?fieldSelector=metadata.name!=kubernetes",
			"/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices?",
			"/apis/apps/v1/namespaces/%s/daemonsets?",
			"/apis/apps/v1/namespaces/%s/deployments?",
			"/api/v1/namespaces/%s/configmaps?fieldSelector=metadata.name!=extension-apiserver-authentication",
		} {
			c.delete(t, fmt.Sprintf(path, namespace))
		}
	}
}

// namespaces are those that the objects here are in.
var namespaces = []string{"default", "kube-system"}

func (c controlPlane) delete(t *testing.T, path string) {
	t.Helper()
	// The test's own context has ended when its cleanups run.
	if _, err := c.Do(context.WithoutCancel(t.Context()), http.MethodDelete, path, "", nil); err != nil {
		t.Error(err)
	}
}

// port is the API server's, on loopback.
func (c controlPlane) port(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// relay makes the API server answer inside a namespace at the same address as outside, so that its kubeconfig holds
// there too: a listener of the namespace's loopback whose connections are dialled on from outside.
func (c controlPlane) relay(t *testing.T, ns *nettest.NS) {
	t.Helper()
	address := net.JoinHostPort("127.0.0.1", c.port(t))
	var listener net.Listener
	var err error
	ns.Do(t, func() { listener, err = net.Listen("tcp", address) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			inside, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go relayConnection(inside, address)
		}
	}()
}

func relayConnection(inside net.Conn, address string) {
	defer inside.Close()
	outside, err := net.Dial("tcp", address)
	if err != nil {
		return // the client sees its connection end
	}
	defer outside.Close()
	// Whichever side ends first ends both: no client here half-closes.
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{inside, outside}, {outside, inside}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			done <- struct{}{}
		}()
	}
	<-done
}

// kubeProxy runs the real one on a node, in iptables mode, and waits until it has written the rules of an endpoint. Its
// configuration is Kubespray's but for the sysctls of connection tracking, none of which it may set.
func (c controlPlane) kubeProxy(t *testing.T, m *machine, endpoint string) {
	t.Helper()
	m.write(t, "var/lib/kube-proxy/config.conf", fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: %s
bindAddress: 0.0.0.0
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
clientConnection:
  kubeconfig: kubeconfig.conf
conntrack:
  maxPerCore: 0
  min: 0
  tcpCloseWaitTimeout: 0s
  tcpEstablishedTimeout: 0s
`, clusterCIDR))
	kubeconfig, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "var/lib/kube-proxy/kubeconfig.conf", string(kubeconfig))
	logFile, err := os.Create(filepath.Join(t.TempDir(), "kube-proxy.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer logFile.Close()
	cmd := exec.Command("kube-proxy", "--config=config.conf", "--hostname-override="+m.name)
	cmd.Dir = filepath.Join(m.root, "var/lib/kube-proxy")
	cmd.Stdout, cmd.Stderr = logFile, logFile
	start(t, m.NS, cmd)
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(logFile.Name())
			t.Logf("kube-proxy of %s: %s", m.name, text)
		}
	})
	nettest.WaitFor(t, "kube-proxy's rules on "+m.name, func() bool {
		return strings.Contains(m.Run(t, "iptables-save", "-t", "nat"), "--to-destination "+endpoint)
	})
}

// start starts cmd in the namespace. It is killed at the end of the test, also where the test binary does not come to its
// cleanups.
func start(t *testing.T, ns *nettest.NS, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan struct{})
	go func() {
		// Pdeathsig is sent when the thread that forked ends (prctl(2)), so that thread waits for the end of the test.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		func() {
			defer close(started)
			ns.Start(t, cmd)
		}()
		<-t.Context().Done()
	}()
	<-started
	if cmd.Process == nil {
		t.FailNow() // Start has said why
	}
}

// object is a Kubernetes object.
type object = map[string]any

func meta(namespace, name string, labels map[string]string) object {
	m := object{"name": name}
	if namespace != "" {
		m["namespace"] = namespace
	}
	if labels != nil {
		m["labels"] = labels
	}
	return m
}

// node is the Node of a machine.
func node(t *testing.T, m *machine, annotations map[string]string) object {
	t.Helper()
	metadata := meta("", m.name, map[string]string{"kubernetes.io/hostname": m.name, "kubernetes.io/os": "linux"})
	metadata["annotations"] = annotations
	return object{
		"apiVersion": "v1", "kind": "Node", "metadata": metadata,
		"spec": object{"podCIDR": m.podCIDR.String(), "podCIDRs": []string{m.podCIDR.String()}},
		"status": object{
			"addresses": []object{
				{"type": "InternalIP", "address": m.address.String()},
				{"type": "Hostname", "address": m.name},
			},
			"allocatable": object{"cpu": "2", "memory": "4Gi", "pods": "110"},
			"capacity":    object{"cpu": "2", "memory": "4Gi", "pods": "110"},
			"conditions":  []object{{"type": "Ready", "status": "True", "reason": "KubeletReady"}},
			"nodeInfo": object{
				"kubeletVersion": "v1.36.3", "containerRuntimeVersion": "containerd://2.1.4", "operatingSystem": "linux",
				"architecture": "amd64", "kernelVersion": kernel(t),
			},
		},
	}
}

// podObject is a running, ready Pod.
type podObject struct {
	namespace, name, app string
	node                 *machine
	address              string // empty: the node's own
	image                string
	port                 int
	daemonSet            string // its owner
	priorityClass        string
}

func (p podObject) object() object {
	address := cmp.Or(p.address, p.node.address.String())
	container := object{"name": p.app, "image": p.image}
	if p.port != 0 {
		container["ports"] = []object{{"containerPort": p.port}}
	}
	metadata := meta(p.namespace, p.name, map[string]string{"k8s-app": p.app})
	if p.daemonSet != "" {
		metadata["ownerReferences"] = []object{{
			"apiVersion": "apps/v1", "kind": "DaemonSet", "name": p.daemonSet, "uid": "00000000-0000-0000-0000-000000000001", "controller": true,
		}}
	}
	spec := object{"nodeName": p.node.name, "hostNetwork": p.address == "", "containers": []object{container}}
	if p.priorityClass != "" {
		spec["priorityClassName"] = p.priorityClass
	}
	return object{
		"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
		"status": object{
			"phase": "Running", "hostIP": p.node.address.String(), "podIP": address, "podIPs": []object{{"ip": address}},
			"conditions": []object{
				{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"},
			},
			"containerStatuses": []object{{
				"name": p.app, "image": p.image, "imageID": "", "ready": true, "started": true, "restartCount": 0,
				"state": object{"running": object{}},
			}},
		},
	}
}

// daemonSet runs one container on every node, on the host's network.
func daemonSet(name, image, priorityClass string) object {
	labels := map[string]string{"k8s-app": name}
	spec := object{
		"hostNetwork": true,
		"tolerations": []object{{"operator": "Exists"}},
		"containers":  []object{{"name": name, "image": image}},
	}
	if priorityClass != "" {
		spec["priorityClassName"] = priorityClass
	}
	return object{
		"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta("kube-system", name, labels),
		"spec": object{
			"selector": object{"matchLabels": labels},
			"template": object{"metadata": object{"labels": labels}, "spec": spec},
		},
	}
}

// servicePort is a port of a Service.
type servicePort struct {
	name, protocol string
	port, nodePort int
}

// service is a Service of one Pod, and its EndpointSlice.
func service(kind, name, clusterIP string, to podObject, ports ...servicePort) []object {
	var servicePorts, endpointPorts []object
	for _, p := range ports {
		servicePort := object{"name": p.name, "protocol": p.protocol, "port": p.port, "targetPort": to.port}
		if p.nodePort != 0 {
			servicePort["nodePort"] = p.nodePort
		}
		servicePorts = append(servicePorts, servicePort)
		endpointPorts = append(endpointPorts, object{"name": p.name, "protocol": p.protocol, "port": to.port})
	}
	return []object{
		{
			"apiVersion": "v1", "kind": "Service", "metadata": meta(to.namespace, name, nil),
			"spec": object{
				"type": kind, "clusterIP": clusterIP, "selector": map[string]string{"k8s-app": to.app}, "ports": servicePorts,
			},
		},
		{
			"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
			"metadata":    meta(to.namespace, name+"-1", map[string]string{"kubernetes.io/service-name": name}),
			"addressType": "IPv4",
			"endpoints": []object{{
				"addresses": []string{to.address}, "nodeName": to.node.name, "conditions": object{"ready": true, "serving": true, "terminating": false},
				"targetRef": object{"kind": "Pod", "namespace": to.namespace, "name": to.name},
			}},
			"ports": endpointPorts,
		},
	}
}

const (
	kubeProxyImage = "registry.k8s.io/kube-proxy:v1.36.3"
	flannelImage   = "ghcr.io/flannel-io/flannel:v0.26.7"
	corednsImage   = "registry.k8s.io/coredns/coredns:v1.12.1"
	critical       = "system-node-critical"
)

// kubeProxyPod is the one that runs on a node.
func kubeProxyPod(m *machine, priorityClass string) podObject {
	return podObject{
		namespace: "kube-system", name: "kube-proxy-" + m.name, app: "kube-proxy", node: m, image: kubeProxyImage,
		daemonSet: "kube-proxy", priorityClass: priorityClass,
	}
}

func flannelPod(m *machine) podObject {
	return podObject{
		namespace: "kube-system", name: "kube-flannel-" + m.name, app: "kube-flannel", node: m, image: flannelImage,
		daemonSet: "kube-flannel", priorityClass: critical,
	}
}

// dns is the cluster's DNS: one CoreDNS Pod and its Service.
func dns(p *pod) []object {
	to := podObject{
		namespace: "kube-system", name: p.name, app: "kube-dns", node: p.node, address: p.address.String(), image: corednsImage,
		port: 53, priorityClass: "system-cluster-critical",
	}
	return append(
		service("ClusterIP", "kube-dns", dnsAddress, to, servicePort{name: "dns", protocol: "UDP", port: 53}, servicePort{name: "dns-tcp", protocol: "TCP", port: 53}),
		to.object(),
	)
}

const dnsAddress = "10.233.0.3"
