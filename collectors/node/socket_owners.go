package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxDescriptors bounds the open files that are looked at for sockets.
const maxDescriptors = 4_000_000

type socketOwner struct {
	pid  int
	comm string
}

// socketOwners finds the process of a socket by its inode: a socket in /proc/PID/fd is a link to "socket:[INODE]".
type socketOwners struct {
	byInode map[uint64]socketOwner
	// reason says of which processes the files could not be seen, if any.
	reason string
}

func (o *socketOwners) of(inode uint64) (socketOwner, bool) {
	p, ok := o.byInode[inode]
	return p, ok && inode != 0
}

// findSocketOwners looks through all processes once. Where several have the same socket, it is the first one's.
func findSocketOwners(processes []process) *socketOwners {
	o := &socketOwners{byInode: map[uint64]socketOwner{}}
	deniedCount, seen := 0, 0
	for _, p := range processes {
		dir := filepath.Join("/proc", strconv.Itoa(p.pid), "fd")
		d, err := os.Open(dir)
		if err != nil {
			if errors.Is(err, os.ErrPermission) {
				deniedCount++
			}
			continue
		}
		names, _ := d.Readdirnames(maxDescriptors)
		d.Close()
		for _, name := range names {
			if seen++; seen > maxDescriptors {
				o.reason = fmt.Sprintf("processes of sockets: among the first %d open files only", maxDescriptors)
				return o
			}
			target, err := os.Readlink(dir + "/" + name)
			if err != nil {
				continue
			}
			number, ok := strings.CutPrefix(target, "socket:[")
			if !ok {
				continue
			}
			inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
			if err != nil {
				continue
			}
			if _, taken := o.byInode[inode]; !taken {
				o.byInode[inode] = socketOwner{p.pid, p.comm}
			}
		}
	}
	if deniedCount > 0 {
		o.reason = fmt.Sprintf("processes of sockets: the open files of %d processes need CAP_SYS_PTRACE", deniedCount)
	}
	return o
}
