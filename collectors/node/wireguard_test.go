package node

import (
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/netcause/netcause/engine/facts"
)

// The kernel of the tests has no WireGuard: this is what the library decodes, as facts, and that no secret is among them.
func TestWireGuardFacts(t *testing.T) {
	private, err := wgtypes.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	shared, err := wgtypes.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	_, four, _ := net.ParseCIDR("10.244.2.0/24")
	_, six, _ := net.ParseCIDR("fd00:2::/64")
	got := wireguardFacts(&wgtypes.Device{
		Name: "wg0", PrivateKey: private, PublicKey: private.PublicKey(), ListenPort: 51820, FirewallMark: 0x200,
		Peers: []wgtypes.Peer{
			{
				PublicKey: private.PublicKey(), PresharedKey: shared, Endpoint: &net.UDPAddr{IP: net.ParseIP("192.0.2.2"), Port: 51821},
				LastHandshakeTime: time.Unix(1700000000, 0), AllowedIPs: []net.IPNet{*four, *six},
			},
			{PublicKey: shared},
		},
	})
	want := &facts.WireGuard{
		PublicKey: private.PublicKey().String(), ListenPort: 51820, Fwmark: 0x200,
		Peers: []facts.WireGuardPeer{
			{
				PublicKey: private.PublicKey().String(), Endpoint: netip.MustParseAddrPort("192.0.2.2:51821"), LastHandshake: 1700000000,
				AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.244.2.0/24"), netip.MustParsePrefix("fd00:2::/64")},
			},
			{PublicKey: shared.String(), AllowedIPs: []netip.Prefix{}},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), private.String()) {
		t.Error("the private key is among the facts")
	}
	got.Peers[1].PublicKey = ""
	if text, _ = json.Marshal(got); strings.Contains(string(text), shared.String()) {
		t.Error("the preshared key is among the facts")
	}
}
