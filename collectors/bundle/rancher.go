package bundle

import (
	"context"
	"path"
	"slices"
	"strings"
)

// rancher is the archive of Rancher's Linux log collector (rancherlabs/support-tools, rancher2_logs_collector.sh). Where it
// was told to obfuscate, names and addresses are words: the lines that have them are not understood.
type rancher struct{}

func (rancher) String() string { return "archives of Rancher's Linux log collector" }

// rancherCommands are its files in networking/ and systeminfo/, and the commands that they are the output of.
var rancherCommands = map[string]string{
	"networking/iptablessave":    "iptables-save",
	"networking/ip6tablessave":   "ip6tables-save",
	"networking/iptables":        "iptables -nvL",
	"networking/iptablesnat":     "iptables -t nat -nvL",
	"networking/iptablesmangle":  "iptables -t mangle -nvL",
	"networking/ip6tables":       "ip6tables -nvL",
	"networking/ip6tablesnat":    "ip6tables -t nat -nvL",
	"networking/ip6tablesmangle": "ip6tables -t mangle -nvL",
	"networking/nft_ruleset":     "nft list ruleset",
	"networking/ipaddrshow":      "ip addr show",
	"networking/iplinkshow":      "ip -s link show",
	"networking/iproute":         "ip route show table all",
	"networking/iprule":          "ip rule show",
	"networking/ipneighbour":     "ip neighbour",
	"networking/ipv6neighbour":   "ip -6 neighbour",
	"networking/ipv6rule":        "ip -6 rule show",
	"networking/ipv6route":       "ip -6 route show",
	"networking/ifconfiga":       "ifconfig -a",
	"networking/ipvsadm":         "ipvsadm -ln",
	"networking/netstatistics":   "netstat -s",
	"networking/ethtool":         "ethtool -k",
	"systeminfo/ps":              "ps auxfww",
	"networking/ssanp":           "ss -anp",
	"networking/netstat":         "netstat -pantu",
	"systeminfo/sysctla":         "sysctl -a",
	"systeminfo/conntrack":       "conntrack -S",
	"systeminfo/hostname":        "hostname",
	"systeminfo/hostnamefqdn":    "hostname -f",
	"systeminfo/uname":           "uname -a",
}

// rancherFiles are a node's own files in it. systemd-resolved is what etcresolvconf's stub asks, and osrelease is os-release
// with what other files named so say after it.
var rancherFiles = map[string]string{
	"systeminfo/etcresolvconf": "etc/resolv.conf", "systeminfo/systemd-resolved": "run/systemd/resolve/resolv.conf", "systeminfo/osrelease": "etc/os-release",
}

func (rancher) wants(name string) bool {
	_, ok := rancherPlace(name)
	return ok
}

// rancherPlace is a file's name from the top of the archive.
func rancherPlace(name string) (string, bool) {
	for place := range rancherCommands {
		if name == place || strings.HasSuffix(name, "/"+place) {
			return place, true
		}
	}
	for place := range rancherFiles {
		if name == place || strings.HasSuffix(name, "/"+place) {
			return place, true
		}
	}
	if i := strings.Index("/"+name, "/networking/cni/"); i >= 0 {
		return name[i:], true
	}
	return "", false
}

func (rancher) roots(t *tree) ([]string, error) {
	has := map[string]map[string]bool{}
	for name := range t.files {
		place, ok := rancherPlace(name)
		if !ok {
			continue
		}
		root := strings.TrimSuffix(name, place)
		if has[root] == nil {
			has[root] = map[string]bool{}
		}
		has[root][strings.SplitN(place, "/", 2)[0]] = true
	}
	var roots []string
	for root, folders := range has {
		if folders["networking"] && folders["systeminfo"] {
			roots = append(roots, root)
		}
	}
	slices.Sort(roots)
	return roots, nil
}

func (rancher) read(ctx context.Context, in *intake, t *tree, root string, names []string) error {
	m := in.machine(within(t.path, root), path.Base("/"+strings.TrimSuffix(root, "/")), false, t.at(root+"systeminfo/sysctla"))
	var loose []string
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if t.files[root+name].link != "" {
			continue
		}
		if _, ok := rancherPlace(name); !ok {
			loose = append(loose, root+name) // kubeadm/kubectl/cluster-info_dump
			continue
		}
		data, used, ok := in.load(t, root+name)
		if !ok {
			continue
		}
		line := rancherCommands[name]
		switch {
		case line != "":
			c := parseCommand(strings.Fields(line))
			if why := unused[c.subject]; why != "" {
				used.PassedOver = why
				continue
			}
			m.outputs = append(m.outputs, output{command: c, file: root + name, text: data, used: used})
		case rancherFiles[name] != "":
			m.files[rancherFiles[name]] = &nodeFile{data: data, used: used}
		default:
			m.files["etc/cni/net.d/"+path.Base(name)] = &nodeFile{data: data, used: used}
		}
	}
	m.settleName()
	return in.objectsOf(ctx, t, loose)
}
