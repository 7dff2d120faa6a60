package datapath_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// collect reads a namespace's facts with iproute2 and procfs. It is a converter for these tests alone, which may not use
// the collectors.
func (ns *kernelNS) collect() facts.NetNS {
	ns.t.Helper()
	return facts.NetNS{
		Links:      facts.ReadGroup(ns.linkFacts()),
		Addresses:  facts.ReadGroup(ns.addressFacts()),
		Routes:     facts.ReadGroup(append(ns.routeFacts("inet"), ns.routeFacts("inet6")...)),
		Rules:      facts.ReadGroup(append(ns.ruleFacts("inet"), ns.ruleFacts("inet6")...)),
		Neighbours: facts.ReadGroup(ns.neighbourFacts()),
		FDB:        facts.ReadGroup(ns.fdbFacts()),
		Sysctls:    facts.ReadGroup(ns.sysctlFacts()),
		Listeners:  facts.ReadGroup(ns.listenerFacts()),
	}
}

type object map[string]any

func (o object) text(key string) string { s, _ := o[key].(string); return s }

func (o object) number(key string) int {
	switch v := o[key].(type) {
	case float64:
		return int(v)
	case string:
		n, _ := strconv.ParseInt(v, 0, 64)
		return int(n)
	}
	return 0
}

func (o object) address(key string) netip.Addr { a, _ := netip.ParseAddr(o.text(key)); return a }

func (o object) has(key string) bool { _, ok := o[key]; return ok }

func (o object) object(key string) object { m, _ := o[key].(map[string]any); return m }

func (o object) texts(key string) (list []string) {
	l, _ := o[key].([]any)
	for _, v := range l {
		s, _ := v.(string)
		list = append(list, s)
	}
	return list
}

func (o object) objects(key string) (list []object) {
	l, _ := o[key].([]any)
	for _, v := range l {
		m, _ := v.(map[string]any)
		list = append(list, m)
	}
	return list
}

func (ns *kernelNS) objects(command string) (list []object) {
	ns.t.Helper()
	out := ns.run(command)
	if strings.TrimSpace(out) == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		ns.t.Fatalf("%s: %v: %s", command, err, out)
	}
	return list
}

func (ns *kernelNS) linkFacts() (links []facts.Link) {
	for _, o := range ns.objects("ip -j -d link show") {
		info := o.object("linkinfo")
		l := facts.Link{
			Source: facts.Source("ip -d link show dev " + o.text("ifname")), Ifindex: o.number("ifindex"), Ifname: o.text("ifname"),
			Kind: info.text("info_kind"), LinkType: o.text("link_type"), MTU: o.number("mtu"), Flags: o.texts("flags"),
			Operstate: o.text("operstate"), Address: o.text("address"), Master: o.text("master"), Link: o.text("link"),
			LinkIndex: o.number("link_index"),
		}
		if o.has("link_netnsid") {
			id := o.number("link_netnsid")
			l.LinkNetnsid = &id
		}
		switch data := info.object("info_data"); l.Kind {
		case "vxlan":
			l.VXLAN = &facts.VXLAN{
				ID: data.number("id"), Local: data.address("local"), Group: cmp.Or(data.address("remote"), data.address("group")),
				Port: data.number("port"), Learning: data["learning"] == true, Link: data.text("link"),
			}
		case "macvlan":
			l.Macvlan = &facts.Macvlan{Mode: data.text("mode")}
		case "bridge":
			l.Bridge = &facts.Bridge{VLANFiltering: data.number("vlan_filtering") != 0}
		}
		if info.text("info_slave_kind") == "bridge" {
			data := info.object("info_slave_data")
			l.BridgePort = &facts.BridgePort{
				Hairpin: data["hairpin"] == true, Learning: data["learning"] == true, Isolated: data["isolated"] == true,
			}
		}
		links = append(links, l)
	}
	return links
}

func (ns *kernelNS) addressFacts() (addresses []facts.Address) {
	for _, dev := range ns.objects("ip -j -d address show") {
		for _, o := range dev.objects("addr_info") {
			a := facts.Address{
				Source: facts.Source("ip -d address show dev " + dev.text("ifname")), Dev: dev.text("ifname"), Family: o.text("family"),
				Local: o.address("local"), Prefixlen: o.number("prefixlen"), Peer: o.address("address"), Scope: o.text("scope"),
			}
			for _, flag := range []string{"secondary", "deprecated", "tentative"} {
				if o.has(flag) {
					a.Flags = append(a.Flags, flag)
				}
			}
			addresses = append(addresses, a)
		}
	}
	return addresses
}

func tableNumber(o object, key string) int {
	switch o.text(key) {
	case "", "main":
		return facts.TableMain
	case "local":
		return facts.TableLocal
	case "default":
		return facts.TableDefault
	}
	return o.number(key)
}

func (ns *kernelNS) routeFacts(family string) (routes []facts.Route) {
	for _, o := range ns.objects("ip -j -d -f " + family + " route show table all") {
		dst := o.text("dst")
		switch {
		case dst == "default" && family == "inet":
			dst = "0.0.0.0/0"
		case dst == "default":
			dst = "::/0"
		case !strings.Contains(dst, "/"):
			dst += fmt.Sprintf("/%d", netip.MustParseAddr(dst).BitLen())
		}
		r := facts.Route{
			Source: facts.Source(fmt.Sprintf("ip route show table %d", tableNumber(o, "table"))),
			Type:   o.text("type"), Dst: netip.MustParsePrefix(dst), Family: family, Via: o.address("gateway"), Dev: o.text("dev"),
			Src: o.address("prefsrc"), Metric: o.number("metric"), Table: tableNumber(o, "table"), Protocol: o.text("protocol"),
			Scope: o.text("scope"), Flags: o.texts("flags"), TOS: o.number("tos"),
		}
		for _, h := range o.objects("nexthops") {
			r.Nexthops = append(r.Nexthops, facts.Nexthop{
				Via: h.address("gateway"), Dev: h.text("dev"), Weight: h.number("weight"), Flags: h.texts("flags"),
			})
		}
		for _, m := range o.objects("metrics") {
			r.MTU = cmp.Or(r.MTU, m.number("mtu"))
		}
		routes = append(routes, r)
	}
	return routes
}

