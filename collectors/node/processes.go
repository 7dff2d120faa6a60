package node

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/collectors/procps"
	"github.com/netcause/netcause/engine/facts"
)

const (
	// maxProcesses bounds the processes looked at, more than a PID takes (PID_MAX_LIMIT is 4194304) on a real node.
	maxProcesses = 500_000
	// argsMax bounds one process's arguments in bytes.
	argsMax = 256 << 10
)

// process is a process of the machine.
type process struct {
	pid  int
	comm string
	// netns is that of its first thread; zero where it could not be read.
	netns inode
	// netnsErr is why not.
	netnsErr error
}

// listProcesses lists all processes that can be seen.
func listProcesses() ([]process, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var list []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || len(list) == maxProcesses {
			continue
		}
		comm, err := readBounded(filepath.Join("/proc", name, "comm"), 256)
		if err != nil {
			continue // it has ended, or is not to be seen
		}
		p := process{pid: pid, comm: strings.TrimSuffix(string(comm), "\n")}
		info, err := os.Stat(filepath.Join("/proc", name, "ns/net"))
		switch {
		case err != nil:
			p.netnsErr = err
		default:
			p.netns, _ = inodeOf(info)
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b process) int { return cmp.Compare(a.pid, b.pid) })
	return list, nil
}

// networkProcesses are the processes of the list that have to do with the network of this node: those in the host's
// namespace or in one of its Pods'. Where several hosts share a kernel, as in a lab, the others' are in neither.
func networkProcesses(list []process, host inode, pods map[inode]bool) ([]facts.Process, error) {
	found := []facts.Process{}
	var unknown []string
	for _, p := range list {
		args, kernel := arguments(p.pid)
		if kernel || !procps.IsNetworkProgram(p.comm, args) {
			continue
		}
		switch {
		case p.netnsErr != nil:
			if errors.Is(p.netnsErr, fs.ErrPermission) {
				unknown = append(unknown, fmt.Sprintf("%s (pid %d)", p.comm, p.pid))
			}
			continue
		case p.netns != host && !pods[p.netns]:
			continue
		}
		found = append(found, facts.Process{
			PID: p.pid, Comm: p.comm, Args: procps.MaskArguments(args), HostNetwork: p.netns == host,
			Source: facts.Source(fmt.Sprintf("ps -fp %d", p.pid)),
		})
	}
	switch {
	case len(unknown) > 0:
		return nil, fmt.Errorf("read the network namespace of %s: %w", strings.Join(unknown, ", "), fs.ErrPermission)
	case len(found) == 0:
		return found, blindness(list)
	}
	return found, nil
}

// blindness is why none of the processes may have been found though they run: no knowledge, then.
func blindness(list []process) error {
	if !slices.ContainsFunc(list, func(p process) bool { return p.pid == 1 }) {
		return fmt.Errorf("list processes of other users (/proc is mounted with hidepid): %w", fs.ErrPermission)
	}
	// PROC_PID_INIT_INO of include/linux/proc_ns.h: the first PID namespace.
	info, err := os.Stat("/proc/self/ns/pid")
	if err != nil {
		return nil
	}
	if id, ok := inodeOf(info); ok && id.ino != 0xEFFFFFFC {
		return &absent{"none found, and this is a PID namespace of its own: the node's processes are not seen from it (hostPID: true)"}
	}
	return nil
}

// arguments are a process's, and whether it is a thread of the kernel, which has none.
func arguments(pid int) (args []string, kernel bool) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	b := make([]byte, argsMax)
	n := 0
	for n < len(b) {
		m, err := f.Read(b[n:])
		n += m
		if m == 0 || err != nil {
			break
		}
	}
	if n == 0 {
		return nil, true
	}
	return strings.Split(strings.TrimRight(string(b[:n]), "\x00"), "\x00"), false
}

// podUID finds the Pod's UID in a cgroup's path, in the form of the cgroupfs driver ("/kubepods/burstable/podUID/…") or
// of systemd's ("…/kubepods-burstable-podUID.slice/…", dashes as underscores). Static Pods have the hash of their file.
var podUID = regexp.MustCompile(`kubepods[^\n]*[/-]pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})`)

// podOf is the UID of the Pod that a process belongs to by its cgroup, or "".
func podOf(pid int) string {
	b, err := readBounded(fmt.Sprintf("/proc/%d/cgroup", pid), 64<<10)
	if err != nil {
		return ""
	}
	return cgroupPodUID(string(b))
}

func cgroupPodUID(cgroup string) string {
	m := podUID.FindStringSubmatch(cgroup)
	if m == nil {
		return ""
	}
	return strings.ReplaceAll(m[1], "_", "-")
}
