package node_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/collectors/node"
	"github.com/netcause/netcause/engine/facts"
)

// collect collects the node that a namespace is.
func collect(t *testing.T, ns *nettest.NS) *facts.Node {
	t.Helper()
	var n *facts.Node
	ns.Do(t, func() { n = node.Collect(t.Context(), node.Options{Root: t.TempDir(), Name: ns.Name}) })
	return n
}

// value is a group's value, which must have been read whole.
func value[T any](t *testing.T, name string, g facts.Group[T]) T {
	t.Helper()
	if g.Status != facts.Read || g.Reason != "" {
		t.Fatalf("%s: %v, %q", name, g.Status, g.Reason)
	}
	if len(g.Sources) == 0 {
		t.Errorf("%s has no sources", name)
	}
	return g.Value
}

// runJSON decodes what a command of iproute2 prints.
func runJSON[T any](t *testing.T, ns *nettest.NS, name string, args ...string) []T {
	t.Helper()
	var list []T
	out := ns.Run(t, name, args...)
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return list
}

func setUp(t *testing.T, ns *nettest.NS, commands string) {
	t.Helper()
	for line := range strings.Lines(commands) {
		if args := strings.Fields(line); len(args) > 0 {
			ns.Run(t, args[0], args[1:]...)
		}
	}
}

func TestLinksAgreeWithIproute2(t *testing.T) {
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0", n2, "eth0")
	setUp(t, n1, `
		ip address add 10.0.0.1/24 dev eth0
		ip link property add dev eth0 altname uplink0
		ip link set eth0 mtu 1450 promisc on
		ip link add cbr0 type bridge
		ip link set cbr0 up
		ip link add p1 type veth peer name p1x
		ip link set p1 master cbr0
		ip link set p1 type bridge_slave hairpin on learning off isolated on
		ip link set p1 up
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
		ip tuntap add mode tap name tap0`)
	for _, optional := range []string{
		"ip link add bond0 type bond mode active-backup", "ip link add dummy0 type dummy",
		"ip link set cbr0 type bridge vlan_filtering 1",
		"ip link add link eth0 name eth0.100 type vlan id 100", "ip link add link cbr0 name cbr0.7 type vlan id 7 protocol 802.1ad", "ip link add ipip1 type ipip local 10.0.0.1 remote 10.0.0.2",
	} {
		if _, err := n1.Try(t, "ip", strings.Fields(optional)[1:]...); err != nil {
			t.Logf("not on this kernel: %s", optional)
		}
	}

	before := runJSON[ipLink](t, n1, "ip", "-j", "-d", "-s", "link", "show")
	got := value(t, "links", collect(t, n1).Links)
	after := runJSON[ipLink](t, n1, "ip", "-j", "-d", "-s", "link", "show")

	var want []facts.Link
	for _, l := range after {
		want = append(want, l.fact())
	}
	ignore := cmpopts.IgnoreFields(facts.Link{}, "Source", "Stats64", "CarrierChanges", "LinkIndex")
	if diff := gocmp.Diff(want, got, ignore, addrs); diff != "" {
		t.Errorf("links (-ip +collected):\n%s", diff)
	}
	for i, l := range got {
		if want := facts.Source("ip -d link show dev " + l.Ifname); l.Source != want {
			t.Errorf("source %q, want %q", l.Source, want)
		}
		n1.Run(t, "ip", strings.Fields(string(l.Source))[1:]...)
		for _, c := range []struct {
			name             string
			least, got, most uint64
		}{
			{"rx bytes", before[i].Stats64.Rx.Bytes, l.Stats64.RxBytes, after[i].Stats64.Rx.Bytes},
			{"tx bytes", before[i].Stats64.Tx.Bytes, l.Stats64.TxBytes, after[i].Stats64.Tx.Bytes},
			{"rx packets", before[i].Stats64.Rx.Packets, l.Stats64.RxPackets, after[i].Stats64.Rx.Packets},
			{"tx packets", before[i].Stats64.Tx.Packets, l.Stats64.TxPackets, after[i].Stats64.Tx.Packets},
			{"tx dropped", before[i].Stats64.Tx.Dropped, l.Stats64.TxDropped, after[i].Stats64.Tx.Dropped},
		} {
			if c.got < c.least || c.got > c.most {
				t.Errorf("%s: %s %d, ip says %d to %d", l.Ifname, c.name, c.got, c.least, c.most)
			}
		}
	}
	byName := map[string]facts.Link{}
	for _, l := range got {
		byName[l.Ifname] = l
	}
	for name, index := range map[string]int{
		"eth0":      ifindex(t, n2, "eth0"),
		"p1":        byName["p1x"].Ifindex,
		"flannel.1": byName["eth0"].Ifindex,
	} {
		if byName[name].LinkIndex != index {
			t.Errorf("%s: link_index %d, want %d", name, byName[name].LinkIndex, index)
		}
	}
	if n := byName["eth0"].CarrierChanges; n == 0 {
		t.Error("eth0 came up, and has no carrier changes")
	}
}

