package iproute2

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// Devices are what `ip link` and `ip address` say.
type Devices struct {
	Links     []facts.Link
	Addresses []facts.Address
	// Detailed: the text is one of -d, and tells the kind of each device. Where it is not, an empty Kind says nothing.
	Detailed bool
	// ShowsLinks: the text has the devices themselves, not their addresses alone as `ip -o address` does.
	ShowsLinks bool
	// ShowsAddresses: the text is one of `ip address`; `ip link` does not show addresses.
	ShowsAddresses bool
	Unparsed       lines.Unparsed
}

// NetnsIDs are network namespaces' ids by name, as `ip netns list` says them.
type NetnsIDs map[string]int

// ParseDevices reads the output of `ip link` or `ip address`. ids may be nil: a device whose peer is in a namespace that
// it does not have gets the LinkNetnsid -1, which the kernel gives to no namespace. CarrierChanges stays zero, and without
// -s Stats64 nil.
func ParseDevices(name string, text []byte, ids NetnsIDs) Devices {
	if isJSON(text) {
		return devicesJSON(name, text, ids)
	}
	d := devices{name: name, ids: ids, parents: map[int]string{}}
	for number, line := range lines.All(text) {
		// -o puts a backslash where the lines of a device end.
		for i, part := range strings.Split(line, `\`) {
			if noise(part) {
				continue
			}
			d.number = number
			if !d.line(part, i > 0 || part[0] == ' ' || part[0] == '\t') {
				d.out.Unparsed.Add(number, strings.TrimSpace(part))
			}
		}
	}
	d.finish()
	return d.out
}

// devices is a text that is being read.
type devices struct {
	name    string
	number  int
	ids     NetnsIDs
	out     Devices
	parents map[int]string // by index of Links: what stands behind the @
	// statistics are the columns of the line that follows, and whether they are those of receiving.
	columns []string
	receive bool
	errors  bool
	address int // index of the address whose lifetimes follow, from 1
}

func (d *devices) source() facts.Source { return facts.FileLine(d.name, d.number) }

func (d *devices) link() *facts.Link {
	if len(d.out.Links) == 0 {
		return nil
	}
	return &d.out.Links[len(d.out.Links)-1]
}

func (d *devices) line(line string, indented bool) bool {
	w := words(strings.Fields(line))
	if !indented {
		return d.device(w)
	}
	if d.columns != nil {
		columns := d.columns
		d.columns = nil
		if d.counters(columns, w) {
			return true
		}
	}
	switch first := w.next(); {
	case strings.HasPrefix(first, "link/"):
		return d.hardware(strings.TrimPrefix(first, "link/"), w)
	case first == "inet", first == "inet6":
		return d.inet("", first, w)
	case first == "valid_lft":
		return d.lifetimes(w)
	case first == "altname":
		if l := d.link(); l != nil {
			l.Altname = append(l.Altname, w.next())
			return true
		}
		return false
	case first == "RX:" || first == "TX:":
		d.columns, d.receive, d.errors = w, first == "RX:", false
		return true
	case (first == "RX" || first == "TX") && w.peek() == "errors:":
		w.next()
		d.columns, d.receive, d.errors = w, first == "RX", true
		return true
	case first == "alias", first == "vf", first == "prog/xdp", first == "qdisc", first == "inet4", first == "numtxqueues", first == "portid",
		strings.HasPrefix(first, "link-"):
		return true
	case first == "ingress-qos-map", first == "egress-qos-map", first == "{": // of a VLAN
		return true
	case strings.HasSuffix(first, "_slave"):
		return d.slave(first, w)
	default:
		return d.kind(first, w)
	}
}

// device reads "2: eth0@if4: <FLAGS> mtu 1500 …", or of `ip -o address` "2: eth0    inet 10.0.0.1/24 …".
func (d *devices) device(w words) bool {
	d.columns, d.address = nil, 0
	index, ok := number[int](strings.TrimSuffix(w.peek(), ":"))
	if !ok || !strings.HasSuffix(w.next(), ":") {
		return false
	}
	ifname, colon := strings.CutSuffix(w.next(), ":")
	if !colon {
		switch family := w.next(); family {
		case "inet", "inet6":
			return ifname != "" && d.inet(ifname, family, w)
		default:
			return strings.HasPrefix(family, "link/") && ifname != ""
		}
	}
	flags := w.next()
	if ifname == "" || len(flags) < 2 || flags[0] != '<' || flags[len(flags)-1] != '>' {
		return false
	}
	ifname, parent, _ := strings.Cut(ifname, "@")
	l := facts.Link{Source: d.source(), Ifindex: index, Ifname: ifname, Flags: []string{}}
	for flag := range strings.SplitSeq(flags[1:len(flags)-1], ",") {
		if flag != "" {
			l.Flags = append(l.Flags, flag)
		}
	}
	for len(w) > 0 {
		switch w.next() {
		case "mtu":
			if l.MTU, ok = number[int](w.next()); !ok {
				return false
			}
		case "master":
			l.Master = w.next()
		case "state":
			l.Operstate = w.next()
		}
	}
	d.parents[len(d.out.Links)] = parent
	d.out.Links = append(d.out.Links, l)
	d.out.ShowsLinks = true
	return true
}

// hardware reads "link/ether 8a:e6:83:5f:a4:e6 brd ff:ff:ff:ff:ff:ff link-netnsid 0 promiscuity 0 …".
func (d *devices) hardware(kind string, w words) bool {
	l := d.link()
	if l == nil {
		return false
	}
	l.LinkType = kind
	if next := w.peek(); strings.ContainsAny(next, ":.") {
		l.Address = w.next()
	}
	for len(w) > 0 {
		switch w.next() {
		case "brd", "peer":
			w.next()
		case "link-netnsid":
			if id, ok := number[int](w.next()); ok {
				l.LinkNetnsid = &id
			}
		case "link-netns":
			id, ok := d.ids[w.next()]
			if !ok {
				id = -1
			}
			l.LinkNetnsid = &id
		case "promiscuity":
			d.out.Detailed = true
		case "gso_max_size":
			l.GSOMaxSize, _ = number[int](w.next())
		}
	}
	return true
}

// kind reads the line that -d has for a device of a kind: "vxlan id 1 local 10.0.0.1 dev eth0 …".
func (d *devices) kind(kind string, w words) bool {
	l := d.link()
	if l == nil || l.LinkType == "" || l.Kind != "" || !isKind(kind) {
		return false
	}
	l.Kind = kind
	d.out.Detailed = true
	for i, word := range w {
		if word == "gso_max_size" && i+1 < len(w) {
			l.GSOMaxSize, _ = number[int](w[i+1])
		}
	}
	switch kind {
	case "vxlan":
		l.VXLAN = vxlan(w)
	case "ipip", "sit", "gre", "gretap", "ip6tnl", "ip6gre", "ip6gretap", "geneve", "wireguard":
		l.Tunnel = tunnel(kind, w)
	case "vlan":
		l.VLAN = vlan(w)
	case "bridge":
		l.Bridge = &facts.Bridge{VLANFiltering: after(w, "vlan_filtering") == "1"}
	case "bond":
		l.Bond = &facts.Bond{Mode: after(w, "mode"), ActiveSlave: after(w, "active_slave")}
	}
	return true
}

// isKind says whether a word can be a kind of device: what follows may be of anything that this package does not know.
func isKind(word string) bool {
	if word == "" || word[0] < 'a' || word[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

// after is the word that follows key, "" where there is none.
func after(w words, key string) string {
	if i := slices.Index(w, key); i >= 0 && i+1 < len(w) {
		return w[i+1]
	}
	return ""
}

func vxlan(w words) *facts.VXLAN {
	v := &facts.VXLAN{Learning: true}
	for len(w) > 0 {
		switch w.next() {
		case "id":
			v.ID, _ = number[int](w.next())
		case "external":
			v.External = true
		case "local", "local6":
			v.Local, _ = address(w.next())
		case "remote", "remote6", "group", "group6":
			v.Group, _ = address(w.next())
		case "dev":
			v.Link = w.next()
		case "srcport":
			w.next()
			w.next()
		case "dstport":
			v.Port, _ = number[int](w.next())
		case "learning":
			v.Learning = true
		case "nolearning":
			v.Learning = false
		case "ageing", "ttl", "tos", "maxaddr", "addrgenmode", "numtxqueues", "numrxqueues", "gso_max_size", "gso_max_segs":
			w.next()
		}
	}
	return v
}

// tunnel reads "ipip [any] remote 10.0.0.2 local 10.0.0.1 dev eth0 ttl inherit pmtudisc …".
func tunnel(kind string, w words) *facts.Tunnel {
	t := &facts.Tunnel{}
	for len(w) > 0 {
		switch w.next() {
		case "remote", "remote6":
			t.Remote, _ = address(w.next())
		case "local":
			t.Local, _ = address(w.next())
		case "dev":
			t.Link = w.next()
		case "ttl", "hoplimit":
			t.TTL, _ = strconv.Atoi(w.next())
		case "pmtudisc":
			t.PMTUDisc = kind == "ipip" || kind == "sit" || kind == "gre" || kind == "gretap"
		case "nopmtudisc":
			t.PMTUDisc = false
		case "df":
			t.PMTUDisc = w.next() == "set"
		}
	}
	// iproute2 prints "any" for an address that is not set, the kernel has zeros.
	switch kind {
	case "ipip", "sit", "gre", "gretap":
		t.Remote, t.Local = orZero(t.Remote, netip.IPv4Unspecified()), orZero(t.Local, netip.IPv4Unspecified())
	case "ip6tnl", "ip6gre", "ip6gretap":
		t.Remote, t.Local = orZero(t.Remote, netip.IPv6Unspecified()), orZero(t.Local, netip.IPv6Unspecified())
	}
	return t
}

func orZero(a, zero netip.Addr) netip.Addr {
	if !a.IsValid() {
		return zero
	}
	return a
}

// vlan reads "vlan protocol 802.1Q id 100 <REORDER_HDR> …"; before 3.10 there is no protocol.
func vlan(w words) *facts.VLAN {
	v := &facts.VLAN{Protocol: "802.1Q"}
	for len(w) > 0 {
		switch w.next() {
		case "protocol":
			v.Protocol = w.next()
		case "id":
			v.ID, _ = number[int](w.next())
		}
	}
	return v
}

// slave reads "bridge_slave state forwarding priority 32 cost 2 hairpin on guard off …".
func (d *devices) slave(kind string, w words) bool {
	l := d.link()
	if l == nil {
		return false
	}
	d.out.Detailed = true
	if kind != "bridge_slave" {
		return true
	}
	p := &facts.BridgePort{}
	for len(w) > 0 {
		switch w.next() {
		case "hairpin":
			p.Hairpin = w.next() == "on"
		case "learning":
			p.Learning = w.next() == "on"
		case "isolated":
			p.Isolated = w.next() == "on"
		case "gso_max_size":
			l.GSOMaxSize, _ = number[int](w.next())
		}
	}
	l.BridgePort = p
	return true
}

// counters reads the numbers below "RX: bytes packets errors dropped missed mcast" and its kin.
func (d *devices) counters(columns []string, w words) bool {
	l := d.link()
	if l == nil || len(w) == 0 {
		return false
	}
	values := map[string]uint64{}
	for i, text := range w {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return false
		}
		if i < len(columns) {
			values[columns[i]] = n
		}
	}
	if l.Stats64 == nil {
		l.Stats64 = &facts.LinkStatistics{}
	}
	s := l.Stats64
	switch {
	case d.errors && d.receive: // -s -s
		s.RxFIFO = values["fifo"]
		if missed, ok := values["missed"]; ok {
			s.RxMissed = missed
		}
	case d.errors:
	case d.receive:
		s.RxBytes, s.RxPackets, s.RxErrors, s.RxDropped = values["bytes"], values["packets"], values["errors"], values["dropped"]
		s.RxMissed = values["missed"]
	default:
		s.TxBytes, s.TxPackets, s.TxErrors, s.TxDropped = values["bytes"], values["packets"], values["errors"], values["dropped"]
		s.TxCarrier = values["carrier"]
	}
	return true
}

// addressFlags are the flags of an address as facts have them, in their order.
var addressFlags = []string{
	"secondary", "temporary", "nodad", "optimistic", "dadfailed", "home", "deprecated", "tentative", "mngtmpaddr", "noprefixroute", "autojoin",
	"stable-privacy",
}

// inet reads "inet 10.0.0.1/24 brd 10.0.0.255 scope global dynamic eth0" of a device: of the last one where dev is empty.
func (d *devices) inet(dev, family string, w words) bool {
	d.address = 0
	if dev == "" {
		l := d.link()
		if l == nil {
			return false
		}
		dev = l.Ifname
	}
	a := facts.Address{
		Source: d.source(), Dev: dev, Family: family, ValidLifeTime: facts.Forever, PreferredLifeTime: facts.Forever,
	}
	local, ok := prefix(w.next())
	if !ok || (family == "inet") != local.Addr().Is4() {
		return false
	}
	a.Local, a.Prefixlen = local.Addr(), local.Bits()
	for len(w) > 0 {
		switch word := w.next(); word {
		case "peer":
			peer, ok := prefix(w.next())
			if !ok {
				return false
			}
			a.Peer, a.Prefixlen = peer.Addr(), peer.Bits()
		case "brd":
			if a.Broadcast, ok = address(w.next()); !ok {
				return false
			}
		case "scope":
			a.Scope = w.next()
		case "dynamic":
			a.Dynamic = true
		case "any", "metric", "proto", "flags":
			w.next()
		default:
			switch {
			case slices.Contains(addressFlags, word):
				a.Flags = append(a.Flags, word)
			case family == "inet" && len(w) == 0:
				a.Label = word
			}
		}
	}
	slices.SortStableFunc(a.Flags, func(x, y string) int {
		return slices.Index(addressFlags, x) - slices.Index(addressFlags, y)
	})
	d.out.Addresses = append(d.out.Addresses, a)
	d.out.ShowsAddresses = true
	d.address = len(d.out.Addresses)
	return true
}

// lifetimes reads "valid_lft 86340sec preferred_lft forever".
func (d *devices) lifetimes(w words) bool {
	if d.address == 0 {
		return false
	}
	a := &d.out.Addresses[d.address-1]
	var ok bool
	if a.ValidLifeTime, ok = lifetime(w.next()); !ok || w.next() != "preferred_lft" {
		return false
	}
	a.PreferredLifeTime, ok = lifetime(w.next())
	return ok
}

func lifetime(text string) (uint32, bool) {
	if text == "forever" {
		return facts.Forever, true
	}
	return number[uint32](strings.TrimSuffix(text, "sec"))
}

// finish tells the devices below others by name from those by index.
func (d *devices) finish() {
	byName := map[string]int{}
	for _, l := range d.out.Links {
		byName[l.Ifname] = l.Ifindex
	}
	for i := range d.out.Links {
		linkParent(&d.out.Links[i], d.parents[i], byName)
	}
}

// linkParent says what a device is on: parent is what iproute2 prints behind the @, a name, "if4" or "NONE".
func linkParent(l *facts.Link, parent string, byName map[string]int) {
	index, isIndex := number[int](strings.TrimPrefix(parent, "if"))
	_, named := byName[parent]
	switch {
	case parent == "", parent == "NONE":
	case !named && isIndex && strings.HasPrefix(parent, "if"):
		l.LinkIndex = index
		if l.LinkNetnsid == nil {
			l.Link = parent
		}
	default:
		l.Link, l.LinkIndex = parent, byName[parent]
	}
	if l.VXLAN != nil && l.Link == "" && l.LinkNetnsid == nil {
		l.Link, l.LinkIndex = l.VXLAN.Link, byName[l.VXLAN.Link]
	}
}
