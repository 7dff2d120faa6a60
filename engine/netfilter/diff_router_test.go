package netfilter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// The router of the differential test: a network namespace with four TUN devices. Writing a packet to one takes it
// through the kernel before write returns (tun_get_user), so that nothing has to be waited for.
//
//	in0 10.1.0.1/24, in1 10.4.0.1/24: packets come by these
//	out0 10.2.0.1/16 and the default route, out1 10.3.0.1/16
var (
	routerDevs  = [...]string{"in0", "in1", "out0", "out1"}
	routerAddrs = map[string][]netip.Addr{
		"in0": {netip.MustParseAddr("10.1.0.1")}, "in1": {netip.MustParseAddr("10.4.0.1")},
		"out0": {netip.MustParseAddr("10.2.0.1")}, "out1": {netip.MustParseAddr("10.3.0.1")}, "lo": {netip.MustParseAddr("127.0.0.1")},
	}
	routerNets = map[string]netip.Prefix{
		"in0": netip.MustParsePrefix("10.1.0.0/24"), "in1": netip.MustParsePrefix("10.4.0.0/24"),
		"out0": netip.MustParsePrefix("10.2.0.0/16"), "out1": netip.MustParsePrefix("10.3.0.0/16"),
	}
)

// routerBroadcasts are of the local table.
func routerBroadcasts() []netip.Addr {
	var out []netip.Addr
	for _, s := range []string{"10.1.0.255", "10.4.0.255", "10.2.255.255", "10.3.255.255", "127.255.255.255"} {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func routerLocals() []netip.Addr {
	var out []netip.Addr
	for _, list := range routerAddrs {
		out = append(out, list...)
	}
	return out
}

// routeOf gives the interface by which the router sends to an address.
func routeOf(a netip.Addr) string {
	for _, list := range routerAddrs {
		if list[0] == a {
			return "lo"
		}
	}
	if a.IsLoopback() {
		return "lo"
	}
	for dev, net := range routerNets {
		if net.Contains(a) {
			return dev
		}
	}
	return "out0"
}

type router struct {
	tun map[string]int
	raw map[int]int // protocol -> socket that sees what is delivered here
	out int         // sends packets with their header
}

const tunSetIff = 0x400454ca

// newRouter makes the namespace of the calling thread, which must be locked to its goroutine for good.
func newRouter() (*router, error) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	r := &router{tun: map[string]int{}, raw: map[int]int{}, out: -1}
	for _, dev := range routerDevs {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return r, fmt.Errorf("open /dev/net/tun: %w", err)
		}
		r.tun[dev] = fd
		ifr, _ := unix.NewIfreq(dev)
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, tunSetIff, ifr); err != nil {
			return r, fmt.Errorf("make TUN %s: %w", dev, err)
		}
	}
	for path, value := range map[string]string{
		"conf/all/rp_filter": "0", "conf/default/rp_filter": "0", "ip_forward": "1", "icmp_ratemask": "0",
		"conf/all/accept_local": "1", "conf/all/route_localnet": "1", "icmp_echo_ignore_all": "1",
	} {
		// The kernel resolves /proc/sys/net for the thread that opens it.
		if err := os.WriteFile("/proc/sys/net/ipv4/"+path, []byte(value), 0o644); err != nil {
			return r, err
		}
	}
	_ = os.WriteFile("/proc/sys/net/ipv4/icmp_msgs_per_sec", []byte("1000000"), 0o644)
	_ = os.WriteFile("/proc/sys/net/ipv4/icmp_msgs_burst", []byte("1000000"), 0o644)
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0o644)
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0o644)
	batch := "link set lo up\n"
	for dev, net := range routerNets {
		batch += fmt.Sprintf("address add %s/%d brd + dev %s\nlink set %s up\n", routerAddrs[dev][0], net.Bits(), dev, dev)
	}
	if _, err := r.run(batch+"route add default dev out0\n", "ip", "-batch", "-"); err != nil {
		return r, err
	}
	for _, proto := range []int{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMP} {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
		if err != nil {
			return r, fmt.Errorf("open raw socket: %w", err)
		}
		r.raw[proto] = fd
	}
	var err error
	if r.out, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
		return r, fmt.Errorf("open raw socket: %w", err)
	}
	return r, nil
}

// close gives back the descriptors; the namespace goes with the thread.
func (r *router) close() {
	for _, fd := range r.tun {
		_ = unix.Close(fd)
	}
	for _, fd := range r.raw {
		_ = unix.Close(fd)
	}
	if r.out >= 0 {
		_ = unix.Close(r.out)
	}
}

// run runs a command in the namespace.
func (r *router) run(stdin string, command ...string) (string, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, stderr.String())
	}
	return string(out), nil
}

// probe is a packet of the test. from is the device by which it comes, or empty for one that the router sends.
type probe struct {
	from         string
	src, dst     netip.Addr
	proto        string
	sport, dport uint16 // of ICMP the identifier and nothing
	flags        TCPFlags
	length       int
	id           uint16
}

func (p probe) String() string {
	from := p.from
	if from == "" {
		from = "this host"
	}
	return fmt.Sprintf("%s %s:%d > %s:%d flags %s length %d from %s", p.proto, p.src, p.sport, p.dst, p.dport, p.flags, p.length, from)
}

