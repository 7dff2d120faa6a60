package netconf

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// host reads what identifies the machine. Its name is the kernel's where the node is this machine: /etc/hostname may have
// been changed since.
func (c *collector) host() facts.Group[facts.Host] {
	r := c.reading()
	line := func(name string) string {
		r.look(name)
		data, _ := r.file(name)
		for text := range strings.SplitSeq(string(data), "\n") {
			if text = strings.TrimSpace(text); text != "" && text[0] != '#' {
				return text
			}
		}
		return ""
	}
	host := facts.Host{MachineID: line("/etc/machine-id"), BootID: line("/proc/sys/kernel/random/boot_id")}
	if c.live() {
		var u unix.Utsname
		if err := unix.Uname(&u); err == nil {
			host.Kernel, host.Machine = unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
			r.read = append(r.read, "uname -a")
		}
		if name, err := os.Hostname(); err == nil {
			host.Hostname = name
		}
	} else {
		host.Hostname = line("/etc/hostname")
		host.Kernel = line("/proc/sys/kernel/osrelease")
		host.Machine = line("/proc/sys/kernel/arch")
	}
	for _, name := range []string{"/etc/os-release", "/usr/lib/os-release"} { // os-release(5)
		r.look(name)
		if data, ok := r.file(name); ok {
			host.OS = parseOSRelease(data)
			break
		}
	}
	return outcome(r, c.partial, host)
}

func parseOSRelease(data []byte) map[string]string {
	release := make(map[string]string)
	for _, a := range parseShell(data).assignments {
		release[a.name] = a.value
	}
	return release
}
