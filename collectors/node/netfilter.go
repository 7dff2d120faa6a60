package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/coreos/go-iptables/iptables"

	"github.com/netcause/netcause/engine/facts"
)

// What each group of netfilter's listings is, case by case. Nothing here makes the kernel load a module or create a
// table, and no program is started where the kernel itself says that there is nothing to list.
//
//	nf_tables not in the kernel     iptables_nft, ip6tables_nft, nftables: read, empty
//	no tables in the namespace      the same; from a netlink dump of the tables
//	no table of iptables' names     iptables_nft (ip6tables_nft): read, empty
//	CAP_NET_ADMIN missing           denied
//	the program is missing          absent; but nftables is read and empty where every table is one that
//	                                iptables-nft uses and those were read without a complaint
//	ip_tables not in the kernel,    iptables_legacy: read, empty (the same for ip6_tables)
//	or no tables in the namespace
//	/proc/net/ip_tables_names       denied: root's alone
//	unreadable
//	ip_set not in the kernel, or    ipset: read, empty
//	no sets in the namespace
//	ip_vs not in the kernel         ipvs: read, empty
//
// iptables -L and -S are not used: those of the nft backend create the tables that they are to list.
func (c *collector) netfilter(ctx context.Context, n *netns, out *facts.NetNS) {
	var g errgroup.Group
	g.Go(func() error {
		c.nftListings(ctx, n, out)
		return nil
	})
	g.Go(func() error {
		out.IPTablesLegacy = c.legacyListing(ctx, n, ipv4)
		out.IP6TablesLegacy = c.legacyListing(ctx, n, ipv6)
		return nil
	})
	g.Go(func() error {
		out.IPSet = c.ipsetListing(ctx, n)
		out.IPVS = ipvsListing(n)
		return nil
	})
	_ = g.Wait() // the groups have the errors
}

// family is what the two families' programs and files are called.
type family struct {
	nfproto  uint8
	iptables string // the command, and the prefix of its kin
	names    string // of the legacy tables, in /proc/net
	protocol iptables.Protocol
}

var (
	ipv4 = family{nfprotoIPv4, "iptables", "ip_tables_names", iptables.ProtocolIPv4}
	ipv6 = family{nfprotoIPv6, "ip6tables", "ip6_tables_names", iptables.ProtocolIPv6}
)

const (
	needNetAdmin = "CAP_NET_ADMIN"

	backendNFT    = "nf_tables"
	backendLegacy = "legacy"
)

// listing is the group of a listing's text.
func listing(format, version, name string, text []byte, sources ...facts.Source) facts.Group[facts.Listing] {
	g := facts.ReadGroup(facts.Listing{Format: format, Version: version}, sources...)
	g.Raw = []facts.Raw{{Name: name, Data: text}}
	return g
}

// nothing is the group of a listing that has nothing in it. reason is why nobody had to look, where that is so.
func nothing(format, reason string, sources ...facts.Source) facts.Group[facts.Listing] {
	g := facts.ReadGroup(facts.Listing{Format: format}, sources...)
	g.Reason = reason
	return g
}

func (c *collector) nftListings(ctx context.Context, n *netns, out *facts.NetNS) {
	source := n.source("nft list tables")
	all := func(of func(format string) facts.Group[facts.Listing]) {
		out.IPTablesNFT, out.IP6TablesNFT, out.NFTables = of("iptables-save"), of("iptables-save"), of("nft-json")
	}
	switch c.modules.has(partNFTables) {
	case missing:
		all(func(format string) facts.Group[facts.Listing] {
			return nothing(format, "nf_tables is not in the kernel", source)
		})
		return
	case unknown:
		all(func(string) facts.Group[facts.Listing] {
			return facts.Unread[facts.Listing](facts.Absent, "whether nf_tables is loaded cannot be told, and asking it may load it", source)
		})
		return
	}
	tables, err := nftTables(n)
	if err != nil {
		all(func(string) facts.Group[facts.Listing] {
			return group(facts.Listing{}, fmt.Errorf("list the tables of nf_tables: %w", err), needNetAdmin, source)
		})
		return
	}
	if len(tables) == 0 {
		all(func(format string) facts.Group[facts.Listing] { return nothing(format, "", source) })
		return
	}
	var g errgroup.Group
	g.Go(func() error {
		out.IPTablesNFT = c.iptablesNFTListing(ctx, n, ipv4, tables)
		return nil
	})
	g.Go(func() error {
		out.IP6TablesNFT = c.iptablesNFTListing(ctx, n, ipv6, tables)
		return nil
	})
	g.Go(func() error {
		out.NFTables = c.nftListing(ctx, n)
		return nil
	})
	_ = g.Wait() // the groups have the errors
	if out.NFTables.Status == facts.Absent && shown(tables, out) {
		out.NFTables = nothing("nft-json", "nft is not installed; all tables are those of iptables-nft: "+tableList(tables), source)
	}
}

