package cases_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/netcause/netcause/engine"
)

const (
	uploadNodePort = "10.0.2.11:30080" // of n1
	// smallBody fits into one segment of any MTU here, largeBody into none.
	smallBody = 200
	largeBody = 20_000
)

// A client outside the cluster posts to a NodePort of n1 whose Pod is on n2. The router between them drops the ICMP
// "fragmentation needed" by which n1 tells the client that its packets are too large for the tunnel.
func pathMTUMismatch(t *testing.T, l lab) {
	const id = "path-mtu-mismatch"
	symptoms := []string{"large-packet-loss"}

	f := newFabric(t, "10.0.2.1/24")
	f.filter(t, "ip", "icmp type destination-unreachable icmp code frag-needed")
	client := f.beyond(t, "client", "eth0", "172.16.30.7", "172.16.30.1/24")
	calico := &calico{}
	n1 := calico.join(t, f.join(t, "n1", "eth0", "10.0.2.11"), "10.233.64.0/24", 1500)
	n2 := calico.join(t, f.join(t, "n2", "eth0", "10.0.2.12"), "10.233.65.0/24", 1500)
	debugging := n1.pod(t, "default", "debug", "10.233.64.5")
	serving := n2.pod(t, "default", "upload", "10.233.65.7")
	serveHTTP(t, serving.NS, 8080)

	to := podObject{namespace: "default", name: "upload", app: "upload", node: n2.machine, address: "10.233.65.7", image: "upload:1", port: 8080}
	l.create(t, slices.Concat(
		[]object{
			node(t, n1.machine, n1.annotations()), node(t, n2.machine, n2.annotations()),
			daemonSet("kube-proxy", kubeProxyImage, critical), daemonSet("calico-node", calicoImage, critical),
			kubeProxyPod(n1.machine, critical).object(), kubeProxyPod(n2.machine, critical).object(),
			calicoPod(n1.machine).object(), calicoPod(n2.machine).object(),
			podObject{namespace: "default", name: "debug", app: "debug", node: n1.machine, address: debugging.address.String(), image: "busybox:1"}.object(),
			to.object(),
			{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("kube-system", "calico-config", nil),
				"data": object{"veth_mtu": "1500", "calico_backend": "vxlan"},
			},
		},
		service("NodePort", "upload", "10.233.0.80", to, servicePort{protocol: "TCP", port: 80, nodePort: 30080}),
	)...)
	for _, n := range []*calicoNode{n1, n2} {
		l.relay(t, n.NS)
		l.kubeProxy(t, n.machine, "10.233.65.7:8080")
	}

	passes(t, "small request", client.NS, uploadNodePort, smallBody)
	isLost(t, "large request", client.NS, uploadNodePort, largeBody)
	f.hasDropped(t)
	passes(t, "large request of a Pod, which hears of the tunnel's MTU", debugging.NS, "10.233.65.7:8080", largeBody)

	var patch string
	for _, n := range []*calicoNode{n1, n2} {
		d, status := l.diagnose(t, n.machine, symptoms...)
		patch = printedPatch(t, d)
		hasOneRoot(t, d, status, expected[id])
	}
	d, status := l.together(t, id, symptoms, client, n1.machine, n2.machine)
	hasOneRoot(t, d, status, expected[id])

	// The fix.
	if mtu := l.patch(t, patch)["data"].(object)["veth_mtu"]; mtu != fmt.Sprint(tunnelMTU) {
		t.Errorf("veth_mtu %v after the patch", mtu)
	}
	for _, n := range []*calicoNode{n1, n2} {
		n.setMTU(t, tunnelMTU)
	}
	passes(t, "large request", client.NS, uploadNodePort, largeBody)
	d, status = l.diagnose(t, n1.machine, symptoms...)
	isHealthy(t, d, status)
	if !slices.ContainsFunc(d.RuledOut, func(r engine.RuledOut) bool { return r.ID == id }) {
		t.Errorf("%s is not ruled out where Pods have the tunnel's MTU", id)
	}
}

const calicoImage = "docker.io/calico/node:v3.30.2"

func calicoPod(m *machine) podObject {
	return podObject{
		namespace: "kube-system", name: "calico-node-" + m.name, app: "calico-node", node: m, image: calicoImage,
		daemonSet: "calico-node", priorityClass: critical,
	}
}