func (ns *kernelNS) ruleFacts(family string) (rules []facts.RoutingRule) {
	prefix := func(o object, key string) string {
		switch a := o.text(key); {
		case a == "" || a == "all":
			return ""
		case o.has(key + "len"):
			return fmt.Sprintf("%s/%d", a, o.number(key+"len"))
		default:
			return a
		}
	}
	ports := func(o object, key string) string {
		if o.has(key) {
			return strconv.Itoa(o.number(key))
		}
		if o.has(key + "_start") {
			return fmt.Sprintf("%d-%d", o.number(key+"_start"), o.number(key+"_end"))
		}
		return ""
	}
	for _, o := range ns.objects("ip -j -f " + family + " rule show") {
		r := facts.RoutingRule{
			Source: "ip rule show", Family: family, Priority: o.number("priority"), Not: o.has("not"), From: prefix(o, "src"),
			To: prefix(o, "dst"), Iif: o.text("iif"), Oif: o.text("oif"), Fwmark: uint32(o.number("fwmark")),
			Fwmask: uint32(o.number("fwmask")), TOS: o.number("tos"), IPProto: o.text("ipproto"), Sport: ports(o, "sport"),
			Dport: ports(o, "dport"), Action: cmp.Or(o.text("action"), "lookup"), SuppressPrefixlength: -1,
		}
		if r.Fwmark != 0 && r.Fwmask == 0 {
			r.Fwmask = 0xffffffff
		}
		if o.has("suppress_prefixlen") {
			r.SuppressPrefixlength = o.number("suppress_prefixlen")
		}
		if o.has("uid_start") {
			r.UIDs = fmt.Sprintf("%d-%d", o.number("uid_start"), o.number("uid_end"))
		}
		switch {
		case o.has("goto"):
			r.Action, r.Goto = "goto", o.number("goto")
		case o.has("nop"):
			r.Action = "nop"
		case r.Action == "lookup":
			r.Table = tableNumber(o, "table")
		}
		rules = append(rules, r)
	}
	return rules
}

func (ns *kernelNS) neighbourFacts() (list []facts.Neighbour) {
	for _, o := range ns.objects("ip -j neighbour show nud all") {
		list = append(list, facts.Neighbour{
			Source: facts.Source("ip neighbour show dev " + o.text("dev")), Dst: o.address("dst"), Dev: o.text("dev"),
			Lladdr: o.text("lladdr"), State: o.texts("state")[0],
		})
	}
	return list
}

func (ns *kernelNS) fdbFacts() (list []facts.FDBEntry) {
	for _, o := range ns.objects("bridge -j fdb show") {
		list = append(list, facts.FDBEntry{
			Source: facts.Source("bridge fdb show dev " + o.text("ifname")), MAC: o.text("mac"), Dev: o.text("ifname"),
			Dst: o.address("dst"), Master: o.text("master"), State: o.text("state"), Flags: o.texts("flags"),
		})
	}
	return list
}

func (ns *kernelNS) sysctlFacts() map[string]facts.Sysctl {
	values := map[string]facts.Sysctl{}
	ns.do(func() {
		// /proc/sys/net shows the namespace of the thread that looks.
		for _, pattern := range []string{
			"net/ipv4/ip_forward", "net/ipv4/conf/*/*", "net/ipv6/conf/*/forwarding", "net/ipv6/conf/*/proxy_ndp", "net/ipv6/conf/*/ignore_routes_with_linkdown", "net/bridge/*", "net/ipv4/icmp_echo_ignore_all",
		} {
			paths, _ := filepath.Glob("/proc/sys/" + pattern)
			for _, path := range paths {
				data, err := os.ReadFile(path)
				if err != nil {
					continue
				}
				key := strings.NewReplacer("/", ".", ".", "/").Replace(strings.TrimPrefix(path, "/proc/sys/"))
				values[key] = facts.Sysctl{Value: strings.TrimSpace(string(data)), Source: facts.Source("sysctl " + key)}
			}
		}
	})
	return values
}

func (ns *kernelNS) listenerFacts() (list []facts.Listener) {
	for _, family := range []string{"-4", "-6"} {
		for line := range strings.Lines(ns.run("ss -H -n -l -t -u " + family)) {
			f := strings.Fields(line)
			if len(f) < 5 {
				continue
			}
			i := strings.LastIndex(f[4], ":")
			host := strings.Split(strings.Trim(f[4][:i], "[]"), "%")[0]
			l := facts.Listener{Source: "ss -lntu", Proto: f[0], Family: "inet"}
			if family == "-6" {
				l.Family, l.V6Only = "inet6", host != "*"
			}
			if host == "*" {
				host = "::"
			}
			var err error
			if l.Local, err = netip.ParseAddr(host); err != nil {
				continue
			}
			l.Port, _ = strconv.Atoi(f[4][i+1:])
			list = append(list, l)
		}
	}
	return list
}