func ifindex(t *testing.T, ns *nettest.NS, name string) int {
	return runJSON[ipLink](t, ns, "ip", "-j", "link", "show", "dev", name)[0].Ifindex
}

var addrs = gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })

type ipLink struct {
	Ifindex     int     `json:"ifindex"`
	Ifname      string  `json:"ifname"`
	Link        *string `json:"link"`
	LinkNetnsid *int    `json:"link_netnsid"`
	Flags       []string
	MTU         int
	Master      string
	Operstate   string
	LinkType    string `json:"link_type"`
	Address     string
	GSOMaxSize  int      `json:"gso_max_size"`
	Altnames    []string `json:"altnames"`
	Linkinfo    struct {
		Kind string `json:"info_kind"`
		Data struct {
			ID            int
			Local, Remote netip.Addr
			Local6        netip.Addr
			Remote6       netip.Addr
			Group         netip.Addr
			Link          string
			Port          int
			Learning      bool
			External      bool
			Protocol      string
			VLANFiltering int             `json:"vlan_filtering"`
			TTL           json.RawMessage `json:"ttl"`
			PMTUDisc      bool            `json:"pmtudisc"`
			Mode          string
			ActiveSlave   string `json:"active_slave"`
		} `json:"info_data"`
		SlaveKind string `json:"info_slave_kind"`
		SlaveData struct {
			Hairpin, Learning, Isolated bool
		} `json:"info_slave_data"`
	}
	Stats64 struct {
		Rx, Tx struct{ Bytes, Packets, Dropped uint64 }
	}
}

func (l ipLink) fact() facts.Link {
	d := l.Linkinfo.Data
	f := facts.Link{
		Ifindex: l.Ifindex, Ifname: l.Ifname, Kind: l.Linkinfo.Kind, LinkType: l.LinkType, MTU: l.MTU, Flags: l.Flags,
		Operstate: l.Operstate, Address: l.Address, Altname: l.Altnames, Master: l.Master, LinkNetnsid: l.LinkNetnsid,
		GSOMaxSize: l.GSOMaxSize,
	}
	if l.Link != nil {
		f.Link = *l.Link
	}
	switch f.Kind {
	case "vxlan":
		f.VXLAN = &facts.VXLAN{
			ID: d.ID, Local: cmp.Or(d.Local, d.Local6), Group: cmp.Or(d.Remote, d.Remote6, d.Group), Port: d.Port, Learning: d.Learning,
			Link: d.Link, External: d.External,
		}
		f.Link = cmp.Or(f.Link, d.Link)
	case "vlan":
		f.VLAN = &facts.VLAN{ID: d.ID, Protocol: d.Protocol}
	case "bridge":
		f.Bridge = &facts.Bridge{VLANFiltering: d.VLANFiltering != 0}
	case "bond":
		f.Bond = &facts.Bond{Mode: d.Mode, ActiveSlave: d.ActiveSlave}
	case "ipip", "sit", "gre":
		f.Tunnel = &facts.Tunnel{Local: d.Local, Remote: d.Remote, PMTUDisc: d.PMTUDisc, Link: d.Link}
	}
	if l.Linkinfo.SlaveKind == "bridge" {
		s := l.Linkinfo.SlaveData
		f.BridgePort = &facts.BridgePort{Hairpin: s.Hairpin, Learning: s.Learning, Isolated: s.Isolated}
	}
	return f
}

