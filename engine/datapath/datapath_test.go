package datapath_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// host are the facts of a small router: eth0 10.0.0.1/24, eth1 10.1.0.1/24, forwarding, no filter, all read.
func host(edit ...func(*facts.NetNS)) facts.NetNS {
	sysctls := map[string]facts.Sysctl{"net.ipv4.ip_forward": {Value: "1", Source: "sysctl net.ipv4.ip_forward"}}
	n := facts.NetNS{
		Neighbours: facts.ReadGroup([]facts.Neighbour{}), FDB: facts.ReadGroup([]facts.FDBEntry{}),
		Listeners: facts.ReadGroup([]facts.Listener{}), IPTablesNFT: facts.ReadGroup(facts.Listing{}),
		IPTablesLegacy: facts.ReadGroup(facts.Listing{}), NFTables: facts.ReadGroup(facts.Listing{}),
		IPSet: facts.ReadGroup(facts.Listing{}), IPVS: facts.ReadGroup(facts.Listing{}),
		Rules: facts.ReadGroup([]facts.RoutingRule{
			rule(0, facts.TableLocal), rule(32766, facts.TableMain), rule(32767, facts.TableDefault),
		}),
	}
	links := []facts.Link{{Ifindex: 1, Ifname: "lo", LinkType: "loopback", MTU: 65536, Flags: []string{"UP"}}}
	var addresses []facts.Address
	var routes []facts.Route
	for i := range 2 {
		dev, a := fmt.Sprintf("eth%d", i), fmt.Sprintf("10.%d.0.1", i)
		links = append(links, facts.Link{Ifindex: i + 2, Ifname: dev, LinkType: "ether", MTU: 1500, Flags: []string{"UP", "LOWER_UP"}})
		addresses = append(addresses, facts.Address{Dev: dev, Family: "inet", Local: netip.MustParseAddr(a), Prefixlen: 24, Scope: "global"})
		local := route("local", a+"/32", dev)
		local.Table, local.Scope = facts.TableLocal, "host"
		net := route("unicast", fmt.Sprintf("10.%d.0.0/24", i), dev)
		net.Scope = "link"
		routes = append(routes, local, net)
	}
	for _, dev := range []string{"all", "eth0", "eth1"} {
		for name, value := range map[string]string{
			"rp_filter": "0", "accept_local": "0", "route_localnet": "0", "send_redirects": "1", "src_valid_mark": "0", "forwarding": "1", "proxy_arp": "0",
		} {
			key := "net.ipv4.conf." + dev + "." + name
			sysctls[key] = facts.Sysctl{Value: value, Source: facts.Source("sysctl " + key)}
		}
	}
	n.Links, n.Addresses, n.Routes, n.Sysctls = facts.ReadGroup(links), facts.ReadGroup(addresses), facts.ReadGroup(routes), facts.ReadGroup(sysctls)
	for _, f := range edit {
		f(&n)
	}
	return n
}

func rule(priority, table int) facts.RoutingRule {
	return facts.RoutingRule{
		Source: "ip rule show", Family: "inet", Priority: priority, Action: "lookup", Table: table, SuppressPrefixlength: -1,
	}
}

func route(kind, dst, dev string) facts.Route {
	return facts.Route{
		Source: "ip route show", Type: kind, Dst: netip.MustParsePrefix(dst), Dev: dev, Family: "inet", Table: facts.TableMain,
		Protocol: "kernel",
	}
}

func via(dst, gateway, dev string) facts.Route {
	r := route("unicast", dst, dev)
	r.Via = netip.MustParseAddr(gateway)
	return r
}

func addRoutes(routes ...facts.Route) func(*facts.NetNS) {
	return func(n *facts.NetNS) { n.Routes.Value = append(n.Routes.Value, routes...) }
}

func addRules(rules ...facts.RoutingRule) func(*facts.NetNS) {
	return func(n *facts.NetNS) { n.Rules.Value = append(n.Rules.Value, rules...) }
}

