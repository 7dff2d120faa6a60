package netconf

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// configFiles reads the formats in the order in which a person would look.
func (c *collector) configFiles() facts.Group[facts.ConfigFiles] {
	r := c.reading()
	interfaces := []facts.InterfaceConfig{}
	for _, dir := range []string{ifcfgDir, ifcfgSUSEDir} {
		for _, name := range r.dir(dir, isIfcfg) {
			file := path.Join(dir, name)
			if data, ok := r.file(file); ok {
				interfaces = append(interfaces, ParseIfcfg(file, data))
			}
		}
	}
	interfaces = append(interfaces, readNetplan(r)...)
	interfaces = append(interfaces, readKeyfiles(r)...)
	interfaces = append(interfaces, readNetworkd(r)...)
	interfaces = append(interfaces, readInterfaces(r)...)
	for _, config := range interfaces {
		if len(config.Unparsed) > 0 && config.Device == "" && len(config.Settings) == 0 {
			r.notes = append(r.notes, fmt.Sprintf("not understood: %s: %s", config.Unparsed[0].Source, config.Unparsed[0].Value))
		}
	}
	if c.node.Links.Status == facts.Read {
		devicesByMAC(interfaces, c.node.Links.Value)
	}
	return outcome(r, c.partial, facts.ConfigFiles{Interfaces: interfaces})
}

// shadowed are the files with an ending in some directories, sorted by name; of two with one name the one in the earlier
// directory.
func shadowed(r *reading, dirs []string, ending string) []string {
	place := make(map[string]string)
	var names []string
	for _, dir := range dirs {
		for _, name := range r.dir(dir, func(name string) bool { return strings.HasSuffix(name, ending) }) {
			if _, taken := place[name]; !taken {
				place[name] = path.Join(dir, name)
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	files := make([]string, len(names))
	for i, name := range names {
		files[i] = place[name]
	}
	return files
}

func readNetplan(r *reading) []facts.InterfaceConfig {
	var files []File
	for _, file := range shadowed(r, netplanDirs, ".yaml") {
		if data, ok := r.file(file); ok {
			files = append(files, File{file, data})
		}
	}
	return ParseNetplan(files...)
}

func readKeyfiles(r *reading) []facts.InterfaceConfig {
	var profiles []facts.InterfaceConfig
	uuids := make(map[string]bool)
	for _, dir := range keyfileDirs {
		for _, name := range r.dir(dir, func(name string) bool { return isKeyfile(path.Join(dir, name)) }) {
			file := path.Join(dir, name)
			data, ok := r.file(file)
			if !ok {
				continue
			}
			profile := ParseKeyfile(file, data)
			uuid := settingValue(profile.Settings, "connection.uuid")
			if uuid == "" || !uuids[uuid] {
				profiles = append(profiles, profile)
			}
			uuids[uuid] = true
		}
	}
	return profiles
}

func readNetworkd(r *reading) []facts.InterfaceConfig {
	var configs []facts.InterfaceConfig
	for _, file := range shadowed(r, networkdDirs, ".network") {
		data, ok := r.file(file)
		if !ok {
			continue
		}
		dirs := make([]string, len(networkdDirs))
		for i, dir := range networkdDirs {
			dirs[i] = path.Join(dir, path.Base(file)+".d")
		}
		looked := r.looked // the many places of drop-ins would hide the others
		var dropins []File
		for _, dropin := range shadowed(r, dirs, ".conf") {
			if data, ok := r.file(dropin); ok {
				dropins = append(dropins, File{dropin, data})
			}
		}
		r.looked = looked
		configs = append(configs, ParseNetworkd(File{file, data}, dropins...))
	}
	return configs
}

// maxIncluded bounds the files that /etc/network/interfaces includes, itself or through others.
const maxIncluded = 256

func readInterfaces(r *reading) []facts.InterfaceConfig {
	r.look(interfacesFile)
	var stanzas []facts.InterfaceConfig
	var auto []string
	seen := make(map[string]bool)
	queue := []string{interfacesFile}
	for len(queue) > 0 && len(seen) < maxIncluded {
		file := queue[0]
		queue = queue[1:]
		if seen[file] {
			continue
		}
		seen[file] = true
		data, ok := r.file(file)
		if !ok {
			continue
		}
		parsed := ParseInterfaces(file, data)
		stanzas = append(stanzas, parsed.Stanzas...)
		auto = append(auto, parsed.Auto...)
		if len(parsed.Unparsed) > 0 {
			r.notes = append(r.notes, fmt.Sprintf("not understood: %s", parsed.Unparsed[0].Source))
		}
		for _, pattern := range parsed.Sources {
			queue = append(queue, glob(r, pattern)...)
		}
		for _, dir := range parsed.SourceDirectories {
			for _, name := range r.dir(dir, interfacesName.MatchString) {
				queue = append(queue, path.Join(dir, name))
			}
		}
	}
	if len(queue) > 0 {
		r.notes = append(r.notes, fmt.Sprintf("%s includes more than %d files, the others were not read", interfacesFile, maxIncluded))
	}
	interfacesBoot(stanzas, auto)
	return stanzas
}

// glob is the files that match a pattern whose directory may be one too. A name that is no pattern stands for itself.
func glob(r *reading, pattern string) []string {
	if !strings.ContainsAny(pattern, `*?[`) {
		return []string{pattern}
	}
	dir, last := path.Split(pattern)
	var files []string
	for _, dir := range glob(r, path.Clean(dir)) {
		names := r.dir(dir, func(name string) bool {
			matched, err := path.Match(last, name)
			return err == nil && matched && (name[0] != '.' || last[0] == '.')
		})
		for _, name := range names {
			if len(files) < maxEntries {
				files = append(files, path.Join(dir, name))
			}
		}
	}
	return files
}

// devicesByMAC names the devices of files that name a hardware address alone. Only a device of its own hardware counts:
// VLANs and bridges have the addresses of their ports.
func devicesByMAC(configs []facts.InterfaceConfig, links []facts.Link) {
	for i := range configs {
		config := &configs[i]
		if config.MACAddress == "" || namesDevice(config) {
			continue
		}
		for _, link := range links {
			if link.Kind == "" && slices.Contains(strings.Fields(config.MACAddress), strings.ToLower(link.Address)) {
				config.Device = link.Ifname
				break
			}
		}
	}
}

// namesDevice says whether a file names its device in so many words, rather than by its own name or an id.
func namesDevice(config *facts.InterfaceConfig) bool {
	switch config.Format {
	case "ifcfg":
		return settingValue(config.Settings, "DEVICE") != ""
	case "netplan":
		return slices.ContainsFunc(config.Settings, func(s facts.Setting) bool {
			return strings.HasSuffix(s.Key, ".set-name") || strings.HasSuffix(s.Key, ".match.name")
		})
	}
	return config.Device != ""
}

// settingValue is the value of the last setting of a key.
func settingValue(settings []facts.Setting, key string) string {
	for _, s := range slices.Backward(settings) {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
