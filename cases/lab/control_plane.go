package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The networks and addresses of the lab.
const (
	nodeNetwork       = "10.153.204.0/24"
	gatewayAddress    = "10.153.204.1" // fabric, which is the site's DNS server, too
	controlAddress    = "10.153.204.10"
	apiURL            = "https://" + controlAddress + ":6443"
	clientAddress     = "172.16.30.7"
	clientGateway     = "172.16.30.1"
	serviceCIDR       = "10.96.0.0/16"
	clusterCIDR       = "10.244.0.0/16"
	apiServiceAddress = "10.96.0.1"
	dnsAddress        = "10.96.0.10"
)

// startControlPlane starts etcd, the API server, the controllers and the scheduler, and waits until the API server is
// ready.
func (l *Lab) startControlPlane(ctx context.Context) error {
	control := l.Control()
	kubeconfig, err := writePKI(control)
	if err != nil {
		return err
	}
	l.kubeconfig = kubeconfig
	if err := os.WriteFile(filepath.Join(l.dir, "kubeconfig"), kubeconfig, 0o600); err != nil {
		return err
	}

	// What is in it need not outlive this machine.
	if err := control.start("etcd", "--data-dir=/var/lib/etcd", "--unsafe-no-fsync", "--log-level=warn"); err != nil {
		return err
	}
	pki := func(name string) string { return filepath.Join(pkiDir, name) }
	if err := control.start(l.program("kube-apiserver"),
		"--etcd-servers=http://127.0.0.1:2379",
		"--advertise-address="+controlAddress,
		"--secure-port=6443",
		"--service-cluster-ip-range="+serviceCIDR,
		"--authorization-mode=RBAC",
		"--client-ca-file="+pki("ca.crt"),
		"--tls-cert-file="+pki("apiserver.crt"),
		"--tls-private-key-file="+pki("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+pki("sa.key"),
		"--service-account-signing-key-file="+pki("sa.key"),
		"--allow-privileged",
		"--profiling=false",
		"--event-ttl=10m",
	); err != nil {
		return err
	}
	if err := l.connect(); err != nil {
		return err
	}
	if err := l.await(ctx, "the API server", time.Minute, func(ctx context.Context) error {
		_, err := l.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err
	}); err != nil {
		return fmt.Errorf("%w\n%s", err, control.log("kube-apiserver"))
	}
	if err := l.startControllers(clusterCIDR); err != nil {
		return err
	}
	return control.start(l.program("kube-scheduler"), "--kubeconfig="+adminKubeconfig, "--leader-elect=false", "--profiling=false")
}

// startControllers starts kube-controller-manager, which gives Nodes their podCIDRs, /24 each, out of a range.
func (l *Lab) startControllers(podRange string) error {
	return l.Control().start(l.program("kube-controller-manager"),
		"--kubeconfig="+adminKubeconfig,
		"--leader-elect=false",
		"--allocate-node-cidrs",
		"--cluster-cidr="+podRange,
		"--service-cluster-ip-range="+serviceCIDR,
		"--service-account-private-key-file="+filepath.Join(pkiDir, "sa.key"),
		"--root-ca-file="+filepath.Join(pkiDir, "ca.crt"),
		"--profiling=false",
	)
}

// restartControllers is what an edit of its manifest does: the kubelet ends it, and starts it until it stays.
func (l *Lab) restartControllers(ctx context.Context, podRange string) error {
	// The kernel's name of a program has 15 letters, and the machine runs no other of these.
	const running = "pgrep -x kube-controller >/dev/null"
	control := l.Control()
	if err := control.Run(ctx, "pkill -x kube-controller; while "+running+"; do sleep 0.05; done"); err != nil {
		return err
	}
	// Its certificate is its own, and it is asked on its own machine.
	client := &http.Client{Transport: &http.Transport{
		DialContext: control.dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
	return l.await(ctx, "kube-controller-manager", healWithin, func(ctx context.Context) error {
		if control.Run(ctx, running) != nil {
			if err := l.startControllers(podRange); err != nil {
				return err
			}
			if err := control.Run(ctx, "until "+running+"; do sleep 0.05; done"); err != nil {
				return err
			}
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://127.0.0.1:10257/healthz", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("%w: %s", err, control.log("kube-controller-manager"))
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("healthz: %s", response.Status)
		}
		return nil
	})
}

// connect makes the lab's own client, which dials within the machine of the control plane.
func (l *Lab) connect() error {
	config, err := clientcmd.RESTConfigFromKubeConfig(l.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 100, 200
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return l.Control().dial(ctx, network, address)
	}
	l.config = config
	l.client, err = kubernetes.NewForConfig(rest.AddUserAgent(config, "lab"))
	return err
}

// dial connects from within the machine's network.
func (m *Machine) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = inNetns(fmt.Sprintf("/proc/%d/ns/net", m.process.PID), func() error {
		// Go's dialer would try addresses of a name side by side, on other threads; these have one each.
		conn, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// inNetns runs f on a thread that is in the network namespace.
func inNetns(path string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		// The thread is never unlocked, and so ends with the goroutine: no other runs in that namespace.
		runtime.LockOSThread()
		done <- func() error {
			fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return fmt.Errorf("open %s: %w", path, err)
			}
			defer unix.Close(fd)
			if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter %s: %w", path, err)
			}
			return f()
		}()
	}()
	return <-done
}

// await tries f until it gives no error. Its own error has the last one of f.
func (l *Lab) await(ctx context.Context, what string, within time.Duration, f func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, within, true, func(ctx context.Context) (bool, error) {
		err := f(ctx)
		if ctx.Err() == nil || last == nil {
			last = err // what is said when the time is up says nothing
		}
		return err == nil, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%s: not within %v: %w", what, within, last)
	}
	return err
}
