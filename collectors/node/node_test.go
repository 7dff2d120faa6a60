package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/coreos/go-iptables/iptables"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/collectors/node"
	"github.com/netcause/netcause/engine/facts"
)

// TestMain is also what tests execute: a program that waits, under whatever name; and a collection by another user.
func TestMain(m *testing.M) {
	switch os.Getenv("NODE_TEST_AS") {
	case "waiting":
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	case "collecting":
		n := node.Collect(context.Background(), node.Options{Root: os.Getenv("NODE_TEST_ROOT")})
		metas := map[string]facts.Meta{}
		for _, g := range slices.Concat(n.NetNS.Groups(), n.Groups()) {
			metas[g.Name] = *g.Group.GetMeta()
		}
		if err := json.NewEncoder(os.Stdout).Encode(metas); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// program starts a process of that name in the namespace, which waits until the end of the test.
func program(t *testing.T, ns *nettest.NS, name string, args ...string) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "NODE_TEST_AS=waiting")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close() })
	ns.Start(t, cmd)
	nettest.WaitFor(t, name+" to run", func() bool {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid))
		return strings.TrimSpace(string(comm)) == name[:min(len(name), 15)]
	})
	return cmd.Process.Pid
}

func TestSysctls(t *testing.T) {
	nettest.NeedTool(t, "sysctl")
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0.100", n2, "eth0")
	setUp(t, n1, `
		sysctl -w net.ipv4.ip_forward=1
		sysctl -w net.ipv4.conf.eth0/100.rp_filter=2
		sysctl -w net.ipv4.conf.all.arp_ignore=1
		sysctl -w net.ipv6.conf.lo.disable_ipv6=1
		sysctl -w net.ipv4.ip_local_reserved_ports=30000-32767
		sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1`)
	got := value(t, "sysctls", collect(t, n1).Sysctls)
	want := map[string]string{
		"net.ipv4.ip_forward":                                "1",
		"net.ipv4.conf.eth0/100.rp_filter":                   "2",
		"net.ipv4.conf.eth0/100.forwarding":                  "1",
		"net.ipv4.conf.all.arp_ignore":                       "1",
		"net.ipv6.conf.lo.disable_ipv6":                      "1",
		"net.ipv4.ip_local_reserved_ports":                   "30000-32767",
		"net.netfilter.nf_conntrack_tcp_be_liberal":          "1",
		"net.ipv6.conf.default.forwarding":                   "0",
		"net.ipv4.conf.lo.rp_filter":                         "0",
		"net.netfilter.nf_conntrack_udp_timeout":             "30",
		"net.ipv4.tcp_keepalive_time":                        "7200",
		"net.netfilter.nf_conntrack_max":                     strings.TrimSpace(n1.Run(t, "sysctl", "-n", "net.netfilter.nf_conntrack_max")),
		"net.core.somaxconn":                                 "4096",
		"net.ipv4.tcp_mtu_probing":                           "0",
		"net.netfilter.nf_conntrack_tcp_timeout_established": "432000",
	}
	for key, v := range want {
		if got[key].Value != v {
			t.Errorf("%s is %q, want %q", key, got[key].Value, v)
		}
	}
	// sysctl(8) knows every key, and says the same.
	names := make([]string, 0, len(got))
	for key, s := range got {
		if s.Source != facts.Source("sysctl "+key) {
			t.Errorf("source of %s: %q", key, s.Source)
		}
		if key != "net.netfilter.nf_conntrack_count" {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	lines := strings.Split(strings.TrimRight(n1.Run(t, "sysctl", append([]string{"-n"}, names...)...), "\n"), "\n")
	if len(lines) != len(names) {
		t.Fatalf("%d keys, %d lines of sysctl", len(names), len(lines))
	}
	for i, key := range names {
		if v := strings.Join(strings.Fields(lines[i]), " "); v != got[key].Value {
			t.Errorf("%s is %q, sysctl says %q", key, got[key].Value, v)
		}
	}
}

func TestListeners(t *testing.T) {
	n1 := nettest.Namespace(t)
	n1.Run(t, "ip", "address", "add", "10.0.0.1/32", "dev", "lo")
	listen := func(network, address string) {
		t.Helper()
		n1.Do(t, func() {
			var c io.Closer
			var err error
			if strings.HasPrefix(network, "udp") {
				c, err = net.ListenPacket(network, address)
			} else {
				c, err = net.Listen(network, address)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		})
	}
	listen("tcp4", "10.0.0.1:10250")
	listen("tcp4", "0.0.0.0:80")
	listen("tcp6", "[::]:80")
	listen("tcp", "[::]:9153")
	listen("udp4", "10.0.0.1:53")
	listen("udp", "[::]:8472")
	// Two that nobody accepts, and which are not listeners themselves.
	n1.Do(t, func() {
		for range 2 {
			c, err := net.Dial("tcp", "10.0.0.1:10250")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}
		c, err := net.Dial("udp", "10.0.0.1:53")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	})

	somaxconn, _ := strconv.Atoi(strings.TrimSpace(n1.Run(t, "cat", "/proc/sys/net/core/somaxconn")))
	self := facts.Listener{UID: os.Getuid(), PID: os.Getpid(), Process: comm(t)}
	tcp := func(family, local string, port int) facts.Listener {
		l := self
		l.Proto, l.Family, l.Local, l.Port, l.SendQ, l.Source = "tcp", family, netip.MustParseAddr(local), port, somaxconn, "ss -lntp"
		return l
	}
	udp := func(family, local string, port int) facts.Listener {
		l := tcp(family, local, port)
		l.Proto, l.SendQ, l.Source = "udp", 0, "ss -lnup"
		return l
	}
	want := []facts.Listener{
		tcp("inet", "0.0.0.0", 80), tcp("inet", "10.0.0.1", 10250),
		tcp("inet6", "::", 80), tcp("inet6", "::", 9153),
		udp("inet", "10.0.0.1", 53), udp("inet6", "::", 8472),
	}
	want[1].RecvQ = 2
	want[2].V6Only = true
	var got []facts.Listener
	nettest.WaitFor(t, "two connections in the accept queue", func() bool {
		got = value(t, "listeners", collect(t, n1).Listeners)
		return slices.ContainsFunc(got, func(l facts.Listener) bool { return l.RecvQ == 2 })
	})
	order := cmpopts.SortSlices(func(a, b facts.Listener) bool {
		return fmt.Sprint(a.Proto, a.Family, a.Port) < fmt.Sprint(b.Proto, b.Family, b.Port)
	})
	if diff := gocmp.Diff(want, got, addrs, order); diff != "" {
		t.Errorf("listeners (-want +got):\n%s", diff)
	}
}

func comm(t *testing.T) string {
	b, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestConntrack(t *testing.T) {
	nettest.NeedTool(t, "nft", "conntrack")
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0", n2, "eth0")
	n1.Run(t, "ip", "address", "add", "10.0.0.1/24", "dev", "eth0")
	n2.Run(t, "ip", "address", "add", "10.0.0.2/24", "dev", "eth0")
	n1.Run(t, "nft", "table ip nat { chain out { type nat hook output priority -100 ; ip daddr 10.96.0.1 tcp dport 443 dnat to 10.0.0.2:6443 ; } ; }")
	n1.Run(t, "ip", "route", "add", "10.96.0.1/32", "dev", "eth0")
	var server net.Listener
	n2.Do(t, func() {
		var err error
		if server, err = net.Listen("tcp", "10.0.0.2:6443"); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { server.Close() })
	var client net.Conn
	n1.Do(t, func() {
		var err error
		if client, err = net.Dial("tcp", "10.96.0.1:443"); err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("udp", "10.0.0.2:53")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("?")); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { client.Close() })
	local := client.LocalAddr().(*net.TCPAddr)

	n := collect(t, n1)
	counts := value(t, "conntrack", n.Conntrack)
	if counts.Count < 2 || counts.Max < counts.Count {
		t.Errorf("count %d, max %d", counts.Count, counts.Max)
	}
	for _, counter := range []string{"found", "invalid", "insert", "insert_failed", "drop", "early_drop", "error", "search_restart"} {
		if _, ok := counts.Counters[counter]; !ok {
			t.Errorf("no counter %s in %v", counter, counts.Counters)
		}
	}
	client1, virtual, real := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("10.0.0.2")
	want := facts.ConntrackEntry{
		Proto: "tcp", Family: "inet", State: "ESTABLISHED", Flags: []string{"SEEN_REPLY", "ASSURED"},
		Orig:  facts.Tuple{Src: client1, Dst: virtual, Sport: local.Port, Dport: 443},
		Reply: facts.Tuple{Src: real, Dst: client1, Sport: 6443, Dport: local.Port},
	}
	var tcp, udp []facts.ConntrackEntry
	for _, e := range value(t, "conntrack entries", n.ConntrackEntries) {
		switch e.Proto {
		case "tcp":
			if e.Timeout < 400000 || e.Timeout > 432000 {
				t.Errorf("timeout %d of an established connection", e.Timeout)
			}
			e.Timeout = 0
			tcp = append(tcp, e)
		case "udp":
			udp = append(udp, e)
		}
	}
	if diff := gocmp.Diff([]facts.ConntrackEntry{want}, tcp, addrs, cmpopts.IgnoreFields(facts.Tuple{}, "Packets", "Bytes")); diff != "" {
		t.Errorf("TCP (-want +got):\n%s", diff)
	}
	if len(udp) != 1 || !slices.Equal(udp[0].Flags, []string{"UNREPLIED"}) || udp[0].Orig.Dport != 53 {
		t.Errorf("UDP: %+v", udp)
	}
	if out := n1.Run(t, "conntrack", "-L"); strings.Count(out, "\n") != len(tcp)+len(udp) {
		t.Errorf("conntrack -L: %s", out)
	}
}

func TestNetfilterOfAnEmptyNamespace(t *testing.T) {
	nettest.NeedTool(t, "nft")
	n1 := nettest.Namespace(t)
	n := collect(t, n1)
	for _, g := range []struct {
		name  string
		group facts.Group[facts.Listing]
	}{
		{"iptables_nft", n.IPTablesNFT},
		{"iptables_legacy", n.IPTablesLegacy},
		{"ip6tables_nft", n.IP6TablesNFT},
		{"ip6tables_legacy", n.IP6TablesLegacy},
		{"nftables", n.NFTables},
		{"ipset", n.IPSet},
		{"ipvs", n.IPVS},
	} {
		if g.group.Status != facts.Read || len(facts.Text(&g.group)) != 0 || len(g.group.Sources) == 0 {
			t.Errorf("%s: %v %q %q", g.name, g.group.Status, g.group.Reason, facts.Text(&g.group))
		}
	}
	// And it is as empty as before.
	if out := n1.Run(t, "nft", "list", "ruleset"); out != "" {
		t.Errorf("collecting made tables: %s", out)
	}
	for _, file := range []string{"ip_tables_names", "ip6_tables_names"} {
		if out, err := n1.Try(t, "cat", "/proc/thread-self/net/"+file); err == nil && out != "" {
			t.Errorf("collecting made legacy tables: %s", out)
		}
	}
}

func TestNetfilterOfBothBackends(t *testing.T) {
	nettest.NeedTool(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "nft")
	n1 := nettest.Namespace(t)
	n1.Do(t, func() {
		for _, rule := range []struct {
			command  string
			protocol iptables.Protocol
			chain    string
			spec     []string
		}{
			{"iptables-nft", iptables.ProtocolIPv4, "KUBE-SERVICES", []string{"-d", "10.96.0.10/32", "-p", "udp", "--dport", "53", "-j", "RETURN"}},
			{"ip6tables-nft", iptables.ProtocolIPv6, "KUBE-SERVICES", []string{"-d", "fd00::a/128", "-j", "RETURN"}},
			{"iptables-legacy", iptables.ProtocolIPv4, "OLD-SERVICES", []string{"-d", "10.97.0.10/32", "-j", "RETURN"}},
		} {
			path, err := exec.LookPath(rule.command)
			if err != nil {
				t.Fatal(err)
			}
			ipt, err := iptables.New(iptables.Path(path), iptables.IPFamily(rule.protocol))
			if err != nil {
				t.Fatal(err)
			}
			if err := ipt.NewChain("nat", rule.chain); err != nil {
				t.Fatal(err)
			}
			if err := ipt.Append("nat", rule.chain, rule.spec...); err != nil {
				t.Fatal(err)
			}
		}
	})
	n := collect(t, n1)
	for _, g := range []struct {
		name         string
		group        *facts.Group[facts.Listing]
		format       string
		raw          string
		has, has2    string
		otherBackend string
	}{
		{"iptables_nft", &n.IPTablesNFT, "iptables-save", "iptables-nft-save_-c", "*nat\n", "[0:0] -A KUBE-SERVICES -d 10.96.0.10/32 -p udp", "OLD-SERVICES"},
		{"ip6tables_nft", &n.IP6TablesNFT, "iptables-save", "ip6tables-nft-save_-c", "*nat\n", "[0:0] -A KUBE-SERVICES -d fd00::a/128", "OLD-SERVICES"},
		{"iptables_legacy", &n.IPTablesLegacy, "iptables-save", "iptables-legacy-save_-c", "*nat\n", "[0:0] -A OLD-SERVICES -d 10.97.0.10/32", "KUBE-SERVICES"},
		{"nftables", &n.NFTables, "nft-json", "nft_-j_list_ruleset", `"name": "KUBE-SERVICES"`, `"family": "ip6"`, "OLD-SERVICES"},
	} {
		text := string(facts.Text(g.group))
		if g.group.Status != facts.Read || g.group.Value.Format != g.format || g.group.Value.Version == "" || len(g.group.Raw) != 1 ||
			g.group.Raw[0].Name != g.raw {
			t.Errorf("%s: %+v", g.name, g.group)
		}
		if !strings.Contains(text, g.has) || !strings.Contains(text, g.has2) || strings.Contains(text, g.otherBackend) {
			t.Errorf("%s:\n%s", g.name, text)
		}
	}
	if g := n.IP6TablesLegacy; g.Status != facts.Read || len(g.Raw) != 0 {
		t.Errorf("ip6tables_legacy: %+v", g)
	}
	const warning = "# Warning: iptables-legacy tables present"
	if text := string(facts.Text(&n.IPTablesNFT)); !strings.Contains(n.IPTablesNFT.Reason, warning) || !strings.Contains(text, warning) {
		t.Errorf("no warning of the other backend: %q\n%s", n.IPTablesNFT.Reason, text)
	}
}

func TestIPSet(t *testing.T) {
	nettest.NeedTool(t, "ipset")
	n1 := nettest.Namespace(t)
	setUp(t, n1, `
		ipset create KUBE-CLUSTER-IP hash:ip,port
		ipset add KUBE-CLUSTER-IP 10.96.0.1,tcp:443`)
	n := collect(t, n1)
	if text := facts.Text(&n.IPSet); n.IPSet.Status != facts.Read || !strings.Contains(string(text), "add KUBE-CLUSTER-IP 10.96.0.1,tcp:443") {
		t.Errorf("ipset: %v %q\n%s", n.IPSet.Status, n.IPSet.Reason, text)
	}
}

// root makes a root whose /run/netns has some namespaces by names of their own.
func root(t *testing.T, names map[string]*nettest.NS) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "run/netns")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, ns := range names {
		if err := os.Symlink(ns.Path(), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// cniResult writes what libcni keeps of an attachment.
func cniResult(t *testing.T, root, file, netns, namespace, name string) {
	t.Helper()
	dir := filepath.Join(root, "var/lib/cni/results")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"kind":"cniCacheV1","containerId":"c0ffee","config":"e30=","ifName":"eth0","networkName":"cbr0","netns":%q,
		"cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE",%q],["K8S_POD_NAME",%q],["K8S_POD_INFRA_CONTAINER_ID","c0ffee"],
		["K8S_POD_UID","0e1b9f1c-5d4c-4a53-9a0e-0242ac110002"]],"result":{"cniVersion":"1.0.0"}}`, netns, namespace, name)
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A lab: two hosts, n1 and n2, joined by a switch; each has a Pod behind its bridge, and all share files and PIDs.
func TestNamespacesAndProcesses(t *testing.T) {
	n1, n2, fabric := nettest.Namespace(t), nettest.Namespace(t), nettest.Namespace(t)
	pod1, pod2, plain, macvlan := nettest.Namespace(t), nettest.Namespace(t), nettest.Namespace(t), nettest.Namespace(t)
	fabric.Run(t, "ip", "link", "add", "switch", "type", "bridge")
	for i, host := range []*nettest.NS{n1, n2} {
		port := fmt.Sprintf("port%d", i+1)
		nettest.Veth(t, host, "eth0", fabric, port)
		fabric.Run(t, "ip", "link", "set", port, "master", "switch")
		pod := []*nettest.NS{pod1, pod2}[i]
		setUp(t, host, "ip link add cbr0 type bridge\nip link set cbr0 up")
		nettest.Veth(t, pod, "eth0", host, "veth0")
		host.Run(t, "ip", "link", "set", "veth0", "master", "cbr0")
		pod.Run(t, "ip", "address", "add", fmt.Sprintf("10.244.%d.2/24", i+1), "dev", "eth0")
	}
	nettest.Veth(t, plain, "eth0", n1, "veth1")
	// A third host, by a cable.
	n3 := nettest.Namespace(t)
	nettest.Veth(t, n1, "eth1", n3, "eth0")
	setUp(t, n1, "ip address add 10.0.3.1/24 dev eth1\nip route add 10.244.3.0/24 via 10.0.3.3")

	root := root(t, map[string]*nettest.NS{
		"n1": n1, "n2": n2, "n3": n3, "switch": fabric, "cni-1": pod1, "cni-2": pod2, "plain": plain, "cni-m": macvlan,
	})
	if err := os.WriteFile(filepath.Join(root, "run/netns/stale"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cniResult(t, root, "cbr0-c0ffee-eth0", "/var/run/netns/cni-1", "kube-system", "coredns-1")
	cniResult(t, root, "cbr0-c0ffe2-eth0", "/var/run/netns/cni-2", "default", "of-n2")
	cniResult(t, root, "macvlan-c0ffe3-eth0", "/var/run/netns/cni-m", "default", "on-macvlan")
	cniResult(t, root, "cbr0-c0ffe4-eth0", "/var/run/netns/gone", "default", "gone")

	proxy := program(t, n1, "kube-proxy", "--config=/var/lib/kube-proxy/config.conf", "--token", "s3cret", "--password=s3cret")
	dns := program(t, pod1, "coredns", "-conf", "/etc/coredns/Corefile")
	program(t, n2, "kubelet")
	program(t, pod2, "kube-router")
	program(t, n1, "unrelated")

	var n *facts.Node
	n1.Do(t, func() { n = node.Collect(t.Context(), node.Options{Root: root, Name: "n1"}) })

	if g := n.NamespaceList; g.Status != facts.Read || !strings.Contains(g.Reason, "4 other network namespaces") || !strings.Contains(g.Reason, "stale") {
		t.Errorf("namespaces: %v %q", g.Status, g.Reason)
	}
	byID := map[string]*facts.Namespace{}
	for _, ns := range n.Namespaces {
		byID[ns.ID] = ns
	}
	ids := slices.Clone(n.NamespaceList.Value)
	slices.Sort(ids)
	if want := []string{"cni-1", "cni-m", "plain"}; !slices.Equal(ids, want) || len(byID) != len(want) {
		t.Fatalf("namespaces %v (and %d collected), want %v", ids, len(byID), want)
	}
	const uid = "0e1b9f1c-5d4c-4a53-9a0e-0242ac110002"
	if want := (&facts.PodReference{Namespace: "kube-system", Name: "coredns-1", UID: uid}); !gocmp.Equal(byID["cni-1"].Pod, want) {
		t.Errorf("pod of cni-1: %+v", byID["cni-1"].Pod)
	}
	if byID["plain"].Pod != nil || byID["plain"].FoundBy != "/var/run/netns" {
		t.Errorf("plain: %+v", byID["plain"])
	}
	pod := byID["cni-1"]
	addresses := value(t, "the Pod's addresses", pod.Addresses)
	if !slices.ContainsFunc(addresses, func(a facts.Address) bool {
		return a.Local == netip.MustParseAddr("10.244.1.2") && a.Source == "ip netns exec cni-1 ip -d address show dev eth0"
	}) {
		t.Errorf("addresses of cni-1: %+v", addresses)
	}
	for _, g := range pod.Groups() {
		if meta := g.Group.GetMeta(); meta.Status != facts.Read {
			t.Errorf("%s of cni-1: %+v", g.Name, meta)
		}
	}

	got := value(t, "processes", n.Processes)
	want := []facts.Process{
		{
			PID: proxy, Comm: "kube-proxy", HostNetwork: true, Source: facts.Source(fmt.Sprintf("ps -fp %d", proxy)),
			Args: []string{"--config=/var/lib/kube-proxy/config.conf", "--token", "********", "--password=********"},
		},
		{
			PID: dns, Comm: "coredns", Source: facts.Source(fmt.Sprintf("ps -fp %d", dns)),
			Args: []string{"-conf", "/etc/coredns/Corefile"},
		},
	}
	for i := range got {
		if len(got[i].Args) > 0 {
			got[i].Args = got[i].Args[1:] // the path of the program
		}
	}
	slices.SortFunc(want, func(a, b facts.Process) int { return a.PID - b.PID })
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
}

func TestWithoutRoot(t *testing.T) {
	n1 := nettest.Namespace(t)
	n1.Do(t, func() {
		l, err := net.Listen("tcp", "127.0.0.1:10250")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	})
	program(t, n1, "kube-proxy")
	// Not its path: that may be in directories which are not for everybody.
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "NODE_TEST_AS=collecting", "NODE_TEST_ROOT=/nonexistent")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	var out []byte
	var err error
	n1.Do(t, func() { out, err = cmd.Output() })
	if err != nil {
		t.Fatalf("collect as nobody: %v: %s", err, out)
	}
	var metas map[string]facts.Meta
	if err := json.Unmarshal(out, &metas); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, want := range map[string]struct {
		status facts.Status
		reason string
	}{
		"links": {facts.Read, ""}, "addresses": {facts.Read, ""}, "routes": {facts.Read, ""}, "rules": {facts.Read, ""},
		"neighbours": {facts.Read, ""}, "fdb": {facts.Read, ""}, "sysctls": {facts.Read, ""}, "conntrack": {facts.Read, ""},
		"listeners":         {facts.Read, "CAP_SYS_PTRACE"},
		"conntrack_entries": {facts.Denied, "CAP_NET_ADMIN"},
		"iptables_nft":      {facts.Denied, "CAP_NET_ADMIN"},
		"nftables":          {facts.Denied, "CAP_NET_ADMIN"},
		"ipset":             {facts.Denied, "CAP_NET_ADMIN"},
		"iptables_legacy":   {facts.Denied, "root"},
		"processes":         {facts.Denied, "CAP_SYS_PTRACE"},
	} {
		if m := metas[name]; m.Status != want.status || !strings.Contains(m.Reason, want.reason) {
			t.Errorf("%s: %v %q, want %v with %q", name, m.Status, m.Reason, want.status, want.reason)
		}
	}
}

func TestStops(t *testing.T) {
	n1 := nettest.Namespace(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var n *facts.Node
	n1.Do(t, func() { n = node.Collect(ctx, node.Options{Root: t.TempDir()}) })
	for _, g := range []facts.Meta{n.Addresses.Meta, n.Routes.Meta, n.Listeners.Meta} {
		if g.Status != facts.Failed || !strings.Contains(g.Reason, "stopped") {
			t.Errorf("after the end of its context: %+v", g)
		}
	}
}
