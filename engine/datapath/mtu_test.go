package datapath_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// TestFramesTooBig sends packets to a device whose MTU is smaller than the sender's, over a veth pair and over a bridge: at
// what length nobody gets them, and the model says so.
func TestFramesTooBig(t *testing.T) {
	for _, kind := range []string{"veth", "bridge", "bridge that iptables sees"} {
		bridged := kind != "veth"
		t.Run(kind, func(t *testing.T) {
			a, b := newKernelNS(t, "a"), newKernelNS(t, "b")
			node := &facts.Node{Name: "n1"}
			var br *kernelNS
			if bridged {
				br = newKernelNS(t, "br")
				br.run("ip link add br0 type bridge\nip link set br0 up")
				veth(a, "eth0", br, "p1")
				veth(b, "eth0", br, "p2")
				if _, err := br.try("", fmt.Sprintf("sysctl -q -w net.bridge.bridge-nf-call-iptables=%d", min(len(kind)-len("bridge"), 1))); err != nil {
					t.Skipf("needs kernel module br_netfilter: %v", err)
				}
				br.run("ip link set p1 master br0\nip link set p2 master br0\nip link set p2 mtu 1300")
				b.run("ip link set eth0 mtu 1300")
			} else {
				veth(a, "eth0", b, "eth0")
				b.run("ip link set eth0 mtu 1300")
			}
			a.run("ip address add 192.168.9.1/24 dev eth0")
			b.run("ip address add 192.168.9.2/24 dev eth0")
			var server net.PacketConn
			b.do(func() {
				var err error
				if server, err = net.ListenPacket("udp4", "192.168.9.2:9"); err != nil {
					t.Fatal(err)
				}
			})
			defer server.Close()
			buffer := make([]byte, 2048)
			arrives := func(length int) bool {
				a.do(func() {
					fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
					if err != nil {
						t.Fatal(err)
					}
					defer unix.Close(fd)
					if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO); err != nil {
						t.Fatal(err)
					}
					if err := unix.Sendto(fd, make([]byte, length-28), 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{192, 168, 9, 2}}); err != nil {
						t.Fatal(err)
					}
				})
				if err := server.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				n, _, err := server.ReadFrom(buffer)
				if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
				return err == nil && n == length-28
			}
			arrives(100) // the neighbours get to know each other
			if bridged {
				node.NetNS = br.collectAll()
				node.Namespaces = append(node.Namespaces, &facts.Namespace{ID: "a", NetNS: a.collectAll()}, &facts.Namespace{ID: "b", NetNS: b.collectAll()})
			} else {
				node.NetNS = b.collectAll()
				node.Namespaces = append(node.Namespaces, &facts.Namespace{ID: "a", NetNS: a.collectAll()})
			}
			m := datapath.New(&facts.Snapshot{Nodes: []*facts.Node{node}})
			for _, length := range []int{1300, 1304, 1305, 1500} {
				p := datapath.Packet{Dst: netip.MustParseAddr("192.168.9.2"), Proto: "udp", Dport: 9, Length: length, DF: true}
				got := m.Trace(datapath.Sender{Node: "n1", Namespace: "a"}, p)
				step := got.Branches[0].Cause()
				really, arrived := arrives(length), len(got.Branches[0].Reply) > 0 // an answer of 1304 bytes fits no device's MTU
				said := step.TooBig != nil && strings.Contains(step.Text, fmt.Sprintf("%d bytes do not fit the MTU of 1300", length))
				if really != arrived || !arrived && (got.Verdict != datapath.TooBig || !said) {
					t.Errorf("%d bytes: %s, really there: %v\n%s", length, got.Verdict, really, show(got.Branches, ""))
				}
			}
		})
	}
}
