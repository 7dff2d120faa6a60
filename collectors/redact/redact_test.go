package redact_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/collectors/redact"
	"github.com/netcause/netcause/engine/facts"
)

// marks are secrets, names and addresses that are in [hostile]: none may be in what is made of it.
var (
	secretMarks = []string{"hunter2", "s3cr3t", "wJalrXUtnFEMI", "AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJSUzI1NiJ9", "MHcCAQEE", "dXNlcjpwYXNz"}
	nameMarks   = []string{
		"quux", "wolpertinger", "kraken", "zebra", "alice", "bob", "umbrella", "narwhal", "okapi", "hoatzin", "TUlJQg", "axolotl",
		"gnu-team", "yak", "ibex", "tapir", "lemur",
		"0123456789abcdef0123456789abcdef", "LOLE4ISW44XBNF3G", "i-0123456",
	}
	addressMarks = []string{
		"10.77.3.", "10.88.", "172.23.5", "203.0.113", "fd00:77:", "52:54:00:ab", "5054:ff:feab", "0A4D0305", "10-77-3-5", "198.51.100", "LOLE4ISW44XBNF3G",
	}
)

// hostile is a snapshot with secrets, names and addresses wherever somebody puts them.
func hostile() *facts.Snapshot {
	node := &facts.Node{Name: "quux-w1.umbrella.example"}
	node.Host = facts.ReadGroup(facts.Host{Hostname: "quux-w1", MachineID: "0123456789abcdef0123456789abcdef", Kernel: "5.15.0-76-generic"}, "uname -a")
	node.Host.Raw = []facts.Raw{{Name: "etc/machine-id", Data: []byte("0123456789abcdef0123456789abcdef\n")}}
	node.Links = facts.ReadGroup([]facts.Link{
		{Ifname: "eth0", Address: "52:54:00:ab:01:02", Source: "ip -d link show dev eth0", LinkType: "ether"},
		{Ifname: "tunl0", Address: "10.77.3.5", LinkType: "ipip", Tunnel: &facts.Tunnel{Local: netip.MustParseAddr("10.77.3.5")}},
	})
	node.Addresses = facts.ReadGroup([]facts.Address{
		{Dev: "eth0", Family: "inet", Local: netip.MustParseAddr("10.77.3.5"), Prefixlen: 22, Broadcast: netip.MustParseAddr("10.77.3.255"), Scope: "global"},
		{Dev: "eth0", Family: "inet6", Local: netip.MustParseAddr("fe80::5054:ff:feab:102"), Prefixlen: 64, Scope: "link"},
	})
	node.Routes = facts.ReadGroup([]facts.Route{
		{Type: "unicast", Dst: netip.MustParsePrefix("10.88.0.0/16"), Via: netip.MustParseAddr("10.77.3.1"), Dev: "eth0"},
		{Type: "unicast", Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.77.3.1"), Dev: "eth0", From: "fd00:77::/48"},
	})
	node.Neighbours = facts.ReadGroup([]facts.Neighbour{{Dst: netip.MustParseAddr("ff02::1:ffab:102"), Lladdr: "33:33:ff:ab:01:02", Dev: "eth0"}})
	node.IPTablesNFT = facts.ReadGroup(facts.Listing{Format: "iptables-save"}, "iptables-nft-save -c")
	node.IPTablesNFT.Raw = []facts.Raw{{Name: "iptables-nft-save_-c", Data: []byte(`*nat
-A KUBE-SERVICES -d 10.88.4.7/32 -p tcp -m comment --comment "wolpertinger/kraken:http cluster IP" -j KUBE-SVC-LOLE4ISW44XBNF3G
-A KUBE-SERVICES -m comment --comment gnu-team/yak:ibex -j KUBE-SVC-LOLE4ISW44XBNF3G
-A KUBE-ROUTER-FORWARD -m comment --comment "rule to jump traffic destined to POD name:tapir-0 namespace: gnu-team to chain X" -j RETURN
-A INPUT -m iprange --src-range 172.23.5.9-172.23.5.200 -m comment --comment "office of umbrella.example, token=s3cr3t" -j ACCEPT
COMMIT
`)}}
	node.NFTables = facts.ReadGroup(facts.Listing{Format: "nft-json"}, "nft -j list ruleset")
	node.NFTables.Raw = []facts.Raw{{Name: "nft_-j_list_ruleset", Data: []byte(`{"nftables": [{"rule": {"comment": "kraken of wolpertinger", "expr": ` +
		`[{"goto": {"target": "service-LOLE4ISW-gnu-team/lemur/tcp/ibex"}}, {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "172.23.5.0", "len": 24}}}}]}}]}`)}}
	node.IPVS = facts.ReadGroup(facts.Listing{Format: "proc-ip_vs"}, "/proc/net/ip_vs")
	node.IPVS.Raw = []facts.Raw{{Name: "proc/net/ip_vs", Data: []byte("TCP  0A4D0305:01BB rr\n")}}
	node.ConfigFiles = facts.ReadGroup(facts.ConfigFiles{Interfaces: []facts.InterfaceConfig{{
		File: "/etc/netplan/50-quux-w1.yaml", Format: "netplan",
		Settings: []facts.Setting{{Key: "network.wifis.w.password", Value: "hunter2", Text: "password: hunter2", Line: 3}},
	}}})
	node.ConfigFiles.Raw = []facts.Raw{{Name: "etc/netplan/50-quux-w1.yaml", Data: []byte("network:\n  # ask bob@umbrella.example\n  wifis: {w: {password: hunter2}}\n  gateway4: 10.77.3.1\n")}}
	node.CNI = facts.ReadGroup(facts.CNI{Files: []facts.CNIFile{{Name: "k8s", Plugins: []map[string]json.RawMessage{{
		"type": json.RawMessage(`"calico"`), "datastore": json.RawMessage(`{"etcd_endpoints":"https://u:hunter2@10.77.3.9:2379","node":"quux-w1"}`),
	}}}}})
	node.Processes = facts.ReadGroup([]facts.Process{{PID: 1, Comm: "kube-proxy", Args: []string{"kube-proxy", "--hostname-override=quux-w1", "--kubeconfig=/home/alice/config"}}})
	node.ResolvConf = facts.ReadGroup(facts.ResolvConf{Search: []string{"corp.umbrella.example"}, Nameservers: []facts.Nameserver{{Address: netip.MustParseAddr("203.0.113.53")}}})
	node.Sysctls = facts.Unread[map[string]facts.Sysctl](facts.Failed, "dial postgres://app:hunter2@db.umbrella.example/x: refused")
	pod := &facts.PodReference{Namespace: "wolpertinger", Name: "kraken-5d9c7b8f4-x2x7k"}
	node.Namespaces = []*facts.Namespace{{ID: "cni-kraken", Path: "/run/netns/cni-kraken", Pod: pod}}
	node.Namespaces[0].Links = facts.ReadGroup([]facts.Link{{Ifname: "eth0", Source: "ip netns exec cni-kraken ip link"}})

	c := &facts.Cluster{Server: "https://api.umbrella.example:6443"}
	c.Nodes = facts.ReadGroup([]facts.NodeObject{{
		Source: "kubectl get node quux-w1.umbrella.example -o yaml",
		Metadata: facts.ObjectMeta{
			Name:        "quux-w1.umbrella.example",
			Labels:      map[string]string{"kubernetes.io/hostname": "quux-w1", "umbrella.example/team": "zebra", "topology.kubernetes.io/zone": "okapi-1"},
			Annotations: map[string]string{"flannel.alpha.coreos.com/backend-data": `{"VtepMAC":"52:54:00:ab:0f:0f"}`, "flannel.alpha.coreos.com/public-ip": "10.77.3.5"},
		},
		Spec: facts.NodeSpec{PodCIDR: "10.88.4.0/24", ProviderID: "aws:///okapi-1/i-0123456", Taints: []facts.Taint{{Key: "dedicated", Value: "narwhal"}}},
		Status: facts.NodeStatus{
			Addresses:  []facts.NodeAddress{{Type: "InternalIP", Address: "10.77.3.5"}, {Type: "InternalDNS", Address: "ip-10-77-3-5.umbrella.example"}},
			Conditions: []facts.Condition{{Type: "Ready", Message: "kubelet of quux-w1: Bearer s3cr3ts3cr3t"}},
		},
	}})
	c.Namespaces = facts.ReadGroup([]facts.NamespaceObject{{Metadata: facts.ObjectMeta{Name: "wolpertinger"}}})
	c.Services = facts.ReadGroup([]facts.Service{
		{
			Metadata: facts.ObjectMeta{Name: "kraken", Namespace: "wolpertinger"},
			Spec:     facts.ServiceSpec{ClusterIP: "10.88.4.7", Selector: map[string]string{"app": "kraken"}, LoadBalancerSourceRanges: []string{"198.51.100.0/25"}},
			Status:   facts.ServiceStatus{LoadBalancer: facts.LoadBalancerStatus{Ingress: []facts.LoadBalancerIngress{{Hostname: "axolotl.eu-west-1.elb.amazonaws.com"}}}},
		},
		{Metadata: facts.ObjectMeta{Name: "data", Namespace: "wolpertinger"}, Spec: facts.ServiceSpec{Type: "ExternalName", ExternalName: "db.umbrella.example"}},
	})
	c.Pods = facts.ReadGroup([]facts.Pod{{
		Metadata: facts.ObjectMeta{Name: "kraken-5d9c7b8f4-x2x7k", Namespace: "wolpertinger", Labels: map[string]string{"app": "kraken"}},
		Spec: facts.PodSpec{NodeName: "quux-w1.umbrella.example", Containers: []facts.Container{{
			Name: "hoatzin", Image: "harbor.umbrella.example/narwhal/kraken:1.2",
			Args: []string{"--dsn=postgres://app:hunter2@10.77.3.9/x", "--aws=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7"},
		}}},
		Status: facts.PodStatus{PodIP: "10.88.4.9", Message: "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0MTIz.c2ln"},
	}})
	c.ConfigMaps = facts.ReadGroup([]facts.ConfigMap{{
		Metadata: facts.ObjectMeta{Name: "kube-proxy", Namespace: "kube-system"},
		Data: map[string]string{
			"kubeconfig.conf": "server: https://api.umbrella.example:6443\ncertificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClRVSUpRZwo=\nclient-key: |\n  -----BEGIN EC PRIVATE KEY-----\n  MHcCAQEE\n  -----END EC PRIVATE KEY-----\n",
			"ca.pem":          "-----BEGIN CERTIFICATE-----\nTUlJQg\n-----END CERTIFICATE-----\n",
			"bgp-password":    "hunter2",
		},
	}})
	c.Events = facts.ReadGroup([]facts.Event{{
		Metadata:       facts.ObjectMeta{Name: "kraken-5d9c7b8f4-x2x7k.18eb25b29c08c0aa", Namespace: "wolpertinger"},
		InvolvedObject: facts.ObjectReference{Kind: "Pod", Namespace: "wolpertinger", Name: "kraken-5d9c7b8f4-x2x7k"},
		Message:        `Readiness probe failed: Get "http://10.88.4.9:80/": Authorization: Basic dXNlcjpwYXNzdw==`,
	}})
	return &facts.Snapshot{
		Nodes: []*facts.Node{node}, Cluster: c,
		Inputs: []facts.Input{
			{Kind: "node", Name: "quux-w1.umbrella.example"},
			{Kind: "bundle", Name: "/home/alice/umbrella/quux.tar.gz", Problem: "quux.tar.gz: 10.77.3.5"},
		},
	}
}

func TestNothingIsLeft(t *testing.T) {
	for name, tt := range map[string]struct {
		options  redact.Options
		gone     [][]string
		still    []string
		whatever string
	}{
		"secrets":   {options: redact.Options{}, gone: [][]string{secretMarks}, still: []string{"wolpertinger", "10.77.3.5", "52:54:00:ab:01:02"}},
		"names":     {options: redact.Options{Names: true, Words: []string{"umbrella"}}, gone: [][]string{secretMarks, nameMarks}, still: []string{"10.77.3.5", "kube-proxy", "KUBE-SERVICES"}},
		"addresses": {options: redact.Options{Addresses: true}, gone: [][]string{secretMarks, addressMarks}, still: []string{"wolpertinger", "5.15.0-76-generic"}},
		"both":      {options: redact.Options{Names: true, Addresses: true}, gone: [][]string{secretMarks, nameMarks, addressMarks}, still: []string{"kube-system", "0.0.0.0/0", "eth0"}},
	} {
		t.Run(name, func(t *testing.T) {
			snapshot := hostile()
			redacted, report, err := redact.Apply(t.Context(), snapshot, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			equal := []cmp.Option{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{})}
			if diff := cmp.Diff(hostile(), snapshot, equal...); diff != "" {
				t.Errorf("the snapshot itself was changed:\n%s", diff)
			}
			files := written(t, redacted, report)
			var all strings.Builder
			for file, data := range files {
				all.WriteString(data)
				for _, marks := range tt.gone {
					for _, mark := range marks {
						for _, text := range []string{file, data} {
							if at := strings.Index(strings.ToLower(text), strings.ToLower(mark)); at >= 0 {
								t.Errorf("%s has %s: …%s…", file, mark, text[max(0, at-60):min(len(text), at+60)])
							}
						}
					}
				}
			}
			for _, text := range tt.still {
				if !strings.Contains(all.String(), text) {
					t.Errorf("%s is gone", text)
				}
			}
			if total := report.Total(); total.Secrets < 10 || (total.Names > 0) != (tt.options.Names || tt.options.Addresses) || (total.Addresses > 0) != tt.options.Addresses {
				t.Errorf("the report counts %+v", total)
			}
			for _, f := range report.Files {
				if _, ok := files["redacted/"+f.File]; !ok {
					t.Errorf("the report names %s, which is not in the bundle", f.File)
				}
			}
		})
	}
}

// written are the files of the bundle that is made of a snapshot.
func written(t *testing.T, snapshot *facts.Snapshot, report *facts.Redaction) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.tar.gz")
	if err := bundle.Write(t.Context(), path, snapshot, bundle.Options{Redaction: report}); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	archive := tar.NewReader(plain)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(data)
	}
}

