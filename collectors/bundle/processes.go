package bundle

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/collectors/procps"
	"github.com/netcause/netcause/engine/facts"
)

// socketOwner is how ss (users:(("kubelet",pid=812,fd=20)), of netlink "rtnl:NetworkManager/856") and netstat (812/kubelet)
// name the process that has a socket.
var socketOwner = regexp.MustCompile(`pid=(\d+)|[a-z0-9]:[^\s/]+/(\d+)\s|\s(\d+)/\S`)

// socketOwners are the processes that have sockets of a network namespace. A process makes its sockets in the namespace that
// it is in (socket(2), network_namespaces(7)).
func (m *machine) socketOwners(netns string) map[int]bool {
	owners := map[int]bool{}
	for _, o := range append(m.all(netns, sockets), m.all(netns, netstatSockets)...) {
		for _, found := range socketOwner.FindAllSubmatch(o.text, -1) {
			for _, text := range found[1:] {
				if pid, err := strconv.Atoi(string(text)); err == nil && pid > 0 {
					owners[pid] = true
				}
			}
		}
	}
	return owners
}

// processes are those of ps. It does not tell in which network namespace a process is: the sockets do, where the bundle has
// them with their owners.
func (b *built) processes(n *facts.Node) {
	n.Processes = absent[[]facts.Process]("ps -ef")
	var best procps.Processes
	var of *output
	for _, o := range b.all("", processList) {
		p := procps.ParseProcesses(o.file, o.text)
		b.note(o, p.Unparsed, 0, "")
		switch whole := p.Root && p.Init; {
		case !whole && n.Processes.Sources == nil:
			why := o.file + " does not show the machine's first processes: it is a part, or of a container"
			if len(p.Items) == 0 && p.Unparsed.Count > 0 {
				why = said(o, "it is no list of processes")
			}
			n.Processes = facts.Unread[[]facts.Process](facts.Absent, why, facts.Source(o.file))
		case whole && (of == nil || argumentsOf(p) > argumentsOf(best)):
			best, of = p, o
		}
	}
	if of == nil {
		return
	}
	here, elsewhere := b.socketOwners(""), map[int]bool{}
	for _, ns := range n.Namespaces {
		for pid := range b.socketOwners(ns.ID) {
			elsewhere[pid] = true
		}
	}
	var unknown []string
	for i := range best.Items {
		p := &best.Items[i]
		p.HostNetwork = here[p.PID]
		if !here[p.PID] && !elsewhere[p.PID] && procps.IsNodeAgent(p.Comm) {
			unknown = append(unknown, fmt.Sprintf("%s (pid %d)", printable(p.Comm), p.PID))
		}
	}
	if len(unknown) > 0 {
		n.Processes = facts.Unread[[]facts.Process](facts.Absent, fmt.Sprintf("%s does not tell the network namespace of %s: ss -anp of the node does", of.file, few(unknown)), facts.Source(of.file))
		return
	}
	n.Processes = facts.ReadGroup(best.Items, facts.Source(of.file))
	if slices.ContainsFunc(best.Items, func(p facts.Process) bool { return !here[p.PID] }) {
		n.Processes.Reason = "in which network namespace one is, its sockets tell: of those without any that is not known"
	}
	if best.Unparsed.Count > 0 {
		n.Processes.Reason = joined(n.Processes.Reason, best.Unparsed.String())
	}
	of.used.facts("processes")
}

// argumentsOf is how much a list says of the programs' command lines.
func argumentsOf(p procps.Processes) int {
	n := 0
	for _, item := range p.Items {
		n += 1 + len(strings.Join(item.Args, " "))
	}
	return n
}
