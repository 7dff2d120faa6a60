package node

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Of include/uapi/linux/netfilter.h, netfilter/nfnetlink.h, nf_tables.h and ipset/ip_set.h.
const (
	nfprotoInet   = 1
	nfprotoIPv4   = 2
	nfprotoARP    = 3
	nfprotoNetdev = 5
	nfprotoBridge = 7
	nfprotoIPv6   = 10

	subsysIPSet    = 6
	subsysNFTables = 10

	nftMsgGetTable = 1
	nftaTableName  = 1

	ipsetCmdList         = 7
	ipsetAttrProtocol    = 1
	ipsetAttrSetname     = 2
	ipsetAttrFlags       = 6
	ipsetProtocol        = 6
	ipsetFlagListSetname = 1 << 1
)

// nftTable is a table of nf_tables.
type nftTable struct {
	family uint8
	name   string
}

var nftFamilies = map[uint8]string{
	nfprotoInet: "inet", nfprotoIPv4: "ip", nfprotoARP: "arp", nfprotoNetdev: "netdev", nfprotoBridge: "bridge",
	nfprotoIPv6: "ip6",
}

func (t nftTable) String() string {
	family := nftFamilies[t.family]
	if family == "" {
		family = fmt.Sprint(t.family)
	}
	return family + " " + t.name
}

// nftTables are the tables of all families in the namespace.
func nftTables(n *netns) ([]nftTable, error) {
	var tables []nftTable
	err := nfnetlinkDump(n, subsysNFTables<<8|nftMsgGetTable, &nl.Nfgenmsg{}, nftaTableName, func(family uint8, name string) {
		tables = append(tables, nftTable{family, name})
	}, func() { tables = nil })
	return tables, err
}

// ipsetNames are the names of the namespace's sets.
func ipsetNames(n *netns) ([]string, error) {
	var names []string
	err := nfnetlinkDump(n, subsysIPSet<<8|ipsetCmdList, ipsetListRequest{}, ipsetAttrSetname, func(_ uint8, name string) {
		names = append(names, name)
	}, func() { names = nil })
	return names, err
}

// nfnetlinkDump hands the attribute that names an object to each; again starts over.
func nfnetlinkDump(n *netns, request int, header nl.NetlinkRequestData, nameAttr uint16,
	each func(family uint8, name string), again func(),
) error {
	return n.do(func() error {
		c, err := dial()
		if err != nil {
			return err
		}
		defer c.close()
		if err := c.add(unix.NETLINK_NETFILTER); err != nil {
			return err
		}
		_, err = consistent(func() ([]struct{}, error) {
			again()
			return nil, c.dump(unix.NETLINK_NETFILTER, request, 0, header, func(msg []byte) bool {
				attrs, err := attributes(msg, nl.SizeofNfgenmsg)
				if err != nil {
					return true
				}
				for _, a := range attrs {
					if a.kind == nameAttr {
						each(msg[0], cString(a.value))
					}
				}
				return true
			})
		})
		if errors.Is(err, errInterrupted) {
			return nil // what there is was seen; the listings are read after this
		}
		return err
	})
}

// ipsetListRequest asks for the names of all sets, without their members.
type ipsetListRequest struct{}

func (ipsetListRequest) Len() int { return len(ipsetListRequest{}.Serialize()) }

func (ipsetListRequest) Serialize() []byte {
	native := binary.NativeEndian
	b := []byte{unix.AF_INET, nl.NFNETLINK_V0, 0, 0}
	attr := func(kind uint16, value []byte) {
		b = native.AppendUint16(b, uint16(unix.SizeofNlAttr+len(value)))
		b = native.AppendUint16(b, kind)
		b = append(b, value...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	attr(ipsetAttrProtocol, []byte{ipsetProtocol})
	attr(ipsetAttrFlags|unix.NLA_F_NET_BYTEORDER, binary.BigEndian.AppendUint32(nil, ipsetFlagListSetname))
	return b
}
