package datapath

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/netcause/netcause/engine/facts"
)

// Namespace is one network namespace's facts, indexed. It does not change once made and may be used concurrently.
type Namespace struct {
	// Node is the node's name; ID the namespace's id on it, empty for the node's own.
	Node, ID string
	// Pod is whose it is, where that is known.
	Pod *facts.PodReference

	facts    *facts.NetNS
	fib      fib
	policies [2]policy
	links    map[string]*facts.Link
	// addresses are by device, in the kernel's order.
	addresses  map[string][]*facts.Address
	local      map[netip.Addr]*facts.Address
	neighbours map[neighbourKey]*facts.Neighbour
	fdb        map[fdbKey][]*facts.FDBEntry // the zero dev is of any
	ports      map[string][]*facts.Link     // by master
	tunnels    []*facts.Link                // that unwrap packets
	listeners  map[listenerKey][]*facts.Listener
	settings   [2]map[string]*deviceSettings // of ipv4 and ipv6, by device
	// listings are those of netfilter, parsed when a walk first comes to them; filtered says that one was read at all.
	listings func() *parsedListings
	filtered bool
	// bridgeCalls are whether a bridge hands its packets of IPv4 and IPv6 to iptables.
	bridgeCalls [2]truth
	// customLocal: somebody added a route of type local (fib_has_custom_local_routes).
	customLocal bool
}

type neighbourKey struct {
	dst netip.Addr
	dev string
}

type fdbKey struct{ dev, mac string }

type listenerKey struct {
	proto string
	port  int
}

// NewNamespace indexes a namespace's facts. It keeps n and does not change it.
func NewNamespace(node, id string, n *facts.NetNS) *Namespace {
	ns := &Namespace{
		Node: node, ID: id, facts: n,
		fib:      newFIB(n.Routes.Value),
		policies: [2]policy{newPolicy(n.Rules.Value, "inet"), newPolicy(n.Rules.Value, "inet6")},
		links:    map[string]*facts.Link{}, addresses: map[string][]*facts.Address{},
		local: map[netip.Addr]*facts.Address{}, neighbours: map[neighbourKey]*facts.Neighbour{},
		fdb: map[fdbKey][]*facts.FDBEntry{}, ports: map[string][]*facts.Link{}, listeners: map[listenerKey][]*facts.Listener{},
	}
	for i := range n.Links.Value {
		l := &n.Links.Value[i]
		ns.links[l.Ifname] = l
		if l.Master != "" {
			ns.ports[l.Master] = append(ns.ports[l.Master], l)
		}
		if l.VXLAN != nil || l.Tunnel != nil || l.Kind == "wireguard" {
			ns.tunnels = append(ns.tunnels, l)
		}
	}
	for i := range n.FDB.Value {
		e := &n.FDB.Value[i]
		ns.fdb[fdbKey{e.Dev, e.MAC}] = append(ns.fdb[fdbKey{e.Dev, e.MAC}], e)
		ns.fdb[fdbKey{"", e.MAC}] = append(ns.fdb[fdbKey{"", e.MAC}], e)
	}
	for i := range n.Listeners.Value {
		l := &n.Listeners.Value[i]
		k := listenerKey{l.Proto, l.Port}
		ns.listeners[k] = append(ns.listeners[k], l)
	}
	ns.settings = newSettings(n)
	ns.listings = sync.OnceValue(func() *parsedListings { return parseListings(n) })
	ns.filtered = readFilter(n)
	ns.bridgeCalls = [2]truth{ns.bridgeCall("net.bridge.bridge-nf-call-iptables"), ns.bridgeCall("net.bridge.bridge-nf-call-ip6tables")}
	for i := range n.Addresses.Value {
		a := &n.Addresses.Value[i]
		ns.addresses[a.Dev] = append(ns.addresses[a.Dev], a)
		if ns.local[a.Local] == nil {
			ns.local[a.Local] = a
		}
	}
	for i := range n.Neighbours.Value {
		e := &n.Neighbours.Value[i]
		ns.neighbours[neighbourKey{e.Dst, e.Dev}] = e
	}
	ns.customLocal = slices.ContainsFunc(n.Routes.Value, func(r facts.Route) bool {
		return r.Type == "local" && r.Protocol != "kernel" && r.Family == "inet"
	})
	return ns
}

