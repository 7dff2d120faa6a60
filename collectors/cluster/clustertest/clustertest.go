// Package clustertest runs a real control plane, etcd and kube-apiserver on loopback, for tests.
//
// There are no controllers, schedulers or kubelets in it: objects are what the tests make them, status included.
package clustertest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Tools that the control plane needs on PATH.
const (
	toolEtcd      = "etcd"
	toolAPIServer = "kube-apiserver"
)

// startTimeout bounds the start of the control plane. It takes a few seconds on an idle machine.
const startTimeout = 3 * time.Minute

// Options are the control plane's. The zero value is what most tests want.
type Options struct {
	// ServiceCIDR is the range of ClusterIPs; 10.96.0.0/16 by default.
	ServiceCIDR string
	// Flags are further flags of kube-apiserver; they win over the ones here.
	Flags []string
}

// Server is a running control plane.
type Server struct {
	// URL is the API server's.
	URL string
	// Kubeconfig is the path of the administrator's (group system:masters).
	Kubeconfig string

	dir   string
	ca    *authority
	admin *http.Client
	etcd  *process
	api   *process

	mu        sync.Mutex // guards what follows
	users     int
	resources map[string][]metav1.APIResource // by apiVersion: discovery's answers
}

// Start runs a control plane for one test and ends it with the test. It skips the test where a tool is missing.
func Start(tb testing.TB, opts ...Options) *Server {
	tb.Helper()
	needTools(tb)
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	s, err := start(tb.TempDir(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.stop)
	return s
}

// shared is the control plane of a package's tests, for it takes seconds to start one. It is the one thing that Main
// and Shared have in common.
var shared struct {
	once   sync.Once
	server *Server
	dir    string
	err    error
}

// Main runs a package's tests and ends the control plane that they shared. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		shared.server.stop()
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir) // best effort: it is a temporary directory
	}
	os.Exit(code)
}

// Shared is one control plane for all tests of a package, whose TestMain calls [Main]. Tests keep apart by namespaces
// and names.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	needTools(tb)
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "clustertest-"); shared.err == nil {
			shared.server, shared.err = start(shared.dir, Options{})
		}
	})
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.server
}

func needTools(tb testing.TB) {
	tb.Helper()
	for _, tool := range []string{toolEtcd, toolAPIServer} {
		if !onPath(tool) {
			how := ""
			if tool == toolAPIServer {
				how = " (make tools)"
			}
			tb.Skip("needs tool " + tool + how)
		}
	}
}

