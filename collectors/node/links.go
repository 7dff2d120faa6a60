package node

import (
	"fmt"
	"net"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// maxLinks bounds the devices of one namespace.
const maxLinks = 65536

// linkMessage is a device as the library decodes it, and what it leaves out.
type linkMessage struct {
	netlink.Link
	kind           string // IFLA_INFO_KIND; the library's own Type is another word for some
	arphrd         uint16
	operstate      uint8
	carrierChanges uint64
	hasParent      bool // IFLA_LINK is there; its value may be 0
	netnsid        *int
	port           *facts.BridgePort
}

// Attributes of a bridge's port in IFLA_INFO_SLAVE_DATA (include/uapi/linux/if_link.h).
const (
	brportMode     = 4 // hairpin
	brportLearning = 8
	brportIsolated = 33
)

func (c *conn) linkMessages() ([]linkMessage, error) {
	// Without RTEXT_FILTER_VF: the virtual functions of a large adapter alone can be more than a message takes.
	header := nl.NewIfInfomsg(unix.AF_UNSPEC)
	return list(c, "devices", unix.RTM_GETLINK, unix.RTM_NEWLINK, header, maxLinks, func(msg []byte) (linkMessage, bool, error) {
		m, err := decodeLink(msg)
		return m, true, err
	})
}

func decodeLink(msg []byte) (linkMessage, error) {
	attrs, err := attributes(msg, unix.SizeofIfInfomsg)
	if err != nil {
		return linkMessage{}, err
	}
	link, err := netlink.LinkDeserialize(&unix.NlMsghdr{Type: unix.RTM_NEWLINK}, msg)
	if err != nil {
		return linkMessage{}, err
	}
	m := linkMessage{Link: link, arphrd: nl.DeserializeIfInfomsg(msg).Type}
	for _, a := range attrs {
		switch a.kind {
		case unix.IFLA_OPERSTATE:
			m.operstate = uint8(number(a.value))
		case unix.IFLA_CARRIER_CHANGES:
			m.carrierChanges = number(a.value)
		case unix.IFLA_LINK:
			m.hasParent = true
		case unix.IFLA_LINK_NETNSID:
			if id := int(int32(number(a.value))); id >= 0 {
				m.netnsid = &id
			}
		case unix.IFLA_LINKINFO:
			m.kind, m.port, err = decodeLinkinfo(a.value)
			if err != nil {
				return linkMessage{}, err
			}
		}
	}
	return m, nil
}

// decodeLinkinfo reads IFLA_LINKINFO: the kind, and where the device is a port of a bridge, its attributes.
func decodeLinkinfo(b []byte) (kind string, port *facts.BridgePort, err error) {
	infos, err := parseAttributes(b)
	if err != nil {
		return "", nil, err
	}
	bridge := false
	var data []attribute
	for _, info := range infos {
		switch info.kind {
		case nl.IFLA_INFO_KIND:
			kind = cString(info.value)
		case nl.IFLA_INFO_SLAVE_KIND:
			bridge = cString(info.value) == "bridge"
		case nl.IFLA_INFO_SLAVE_DATA:
			if data, err = parseAttributes(info.value); err != nil {
				return "", nil, err
			}
		}
	}
	if bridge {
		port = decodeBridgePort(data)
	}
	return kind, port, nil
}

func decodeBridgePort(data []attribute) *facts.BridgePort {
	port := &facts.BridgePort{}
	for _, a := range data {
		on := number(a.value) != 0
		switch a.kind {
		case brportMode:
			port.Hairpin = on
		case brportLearning:
			port.Learning = on
		case brportIsolated:
			port.Isolated = on
		}
	}
	return port
}

// devices are a namespace's devices by ifindex.
type devices map[int]linkMessage

func newDevices(messages []linkMessage) devices {
	d := make(devices, len(messages))
	for _, m := range messages {
		d[m.Attrs().Index] = m
	}
	return d
}

// name is the device's name, "" for none, and iproute2's "ifN" for one that is gone or somewhere else.
func (d devices) name(ifindex int) string {
	if ifindex <= 0 {
		return ""
	}
	if m, ok := d[ifindex]; ok {
		return m.Attrs().Name
	}
	return fmt.Sprintf("if%d", ifindex)
}

// link is the device as a fact. It is plain conversion: what the kernel or the library does not say is not there.
func (d devices) link(n *netns, m linkMessage) facts.Link {
	a := m.Attrs()
	l := facts.Link{
		Source:         n.source("ip -d link show dev %s", shellWord(a.Name)),
		Ifindex:        a.Index,
		Ifname:         a.Name,
		Kind:           m.kind,
		LinkType:       linkTypeName(m.arphrd),
		MTU:            a.MTU,
		Flags:          linkFlagNames(a.RawFlags),
		Operstate:      operstateName(m.operstate),
		Address:        hardwareAddress(a.HardwareAddr, m.arphrd),
		Altname:        a.AltNames,
		Master:         d.name(a.MasterIndex),
		LinkIndex:      a.ParentIndex,
		LinkNetnsid:    m.netnsid,
		CarrierChanges: m.carrierChanges,
		GSOMaxSize:     int(a.GSOMaxSize),
		BridgePort:     m.port,
	}
	if m.hasParent && m.netnsid == nil {
		l.Link = d.name(a.ParentIndex)
		// iproute2 shows that the device below is down.
		if below, ok := d[a.ParentIndex]; ok && below.Attrs().RawFlags&unix.IFF_UP == 0 {
			l.Flags = append(l.Flags, "M-DOWN")
		}
	}
	if s := a.Statistics; s != nil {
		l.Stats64 = &facts.LinkStatistics{
			RxPackets: s.RxPackets, TxPackets: s.TxPackets, RxBytes: s.RxBytes, TxBytes: s.TxBytes,
			RxErrors: s.RxErrors, TxErrors: s.TxErrors, RxDropped: s.RxDropped, TxDropped: s.TxDropped,
			RxMissed: s.RxMissedErrors, RxFIFO: s.RxFifoErrors, TxCarrier: s.TxCarrierErrors,
		}
	}
	d.attributes(&l, m.Link)
	return l
}

// attributes fills what only devices of one kind have.
func (d devices) attributes(l *facts.Link, link netlink.Link) {
	switch link := link.(type) {
	case *netlink.Vxlan:
		l.VXLAN = &facts.VXLAN{
			ID: link.VxlanId, Local: address(link.SrcAddr), Group: address(link.Group), Port: link.Port,
			Learning: link.Learning, Link: d.name(link.VtepDevIndex), External: link.FlowBased,
		}
		// The kernel has no IFLA_LINK for them.
		if l.Link == "" && l.LinkNetnsid == nil {
			l.Link, l.LinkIndex = l.VXLAN.Link, link.VtepDevIndex
		}
	case *netlink.Iptun:
		l.Tunnel = d.tunnel(link.Local, link.Remote, link.Ttl, link.PMtuDisc != 0, link.Link)
	case *netlink.Sittun:
		l.Tunnel = d.tunnel(link.Local, link.Remote, link.Ttl, link.PMtuDisc != 0, link.Link)
	case *netlink.Gretun:
		l.Tunnel = d.tunnel(link.Local, link.Remote, link.Ttl, link.PMtuDisc != 0, link.Link)
	case *netlink.Gretap:
		l.Tunnel = d.tunnel(link.Local, link.Remote, link.Ttl, link.PMtuDisc != 0, link.Link)
	case *netlink.Ip6tnl:
		// IPv6 routers never fragment: no DF to carry.
		l.Tunnel = d.tunnel(link.Local, link.Remote, link.Ttl, false, link.Link)
	case *netlink.Geneve:
		l.Tunnel = d.tunnel(nil, link.Remote, link.Ttl, link.Df == netlink.GENEVE_DF_SET, link.Link)
		l.Tunnel.ID, l.Tunnel.Port, l.Tunnel.External = int(link.ID), int(link.Dport), link.FlowBased
	case *netlink.Wireguard:
		// Its peers are in generic netlink; the outer header never carries DF (drivers/net/wireguard/socket.c).
		l.Tunnel = &facts.Tunnel{}
	case *netlink.Vlan:
		l.VLAN = &facts.VLAN{ID: link.VlanId, Protocol: vlanProtocolName(link.VlanProtocol)}
	case *netlink.Bridge:
		l.Bridge = &facts.Bridge{VLANFiltering: link.VlanFiltering != nil && *link.VlanFiltering}
	case *netlink.Bond:
		l.Bond = &facts.Bond{Mode: link.Mode.String(), ActiveSlave: d.name(link.ActiveSlave)}
	case *netlink.Macvlan:
		l.Macvlan = &facts.Macvlan{Mode: macvlanModeName(link.Mode)}
	case *netlink.Macvtap:
		l.Macvlan = &facts.Macvlan{Mode: macvlanModeName(link.Mode)}
	case *netlink.IPVlan:
		l.IPVLAN = &facts.IPVLAN{Mode: ipvlanModeName(link.Mode), Flag: ipvlanFlagName(link.Flag)}
	}
}

func (d devices) tunnel(local, remote net.IP, ttl uint8, pmtudisc bool, link uint32) *facts.Tunnel {
	return &facts.Tunnel{
		Local: address(local), Remote: address(remote), TTL: int(ttl), PMTUDisc: pmtudisc, Link: d.name(int(link)),
	}
}

func macvlanModeName(m netlink.MacvlanMode) string {
	switch m {
	case netlink.MACVLAN_MODE_PRIVATE:
		return "private"
	case netlink.MACVLAN_MODE_VEPA:
		return "vepa"
	case netlink.MACVLAN_MODE_BRIDGE:
		return "bridge"
	case netlink.MACVLAN_MODE_PASSTHRU:
		return "passthru"
	case netlink.MACVLAN_MODE_SOURCE:
		return "source"
	}
	return ""
}

func ipvlanModeName(m netlink.IPVlanMode) string {
	switch m {
	case netlink.IPVLAN_MODE_L2:
		return "l2"
	case netlink.IPVLAN_MODE_L3:
		return "l3"
	case netlink.IPVLAN_MODE_L3S:
		return "l3s"
	}
	return ""
}

func ipvlanFlagName(f netlink.IPVlanFlag) string {
	switch f {
	case netlink.IPVLAN_FLAG_PRIVATE:
		return "private"
	case netlink.IPVLAN_FLAG_VEPA:
		return "vepa"
	}
	return "bridge"
}

func vlanProtocolName(p netlink.VlanProtocol) string {
	switch p {
	case netlink.VLAN_PROTOCOL_8021Q:
		return "802.1Q"
	case netlink.VLAN_PROTOCOL_8021AD:
		return "802.1ad"
	}
	return fmt.Sprintf("%#x", int(p))
}

// hardwareAddress is ll_addr_n2a: of an IP tunnel the outer address, else pairs of digits. The library gives no address
// for one that is all zeros (the loopback's).
func hardwareAddress(b []byte, arphrd uint16) string {
	switch {
	case len(b) == 0 && arphrd == unix.ARPHRD_LOOPBACK:
		return "00:00:00:00:00:00"
	case len(b) == 4 && (arphrd == unix.ARPHRD_TUNNEL || arphrd == unix.ARPHRD_SIT || arphrd == unix.ARPHRD_IPGRE),
		len(b) == 16 && (arphrd == unix.ARPHRD_TUNNEL6 || arphrd == unix.ARPHRD_IP6GRE):
		return rawAddress(b).String()
	}
	return strings.ToLower(net.HardwareAddr(b).String())
}
