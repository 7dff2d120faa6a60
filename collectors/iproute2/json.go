package iproute2

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// object is one element of iproute2's JSON. Its members vary between versions: numbers stand as texts, flags as null.
type object map[string]any

func (o object) text(key string) string {
	switch v := o[key].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func (o object) int(key string) int {
	n, _ := number[int](o.text(key))
	return n
}

func (o object) uint64(key string) uint64 {
	n, _ := number[uint64](o.text(key))
	return n
}

// flag says whether a member is there and not false: iproute2 writes null or true.
func (o object) flag(key string) bool {
	v, there := o[key]
	return there && v != false
}

func (o object) has(key string) bool {
	_, there := o[key]
	return there
}

func (o object) address(keys ...string) netip.Addr {
	for _, key := range keys {
		if a, ok := address(o.text(key)); ok {
			return a
		}
	}
	return netip.Addr{}
}

func (o object) object(key string) object {
	v, _ := o[key].(map[string]any)
	return v
}

func (o object) objects(key string) []object {
	var list []object
	values, _ := o[key].([]any)
	for _, v := range values {
		if m, ok := v.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}

func (o object) texts(key string) []string {
	var list []string
	values, _ := o[key].([]any)
	for _, v := range values {
		if s, ok := v.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

// elements calls each with the elements of a JSON array and the line each begins in; each says whether it understood it.
// What cannot be decoded ends it, as a line that was not understood.
func elements(text []byte, unparsed func(int, string), each func(int, object) bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	line, counted := 1, 0
	at := func() int {
		offset := min(int(decoder.InputOffset()), len(text))
		line += bytes.Count(text[counted:offset], []byte("\n"))
		counted = offset
		return line
	}
	if _, err := decoder.Token(); err != nil {
		unparsed(at(), err.Error())
		return
	}
	for decoder.More() {
		n := at()
		var o object
		if err := decoder.Decode(&o); err != nil {
			unparsed(n, fmt.Sprintf("not the JSON it should be: %v", err))
			return
		}
		// Some versions write empty objects for what a filter left out.
		if len(o) > 0 && !each(n, o) {
			raw, _ := json.Marshal(o)
			unparsed(n, string(raw))
		}
	}
	if _, err := decoder.Token(); err != nil {
		unparsed(at(), "the list does not end: it was cut")
	}
}

func devicesJSON(name string, text []byte, ids NetnsIDs) Devices {
	d := Devices{}
	parents := map[int]string{}
	elements(text, d.Unparsed.Add, func(n int, o object) bool {
		l := facts.Link{
			Source: facts.FileLine(name, n), Ifindex: o.int("ifindex"), Ifname: o.text("ifname"), LinkType: o.text("link_type"),
			MTU: o.int("mtu"), Flags: o.texts("flags"), Operstate: o.text("operstate"), Address: o.text("address"),
			Altname: o.texts("altnames"), Master: o.text("master"), GSOMaxSize: o.int("gso_max_size"),
		}
		if l.Ifname == "" {
			return false
		}
		if l.Flags == nil {
			l.Flags = []string{}
		}
		if o.has("link_netnsid") {
			id := o.int("link_netnsid")
			l.LinkNetnsid = &id
		} else if o.has("link_netns") {
			id, ok := ids[o.text("link_netns")]
			if !ok {
				id = -1
			}
			l.LinkNetnsid = &id
		}
		d.Detailed = d.Detailed || o.has("promiscuity")
		d.ShowsLinks = d.ShowsLinks || o.has("flags")
		linkinfo(&l, o.object("linkinfo"))
		if s := o.object("stats64"); s != nil {
			l.Stats64 = statistics(s)
		}
		// Before 5.x the device below stands as link_index alone where it is elsewhere.
		parent := o.text("link")
		if parent == "" && o.int("link_index") > 0 {
			parent = fmt.Sprintf("if%d", o.int("link_index"))
		}
		parents[len(d.Links)] = parent
		if o.has("flags") {
			d.Links = append(d.Links, l)
		}
		if !o.has("addr_info") {
			return true
		}
		d.ShowsAddresses = true
		for _, info := range o.objects("addr_info") {
			if len(info) == 0 {
				continue
			}
			a, ok := addressJSON(l.Ifname, info)
			if !ok {
				raw, _ := json.Marshal(info)
				d.Unparsed.Add(n, string(raw))
				continue
			}
			a.Source = facts.FileLine(name, n)
			d.Addresses = append(d.Addresses, a)
		}
		return true
	})
	byName := map[string]int{}
	for _, l := range d.Links {
		byName[l.Ifname] = l.Ifindex
	}
	for i := range d.Links {
		linkParent(&d.Links[i], parents[i], byName)
	}
	return d
}

func linkinfo(l *facts.Link, info object) {
	if info == nil {
		return
	}
	l.Kind = info.text("info_kind")
	data := info.object("info_data")
	switch l.Kind {
	case "vxlan":
		l.VXLAN = &facts.VXLAN{
			ID: data.int("id"), Local: data.address("local", "local6"), Group: data.address("remote", "remote6", "group", "group6"),
			Port: data.int("port"), Learning: data.flag("learning"), Link: data.text("link"), External: data.flag("external"),
		}
	case "ipip", "sit", "gre", "gretap", "ip6tnl", "ip6gre", "ip6gretap", "geneve", "wireguard":
		var w words
		for _, key := range []string{"remote", "remote6", "local", "ttl", "hoplimit", "df"} {
			if v := data.text(key); v != "" && v != "any" {
				w = append(w, key, v)
			}
		}
		if v := data.text("link"); v != "" {
			w = append(w, "dev", v)
		}
		if data.flag("pmtudisc") {
			w = append(w, "pmtudisc")
		}
		l.Tunnel = tunnel(l.Kind, w)
	case "vlan":
		l.VLAN = &facts.VLAN{ID: data.int("id"), Protocol: data.text("protocol")}
	case "bridge":
		l.Bridge = &facts.Bridge{VLANFiltering: data.int("vlan_filtering") != 0}
	case "bond":
		l.Bond = &facts.Bond{Mode: data.text("mode"), ActiveSlave: data.text("active_slave")}
	}
	if info.text("info_slave_kind") == "bridge" {
		s := info.object("info_slave_data")
		l.BridgePort = &facts.BridgePort{Hairpin: s.flag("hairpin"), Learning: s.flag("learning"), Isolated: s.flag("isolated")}
	}
}

func statistics(o object) *facts.LinkStatistics {
	rx, tx := o.object("rx"), o.object("tx")
	return &facts.LinkStatistics{
		RxPackets: rx.uint64("packets"), RxBytes: rx.uint64("bytes"), RxErrors: rx.uint64("errors"), RxDropped: rx.uint64("dropped"),
		RxMissed: rx.uint64("missed_errors"), RxFIFO: rx.uint64("fifo_errors"),
		TxPackets: tx.uint64("packets"), TxBytes: tx.uint64("bytes"), TxErrors: tx.uint64("errors"), TxDropped: tx.uint64("dropped"),
		TxCarrier: tx.uint64("carrier_errors"),
	}
}

func addressJSON(dev string, o object) (facts.Address, bool) {
	a := facts.Address{
		Dev: dev, Family: o.text("family"), Local: o.address("local"), Prefixlen: o.int("prefixlen"), Peer: o.address("address"),
		Broadcast: o.address("broadcast"), Scope: o.text("scope"), Label: o.text("label"), Dynamic: o.flag("dynamic"),
		ValidLifeTime: facts.Forever, PreferredLifeTime: facts.Forever,
	}
	for _, flag := range addressFlags {
		if o.flag(flag) {
			a.Flags = append(a.Flags, flag)
		}
	}
	if n, ok := number[uint32](o.text("valid_life_time")); ok {
		a.ValidLifeTime = n
	}
	if n, ok := number[uint32](o.text("preferred_life_time")); ok {
		a.PreferredLifeTime = n
	}
	return a, a.Local.IsValid() && (a.Family == "inet" || a.Family == "inet6")
}

func routesJSON(name string, text []byte, opts RouteOptions) Parsed[facts.Route] {
	p := Parsed[facts.Route]{Items: []facts.Route{}}
	elements(text, p.Unparsed.Add, func(n int, o object) bool {
		// As the text has it: one parser says what each word means.
		w := words{}
		add := func(word, value string) {
			if value != "" {
				w = append(w, word, value)
			}
		}
		if t := o.text("type"); t != "" {
			w = append(w, t)
		}
		w = append(w, o.text("dst"))
		add("from", o.text("from"))
		add("via", o.text("gateway"))
		if via := o.object("via"); via != nil {
			w = append(w, "via", via.text("family"), via.text("host"))
		}
		add("dev", o.text("dev"))
		add("table", o.text("table"))
		add("proto", o.text("protocol"))
		add("scope", o.text("scope"))
		add("src", o.text("prefsrc"))
		add("metric", o.text("metric"))
		add("tos", o.text("tos"))
		for _, m := range o.objects("metrics") {
			add("mtu", m.text("mtu"))
			add("advmss", m.text("advmss"))
		}
		add("pref", o.text("pref"))
		if o.has("encap") {
			return false
		}
		r, ok := route(append(w, o.texts("flags")...), &opts)
		if !ok {
			return false
		}
		r.Source = facts.FileLine(name, n)
		for _, h := range o.objects("nexthops") {
			hop := facts.Nexthop{Via: h.address("gateway"), Dev: h.text("dev"), Weight: max(h.int("weight"), 1), Flags: h.texts("flags")}
			if via := h.object("via"); via != nil {
				hop.Via = via.address("host")
			}
			if len(hop.Flags) == 0 {
				hop.Flags = nil
			}
			r.Nexthops = append(r.Nexthops, hop)
		}
		p.Items = append(p.Items, r)
		return true
	})
	return p
}

func rulesJSON(name string, text []byte, family string, tables TableNames) Parsed[facts.RoutingRule] {
	p := Parsed[facts.RoutingRule]{Items: []facts.RoutingRule{}}
	known := []string{
		"priority", "not", "src", "srclen", "dst", "dstlen", "tos", "fwmark", "fwmask", "iif", "iif_detached", "oif", "oif_detached", "uid_start",
		"uid_end", "ipproto", "sport", "sport_start", "sport_end", "dport", "dport_start", "dport_end", "table", "suppress_prefixlen", "action",
		"goto", "nop", "l3mdev", "protocol", "unresolved", "detached",
	}
	elements(text, p.Unparsed.Add, func(n int, o object) bool {
		for key := range o {
			if !slices.Contains(known, key) {
				return false
			}
		}
		r := facts.RoutingRule{
			Source: facts.FileLine(name, n), Family: family, Priority: o.int("priority"), Not: o.has("not"), Iif: o.text("iif"), Oif: o.text("oif"),
			IPProto: o.text("ipproto"), Sport: portsJSON(o, "sport"), Dport: portsJSON(o, "dport"), TOS: o.int("tos"), SuppressPrefixlength: -1,
		}
		var ok1, ok2 bool
		r.From, ok1 = selectorJSON(o, "src")
		r.To, ok2 = selectorJSON(o, "dst")
		if !o.has("priority") || !ok1 || !ok2 {
			return false
		}
		if o.has("fwmark") {
			var ok bool
			r.Fwmask = 0xffffffff
			if r.Fwmark, ok = number[uint32](o.text("fwmark")); !ok {
				return false
			}
			if mask, ok := number[uint32](o.text("fwmask")); ok {
				r.Fwmask = mask
			}
		}
		if o.has("uid_start") {
			r.UIDs = o.text("uid_start") + "-" + o.text("uid_end")
		}
		if o.has("suppress_prefixlen") {
			r.SuppressPrefixlength = o.int("suppress_prefixlen")
		}
		switch action := o.text("action"); {
		case o.has("goto"):
			r.Action, r.Goto = "goto", o.int("goto")
		case o.has("nop"):
			r.Action = "nop"
		case o.has("l3mdev"):
			r.Action = "l3mdev"
		case o.has("table"):
			var ok bool
			r.Action = "lookup"
			if r.Table, ok = tables.number(o.text("table")); !ok {
				return false
			}
		case action == "blackhole" || action == "unreachable" || action == "prohibit" || action == "nop":
			r.Action = action
		default:
			return false
		}
		p.Items = append(p.Items, r)
		return true
	})
	return p
}

func selectorJSON(o object, key string) (string, bool) {
	text := o.text(key)
	if text == "" || text == "all" {
		return "", true
	}
	if o.has(key+"len") && !strings.Contains(text, "/") {
		text += "/" + o.text(key+"len")
	}
	return selector(text)
}

func portsJSON(o object, key string) string {
	if o.has(key + "_start") {
		return o.text(key+"_start") + "-" + o.text(key+"_end")
	}
	return o.text(key)
}

func neighboursJSON(name string, text []byte) Parsed[facts.Neighbour] {
	p := Parsed[facts.Neighbour]{Items: []facts.Neighbour{}}
	elements(text, p.Unparsed.Add, func(n int, o object) bool {
		m := facts.Neighbour{Source: facts.FileLine(name, n), Dst: o.address("dst"), Dev: o.text("dev"), Lladdr: o.text("lladdr")}
		if !m.Dst.IsValid() || m.Dev == "" {
			return false
		}
		states := o.texts("state")
		if len(states) == 0 || states[0] == "NONE" {
			return true
		}
		if m.State = states[0]; !slices.Contains(neighbourStates, m.State) {
			return false
		}
		for _, flag := range neighbourFlags {
			if o.flag(flag) {
				m.Flags = append(m.Flags, flag)
			}
		}
		p.Items = append(p.Items, m)
		return true
	})
	return p
}

func fdbJSON(name string, text []byte) Parsed[facts.FDBEntry] {
	p := Parsed[facts.FDBEntry]{Items: []facts.FDBEntry{}}
	elements(text, p.Unparsed.Add, func(n int, o object) bool {
		e := facts.FDBEntry{
			Source: facts.FileLine(name, n), MAC: o.text("mac"), Dev: o.text("ifname"), Dst: o.address("dst"), VLAN: o.int("vlan"), VNI: o.int("vni"),
			Master: o.text("master"), State: o.text("state"), Flags: o.texts("flags"),
		}
		if e.MAC == "" || e.Dev == "" {
			return false
		}
		sortBy(e.Flags, fdbFlags)
		p.Items = append(p.Items, e)
		return true
	})
	return p
}
