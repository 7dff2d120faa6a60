package procps_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/collectors/procps"
	"github.com/netcause/netcause/engine/facts"
)

func TestMaskArguments(t *testing.T) {
	got := procps.MaskArguments([]string{
		"/usr/bin/k3s", "server", "--token", "abc", "--agent-token=abc", "--node-ip=10.0.0.1", "--token-file", "/etc/token",
		"--datastore-endpoint=postgres://k3s:abc@db:5432/k3s", "--tls-private-key-file=/etc/key.pem", "-v", "2",
	})
	if text := strings.Join(got, " "); strings.Contains(text, "abc") || !strings.Contains(text, "--token-file /etc/token") ||
		!strings.Contains(text, "/etc/key.pem") || !strings.Contains(text, "--node-ip=10.0.0.1") || !strings.HasSuffix(text, "-v 2") {
		t.Errorf("%q", got)
	}
}

func TestParseProcesses(t *testing.T) {
	const (
		aux     = "USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
		systemd = "root         1  0.0  0.1 167744 11000 ?        Ss   Nov24   0:07 /sbin/init\n"
		kthread = "root         2  0.0  0.0      0     0 ?        S    Nov24   0:00 [kthreadd]\n"
	)
	process := func(pid int, comm string, line string, args ...string) facts.Process {
		return facts.Process{PID: pid, Comm: comm, Args: args, Source: facts.Source("ps:" + line)}
	}
	for _, test := range []struct {
		name, text string
		want       []facts.Process
		root, init bool
		unparsed   int
	}{
		{
			"aux", aux + systemd + kthread + "root       812  2.0  1.1 1935908 91000 ?       Ssl  Nov24  12:00 /usr/bin/kubelet --config=/var/lib/kubelet/config.yaml --bootstrap-token abc.def\n" +
				"root       900  0.0  0.0      0     0 ?        Z    10:00   0:00 [kube-proxy] <defunct>\nroot       901  0.0  0.0   9000  4000 pts/0    S+   10:00   0:00 vi /etc/kubelet\n",
			[]facts.Process{process(812, "kubelet", "4", "/usr/bin/kubelet", "--config=/var/lib/kubelet/config.yaml", "--bootstrap-token", "********")},
			true, true, 0,
		},
		{
			"a tree, and interpreters", aux + kthread + systemd + "root       700  0.0  0.5  30000 20000 ?        Ss   Nov24   0:01 /usr/bin/python3 -Es /usr/sbin/firewalld --nofork\n" +
				"root       701  0.0  0.5  30000 20000 ?        Sl   Nov24   0:01 containerd-shim\nroot       702  0.0  0.5  30000 20000 ?        Sl   Nov24   0:01  |   \\_ /opt/bin/flanneld --iface=eth1\n",
			[]facts.Process{process(700, "firewalld", "4", "/usr/bin/python3", "-Es", "/usr/sbin/firewalld", "--nofork"), process(702, "flanneld", "6", "/opt/bin/flanneld", "--iface=eth1")},
			true, true, 0,
		},
		{
			"-ef of a container", "UID          PID    PPID  C STIME TTY          TIME CMD\nroot           1       0  0 10:00 ?        00:00:01 cilium-agent --config-dir=/tmp\n",
			[]facts.Process{process(1, "cilium-agent", "2", "cilium-agent", "--config-dir=/tmp")},
			false, true, 0,
		},
		{"BusyBox", "PID   USER     TIME  COMMAND\n    1 root      0:01 /sbin/init\n    2 root      0:00 [kthreadd]\n   77 root      0:03 k3s server\n", []facts.Process{process(77, "k3s", "4", "k3s", "server")}, true, true, 0},
		{"names alone", "    PID COMMAND\n      1 systemd\n      2 kthreadd\n    812 kubelet\n", []facts.Process{process(812, "kubelet", "4")}, true, true, 0},
		{"what grep left", "root       812  2.0  1.1 1935908 91000 ?       Ssl  Nov24  12:00 /usr/bin/kubelet\n", []facts.Process{}, false, false, 1},
		{"not found", "bash: ps: command not found\n", []facts.Process{}, false, false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := procps.ParseProcesses("ps", []byte(test.text))
			if diff := cmp.Diff(test.want, got.Items); diff != "" || got.Root != test.root || got.Init != test.init || got.Unparsed.Count != test.unparsed {
				t.Errorf("%+v\n%s", got, diff)
			}
		})
	}
}

// Whatever columns ps was asked for, a process is the same, and it is once.
func TestParseProcessesOfPS(t *testing.T) {
	nettest.NeedTool(t, "ps", "sleep")
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kube-proxy")
	if err := os.WriteFile(file, program, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(file, "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for _, command := range []string{"ps aux", "ps auxwww", "ps auxwwwm", "ps auxf", "ps -ef", "ps -eF", "ps alxwww", "ps -elfL", "ps -eLf", "ps -eo pid,args", "ps -e -o user,pid,etime,cmd"} {
		args := strings.Fields(command)
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		got := procps.ParseProcesses("x", out)
		mine := slices.DeleteFunc(got.Items, func(p facts.Process) bool { return p.PID != cmd.Process.Pid })
		if len(mine) != 1 || mine[0].Comm != "kube-proxy" || !slices.Equal(mine[0].Args, []string{file, "600"}) || !got.Init || got.Unparsed.Count != 0 {
			t.Errorf("%s: %+v, init %v, %+v", command, mine, got.Init, got.Unparsed)
		}
	}
}

func FuzzParseProcesses(f *testing.F) {
	f.Add("USER PID %CPU COMMAND\nroot 1 0.0 /sbin/init\nroot 2 0.0 [kthreadd]\nroot 7 0.0  | \\_ kubelet --token a\nroot - - -\n")
	f.Add("UID PID PPID C STIME TTY TIME CMD\nroot 9 1 0 Nov24 ? 00:00:00 /usr/bin/python3 -s /usr/sbin/firewalld\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range procps.ParseProcesses("x", []byte(text)).Items {
			if p.PID <= 0 || p.Comm == "" {
				t.Fatalf("%+v", p)
			}
		}
	})
}
