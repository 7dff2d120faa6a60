package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	vnetns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// netlinkTimeout bounds the wait for the kernel's next part of an answer.
const netlinkTimeout = 10 * time.Second

// dumpTries is how often a dump is asked for that the kernel says has changed meanwhile (NLM_F_DUMP_INTR).
const dumpTries = 3

var errInterrupted = &incomplete{"changed while it was being read: entries may be missing or double"}

// conn talks netlink in one namespace: that of the thread that opened it.
type conn struct {
	// handle is the library's, for what it decodes whole.
	handle *netlink.Handle
	// sockets are for what it does not.
	sockets map[int]*nl.SocketHandle
}

// dial opens a route socket. Others are opened by [conn.add], since opening one may make the kernel load a module.
func dial() (*conn, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	c := &conn{handle: handle, sockets: map[int]*nl.SocketHandle{}}
	if err := handle.SetSocketTimeout(netlinkTimeout); err != nil {
		c.close()
		return nil, fmt.Errorf("set timeout of netlink socket: %w", err)
	}
	if err := c.add(unix.NETLINK_ROUTE); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *conn) add(protocol int) error {
	if c.sockets[protocol] != nil {
		return nil
	}
	s, err := nl.GetNetlinkSocketAt(vnetns.None(), vnetns.None(), protocol)
	if err != nil {
		return fmt.Errorf("open netlink socket of protocol %d: %w", protocol, err)
	}
	timeout := unix.NsecToTimeval(netlinkTimeout.Nanoseconds())
	if err := errors.Join(s.SetSendTimeout(&timeout), s.SetReceiveTimeout(&timeout)); err != nil {
		s.Close()
		return fmt.Errorf("set timeout of netlink socket: %w", err)
	}
	c.sockets[protocol] = &nl.SocketHandle{Socket: s}
	return nil
}

func (c *conn) close() {
	c.handle.Close()
	for _, s := range c.sockets {
		s.Close()
	}
}

// dump asks for a dump once and hands each message without its netlink header to f, until that returns false.
func (c *conn) dump(protocol, request int, resType uint16, header nl.NetlinkRequestData, f func(msg []byte) bool) error {
	req := &nl.NetlinkRequest{
		NlMsghdr: unix.NlMsghdr{
			Len:   uint32(unix.SizeofNlMsghdr),
			Type:  uint16(request),
			Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP,
		},
		Sockets: c.sockets,
	}
	req.AddData(header)
	return req.ExecuteIter(protocol, resType, f)
}

// consistent reads with read until the kernel did not change what it dumped meanwhile, a few times at most.
func consistent[T any](read func() ([]T, error)) ([]T, error) {
	for try := 1; ; try++ {
		list, err := read()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return list, err
		}
		if try == dumpTries {
			return list, errInterrupted
		}
	}
}

// list is a consistent dump of route netlink, decoded. A message that does not decode is left out and counted.
func list[T any](c *conn, what string, request int, resType uint16, header nl.NetlinkRequestData, limit int,
	decode func(msg []byte) (T, bool, error),
) ([]T, error) {
	return consistent(func() ([]T, error) {
		all := []T{}
		var bad error
		var badCount int
		full := false
		err := c.dump(unix.NETLINK_ROUTE, request, resType, header, func(msg []byte) bool {
			if len(all) == limit {
				full = true
				return false
			}
			switch v, ok, err := decode(msg); {
			case err != nil:
				bad = err
				badCount++
			case ok:
				all = append(all, v)
			}
			return true
		})
		switch {
		case err != nil:
			return all, err
		case badCount > 0:
			return all, &incomplete{fmt.Sprintf("%d %s could not be decoded: %v", badCount, what, bad)}
		case full:
			return all, &incomplete{fmt.Sprintf("the first %d %s only", limit, what)}
		}
		return all, nil
	})
}

// ofBothFamilies reads IPv4's and then IPv6's. The first error that leaves nothing to show ends it.
func ofBothFamilies[T any](read func(family uint8) ([]T, error)) ([]T, error) {
	all := []T{}
	var part *incomplete
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		some, err := read(family)
		if err != nil && !errors.As(err, &part) {
			return nil, err
		}
		all = append(all, some...)
	}
	if part != nil {
		return all, part
	}
	return all, nil
}

// attribute is one netlink attribute: struct nlattr and what follows.
type attribute struct {
	// kind is its type without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
	kind  uint16
	value []byte
}

// attributes are those of a netlink message after a header of size bytes.
func attributes(msg []byte, size int) ([]attribute, error) {
	if len(msg) < size {
		return nil, fmt.Errorf("netlink message of %d bytes, shorter than its header of %d", len(msg), size)
	}
	return parseAttributes(msg[size:])
}

// parseAttributes splits a sequence of attributes, each aligned to 4 bytes.
func parseAttributes(b []byte) ([]attribute, error) {
	native := binary.NativeEndian
	var list []attribute
	for len(b) >= unix.SizeofNlAttr {
		size := int(native.Uint16(b))
		if size < unix.SizeofNlAttr || size > len(b) {
			return nil, fmt.Errorf("netlink attribute of %d bytes in %d", size, len(b))
		}
		kind := native.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		list = append(list, attribute{kind, b[unix.SizeofNlAttr:size]})
		b = b[min((size+3)&^3, len(b)):]
	}
	return list, nil
}

// cString is a string attribute without the zero that ends it.
func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// number is the unsigned integer of an attribute in the machine's order, 0 where it has no such size.
func number(b []byte) uint64 {
	switch native := binary.NativeEndian; len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(native.Uint16(b))
	case 4:
		return uint64(native.Uint32(b))
	case 8:
		return native.Uint64(b)
	}
	return 0
}

// address is an IP address in netip's form, invalid for none and for one that is all zeros (netlink's "any").
func address(ip net.IP) netip.Addr {
	a, ok := netip.AddrFromSlice(ip)
	if !ok || a.Unmap().IsUnspecified() {
		return netip.Addr{}
	}
	return a.Unmap()
}

// rawAddress is an attribute's address as it stands: a slice of 4 bytes is IPv4, one of 16 IPv6.
func rawAddress(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}
