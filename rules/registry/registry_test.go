package registry

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/netcause/netcause/rules/registry/registrytest"
)

var (
	packed = []byte("a bundle")
	rule   = []byte("package netcause.rules.cni.site")
)

// serve runs a registry without a docker configuration of whoever runs the test.
func serve(t *testing.T, handler http.Handler) (host string) {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	server, host := registrytest.Serve(handler)
	t.Cleanup(server.Close)
	return host
}

func push(t *testing.T, reference string, layers ...registrytest.Layer) (digest string) {
	t.Helper()
	digest, err := registrytest.Push(t.Context(), reference, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestPull(t *testing.T) {
	host := serve(t, registrytest.Handler())
	layer := func(name, mediaType string, content []byte) registrytest.Layer {
		return registrytest.Layer{Name: name, MediaType: mediaType, Content: content}
	}
	bundle := &Artifact{Bundles: [][]byte{packed}, Rules: map[string][]byte{}}
	for name, c := range map[string]struct {
		layers []registrytest.Layer
		want   *Artifact
		err    string
	}{
		"as OPA's documentation pushes it": {layers: []registrytest.Layer{layer("b.tar.gz", ocispec.MediaTypeImageLayerGzip, packed)}, want: bundle},
		"as oras does without a type":      {layers: []registrytest.Layer{layer("b.tar.gz", ocispec.MediaTypeImageLayer, packed)}, want: bundle},
		"a layer of docker":                {layers: []registrytest.Layer{layer("", dockerLayer, packed)}, want: bundle},
		"with a readme": {layers: []registrytest.Layer{
			layer("README.md", "text/markdown", []byte("# Ours")), layer("b.tar.gz", ocispec.MediaTypeImageLayerGzip, packed),
		}, want: bundle},
		"two bundles": {layers: []registrytest.Layer{
			layer("b.tar.gz", ocispec.MediaTypeImageLayerGzip, packed), layer("c.tar.gz", ocispec.MediaTypeImageLayerGzip, []byte("another")),
		}, want: &Artifact{Bundles: [][]byte{packed, []byte("another")}, Rules: map[string][]byte{}}},
		"a rule, as oras does without a type": {
			layers: []registrytest.Layer{layer("site.rego", ocispec.MediaTypeImageLayer, rule)}, want: &Artifact{Rules: map[string][]byte{"site.rego": rule}},
		},
		"rules, as conftest does": {
			layers: []registrytest.Layer{layer("policy/site.rego", conftestPolicy, rule)}, want: &Artifact{Rules: map[string][]byte{"policy/site.rego": rule}},
		},
		"a name that leads out": {
			layers: []registrytest.Layer{layer("../../site.rego", conftestPolicy, rule)}, want: &Artifact{Rules: map[string][]byte{"site.rego": rule}},
		},
		"two rules of one name": {
			layers: []registrytest.Layer{layer("site.rego", conftestPolicy, rule), layer("/site.rego", conftestPolicy, []byte("package other"))},
			err:    `two of its layers are named "site.rego"`,
		},
		"a rule without a name": {layers: []registrytest.Layer{layer("", conftestPolicy, rule)}, err: "one has no name"},
		"data of conftest":      {layers: []registrytest.Layer{layer("data/servers.json", conftestData, []byte("{}"))}, err: "it has data beside rules (data/servers.json)"},
		"no bundle": {
			layers: []registrytest.Layer{layer("chart.tgz", "application/vnd.cncf.helm.chart.content.v1.tar+gzip", packed)},
			err:    "it has no bundle of rules, only application/vnd.cncf.helm.chart.content.v1.tar+gzip: push one with oras push REFERENCE rules.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip",
		},
	} {
		t.Run(name, func(t *testing.T) {
			reference := host + "/site/" + strings.ReplaceAll(strings.ToLower(strings.Map(letters, name)), " ", "-")
			digest := push(t, reference+":1", c.layers...)
			for _, reference := range []string{reference + ":1", reference + "@" + digest, reference + ":1@" + digest} {
				got, err := Pull(t.Context(), Scheme+reference)
				if c.err != "" {
					if err == nil || !strings.Contains(err.Error(), c.err) || !strings.HasPrefix(err.Error(), Scheme+reference+": ") {
						t.Errorf("error %v, want %q", err, c.err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", reference, diff)
				}
			}
		})
	}
}

func letters(r rune) rune {
	if r == ' ' || r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

// An image that buildx pushes is an index with the image and its attestations.
func TestPullIndex(t *testing.T) {
	host := serve(t, registrytest.Handler())
	push(t, host+"/image:1", registrytest.Layer{MediaType: ocispec.MediaTypeImageLayerGzip, Content: packed})
	push(t, host+"/image:attestation", registrytest.Layer{MediaType: "application/vnd.in-toto+json", Content: []byte("{}")})
	repository, err := remote.NewRepository(host + "/image")
	if err != nil {
		t.Fatal(err)
	}
	repository.PlainHTTP = true
	image, err := repository.Resolve(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	attestation, err := repository.Resolve(t.Context(), "attestation")
	if err != nil {
		t.Fatal(err)
	}
	attestation.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{attestation, image}}
	index.SchemaVersion = 2
	text, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	if err := repository.PushReference(t.Context(), content.NewDescriptorFromBytes(index.MediaType, text), bytes.NewReader(text), "both"); err != nil {
		t.Fatal(err)
	}
	got, err := Pull(t.Context(), Scheme+host+"/image:both")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]byte{packed}, got.Bundles); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReference(t *testing.T) {
	for reference, want := range map[string]string{
		"oci://registry.example":              "missing registry or repository: write oci://REGISTRY/REPOSITORY:TAG or …@sha256:DIGEST",
		"oci://registry.example/rules":        "it names no tag and no digest: write oci://registry.example/rules:TAG",
		"oci://registry.example/Rules:1":      `invalid repository "Rules"`,
		"oci://registry.example/rules@sha256": "invalid digest",
		"oci://":                              "write oci://REGISTRY/REPOSITORY:TAG",
	} {
		if _, err := Pull(t.Context(), reference); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", reference, err, want)
		}
	}
}

// A registry that asks for a login gets docker's: by name and password, or by a token for them.
func TestLogin(t *testing.T) {
	contents := registrytest.Handler()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:secret"))
	var asksFor, host string
	host = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if r.Header.Get("Authorization") != basic {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprint(w, `{"token": "t0ken"}`)
			return
		}
		switch given := r.Header.Get("Authorization"); {
		case asksFor == "", asksFor == "Basic" && given == basic, asksFor == "Bearer" && given == "Bearer t0ken":
			contents.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`%s realm="http://%s/token",service="test"`, asksFor, host))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	push(t, host+"/rules:1", registrytest.Layer{Name: "b.tar.gz", MediaType: ocispec.MediaTypeImageLayerGzip, Content: packed})
	for _, asksFor = range []string{"Basic", "Bearer"} {
		for password, want := range map[string]string{
			"secret": "",
			"wrong":  "wants a login, or does not accept that of docker's configuration: docker login " + host,
			"":       "wants a login, or does not accept that of docker's configuration: docker login " + host,
		} {
			config := "{}"
			if password != "" {
				config = fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, host, base64.StdEncoding.EncodeToString([]byte("me:"+password)))
			}
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("DOCKER_CONFIG", folder)
			_, err := Pull(t.Context(), Scheme+host+"/rules:1")
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s, password %q: error %v, want %q", asksFor, password, err, want)
			}
		}
	}
}

