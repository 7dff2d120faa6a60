// Package registrytest runs an OCI registry on this machine's loopback for tests, and pushes artifacts into it as oras
// does.
package registrytest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/google/go-containerregistry/pkg/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	oras "oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
)

// Handler is an empty registry, which keeps what is pushed in memory.
func Handler() http.Handler { return registry.New(registry.Logger(log.New(io.Discard, "", 0))) }

// Serve runs a registry until it is closed. Host is its address and port.
func Serve(handler http.Handler) (server *httptest.Server, host string) {
	server = httptest.NewServer(handler)
	return server, server.Listener.Addr().String()
}

// Layer is a file of an artifact.
type Layer struct {
	Name, MediaType string
	Content         []byte
}

// Push makes an artifact of layers under a reference, host/repository:tag, and gives the digest of its manifest.
func Push(ctx context.Context, reference string, layers ...Layer) (string, error) {
	repository, err := remote.NewRepository(reference)
	if err != nil {
		return "", err
	}
	repository.PlainHTTP = true
	var options oras.PackManifestOptions
	for _, layer := range layers {
		descriptor := content.NewDescriptorFromBytes(layer.MediaType, layer.Content)
		if err := repository.Push(ctx, descriptor, bytes.NewReader(layer.Content)); err != nil {
			return "", fmt.Errorf("push %s: %w", layer.Name, err)
		}
		descriptor.Annotations = map[string]string{ocispec.AnnotationTitle: layer.Name}
		options.Layers = append(options.Layers, descriptor)
	}
	manifest, err := oras.PackManifest(ctx, repository, oras.PackManifestVersion1_1, "application/vnd.unknown.artifact.v1", options)
	if err != nil {
		return "", err
	}
	return manifest.Digest.String(), repository.Tag(ctx, manifest, repository.Reference.Reference)
}
