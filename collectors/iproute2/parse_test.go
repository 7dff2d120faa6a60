package iproute2

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/engine/facts"
)

var same = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}

// What devices of kinds that the tests' kernel lacks look like, and what older versions print.
func TestParseDevicesOfOtherVersions(t *testing.T) {
	id := -1
	for _, test := range []struct {
		name, text string
		want       Devices
	}{
		{
			"3.10, with the columns of its time",
			`2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP mode DEFAULT qlen 1000
    link/ether 52:54:00:aa:bb:cc brd ff:ff:ff:ff:ff:ff promiscuity 0 
    RX: bytes  packets  errors  dropped overrun mcast   
    1000       10       1       2       3       4      
    TX: bytes  packets  errors  dropped carrier collsns 
    2000       20       5       6       7       0      
    RX errors: length   crc     frame   fifo    missed
               0        0       0       8       9      
    TX errors: aborted  fifo   window heartbeat
               0        0       0       0      
`,
			Devices{Detailed: true, ShowsLinks: true, Links: []facts.Link{{
				Source: "x:1", Ifindex: 2, Ifname: "eth0", LinkType: "ether", MTU: 1500, Flags: []string{"BROADCAST", "MULTICAST", "UP", "LOWER_UP"},
				Operstate: "UP", Address: "52:54:00:aa:bb:cc",
				Stats64: &facts.LinkStatistics{
					RxBytes: 1000, RxPackets: 10, RxErrors: 1, RxDropped: 2, RxFIFO: 8, RxMissed: 9, TxBytes: 2000, TxPackets: 20, TxErrors: 5,
					TxDropped: 6, TxCarrier: 7,
				},
			}}},
		},
		{
			"tunnels, bonds and VLANs",
			`3: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000
    link/ipip 0.0.0.0 brd 0.0.0.0 promiscuity 0 
    ipip any remote any local any ttl inherit nopmtudisc addrgenmode eui64 numtxqueues 1 gso_max_size 65536
4: ipip1@eth0: <POINTOPOINT,NOARP,UP,LOWER_UP,M-DOWN> mtu 1480 state UNKNOWN
    link/ipip 10.0.0.1 peer 10.0.0.2 promiscuity 0
    ipip remote 10.0.0.2 local 10.0.0.1 dev eth0 ttl 64 pmtudisc
5: bond0.100@bond0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master br0 state UP
    link/ether 52:54:00:aa:bb:cc brd ff:ff:ff:ff:ff:ff promiscuity 0
    vlan protocol 802.1ad id 100 <REORDER_HDR> 
      ingress-qos-map { 1:2 }
    bridge_slave state forwarding priority 32 cost 100 hairpin off guard off root_block off fastleave off learning on
6: bond0: <BROADCAST,MULTICAST,MASTER,UP,LOWER_UP> mtu 1500 state UP
    link/ether 52:54:00:aa:bb:cc brd ff:ff:ff:ff:ff:ff promiscuity 0
    bond mode active-backup active_slave eth0 miimon 100
7: eth0@if9: <BROADCAST> mtu 1450 state UP
    link/ether 52:54:00:aa:bb:cd brd ff:ff:ff:ff:ff:ff link-netns cni-1 promiscuity 0
    veth
8: wg0: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1420 state UNKNOWN
    link/none  promiscuity 0 
    wireguard numtxqueues 1
`,
			Devices{Detailed: true, ShowsLinks: true, Links: []facts.Link{
				{
					Source: "x:1", Ifindex: 3, Ifname: "tunl0", Kind: "ipip", LinkType: "ipip", MTU: 1480, Flags: []string{"NOARP", "UP", "LOWER_UP"},
					Operstate: "UNKNOWN", Address: "0.0.0.0", GSOMaxSize: 65536,
					Tunnel: &facts.Tunnel{Local: netip.IPv4Unspecified(), Remote: netip.IPv4Unspecified()},
				},
				{
					Source: "x:4", Ifindex: 4, Ifname: "ipip1", Kind: "ipip", LinkType: "ipip", MTU: 1480, Operstate: "UNKNOWN", Address: "10.0.0.1",
					Flags: []string{"POINTOPOINT", "NOARP", "UP", "LOWER_UP", "M-DOWN"}, Link: "eth0", LinkIndex: 7,
					Tunnel: &facts.Tunnel{Local: netip.MustParseAddr("10.0.0.1"), Remote: netip.MustParseAddr("10.0.0.2"), TTL: 64, PMTUDisc: true, Link: "eth0"},
				},
				{
					Source: "x:7", Ifindex: 5, Ifname: "bond0.100", Kind: "vlan", LinkType: "ether", MTU: 1500, Operstate: "UP",
					Address: "52:54:00:aa:bb:cc", Flags: []string{"BROADCAST", "MULTICAST", "UP", "LOWER_UP"}, Master: "br0", Link: "bond0", LinkIndex: 6,
					VLAN: &facts.VLAN{ID: 100, Protocol: "802.1ad"}, BridgePort: &facts.BridgePort{Learning: true},
				},
				{
					Source: "x:12", Ifindex: 6, Ifname: "bond0", Kind: "bond", LinkType: "ether", MTU: 1500, Operstate: "UP",
					Address: "52:54:00:aa:bb:cc", Flags: []string{"BROADCAST", "MULTICAST", "MASTER", "UP", "LOWER_UP"},
					Bond: &facts.Bond{Mode: "active-backup", ActiveSlave: "eth0"},
				},
				{
					Source: "x:15", Ifindex: 7, Ifname: "eth0", Kind: "veth", LinkType: "ether", MTU: 1450, Operstate: "UP", Address: "52:54:00:aa:bb:cd",
					Flags: []string{"BROADCAST"}, LinkIndex: 9, LinkNetnsid: &id,
				},
				{
					Source: "x:18", Ifindex: 8, Ifname: "wg0", Kind: "wireguard", LinkType: "none", MTU: 1420, Operstate: "UNKNOWN",
					Flags: []string{"POINTOPOINT", "NOARP", "UP", "LOWER_UP"}, Tunnel: &facts.Tunnel{},
				},
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, ParseDevices("x", []byte(test.text), nil), same); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseDevicesKeepsWhatItDoesNotUnderstand(t *testing.T) {
	got := ParseDevices("x", []byte("2: eth0: <UP> mtu 1500\n    link/ether 52:54:00:aa:bb:cc\n    INET 1\n    inet 10.0.0.300/24\nbash: ip: command not found\n"), nil)
	if got.Unparsed.Count != 3 || got.Unparsed.First[0].Number != 3 || got.Unparsed.First[2].Text != "bash: ip: command not found" {
		t.Errorf("%+v", got.Unparsed)
	}
}

func TestParseRoutes(t *testing.T) {
	text := `unreachable default dev lo table unspec proto kernel metric 4294967295 error -101
default dev tun0 scope link
10.1/16 via 10.0.0.1 dev eth0
fd00::/64 dev eth0 proto ra metric 100 pref medium
default proto static metric 1024
	nexthop via fe80::1 dev eth0 weight 1 
	nexthop via fe80::2 dev eth1 weight 1 dead linkdown
default nhid 16 via 10.0.0.1 dev eth0 table vrf-red
10.2.0.0/16 encap ip id 1 dst 10.0.0.9 via 10.0.0.1
10.3.0.0/16 dev eth0 fresh
`
	got := ParseRoutes("x", []byte(text), RouteOptions{Tables: TableNames{"vrf-red": 10}})
	var unparsed []int
	for _, line := range got.Unparsed.First {
		unparsed = append(unparsed, line.Number)
	}
	if diff := cmp.Diff([]int{9, 10}, unparsed); diff != "" {
		t.Error(diff)
	}
	zero4, zero6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	want := []facts.Route{
		{Source: "x:1", Type: "unreachable", Dst: zero4, Family: "inet", Dev: "lo", Protocol: "kernel", Scope: "global", Metric: 4294967295},
		{Source: "x:2", Type: "unicast", Dst: zero4, Family: "inet", Dev: "tun0", Protocol: "boot", Scope: "link", Table: 254},
		{Source: "x:3", Type: "unicast", Dst: netip.MustParsePrefix("10.1.0.0/16"), Family: "inet", Via: netip.MustParseAddr("10.0.0.1"), Dev: "eth0", Protocol: "boot", Scope: "global", Table: 254},
		{Source: "x:4", Type: "unicast", Dst: netip.MustParsePrefix("fd00::/64"), Family: "inet6", Dev: "eth0", Protocol: "ra", Scope: "global", Metric: 100, Table: 254},
		{
			Source: "x:5", Type: "unicast", Dst: zero6, Family: "inet6", Protocol: "static", Scope: "global", Metric: 1024, Table: 254,
			Nexthops: []facts.Nexthop{
				{Via: netip.MustParseAddr("fe80::1"), Dev: "eth0", Weight: 1},
				{Via: netip.MustParseAddr("fe80::2"), Dev: "eth1", Weight: 1, Flags: []string{"dead", "linkdown"}},
			},
		},
		{Source: "x:8", Type: "unicast", Dst: zero4, Family: "inet", Via: netip.MustParseAddr("10.0.0.1"), Dev: "eth0", Protocol: "boot", Scope: "global", Table: 10},
	}
	if diff := cmp.Diff(want, got.Items, same); diff != "" {
		t.Error(diff)
	}
}

func TestParseListenersOfOldVersions(t *testing.T) {
	text := `Netid  State      Recv-Q Send-Q     Local Address:Port       Peer Address:Port 
tcp    LISTEN     0      128                    *:22                    *:*      users:(("sshd",1234,3))
tcp    LISTEN     0      128                   :::22                   :::*      users:(("sshd",1234,4))
udp    UNCONN     0      0      fe80::1%eth0:546                :::*
tcp    LISTEN     0      128            127.0.0.1:smtp                  *:*
`
	got := ParseListeners("x", []byte(text))
	want := []facts.Listener{
		{Source: "x:2", Proto: "tcp", Family: "inet", Local: netip.IPv4Unspecified(), Port: 22, SendQ: 128, Process: "sshd", PID: 1234},
		{Source: "x:3", Proto: "tcp", Family: "inet6", Local: netip.IPv6Unspecified(), Port: 22, SendQ: 128, Process: "sshd", PID: 1234, V6Only: true},
		{Source: "x:4", Proto: "udp", Family: "inet6", Local: netip.MustParseAddr("fe80::1"), Port: 546, Dev: "eth0", V6Only: true},
	}
	if diff := cmp.Diff(want, got.Items, same); diff != "" || got.Unparsed.Count != 1 {
		t.Error(got.Unparsed, diff)
	}
}

func TestParseRulesAndNeighbours(t *testing.T) {
	rules := ParseRules("x", []byte("0:\tfrom all lookup local \n5:\tfrom 10.0.0.0/8 iif eth0 [detached] lookup red proto 99\n6:\tfrom all tun_id 5 lookup 7\n1000:\tfrom all lookup [l3mdev-table]\n9:\tfrom all lookup blue\n"), "", TableNames{"red": 10})
	want := []facts.RoutingRule{
		{Source: "x:1", Family: "inet", Action: "lookup", Table: 255, SuppressPrefixlength: -1},
		{Source: "x:2", Family: "inet", Priority: 5, From: "10.0.0.0/8", Iif: "eth0", Action: "lookup", Table: 10, SuppressPrefixlength: -1},
		{Source: "x:4", Family: "inet", Priority: 1000, Action: "l3mdev", SuppressPrefixlength: -1},
	}
	if diff := cmp.Diff(want, rules.Items, same); diff != "" || rules.Unparsed.Count != 2 {
		t.Error(rules.Unparsed, diff)
	}
	neighbours := ParseNeighbours("x", []byte("10.0.0.3 dev eth0  FAILED\n10.0.0.1 dev cni0 lladdr c2:de:d4:88:60:0e  ref 1 used 1/1/1probes 4 REACHABLE \n10.0.0.9 dev eth0 used 9/9/9 probes 6 INCOMPLETE\n? (10.0.0.1) at\n"))
	if diff := cmp.Diff([]facts.Neighbour{
		{Source: "x:1", Dst: netip.MustParseAddr("10.0.0.3"), Dev: "eth0", State: "FAILED"},
		{Source: "x:2", Dst: netip.MustParseAddr("10.0.0.1"), Dev: "cni0", Lladdr: "c2:de:d4:88:60:0e", State: "REACHABLE"},
		{Source: "x:3", Dst: netip.MustParseAddr("10.0.0.9"), Dev: "eth0", State: "INCOMPLETE"},
	}, neighbours.Items, same); diff != "" || neighbours.Unparsed.Count != 1 {
		t.Error(neighbours.Unparsed, diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"2: eth0@if4: <UP> mtu 1500\\    link/ether 52:54:00:aa:bb:cc link-netnsid 0 promiscuity 0\\    vxlan id 1\n    inet 10.0.0.1/24 scope global eth0\n       valid_lft 1sec preferred_lft forever\n",
		"    RX: bytes\n 1\n", "default via 10.0.0.1 dev eth0\n\tnexthop via 10.0.0.3 weight 2\n    cache\n", "0:\tfrom all fwmark 0x1/0x2 lookup local\n",
		"10.0.0.1 dev cni0 lladdr c2:de:d4:88:60:0e used 1/1/1probes 4 REACHABLE\n", "ca:07:07:22:ba:cb dev flannel.1 dst 10.0.0.2 master self permanent\n",
		`tcp LISTEN 0 128 [::1]%lo:22 *:* users:(("sshd",pid=1,fd=3)) v6only:1`, `[{"ifname":"a","flags":["UP"],"addr_info":[{"family":"inet","local":"10.0.0.1"}],"linkinfo":{"info_kind":"ipip"}}]`,
		`[{"dst":"default","gateway":"10.0.0.1","metrics":[{"mtu":1}],"priority":1,"src":"all","table":"main"`, "cli (id: 1)\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := 1
		for _, c := range text {
			if c == '\n' || c == '\\' {
				lines++
			}
		}
		d := ParseDevices("x", text, nil)
		r := ParseRoutes("x", text, RouteOptions{})
		s := ParseListeners("x", text)
		if !isJSON(text) && (len(d.Links) > lines || len(d.Addresses) > lines || len(r.Items) > lines || len(s.Items) > lines) {
			t.Fatal("more facts than lines")
		}
		for _, route := range r.Items {
			if !route.Dst.IsValid() {
				t.Fatalf("a route to nowhere: %+v", route)
			}
		}
		ParseRules("x", text, "", nil)
		ParseNeighbours("x", text)
		ParseFDB("x", text)
		ParseNetns(text)
		ParseTableNames(text)
	})
}