// What a registry answers that is not as it should be is an error that says what to do, and nothing of it is used.
func TestBadAnswers(t *testing.T) {
	digest := content.NewDescriptorFromBytes("", packed).Digest
	manifest := func(size int64) []byte {
		return fmt.Appendf(nil, `{"schemaVersion": 2, "layers": [{"mediaType": %q, "digest": %q, "size": %d}]}`, ocispec.MediaTypeImageLayerGzip, digest, size)
	}
	answer := func(mediaType string, text []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			_, _ = w.Write(text)
		}
	}
	chunked := func(text []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for chunk := range slices.Chunk(text, 4) {
				_, _ = w.Write(chunk)
				w.(http.Flusher).Flush()
			}
		}
	}
	more := append(packed[:len(packed):len(packed)], "and more"...)
	status := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	ofManifest := answer(ocispec.MediaTypeImageManifest, manifest(int64(len(packed))))
	pinned := content.NewDescriptorFromBytes("", []byte("another manifest")).Digest.String()
	for _, c := range []struct {
		name           string
		manifest, blob http.HandlerFunc
		reference      string
		want           string
	}{
		{"nothing", status(http.StatusNotFound), nil, ":1", "has no such repository, tag or digest: oras repo tags"},
		{"forbidden", status(http.StatusForbidden), nil, ":1", "does not let this login read it"},
		{"out of order", status(http.StatusBadGateway), nil, ":1", "answers 502 Bad Gateway"},
		{"a page", answer("text/html", []byte("<html>")), nil, ":1", `answers with "text/html", which is no manifest`},
		{"no JSON", answer(ocispec.MediaTypeImageManifest, []byte("{")), nil, ":1", "read its manifest"},
		{"a manifest that is too large", answer(ocispec.MediaTypeImageManifest, make([]byte, maxManifest+1)), nil, ":1", "its manifest has 4194305 bytes"},
		{"no layer", answer(ocispec.MediaTypeImageManifest, []byte("{}")), nil, ":1", "it has no bundle of rules and no layer"},
		{"an index of nothing", answer(ocispec.MediaTypeImageIndex, []byte("{}")), nil, ":1", "it has no bundle of rules and no layer"},
		{"a layer that is too large", answer(ocispec.MediaTypeImageManifest, manifest(maxSize+1)), nil, ":1", "its layers have more than 64 MiB"},
		{"a layer of a negative size", answer(ocispec.MediaTypeImageManifest, manifest(-1)), nil, ":1", "its layers have more than 64 MiB"},
		{"another layer", ofManifest, answer("application/octet-stream", []byte("no bundl")), ":1", "is not what its digest says"},
		{"a layer that is longer", ofManifest, answer("application/octet-stream", more), ":1", "mismatch Content-Length"},
		{"a layer that goes on", ofManifest, chunked(more), ":1", "is not what its digest says"},
		{"another manifest than the pinned one", ofManifest, answer("application/octet-stream", packed), "@" + pinned, "digest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/manifests/") {
					c.manifest(w, r)
					return
				}
				c.blob(w, r)
			}))
			reference := Scheme + host + "/rules" + c.reference
			artifact, err := Pull(t.Context(), reference)
			if err == nil || !strings.HasPrefix(err.Error(), reference+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("artifact %v, error %v, want %q", artifact, err, c.want)
			}
		})
	}
}

