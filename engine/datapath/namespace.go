package datapath

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

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
	// customLocal: somebody added a route of type local (fib_has_custom_local_routes).
	customLocal bool
}

type neighbourKey struct {
	dst netip.Addr
	dev string
}

// NewNamespace indexes a namespace's facts. It keeps n and does not change it.
func NewNamespace(node, id string, n *facts.NetNS) *Namespace {
	ns := &Namespace{
		Node: node, ID: id, facts: n,
		fib:      newFIB(n.Routes.Value),
		policies: [2]policy{newPolicy(n.Rules.Value, "inet"), newPolicy(n.Rules.Value, "inet6")},
		links:    map[string]*facts.Link{}, addresses: map[string][]*facts.Address{},
		local: map[netip.Addr]*facts.Address{}, neighbours: map[neighbourKey]*facts.Neighbour{},
	}
	for i := range n.Links.Value {
		ns.links[n.Links.Value[i].Ifname] = &n.Links.Value[i]
	}
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

// conf is the device's own setting.
func (n *Namespace) conf(family, dev, name string) setting {
	v, source, ok := n.sysctl("net." + family + ".conf." + sysctlDevice(dev) + "." + name)
	return setting{v, source, ok}
}

// maxConf is the greater of conf.all and conf.DEV. One of them that is the greatest anyway tells without the other.
func (n *Namespace) maxConf(dev, name string) setting {
	all, own := n.conf("ipv4", "all", name), n.conf("ipv4", dev, name)
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

// sysctlDevice writes a device's name as sysctl(8) does.
func sysctlDevice(dev string) string { return strings.ReplaceAll(dev, ".", "/") }

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
