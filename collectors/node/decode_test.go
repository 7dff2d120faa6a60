package node

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/engine/facts"
)

var compareAddresses = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// listen opens one listener of each protocol and family in the namespace.
func listen(t *testing.T, ns *nettest.NS) {
	t.Helper()
	ns.Do(t, func() {
		for network, address := range map[string]string{"tcp4": "127.0.0.1:80", "tcp6": "[::1]:80"} {
			l, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}
		for network, address := range map[string]string{"udp4": "127.0.0.1:53", "udp6": "[::1]:53"} {
			l, err := net.ListenPacket(network, address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}
	})
}

// Devices that the kernels of test machines often lack, from what the library makes of them.
func TestLinkKinds(t *testing.T) {
	ip := net.ParseIP
	addr := netip.MustParseAddr
	yes := true
	eth0 := linkMessage{Link: &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 2, Name: "eth0"}}}
	for _, test := range []struct {
		name string
		kind string
		link netlink.Link
		want facts.Link
	}{
		{
			"ipip", "ipip",
			&netlink.Iptun{Local: ip("10.0.0.1").To4(), Remote: ip("0.0.0.0").To4(), Ttl: 64, PMtuDisc: 1, Link: 2},
			facts.Link{Tunnel: &facts.Tunnel{Local: addr("10.0.0.1"), TTL: 64, PMTUDisc: true, Link: "eth0"}},
		},
		{
			"sit", "sit",
			&netlink.Sittun{Local: ip("10.0.0.1").To4(), Remote: ip("10.0.0.2").To4()},
			facts.Link{Tunnel: &facts.Tunnel{Local: addr("10.0.0.1"), Remote: addr("10.0.0.2")}},
		},
		{
			"gre", "gre",
			&netlink.Gretun{Local: ip("10.0.0.1"), Remote: ip("10.0.0.2"), PMtuDisc: 1},
			facts.Link{Tunnel: &facts.Tunnel{Local: addr("10.0.0.1"), Remote: addr("10.0.0.2"), PMTUDisc: true}},
		},
		{
			"gretap", "gretap", &netlink.Gretap{Remote: ip("10.0.0.2"), Ttl: 1},
			facts.Link{Tunnel: &facts.Tunnel{Remote: addr("10.0.0.2"), TTL: 1}},
		},
		{
			"ip6tnl", "ip6tnl", &netlink.Ip6tnl{Local: ip("fd00::1"), Remote: ip("fd00::2"), Ttl: 64},
			facts.Link{Tunnel: &facts.Tunnel{Local: addr("fd00::1"), Remote: addr("fd00::2"), TTL: 64}},
		},
		{
			"geneve", "geneve", &netlink.Geneve{ID: 7, Dport: 6081, Remote: ip("10.0.0.2"), Df: netlink.GENEVE_DF_SET},
			facts.Link{Tunnel: &facts.Tunnel{Remote: addr("10.0.0.2"), PMTUDisc: true, ID: 7, Port: 6081}},
		},
		{
			"geneve of a program", "geneve", &netlink.Geneve{Dport: 6081, FlowBased: true},
			facts.Link{Tunnel: &facts.Tunnel{Port: 6081, External: true}},
		},
		{"macvlan", "macvlan", &netlink.Macvlan{Mode: netlink.MACVLAN_MODE_BRIDGE}, facts.Link{Macvlan: &facts.Macvlan{Mode: "bridge"}}},
		{"macvtap", "macvtap", &netlink.Macvtap{Macvlan: netlink.Macvlan{Mode: netlink.MACVLAN_MODE_VEPA}}, facts.Link{Macvlan: &facts.Macvlan{Mode: "vepa"}}},
		{
			"ipvlan", "ipvlan", &netlink.IPVlan{Mode: netlink.IPVLAN_MODE_L3S, Flag: netlink.IPVLAN_FLAG_PRIVATE},
			facts.Link{IPVLAN: &facts.IPVLAN{Mode: "l3s", Flag: "private"}},
		},
		{"wireguard", "wireguard", &netlink.Wireguard{}, facts.Link{Tunnel: &facts.Tunnel{}}},
		{
			"vlan", "vlan", &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{ParentIndex: 2}, VlanId: 100, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q},
			facts.Link{Link: "eth0", LinkIndex: 2, VLAN: &facts.VLAN{ID: 100, Protocol: "802.1Q"}},
		},
		{
			"qinq", "vlan", &netlink.Vlan{VlanId: 7, VlanProtocol: netlink.VLAN_PROTOCOL_8021AD},
			facts.Link{VLAN: &facts.VLAN{ID: 7, Protocol: "802.1ad"}},
		},
		{"bridge", "bridge", &netlink.Bridge{VlanFiltering: &yes}, facts.Link{Bridge: &facts.Bridge{VLANFiltering: true}}},
		{
			"bond", "bond", &netlink.Bond{Mode: netlink.BOND_MODE_802_3AD, ActiveSlave: 2},
			facts.Link{Bond: &facts.Bond{Mode: "802.3ad", ActiveSlave: "eth0"}},
		},
		{"bond without an active one", "bond", &netlink.Bond{ActiveSlave: -1}, facts.Link{Bond: &facts.Bond{Mode: "balance-rr"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := test.link.Attrs()
			a.Index, a.Name = 7, "dev7"
			m := linkMessage{Link: test.link, kind: test.kind, arphrd: unix.ARPHRD_NONE, hasParent: a.ParentIndex != 0}
			d := newDevices([]linkMessage{eth0, m})
			want := test.want
			want.Source, want.Ifindex, want.Ifname, want.Kind = "ip netns exec pod ip -d link show dev dev7", 7, "dev7", test.kind
			want.LinkType, want.Operstate, want.Flags = "none", "UNKNOWN", []string{}
			if want.Link != "" {
				want.Flags = []string{"M-DOWN"}
			}
			if diff := cmp.Diff(want, d.link(&netns{prefix: "ip netns exec pod "}, m), compareAddresses); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTunnelAddresses(t *testing.T) {
	if got := hardwareAddress(net.HardwareAddr{10, 0, 0, 1}, unix.ARPHRD_TUNNEL); got != "10.0.0.1" {
		t.Errorf("the address of an IPIP device is %q", got)
	}
}

func TestConntrackStat(t *testing.T) {
	const today = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n" +
		"0000002a  00000001 00000002 00000000 0000000a 00000000 00000000 00000003 00000000 00000004 00000005 00000006 00000007  00000000 00000000 00000000 00000008\n" +
		"0000002a  00000001 00000000 00000000 000000ff 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000000  00000000 00000000 00000000 00000000\n"
	got, err := parseConntrackStat([]byte(today))
	want := map[string]uint64{
		"clash_resolve": 2, "found": 2, "invalid": 0x109, "chaintoolong": 3, "insert": 0, "insert_failed": 4, "drop": 6,
		"early_drop": 6, "error": 7, "search_restart": 8,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	// Linux 4.18 of RHEL 8.
	const before = "entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n" +
		"0000002a  00000001 00000002 00000000 0000000a 00000000 00000000 00000003 00000000 00000004 00000005 00000006 00000007  00000000 00000000 00000000 00000008\n"
	got, err = parseConntrackStat([]byte(before))
	if _, ok := got["chaintoolong"]; err != nil || ok || got["drop"] != 5 {
		t.Errorf("of an older kernel: %v, %v", got, err)
	}
	for _, bad := range []string{"", "entries found\n0 x\n", "entries\n1\n"} {
		if got, err := parseConntrackStat([]byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestProcSockets(t *testing.T) {
	const tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:2726 00000000000000000000000000000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 20417 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:C350 0000000000000000FFFF00000100007F:2726 01 00000000:00000000 00:00000000 00000000  1000        0 20418 1 0000000000000000 20 4 30 10 -1
`
	got, err := parseProcSockets(tcp6, 1<<tcpListen)
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if s := got[0]; s.Local != netip.IPv6Unspecified() || s.Port != 10022 || s.RecvQ != 3 || s.inode != 20417 {
		t.Errorf("%+v", s)
	}
	if a, err := parseProcAddress("0100007F:0035"); err != nil || a != netip.MustParseAddrPort("127.0.0.1:53") {
		t.Errorf("%v, %v", a, err)
	}
}

func TestCNIResult(t *testing.T) {
	got, err := parseCNIResult([]byte(`{"kind":"cniCacheV1","containerId":"abc","ifName":"eth0","netns":"/var/run/netns/cni-5",
		"cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE","kube-system"],["K8S_POD_NAME","coredns-x"]]}`))
	if err != nil || got.netns != "/var/run/netns/cni-5" || *got.pod != (facts.PodReference{Namespace: "kube-system", Name: "coredns-x"}) {
		t.Errorf("%+v, %v", got, err)
	}
	// libcni 0.6 kept the result alone.
	if got, err = parseCNIResult([]byte(`{"cniVersion":"0.2.0","ip4":{"ip":"10.244.0.2/24"}}`)); err != nil || got.netns != "" || got.pod != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCgroupPodUID(t *testing.T) {
	const uid = "0e1b9f1c-5d4c-4a53-9a0e-0242ac110002"
	for cgroup, want := range map[string]string{
		"0::/kubepods/burstable/pod" + uid + "/c0ffee\n":                                                                                                         uid,
		"11:memory:/kubepods/pod" + uid + "/c0ffee\n0::/\n":                                                                                                      uid,
		"0::/kubepods.slice/kubepods-pod0e1b9f1c_5d4c_4a53_9a0e_0242ac110002.slice/cri-containerd-c0ffee.scope":                                                  uid,
		"0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod0e1b9f1c_5d4c_4a53_9a0e_0242ac110002.slice/x": uid,
		"0::/../kubepods/burstable/pod3f1c8a4a3a4e0f3f5a8d1c2b3a495867/x":                                                                                        "3f1c8a4a3a4e0f3f5a8d1c2b3a495867",
		"0::/system.slice/kubelet.service\n":                                                                                                                     "",
		"0::/user.slice/podman-0e1b9f1c-5d4c-4a53-9a0e-0242ac110002.scope\n":                                                                                     "",
	} {
		if got := cgroupPodUID(cgroup); got != want {
			t.Errorf("%s: %q, want %q", cgroup, got, want)
		}
	}
}

func TestBuiltinModules(t *testing.T) {
	list := []byte("kernel/net/netfilter/nf_tables.ko\nkernel/net/ipv4/tcp_diag.ko\nkernel/drivers/net/some-thing.ko\n")
	for module, want := range map[string]bool{"nf_tables": true, "tcp_diag": true, "some_thing": true, "tables": false, "udp_diag": false} {
		if got := builtin(list, module); got != want {
			t.Errorf("%s: %v", module, got)
		}
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"cni-0e1b": "cni-0e1b", "a b": "'a b'", "$(reboot)": "'$(reboot)'", "it's": `'it'\''s'`, "": "''", "/proc/7/ns/net": "/proc/7/ns/net",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// fuzzSeeds are messages of the running kernel.
func fuzzSeeds(f *testing.F, collect func(c *conn, add func([]byte)) error) {
	n, err := currentNetns()
	if err != nil {
		f.Fatal(err)
	}
	defer n.close()
	if err := n.do(func() error {
		c, err := dial()
		if err != nil {
			return err
		}
		defer c.close()
		return collect(c, func(msg []byte) { f.Add(append([]byte(nil), msg...)) })
	}); err != nil {
		f.Logf("no seeds: %v", err)
	}
}

func FuzzDecodeRoute(f *testing.F) {
	fuzzSeeds(f, func(c *conn, add func([]byte)) error {
		return c.dump(unix.NETLINK_ROUTE, unix.RTM_GETROUTE, 0, &netlink.Ndmsg{Family: unix.AF_UNSPEC}, func(m []byte) bool { add(m); return true })
	})
	d := devices{}
	f.Fuzz(func(t *testing.T, msg []byte) {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			if r, ok, err := d.decodeRoute(&netns{}, family, msg); ok && (err != nil || !r.Dst.IsValid() || r.Source == "") {
				t.Errorf("%+v, %v", r, err)
			}
		}
	})
}

func FuzzDecodeRule(f *testing.F) {
	fuzzSeeds(f, func(c *conn, add func([]byte)) error {
		return c.dump(unix.NETLINK_ROUTE, unix.RTM_GETRULE, 0, &netlink.Ndmsg{Family: unix.AF_UNSPEC}, func(m []byte) bool { add(m); return true })
	})
	f.Fuzz(func(t *testing.T, msg []byte) {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			if r, ok, err := decodeRule(&netns{}, family, msg); ok && (err != nil || r.Action == "") {
				t.Errorf("%+v, %v", r, err)
			}
		}
	})
}

func FuzzDecodeMessages(f *testing.F) {
	fuzzSeeds(f, func(c *conn, add func([]byte)) error {
		if err := c.add(unix.NETLINK_NETFILTER); err != nil {
			return err
		}
		return c.dump(unix.NETLINK_NETFILTER, subsysCtnetlink<<8|ctMsgGet, 0, &netlink.Ndmsg{}, func(m []byte) bool { add(m); return true })
	})
	f.Add(make([]byte, sizeofInetDiagMsg))
	d := devices{}
	f.Fuzz(func(_ *testing.T, msg []byte) {
		_, _ = decodeConntrack(msg)
		_, _, _ = d.decodeSocket(socketKinds[0], msg)
		_, _, _ = d.decodeSocket(socketKinds[1], msg)
		_, _, _ = decodeLinkinfo(msg)
	})
}

func FuzzParseProcSockets(f *testing.F) {
	for _, path := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/udp6"} {
		if text, err := os.ReadFile(path); err == nil {
			f.Add(string(text[:min(len(text), 4096)]))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		sockets, err := parseProcSockets(text, ^uint32(0))
		for _, s := range sockets {
			if err == nil && (!s.Local.IsValid() || s.Port < 1 || s.Port > 65535) {
				t.Errorf("%+v", s)
			}
		}
	})
}

func FuzzParseConntrackStat(f *testing.F) {
	f.Add([]byte("entries  clashres found\n0000002a  00000001 00000002\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if counters, err := parseConntrackStat(text); err == nil && len(counters) == 0 {
			t.Error("no counters and no error")
		}
	})
}

func FuzzParseCNIResult(f *testing.F) {
	f.Add([]byte(`{"netns":"/var/run/netns/cni-5","cniArgs":[["K8S_POD_NAME","a"]]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := parseCNIResult(text); err == nil && r.pod != nil && r.pod.Name == "" {
			t.Errorf("%+v", r)
		}
	})
}

func FuzzCgroupPodUID(f *testing.F) {
	f.Add("0::/kubepods/burstable/pod0e1b9f1c-5d4c-4a53-9a0e-0242ac110002/c0ffee\n")
	f.Fuzz(func(t *testing.T, text string) {
		if uid := cgroupPodUID(text); uid != "" && len(uid) != 36 && len(uid) != 32 {
			t.Errorf("uid %q", uid)
		}
	})
}
