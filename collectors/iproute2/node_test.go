package iproute2_test

import (
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/collectors/iproute2"
	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/collectors/node"
	"github.com/netcause/netcause/engine/facts"
)

var same = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	cmpopts.EquateEmpty(),
}

// busyNamespace is a namespace with something of all that the programs print.
func busyNamespace(t *testing.T) *nettest.NS {
	t.Helper()
	nettest.NeedRoot(t)
	nettest.NeedTool(t, "ip", "bridge", "ss")
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0", n2, "eth0")
	nettest.Veth(t, n1, "eth1", n2, "eth1")
	for line := range strings.Lines(`
		ip address add 10.0.0.1/24 brd + dev eth0
		ip address add 10.0.0.228/24 dev eth0 valid_lft 86400 preferred_lft 86400
		ip address add 10.0.1.1/24 dev eth1 noprefixroute label eth1:1
		ip address add 10.2.0.1 peer 10.2.0.2/32 dev eth0
		ip address add 10.3.0.1/32 dev lo scope link
		ip address add fd00::1/64 dev eth0 nodad
		ip address add fd00:1::1/64 dev eth1 nodad
		ip address add fd00::2/64 dev eth0 valid_lft 3600 preferred_lft 0 nodad
		ip address add fd00:9::1 peer fd00:9::2/128 dev eth0 nodad
		ip link property add dev eth0 altname uplink0
		ip link set eth0 mtu 1450 promisc on
		ip link add cbr0 type bridge
		ip link set cbr0 up
		ip link add p1 type veth peer name p1x
		ip link set p1 master cbr0
		ip link set p1 type bridge_slave hairpin on learning off isolated on
		ip link set p1 up
		ip link set p1x up
		ip link add p2 type veth peer name p2x
		ip link set p2 master cbr0
		ip link add flannel.1 type vxlan id 1 local 10.0.0.1 dev eth0 dstport 8472 nolearning
		ip link set flannel.1 up
		ip link add vx6 type vxlan id 70000 remote fd00::7 dstport 4789
		ip link add vxm type vxlan id 9 group 239.1.1.1 dev eth0 dstport 4789
		ip link add vxe type vxlan external dstport 8473
		ip link set vxe up
		ip tuntap add mode tun name tun0
		ip link set tun0 up
		ip route add default via 10.0.0.254 metric 100 proto dhcp src 10.0.0.1
		ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
		ip route add 10.244.2.0/24 via 10.0.0.2 proto bird
		ip route add blackhole 10.244.0.0/24 proto 80
		ip route add unreachable 10.99.0.0/16 metric 4278198272
		ip route add prohibit 10.98.0.0/16
		ip route add throw 10.97.0.0/16 table 100
		ip route add 10.96.0.0/16 dev eth0 mtu 1400 advmss 1360 table 100
		ip route add 10.95.0.0/16 dev eth0 mtu lock 1300 tos 0x04 table 1000
		ip route add 10.94.0.0/16 nexthop via 10.0.0.3 weight 2 nexthop via 10.0.1.3 dev eth1 onlink
		ip route add 10.93.0.0/16 via inet6 fd00::9 dev eth0
		ip route add local 10.92.0.0/16 dev lo table 100
		ip route add 10.91.0.1/32 dev eth1 scope link
		ip -6 route add default via fd00::fe metric 7
		ip -6 route add fd10::/64 from fd11::/64 via fd00::22
		ip -6 route add fd12::/64 nexthop via fd00::22 nexthop via fd00:1::2 weight 3
		ip -6 route add unreachable fd13::/64 table 100
		ip -6 route add fd14::/64 dev eth0 mtu 1300
		ip rule add priority 100 from 10.244.0.0/16 lookup 100
		ip rule add priority 101 not from 10.1.0.1 to 10.2.0.0/16 lookup main suppress_prefixlength 0
		ip rule add priority 102 fwmark 0x200/0xf00 lookup 2004
		ip rule add priority 103 fwmark 0x1 iif lo oif eth9 lookup 300
		ip rule add priority 104 ipproto tcp dport 80-90 sport 1234 tos 0x04 lookup 301
		ip rule add priority 105 uidrange 1000-2000 blackhole
		ip rule add priority 106 from 10.3.0.0/16 unreachable
		ip rule add priority 107 prohibit
		ip rule add priority 108 goto 200
		ip rule add priority 200 from all nop
		ip -6 rule add priority 100 from fd00::/64 lookup 100
		ip -6 rule add priority 101 ipproto ipv6-icmp lookup main
		ip neighbour add 10.244.1.0 lladdr 3a:8f:1b:00:00:01 dev flannel.1 nud permanent
		ip neighbour add 10.0.0.3 lladdr 3a:8f:1b:00:00:03 dev eth0 nud stale
		ip neighbour add 10.0.0.4 lladdr 3a:8f:1b:00:00:04 dev eth0 nud noarp
		ip neighbour add fd00::3 lladdr 3a:8f:1b:00:00:05 dev eth0 nud permanent router
		ip neighbour add 10.0.0.5 lladdr 3a:8f:1b:00:00:06 dev eth0 nud stale extern_learn
		bridge fdb append 3a:8f:1b:00:00:01 dev flannel.1 dst 10.0.0.2
		bridge fdb append 3a:8f:1b:00:00:02 dev flannel.1 dst 10.0.0.3 vni 17 extern_learn
		bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 10.0.0.4
		bridge fdb add 3a:8f:1b:00:00:03 dev p1 master static
		bridge fdb add 3a:8f:1b:00:00:05 dev p1 self`) {
		if args := strings.Fields(line); len(args) > 0 {
			n1.Run(t, args[0], args[1:]...)
		}
	}
	for _, optional := range []string{
		"ip link add bond0 type bond mode active-backup", "ip link add link eth0 name eth0.100 type vlan id 100",
		"ip link add ipip1 type ipip local 10.0.0.1 remote 10.0.0.2", "ip link set cbr0 type bridge vlan_filtering 1",
	} {
		if _, err := n1.Try(t, "ip", strings.Fields(optional)[1:]...); err != nil {
			t.Logf("not on this kernel: %s", optional)
		}
	}
	nettest.WaitFor(t, "duplicate address detection", func() bool {
		return !strings.Contains(n1.Run(t, "ip", "address"), "tentative")
	})
	return n1
}

