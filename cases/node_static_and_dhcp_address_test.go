package cases_test

import (
	"cmp"
	"net/http"
	"slices"
	"testing"
)

// registry is a two-node cluster with flannel: n1 has a client Pod, n2 the registry and the DNS.
type registry struct {
	fabric  *fabric
	flannel *flannel
	n1, n2  *flannelNode
	client  *pod
}

const (
	registryPod     = "10.233.65.46:5000"
	registryService = "10.233.0.100:5000"
	registryName    = "registry.default.svc.cluster.local"
)

// newRegistry builds it. lease is the address that n1 leased beside its own, and that flanneld took; "": none.
func newRegistry(t *testing.T, l lab, lease string) *registry {
	t.Helper()
	r := &registry{fabric: newFabric(t, "10.153.204.1/24"), flannel: &flannel{}}
	n1 := r.fabric.join(t, "n1", "enp26s0f0", "10.153.204.15")
	n2 := r.fabric.join(t, "n2", "enp26s0f0", "10.153.204.16")
	bootproto := "none"
	if lease != "" {
		bootproto = "dhcp"
		n1.ip(t, "address add %s/24 dev enp26s0f0 valid_lft 86280 preferred_lft 86280", lease)
	}
	n1.ifcfg(t, bootproto, "10.153.204.1")
	n2.ifcfg(t, "none", "10.153.204.1")
	r.n1 = r.flannel.join(t, n1, "10.233.64.0/24", cmp.Or(lease, n1.address.String()))
	r.n2 = r.flannel.join(t, n2, "10.233.65.0/24", n2.address.String())

	r.client = r.n1.pod(t, "default", "client", "10.233.64.12")
	serving := r.n2.pod(t, "default", "registry", "10.233.65.46")
	resolving := r.n2.pod(t, "kube-system", "coredns-n2", "10.233.65.2")
	serveHTTP(t, serving.NS, 5000)
	serveDNS(t, resolving.NS, [4]byte{10, 233, 0, 100})

	to := podObject{namespace: "default", name: "registry", app: "registry", node: r.n2.machine, address: "10.233.65.46", image: "registry:3", port: 5000}
	l.create(t, slices.Concat(
		[]object{
			node(t, r.n1.machine, r.n1.annotations()), node(t, r.n2.machine, r.n2.annotations()),
			daemonSet("kube-proxy", kubeProxyImage, critical), daemonSet("kube-flannel", flannelImage, critical),
			kubeProxyPod(r.n1.machine, critical).object(), kubeProxyPod(r.n2.machine, critical).object(),
			flannelPod(r.n1.machine).object(), flannelPod(r.n2.machine).object(),
			podObject{namespace: "default", name: "client", app: "client", node: r.n1.machine, address: "10.233.64.12", image: "busybox:1"}.object(),
			to.object(),
		},
		service("ClusterIP", "registry", "10.233.0.100", to, servicePort{protocol: "TCP", port: 5000}),
		dns(resolving),
	)...)
	for _, n := range []*flannelNode{r.n1, r.n2} {
		l.relay(t, n.NS)
		l.kubeProxy(t, n.machine, registryPod)
	}
	return r
}

// works checks that n1 reaches everything.
func (r *registry) works(t *testing.T) {
	t.Helper()
	passes(t, "Pod of n1 to the Pod", r.client.NS, registryPod, 10_000)
	passes(t, "Pod of n1 to the Service", r.client.NS, registryService, 10_000)
	passes(t, "n1 to the Service", r.n1.NS, registryService, 10_000)
	passes(t, "n2 to the Service", r.n2.NS, registryService, 10_000)
	resolves(t, "Pod of n1 asks for a name", r.client.NS)
}

func healthy(t *testing.T, l lab) {
	r := newRegistry(t, l, "")
	r.works(t)
	for _, n := range []*flannelNode{r.n1, r.n2} {
		d, status := l.diagnose(t, n.machine)
		isHealthy(t, d, status)
	}
	d, status := l.together(t, "healthy", nil, r.n1.machine, r.n2.machine)
	isHealthy(t, d, status)
}

// n1 leased 10.153.204.228 beside its static address, and flanneld took the leased one. The site's filter between the
// nodes lets VXLAN pass from the addresses of the cluster's nodes alone.
func nodeStaticAndDHCPAddress(t *testing.T, l lab) {
	const id = "node-static-and-dhcp-address"
	symptoms := []string{"service-unreachable", "network-unreachable"}

	r := newRegistry(t, l, "10.153.204.228")
	r.fabric.filter(t, "bridge", "ip saddr != { 10.153.204.15, 10.153.204.16 } udp dport 8472")
	isLost(t, "n1 to the Service", r.n1.NS, registryService, 1)
	isLost(t, "Pod of n1 to the Service", r.client.NS, registryService, 1)
	isLost(t, "Pod of n1 to the Pod", r.client.NS, registryPod, 1)
	passes(t, "n2 to the Service", r.n2.NS, registryService, 1)
	resolvesNot(t, "Pod of n1 asks for a name", r.client.NS)
	r.fabric.hasDropped(t)

	d, status := l.diagnose(t, r.n1.machine, symptoms...)
	hasOneRoot(t, d, status, expected[id])
	d, status = l.together(t, id, symptoms, r.n1.machine, r.n2.machine)
	hasOneRoot(t, d, status, expected[id])

	// The fix.
	r.n1.edit(t, r.n1.ifcfgFile(), `BOOTPROTO="dhcp"`, `BOOTPROTO="none"`)
	r.n1.ip(t, "address delete 10.153.204.228/24 dev enp26s0f0")
	r.flannel.start(t, r.n1, "10.153.204.15")
	if _, err := l.Do(t.Context(), http.MethodPatch, "/api/v1/nodes/n1", "application/merge-patch+json",
		object{"metadata": object{"annotations": r.n1.annotations()}}); err != nil {
		t.Fatal(err)
	}
	r.works(t)
	d, status = l.diagnose(t, r.n1.machine, symptoms...)
	isHealthy(t, d, status)
}
