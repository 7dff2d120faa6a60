package netconf

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMaskSecrets(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"ifcfg", "ESSID=office\nWPA_PSK='let me in'\nKEY1=s:abcde\nKEY_MGMT=WPA-PSK\n", "ESSID=office\nWPA_PSK=********\nKEY1=********\nKEY_MGMT=WPA-PSK\n"},
		{"shell over lines", "PASSWORD=\"one\ntwo\"\nIPADDR=10.0.0.1\n", "PASSWORD=********\n********\nIPADDR=10.0.0.1\n"},
		{"shell continued", "WPA_PSK=one\\\ntwo\nMTU=9000\n", "WPA_PSK=********\n********\nMTU=9000\n"},
		{
			"keyfile", "[wifi-security]\nkey-mgmt=wpa-psk\npsk-flags=0\npsk = hunter2\n\n[802-1x]\nprivate-key-password=x\nprivate-key=/etc/key.pem\n",
			"[wifi-security]\nkey-mgmt=wpa-psk\npsk-flags=0\npsk = ********\n\n[802-1x]\nprivate-key-password=********\nprivate-key=********\n",
		},
		{
			"netplan", "      access-points:\n        \"my net\":\n          password: \"hunter2\"\n        other: {password: hunter2, mode: ap}\n      dhcp4: true\n",
			"      access-points:\n        \"my net\":\n          password: \"********\"\n        other: {password: ********, mode: ap}\n      dhcp4: true\n",
		},
		{
			"yaml block", "auth:\n  password: |\n    one\n    two\n  method: tls\n",
			"auth:\n  password: |\n    ********\n    ********\n  method: tls\n",
		},
		{"yaml continued", "a:\n  - token: one\n      two\n    name: x\n", "a:\n  - token: ********\n      ********\n    name: x\n"},
		{"yaml list", "Authorization: [\"Bearer abc\"]\nmode: x\n", "Authorization: [********]\nmode: x\n"},
		{"wireguard", "keys:\n  private: abc=\npeers:\n- keys: {public: p, shared: s}\n", "keys:\n  private: ********\npeers:\n- keys: {public: p, shared: ********}\n"},
		{"json", `{"type":"x","etcd_key":"a","k8s_auth_token":"b\"c","token_file":"/x","mtu":1450}`, `{"type":"x","etcd_key":"********","k8s_auth_token":"********","token_file":"/x","mtu":1450}`},
		{"interfaces", "iface wlan0 inet dhcp\n\twpa-ssid home\n\twpa-psk hunter2\n\tup tool --token abc x\n", "iface wlan0 inet dhcp\n\twpa-ssid home\n\twpa-psk ********\n\tup tool --token ********\n"},
		{"comment", "# password: old\n    eth0:\n", "# password: ********\n    eth0:\n"},
		{"url", "datastore-endpoint: mysql://user:hunter2@tcp(db:3306)/k3s\n", "datastore-endpoint: mysql://user:********@tcp(db:3306)/k3s\n"},
		{
			"pem", "x: 1\n-----BEGIN RSA PRIVATE KEY-----\nAAAA\nBBBB\n-----END RSA PRIVATE KEY-----\ny: 2\n",
			"x: 1\n-----BEGIN RSA PRIVATE KEY-----\n********\n********\n-----END RSA PRIVATE KEY-----\ny: 2\n",
		},
		{"nothing", "BOOTPROTO=dhcp\nIPADDR=10.0.0.1\n", "BOOTPROTO=dhcp\nIPADDR=10.0.0.1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, string(MaskSecrets([]byte(tt.in)))); diff != "" {
				t.Errorf("MaskSecrets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecretKey(t *testing.T) {
	secret := []string{
		"WPA_PSK", "KEY", "KEY3", "IEEE_8021X_PRIVATE_KEY_PASSWORD", "wifi-security.psk", "802-1x.password-raw", "wireguard-peer.x.preshared-key",
		"network.tunnels.wg0.keys.private", "network.wifis.w.access-points.my.net.password", "k8s_auth_token", "etcdPassword", "--token", "etcd_key", "wireless-key1", "wep-key0",
	}
	public := []string{
		"BOOTPROTO", "IPADDR", "wifi-security.key-mgmt", "wifi-security.psk-flags", "ipv4.method", "etcd_key_file", "tokenFile", "DEVICE",
		"network.ethernets.eth0.dhcp4", "etcd_ca_cert", "TYPE", "MONKEY", "DEFAULTKEY", "public-key", "wep-key-type",
	}
	for _, key := range secret {
		if !secretKey(key) {
			t.Errorf("secretKey(%q) = false", key)
		}
	}
	for _, key := range public {
		if secretKey(key) {
			t.Errorf("secretKey(%q) = true", key)
		}
	}
}

func TestMaskCNI(t *testing.T) {
	plain := []byte(`{"name": "n",   "type":"bridge", "mtu": 1450}`)
	if got := maskCNI(plain); !bytes.Equal(got, plain) {
		t.Errorf("maskCNI changed a file without secrets: %s", got)
	}
	got := maskCNI([]byte(`{"name":"n","type":"calico","policy":{"k8s_auth_token":"abc"},"etcd_endpoints":"http://u:abc@e:2379","n":12345678901234567890}`))
	if bytes.Contains(got, []byte("abc")) || !json.Valid(got) || !bytes.Contains(got, []byte("12345678901234567890")) {
		t.Errorf("maskCNI: %s", got)
	}
}

func FuzzMaskSecrets(f *testing.F) {
	for _, seed := range []string{"psk=", "a: {token: [", "password: |\n  x", `"secret":"`, "-----BEGIN PRIVATE KEY-----\n", "wpa-psk \\\n", "x://u:p@h"} {
		f.Add(seed, "\nIPADDR=1\n")
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "S3cr3t"
		if strings.Contains(before+after, secret) {
			t.Skip()
		}
		for _, line := range []string{"password=" + secret, "password: " + secret, `"psk": "` + secret + `"`, "wpa-psk " + secret} {
			in := before + "\n" + line + "\n" + after
			out := MaskSecrets([]byte(in))
			if bytes.Contains(out, []byte(secret)) {
				t.Errorf("%q left in %q", line, out)
			}
			if got, want := bytes.Count(out, []byte("\n")), strings.Count(in, "\n"); got != want {
				t.Errorf("%d lines became %d: %q -> %q", want, got, in, out)
			}
		}
	})
}
