package netconf

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/netcause/netcause/engine/facts"
)

// netplanDirs are where netplan looks, the winner first where two files have one name: netplan-generate(8).
var netplanDirs = []string{"/run/netplan", "/etc/netplan", "/lib/netplan", "/usr/lib/netplan"}

// netplanTypes are the types of devices. Those of hardware are found by match or by their id; the others are made, and
// their id is their name.
var netplanTypes = map[string]struct{ hardware bool }{
	"ethernets": {hardware: true}, "wifis": {hardware: true}, "modems": {hardware: true},
	"bonds": {}, "bridges": {}, "vlans": {}, "tunnels": {}, "vrfs": {}, "dummy-devices": {}, "virtual-ethernets": {},
	"nm-devices": {hardware: true},
}

// ParseNetplan reads netplan's files in the order of their names, netplan(5): what a later file says of a device changes
// what an earlier one said, mapping by mapping; lists are added to. There is one InterfaceConfig for each device, whose
// File is the first that names it, and one without a device for each file that is no netplan YAML: netplan applies
// nothing while there is one. Keys of settings are "network.ethernets.eth0.dhcp4".
func ParseNetplan(files ...File) []facts.InterfaceConfig {
	n := netplan{byID: make(map[string]*netplanDevice), typeRenderer: make(map[string]string)}
	for _, file := range files {
		n.file(file)
	}
	configs := n.broken
	for _, device := range n.devices {
		configs = append(configs, n.config(device))
	}
	return configs
}

type netplan struct {
	// renderer is that of all devices, typeRenderer that of the devices of a type.
	renderer     string
	typeRenderer map[string]string
	devices      []*netplanDevice
	byID         map[string]*netplanDevice
	broken       []facts.InterfaceConfig
	// left bounds the nodes visited of a file.
	left int
}

type netplanDevice struct {
	*stanza
	kind, prefix string
	hardware     bool
	matched      bool
	values       map[string]string // scalars by path below the device
	routes       []netplanRoute
	gateways     []facts.Setting
}

type netplanRoute struct {
	to, table string
	via       facts.Setting
}

func (n *netplan) file(file File) {
	n.left = maxSettings * 4
	doc := newDocument(file.Path, file.Data)
	documents, err := decodeYAML(file.Data)
	if err != nil {
		n.fails(doc, yamlLine(err), "yaml", err.Error())
		return
	}
	if len(documents) == 0 || isNull(documents[0]) {
		return
	}
	network := field(documents[0], "network")
	if network == nil || network.Kind != yaml.MappingNode {
		n.fails(doc, documents[0].Line, "network", "")
		return
	}
	if renderer := scalar(network, "renderer"); renderer != "" {
		n.renderer = renderer
	}
	defer func() {
		if n.left < 0 {
			n.fails(doc, network.Line, "network", "more values than are read of one file")
		}
	}()
	for i := 0; i+1 < len(network.Content); i += 2 {
		kind := network.Content[i].Value
		devices := resolved(network.Content[i+1])
		if t, ok := netplanTypes[kind]; ok && devices != nil && devices.Kind == yaml.MappingNode {
			for j := 0; j+1 < len(devices.Content); j += 2 {
				n.device(doc, kind, t.hardware, devices.Content[j], devices.Content[j+1])
			}
		}
	}
}

func (n *netplan) fails(doc document, line int, key, value string) {
	s := newStanza(doc.path, "netplan", "")
	setting := doc.setting(key, value, line)
	s.unparsed(setting)
	n.broken = append(n.broken, s.InterfaceConfig)
}

