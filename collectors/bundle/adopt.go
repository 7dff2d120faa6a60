package bundle

import (
	"reflect"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// adopt gives groups that are not read the facts of other groups of the same names that are, and names those.
func adopt(groups, others []facts.NamedGroup) []string {
	var names []string
	for i, g := range groups {
		if g.Group.GetMeta().Status == facts.Read || others[i].Group.GetMeta().Status != facts.Read {
			continue
		}
		reflect.ValueOf(g.Group).Elem().Set(reflect.ValueOf(others[i].Group).Elem())
		names = append(names, g.Name)
	}
	return names
}

// completed is a node with what another reading of it has and it lacks, and the names of that. The nodes are not changed.
func completed(node, other *facts.Node) (*facts.Node, []string) {
	n := *node
	names := adopt(append(n.Groups(), n.NetNS.Groups()...), append(other.Groups(), other.NetNS.Groups()...))
	if slices.Contains(names, "namespaces") {
		n.Namespaces = other.Namespaces
	}
	if len(names) == 0 {
		return node, nil
	}
	return &n, names
}

// sameHost says whether two names are of one host: a full name and its first part, unless the machines' ids differ.
func sameHost(a, b *facts.Node) bool {
	if a.Name == b.Name {
		return true
	}
	x, y := a.Host.Value.MachineID, b.Host.Value.MachineID
	if x != "" && y != "" && x != y {
		return false
	}
	short, _, full1 := strings.Cut(a.Name, ".")
	other, _, full2 := strings.Cut(b.Name, ".")
	return short == other && full1 != full2 && strings.ContainsFunc(short, func(r rune) bool { return r < '0' || r > '9' })
}

// sameMachine says whether two readings are of one machine by its devices: one has the hardware address, and the address,
// of another's. Addresses that software gives alike everywhere do not count.
func sameMachine(a, b *facts.Node) bool {
	return shares(a.Links.Value, b.Links.Value, func(l facts.Link) string {
		switch {
		case l.Address == "" || l.LinkType != "ether" || strings.HasPrefix(l.Address, "02:42:") || strings.HasPrefix(l.Address, "ee:ee:"):
			return ""
		}
		return l.Address
	}) && shares(a.Addresses.Value, b.Addresses.Value, func(x facts.Address) string {
		if x.Scope != "global" || !x.Local.IsGlobalUnicast() {
			return ""
		}
		return x.Dev + x.Local.String()
	}) || sharesUplink(a, b)
}

// sharesUplink says whether two readings have the same IPv6 link-local address on a device of one name: it is made of the
// hardware address or at random.
func sharesUplink(a, b *facts.Node) bool {
	return shares(a.Addresses.Value, b.Addresses.Value, func(x facts.Address) string {
		if !x.Local.Is6() || !x.Local.IsLinkLocalUnicast() || strings.HasPrefix(x.Local.String(), "fe80::ecee:eeff") || strings.HasPrefix(x.Local.String(), "fe80::42:") || x.Local.String() == "fe80::1" {
			return ""
		}
		return x.Dev + x.Local.String()
	})
}

func shares[T any](a, b []T, key func(T) string) bool {
	keys := map[string]bool{}
	for _, v := range a {
		if k := key(v); k != "" {
			keys[k] = true
		}
	}
	return slices.ContainsFunc(b, func(v T) bool { return keys[key(v)] })
}

// uids are the identities of a cluster's objects.
func uids(c *facts.Cluster) map[string]bool {
	all := map[string]bool{}
	add := func(m facts.ObjectMeta) {
		if m.UID != "" {
			all[m.UID] = true
		}
	}
	for _, v := range c.Nodes.Value {
		add(v.Metadata)
	}
	for _, v := range c.Pods.Value {
		add(v.Metadata)
	}
	for _, v := range c.Services.Value {
		add(v.Metadata)
	}
	for _, v := range c.EndpointSlices.Value {
		add(v.Metadata)
	}
	for _, v := range c.DaemonSets.Value {
		add(v.Metadata)
	}
	for _, v := range c.Namespaces.Value {
		add(v.Metadata)
	}
	return all
}

// shareObjects says whether two views have an object in common.
func shareObjects(a, b *facts.Cluster) bool {
	x := uids(a)
	for uid := range uids(b) {
		if x[uid] {
			return true
		}
	}
	return false
}
