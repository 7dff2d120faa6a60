package iproute2

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

var routeTypes = []string{
	"unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve",
}

// routeFlags are the words without a value, in the order in which facts have them.
var routeFlags = []string{
	"dead", "onlink", "pervasive", "offload", "trap", "notify", "linkdown", "unresolved", "rt_offload", "rt_trap", "rt_offload_failed",
}

// routeWords are words with a value that no fact has.
var routeWords = []string{
	"error", "pref", "expires", "hoplimit", "nhid", "realm", "realms", "dstrealm", "rtt", "rttvar", "window", "cwnd", "initcwnd", "initrwnd",
	"ssthresh", "reordering", "rto_min", "features", "congctl", "quickack", "fastopen_no_cookie", "users", "used", "age", "iif", "oif",
	"ttl-propagate", "uid", "mark", "as", "cache_flags", "flowlabel",
}

// RouteOptions are what the text of a listing of routes does not say itself.
type RouteOptions struct {
	// Family is "inet6" for `ip -6 route`; otherwise a default route without any address is of IPv4, unless IPv6 routes
	// are before it.
	Family string
	// Table is that of routes whose table the text does not name; 0 is main.
	Table  int
	Tables TableNames
}

// ParseRoutes reads the output of `ip route`. Where it leaves out a protocol or a scope, they are "boot" and "global" as
// in the program.
func ParseRoutes(name string, text []byte, opts RouteOptions) Parsed[facts.Route] {
	if isJSON(text) {
		return routesJSON(name, text, opts)
	}
	p := Parsed[facts.Route]{Items: []facts.Route{}}
	if opts.Family == "" {
		opts.Family = "inet"
	}
	cache := false
	for number, line := range lines.All(text) {
		parts := strings.Split(line, `\`) // -o
		for i, part := range parts {
			w := words(strings.Fields(part))
			continues := i > 0 || strings.HasPrefix(part, "\t") || strings.HasPrefix(part, " ")
			switch {
			case noise(part):
			case continues && w.take("nexthop"):
				hop, ok := nexthop(w)
				if ok = ok && len(p.Items) > 0; ok {
					r := &p.Items[len(p.Items)-1]
					r.Nexthops = append(r.Nexthops, hop)
				} else {
					p.Unparsed.Add(number, part)
				}
			case continues && w.peek() == "cache":
				cache = true
				// What `ip route get` and old kernels' caches show is no route of a table.
				if len(p.Items) > 0 {
					p.Items = p.Items[:len(p.Items)-1]
				}
			case continues && cache:
			default:
				r, ok := route(w, &opts)
				if !ok {
					p.Unparsed.Add(number, part)
					continue
				}
				cache = false
				r.Source = facts.FileLine(name, number)
				p.Items = append(p.Items, r)
			}
		}
	}
	return p
}

func route(w words, opts *RouteOptions) (facts.Route, bool) {
	r := facts.Route{Type: "unicast", Table: opts.Table, Protocol: "boot", Scope: "global"}
	if r.Table == 0 {
		r.Table = facts.TableMain
	}
	if slices.Contains(routeTypes, w.peek()) {
		r.Type = w.next()
	}
	dst, ok := w.next(), true
	if dst != "default" {
		if r.Dst, ok = prefix(dst); !ok {
			return r, false
		}
		r.Family = family(r.Dst.Addr())
	}
	via := ""
	for len(w) > 0 {
		switch word := w.next(); word {
		case "from":
			from := w.next()
			p, ok := prefix(from)
			if !ok && from != "default" {
				return r, false
			}
			if ok {
				r.From = p.String()
			}
		case "via":
			if w.peek() == "inet" || w.peek() == "inet6" {
				w.next()
				if r.Family == "" && dst == "default" {
					via = "inet" // the other family is that of an IPv4 route alone (RFC 5549)
				}
			}
			if r.Via, ok = address(w.next()); !ok {
				return r, false
			}
			if via == "" {
				via = family(r.Via)
			}
		case "dev":
			r.Dev = w.next()
		case "table":
			if r.Table, ok = opts.Tables.number(w.next()); !ok {
				return r, false
			}
		case "proto":
			r.Protocol = w.next()
		case "scope":
			r.Scope = w.next()
		case "src":
			if r.Src, ok = address(w.next()); !ok {
				return r, false
			}
		case "metric":
			if r.Metric, ok = number[int](w.next()); !ok {
				return r, false
			}
		case "tos", "dsfield":
			if r.TOS, ok = number[int](w.next()); !ok {
				return r, false
			}
		case "mtu", "advmss":
			w.take("lock")
			n, ok := number[int](w.next())
			if !ok {
				return r, false
			}
			if word == "mtu" {
				r.MTU = n
			} else {
				r.AdvMSS = n
			}
		case "nexthop": // the whole route on one line
			hop, ok := nexthop(w)
			if !ok {
				return r, false
			}
			r.Nexthops = append(r.Nexthops, hop)
			w = nil
		case "pref":
			w.next()
			if r.Family == "" {
				r.Family = "inet6" // RFC 4191
			}
		case "encap":
			return r, false
		default:
			switch {
			case slices.Contains(routeFlags, word):
				r.Flags = append(r.Flags, word)
			case slices.Contains(routeWords, word):
				w.next()
			default:
				return r, false
			}
		}
	}
	if r.Family == "" {
		r.Family = via
	}
	if r.Family == "" && r.Src.IsValid() {
		r.Family = family(r.Src)
	}
	if r.Family == "" {
		r.Family = opts.Family
	}
	// ip lists both families after another, IPv6 last.
	opts.Family = r.Family
	if dst == "default" {
		r.Dst = defaultRoute(r.Family)
	}
	sortFlags(r.Flags)
	return r, true
}

func defaultRoute(family string) netip.Prefix {
	if family == "inet6" {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

func sortFlags(flags []string) {
	slices.SortStableFunc(flags, func(a, b string) int { return slices.Index(routeFlags, a) - slices.Index(routeFlags, b) })
}

// nexthop reads what follows "nexthop": "via 10.0.0.3 dev eth0 weight 2 onlink".
func nexthop(w words) (facts.Nexthop, bool) {
	hop := facts.Nexthop{Weight: 1}
	var ok bool
	for len(w) > 0 {
		switch word := w.next(); word {
		case "via":
			if w.peek() == "inet" || w.peek() == "inet6" {
				w.next()
			}
			if hop.Via, ok = address(w.next()); !ok {
				return hop, false
			}
		case "dev":
			hop.Dev = w.next()
		case "weight":
			if hop.Weight, ok = number[int](w.next()); !ok {
				return hop, false
			}
		case "realm", "realms":
			w.next()
		default:
			if !slices.Contains(routeFlags, word) {
				return hop, false
			}
			hop.Flags = append(hop.Flags, word)
		}
	}
	sortFlags(hop.Flags)
	return hop, true
}
