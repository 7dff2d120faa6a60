package datapath_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/datapath"
)

// newCluster6 is newCluster in IPv6 alone: the nodes' network, the tunnel, the Pods and the Service.
func newCluster6(t *testing.T) *cluster {
	c := &cluster{t: t}
	fabric := newKernelNS(t, "f")
	fabric.run("ip link add br0 type bridge\nip link set br0 up")
	c.client = newKernelNS(t, "c")
	veth(c.client, "eth0", fabric, "up0")
	fabric.run("ip link set up0 master br0")
	c.client.run("ip address add fd50::100/64 dev eth0 nodad")
	for i := range c.node {
		n := i + 1
		c.node[i], c.pod[i] = newKernelNS(t, fmt.Sprintf("n%d", n)), newKernelNS(t, fmt.Sprintf("p%d", n))
		veth(c.node[i], "eth0", fabric, fmt.Sprintf("up%d", n))
		fabric.run(fmt.Sprintf("ip link set up%d master br0", n))
		c.node[i].run(fmt.Sprintf(`ip address add fd50::%d/64 dev eth0 nodad
			ip link add flannel-v6.1 address 02:00:00:00:00:0%d type vxlan id 1 local fd50::%d dev eth0 dstport 8472 nolearning
			sysctl -q -w net.ipv6.conf.all.forwarding=1 net.ipv6.conf.flannel-v6/1.accept_dad=0 net.bridge.bridge-nf-call-ip6tables=1 net.ipv6.neigh.eth0.retrans_time_ms=100
			ip address add fd44:%d::/128 dev flannel-v6.1 nodad
			ip link set flannel-v6.1 up
			ip link add cni0 address 02:00:00:00:01:0%d type bridge
			ip address add fd44:%d::1/64 dev cni0 nodad
			ip link set cni0 up`, n, n, n, n, n, n))
		c.addPod6(c.node[i], c.pod[i], n, 2)
	}
	c.more = newKernelNS(t, "p3")
	c.addPod6(c.node[0], c.more, 1, 3)
	for i, n := range c.node {
		own, other := i+1, 2-i
		n.run(fmt.Sprintf(`ip -6 route add fd44:%d::/64 via fd44:%d:: dev flannel-v6.1 onlink
			ip neighbour add fd44:%d:: lladdr 02:00:00:00:00:0%d dev flannel-v6.1 nud permanent
			bridge fdb append 02:00:00:00:00:0%d dev flannel-v6.1 dst fd50::%d
			ip6tables -t nat -N KUBE-SERVICES
			ip6tables -t nat -A PREROUTING -j KUBE-SERVICES
			ip6tables -t nat -A OUTPUT -j KUBE-SERVICES
			ip6tables -t nat -A KUBE-SERVICES -d fd96::10/128 -p tcp --dport 80 -j DNAT --to-destination [fd44:2::2]:8080
			ip6tables -t nat -A POSTROUTING -s fd44:%d::/64 ! -d fd44::/16 -j MASQUERADE
			ip6tables -N BLOCK
			ip6tables -A FORWARD -j BLOCK`, other, other, other, other, other, other, own))
	}
	c.listen(c.pod[1], "[fd44:2::2]:8080")
	c.listen(c.more, "[::]:8080")
	c.listen(c.node[1], "[::]:10250")
	return c
}

func (c *cluster) addPod6(node, pod *kernelNS, subnet, host int) {
	dev := fmt.Sprintf("veth%d", host)
	veth(node, dev, pod, "eth0")
	node.run("ip link set " + dev + " master cni0\nip link set " + dev + " type bridge_slave hairpin on")
	pod.run(fmt.Sprintf("ip address add fd44:%d::%d/64 dev eth0 nodad\nip -6 route add default via fd44:%d::1", subnet, host, subnet))
}

