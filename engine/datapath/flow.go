package datapath

import "net/netip"

// Flow is what a route lookup looks at: struct flowi4 and flowi6 of include/net/flow.h.
type Flow struct {
	// Src may be invalid for a packet of this machine: the lookup then chooses it.
	Src, Dst netip.Addr
	// Iif is the device that the packet came in by, "lo" for one of this machine (LOOPBACK_IFINDEX).
	Iif string
	// Oif is the device that the sender asked for (SO_BINDTODEVICE), if any.
	Oif  string
	Mark uint32
	TOS  int
	// Proto is "tcp", "udp", "icmp" or another name of /etc/protocols; empty is none, as in a lookup without a packet.
	Proto        string
	Sport, Dport uint16
	// UID is of the sending socket; nil is not known. The kernel takes 0 for what it forwards.
	UID *int
}

func (f Flow) local() bool { return f.Iif == "lo" }
