package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/netcause/netcause/collectors/procps"
	"github.com/netcause/netcause/engine/facts"
)

// sysctls are those that bear on whether and how packets are forwarded, delivered and tracked, as paths below /proc/sys.
// A name with a * is every one that matches.
var sysctls = []string{
	"net/core/default_qdisc",
	"net/core/netdev_budget",
	"net/core/netdev_budget_usecs",
	"net/core/netdev_max_backlog",
	"net/core/rmem_default",
	"net/core/rmem_max",
	"net/core/somaxconn",
	"net/core/wmem_default",
	"net/core/wmem_max",
	"net/bridge/bridge-nf-*",
	"net/ipv4/fib_multipath_hash_policy",
	"net/ipv4/fwmark_reflect",
	"net/ipv4/icmp_echo_ignore_all",
	"net/ipv4/icmp_echo_ignore_broadcasts",
	"net/ipv4/icmp_ratelimit",
	"net/ipv4/icmp_ratemask",
	"net/ipv4/ip_default_ttl",
	"net/ipv4/ip_early_demux",
	"net/ipv4/ip_forward",
	"net/ipv4/ip_forward_update_priority",
	"net/ipv4/ip_forward_use_pmtu",
	"net/ipv4/ip_local_port_range",
	"net/ipv4/ip_local_reserved_ports",
	"net/ipv4/ip_no_pmtu_disc",
	"net/ipv4/ip_nonlocal_bind",
	"net/ipv4/ip_unprivileged_port_start",
	"net/ipv4/ipfrag_high_thresh",
	"net/ipv4/ipfrag_time",
	"net/ipv4/neigh/default/gc_*",
	"net/ipv4/neigh/default/unres_qlen*",
	"net/ipv4/route/max_size",
	"net/ipv4/route/min_pmtu",
	"net/ipv4/route/mtu_expires",
	"net/ipv4/tcp_base_mss",
	"net/ipv4/tcp_fin_timeout",
	"net/ipv4/tcp_fwmark_accept",
	"net/ipv4/tcp_keepalive_*",
	"net/ipv4/tcp_l3mdev_accept",
	"net/ipv4/tcp_max_syn_backlog",
	"net/ipv4/tcp_max_tw_buckets",
	"net/ipv4/tcp_mem",
	"net/ipv4/tcp_mtu_probing",
	"net/ipv4/tcp_retries*",
	"net/ipv4/tcp_rmem",
	"net/ipv4/tcp_sack",
	"net/ipv4/tcp_syn_retries",
	"net/ipv4/tcp_synack_retries",
	"net/ipv4/tcp_syncookies",
	"net/ipv4/tcp_timestamps",
	"net/ipv4/tcp_tw_*",
	"net/ipv4/tcp_window_scaling",
	"net/ipv4/tcp_wmem",
	"net/ipv4/udp_l3mdev_accept",
	"net/ipv4/udp_mem",
	"net/ipv4/vs/*",
	"net/ipv6/bindv6only",
	"net/ipv6/ip6frag_high_thresh",
	"net/ipv6/neigh/default/gc_*",
	"net/ipv6/route/max_size",
	"net/netfilter/nf_conntrack_*",
	"net/netfilter/nf_hooks_lwtunnel",
	"net/nf_conntrack_max",
}

// deviceSysctls are those below net/ipv4/conf/DEVICE and net/ipv6/conf/DEVICE.
var deviceSysctls = map[string][]string{
	"ipv4": {
		"accept_local", "arp_announce", "arp_filter", "arp_ignore", "disable_policy", "forwarding", "proxy_arp",
		"route_localnet", "rp_filter", "send_redirects", "src_valid_mark",
	},
	"ipv6": {
		"accept_dad", "accept_ra", "autoconf", "disable_ipv6", "forwarding", "mtu", "proxy_ndp",
	},
}

// sysctlMax bounds the length of a value.
const sysctlMax = 64 << 10

// readSysctls reads the sysctls of the namespace that the calling thread is in. One that this kernel does not have is
// not in the map. Keys are those of sysctl(8): dots for slashes, and where a device's name has a dot, a slash for it
// ("net.ipv4.conf.eth0/100.rp_filter"). Blanks between the parts of a value are single ones.
func readSysctls(n *netns) (map[string]facts.Sysctl, error) {
	values := map[string]facts.Sysctl{}
	var unreadable error
	count := 0
	read := func(path string) {
		value, err := readBounded(filepath.Join("/proc/sys", path), sysctlMax)
		switch {
		// EINVAL, EIO …: a sysctl of a device that has just gone, or that gives no value.
		case errors.Is(err, fs.ErrPermission):
			unreadable = err
			count++
		case err == nil:
			key := procps.SysctlKey(path)
			values[key] = facts.Sysctl{
				Value:  strings.Join(strings.Fields(string(value)), " "),
				Source: n.source("sysctl %s", key),
			}
		}
	}
	if _, err := os.Stat("/proc/sys/net"); err != nil {
		return nil, fmt.Errorf("read /proc/sys/net: %w", err)
	}
	for _, pattern := range sysctls {
		if !strings.Contains(pattern, "*") {
			read(pattern)
			continue
		}
		dir, match := filepath.Split(pattern)
		entries, _ := os.ReadDir(filepath.Join("/proc/sys", dir))
		for _, e := range entries {
			if ok, _ := filepath.Match(match, e.Name()); ok && e.Type().IsRegular() {
				read(dir + e.Name())
			}
		}
	}
	for family, names := range deviceSysctls {
		conf := "net/" + family + "/conf"
		entries, _ := os.ReadDir(filepath.Join("/proc/sys", conf))
		for i, e := range entries {
			if i == maxLinks {
				break
			}
			for _, name := range names {
				read(conf + "/" + e.Name() + "/" + name)
			}
		}
	}
	if unreadable != nil {
		return values, &incomplete{fmt.Sprintf("%d could not be read: %v", count, unreadable)}
	}
	return values, nil
}

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read %s: more than %d bytes", path, limit)
	}
	return b, nil
}
