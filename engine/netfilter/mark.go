package netfilter

import (
	"strconv"
	"strings"
)

// markChange sets the packet's mark, or with conn the connection's, to
// (mark & ofMark) ^ (ctmark & ofConn) ^ value. MARK, CONNMARK and nft's expressions of &, | and ^ all have this form.
type markChange struct {
	conn           bool
	ofMark, ofConn uint32
	value          uint32
	// strict is nft's: without a connection the rule ends, where iptables goes on.
	strict bool
}

func (c *markChange) needsConn() bool { return c.conn || c.ofConn != 0 }

func (c *markChange) apply(p *Packet) {
	v := p.Mark&c.ofMark ^ p.Ctmark&c.ofConn ^ c.value
	if c.conn {
		p.Ctmark = v
	} else {
		p.Mark = v
	}
}

func (c *markChange) and(k uint32) { c.ofMark, c.ofConn, c.value = c.ofMark&k, c.ofConn&k, c.value&k }
func (c *markChange) xor(k uint32) { c.value ^= k }
func (c *markChange) or(k uint32)  { c.and(^k); c.xor(k) }

// markTarget reads the options of MARK and CONNMARK (xt_mark.c, xt_connmark.c; the tool's libxt_MARK.c).
func markTarget(conn bool, options string) (markChange, bool) {
	c := markChange{conn: conn}
	if conn {
		c.ofConn = ^uint32(0)
	} else {
		c.ofMark = ^uint32(0)
	}
	nfmask, ctmask := ^uint32(0), ^uint32(0)
	mode := ""
	words := strings.Fields(options)
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--save-mark" || word == "--restore-mark" {
			mode = word
			continue
		}
		if i++; i >= len(words) {
			return c, false
		}
		m, ok := markMatch(words[i], false)
		if !ok {
			return c, false
		}
		switch word {
		case "--set-xmark":
			c.and(^m.Mask)
			c.xor(m.Value)
		case "--set-mark":
			c.and(^(m.Mask | m.Value))
			c.xor(m.Value)
		case "--and-mark":
			c.and(m.Value)
		case "--or-mark":
			c.or(m.Value)
		case "--xor-mark":
			c.xor(m.Value)
		case "--nfmask":
			nfmask = m.Value
		case "--ctmask":
			ctmask = m.Value
		case "--mask":
			nfmask, ctmask = m.Value, m.Value
		default:
			return c, false
		}
	}
	switch {
	case mode == "":
		return c, len(words) > 0
	case !conn:
		return c, false
	case mode == "--save-mark":
		return markChange{conn: true, ofConn: ^ctmask, ofMark: nfmask}, true
	}
	return markChange{ofMark: ^nfmask, ofConn: ctmask}, true
}

// markWords reads nft's value of a mark: terms of numbers, `meta mark`, `mark` and `ct mark` joined by &, |, ^. nft
// puts brackets only where the order from left to right is not meant.
func markWords(conn bool, words []string) (markChange, bool) {
	c := markChange{conn: conn, strict: true}
	if len(words) > 1 && (words[0] == "meta" || words[0] == "ct") && words[1] == "mark" {
		words[1] = words[0] + " mark"
		words = words[1:]
	}
	if len(words) == 0 || len(words)%2 == 0 {
		return c, false
	}
	switch words[0] {
	case "mark", "meta mark":
		c.ofMark = ^uint32(0)
	case "ct mark":
		c.ofConn = ^uint32(0)
	default:
		n, err := strconv.ParseUint(words[0], 0, 32)
		if err != nil {
			return c, false
		}
		c.value = uint32(n)
	}
	rank := 0
	for i := 1; i < len(words); i += 2 {
		n, err := strconv.ParseUint(words[i+1], 0, 32)
		if err != nil {
			return c, false
		}
		was := rank
		switch k := uint32(n); words[i] {
		case "&", "and":
			rank = 1
			c.and(k)
		case "^", "xor":
			rank = 2
			c.xor(k)
		case "|", "or":
			rank = 3
			c.or(k)
		default:
			return c, false
		}
		if rank < was {
			return c, false // an operator that binds tighter stands behind one that does not
		}
	}
	return c, true
}

// translated puts right what nft makes of iptables' CONNMARK, which it shows without its masks: "and K" stands for both
// masks being K, and nothing for any two others (connmark_tg_xlate, extensions/libxt_CONNMARK.c). False is not known.
func (c *markChange) translated() bool {
	switch {
	case !c.conn && c.ofConn != 0:
		if c.ofConn == ^uint32(0) {
			return false
		}
		c.ofMark = ^c.ofConn
	case c.conn && c.ofMark != 0:
		if c.ofMark == ^uint32(0) {
			return false
		}
		c.ofConn = ^c.ofMark
	}
	return true
}

// ttlChange is the TTL and HL targets.
type ttlChange struct {
	set bool
	n   int
}

func (c ttlChange) apply(p *Packet) {
	switch {
	case c.set:
		p.TTL = c.n
	case p.TTL != 0:
		p.TTL = min(max(p.TTL+c.n, 0), 255)
	}
}

func ttlTarget(options string) (ttlChange, bool) {
	word, value, ok := cutSpace(options)
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if !ok || err != nil {
		return ttlChange{}, false
	}
	switch strings.TrimPrefix(strings.TrimPrefix(word, "--ttl-"), "--hl-") {
	case "set":
		return ttlChange{true, n}, true
	case "inc":
		return ttlChange{false, n}, true
	case "dec":
		return ttlChange{false, -n}, true
	}
	return ttlChange{}, false
}

func cutSpace(s string) (before, after string, found bool) { return strings.Cut(s, " ") }
