package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/collectors/netconf"
	"github.com/netcause/netcause/engine/facts"
)

const (
	resolvConfPath = "etc/resolv.conf"
	maxResolvConf  = 64 << 10
	// maxAsked bounds the processes of a namespace that are asked.
	maxAsked = 5
)

// setResolvConfs reads what the programs in each namespace have as resolv.conf. It is a file of their mount namespace, so
// it is read by way of a process: one of a container, and the Pod's own (pause) where there is no other.
func setResolvConfs(namespaces []*facts.Namespace, pods podNamespaces, processes []process) {
	in := map[inode][]process{}
	for _, p := range processes {
		if p.netnsErr == nil {
			in[p.netns] = append(in[p.netns], p)
		}
	}
	for i, ns := range namespaces {
		ns.ResolvConf = resolvConfIn(in[pods[i].id])
	}
}

func resolvConfIn(processes []process) facts.Group[facts.ResolvConf] {
	var order []process
	for _, pause := range []bool{false, true} {
		for _, p := range processes {
			if (p.comm == "pause") == pause && len(order) < maxAsked {
				order = append(order, p)
			}
		}
	}
	group := facts.Unread[facts.ResolvConf](facts.Absent, "no process runs in the network namespace")
	for _, p := range order {
		text, err := readInRoot(p.pid, resolvConfPath)
		source := facts.Source(fmt.Sprintf("nsenter -t %d -m cat /%s", p.pid, resolvConfPath))
		switch {
		case err == nil:
			conf, _ := netconf.ParseResolvConf("/"+resolvConfPath, text)
			conf.Source = source
			for i := range conf.Nameservers {
				conf.Nameservers[i].Source = source
			}
			group = facts.ReadGroup(conf, source)
			group.Raw = []facts.Raw{{Name: resolvConfPath, Data: text}}
			return group
		case errors.Is(err, fs.ErrPermission):
			group = facts.Unread[facts.ResolvConf](facts.Denied, needs("CAP_SYS_PTRACE", err), source)
		case errors.Is(err, fs.ErrNotExist):
			group = facts.Unread[facts.ResolvConf](facts.Absent, "a process there has no "+resolvConfPath, source)
		default:
			group = facts.Fail[facts.ResolvConf](err, source)
		}
	}
	return group
}

// readInRoot reads a regular file as a process sees it: links in it lead within its root and never out of it.
func readInRoot(pid int, path string) ([]byte, error) {
	root, err := os.Open(fmt.Sprintf("/proc/%d/root", pid))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(int(root.Fd()), path, &how)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: fmt.Sprintf("/proc/%d/root/%s", pid, path), Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("/proc/%d/root/%s is no regular file", pid, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxResolvConf+1))
	if err == nil && len(text) > maxResolvConf {
		err = fmt.Errorf("read /proc/%d/root/%s: more than %d bytes", pid, path, maxResolvConf)
	}
	return text, err
}