func sysctl(key, value string) func(*facts.NetNS) {
	return func(n *facts.NetNS) {
		n.Sysctls.Value[key] = facts.Sysctl{Value: value, Source: facts.Source("sysctl " + key)}
	}
}

func TestRouteInput(t *testing.T) {
	in := func(src, dst string) datapath.Flow {
		return datapath.Flow{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Iif: "eth0", Proto: "udp", Sport: 4000, Dport: 53}
	}
	marked := in("10.0.0.2", "10.9.0.1")
	marked.Mark = 0x201
	tos := in("10.0.0.2", "10.9.0.1")
	tos.TOS = 0x10
	table100 := via("10.9.0.0/16", "10.1.0.2", "eth1")
	table100.Table = 100
	tosRoute := via("10.9.0.0/16", "10.1.0.9", "eth1")
	tosRoute.TOS = 0x10
	multipath := route("unicast", "10.9.0.0/16", "")
	multipath.Nexthops = []facts.Nexthop{
		{Via: netip.MustParseAddr("10.1.0.2"), Dev: "eth1", Weight: 3},
		{Via: netip.MustParseAddr("10.0.0.9"), Dev: "eth0", Weight: 1},
		{Via: netip.MustParseAddr("10.0.0.10"), Dev: "eth0", Weight: 1, Flags: []string{"dead"}},
	}
	unresolved := route("unicast", "10.9.0.0/16", "")
	selective := rule(100, 100)
	selective.Fwmark, selective.Fwmask = 0x200, 0xf00
	suppress := rule(100, facts.TableMain)
	suppress.SuppressPrefixlength = 16
	uid := rule(100, 100)
	uid.UIDs = "1000-2000"
	fromTen := rule(100, 100)
	fromTen.From = "10.0.0.0/8"
	back100 := via("10.4.0.0/16", "10.0.0.2", "eth0")
	back100.Table = 100
	broadcast := route("broadcast", "10.1.0.255/32", "eth1")
	broadcast.Table = facts.TableLocal
	for _, x := range []struct {
		name string
		host facts.NetNS
		flow datapath.Flow
		want string
	}{
		{"connected", host(), in("10.0.0.2", "10.1.0.2"), "forward eth1 1"},
		{"own address", host(), in("10.0.0.2", "10.1.0.1"), "local"},
		{"no route", host(), in("10.0.0.2", "10.9.0.1"), "reject icmp-net-unreachable"},
		{"no route and no forwarding", host(sysctl("net.ipv4.conf.eth0.forwarding", "0")), in("10.0.0.2", "10.9.0.1"), "drop"},
		{"no forwarding", host(sysctl("net.ipv4.conf.eth0.forwarding", "0")), in("10.0.0.2", "10.1.0.2"), "drop"},
		{"blackhole", host(addRoutes(route("blackhole", "10.1.0.2/32", ""))), in("10.0.0.2", "10.1.0.2"), "drop"},
		{"unreachable", host(addRoutes(route("unreachable", "10.1.0.2/32", ""))), in("10.0.0.2", "10.1.0.2"), "reject icmp-host-unreachable"},
		{"prohibit", host(addRoutes(route("prohibit", "10.1.0.2/32", ""))), in("10.0.0.2", "10.1.0.2"), "reject icmp-admin-prohibited"},
		{"mark", host(addRoutes(table100), addRules(selective)), marked, "forward eth1 1"},
		{"no mark", host(addRoutes(table100), addRules(selective)), in("10.0.0.2", "10.9.0.1"), "reject icmp-net-unreachable"},
		{"suppressed", host(addRoutes(via("10.9.0.0/16", "10.1.0.2", "eth1")), addRules(suppress)), in("10.0.0.2", "10.9.0.1"), "forward eth1 1"},
		{"uid of a forwarded packet is 0", host(addRoutes(table100), addRules(uid)), in("10.0.0.2", "10.9.0.1"), "reject icmp-net-unreachable"},
		{"route of a TOS", host(addRoutes(tosRoute)), tos, "forward eth1 1"},
		{"route of another TOS", host(addRoutes(tosRoute)), in("10.0.0.2", "10.9.0.1"), "reject icmp-net-unreachable"},
		{"multipath without the dead", host(addRoutes(multipath)), in("10.0.0.2", "10.9.0.1"), "forward eth1 0.75, forward eth0 0.25"},
		{"nexthop object", host(addRoutes(unresolved)), in("10.0.0.2", "10.9.0.1"), "unknown"},
		{"strict rp_filter", host(sysctl("net.ipv4.conf.all.rp_filter", "1")), in("10.1.0.7", "10.1.0.1"), "drop"},
		{"loose rp_filter", host(sysctl("net.ipv4.conf.eth0.rp_filter", "2")), in("10.1.0.7", "10.1.0.1"), "local"},
		{"loose rp_filter and no route back", host(sysctl("net.ipv4.conf.eth0.rp_filter", "2")), in("10.8.0.7", "10.1.0.1"), "drop"},
		{"rp_filter not read, and the way back is the same", host(func(n *facts.NetNS) { delete(n.Sysctls.Value, "net.ipv4.conf.all.rp_filter") }), in("10.0.0.2", "10.1.0.1"), "local"},
		{"rp_filter not read", host(func(n *facts.NetNS) { delete(n.Sysctls.Value, "net.ipv4.conf.all.rp_filter") }), in("10.8.0.2", "10.1.0.1"), "unknown"},
		{"rule for the way back", host(addRoutes(back100), addRules(fromTen), sysctl("net.ipv4.conf.eth0.rp_filter", "1")), in("10.4.0.0", "10.1.0.1"), "local"},
		{
			"the way back of a broadcast has no source", // and so a rule with a source does not take it
			host(addRoutes(back100, broadcast), addRules(fromTen), sysctl("net.ipv4.conf.eth0.rp_filter", "1")), in("10.4.0.0", "10.1.0.255"), "drop",
		},
		{"broadcast without a source", host(sysctl("net.ipv4.conf.eth0.rp_filter", "1")), in("0.0.0.0", "255.255.255.255"), "local"},
		{"no source otherwise", host(), in("0.0.0.0", "10.1.0.1"), "drop"},
		{
			"broadcasts forwarded", host(addRoutes(broadcast), sysctl("net.ipv4.conf.all.bc_forwarding", "1"), sysctl("net.ipv4.conf.eth0.bc_forwarding", "1")),
			in("10.0.0.2", "10.1.0.255"), "unknown",
		},
		{"own source", host(), in("10.1.0.1", "10.0.0.1"), "drop"},
		{"own source accepted", host(sysctl("net.ipv4.conf.eth0.accept_local", "1")), in("10.1.0.1", "10.0.0.1"), "local"},
		{"loopback source", host(), in("127.0.0.1", "10.0.0.1"), "drop"},
		{"loopback destination", host(), in("10.0.0.2", "127.0.0.1"), "drop"},
		{"routes not read", host(func(n *facts.NetNS) { n.Routes.Status = facts.Denied }), in("10.0.0.2", "10.1.0.2"), "unknown"},
		{"rules not read", host(func(n *facts.NetNS) { n.Rules.Status = facts.Absent }), in("10.0.0.2", "10.1.0.2"), "unknown"},
	} {
		t.Run(x.name, func(t *testing.T) {
			var got []string
			for _, d := range datapath.NewNamespace("n1", "", &x.host).RouteInput(x.flow) {
				text := d.Action
				if d.Action == "forward" {
					text = fmt.Sprintf("forward %s %g", d.Way.Dev, d.Probability)
				}
				if d.ICMP != "" {
					text += " " + d.ICMP
				}
				if d.Action == "unknown" && d.Missing == nil && x.name != "broadcasts forwarded" {
					t.Error("unknown, and nothing is missing")
				}
				if d.Text == "" {
					t.Error("no text")
				}
				got = append(got, text)
			}
			if s := strings.Join(got, ", "); s != x.want {
				t.Errorf("%s, want %s", s, x.want)
			}
		})
	}
}

