package node

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// kernelModules knows which parts of the kernel are there. Asking the kernel for a part that is not loaded makes it load
// it (request_module), which diagnosing must not do: so each part is looked for before it is asked.
type kernelModules struct {
	// root is where /lib/modules is.
	root string

	once    sync.Once
	builtin []byte // modules.builtin of the running kernel
	symbols []byte // /proc/kallsyms, where there is no modules.builtin
}

// kernelPart is a module, and a symbol by which it is known where it is built in.
type kernelPart struct{ module, symbol string }

var (
	partNFTables  = kernelPart{"nf_tables", "nf_tables_newtable"}
	partIPSet     = kernelPart{"ip_set", "ip_set_create"}
	partCtnetlink = kernelPart{"nf_conntrack_netlink", "ctnetlink_new_conntrack"}
	partTCPDiag   = kernelPart{"tcp_diag", "tcp_diag_dump"}
	partUDPDiag   = kernelPart{"udp_diag", "udp_diag_dump"}
)

// presence says whether a part of the kernel is there.
type presence int

const (
	unknown presence = iota // nothing readable tells
	missing
	present
)

func (k *kernelModules) read() {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err == nil {
		release := unix.ByteSliceToString(uts.Release[:])
		k.builtin, _ = os.ReadFile(filepath.Join(k.root, "/lib/modules", release, "modules.builtin"))
	}
	if len(k.builtin) == 0 {
		k.symbols, _ = os.ReadFile("/proc/kallsyms")
	}
}

// has says whether the part is loaded or built in.
func (k *kernelModules) has(part kernelPart) presence {
	// Modules that are loaded are here; of those built in, the ones with parameters.
	if _, err := os.Stat("/sys/module/" + part.module); err == nil {
		return present
	}
	k.once.Do(k.read)
	switch {
	case len(k.builtin) > 0:
		if builtin(k.builtin, part.module) {
			return present
		}
	case len(k.symbols) > 0:
		if bytes.Contains(k.symbols, []byte(" "+part.symbol+"\n")) {
			return present
		}
	default:
		return unknown
	}
	return missing
}

// builtin looks for a module in the lines of modules.builtin: "kernel/net/ipv4/tcp_diag.ko".
func builtin(list []byte, module string) bool {
	for line := range bytes.Lines(list) {
		name := strings.TrimSuffix(path.Base(strings.TrimSpace(string(line))), ".ko")
		if strings.ReplaceAll(name, "-", "_") == module {
			return true
		}
	}
	return false
}
