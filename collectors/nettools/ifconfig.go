package nettools

import (
	"strconv"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// Interface is what ifconfig(8) says of a device that is of use beside what it leaves out: of the addresses of a device it
// shows one for each label and no lifetimes, of the device neither index nor kind.
type Interface struct {
	Name string
	// MTU in bytes.
	MTU   int
	Stats facts.LinkStatistics
}

// ParseInterfaces reads the output of `ifconfig` or `ifconfig -a` of net-tools 1 ("Link encap:Ethernet", "inet addr:") and
// 2 ("flags=4163<UP,…>", "inet 10.0.0.1 netmask"), and of BusyBox, which prints as net-tools 1 does. RxMissed is not shown.
// Labels ("eth0:1") have no counters and are left out.
func ParseInterfaces(text []byte) ([]Interface, lines.Unparsed) {
	var list []Interface
	var unparsed lines.Unparsed
	last := -1 // index of list; -1: none, or a label
	for n, line := range lines.All(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if line[0] != ' ' && line[0] != '\t' {
			name, old := f[0], len(f) > 2 && f[1] == "Link" && strings.HasPrefix(f[2], "encap:")
			switch {
			case !old && (len(f) < 2 || name == ":" || !strings.HasSuffix(name, ":") || !strings.HasPrefix(f[1], "flags=")):
				unparsed.Add(n, line)
				last = -1
				continue
			case !old:
				name = strings.TrimSuffix(name, ":")
			}
			last = -1
			if !strings.Contains(name, ":") {
				list = append(list, Interface{Name: name})
				last = len(list) - 1
				interfaceLine(&list[last], f[1:])
			}
			continue
		}
		if last < 0 {
			continue
		}
		if !interfaceLine(&list[last], f) {
			unparsed.Add(n, line)
		}
	}
	return list, unparsed
}

// interfaceLine reads a line of a device's, and says whether it is one that ifconfig prints.
func interfaceLine(i *Interface, f []string) bool {
	s := &i.Stats
	counter := func(field *uint64, text string) bool {
		v, err := strconv.ParseUint(text, 10, 64)
		if err == nil {
			*field = v
		}
		return err == nil
	}
	// "RX packets 5  bytes 420 (420.0 B)" and "RX errors 0  dropped 0  overruns 0  frame 0" are of net-tools 2,
	// "RX packets:5 errors:0 dropped:0 overruns:0 frame:0" and "RX bytes:420 (420.0 B)  TX bytes:…" of 1.
	if f[0] == "RX" || f[0] == "TX" {
		receive := f[0] == "RX"
		for k := 1; k < len(f); k++ {
			key, value, joined := strings.Cut(f[k], ":")
			switch {
			case key == "RX" || key == "TX":
				receive = key == "RX"
				continue
			case strings.HasPrefix(f[k], "("):
				for k+1 < len(f) && !strings.HasSuffix(f[k], ")") {
					k++
				}
				continue
			case !joined:
				if k++; k == len(f) {
					return false
				}
				value = f[k]
			}
			field := map[string][2]*uint64{
				"packets": {&s.RxPackets, &s.TxPackets}, "bytes": {&s.RxBytes, &s.TxBytes}, "errors": {&s.RxErrors, &s.TxErrors},
				"dropped": {&s.RxDropped, &s.TxDropped}, "overruns": {&s.RxFIFO, nil}, "carrier": {nil, &s.TxCarrier},
			}[key]
			at := field[1]
			if receive {
				at = field[0]
			}
			if at == nil {
				at = new(uint64)
			}
			if !counter(at, value) {
				return false
			}
		}
		return true
	}
	known := false
	for k, word := range f {
		switch key, value, joined := strings.Cut(word, ":"); {
		case strings.EqualFold(key, "mtu") && joined:
			i.MTU, _ = strconv.Atoi(value)
			known = true
		case word == "mtu" && k+1 < len(f):
			i.MTU, _ = strconv.Atoi(f[k+1])
			known = true
		}
	}
	switch first, _, _ := strings.Cut(f[0], ":"); first {
	case "inet", "inet6", "ether", "loop", "tunnel", "unspec", "infiniband", "sit", "ppp", "collisions", "txqueuelen", "device", "Interrupt", "Base", "Memory", "HWaddr", "UP", "DOWN", "BROADCAST", "POINTOPOINT", "NOARP", "MULTICAST", "LOOPBACK":
		known = true
	}
	return known
}