// TestRoute6 is what packets of IPv6 that were sent for it found.
func TestRoute6(t *testing.T) {
	six := func(dst, dev string, table int) facts.Route {
		r := route("unicast", dst, dev)
		r.Family, r.Table = "inet6", table
		return r
	}
	fromFD := rule(100, 100)
	fromFD.Family, fromFD.From = "inet6", "fd00::/8"
	h := host(addRoutes(six("fd01::/64", "eth1", facts.TableMain), six("fd00::/64", "eth0", facts.TableMain), six("fd09::/64", "eth1", 100)), addRules(fromFD),
		sysctl("net.ipv6.conf.all.forwarding", "1"), func(n *facts.NetNS) {
			for _, r := range []facts.RoutingRule{rule(0, facts.TableLocal), rule(32766, facts.TableMain)} {
				r.Family = "inet6"
				n.Rules.Value = append(n.Rules.Value, r)
			}
			n.Addresses.Value = append(n.Addresses.Value, facts.Address{Dev: "eth0", Family: "inet6", Local: netip.MustParseAddr("fd00::1"), Prefixlen: 64, Scope: "global"})
		})
	n := datapath.NewNamespace("n1", "", &h)
	for _, x := range []struct{ src, dst, want string }{
		{"fe80::77", "fd01::2", "reject icmp6-beyond-scope"},
		{"fe80::77", "fd00::2", "forward "}, // back by the device that it came in by
		{"::", "fd01::2", "drop "},
		{"fd00::2", "fd01::2", "forward "},
	} {
		d := n.RouteInput(datapath.Flow{Src: netip.MustParseAddr(x.src), Dst: netip.MustParseAddr(x.dst), Iif: "eth0"})[0]
		if got := d.Action + " " + d.ICMP; got != x.want {
			t.Errorf("%s to %s: %s, want %s", x.src, x.dst, got, x.want)
		}
	}
	// A rule with a source takes what has none yet only where there is no other way.
	f := datapath.Flow{Dst: netip.MustParseAddr("fd09::2")}
	if d, _ := n.RouteOutput(f); d[0].Action != "reject" {
		t.Errorf("lookup: %s", d[0].Text)
	}
	if d, src := n.SocketOutput(f); d[0].Action != "forward" || d[0].Way.Dev != "eth1" || src[0].String() != "fd00::1" {
		t.Errorf("socket: %s from %s", d[0].Text, src[0])
	}
}

