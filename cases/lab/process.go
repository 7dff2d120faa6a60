package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processID is a process, and no other that later has its number.
type processID struct {
	PID int `json:"pid"`
	// Start is field 22 of /proc/PID/stat: when it started, in clock ticks since the machine did (proc_pid_stat(5)).
	Start uint64 `json:"start"`
}

func identify(pid int) (processID, error) {
	start, err := startTime(pid)
	return processID{pid, start}, err
}

func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may have blanks and parentheses itself.
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	fields := strings.Fields(rest)
	const start = 22 - 3
	if len(fields) <= start {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	return strconv.ParseUint(fields[start], 10, 64)
}

func (p processID) alive() bool {
	start, err := startTime(p.PID)
	return err == nil && start == p.Start
}

// end kills the process, unless it has ended, and waits until it is gone, and with it, where it was the first process of a
// PID namespace, all others of that.
func (p processID) end(ctx context.Context) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	} else if err != nil {
		return err
	}
	defer unix.Close(fd)
	// The number cannot have been given to another since it is held.
	if !p.alive() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("process %d does not end: %w", p.PID, err)
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int((200 * time.Millisecond).Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n > 0 {
			return nil
		}
	}
}

func notifyChildren(c chan<- os.Signal) { signal.Notify(c, syscall.SIGCHLD) }

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