// sysctl is a number of a sysctl. What says so is its source; ok is whether it was read.
func (n *Namespace) sysctl(name string) (value int, source facts.Source, ok bool) {
	s, found := n.facts.Sysctls.Value[name]
	if n.facts.Sysctls.Status != facts.Read || !found {
		return 0, "", false
	}
	value, err := strconv.Atoi(strings.TrimSpace(s.Value))
	if s.Source == "" {
		s.Source = facts.Source("sysctl " + name)
	}
	return value, s.Source, err == nil
}

// setting is what a device's sysctl comes to: IN_DEV_CONF_GET, IN_DEV_MAXCONF and IN_DEV_ORCONF of
// include/linux/inetdevice.h.
type setting struct {
	value  int
	source facts.Source
	known  bool
}

func (s setting) on() truth {
	if !s.known {
		return maybe
	}
	return truthOf(s.value != 0)
}

// deviceSettings are the settings of one device that walks ask for, net.FAMILY.conf.DEV.NAME.
type deviceSettings [10]setting

// settingIndex is a setting's place among deviceSettings, -1 where walks do not ask for it.
func settingIndex(name string) int {
	switch name {
	case "accept_local":
		return 0
	case "bc_forwarding":
		return 1
	case "forwarding":
		return 2
	case "ignore_routes_with_linkdown":
		return 3
	case "proxy_arp":
		return 4
	case "proxy_ndp":
		return 5
	case "route_localnet":
		return 6
	case "rp_filter":
		return 7
	case "send_redirects":
		return 8
	case "src_valid_mark":
		return 9
	}
	return -1
}

// conf is the device's own setting.
func (n *Namespace) conf(family, dev, name string) setting {
	i := 0
	if family == "ipv6" {
		i = 1
	}
	return n.settings[i][dev].of(name)
}

// of is one of the settings, of which a device may have none.
func (d *deviceSettings) of(name string) setting {
	if d == nil {
		return setting{}
	}
	return d[settingIndex(name)]
}

// newSettings are the settings of devices. sysctl(8) writes a dot in a device's name as a slash.
func newSettings(n *facts.NetNS) (settings [2]map[string]*deviceSettings) {
	if n.Sysctls.Status != facts.Read {
		return settings
	}
	for i, prefix := range []string{"net.ipv4.conf.", "net.ipv6.conf."} {
		settings[i] = map[string]*deviceSettings{}
		for key, s := range n.Sysctls.Value {
			rest, ok := strings.CutPrefix(key, prefix)
			dot := strings.LastIndexByte(rest, '.')
			if !ok || dot < 0 || settingIndex(rest[dot+1:]) < 0 {
				continue
			}
			v, err := strconv.Atoi(strings.TrimSpace(s.Value))
			if err != nil {
				continue
			}
			if s.Source == "" {
				s.Source = facts.Source("sysctl " + key)
			}
			dev := strings.ReplaceAll(rest[:dot], "/", ".")
			if settings[i][dev] == nil {
				settings[i][dev] = &deviceSettings{}
			}
			settings[i][dev][settingIndex(rest[dot+1:])] = setting{v, s.Source, true}
		}
	}
	return settings
}

// maxConf is the greater of conf.all and conf.DEV. One of them that is the greatest anyway tells without the other.
func (n *Namespace) maxConf(dev, name string) setting {
	return greater(n.conf("ipv4", "all", name), n.conf("ipv4", dev, name))
}

func greater(all, own setting) setting {
	switch {
	case all.known && own.known:
		if all.value > own.value {
			return all
		}
		return own
	case all.known && all.value > 0:
		return all
	case own.known && own.value > 0:
		return own
	}
	return setting{}
}

// forwarding is conf.DEV.forwarding of IPv4, which a write to ip_forward sets on every device, and conf.all.forwarding of
// IPv6 (ip6_forward of net/ipv6/ip6_output.c).
func (n *Namespace) forwarding(dev string, v4 bool) (setting, string) {
	if !v4 {
		return n.conf("ipv6", "all", "forwarding"), "net.ipv6.conf.all.forwarding"
	}
	if s := n.conf("ipv4", dev, "forwarding"); s.known {
		return s, "net.ipv4.conf." + dev + ".forwarding"
	}
	v, source, ok := n.sysctl("net.ipv4.ip_forward")
	return setting{v, source, ok}, "net.ipv4.ip_forward"
}

func (n *Namespace) isLocal(a netip.Addr) bool { return n.local[a] != nil }
