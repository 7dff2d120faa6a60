package nettest_test

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/netcause/netcause/collectors/nettest"
)

func TestNamespace(t *testing.T) {
	var path string
	t.Run("life", func(t *testing.T) {
		a, b := nettest.Namespace(t), nettest.Namespace(t)
		path = a.Path()
		nettest.Veth(t, a, "eth0", b, "eth0")
		a.Run(t, "ip", "address", "add", "10.0.0.1/24", "dev", "eth0")
		if out := a.Run(t, "ip", "-o", "address", "show", "dev", "eth0"); !strings.Contains(out, "10.0.0.1/24") {
			t.Errorf("ip address show in the namespace: %q", out)
		}
		if _, err := b.Try(t, "ip", "link", "show", "dev", "nothing"); err == nil || !strings.Contains(err.Error(), "nothing") {
			t.Errorf("Try of a failing command: %v", err)
		}
		before, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		a.Do(t, func() {
			if _, err := net.InterfaceByName("eth0"); err != nil {
				t.Errorf("eth0 inside: %v", err)
			}
			if inside, _ := os.Readlink("/proc/thread-self/ns/net"); inside == before {
				t.Error("Do stayed in the test's namespace")
			}
		})
		sleep := exec.Command("sleep", "600")
		a.Start(t, sleep)
		inside, _ := os.Stat(a.Path())
		nettest.WaitFor(t, "the started program's namespace", func() bool {
			of, err := os.Stat("/proc/" + strconv.Itoa(sleep.Process.Pid) + "/ns/net")
			return err == nil && os.SameFile(inside, of)
		})
	})
	if path == "" {
		t.Skip("needs root")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("%s is left over: %v", path, err)
	}
}
