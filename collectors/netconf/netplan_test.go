package netconf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func summaries(configs []facts.InterfaceConfig) []summary {
	var all []summary
	for _, config := range configs {
		all = append(all, summarize(config))
	}
	return all
}

func TestParseNetplan(t *testing.T) {
	const a, b = "/etc/netplan/00-installer-config.yaml", "/etc/netplan/50-cloud-init.yaml"
	tests := []struct {
		name  string
		files []File
		want  []summary
	}{
		{
			"lease and static address",
			[]File{{a, []byte("network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    enp1s0:\n      dhcp4: true\n      addresses:\n        - 10.153.204.15/24\n        - \"fd00::15/64\"\n      gateway4: 10.153.204.254\n      mtu: 9000\n      nameservers:\n        addresses: [1.1.1.1]\n")}},
			[]summary{{
				Device: "enp1s0", NotNM: true, DHCP4: "network.ethernets.enp1s0.dhcp4=true " + a + ":6",
				Addresses: []string{
					"10.153.204.15/24 network.ethernets.enp1s0.addresses " + a + ":8", "fd00::15/64 network.ethernets.enp1s0.addresses " + a + ":9",
				},
				Gateway: "network.ethernets.enp1s0.gateway4=10.153.204.254 " + a + ":10", MTU: "network.ethernets.enp1s0.mtu=9000 " + a + ":11",
			}},
		},
		{
			"later file changes earlier",
			[]File{
				{a, []byte("network: {version: 2, ethernets: {eth0: {dhcp4: yes, dhcp6: on, addresses: [10.0.0.1/24]}}}\n")},
				{b, []byte("network:\n  ethernets:\n    eth0:\n      dhcp4: no\n      addresses:\n      - 10.0.0.2/24:\n          lifetime: 0\n          label: eth0:x\n")},
			},
			[]summary{{
				Device: "eth0", NotNM: true, DHCP6: "network.ethernets.eth0.dhcp6=on " + a + ":1",
				Addresses: []string{"10.0.0.1/24 network.ethernets.eth0.addresses " + a + ":1", "10.0.0.2/24 network.ethernets.eth0.addresses " + b + ":6"},
			}},
		},
		{
			"match and set-name",
			[]File{{b, []byte("network:\n  version: 2\n  ethernets:\n    uplink:\n      match:\n        macaddress: \"52:54:00:AA:BB:CC\"\n      set-name: eth0\n      dhcp4: true\n    all:\n      match: {name: \"enp2*\"}\n      dhcp6: true\n    bymac:\n      match: {macaddress: \"52:54:00:aa:bb:dd\"}\n")}},
			[]summary{
				{Device: "eth0", MAC: "52:54:00:aa:bb:cc", NotNM: true, DHCP4: "network.ethernets.uplink.dhcp4=true " + b + ":8"},
				{Device: "enp2*", NotNM: true, DHCP6: "network.ethernets.all.dhcp6=true " + b + ":11"},
				{Device: "bymac", MAC: "52:54:00:aa:bb:dd", NotNM: true},
			},
		},
		{
			"bonds, bridges, vlans, routes, renderers",
			[]File{{a, []byte(`network:
  renderer: NetworkManager
  ethernets:
    renderer: networkd
    eth0: {}
    eth1:
  bonds:
    bond0:
      interfaces: [eth0, eth1]
      parameters: {mode: 802.3ad}
      routes:
        - to: 10.9.0.0/16
          via: 10.0.0.9
        - to: default
          via: 10.0.0.1
        - {to: 0.0.0.0/0, via: 10.0.0.7, table: 100}
        - {to: "::/0", via: "fe80::1"}
  vlans:
    bond0.100: {id: 100, link: bond0, addresses: [10.1.0.1/16]}
  bridges:
    br0: {renderer: networkd, interfaces: [bond0], dhcp4: true, activation-mode: manual}
`)}},
			[]summary{
				{Device: "eth0", NotNM: true},
				{Device: "eth1", NotNM: true},
				{Device: "bond0", Gateway: "network.bonds.bond0.routes.via=10.0.0.1 " + a + ":15"},
				{Device: "bond0.100", Addresses: []string{"10.1.0.1/16 network.vlans.bond0.100.addresses " + a + ":19"}},
				{Device: "br0", NotNM: true, OffAtBoot: true, DHCP4: "network.bridges.br0.dhcp4=true " + a + ":21"},
			},
		},
		{
			"anchors, and null is no value",
			[]File{
				{a, []byte("network:\n  ethernets:\n    eth0: &x\n      dhcp4: true\n      addresses: [10.0.0.1/24]\n    eth1: *x\n")},
				{b, []byte("network:\n  ethernets:\n    eth1: {addresses: null, dhcp4: ~}\n")},
			},
			[]summary{
				{
					Device: "eth0", NotNM: true, DHCP4: "network.ethernets.eth0.dhcp4=true " + a + ":4",
					Addresses: []string{"10.0.0.1/24 network.ethernets.eth0.addresses " + a + ":5"},
				},
				{
					Device: "eth1", NotNM: true, Addresses: []string{"10.0.0.1/24 network.ethernets.eth1.addresses " + a + ":5"},
					Unparsed: []string{b + ":3     eth1: {addresses: null, dhcp4: ~}", b + ":3     eth1: {addresses: null, dhcp4: ~}"},
				},
			},
		},
		{
			"broken",
			[]File{
				{a, []byte("network:\n  ethernets:\n    eth0:\n     dhcp4: true\n    dhcp6: [\n")},
				{b, []byte("netwrk: {}\n")},
				{"/etc/netplan/90.yaml", []byte("# nothing\n")},
			},
			[]summary{
				{Unparsed: []string{a + ":5     dhcp6: ["}},
				{Unparsed: []string{b + ":1 netwrk: {}"}},
			},
		},
		{"none", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, summaries(ParseNetplan(tt.files...))); diff != "" {
				t.Errorf("ParseNetplan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNetplanSecrets(t *testing.T) {
	config := ParseNetplan(File{"/etc/netplan/w.yaml", []byte("network:\n  wifis:\n    wlan0:\n      access-points:\n        home:\n          password: \"hunter2\"\n")})[0]
	want := facts.Setting{
		Key: "network.wifis.wlan0.access-points.home.password", Value: mask, Line: 6, Text: `          password: "` + mask + `"`, Source: "/etc/netplan/w.yaml:6",
	}
	if diff := cmp.Diff([]facts.Setting{want}, config.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestNetplanBounded(t *testing.T) {
	// Nine aliases of nine aliases of …: 9^9 addresses.
	var b strings.Builder
	b.WriteString("network:\n  ethernets:\n    a0: &a0 {addresses: [10.0.0.1/24]}\n")
	prev := "a0"
	for _, name := range []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"} {
		b.WriteString("    " + name + ": &" + name + " {x: [" + strings.Repeat("*"+prev+", ", 9) + "]}\n")
		prev = name
	}
	for _, config := range ParseNetplan(File{"/etc/netplan/x.yaml", []byte(b.String())}) {
		checkConfig(t, config)
	}
}

func FuzzParseNetplan(f *testing.F) {
	f.Add([]byte("network: {version: 2, ethernets: {eth0: {dhcp4: yes, addresses: [10.0.0.1/24, {10.0.0.2/24: {label: x}}]}}}"), []byte("network:\n  bonds: {renderer: x, b: {routes: [{to: default, via: 1.2.3.4}]}}"))
	f.Add([]byte("network: &a {ethernets: *a}"), []byte("- &x [*x]"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, config := range ParseNetplan(File{"/etc/netplan/a.yaml", a}, File{"/etc/netplan/b.yaml", b}) {
			checkConfig(t, config)
		}
	})
}