// TestDefaultsRotate is what the differential test found: of several default routes, for different TOS, the kernel does not
// keep to the first.
func TestDefaultsRotate(t *testing.T) {
	first := via("0.0.0.0/0", "10.0.0.2", "eth0")
	first.TOS = 0x10
	multipath := route("unicast", "0.0.0.0/0", "")
	multipath.Nexthops = []facts.Nexthop{{Via: netip.MustParseAddr("10.1.0.2"), Dev: "eth1", Weight: 1}, {Via: netip.MustParseAddr("10.0.0.9"), Dev: "eth0", Weight: 1}}
	h := host(addRoutes(first, multipath))
	decisions, _ := datapath.NewNamespace("n1", "", &h).RouteOutput(datapath.Flow{Dst: netip.MustParseAddr("8.8.8.8"), TOS: 0x10})
	if len(decisions) != 2 || decisions[0].Way.Dev != "eth0" || decisions[1].Way.Dev != "eth1" {
		t.Errorf("%+v", decisions)
	}
}

func TestTraceLocal(t *testing.T) {
	listener := facts.Listener{Source: "ss -lntu", Proto: "tcp", Family: "inet", Local: netip.MustParseAddr("0.0.0.0"), Port: 80}
	listening := func(n *facts.NetNS) { n.Listeners.Value = append(n.Listeners.Value, listener) }
	filter := func(rules string) func(*facts.NetNS) {
		return func(n *facts.NetNS) {
			n.IPTablesNFT.Raw = []facts.Raw{{Data: []byte("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n" + rules + "COMMIT\n")}}
			n.IPTablesNFT.Sources = []facts.Source{"iptables-nft-save"}
		}
	}
	outside := datapath.Sender{Node: "n1", Dev: "eth0"}
	for _, x := range []struct {
		name    string
		host    facts.NetNS
		from    datapath.Sender
		packet  datapath.Packet
		verdict datapath.Verdict
		stage   datapath.Stage
		text    string
	}{
		{"from outside", host(listening), outside, packet("10.0.0.2", "10.1.0.1", 80), datapath.Delivered, datapath.StageSocket, "a socket listens"},
		{"to itself", host(listening), datapath.Sender{Node: "n1"}, packet("", "10.1.0.1", 80), datapath.Delivered, datapath.StageSocket, "a socket listens"},
		{"closed port", host(), outside, packet("10.0.0.2", "10.1.0.1", 80), datapath.Rejected, datapath.StageSocket, "nobody listens on tcp port 80"},
		{
			"sockets not read", host(func(n *facts.NetNS) { n.Listeners.Status = facts.Absent }), outside, packet("10.0.0.2", "10.1.0.1", 80),
			datapath.Unknown, datapath.StageSocket, "was not read",
		},
		{
			"dropped by INPUT", host(listening, filter("-A INPUT -p tcp --dport 80 -j DROP\n")), outside, packet("10.0.0.2", "10.1.0.1", 80),
			datapath.Dropped, datapath.StageInput, "-j DROP",
		},
		{
			"the answer is dropped", host(listening, filter("-A OUTPUT -p tcp --sport 80 -j DROP\n")), outside, packet("10.0.0.2", "10.1.0.1", 80),
			datapath.Dropped, datapath.StageOutput, "-j DROP",
		},
		{
			"no filter read", host(listening, func(n *facts.NetNS) {
				n.IPTablesNFT.Status, n.IPTablesLegacy.Status, n.NFTables.Status = facts.Absent, facts.Absent, facts.Absent
			}), outside, packet("10.0.0.2", "10.1.0.1", 80),
			datapath.Unknown, datapath.StagePrerouting, "were not read",
		},
		{"forwarded to a stranger", host(), outside, packet("10.0.0.2", "10.1.0.2", 80), datapath.Unknown, datapath.StageLink, "nobody among the facts"},
		{
			"too long", host(func(n *facts.NetNS) { n.Links.Value[2].MTU = 1400 }), outside,
			datapath.Packet{Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.1.0.2"), Proto: "udp", Dport: 80, Length: 1401, DF: true},
			datapath.TooBig, datapath.StageForward, "1401 bytes do not fit the MTU of 1400 on eth1: 10.0.0.1 tells 10.0.0.2 by icmp fragmentation-needed",
		},
		{
			"too long for the route's own MTU", host(func(n *facts.NetNS) { n.Routes.Value[3].MTU = 1300 }), outside,
			datapath.Packet{Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.1.0.2"), Proto: "udp", Dport: 80, Length: 1301, DF: true},
			datapath.TooBig, datapath.StageForward, "MTU of 1300 of route 10.1.0.0/24 dev eth1",
		},
		{
			"long, and may be fragmented", host(func(n *facts.NetNS) { n.Links.Value[2].MTU = 1400 }), outside,
			datapath.Packet{Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.1.0.2"), Proto: "udp", Dport: 80, Length: 1401},
			datapath.Unknown, datapath.StageLink, "nobody among the facts",
		},
		{
			"its own packet is too long", host(func(n *facts.NetNS) { n.Links.Value[2].MTU = 1400 }),
			datapath.Sender{Node: "n1"},
			datapath.Packet{Dst: netip.MustParseAddr("10.1.0.2"), Proto: "udp", Dport: 80, Length: 1401, DF: true},
			datapath.TooBig, datapath.StageOutput, "do not fit the MTU of 1400 on eth1",
		},
		{
			"TTL", host(), outside,
			datapath.Packet{Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.1.0.2"), Proto: "udp", Dport: 80, TTL: 1},
			datapath.Rejected, datapath.StageForward, "time-exceeded",
		},
		{
			"device down", host(func(n *facts.NetNS) { n.Links.Value[2].Flags = nil }), outside, packet("10.0.0.2", "10.1.0.2", 80),
			datapath.Dropped, datapath.StageLink, "eth1 is down",
		},
		{
			"IPVS", host(func(n *facts.NetNS) {
				n.IPVS.Raw = []facts.Raw{{Data: []byte("TCP  10.1.0.1:80 rr\n  -> 10.0.0.1:8080 Masq 1 0 0\n")}}
				n.Listeners.Value = []facts.Listener{{Proto: "tcp", Local: netip.IPv4Unspecified(), Port: 8080}}
			}), outside, packet("10.0.0.2", "10.1.0.1", 80), datapath.Delivered, datapath.StageLink, "leaves n1 by eth0",
		},
		{
			"IPVS without real servers", host(func(n *facts.NetNS) { n.IPVS.Raw = []facts.Raw{{Data: []byte("TCP  10.1.0.1:80 rr\n")}} }),
			outside, packet("10.0.0.2", "10.1.0.1", 80), datapath.Rejected, datapath.StageInput, "no real server",
		},
		{
			"Cilium", host(listening, func(n *facts.NetNS) {
				n.Links.Value = append(n.Links.Value, facts.Link{Ifindex: 8, Ifname: "cilium_host"})
			}),
			outside, packet("10.0.0.2", "10.1.0.1", 80), datapath.Unknown, datapath.StageLink, "Cilium",
		},
		{"no such node", host(), datapath.Sender{Node: "n9"}, packet("", "10.1.0.2", 80), datapath.Unknown, datapath.StageOutput, "no facts of the sender"},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := &facts.Snapshot{Nodes: []*facts.Node{{Name: "n1", NetNS: x.host}}}
			got := datapath.New(s).Trace(x.from, x.packet)
			step := got.Branches[0].Cause()
			if x.name == "IPVS" {
				step = got.Branches[0].Reply[0].Cause()
			}
			if got.Verdict != x.verdict || step.Stage != x.stage || !strings.Contains(step.Text, x.text) {
				t.Errorf("%s at %s %q\n%s", got.Verdict, step.Stage, step.Text, show(got.Branches, ""))
			}
			if _, err := json.Marshal(got); err != nil {
				t.Error(err)
			}
		})
	}
}

func packet(src, dst string, port uint16) datapath.Packet {
	p := datapath.Packet{Dst: netip.MustParseAddr(dst), Proto: "tcp", Dport: port}
	if src != "" {
		p.Src = netip.MustParseAddr(src)
	}
	return p
}

// pair are two nodes on eth0's network, 10.0.0.1 and 10.0.0.2, each edited.
func pair(edit func(n *facts.NetNS, own, other int)) *facts.Snapshot {
	s := &facts.Snapshot{}
	for i := 1; i <= 2; i++ {
		n := host(func(n *facts.NetNS) {
			a := netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", i))
			n.Addresses.Value[0].Local = a
			n.Routes.Value[0].Dst = netip.PrefixFrom(a, 32)
			n.Links.Value[1].Address = fmt.Sprintf("02:00:00:00:00:0%d", i)
			edit(n, i, 3-i)
		})
		s.Nodes = append(s.Nodes, &facts.Node{Name: fmt.Sprintf("n%d", i), NetNS: n})
	}
	return s
}

// TestTunnels are tunnels that need more of a kernel than tests may ask for.
func TestTunnels(t *testing.T) {
	tunnel := func(kind string, remote bool) func(n *facts.NetNS, own, other int) {
		return func(n *facts.NetNS, own, other int) {
			l := facts.Link{
				Ifindex: 9, Ifname: "tun0", Kind: kind, LinkType: kind, MTU: 1480, Flags: []string{"UP", "NOARP", "LOWER_UP"},
				Tunnel: &facts.Tunnel{Local: netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", own))},
			}
			if remote {
				l.Tunnel.Remote = netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", other))
			}
			n.Links.Value = append(n.Links.Value, l)
			a := netip.MustParseAddr(fmt.Sprintf("10.244.%d.1", own))
			n.Addresses.Value = append(n.Addresses.Value, facts.Address{Dev: "tun0", Family: "inet", Local: a, Prefixlen: 32, Scope: "global"})
			local := route("local", a.String()+"/32", "tun0")
			local.Table, local.Scope = facts.TableLocal, "host"
			out := via(fmt.Sprintf("10.244.%d.0/24", other), fmt.Sprintf("10.0.0.%d", other), "tun0")
			out.Flags = []string{"onlink"}
			n.Routes.Value = append(n.Routes.Value, local, out)
			n.Listeners.Value = []facts.Listener{{Proto: "tcp", Local: netip.IPv4Unspecified(), Port: 80}}
		}
	}
	for _, x := range []struct {
		name string
		edit func(n *facts.NetNS, own, other int)
		want datapath.Verdict
	}{
		{"ipip, its remote the nexthop", tunnel("ipip", false), datapath.Delivered},
		{"ipip with a remote", tunnel("ipip", true), datapath.Delivered},
		{"gre", tunnel("gre", true), datapath.Delivered},
		{"wireguard", tunnel("wireguard", true), datapath.Unknown},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := datapath.New(pair(x.edit)).Trace(datapath.Sender{Node: "n1"}, packet("", "10.244.2.1", 80))
			if got.Verdict != x.want {
				t.Errorf("%s\n%s", got.Verdict, show(got.Branches, ""))
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	h := host()
	for i := range 1000 {
		h.Routes.Value = append(h.Routes.Value, via(fmt.Sprintf("10.%d.%d.0/24", 100+i/256, i%256), "10.1.0.2", "eth1"))
	}
	n := datapath.NewNamespace("n1", "", &h)
	f := datapath.Flow{Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.102.7.9"), Iif: "eth0"}
	for b.Loop() {
		if r := n.Lookup(f); r.Type != "unicast" {
			b.Fatal(r)
		}
	}
}

func TestRoutingLoop(t *testing.T) {
	s := pair(func(n *facts.NetNS, _, other int) {
		n.Routes.Value = append(n.Routes.Value, via("10.9.0.0/16", fmt.Sprintf("10.0.0.%d", other), "eth0"))
	})
	got := datapath.New(s).Trace(datapath.Sender{Node: "n1", Dev: "eth1"}, packet("10.1.0.7", "10.9.0.1", 80))
	want := []string{
		"n1: 10.9.0.1 by route 10.9.0.0/16 via 10.0.0.2 dev eth0, table 254, policy rule 32766",
		"n2: 10.9.0.1 by route 10.9.0.0/16 via 10.0.0.1 dev eth0, table 254, policy rule 32766",
	}
	slices.Sort(want)
	step := got.Branches[0].Cause()
	circle := slices.Sorted(slices.Values(step.Circle))
	if got.Verdict != datapath.Looped || !strings.Contains(step.Text, "goes in a circle") || !cmp.Equal(circle, want) {
		t.Errorf("%s %s %q\n%s", got.Verdict, step.Text, step.Circle, show(got.Branches, ""))
	}
	t.Run("a tunnel that is routed into itself", func(t *testing.T) {
		h := host(func(n *facts.NetNS) {
			n.Links.Value = append(n.Links.Value, facts.Link{
				Ifindex: 9, Ifname: "tun0", Kind: "ipip", LinkType: "ipip", MTU: 1480, Flags: []string{"UP", "NOARP", "LOWER_UP"},
				Tunnel: &facts.Tunnel{Local: netip.MustParseAddr("10.0.0.1"), Remote: netip.MustParseAddr("10.9.0.1")},
			})
			n.Routes.Value = append(n.Routes.Value, route("unicast", "10.9.0.0/16", "tun0"))
		})
		got := datapath.New(&facts.Snapshot{Nodes: []*facts.Node{{Name: "n1", NetNS: h}}}).Trace(datapath.Sender{Node: "n1"}, packet("", "10.9.0.7", 80))
		if step := got.Branches[0].Cause(); got.Verdict != datapath.Looped || step.Stage != datapath.StageEncap || len(step.Circle) == 0 {
			t.Errorf("%s\n%s", got.Verdict, show(got.Branches, ""))
		}
	})
}