// iptablesTables are the tables that iptables has, by whatever backend.
var iptablesTables = []string{"filter", "nat", "mangle", "raw", "security"}

// of says whether a table is one of iptables-nft's of that family.
func (t nftTable) of(f family) bool {
	return t.family == f.nfproto && slices.Contains(iptablesTables, t.name)
}

// shown says whether iptables-nft's listings show all there is in nf_tables: every table is one of theirs, and they
// made no remark about one that they cannot show ("# Table `nat' contains incompatible base-chains, use 'nft' tool …").
func shown(tables []nftTable, out *facts.NetNS) bool {
	for _, g := range []*facts.Group[facts.Listing]{&out.IPTablesNFT, &out.IP6TablesNFT} {
		if g.Status != facts.Read || strings.Contains(g.Reason, "# Table `") {
			return false
		}
	}
	return !slices.ContainsFunc(tables, func(t nftTable) bool { return !t.of(ipv4) && !t.of(ipv6) })
}

func tableList(tables []nftTable) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.String()
	}
	return strings.Join(names, ", ")
}

func (c *collector) iptablesNFTListing(ctx context.Context, n *netns, f family, tables []nftTable) facts.Group[facts.Listing] {
	if !slices.ContainsFunc(tables, func(t nftTable) bool { return t.of(f) }) {
		return nothing("iptables-save", "", n.source("nft list tables"))
	}
	return c.iptablesListing(ctx, n, f, backendNFT)
}

func (c *collector) legacyListing(ctx context.Context, n *netns, f family) facts.Group[facts.Listing] {
	path := "/proc/net/" + f.names
	source := n.fileSource(path)
	var names []byte
	err := n.do(func() (err error) {
		names, err = readBounded("/proc/thread-self/net/"+f.names, 64<<10)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nothing("iptables-save", strings.TrimSuffix(f.names, "_names")+" is not in the kernel", source)
	case err != nil:
		return group(facts.Listing{}, err, "root", source)
	case len(bytes.TrimSpace(names)) == 0:
		return nothing("iptables-save", "", source)
	}
	return c.iptablesListing(ctx, n, f, backendLegacy)
}

// iptablesListing lists all tables of one backend by one run of its save program.
func (c *collector) iptablesListing(ctx context.Context, n *netns, f family, backend string) facts.Group[facts.Listing] {
	name := map[string]string{backendNFT: f.iptables + "-nft-save", backendLegacy: f.iptables + "-legacy-save"}[backend]
	source := n.source("%s -c", name)
	path, why := c.saveProgram(ctx, f, backend, name)
	if path == "" {
		return facts.Unread[facts.Listing](facts.Absent, why, source)
	}
	name = path[strings.LastIndexByte(path, '/')+1:]
	source = n.source("%s -c", name)
	out, err := c.commands.run(ctx, n, path, "-c")
	if err != nil {
		return commandFailed(out, err, source)
	}
	text, reason := withRemarks(out)
	g := listing("iptables-save", version(saveVersion, text), name+"_-c", text, source)
	g.Reason = reason
	return g
}

// saveProgram finds the save program of a backend: by its own name, or the plain iptables-save where that is of this
// backend. why is a sentence for a person where there is none.
func (c *collector) saveProgram(ctx context.Context, f family, backend, name string) (path, why string) {
	if path = c.commands.find(name); path != "" {
		return path, ""
	}
	plain := f.iptables + "-save"
	why = fmt.Sprintf("the kernel has tables of the %s backend, and %s is not installed: install iptables 1.8 or later", backend, name)
	path = c.commands.find(plain)
	if path == "" {
		return "", why
	}
	of, err := c.backend(ctx, f, path)
	switch {
	case err != nil:
		return "", fmt.Sprintf("%s; the backend of %s is unknown: %v", why, path, err)
	case of != backend:
		return "", fmt.Sprintf("%s; %s is of the %s backend", why, path, of)
	}
	return path, ""
}

// backend is that of a plain iptables-save: iptables before 1.8.0 has the legacy one alone, later ones say which.
// Neither question reaches the kernel.
func (c *collector) backend(ctx context.Context, f family, save string) (string, error) {
	if path := c.commands.find(f.iptables); path != "" {
		ipt, err := iptables.New(iptables.IPFamily(f.protocol), iptables.Path(path))
		if err == nil {
			if major, minor, _ := ipt.GetIptablesVersion(); major == 1 && minor < 8 {
				return backendLegacy, nil
			}
		}
	}
	out, err := c.commands.run(ctx, c.host, save, "--version")
	if err != nil {
		return "", err
	}
	switch text := string(out.stdout); {
	case strings.Contains(text, "(nf_tables)"):
		return backendNFT, nil
	case strings.Contains(text, "(legacy)"):
		return backendLegacy, nil
	default:
		return "", fmt.Errorf("%s --version does not say: %.100q", save, text)
	}
}

// commandFailed is the group of a program that failed.
func commandFailed(out output, err error, source facts.Source) facts.Group[facts.Listing] {
	// What strerror(3) has for EPERM and EACCES; the programs have no exit status of their own for it.
	if strings.Contains(out.stderr, "Operation not permitted") || strings.Contains(out.stderr, "Permission denied") {
		return facts.Unread[facts.Listing](facts.Denied, needs(needNetAdmin, err), source)
	}
	return facts.Fail[facts.Listing](err, source)
}

// withRemarks gives the text of a save program, with what it wrote to standard error at the end where that is comments
// ("# Warning: iptables-legacy tables present, …"), as it stands when both are printed. reason has all remarks.
func withRemarks(out output) (text []byte, reason string) {
	text = out.stdout
	var remarks []string
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("# Table `")) || bytes.HasPrefix(line, []byte("# Warning:")) {
			remarks = append(remarks, strings.TrimSpace(string(line)))
		}
	}
	for line := range strings.Lines(out.stderr) {
		line = strings.TrimSpace(line)
		if line == "" || slices.Contains(remarks, line) {
			continue
		}
		remarks = append(remarks, line)
		if strings.HasPrefix(line, "#") {
			text = append(text, line+"\n"...)
		}
	}
	return text, strings.Join(remarks, "; ")
}

