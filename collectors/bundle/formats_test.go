package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/netcause/netcause/engine/facts"
)

// recordedObjects is a list of a recorded cluster as JSON.
func recordedObjects(t *testing.T, name string) string {
	t.Helper()
	_, files := dumped(t, false)
	return files[name]
}

func toYAML(t *testing.T, text string) string {
	t.Helper()
	data, err := yaml.JSONToYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return "apiVersion: v1\n" + strings.Replace("\n"+string(data), "\napiVersion: v1\n", "\n", 1)[1:]
}

// groupsOf are the names of the groups of a bundle that are read, of its only node and of the cluster.
func groupsOf(snapshot *facts.Snapshot) (node string, groups []string) {
	for _, n := range snapshot.Nodes {
		node = strings.TrimSpace(node + " " + n.Name)
		for _, g := range slices.Concat(n.Groups(), n.NetNS.Groups()) {
			if g.Group.GetMeta().Status == facts.Read {
				groups = append(groups, g.Name)
			}
		}
	}
	if snapshot.Cluster != nil {
		for _, g := range snapshot.Cluster.Groups() {
			if g.Group.GetMeta().Status == facts.Read {
				groups = append(groups, "cluster."+g.Name)
			}
		}
	}
	slices.Sort(groups)
	return node, groups
}

// zipped is a zip archive of files.
func zippedFiles(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		entry, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var list entries
	for name, text := range files {
		list = append(list, textEntry(name, text))
	}
	return compress(t, list.tar(t))
}

