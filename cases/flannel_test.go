package cases_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
)

// The networks of the clusters here are Kubespray's.
const (
	serviceCIDR = "10.233.0.0/18"
	clusterCIDR = "10.233.64.0/18"
)

// flannelMTU is what VXLAN leaves of an uplink's 1500 bytes.
const flannelMTU = 1450

// flannel is one cluster's flannel with the VXLAN backend: devices, routes, neighbours and forwarding database exactly as
// flanneld v0.26 makes them, and cni0 as the bridge plugin does.
type flannel struct {
	nodes []*flannelNode
}

type flannelNode struct {
	*machine
	publicIP netip.Addr
	vtepMAC  string
}

// join makes a machine a node. publicIP is the address that flanneld found for itself: the outer source of its tunnel,
// and what it tells its peers.
func (f *flannel) join(t *testing.T, m *machine, podCIDR, publicIP string) *flannelNode {
	t.Helper()
	m.podCIDR = netip.MustParsePrefix(podCIDR)
	n := &flannelNode{machine: m, vtepMAC: fmt.Sprintf("4a:6f:5c:00:00:%02x", len(f.nodes)+1)}
	sysctl(t, m.NS, "net.ipv4.ip_forward", "1")
	network := m.podCIDR.Addr()
	m.ip(t, "link add cni0 mtu %d type bridge", flannelMTU)
	m.ip(t, "address add %s/%d dev cni0", network.Next(), m.podCIDR.Bits())
	m.ip(t, "link set cni0 up")
	m.write(t, "run/flannel/subnet.env", fmt.Sprintf("FLANNEL_NETWORK=%s\nFLANNEL_SUBNET=%s/%d\nFLANNEL_MTU=%d\nFLANNEL_IPMASQ=true\n",
		clusterCIDR, network.Next(), m.podCIDR.Bits(), flannelMTU))
	m.write(t, "etc/cni/net.d/10-flannel.conflist", `{"name": "cbr0", "cniVersion": "0.3.1", "plugins": [
  {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
`)
	n.netfilter(t)
	f.nodes = append(f.nodes, n)
	f.start(t, n, publicIP)
	return n
}

// start does what flanneld does when it starts on a node and its peers hear of it.
func (f *flannel) start(t *testing.T, n *flannelNode, publicIP string) {
	t.Helper()
	old := n.publicIP
	n.publicIP = netip.MustParseAddr(publicIP)
	if old.IsValid() {
		n.ip(t, "link delete flannel.1")
	}
	n.ip(t, "link add flannel.1 address %s type vxlan id 1 dev %s local %s dstport 8472 nolearning", n.vtepMAC, n.uplink, publicIP)
	n.ip(t, "address add %s/32 dev flannel.1", n.podCIDR.Addr())
	n.ip(t, "link set flannel.1 up")
	for _, peer := range f.nodes {
		if peer == n {
			continue
		}
		if old.IsValid() {
			peer.Run(t, "bridge", "fdb", "delete", n.vtepMAC, "dev", "flannel.1", "dst", old.String())
		}
		peer.addPeer(t, n)
		n.addPeer(t, peer)
	}
}

// addPeer is vxlan_network.go's handleSubnetEvents of flannel.
func (n *flannelNode) addPeer(t *testing.T, peer *flannelNode) {
	t.Helper()
	network := peer.podCIDR.Addr()
	n.ip(t, "neighbour replace %s lladdr %s dev flannel.1 nud permanent", network, peer.vtepMAC)
	n.Run(t, "bridge", "fdb", "append", peer.vtepMAC, "dev", "flannel.1", "dst", peer.publicIP.String())
	n.ip(t, "route replace %s via %s dev flannel.1 onlink", peer.podCIDR, network)
}

// netfilter are flanneld's own rules: its masquerading, and its accepting what goes to and from Pods.
func (n *flannelNode) netfilter(t *testing.T) {
	t.Helper()
	rules := strings.NewReplacer("NETWORK", clusterCIDR, "SUBNET", n.podCIDR.String()).Replace(`*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s SUBNET -d NETWORK -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s NETWORK -d SUBNET -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s NETWORK -d SUBNET -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s NETWORK ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s NETWORK -d NETWORK -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
COMMIT
*filter
:FLANNEL-FWD - [0:0]
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s NETWORK -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d NETWORK -m comment --comment "flanneld forward" -j ACCEPT
COMMIT
`)
	restore := exec.Command("iptables-restore", "--noflush")
	restore.Stdin = strings.NewReader(rules)
	var out []byte
	var err error
	n.Do(t, func() { out, err = restore.CombinedOutput() })
	if err != nil {
		t.Fatalf("iptables-restore: %v: %s", err, out)
	}
}

// pod makes a Pod on the node's bridge.
func (n *flannelNode) pod(t *testing.T, namespace, name, address string) *pod {
	t.Helper()
	p := n.machine.pod(t, namespace, name, address, "veth", flannelMTU)
	n.ip(t, "link set %s master cni0", p.veth)
	n.ip(t, "link set dev %s type bridge_slave hairpin on", p.veth)
	ip(t, p.NS, "address add %s/%d dev eth0", address, n.podCIDR.Bits())
	ip(t, p.NS, "route add default via %s dev eth0", n.podCIDR.Addr().Next())
	return p
}

// annotations are those that flanneld gives a Node.
func (n *flannelNode) annotations() map[string]string {
	return map[string]string{
		"flannel.alpha.coreos.com/backend-data":        fmt.Sprintf(`{"VNI":1,"VtepMAC":"%s"}`, n.vtepMAC),
		"flannel.alpha.coreos.com/backend-type":        "vxlan",
		"flannel.alpha.coreos.com/kube-subnet-manager": "true",
		"flannel.alpha.coreos.com/public-ip":           n.publicIP.String(),
	}
}
