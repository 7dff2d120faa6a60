package datapath

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// indexParents finds the devices that macvlan and ipvlan devices are on. Where that is in another namespace it is taken to be
// the node's own, which is where CNI plugins have them.
func (m *Model) indexParents() {
	m.parents, m.children = map[place]place{}, map[place][]place{}
	for _, list := range m.nodes {
		for _, ns := range list {
			for i := range ns.facts.Links.Value {
				l := &ns.facts.Links.Value[i]
				if l.Kind != "macvlan" && l.Kind != "macvtap" && l.Kind != "ipvlan" {
					continue
				}
				if parent, ok := m.parentOf(ns, l); ok {
					m.parents[place{ns, l.Ifname}] = parent
					m.children[parent] = append(m.children[parent], place{ns, l.Ifname})
				}
			}
		}
	}
}

func (m *Model) parentOf(ns *Namespace, l *facts.Link) (place, bool) {
	if l.LinkNetnsid == nil {
		return place{ns, l.Link}, ns.links[l.Link] != nil
	}
	own := m.Namespace(ns.Node, "")
	if own == nil || own == ns {
		return place{}, false
	}
	for i := range own.facts.Links.Value {
		if o := &own.facts.Links.Value[i]; o.Ifindex == l.LinkIndex {
			return place{own, o.Ifname}, true
		}
	}
	return place{}, false
}

func (p place) link() *facts.Link { return p.ns.links[p.dev] }

func (p place) has(a netip.Addr) bool {
	local := p.ns.local[a]
	return local != nil && local.Dev == p.dev
}

// childOf is the device on a parent that a frame for an address belongs to: macvlan_handle_frame of drivers/net/macvlan.c by
// the hardware address of whoever has nexthop, ipvlan_handle_frame of drivers/net/ipvlan/ipvlan_core.c by the packet's own
// destination.
func (m *Model) childOf(parent place, nexthop, dst netip.Addr) (place, bool) {
	for _, child := range m.children[parent] {
		if child.has(nexthop) || child.link().Kind == "ipvlan" && child.has(dst) {
			return child, true
		}
	}
	return place{}, false
}

// toChild gives a frame to a device on the one that it came in by.
func (w *walker) toChild(s state, at, child place, mac string, nexthop netip.Addr) []Branch {
	link, ended := w.link(s, child.ns, child.dev)
	if ended != nil {
		return ended
	}
	if ended := s.unfit(child.ns, at.link(), link, StageLink); ended != nil {
		return ended
	}
	s = s.say(at.ns, StageLink, told(func() (string, facts.Source) {
		return fmt.Sprintf("from %s to %s of %s", at.dev, child.dev, child.ns.title()), link.Source
	}))
	if at.ns != child.ns {
		s.scrub()
	}
	if link.Kind == "ipvlan" {
		return w.receive(s, child.ns, child.dev)
	}
	return w.up(s, child.ns, link, mac, nexthop)
}

