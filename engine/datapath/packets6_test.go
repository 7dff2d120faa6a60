package datapath_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/datapath"
)

// newLab6 is newLab in IPv6.
func newLab6(t *testing.T) *lab {
	router, neighbours := router(t)
	router.run("sysctl -q -w net.ipv6.icmp.ratelimit=0 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0")
	l := &lab{t: t, router: router}
	for i, n := range neighbours {
		router.run(fmt.Sprintf("ip link set eth%d arp off", i))
		if i < 3 {
			router.run(fmt.Sprintf("ip address add fd0%d::1/64 dev eth%d nodad", i, i))
		}
		n.run("sysctl -q -w net.ipv6.conf.eth0.disable_ipv6=1") // the neighbour's own stack answers nothing
		for _, link := range router.linkFacts() {
			if link.Ifname == fmt.Sprintf("eth%d", i) {
				l.mac[i] = hardware(t, link.Address)
			}
		}
		for _, link := range n.linkFacts() {
			if link.Ifname == "eth0" {
				l.index[i] = link.Ifindex
			}
		}
		n.do(func() {
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(bigEndian(unix.ETH_P_IPV6)))
			l.must(err)
			l.must(unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_IPV6), Ifindex: l.index[i]}))
			l.wire[i] = fd
		})
		t.Cleanup(func() { unix.Close(l.wire[i]) })
	}
	router.awaitAnycast()
	for port := 5000; port < 5004; port++ {
		var fd int
		router.do(func() {
			var err error
			fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
			l.must(err)
		})
		t.Cleanup(func() { unix.Close(fd) })
		l.must(unix.Bind(fd, &unix.SockaddrInet6{Port: port}))
		l.local = append(l.local, fd)
	}
	return l
}

// packet6 is IPv6 and UDP, as a neighbour sends it.
func (p probe) packet6() []byte {
	payload := p.payload()
	length := uint16(8 + len(payload))
	udp := []byte{}
	for _, v := range []uint16{p.flow.Sport, p.flow.Dport, length, 0} {
		udp = binary.BigEndian.AppendUint16(udp, v)
	}
	udp = append(udp, payload...)
	sum := uint32(unix.IPPROTO_UDP) + uint32(length)
	for _, part := range [][]byte{p.flow.Src.AsSlice(), p.flow.Dst.AsSlice(), udp} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], ^uint16(sum))
	b := []byte{0x60, 0, 0, 0, byte(length >> 8), byte(length), unix.IPPROTO_UDP, 64}
	return slices.Concat(b, p.flow.Src.AsSlice(), p.flow.Dst.AsSlice(), udp)
}

func (l *lab) send6(p *probe) {
	f := p.flow
	if f.Iif != "lo" {
		i := int(f.Iif[3] - '0')
		frame := slices.Concat(l.mac[i], []byte{2, 0, 0, 0, 9, byte(i), 0x86, 0xdd}, p.packet6())
		l.must(unix.Sendto(l.wire[i], frame, 0, &unix.SockaddrLinklayer{Ifindex: l.index[i], Protocol: bigEndian(unix.ETH_P_IPV6)}))
		return
	}
	l.router.do(func() {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		l.must(err)
		defer unix.Close(fd)
		l.must(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(f.Mark)))
		l.must(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
		a := &unix.SockaddrInet6{Port: int(f.Sport)}
		if f.Src.IsValid() {
			a.Addr = f.Src.As16()
		}
		l.must(unix.Bind(fd, a))
		p.err = unix.Sendto(fd, p.payload(), 0, &unix.SockaddrInet6{Port: int(f.Dport), Addr: f.Dst.As16()})
	})
}

func note6(b []byte, at int, places map[uint32][]string, sources map[uint32]netip.Addr) {
	if len(b) < 8 || binary.BigEndian.Uint32(b[len(b)-8:]) != magic {
		return
	}
	id := binary.BigEndian.Uint32(b[len(b)-4:])
	switch {
	case at < 0:
		places[id] = append(places[id], "local")
	case b[14+6] == unix.IPPROTO_UDP:
		places[id] = append(places[id], fmt.Sprintf("eth%d", at))
		sources[id], _ = netip.AddrFromSlice(b[14+8 : 14+24])
	case b[14+6] == unix.IPPROTO_ICMPV6 && b[14+40] == 1:
		places[id] = append(places[id], fmt.Sprintf("icmp %d", b[14+41]))
	}
}

// awaitAnycast waits until a router has joined the anycast addresses of its networks, which a worker of the kernel does once
// their addresses are there.
func (ns *kernelNS) awaitAnycast() {
	ns.t.Helper()
	await(ns.t, "the anycast routes", func() bool {
		table := ns.run("ip -6 route show table local")
		return strings.Contains(table, "anycast fd00:: ") && strings.Contains(table, "anycast fd01:: ") && strings.Contains(table, "anycast fd02:: ")
	})
}

