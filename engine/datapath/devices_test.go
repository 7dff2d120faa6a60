package datapath_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// inner is a device of each node of a pair that has 10.244.OWN.1, and a route by it to the other's.
func inner(l facts.Link, onlink bool) func(n *facts.NetNS, own, other int) {
	return func(n *facts.NetNS, own, other int) {
		l := l
		l.Ifindex, l.Flags, l.MTU = 9, append([]string{"UP", "LOWER_UP"}, l.Flags...), 1420
		if l.LinkType == "ether" {
			l.Address = fmt.Sprintf("02:00:00:00:09:0%d", own)
		}
		n.Links.Value = append(n.Links.Value, l)
		a := netip.MustParseAddr(fmt.Sprintf("10.244.%d.1", own))
		n.Addresses.Value = append(n.Addresses.Value, facts.Address{Dev: l.Ifname, Family: "inet", Local: a, Prefixlen: 32, Scope: "global"})
		local := route("local", a.String()+"/32", l.Ifname)
		local.Table, local.Scope = facts.TableLocal, "host"
		out := route("unicast", fmt.Sprintf("10.244.%d.0/24", other), l.Ifname)
		if onlink {
			out.Scope = "link"
		}
		n.Routes.Value = append(n.Routes.Value, local, out)
		n.Listeners.Value = []facts.Listener{{Proto: "tcp", Local: netip.IPv4Unspecified(), Port: 80}}
		for _, name := range []string{"rp_filter", "accept_local", "send_redirects", "route_localnet", "proxy_arp"} {
			n.Sysctls.Value["net.ipv4.conf."+l.Ifname+"."+name] = facts.Sysctl{Value: "0"}
		}
	}
}

// last is the device that inner added, for an edit of it.
func last(n *facts.NetNS) *facts.Link { return &n.Links.Value[len(n.Links.Value)-1] }

func both(edits ...func(n *facts.NetNS, own, other int)) *facts.Snapshot {
	return pair(func(n *facts.NetNS, own, other int) {
		for _, edit := range edits {
			edit(n, own, other)
		}
	})
}

// on is an edit of one of the two nodes.
func on(node int, edit func(n *facts.NetNS)) func(n *facts.NetNS, own, other int) {
	return func(n *facts.NetNS, own, _ int) {
		if own == node {
			edit(n)
		}
	}
}

