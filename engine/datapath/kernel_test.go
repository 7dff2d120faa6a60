package datapath_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var namespaceCount atomic.Int32

// kernelNS is a network namespace of the running kernel, gone at the end of the test.
type kernelNS struct {
	t    testing.TB
	name string
}

func newKernelNS(t testing.TB, label string) *kernelNS {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs tool ip")
	}
	ns := &kernelNS{t, fmt.Sprintf("dp%d-%d-%s", os.Getpid(), namespaceCount.Add(1), label)}
	if out, err := exec.Command("ip", "netns", "add", ns.name).CombinedOutput(); err != nil {
		t.Fatalf("ip netns add %s: %v: %s", ns.name, err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", ns.name).CombinedOutput(); err != nil {
			t.Errorf("ip netns delete %s: %v: %s", ns.name, err, out)
		}
	})
	ns.run("ip link set lo up")
	return ns
}

// do calls f on a thread that is in the namespace.
func (ns *kernelNS) do(f func()) {
	ns.t.Helper()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		ns.t.Fatal(err)
	}
	defer home.Close()
	file, err := os.Open("/run/netns/" + ns.name)
	if err != nil {
		ns.t.Fatal(err)
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		ns.t.Fatalf("enter %s: %v", ns.name, err)
	}
	f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		ns.t.Fatalf("leave %s: %v", ns.name, err) // the thread stays locked and ends with its goroutine
	}
	runtime.UnlockOSThread()
}

// try runs a command, words split at blanks, with standard input.
func (ns *kernelNS) try(stdin, command string) (string, error) {
	ns.t.Helper()
	words := strings.Fields(command)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	var out []byte
	var err error
	var stderr strings.Builder
	cmd.Stderr = &stderr
	ns.do(func() { out, err = cmd.Output() })
	if err != nil {
		err = fmt.Errorf("%s: %s: %w: %s", ns.name, command, err, stderr.String())
	}
	return string(out), err
}

// run runs commands, one a line; the test ends where one fails. It returns the output of the last.
func (ns *kernelNS) run(commands string) (out string) {
	ns.t.Helper()
	for line := range strings.Lines(commands) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var err error
		if out, err = ns.try("", line); err != nil {
			ns.t.Fatal(err)
		}
	}
	return out
}

// veth joins two namespaces.
func veth(a *kernelNS, aDev string, b *kernelNS, bDev string) {
	a.t.Helper()
	a.run(fmt.Sprintf("ip link add %s type veth peer name %s netns %s", aDev, bDev, b.name))
	a.run("ip link set " + aDev + " up")
	b.run("ip link set " + bDev + " up")
}

// lines are the commands of a text.
func lines(commands string) (list []string) {
	for line := range strings.Lines(commands) {
		list = append(list, strings.TrimSpace(line))
	}
	return list
}

// counter is one of the namespace's counters in /proc/net/snmp.
func (ns *kernelNS) counter(protocol, name string) int {
	ns.t.Helper()
	var names []string
	for line := range strings.Lines(ns.run("cat /proc/net/snmp")) {
		words := strings.Fields(line)
		switch {
		case words[0] != protocol+":":
		case names == nil:
			names = words
		default:
			n, err := strconv.Atoi(words[slices.Index(names, name)])
			if err != nil {
				ns.t.Fatal(err)
			}
			return n
		}
	}
	ns.t.Fatalf("no counter %s of %s", name, protocol)
	return 0
}

// await waits for a condition.
func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to %s", what)
		}
	}
}
