package netfilter

import (
	"net/netip"
	"strings"
)

// xt reads a match or target of iptables that nft does not show but by its name. comment and nfacct
// (without a quota, as kube-proxy writes it) match every packet.
func (d *nftDecoder) xt(target bool, name string, words int) bool {
	d.i = min(d.i+words, len(d.tok))
	switch {
	case !target && (name == "comment" || name == "nfacct"):
		return true
	case !target && name == "statistic":
		d.spec.Statistic = &StatisticMatch{Hidden: true}
		addMatch(d, statisticMatch{d.spec.Statistic})
		return true
	case !target && momentModules[name] && d.compiling:
		addMatch(d, momentMatch{"xt match " + name})
		return true
	case target && d.compiling:
		return d.xtTarget(name)
	case target:
		d.spec.Target = Target{Kind: TargetExtension, Name: name}
		if _, ends := extension(name); ends {
			d.spec.Target.Kind = TargetVerdict
		}
	}
	return false
}

// maxseg reads the value of `tcp option maxseg size set`: a number or `rt mtu`.
func (d *nftDecoder) maxseg() bool {
	t := Target{Kind: TargetExtension, Name: "TCPMSS"}
	if d.starts("rt", "mtu") {
		t.ClampMSSToPMTU = true
	} else {
		n, ok := parsePort(d.at(0))
		if !ok {
			return false
		}
		t.SetMSS = n
		d.i++
	}
	if d.spec.Target.Kind == TargetNone {
		d.spec.Target = t
	}
	d.act(action{kind: actNothing})
	return true
}

// xtTarget reads a target of which nft shows the name alone: what it does then is known only where the name says it.
func (d *nftDecoder) xtTarget(name string) bool {
	a := (&Target{Kind: TargetVerdict, Name: name}).action()
	switch name {
	case "MASQUERADE", "REJECT", "LOG", "NFLOG", "TCPMSS", "CHECKSUM", "TRACE", "CLASSIFY", "SET", "DSCP", "TOS", "NOTRACK":
	default:
		a = &action{kind: actUnknown, quote: "xt target " + name}
	}
	d.act(*a)
	return true
}

// metaSet reads a value that a rule gives to the packet. Some do not matter to where it goes.
func (d *nftDecoder) metaSet(key string, from int) bool {
	switch key {
	case "meta mark":
		at := d.i
		if !d.setMark(false, at) {
			d.i = at
			return false
		}
		return true
	case "meta nftrace", "meta priority", "meta pkttype", "ip dscp", "ip6 dscp", "ip ecn":
		if d.i++; d.compiling {
			d.act(action{kind: actNothing})
			return true
		}
	}
	return false
}

func (d *nftDecoder) vmap(key string) bool {
	from := d.i
	t := Target{Kind: TargetMap, Key: key}
	if name, ok := strings.CutPrefix(d.at(0), "@"); ok {
		t.Map = name
		d.i++
	} else if d.at(0) == "{" {
		body, ok := d.braced()
		if !ok {
			return false
		}
		t.elements = parseElements(body)
	} else {
		return false
	}
	d.spec.Target = t
	if d.compiling {
		l := &lookup{key: key, name: t.Map, elements: t.elements, text: key + " vmap " + d.since(from)}
		d.act(action{kind: actLookup, lookup: l})
	}
	return true
}

