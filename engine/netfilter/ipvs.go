package netfilter

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// IPVSTable is the kernel's table of virtual servers in one namespace.
type IPVSTable struct {
	Servers []VirtualServer `json:"servers"`
	// Problems are the lines not understood, at most 100; ProblemCount is how many there are.
	Problems     []Problem `json:"problems,omitempty"`
	ProblemCount int       `json:"problemCount,omitempty"`

	index map[destKey]int
}

// VirtualServer is one service of IPVS.
type VirtualServer struct {
	// Protocol is tcp, udp or sctp; empty for a service by firewall mark.
	Protocol string         `json:"protocol,omitempty"`
	Addr     netip.AddrPort `json:"addr"`
	// FirewallMark is the mark of a service by mark; 0 for others.
	FirewallMark uint32 `json:"firewallMark,omitempty"`
	// Scheduler is rr, wrr, lc, sh, …
	Scheduler string `json:"scheduler"`
	// Persistent is the timeout of persistence in seconds; 0 for none.
	Persistent int          `json:"persistent,omitempty"`
	Line       int          `json:"line"`
	Text       string       `json:"text"`
	Real       []RealServer `json:"real"`
}

// RealServer is one destination of a virtual server.
type RealServer struct {
	Addr netip.AddrPort `json:"addr"`
	// Forward is masq, route, tunnel or local.
	Forward string `json:"forward"`
	// Weight 0 takes no new connections.
	Weight int `json:"weight"`
	// ActiveConn and InActConn are counts of connections; -1 where the listing has none.
	ActiveConn int    `json:"activeConn"`
	InActConn  int    `json:"inActConn"`
	Line       int    `json:"line"`
	Text       string `json:"text"`
}

// ParseIPVS parses /proc/net/ip_vs (addresses in hexadecimal), `ipvsadm -Ln`, or `ipvsadm -Sn`
// (ipvsadm-save -n); it tells them apart line by line. Names in place of numbers are problems.
func ParseIPVS(text string) (*IPVSTable, error) {
	p := ipvsParser{t: &IPVSTable{index: map[destKey]int{}}, last: -1}
	for line := range strings.Lines(text) {
		p.line++
		if why := p.one(strings.TrimSpace(line)); why != "" {
			p.t.ProblemCount++
			if len(p.t.Problems) < maxProblems {
				s := strings.TrimSpace(line)
				p.t.Problems = append(p.t.Problems, Problem{p.line, s[:min(len(s), 300)], why})
			}
		}
	}
	return p.t, nil
}

type ipvsParser struct {
	t    *IPVSTable
	line int
	last int // the server to which real servers of a listing belong
}

func (p *ipvsParser) one(s string) string {
	switch {
	case s == "", strings.HasPrefix(s, "IP Virtual Server"), strings.HasPrefix(s, "Prot "),
		strings.HasPrefix(s, "-> RemoteAddress"):
		return ""
	case strings.HasPrefix(s, "-A ") || strings.HasPrefix(s, "-a "):
		return p.saved(s)
	case strings.HasPrefix(s, "->"):
		return p.real(s)
	}
	return p.virtual(s)
}

// virtual reads "TCP  0A600001:01BB rr persistent 10800 FFFFFFFF" or "FWM  00000001 wrr".
func (p *ipvsParser) virtual(s string) string {
	w := strings.Fields(s)
	p.last = -1
	if len(w) < 3 {
		return "is no line of an IPVS table"
	}
	v := VirtualServer{Scheduler: w[2], Line: p.line, Text: s}
	if w[0] == "FWM" && w[2] == "IPv6" && len(w) > 3 { // ipvsadm's
		v.Scheduler = w[3]
	}
	switch w[0] {
	case "TCP", "UDP", "SCTP":
		v.Protocol = strings.ToLower(w[0])
		var ok bool
		if v.Addr, ok = ipvsAddr(w[1]); !ok {
			return "address is not understood"
		}
	case "FWM":
		base := 10
		if len(w[1]) == 8 { // %08X of ip_vs_info_seq_show; ipvsadm prints it as it was given
			base = 16
		}
		n, err := strconv.ParseUint(w[1], base, 32)
		if err != nil {
			return "firewall mark is not understood"
		}
		v.FirewallMark = uint32(n)
	default:
		return "is no line of an IPVS table"
	}
	for i := 3; i+1 < len(w); i++ {
		if w[i] == "persistent" {
			v.Persistent, _ = strconv.Atoi(w[i+1])
		}
	}
	return p.add(v)
}

func (p *ipvsParser) add(v VirtualServer) string {
	k := v.key()
	if _, twice := p.t.index[k]; twice {
		p.last = -1
		return "virtual server is listed twice"
	}
	p.last = len(p.t.Servers)
	p.t.index[k] = p.last
	p.t.Servers = append(p.t.Servers, v)
	return ""
}

func (v *VirtualServer) key() destKey {
	if v.Protocol == "" {
		return destKey{proto: "fwm" + strconv.FormatUint(uint64(v.FirewallMark), 10)}
	}
	return destKey{v.Addr.Addr(), v.Protocol, v.Addr.Port()}
}

