package datapath_test

import (
	"fmt"
	"testing"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// TestRoutedPods are Pods as Calico makes them: no bridge, a gateway that nobody has and the node answers for, /32 routes.
func TestRoutedPods(t *testing.T) {
	node := newKernelNS(t, "n")
	pods := [2]*kernelNS{newKernelNS(t, "p1"), newKernelNS(t, "p2")}
	up := newKernelNS(t, "up")
	veth(node, "eth0", up, "eth0")
	node.run("ip address add 192.168.50.1/24 dev eth0\nip route add default via 192.168.50.254\nsysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1")
	for i, p := range pods {
		dev := fmt.Sprintf("cali%d", i+1)
		veth(node, dev, p, "eth0")
		// proxy_delay: the kernel waits up to 0.8 s before it answers for another.
		node.run(fmt.Sprintf("sysctl -q -w net.ipv4.conf.%s.proxy_arp=1 net.ipv4.neigh.%s.proxy_delay=0\nip route add 10.65.0.%d/32 dev %s scope link", dev, dev, i+2, dev))
		p.run(fmt.Sprintf("ip address add 10.65.0.%d/32 dev eth0\nip route add 169.254.1.1 dev eth0 scope link\nip route add default via 169.254.1.1 dev eth0", i+2))
	}
	c := &cluster{t: t}
	c.listen(pods[1], "0.0.0.0:8080")
	for _, x := range []struct {
		name, make, heal string
		verdict          datapath.Verdict
		really           string
		stage            datapath.Stage
	}{
		{"sound", "", "", datapath.Delivered, "delivered", datapath.StageSocket},
		{"no proxy_arp", "sysctl -q -w net.ipv4.conf.cali1.proxy_arp=0", "sysctl -q -w net.ipv4.conf.cali1.proxy_arp=1", datapath.Dropped, "silence", datapath.StageNeighbour},
		{"no default route to answer for", "ip route del default", "ip route add default via 192.168.50.254", datapath.Dropped, "silence", datapath.StageNeighbour},
		{"route of the Pod gone", "ip route del 10.65.0.3/32", "ip route add 10.65.0.3/32 dev cali2 scope link", datapath.Unknown, "silence", datapath.StageLink},
	} {
		t.Run(x.name, func(t *testing.T) {
			for _, p := range pods {
				p.run("ip neighbour flush all")
			}
			node.run(x.make)
			really := c.connect(pods[0], "10.65.0.3:8080")
			pods[0].run("ip neighbour flush all") // as before anybody asked
			node.run("ip neighbour flush all")
			n := &facts.Node{Name: "n1", NetNS: node.collectAll()}
			for i, p := range pods {
				n.Namespaces = append(n.Namespaces, &facts.Namespace{ID: fmt.Sprintf("pod%d", i+1), NetNS: p.collectAll()})
			}
			node.run(x.heal)
			got := datapath.New(&facts.Snapshot{Nodes: []*facts.Node{n}}).Trace(datapath.Sender{Node: "n1", Namespace: "pod1"}, tcpTo("10.65.0.3:8080"))
			if step := got.Branches[0].Cause(); got.Verdict != x.verdict || step.Stage != x.stage || really != x.really {
				t.Errorf("%s at %s, really %s\n%s", got.Verdict, step.Stage, really, show(got.Branches, ""))
			}
		})
	}
}
