package redact

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"maps"
	"net/netip"
	"slices"
)

// addresses replaces addresses so that two of them share as many leading bits after it as before (the property of
// Crypto-PAn: Xu, Fan, Ammar, Moon, "Prefix-Preserving IP Address Anonymization", ICNP 2002): each bit is flipped or not by
// a keyed function of the bits before it. What the network or a rule gives a meaning to is held still by not flipping
// there, which keeps the property:
//
//   - ranges with a meaning of their own stay (loopback, link-local, multicast, unspecified), and so does in which of the
//     private and shared ranges an address is, or that it is in none;
//   - a prefix's first address stays the first and its last the last: networks, broadcast addresses, flannel's tunnel ends;
//   - the order within a range "a-b" stays;
//   - the last 8 bits of IPv4 and 16 of IPv6 stay: ".1" is a gateway's.
type addresses struct {
	key   []byte
	block cipher.Block
	// prefixes are those that occur, ranges the smallest prefixes around ranges.
	prefixes, ranges map[netip.Prefix]bool
	// long are the /64 that have a longer prefix in them: their interface identifiers are no hardware addresses.
	long map[netip.Prefix]bool
	done map[netip.Addr]netip.Addr
	// seen are all addresses that occur.
	seen map[netip.Addr]bool
	// groups are the last 24 bits of IPv6 addresses, of which solicited-node groups are made (RFC 4291, 2.7.1).
	groups map[[3]byte][3]byte
}

func newAddresses(key []byte) *addresses {
	m := &addresses{
		prefixes: map[netip.Prefix]bool{}, ranges: map[netip.Prefix]bool{}, long: map[netip.Prefix]bool{}, seen: map[netip.Addr]bool{},
	}
	m.rekey(key)
	return m
}

// rekey starts anew with another key, and what was noted.
func (m *addresses) rekey(key []byte) {
	m.key = bytes.Clone(key)
	block, err := aes.NewCipher(m.sum("addresses", nil)[:16])
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	m.block = block
	m.done, m.groups = map[netip.Addr]netip.Addr{}, map[[3]byte][3]byte{}
}

var (
	// kept are the ranges whose addresses stay (RFC 6890): none of them tells whose network it is.
	kept = prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "ff00::/8")
	// classes are the ranges that an address stays in, or outside of. Those within the first bits of IPv6 are in them.
	classes = prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"100.64.0.0/10", "198.18.0.0/15", "192.0.0.0/24", "2000::/3", "fd00::/8", "fc00::/8", "ff00::/8", "fe80::/64", "64:ff9b::/96", "::/96")
	stillBits = ancestors(classes)
)

const (
	lastBits4 = 8
	lastBits6 = 16
)

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// ancestors are the prefixes below which one of the list is: the bit after them is not flipped.
func ancestors(list []netip.Prefix) map[netip.Prefix]bool {
	still := map[netip.Prefix]bool{}
	for _, p := range list {
		for n := range p.Bits() {
			still[netip.PrefixFrom(p.Addr(), n).Masked()] = true
		}
	}
	return still
}

