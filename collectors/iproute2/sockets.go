package iproute2

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// Listening is what `ss` says of listeners.
type Listening struct {
	Parsed[facts.Listener]
	// TCP and UDP: sockets of the protocol are among what the text shows, listening or not; a listing without any may be
	// one of other protocols.
	TCP, UDP bool
	// Listeners: at least one socket that listens is there. `ss` without -l or -a shows none.
	Listeners bool
}

var socketKinds = []string{
	"tcp", "udp", "mptcp", "sctp", "dccp", "raw", "icmp6", "nl", "u_str", "u_dgr", "u_seq", "p_raw", "p_dgr", "v_str", "v_dgr", "tipc",
	"xdp", "???",
}

var socketStates = []string{
	"LISTEN", "UNCONN", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSE-WAIT", "LAST-ACK", "CLOSING", "CLOSED",
	"UNKNOWN", "NEW-SYN-RECV", "BOUND-INACTIVE",
}

// ParseListeners reads the output of ss with any of -l, -a, -n, -t, -u, -p, -e, -m, -o and -i: its sockets that listen.
// A port that stands as a name (without -n) is not understood.
func ParseListeners(name string, text []byte) Listening {
	p := Listening{Parsed: Parsed[facts.Listener]{Items: []facts.Listener{}}}
	// Before 4.13 ss wrote * for 0.0.0.0 and ::: for ::, since then * for both at once.
	var old, fresh bool
	var stars []int // indexes of items on *
	for n, line := range lines.All(text) {
		if noise(line) || line[0] == '\t' || line[0] == ' ' || strings.HasPrefix(line, "Netid") || strings.HasPrefix(line, "State") {
			continue
		}
		w := words(strings.Fields(line))
		kind := ""
		if slices.Contains(socketKinds, w.peek()) {
			kind = w.next()
		}
		state := w.next()
		if !slices.Contains(socketStates, state) {
			p.Unparsed.Add(n, line)
			continue
		}
		if kind == "" {
			kind = "tcp"
			if state == "UNCONN" {
				kind = "udp"
			}
		}
		p.TCP, p.UDP = p.TCP || kind == "tcp", p.UDP || kind == "udp"
		local := ""
		if len(w) > 2 {
			local = w[2]
		}
		old = old || strings.HasPrefix(local, ":::") || strings.HasPrefix(local, "::1:")
		fresh = fresh || strings.HasPrefix(local, "0.0.0.0:") || strings.HasPrefix(local, "0.0.0.0%") || strings.HasPrefix(local, "[")
		if kind != "tcp" && kind != "udp" || (kind == "tcp") != (state == "LISTEN") || kind == "udp" && state != "UNCONN" {
			continue
		}
		p.Listeners = true
		l, ok := listener(kind, w)
		if !ok {
			p.Unparsed.Add(n, line)
			continue
		}
		l.Source = facts.FileLine(name, n)
		if strings.HasPrefix(local, "*:") || strings.HasPrefix(local, "*%") {
			stars = append(stars, len(p.Items))
		}
		p.Items = append(p.Items, l)
	}
	if old && !fresh {
		for _, i := range stars {
			p.Items[i].Family, p.Items[i].Local, p.Items[i].V6Only = "inet", netip.IPv4Unspecified(), false
		}
	}
	return p
}

// listener reads "0 4096 127.0.0.1:10249 0.0.0.0:* users:(("kube-proxy",pid=11862,fd=12)) uid:33 ino:123720".
func listener(proto string, w words) (facts.Listener, bool) {
	l := facts.Listener{Proto: proto, Family: "inet"}
	var ok1, ok2, ok3 bool
	l.RecvQ, ok1 = number[int](w.next())
	l.SendQ, ok2 = number[int](w.next())
	host, port := cutPort(w.next())
	l.Port, ok3 = number[int](port)
	if !ok1 || !ok2 || !ok3 || l.Port == 0 || l.Port > 65535 {
		return l, false
	}
	host, l.Dev, _ = strings.Cut(host, "%")
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	// [fe80::1]%eth0 in new versions, fe80::1%eth0 in old ones.
	l.Dev = strings.TrimSuffix(l.Dev, "]")
	both := host == "*"
	if both {
		host = "::"
	}
	var ok bool
	if l.Local, ok = address(host); !ok {
		return l, false
	}
	l.Family = family(l.Local)
	// A socket on one IPv6 address takes no IPv4 either (__inet6_bind of net/ipv6/af_inet6.c).
	l.V6Only = l.Local.Is6() && !l.Local.Is4In6() && !both
	w.next() // the peer's address
	for _, word := range w {
		key, value, _ := strings.Cut(word, ":")
		switch key {
		case "uid":
			l.UID, _ = strconv.Atoi(value)
		case "v6only":
			l.V6Only = value == "1"
		case "users":
			l.Process, l.PID = socketUser(value)
		}
	}
	return l, true
}

// cutPort cuts "[::1]:53", "127.0.0.53%lo:53" and ":::22" before the port.
func cutPort(text string) (host, port string) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return "", ""
	}
	return text[:i], text[i+1:]
}

// socketUser reads the first of (("nginx",pid=7,fd=6),("nginx",pid=8,fd=6)), in versions before 4.0 (("nginx",7,6)).
func socketUser(text string) (process string, pid int) {
	text = strings.TrimLeft(text, "(")
	text, _, _ = strings.Cut(text, ")")
	fields := strings.Split(text, ",")
	if len(fields) < 2 {
		return "", 0
	}
	pid, _ = strconv.Atoi(strings.TrimPrefix(fields[1], "pid="))
	return strings.Trim(fields[0], `"`), pid
}
