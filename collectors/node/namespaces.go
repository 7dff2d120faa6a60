package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

const (
	// maxNamespaces bounds the namespaces that are collected; the kubelet's own bound of Pods is 110 by default.
	maxNamespaces = 512
	// maxNames bounds the files looked at in one directory.
	maxNames = 16384
)

// podNamespace is a network namespace of this node beside the host's.
type podNamespace struct {
	*netns
	// name is its base name in /run/netns, or "pid-N".
	name    string
	path    string
	foundBy string
	pod     *facts.PodReference
}

type podNamespaces []podNamespace

func (p podNamespaces) close() {
	for _, n := range p {
		n.close()
	}
}

func (p podNamespaces) ids() []string {
	ids := make([]string, len(p))
	for i, n := range p {
		ids[i] = n.name
	}
	return ids
}

func (p podNamespaces) inodes() map[inode]bool {
	set := make(map[inode]bool, len(p))
	for _, n := range p {
		set[n.id] = true
	}
	return set
}

// finder gathers namespaces from several places, each once.
type finder struct {
	c     *collector
	found podNamespaces
	at    map[inode]int // index in found
	stale []string
	// hidden is a permission without which there may be more.
	hidden error
}

// findNamespaces finds the network namespaces of this node's Pods:
//
//   - those that the CNI results or a process's cgroup say are a Pod's, unless all that joins them to others by veth (or
//     netkit) leads elsewhere than to the host's;
//   - those with a name that are joined to the host's by a veth, unless that is an uplink: the host has a gateway behind
//     its end, or the other end is a port of a bridge.
//
// This is for where several hosts share a kernel, its files and its processes, as in a lab: another host's Pods are in
// the CNI results too, and another host or the switch between them are namespaces with names like any Pod's.
//
// An error of type incomplete says what else there is.
func (c *collector) findNamespaces(ctx context.Context, processes []process, hostRoutes []facts.Route) (podNamespaces, error) {
	f := &finder{c: c, at: map[inode]int{}}
	f.named()
	f.ofProcesses(processes)
	f.cniResults()
	own, others, err := f.own(ctx, hostRoutes)
	if err != nil {
		return own, err
	}
	var reasons []string
	if others > 0 {
		reasons = append(reasons, fmt.Sprintf("%d other network namespaces are not those of this node's Pods", others))
	}
	if len(f.stale) > 0 {
		reasons = append(reasons, fmt.Sprintf("%d names in /run/netns are of no namespace: %s", len(f.stale), strings.Join(firstFew(f.stale), ", ")))
	}
	if len(own) > maxNamespaces {
		reasons = append(reasons, fmt.Sprintf("the first %d of %d network namespaces", maxNamespaces, len(own)))
		own[maxNamespaces:].close()
		own = own[:maxNamespaces]
	}
	switch {
	case f.hidden != nil:
		return own, fmt.Errorf("find network namespaces: %w", f.hidden)
	case len(reasons) > 0:
		return own, &incomplete{strings.Join(reasons, "; ")}
	}
	return own, nil
}

func firstFew(list []string) []string {
	if len(list) > 5 {
		return append(list[:5:5], "…")
	}
	return list
}

// path is a file of the node's below the root. /var/run is a link to /run, which would lead out of the root.
func (f *finder) path(path string) string {
	path = filepath.Clean(path)
	if rest, ok := strings.CutPrefix(path, "/var/run/"); ok {
		path = "/run/" + rest
	}
	if strings.HasPrefix(path, "/proc/") {
		return path
	}
	return filepath.Join("/", f.c.root, path)
}

// add adds a namespace, unless it is there, and returns its place. ok is false for the host's own.
func (f *finder) add(path, name, prefix, foundBy string) (p *podNamespace, ok bool, err error) {
	n, err := openNetns(f.path(path), prefix)
	if err != nil {
		return nil, false, err
	}
	if n.id == f.c.host.id {
		n.close()
		return nil, false, nil
	}
	if i, there := f.at[n.id]; there {
		n.close()
		return &f.found[i], true, nil
	}
	f.at[n.id] = len(f.found)
	f.found = append(f.found, podNamespace{netns: n, name: name, path: path, foundBy: foundBy})
	return &f.found[len(f.found)-1], true, nil
}

// named adds the namespaces that `ip netns` and the container runtimes keep.
func (f *finder) named() {
	for _, name := range f.list("/run/netns") {
		_, _, err := f.add("/run/netns/"+name, name, "ip netns exec "+shellWord(name)+" ", "/var/run/netns")
		switch {
		case errors.Is(err, fs.ErrPermission):
			f.hidden = err
		case err != nil:
			f.stale = append(f.stale, name)
		}
	}
}

// list lists a directory's names; a directory that is not there has none.
func (f *finder) list(dir string) []string {
	d, err := os.Open(f.path(dir))
	if err == nil {
		defer d.Close()
		var names []string
		if names, err = d.Readdirnames(maxNames); len(names) > 0 {
			return names
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		f.hidden = err
	}
	return nil
}

// cniResults adds the namespaces of the CNI results, and their Pods' names.
func (f *finder) cniResults() {
	const dir = "/var/lib/cni/results"
	for _, name := range f.list(dir) {
		text, err := readBounded(f.path(dir+"/"+name), maxCNIResult)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				f.hidden = err
			}
			continue
		}
		result, err := parseCNIResult(text)
		if err != nil || result.netns == "" {
			continue // written by a libcni that did not keep the namespace, or being written
		}
		base := filepath.Base(result.netns)
		prefix := "ip netns exec " + shellWord(base) + " "
		if filepath.Dir(f.path(result.netns)) != f.path("/run/netns") {
			prefix = "nsenter --net=" + shellWord(result.netns) + " "
		}
		// A result whose namespace is gone is of a Pod that is gone.
		p, ok, err := f.add(result.netns, base, prefix, "cni-results")
		if err != nil || !ok || result.pod == nil {
			continue
		}
		if p.pod != nil && result.pod.UID == "" {
			result.pod.UID = p.pod.UID
		}
		p.pod = result.pod
	}
}