func collect(t *testing.T, ns *nettest.NS) *facts.Node {
	t.Helper()
	var n *facts.Node
	ns.Do(t, func() { n = node.Collect(t.Context(), node.Options{Root: t.TempDir(), Name: ns.Name}) })
	return n
}

func whole(t *testing.T, command string, unparsed lines.Unparsed) {
	t.Helper()
	for _, line := range unparsed.First {
		t.Errorf("%s: not understood: %d %q", command, line.Number, line.Text)
	}
}

// What the programs print and what the kernel says through netlink are the same facts.
func TestTextAgreesWithNetlink(t *testing.T) {
	ns := busyNamespace(t)
	run := func(command string) []byte {
		args := strings.Fields(command)
		return []byte(ns.Run(t, args[0], args[1:]...))
	}
	collected := collect(t, ns)

	netns := iproute2.ParseNetns(run("ip netns"))
	whole(t, "ip netns", netns.Unparsed)
	ids := iproute2.IDs(netns.Items)
	links := cmp.Options{same, cmpopts.IgnoreFields(facts.Link{}, "Source", "Stats64", "CarrierChanges")}
	for _, command := range []string{
		"ip -d link", "ip -s -d link", "ip -s -s -d link show", "ip -o -d link", "ip -d address", "ip -j -d link",
		"ip -j -s -d address",
	} {
		got := iproute2.ParseDevices("x", run(command), ids)
		whole(t, command, got.Unparsed)
		if diff := cmp.Diff(collected.Links.Value, got.Links, links); diff != "" || !got.Detailed || !got.ShowsLinks {
			t.Errorf("%s, detailed %v, links %v (-netlink +text):\n%s", command, got.Detailed, got.ShowsLinks, diff)
		}
		if stats := got.Links[1].Stats64; (stats != nil) != strings.Contains(command, "-s") || stats != nil && stats.RxPackets == 0 && stats.TxPackets == 0 {
			t.Errorf("%s: statistics %+v", command, stats)
		}
	}
	if got := iproute2.ParseDevices("x", run("ip link"), nil); got.Detailed {
		t.Error("ip link passes for ip -d link")
	}
	if got := iproute2.ParseDevices("x", run("ip -d link"), nil); *got.Links[1].LinkNetnsid != -1 {
		t.Error("an unknown namespace has an id")
	}
	if got := iproute2.ParseDevices("x", run("ip -o -d address"), nil); got.ShowsLinks {
		t.Error("ip -o address passes for ip link")
	}

	lifetime := cmp.FilterPath(func(p cmp.Path) bool { return strings.HasSuffix(p.Last().String(), "LifeTime") },
		cmp.Comparer(func(a, b uint32) bool { return a-b+5 <= 10 })) // seconds go by
	addresses := cmp.Options{same, lifetime, cmpopts.IgnoreFields(facts.Address{}, "Source"), unordered[facts.Address]()}
	for _, command := range []string{"ip address", "ip -d address", "ip -o address", "ip -s -s -d address", "ip -o -d address", "ip -j address"} {
		got := iproute2.ParseDevices("x", run(command), nil)
		whole(t, command, got.Unparsed)
		if diff := cmp.Diff(collected.Addresses.Value, got.Addresses, addresses); diff != "" || !got.ShowsAddresses {
			t.Errorf("%s (-netlink +text):\n%s", command, diff)
		}
	}

	routes := cmp.Options{same, cmpopts.IgnoreFields(facts.Route{}, "Source"), unordered[facts.Route]()}
	for _, command := range []string{
		"ip %s route show table all", "ip -d %s route show table all", "ip -o %s route show table all", "ip -j -d %s route show table all",
		"ip -j %s route show table all",
	} {
		var got []facts.Route
		for _, family := range []string{"-4", "-6"} {
			command := strings.Replace(command, "%s", family, 1)
			p := iproute2.ParseRoutes("x", run(command), iproute2.RouteOptions{Family: map[string]string{"-6": "inet6"}[family]})
			whole(t, command, p.Unparsed)
			got = append(got, p.Items...)
		}
		if diff := cmp.Diff(collected.Routes.Value, got, routes); diff != "" {
			t.Errorf("%s (-netlink +text):\n%s", command, diff)
		}
	}
	both := iproute2.ParseRoutes("x", run("ip route show table all"), iproute2.RouteOptions{})
	whole(t, "ip route show table all", both.Unparsed)
	if diff := cmp.Diff(collected.Routes.Value, both.Items, routes); diff != "" {
		t.Errorf("both families (-netlink +text):\n%s", diff)
	}

	for _, command := range []string{"ip %s rule", "ip -d %s rule", "ip -o %s rule show", "ip -j %s rule"} {
		var got []facts.RoutingRule
		for _, family := range []string{"inet", "inet6"} {
			command := strings.Replace(command, "%s", "-f "+family, 1)
			p := iproute2.ParseRules("x", run(command), family, nil)
			whole(t, command, p.Unparsed)
			got = append(got, p.Items...)
		}
		if diff := cmp.Diff(collected.Rules.Value, got, same, cmpopts.IgnoreFields(facts.RoutingRule{}, "Source")); diff != "" {
			t.Errorf("%s (-netlink +text):\n%s", command, diff)
		}
	}

	neighbours := cmp.Options{
		same, cmpopts.IgnoreFields(facts.Neighbour{}, "Source"), unordered[facts.Neighbour](),
		cmpopts.IgnoreSliceElements(func(n facts.Neighbour) bool { return n.Dst.IsMulticast() || n.State == "NOARP" && n.Dst.IsLoopback() }),
	}
	for _, command := range []string{"ip neigh show nud all", "ip -s -s neigh show nud all", "ip -j neigh show nud all", "ip -d -o neigh show nud all"} {
		got := iproute2.ParseNeighbours("x", run(command))
		whole(t, command, got.Unparsed)
		if diff := cmp.Diff(collected.Neighbours.Value, got.Items, neighbours); diff != "" {
			t.Errorf("%s (-netlink +text):\n%s", command, diff)
		}
	}

	fdb := cmp.Options{
		same, cmpopts.IgnoreFields(facts.FDBEntry{}, "Source"), unordered[facts.FDBEntry](),
		// The bridge learns from what the kernel's multicast sends.
		cmpopts.IgnoreSliceElements(func(e facts.FDBEntry) bool { return e.State == "" }),
	}
	for _, command := range []string{"bridge fdb", "bridge -d fdb show", "bridge -s -s -d -t fdb show", "bridge -j fdb"} {
		got := iproute2.ParseFDB("x", run(command))
		whole(t, command, got.Unparsed)
		if diff := cmp.Diff(collected.FDB.Value, got.Items, fdb); diff != "" {
			t.Errorf("%s (-netlink +text):\n%s", command, diff)
		}
	}
}

