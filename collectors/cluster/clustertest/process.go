package clustertest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// process is a child process in a process group of its own, whose output goes to a file.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it ended
}

func onPath(tool string) bool {
	_, err := exec.LookPath(tool)
	return err == nil
}

// startProcess starts a tool. It ends with kill, and by the kernel's doing when the test binary ends without a cleanup
// (a panic, a timeout, SIGKILL).
func startProcess(dir, tool string, args ...string) (*process, error) {
	p := &process{log: filepath.Join(dir, tool+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(tool, args...)
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	started := make(chan error)
	go func() {
		// Pdeathsig is sent when the thread that forked ends (prctl(2)), so that thread waits for the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in its log
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", tool, err)
	}
	return p, nil
}

// waitFor polls ready until it gives nil, the process ends or ctx does.
func (p *process) waitFor(ctx context.Context, ready func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", p.cmd.Path, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: %s", p.cmd.Path, err, p.tail())
		case <-tick.C:
		}
	}
}

// tail is the end of its output.
func (p *process) tail() []byte {
	const most = 4 << 10
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-most):])
}

// kill ends the process group at once: nothing of it is kept.
func (p *process) kill() {
	if p == nil {
		return
	}
	select {
	case <-p.done: // its id may be somebody else's by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may end meanwhile
		<-p.done
	}
}
