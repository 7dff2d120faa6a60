package cluster

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/netcause/netcause/collectors/cluster/clustertest"
)

func wantUnreachable(t *testing.T, cfg *rest.Config, reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := Collect(ctx, cfg, Options{})
	var u *UnreachableError
	if !errors.As(err, &u) {
		t.Fatalf("error %v is no UnreachableError", err)
	}
	if !strings.Contains(u.Reason, reason) {
		t.Errorf("reason %q, not %q", u.Reason, reason)
	}
	if strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "API server "+u.Server+": ") {
		t.Errorf("not one clear line: %q", err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		start := time.Now()
		wantUnreachable(t, &rest.Config{Host: "https://" + address}, "connection refused")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("silent", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the backlog and says nothing
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		wantUnreachable(t, &rest.Config{Host: "http://" + l.Addr().String(), Timeout: 300 * time.Millisecond}, "timeout")
	})
	t.Run("name", func(t *testing.T) {
		// The dialler alone: no query leaves the machine.
		cfg := &rest.Config{Host: "https://nobody.invalid:6443", Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Name: "nobody.invalid", Err: "no such host", IsNotFound: true}
		}}
		wantUnreachable(t, cfg, "nobody.invalid does not resolve: no such host")
	})
	t.Run("plain HTTP", func(t *testing.T) {
		s := httptest.NewServer(http.NotFoundHandler())
		defer s.Close()
		wantUnreachable(t, &rest.Config{Host: strings.Replace(s.URL, "http", "https", 1)}, "TLS: it speaks plain HTTP")
	})
	t.Run("no API server", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>It works!</html>"))
		}))
		defer s.Close()
		wantUnreachable(t, &rest.Config{Host: s.URL}, "not a Kubernetes API server")
	})
	t.Run("unknown authority", func(t *testing.T) {
		cfg := clustertest.Shared(t).RESTConfig(t)
		cfg.CAData = nil
		wantUnreachable(t, cfg, "TLS: x509: certificate signed by unknown authority")
	})
	t.Run("bad token", func(t *testing.T) {
		cfg := clustertest.Shared(t).RESTConfig(t)
		cfg.CertData, cfg.KeyData, cfg.BearerToken = nil, nil, "expired"
		wantUnreachable(t, cfg, "401 unauthorized")
	})
	t.Run("no credentials", func(t *testing.T) {
		cfg := clustertest.Shared(t).RESTConfig(t)
		cfg.CertData, cfg.KeyData = nil, nil
		wantUnreachable(t, cfg, "has no credentials")
	})
}

func TestCollectCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Collect(ctx, &rest.Config{Host: "http://127.0.0.1:1"}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, not the context's", err)
	}
}
