package iproute2

import (
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// ParseRules reads the output of `ip rule`, of `ip -6 rule` where family is "inet6". tables may be nil: a rule with the
// name of a table that is not the kernel's own is not understood then.
func ParseRules(name string, text []byte, family string, tables TableNames) Parsed[facts.RoutingRule] {
	if family == "" {
		family = "inet"
	}
	if isJSON(text) {
		return rulesJSON(name, text, family, tables)
	}
	p := Parsed[facts.RoutingRule]{Items: []facts.RoutingRule{}}
	for n, line := range lines.All(text) {
		if noise(line) {
			continue
		}
		r, ok := rule(strings.Fields(line), tables)
		if !ok {
			p.Unparsed.Add(n, line)
			continue
		}
		r.Family, r.Source = family, facts.FileLine(name, n)
		p.Items = append(p.Items, r)
	}
	return p
}

// rule reads "32765:	from 10.244.0.0/16 fwmark 0x200/0xf00 lookup 100".
func rule(w words, tables TableNames) (facts.RoutingRule, bool) {
	r := facts.RoutingRule{SuppressPrefixlength: -1}
	priority, colon := strings.CutSuffix(w.next(), ":")
	var ok bool
	if r.Priority, ok = number[int](priority); !ok || !colon {
		return r, false
	}
	for len(w) > 0 {
		ok = true
		switch word := w.next(); word {
		case "not":
			r.Not = true
		case "from":
			r.From, ok = selector(w.next())
		case "to":
			r.To, ok = selector(w.next())
		case "tos", "dsfield":
			// Hexadecimal, without 0x in old versions.
			r.TOS, ok = number[int]("0x" + strings.TrimPrefix(w.next(), "0x"))
		case "fwmark":
			mark, mask, masked := strings.Cut(w.next(), "/")
			r.Fwmask = 0xffffffff
			if r.Fwmark, ok = number[uint32](mark); ok && masked {
				r.Fwmask, ok = number[uint32](mask)
			}
		case "iif", "dev":
			r.Iif = w.next()
		case "oif":
			r.Oif = w.next()
		case "uidrange":
			r.UIDs = w.next()
		case "ipproto":
			r.IPProto = w.next()
		case "sport":
			r.Sport = w.next()
		case "dport":
			r.Dport = w.next()
		case "lookup", "table":
			r.Action = "lookup"
			if w.take("[l3mdev-table]") {
				r.Action = "l3mdev"
				break
			}
			r.Table, ok = tables.number(w.next())
		case "suppress_prefixlength", "suppress_prefixlen":
			r.SuppressPrefixlength, ok = number[int](w.next())
		case "goto":
			r.Action = "goto"
			r.Goto, ok = number[int](w.next())
		case "blackhole", "unreachable", "prohibit", "nop":
			r.Action = word
		case "proto", "protocol":
			w.next() // who made the rule
		case "[detached]", "[unresolved]":
		default:
			// What narrows the rule and is not known here (tun_id, suppress_ifgroup, realms …) must not be left out.
			return r, false
		}
		if !ok {
			return r, false
		}
	}
	return r, r.Action != ""
}

// selector is a prefix in facts' form, empty for all.
func selector(text string) (string, bool) {
	if text == "all" {
		return "", true
	}
	p, ok := prefix(text)
	return p.String(), ok
}
