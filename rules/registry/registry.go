// Package registry fetches rules from an OCI registry: OPA bundles
// (https://www.openpolicyagent.org/docs/management-bundles#oci-registry) and single rules, as oras, policy and conftest
// push them.
package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Scheme is what a reference begins with.
const Scheme = "oci://"

const (
	// maxSize bounds what the layers of an artifact weigh together, in bytes.
	maxSize = 64 << 20
	// maxManifest bounds a manifest: registries take none above 4 MiB.
	maxManifest = 4 << 20
	maxTime     = time.Minute
	dialTimeout = 5 * time.Second
)

// The media types of layers that have rules, beside those of the OCI image specification.
const (
	dockerLayer = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	// conftest pushes each file as a layer of its own.
	conftestPolicy = "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego"
	conftestData   = "application/vnd.cncf.openpolicyagent.data.layer.v1+json"

	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerIndex    = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// Artifact is what was fetched.
type Artifact struct {
	// Bundles are OPA bundles, each a .tar.gz.
	Bundles [][]byte
	// Rules are single files by their names, which are valid paths of [io/fs.FS].
	Rules map[string][]byte
}

// Pull fetches an artifact: oci://registry/repository:tag or …@digest. It logs in with what docker's configuration has
// for the registry ($DOCKER_CONFIG, ~/.docker/config.json and its credential helpers), and speaks plain HTTP with a registry
// on this machine alone. What comes is checked against its digest. Nothing is kept for the next time. An error names the
// reference and what to do.
func Pull(ctx context.Context, reference string) (*Artifact, error) {
	artifact, err := pull(ctx, reference)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", reference, err)
	}
	return artifact, nil
}

func pull(ctx context.Context, reference string) (*Artifact, error) {
	ref, err := parse(reference)
	if err != nil {
		return nil, err
	}
	repository, err := open(ref)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, maxTime, fmt.Errorf("the registry %s took more than %s", ref.Registry, maxTime))
	defer cancel()
	artifact, err := fetch(limited, repository, ref.Reference)
	if limited.Err() != nil {
		return nil, context.Cause(limited)
	}
	if err != nil {
		return nil, explained(err, ref)
	}
	return artifact, nil
}

func parse(reference string) (registry.Reference, error) {
	ref, err := registry.ParseReference(strings.TrimPrefix(reference, Scheme))
	if err != nil {
		return ref, fmt.Errorf("%w: write %sREGISTRY/REPOSITORY:TAG or …@sha256:DIGEST", err, Scheme)
	}
	if ref.Reference == "" {
		return ref, fmt.Errorf("it names no tag and no digest: write %s%s:TAG or …@sha256:DIGEST", Scheme, ref)
	}
	return ref, nil
}

func open(ref registry.Reference) (*remote.Repository, error) {
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("read docker's configuration: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	policy := &retry.GenericPolicy{Retryable: answered, Backoff: retry.DefaultBackoff, MinWait: 200 * time.Millisecond, MaxWait: 3 * time.Second, MaxRetry: 2}
	return &remote.Repository{
		Reference: ref,
		PlainHTTP: onThisMachine(ref.Host()),
		Client: &auth.Client{
			Client:     &http.Client{Transport: &retry.Transport{Base: transport, Policy: func() retry.Policy { return policy }}},
			Credential: credentials.Credential(store),
			Cache:      auth.NewCache(),
		},
		ManifestMediaTypes: []string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, dockerManifest, dockerIndex},
	}, nil
}

// answered is whether to ask once more: of what is not reached, nobody waits for an answer three times.
func answered(response *http.Response, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	return retry.DefaultPredicate(response, nil)
}

func onThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && address.IsLoopback()
}

