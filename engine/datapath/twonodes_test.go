package datapath_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// cluster are two nodes as flannel makes them: Pods on a bridge cni0, VXLAN between the nodes with static neighbours and
// FDB entries, a fabric of its own between them of which there are no facts, and a Service that iptables translates.
type cluster struct {
	t    *testing.T
	node [2]*kernelNS
	pod  [2]*kernelNS
	more *kernelNS // a second Pod on the first node
	// client is a machine on the nodes' network, of which there are no facts.
	client *kernelNS
	// servers are the listening sockets.
	servers []net.Listener
}

func newCluster(t *testing.T) *cluster {
	for _, tool := range []string{"iptables", "iptables-nft-save", "iptables-legacy-save", "nft", "ss", "bridge", "sysctl"} {
		if _, err := exec.LookPath(tool); os.Geteuid() == 0 && err != nil {
			t.Skip("needs tool " + tool)
		}
	}
	c := &cluster{t: t}
	fabric := newKernelNS(t, "f")
	fabric.run("ip link add br0 type bridge\nip link set br0 up")
	c.client = newKernelNS(t, "c")
	veth(c.client, "eth0", fabric, "up0")
	fabric.run("ip link set up0 master br0")
	c.client.run("ip address add 192.168.50.100/24 dev eth0")
	for i := range c.node {
		n := i + 1
		c.node[i], c.pod[i] = newKernelNS(t, fmt.Sprintf("n%d", n)), newKernelNS(t, fmt.Sprintf("p%d", n))
		veth(c.node[i], "eth0", fabric, fmt.Sprintf("up%d", n))
		fabric.run(fmt.Sprintf("ip link set up%d master br0", n))
		c.node[i].run(fmt.Sprintf(`ip address add 192.168.50.%d/24 dev eth0
			ip link add flannel.1 address 02:00:00:00:00:0%d type vxlan id 1 local 192.168.50.%d dev eth0 dstport 8472 nolearning
			ip address add 10.244.%d.0/32 dev flannel.1
			ip link set flannel.1 up
			ip link add cni0 address 02:00:00:00:01:0%d type bridge
			ip address add 10.244.%d.1/24 dev cni0
			ip link set cni0 up
			sysctl -q -w net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1 net.ipv4.neigh.eth0.retrans_time_ms=100`, n, n, n, n, n, n))
		c.addPod(c.node[i], c.pod[i], n, 2)
	}
	c.more = newKernelNS(t, "p3")
	c.addPod(c.node[0], c.more, 1, 3)
	for i, n := range c.node {
		own, other := i+1, 2-i
		n.run(fmt.Sprintf(`ip route add 10.244.%d.0/24 via 10.244.%d.0 dev flannel.1 onlink
			ip neighbour add 10.244.%d.0 lladdr 02:00:00:00:00:0%d dev flannel.1 nud permanent
			bridge fdb append 02:00:00:00:00:0%d dev flannel.1 dst 192.168.50.%d
			iptables -t nat -N KUBE-SERVICES
			iptables -t nat -A PREROUTING -j KUBE-SERVICES
			iptables -t nat -A OUTPUT -j KUBE-SERVICES
			iptables -t nat -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp --dport 80 -j DNAT --to-destination 10.244.2.2:8080
			iptables -t nat -A KUBE-SERVICES -d 10.96.0.11/32 -p tcp --dport 80 -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.244.2.2:8080
			iptables -t nat -A KUBE-SERVICES -d 10.96.0.11/32 -p tcp --dport 80 -j DNAT --to-destination 10.244.1.3:8080
			iptables -t nat -A POSTROUTING -s 10.244.%d.0/24 ! -d 10.244.0.0/16 -j MASQUERADE
			iptables -N BLOCK
			iptables -A FORWARD -j BLOCK`, other, other, other, other, other, other, own))
	}
	c.listen(c.pod[1], "10.244.2.2:8080")
	c.listen(c.more, "0.0.0.0:8080")
	c.listen(c.node[1], "0.0.0.0:10250")
	return c
}

func (c *cluster) addPod(node, pod *kernelNS, subnet, host int) {
	dev := fmt.Sprintf("veth%d", host)
	veth(node, dev, pod, "eth0")
	node.run("ip link set " + dev + " master cni0\nip link set " + dev + " type bridge_slave hairpin on")
	pod.run(fmt.Sprintf("ip address add 10.244.%d.%d/24 dev eth0\nip route add default via 10.244.%d.1", subnet, host, subnet))
}

