package node

import (
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// neighbours reads the ARP and neighbour-discovery tables. Entries that the kernel has not begun to resolve are left
// out, as iproute2 does; its NOARP ones (which it shows with `nud all`) are not.
func (c *conn) neighbours(n *netns, d devices) ([]facts.Neighbour, error) {
	list, err := c.neighbourMessages(netlink.FAMILY_ALL)
	neighbours := make([]facts.Neighbour, 0, len(list))
	for _, m := range list {
		if m.Family != unix.AF_INET && m.Family != unix.AF_INET6 || m.State == unix.NUD_NONE {
			continue
		}
		neighbours = append(neighbours, d.neighbour(n, m))
	}
	return neighbours, err
}

func (c *conn) neighbourMessages(family uint8) ([]netlink.Neigh, error) {
	return consistent(func() ([]netlink.Neigh, error) {
		return c.handle.NeighListExecute(netlink.Ndmsg{Family: family})
	})
}

func (d devices) neighbour(n *netns, m netlink.Neigh) facts.Neighbour {
	dev := d.name(m.LinkIndex)
	f := facts.Neighbour{
		Dst:    rawAddress(m.IP),
		Dev:    dev,
		Lladdr: d.lladdr(m),
		State:  neighbourStates[m.State],
		Flags:  neighbourFlagNames(m.Flags),
		Source: n.source("ip neighbour show dev %s", shellWord(dev)),
	}
	if m.State == unix.NUD_NOARP {
		f.Source = n.source("ip neighbour show nud all dev %s", shellWord(dev))
	}
	return f
}

func (d devices) lladdr(m netlink.Neigh) string {
	if m.LLIPAddr != nil {
		return rawAddress(m.LLIPAddr).String()
	}
	return hardwareAddress(m.HardwareAddr, d[m.LinkIndex].arphrd)
}

// fdb reads the forwarding databases of bridges and of VXLAN devices, and the multicast filters of the others, as
// `bridge fdb show` does.
func (c *conn) fdb(n *netns, d devices) ([]facts.FDBEntry, error) {
	list, err := c.neighbourMessages(unix.AF_BRIDGE)
	entries := make([]facts.FDBEntry, 0, len(list))
	for _, m := range list {
		entries = append(entries, d.fdbEntry(n, m))
	}
	return entries, err
}

func (d devices) fdbEntry(n *netns, m netlink.Neigh) facts.FDBEntry {
	dev := d.name(m.LinkIndex)
	return facts.FDBEntry{
		Source: n.source("bridge fdb show dev %s", shellWord(dev)),
		MAC:    net.HardwareAddr(m.HardwareAddr).String(),
		Dev:    dev,
		Dst:    rawAddress(m.IP),
		VLAN:   m.Vlan,
		VNI:    m.VNI,
		Master: d.name(m.MasterIndex),
		State:  fdbStateName(m.State),
		Flags:  fdbFlagNames(m.Flags),
	}
}