func unordered[T any]() cmp.Option {
	return cmpopts.SortSlices(func(a, b T) bool { return cmpText(a) < cmpText(b) })
}

func cmpText(v any) string {
	switch v := v.(type) {
	case facts.Address:
		return v.Dev + v.Local.String()
	case facts.Route:
		return strings.Join([]string{v.Family, v.Dst.String(), v.From, v.Dev, string(rune(v.Table)), v.Type}, " ")
	case facts.Neighbour:
		return v.Dev + v.Dst.String()
	case facts.FDBEntry:
		return v.MAC + v.Dev + v.Master + v.Dst.String() + strings.Join(v.Flags, ",")
	}
	panic("no text")
}

func TestListenersAgreeWithNetlink(t *testing.T) {
	nettest.NeedTool(t, "python3")
	ns := nettest.Namespace(t)
	// Printed once all listen.
	script := `
import socket, sys, time
keep = []
def listen(family, kind, address, v6only=None, dev=None, backlog=7):
    s = socket.socket(family, kind)
    if v6only is not None: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    if dev: s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, dev.encode())
    s.bind(address)
    if kind == socket.SOCK_STREAM: s.listen(backlog)
    keep.append(s)
listen(socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 80))
listen(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 81), backlog=128)
listen(socket.AF_INET6, socket.SOCK_STREAM, ("::", 82), v6only=0)
listen(socket.AF_INET6, socket.SOCK_STREAM, ("::", 83), v6only=1)
listen(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.53", 53), dev="lo")
listen(socket.AF_INET6, socket.SOCK_DGRAM, ("::1", 54))
listen(socket.AF_INET, socket.SOCK_DGRAM, ("0.0.0.0", 8472))
c = socket.create_connection(("127.0.0.1", 80)); keep.append(c)
print("ready", flush=True)
time.sleep(600)
`
	cmd := exec.Command("python3", "-c", script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	ns.Start(t, cmd)
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	want := collect(t, ns).Listeners.Value
	if len(want) != 7 {
		t.Fatalf("%d listeners: %+v", len(want), want)
	}
	opts := cmp.Options{same, cmpopts.IgnoreFields(facts.Listener{}, "Source"), cmpopts.SortSlices(func(a, b facts.Listener) bool { return a.Port < b.Port })}
	for _, command := range []string{"ss -lntup", "ss -peaonmi", "ss -antup", "ss -Hlntupe"} {
		args := strings.Fields(command)
		got := iproute2.ParseListeners("x", []byte(ns.Run(t, args[0], args[1:]...)))
		whole(t, command, got.Unparsed)
		if diff := cmp.Diff(want, got.Items, opts); diff != "" || !got.TCP || !got.UDP || !got.Listeners {
			t.Errorf("%s, %v %v %v (-netlink +text):\n%s", command, got.TCP, got.UDP, got.Listeners, diff)
		}
	}
	got := iproute2.ParseListeners("x", []byte(ns.Run(t, "ss", "-lntp"))).Items
	tcp := slices.DeleteFunc(slices.Clone(want), func(l facts.Listener) bool { return l.Proto != "tcp" })
	if diff := cmp.Diff(tcp, got, opts); diff != "" {
		t.Errorf("ss -lntp, without a column of protocols (-netlink +text):\n%s", diff)
	}
}