func (c *cluster) listen(ns *kernelNS, address string) {
	c.t.Helper()
	var l net.Listener
	var err error
	ns.do(func() { l, err = net.Listen("tcp", address) })
	if err != nil {
		c.t.Fatal(err)
	}
	c.servers = append(c.servers, l)
	c.t.Cleanup(func() { l.Close() })
}

// connect is what a real connection comes to: "delivered", "rejected" or "silence".
func (c *cluster) connect(from *kernelNS, to string) string {
	c.t.Helper()
	var err error
	from.do(func() {
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp", to, 300*time.Millisecond); err == nil {
			conn.Close()
		}
	})
	switch {
	case err == nil:
		return "delivered"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "rejected"
	}
	return "silence"
}

func (ns *kernelNS) listings(n *facts.NetNS) {
	for _, l := range []struct {
		group           *facts.Group[facts.Listing]
		command, format string
	}{
		{&n.IPTablesNFT, "iptables-nft-save", "iptables-save"},
		{&n.IPTablesLegacy, "iptables-legacy-save", "iptables-save"},
		{&n.NFTables, "nft list ruleset", "nft"},
		{&n.IP6TablesNFT, "ip6tables-nft-save", "iptables-save"},
		{&n.IP6TablesLegacy, "ip6tables-legacy-save", "iptables-save"},
		{&n.IPSet, "ipset save", "ipset-save"},
	} {
		out, err := ns.try("", l.command)
		if err != nil {
			continue
		}
		*l.group = facts.ReadGroup(facts.Listing{Format: l.format}, facts.Source(l.command))
		l.group.Raw = []facts.Raw{{Name: l.command, Data: []byte(out)}}
	}
}

func (ns *kernelNS) collectAll() facts.NetNS {
	n := ns.collect()
	ns.listings(&n)
	return n
}

func (c *cluster) snapshot() *facts.Snapshot {
	s := &facts.Snapshot{}
	for i := range c.node {
		n := &facts.Node{Name: fmt.Sprintf("n%d", i+1), NetNS: c.node[i].collectAll()}
		n.Namespaces = append(n.Namespaces, &facts.Namespace{
			ID: "pod", Pod: &facts.PodReference{Namespace: "default", Name: fmt.Sprintf("pod%d", i+1)}, NetNS: c.pod[i].collectAll(),
		})
		if i == 0 {
			n.Namespaces = append(n.Namespaces, &facts.Namespace{
				ID: "more", Pod: &facts.PodReference{Namespace: "default", Name: "more"}, NetNS: c.more.collectAll(),
			})
		}
		s.Nodes = append(s.Nodes, n)
	}
	return s
}

func show(branches []datapath.Branch, indent string) string {
	var b strings.Builder
	for _, br := range branches {
		fmt.Fprintf(&b, "%s%.2f %s %v\n", indent, br.Probability, br.Verdict, br.When)
		for _, s := range br.Steps {
			fmt.Fprintf(&b, "%s  %-3s %-5s %-11s %s:%d > %s:%d  %s  [%s] %s\n", indent, s.Node, s.Namespace, s.Stage, s.Packet.Src, s.Packet.Sport,
				s.Packet.Dst, s.Packet.Dport, s.Text, s.Source, s.Verdict)
		}
		if len(br.Reply) > 0 {
			fmt.Fprintf(&b, "%s reply\n%s", indent, show(br.Reply, indent+"    "))
		}
	}
	return b.String()
}

func tcpTo(address string) datapath.Packet {
	a := netip.MustParseAddrPort(address)
	return datapath.Packet{Dst: a.Addr(), Dport: a.Port(), Proto: "tcp"}
}

