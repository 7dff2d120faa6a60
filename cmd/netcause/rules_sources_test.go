package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/netcause/netcause/rules/registry/registrytest"
)

const signedRule = `# METADATA
# title: t
# description: d
# custom:
#   id: site-signed
#   category: cni
#   scope: node
#   severity: info
#   needs: [links]
#   explains: [dns-failure]
package netcause.rules.cni.site_signed

finding contains {"message": "m", "evidence": [{"fact": "f", "value": "v", "source": link.source}]} if some link in input.node.links
`

// A bundle that is signed with the key loads, one that was signed with another or changed afterwards does not.
func TestSignedBundle(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", folder)
	key, public := rsaKey(t)
	_, other := rsaKey(t)
	signed := filepath.Join(folder, "signed.tar.gz")
	packed := signedBundle(t, key)
	if err := os.WriteFile(signed, packed, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", folder)
	server, host := registrytest.Serve(registrytest.Handler())
	defer server.Close()
	layer := registrytest.Layer{Name: "signed.tar.gz", MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Content: packed}
	if _, err := registrytest.Push(t.Context(), host+"/signed:1", layer); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, key, want string
	}{
		{"its key", signed, public, ""},
		{"another key", signed, other, "signature"},
		{"no key is asked for", signed, "", ""},
		{"its key, from a registry", "oci://" + host + "/signed:1", public, ""},
		{"another key, from a registry", "oci://" + host + "/signed:1", other, "signature"},
		{"no key is asked for, from a registry", "oci://" + host + "/signed:1", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources := ruleSources{paths: []string{c.path}}
			if c.key != "" {
				sources.key = filepath.Join(t.TempDir(), "key.pem")
				if err := os.WriteFile(sources.key, []byte(c.key), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			library, err := sources.load(t.Context())
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if rule, ok := library.Rule("site-signed"); !ok || !rule.Custom {
				t.Errorf("the bundle's rule is not there: %+v", rule)
			}
		})
	}
}

func rsaKey(t *testing.T) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), encode("PUBLIC KEY", der)
}

func signedBundle(t *testing.T, key string) []byte {
	t.Helper()
	b := bundle.Bundle{
		Manifest: bundle.Manifest{},
		Data:     map[string]any{},
		Modules: []bundle.ModuleFile{{
			URL: "site-signed.rego", Path: "site-signed.rego", Raw: []byte(signedRule),
			Parsed: ast.MustParseModuleWithOpts(signedRule, ast.ParserOptions{RegoVersion: ast.RegoV1}),
		}},
	}
	b.Manifest.Init()
	if err := b.GenerateSignature(bundle.NewSigningConfig(key, "RS256", ""), "key", false); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := bundle.NewWriter(&packed).Write(b); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func FuzzPath(f *testing.F) {
	for _, path := range []string{".nodes[].name", ".nodes[0].links[]", `.sysctls["net.ipv4.ip_forward"]`, ".", "..", ".[", ".a[x]"} {
		f.Add(path)
	}
	value := map[string]any{"nodes": []any{map[string]any{"name": "n1", "sysctls": map[string]any{"net.ipv4.ip_forward": "1"}}}}
	f.Fuzz(func(t *testing.T, path string) {
		steps, err := parsePath(path)
		if err != nil {
			return
		}
		for _, l := range walkPath([]located{{"", value}}, steps) {
			again, err := parsePath(l.way)
			if err != nil {
				t.Fatalf("%q finds %q, which is no path: %v", path, l.way, err)
			}
			if found := walkPath([]located{{"", value}}, again); len(found) != 1 {
				t.Errorf("%q finds %q, which finds %d", path, l.way, len(found))
			}
		}
	})
}