// sibling is what a macvlan or ipvlan device does with a frame: to another one on the same parent, or out by the parent, never
// into the parent's own network layer (macvlan_queue_xmit, ipvlan_xmit_mode_l2).
func (w *walker) sibling(s state, ns *Namespace, link *facts.Link, mac string, nexthop netip.Addr) []Branch {
	here := place{ns, link.Ifname}
	parent, ok := w.model.parents[here]
	if !ok {
		return s.unknown(ns, StageLink, "the device that "+link.Ifname+" is on was not read", &Missing{Node: ns.Node, Group: "links", Collect: "netcause collect on " + ns.Node})
	}
	ended := func(v Verdict, text string) []Branch {
		s = s.step(ns, StageLink, text)
		s.last().Source = link.Source
		return s.end(v)
	}
	mode := linkMode(link)
	if mode == "" || mode == "source" {
		return ended(Unknown, fmt.Sprintf("what mode %q of %s, a device of kind %s, does is not followed", mode, link.Ifname, link.Kind))
	}
	for _, other := range w.model.children[parent] {
		if other == here || !other.has(nexthop) || mac != "" && other.link().Address != mac {
			continue
		}
		both := fmt.Sprintf("%s and %s of %s are on %s", link.Ifname, other.dev, other.ns.title(), parent.dev)
		switch far := linkMode(other.link()); {
		case mode == "private" || far == "private":
			return ended(Dropped, both+" in mode private, which keeps them apart")
		case mode != "bridge" || far != "bridge":
			return ended(Unknown, both+" in mode vepa: whether the switch sends it back is no fact")
		}
		return w.toChild(s, parent, other, mac, nexthop)
	}
	if parent.ns.isLocal(nexthop) {
		if link.Kind == "ipvlan" && mac != "" && mac == parent.link().Address {
			s.scrub()
			return w.up(s, parent.ns, parent.link(), mac, nexthop)
		}
		return ended(Dropped, fmt.Sprintf("%s has %s, and %s is on its %s: a parent and its %ss do not reach each other",
			parent.ns.title(), nexthop, link.Ifname, parent.dev, link.Kind))
	}
	below, down := w.link(s, parent.ns, parent.dev)
	if down != nil {
		return down
	}
	s = s.say(ns, StageLink, told(func() (string, facts.Source) {
		return fmt.Sprintf("%s sends it by %s of %s", link.Ifname, parent.dev, parent.ns.title()), link.Source
	}))
	if parent.ns != ns {
		s.scrub()
	}
	return w.frame(s, parent.ns, below, mac, nexthop)
}

// linkMode is bridge, private, vepa or passthru, whichever of the two kinds a device is.
func linkMode(l *facts.Link) string {
	switch {
	case l.Macvlan != nil:
		return l.Macvlan.Mode
	case l.IPVLAN != nil && l.IPVLAN.Mode == "l2":
		return l.IPVLAN.Flag
	}
	return ""
}

// throughParent is an ipvlan device in mode l3 or l3s: what is not another one's is routed in the parent's namespace, as its
// own packets are (ipvlan_process_outbound).
func (w *walker) throughParent(s state, ns *Namespace, link *facts.Link) []Branch {
	here := place{ns, link.Ifname}
	parent, ok := w.model.parents[here]
	if !ok {
		return s.unknown(ns, StageLink, "the device that "+link.Ifname+" is on was not read", &Missing{Node: ns.Node, Group: "links", Collect: "netcause collect on " + ns.Node})
	}
	if link.IPVLAN.Flag != "bridge" {
		return s.unknown(ns, StageLink, fmt.Sprintf("flag %s of %s is not followed", link.IPVLAN.Flag, link.Ifname), nil)
	}
	for _, other := range w.model.children[parent] {
		if other != here && other.has(s.pkt.Dst) {
			return w.toChild(s, parent, other, "", s.pkt.Dst)
		}
	}
	s = s.say(ns, StageLink, told(func() (string, facts.Source) {
		return fmt.Sprintf("%s (ipvlan %s) hands it to the routes of %s", link.Ifname, link.IPVLAN.Mode, parent.ns.title()), link.Source
	}))
	s.scrub()
	s, over := w.enter(s, parent.ns, "")
	if over != nil {
		return over
	}
	decisions, _ := parent.ns.routeOutput(s.pkt.flow("lo"))
	var out []Branch
	for i := range decisions {
		if i > 0 && !w.fork() {
			break
		}
		b := s
		b.probability *= decisions[i].Probability
		out = append(out, w.output(b, parent.ns, &decisions[i])...)
	}
	return out
}