// ofProcesses adds the namespaces of processes whose cgroup is a Pod's.
func (f *finder) ofProcesses(processes []process) {
	for _, p := range processes {
		if p.netnsErr != nil {
			if errors.Is(p.netnsErr, fs.ErrPermission) && podOf(p.pid) != "" {
				f.hidden = p.netnsErr
			}
			continue
		}
		if p.netns == f.c.host.id {
			continue
		}
		if i, there := f.at[p.netns]; there && f.found[i].pod != nil {
			continue
		}
		uid := podOf(p.pid)
		if uid == "" {
			continue
		}
		path := fmt.Sprintf("/proc/%d/ns/net", p.pid)
		found, ok, err := f.add(path, fmt.Sprintf("pid-%d", p.pid), fmt.Sprintf("nsenter -t %d -n ", p.pid), "/proc")
		if err == nil && ok {
			found.pod = &facts.PodReference{UID: uid}
		}
	}
}

// own keeps the namespaces that are this node's and counts the others.
func (f *finder) own(ctx context.Context, hostRoutes []facts.Route) (own podNamespaces, others int, err error) {
	ends, err := f.hostEnds(uplinks(hostRoutes))
	if err != nil {
		f.found.close()
		return nil, 0, err
	}
	for i, p := range f.found {
		if stopped(ctx) == nil && isPods(p, ends[i]) {
			own = append(own, p)
			continue
		}
		others++
		p.close()
	}
	return own, others, nil
}

// uplinks are the devices that lead to a gateway.
func uplinks(routes []facts.Route) map[string]bool {
	devs := map[string]bool{}
	for _, r := range routes {
		if r.Type == "unicast" && r.Via.IsValid() {
			devs[r.Dev] = true
		}
		for _, hop := range r.Nexthops {
			if hop.Via.IsValid() {
				devs[hop.Dev] = true
			}
		}
	}
	return devs
}

// hostEnd is a device of the host's whose other end is in another namespace.
type hostEnd struct {
	ifindex, peer int
	uplink        bool
}

// hostEnds finds for each namespace found the host's devices that have their other end there: the host knows a
// namespace's id (RTM_GETNSID) where there are any.
func (f *finder) hostEnds(uplinks map[string]bool) ([][]hostEnd, error) {
	ends := make([][]hostEnd, len(f.found))
	err := f.c.host.do(func() error {
		conn, err := dial()
		if err != nil {
			return err
		}
		defer conn.close()
		messages, err := conn.linkMessages()
		if err != nil && !errors.Is(err, errInterrupted) {
			return fmt.Errorf("read devices: %w", err)
		}
		byNetnsid := map[int][]hostEnd{}
		for _, m := range messages {
			if m.isPair() && m.netnsid != nil {
				a := m.Attrs()
				byNetnsid[*m.netnsid] = append(byNetnsid[*m.netnsid], hostEnd{a.Index, a.ParentIndex, uplinks[a.Name]})
			}
		}
		for i, p := range f.found {
			// An id that is not known is -1, and an error is that of a namespace that nobody can ask about.
			if id, err := conn.handle.GetNetNsIdByFd(int(p.file.Fd())); err == nil && id >= 0 {
				ends[i] = byNetnsid[id]
			}
		}
		return nil
	})
	return ends, err
}

// isPods says whether a namespace is one of this node's Pods, given the host's ends of what joins the two.
func isPods(p podNamespace, ends []hostEnd) bool {
	if p.pod != nil && len(ends) > 0 {
		return true
	}
	pairs, err := p.pairs()
	if p.pod != nil {
		// Joined by no veth at all (macvlan, a network card of its own), or nobody may look.
		return err != nil || len(pairs) == 0
	}
	for _, end := range ends {
		port := slices.ContainsFunc(pairs, func(m linkMessage) bool {
			return m.Attrs().Index == end.peer && m.Attrs().ParentIndex == end.ifindex && m.Attrs().MasterIndex != 0
		})
		if !end.uplink && !port {
			return true
		}
	}
	return false
}

// pairs are the namespace's devices whose other end is in another one.
func (p podNamespace) pairs() ([]linkMessage, error) {
	var pairs []linkMessage
	err := p.do(func() error {
		conn, err := dial()
		if err != nil {
			return err
		}
		defer conn.close()
		messages, err := conn.linkMessages()
		for _, m := range messages {
			if m.isPair() && m.netnsid != nil {
				pairs = append(pairs, m)
			}
		}
		if errors.Is(err, errInterrupted) {
			return nil
		}
		return err
	})
	return pairs, err
}

// isPair says whether the device is one of two that are joined.
func (m linkMessage) isPair() bool { return m.kind == "veth" || m.kind == "netkit" }
