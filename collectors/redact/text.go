package redact

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// sweeper replaces in texts what is to be replaced, and counts it.
type sweeper struct {
	names     *names     // nil: they stay
	addresses *addresses // nil: they stay
	// back puts back what was replaced.
	back *restorer
	// noting: nothing is replaced yet, addresses are noted.
	noting bool
	counts counts
}

type counts struct{ secrets, names, addresses, macs int }

// style is what a text is.
type style int

const (
	plain style = iota
	// naming: the text is a name, so that a word of the vocabulary is one too.
	naming
	// rules are what iptables-save, ipset save and nft write: options and keywords are no names.
	rules
	// jsonRules are what nft -j writes: keys are no names.
	jsonRules
)

// text replaces names and addresses in a text.
func (s *sweeper) text(in string, is style) string {
	if s.noting {
		s.noteRanges(in)
	}
	var b strings.Builder
	done := 0 // of in, in b
	put := func(from, to int, text string) {
		b.WriteString(in[done:from])
		b.WriteString(text)
		done = to
	}
	for i := 0; i < len(in); {
		c := in[i]
		switch {
		case c == '\\' && i+1 < len(in):
			i += 2 // an escaped line end before a word
			continue
		case !isAlnum(c) && c != ':':
			i++
			continue
		}
		if n, to := s.addressAt(in, i); n > 0 {
			if to != in[i:i+n] {
				put(i, i+n, to)
			}
			i += n
			continue
		}
		if c == ':' {
			i++
			continue
		}
		end := wordEnd(in, i)
		if s.noting {
			s.inner(in[i:end])
		} else if to := s.word(in, i, end, is); to != in[i:end] {
			put(i, end, to)
		}
		i = end
	}
	if done == 0 {
		return s.words(in)
	}
	b.WriteString(in[done:])
	return s.words(b.String())
}

func (s *sweeper) words(text string) string {
	if s.names == nil || s.noting {
		return text
	}
	text, n := s.names.replaceWords(text)
	s.counts.names += n
	return text
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf
}

// wordEnd is where the word at i ends: letters, digits, and dots, dashes and underscores between them.
func wordEnd(in string, i int) int {
	end := i
	for end < len(in) && (isAlnum(in[end]) || in[end] == '.' || in[end] == '-' || in[end] == '_') {
		end++
	}
	for !isAlnum(in[end-1]) {
		end--
	}
	return end
}

// word replaces one word.
func (s *sweeper) word(in string, i, end int, is style) string {
	word := in[i:end]
	if s.back != nil {
		return s.back.word(word)
	}
	word = s.inner(word)
	if s.names == nil || isKeyword(in, i, end, is) {
		return word
	}
	switch {
	case strings.HasSuffix(in[:i], "/home/"), strings.HasSuffix(in[:i], "/Users/"),
		end+1 < len(in) && in[end] == '@' && isAlnum(in[end+1]) && s.names.isDomain(in[end+1:wordEnd(in, end+1)]):
		s.counts.names++
		return s.names.user(word)
	case len(word) == 16 && strings.HasSuffix(in[:i], "cali:"):
		s.counts.names++
		return s.names.hashed(word, base64.RawURLEncoding.EncodeToString)
	}
	named := is == naming || isNamed(in, i, end)
	to, n := s.names.replace(word, named)
	s.counts.names += n
	return to
}

// isNamed says whether something is named by its place: "shop/web:http" in comments, "-n shop web -o yaml" and "netns exec
// cni-web" in sources.
func isNamed(in string, i, end int) bool {
	before, after := in[:i], in[end:]
	return strings.HasSuffix(before, "/") || strings.HasPrefix(after, "/") || strings.HasPrefix(after, " -o yaml") ||
		strings.HasSuffix(before, " -n ") || strings.HasSuffix(before, "netns exec ")
}

// isKeyword says whether a word is a keyword of a listing by its place.
func isKeyword(in string, i, end int, is style) bool {
	switch is {
	case rules:
		return i > 1 && in[i-1] == '-' && (in[i-2] == '-' || in[i-2] == ' ') || i == 1 && in[0] == '-'
	case jsonRules:
		return i > 0 && in[i-1] == '"' && end+1 < len(in) && in[end] == '"' && in[end+1] == ':'
	case plain:
		return i > 1 && in[i-1] == '-' && in[i-2] == '-' && (i == 2 || !isAlnum(in[i-3]))
	}
	return false
}

// inner replaces the addresses within a word: after a dash or an underscore, and with dashes for dots.
func (s *sweeper) inner(word string) string {
	if s.addresses == nil || strings.Count(word, ".")+strings.Count(word, "-") < 3 {
		return word
	}
	for i := 0; i < len(word); i++ {
		if i > 0 && word[i-1] != '-' && word[i-1] != '_' || word[i] < '0' || word[i] > '9' {
			continue
		}
		if n, to := s.addressAt(word, i); n > 0 {
			word = word[:i] + to + word[i+n:]
			i += len(to) - 1
			continue
		}
		n, a := dashed(word[i:])
		if n == 0 || !s.noting && !s.addresses.seen[a] && !strings.HasSuffix(word[:i], "ip-") {
			continue
		}
		if s.noting {
			if strings.HasSuffix(word[:i], "ip-") {
				s.addresses.seen[a] = true
			}
			continue
		}
		to := strings.ReplaceAll(s.address(a).String(), ".", "-")
		word = word[:i] + to + word[i+n:]
		i += len(to) - 1
	}
	return word
}

