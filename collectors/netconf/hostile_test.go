package netconf

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// TestHostileInput gives every parser large files that are made to take long or to become large: what comes of them stays
// within a bound.
func TestHostileInput(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	const size, bound = maxFile / 16, 16 << 20
	fill := func(text string) []byte { return []byte(strings.Repeat(text, size/len(text))) }
	inputs := map[string][]byte{
		"secrets on one line":   fill(`psk: 1,`),
		"secrets in JSON":       fill(`"psk":1,`),
		"lists of secrets":      fill("psk: ["),
		"unclosed quotes":       fill("psk='''\n\"\n"),
		"continued lines":       append(fill("a\\\n"), '\''),
		"assignments":           fill("IPADDR1=10.0.0.1 "),
		"opening brackets":      fill("["),
		"opening braces":        fill("{a: "),
		"address list":          append([]byte("[ipv4]\naddresses="), fill("10.0.0.1/24;")...),
		"address lines":         append([]byte("[Network]\n"), fill("Address=10.0.0.1/24\n")...),
		"netplan addresses":     append([]byte("network: {ethernets: {e: {addresses: ["), append(fill("10.0.0.1/24, "), "]}}}"...)...),
		"stanzas":               fill("iface e inet dhcp\nauto e\n"),
		"one stanza":            append([]byte("iface e inet static\n"), fill("address 10.0.0.1/24\n")...),
		"nameservers":           fill("nameserver 1.1.1.1\n"),
		"URLs":                  fill("://a:b"),
		"keys":                  fill("-----BEGIN PRIVATE KEY-----"),
		"indented under secret": append([]byte("password:\n"), fill(" a:\n")...),
		"documents":             fill("---\n"),
	}
	for name, data := range inputs {
		t.Run(name, func(t *testing.T) {
			configs := ParseNetplan(File{"/etc/netplan/x.yaml", data})
			interfaces := ParseInterfaces(interfacesFile, data)
			interfacesBoot(interfaces.Stanzas, interfaces.Auto)
			configs = append(configs, interfaces.Stanzas...)
			configs = append(configs, ParseIfcfg("/etc/sysconfig/network-scripts/ifcfg-x", data),
				ParseIfcfg("/etc/sysconfig/network/ifcfg-x", data), ParseKeyfile("/etc/NetworkManager/system-connections/x", data),
				ParseNetworkd(File{"/etc/systemd/network/x.network", data}))
			for _, config := range configs {
				checkConfig(t, config)
			}
			var node facts.Node
			node.ResolvConf.Value, _ = ParseResolvConf(resolvConfFile, data)
			node.FlannelSubnetEnv.Value, _ = ParseFlannelSubnetEnv(flannelFile, data)
			_, _, _ = ParseKubeletConfig("/x", data)
			_, _ = parseK3s(data)
			text, err := json.Marshal([]any{configs, node.ResolvConf, ParseCNI("/x.conflist", data)})
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > bound {
				t.Errorf("became %d MiB", len(text)>>20)
			}
		})
	}
}