func TestAddressesAgreeWithIproute2(t *testing.T) {
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0", n2, "eth0")
	setUp(t, n1, `
		ip address add 10.0.0.15/24 brd + dev eth0
		ip address add 10.0.0.228/24 dev eth0 valid_lft 86400 preferred_lft 86400
		ip address add 10.1.0.1/24 dev eth0 noprefixroute label eth0:1
		ip address add 10.2.0.1 peer 10.2.0.2/32 dev eth0
		ip address add 10.3.0.1/32 dev lo scope link
		ip address add fd00::1/64 dev eth0 nodad
		ip address add fd00::2/64 dev eth0 valid_lft 3600 preferred_lft 0
		ip address add fd00::3/64 dev eth0 nodad noprefixroute
		ip address add fd00:1::1 peer fd00:1::2/128 dev eth0 nodad`)
	nettest.WaitFor(t, "duplicate address detection", func() bool {
		return !strings.Contains(n1.Run(t, "ip", "address", "show", "dev", "eth0"), "tentative")
	})
	got := value(t, "addresses", collect(t, n1).Addresses)

	type info map[string]any
	type device struct {
		Ifname string
		Infos  []info `json:"addr_info"`
	}
	var want []facts.Address
	for _, dev := range runJSON[device](t, n1, "ip", "-j", "-d", "address", "show") {
		for _, a := range dev.Infos {
			f := facts.Address{
				Dev: dev.Ifname, Family: text(a["family"]), Local: addr(a["local"]), Prefixlen: integer(a["prefixlen"]),
				Peer: addr(a["address"]), Broadcast: addr(a["broadcast"]), Scope: text(a["scope"]), Label: text(a["label"]),
				Dynamic:       a["dynamic"] == true,
				ValidLifeTime: uint32(integer(a["valid_life_time"])), PreferredLifeTime: uint32(integer(a["preferred_life_time"])),
			}
			for _, flag := range []string{
				"secondary", "temporary", "nodad", "optimistic", "dadfailed", "home", "deprecated", "tentative", "mngtmpaddr",
				"noprefixroute", "autojoin", "stable-privacy",
			} {
				if a[flag] == true {
					f.Flags = append(f.Flags, flag)
				}
			}
			want = append(want, f)
		}
	}
	order := func(a, b facts.Address) int { return cmp.Or(cmp.Compare(a.Dev, b.Dev), a.Local.Compare(b.Local)) }
	slices.SortFunc(want, order)
	slices.SortFunc(got, order)
	lifetime := gocmp.FilterPath(func(p gocmp.Path) bool { return strings.HasSuffix(p.Last().String(), "LifeTime") },
		gocmp.Comparer(func(a, b uint32) bool { return a-b+5 <= 10 })) // seconds go by
	if diff := gocmp.Diff(want, got, cmpopts.IgnoreFields(facts.Address{}, "Source"), addrs, lifetime); diff != "" {
		t.Errorf("addresses (-ip +collected):\n%s", diff)
	}
	leased := got[slices.IndexFunc(got, func(a facts.Address) bool { return a.Local == netip.MustParseAddr("10.0.0.228") })]
	if !leased.Dynamic || leased.ValidLifeTime > 86400 || leased.ValidLifeTime < 86000 || leased.Source != "ip -d address show dev eth0" {
		t.Errorf("the leased address: %+v", leased)
	}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func integer(v any) int {
	switch v := v.(type) {
	case float64:
		return int(v)
	case string:
		n, _ := strconv.ParseInt(v, 0, 64)
		return int(n)
	}
	return 0
}

func addr(v any) netip.Addr {
	a, _ := netip.ParseAddr(text(v))
	return a
}

// texts is a list of words; nil where there are none.
func texts(v any) []string {
	var list []string
	for _, s := range v.([]any) {
		list = append(list, text(s))
	}
	return list
}

func TestRoutesAgreeWithIproute2(t *testing.T) {
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0", n2, "eth0")
	nettest.Veth(t, n1, "eth1", n2, "eth1")
	setUp(t, n1, `
		ip address add 10.0.0.1/24 dev eth0
		ip address add 10.0.1.1/24 dev eth1
		ip address add fd00::1/64 dev eth0 nodad
		ip address add fd00:1::1/64 dev eth1 nodad
		ip link add flannel.1 type vxlan id 1 local 10.0.0.1 dev eth0 dstport 8472 nolearning
		ip link set flannel.1 up
		ip route add default via 10.0.0.254 metric 100 proto dhcp src 10.0.0.1
		ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
		ip route add 10.244.2.0/24 via 10.0.0.2 proto bird
		ip route add blackhole 10.244.0.0/24 proto 80
		ip route add unreachable 10.99.0.0/16 metric 4278198272
		ip route add prohibit 10.98.0.0/16
		ip route add throw 10.97.0.0/16 table 100
		ip route add 10.96.0.0/16 dev eth0 mtu 1400 advmss 1360 table 100
		ip route add 10.95.0.0/16 dev eth0 mtu lock 1300 tos 0x10 table 1000
		ip route add 10.94.0.0/16 nexthop via 10.0.0.3 weight 2 nexthop via 10.0.1.3 dev eth1 onlink
		ip route add 10.93.0.0/16 via inet6 fd00::9 dev eth0
		ip route add local 10.92.0.0/16 dev lo table 100
		ip route add 10.91.0.1/32 dev eth1 scope link
		ip -6 route add default via fd00::fe metric 7
		ip -6 route add fd10::/64 from fd11::/64 via fd00::2
		ip -6 route add fd12::/64 nexthop via fd00::2 nexthop via fd00:1::2 weight 3
		ip -6 route add unreachable fd13::/64 table 100
		ip -6 route add fd14::/64 dev eth0 mtu 1300`)
	got := value(t, "routes", collect(t, n1).Routes)

	var want []facts.Route
	for _, family := range []string{"inet", "inet6"} {
		for _, r := range runJSON[map[string]any](t, n1, "ip", "-j", "-d", "-f", family, "route", "show", "table", "all") {
			want = append(want, ipRoute(family, r))
		}
	}
	opts := []gocmp.Option{
		cmpopts.IgnoreFields(facts.Route{}, "Source"), addrs, gocmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	}
	if diff := gocmp.Diff(want, got, opts...); diff != "" {
		t.Errorf("routes (-ip +collected):\n%s", diff)
	}
	for _, r := range got {
		// ip takes the command, and it shows the route.
		out := n1.Run(t, "ip", strings.Fields(string(r.Source))[1:]...)
		dst := strings.TrimSuffix(strings.TrimSuffix(r.Dst.String(), "/32"), "/128")
		if r.Dst.Bits() != 0 && !strings.Contains(out, dst) {
			t.Errorf("%s does not show %s: %s", r.Source, r.Dst, out)
		}
	}
}

func ipRoute(family string, r map[string]any) facts.Route {
	dst := text(r["dst"])
	switch {
	case dst == "default" && family == "inet":
		dst = "0.0.0.0/0"
	case dst == "default":
		dst = "::/0"
	case !strings.Contains(dst, "/"):
		dst += fmt.Sprintf("/%d", netip.MustParseAddr(dst).BitLen())
	}
	f := facts.Route{
		Type: text(r["type"]), Dst: netip.MustParsePrefix(dst), Family: family, Via: addr(r["gateway"]), Dev: text(r["dev"]),
		Src: addr(r["prefsrc"]), From: text(r["from"]), Metric: integer(r["metric"]), Table: facts.TableMain,
		Protocol: text(r["protocol"]), Scope: text(r["scope"]), Flags: texts(r["flags"]), TOS: integer(r["tos"]),
	}
	if via, ok := r["via"].(map[string]any); ok {
		f.Via = addr(via["host"])
	}
	if table := text(r["table"]); table != "" {
		f.Table = tableNumber(table)
	}
	metrics, _ := r["metrics"].([]any)
	for _, m := range metrics {
		m := m.(map[string]any)
		f.MTU = cmp.Or(f.MTU, integer(m["mtu"]))
		f.AdvMSS = cmp.Or(f.AdvMSS, integer(m["advmss"]))
	}
	hops, _ := r["nexthops"].([]any)
	for _, h := range hops {
		h := h.(map[string]any)
		f.Nexthops = append(f.Nexthops, facts.Nexthop{
			Via: addr(h["gateway"]), Dev: text(h["dev"]), Weight: integer(h["weight"]), Flags: texts(h["flags"]),
		})
	}
	return f
}

func tableNumber(name string) int {
	return cmp.Or(map[string]int{"main": facts.TableMain, "local": facts.TableLocal, "default": facts.TableDefault}[name], integer(name))
}

func TestRulesAgreeWithIproute2(t *testing.T) {
	n1 := nettest.Namespace(t)
	setUp(t, n1, `
		ip rule add priority 100 from 10.244.0.0/16 lookup 100
		ip rule add priority 101 not from 10.1.0.1 to 10.2.0.0/16 lookup main suppress_prefixlength 0
		ip rule add priority 102 fwmark 0x200/0xf00 lookup 2004
		ip rule add priority 103 fwmark 0x1 iif lo oif eth9 lookup 300
		ip rule add priority 104 ipproto tcp dport 80-90 sport 1234 tos 0x10 lookup 301
		ip rule add priority 105 uidrange 1000-2000 blackhole
		ip rule add priority 106 from 10.3.0.0/16 unreachable
		ip rule add priority 107 prohibit
		ip rule add priority 108 goto 200
		ip rule add priority 200 from all nop
		ip -6 rule add priority 100 from fd00::/64 lookup 100
		ip -6 rule add priority 101 ipproto ipv6-icmp lookup main`)
	got := value(t, "rules", collect(t, n1).Rules)
	var want []facts.RoutingRule
	for _, family := range []string{"inet", "inet6"} {
		for _, r := range runJSON[map[string]any](t, n1, "ip", "-j", "-f", family, "rule", "show") {
			f := facts.RoutingRule{
				Family: family, Priority: integer(r["priority"]), From: prefix(r, "src"), To: prefix(r, "dst"),
				Iif: text(r["iif"]), Oif: text(r["oif"]), Fwmark: uint32(integer(r["fwmark"])), Fwmask: uint32(integer(r["fwmask"])),
				TOS: integer(r["tos"]), IPProto: text(r["ipproto"]), Sport: ports(r, "sport"), Dport: ports(r, "dport"),
				Action: cmp.Or(text(r["action"]), "lookup"), SuppressPrefixlength: -1,
			}
			_, f.Not = r["not"]
			if f.Fwmark != 0 && f.Fwmask == 0 {
				f.Fwmask = 0xffffffff
			}
			if v, ok := r["suppress_prefixlen"]; ok {
				f.SuppressPrefixlength = integer(v)
			}
			if v, ok := r["uid_start"]; ok {
				f.UIDs = fmt.Sprintf("%d-%d", integer(v), integer(r["uid_end"]))
			}
			if v, ok := r["goto"]; ok {
				f.Action, f.Goto = "goto", integer(v)
			}
			if v, ok := r["table"]; ok {
				f.Table = tableNumber(text(v))
			}
			if _, ok := r["nop"]; ok {
				f.Action = "nop"
			}
			want = append(want, f)
		}
	}
	if diff := gocmp.Diff(want, got, cmpopts.IgnoreFields(facts.RoutingRule{}, "Source")); diff != "" {
		t.Errorf("rules (-ip +collected):\n%s", diff)
	}
}

func prefix(r map[string]any, key string) string {
	a := text(r[key])
	if a == "" || a == "all" {
		return ""
	}
	bits, ok := r[key+"len"]
	if !ok {
		return netip.PrefixFrom(netip.MustParseAddr(a), netip.MustParseAddr(a).BitLen()).String()
	}
	return fmt.Sprintf("%s/%d", a, integer(bits))
}

func ports(r map[string]any, key string) string {
	if v, ok := r[key]; ok {
		return fmt.Sprint(integer(v))
	}
	if v, ok := r[key+"_start"]; ok {
		return fmt.Sprintf("%d-%d", integer(v), integer(r[key+"_end"]))
	}
	return ""
}

func TestNeighboursAgreeWithIproute2(t *testing.T) {
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0", n2, "eth0")
	setUp(t, n2, "ip address add 10.0.0.2/24 dev eth0")
	setUp(t, n1, `
		ip address add 10.0.0.1/24 dev eth0
		ip link add flannel.1 type vxlan id 1 local 10.0.0.1 dev eth0 dstport 8472 nolearning
		ip link set flannel.1 up
		ip neighbour add 10.244.1.0 lladdr 3a:8f:1b:00:00:01 dev flannel.1 nud permanent
		ip neighbour add 10.0.0.3 lladdr 3a:8f:1b:00:00:03 dev eth0 nud stale
		ip neighbour add 10.0.0.4 lladdr 3a:8f:1b:00:00:04 dev eth0 nud noarp
		ip neighbour add fd00::3 lladdr 3a:8f:1b:00:00:05 dev eth0 nud permanent router
		ip neighbour add 10.0.0.5 lladdr 3a:8f:1b:00:00:06 dev eth0 nud stale extern_learn`)
	got := value(t, "neighbours", collect(t, n1).Neighbours)
	var want []facts.Neighbour
	for _, family := range []string{"inet", "inet6"} {
		for _, m := range runJSON[map[string]any](t, n1, "ip", "-j", "-f", family, "neighbour", "show", "nud", "all") {
			f := facts.Neighbour{Dst: addr(m["dst"]), Dev: text(m["dev"]), Lladdr: text(m["lladdr"]), State: texts(m["state"])[0]}
			for _, flag := range []string{"router", "proxy", "extern_learn", "offload"} {
				if _, ok := m[flag]; ok {
					f.Flags = append(f.Flags, flag)
				}
			}
			want = append(want, f)
		}
	}
	// What the kernel added meanwhile for its own multicast.
	own := cmpopts.IgnoreSliceElements(func(n facts.Neighbour) bool { return n.Dst.IsMulticast() })
	if diff := gocmp.Diff(want, got, cmpopts.IgnoreFields(facts.Neighbour{}, "Source"), addrs, own); diff != "" {
		t.Errorf("neighbours (-ip +collected):\n%s", diff)
	}
}

func TestFDBAgreesWithIproute2(t *testing.T) {
	nettest.NeedTool(t, "bridge")
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0", n2, "eth0")
	setUp(t, n1, `
		ip address add 10.0.0.1/24 dev eth0
		ip link add flannel.1 type vxlan id 1 local 10.0.0.1 dev eth0 dstport 8472 nolearning
		ip link set flannel.1 up
		bridge fdb append 3a:8f:1b:00:00:01 dev flannel.1 dst 10.0.0.2
		bridge fdb append 3a:8f:1b:00:00:02 dev flannel.1 dst 10.0.0.3 vni 17 extern_learn
		bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 10.0.0.4
		ip link add cbr0 type bridge
		ip link set cbr0 up
		ip link add p1 type veth peer name p1x
		ip link set p1 master cbr0 up
		ip link set p1x up
		bridge fdb add 3a:8f:1b:00:00:03 dev p1 master static
		bridge fdb add 3a:8f:1b:00:00:04 dev p1 master dynamic
		bridge fdb add 3a:8f:1b:00:00:05 dev p1 self`)
	show := func() (entries []facts.FDBEntry) {
		for _, m := range runJSON[map[string]any](t, n1, "bridge", "-j", "fdb", "show") {
			entries = append(entries, facts.FDBEntry{
				MAC: text(m["mac"]), Dev: text(m["ifname"]), Dst: addr(m["dst"]), VLAN: integer(m["vlan"]), VNI: integer(m["vni"]),
				Master: text(m["master"]), State: text(m["state"]), Flags: texts(m["flags"]),
			})
		}
		return entries
	}
	var want, got []facts.FDBEntry
	// The bridge learns from what the kernel's multicast sends.
	nettest.WaitFor(t, "a forwarding database that stays the same for a moment", func() bool {
		want = show()
		got = value(t, "fdb", collect(t, n1).FDB)
		return gocmp.Equal(want, show(), addrs)
	})
	if len(want) < 6 {
		t.Fatalf("only %d entries", len(want))
	}
	if diff := gocmp.Diff(want, got, cmpopts.IgnoreFields(facts.FDBEntry{}, "Source"), addrs); diff != "" {
		t.Errorf("fdb (-bridge +collected):\n%s", diff)
	}
}
