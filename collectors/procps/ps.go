package procps

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// Processes are what `ps` says.
type Processes struct {
	// Items are the programs that have to do with the network, each once, by the names of facts. HostNetwork is false: ps does
	// not tell network namespaces. Args are nil where the text has programs' names alone.
	Items []facts.Process
	// Root: the kernel's own threads are among them, so these are the machine's processes and not those of a container.
	Root bool
	// Init: the first process is among them, so the text was not cut at its beginning, nor are other users' hidden.
	Init     bool
	Unparsed lines.Unparsed
}

// maxProcesses bounds what is kept of one text.
const maxProcesses = 10_000

// ParseProcesses reads the output of ps(1) of procps or BusyBox in any format that has a PID and, as its last column, the
// command line: `ps aux`, `ps -ef`, `ps alxwww`, with threads (-L, m) and with the tree of f.
func ParseProcesses(name string, text []byte) Processes {
	p := Processes{Items: []facts.Process{}}
	columns, pidColumn := 0, -1
	names := false // a kernel's thread without its brackets: the text has names alone
	seen := map[int]bool{}
	for n, line := range lines.All(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
			continue
		case pidColumn < 0 && IsProcessHeader(line):
			columns, pidColumn = len(f), slices.Index(f, "PID")
			continue
		case pidColumn < 0 || len(f) < columns:
			p.Unparsed.Add(n, line)
			continue
		case f[pidColumn] == "-": // a thread (m)
			continue
		}
		pid, err := strconv.Atoi(f[pidColumn])
		if err != nil || pid <= 0 {
			p.Unparsed.Add(n, line)
			continue
		}
		args := f[columns-1:]
		for len(args) > 1 && (args[0] == "|" || args[0] == `\_`) {
			args = args[1:]
		}
		if seen[pid] {
			continue // a thread (-L)
		}
		seen[pid] = true
		p.Init = p.Init || pid == 1
		p.Root = p.Root || pid == 2 && strings.Trim(args[0], "[]") == "kthreadd"
		if strings.HasPrefix(args[0], "[") {
			continue // a thread of the kernel, or a process that has ended
		}
		names = names || args[0] == "kthreadd"
		comm := commOf(args)
		if !IsNetworkProgram(comm, args) || len(p.Items) == maxProcesses {
			continue
		}
		p.Items = append(p.Items, facts.Process{PID: pid, Comm: comm, Args: MaskArguments(args), Source: facts.FileLine(name, n)})
	}
	if names {
		for i := range p.Items {
			p.Items[i].Args = nil
		}
	}
	return p
}

// IsProcessHeader says whether a line names the columns of a listing of processes that can be read.
func IsProcessHeader(line string) bool {
	f := strings.Fields(line)
	if len(f) < 2 || len(f) > 40 {
		return false
	}
	pid := slices.Index(f, "PID")
	return pid >= 0 && pid < len(f)-1 && slices.Contains([]string{"COMMAND", "CMD"}, f[len(f)-1])
}

// commOf is the name that the kernel has for a process: its program's, or that of the script that an interpreter runs.
func commOf(args []string) string {
	comm := strings.TrimSuffix(path.Base(args[0]), ":")
	if interpreter := strings.TrimRight(comm, "0123456789."); slices.Contains([]string{"python", "platform-python", "perl", "sh", "bash", "dash"}, interpreter) {
		for _, arg := range args[1:] {
			if !strings.HasPrefix(arg, "-") {
				if script := path.Base(arg); programs[script] {
					comm = script
				}
				break
			}
		}
	}
	return comm[:min(len(comm), commMax)]
}