// dashed is an IPv4 address with dashes for dots, as in names that clouds and DNS make of addresses.
func dashed(text string) (int, netip.Addr) {
	end, dashes := 0, 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '-' && dashes < 4) {
		if text[end] == '-' {
			if dashes++; dashes == 4 {
				break
			}
		}
		end++
	}
	if dashes < 3 || end < len(text) && isAlnum(text[end]) {
		return 0, netip.Addr{}
	}
	a, err := netip.ParseAddr(strings.ReplaceAll(text[:end], "-", "."))
	if err != nil {
		return 0, netip.Addr{}
	}
	return end, a
}

// addressAt replaces the address at i, if there is one, and says how long it was.
func (s *sweeper) addressAt(in string, i int) (int, string) {
	if s.addresses == nil || i > 0 && (isAlnum(in[i-1]) || in[i-1] == '.' || in[i-1] == ':' && in[i] == ':') {
		return 0, ""
	}
	end, dots, colons := i, 0, 0
	for ; end < len(in) && end-i < 64 && (isHex(in[end]) || in[end] == '.' || in[end] == ':'); end++ {
		switch in[end] {
		case '.':
			dots++
		case ':':
			colons++
		}
	}
	if end < len(in) && isAlnum(in[end]) && colons < 2 {
		return 0, ""
	}
	if dots >= 3 && in[i] != ':' {
		if n, to := s.ip4At(in, i); n > 0 {
			return n, to
		}
	}
	if colons < 2 {
		return 0, ""
	}
	if n, to := s.macAt(in, i); n > 0 {
		return n, to
	}
	return s.ip6At(in, i, end)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (s *sweeper) ip4At(in string, i int) (int, string) {
	end, dots := i, 0
	for end < len(in) && (in[end] >= '0' && in[end] <= '9' || in[end] == '.' && dots < 4) {
		if in[end] == '.' {
			if dots++; dots == 4 || end+1 == len(in) || in[end+1] < '0' || in[end+1] > '9' {
				break
			}
		}
		end++
	}
	if dots < 3 || end-i > 15 || end < len(in) && (isAlnum(in[end]) || in[end] == '.' && end+1 < len(in) && isAlnum(in[end+1])) {
		return 0, ""
	}
	a, err := netip.ParseAddr(in[i:end])
	if err != nil {
		return 0, ""
	}
	return s.withLength(in, i, end, a)
}

// withLength replaces an address, and takes the length of a prefix, or its mask, that follows.
func (s *sweeper) withLength(in string, i, end int, a netip.Addr) (int, string) {
	if s.noting && end < len(in) && in[end] == '-' {
		to := end + 1
		for to < len(in) && (isHex(in[to]) || in[to] == '.' || in[to] == ':') {
			to++
		}
		s.noteRange(in[i:end], strings.TrimRight(in[end+1:to], ".:"))
	}
	if end < len(in) && in[end] == '/' {
		digits := end + 1
		for digits < len(in) && (in[digits] >= '0' && in[digits] <= '9' || in[digits] == '.') {
			digits++
		}
		text := in[end+1 : digits]
		if n, ok := length(text, a); ok && (digits == len(in) || !isAlnum(in[digits])) {
			return digits - i, s.prefix(netip.PrefixFrom(a, n)).Addr().String() + "/" + text
		}
	}
	return end - i, s.address(a).String()
}

// length is a prefix length, written as a number or as a mask.
func length(text string, a netip.Addr) (int, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return n, n >= 0 && n <= a.BitLen()
	}
	mask, err := netip.ParseAddr(text)
	if err != nil || !mask.Is4() || !a.Is4() {
		return 0, false
	}
	n := 0
	for n < 32 && bit(mask, n) {
		n++
	}
	return n, netip.PrefixFrom(netip.MustParseAddr("255.255.255.255"), n).Masked().Addr() == mask
}

