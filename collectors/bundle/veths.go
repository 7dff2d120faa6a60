package bundle

import (
	"fmt"

	"github.com/netcause/netcause/collectors/iproute2"
	"github.com/netcause/netcause/engine/facts"
)

// plainDevices is an output of `ip link` or `ip address` without -d: it does not tell the kinds of devices.
type plainDevices struct {
	devices iproute2.Devices
	output  *output
}

// fallbacks are the devices that tunnel modules make in each network namespace (net.core.fb_tunnels_only_for_init_net), by
// name with their link type and kind.
var fallbacks = map[string][2]string{
	"tunl0": {"ipip", "ipip"}, "ip_vti0": {"ipip", "vti"}, "sit0": {"sit", "sit"}, "gre0": {"gre", "gre"}, "gretap0": {"ether", "gretap"},
	"erspan0": {"ether", "erspan"}, "ip6tnl0": {"tunnel6", "ip6tnl"}, "ip6_vti0": {"tunnel6", "vti6"},
}

// joinVeths tells the kinds of a namespace's devices, where an output without -d leaves them out, by the other ends of its
// veth pairs: these are in the node's own namespace, and there -d was asked. A veth device's peer is a veth device
// (drivers/net/veth.c makes both), and which one it is the ifindexes and the namespace's id say on both sides. Where one
// device of a namespace is left whose kind nothing tells, its links stay absent.
func (b *built) joinVeths(n *facts.Node) {
	if n.Links.Status != facts.Read {
		return
	}
	claims := map[[2]int]int{} // how many namespaces have such an end
	for _, ns := range n.Namespaces {
		if plain, ok := b.plain[ns.ID]; ok {
			for _, l := range plain.devices.Links {
				claims[[2]int{l.LinkIndex, l.Ifindex}]++
			}
		}
	}
	for _, ns := range n.Namespaces {
		plain, ok := b.plain[ns.ID]
		if !ok || ns.Links.Status == facts.Read || plain.devices.Unparsed.Count > 0 {
			continue
		}
		links, ends, missing := make([]facts.Link, len(plain.devices.Links)), []string{}, ""
		for i, l := range plain.devices.Links {
			fallback := fallbacks[l.Ifname]
			switch host := b.otherEnd(n, ns.ID, l, claims); {
			case l.LinkType == "loopback":
			case fallback[0] == l.LinkType && l.LinkIndex == 0:
				l.Kind = fallback[1]
			case host != nil:
				l.Kind = "veth"
				ends = append(ends, host.Ifname)
			default:
				missing = l.Ifname
			}
			links[i] = l
		}
		if missing != "" || len(ends) == 0 {
			continue
		}
		ns.Links = facts.ReadGroup(links, facts.Source(plain.output.file))
		ns.Links.Reason = fmt.Sprintf("%s does not tell kinds: that of the veth devices is told by their other ends on the node, %s", plain.output.file, few(ends))
		plain.output.used.facts("links")
	}
}

// otherEnd is the veth device of the node whose peer is a device of one of its namespaces, nil where there is none.
func (b *built) otherEnd(n *facts.Node, namespace string, l facts.Link, claims map[[2]int]int) *facts.Link {
	if l.LinkNetnsid == nil || l.LinkIndex == 0 {
		return nil
	}
	for i := range n.Links.Value {
		host := &n.Links.Value[i]
		if host.Kind != "veth" || host.Ifindex != l.LinkIndex || host.LinkIndex != l.Ifindex || host.LinkNetnsid == nil {
			continue
		}
		if id, known := b.netnsIDs[namespace]; known && *host.LinkNetnsid >= 0 {
			if id != *host.LinkNetnsid {
				return nil
			}
			return host
		}
		if claims[[2]int{l.LinkIndex, l.Ifindex}] == 1 {
			return host
		}
		return nil
	}
	return nil
}