// TestDevices are devices that the kernel of the tests lacks: what the facts say of them, by what the kernel's source does.
func TestDevices(t *testing.T) {
	wireguard := inner(facts.Link{Source: "ip -d link show dev wg0", Ifname: "wg0", Kind: "wireguard", LinkType: "none", Flags: []string{"NOARP"}}, true)
	peers := func(n *facts.NetNS, own, other int) {
		last(n).Tunnel = &facts.Tunnel{}
		last(n).WireGuard = &facts.WireGuard{
			PublicKey: fmt.Sprintf("key%d", own), ListenPort: 51820,
			Peers: []facts.WireGuardPeer{
				{PublicKey: "another", AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}},
				{
					PublicKey: fmt.Sprintf("key%d", other), Endpoint: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(other)}), 51820),
					AllowedIPs: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.244.%d.0/24", other))},
				},
			},
		}
	}
	geneve := inner(facts.Link{
		Source: "ip -d link show dev gnv0", Ifname: "gnv0", Kind: "geneve", LinkType: "ether", Tunnel: &facts.Tunnel{ID: 7, Port: 6081},
	}, true)
	remote := func(n *facts.NetNS, _, other int) {
		last(n).Tunnel = &facts.Tunnel{ID: 7, Port: 6081, Remote: netip.AddrFrom4([4]byte{10, 0, 0, byte(other)})}
	}
	vlan := inner(facts.Link{Source: "ip -d link show dev eth0.5", Ifname: "eth0.5", Kind: "vlan", LinkType: "ether", Link: "eth0", LinkIndex: 2, VLAN: &facts.VLAN{ID: 5}}, true)
	slave := func(flags ...string) func(n *facts.NetNS, own, other int) {
		return func(n *facts.NetNS, own, _ int) {
			n.Links.Value[1].Kind, n.Links.Value[1].Bond = "bond", &facts.Bond{Mode: "active-backup", ActiveSlave: "ens1"}
			n.Links.Value = append(n.Links.Value,
				facts.Link{Ifindex: 11, Ifname: "ens1", LinkType: "ether", Master: "eth0", Flags: flags, Address: fmt.Sprintf("02:00:00:00:00:0%d", own)},
				facts.Link{Ifindex: 12, Ifname: "ens2", LinkType: "ether", Master: "eth0", Flags: []string{"UP"}, Address: fmt.Sprintf("02:00:00:00:00:0%d", own)})
		}
	}
	listening := func(n *facts.NetNS, _, _ int) {
		n.Listeners.Value = []facts.Listener{{Proto: "tcp", Local: netip.IPv4Unspecified(), Port: 80}}
	}
	for _, x := range []struct {
		name    string
		facts   *facts.Snapshot
		to      string
		verdict datapath.Verdict
		text    string
	}{
		{"wireguard", both(wireguard, peers), "10.244.2.1", datapath.Delivered, ""},
		{"wireguard whose peers were not read", both(wireguard), "10.244.2.1", datapath.Unknown, "the peers of wg0 were not read"},
		{"wireguard: the other's peers were not read", both(wireguard, peers, on(2, func(n *facts.NetNS) { last(n).WireGuard = nil })), "10.244.2.1", datapath.Unknown, "the peers of wg0 were not read"},
		{"wireguard: nobody's allowed IPs", both(wireguard, peers, on(1, func(n *facts.NetNS) { last(n).WireGuard.Peers = nil })), "10.244.2.1", datapath.Rejected, "no peer of wg0 has 10.244.2.1 among its allowed IPs"},
		{"wireguard: the longest prefix's peer has no endpoint", both(wireguard, peers), "10.244.3.1", datapath.Rejected, "no route"},
		{
			"wireguard: no endpoint", both(wireguard, peers, on(1, func(n *facts.NetNS) { last(n).WireGuard.Peers[1].Endpoint = netip.AddrPort{} })), "10.244.2.1",
			datapath.Rejected, "has no endpoint of peer key2",
		},
		{
			"wireguard: the other does not know the sender", both(wireguard, peers, on(2, func(n *facts.NetNS) { last(n).WireGuard.Peers[1].PublicKey = "old" })), "10.244.2.1",
			datapath.Dropped, "no peer with the sender's public key key1",
		},
		{
			"wireguard: the source is not allowed", both(wireguard, peers, on(2, func(n *facts.NetNS) {
				last(n).WireGuard.Peers[1].AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.244.9.0/24")}
			})), "10.244.2.1",
			datapath.Dropped, "does not take 10.244.1.1 from peer key1",
		},
		{
			"wireguard: another port", both(wireguard, peers, on(2, func(n *facts.NetNS) { last(n).WireGuard.ListenPort = 51999 })), "10.244.2.1",
			datapath.Dropped, "no WireGuard device listens on port 51820",
		},
		{"geneve", both(geneve, remote), "10.244.2.1", datapath.Delivered, ""},
		{"geneve of a program", both(geneve, on(1, func(n *facts.NetNS) { last(n).Tunnel = &facts.Tunnel{External: true, Port: 6081} })), "10.244.2.1", datapath.Unknown, "program"},
		{"geneve: another VNI", both(geneve, remote, on(2, func(n *facts.NetNS) { last(n).Tunnel.ID = 8 })), "10.244.2.1", datapath.Dropped, "no Geneve device of VNI 7"},
		{"geneve: the other end is another's", both(geneve, remote, on(2, func(n *facts.NetNS) { last(n).Tunnel.Remote = netip.MustParseAddr("10.0.0.9") })), "10.244.2.1", datapath.Dropped, "from 10.0.0.1"},
		{"vlan", both(vlan), "10.244.2.1", datapath.Delivered, ""},
		{"vlan: the parent is down", both(vlan, on(1, func(n *facts.NetNS) { n.Links.Value[1].Flags = nil })), "10.244.2.1", datapath.Dropped, "eth0 is down"},
		{"vlan: another one", both(vlan, on(2, func(n *facts.NetNS) { last(n).VLAN = &facts.VLAN{ID: 6} })), "10.244.2.1", datapath.Unknown, "in VLAN 5, and eth0.5 is of VLAN 6"},
		{"bond", both(slave("UP"), listening), "10.0.0.2", datapath.Delivered, ""},
		{"bond: the active slave has no carrier", both(slave("UP", "NO-CARRIER"), listening), "10.0.0.2", datapath.Dropped, "ens1, the active slave of eth0, is down"},
		{
			"bond: it balances", both(slave("UP", "NO-CARRIER"), listening, func(n *facts.NetNS, _, _ int) { n.Links.Value[1].Bond = &facts.Bond{Mode: "802.3ad"} }), "10.0.0.2",
			datapath.Delivered, "",
		},
		{
			"bond: no slave", both(slave(), listening, func(n *facts.NetNS, _, _ int) { n.Links.Value = n.Links.Value[:len(n.Links.Value)-1] }), "10.0.0.2",
			datapath.Dropped, "no slave that is up",
		},
		{"team", both(slave("UP"), listening, func(n *facts.NetNS, _, _ int) { n.Links.Value[1].Kind, n.Links.Value[1].Bond = "team", nil }), "10.0.0.2", datapath.Delivered, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := datapath.New(x.facts).Trace(datapath.Sender{Node: "n1"}, packet("", x.to, 80))
			step := got.Branches[0].Cause()
			if got.Verdict != x.verdict || x.text != "" && !strings.Contains(step.Text, x.text) {
				t.Errorf("%s %q\n%s", got.Verdict, step.Text, show(got.Branches, ""))
			}
		})
	}
}