// real reads "-> 0A0A0001:192B      Masq    1      0          0".
func (p *ipvsParser) real(s string) string {
	w := strings.Fields(strings.TrimPrefix(s, "->"))
	if p.last < 0 {
		return "real server without virtual server"
	}
	if len(w) < 5 {
		return "is no real server"
	}
	addr, ok := ipvsAddr(w[0])
	if !ok {
		return "address is not understood"
	}
	r := RealServer{Addr: addr, Forward: strings.ToLower(w[1]), Line: p.line, Text: s}
	var err1, err2, err3 error
	r.Weight, err1 = strconv.Atoi(w[2])
	r.ActiveConn, err2 = strconv.Atoi(w[3])
	r.InActConn, err3 = strconv.Atoi(w[4])
	if err1 != nil || err2 != nil || err3 != nil {
		return "number is not understood"
	}
	v := &p.t.Servers[p.last]
	v.Real = append(v.Real, r)
	return ""
}

// saved reads "-A -t 10.96.0.1:443 -s rr" and "-a -t 10.96.0.1:443 -r 10.0.0.1:6443 -m -w 1".
func (p *ipvsParser) saved(s string) string {
	w := strings.Fields(s)
	v := VirtualServer{Line: p.line, Text: s}
	r := RealServer{Weight: 1, ActiveConn: -1, InActConn: -1, Line: p.line, Text: s, Forward: "route"}
	for i := 1; i < len(w); i++ {
		next := ""
		if i+1 < len(w) {
			next = w[i+1]
		}
		ok := true
		switch w[i] {
		case "-t", "-u", "--tcp-service", "--udp-service", "--sctp-service":
			v.Protocol = map[string]string{"-t": "tcp", "--tcp-service": "tcp", "--sctp-service": "sctp"}[w[i]]
			if v.Protocol == "" {
				v.Protocol = "udp"
			}
			v.Addr, ok = ipvsAddr(next)
			i++
		case "-f":
			n, err := strconv.ParseUint(next, 10, 32)
			v.FirewallMark, ok = uint32(n), err == nil
			i++
		case "-s":
			v.Scheduler = next
			i++
		case "-p":
			v.Persistent = 300 // ipvsadm's default
			if n, err := strconv.Atoi(next); err == nil {
				v.Persistent = n
				i++
			}
		case "-r":
			r.Addr, ok = ipvsAddr(next)
			i++
		case "-w":
			var err error
			r.Weight, err = strconv.Atoi(next)
			ok = err == nil
			i++
		case "-m":
			r.Forward = "masq"
		case "-g":
			r.Forward = "route"
		case "-i":
			r.Forward = "tunnel"
		}
		if !ok {
			return "value of " + w[max(i-1, 0)] + " is not understood"
		}
	}
	if v.Protocol == "" && v.FirewallMark == 0 {
		return "service is not named"
	}
	if w[0] == "-A" {
		return p.add(v)
	}
	at, ok := p.t.index[v.key()]
	if !ok || !r.Addr.IsValid() {
		return "real server without virtual server"
	}
	p.t.Servers[at].Real = append(p.t.Servers[at].Real, r)
	return ""
}

// ipvsAddr reads 0A600001:01BB, [20010DB8…:…]:01BB as /proc writes them, and decimal forms. IPv6 in /proc
// has the notation of %pI6 and a hexadecimal port, which a port of four digits tells from ipvsadm's.
func ipvsAddr(s string) (netip.AddrPort, bool) {
	host, port, ok := cutLast(s, ':')
	if !ok {
		return netip.AddrPort{}, false
	}
	if len(host) == 8 && !strings.ContainsAny(host, ".[") {
		b, err := hex.DecodeString(host)
		n, perr := strconv.ParseUint(port, 16, 16)
		if err != nil || perr != nil {
			return netip.AddrPort{}, false
		}
		a, _ := netip.AddrFromSlice(b)
		return netip.AddrPortFrom(a, uint16(n)), true
	}
	base := 10
	if strings.HasPrefix(host, "[") && len(host) == 41 && len(port) == 4 { // %pI6 never shortens
		base = 16
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	n, perr := strconv.ParseUint(port, base, 16)
	if err != nil || perr != nil || a.Zone() != "" {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a, uint16(n)), true
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// Lookup finds the virtual server of a destination.
func (t *IPVSTable) Lookup(addr netip.Addr, proto string, port uint16) (VirtualServer, bool) {
	i, ok := t.index[destKey{addr, proto, port}]
	if !ok {
		return VirtualServer{}, false
	}
	return t.Servers[i], true
}

// path answers for one Service.
func (t *IPVSTable) path(p Packet) Path {
	path := Path{Backend: IPVS}
	v, ok := t.Lookup(p.Dst, p.Proto, p.Dport)
	if !ok {
		path.Status, path.Reason = StatusNoRule, "no virtual server matches"
		if len(t.Servers) == 0 {
			path.Status, path.Reason = StatusNoChains, "IPVS has no virtual server"
		}
		return path
	}
	path.Hops = []Hop{{Backend: IPVS, Chain: "virtual server", Rule: v.Text, Line: v.Line}}
	total := 0
	for _, r := range v.Real {
		total += max(0, r.Weight)
	}
	if total == 0 {
		// ip_vs_leave answers with port unreachable where no server can be scheduled.
		path.Status = StatusRejected
		path.Reason = fmt.Sprintf("the virtual server has no real server with a weight (%d real servers)", len(v.Real))
		return path
	}
	path.Status = StatusTranslated
	for _, r := range v.Real {
		if r.Weight <= 0 {
			continue
		}
		path.Endpoints = append(path.Endpoints, Endpoint{
			Addr: r.Addr, Probability: float64(r.Weight) / float64(total),
			Hops: []Hop{{Backend: IPVS, Chain: "real server", Rule: r.Text, Line: r.Line}},
		})
	}
	if v.Persistent > 0 {
		path.Notes = append(path.Notes, fmt.Sprintf("session affinity: persistent %d s", v.Persistent))
	}
	return path
}
