// Package node collects the facts of a live Linux node from its kernel: links, addresses, routes, rules, neighbours,
// forwarding databases, sysctls, listeners, connection tracking and netfilter of the host's network namespace and of its
// Pods', and the processes that carry the network.
//
// It only reads. In particular it does not make the kernel load a module or create a table: what is not loaded is known
// to be empty, without asking (see kernelModules and netfilter).
package node

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/netcause/netcause/collectors/netconf"
	"github.com/netcause/netcause/engine/facts"
)

// Options are what to collect from where.
type Options struct {
	// Root is where the node's /etc, /lib, /run and /var are, "" for "/": a collector in a container has them mounted
	// there. /proc and /sys are always the own ones, so such a container needs the host's network and PID namespaces.
	Root string
	// Name is the node's name, "" for the host's.
	Name string
}

// maxNamespacesAtOnce is how many namespaces are read at a time.
const maxNamespacesAtOnce = 4

// Collect reads the node. The host's network namespace is the one that the calling thread is in, which is the process's
// unless somebody moved the thread: `ip netns exec NAME` makes another host of it.
//
// It never fails as a whole: what could not be read has its reason in its group. It ends early when ctx does; the groups
// that are missing then say so.
func Collect(ctx context.Context, opts Options) *facts.Node {
	n := &facts.Node{Name: opts.Name}
	if n.Name == "" {
		n.Name, _ = os.Hostname()
	}
	host, err := currentNetns()
	if err != nil {
		setAll(n.NetNS.Groups(), statusOf(err), err.Error())
		setAll([]facts.NamedGroup{{Name: "processes", Group: &n.Processes}, {Name: "namespaces", Group: &n.NamespaceList}},
			statusOf(err), err.Error())
		return n
	}
	defer host.close()

	processes, processErr := listProcesses()
	c := &collector{
		root:     opts.Root,
		host:     host,
		modules:  &kernelModules{root: opts.Root},
		commands: newCommands(),
		owners:   findSocketOwners(processes),
	}
	n.NetNS = c.netns(ctx, host)

	pods, err := c.findNamespaces(ctx, processes, n.Routes.Value)
	defer pods.close()
	n.NamespaceList = group(pods.ids(), err, "CAP_SYS_ADMIN and CAP_SYS_PTRACE", "/run/netns", "/var/lib/cni/results", "/proc/[pid]/ns/net")
	n.Namespaces = c.namespaces(ctx, pods)
	setResolvConfs(n.Namespaces, pods, processes)

	if processErr == nil {
		found, err := networkProcesses(processes, host.id, pods.inodes())
		n.Processes = group(found, err, "CAP_SYS_PTRACE", "ps -ef")
	} else {
		n.Processes = facts.Fail[[]facts.Process](processErr, "ps -ef")
	}
	netconf.Collect(ctx, n, netconf.Options{Root: opts.Root})
	return n
}

// collector is what the parts of one collection share.
type collector struct {
	root     string
	host     *netns
	modules  *kernelModules
	commands *commands
	owners   *socketOwners
}

// namespaces reads the namespaces, a few at a time, in their order.
func (c *collector) namespaces(ctx context.Context, pods podNamespaces) []*facts.Namespace {
	list := make([]*facts.Namespace, len(pods))
	var g errgroup.Group
	g.SetLimit(maxNamespacesAtOnce)
	for i, p := range pods {
		g.Go(func() error {
			list[i] = &facts.Namespace{ID: p.name, Path: p.path, Pod: p.pod, FoundBy: p.foundBy, NetNS: c.netns(ctx, p.netns)}
			return nil
		})
	}
	_ = g.Wait() // the groups have the errors
	return list
}

// netns reads one namespace.
func (c *collector) netns(ctx context.Context, n *netns) facts.NetNS {
	var out facts.NetNS
	if err := n.do(func() error { return nil }); err != nil {
		reason := err.Error()
		if denied(err) {
			reason = needs(capEnter, err)
		}
		setAll(out.Groups(), statusOf(err), reason)
		return out
	}
	var g errgroup.Group
	g.Go(func() error {
		c.kernel(ctx, n, &out)
		return nil
	})
	g.Go(func() error {
		c.netfilter(ctx, n, &out)
		return nil
	})
	_ = g.Wait() // the groups have the errors
	return out
}

// kernel reads what netlink and /proc give, on a thread that is in the namespace.
func (c *collector) kernel(ctx context.Context, n *netns, out *facts.NetNS) {
	err := n.do(func() error {
		conn, err := dial()
		if err != nil {
			return err
		}
		defer conn.close()
		return c.kernelGroups(ctx, n, conn, out)
	})
	if err != nil {
		setAll([]facts.NamedGroup{
			{Name: "links", Group: &out.Links},
			{Name: "addresses", Group: &out.Addresses},
			{Name: "routes", Group: &out.Routes},
			{Name: "rules", Group: &out.Rules},
			{Name: "neighbours", Group: &out.Neighbours},
			{Name: "fdb", Group: &out.FDB},
			{Name: "sysctls", Group: &out.Sysctls},
			{Name: "listeners", Group: &out.Listeners},
			{Name: "conntrack", Group: &out.Conntrack},
			{Name: "conntrack_entries", Group: &out.ConntrackEntries},
		}, statusOf(err), err.Error())
	}
}

func (c *collector) kernelGroups(ctx context.Context, n *netns, conn *conn, out *facts.NetNS) error {
	messages, linkErr := conn.linkMessages()
	d := newDevices(messages)
	links := make([]facts.Link, len(messages))
	for i, m := range messages {
		links[i] = d.link(n, m)
	}
	if err := wireguard(links); err != nil && linkErr == nil {
		linkErr = err
	}
	out.Links = group(links, what("devices", linkErr), "", n.source("ip -d -s link show"))

	for _, read := range []func(){
		func() {
			v, err := conn.addresses(n, d)
			out.Addresses = group(v, what("addresses", err), "", n.source("ip -d address show"))
		},
		func() {
			v, err := conn.routes(n, d)
			out.Routes = group(v, what("routes", err), "", n.source("ip route show table all"), n.source("ip -6 route show table all"))
		},
		func() {
			v, err := conn.rules(n)
			out.Rules = group(v, what("policy rules", err), "", n.source("ip rule show"), n.source("ip -6 rule show"))
		},
		func() {
			v, err := conn.neighbours(n, d)
			out.Neighbours = group(v, what("neighbours", err), "", n.source("ip neighbour show nud all"))
		},
		func() {
			v, err := conn.fdb(n, d)
			out.FDB = group(v, what("forwarding databases", err), "", n.source("bridge fdb show"))
		},
		func() {
			v, err := readSysctls(n)
			out.Sysctls = group(v, err, "root", n.source("sysctl -a -r ^net"))
		},
		func() {
			v, err := conn.listeners(n, d, c.modules, c.owners)
			out.Listeners = group(v, err, "", n.source("ss -lntup"))
		},
		func() {
			v, err := conn.conntrack(n, c.modules)
			out.Conntrack = group(v, what("connection tracking", err), needNetAdmin, v.Source, n.source("conntrack -S"))
		},
		func() {
			v, err := conn.conntrackEntries(c.modules)
			out.ConntrackEntries = group(v, what("connections", err), needNetAdmin, n.source("conntrack -L"), n.source("conntrack -L -f ipv6"))
		},
	} {
		if err := stopped(ctx); err != nil {
			return err
		}
		read()
	}
	return nil
}

// what says in an error what was being read.
func what(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read %s: %w", name, err)
}
