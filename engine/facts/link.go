package facts

import "net/netip"

// Link is a network device, as `ip -d link` shows it.
type Link struct {
	Source  Source `json:"source"`
	Ifindex int    `json:"ifindex"`
	Ifname  string `json:"ifname"`
	// Kind is IFLA_INFO_KIND ("vxlan", "ipip", "veth", "bridge", "vlan", "tun" …); empty for hardware and loopback.
	Kind string `json:"kind,omitempty"`
	// LinkType is the ARPHRD type in iproute2's words: "ether", "loopback", "ipip", "none".
	LinkType string `json:"link_type"`
	// MTU in bytes, of the network-layer packet.
	MTU int `json:"mtu"`
	// Flags are the IFF_ flags in iproute2's words: "UP", "LOWER_UP", "NOARP", "NO-CARRIER", "PROMISC" ….
	Flags     []string `json:"flags"`
	Operstate string   `json:"operstate"`
	// Address is the hardware address.
	Address string   `json:"address,omitempty"`
	Altname []string `json:"altnames,omitempty"`
	// Master is the bridge or bond that it is enslaved to.
	Master string `json:"master,omitempty"`
	// Link is the device below (of a VLAN, a VXLAN) in this namespace, by name; LinkIndex its ifindex, in the
	// namespace LinkNetnsid where that is set (a veth's peer).
	Link        string `json:"link,omitempty"`
	LinkIndex   int    `json:"link_index,omitempty"`
	LinkNetnsid *int   `json:"link_netnsid,omitempty"`
	// CarrierChanges counts since the device was made.
	CarrierChanges uint64 `json:"carrier_changes,omitempty"`
	GSOMaxSize     int    `json:"gso_max_size,omitempty"`

	VXLAN      *VXLAN      `json:"vxlan,omitempty"`
	Tunnel     *Tunnel     `json:"tunnel,omitempty"`
	VLAN       *VLAN       `json:"vlan,omitempty"`
	Bridge     *Bridge     `json:"bridge,omitempty"`
	BridgePort *BridgePort `json:"bridge_port,omitempty"`
	Bond       *Bond       `json:"bond,omitempty"`
	Macvlan    *Macvlan    `json:"macvlan,omitempty"`
	IPVLAN     *IPVLAN     `json:"ipvlan,omitempty"`
	// WireGuard is nil where its peers were not read: that takes privileges.
	WireGuard *WireGuard      `json:"wireguard,omitempty"`
	Stats64   *LinkStatistics `json:"stats64,omitempty"`
}

// VXLAN are the attributes of a VXLAN device.
type VXLAN struct {
	ID int `json:"id"`
	// Local is the outer source address; invalid: the kernel picks it by route.
	Local netip.Addr `json:"local,omitzero"`
	// Group is the default destination of frames that the FDB does not place.
	Group    netip.Addr `json:"group,omitzero"`
	Port     int        `json:"port"`
	Learning bool       `json:"learning"`
	// Link is the underlay device by name.
	Link string `json:"link,omitempty"`
	// External: VNI and destination come with each packet (collect metadata), as Cilium and OVN have it; ID is 0.
	External bool `json:"external,omitempty"`
}

// Tunnel are the attributes of an IPIP, SIT, GRE, Geneve or WireGuard device, as far as it has them.
type Tunnel struct {
	Local  netip.Addr `json:"local,omitzero"`
	Remote netip.Addr `json:"remote,omitzero"`
	TTL    int        `json:"ttl,omitempty"`
	// PMTUDisc: the outer header carries DF.
	PMTUDisc bool   `json:"pmtudisc"`
	Link     string `json:"link,omitempty"`
	// ID, Port and External are of Geneve: the VNI, the UDP port of the other end, and that VNI and destination come with
	// each packet (collect metadata).
	ID       int  `json:"id,omitempty"`
	Port     int  `json:"port,omitempty"`
	External bool `json:"external,omitempty"`
}

// WireGuard are the settings of a WireGuard device, as `wg show` shows them. Private and preshared keys are not among them.
type WireGuard struct {
	PublicKey  string          `json:"public_key,omitempty"` // base64
	ListenPort int             `json:"listen_port"`
	Fwmark     uint32          `json:"fwmark,omitempty"`
	Peers      []WireGuardPeer `json:"peers"`
}

