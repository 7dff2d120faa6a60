package node

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// maxListeners bounds the listeners of one protocol and family.
const maxListeners = 100_000

// socket is a listener with what finds its process.
type socket struct {
	facts.Listener
	inode uint64
}

// socketKind is a protocol of a family.
type socketKind struct {
	family, protocol uint8
	// proc is its file in /proc/net.
	proc string
	part kernelPart
	// states are those wanted, as bits: TCP_LISTEN, and for UDP TCP_CLOSE, which is "not connected".
	states uint32
}

const (
	tcpClose  = 7
	tcpListen = 10
)

var socketKinds = []socketKind{
	{unix.AF_INET, unix.IPPROTO_TCP, "tcp", partTCPDiag, 1 << tcpListen},
	{unix.AF_INET6, unix.IPPROTO_TCP, "tcp6", partTCPDiag, 1 << tcpListen},
	{unix.AF_INET, unix.IPPROTO_UDP, "udp", partUDPDiag, 1 << tcpClose},
	{unix.AF_INET6, unix.IPPROTO_UDP, "udp6", partUDPDiag, 1 << tcpClose},
}

// listeners reads the sockets that take connections and datagrams in the calling thread's namespace. sock_diag has all
// that is asked; /proc/net/tcp and its kin, which any kernel has, lack the accept queue's limit, v6only and the device.
func (c *conn) listeners(n *netns, d devices, modules *kernelModules, owners *socketOwners) ([]facts.Listener, error) {
	all := []facts.Listener{}
	var part *incomplete
	var reasons []string
	for _, kind := range socketKinds {
		var sockets []socket
		var err error
		if modules.has(kind.part) == present {
			sockets, err = c.diagSockets(d, kind)
		} else {
			sockets, err = procSockets(kind)
			reasons = append(reasons, fmt.Sprintf("%s: from /proc/net/%s, without the accept queue's limit, v6only and the device: %s is not loaded",
				kind.proc, kind.proc, kind.part.module))
		}
		switch {
		case errors.As(err, &part):
			reasons = append(reasons, part.reason)
		case err != nil:
			return nil, fmt.Errorf("read the sockets of %s: %w", kind.proc, err)
		}
		for _, s := range sockets {
			l := s.Listener
			l.Proto, l.Family = ipProtocolName(kind.protocol), familyName(kind.family)
			l.Source = n.source("ss -ln%sp", l.Proto[:1])
			if p, ok := owners.of(s.inode); ok {
				l.PID, l.Process = p.pid, p.comm
			}
			all = append(all, l)
		}
	}
	if len(all) > 0 && owners.reason != "" {
		reasons = append(reasons, owners.reason)
	}
	if len(reasons) > 0 {
		return all, &incomplete{strings.Join(reasons, "; ")}
	}
	return all, nil
}

// Of include/uapi/linux/sock_diag.h and inet_diag.h.
const (
	sockDiagByFamily   = 20
	inetDiagSkv6only   = 11
	sizeofInetDiagReq  = 56
	sizeofInetDiagMsg  = 72
	inetDiagSportStart = 4
)

// inetDiagRequest is struct inet_diag_req_v2 that names no socket.
type inetDiagRequest socketKind

func (r inetDiagRequest) Len() int { return sizeofInetDiagReq }

func (r inetDiagRequest) Serialize() []byte {
	b := make([]byte, sizeofInetDiagReq)
	b[0], b[1] = r.family, r.protocol
	binary.NativeEndian.PutUint32(b[4:], r.states)
	return b
}

func (c *conn) diagSockets(d devices, kind socketKind) ([]socket, error) {
	if err := c.add(unix.NETLINK_INET_DIAG); err != nil {
		return nil, err
	}
	return consistent(func() ([]socket, error) {
		var sockets []socket
		var bad error
		full := false
		err := c.dump(unix.NETLINK_INET_DIAG, sockDiagByFamily, 0, inetDiagRequest(kind), func(msg []byte) bool {
			if len(sockets) == maxListeners {
				full = true
				return false
			}
			s, ok, err := d.decodeSocket(kind, msg)
			switch {
			case err != nil:
				bad = err
			case ok:
				sockets = append(sockets, s)
			}
			return true
		})
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EAFNOSUPPORT):
			return nil, nil // a family that the kernel does not have, such as IPv6
		case err != nil:
			return sockets, err
		case bad != nil:
			return sockets, &incomplete{bad.Error()}
		case full:
			return sockets, &incomplete{fmt.Sprintf("the first %d listeners of %s only", maxListeners, kind.proc)}
		}
		return sockets, nil
	})
}