func fetch(ctx context.Context, repository *remote.Repository, reference string) (*Artifact, error) {
	layers, err := layersOf(ctx, repository, reference)
	if err != nil {
		return nil, err
	}
	left := int64(maxSize)
	read := func(layer ocispec.Descriptor) ([]byte, error) {
		if left -= layer.Size; layer.Size < 0 || left < 0 {
			return nil, fmt.Errorf("its layers have more than %d MiB, as no rules have", maxSize>>20)
		}
		return content.FetchAll(ctx, repository, layer)
	}
	artifact := &Artifact{Rules: map[string][]byte{}}
	for _, layer := range layers {
		switch name := layer.Annotations[ocispec.AnnotationTitle]; {
		case layer.MediaType == conftestData:
			return nil, fmt.Errorf("it has data beside rules (%s), and rules see the facts alone: write what they know into the rules", name)
		case layer.MediaType == conftestPolicy || isTar(layer) && path.Ext(name) == ".rego":
			name = strings.TrimPrefix(path.Clean("/"+name), "/")
			if _, ok := artifact.Rules[name]; ok || name == "" {
				return nil, fmt.Errorf("two of its layers are named %q, or one has no name: push each file once, under its name", name)
			}
			if artifact.Rules[name], err = read(layer); err != nil {
				return nil, err
			}
		case isTar(layer):
			bundle, err := read(layer)
			if err != nil {
				return nil, err
			}
			artifact.Bundles = append(artifact.Bundles, bundle)
		}
	}
	if len(artifact.Bundles)+len(artifact.Rules) == 0 {
		return nil, fmt.Errorf("it has no bundle of rules%s: push one with oras push REFERENCE rules.tar.gz:%s", kinds(layers), ocispec.MediaTypeImageLayerGzip)
	}
	return artifact, nil
}

// isTar is whether a layer may be a bundle. oras calls a file's media type that of a tar where it is not told one.
func isTar(layer ocispec.Descriptor) bool {
	return slices.Contains([]string{ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayer, dockerLayer}, layer.MediaType)
}

func kinds(layers []ocispec.Descriptor) string {
	var list []string
	for _, layer := range layers {
		if !slices.Contains(list, layer.MediaType) && len(list) < 3 {
			list = append(list, layer.MediaType)
		}
	}
	if len(list) == 0 {
		return " and no layer"
	}
	return ", only " + strings.Join(list, ", ")
}

// layersOf are the layers of a manifest, or of the first one of an index that is no attestation: builders push an index where
// an image is for several platforms, or has attestations.
func layersOf(ctx context.Context, repository *remote.Repository, reference string) ([]ocispec.Descriptor, error) {
	descriptor, body, err := repository.FetchReference(ctx, reference)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	manifest, index, err := decode(descriptor, body)
	if err != nil {
		return nil, err
	}
	first := slices.IndexFunc(index.Manifests, func(entry ocispec.Descriptor) bool {
		return entry.Platform == nil || entry.Platform.OS != "unknown" // an attestation's
	})
	if first < 0 {
		return manifest.Layers, nil
	}
	entry := index.Manifests[first]
	image, err := repository.Fetch(ctx, entry)
	if err != nil {
		return nil, err
	}
	defer image.Close()
	manifest, _, err = decode(entry, image)
	return manifest.Layers, err
}

func decode(descriptor ocispec.Descriptor, body io.Reader) (manifest ocispec.Manifest, index ocispec.Index, err error) {
	if descriptor.Size > maxManifest {
		return manifest, index, fmt.Errorf("its manifest has %d bytes, more than %d", descriptor.Size, maxManifest)
	}
	text, err := content.ReadAll(body, descriptor)
	if err != nil {
		return manifest, index, fmt.Errorf("read its manifest: %w", err)
	}
	target := any(&manifest)
	switch descriptor.MediaType {
	case ocispec.MediaTypeImageIndex, dockerIndex:
		target = &index
	case ocispec.MediaTypeImageManifest, dockerManifest:
	default:
		return manifest, index, fmt.Errorf("the registry answers with %q, which is no manifest of an artifact", descriptor.MediaType)
	}
	if err := json.Unmarshal(text, target); err != nil {
		return manifest, index, fmt.Errorf("read its manifest: %w", err)
	}
	return manifest, index, nil
}