func TestTwoNodes(t *testing.T) {
	c := newCluster(t)
	pod := datapath.Sender{Node: "n1", Namespace: "pod"}
	for _, x := range []struct {
		name     string
		from     datapath.Sender
		ns       *kernelNS
		to       string
		verdict  datapath.Verdict
		branches int
	}{
		{"Pod to Pod on the other node", pod, c.pod[0], "10.244.2.2:8080", datapath.Delivered, 1},
		{"Pod to Service", pod, c.pod[0], "10.96.0.10:80", datapath.Delivered, 1},
		{"Pod to Service of two endpoints", pod, c.pod[0], "10.96.0.11:80", datapath.Delivered, 2},
		{"Pod to Pod on the same bridge", pod, c.pod[0], "10.244.1.3:8080", datapath.Delivered, 1},
		{"Pod to its node's peer", pod, c.pod[0], "192.168.50.2:10250", datapath.Delivered, 1},
		{"Pod to a closed port", pod, c.pod[0], "10.244.2.2:81", datapath.Rejected, 1},
		{"Pod to its own node", pod, c.pod[0], "10.244.1.1:81", datapath.Rejected, 1},
		{"Pod to itself", pod, c.pod[0], "127.0.0.1:81", datapath.Rejected, 1},
		{"node to Service, without a route to it", datapath.Sender{Node: "n1"}, c.node[0], "10.96.0.10:80", datapath.Rejected, 1},
		{"node to Pod", datapath.Sender{Node: "n1"}, c.node[0], "10.244.1.3:8080", datapath.Delivered, 1},
		{"node without a route", datapath.Sender{Node: "n1"}, c.node[0], "8.8.8.8:53", datapath.Rejected, 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			real := c.connect(x.ns, x.to)
			got := datapath.New(c.snapshot()).Trace(x.from, tcpTo(x.to))
			if got.Verdict != x.verdict || len(got.Branches) != x.branches || string(got.Verdict) != real {
				t.Errorf("%s of %d branches, really %s\n%s", got.Verdict, len(got.Branches), real, show(got.Branches, ""))
			}
		})
	}
	t.Run("node to Service, by another way than the answer's", func(t *testing.T) {
		c.node[0].run("ip route add 10.96.0.0/24 dev eth0")
		really := c.connect(c.node[0], "10.96.0.10:80")
		got := datapath.New(c.snapshot()).Trace(datapath.Sender{Node: "n1"}, tcpTo("10.96.0.10:80"))
		if got.Verdict != datapath.Delivered || really != "delivered" {
			t.Errorf("%s, really %s\n%s", got.Verdict, really, show(got.Branches, ""))
		}
		if testing.Verbose() {
			t.Log("\n" + show(got.Branches, ""))
		}
	})
	for _, x := range []struct {
		name, masquerade, really string
		verdict                  datapath.Verdict
	}{
		{"from outside to a NodePort", "iptables -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE", "delivered", datapath.Delivered},
		{"from outside to a NodePort that nobody masquerades", "iptables -t nat -S", "silence", datapath.Rejected},
	} {
		t.Run(x.name, func(t *testing.T) {
			c.node[0].run("iptables -t nat -A KUBE-SERVICES -p tcp --dport 30080 -m addrtype --dst-type LOCAL -j MARK --set-xmark 0x4000/0x4000\n" +
				"iptables -t nat -A KUBE-SERVICES -p tcp --dport 30080 -m addrtype --dst-type LOCAL -j DNAT --to-destination 10.244.2.2:8080\n" + x.masquerade)
			really := c.connect(c.client, "192.168.50.1:30080")
			p := tcpTo("192.168.50.1:30080")
			p.Src = netip.MustParseAddr("192.168.50.100")
			got := datapath.New(c.snapshot()).Trace(datapath.Sender{Node: "n1", Dev: "eth0"}, p)
			if got.Verdict != x.verdict || really != x.really {
				t.Errorf("%s, really %s\n%s", got.Verdict, really, show(got.Branches, ""))
			}
			_, _ = c.node[0].try("", "iptables -t nat -D POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE")
		})
	}
	for _, x := range []struct {
		name, filter, really, text string
		verdict                    datapath.Verdict
	}{
		{"an answer by another way", "0", "delivered", "asymmetric: the question came in by flannel.1, the answer leaves by eth0", datapath.Delivered},
		{
			"an answer by another way, and strict rp_filter", "1", "silence",
			"rp_filter=1 (strict) drops it: it comes in by eth0, and the way back to its source 10.244.2.2 is by flannel.1 (route 10.244.2.0/24)", datapath.Dropped,
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			c.node[1].run("ip route replace 10.244.1.0/24 via 192.168.50.1 dev eth0")
			c.node[0].run("sysctl -q -w net.ipv4.conf.all.rp_filter=" + x.filter)
			really := c.connect(c.pod[0], "10.244.2.2:8080")
			got := datapath.New(c.snapshot()).Trace(pod, tcpTo("10.244.2.2:8080"))
			c.node[1].run("ip route replace 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink")
			c.node[0].run("sysctl -q -w net.ipv4.conf.all.rp_filter=0")
			reply := got.Branches[0].Reply
			said := len(reply) == 1 && slices.ContainsFunc(reply[0].Steps, func(s datapath.Step) bool { return s.Text == x.text })
			if got.Verdict != x.verdict || really != x.really || !said {
				t.Errorf("%s, really %s\n%s", got.Verdict, really, show(got.Branches, ""))
			}
		})
	}
	t.Run("routes in a circle", func(t *testing.T) {
		expired := func() int {
			return c.node[0].counter("Icmp", "OutTimeExcds") + c.node[1].counter("Icmp", "OutTimeExcds")
		}
		before := expired()
		c.node[0].run("ip route add 10.244.9.0/24 via 192.168.50.2")
		c.node[1].run("ip route add 10.244.9.0/24 via 192.168.50.1")
		_ = c.connect(c.pod[0], "10.244.9.1:80")
		got := datapath.New(c.snapshot()).Trace(pod, tcpTo("10.244.9.1:80"))
		step := got.Branches[0].Cause()
		if got.Verdict != datapath.Looped || len(step.Circle) != 2 || expired() == before {
			t.Errorf("%s %q, %d packets whose TTL ran out\n%s", got.Verdict, step.Circle, expired()-before, show(got.Branches, ""))
		}
		c.node[0].run("ip route del 10.244.9.0/24")
		c.node[1].run("ip route del 10.244.9.0/24")
	})
	t.Run("Pod to itself by a Service", func(t *testing.T) {
		c.node[0].run("iptables -t nat -I KUBE-SERVICES -d 10.96.0.13/32 -p tcp -j DNAT --to-destination 10.244.1.3:8080\n" +
			"iptables -t nat -I POSTROUTING -s 10.244.1.3/32 -d 10.244.1.3/32 -j MASQUERADE")
		for _, hairpin := range []string{"on", "off"} {
			c.node[0].run("ip link set veth3 type bridge_slave hairpin " + hairpin)
			really := c.connect(c.more, "10.96.0.13:80")
			got := datapath.New(c.snapshot()).Trace(datapath.Sender{Node: "n1", Namespace: "more"}, tcpTo("10.96.0.13:80"))
			want := map[string]datapath.Verdict{"delivered": datapath.Delivered, "silence": datapath.Dropped}[really]
			if got.Verdict != want || (hairpin == "on") != (really == "delivered") {
				t.Errorf("hairpin %s: %s, really %s\n%s", hairpin, got.Verdict, really, show(got.Branches, ""))
			}
		}
	})
	t.Run("the sending Pod's namespace was not read", func(t *testing.T) {
		s := c.snapshot()
		s.Nodes[0].Namespaces = nil
		s.Cluster = &facts.Cluster{Pods: facts.ReadGroup([]facts.Pod{{
			Metadata: facts.ObjectMeta{Namespace: "default", Name: "pod1"}, Spec: facts.PodSpec{NodeName: "n1"}, Status: facts.PodStatus{PodIP: "10.244.1.2"},
		}, {
			Metadata: facts.ObjectMeta{Namespace: "default", Name: "more"}, Spec: facts.PodSpec{NodeName: "n1"}, Status: facts.PodStatus{PodIP: "10.244.1.3"},
		}})}
		m := datapath.New(s)
		from, src, ok := m.PodSender("default", "pod1")
		p := tcpTo("10.96.0.10:80")
		p.Src = src
		if got := m.Trace(from, p); !ok || from.Dev != "cni0" || got.Verdict != datapath.Delivered {
			t.Errorf("%+v %v\n%s", from, ok, show(got.Branches, ""))
		}
		p = tcpTo("10.244.1.3:8080")
		p.Src = src
		got := m.Trace(from, p)
		if step := got.Branches[0].Cause(); got.Verdict != datapath.Unknown || step.Missing == nil || step.Missing.Namespace != "default/more" {
			t.Errorf("%s", show(got.Branches, ""))
		}
	})
	t.Run("the other node was not read", func(t *testing.T) {
		s := c.snapshot()
		s.Nodes = s.Nodes[:1]
		s.Cluster = &facts.Cluster{Nodes: facts.ReadGroup([]facts.NodeObject{{
			Metadata: facts.ObjectMeta{Name: "n2"},
			Status:   facts.NodeStatus{Addresses: []facts.NodeAddress{{Type: "InternalIP", Address: "192.168.50.2"}}},
		}})}
		got := datapath.New(s).Trace(pod, tcpTo("10.96.0.10:80"))
		if step := got.Branches[0].Cause(); got.Verdict != datapath.Unknown || step.Missing == nil || step.Missing.Node != "n2" {
			t.Errorf("%s\n%s", got.Verdict, show(got.Branches, ""))
		}
	})
}