var (
	saveVersion = regexp.MustCompile(`^# Generated by \S+ v(\d+(?:\.\d+)+)`)
	nftVersion  = regexp.MustCompile(`"metainfo": *\{[^}]*"version": *"([^"]+)"`)
)

// version finds a program's version at the beginning of its text.
func version(re *regexp.Regexp, text []byte) string {
	if m := re.FindSubmatch(text[:min(len(text), 1024)]); m != nil {
		return string(m[1])
	}
	return ""
}

func (c *collector) nftListing(ctx context.Context, n *netns) facts.Group[facts.Listing] {
	source := n.source("nft -j list ruleset")
	path := c.commands.find("nft")
	if path == "" {
		return facts.Unread[facts.Listing](facts.Absent, "nf_tables has tables, and nft is not installed: install nftables", source)
	}
	out, err := c.commands.run(ctx, n, path, "-j", "list", "ruleset")
	if err == nil {
		g := listing("nft-json", version(nftVersion, out.stdout), "nft_-j_list_ruleset", out.stdout, source)
		g.Reason = out.stderr
		return g
	}
	if !strings.Contains(out.stderr, "JSON") {
		return commandFailed(out, err, source)
	}
	// Built without JSON ("JSON support not compiled-in").
	source = n.source("nft list ruleset")
	if out, err = c.commands.run(ctx, n, path, "list", "ruleset"); err != nil {
		return commandFailed(out, err, source)
	}
	g := listing("nft", "", "nft_list_ruleset", out.stdout, source)
	g.Reason = out.stderr
	return g
}

func (c *collector) ipsetListing(ctx context.Context, n *netns) facts.Group[facts.Listing] {
	source := n.source("ipset save")
	switch c.modules.has(partIPSet) {
	case missing:
		return nothing("ipset-save", "ip_set is not in the kernel", source)
	case unknown:
		return facts.Unread[facts.Listing](facts.Absent, "whether ip_set is loaded cannot be told, and asking it may load it", source)
	}
	sets, err := ipsetNames(n)
	if err != nil {
		return group(facts.Listing{}, fmt.Errorf("list the sets of ip_set: %w", err), needNetAdmin, source)
	}
	if len(sets) == 0 {
		return nothing("ipset-save", "", source)
	}
	path := c.commands.find("ipset")
	if path == "" {
		return facts.Unread[facts.Listing](facts.Absent,
			fmt.Sprintf("the kernel has %d sets, and ipset is not installed: install ipset", len(sets)), source)
	}
	out, err := c.commands.run(ctx, n, path, "save")
	if err != nil {
		return commandFailed(out, err, source)
	}
	g := listing("ipset-save", "", "ipset_save", out.stdout, source)
	g.Reason = out.stderr
	return g
}

func ipvsListing(n *netns) facts.Group[facts.Listing] {
	source := n.fileSource("/proc/net/ip_vs")
	var text []byte
	err := n.do(func() (err error) {
		text, err = readBounded("/proc/thread-self/net/ip_vs", maxOutput)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nothing("proc-ip_vs", "ip_vs is not in the kernel", source)
	case err != nil:
		return group(facts.Listing{}, err, "root", source)
	}
	return listing("proc-ip_vs", "", "proc/net/ip_vs", text, source)
}