// start tries again where somebody took a port between its choice and its use.
func start(dir string, o Options) (*Server, error) {
	var errs []error
	for attempt := range 3 {
		s, err := startIn(filepath.Join(dir, strconv.Itoa(attempt)), o)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func startIn(dir string, o Options) (_ *Server, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ca, err := newAuthority()
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "https://127.0.0.1:" + ports[2], dir: dir, ca: ca, resources: map[string][]metav1.APIResource{}}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()

	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	etcdURL := "http://127.0.0.1:" + ports[0]
	if s.etcd, err = startProcess(dir, toolEtcd, etcdFlags(dir, etcdURL, "http://127.0.0.1:"+ports[1])...); err != nil {
		return nil, err
	}
	if err := s.etcd.waitFor(ctx, func() error { return get(ctx, http.DefaultClient, etcdURL+"/health") }); err != nil {
		return nil, err
	}

	if err := ca.writeFiles(dir); err != nil {
		return nil, err
	}
	if s.api, err = startProcess(dir, toolAPIServer, apiServerFlags(dir, etcdURL, ports[2], o)...); err != nil {
		return nil, err
	}
	if s.Kubeconfig, err = s.writeKubeconfig("admin", "system:masters"); err != nil {
		return nil, err
	}
	if s.admin, err = s.httpClient(s.Kubeconfig); err != nil {
		return nil, err
	}
	for _, path := range []string{
		"/readyz",
		// These come from controllers within the API server, which /readyz does not wait for.
		"/api/v1/namespaces/kube-system",
		"/api/v1/namespaces/default/services/kubernetes",
	} {
		if err := s.api.waitFor(ctx, func() error { return get(ctx, s.admin, s.URL+path) }); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func etcdFlags(dir, clientURL, peerURL string) []string {
	return []string{
		"--data-dir=" + filepath.Join(dir, "etcd"),
		"--listen-client-urls=" + clientURL,
		"--advertise-client-urls=" + clientURL,
		"--listen-peer-urls=" + peerURL,
		"--initial-advertise-peer-urls=" + peerURL,
		"--initial-cluster=default=" + peerURL,
	}
}

func apiServerFlags(dir, etcdURL, port string, o Options) []string {
	cidr := o.ServiceCIDR
	if cidr == "" {
		cidr = "10.96.0.0/16"
	}
	return append([]string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + port,
		"--tls-cert-file=" + filepath.Join(dir, serverCertFile),
		"--tls-private-key-file=" + filepath.Join(dir, serverKeyFile),
		"--client-ca-file=" + filepath.Join(dir, caFile),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + filepath.Join(dir, serviceAccountKeyFile),
		"--service-account-signing-key-file=" + filepath.Join(dir, serviceAccountKeyFile),
		"--service-cluster-ip-range=" + cidr,
		// Without the controller manager no namespace has its default ServiceAccount, which that plugin asks of Pods.
		"--disable-admission-plugins=ServiceAccount",
		"--endpoint-reconciler-type=none", // its address is loopback, which no endpoint may be
		"--allow-privileged=true",
	}, o.Flags...)
}

// stop ends both processes; what they wrote is the test's temporary directory's.
func (s *Server) stop() {
	s.api.kill()
	s.etcd.kill()
}

// Etcd is the process id of etcd: tests stop and continue it to see what the API server does without its storage.
func (s *Server) Etcd() int { return s.etcd.cmd.Process.Pid }

// RESTConfig is the administrator's.
func (s *Server) RESTConfig(tb testing.TB) *rest.Config {
	tb.Helper()
	return s.restConfig(tb, s.Kubeconfig)
}

// UserConfig is that of a user whom RBAC allows nothing but what the test grants.
func (s *Server) UserConfig(tb testing.TB, user string, groups ...string) *rest.Config {
	tb.Helper()
	return s.restConfig(tb, s.UserKubeconfig(tb, user, groups...))
}

// Grant makes the objects of an RBAC manifest and waits until they allow what cfg stands for to GET that API path: the
// API server learns of its own RBAC objects a moment after it stored them. They are deleted with the test.
func (s *Server) Grant(tb testing.TB, manifests string, cfg *rest.Config, path string) {
	tb.Helper()
	paths := s.Create(tb, manifests)
	tb.Cleanup(func() {
		for _, path := range paths {
			s.Delete(tb, path)
		}
	})
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	if err := s.api.waitFor(ctx, func() error { return get(ctx, client, s.URL+path) }); err != nil {
		tb.Fatal(err)
	}
}

func (s *Server) restConfig(tb testing.TB, kubeconfig string) *rest.Config {
	tb.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		tb.Fatal(err)
	}
	return cfg
}

// UserKubeconfig is the path of a kubeconfig of that user, with a client certificate.
func (s *Server) UserKubeconfig(tb testing.TB, user string, groups ...string) string {
	tb.Helper()
	path, err := s.writeKubeconfig(user, groups...)
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

func (s *Server) writeKubeconfig(user string, groups ...string) (string, error) {
	s.mu.Lock()
	s.users++
	path := filepath.Join(s.dir, fmt.Sprintf("kubeconfig-%d", s.users))
	s.mu.Unlock()
	cert, key, err := s.ca.issue(user, groups, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return "", fmt.Errorf("certificate of user %s: %w", user, err)
	}
	return path, clientcmd.WriteToFile(kubeconfig(s.URL, user, s.ca.certPEM, cert, key), path)
}

func (s *Server) httpClient(kubeconfig string) (*http.Client, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg.QPS, cfg.Burst = 1000, 1000
	return rest.HTTPClientFor(cfg)
}

// get is nil where the answer is 200.
func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // for the message only
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", url, resp.Status, body)
	}
	return nil
}

// freePorts are TCP ports of loopback that were free just now.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("choose a port: %w", err)
		}
		defer l.Close() // all at the end, for them to differ
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
