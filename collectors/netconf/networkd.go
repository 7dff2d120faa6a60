package netconf

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// networkdDirs are where systemd-networkd looks, the winner first where two files have one name: systemd.network(5).
var networkdDirs = []string{
	"/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network",
	"/lib/systemd/network",
}

// ParseNetworkd reads one *.network file of systemd-networkd with its drop-ins (*.network.d/*.conf, in order):
// systemd.network(5). Keys of settings are "Network.DHCP".
func ParseNetworkd(file File, dropins ...File) facts.InterfaceConfig {
	s := newStanza(file.Path, "networkd", "")
	n := networkd{stanza: s}
	for i, f := range slices.Concat([]File{file}, dropins) {
		doc, ini := newDocument(f.Path, f.Data), parseINI(f.Data, systemdSyntax)
		for _, l := range ini.lines {
			// The sections of a drop-in are others than those of the file.
			n.line(l, l.number+i*(1<<20), doc.setting(l.section+"."+l.key, l.value, l.line))
		}
		for _, line := range ini.other {
			s.unparsed(doc.setting("", "", line))
		}
	}
	n.finish()
	return s.InterfaceConfig
}

// networkd gathers what is said over several lines.
type networkd struct {
	*stanza
	names, macs []string
	addresses   []facts.Setting
	gateways    []facts.Setting
	// routes are the [Route] sections by number, in order.
	routes []networkdRoute
}

type networkdRoute struct {
	number      int
	destination string
	gateway     facts.Setting
	table       string
}

func (n *networkd) line(l iniLine, number int, setting facts.Setting) {
	n.add(setting)
	switch setting.Key {
	case "Match.Name", "Match.OriginalName":
		n.names = networkdList(n.names, l.value)
	case "Match.MACAddress", "Match.PermanentMACAddress":
		n.macs = networkdList(n.macs, strings.ToLower(l.value))
	case "Network.DHCP":
		n.dhcp(setting)
	case "Network.Address", "Address.Address":
		if l.value == "" {
			n.addresses = slices.DeleteFunc(n.addresses, func(s facts.Setting) bool { return s.Key == setting.Key })
			return
		}
		n.addresses = append(n.addresses, setting)
	case "Network.Gateway":
		if l.value == "" {
			n.gateways = nil
			return
		}
		n.gateways = append(n.gateways, setting)
	case "Link.MTUBytes":
		n.MTU = &setting
		if l.value == "" {
			n.MTU = nil
		}
	case "Link.Unmanaged":
		if on, _ := truth(l.value); on {
			n.OnBoot = false
		}
	case "Link.ActivationPolicy":
		n.OnBoot = !slices.Contains([]string{"manual", "always-down", "down"}, l.value)
	case "Route.Gateway":
		n.route(number).gateway = setting
	case "Route.Destination":
		n.route(number).destination = l.value
	case "Route.Table":
		n.route(number).table = l.value
	}
}

func (n *networkd) route(number int) *networkdRoute {
	if last := len(n.routes) - 1; last < 0 || n.routes[last].number != number {
		n.routes = append(n.routes, networkdRoute{number: number})
	}
	return &n.routes[len(n.routes)-1]
}

// dhcp takes the last DHCP=; v4, v6, both and none are the words before systemd 219.
func (n *networkd) dhcp(setting facts.Setting) {
	n.DHCP4, n.DHCP6 = nil, nil
	v4, v6 := false, false
	switch on, ok := truth(setting.Value); {
	case ok:
		v4, v6 = on, on
	case setting.Value == "both":
		v4, v6 = true, true
	case setting.Value == "ipv4" || setting.Value == "v4":
		v4 = true
	case setting.Value == "ipv6" || setting.Value == "v6":
		v6 = true
	case setting.Value != "" && setting.Value != "none":
		n.unparsed(setting)
	}
	if v4 {
		n.DHCP4 = &setting
	}
	if v6 {
		n.DHCP6 = &setting
	}
}

func (n *networkd) finish() {
	n.Device = strings.Join(n.names, " ")
	n.MACAddress = strings.Join(n.macs, " ")
	for _, setting := range n.addresses {
		n.address(setting.Value, 0, setting)
	}
	for _, setting := range n.gateways {
		n.gateway(setting)
	}
	for _, route := range n.routes {
		dst, err := netip.ParsePrefix(route.destination)
		main := route.table == "" || route.table == "main" || route.table == "254"
		if main && (route.destination == "" || err == nil && dst.Bits() == 0) {
			n.gateway(route.gateway)
		}
	}
}

// networkdList adds to a list of words; the empty value empties it.
func networkdList(list []string, value string) []string {
	if value == "" {
		return nil
	}
	return append(list, strings.Fields(value)...)
}
