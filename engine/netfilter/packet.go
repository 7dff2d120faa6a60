package netfilter

import (
	"net/netip"
	"strings"
)

// Packet is what rules look at. A zero field is not known, but for those that say otherwise: what depends on it
// is answered both ways, each with its condition.
type Packet struct {
	// Src and Dst tell the family. Without either it is IPv4.
	Src, Dst netip.Addr
	// Proto is tcp, udp, icmp, icmpv6, sctp, … or a number.
	Proto        string
	Sport, Dport uint16
	// ICMPType and ICMPCode of a packet of ICMP are known also when zero (echo reply); -1 is not known.
	ICMPType, ICMPCode int
	TCPFlags           TCPFlags
	// Length is that of the whole packet in bytes, with its IP header, which has no options.
	Length, TTL int
	// Iif and Oif are the interfaces by which it came and will leave. A packet has no Oif at PREROUTING and INPUT and
	// no Iif at OUTPUT; what stands here then does not count.
	Iif, Oif string
	// PhysIn and PhysOut are the ports of the bridge that hands the packet to iptables (br_netfilter). Empty says that
	// none does.
	PhysIn, PhysOut string
	// Mark and Ctmark are the packet's and its connection's; zero is a mark like any other.
	Mark, Ctmark uint32
	// CtState is NEW, ESTABLISHED, RELATED, INVALID or UNTRACKED.
	CtState string
	// CtDNAT and CtSNAT say that the connection is translated; false is known.
	CtDNAT, CtSNAT bool
	// CtDir is ORIGINAL or REPLY; that of a NEW connection is known.
	CtDir string
	// CtOrigSrc and CtOrigDst are the connection's addresses before any translation. Those of a NEW connection that is
	// not translated are known. Ports are zero where the protocol has none.
	CtOrigSrc, CtOrigDst netip.AddrPort
	// UID is the user of the socket that sent the packet; nil is not known, or of a packet from elsewhere none.
	UID *int
	// Fragment says that it is a fragment other than the first; false is known.
	Fragment bool
}

// TCPFlags is the set of flags of a TCP header, as on the wire.
type TCPFlags uint8

// The flags.
const (
	TCPFIN TCPFlags = 1 << iota
	TCPSYN
	TCPRST
	TCPPSH
	TCPACK
	TCPURG
	TCPECE
	TCPCWR
)

// tcpFlagsOf reads a list of names, as "SYN,ACK", in either case; ALL is iptables' six, NONE is none.
func tcpFlagsOf(list string) (TCPFlags, bool) {
	var f TCPFlags
	for name := range strings.SplitSeq(list, ",") {
		switch strings.ToUpper(name) {
		case "FIN":
			f |= TCPFIN
		case "SYN":
			f |= TCPSYN
		case "RST":
			f |= TCPRST
		case "PSH":
			f |= TCPPSH
		case "ACK":
			f |= TCPACK
		case "URG":
			f |= TCPURG
		case "ECE", "ECN":
			f |= TCPECE
		case "CWR":
			f |= TCPCWR
		case "ALL":
			f |= TCPFIN | TCPSYN | TCPRST | TCPPSH | TCPACK | TCPURG
		case "NONE":
		default:
			return 0, false
		}
	}
	return f, true
}

// normalize puts the packet into the spelling that matches compare with.
func (p *Packet) normalize() {
	p.Src, p.Dst = p.Src.Unmap(), p.Dst.Unmap()
	p.Proto = protoName(strings.ToLower(p.Proto))
	p.CtState, p.CtDir = strings.ToUpper(p.CtState), strings.ToUpper(p.CtDir)
	if p.CtState == "NEW" {
		p.CtDir = "ORIGINAL"
		if !p.CtDNAT && !p.CtOrigDst.IsValid() && p.Dst.IsValid() {
			p.CtOrigDst = netip.AddrPortFrom(p.Dst, p.Dport)
		}
		if !p.CtSNAT && !p.CtOrigSrc.IsValid() && p.Src.IsValid() {
			p.CtOrigSrc = netip.AddrPortFrom(p.Src, p.Sport)
		}
	}
}

// family is nft's name of the packet's family.
func (p *Packet) family() string {
	if p.Dst.Is6() || (!p.Dst.IsValid() && p.Src.Is6()) {
		return "ip6"
	}
	return "ip"
}

// hasPorts says whether the packet's protocol has ports; maybe where the protocol is not known.
func (p *Packet) hasPorts() truth {
	switch p.Proto {
	case "tcp", "udp", "sctp", "dccp", "udplite":
		return yes
	case "":
		return maybe
	}
	return no
}
