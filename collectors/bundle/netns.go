package bundle

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/collectors/conntrack"
	"github.com/netcause/netcause/collectors/iproute2"
	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/collectors/nettools"
	"github.com/netcause/netcause/collectors/procps"
	"github.com/netcause/netcause/engine/facts"
)

// netns makes the facts of one network namespace of a machine: its own where name is empty.
func (b *built) netns(name string, n *facts.NetNS) {
	b.devices(name, n)
	b.rules(name, n)
	b.routes(name, n)
	b.neighbours(name, n)
	b.forwarding(name, n)
	b.sysctls(name, n)
	b.listeners(name, n)
	b.conntrack(name, n)
	b.netfilter(name, n)
	b.statistics(name, n)
}

// statistics gives devices whose listing has no counters those of another output: `ip -s link` without -d, or ifconfig. A
// device that has another MTU there was made anew since, or is another.
func (b *built) statistics(netns string, n *facts.NetNS) {
	if n.Links.Status == facts.Read && len(n.Links.Value) > 0 && n.Links.Value[0].Stats64 == nil {
		for _, o := range append(b.all(netns, devices), b.all(netns, ifconfigDevices)...) {
			counters := map[string]*facts.LinkStatistics{}
			if o.command.subject == ifconfigDevices {
				list, _ := nettools.ParseInterfaces(o.text)
				for _, i := range list {
					counters[fmt.Sprint(i.Name, " ", i.MTU)] = &i.Stats
				}
			} else {
				for _, l := range iproute2.ParseDevices(o.file, o.text, b.netnsIDs).Links {
					if l.Stats64 != nil {
						counters[fmt.Sprint(l.Ifname, " ", l.MTU)] = l.Stats64
					}
				}
			}
			filled := false
			for i := range n.Links.Value {
				l := &n.Links.Value[i]
				if s := counters[fmt.Sprint(l.Ifname, " ", l.MTU)]; s != nil && l.Stats64 == nil {
					l.Stats64, filled = s, true
				}
			}
			if filled {
				n.Links.Sources = append(n.Links.Sources, facts.Source(o.file))
				o.used.facts("links")
				break
			}
		}
	}
	// Of addresses that it does not show a rule would take it that they are not there.
	for _, o := range b.all(netns, ifconfigDevices) {
		list, unparsed := nettools.ParseInterfaces(o.text)
		b.note(o, unparsed, 0, "")
		if len(list) == 0 {
			continue
		}
		if n.Addresses.Status != facts.Read {
			n.Addresses = facts.Unread[[]facts.Address](facts.Absent, o.file+" shows one address for each label, and no lifetimes: ip -d address shows all", facts.Source(o.file))
		}
		if n.Links.Status != facts.Read {
			n.Links = facts.Unread[[]facts.Link](facts.Absent, o.file+" does not tell the kinds of devices: ip -d link does", facts.Source(o.file))
		}
		if len(o.used.Facts) == 0 {
			o.used.PassedOver = "recognised: ifconfig, which leaves out addresses, lifetimes and the kinds of devices: ip -s -d address has all"
		}
	}
}

// devices reads the links from the most detailed text, the addresses from the first that shows them.
func (b *built) devices(netns string, n *facts.NetNS) {
	n.Links = absent[[]facts.Link]("ip -d link")
	n.Addresses = absent[[]facts.Address]("ip address")
	best := -1
	for _, o := range b.all(netns, devices) {
		d := iproute2.ParseDevices(o.file, o.text, b.netnsIDs)
		understood := d.Detailed && d.ShowsLinks
		if _, twice := b.plain[netns]; d.ShowsLinks && !d.Detailed && !twice {
			b.plain[netns] = plainDevices{d, o}
		}
		score := 0
		if understood {
			score = 1
			for _, l := range d.Links {
				if l.Stats64 != nil {
					score = 2
				}
			}
		}
		switch {
		case understood && score > best:
			best = score
			n.Links = collectedFrom(d.Links, len(d.Links), o, d.Unparsed)
			b.note(o, d.Unparsed, len(d.Links), "links")
		case n.Links.Status != facts.Read && d.ShowsLinks:
			n.Links = facts.Unread[[]facts.Link](facts.Absent, o.file+" does not tell the kinds of devices: ip -d link does", facts.Source(o.file))
		case n.Links.Status != facts.Read && d.Unparsed.Count > 0:
			n.Links = collectedFrom(d.Links, len(d.Links), o, d.Unparsed)
		}
		if (d.ShowsAddresses || o.command.addresses && d.ShowsLinks) && n.Addresses.Status != facts.Read {
			addresses := d.Addresses
			if addresses == nil {
				addresses = []facts.Address{}
			}
			n.Addresses = collectedFrom(addresses, len(d.Addresses)+len(d.Links), o, d.Unparsed)
			b.note(o, d.Unparsed, len(d.Addresses), "addresses")
		}
	}
}

