// Package nettest makes network namespaces for tests: real ones of the running kernel, with unique names, gone at the
// end of the test. A test that asks for one is skipped without root, since unshare(2) and setns(2) need CAP_SYS_ADMIN.
//
//	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
//	nettest.Veth(t, n1, "eth0", n2, "eth0")
//	n1.Run(t, "ip", "address", "add", "10.0.0.1/24", "dev", "eth0")
//	n1.Do(t, func() { … }) // on a thread that is in n1
package nettest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// NS is a network namespace that `ip netns` knows by its name.
type NS struct {
	// Name is that of the file in /run/netns.
	Name string
}

// NeedRoot skips the test where it does not run as root.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// NeedTool skips the test where one of the programs is not installed.
func NeedTool(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("needs tool " + name)
		}
	}
}

// Namespace makes a namespace whose loopback is up. It goes with the test, and with it the devices that are in it then.
func Namespace(t testing.TB) *NS {
	t.Helper()
	NeedRoot(t)
	NeedTool(t, "ip")
	var id [4]byte
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatalf("name a network namespace: %v", err)
	}
	ns := &NS{Name: "nettest-" + hex.EncodeToString(id[:])}
	if out, err := exec.Command("ip", "netns", "add", ns.Name).CombinedOutput(); err != nil {
		t.Fatalf("ip netns add %s: %v: %s", ns.Name, err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", ns.Name).CombinedOutput(); err != nil {
			t.Errorf("ip netns delete %s: %v: %s", ns.Name, err, out)
		}
	})
	ns.Run(t, "ip", "link", "set", "lo", "up")
	return ns
}

// Path is the namespace's file.
func (ns *NS) Path() string { return filepath.Join("/run/netns", ns.Name) }

// Do calls f on a thread that is in the namespace. What f starts with go is not; what it executes is. f may end the test.
func (ns *NS) Do(t testing.TB, f func()) {
	t.Helper()
	runtime.LockOSThread()
	// The thread's own file: /proc/self is the first thread's.
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		t.Fatalf("open this thread's network namespace: %v", err)
	}
	if err := ns.enter(); err != nil {
		home.Close()
		runtime.UnlockOSThread()
		t.Fatalf("enter network namespace %s: %v", ns.Name, err)
	}
	defer func() {
		defer home.Close()
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			// The thread stays locked, so that it ends with its goroutine and nobody else runs on it.
			t.Errorf("leave network namespace %s: %v", ns.Name, err)
			return
		}
		runtime.UnlockOSThread()
	}()
	f()
}

func (ns *NS) enter() error {
	f, err := os.Open(ns.Path())
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
}

// Run runs a program in the namespace to its end and returns its standard output. The test ends where it fails.
func (ns *NS) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := ns.Try(t, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Try is [NS.Run] for a program that may fail: the error has the command and what it wrote to standard error.
func (ns *NS) Try(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var err error
	ns.Do(t, func() { err = cmd.Run() })
	if err != nil {
		err = fmt.Errorf("%s: %s: %w: %s", ns.Name, strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), err
}

// Start starts cmd in the namespace. It is killed and waited for at the end of the test, where it still runs.
func (ns *NS) Start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	var err error
	ns.Do(t, func() { err = cmd.Start() })
	if err != nil {
		t.Fatalf("%s: %s: %v", ns.Name, strings.Join(cmd.Args, " "), err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("kill %s: %v", cmd.Path, err)
		}
		_ = cmd.Wait() // how a killed program ended says nothing
	})
}

// Veth joins two namespaces by a pair of veth devices, up. The names may be the same.
func Veth(t testing.TB, a *NS, aName string, b *NS, bName string) {
	t.Helper()
	a.Run(t, "ip", "link", "add", aName, "type", "veth", "peer", "name", bName, "netns", b.Name)
	a.Run(t, "ip", "link", "set", aName, "up")
	b.Run(t, "ip", "link", "set", bName, "up")
}

// WaitFor waits until condition holds, for a quarter of a minute at most.
func WaitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for pause := time.Millisecond; !condition(); pause = min(2*pause, 100*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 15 s in vain for %s", what)
		}
		runtime.Gosched()
		time.Sleep(pause)
	}
}
