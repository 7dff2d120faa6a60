package netconf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseNetworkd(t *testing.T) {
	const file, dropin = "/etc/systemd/network/10-eth0.network", "/etc/systemd/network/10-eth0.network.d/x.conf"
	tests := []struct {
		name, in, dropin string
		want             summary
	}{
		{
			"lease and static address",
			"[Match]\nName=enp1s0\n\n[Network]\nDHCP=ipv4\nAddress=10.0.0.1/24\nAddress=fd00::1/64\nGateway=10.0.0.254\nDNS=1.1.1.1\n\n[Link]\nMTUBytes=9000\n", "",
			summary{
				Device: "enp1s0", DHCP4: "Network.DHCP=ipv4 " + file + ":5",
				Addresses: []string{"10.0.0.1/24 Network.Address " + file + ":6", "fd00::1/64 Network.Address " + file + ":7"},
				Gateway:   "Network.Gateway=10.0.0.254 " + file + ":8", MTU: "Link.MTUBytes=9000 " + file + ":12",
			},
		},
		{
			"sections",
			"; comment\n[Match]\nMACAddress=52:54:00:AB:CD:EF \\\n   # in between\n   52:54:00:ab:cd:f0\n[Network]\nDHCP=yes\n[Address]\nAddress=10.0.0.1/24\n[Address]\nAddress=10.0.0.2/24\nLabel=x\n[Route]\nDestination=10.9.0.0/16\nGateway=10.0.0.9\n[Route]\nGateway=10.0.0.253\nDestination=0.0.0.0/0\n[Route]\nGateway=10.0.0.252\nTable=100\n", "",
			summary{
				MAC: "52:54:00:ab:cd:ef 52:54:00:ab:cd:f0", DHCP4: "Network.DHCP=yes " + file + ":7", DHCP6: "Network.DHCP=yes " + file + ":7",
				Addresses: []string{"10.0.0.1/24 Address.Address " + file + ":9", "10.0.0.2/24 Address.Address " + file + ":11"},
				Gateway:   "Route.Gateway=10.0.0.253 " + file + ":17",
			},
		},
		{
			"drop-in", "[Match]\nName=eth0\n[Network]\nDHCP=yes\nAddress=10.0.0.1/24\nGateway=10.0.0.254\n[Link]\nMTUBytes=9000\n",
			"[Match]\nName=\nName=eth1 eth2\n[Network]\nDHCP=no\nAddress=\nAddress=10.0.0.2/24\nGateway=\n[Link]\nMTUBytes=\nActivationPolicy=manual\n",
			summary{Device: "eth1 eth2", OffAtBoot: true, Addresses: []string{"10.0.0.2/24 Network.Address " + dropin + ":7"}},
		},
		{
			"old words and unknown ones", "[Match]\nOriginalName=eth*\n[Network]\nDHCP=both\nDHCP=maybe\nGateway=_dhcp4\nAddress=nonsense\nrubbish\n\\\n", "",
			summary{Device: "eth*", Unparsed: []string{file + ":5 DHCP=maybe", file + ":8 rubbish", file + ":7 Address=nonsense"}},
		},
		{"unmanaged", "[Match]\nName=cali*\n[Link]\nUnmanaged=yes\n", "", summary{Device: "cali*", OffAtBoot: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ParseNetworkd(File{file, []byte(tt.in)}, File{dropin, []byte(tt.dropin)})
			if diff := cmp.Diff(tt.want, summarize(got)); diff != "" {
				t.Errorf("ParseNetworkd (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseNetworkd(f *testing.F) {
	f.Add([]byte("[Match]\nName=eth0\n[Network]\nDHCP=yes\nAddress=10.0.0.1/24\n[Route]\nGateway=1.2.3.4"), []byte("[Network]\nAddress=\\\n1.2.3.4\n"))
	f.Fuzz(func(t *testing.T, data, dropin []byte) {
		checkConfig(t, ParseNetworkd(File{"/etc/systemd/network/x.network", data}, File{"/etc/systemd/network/x.network.d/y.conf", dropin}))
	})
}
