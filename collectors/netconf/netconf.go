// Package netconf reads a node's configuration files: what its links are to be (ifcfg, netplan, NetworkManager,
// systemd-networkd, ifupdown), resolv.conf, CNI, flannel's subnet.env, and kubelet's and kube-proxy's configurations.
//
// [Collect] finds and reads them. Each format's parser takes paths and bytes, for files that came another way. No parser
// fails on what it does not understand: it names the line. Secrets are masked in settings and in raw text.
package netconf

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"github.com/netcause/netcause/engine/facts"
)

// Options say where the node's files are.
type Options struct {
	// Root is the directory below which they are; "" and "/" are this machine's own. Nothing outside it is read.
	Root string
	// FS, where set, is read instead of Root: a recorded tree. Paths are the node's without the leading slash.
	FS fs.FS
	// Partial: the tree may lack files that the node has, as a bundle does. A group of which nothing is there is then
	// Absent; otherwise it is Read and empty.
	Partial bool
}

// Collect fills n.Host, n.ConfigFiles, n.ResolvConf, n.CNI, n.FlannelSubnetEnv, n.KubeletConfig and n.KubeProxyConfig,
// and n.Name if it is empty. n.Processes and n.Links are used where they were read before: the command lines of kubelet
// and kube-proxy say where their configuration is and what goes before it, and links tell which device a file means that
// names a hardware address.
//
// Each group says how its reading went; a group with a file that could not be read is Denied or Failed, with what could
// be read as its value.
func Collect(ctx context.Context, n *facts.Node, opts Options) {
	c := collector{ctx: ctx, node: n, partial: opts.Partial}
	if opts.FS != nil {
		c.tree = tree{opts.FS}
	} else {
		c.root = filepath.Clean(cmp.Or(opts.Root, "/"))
		root, err := os.OpenRoot(c.root)
		if err != nil {
			c.failed(fmt.Errorf("open the node's files: %w", err))
			return
		}
		defer root.Close()
		c.tree = tree{root.FS()}
	}
	n.Host = c.host()
	if n.Name == "" {
		n.Name = n.Host.Value.Hostname
	}
	n.ConfigFiles = c.configFiles()
	n.ResolvConf = c.resolvConf()
	n.CNI = c.cni()
	n.FlannelSubnetEnv = c.flannel()
	n.KubeletConfig = c.kubelet()
	n.KubeProxyConfig = c.kubeProxy()
}

type collector struct {
	tree
	ctx  context.Context
	node *facts.Node
	// root is the directory of the tree, "" for one that is no directory.
	root    string
	partial bool
}

func (c *collector) failed(err error) {
	n := c.node
	n.Host = facts.Fail[facts.Host](err)
	n.ConfigFiles = facts.Fail[facts.ConfigFiles](err)
	n.ResolvConf = facts.Fail[facts.ResolvConf](err)
	n.CNI = facts.Fail[facts.CNI](err)
	n.FlannelSubnetEnv = facts.Fail[facts.FlannelSubnetEnv](err)
	n.KubeletConfig = facts.Fail[facts.KubeletConfig](err)
	n.KubeProxyConfig = facts.Fail[facts.KubeProxyConfig](err)
}

// live says whether the node is this machine.
func (c *collector) live() bool { return c.root == "/" }

func (c *collector) reading() *reading { return &reading{tree: c.tree, ctx: c.ctx} }

func (c *collector) resolvConf() facts.Group[facts.ResolvConf] {
	r := c.reading()
	r.look(resolvConfFile)
	conf := facts.ResolvConf{Nameservers: []facts.Nameserver{}}
	if data, ok := r.file(resolvConfFile); ok {
		var unparsed []facts.Source
		conf, unparsed = ParseResolvConf(resolvConfFile, data)
		if len(unparsed) > 0 {
			r.notes = append(r.notes, "not understood: "+joinSources(unparsed))
		}
	}
	return outcome(r, c.partial, conf)
}

func (c *collector) cni() facts.Group[facts.CNI] {
	r := c.reading()
	var conf facts.CNI
	for _, dir := range cniDirs {
		files := []facts.CNIFile{}
		for _, name := range r.dir(dir, isCNI) {
			file := path.Join(dir, name)
			if data, ok := r.get(file); ok {
				r.keep(file, maskCNI(data))
				files = append(files, ParseCNI(file, data))
			}
		}
		if conf.Dir == "" || len(files) > 0 {
			conf = facts.CNI{Dir: dir, Files: files}
		}
		if len(files) > 0 {
			break
		}
	}
	return outcome(r, c.partial, conf)
}

func (c *collector) flannel() facts.Group[facts.FlannelSubnetEnv] {
	r := c.reading()
	r.look(flannelFile)
	var env facts.FlannelSubnetEnv
	if data, ok := r.file(flannelFile); ok {
		var err error
		if env, err = ParseFlannelSubnetEnv(flannelFile, data); err != nil {
			r.failed = append(r.failed, err.Error())
		}
	}
	return outcome(r, c.partial, env)
}

// processTree is the file system as a process sees it: that of a container, for kube-proxy in a Pod. where is its path on
// the node, "" where it is the node's own or cannot be told. An error means that it is there and may not be entered; the
// tree is the node's then.
func (c *collector) processTree(pid int) (t tree, where string, closeTree func(), err error) {
	none := func() {}
	if c.root == "" || pid <= 0 {
		return c.tree, "", none, nil
	}
	where = path.Join("/proc", strconv.Itoa(pid), "root")
	// Opening it goes through the kernel's link to that file system, which a path read from the link would not.
	root, err := os.OpenRoot(filepath.Join(c.root, where))
	if notThere(err) {
		return c.tree, "", none, nil
	}
	if err != nil {
		return c.tree, "", none, fmt.Errorf("open %s: %w", where, err)
	}
	theirs, err1 := root.Stat(".")
	ours, err2 := fs.Stat(c.fsys, ".")
	if err1 != nil || err2 != nil || os.SameFile(theirs, ours) {
		root.Close()
		return c.tree, "", none, nil
	}
	return tree{root.FS()}, where, func() { root.Close() }, nil
}