// randomize6 programs the router's IPv6 routes and rules.
func (c configuration) randomize6() {
	var batch strings.Builder
	fmt.Fprintln(&batch, "rule flush\nrule add from all lookup main priority 32766")
	for i := range c.rand.IntN(4) {
		fmt.Fprintf(&batch, "rule add priority %d%s\n", 100+i, c.rule6())
	}
	for range 2 + c.rand.IntN(7) {
		fmt.Fprintln(&batch, "route add "+c.route6())
	}
	for _, table := range []string{"100", "101"} {
		_, _ = c.ns.try("", "ip -6 route flush table "+table)
	}
	_, _ = c.ns.try("", "ip -6 route flush table main proto boot")
	_, _ = c.ns.try(batch.String(), "ip -6 -force -batch -")
	c.ns.run(fmt.Sprintf("sysctl -q -w net.ipv6.conf.all.forwarding=%d", min(c.rand.IntN(5), 1)))
}

// TestPacketsAgree6 sends real UDP packets of IPv6 through the router and compares where they come out.
func TestPacketsAgree6(t *testing.T) {
	random, count := seeded(t, 1500)
	l := newLab6(t)
	c := configuration{random, l.router, true}
	seen := map[string]int{}
	id, bad := uint32(0), 0
	for int(id) < count && bad < 5 {
		c.randomize6()
		facts := l.router.collect()
		model := datapath.NewNamespace("r", "", &facts)
		var probes []probe
		for range 100 {
			id++
			p := probe{id: id, flow: datapath.Flow{
				Iif: "lo", Dst: netip.MustParseAddr(c.pick(c.address6(), c.address6(), "fd00::1", "2001:db8::1")), UID: new(int), Proto: "udp",
				Sport: uint16(4000 + random.IntN(3)), Dport: uint16(5000 + random.IntN(4)),
			}}
			switch f := &p.flow; random.IntN(3) {
			case 0:
				f.Mark = uint32(random.IntN(3))
			case 1:
				f.Mark, f.Src = uint32(random.IntN(3)), netip.MustParseAddr(c.pick("fd00::1", "fd01::1", "fd02::1"))
			case 2:
				f.Iif, f.Src = c.pick("eth0", "eth1", "eth2", "eth3"), netip.MustParseAddr(c.pick(c.address6(), c.address6(), "2001:db8::9", "::1", "fe80::77"))
			}
			probes = append(probes, p)
			l.send6(&probes[len(probes)-1])
		}
		places, sources := l.arrivalsBy(note6)
		for _, p := range probes {
			want := place6(p, places[p.id])
			model, src := p.expected6(model)
			i := slices.Index(model, want)
			switch {
			case i >= 0 && strings.HasPrefix(want, "eth") && p.flow.Iif == "lo" && !slices.Contains(src, sources[p.id]):
				want += " from " + sources[p.id].String() + fmt.Sprint(", model from ", src)
			case i >= 0:
				seen[kindOf(want)]++
				continue
			case want == "drop" && p.flow.Iif != "lo" && !slices.ContainsFunc(model, func(m string) bool { return !strings.HasPrefix(m, "icmp") }):
				seen["icmp not seen"]++ // the sender may have no route
				continue
			}
			bad++
			t.Errorf("%s: kernel %q (%v), model %q\n%s\n%s", probeText(p), want, p.err, strings.Join(model, "|"), l.router.run("ip -6 rule"), l.router.run("ip -6 route show table all"))
		}
	}
	t.Logf("where they came out: %v", seen)
	if seen["eth"] == 0 || seen["local"] == 0 || seen["icmp "] == 0 || seen["drop"] == 0 {
		t.Errorf("some outcome was never met: %v", seen)
	}
}

func (p probe) expected6(n *datapath.Namespace) (places []string, sources []netip.Addr) {
	places, sources = p.expected(n)
	for i := range places {
		if places[i] != "" {
			continue
		}
		var d datapath.Decision
		if p.flow.Iif == "lo" {
			list, _ := n.SocketOutput(p.flow)
			d = list[i]
		} else {
			d = n.RouteInput(p.flow)[i]
		}
		places[i] = map[string]string{"icmp6-no-route": "icmp 0", "icmp6-adm-prohibited": "icmp 1", "icmp6-beyond-scope": "icmp 2"}[d.ICMP]
	}
	return places, sources
}

func place6(p probe, places []string) string {
	switch p.err {
	case unix.ENETUNREACH, unix.EHOSTUNREACH:
		return "icmp 0"
	case unix.EACCES:
		return "icmp 1"
	}
	return place(p, places)
}