// decodeSocket decodes struct inet_diag_msg.
func (d devices) decodeSocket(kind socketKind, msg []byte) (socket, bool, error) {
	attrs, err := attributes(msg, sizeofInetDiagMsg)
	if err != nil {
		return socket{}, false, err
	}
	family, state := msg[0], msg[1]
	if family != kind.family || kind.states&(1<<(state&31)) == 0 {
		return socket{}, false, nil
	}
	size := 4
	if family == unix.AF_INET6 {
		size = 16
	}
	s := socket{
		Listener: facts.Listener{
			Port:  int(binary.BigEndian.Uint16(msg[inetDiagSportStart:])),
			Local: rawAddress(msg[8 : 8+size]),
			Dev:   d.name(int(number(msg[40:44]))),
			RecvQ: int(number(msg[56:60])),
			SendQ: int(number(msg[60:64])),
			UID:   int(number(msg[64:68])),
		},
		inode: number(msg[68:72]),
	}
	for _, a := range attrs {
		if a.kind == inetDiagSkv6only {
			s.V6Only = number(a.value) != 0
		}
	}
	return s, s.Port != 0, nil
}

func procSockets(kind socketKind) ([]socket, error) {
	text, err := readBounded("/proc/thread-self/net/"+kind.proc, 256<<20)
	if errors.Is(err, os.ErrNotExist) && kind.family == unix.AF_INET6 {
		return nil, nil // no IPv6
	}
	if err != nil {
		return nil, err
	}
	return parseProcSockets(string(text), kind.states)
}

// parseProcSockets reads the lines of /proc/net/tcp, udp and their IPv6 twins whose state is one of states. An address
// is 32-bit words in the machine's order; the rest is in the order of print (get_tcp4_sock of net/ipv4/tcp_ipv4.c):
//
//	sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt   uid  timeout inode
func parseProcSockets(text string, states uint32) ([]socket, error) {
	var sockets []socket
	first := true
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if first || len(f) == 0 {
			first = false
			continue
		}
		if len(f) < 10 {
			return nil, fmt.Errorf("line of %d fields: %q", len(f), line)
		}
		state, err := strconv.ParseUint(f[3], 16, 8)
		if err != nil {
			return nil, fmt.Errorf("socket state: %w", err)
		}
		if state > 31 || states&(1<<state) == 0 {
			continue
		}
		local, err := parseProcAddress(f[1])
		if err != nil {
			return nil, err
		}
		_, rx, _ := strings.Cut(f[4], ":")
		recvQ, err := strconv.ParseUint(rx, 16, 32)
		if err != nil {
			return nil, fmt.Errorf("socket queue: %w", err)
		}
		uid, err := strconv.ParseUint(f[7], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("socket owner: %w", err)
		}
		inode, err := strconv.ParseUint(f[9], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("socket inode: %w", err)
		}
		if local.Port() == 0 {
			continue
		}
		if len(sockets) == maxListeners {
			return sockets, &incomplete{fmt.Sprintf("the first %d listeners only", maxListeners)}
		}
		sockets = append(sockets, socket{
			Listener: facts.Listener{
				Local: local.Addr(), Port: int(local.Port()), RecvQ: int(recvQ), UID: int(uid),
			},
			inode: inode,
		})
	}
	return sockets, nil
}

// parseProcAddress reads "0100007F:0035".
func parseProcAddress(s string) (netip.AddrPort, error) {
	words, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(words)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, fmt.Errorf("socket address %q", s)
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("socket address %q", s)
	}
	return netip.AddrPortFrom(rawAddress(b), uint16(p)), nil
}