// TestIPVLAN are Pods on ipvlan devices of the node's eth0: the kernel of the tests has none.
func TestIPVLAN(t *testing.T) {
	snapshot := func(mode, flag string) *facts.Snapshot {
		s := both(func(n *facts.NetNS, _, _ int) {
			n.Listeners.Value = []facts.Listener{{Proto: "tcp", Local: netip.IPv4Unspecified(), Port: 80}}
		})
		for i, a := range []string{"10.0.0.21", "10.0.0.22"} {
			n := host(func(n *facts.NetNS) {
				n.Links.Value = append(n.Links.Value[:1], facts.Link{
					Ifindex: 2, Ifname: "eth0", Kind: "ipvlan", LinkType: "ether", MTU: 1500, Flags: []string{"UP", "LOWER_UP"}, Address: "02:00:00:00:00:01", LinkIndex: 2,
					LinkNetnsid: new(int), IPVLAN: &facts.IPVLAN{Mode: mode, Flag: flag},
				})
				if mode != "l2" {
					n.Links.Value[1].Flags = append(n.Links.Value[1].Flags, "NOARP")
				}
				n.Addresses.Value = []facts.Address{{Dev: "eth0", Family: "inet", Local: netip.MustParseAddr(a), Prefixlen: 24, Scope: "global"}}
				local := route("local", a+"/32", "eth0")
				local.Table, local.Scope = facts.TableLocal, "host"
				n.Routes.Value = []facts.Route{local, route("unicast", "10.0.0.0/24", "eth0")}
				n.Listeners.Value = []facts.Listener{{Proto: "tcp", Local: netip.IPv4Unspecified(), Port: 80}}
			})
			s.Nodes[0].Namespaces = append(s.Nodes[0].Namespaces, &facts.Namespace{ID: fmt.Sprintf("pod%d", i+1), NetNS: n})
		}
		return s
	}
	for _, x := range []struct {
		mode, flag, to string
		verdict        datapath.Verdict
		text           string
	}{
		{"l2", "bridge", "10.0.0.22", datapath.Delivered, ""},
		{"l2", "private", "10.0.0.22", datapath.Dropped, "keeps them apart"},
		{"l2", "vepa", "10.0.0.22", datapath.Unknown, "whether the switch sends it back"},
		{"l2", "bridge", "10.0.0.1", datapath.Dropped, "a parent and its ipvlans do not reach each other"},
		{"l2", "bridge", "10.0.0.2", datapath.Delivered, ""},
		{"l3", "bridge", "10.0.0.22", datapath.Delivered, ""},
		{"l3s", "bridge", "10.0.0.1", datapath.Dropped, "a parent and its ipvlans"}, // the answer
		{"l3", "private", "10.0.0.22", datapath.Unknown, "is not followed"},
	} {
		t.Run(x.mode+" "+x.flag+" "+x.to, func(t *testing.T) {
			got := datapath.New(snapshot(x.mode, x.flag)).Trace(datapath.Sender{Node: "n1", Namespace: "pod1"}, packet("", x.to, 80))
			step := got.Branches[0].Cause()
			if got.Verdict != x.verdict || x.text != "" && !strings.Contains(step.Text, x.text) {
				t.Errorf("%s %q\n%s", got.Verdict, step.Text, show(got.Branches, ""))
			}
		})
	}
}