// macAt replaces a hardware address: 6 bytes of 2 digits with colons, of InfiniBand 20 or 8.
func (s *sweeper) macAt(in string, i int) (int, string) {
	n := 0
	end := i
	for end+2 <= len(in) && isHex(in[end]) && isHex(in[end+1]) && (end+2 == len(in) || in[end+2] == ':' || !isAlnum(in[end+2])) {
		n++
		end += 2
		if end+2 < len(in) && in[end] == ':' && isHex(in[end+1]) {
			end++
			continue
		}
		break
	}
	if n != 6 && n != 8 && n != 20 || end < len(in) && (isAlnum(in[end]) || in[end] == ':' && end+1 < len(in) && (isHex(in[end+1]) || in[end+1] == ':')) {
		return 0, ""
	}
	if s.noting {
		return end - i, in[i:end]
	}
	raw := make([]byte, n)
	for j := range raw {
		b, _ := strconv.ParseUint(in[i+3*j:i+3*j+2], 16, 8)
		raw[j] = byte(b)
	}
	// What is longer has the port's 6 or 8 bytes at its end (RFC 4391, section 9.1.1).
	mac := s.addresses.mac([6]byte(raw[n-6:]), s.back != nil)
	if [6]byte(raw[n-6:]) != mac {
		s.counts.macs++
	}
	copy(raw[n-6:], mac[:])
	upper := strings.ToUpper(in[i:end]) == in[i:end] && strings.ToLower(in[i:end]) != in[i:end]
	var b strings.Builder
	const lower, capitals = "0123456789abcdef", "0123456789ABCDEF"
	digits := lower
	if upper {
		digits = capitals
	}
	for j, c := range raw {
		if j > 0 {
			b.WriteByte(':')
		}
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return end - i, b.String()
}

func (s *sweeper) ip6At(in string, i, end int) (int, string) {
	for end > i {
		if a, err := netip.ParseAddr(in[i:end]); err == nil && a.Is6() {
			if end < len(in) && isAlnum(in[end]) {
				return 0, ""
			}
			return s.withLength(in, i, end, a)
		}
		// "2001:db8::1: message", "2001:db8::1."
		if c := in[end-1]; c != ':' && c != '.' {
			break
		}
		end--
	}
	return 0, ""
}

// address replaces one.
func (s *sweeper) address(a netip.Addr) netip.Addr {
	if s.noting {
		s.addresses.seen[a.WithZone("")] = true
		return a
	}
	if s.back != nil {
		return s.addresses.restore(a)
	}
	to := s.addresses.replace(a)
	if to != a {
		s.counts.addresses++
	}
	return to
}

// prefix replaces one.
func (s *sweeper) prefix(p netip.Prefix) netip.Prefix {
	if s.noting {
		s.addresses.notePrefix(p)
		if !isClass(p.Masked()) || p != p.Masked() {
			s.addresses.seen[p.Addr()] = true
		}
		return p
	}
	if s.back != nil {
		a := s.addresses.restore(p.Addr())
		if p == p.Masked() {
			return netip.PrefixFrom(a, p.Bits()).Masked()
		}
		return netip.PrefixFrom(a, p.Bits())
	}
	to := s.addresses.prefix(p)
	if to != p {
		s.counts.addresses++
	}
	return to
}

var (
	// jsonRange and jsonPrefix are a range and a prefix as nft -j writes them.
	jsonRange  = regexp.MustCompile(`"range":\s*\[\s*"([0-9a-fA-F:.]+)",\s*"([0-9a-fA-F:.]+)"`)
	jsonPrefix = regexp.MustCompile(`"addr":\s*"([0-9a-fA-F:.]+)",\s*"len":\s*(\d+)`)
)

// noteRanges notes what of nft's JSON only means something as two.
func (s *sweeper) noteRanges(text string) {
	if strings.Contains(text, `"len"`) {
		for _, m := range jsonPrefix.FindAllStringSubmatch(text, -1) {
			a, err := netip.ParseAddr(m[1])
			if bits, _ := strconv.Atoi(m[2]); err == nil && bits <= a.BitLen() {
				s.addresses.notePrefix(netip.PrefixFrom(a, bits))
			}
		}
	}
	if strings.Contains(text, `"range"`) {
		for _, m := range jsonRange.FindAllStringSubmatch(text, -1) {
			s.noteRange(m[1], m[2])
		}
	}
}

func (s *sweeper) noteRange(from, to string) {
	a, err := netip.ParseAddr(from)
	b, err2 := netip.ParseAddr(to)
	if err == nil && err2 == nil {
		s.addresses.noteRange(a, b)
	}
}

var (
	hexAddress = regexp.MustCompile(`\b[0-9A-F]{8}:[0-9A-F]{4}\b`)
	certPEM    = regexp.MustCompile(`(?s)(-----BEGIN (?:TRUSTED )?CERTIFICATE-----\n?)(.*?)(-----END|$)`)
	certBase64 = regexp.MustCompile(`LS0tLS1CRUdJTi[A-Za-z0-9+/=]+`)
)

// ipvs replaces the addresses of /proc/net/ip_vs, which are hexadecimal.
func (s *sweeper) ipvs(text string) string {
	if s.addresses == nil {
		return text
	}
	return hexAddress.ReplaceAllStringFunc(text, func(m string) string {
		n, _ := strconv.ParseUint(m[:8], 16, 32)
		a := s.address(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})).As4()
		return fmt.Sprintf("%X", a) + m[8:]
	})
}

// certificates takes out certificates: their subjects are names.
func certificates(text []byte, mask string) []byte {
	if bytes.Contains(text, []byte("CERTIFICATE-----")) {
		text = certPEM.ReplaceAll(text, []byte("${1}"+mask+"\n${3}"))
	}
	if bytes.Contains(text, []byte("LS0tLS1CRUdJTi")) {
		text = certBase64.ReplaceAll(text, []byte(mask))
	}
	return text
}
