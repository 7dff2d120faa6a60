package cluster

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/netcause/netcause/collectors/cluster/clustertest"
	"github.com/netcause/netcause/engine/facts"
)

const manyPods = 1200

// createPods makes many Pods in a namespace that nothing else is in.
func createPods(t *testing.T, s *clustertest.Server, namespace string) {
	t.Helper()
	var manifests strings.Builder
	for i := range manyPods {
		fmt.Fprintf(&manifests, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p-%04d","namespace":%q},
			"spec":{"nodeName":"n1","containers":[{"name":"c","image":"i"}]}}`+"\n", i, namespace)
	}
	s.Create(t, manifests.String())
	t.Cleanup(func() { s.Delete(t, "/api/v1/namespaces/"+namespace+"/pods") })
}

func wantManyPods(t *testing.T, c *facts.Cluster, namespace string) {
	t.Helper()
	if c.Pods.Status != facts.Read {
		t.Fatalf("pods: %+v", c.Pods.Meta)
	}
	names := map[string]bool{}
	n := 0
	for _, p := range c.Pods.Value {
		if p.Metadata.Namespace == namespace {
			names[p.Metadata.Name] = true
			n++
		}
	}
	if len(names) != manyPods || n != manyPods {
		t.Errorf("%d Pods of %d names, not %d", n, len(names), manyPods)
	}
}

// roundTrip is a fault between client and server.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func intercept(cfg *rest.Config, f func(req *http.Request, next http.RoundTripper) (*http.Response, error)) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) { return f(req, next) })
	})
	return cfg
}

func status(req *http.Request, code int, reason string) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"injected","code":%d}`, reason, code)
	return &http.Response{
		StatusCode: code, Status: fmt.Sprint(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader([]byte(body))),
	}
}

func TestPages(t *testing.T) {
	s := clustertest.Shared(t)
	const namespace = "kube-public"
	createPods(t, s, namespace)
	podsPath := pods.path("")

	t.Run("three pages", func(t *testing.T) {
		var requests, protobuf atomic.Int32
		cfg := intercept(s.RESTConfig(t), func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			resp, err := next.RoundTrip(req)
			if err == nil && req.URL.Path == podsPath {
				requests.Add(1)
				if resp.Header.Get("Content-Type") == contentProtobuf {
					protobuf.Add(1)
				}
				if !strings.HasPrefix(req.UserAgent(), "netcause/") {
					t.Errorf("user agent %q", req.UserAgent())
				}
			}
			return resp, err
		})
		c, err := Collect(t.Context(), cfg, Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantManyPods(t, c, namespace)
		if requests.Load() != 3 || protobuf.Load() != 3 {
			t.Errorf("%d requests, %d of them answered in protobuf, not 3", requests.Load(), protobuf.Load())
		}
	})

	t.Run("a server without protobuf", func(t *testing.T) {
		cfg := intercept(s.RESTConfig(t), func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			req = req.Clone(req.Context())
			req.Header.Set("Accept", contentJSON)
			return next.RoundTrip(req)
		})
		c, err := Collect(t.Context(), cfg, Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantManyPods(t, c, namespace)
	})

	t.Run("410 half-way", func(t *testing.T) {
		var expired atomic.Int32
		cfg := intercept(s.RESTConfig(t), func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if req.URL.Path == podsPath && req.URL.Query().Get("continue") != "" {
				expired.Add(1)
				return status(req, http.StatusGone, "Expired"), nil
			}
			return next.RoundTrip(req)
		})
		c, err := Collect(t.Context(), cfg, Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantManyPods(t, c, namespace)
		if expired.Load() != 1 {
			t.Errorf("%d answers of 410, not 1", expired.Load())
		}
	})

	t.Run("410 always", func(t *testing.T) {
		var asked atomic.Int32
		cfg := intercept(s.RESTConfig(t), func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if req.URL.Path == podsPath {
				asked.Add(1)
				return status(req, http.StatusGone, "Expired"), nil
			}
			return next.RoundTrip(req)
		})
		c, err := Collect(t.Context(), cfg, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if c.Pods.Status != facts.Failed || len(c.Pods.Value) != 0 || asked.Load() != 2 {
			t.Errorf("after %d requests: %+v", asked.Load(), c.Pods.Meta)
		}
		if c.Services.Status != facts.Read {
			t.Errorf("services: %+v", c.Services.Meta)
		}
	})
}

// A server that keeps its version to itself, or a proxy before it that fails there, still gives the rest.
func TestVersionNotRead(t *testing.T) {
	s := clustertest.Shared(t)
	for code, want := range map[int]facts.Status{
		http.StatusForbidden:          facts.Denied,
		http.StatusNotFound:           facts.Absent,
		http.StatusServiceUnavailable: facts.Failed,
	} {
		cfg := intercept(s.RESTConfig(t), func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if req.URL.Path == "/version" {
				return status(req, code, strings.ReplaceAll(http.StatusText(code), " ", "")), nil
			}
			return next.RoundTrip(req)
		})
		c, err := Collect(t.Context(), cfg, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if c.Version.Status != want || c.Nodes.Status != facts.Read {
			t.Errorf("%d: version %+v, nodes %+v", code, c.Version.Meta, c.Nodes.Meta)
		}
	}
}

// A resource that the server does not have is absent, one whose list fails is failed; the rest goes on.
func TestAbsentAndFailed(t *testing.T) {
	s := clustertest.Shared(t)
	cfg := intercept(s.RESTConfig(t), func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		switch req.URL.Path {
		case endpointSlices.path(""): // as a server of v1.20 answers
			return &http.Response{
				StatusCode: http.StatusNotFound, Status: "404 Not Found", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
				Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader("404 page not found\n")),
			}, nil
		case pods.path(""):
			return status(req, http.StatusInternalServerError, "InternalError"), nil
		}
		return next.RoundTrip(req)
	})
	c, err := Collect(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.EndpointSlices.Status != facts.Absent || c.EndpointSlices.Reason == "" {
		t.Errorf("endpointslices: %+v", c.EndpointSlices.Meta)
	}
	if c.Pods.Status != facts.Failed || !strings.Contains(c.Pods.Reason, "list pods: ") {
		t.Errorf("pods: %+v", c.Pods.Meta)
	}
	if c.Services.Status != facts.Read {
		t.Errorf("services: %+v", c.Services.Meta)
	}
}

// An API server whose etcd does not answer still gives what it has in its cache.
func TestStorageDown(t *testing.T) {
	s := clustertest.Start(t)
	s.Create(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: default}\nspec: {containers: [{name: c, image: i}]}")
	c, err := newClient(s.RESTConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	c.pageTimeout = 3 * time.Second
	before, err := c.collect(t.Context(), Options{})
	if err != nil || len(before.Pods.Value) != 1 {
		t.Fatalf("before: %v, %d Pods", err, len(before.Pods.Value))
	}

	if err := syscall.Kill(s.Etcd(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(s.Etcd(), syscall.SIGCONT) })
	during, err := c.collect(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if during.Pods.Status != facts.Read || len(during.Pods.Value) != 1 {
		t.Errorf("pods without etcd: %+v, %d", during.Pods.Meta, len(during.Pods.Value))
	}
	// The server keeps no cache of events.
	if during.Events.Status != facts.Failed || !strings.Contains(during.Events.Reason, "timeout") {
		t.Errorf("events without etcd: %+v", during.Events.Meta)
	}
}
