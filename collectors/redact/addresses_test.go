package redact

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// TestAddressesKeepPrefixes checks what replaced addresses must have in common with those of before, on addresses that lie
// in each other's networks, under several keys.
func TestAddressesKeepPrefixes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	prefixes := prefixes("10.0.0.0/8", "10.244.0.0/16", "10.244.6.0/23", "10.244.7.0/24", "10.96.0.0/12", "172.20.0.0/16", "192.168.0.0/16",
		"203.0.113.0/24", "51.12.0.0/17", "2001:db8:5::/48", "2001:db8:5:6::/64", "fd00:1:2::/48", "fd00:1:2:3:4::/80", "fd00:9::/108")
	var all []netip.Addr
	for _, p := range prefixes {
		all = append(all, p.Addr(), last(p))
		for range 60 {
			all = append(all, within(p, random))
		}
	}
	for key := range 8 {
		m := newAddresses([]byte{byte(key), 1, 2, 3})
		for _, p := range prefixes {
			m.notePrefix(p)
		}
		m.noteRange(netip.MustParseAddr("10.244.200.250"), netip.MustParseAddr("10.244.203.5"))
		for _, a := range all {
			to := m.replace(a)
			if back := m.restore(to); back != a {
				t.Fatalf("%v became %v, and that %v", a, to, back)
			}
			for _, b := range all[:40] {
				if got, want := common(to, m.replace(b)), common(a, b); got != want {
					t.Fatalf("%v and %v share %d bits, %v and %v share %d", a, b, want, to, m.replace(b), got)
				}
			}
			for _, class := range classes {
				if class.Contains(a) != class.Contains(to) {
					t.Errorf("%v became %v: one is of %v and the other is not", a, to, class)
				}
			}
		}
		for _, p := range prefixes {
			to := m.prefix(p)
			if to != to.Masked() || to.Bits() != p.Bits() {
				t.Errorf("%v became %v", p, to)
			}
			if isClass(p) {
				continue
			}
			if got := m.replace(p.Addr()); got != to.Addr() {
				t.Errorf("the first address of %v became %v, the network %v", p, got, to)
			}
			if got := m.replace(last(p)); got != last(to) {
				t.Errorf("the last address of %v became %v, the network %v", p, got, to)
			}
		}
		before := m.replace(netip.MustParseAddr("10.244.200.250"))
		for _, text := range []string{"10.244.200.255", "10.244.201.0", "10.244.202.17", "10.244.203.5"} {
			to := m.replace(netip.MustParseAddr(text))
			if !before.Less(to) {
				t.Errorf("the range has %v after %v", to, before)
			}
			before = to
		}
	}
}

func last(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr()
	for n := p.Bits(); n < a.BitLen(); n++ {
		a = flipped(a, n)
	}
	return a
}

func within(p netip.Prefix, random *rand.Rand) netip.Addr {
	a := p.Addr()
	for n := p.Bits(); n < a.BitLen(); n++ {
		if random.IntN(2) == 1 {
			a = flipped(a, n)
		}
	}
	return a
}

func common(a, b netip.Addr) int {
	if a.BitLen() != b.BitLen() {
		return -1
	}
	n := 0
	for n < a.BitLen() && bit(a, n) == bit(b, n) {
		n++
	}
	return n
}

func TestAddressesThatStay(t *testing.T) {
	m := newAddresses([]byte("key"))
	for _, text := range []string{
		"0.0.0.0", "127.0.0.53", "169.254.20.10", "169.254.169.254", "224.0.0.1", "255.255.255.0", "255.255.255.255", "::", "::1", "ff02::1", "ff02::2",
	} {
		if a := netip.MustParseAddr(text); m.replace(a) != a {
			t.Errorf("%v became %v", a, m.replace(a))
		}
	}
	for _, text := range []string{"0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fe80::/64", "fe80::/10", "224.0.0.0/4"} {
		if p := netip.MustParsePrefix(text); m.prefix(p) != p {
			t.Errorf("%v became %v", p, m.prefix(p))
		}
	}
}

func TestAddressesMadeOfOthers(t *testing.T) {
	m := newAddresses([]byte("key"))
	ip := netip.MustParseAddr("10.1.2.3")
	to := m.replace(ip).As4()
	mac := [6]byte{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	macTo := m.mac(mac, false)
	for _, tt := range []struct{ in, want netip.Addr }{
		{netip.MustParseAddr("::ffff:10.1.2.3"), netip.AddrFrom16(netip.AddrFrom4(to).As16())},
		{netip.MustParseAddr("64:ff9b::a01:203"), netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 12: to[0], to[1], to[2], to[3]})},
		{
			netip.MustParseAddr("fe80::5054:ff:fe12:3456%eth0"),
			netip.AddrFrom16([16]byte{0xfe, 0x80, 8: macTo[0] ^ 2, macTo[1], macTo[2], 0xff, 0xfe, macTo[3], macTo[4], macTo[5]}).WithZone("eth0"),
		},
	} {
		if got := m.replace(tt.in); got != tt.want {
			t.Errorf("%v became %v, want %v", tt.in, got, tt.want)
		}
		if got := m.restore(m.replace(tt.in)); got != tt.in {
			t.Errorf("%v came back as %v", tt.in, got)
		}
	}
	for _, first := range [][2]byte{{0x02, 0x42}, {0x0a, 0x58}} {
		got := m.mac([6]byte{first[0], first[1], 10, 1, 2, 3}, false)
		if want := [6]byte{first[0], first[1], to[0], to[1], to[2], to[3]}; got != want {
			t.Errorf("%x: %x, want %x", first, got, want)
		}
	}
	// The solicited-node group, and its hardware address, follow an address that is known.
	m.seen[netip.MustParseAddr("fe80::5054:ff:fe12:3456")] = true
	m.settle()
	group := m.replace(netip.MustParseAddr("ff02::1:ff12:3456")).As16()
	if [3]byte(group[13:]) != [3]byte(macTo[3:]) {
		t.Errorf("the group of %x became %x", macTo, group)
	}
	if got := m.mac([6]byte{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}, false); [3]byte(got[3:]) != [3]byte(macTo[3:]) {
		t.Errorf("the group's hardware address became %x", got)
	}
}

func TestHardwareAddresses(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	m := newAddresses([]byte("key"))
	seen := map[[6]byte]bool{}
	for range 2000 {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], random.Uint64())
		a := [6]byte(b[:6])
		to := m.mac(a, false)
		if back := m.mac(to, true); back != a {
			t.Fatalf("%x became %x, and that %x", a, to, back)
		}
		if to[0]&3 != a[0]&3 {
			t.Errorf("%x became %x: not the same kind", a, to)
		}
		if a[0]&1 == 0 && seen[to] {
			t.Errorf("%x is two", to)
		}
		seen[to] = true
	}
	for _, stays := range [][6]byte{{}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0xee, 0xee, 0xee, 0xee, 0xee, 0xee}, {1, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 1}} {
		if got := m.mac(stays, false); got != stays {
			t.Errorf("%x became %x", stays, got)
		}
	}
}