// slaves are the ways out of a bond or team: the active slave, or one that the packet's hash chooses among those that can send
// (bond_start_xmit of drivers/net/bonding/bond_main.c). They are taken to be on one segment.
func (w *walker) slaves(s state, ns *Namespace, bond *facts.Link, mac string, nexthop netip.Addr) []Branch {
	var usable []string
	wired := false // a slave whose other end is among the facts
	for _, p := range ns.ports[bond.Ifname] {
		if slices.Contains(p.Flags, "UP") && !slices.Contains(p.Flags, "NO-CARRIER") {
			usable = append(usable, p.Ifname)
			_, ok := w.model.peer(ns, p)
			wired = wired || ok
		}
	}
	ended := func(v Verdict, text string) []Branch {
		s = s.step(ns, StageLink, text)
		s.last().Source = bond.Source
		return s.end(v)
	}
	backup := bond.Bond != nil && bond.Bond.Mode == "active-backup"
	switch {
	case len(usable) == 0:
		return ended(Dropped, bond.Ifname+" has no slave that is up and has carrier")
	case backup && bond.Bond.ActiveSlave == "":
		return ended(Dropped, bond.Ifname+" has no active slave")
	case backup && !slices.Contains(usable, bond.Bond.ActiveSlave):
		return ended(Dropped, fmt.Sprintf("%s, the active slave of %s, is down or has no carrier", bond.Bond.ActiveSlave, bond.Ifname))
	case bond.Bond != nil && bond.Bond.Mode == "broadcast":
		return ended(Unknown, bond.Ifname+" sends each frame by all of its slaves, which is not followed")
	case backup:
		usable = []string{bond.Bond.ActiveSlave}
	case wired && len(usable) > 1:
		return ended(Unknown, fmt.Sprintf("by which of %s %s sends it is not known", strings.Join(usable, ", "), bond.Ifname))
	}
	s = s.say(ns, StageLink, told(func() (string, facts.Source) {
		return fmt.Sprintf("%s sends it by %s", bond.Ifname, strings.Join(usable, " or ")), bond.Source
	}))
	if len(usable) == 1 {
		return w.frame(s, ns, ns.links[usable[0]], mac, nexthop)
	}
	return w.segment(s, ns, bond, mac, nexthop)
}

// tag is vlan_dev_hard_start_xmit of net/8021q/vlan_dev.c.
func (w *walker) tag(s state, ns *Namespace, link *facts.Link, mac string, nexthop netip.Addr) []Branch {
	if link.VLAN == nil || link.LinkNetnsid != nil || s.pkt.vlan != 0 {
		return s.unknown(ns, StageLink, "what is below "+link.Ifname+", a VLAN device, is not followed", nil)
	}
	below, ended := w.link(s, ns, link.Link)
	if ended != nil {
		return ended
	}
	switch below.Kind {
	case "", "veth", "bond", "team":
	default:
		return s.unknown(ns, StageLink, fmt.Sprintf("a VLAN's frame on %s, a device of kind %s, is not followed", below.Ifname, below.Kind), nil)
	}
	s.edit().vlan = link.VLAN.ID
	s = s.say(ns, StageLink, told(func() (string, facts.Source) {
		return fmt.Sprintf("%s tags it for VLAN %d on %s", link.Ifname, link.VLAN.ID, below.Ifname), link.Source
	}))
	return w.frame(s, ns, below, mac, nexthop)
}

// untag is vlan_do_receive of net/8021q/vlan_core.c: the device of the frame's VLAN takes it, and without one nobody does.
func (w *walker) untag(s state, at place, mac string, nexthop netip.Addr) []Branch {
	for i := range at.ns.facts.Links.Value {
		l := &at.ns.facts.Links.Value[i]
		if l.VLAN != nil && l.Link == at.dev && l.LinkNetnsid == nil && l.VLAN.ID == s.pkt.vlan {
			s.edit().vlan = 0
			return w.arrive(s, place{at.ns, l.Ifname}, mac, nexthop)
		}
	}
	if at.link().Master != "" {
		return s.unknown(at.ns, StageLink, fmt.Sprintf("a frame of VLAN %d on %s, a port of %s, is not followed", s.pkt.vlan, at.dev, at.link().Master), nil)
	}
	s = s.step(at.ns, StageLink, fmt.Sprintf("%s of %s has no device of VLAN %d: nobody takes the frame", at.dev, at.ns.title(), s.pkt.vlan))
	s.last().Source = at.link().Source
	return s.end(Dropped)
}

// otherVLAN says that a tagged frame comes to a device of another VLAN. A switch may make one of the other.
func otherVLAN(tag int, at place) string {
	if l := at.link(); tag != 0 && l.VLAN != nil && l.VLAN.ID != tag {
		return fmt.Sprintf(" in VLAN %d, and %s is of VLAN %d: whether the switch joins them is no fact", tag, at.dev, l.VLAN.ID)
	}
	return ""
}
