package cases_test

import (
	"fmt"
	"net/netip"
	"testing"
)

// tunnelMTU is that of tunl0 by Calico's old manifests, whatever the link below.
const tunnelMTU = 1440

// calico is one cluster's Calico with VXLAN: devices, routes, neighbours and forwarding database as Felix makes them, and
// Pods connected by routes, without a bridge, as Calico's plugin does.
type calico struct {
	nodes []*calicoNode
}

type calicoNode struct {
	*machine
	vtepMAC string
	// podMTU is that of the Pods' devices.
	podMTU int
}

// join makes a machine a node.
func (c *calico) join(t *testing.T, m *machine, podCIDR string, podMTU int) *calicoNode {
	t.Helper()
	m.podCIDR = netip.MustParsePrefix(podCIDR)
	n := &calicoNode{machine: m, vtepMAC: fmt.Sprintf("66:d0:c1:00:00:%02x", len(c.nodes)+1), podMTU: podMTU}
	sysctl(t, m.NS, "net.ipv4.ip_forward", "1")
	m.write(t, "etc/cni/net.d/10-calico.conflist", fmt.Sprintf(`{"name": "k8s-pod-network", "cniVersion": "0.3.1", "plugins": [
  {"type": "calico", "datastore_type": "kubernetes", "mtu": %d, "ipam": {"type": "calico-ipam"}, "policy": {"type": "k8s"}},
  {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}}
]}
`, podMTU))
	n.ip(t, "link add vxlan.calico address %s mtu %d type vxlan id 4096 dev %s local %s dstport 4789 nolearning", n.vtepMAC, tunnelMTU, n.uplink, n.address)
	n.ip(t, "address add %s/32 dev vxlan.calico", m.podCIDR.Addr())
	n.ip(t, "link set vxlan.calico up")
	n.ip(t, "route add blackhole %s proto 80", m.podCIDR)
	for _, peer := range c.nodes {
		peer.addPeer(t, n)
		n.addPeer(t, peer)
	}
	c.nodes = append(c.nodes, n)
	return n
}

// addPeer is what felix/dataplane/linux/vxlan_mgr.go of Calico does for each other node.
func (n *calicoNode) addPeer(t *testing.T, peer *calicoNode) {
	t.Helper()
	network := peer.podCIDR.Addr()
	n.ip(t, "neighbour replace %s lladdr %s dev vxlan.calico nud permanent", network, peer.vtepMAC)
	n.Run(t, "bridge", "fdb", "append", peer.vtepMAC, "dev", "vxlan.calico", "dst", peer.address.String())
	n.ip(t, "route replace %s via %s dev vxlan.calico proto 80 onlink", peer.podCIDR, network)
}

// pod makes a Pod whose gateway is a link-local address that the node answers for.
func (n *calicoNode) pod(t *testing.T, namespace, name, address string) *pod {
	t.Helper()
	p := n.machine.pod(t, namespace, name, address, "cali", n.podMTU)
	sysctl(t, n.NS, "net.ipv4.conf."+p.veth+".proxy_arp", "1")
	sysctl(t, n.NS, "net.ipv4.neigh."+p.veth+".proxy_delay", "0")
	n.ip(t, "route add %s dev %s scope link proto 80", address, p.veth)
	ip(t, p.NS, "address add %s/32 dev eth0", address)
	ip(t, p.NS, "route add 169.254.1.1 dev eth0 scope link")
	ip(t, p.NS, "route add default via 169.254.1.1 dev eth0")
	return p
}

// setMTU changes the MTU of the node's Pods, as making them anew after a change of Calico's setting does.
func (n *calicoNode) setMTU(t *testing.T, mtu int) {
	t.Helper()
	n.podMTU = mtu
	for _, p := range n.pods {
		n.ip(t, "link set %s mtu %d", p.veth, mtu)
		ip(t, p.NS, "link set eth0 mtu %d", mtu)
	}
}

// annotations are those that calico-node gives a Node.
func (n *calicoNode) annotations() map[string]string {
	return map[string]string{
		"projectcalico.org/IPv4Address":         n.address.String() + "/24",
		"projectcalico.org/IPv4VXLANTunnelAddr": n.podCIDR.Addr().String(),
		"projectcalico.org/VXLANTunnelMACAddr":  n.vtepMAC,
	}
}