// bytes is the packet with its IPv4 header.
func (p probe) bytes() []byte {
	b := make([]byte, p.length)
	b[0], b[8] = 0x45, 64
	binary.BigEndian.PutUint16(b[2:], uint16(p.length))
	binary.BigEndian.PutUint16(b[4:], p.id)
	copy(b[12:], p.src.AsSlice())
	copy(b[16:], p.dst.AsSlice())
	l4 := b[20:]
	var sum uint32
	pseudo := func(proto byte) {
		b[9] = proto
		for i := 12; i < 20; i += 2 {
			sum += uint32(binary.BigEndian.Uint16(b[i:]))
		}
		sum += uint32(proto) + uint32(len(l4))
	}
	at := 2
	switch p.proto {
	case "tcp":
		pseudo(unix.IPPROTO_TCP)
		binary.BigEndian.PutUint16(l4, p.sport)
		binary.BigEndian.PutUint16(l4[2:], p.dport)
		binary.BigEndian.PutUint32(l4[4:], uint32(p.id))
		l4[12], l4[13] = 5<<4, byte(p.flags)
		binary.BigEndian.PutUint16(l4[14:], 64000)
		at = 16
	case "udp":
		pseudo(unix.IPPROTO_UDP)
		binary.BigEndian.PutUint16(l4, p.sport)
		binary.BigEndian.PutUint16(l4[2:], p.dport)
		binary.BigEndian.PutUint16(l4[4:], uint16(len(l4)))
		at = 6
	default:
		b[9] = unix.IPPROTO_ICMP
		l4[0] = 8
		binary.BigEndian.PutUint16(l4[4:], p.sport)
	}
	binary.BigEndian.PutUint16(l4[at:], checksum(l4, sum))
	binary.BigEndian.PutUint16(b[10:], checksum(b[:20], 0))
	return b
}

func checksum(b []byte, sum uint32) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// fate is what became of a packet: where it came out, with which addresses.
type fate struct {
	kind         string // forwarded, local, rejected, dropped
	dev          string
	src, dst     netip.Addr
	sport, dport uint16
}

func (f fate) String() string {
	if f.kind == "forwarded" || f.kind == "local" {
		return fmt.Sprintf("%s %s %s:%d > %s:%d", f.kind, f.dev, f.src, f.sport, f.dst, f.dport)
	}
	return f.kind
}

// parseFate reads the packet that came out, if it is the probe with that identification.
func parseFate(b []byte, p *probe) (fate, bool) {
	if len(b) < 28 || b[0]>>4 != 4 || binary.BigEndian.Uint16(b[4:]) != p.id {
		return fate{}, false
	}
	src, _ := netip.AddrFromSlice(b[12:16])
	dst, _ := netip.AddrFromSlice(b[16:20])
	f := fate{src: src, dst: dst}
	l4 := b[int(b[0]&15)*4:]
	switch {
	case b[9] == unix.IPPROTO_ICMP && p.proto == "icmp" && l4[0] == 8:
		f.sport = binary.BigEndian.Uint16(l4[4:])
	case b[9] == unix.IPPROTO_TCP && p.proto == "tcp" && binary.BigEndian.Uint32(l4[4:]) == uint32(p.id),
		b[9] == unix.IPPROTO_UDP && p.proto == "udp":
		f.sport, f.dport = binary.BigEndian.Uint16(l4), binary.BigEndian.Uint16(l4[2:])
	default:
		return fate{}, false
	}
	return f, true
}

// send sends the probe and says what became of it.
func (r *router) send(p probe) (fate, error) {
	b := p.bytes()
	if p.from != "" {
		if _, err := unix.Write(r.tun[p.from], b); err != nil {
			return fate{}, fmt.Errorf("write to %s: %w", p.from, err)
		}
	} else if err := unix.Sendto(r.out, b, 0, &unix.SockaddrInet4{Addr: p.dst.As4()}); err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ECONNREFUSED) {
		return fate{}, fmt.Errorf("send to %s: %w", p.dst, err)
	}
	result := fate{kind: "dropped"}
	buf := make([]byte, 2048)
	drain := func(fd int, each func(b []byte)) {
		for {
			n, err := unix.Read(fd, buf)
			if err != nil || n <= 0 {
				return
			}
			each(buf[:n])
		}
	}
	for _, fd := range r.raw {
		drain(fd, func(b []byte) {
			if f, ok := parseFate(b, &p); ok {
				f.kind = "local"
				result = f
			}
		})
	}
	for dev, fd := range r.tun {
		drain(fd, func(b []byte) {
			f, ok := parseFate(b, &p)
			switch {
			case ok:
				f.kind, f.dev = "forwarded", dev
				result = f
			case result.kind == "dropped" && isRefusal(b):
				result.kind = "rejected"
			}
		})
	}
	return result, nil
}

// isRefusal says whether a packet is an ICMP error or a reset.
func isRefusal(b []byte) bool {
	if len(b) < 28 || b[0]>>4 != 4 {
		return false
	}
	l4 := b[int(b[0]&15)*4:]
	return (b[9] == unix.IPPROTO_ICMP && l4[0] == 3) || (b[9] == unix.IPPROTO_TCP && len(l4) > 13 && TCPFlags(l4[13])&TCPRST != 0)
}
