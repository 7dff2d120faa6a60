package netconf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseInterfaces(t *testing.T) {
	const file = "/etc/network/interfaces"
	in := `# The loopback network interface
auto lo
iface lo inet loopback

auto eth0 eth1:0
allow-hotplug eth2
iface eth0 inet static
    address 10.0.0.1/24
    gateway 10.0.0.254
    mtu 9000
    # a comment
    dns-nameservers 1.1.1.1 8.8.8.8
iface eth0 inet dhcp
iface eth1:0 inet static
	netmask 255.255.0.0
	address 10.1.0.1
iface eth2 inet6 static
	address fd00::1
	netmask 64
	up ip route add \
	  10.9.0.0/16 via 10.0.0.9
iface eth3 inet6 auto
	dhcp 1
iface eth4 inet6 dhcp
iface eth5 inet manual
iface eth6
source interfaces.d/*.cfg
source-directory /etc/network/more.d
mapping eth9
	script /bin/x
rubbish here
iface eth7 inet static
	address nonsense
`
	got := ParseInterfaces(file, []byte(in))
	interfacesBoot(got.Stanzas, got.Auto)
	want := []summary{
		{Device: "lo"},
		{
			Device: "eth0", Addresses: []string{"10.0.0.1/24 address " + file + ":8"},
			Gateway: "gateway=10.0.0.254 " + file + ":9", MTU: "mtu=9000 " + file + ":10",
		},
		{Device: "eth0", DHCP4: "inet=dhcp " + file + ":13"},
		{Device: "eth1", Addresses: []string{"10.1.0.1/16 address " + file + ":16"}},
		{Device: "eth2", Addresses: []string{"fd00::1/64 address " + file + ":18"}},
		{Device: "eth3", OffAtBoot: true, DHCP6: "dhcp=1 " + file + ":23"},
		{Device: "eth4", OffAtBoot: true, DHCP6: "inet6=dhcp " + file + ":24"},
		{Device: "eth5", OffAtBoot: true},
		{Device: "eth7", OffAtBoot: true, Unparsed: []string{file + ":33 \taddress nonsense"}},
	}
	if diff := cmp.Diff(want, summaries(got.Stanzas)); diff != "" {
		t.Errorf("stanzas (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/etc/network/interfaces.d/*.cfg"}, got.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/etc/network/more.d"}, got.SourceDirectories); diff != "" {
		t.Errorf("source directories (-want +got):\n%s", diff)
	}
	if len(got.Unparsed) != 1 || got.Unparsed[0].Line != 26 {
		t.Errorf("unparsed %+v", got.Unparsed)
	}
	if s := got.Stanzas[4].Settings[3]; s.Value != "ip route add  10.9.0.0/16 via 10.0.0.9" || s.Line != 20 {
		t.Errorf("continued setting %+v", s)
	}
}

func TestInterfacesBootPatterns(t *testing.T) {
	got := ParseInterfaces("/etc/network/interfaces", []byte("auto /eth*\niface eth7 inet dhcp\niface wlan0 inet dhcp\n\twpa-psk hunter2\n"))
	interfacesBoot(got.Stanzas, got.Auto)
	if !got.Stanzas[0].OnBoot || got.Stanzas[1].OnBoot {
		t.Errorf("%+v", got.Stanzas)
	}
	if s := got.Stanzas[1].Settings[1]; s.Value != mask || s.Text != "\twpa-psk "+mask {
		t.Errorf("secret %+v", s)
	}
}

func FuzzParseInterfaces(f *testing.F) {
	f.Add([]byte("auto eth0\niface eth0 inet static\n address 10.0.0.1/24\nsource a/*\nmapping x\n y\niface e inet6 auto\n dhcp 1\\\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := ParseInterfaces("/etc/network/interfaces", data)
		interfacesBoot(got.Stanzas, got.Auto)
		for _, config := range got.Stanzas {
			checkConfig(t, config)
		}
	})
}