func (n *netplan) device(doc document, kind string, hardware bool, key, value *yaml.Node) {
	id := key.Value
	if value = resolved(value); id == "renderer" && value != nil && value.Kind == yaml.ScalarNode {
		n.typeRenderer[kind] = value.Value
		return
	}
	d := n.byID[id]
	if d == nil {
		if len(n.devices) >= maxSettings {
			return
		}
		d = &netplanDevice{stanza: newStanza(doc.path, "netplan", id), kind: kind, hardware: hardware, values: make(map[string]string)}
		n.byID[id] = d
		n.devices = append(n.devices, d)
	}
	d.prefix = "network." + kind + "." + id
	n.walk(doc, d, "", value, 0)
}

// walk takes every scalar below a device. Items of a list have the list's path.
func (n *netplan) walk(doc document, d *netplanDevice, path string, node *yaml.Node, depth int) {
	if n.left--; n.left < 0 || node == nil || depth > maxDepth {
		return
	}
	switch node.Kind {
	case yaml.ScalarNode:
		n.scalar(doc, d, path, node)
	case yaml.SequenceNode:
		for _, item := range node.Content {
			item = resolved(item)
			if path == "routes" {
				d.route(doc, item)
			}
			n.walk(doc, d, path, item, depth+1)
		}
	case yaml.MappingNode:
		if path == "match" {
			d.matched = true
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], resolved(node.Content[i+1])
			if path == "addresses" { // "10.0.0.1/24": {lifetime: 0}
				n.scalar(doc, d, path, key)
			}
			sub := key.Value
			if path != "" {
				sub = path + "." + sub
			}
			n.walk(doc, d, sub, value, depth+1)
		}
	}
}

func (n *netplan) scalar(doc document, d *netplanDevice, path string, node *yaml.Node) {
	key := d.prefix
	if path != "" {
		key += "." + path
	}
	if isNull(node) && path == "" { // eth0: and nothing
		return
	}
	value := node.Value
	setting := doc.setting(key, value, node.Line)
	d.add(setting)
	d.values[path] = value
	switch path {
	case "dhcp4":
		d.DHCP4 = d.client(setting)
	case "dhcp6":
		d.DHCP6 = d.client(setting)
	case "mtu":
		d.MTU = &setting
	case "addresses":
		d.address(value, 0, setting)
	case "gateway4", "gateway6":
		d.gateways = append(d.gateways, setting)
	}
}

// client is the setting if it turns a DHCP client on.
func (d *netplanDevice) client(setting facts.Setting) *facts.Setting {
	on, ok := truth(setting.Value)
	switch {
	case !ok:
		d.unparsed(setting) // netplan refuses it, null too
		return nil
	case !on:
		return nil
	}
	return &setting
}

func (d *netplanDevice) route(doc document, node *yaml.Node) {
	via := field(node, "via")
	if via == nil || via.Kind != yaml.ScalarNode || len(d.routes) >= maxSettings {
		return
	}
	d.routes = append(d.routes, netplanRoute{
		to: scalar(node, "to"), table: scalar(node, "table"),
		via: doc.setting(d.prefix+".routes.via", via.Value, via.Line),
	})
}

func (n *netplan) config(d *netplanDevice) facts.InterfaceConfig {
	renderer := cmp.Or(d.values["renderer"], n.typeRenderer[d.kind], n.renderer)
	d.NMControlled = renderer == "NetworkManager" || d.kind == "nm-devices"
	d.OnBoot = !slices.Contains([]string{"manual", "off"}, d.values["activation-mode"])
	if d.hardware && d.matched {
		d.MACAddress = strings.ToLower(d.values["match.macaddress"])
		if name := d.values["match.name"]; name != "" {
			d.Device = name
		}
		if name := d.values["set-name"]; name != "" {
			d.Device = name
		}
	}
	for _, setting := range d.gateways {
		d.gateway(setting)
	}
	for _, route := range d.routes {
		dst, err := netip.ParsePrefix(route.to)
		anywhere := route.to == "default" || route.to == "0/0" || err == nil && dst.Bits() == 0
		if anywhere && (route.table == "" || route.table == "254" || route.table == "main") {
			d.gateway(route.via)
		}
	}
	return d.InterfaceConfig
}