// TestMappingIsContinued redacts two parts of one incident one after the other.
func TestMappingIsContinued(t *testing.T) {
	whole := hostile()
	node, cluster := &facts.Snapshot{Nodes: whole.Nodes}, &facts.Snapshot{Cluster: whole.Cluster}
	m := &redact.Mapping{}
	options := redact.Options{Names: true, Addresses: true, Mapping: m}
	first, _, err := redact.Apply(t.Context(), node, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if options.Mapping, err = redact.ReadMapping(text); err != nil {
		t.Fatal(err)
	}
	second, _, err := redact.Apply(t.Context(), cluster, options)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := second.Cluster.Nodes.Value[0].Metadata.Name, first.Nodes[0].Name; got != want {
		t.Errorf("the node is %s among the objects and %s by itself", got, want)
	}
	if got, want := second.Cluster.Nodes.Value[0].Status.Addresses[0].Address, first.Nodes[0].Addresses.Value[0].Local.String(); got != want {
		t.Errorf("the node's address is %s among the objects and %s by itself", got, want)
	}
	if got, want := second.Cluster.Pods.Value[0].Metadata.Name, first.Nodes[0].Namespaces[0].Pod.Name; got != want {
		t.Errorf("the Pod is %s among the objects and %s on its node", got, want)
	}
	name := "the kubelet of " + first.Nodes[0].Name + " at " + first.Nodes[0].Addresses.Value[0].Local.String()
	if got, want := options.Mapping.Restore(name), "the kubelet of quux-w1.umbrella.example at 10.77.3.5"; got != want {
		t.Errorf("restored %q, want %q", got, want)
	}
}

// TestWordsKeepTheirNumbers redacts two parts with one mapping, each with a word of its own.
func TestWordsKeepTheirNumbers(t *testing.T) {
	at := func(server string) *facts.Snapshot { return &facts.Snapshot{Cluster: &facts.Cluster{Server: server}} }
	m := &redact.Mapping{}
	var got []string
	for _, words := range [][]string{{"Acme", "ACME"}, {"zeta", "acme"}, {"wb", "wc", "wd", "we", "wf", "wg", "wh", "wi"}} {
		out, _, err := redact.Apply(t.Context(), at("https://acme-ZETA"), redact.Options{Words: words, Mapping: m})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, out.Cluster.Server)
	}
	want := []string{"https://redacted-1-ZETA", "https://redacted-1-redacted-2", "https://redacted-1-redacted-2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, want := m.Restore("xredacted-2y xredacted-10y"), "xzetay xwiy"; got != want {
		t.Errorf("restored %q, want %q", got, want)
	}
	if _, _, err := redact.Apply(t.Context(), at("x"), redact.Options{Words: []string{" "}}); err == nil {
		t.Error("a word that is none is looked for")
	}
}

