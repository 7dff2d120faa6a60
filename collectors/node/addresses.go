package node

import (
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// maxAddresses bounds the addresses of one namespace. IPVS's device has one for each Service.
const maxAddresses = 200_000

func (c *conn) addresses(n *netns, d devices) ([]facts.Address, error) {
	list, err := consistent(func() ([]netlink.Addr, error) { return c.handle.AddrList(nil, netlink.FAMILY_ALL) })
	addresses := make([]facts.Address, 0, len(list))
	for _, a := range list {
		if len(addresses) == maxAddresses {
			return addresses, &incomplete{"the first 200000 addresses only"}
		}
		if a.IPNet != nil {
			addresses = append(addresses, d.address(n, a))
		}
	}
	return addresses, err
}

// addressFlags are the IFA_F_ bits (include/uapi/linux/if_addr.h) but for permanent, in the order of iproute2's
// ifa_flag_data. IPv6 calls secondary temporary.
var addressFlags = []struct {
	bit  int
	name string
}{
	{unix.IFA_F_SECONDARY, "secondary"},
	{unix.IFA_F_NODAD, "nodad"},
	{unix.IFA_F_OPTIMISTIC, "optimistic"},
	{unix.IFA_F_DADFAILED, "dadfailed"},
	{unix.IFA_F_HOMEADDRESS, "home"},
	{unix.IFA_F_DEPRECATED, "deprecated"},
	{unix.IFA_F_TENTATIVE, "tentative"},
	{unix.IFA_F_MANAGETEMPADDR, "mngtmpaddr"},
	{unix.IFA_F_NOPREFIXROUTE, "noprefixroute"},
	{unix.IFA_F_MCAUTOJOIN, "autojoin"},
	{unix.IFA_F_STABLE_PRIVACY, "stable-privacy"},
}

// address is an address as a fact. A peer's prefix length is the address's, as iproute2 shows it.
func (d devices) address(n *netns, a netlink.Addr) facts.Address {
	dev := d.name(a.LinkIndex)
	ones, _ := a.Mask.Size()
	f := facts.Address{
		Source:            n.source("ip -d address show dev %s", shellWord(dev)),
		Dev:               dev,
		Family:            "inet",
		Local:             rawAddress(a.IP),
		Prefixlen:         ones,
		Broadcast:         address(a.Broadcast),
		Scope:             scopeName(uint8(a.Scope)),
		Label:             a.Label,
		Dynamic:           a.Flags&unix.IFA_F_PERMANENT == 0,
		ValidLifeTime:     uint32(a.ValidLft),
		PreferredLifeTime: uint32(a.PreferedLft),
	}
	if f.Local.Is6() {
		f.Family = "inet6"
	}
	if a.Peer != nil {
		f.Peer = rawAddress(a.Peer.IP)
		f.Prefixlen, _ = a.Peer.Mask.Size()
	}
	for _, flag := range addressFlags {
		if a.Flags&flag.bit == 0 {
			continue
		}
		name := flag.name
		if flag.bit == unix.IFA_F_SECONDARY && f.Family == "inet6" {
			name = "temporary"
		}
		f.Flags = append(f.Flags, name)
	}
	return f
}
