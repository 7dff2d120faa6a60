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

// lab is the router with sockets around it: one for all frames at each neighbour, and UDP sockets on the router.
type lab struct {
	t      *testing.T
	router *kernelNS
	// wire sends and receives frames at each neighbour, which is eth0 to eth3 of the router.
	wire  [4]int
	index [4]int // of the neighbours' devices
	mac   [4][]byte
	// local are the router's sockets on ports 5000 to 5003.
	local []int
}

func newLab(t *testing.T) *lab {
	router, neighbours := router(t)
	l := &lab{t: t, router: router}
	for i, n := range neighbours {
		router.run(fmt.Sprintf("ip link set eth%d arp off", i))
		// The neighbour's own stack answers nothing.
		n.run("sysctl -q -w net.ipv4.conf.all.rp_filter=1")
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
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(bigEndian(unix.ETH_P_IP)))
			l.must(err)
			l.must(unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_IP), Ifindex: l.index[i]}))
			l.wire[i] = fd
		})
		t.Cleanup(func() { unix.Close(l.wire[i]) })
	}
	for port := 5000; port < 5004; port++ {
		fd := l.socket()
		l.must(unix.Bind(fd, &unix.SockaddrInet4{Port: port}))
		l.local = append(l.local, fd)
	}
	return l
}

func bigEndian(v uint16) uint16 { return v<<8 | v>>8 }

func hardware(t *testing.T, text string) []byte {
	var mac [6]byte
	if _, err := fmt.Sscanf(text, "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return mac[:]
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// socket is a UDP socket of the router's.
func (l *lab) socket() (fd int) {
	l.router.do(func() {
		var err error
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		l.must(err)
	})
	l.t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// probe is a packet with a number in its payload.
type probe struct {
	flow datapath.Flow
	id   uint32
	err  error // of sending it from the router
}

const magic = 0x6e657463

func (p probe) payload() []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	return binary.BigEndian.AppendUint32(b, p.id)
}

// packet is IPv4 and UDP, as a neighbour sends it.
func (p probe) packet() []byte {
	payload := p.payload()
	b := []byte{0x45, byte(p.flow.TOS), 0, byte(28 + len(payload)), 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0}
	b = append(b, p.flow.Src.AsSlice()...)
	b = append(b, p.flow.Dst.AsSlice()...)
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum+sum>>16))
	for _, v := range []uint16{p.flow.Sport, p.flow.Dport, uint16(8 + len(payload)), 0} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return append(b, payload...)
}

func (l *lab) send(p *probe) {
	f := p.flow
	if f.Iif != "lo" {
		i := int(f.Iif[3] - '0')
		frame := slices.Concat(l.mac[i], []byte{2, 0, 0, 0, 9, byte(i), 8, 0}, p.packet())
		l.must(unix.Sendto(l.wire[i], frame, 0, &unix.SockaddrLinklayer{Ifindex: l.index[i], Protocol: bigEndian(unix.ETH_P_IP)}))
		return
	}
	l.router.do(func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		l.must(err)
		defer unix.Close(fd)
		l.must(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(f.Mark)))
		l.must(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
		l.must(unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, f.TOS))
		if f.Oif != "" {
			l.must(unix.BindToDevice(fd, f.Oif))
		}
		var src [4]byte
		if f.Src.IsValid() {
			src = f.Src.As4()
		}
		l.must(unix.Bind(fd, &unix.SockaddrInet4{Port: int(f.Sport), Addr: src}))
		p.err = unix.Sendto(fd, p.payload(), 0, &unix.SockaddrInet4{Port: int(f.Dport), Addr: f.Dst.As4()})
	})
}

// arrivals collects where the probes come out until it is quiet: "eth1", "local", "icmp 1", and the sources they come with.
func (l *lab) arrivals() (places map[uint32][]string, sources map[uint32]netip.Addr) {
	return l.arrivalsBy(note)
}

func (l *lab) arrivalsBy(
	note func(b []byte, at int, places map[uint32][]string, sources map[uint32]netip.Addr),
) (places map[uint32][]string, sources map[uint32]netip.Addr) {
	places, sources = map[uint32][]string{}, map[uint32]netip.Addr{}
	var fds []unix.PollFd
	for _, fd := range append(l.wire[:], l.local...) {
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	buf := make([]byte, 2048)
	for {
		n, err := unix.Poll(fds, 30)
		if err == unix.EINTR {
			continue
		}
		l.must(err)
		if n == 0 {
			return places, sources
		}
		for i := range fds {
			for fds[i].Revents != 0 {
				n, from, err := unix.Recvfrom(int(fds[i].Fd), buf, 0)
				if err != nil {
					break
				}
				if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
					continue
				}
				at := slices.Index(l.wire[:], int(fds[i].Fd))
				note(buf[:n], at, places, sources)
			}
		}
	}
}

