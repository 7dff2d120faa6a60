package netconf

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func TestParseCNI(t *testing.T) {
	tests := []struct {
		name, file, in string
		want           facts.CNIFile
	}{
		{
			"flannel", "/etc/cni/net.d/10-flannel.conflist",
			`{"name":"cbr0","cniVersion":"0.3.1","plugins":[{"type":"flannel","delegate":{"hairpinMode":true}},{"type":"portmap"}]}`,
			facts.CNIFile{
				Name: "cbr0", CNIVersion: "0.3.1",
				Plugins: []map[string]json.RawMessage{
					{"type": json.RawMessage(`"flannel"`), "delegate": json.RawMessage(`{"hairpinMode":true}`)},
					{"type": json.RawMessage(`"portmap"`)},
				},
			},
		},
		{
			"secrets", "/etc/cni/net.d/10-calico.conflist",
			`{"name":"k8s-pod-network","plugins":[{"type":"calico","mtu":1440,"etcd_key":"k","policy":{"type":"k8s","k8s_auth_token":"t","list":[{"password":1}]}}]}`,
			facts.CNIFile{
				Name: "k8s-pod-network",
				Plugins: []map[string]json.RawMessage{{
					"type": json.RawMessage(`"calico"`), "mtu": json.RawMessage(`1440`), "etcd_key": json.RawMessage(`"********"`),
					"policy": json.RawMessage(`{"k8s_auth_token":"********","list":[{"password":"********"}],"type":"k8s"}`),
				}},
			},
		},
		{
			"single", "/etc/cni/net.d/87-podman.conf", `{"name":"podman","type":"bridge"}`,
			facts.CNIFile{Name: "podman", Plugins: []map[string]json.RawMessage{{"name": json.RawMessage(`"podman"`), "type": json.RawMessage(`"bridge"`)}}},
		},
		{
			"list in a .conf", "/etc/cni/net.d/10.conf", `{"name":"x","plugins":[]}`,
			facts.CNIFile{
				Name: "x", Plugins: []map[string]json.RawMessage{{"name": json.RawMessage(`"x"`), "plugins": json.RawMessage(`[]`)}},
				Problem: `no "type": a list of plugins is read only from a file that ends in .conflist`,
			},
		},
		{"no plugins", "/etc/cni/net.d/10.conflist", `{"name":"x","plugins":[]}`, facts.CNIFile{Name: "x", Problem: `no plugin in "plugins"`}},
		{"no list", "/etc/cni/net.d/10.conflist", `{"name":"x","type":"bridge"}`, facts.CNIFile{Name: "x", Problem: `no "plugins"`}},
		{"plugins of another kind", "/etc/cni/net.d/10.conflist", `{"name":"x","plugins":[1,{}]}`, facts.CNIFile{
			Name: "x", Plugins: []map[string]json.RawMessage{{}}, Problem: "plugin 1 is no object",
		}},
		{"no name", "/etc/cni/net.d/10.conflist", `{"plugins":[{"type":"bridge"}]}`, facts.CNIFile{
			Plugins: []map[string]json.RawMessage{{"type": json.RawMessage(`"bridge"`)}}, Problem: `no "name"`,
		}},
		{"no JSON", "/etc/cni/net.d/10.conflist", "{\n\"name\": \"x\",\n}\n", facts.CNIFile{
			Source:  "/etc/cni/net.d/10.conflist:3",
			Problem: "not JSON: invalid character '}' looking for beginning of object key string",
		}},
		{"empty", "/etc/cni/net.d/10.conflist", "", facts.CNIFile{Source: "/etc/cni/net.d/10.conflist:1", Problem: "not JSON: unexpected end of JSON input"}},
		{"null", "/etc/cni/net.d/10.conflist", "null", facts.CNIFile{Problem: `no "plugins"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.File = tt.file
			if tt.want.Source == "" {
				tt.want.Source = facts.Source(tt.file)
			}
			if tt.want.Plugins == nil {
				tt.want.Plugins = []map[string]json.RawMessage{}
			}
			if diff := cmp.Diff(tt.want, ParseCNI(tt.file, []byte(tt.in))); diff != "" {
				t.Errorf("ParseCNI (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseCNI(f *testing.F) {
	f.Add([]byte(`{"name":"cbr0","plugins":[{"type":"flannel","token":"x","a":[{"psk":null}]}]}`), true)
	f.Add([]byte(`{"name":"x","type":"bridge","n":1e999}`), false)
	f.Fuzz(func(t *testing.T, data []byte, list bool) {
		file := "/etc/cni/net.d/x.conf"
		if list {
			file = "/etc/cni/net.d/x.conflist"
		}
		conf := ParseCNI(file, data)
		if _, err := json.Marshal(conf); err != nil {
			t.Errorf("not to be written as JSON: %v", err)
		}
		if json.Valid(data) && !json.Valid(maskCNI(data)) {
			t.Errorf("%q masked is no JSON: %q", data, maskCNI(data))
		}
	})
}
