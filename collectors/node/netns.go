package node

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// capEnter is what setns(2) into a network namespace takes.
const capEnter = "CAP_SYS_ADMIN"

// inode identifies a namespace: all files of it in nsfs have the same.
type inode struct{ dev, ino uint64 }

func inodeOf(info os.FileInfo) (inode, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}, false
	}
	return inode{uint64(st.Dev), st.Ino}, true
}

// netns is a network namespace, kept by its open file.
type netns struct {
	file *os.File
	id   inode
	// prefix goes before a command that a person would run to see the same: "ip netns exec NAME ".
	prefix string
}

// openNetns opens a namespace's file. A file that is no namespace's (a name whose mount is gone) is an error.
func openNetns(path, prefix string) (*netns, error) {
	// Before it is opened: opening a device does things.
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return nil, fmt.Errorf("statfs %s: %w", path, err)
	}
	// Kernels before 3.19 had them in proc.
	if fs.Type != unix.NSFS_MAGIC && fs.Type != unix.PROC_SUPER_MAGIC {
		return nil, fmt.Errorf("%s is not a network namespace", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("stat network namespace: %w", err)
	}
	id, ok := inodeOf(info)
	if !ok {
		f.Close()
		return nil, fmt.Errorf("%s has no inode", path)
	}
	return &netns{file: f, id: id, prefix: prefix}, nil
}

// currentNetns is the calling thread's namespace. The caller's goroutine may be anywhere afterwards.
func currentNetns() (*netns, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// /proc/self is the first thread's, whatever thread asks.
	return openNetns("/proc/thread-self/ns/net", "")
}

func (n *netns) close() { n.file.Close() }

// source is the command that shows a fact of this namespace.
func (n *netns) source(format string, args ...any) facts.Source {
	return facts.Source(n.prefix + fmt.Sprintf(format, args...))
}

// do runs f on a thread that is in the namespace and waits for it. What f executes is in the namespace too; what it
// starts with go is not. A panic of f is an error: decoders of the netlink library index what the kernel sent unchecked.
func (n *netns) do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("internal: %v", p)
			}
			done <- err
		}()
		err = n.locked(f)
	}()
	return <-done
}

// locked enters the namespace with the calling thread. A thread that does not come back stays locked, and so ends with
// its goroutine. Where the thread is in the namespace already nothing is entered: that takes no capability.
func (n *netns) locked(f func() error) error {
	runtime.LockOSThread()
	home, err := openNetns("/proc/thread-self/ns/net", "")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.close()
	if home.id == n.id {
		defer runtime.UnlockOSThread()
		return f()
	}
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace %s: %w", n.file.Name(), err)
	}
	defer func() {
		if unix.Setns(int(home.file.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// shellWord quotes a word for a shell, where it needs it: a name that somebody chose goes into a command to copy.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("-_./:@%+,=", r) && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// fileSource is a file below /proc/net, as a person reads that of this namespace.
func (n *netns) fileSource(path string) facts.Source {
	if n.prefix == "" {
		return facts.Source(path)
	}
	return n.source("cat %s", path)
}