func note(b []byte, at int, places map[uint32][]string, sources map[uint32]netip.Addr) {
	if len(b) < 8 || binary.BigEndian.Uint32(b[len(b)-8:]) != magic {
		return
	}
	id := binary.BigEndian.Uint32(b[len(b)-4:])
	switch {
	case at < 0:
		places[id] = append(places[id], "local")
	case b[14+9] == unix.IPPROTO_UDP:
		places[id] = append(places[id], fmt.Sprintf("eth%d", at))
		sources[id], _ = netip.AddrFromSlice(b[14+12 : 14+16])
	case b[14+9] == unix.IPPROTO_ICMP && b[14+20] == 3:
		places[id] = append(places[id], fmt.Sprintf("icmp %d", b[14+21]))
	}
}

// expected are the places where the model has a probe come out.
func (p probe) expected(n *datapath.Namespace) (places []string, sources []netip.Addr) {
	var decisions []datapath.Decision
	if p.flow.Iif == "lo" {
		decisions, sources = n.SocketOutput(p.flow)
	} else {
		decisions = n.RouteInput(p.flow)
	}
	for _, d := range decisions {
		place := d.Action
		switch d.Action {
		case "forward":
			place = d.Way.Dev
		case "reject":
			place = map[string]string{
				"icmp-net-unreachable": "icmp 0", "icmp-host-unreachable": "icmp 1", "icmp-admin-prohibited": "icmp 13",
			}[d.ICMP]
		}
		places = append(places, place)
	}
	return places, sources
}

// TestPacketsAgree sends real UDP packets through the router and compares where they come out.
func TestPacketsAgree(t *testing.T) {
	random, count := seeded(t, 3000)
	seen := map[string]int{}
	for _, custom := range []bool{false, true} {
		l := newLab(t)
		c := configuration{random, l.router, custom}
		id, bad := uint32(0), 0
		for int(id) < count/2 && bad < 5 {
			c.apply()
			facts := l.router.collect()
			model := datapath.NewNamespace("r", "", &facts)
			var probes []probe
			for range 100 {
				id++
				p := probe{flow: c.query().flow, id: id}
				f := &p.flow
				f.UID, f.Proto, f.Dport, f.Sport = new(int), "udp", uint16(5000+random.IntN(4)), uint16(4000+random.IntN(3))
				if f.Iif != "lo" {
					f.Mark = 0 // a mark does not come over the wire
				}
				if f.Dst.As4()[3] == 255 {
					f.Dst = f.Dst.Prev()
				}
				probes = append(probes, p)
				l.send(&probes[len(probes)-1])
			}
			places, sources := l.arrivals()
			for _, p := range probes {
				want, got := place(p, places[p.id]), ""
				model, src := p.expected(model)
				got = strings.Join(model, "|")
				i := slices.Index(model, want)
				switch {
				case i >= 0 && strings.HasPrefix(want, "eth") && p.flow.Iif == "lo":
					// Sources differ by way, and two ways may have one device.
					if slices.Contains(src, sources[p.id]) {
						seen[kindOf(want)]++
						continue
					}
					want += " from " + sources[p.id].String()
					got += fmt.Sprint(" from ", src)
				case i >= 0:
					seen[kindOf(want)]++
					continue
				case want == "drop" && len(model) == 1 && strings.HasPrefix(got, "icmp") && p.flow.Iif != "lo":
					// The sender may have no route, or had too many errors of late (ip_error's tokens).
					seen["icmp not seen"]++
					continue
				}
				bad++
				t.Errorf("%s: kernel %q (%v), model %q\n%s\n%s", probeText(p), want, p.err, got, l.router.run("ip -4 rule"),
					l.router.run("ip -4 route show table all")+strings.Join(c.settings(), " "))
			}
		}
	}
	t.Logf("where they came out: %v", seen)
}

func probeText(p probe) string { return query{p.flow}.command() }

func kindOf(place string) string {
	return strings.TrimRight(place, "0123456789")
}

// place is what became of a probe: an error of sendto stands for what a router would answer.
func place(p probe, places []string) string {
	switch p.err {
	case nil:
	case unix.ENETUNREACH:
		return "icmp 0"
	case unix.EHOSTUNREACH:
		return "icmp 1"
	case unix.EACCES:
		return "icmp 13"
	default:
		return "drop"
	}
	if len(places) == 0 {
		return "drop"
	}
	return places[0]
}
