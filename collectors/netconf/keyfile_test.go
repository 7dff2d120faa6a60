package netconf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseKeyfile(t *testing.T) {
	const file = "/etc/NetworkManager/system-connections/eth0.nmconnection"
	tests := []struct {
		name, in string
		want     summary
	}{
		{
			"auto with a static address",
			"[connection]\nid=eth0\nuuid=5fb06bd0-0bb0-7ffb-45f1-d6edd65f3e03\ntype=ethernet\ninterface-name=enp26s0f0\n\n[ethernet]\nmtu=9000\n\n[ipv4]\naddress1=10.0.0.1/24,10.0.0.254\nmethod=auto\n\n[ipv6]\naddr-gen-mode=default\nmethod=disabled\n",
			summary{
				Device: "enp26s0f0", DHCP4: "ipv4.method=auto " + file + ":12", Addresses: []string{"10.0.0.1/24 ipv4.address1 " + file + ":11"},
				Gateway: "ipv4.address1=10.0.0.254 " + file + ":11", MTU: "ethernet.mtu=9000 " + file + ":8",
			},
		},
		{
			"manual",
			"[connection]\ntype=ethernet\nautoconnect=false\ninterface-name=eth1\n[ipv4]\nmethod=manual\naddresses=10.0.0.1/24;10.0.0.2/24;\ngateway=10.0.0.254\nroute1=10.9.0.0/16,10.0.0.9\n[ipv6]\nmethod=manual\naddress1=fd00::1/64\naddress2=fd00::2/64,fd00::ff\n",
			summary{
				Device: "eth1", OffAtBoot: true, Gateway: "ipv4.gateway=10.0.0.254 " + file + ":8",
				Addresses: []string{
					"10.0.0.1/24 ipv4.addresses " + file + ":7", "10.0.0.2/24 ipv4.addresses " + file + ":7",
					"fd00::1/64 ipv6.address1 " + file + ":12", "fd00::2/64 ipv6.address2 " + file + ":13",
				},
			},
		},
		{
			"old forms",
			"[connection]\ntype=802-3-ethernet\n\n[802-3-ethernet]\nmac-address=52:54:00:AB:CD:EF\nmtu=1400\n\n[ipv4]\nmethod=manual\naddresses1=10.0.0.1;24;10.0.0.254;\nroutes1=0.0.0.0/0,10.0.0.253\n",
			summary{
				MAC: "52:54:00:ab:cd:ef", MTU: "ethernet.mtu=1400 " + file + ":6", Addresses: []string{"10.0.0.1/24 ipv4.addresses1 " + file + ":10"},
				Gateway: "ipv4.routes1=10.0.0.253 " + file + ":11", DHCP6: "ipv6.method=auto " + file + ":2",
			},
		},
		{
			"no method: auto", "[connection]\nid=x\ntype=ethernet\n[ipv4]\n[match]\ninterface-name=en*;eth*;\n",
			summary{Device: "en* eth*", DHCP4: "ipv4.method=auto " + file + ":4", DHCP6: "ipv6.method=auto " + file + ":3"},
		},
		{"port of a bond", "[connection]\ntype=ethernet\ninterface-name=eth0\nmaster=bond0\nslave-type=bond\n", summary{Device: "eth0"}},
		{"shared", "[connection]\ntype=bridge\ninterface-name=br0\n[ipv4]\nmethod=shared\n[ipv6]\nmethod=ignore\n", summary{Device: "br0"}},
		{
			"later line wins, hostile lines",
			"x=1\n[connection\n[connection]\ntype=tun\ninterface-name=tun0\ngarbage\n=x\n[ipv4]\nmethod=auto\nmethod = manual\naddress1=10.0.0.1\naddress2=nonsense\n",
			summary{
				Device: "tun0", Addresses: []string{"10.0.0.1/0 ipv4.address1 " + file + ":11"},
				Unparsed: []string{file + ":1 x=1", file + ":2 [connection", file + ":6 garbage", file + ":7 =x", file + ":12 address2=nonsense"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, summarize(ParseKeyfile(file, []byte(tt.in)))); diff != "" {
				t.Errorf("ParseKeyfile (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeyfileSecrets(t *testing.T) {
	config := ParseKeyfile("/etc/NetworkManager/system-connections/w", []byte("[802-11-wireless-security]\nkey-mgmt=wpa-psk\npsk=hunter2\n\n[wireguard]\nprivate-key=abc=\n"))
	var got []string
	for _, s := range config.Settings {
		got = append(got, s.Key+"="+s.Value, s.Text)
	}
	want := []string{
		"wifi-security.key-mgmt=wpa-psk", "key-mgmt=wpa-psk", "wifi-security.psk=" + mask, "psk=" + mask, "wireguard.private-key=" + mask, "private-key=" + mask,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestIsKeyfile(t *testing.T) {
	const etc, run = "/etc/NetworkManager/system-connections/", "/run/NetworkManager/system-connections/"
	for file, want := range map[string]bool{
		etc + "eth0.nmconnection": true, etc + "Wired connection 1": true, run + "eth0.nmconnection": true, run + "eth0": false,
		etc + ".eth0.nmconnection": false, etc + "eth0~": false, etc + "eth0.nmconnection~": false, etc + "eth0.AB12CD": false, etc + "key.pem": false,
	} {
		if got := isKeyfile(file); got != want {
			t.Errorf("isKeyfile(%q) = %t", file, got)
		}
	}
}

func FuzzParseKeyfile(f *testing.F) {
	f.Add([]byte("[connection]\ntype=ethernet\ninterface-name=eth0\n[ipv4]\nmethod=auto\naddress1=10.0.0.1/24,10.0.0.254\naddresses2=10.0.0.1;24;10.0.0.3\nroute1=0.0.0.0/0,1.2.3.4\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		checkConfig(t, ParseKeyfile("/etc/NetworkManager/system-connections/x", data))
	})
}
