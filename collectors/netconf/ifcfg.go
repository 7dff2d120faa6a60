package netconf

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// Directories of ifcfg files: Red Hat's initscripts and NetworkManager's ifcfg-rh plugin, and SUSE's wicked.
const (
	ifcfgDir     = "/etc/sysconfig/network-scripts"
	ifcfgSUSEDir = "/etc/sysconfig/network"
)

// ifcfgSkipped are the endings of files beside the real ones. They are is_ignored_file of initscripts' init.d/functions
// and check_suffix of NetworkManager's ifcfg-rh plugin; .scpmbackup is SUSE's.
var ifcfgSkipped = []string{
	"~", ".bak", ".old", ".orig", ".rej", ".rpmnew", ".rpmorig", ".rpmsave", ".augnew", ".augtmp", ".scpmbackup", ".swp",
}

// isIfcfg says whether a file of that name (without its directory) is read by initscripts, NetworkManager or wicked.
func isIfcfg(name string) bool {
	return strings.HasPrefix(name, "ifcfg-") && len(name) > len("ifcfg-") &&
		!slices.ContainsFunc(ifcfgSkipped, func(end string) bool { return strings.HasSuffix(name, end) })
}

var (
	ifcfgRange   = regexp.MustCompile(`-range[0-9]*$`)
	ifcfgAddress = regexp.MustCompile(`^IPADDR[0-9]{0,3}$`)
	// ifcfgSUSEAddress takes any suffix, as ifcfg(5) of SUSE says.
	ifcfgSUSEAddress = regexp.MustCompile(`^IPADDR([A-Za-z0-9_]*)$`)
)

// ParseIfcfg reads one ifcfg-* file: sysconfig.txt of initscripts, nm-settings-ifcfg-rh(5), ifcfg(5) of SUSE for files
// in /etc/sysconfig/network.
//
// Under initscripts BOOTPROTO=dhcp leaves IPADDR aside; NetworkManager and wicked put both on the link. Both are facts
// of the file, so DHCP4 and Addresses are set whoever reads it.
func ParseIfcfg(file string, data []byte) facts.InterfaceConfig {
	doc, shell := newDocument(file, data), parseShell(data)
	suse := path.Base(path.Dir(file)) == "network"
	device := strings.TrimPrefix(path.Base(file), "ifcfg-")
	s := newStanza(file, "ifcfg", ifcfgRange.ReplaceAllString(device, ""))
	if suse {
		s.OnBoot = false // STARTMODE's default is manual
	}
	last := make(map[string]facts.Setting)
	var order []string
	for _, a := range shell.assignments {
		setting := doc.setting(a.name, a.value, a.line)
		s.add(setting)
		if a.expands {
			s.unparsed(setting)
		}
		if _, seen := last[a.name]; !seen {
			order = append(order, a.name)
		}
		last[a.name] = setting
	}
	for _, line := range shell.other {
		s.unparsed(doc.setting("", "", line))
	}

	if v := last["DEVICE"].Value; v != "" {
		s.Device = v
	}
	// eth0:1 is a label of an address on eth0 (REALDEVICE of initscripts).
	s.Device, _, _ = strings.Cut(s.Device, ":")
	s.MACAddress = strings.ToLower(last["HWADDR"].Value)
	if suse {
		s.MACAddress = ""
	}
	s.ifcfgDHCP(last, suse)
	s.ifcfgStart(last)
	for _, name := range order {
		setting := last[name]
		switch {
		case setting.Value == "":
		case name == "IPV6ADDR" || name == "IPV6ADDR_SECONDARIES":
			for _, value := range strings.Fields(setting.Value) {
				s.address(value, 0, setting)
			}
		case name == "GATEWAY" || name == "GATEWAY0" || name == "IPV6_DEFAULTGW":
			s.gateway(setting)
		case name == "MTU":
			s.MTU = &setting
		case ifcfgAddress.MatchString(name) || suse && ifcfgSUSEAddress.MatchString(name):
			s.address(setting.Value, ifcfgBits(last, strings.TrimPrefix(name, "IPADDR")), setting)
		}
	}
	return s.InterfaceConfig
}

// ifcfgBits is the prefix length that goes with IPADDR<suffix>: PREFIX wins over NETMASK (expand_config of initscripts'
// network-functions). PREFIXLEN is SUSE's.
func ifcfgBits(last map[string]facts.Setting, suffix string) int {
	for _, name := range []string{"PREFIX", "PREFIXLEN"} {
		if bits, err := strconv.Atoi(last[name+suffix].Value); err == nil && bits >= 0 && bits <= 128 {
			return bits
		}
	}
	return maskBits(last["NETMASK"+suffix].Value)
}

// ifcfgDHCP sets what BOOTPROTO and DHCPV6C say. Red Hat's words are dhcp, bootp, none, static, ibft, autoip, shared;
// SUSE joins its words with +, and its dhcp is both families'.
func (s *stanza) ifcfgDHCP(last map[string]facts.Setting, suse bool) {
	bootproto, given := last["BOOTPROTO"]
	known := []string{"", "none", "static", "ibft", "autoip", "shared", "auto4", "auto6", "6to4"}
	for word := range strings.SplitSeq(strings.ToLower(bootproto.Value), "+") {
		switch {
		case word == "dhcp" || word == "bootp" || word == "dhcp4":
			s.DHCP4 = &bootproto
			if suse && word == "dhcp" {
				s.DHCP6 = &bootproto
			}
		case word == "dhcp6":
			s.DHCP6 = &bootproto
		case given && !slices.Contains(known, word):
			s.unparsed(bootproto)
		}
	}
	if v6, ok := last["DHCPV6C"]; ok {
		if on, _ := truth(v6.Value); on {
			s.DHCP6 = &v6
		}
	}
}

// ifcfgStart sets what ONBOOT (default yes), NM_CONTROLLED (default yes) and SUSE's STARTMODE say.
func (s *stanza) ifcfgStart(last map[string]facts.Setting) {
	if on, ok := truth(last["ONBOOT"].Value); ok {
		s.OnBoot = on
	}
	if on, ok := truth(last["NM_CONTROLLED"].Value); ok {
		s.NMControlled = on
	}
	if mode, ok := last["STARTMODE"]; ok {
		s.OnBoot = slices.Contains([]string{"auto", "onboot", "on", "boot", "hotplug", "ifplugd", "nfsroot"}, strings.ToLower(mode.Value))
	}
}
