package datapath_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/netcause/netcause/engine/datapath"
)

// knob is a setting of one of the cluster's namespaces, and how to undo it.
type knob struct {
	at         func(c *cluster) *kernelNS
	make, heal string
}

func node1(c *cluster) *kernelNS { return c.node[0] }
func node2(c *cluster) *kernelNS { return c.node[1] }
func pod1(c *cluster) *kernelNS  { return c.pod[0] }
func pod2(c *cluster) *kernelNS  { return c.pod[1] }

var knobs = []knob{
	{node1, "sysctl -q -w net.ipv4.conf.all.rp_filter=1", "sysctl -q -w net.ipv4.conf.all.rp_filter=0"},
	{node2, "sysctl -q -w net.ipv4.conf.all.rp_filter=2", "sysctl -q -w net.ipv4.conf.all.rp_filter=0"},
	{node2, "sysctl -q -w net.ipv4.conf.all.rp_filter=1", "sysctl -q -w net.ipv4.conf.all.rp_filter=0"},
	{node1, "sysctl -q -w net.ipv4.ip_forward=0", "sysctl -q -w net.ipv4.ip_forward=1"},
	{node2, "sysctl -q -w net.ipv4.conf.flannel/1.forwarding=0", "sysctl -q -w net.ipv4.conf.flannel/1.forwarding=1"},
	{node1, "sysctl -q -w net.bridge.bridge-nf-call-iptables=0", "sysctl -q -w net.bridge.bridge-nf-call-iptables=1"},
	{node1, "ip link set veth3 type bridge_slave isolated on\nip link set veth2 type bridge_slave isolated on", "ip link set veth3 type bridge_slave isolated off\nip link set veth2 type bridge_slave isolated off"},
	{node1, "ip route add blackhole 10.244.2.2/32", "ip route del blackhole 10.244.2.2/32"},
	{node1, "ip route add 192.168.50.2/32 via 192.168.50.77", "ip route del 192.168.50.2/32"},
	{node2, "ip route add 10.244.1.2/32 via 192.168.50.1 dev eth0", "ip route del 10.244.1.2/32 via 192.168.50.1 dev eth0"},
	{node1, "ip rule add from 10.244.1.2 lookup 99\nip route add 10.244.0.0/16 via 192.168.50.2 table 99", "ip rule del from 10.244.1.2 lookup 99\nip route flush table 99"},
	{node1, "ip rule add iif cni0 to 10.244.2.0/24 prohibit", "ip rule del iif cni0 to 10.244.2.0/24 prohibit"},
	{node2, "iptables -A BLOCK -p tcp --dport 8080 -j DROP", "iptables -F BLOCK"},
	{node1, "iptables -A BLOCK -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\niptables -A BLOCK -s 10.244.2.0/24 -j DROP", "iptables -F BLOCK"},
	{node1, "iptables -A BLOCK -s 10.244.2.0/24 -j DROP", "iptables -F BLOCK"},
	{node2, "iptables -t mangle -A PREROUTING -i flannel.1 -j MARK --set-mark 5\nip rule add fwmark 5 lookup 98\nip route add unreachable default table 98", "iptables -t mangle -F PREROUTING\nip rule del fwmark 5\nip route flush table 98"},
	{node1, "iptables -t nat -I POSTROUTING -o flannel.1 -j MASQUERADE", "iptables -t nat -D POSTROUTING -o flannel.1 -j MASQUERADE"},
	{node1, "iptables -t nat -I POSTROUTING -o flannel.1 -j SNAT --to-source 10.244.1.99", "iptables -t nat -D POSTROUTING -o flannel.1 -j SNAT --to-source 10.244.1.99"},
	{pod1, "iptables -A INPUT -m conntrack --ctstate NEW -j DROP", "iptables -F INPUT"},
	{pod1, "iptables -A INPUT -j DROP", "iptables -F INPUT"},
	{pod2, "ip route del default", "ip route add default via 10.244.2.1"},
	{pod2, "iptables -A INPUT -s 192.168.0.0/16 -j REJECT", "iptables -F INPUT"},
	{node2, "nft add table inet x\nnft add chain inet x f { type filter hook forward priority -5; policy accept; }\nnft add rule inet x f ip saddr 10.244.1.2 drop", "nft delete table inet x"},
	{node1, "iptables -t raw -A PREROUTING -s 10.244.1.0/24 -j CT --notrack", "iptables -t raw -F PREROUTING"},
}

// TestConnectionsAgree turns up to three knobs at random, makes real connections between random ends, and compares what
// becomes of them with the model. NETCAUSE_DIFF_CLUSTERS is how many times.
func TestConnectionsAgree(t *testing.T) {
	random, _ := seeded(t, 0)
	rounds := 8
	if n, err := strconv.Atoi(os.Getenv("NETCAUSE_DIFF_CLUSTERS")); err == nil {
		rounds = n
	}
	c := newCluster(t)
	senders := []struct {
		from datapath.Sender
		ns   *kernelNS
	}{
		{datapath.Sender{Node: "n1", Namespace: "pod"}, c.pod[0]},
		{datapath.Sender{Node: "n1", Namespace: "more"}, c.more},
		{datapath.Sender{Node: "n1"}, c.node[0]},
		{datapath.Sender{Node: "n2", Namespace: "pod"}, c.pod[1]},
	}
	targets := []string{"10.244.2.2:8080", "10.244.1.3:8080", "10.96.0.10:80", "192.168.50.2:10250", "10.244.1.1:81"}
	compared, unknown := 0, 0
	verdicts := map[datapath.Verdict]int{}
	for range rounds {
		var turned []knob
		for range random.IntN(4) {
			turned = append(turned, knobs[random.IntN(len(knobs))])
		}
		for _, k := range turned {
			for _, line := range lines(k.make) {
				_, _ = k.at(c).try("", line) // two knobs may be one setting
			}
		}
		m := datapath.New(c.snapshot())
		for range 4 {
			s, to := senders[random.IntN(len(senders))], targets[random.IntN(len(targets))]
			really := c.connect(s.ns, to)
			got := m.Trace(s.from, tcpTo(to))
			compared++
			verdicts[got.Verdict]++
			if got.Verdict == datapath.Unknown {
				unknown++
				t.Logf("unknown, really %s: %s", really, got.Branches[0].Cause().Text)
				continue
			}
			if (got.Verdict == datapath.Delivered) != (really == "delivered") {
				t.Errorf("%s, really %s, with\n", got.Verdict, really)
				for _, k := range turned {
					t.Log(k.at(c).name, k.make)
				}
				t.Logf("\n%s", show(got.Branches, ""))
			}
		}
		for _, k := range turned {
			for _, line := range lines(k.heal) {
				_, _ = k.at(c).try("", line)
			}
		}
	}
	t.Logf("%d connections compared, %d unknown: %v", compared, unknown, verdicts)
}