// action reads a verdict or a statement that acts.
func (d *nftDecoder) action() bool {
	t := Target{Kind: TargetVerdict}
	if d.compiling {
		switch d.at(0) {
		case "dnat", "snat", "masquerade", "redirect":
			return d.natStatement()
		case "queue", "synproxy", "tproxy":
			from := d.i
			for d.i < len(d.tok) && d.at(0) != "comment" {
				d.i++
			}
			d.act(action{kind: actUnknown, quote: d.since(from)})
			return true
		case "flow", "dup":
			for d.i < len(d.tok) && d.at(0) != "comment" && !strings.HasPrefix(d.at(-1), "@") {
				d.i++
			}
			d.act(action{kind: actNothing})
			return true
		}
	}
	switch w := d.at(0); w {
	case "accept", "drop", "return", "continue":
		t.Name = strings.ToUpper(w)
		if w == "continue" {
			t.Kind = TargetExtension
		}
		d.i++
	case "jump", "goto":
		t.Kind, t.Name = TargetKind(w), unquote(d.at(1))
		d.i += 2
		if t.Name == "" {
			return false
		}
	case "reject":
		t.Name = "REJECT"
		d.i++
		if d.at(0) == "with" {
			var words []string
			for d.i++; d.i < len(d.tok) && d.at(0) != "comment" && len(words) < 4; d.i++ {
				words = append(words, d.at(0))
			}
			t.RejectWith = strings.Join(words, " ")
		}
	case "masquerade", "redirect", "snat":
		t.Name = strings.ToUpper(w)
		t.Options = d.rest()
	case "dnat":
		return d.dnat()
	case "notrack":
		t.Kind, t.Name = TargetExtension, "NOTRACK"
		d.i++
	case "log":
		t.Kind, t.Name, t.Options = TargetExtension, "LOG", ""
		for d.i++; d.i < len(d.tok); d.i++ {
			switch d.at(0) {
			case "prefix", "level", "group", "snaplen", "queue-threshold", "flags":
				d.i++
				continue
			}
			break
		}
	case "update", "add", "delete":
		// update @affinity-… { ip saddr }: records the client, lets the packet go on.
		if !strings.HasPrefix(d.at(1), "@") {
			return false
		}
		d.i += 2
		_, ok := d.braced()
		d.act(action{kind: actNothing})
		return ok
	default:
		return false
	}
	d.plain(&t)
	if d.spec.Target.Kind == TargetNone || d.spec.Target.Kind == TargetExtension {
		d.spec.Target = t
	}
	return true
}

// plain adds a verdict, or a statement without effect, to the program.
func (d *nftDecoder) plain(t *Target) {
	if !d.compiling {
		return
	}
	if t.Kind == TargetExtension && t.Name == "CONTINUE" {
		d.act(action{kind: actContinue})
		return
	}
	if a := t.action(); a != nil {
		d.act(*a)
	}
}

// rest takes the words up to a comment.
func (d *nftDecoder) rest() string {
	d.i++
	from := d.i
	for d.i < len(d.tok) && d.at(0) != "comment" {
		d.i++
	}
	if d.i == from {
		return ""
	}
	return d.text[d.tok[from].from:d.tok[d.i-1].to]
}

// dnat reads "dnat [ip|ip6] to ADDR[:PORT]", and "… to numgen random mod 3 map { 0 : ADDR . PORT, … }".
func (d *nftDecoder) dnat() bool {
	d.i++
	for d.at(0) == "ip" || d.at(0) == "ip6" || d.at(0) == "addr" || d.at(0) == "." || d.at(0) == "port" {
		d.i++
	}
	if !d.starts("to") {
		return false
	}
	t := Target{Kind: TargetVerdict, Name: "DNAT"}
	d.spec.Target = t
	if d.at(0) != "numgen" {
		ap, ok := parseDestination(d.at(0))
		d.i++
		if ok {
			t.ToDestinations = []Destination{{AddrPort: ap, Share: 1}}
			d.spec.Target = t
		}
		for d.at(0) == "random" || d.at(0) == "fully-random" || d.at(0) == "persistent" || d.at(0) == "," {
			d.i++
		}
		return ok
	}
	if _, ok := d.key(); !ok || !d.starts("map") || d.at(0) != "{" {
		return false
	}
	body, ok := d.braced()
	if !ok {
		return false
	}
	elems := parseElements(body)
	for _, e := range elems {
		addr, port, has := strings.Cut(e.data, " . ")
		if has {
			a, err := netip.ParseAddr(strings.TrimSpace(addr))
			p, pok := parsePort(strings.TrimSpace(port))
			if err != nil || !pok {
				return false
			}
			t.ToDestinations = append(t.ToDestinations, Destination{AddrPort: netip.AddrPortFrom(a, p)})
			continue
		}
		ap, ok := parseDestination(e.data)
		if !ok {
			return false
		}
		t.ToDestinations = append(t.ToDestinations, Destination{AddrPort: ap})
	}
	for i := range t.ToDestinations {
		t.ToDestinations[i].Share = 1 / float64(len(t.ToDestinations))
	}
	d.spec.Target = t
	return len(elems) > 0
}
