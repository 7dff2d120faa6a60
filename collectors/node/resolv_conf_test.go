package node

import (
	"bufio"
	"os/exec"
	"testing"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/engine/facts"
)

// inMountNamespace is a process with a mount namespace of its own, in which that script ran.
func inMountNamespace(t *testing.T, script string) int {
	t.Helper()
	nettest.NeedTool(t, "unshare")
	cmd := exec.Command("unshare", "--mount", "sh", "-ec", script+"\necho ready\nexec sleep 60")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it only sleeps
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Skipf("needs a mount namespace: %q, %v", line, err)
	}
	return cmd.Process.Pid
}

func TestResolvConfOfAProcess(t *testing.T) {
	const conf = "printf 'search shop.svc.cluster.local\\nnameserver 10.96.0.10\\noptions ndots:5\\n'"
	for name, test := range map[string]struct {
		script string
		status facts.Status
	}{
		"a file":                     {"mount -t tmpfs none /etc; " + conf + " > /etc/resolv.conf", facts.Read},
		"a link within its root":     {"mount -t tmpfs none /etc; mkdir /etc/other; " + conf + " > /etc/other/conf; ln -s /etc/other/conf /etc/resolv.conf", facts.Read},
		"none":                       {"mount -t tmpfs none /etc", facts.Absent},
		"a pipe that nobody writes":  {"mount -t tmpfs none /etc; mkfifo /etc/resolv.conf", facts.Failed},
		"more than anybody's":        {"mount -t tmpfs none /etc; head -c 70000 /dev/zero > /etc/resolv.conf", facts.Failed},
		"a link to another's memory": {"mount -t tmpfs none /etc; ln -s /proc/self/fd/0 /etc/resolv.conf", facts.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			pid := inMountNamespace(t, test.script)
			got := resolvConfIn([]process{{pid: pid, comm: "sleep"}})
			if got.Status != test.status {
				t.Fatalf("%v: %s", got.Status, got.Reason)
			}
			if test.status != facts.Read {
				return
			}
			if len(got.Value.Nameservers) != 1 || got.Value.Nameservers[0].Address.String() != "10.96.0.10" || len(got.Value.Options) != 1 {
				t.Errorf("%+v", got.Value)
			}
		})
	}
	if got := resolvConfIn(nil); got.Status != facts.Absent {
		t.Errorf("of no process: %v", got.Status)
	}
}