// WireGuardPeer is a peer of a WireGuard device. Its allowed IPs are the destinations that are sent to it, the longest prefix
// of all peers, and the sources that are taken from it.
type WireGuardPeer struct {
	PublicKey string `json:"public_key"`
	// Endpoint is where it was last heard from, or is set to be; invalid where neither is known.
	Endpoint   netip.AddrPort `json:"endpoint,omitzero"`
	AllowedIPs []netip.Prefix `json:"allowed_ips"`
	// LastHandshake is in seconds since 1970, 0 for never.
	LastHandshake int64 `json:"latest_handshake,omitempty"`
}

// Macvlan are the attributes of a macvlan or macvtap device; Link is its parent.
type Macvlan struct {
	Mode string `json:"mode"` // "private", "vepa", "bridge", "passthru" or "source"
}

// IPVLAN are the attributes of an ipvlan device; Link is its parent.
type IPVLAN struct {
	Mode string `json:"mode"` // "l2", "l3" or "l3s"
	Flag string `json:"flag"` // "bridge", "private" or "vepa"
}

// VLAN are the attributes of a VLAN device.
type VLAN struct {
	ID       int    `json:"id"`
	Protocol string `json:"protocol"`
}

// Bridge are the attributes of a bridge.
type Bridge struct {
	VLANFiltering bool `json:"vlan_filtering"`
}

// BridgePort are the attributes of a bridge's port.
type BridgePort struct {
	Hairpin  bool `json:"hairpin"`
	Learning bool `json:"learning"`
	Isolated bool `json:"isolated"`
}

// Bond are the attributes of a bond.
type Bond struct {
	Mode        string `json:"mode"`
	ActiveSlave string `json:"active_slave,omitempty"`
}

// LinkStatistics are the counters of a device (struct rtnl_link_stats64).
type LinkStatistics struct {
	RxPackets uint64 `json:"rx_packets"`
	TxPackets uint64 `json:"tx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	TxBytes   uint64 `json:"tx_bytes"`
	RxErrors  uint64 `json:"rx_errors"`
	TxErrors  uint64 `json:"tx_errors"`
	RxDropped uint64 `json:"rx_dropped"`
	TxDropped uint64 `json:"tx_dropped"`
	RxMissed  uint64 `json:"rx_missed_errors"`
	RxFIFO    uint64 `json:"rx_fifo_errors"`
	TxCarrier uint64 `json:"tx_carrier_errors"`
}

// Address is one address of a device, as `ip -d address` shows it.
type Address struct {
	Source    Source     `json:"source"`
	Dev       string     `json:"dev"`
	Family    string     `json:"family"` // "inet" or "inet6"
	Local     netip.Addr `json:"local"`
	Prefixlen int        `json:"prefixlen"`
	// Peer is the other end of a point-to-point address.
	Peer      netip.Addr `json:"peer,omitzero"`
	Broadcast netip.Addr `json:"broadcast,omitzero"`
	Scope     string     `json:"scope"`
	Label     string     `json:"label,omitempty"`
	// Dynamic: it was leased or autoconfigured, and goes when its lifetime ends.
	Dynamic bool `json:"dynamic"`
	// Flags are the other IFA_F_ flags: "secondary", "noprefixroute", "tentative", "deprecated", "dadfailed", "temporary".
	Flags []string `json:"flags,omitempty"`
	// ValidLifeTime and PreferredLifeTime are in seconds; 4294967295 is forever.
	ValidLifeTime     uint32 `json:"valid_life_time"`
	PreferredLifeTime uint32 `json:"preferred_life_time"`
}

// Forever is the lifetime of an address that does not end, INFINITY_LIFE_TIME of include/net/addrconf.h.
const Forever = 4294967295

// Neighbour is an entry of the ARP or neighbour-discovery table.
type Neighbour struct {
	Source Source     `json:"source"`
	Dst    netip.Addr `json:"dst"`
	Dev    string     `json:"dev"`
	Lladdr string     `json:"lladdr,omitempty"`
	// State is "PERMANENT", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "INCOMPLETE", "NOARP".
	State string   `json:"state"`
	Flags []string `json:"flags,omitempty"` // "router", "proxy", "extern_learn"
}

// FDBEntry is an entry of a bridge's or a VXLAN device's forwarding database.
type FDBEntry struct {
	Source Source `json:"source"`
	MAC    string `json:"mac"`
	Dev    string `json:"dev"`
	// Dst is the remote VTEP.
	Dst    netip.Addr `json:"dst,omitzero"`
	VLAN   int        `json:"vlan,omitempty"`
	VNI    int        `json:"vni,omitempty"`
	Master string     `json:"master,omitempty"`
	State  string     `json:"state,omitempty"` // "permanent", "static", "" for learned
	Flags  []string   `json:"flags,omitempty"` // "self", "master", "offload", "extern_learn"
}