func TestNotReached(t *testing.T) {
	host := serve(t, registrytest.Handler())
	ref, err := parse(host + "/rules:1")
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(registrytest.Handler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	secureRef, err := parse(secure.Listener.Addr().String() + "/rules:1")
	if err != nil {
		t.Fatal(err)
	}
	closed, nobody := registrytest.Serve(registrytest.Handler())
	closed.Close()
	if _, err := Pull(t.Context(), Scheme+nobody+"/rules:1"); err == nil || !strings.Contains(err.Error(), "is not reached: dial tcp "+nobody) {
		t.Errorf("nobody there: %v", err)
	}
	// As with a registry of another machine.
	for want, ref := range map[string]string{"speaks plain HTTP": ref.String(), "name its certificate in SSL_CERT_FILE": secureRef.String()} {
		parsed, err := parse(ref)
		if err != nil {
			t.Fatal(err)
		}
		repository, err := open(parsed)
		if err != nil {
			t.Fatal(err)
		}
		repository.PlainHTTP = false
		if _, err := fetch(t.Context(), repository, parsed.Reference); err == nil || !strings.Contains(explained(err, parsed).Error(), want) {
			t.Errorf("error %v, want %q", explained(err, parsed), want)
		}
	}
}

func TestPullEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	host := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	if _, err := Pull(ctx, Scheme+host+"/rules:1"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that the context ended", err)
	}
}

func TestOnThisMachine(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:5000": true, "127.0.1.1": true, "[::1]:5000": true, "[::1]": true,
		"registry.example": false, "registry.example:5000": false, "10.0.0.1:5000": false, "localhost.example": false, "registry-1.docker.io": false,
	} {
		if got := onThisMachine(host); got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
}
