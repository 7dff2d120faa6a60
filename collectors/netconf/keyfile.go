package netconf

import (
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// keyfileDirs are where NetworkManager's profiles are, the winner first where two have one UUID: nm-settings-keyfile(5).
var keyfileDirs = []string{
	"/run/NetworkManager/system-connections", "/etc/NetworkManager/system-connections",
	"/usr/lib/NetworkManager/system-connections",
}

var keyfileTemp = regexp.MustCompile(`\.[A-Za-z0-9]{6}$`)

// isKeyfile says whether NetworkManager reads that file as a profile. Only under /etc may the extension be missing
// (nm_keyfile_utils_ignore_filename of NetworkManager).
func isKeyfile(file string) bool {
	name := path.Base(file)
	switch {
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~"):
		return false
	case strings.HasSuffix(name, ".nmconnection"):
		return true
	case !strings.HasPrefix(file, "/etc/"):
		return false
	}
	return !keyfileTemp.MatchString(name) && !slices.Contains([]string{".bak", ".swp", ".swpx", ".pem", ".der", ".nmmeta"}, path.Ext(name))
}

var (
	keyfileAddress = regexp.MustCompile(`^address(es)?[0-9]*$`)
	keyfileRoute   = regexp.MustCompile(`^routes?[0-9]*$`)
)

// keyfileNames are the old names of groups, the kernel's, beside today's.
var keyfileNames = map[string]string{
	"802-3-ethernet": "ethernet", "802-11-wireless": "wifi", "802-11-wireless-security": "wifi-security",
}

// ParseKeyfile reads one NetworkManager profile, nm-settings-keyfile(5). Its settings' keys are "ipv4.method".
//
// method=auto with an address1 is a lease and a static address on one link, and both are set. ipv6.method=auto counts as
// DHCPv6 too: NetworkManager starts that client when the router advertises it.
func ParseKeyfile(file string, data []byte) facts.InterfaceConfig {
	doc, ini := newDocument(file, data), parseINI(data, keyfileSyntax)
	s := newStanza(file, "keyfile", "")
	last := make(map[string]facts.Setting)
	for _, l := range ini.lines {
		section := l.section
		if name, old := keyfileNames[section]; old {
			section = name
		}
		setting := doc.setting(section+"."+l.key, keyfileUnescape(l.value), l.line)
		s.add(setting)
		last[setting.Key] = setting
	}
	for _, line := range ini.other {
		s.unparsed(doc.setting("", "", line))
	}

	s.Device = last["connection.interface-name"].Value
	if s.Device == "" {
		s.Device = strings.Join(keyfileList(last["match.interface-name"].Value), " ")
	}
	for _, group := range []string{"ethernet", "wifi", "infiniband"} {
		if mac := last[group+".mac-address"].Value; mac != "" {
			s.MACAddress = strings.ToLower(mac)
		}
		if mtu, ok := last[group+".mtu"]; ok && mtu.Value != "0" && mtu.Value != "auto" {
			s.MTU = &mtu
		}
	}
	if on, ok := truth(last["connection.autoconnect"].Value); ok {
		s.OnBoot = on
	}
	s.keyfileMethods(doc, ini, last)
	for _, family := range []string{"ipv4", "ipv6"} {
		for _, setting := range s.Settings {
			group, key, _ := strings.Cut(setting.Key, ".")
			if group != family || setting.Value == "" || last[setting.Key].Line != setting.Line {
				continue
			}
			switch {
			case keyfileAddress.MatchString(key):
				s.keyfileAddresses(setting)
			case key == "gateway":
				s.gateway(setting)
			case keyfileRoute.MatchString(key):
				s.keyfileRoute(setting)
			}
		}
	}
	return s.InterfaceConfig
}

// keyfileMethods sets the DHCP clients. A profile of an interface with addresses of its own that says no method is auto:
// NetworkManager adds the setting with that default when it reads the profile.
func (s *stanza) keyfileMethods(doc document, ini iniFile, last map[string]facts.Setting) {
	method := func(family string) *facts.Setting {
		if m, ok := last[family+".method"]; ok {
			return &m
		}
		port := last["connection.master"].Value + last["connection.controller"].Value
		if port != "" || !slices.Contains([]string{"ethernet", "802-3-ethernet", "wifi", "802-11-wireless", "bond", "bridge", "vlan", "team"}, last["connection.type"].Value) {
			return nil
		}
		line := last["connection.type"].Line
		for _, header := range ini.sections {
			if header.section == family {
				line = header.line
			}
		}
		m := doc.setting(family+".method", "auto", line)
		return &m
	}
	if m := method("ipv4"); m != nil && m.Value == "auto" {
		s.DHCP4 = m
	}
	if m := method("ipv6"); m != nil && (m.Value == "auto" || m.Value == "dhcp") {
		s.DHCP6 = m
	}
}

// keyfileAddresses reads the forms of address1=, addresses=: "10.0.0.1/24,10.0.0.254" (address and gateway),
// "10.0.0.1/24;10.0.0.2/24;" and the old "10.0.0.1;24;10.0.0.254;".
func (s *stanza) keyfileAddresses(setting facts.Setting) {
	items := keyfileList(setting.Value)
	if len(items) >= 2 && !strings.Contains(items[0], "/") {
		if bits, err := strconv.Atoi(items[1]); err == nil {
			s.address(items[0], bits, setting)
			if len(items) > 2 {
				s.keyfileGateway(items[2], setting)
			}
			return
		}
	}
	for _, item := range items {
		address, gateway, _ := strings.Cut(item, ",")
		s.address(address, 0, setting)
		s.keyfileGateway(gateway, setting)
	}
}

// keyfileRoute takes "0.0.0.0/0,10.0.0.254,metric" as the gateway.
func (s *stanza) keyfileRoute(setting facts.Setting) {
	for _, item := range keyfileList(setting.Value) {
		parts := strings.Split(item, ",")
		if dst, err := netip.ParsePrefix(parts[0]); err == nil && dst.Bits() == 0 && len(parts) > 1 {
			s.keyfileGateway(parts[1], setting)
		}
	}
}

func (s *stanza) keyfileGateway(gateway string, setting facts.Setting) {
	if addr, err := netip.ParseAddr(gateway); err == nil && !addr.IsUnspecified() {
		setting.Value = gateway
		s.gateway(setting)
	}
}

// keyfileList splits a GLib list.
func keyfileList(value string) []string {
	return slices.DeleteFunc(strings.FieldsFunc(value, func(r rune) bool { return r == ';' }), func(item string) bool {
		return strings.TrimSpace(item) == ""
	})
}

var keyfileEscapes = strings.NewReplacer(`\s`, " ", `\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`)

func keyfileUnescape(value string) string { return keyfileEscapes.Replace(value) }