// TestTwoNodes6 is TestTwoNodes and its faults in IPv6: each asks the kernel for a real connection.
func TestTwoNodes6(t *testing.T) {
	c := newCluster6(t)
	n1, n2 := c.node[0], c.node[1]
	pod := datapath.Sender{Node: "n1", Namespace: "pod"}
	// The devices' link-local addresses are tentative at first, and what they send is not sent.
	await(t, "no tentative address", func() bool {
		for _, ns := range []*kernelNS{n1, n2, c.pod[0], c.pod[1], c.more, c.client} {
			if strings.Contains(ns.run("ip -6 address show"), "tentative") {
				return false
			}
		}
		return true
	})
	for _, x := range []struct {
		name       string
		at         *kernelNS
		make, heal string
		from       datapath.Sender
		ns         *kernelNS
		to         string
		verdict    datapath.Verdict
		really     string
		text       string
	}{
		{"Pod to Pod on the other node", nil, "", "", pod, c.pod[0], "[fd44:2::2]:8080", datapath.Delivered, "delivered", ""},
		{"Pod to Service", nil, "", "", pod, c.pod[0], "[fd96::10]:80", datapath.Delivered, "delivered", ""},
		{"Pod to Pod on the same bridge", nil, "", "", pod, c.pod[0], "[fd44:1::3]:8080", datapath.Delivered, "delivered", ""},
		{"Pod to the other node", nil, "", "", pod, c.pod[0], "[fd50::2]:10250", datapath.Delivered, "delivered", ""},
		{"Pod to a closed port", nil, "", "", pod, c.pod[0], "[fd44:2::2]:81", datapath.Rejected, "rejected", "nobody listens"},
		{"node to Pod", nil, "", "", datapath.Sender{Node: "n1"}, n1, "[fd44:1::3]:8080", datapath.Delivered, "delivered", ""},
		{"node to a Pod of the other", nil, "", "", datapath.Sender{Node: "n1"}, n1, "[fd44:2::2]:8080", datapath.Delivered, "delivered", ""},
		{"node without a route", nil, "", "", datapath.Sender{Node: "n1"}, n1, "[2001:db8::1]:53", datapath.Rejected, "rejected", "no route"},
		{
			"route removed", n1, "ip -6 route del fd44:2::/64", "ip -6 route add fd44:2::/64 via fd44:2:: dev flannel-v6.1 onlink", pod, c.pod[0], "[fd96::10]:80",
			datapath.Rejected, "silence", "no route to fd44:2::2", // its sender is told, and TCP tries on (tab_unreach of net/ipv6/icmp.c)
		},
		{
			"route back removed", n2, "ip -6 route del fd44:1::/64", "ip -6 route add fd44:1::/64 via fd44:1:: dev flannel-v6.1 onlink", pod, c.pod[0], "[fd96::10]:80",
			datapath.Rejected, "silence", "no route to fd44:1::2",
		},
		{"blackhole", n1, "ip -6 route add blackhole fd44:2::2/128", "ip -6 route del blackhole fd44:2::2/128", pod, c.pod[0], "[fd96::10]:80", datapath.Dropped, "silence", "blackhole"},
		{
			"forwarding off", n2, "sysctl -q -w net.ipv6.conf.all.forwarding=0", "sysctl -q -w net.ipv6.conf.all.forwarding=1", pod, c.pod[0], "[fd96::10]:80",
			datapath.Dropped, "silence", "is 0: it does not forward",
		},
		{"DROP in FORWARD", n2, "ip6tables -A BLOCK -s fd44:1::/64 -j DROP", "ip6tables -F BLOCK", pod, c.pod[0], "[fd96::10]:80", datapath.Dropped, "silence", "-j DROP"},
		{"REJECT of the answer", n1, "ip6tables -A BLOCK -s fd44:2::/64 -j REJECT", "ip6tables -F BLOCK", pod, c.pod[0], "[fd96::10]:80", datapath.Rejected, "silence", "-j REJECT"},
		{
			"FDB wrong", n1, "bridge fdb replace 02:00:00:00:00:02 dev flannel-v6.1 dst fd50::9", "bridge fdb replace 02:00:00:00:00:02 dev flannel-v6.1 dst fd50::2",
			pod, c.pod[0], "[fd96::10]:80", datapath.Dropped, "silence", "fd50::9 did not answer",
		},
		{
			"neighbour wrong", n1, "ip neighbour replace fd44:2:: lladdr 02:00:00:00:00:77 dev flannel-v6.1 nud permanent\nbridge fdb append 02:00:00:00:00:77 dev flannel-v6.1 dst fd50::2",
			"ip neighbour replace fd44:2:: lladdr 02:00:00:00:00:02 dev flannel-v6.1 nud permanent\nbridge fdb del 02:00:00:00:00:77 dev flannel-v6.1",
			pod, c.pod[0], "[fd96::10]:80", datapath.Dropped, "silence", "the frame is for 02:00:00:00:00:77",
		},
		{"healed", nil, "", "", pod, c.pod[0], "[fd96::10]:80", datapath.Delivered, "delivered", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.at != nil {
				x.at.run(x.make)
				defer x.at.run(x.heal)
			}
			really := c.connect(x.ns, x.to)
			if strings.Contains(x.text, "did not answer") {
				awaitFailed(t, x.at)
			}
			got := datapath.New(c.snapshot()).Trace(x.from, tcpTo(x.to))
			step := got.Branches[0].Cause()
			if got.Verdict != x.verdict || really != x.really || !strings.Contains(step.Text, x.text) {
				t.Errorf("%s %q, really %s\n%s", got.Verdict, step.Text, really, show(got.Branches, ""))
			}
		})
	}
}