func isKept(a netip.Addr) bool {
	for _, p := range kept {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// isClass says whether a prefix is a whole range, or more: its first address has no meaning of its own.
func isClass(p netip.Prefix) bool {
	for _, c := range classes {
		if c.Addr().Is4() == p.Addr().Is4() && p.Bits() <= c.Bits() && p.Contains(c.Addr()) {
			return true
		}
	}
	return p.Bits() == 0
}

// notePrefix tells of a prefix before any address is replaced.
func (m *addresses) notePrefix(p netip.Prefix) {
	p = p.Masked()
	if !p.IsValid() || isClass(p) || p.IsSingleIP() {
		return
	}
	m.prefixes[p] = true
	if p.Addr().Is6() && p.Bits() > 64 {
		m.long[netip.PrefixFrom(p.Addr(), 64).Masked()] = true
	}
}

// noteRange tells of a range "from-to" before any address is replaced.
func (m *addresses) noteRange(from, to netip.Addr) {
	if from.BitLen() != to.BitLen() || to.Less(from) {
		return
	}
	n := 0
	for n < from.BitLen() && bit(from, n) == bit(to, n) {
		n++
	}
	m.ranges[netip.PrefixFrom(from, n).Masked()] = true
}

func bit(a netip.Addr, n int) bool {
	b := a.As16()
	if a.Is4() {
		n += 96
	}
	return b[n/8]>>(7-n%8)&1 == 1
}

func flipped(a netip.Addr, n int) netip.Addr {
	b := a.As16()
	at := n
	if a.Is4() {
		at += 96
	}
	b[at/8] ^= 1 << (7 - at%8)
	if a.Is4() {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.AddrFrom16(b)
}

// replace is what stands for an address.
func (m *addresses) replace(a netip.Addr) netip.Addr {
	if to, ok := m.done[a]; ok {
		return to
	}
	to := m.compute(a, false)
	m.done[a] = to
	return to
}

// restore is the address that another stands for.
func (m *addresses) restore(a netip.Addr) netip.Addr { return m.compute(a, true) }

func (m *addresses) compute(a netip.Addr, back bool) netip.Addr {
	zone := a.Zone()
	a = a.WithZone("")
	if to, ok := m.embedded(a, back); ok {
		return to.WithZone(zone)
	}
	if isKept(a) {
		return a.WithZone(zone)
	}
	bits, end := a.BitLen(), a.BitLen()-lastBits4
	if a.Is6() {
		end = bits - lastBits6
	}
	id := a.As16()
	hardware := a.Is6() && id[11] == 0xff && id[12] == 0xfe
	from, to := a, a // the bits before n are those of the address and of what stands for it
	zeros, ones := false, false
	for n := 0; n < end; n++ {
		before := netip.PrefixFrom(from, n).Masked()
		if n == 64 && m.long[before] {
			hardware = false
		}
		if hardware && n == 64 || m.ranges[before] {
			break
		}
		if m.prefixes[before] || n == 64 {
			zeros, ones = true, true
		}
		if !stillBits[before] && !zeros && !ones && m.flips(before) {
			if back {
				from = flipped(from, n)
			} else {
				to = flipped(to, n)
			}
		}
		set := bit(from, n)
		zeros, ones = zeros && !set, ones && set
	}
	if back {
		to = from
	}
	if hardware {
		to = m.hardwareID(to, back)
	}
	return to.WithZone(zone)
}

// flips is the keyed function: whether the bit after a prefix is flipped.
func (m *addresses) flips(before netip.Prefix) bool {
	block := before.Addr().As16()
	m.block.Encrypt(block[:], block[:])
	block[0] ^= byte(before.Bits())
	if before.Addr().Is4() {
		block[1] ^= 4
	}
	m.block.Encrypt(block[:], block[:])
	return block[0]&1 == 1
}

// embedded is what stands for an IPv6 address that is made of another address.
func (m *addresses) embedded(a netip.Addr, back bool) (netip.Addr, bool) {
	if a.Is4() {
		return a, false
	}
	b := a.As16()
	switch {
	case a.Is4In6(): // ::ffff:0:0/96
	case b[0] == 0 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b && [8]byte(b[4:12]) == [8]byte{}: // 64:ff9b::/96, RFC 6052
	case b[0] == 0xff && b[1] == 2 && b[11] == 1 && b[12] == 0xff: // ff02::1:ff00:0/104
		group := m.group([3]byte(b[13:]), back)
		copy(b[13:], group[:])
		return netip.AddrFrom16(b), true
	default:
		return a, false
	}
	inner := m.compute(netip.AddrFrom4([4]byte(b[12:])), back).As4()
	copy(b[12:], inner[:])
	return netip.AddrFrom16(b), true
}

// hardwareID replaces the hardware address in an interface identifier (RFC 4291, appendix A).
func (m *addresses) hardwareID(a netip.Addr, back bool) netip.Addr {
	b := a.As16()
	mac := m.mac([6]byte{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}, back)
	copy(b[8:], []byte{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
	return netip.AddrFrom16(b)
}

// clashes counts the addresses that would stay what they are or become one that occurs, and those that would come to lie in
// a network that occurs: what is right and looks wrong.
func (m *addresses) clashes() (same, within int) {
	lengths := map[int]bool{}
	for p := range m.prefixes {
		lengths[p.Bits()] = true
	}
	for a := range m.seen {
		if _, ok := m.embedded(a, false); ok || isKept(a) {
			continue
		}
		to := m.replace(a)
		if m.seen[to] {
			same++
			continue
		}
		for n := range lengths {
			if n <= to.BitLen() && m.prefixes[netip.PrefixFrom(to, n).Masked()] {
				within++
				break
			}
		}
	}
	return same, within
}

// settle makes what is made of all addresses: the solicited-node groups.
func (m *addresses) settle() {
	for _, a := range slices.SortedFunc(maps.Keys(m.seen), netip.Addr.Compare) {
		if a.Is6() && !a.Is4In6() && !a.IsMulticast() {
			from, to := a.As16(), m.replace(a).As16()
			m.groups[[3]byte(from[13:])] = [3]byte(to[13:])
		}
	}
}

// group is what stands for the last 24 bits of a solicited-node group.
func (m *addresses) group(g [3]byte, back bool) [3]byte {
	if back {
		for from, to := range m.groups {
			if to == g {
				return from
			}
		}
		return g
	}
	to, ok := m.groups[g]
	if !ok {
		// Of an address that was not collected. The last 16 bits stay, as the address's would.
		sum := m.sum("group", g[:1])
		to = [3]byte{sum[0], g[1], g[2]}
		m.groups[g] = to
	}
	return to
}

// prefix is what stands for a prefix: the network's bits are replaced, those below it are as they were.
func (m *addresses) prefix(p netip.Prefix) netip.Prefix {
	to := netip.PrefixFrom(m.replace(p.Addr()), p.Bits())
	if p == p.Masked() {
		return to.Masked()
	}
	return to
}

// mac is what stands for a hardware address. Group addresses and such as have no vendor stay; whether it is globally unique
// stays; of those that are made of an IPv4 address (Docker's 02:42, the CNI plugins' and OVN's 0a:58) that is replaced.
func (m *addresses) mac(a [6]byte, back bool) [6]byte {
	switch {
	case a == [6]byte{}, a == [6]byte{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}: // Calico's
		return a
	case a[0] == 0x33 && a[1] == 0x33 && a[2] == 0xff:
		group := m.group([3]byte(a[3:]), back)
		copy(a[3:], group[:])
		return a
	case a[0]&1 == 1:
		return a
	case a[0] == 0x02 && a[1] == 0x42, a[0] == 0x0a && a[1] == 0x58:
		inner := m.compute(netip.AddrFrom4([4]byte(a[2:])), back).As4()
		copy(a[2:], inner[:])
		return a
	}
	// What came out as one of those made of an address would be taken for one: it goes round again, which has an inverse too.
	for {
		if a = m.shuffled(a, back); !(a[0] == 0x02 && a[1] == 0x42 || a[0] == 0x0a && a[1] == 0x58) {
			return a
		}
	}
}

// shuffled is a Feistel network of an address's halves: it has an inverse, so that no two become one. The two lowest bits of
// the first byte (group, locally administered) are not changed.
func (m *addresses) shuffled(a [6]byte, back bool) [6]byte {
	left, right := [3]byte(a[:3]), [3]byte(a[3:])
	const rounds = 4
	for i := range rounds {
		n := i
		if back {
			n = rounds - 1 - i
		}
		of, to := &right, &left
		if n%2 == 1 {
			of, to = &left, &right
		}
		sum := m.sum("mac", []byte{byte(n), of[0], of[1], of[2], a[0] & 3})
		if n%2 == 0 {
			sum[0] &^= 3
		}
		for i := range to {
			to[i] ^= sum[i]
		}
	}
	return [6]byte{left[0], left[1], left[2], right[0], right[1], right[2]}
}

// sum is the keyed function of texts.
func (m *addresses) sum(purpose string, of []byte) []byte {
	h := hmac.New(sha256.New, m.key)
	h.Write([]byte("netcause " + purpose + "\x00"))
	h.Write(of)
	return h.Sum(nil)
}