// The same node and cluster in the archives of several tools, laid out as their sources say.
func TestReadFormats(t *testing.T) {
	file := func(name string) string { return recordedFile(t, networking+name) }
	crlf := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	sysctl, uname := recordedFile(t, "sos_commands/kernel/sysctl_-a"), recordedFile(t, "sos_commands/kernel/uname_-a")
	nodes, pods, services := recordedObjects(t, "nodes.json"), recordedObjects(t, "default/pods.json"), recordedObjects(t, "kube-system/services.json")
	sysctls := map[string]string{}
	for line := range strings.Lines(sysctl) {
		if key, value, ok := strings.Cut(line, " = "); ok {
			sysctls[key] = strings.TrimSpace(value)
		}
	}
	sysctlJSON, err := json.Marshal(sysctls)
	if err != nil {
		t.Fatal(err)
	}
	info := func(command string) string { return fmt.Sprintf(`{"command":%q,"exitCode":"0"}`, command) }
	cilium := map[string]string{
		"cilium-sysdump-1/k8s-nodes-1.yaml": toYAML(t, nodes), "cilium-sysdump-1/k8s-pods-1.yaml": toYAML(t, recordedObjects(t, "kube-system/pods.json")),
		"cilium-sysdump-1/k8s-networkpolicies-1.yaml":                                 "apiVersion: networking.k8s.io/v1\nitems: []\nkind: NetworkPolicyList\nmetadata: {}\n",
		"cilium-sysdump-1/cilium-bugtool-cilium-x-1/cmd/ip-a.md":                      "# ip -d -s a\n\n```\n" + file("ip_-d_address") + "```\n",
		"cilium-sysdump-1/cilium-bugtool-cilium-x-1/cmd/ip-rule.md":                   "# ip -4 rule\n\n```\n" + file("ip_-4_rule") + "```\n",
		"cilium-sysdump-1/cilium-bugtool-cilium-x-1/cmd/uname--a.md":                  "# uname -a\n\n```\n" + uname + "```\n",
		"cilium-sysdump-1/cilium-bugtool-cilium-x-1/cmd/ps-auxfw.md":                  "USER PID %CPU COMMAND\nroot 1 0.0 cilium-agent\nroot 2 0.0 [kthreadd]\n",
		"cilium-sysdump-1/cniconf-05-cilium.conflist-cilium-x-20260301-101010.txt":    `{"cniVersion":"0.3.1","name":"cilium","plugins":[{"type":"cilium-cni"}]}`,
		"cilium-sysdump-1/cniconf-05-cilium.conflist-cilium-gone-20260301-101010.txt": `{"cniVersion":"0.3.1","name":"cilium","plugins":[{"type":"cilium-cni"}]}`,
		"cilium-sysdump-1/k8s-daemonset-pods-1.yaml":                                  "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: cilium-x, namespace: kube-system}\n  spec: {nodeName: n1, hostNetwork: true}\nkind: PodList\n",
		"cilium-sysdump-1/cilium-bugtool-cilium-x-1/cmd/ip--4-n.md":                   "10.0.0.9 dev eth0 FAILED\n> Error while running 'ip -4 n':  exit status 1\n\n",
	}
	// What its current versions write: no Markdown, other options, and the tables of routes one by one.
	bugtool := map[string]string{
		"cilium-bugtool-20260301-1/cmd/ip-a.md":                        "2: eth0: <UP> mtu 1500 state UP\n    link/ether 52:54:00:00:00:01\n    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0\n       valid_lft forever preferred_lft forever\n",
		"cilium-bugtool-20260301-1/cmd/ip--4-r.md":                     "default via 10.0.0.254 dev eth0\n10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1\n",
		"cilium-bugtool-20260301-1/cmd/ip--4-route-show-table-2004.md": "local default dev lo proto kernel scope host\n",
		"cilium-bugtool-20260301-1/cmd/ip-rule.md":                     "9:\tfrom all fwmark 0x200/0xf00 lookup 2004\n100:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n",
		"cilium-bugtool-20260301-1/cmd/hostname.md":                    "n1\n", "cilium-bugtool-20260301-1/cmd/iptables-legacy-save--c.md": "",
		"cilium-bugtool-20260301-1/cmd/ethtool--k-eth0.md": "Features for eth0:\nrx-checksumming: on\n",
	}
	cluster := []string{"cluster.nodes", "cluster.pods"}
	for _, test := range []struct {
		name   string
		data   []byte
		node   string
		groups []string
	}{
		{
			"Rancher", tarOf(t, map[string]string{
				"n1-2026/systeminfo/hostname": "n1\n", "n1-2026/systeminfo/hostnamefqdn": "n1.example.org\n", "n1-2026/systeminfo/sysctla": sysctl,
				"n1-2026/systeminfo/uname": uname, "n1-2026/systeminfo/etcresolvconf": "nameserver 10.0.0.53\n",
				"n1-2026/networking/ipaddrshow": file("ip_-d_address"), "n1-2026/networking/iproute": file("ip_route_show_table_all"),
				"n1-2026/networking/iprule": file("ip_-4_rule"), "n1-2026/networking/nft_ruleset": file("nft_list_ruleset"),
				"n1-2026/networking/iptables": file("iptables_-vnxL"), "n1-2026/networking/cni/10-flannel.conflist": `{"cniVersion":"1.0.0","name":"cbr0","plugins":[{"type":"flannel"}]}`,
				"n1-2026/networking/ssanp": file("ss_-peaonmi"), "n1-2026/kubeadm/kubectl/cluster-info_dump": nodes + pods + services,
				"n1-2026/networking/ipv6route": file("ip_-6_route_show_table_all"), "n1-2026/k3s/kubectl/pods": "NAMESPACE   NAME   READY   STATUS   RESTARTS   AGE\ndefault     a      1/1     Running   0          1m\n",
				"n1-2026/networking/ipvsadm":       "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\nTCP  10.96.0.1:443 rr\n  -> 10.0.0.1:6443                Masq    1      0          0\n",
				"n1-2026/networking/netstatistics": "Ip:\n    Forwarding: 1\n", "n1-2026/networking/ethtool": "--- eth0\nFeatures for eth0:\n",
				"n1-2026/systeminfo/ps":        "USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\nroot         1  0.0  0.0   1   1 ?        Ss   Nov24   0:00 /sbin/init\nroot         2  0.0  0.0      0     0 ?        S    Nov24   0:00 [kthreadd]\nroot         9  0.0  0.0   1   1 ?        Ss   Nov24   0:00 /usr/bin/containerd\n",
				"n1-2026/systeminfo/osrelease": "NAME=\"SLES\"\nVERSION_ID=\"15.5\"\nID=sles\nDISTRIB_ID=SLES\nSUSE Linux Enterprise\n",
			}), "n1",
			[]string{
				"addresses", "cni", "cluster.nodes", "cluster.services", "conntrack", "host", "iptables_nft", "ipvs", "links", "listeners", "nftables",
				"processes", "resolv_conf", "routes", "rules", "sysctls",
			},
		},
		{
			"calicoctl", tarOf(t, map[string]string{
				"calico-diagnostics-1/nodes/n1/ip-route.txt": crlf(file("ip_route_show_table_all")), "calico-diagnostics-1/nodes/n1/ip-rule.txt": crlf(file("ip_-4_rule")),
				"calico-diagnostics-1/nodes/n1/ip-route-v6.txt": crlf(file("ip_-6_route_show_table_all")), "calico-diagnostics-1/nodes/n1/ip-neigh.txt": crlf(file("ip_-s_-s_neigh_show")),
				"calico-diagnostics-1/nodes/n1/ip-addr.txt":                   crlf("2: eth0: <UP> mtu 1500 state UP\n    link/ether 52:54:00:00:00:01\n    inet 10.0.0.1/24 scope global eth0\n       valid_lft forever preferred_lft forever\n"),
				"calico-diagnostics-1/nodes/n1/ip-link.txt":                   crlf("2: eth0: <UP> mtu 1500 state UP\n    link/ether 52:54:00:00:00:01\n"),
				"calico-diagnostics-1/nodes/n1/nft-ruleset.txt":               crlf(file("nft_list_ruleset")),
				"calico-diagnostics-1/nodes/n1/iptables-legacy-save.txt":      "",
				"calico-diagnostics-1/nodes/n1/iptables-nft-save.txt":         crlf("# Generated by iptables-nft-save v1.8.8 (nf_tables) on Tue Nov 24 23:40:55 2026\n*nat\nCOMMIT\n"),
				"calico-diagnostics-1/nodes/n1/calico-system/calico-node.log": "bird: started\n",
				"calico-diagnostics-1/nodes/n1/ipset-list.txt":                "Name: a\r\nType: hash:ip\r\n\n=== calicoctl cluster diags: no output for 1m0s; command killed. Re-run with a larger --command-timeout to wait longer. ===\n",
				"calico-diagnostics-1/cluster/version.yaml":                   "clientVersion:\n  gitVersion: v1.30.0\nkustomizeVersion: v5.0.4\nserverVersion:\n  gitVersion: v1.31.1\n",
				"calico-diagnostics-1/cluster/kubernetes/nodes.yaml":          toYAML(t, nodes),
				"calico-diagnostics-1/cluster/kubernetes/pods.yaml":           toYAML(t, recordedObjects(t, "kube-system/pods.json")),
			}), "n1", append([]string{"addresses", "iptables_legacy", "iptables_nft", "neighbours", "nftables", "routes", "rules", "cluster.version"}, cluster...),
		},
		{"cilium sysdump", zippedFiles(t, cilium), "n1", append([]string{"addresses", "cni", "host", "links", "rules", "cluster.networkpolicies"}, cluster...)},
		{"cilium-bugtool", tarOf(t, bugtool), "n1", []string{"addresses", "iptables_legacy", "routes", "rules"}},
		{"cilium sysdump in an archive", tarOf(t, map[string]string{"case/cilium-sysdump.zip": string(zippedFiles(t, cilium))}), "n1", append([]string{"addresses", "cni", "host", "links", "rules", "cluster.networkpolicies"}, cluster...)},
		{
			"the kubernetes plugin of sos", tarOf(t, map[string]string{
				"sosreport-x/sos_commands/networking/ip_-4_rule_list":                                                                               file("ip_-4_rule"),
				"sosreport-x/sos_commands/networking/namespaces/cni-a_b/ip_netns_exec_cni-a_b_ip_route_show_table_all":                              file("ip_route_show_table_all"),
				"sosreport-x/sos_commands/kernel/uname_-a":                                                                                          uname,
				"sosreport-x/sos_commands/kubernetes/cluster-info/kubectl_get_-o_json_nodes":                                                        nodes,
				"sosreport-x/sos_commands/kubernetes/pods/kubectl_--kubeconfig_.etc.kubernetes.admin.conf_get_-o_json_--namespace_kube-system_pods": recordedObjects(t, "kube-system/pods.json"),
				"sosreport-x/sos_commands/kubernetes/kubectl_get_-o_json_--namespace_kube-system_networkpolicies":                                   `{"apiVersion":"v1","items":[],"kind":"List"}`,
				"sosreport-x/sos_commands/kubernetes/kubectl_get_--namespace_kube-system_services":                                                  "NAME TYPE\n",
				"sosreport-x/sos_commands/logs/journalctl_--no-pager":                                                                               "Nov 24\n",
			}), "n1", append([]string{"host", "namespaces", "rules", "cluster.networkpolicies"}, cluster...),
		},
		{
			"must-gather", tarOf(t, map[string]string{
				"must-gather.local.1/quay-io-sha256-1/cluster-scoped-resources/core/nodes/n1.yaml": "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: n1\n",
				"must-gather.local.1/quay-io-sha256-1/namespaces/kube-system/kube-system.yaml":     "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: kube-system\n",
				"must-gather.local.1/quay-io-sha256-1/namespaces/kube-system/core/pods.yaml":       "---\napiVersion: v1\nitems: []\nkind: PodList\nmetadata:\n  resourceVersion: \"1\"\n",
				"must-gather.local.1/quay-io-sha256-1/namespaces/kube-system/core/secrets.yaml":    "---\napiVersion: v1\nkind: SecretList\nitems:\n- metadata:\n    name: a\n",
				"must-gather.local.1/quay-io-sha256-1/network_logs/n1/iptables-save":               "# Generated by iptables-save v1.8.10 (nf_tables) on Tue Nov 24 23:40:55 2026\n*nat\nCOMMIT\n",
			}), "n1", append([]string{"iptables_nft", "cluster.namespaces"}, cluster...),
		},
		{
			"troubleshoot.sh", tarOf(t, map[string]string{
				"support-bundle-1/version.yaml":                                  "apiVersion: troubleshoot.sh/v1beta2\nkind: SupportBundle\nspec:\n  versionNumber: v0.133.0\n",
				"support-bundle-1/analysis.json":                                 "[]",
				"support-bundle-1/cluster-info/cluster_version.json":             `{"info":{"gitVersion":"v1.36.3","platform":"linux/amd64"},"string":"v1.36.3"}`,
				"support-bundle-1/cluster-resources/nodes.json":                  nodes,
				"support-bundle-1/cluster-resources/namespaces.json":             `{"kind":"NamespaceList","apiVersion":"v1","items":[{"metadata":{"name":"default"}},{"metadata":{"name":"kube-system"}}]}`,
				"support-bundle-1/cluster-resources/pods/default.json":           pods,
				"support-bundle-1/cluster-resources/pods/kube-system.json":       recordedObjects(t, "kube-system/pods.json"),
				"support-bundle-1/cluster-resources/network-policy/default.json": `{"kind":"NetworkPolicyList","apiVersion":"networking.k8s.io/v1","items":[]}`,
				"support-bundle-1/cluster-resources/services-errors.json":        `{"default":"services is forbidden: User \"x\" cannot list resource \"services\""}`,
				"support-bundle-1/cluster-resources/pods/logs/default/cli/a.log": "Linux\n",
				"support-bundle-1/host-collectors/system/sysctl.json":            string(sysctlJSON),
				"support-bundle-1/host-collectors/system/hostos_info.json":       `{"name":"n1","kernelVersion":"6.18.44","platform":"debian"}`,
				"support-bundle-1/host-collectors/run-host/addresses.txt":        file("ip_-d_address"),
				"support-bundle-1/host-collectors/run-host/addresses-info.json":  info("ip -d address"),
				"support-bundle-1/host-collectors/run-host/whatever.txt":         file("ip_-4_rule"),
				"support-bundle-1/host-collectors/run-host/whatever-info.json":   info("sh -c 'ip rule'"),
				"support-bundle-1/host-collectors/kubelet/config.yaml":           "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nclusterDNS: [10.96.0.10]\n",
				"support-bundle-1/host-collectors/registry/config.yaml":          "version: 0.1\n",
				"support-bundle-1/host-collectors/resolver/resolv.conf":          "nameserver 192.0.2.53\n",
				"support-bundle-1/host-collectors/agent/subnet.env":              "FLANNEL_NETWORK=10.233.64.0/18\nFLANNEL_SUBNET=10.233.64.1/24\n",
				"support-bundle-1/host-collectors/netplan/50-cloud-init.yaml":    "network: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n",
			}), "n1", append([]string{
				"addresses", "config_files", "conntrack", "flannel_subnet_env", "host", "kubelet_config", "links", "resolv_conf", "rules", "sysctls", "cluster.namespaces", "cluster.networkpolicies", "cluster.version",
			}, cluster...),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			snapshot, files, err := ReadFiles(t.Context(), []string{onDisk(t, "x", test.data)}, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			node, groups := groupsOf(snapshot)
			slices.Sort(test.groups)
			if diff := gocmp.Diff(test.groups, groups); diff != "" || node != test.node {
				t.Errorf("%q: %s\n%+v", node, diff, snapshot.Inputs)
			}
			for _, f := range files {
				if f.Unparsed > 0 {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

func TestTroubleshootCopies(t *testing.T) {
	of := func(files map[string]string) []byte {
		all := map[string]string{
			"support-bundle-1/version.yaml":                            "apiVersion: troubleshoot.sh/v1beta2\nkind: SupportBundle\n",
			"support-bundle-1/host-collectors/system/hostos_info.json": `{"name":"n1","kernelVersion":"6.18.44","platform":"debian"}`,
			"support-bundle-1/host-collectors/net/10-flannel.conflist": `{"name":"cbr0","cniVersion":"0.3.1","plugins":[{"type":"flannel"}]}`,
		}
		for name, text := range files {
			all["support-bundle-1/host-collectors/"+name] = text
		}
		return tarOf(t, all)
	}
	for _, test := range []struct {
		name       string
		files      map[string]string
		nameserver string
	}{
		{"one", map[string]string{"a/resolv.conf": "nameserver 192.0.2.1\n"}, "192.0.2.1"},
		{"twice the same", map[string]string{"a/resolv.conf": "nameserver 192.0.2.1\n", "b/resolv.conf": "nameserver 192.0.2.1\n"}, "192.0.2.1"},
		{"two, which may be of any place", map[string]string{"a/resolv.conf": "nameserver 192.0.2.1\n", "b/resolv.conf": "nameserver 192.0.2.2\n"}, ""},
		{"in a folder that says nothing", map[string]string{"a/old/resolv.conf": "nameserver 192.0.2.1\n"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			snapshot, err := Read(t.Context(), []string{onDisk(t, "x", of(test.files))}, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			n := snapshot.Nodes[0]
			if got := n.ResolvConf.Status == facts.Read; got != (test.nameserver != "") {
				t.Fatalf("resolv.conf %s: %s", n.ResolvConf.Status, n.ResolvConf.Reason)
			}
			if test.nameserver != "" && n.ResolvConf.Value.Nameservers[0].Address != netip.MustParseAddr(test.nameserver) {
				t.Errorf("%+v", n.ResolvConf.Value)
			}
			if n.CNI.Status != facts.Read {
				t.Errorf("CNI configuration %s: %s", n.CNI.Status, n.CNI.Reason)
			}
		})
	}
}
