package netfilter

import (
	"net/netip"
	"strings"
	"testing"
)

// TestU32 asks examples of iptables-extensions(8), Docker Swarm's and some more.
func TestU32(t *testing.T) {
	tcp := syn()
	udp := syn()
	udp.Proto, udp.TCPFlags, udp.Dport, udp.Length = "udp", 0, 4789, 100
	six := syn()
	six.Src, six.Dst = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
	long := tcp
	long.Length = 400
	unknown := Packet{Dst: tcp.Dst, Proto: "tcp"}
	for _, c := range []struct {
		tests string
		p     Packet
		want  string
	}{
		{"0&0xFFFF=0x100:0xFFFF", long, "yes"}, // length of 256 or more
		{"0&0xFFFF=0x100:0xFFFF", tcp, "no"},
		{"4&0x3FFF=0 && 0&0xFFFF=60", tcp, "maybe"},                 // whether more fragments follow is not known
		{"6&0xFF=1 && 4&0x3FFF=0 && 0>>22&0x3C@0>>24=0", tcp, "no"}, // ICMP
		{"6&0xFF=1 && 4&0x1FFF=0 && 0>>22&0x3C@0>>24=8", echo(), "yes"},
		{"6&0xFF=6 && 0>>22&0x3C@0>>16=40000", tcp, "yes"},
		{"6&0xFF=6 && 0>>22&0x3C@0&0xFFFF=79,81:90", tcp, "no"},
		{"0>>22&0x3C@12&0x00FF0000=0x20000", tcp, "yes"}, // SYN alone
		{"0>>22&0x3C@4=1", tcp, "maybe"},                 // the sequence number
		{"0>>22&0x3C@4&0=0", tcp, "yes"},
		{"8>>24=64,128", tcp, "yes"},
		{"12=0x0a010002", tcp, "yes"},
		{"16&0xFFFFFF00=0x0a020000:0x0a0200ff", tcp, "yes"},
		{"0>>22&0x3C@12&0xFFFFFF00=0x100100", udp, "maybe"}, // VXLAN's VNI
		{"0>>22&0x3C@200=1", udp, "no"},                     // behind the end
		{"96=1", udp, "maybe"},
		{"97=1", udp, "no"},
		{"0>>28=6 && 6&0xFF=64", six, "no"},
		{"0>>28=6", six, "yes"},
		{"20=2 && 36=2", six, "no"},
		{"36=2 && 40>>16=40000", six, "yes"},
		{"0&0xFFFF=40:65535", unknown, "maybe"},
		{"6&0xFF=6", unknown, "yes"},
		{"6&0xFF=17", unknown, "no"},
		{"12=0", unknown, "maybe"},
	} {
		text := `-A FORWARD -m u32 --u32 "` + c.tests + `" -j DROP`
		s := decodeIPTables(text)
		if len(s.NotModelled) > 0 {
			t.Errorf("%s: not modelled %q", c.tests, s.NotModelled)
			continue
		}
		p := c.p
		p.normalize()
		v := view{set: &Ruleset{}, hook: HookForward, family: p.family(), p: &p}
		r := s.extra[0].match(&v)
		if got := map[truth]string{yes: "yes", no: "no", maybe: "maybe"}[r.truth]; got != c.want {
			t.Errorf("%s: %s, want %s", c.tests, got, c.want)
		}
	}
	for _, bad := range []string{"", "0", "0=", "0<1=2", "x=1", "0&=1", "0=1:2:3", "0=1&&", "0@@1=2", "0=0x1ffffffff"} {
		if s := decodeIPTables(`-A FORWARD -m u32 --u32 "` + bad + `" -j DROP`); len(s.NotModelled) == 0 {
			t.Errorf("%q is understood", bad)
		}
	}
}

// TestTProxy: TPROXY gives a packet to a socket of this host, or drops it.
func TestTProxy(t *testing.T) {
	r := iptablesSet(t, saved("mangle", "PREROUTING", "-A PREROUTING -p tcp -j TPROXY --on-port 15001 --on-ip 127.0.0.1 --tproxy-mark 0x200/0xf00", "-A PREROUTING -j DROP"))
	p := syn()
	p.Mark = 0x1400
	got := r.Traverse(HookPrerouting, p)
	if len(got) != 2 || got[0].Verdict != VerdictAccept || got[0].Packet.Mark != 0x1200 || got[1].Verdict != VerdictDrop ||
		!strings.Contains(got[0].When[0], "listening at 127.0.0.1 port 15001") {
		t.Error(tellAll(got))
	}
}