// TestTwoNodesFaults makes one fault at a time, asks the kernel for a real connection, and the model for the cause.
func TestTwoNodesFaults(t *testing.T) {
	c := newCluster(t)
	n1, n2 := c.node[0], c.node[1]
	type cause struct {
		verdict  datapath.Verdict
		node     string
		stage    datapath.Stage
		contains string
		reply    bool
	}
	for _, x := range []struct {
		name       string
		at         *kernelNS
		make, heal string
		to         string
		really     string
		want       cause
	}{
		{
			"route removed", n1, "ip route del 10.244.2.0/24", "ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink", "", "rejected",
			cause{datapath.Rejected, "n1", datapath.StageRoute, "no route to 10.244.2.2", false},
		},
		{
			"route back removed", n2, "ip route del 10.244.1.0/24", "ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink", "", "silence",
			cause{datapath.Rejected, "n2", datapath.StageRoute, "no route to 10.244.1.2", true},
		},
		{
			"blackhole", n1, "ip route add blackhole 10.244.2.0/25", "ip route del blackhole 10.244.2.0/25", "", "silence",
			cause{datapath.Dropped, "n1", datapath.StageRoute, "blackhole route 10.244.2.0/25", false},
		},
		{
			"FDB wrong", n1, "bridge fdb replace 02:00:00:00:00:02 dev flannel.1 dst 192.168.50.9",
			"bridge fdb replace 02:00:00:00:00:02 dev flannel.1 dst 192.168.50.2", "", "silence",
			cause{datapath.Dropped, "n1", datapath.StageNeighbour, "192.168.50.9 did not answer", false},
		},
		{
			"FDB entry gone", n1, "bridge fdb del 02:00:00:00:00:02 dev flannel.1", "bridge fdb append 02:00:00:00:00:02 dev flannel.1 dst 192.168.50.2", "", "silence",
			cause{datapath.Dropped, "n1", datapath.StageEncap, "no VTEP for 02:00:00:00:00:02", false},
		},
		{
			"neighbour wrong", n1, "ip neighbour replace 10.244.2.0 lladdr 02:00:00:00:00:77 dev flannel.1 nud permanent\nbridge fdb append 02:00:00:00:00:77 dev flannel.1 dst 192.168.50.2",
			"ip neighbour replace 10.244.2.0 lladdr 02:00:00:00:00:02 dev flannel.1 nud permanent\nbridge fdb del 02:00:00:00:00:77 dev flannel.1", "", "silence",
			cause{datapath.Dropped, "n2", datapath.StageLink, "the frame is for 02:00:00:00:00:77", false},
		},
		{
			"ip_forward 0", n2, "sysctl -q -w net.ipv4.ip_forward=0", "sysctl -q -w net.ipv4.ip_forward=1", "", "silence",
			cause{datapath.Dropped, "n2", datapath.StageRoute, "is 0: it does not forward", false},
		},
		{
			"DROP in FORWARD", n2, "iptables -A BLOCK -s 10.244.1.0/24 -j DROP", "iptables -F BLOCK", "", "silence",
			cause{datapath.Dropped, "n2", datapath.StageForward, "-j DROP", false},
		},
		{
			"REJECT of the answer", n1, "iptables -A BLOCK -s 10.244.2.0/24 -j REJECT", "iptables -F BLOCK", "", "silence",
			cause{datapath.Rejected, "n1", datapath.StageForward, "-j REJECT", true},
		},
		{
			"INPUT drops VXLAN", n2, "iptables -A INPUT -p udp --dport 8472 -j DROP", "iptables -D INPUT -p udp --dport 8472 -j DROP", "", "silence",
			cause{datapath.Dropped, "n2", datapath.StageInput, "8472", false},
		},
		{
			"rp_filter and an asymmetric route", n2,
			"ip route replace 10.244.1.0/24 via 192.168.50.1 dev eth0\nsysctl -q -w net.ipv4.conf.all.rp_filter=1",
			"ip route replace 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink\nsysctl -q -w net.ipv4.conf.all.rp_filter=0", "", "silence",
			cause{datapath.Dropped, "n2", datapath.StageRoute, "rp_filter=1 (strict) drops it: it comes in by flannel.1, and the way back to its source 10.244.1.2 is by eth0", false},
		},
		{
			"flannel.1 down", n2, "ip link set flannel.1 down", "ip link set flannel.1 up\nip route replace 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink\nip neighbour replace 10.244.1.0 lladdr 02:00:00:00:00:01 dev flannel.1 nud permanent", "", "silence",
			cause{datapath.Dropped, "n2", datapath.StageDecap, "flannel.1 is down", false},
		},
		{
			"the Service's translation gone", n1, "iptables -t nat -D PREROUTING -j KUBE-SERVICES", "iptables -t nat -A PREROUTING -j KUBE-SERVICES", "", "rejected",
			cause{datapath.Rejected, "n1", datapath.StageRoute, "no route to 10.96.0.10", false},
		},
		{
			"NOTRACK", n1, "iptables -t raw -A PREROUTING -s 10.244.1.0/24 -j CT --notrack", "iptables -t raw -F PREROUTING", "", "rejected",
			cause{datapath.Rejected, "n1", datapath.StageRoute, "no route to 10.96.0.10", false},
		},
		{
			"a host route to nowhere on the VTEP's network", n1, "ip route add 192.168.50.2/32 dev cni0", "ip route del 192.168.50.2/32 dev cni0", "", "silence",
			cause{datapath.Dropped, "n1", datapath.StageBridge, "", false},
		},
		{
			"bridge-nf-call-iptables 0 and an endpoint on the same bridge", n1, "sysctl -q -w net.bridge.bridge-nf-call-iptables=0\niptables -t nat -I KUBE-SERVICES -d 10.96.0.12/32 -p tcp -j DNAT --to-destination 10.244.1.3:8080",
			"sysctl -q -w net.bridge.bridge-nf-call-iptables=1", "10.96.0.12:80", "silence",
			cause{datapath.Rejected, "n1", datapath.StageSocket, "the answer comes from 10.244.1.3:8080", true},
		},
		{
			"listener on loopback", c.pod[1], "", "", "10.244.2.2:9090", "rejected",
			cause{datapath.Rejected, "n2", datapath.StageSocket, "but on 127.0.0.1:9090", false},
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			to := x.to
			if to == "" {
				to = "10.96.0.10:80"
			}
			if strings.HasSuffix(to, ":9090") {
				c.listen(x.at, "127.0.0.1:9090")
			}
			x.at.run(x.make)
			really := c.connect(c.pod[0], to)
			if x.want.stage == datapath.StageNeighbour {
				awaitFailed(t, n1)
			}
			got := datapath.New(c.snapshot()).Trace(datapath.Sender{Node: "n1", Namespace: "pod"}, tcpTo(to))
			x.at.run(x.heal)
			if really != x.really {
				t.Errorf("a real connection: %s", really)
			}
			if len(got.Branches) != 1 {
				t.Fatalf("%d branches\n%s", len(got.Branches), show(got.Branches, ""))
			}
			step := got.Branches[0].Cause()
			w := x.want
			if got.Verdict != w.verdict || step.Node != w.node || step.Stage != w.stage || !strings.Contains(step.Text, w.contains) || (len(got.Branches[0].Reply) > 0) != w.reply {
				t.Errorf("%s at %s %s %q\n%s", got.Verdict, step.Node, step.Stage, step.Text, show(got.Branches, ""))
			}
			if after := c.connect(c.pod[0], "10.96.0.10:80"); after != "delivered" {
				t.Fatalf("not healed: %s", after)
			}
		})
	}
}

// awaitFailed waits until the kernel gives up to ask for a hardware address.
func awaitFailed(t *testing.T, ns *kernelNS) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if strings.Contains(ns.run("ip neighbour show dev eth0"), "FAILED") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no neighbour became FAILED")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
