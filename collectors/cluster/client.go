package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"

	"github.com/netcause/netcause/engine/facts"
)

const (
	contentProtobuf = "application/vnd.kubernetes.protobuf"
	contentJSON     = "application/json"

	// firstTimeout is how long the first request may take: a server that drops packets is told from a slow one.
	firstTimeout = 15 * time.Second
	// pageTimeout is how long one page may take; the server's own limit for a request is 60 s.
	pageTimeout = 30 * time.Second
	// maxBody bounds one answer. A list that the server gives in one piece has some 10 KiB for each Pod.
	maxBody = 1 << 30
)

// client asks one API server.
type client struct {
	server      string
	rest        *rest.RESTClient
	pageTimeout time.Duration
	// unauthenticated is the first answer that says that the server does not know who asks.
	unauthenticated atomic.Pointer[authError]
}

func newClient(cfg *rest.Config) (*client, error) {
	types := apiruntime.NewScheme()
	for _, add := range []func(*apiruntime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, discoveryv1.AddToScheme, networkingv1.AddToScheme, schedulingv1.AddToScheme,
	} {
		if err := add(types); err != nil {
			return nil, fmt.Errorf("register API types: %w", err)
		}
	}

	cfg = rest.CopyConfig(cfg)
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(types).WithoutConversion()
	cfg.ContentType = contentProtobuf
	cfg.AcceptContentTypes = contentProtobuf + "," + contentJSON
	cfg.UserAgent = userAgent()
	cfg.WarningHandler = rest.NoWarnings{} // deprecations are not the reader's concern
	if cfg.QPS == 0 {
		cfg.QPS = 50
	}
	if cfg.Burst == 0 {
		cfg.Burst = 100
	}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return boundedBodies{next} })

	server, err := serverURL(cfg)
	if err != nil {
		return nil, err
	}
	restClient, err := rest.UnversionedRESTClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("client of API server %s: %w", server, err)
	}
	return &client{server: server, rest: restClient, pageTimeout: pageTimeout}, nil
}

func userAgent() string {
	v := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf("netcause/%s (%s/%s)", v, runtime.GOOS, runtime.GOARCH)
}

// serverURL is the server's address as people write it, without a password that may be in it.
func serverURL(cfg *rest.Config) (string, error) {
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return "", fmt.Errorf("address of the API server: %w", err)
	}
	return (&url.URL{Scheme: base.Scheme, Host: base.Host, Path: base.Path}).String(), nil
}

// version asks what the server is: the request that every server answers, and that needs nothing of its storage.
func (c *client) version(ctx context.Context) (facts.Group[facts.Version], error) {
	const source = facts.Source("kubectl version -o json")
	ctx, cancel := context.WithTimeout(ctx, firstTimeout)
	defer cancel()
	body, err := c.rest.Get().AbsPath("/version").SetHeader("Accept", contentJSON).Do(ctx).Raw()
	if err != nil {
		c.note(err)
		status, reason := failure(err)
		if status == facts.Denied {
			reason = "get /version is forbidden: needs verb get on non-resource URL /version"
		}
		return facts.Unread[facts.Version](status, reason, source), err
	}
	var info version.Info
	if err := json.Unmarshal(body, &info); err != nil || info.GitVersion == "" {
		err = fmt.Errorf("what answers at /version is not a Kubernetes API server: %w", errNotVersion)
		return facts.Fail[facts.Version](err, source), err
	}
	return facts.ReadGroup(facts.Version{GitVersion: info.GitVersion, Platform: info.Platform}, source), nil
}

// boundedBodies fails answers that are larger than any cluster's.
type boundedBodies struct{ next http.RoundTripper }

func (b boundedBodies) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err == nil && resp.Body != nil {
		resp.Body = &boundedBody{resp.Body, maxBody}
	}
	return resp, err
}

// WrappedRoundTripper lets client-go find the transport underneath.
func (b boundedBodies) WrappedRoundTripper() http.RoundTripper { return b.next }

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the answer is larger than %d bytes", int64(maxBody))
	}
	return n, err
}