// rules puts the rules of both families together.
func (b *built) rules(netns string, n *facts.NetNS) {
	n.Rules = absent[[]facts.RoutingRule]("ip rule")
	var missing string
	for _, family := range []string{"inet", "inet6"} {
		o := b.bestOf(netns, policyRules, func(c command) bool { return c.inet6 == (family == "inet6") })
		if o == nil {
			missing = joined(missing, "no output of "+map[string]string{"inet": "ip rule", "inet6": "ip -6 rule"}[family])
			continue
		}
		p := iproute2.ParseRules(o.file, o.text, family, b.tables)
		b.note(o, p.Unparsed, len(p.Items), "rules")
		g := collectedFrom(p.Items, len(p.Items), o, p.Unparsed)
		if g.Status == facts.Read && p.Unparsed.Count > 0 {
			// A rule that is left out may send packets elsewhere.
			g.Status = facts.Failed
		}
		switch {
		case g.Status == facts.Read && len(p.Items) == 0:
			missing = joined(missing, o.file+" is empty") // there is always one rule: the command gave nothing
		case g.Status != facts.Read && family == "inet":
			n.Rules = g
			return
		case g.Status != facts.Read:
			missing = joined(missing, g.Reason)
		case n.Rules.Status != facts.Read:
			n.Rules = g
		default:
			n.Rules.Value = append(n.Rules.Value, g.Value...)
			n.Rules.Sources = append(n.Rules.Sources, g.Sources...)
		}
	}
	if n.Rules.Status == facts.Read && !slices.ContainsFunc(n.Rules.Value, func(r facts.RoutingRule) bool { return r.Family == "inet" }) {
		n.Rules.Status = facts.Absent
	}
	n.Rules.Reason = joined(n.Rules.Reason, missing)
	if n.Rules.Status == facts.Absent && len(n.Rules.Sources) == 0 {
		n.Rules.Reason = "the bundle has no output of ip rule"
	}
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func (m *machine) bestOf(netns string, s subject, is func(command) bool) *output {
	var best *output
	for _, o := range m.all(netns, s) {
		if is(o.command) && (best == nil || len(o.text) > len(best.text)) {
			best = o
		}
	}
	return best
}

// routes puts the routes of both families together, of all tables where a text shows them.
func (b *built) routes(netns string, n *facts.NetNS) {
	n.Routes = absent[[]facts.Route]("ip route show table all")
	read := func(o *output, family string) []facts.Route {
		p := iproute2.ParseRoutes(o.file, o.text, iproute2.RouteOptions{Family: family, Tables: b.tables})
		b.note(o, p.Unparsed, len(p.Items), "routes")
		g := collectedFrom(p.Items, len(p.Items), o, p.Unparsed)
		if g.Status == facts.Read && p.Unparsed.Count > 0 {
			g.Status = facts.Failed // the route that is asked for may be the one that was not understood
			g.Reason = o.file + ": " + g.Reason
		}
		if g.Status != facts.Read {
			n.Routes = g
			return nil
		}
		n.Routes.Sources = append(n.Routes.Sources, g.Sources...)
		return g.Value
	}
	routes6 := b.bestOf(netns, routes, func(c command) bool { return c.inet6 && !c.main })
	all := b.bestOf(netns, routes, func(c command) bool { return !c.inet6 && !c.main })
	main := b.bestOf(netns, routes, func(c command) bool { return !c.inet6 && c.main })
	n.Routes.Sources = nil
	var list []facts.Route
	reason := ""
	switch {
	case all != nil:
		list = read(all, "")
		if n.Routes.Status == facts.Failed || n.Routes.Status == facts.Denied {
			return
		}
		// The kernel lists the table local after main: without it the end is missing, or the command gave nothing.
		if !slices.ContainsFunc(list, func(r facts.Route) bool { return r.Type == "local" }) && hasAddresses(n) {
			n.Routes = facts.Unread[[]facts.Route](facts.Failed, said(all, "it has no route of the table local, so it was cut short"), facts.Source(all.file))
			return
		}
	case main != nil:
		list = read(main, "inet")
		if n.Routes.Status == facts.Failed || n.Routes.Status == facts.Denied {
			return
		}
		if len(list) == 0 && hasAddresses(n) {
			n.Routes = facts.Unread[[]facts.Route](facts.Failed, said(main, "it has no route at all"), facts.Source(main.file))
			return
		}
		reason = "the main table alone, as " + main.command.line + " shows it"
	default:
		o := b.best(netns, netstatRoutes)
		if o == nil {
			n.Routes = absent[[]facts.Route]("ip route show table all")
			return
		}
		routes, unparsed := nettools.ParseRoutes(o.file, o.text)
		b.note(o, unparsed, len(routes), "routes")
		g := collectedFrom(routes, len(routes), o, unparsed)
		if g.Status != facts.Read || unparsed.Count > 0 {
			g.Status = cmp.Or(max(g.Status, facts.Denied), facts.Failed)
			n.Routes = g
			return
		}
		list, n.Routes.Sources = g.Value, g.Sources
		reason = "the main table alone, without preferred sources, as " + o.command.line + " shows it"
	}
	has6 := slices.ContainsFunc(list, func(r facts.Route) bool { return r.Family == "inet6" })
	switch {
	case routes6 != nil:
		list = slices.DeleteFunc(list, func(r facts.Route) bool { return r.Family == "inet6" })
		list = append(list, read(routes6, "inet6")...)
		if n.Routes.Status == facts.Failed || n.Routes.Status == facts.Denied {
			return
		}
	case !has6:
		reason = joined(reason, "IPv4 alone: no output of ip -6 route show table all")
	}
	if strings.HasPrefix(reason, "the main table") {
		have := map[int]bool{}
		for _, o := range b.all(netns, tableRoutes) {
			table, err := strconv.Atoi(o.command.table)
			if err != nil || o.command.inet6 && !has6 {
				continue
			}
			family := "inet"
			if o.command.inet6 {
				family = "inet6"
			}
			p := iproute2.ParseRoutes(o.file, o.text, iproute2.RouteOptions{Family: family, Table: table, Tables: b.tables})
			b.note(o, p.Unparsed, len(p.Items), "routes")
			if p.Unparsed.Count > 0 {
				continue
			}
			list = append(list, p.Items...)
			n.Routes.Sources = append(n.Routes.Sources, facts.Source(o.file))
			have[table] = have[table] || family == "inet"
		}
		if other := b.otherTables(n, have); other != "" {
			n.Routes.Status, n.Routes.Reason = facts.Absent, reason+": rules ask "+other
			return
		}
		if len(have) > 0 {
			reason = strings.Replace(reason, "the main table alone", "the main table and those that were asked for", 1)
		}
		list = append(list, localRoutes(n)...)
	}
	if list == nil {
		list = []facts.Route{}
	}
	n.Routes.Status, n.Routes.Reason, n.Routes.Value = facts.Read, reason, list
}

// hasAddresses says whether the namespace has an IPv4 address that brings a route, or may have one.
func hasAddresses(n *facts.NetNS) bool {
	return n.Addresses.Status != facts.Read || slices.ContainsFunc(n.Addresses.Value, func(a facts.Address) bool {
		return a.Family == "inet" && a.Prefixlen < 32
	})
}

// said is why an output cannot be what its command shows: its first line where that is all there is, or what is wrong with it.
func said(o *output, wrong string) string {
	text := strings.TrimSpace(string(o.text))
	switch {
	case text == "":
		wrong = "it is empty"
	case !strings.Contains(text, "\n") && strings.Contains(text, ": "):
		wrong = "it says " + printable(text)
	}
	return o.file + ": " + wrong
}

// otherTables names a table that rules ask beside the kernel's own and those that are there.
func (b *built) otherTables(n *facts.NetNS, have map[int]bool) string {
	if n.Rules.Status != facts.Read {
		return ""
	}
	for _, r := range n.Rules.Value {
		if r.Family == "inet" && !have[r.Table] && (r.Action == "l3mdev" || r.Action == "lookup" && r.Table != facts.TableMain && r.Table != facts.TableLocal && r.Table != facts.TableDefault) {
			return fmt.Sprintf("table %d (%s)", r.Table, r.Source)
		}
	}
	return ""
}

// localRoutes are those that the kernel keeps in the table local for IPv4 addresses (fib_add_ifaddr of
// net/ipv4/fib_frontend.c).
func localRoutes(n *facts.NetNS) []facts.Route {
	var list []facts.Route
	for _, a := range n.Addresses.Value {
		if n.Addresses.Status != facts.Read || a.Family != "inet" {
			continue
		}
		r := facts.Route{
			Source: a.Source, Type: "local", Dst: netip.PrefixFrom(a.Local, 32), Family: "inet", Dev: a.Dev, Src: a.Local,
			Table: facts.TableLocal, Protocol: "kernel", Scope: "host",
		}
		list = append(list, r)
		if a.Local.IsLoopback() {
			r.Dst = netip.PrefixFrom(a.Local, a.Prefixlen).Masked()
			list = append(list, r)
		}
		if a.Broadcast.IsValid() {
			r.Type, r.Dst, r.Scope = "broadcast", netip.PrefixFrom(a.Broadcast, 32), "link"
			list = append(list, r)
		}
	}
	return list
}

// neighbours puts several texts together: sosreport has those of NOARP apart.
func (b *built) neighbours(netns string, n *facts.NetNS) {
	n.Neighbours = absent[[]facts.Neighbour]("ip neigh")
	type key struct {
		dst netip.Addr
		dev string
	}
	seen := map[key]bool{}
	isNoARP := func(o *output) bool { return strings.Contains(o.command.line, "noarp") }
	outputs := slices.Clone(b.all(netns, neighbours))
	slices.SortStableFunc(outputs, func(a, b *output) int {
		return strings.Compare(fmt.Sprint(isNoARP(a)), fmt.Sprint(isNoARP(b)))
	})
	for _, o := range outputs {
		p := iproute2.ParseNeighbours(o.file, o.text)
		b.note(o, p.Unparsed, len(p.Items), "neighbours")
		g := collectedFrom(p.Items, len(p.Items), o, p.Unparsed)
		noarp := isNoARP(o)
		switch {
		case g.Status != facts.Read && n.Neighbours.Status != facts.Read:
			n.Neighbours = g
			continue
		case g.Status != facts.Read:
			continue
		case noarp && n.Neighbours.Status != facts.Read:
			continue // they alone are not the table
		}
		// A machine that talks to anybody has neighbours, so the command gave nothing.
		if netns == "" && !noarp && len(g.Value) == 0 {
			if n.Neighbours.Status != facts.Read {
				n.Neighbours = facts.Unread[[]facts.Neighbour](facts.Failed, said(o, "it has no neighbour at all"), facts.Source(o.file))
			}
			continue
		}
		value := n.Neighbours.Value
		for _, m := range g.Value {
			if k := (key{m.Dst, m.Dev}); !seen[k] {
				seen[k] = true
				value = append(value, m)
			}
		}
		if value == nil {
			value = []facts.Neighbour{}
		}
		sources := append(slices.Clone(n.Neighbours.Sources), g.Sources...)
		n.Neighbours = facts.ReadGroup(value, sources...)
		n.Neighbours.Reason = g.Reason
	}
}

func (b *built) forwarding(netns string, n *facts.NetNS) {
	n.FDB = absent[[]facts.FDBEntry]("bridge fdb")
	if o := b.best(netns, forwarding); o != nil {
		p := iproute2.ParseFDB(o.file, o.text)
		b.note(o, p.Unparsed, len(p.Items), "fdb")
		n.FDB = collectedFrom(p.Items, len(p.Items), o, p.Unparsed)
		// Each Ethernet device that is up has entries of its own, those of multicast (ndo_dflt_fdb_dump of net/core/rtnetlink.c).
		if netns == "" && n.FDB.Status == facts.Read && len(p.Items) == 0 {
			n.FDB = facts.Unread[[]facts.FDBEntry](facts.Failed, said(o, "it has no entry at all"), facts.Source(o.file))
		}
	}
}

// manySysctls is fewer than any kernel has of the network.
const manySysctls = 200

func (b *built) sysctls(netns string, n *facts.NetNS) {
	n.Sysctls = absent[map[string]facts.Sysctl]("sysctl -a")
	if o := b.best(netns, sysctls); o != nil {
		s := procps.ParseSysctls(o.file, o.text)
		b.note(o, s.Unparsed, len(s.Values), "sysctls")
		n.Sysctls = collectedFrom(s.Values, len(s.Values), o, s.Unparsed)
		switch {
		case n.Sysctls.Status != facts.Read:
		case !s.All && len(s.Values) < manySysctls:
			// One that is not among them would seem to be one that the kernel does not have.
			n.Sysctls.Status = facts.Absent
			n.Sysctls.Reason = fmt.Sprintf("%s has %d sysctls of the network alone: sysctl -a shows all", o.file, len(s.Values))
		case len(s.Denied) > 0:
			n.Sysctls.Reason = joined(n.Sysctls.Reason, fmt.Sprintf("%d could not be read: permission denied on %s", len(s.Denied), s.Denied[0]))
		}
		return
	}
	if netns != "" {
		return
	}
	values := map[string]facts.Sysctl{}
	for _, name := range b.files.under("proc/sys/net/") {
		key := procps.SysctlKey(strings.TrimPrefix(name, "proc/sys/"))
		values[key] = facts.Sysctl{Value: strings.Join(strings.Fields(string(b.files.data(name))), " "), Source: facts.Source("/" + name)}
		b.files[name].used.facts("sysctls")
	}
	if len(values) > manySysctls {
		n.Sysctls = facts.ReadGroup(values, "/proc/sys/net")
		n.Sysctls.Reason = "those files of /proc/sys/net that the bundle has"
	}
}

// listeners prefers ss, which shows the accept queue's limit, v6only and the device.
func (b *built) listeners(netns string, n *facts.NetNS) {
	n.Listeners = absent[[]facts.Listener]("ss -lntup")
	for _, o := range append(b.all(netns, sockets), b.all(netns, netstatSockets)...) {
		var items []facts.Listener
		var unparsed lines.Unparsed
		tcp, udp := o.command.tcp, o.command.udp
		reason := ""
		if o.command.subject == sockets {
			p := iproute2.ParseListeners(o.file, o.text)
			items, unparsed = p.Items, p.Unparsed
			if !o.command.listening {
				tcp, udp = p.TCP && p.Listeners, p.UDP && p.Listeners
			}
		} else {
			var hasTCP, hasUDP bool
			items, hasTCP, hasUDP, unparsed = nettools.ParseListeners(o.file, o.text)
			if !o.command.listening {
				tcp, udp = hasTCP, hasUDP
			}
			reason = "netstat shows neither the accept queue's limit nor the device"
		}
		b.note(o, unparsed, len(items), "listeners")
		g := collectedFrom(items, len(items), o, unparsed)
		switch {
		case g.Status != facts.Read && n.Listeners.Status == facts.Read, !tcp && !udp:
			continue
		case !tcp:
			reason = joined(reason, "those of UDP alone")
		case !udp:
			reason = joined(reason, "those of TCP alone")
		}
		if g.Status == facts.Read {
			g.Reason = joined(reason, g.Reason)
		}
		switch {
		case n.Listeners.Status != facts.Read:
			n.Listeners = g
		case strings.Contains(n.Listeners.Reason, "alone") && tcp && udp:
			n.Listeners = g
		}
	}
}

// maxEntries bounds the tracked connections that are kept of one node.
const maxEntries = 200_000

func (b *built) conntrack(netns string, n *facts.NetNS) {
	n.Conntrack = absent[facts.Conntrack]("sysctl net.netfilter")
	count, ok1 := n.Sysctls.Value["net.netfilter.nf_conntrack_count"]
	limit, ok2 := n.Sysctls.Value["net.netfilter.nf_conntrack_max"]
	if n.Sysctls.Status == facts.Read && ok1 && ok2 {
		c := facts.Conntrack{Source: count.Source}
		c.Count, _ = strconv.Atoi(count.Value)
		c.Max, _ = strconv.Atoi(limit.Value)
		n.Conntrack = facts.ReadGroup(c, count.Source)
		n.Conntrack.Reason = "no counters: no output of conntrack -S"
		if o := b.best(netns, conntrackCounters); o != nil {
			counters, unparsed := conntrack.ParseCounters(o.text)
			b.note(o, unparsed, len(counters), "conntrack")
			if counters != nil {
				n.Conntrack.Value.Counters, n.Conntrack.Reason = counters, unparsed.String()
				n.Conntrack.Sources = append(n.Conntrack.Sources, facts.Source(o.file))
			}
		}
	}
	n.ConntrackEntries = absent[[]facts.ConntrackEntry]("conntrack -L")
	if o := b.best(netns, conntrackEntries); o != nil {
		entries, unparsed := conntrack.ParseEntries(o.text)
		b.note(o, unparsed, len(entries), "conntrack_entries")
		cut := len(entries) > maxEntries
		if cut {
			entries = entries[:maxEntries:maxEntries]
		}
		n.ConntrackEntries = collectedFrom(entries, len(entries), o, unparsed)
		if cut {
			n.ConntrackEntries.Reason = joined(n.ConntrackEntries.Reason, fmt.Sprintf("the first %d alone", maxEntries))
		}
	}
}
