package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// maxOutput bounds what a command may print; 150,000 rules are 13 MB of iptables-save and 41 MB of nft -j.
	maxOutput = 256 << 20
	// maxStderr bounds its messages.
	maxStderr = 1 << 20
	// commandTimeout bounds how long it may take. For the 150,000 rules of 10,000 Services iptables-nft-save 1.8.9 takes
	// about 15 s, nft 10 s.
	commandTimeout = 2 * time.Minute
	// maxCommands is how many run at a time, on the whole machine: they compete for the kernel's locks.
	maxCommands = 2
)

// commands finds and runs the programs that list what netlink would not give as text.
type commands struct {
	// dirs are where they are looked for after PATH: a user's often lacks the sbin ones.
	dirs []string
	// slots has a place for each command that may run now.
	slots chan struct{}
	// limit bounds what a command may print, in bytes.
	limit int
}

func newCommands() *commands {
	return &commands{
		dirs: []string{
			"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin",
			// k3s brings its own iptables, ipset and conntrack.
			"/var/lib/rancher/k3s/data/current/bin/aux",
		},
		slots: make(chan struct{}, maxCommands),
		limit: maxOutput,
	}
}

// find is the program's path, "" where it is not installed.
func (c *commands) find(name string) string {
	if path, err := exec.LookPath(name); err == nil && filepath.IsAbs(path) {
		return path
	}
	for _, dir := range c.dirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	return ""
}

// output is what a command printed.
type output struct {
	stdout []byte
	stderr string // trimmed
}

// run runs a program in a namespace to its end. An error has what the program wrote to standard error.
func (c *commands) run(ctx context.Context, n *netns, path string, args ...string) (output, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return output{}, stopped(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, commandTimeout, fmt.Errorf("%s did not end in %v", filepath.Base(path), commandTimeout))
	defer cancel()
	stdout := &boundedBuffer{limit: c.limit, onFull: cancel}
	stderr := &boundedBuffer{limit: maxStderr, onFull: cancel}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = 2 * time.Second
	err := n.do(cmd.Run)
	out := output{stdout.buffer.Bytes(), strings.TrimSpace(stderr.buffer.String())}
	switch {
	case err == nil:
		return out, nil
	case stdout.full || stderr.full:
		err = fmt.Errorf("more than %d bytes of output", c.limit)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	command := strings.Join(append([]string{filepath.Base(path)}, args...), " ")
	if out.stderr != "" {
		return out, fmt.Errorf("%s: %w: %s", command, err, out.stderr)
	}
	return out, fmt.Errorf("%s: %w", command, err)
}

// boundedBuffer takes limit bytes, and calls onFull for more. It has none of bytes.Buffer's other methods: io.Copy would
// read past Write with them.
type boundedBuffer struct {
	buffer bytes.Buffer
	limit  int
	full   bool
	onFull func()
}

var errFull = errors.New("too much output")

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.buffer.Len()+len(p) > b.limit {
		b.full = true
		b.onFull()
		return 0, errFull
	}
	return b.buffer.Write(p)
}
