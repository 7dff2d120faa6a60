package datapath_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/datapath"
)

func (c configuration) address6() string {
	return fmt.Sprintf("fd0%d:%d::%x", c.rand.IntN(5), c.rand.IntN(3), c.rand.IntN(4))
}

func (c configuration) prefix6() string {
	a := netip.MustParseAddr(c.address6())
	p, _ := a.Prefix([]int{15, 16, 32, 48, 64, 126, 128}[c.rand.IntN(7)])
	return p.String()
}

func (c configuration) route6() string {
	tail := c.maybe(fmt.Sprintf("metric %d", 1+c.rand.IntN(3))) + " table " + c.pick("main", "main", "100", "101")
	dst := c.pick("default", c.prefix6(), c.prefix6(), c.prefix6())
	i := c.rand.IntN(3)
	via := fmt.Sprintf(" via fd0%d::2 dev eth%d", i, i)
	switch c.rand.IntN(7) {
	case 0:
		return c.pick("blackhole", "unreachable", "prohibit", "throw") + " " + dst + tail
	case 1:
		return dst + " dev " + c.pick("eth0", "eth1", "eth2") + tail
	case 2:
		return dst + tail + " nexthop" + via + " weight 2 nexthop via fd02::3 dev eth2"
	case 3:
		return dst + via + " src " + c.pick("fd00::1", "fd01::1", "fd02::1") + tail
	}
	return dst + via + tail
}

func (c configuration) rule6() string {
	text := c.maybe("not") + " from " + c.pick("all", "all", c.prefix6()) + c.maybe("to "+c.prefix6()) + c.maybe("iif "+c.pick("eth0", "eth1", "lo"))
	text += c.maybe("fwmark "+c.pick("0x1", "0x1/0x3")) + c.maybe("dport 5001 ipproto udp")
	switch c.rand.IntN(8) {
	case 0:
		return text + " " + c.pick("blackhole", "unreachable", "prohibit")
	case 1:
		return text + " goto 32766"
	case 2:
		return text + " lookup main suppress_prefixlength " + c.pick("0", "32")
	}
	return text + " lookup " + c.pick("100", "101", "main")
}

// TestRouteGetAgrees6 compares IPv6 lookups with `ip -6 route get`.
func TestRouteGetAgrees6(t *testing.T) {
	random, count := seeded(t, 1500)
	ns, _ := router(t)
	ns.run("sysctl -q -w net.ipv6.conf.all.forwarding=1")
	for i := range 3 {
		ns.run(fmt.Sprintf("ip address add fd0%d::1/64 dev eth%d nodad", i, i))
	}
	ns.awaitAnycast()
	c := configuration{random, ns, true}
	compared, bad := 0, 0
	kinds := map[string]int{}
	for compared < count && bad < 5 {
		var batch strings.Builder
		fmt.Fprintln(&batch, "rule flush\nrule add from all lookup main priority 32766")
		for i := range random.IntN(4) {
			fmt.Fprintf(&batch, "rule add priority %d%s\n", 100+i, c.rule6())
		}
		for range 2 + random.IntN(7) {
			fmt.Fprintln(&batch, "route add "+c.route6())
		}
		for _, table := range []string{"100", "101"} {
			_, _ = ns.try("", "ip -6 route flush table "+table)
		}
		_, _ = ns.try("", "ip -6 route flush table main proto boot")
		_, _ = ns.try(batch.String(), "ip -6 -force -batch -")
		f := ns.collect()
		model := datapath.NewNamespace("r", "", &f)
		var queries []query
		for range 100 {
			q := query{datapath.Flow{Iif: "lo", Dst: netip.MustParseAddr(c.address6()), UID: new(int), Proto: "udp"}}
			switch random.IntN(3) {
			case 0:
				q.flow.Src = netip.MustParseAddr(c.pick("fd00::1", "fd01::1", "fd02::1"))
			case 1:
				q.flow.Src, q.flow.Iif = netip.MustParseAddr(c.address6()), c.pick("eth0", "eth1")
			}
			q.flow.Mark = uint32(random.IntN(3))
			if random.IntN(2) == 0 {
				q.flow.Sport, q.flow.Dport = 4000, uint16(5000+random.IntN(3))
			}
			queries = append(queries, q)
		}
		for i, kernel := range ns.routeGet(queries) {
			compared++
			kinds[strings.Fields(kernel)[0]]++
			got := queries[i].model(model)
			if !agrees6(kernel, got) {
				bad++
				t.Errorf("%s: kernel %q, model %q\n%s\n%s", queries[i].command(), kernel, got, ns.run("ip -6 rule"), ns.run("ip -6 route show table all"))
				break
			}
		}
	}
	t.Logf("%d lookups compared, %d differ: %v", compared, bad, kinds)
}

// agrees6 takes the error that a rejected packet's sender gets locally, or the route that rejects it.
func agrees6(kernel, model string) bool {
	for way := range strings.SplitSeq(model, "|") {
		switch {
		case way == kernel:
			return true
		case strings.HasPrefix(way, "drop"):
			if kernel == "error Invalid argument" || kernel == "blackhole" {
				return true
			}
		case strings.HasPrefix(way, "reject icmp6-adm-prohibited"):
			if kernel == "error Permission denied" || kernel == "prohibit" {
				return true
			}
		case strings.HasPrefix(way, "reject icmp6-no-route"):
			if kernel == "error Network is unreachable" || kernel == "error No route to host" || kernel == "unreachable" {
				return true
			}
		}
	}
	return false
}