// TestMacvlan makes Pods on macvlan devices and real connections between them, their node and another node.
func TestMacvlan(t *testing.T) {
	c := &cluster{t: t}
	fabric := newKernelNS(t, "f")
	fabric.run("ip link add br0 type bridge\nip link set br0 up")
	node := [2]*kernelNS{newKernelNS(t, "n1"), newKernelNS(t, "n2")}
	for i, n := range node {
		veth(n, "eth0", fabric, fmt.Sprintf("up%d", i+1))
		fabric.run(fmt.Sprintf("ip link set up%d master br0", i+1))
		n.run(fmt.Sprintf("ip address add 192.168.50.%d/24 dev eth0", i+1))
		c.listen(n, "0.0.0.0:8080")
	}
	pods := map[string]*kernelNS{}
	add := func(name string, n *kernelNS, mode string, last int) {
		p := newKernelNS(t, name)
		if _, err := n.try("", "ip link add mv"+name+" link eth0 type macvlan mode "+mode); err != nil {
			t.Skipf("needs kernel module macvlan: %v", err)
		}
		n.run("ip link set mv" + name + " netns " + p.name + " name eth0")
		p.run(fmt.Sprintf("ip link set eth0 up\nip address add 192.168.50.%d/24 dev eth0", last))
		c.listen(p, "0.0.0.0:8080")
		pods[name] = p
	}
	add("a", node[0], "bridge", 11)
	add("b", node[0], "bridge", 12)
	add("v", node[0], "private", 13)
	add("far", node[1], "bridge", 21)
	snapshot := func() *facts.Snapshot {
		s := &facts.Snapshot{}
		for i, n := range node {
			s.Nodes = append(s.Nodes, &facts.Node{Name: fmt.Sprintf("n%d", i+1), NetNS: n.collectAll()})
		}
		for _, name := range []string{"a", "b", "v"} {
			s.Nodes[0].Namespaces = append(s.Nodes[0].Namespaces, &facts.Namespace{ID: name, NetNS: pods[name].collectAll()})
		}
		s.Nodes[1].Namespaces = append(s.Nodes[1].Namespaces, &facts.Namespace{ID: "far", NetNS: pods["far"].collectAll()})
		return s
	}
	for _, x := range []struct {
		from, to string
		verdict  datapath.Verdict
	}{
		{"a", "192.168.50.12:8080", datapath.Delivered},
		{"a", "192.168.50.1:8080", datapath.Dropped},  // its own node
		{"a", "192.168.50.13:8080", datapath.Dropped}, // a private one
		{"v", "192.168.50.11:8080", datapath.Dropped},
		{"a", "192.168.50.2:8080", datapath.Delivered},
		{"a", "192.168.50.21:8080", datapath.Delivered},
		{"v", "192.168.50.21:8080", datapath.Delivered},
		{"far", "192.168.50.13:8080", datapath.Delivered},
		{"n1", "192.168.50.11:8080", datapath.Dropped},
		{"n1", "192.168.50.21:8080", datapath.Delivered},
		{"n2", "192.168.50.12:8080", datapath.Delivered},
	} {
		t.Run(x.from+" to "+x.to, func(t *testing.T) {
			from, ns := datapath.Sender{Node: "n1", Namespace: x.from}, pods[x.from]
			switch x.from {
			case "n1":
				from, ns = datapath.Sender{Node: "n1"}, node[0]
			case "n2":
				from, ns = datapath.Sender{Node: "n2"}, node[1]
			case "far":
				from.Node = "n2"
			}
			really := c.connect(ns, x.to)
			ns.run("ip neighbour flush all") // the model is to find it without the failed entry
			got := datapath.New(snapshot()).Trace(from, tcpTo(x.to))
			if got.Verdict != x.verdict || (got.Verdict == datapath.Delivered) != (really == "delivered") {
				t.Errorf("%s, really %s\n%s", got.Verdict, really, show(got.Branches, ""))
			}
		})
	}
}

// TestVLANByVeth are two namespaces of one node, each with a VLAN device on its end of a veth pair.
func TestVLANByVeth(t *testing.T) {
	for _, x := range []struct {
		name    string
		id      int
		verdict datapath.Verdict
		text    string
	}{
		{"the same VLAN", 5, datapath.Delivered, ""},
		{"another VLAN", 6, datapath.Dropped, "has no device of VLAN 5"},
	} {
		t.Run(x.name, func(t *testing.T) {
			end := func(own, other, id int) facts.NetNS {
				return host(func(n *facts.NetNS) {
					n.Links.Value = n.Links.Value[:1]
					n.Addresses.Value, n.Routes.Value = nil, nil
					inner(facts.Link{Ifname: "eth0.5", Kind: "vlan", LinkType: "ether", Link: "eth0", LinkIndex: 2, VLAN: &facts.VLAN{ID: id}}, true)(n, own, other)
					n.Links.Value = append(n.Links.Value, facts.Link{
						Ifindex: 20 + own, Ifname: "eth0", Kind: "veth", LinkType: "ether", MTU: 1500, Flags: []string{"UP"}, LinkIndex: 20 + other, LinkNetnsid: new(int),
					})
				})
			}
			s := &facts.Snapshot{Nodes: []*facts.Node{{Name: "n1", NetNS: end(1, 2, 5), Namespaces: []*facts.Namespace{{ID: "pod", NetNS: end(2, 1, x.id)}}}}}
			got := datapath.New(s).Trace(datapath.Sender{Node: "n1"}, packet("", "10.244.2.1", 80))
			step := got.Branches[0].Cause()
			if got.Verdict != x.verdict || !strings.Contains(step.Text, x.text) {
				t.Errorf("%s %q\n%s", got.Verdict, step.Text, show(got.Branches, ""))
			}
		})
	}
}
