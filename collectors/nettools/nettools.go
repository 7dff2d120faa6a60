// Package nettools reads what route(8), netstat(8) and ifconfig(8) of net-tools print into facts. They show less than
// iproute2 does: each function says what is missing.
package nettools

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// ParseRoutes reads the output of `route -n` or `netstat -rn`: the unicast and reject routes of IPv4 in the main table.
// Protocol, scope and preferred source are not shown and stay empty; `netstat -rn` has no metric either.
func ParseRoutes(name string, text []byte) ([]facts.Route, lines.Unparsed) {
	routes := []facts.Route{}
	var unparsed lines.Unparsed
	metrics := true
	for n, line := range lines.All(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0, f[0] == "Kernel":
			continue
		case f[0] == "Destination":
			metrics = strings.Contains(line, "Metric")
			continue
		}
		r, ok := route(f, metrics)
		if !ok {
			unparsed.Add(n, line)
			continue
		}
		r.Source = facts.FileLine(name, n)
		routes = append(routes, r)
	}
	return routes, unparsed
}

// route reads "10.244.1.0 10.244.1.0 255.255.255.0 UG 0 0 0 flannel.1".
func route(f []string, metrics bool) (facts.Route, bool) {
	r := facts.Route{Type: "unicast", Family: "inet", Table: facts.TableMain}
	if len(f) != 8 {
		return r, false
	}
	dst := f[0]
	if dst == "default" {
		dst = "0.0.0.0"
	}
	address, err := netip.ParseAddr(dst)
	bits, ok := maskBits(f[2])
	if err != nil || !ok || !address.Is4() {
		return r, false
	}
	r.Dst, r.Dev = netip.PrefixFrom(address, bits), f[7]
	flags := f[3]
	switch {
	case strings.Contains(flags, "!"):
		r.Type, r.Dev = "unreachable", ""
	case strings.Contains(flags, "G"):
		if r.Via, err = netip.ParseAddr(f[1]); err != nil {
			return r, false
		}
	}
	if metrics && r.Type == "unicast" {
		if r.Metric, err = strconv.Atoi(f[4]); err != nil {
			return r, false
		}
	}
	return r, strings.Contains(flags, "U") || r.Type != "unicast"
}

func maskBits(text string) (int, bool) {
	mask, err := netip.ParseAddr(text)
	if err != nil || !mask.Is4() {
		return 0, false
	}
	b := mask.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	bits := 0
	for n&(1<<31) != 0 {
		bits++
		n <<= 1
	}
	return bits, n == 0
}

// ParseListeners reads the output of netstat with any of -a, -l, -n, -e, -o, -p, -t, -u and -W: the sockets that listen.
// The accept queue's limit, v6only and the device that a socket is bound to are not shown. tcp and udp say whether the text
// has sockets of the protocol at all.
func ParseListeners(name string, text []byte) (listeners []facts.Listener, tcp, udp bool, unparsed lines.Unparsed) {
	listeners = []facts.Listener{}
	for n, line := range lines.All(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if strings.HasPrefix(line, "Active UNIX") {
			break // what follows has other columns
		}
		proto := strings.TrimSuffix(f[0], "6")
		switch {
		case f[0] == "Active", f[0] == "Proto", strings.HasPrefix(line, "("), proto == "raw", proto == "udplite", proto == "sctp":
			continue
		case proto != "tcp" && proto != "udp" || len(f) < 5:
			unparsed.Add(n, line)
			continue
		}
		tcp, udp = tcp || proto == "tcp", udp || proto == "udp"
		l, listens, ok := listener(f)
		switch {
		case !ok:
			unparsed.Add(n, line)
		case listens:
			l.Source = facts.FileLine(name, n)
			listeners = append(listeners, l)
		}
	}
	return listeners, tcp, udp, unparsed
}

// states are those of netstat.c; a UDP socket that is not connected has none.
var states = map[string]bool{
	"ESTABLISHED": true, "SYN_SENT": true, "SYN_RECV": true, "FIN_WAIT1": true, "FIN_WAIT2": true, "TIME_WAIT": true, "CLOSE": true,
	"CLOSE_WAIT": true, "LAST_ACK": true, "LISTEN": true, "CLOSING": true, "UNKNOWN": true,
}

// listener reads "tcp 0 0 127.0.0.1:10249 0.0.0.0:* LISTEN 0 123720 11862/kube-proxy off (0.00/0/0)".
func listener(f []string) (l facts.Listener, listens, ok bool) {
	l.Proto, l.Family = strings.TrimSuffix(f[0], "6"), "inet"
	var err error
	if l.RecvQ, err = strconv.Atoi(f[1]); err != nil {
		return l, false, false
	}
	colon := strings.LastIndexByte(f[3], ':')
	if colon < 0 {
		return l, false, false
	}
	rest := f[5:]
	state := ""
	if len(rest) > 0 && states[rest[0]] {
		state, rest = rest[0], rest[1:]
	}
	switch {
	case l.Proto == "tcp" && state != "LISTEN", l.Proto == "udp" && (state != "" || !strings.HasSuffix(f[4], ":*")):
		return l, false, true
	}
	if l.Port, err = strconv.Atoi(f[3][colon+1:]); err != nil || l.Port < 1 || l.Port > 65535 {
		return l, false, false
	}
	if l.Local, err = netip.ParseAddr(f[3][:colon]); err != nil {
		return l, false, false
	}
	if l.Local.Is6() {
		l.Family = "inet6"
	}
	// -e puts the user and the inode before the program.
	if len(rest) >= 2 {
		if uid, err1 := strconv.Atoi(rest[0]); err1 == nil {
			if _, err2 := strconv.Atoi(rest[1]); err2 == nil {
				l.UID, rest = uid, rest[2:]
			}
		}
	}
	if len(rest) > 0 {
		if pid, process, cut := strings.Cut(rest[0], "/"); cut {
			if l.PID, err = strconv.Atoi(pid); err == nil {
				l.Process = strings.TrimSuffix(process, ":")
			}
		}
	}
	return l, true, true
}