// TestKeysThatBecomeOne has two keys of which the first in order keeps its value, whatever the order of the map.
func TestKeysThatBecomeOne(t *testing.T) {
	snapshot := &facts.Snapshot{Cluster: &facts.Cluster{}}
	labels := map[string]string{"acme": "1", "ACME": "2", "Acme": "3"}
	snapshot.Cluster.Namespaces = facts.ReadGroup([]facts.NamespaceObject{{Metadata: facts.ObjectMeta{Name: "x", Labels: labels}}})
	for range 20 {
		out, _, err := redact.Apply(t.Context(), snapshot, redact.Options{Words: []string{"acme"}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"redacted-1": "2"}, out.Cluster.Namespaces.Value[0].Metadata.Labels); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
}

// TestMappingDisagrees has a prefix in the second part that changes what stands for an address of the first.
func TestMappingDisagrees(t *testing.T) {
	at := func(prefixes ...string) *facts.Snapshot {
		node := &facts.Node{Name: "a"}
		for _, p := range prefixes {
			node.Routes.Value = append(node.Routes.Value, facts.Route{Dst: netip.MustParsePrefix(p)})
		}
		node.Routes.Status = facts.Read
		return &facts.Snapshot{Nodes: []*facts.Node{node}}
	}
	for range 50 { // whether a bit is flipped is the key's to say
		m := &redact.Mapping{}
		if _, _, err := redact.Apply(t.Context(), at("10.1.0.1/32", "10.1.127.1/32"), redact.Options{Addresses: true, Mapping: m}); err != nil {
			t.Fatal(err)
		}
		_, _, err := redact.Apply(t.Context(), at("10.1.0.0/16"), redact.Options{Addresses: true, Mapping: m})
		if err != nil {
			if !strings.Contains(err.Error(), "redact the bundles together") {
				t.Fatal(err)
			}
			return
		}
	}
	t.Error("a prefix that changes addresses of before is taken")
}

func TestMixed(t *testing.T) {
	snapshot := &facts.Snapshot{Inputs: []facts.Input{{Kind: "bundle", Redacted: []string{"secrets", "names"}}, {Kind: "bundle"}}}
	if _, _, err := redact.Apply(t.Context(), snapshot, redact.Options{Names: true}); !errors.Is(err, redact.ErrMixed) {
		t.Errorf("error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := redact.Apply(ctx, hostile(), redact.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
