package netconf

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

const interfacesFile = "/etc/network/interfaces"

// interfacesName is what source-directory takes of a directory: interfaces(5).
var interfacesName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Interfaces is what one file of ifupdown says.
type Interfaces struct {
	// Stanzas are its iface stanzas, in order; one link may have several. Their OnBoot is not set: whether an interface
	// is brought up may be said in another file.
	Stanzas []facts.InterfaceConfig
	// Auto are the names of `auto` and `allow-hotplug` lines.
	Auto []string
	// Sources and SourceDirectories are the patterns of the files and directories that it includes, absolute.
	Sources, SourceDirectories []string
	// Unparsed are lines outside iface stanzas that were not understood.
	Unparsed []facts.Setting
}

// ParseInterfaces reads one file of ifupdown, /etc/network/interfaces or what it includes: interfaces(5). The setting of
// an iface line has the family for its key and the method for its value ("inet", "dhcp").
func ParseInterfaces(file string, data []byte) Interfaces {
	doc := newDocument(file, data)
	var parsed Interfaces
	var current *stanza
	var netmask string
	flush := func() {
		if current != nil && len(parsed.Stanzas) < maxSettings {
			current.interfacesEnd(netmask)
			parsed.Stanzas = append(parsed.Stanzas, current.InterfaceConfig)
		}
		current, netmask = nil, ""
	}
	inMapping := false
	lines := strings.Split(string(data), "\n")
	for i := 0; i < len(lines); i++ {
		number := i + 1
		text := strings.TrimSpace(lines[i])
		if text == "" || text[0] == '#' {
			continue
		}
		if strings.HasSuffix(text, `\`) {
			text, i = joinContinued(lines, i, "")
		}
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		rest := strings.TrimSpace(strings.TrimPrefix(text, words[0]))
		switch word := words[0]; {
		case word == "iface":
			flush()
			inMapping = false
			if len(words) < 4 {
				parsed.Unparsed = append(parsed.Unparsed, doc.setting(word, rest, number))
				continue
			}
			current = newStanza(file, "interfaces", words[1])
			current.interfacesStart(doc.setting(words[2], words[3], number))
		case word == "auto" || strings.HasPrefix(word, "allow-") || word == "source" || word == "source-directory" ||
			word == "mapping" || word == "template" || word == "rename" || strings.HasPrefix(word, "no-"):
			flush()
			inMapping = word == "mapping" || word == "template"
			parsed.directive(file, word, words[1:])
		case current != nil:
			setting := doc.setting(word, rest, number)
			current.add(setting)
			if word == "netmask" {
				netmask = rest
			}
			current.interfacesOption(setting)
		case inMapping:
		default:
			parsed.Unparsed = append(parsed.Unparsed, doc.setting(word, rest, number))
		}
	}
	flush()
	return parsed
}

func (p *Interfaces) directive(file, word string, names []string) {
	absolute := func(name string) string {
		if !path.IsAbs(name) {
			name = path.Join(path.Dir(file), name)
		}
		return path.Clean(name)
	}
	for _, name := range names {
		if len(p.Auto)+len(p.Sources)+len(p.SourceDirectories) >= maxSettings {
			return
		}
		switch word {
		case "auto", "allow-auto", "allow-boot", "allow-hotplug":
			p.Auto = append(p.Auto, name)
		case "source":
			p.Sources = append(p.Sources, absolute(name))
		case "source-directory":
			p.SourceDirectories = append(p.SourceDirectories, absolute(name))
		}
	}
}

// interfacesStart takes the iface line.
func (s *stanza) interfacesStart(setting facts.Setting) {
	s.add(setting)
	switch {
	case setting.Key == "inet" && (setting.Value == "dhcp" || setting.Value == "bootp"):
		s.DHCP4 = &setting
	case setting.Key == "inet6" && setting.Value == "dhcp":
		s.DHCP6 = &setting
	}
}

func (s *stanza) interfacesOption(setting facts.Setting) {
	switch setting.Key {
	case "gateway":
		s.gateway(setting)
	case "mtu":
		s.MTU = &setting
	case "dhcp": // of `inet6 auto`: stateless DHCPv6
		if on, _ := truth(setting.Value); on && s.Settings[0].Key == "inet6" {
			s.DHCP6 = &setting
		}
	}
}

// interfacesEnd takes the addresses, whose netmask may come before or after them. eth0:1 is a label of an address on
// eth0.
func (s *stanza) interfacesEnd(netmask string) {
	for _, setting := range s.Settings[1:] {
		if setting.Key == "address" && setting.Value != "" {
			s.address(setting.Value, maskBits(netmask), setting)
		}
	}
	s.Device, _, _ = strings.Cut(s.Device, ":")
}

// interfacesBoot sets OnBoot of stanzas by the names that are brought up at boot or by hotplug; a name may be a shell
// pattern after a slash ("/eth*").
func interfacesBoot(stanzas []facts.InterfaceConfig, auto []string) {
	for i := range stanzas {
		device := stanzas[i].Device
		stanzas[i].OnBoot = slices.ContainsFunc(auto, func(name string) bool {
			if pattern, ok := strings.CutPrefix(name, "/"); ok {
				pattern, _, _ = strings.Cut(pattern, "/")
				matched, err := path.Match(pattern, device)
				return err == nil && matched
			}
			name, _, _ = strings.Cut(name, ":")
			name, _, _ = strings.Cut(name, "=")
			return name == device
		})
	}
}
