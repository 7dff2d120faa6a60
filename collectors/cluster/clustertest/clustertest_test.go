package clustertest

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// gone waits until no process has that id.
func gone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", pid)
		}
		<-tick.C
	}
}

func TestEndsWithTheTest(t *testing.T) {
	needTools(t)
	var etcd, api int
	t.Run("inner", func(t *testing.T) {
		s := Start(t, Options{ServiceCIDR: "10.200.0.0/24"})
		etcd, api = s.Etcd(), s.api.cmd.Process.Pid
		service, err := s.Do(t.Context(), http.MethodGet, "/api/v1/namespaces/default/services/kubernetes", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if ip := service["spec"].(map[string]any)["clusterIP"]; ip != "10.200.0.1" {
			t.Errorf("ClusterIP %v of the API server", ip)
		}
	})
	if etcd == 0 || api == 0 {
		t.Fatal("it did not start")
	}
	gone(t, etcd)
	gone(t, api)
}

const dieEnv = "CLUSTERTEST_DIE"

// A test binary that ends without its cleanups leaves nothing behind.
func TestEndsWithTheProcess(t *testing.T) {
	needTools(t)
	if os.Getenv(dieEnv) != "" {
		s := Start(t)
		fmt.Printf("pids %d %d\n", s.Etcd(), s.api.cmd.Process.Pid)
		os.Exit(3)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestEndsWithTheProcess$")
	cmd.Env = append(os.Environ(), dieEnv+"=1", "TMPDIR="+t.TempDir()) // which it does not clean up
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("it ended with %v: %s", err, out)
	}
	var etcd, api int
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "pids %d %d", &etcd, &api) // other lines do not match
	}
	if etcd == 0 || api == 0 {
		t.Fatalf("no process ids in %q", out)
	}
	gone(t, etcd)
	gone(t, api)
}

func TestUser(t *testing.T) {
	s := Shared(t)
	client, err := s.httpClient(s.UserKubeconfig(t, "somebody"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(s.URL + "/api/v1/nodes")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("somebody lists nodes: %s", resp.Status)
	}
}

func TestGrant(t *testing.T) {
	s := Shared(t)
	user := s.UserConfig(t, "reader", "readers")
	s.Grant(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: readers}
rules: [{apiGroups: [""], resources: [nodes], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: readers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: readers}]
`, user, "/api/v1/nodes")
}

func TestCreateStatus(t *testing.T) {
	s := Shared(t)
	s.Create(t, "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.1}]}")
	t.Cleanup(func() { s.Delete(t, "/api/v1/nodes/n1") })
	node, err := s.Do(t.Context(), http.MethodGet, "/api/v1/nodes/n1", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(node["status"].(map[string]any)["addresses"]); !strings.Contains(got, "192.0.2.1") {
		t.Errorf("addresses %s", got)
	}
}
