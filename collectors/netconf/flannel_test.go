package netconf

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func TestParseFlannelSubnetEnv(t *testing.T) {
	const file = "/run/flannel/subnet.env"
	prefix := netip.MustParsePrefix
	tests := []struct {
		name, in, err string
		want          facts.FlannelSubnetEnv
	}{
		{
			"plain", "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n", "",
			facts.FlannelSubnetEnv{Network: prefix("10.244.0.0/16"), Subnet: prefix("10.244.1.1/24"), MTU: 1450, IPMasq: true},
		},
		{
			"dual stack", "FLANNEL_NETWORK=fd42::/48,10.42.0.0/16\nFLANNEL_SUBNET=10.42.0.1/24\nFLANNEL_IPV6_NETWORK=2001:cafe:42::/56\nFLANNEL_IPV6_SUBNET=2001:cafe:42::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n", "",
			facts.FlannelSubnetEnv{Network: prefix("10.42.0.0/16"), Subnet: prefix("10.42.0.1/24"), MTU: 1450},
		},
		{
			"truncated", "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.2", file + `:2: invalid FLANNEL_SUBNET "10.2"`,
			facts.FlannelSubnetEnv{Network: prefix("10.244.0.0/16")},
		},
		{"empty", "", "", facts.FlannelSubnetEnv{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.File, tt.want.Source = file, file
			got, err := ParseFlannelSubnetEnv(file, []byte(tt.in))
			if diff := cmp.Diff(tt.want, got, compareAddr); diff != "" {
				t.Errorf("ParseFlannelSubnetEnv (-want +got):\n%s", diff)
			}
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func FuzzParseFlannelSubnetEnv(f *testing.F) {
	f.Add([]byte("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		env, _ := ParseFlannelSubnetEnv("/run/flannel/subnet.env", data)
		if env.MTU < 0 {
			t.Errorf("%+v", env)
		}
	})
}
