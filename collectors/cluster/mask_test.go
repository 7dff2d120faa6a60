package cluster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMaskSetting(t *testing.T) {
	for name, test := range map[string]struct{ key, in, want string }{
		"own name":       {"bgp-password", "hunter2", "********"},
		"points to one":  {"token-file", "/run/token", "/run/token"},
		"empty":          {"password", "", ""},
		"yaml":           {"c", "user:\n  token: abc def\n  tokenFile: /x\n", "user:\n  token: ********\n  tokenFile: /x\n"},
		"yaml list":      {"c", "- name: a\n- password: 'x: y'", "- name: a\n- password: '********'"},
		"yaml block":     {"c", "psk: |\n  line one\n\n  line two\nmode: x", "psk: |\n  ********\n\n  ********\nmode: x"},
		"json":           {"c", "{\n  \"token\": \"a\\\"b\",\n  \"n\": 1\n}", "{\n  \"token\": \"********\",\n  \"n\": 1\n}"},
		"json, one line": {"c", `{"user":"u","password":"p","port":1}`, `{"user":"u","password":"********","port":1}`},
		"escaped quote":  {"c", `{"password":"p\"q","port":1}`, `{"password":"********","port":1}`},
		"ini":            {"c", "[x]\nprivate-key=abc\nmtu=1450", "[x]\nprivate-key=********\nmtu=1450"},
		"client key":     {"c", "    client-key-data: LS0tLS1C\n    client-certificate-data: LS0t", "    client-key-data: ********\n    client-certificate-data: LS0t"},
		"pem": {
			"ca.pem", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nMII\n-----END RSA PRIVATE KEY-----\n",
			"-----BEGIN RSA PRIVATE KEY-----\n********\n********\n-----END RSA PRIVATE KEY-----\n",
		},
		"pem, cut":          {"c", "-----BEGIN PRIVATE KEY-----\nMIIEv", "-----BEGIN PRIVATE KEY-----\n********"},
		"jwt":               {"c", "x eyJhbGciOiJSUzI1NiJ9.c2VjcmV0MQ.c2ln y", "x ******** y"},
		"url":               {"c", "http://u:p@proxy:3128/", "http://u:********@proxy:3128/"},
		"bearer":            {"c", "curl -H 'X: Bearer abcdefgh12'", "curl -H 'X: Bearer ********'"},
		"flag":              {"c", `["server","--token","abc","--flannel-backend","vxlan"]`, `["server","--token","********","--flannel-backend","vxlan"]`},
		"ordinary":          {"c", "mode: iptables\nclusterCIDR: 10.0.0.0/8", "mode: iptables\nclusterCIDR: 10.0.0.0/8"},
		"cilium":            {"tunnel-protocol", "vxlan", "vxlan"},
		"corefile":          {"Corefile", ".:53 {\n  forward . /etc/resolv.conf\n}", ".:53 {\n  forward . /etc/resolv.conf\n}"},
		"metallb's BGP":     {"config", "peers:\n- peer-address: 10.0.0.1\n  password: \"se,cret\"", "peers:\n- peer-address: 10.0.0.1\n  password: \"********\""},
		"yaml's flow":       {"c", "{password: x, router: y}", "{password: ********, router: y}"},
		"pair within a row": {"c", "a=1 secret=x,y b=2", "a=1 secret=********"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, maskSetting(test.key, test.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMaskArguments(t *testing.T) {
	got := maskArguments([]string{"run", "--token", "abc", "--password=p q", "--secret", "--v=2", "sh -c 'x --token y'", "token"})
	want := []string{"run", "--token", "********", "--password=********", "--secret", "--v=2", "sh -c 'x --token ********", "token"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzMaskText(f *testing.F) {
	f.Add("a: b\n", "\nmode: x\n")
	f.Add("users:\n- ", "")
	f.Add("-----BEGIN PRIVATE KEY-----", "password: |")
	f.Fuzz(func(t *testing.T, before, after string) {
		maskText(before + after)
		if strings.ContainsAny(before, "|>\x00") || strings.Contains(before, "PRIVATE KEY") {
			return
		}
		got := maskText(before + "\npassword: hunter2\n" + after)
		if strings.Contains(got, "hunter2") && !strings.Contains(before+after, "hunter2") {
			t.Errorf("the password is in %q", got)
		}
	})
}
