package bundle

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// recordedFile is a file of a recorded sosreport.
func recordedFile(t *testing.T, name string) string {
	t.Helper()
	for _, e := range untar(t, gunzip(t, readFile(t, healthy))) {
		if e.header.Name == "healthy/sosreport-n1/"+name {
			return e.text
		}
	}
	t.Fatalf("there is no %s", name)
	return ""
}

const networking = "sos_commands/networking/"

// Loose outputs are the same facts as in a sosreport, whatever the files are called.
func TestReadLoose(t *testing.T) {
	want := read(t, healthy).Nodes[0]
	dir := folderOf(t, map[string]string{
		"1.txt": recordedFile(t, networking+"ip_-s_-d_link"), "2.txt": recordedFile(t, networking+"ip_-d_address"),
		"3": recordedFile(t, networking+"ip_route_show_table_all"), "4.log": recordedFile(t, networking+"ip_-4_rule"),
		"5":  recordedFile(t, networking+"ip_-s_-s_neigh_show"),
		"6":  recordedFile(t, networking+"bridge_-s_-s_-d_-t_fdb_show"),
		"7":  recordedFile(t, "sos_commands/kernel/sysctl_-a"),
		"8":  recordedFile(t, networking+"ss_-peaonmi"),
		"9":  recordedFile(t, networking+"nft_list_ruleset"),
		"10": recordedFile(t, "sos_commands/kernel/uname_-a"),
		"11": "It began on Monday.\n", "12": "",
		"etc/sysctl.conf": "# comment\nnet.ipv4.ip_forward = 1\n",
	})
	snapshot, files, err := ReadFiles(t.Context(), []string{dir}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(snapshot.Nodes) != 1 || snapshot.Nodes[0].Name != "n1" {
		t.Fatalf("%d nodes, %s", len(snapshot.Nodes), snapshot.Nodes[0].Name)
	}
	got := snapshot.Nodes[0]
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"links", len(got.Links.Value), len(want.Links.Value)},
		{"addresses", len(got.Addresses.Value), len(want.Addresses.Value)},
		{"routes", len(got.Routes.Value), len(want.Routes.Value)},
		{"rules", len(got.Rules.Value), 3},
		{"neighbours", len(got.Neighbours.Value), 6},
		{"fdb", len(got.FDB.Value), len(want.FDB.Value)},
		{"sysctls", len(got.Sysctls.Value), len(want.Sysctls.Value)},
		{"listeners", len(got.Listeners.Value), len(want.Listeners.Value)},
		{"nftables", len(facts.Text(&got.NFTables)), len(facts.Text(&want.NFTables))},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.name, c.got, c.want)
		}
	}
	if got.Rules.Reason == "" {
		t.Error("that the rules are of IPv4 alone is not said")
	}
	for _, f := range files {
		if passed := f.Name == "11" || f.Name == "12" || f.Name == "etc/sysctl.conf"; passed != (f.PassedOver != "") {
			t.Errorf("%+v", f)
		}
	}
}

// A ticket with what kubectl printed between the outputs of a node, in YAML and JSON, is the cluster's objects too.
func TestReadPastedObjects(t *testing.T) {
	const pods = "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a\n    namespace: web\n  spec:\n    nodeName: n1\nkind: List\nmetadata:\n  resourceVersion: \"\"\n"
	const nodes = `{"apiVersion":"v1","items":[{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}],"kind":"List"}` + "\n"
	const none = `{"apiVersion":"v1","items":[],"kind":"List"}` + "\n"
	const node = "[root@n1 ~]# ip route\ndefault via 10.0.0.254 dev eth0\n"
	for name, test := range map[string]struct{ text, want string }{
		"of a jump host":          {"Hello,\n[joe@jump ~]$ kubectl get pods -A -o yaml\n" + pods + "[joe@jump ~]$ kubectl get no -o json\n" + nodes + "[joe@jump ~]$ ssh n1\n" + node, "pods read 1 , nodes read 1, daemonsets absent, 1 machines"},
		"without a host":          {"$ kubectl get pods -A -o yaml\n" + pods + "$ oc get daemonsets -A -o json\n" + none, "pods read 1 , nodes absent 0, daemonsets read, 0 machines"},
		"k3s":                     {"root@n1:~# k3s kubectl get nodes -o json\n" + nodes, "pods absent 0 no bundle has a list of pods, nodes read 1, daemonsets absent, 0 machines"},
		"of one namespace":        {"$ kubectl -n web get pods -o yaml\n" + pods + "$ kubectl get ds -o json\n" + none, "pods absent 1 those of web alone: of kube-system and others there is no list, nodes absent 0, daemonsets absent, 0 machines"},
		"selected":                {"$ kubectl get pods -A -l app=a -o yaml\n" + pods, "pods absent 1 those of web alone: of kube-system and others there is no list, nodes absent 0, daemonsets absent, 0 machines"},
		"named, beside all nodes": {"$ kubectl get pods a b -n web -o yaml\n" + pods + "$ kubectl get nodes -o json\n" + nodes, "pods absent 0 no bundle has a list of pods, nodes read 1, daemonsets absent, 0 machines"},
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, folderOf(t, map[string]string{"ticket.txt": test.text}))
			machines := slices.DeleteFunc(s.Nodes, func(n *facts.Node) bool { return n.Routes.Status != facts.Read })
			got := fmt.Sprintf("pods %v %d %s, nodes %v %d, daemonsets %v, %d machines", s.Cluster.Pods.Status, len(s.Cluster.Pods.Value), s.Cluster.Pods.Reason,
				s.Cluster.Nodes.Status, len(s.Cluster.Nodes.Value), s.Cluster.DaemonSets.Status, len(machines))
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// Several hosts' outputs in one folder are told apart by the names of the files, or by the prompts in them.
func TestReadLooseOfSeveralHosts(t *testing.T) {
	address := func(last int) string {
		return fmt.Sprintf("2: eth0: <UP> mtu 1500 state UP\n    link/ether 52:54:00:00:00:%02x promiscuity 0\n    inet 10.0.0.%d/24 scope global eth0\n       valid_lft forever preferred_lft forever\n", last, last)
	}
	for name, files := range map[string]map[string]string{
		"names":   {"n1-ip-addr.txt": address(1), "n1-ip-route.txt": "default via 10.0.0.254 dev eth0\n", "ip_addr_n2.txt": address(2)},
		"folders": {"n1/ip addr": address(1), "n1/ip route": "default via 10.0.0.254 dev eth0\n", "n2/a": address(2)},
		// As calicoctl calls them, and with what other tools' options leave out.
		"nodes":   {"nodes/n1/ip-addr.txt": address(1), "nodes/n1/ip-route.txt": "default via 10.0.0.254 dev eth0\n", "nodes/n2/ip-addr.txt": address(2)},
		"prompts": {"ticket.txt": "Hello,\nhere it is:\n[root@n1 ~]# ip addr\n" + address(1) + "[root@n1 ~]# ip route\ndefault via 10.0.0.254 dev eth0\n\nroot@n2:~# sudo ip -d address show\n" + address(2) + "root@n2:~# exit\n"},
		"one prompt for each file": {
			"a": "[root@n1 ~]# ip -d address\n" + address(1), "b": "[core@n1 ~]$ ip r\ndefault via 10.0.0.254 dev eth0\n", "c": "root@n2:/tmp# ip a\n" + address(2),
		},
	} {
		t.Run(name, func(t *testing.T) {
			snapshot := read(t, folderOf(t, files))
			var got []string
			for _, n := range snapshot.Nodes {
				got = append(got, fmt.Sprintf("%s %v %v %v", n.Name, n.Addresses.Value[0].Local, n.Links.Status, n.Routes.Status))
			}
			slices.Sort(got)
			if diff := gocmp.Diff([]string{"n1 10.0.0.1 read read", "n2 10.0.0.2 read absent"}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Files that are named one by one are as those of one folder.
func TestReadLooseOneByOne(t *testing.T) {
	dir := folderOf(t, map[string]string{
		"addr.txt": recordedFile(t, networking+"ip_-d_address"), "r.txt": recordedFile(t, networking+"ip_route_show_table_all"),
	})
	snapshot := read(t, filepath.Join(dir, "addr.txt"), filepath.Join(dir, "r.txt"), healthy)
	if len(snapshot.Nodes) != 2 || snapshot.Nodes[0].Name != "n1" || snapshot.Nodes[1].Name != "n2" {
		t.Errorf("%d nodes, %s", len(snapshot.Nodes), snapshot.Nodes[0].Name) // known by its devices
	}
	alone := read(t, filepath.Join(dir, "addr.txt"), filepath.Join(dir, "r.txt"))
	if len(alone.Nodes) != 1 || alone.Nodes[0].Routes.Status != facts.Read || alone.Nodes[0].Links.Status != facts.Read {
		t.Errorf("%d nodes", len(alone.Nodes))
	}
}

// What a report asks for comes back as one file of each node.
func TestReadWhatWasAskedFor(t *testing.T) {
	text := "[root@n1 ~]# ip -s -d address\n" + recordedFile(t, networking+"ip_-d_address") +
		"[root@n1 ~]# nft -j list ruleset\n{\"nftables\": []}\n" +
		"[root@n1 ~]# conntrack -L\nsh: 1: conntrack: not found\n" +
		"[root@n1 ~]# iptables-legacy-save -c\n" +
		"[root@n1 ~]# cat /etc/resolv.conf\nnameserver 10.0.0.53\n" +
		"[root@n1 ~]# head -v -n 1000 /etc/sysconfig/network-scripts/ifcfg-* /etc/netplan/*.yaml\n" +
		"==> /etc/sysconfig/network-scripts/ifcfg-eth0 <==\nDEVICE=eth0\nBOOTPROTO=dhcp\n\n==> /etc/sysconfig/network-scripts/ifcfg-lo <==\nDEVICE=lo\n" +
		"head: cannot open '/etc/netplan/*.yaml' for reading: No such file or directory\n"
	n := read(t, folderOf(t, map[string]string{"n1.txt": text})).Nodes[0]
	if n.Name != "n1" || n.ResolvConf.Status != facts.Read || n.ResolvConf.Value.Nameservers[0].Address.String() != "10.0.0.53" {
		t.Errorf("%s: %+v", n.Name, n.ResolvConf)
	}
	if n.ConfigFiles.Status != facts.Read || len(n.ConfigFiles.Value.Interfaces) != 2 || n.ConfigFiles.Value.Interfaces[0].DHCP4 == nil {
		t.Errorf("%+v", n.ConfigFiles)
	}
	if n.NFTables.Value.Format != "nft-json" || n.IPTablesLegacy.Status != facts.Read || n.ConntrackEntries.Status == facts.Read {
		t.Errorf("nftables %+v, legacy %+v, connections %+v", n.NFTables.Value, n.IPTablesLegacy.Meta, n.ConntrackEntries.Meta)
	}
	if a := n.Addresses.Value[0]; a.Source != "n1.txt:4" {
		t.Errorf("the source of an address is %s", a.Source)
	}
}

// What Pods listen on comes with the processes that nsenter entered their namespaces by.
func TestReadWhatPodsListenOn(t *testing.T) {
	device := func(dev, address string) string {
		return "2: " + dev + ": <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP group default\n    link/ether 0a:58:0a:f4:01:02 brd ff:ff:ff:ff:ff:ff link-netnsid 0\n" +
			"    inet " + address + " scope global " + dev + "\n       valid_lft forever preferred_lft forever\n"
	}
	sockets := func(port int) string {
		return fmt.Sprintf("Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\ntcp   LISTEN 0      5            0.0.0.0:%d      0.0.0.0:*    users:((\"app\",pid=7,fd=3))\n", port)
	}
	text := "[root@n1 ~]# ss -lntup\n" + sockets(10250) +
		"[root@n1 ~]# nsenter -t 1 -n ip -d address\n" + device("eth0", "192.0.2.1/24") + "[root@n1 ~]# nsenter -t 1 -n ss -lntup\n" + sockets(10250) +
		"[root@n1 ~]# nsenter -t 4711 -n ip -d address\n" + device("eth0", "10.244.1.2/24") + "[root@n1 ~]# nsenter -t 4711 -n ss -lntup\n" + sockets(8080) +
		"[root@n1 ~]# nsenter --target 4711 --mount --net ss -lntup\n" + sockets(1)
	pods := `{"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"namespace": "kube-system", "name": "dns", "uid": "u"},
		"spec": {"nodeName": "n1"}, "status": {"phase": "Running", "podIP": "10.244.1.2"}}]}`
	n := read(t, folderOf(t, map[string]string{"n1.txt": text, "pods.json": pods})).Nodes[0]
	if len(n.Listeners.Value) != 1 || n.Listeners.Value[0].Port != 10250 || len(n.Namespaces) != 1 {
		t.Fatalf("of the node: %+v, and %d namespaces", n.Listeners.Value, len(n.Namespaces))
	}
	ns := n.Namespaces[0]
	if ns.Pod == nil || ns.Pod.Name != "dns" || ns.Path != "/proc/4711/ns/net" || len(ns.Listeners.Value) != 1 || ns.Listeners.Value[0].Port != 8080 {
		t.Errorf("%+v: %+v", ns, ns.Listeners.Value)
	}
}

// An output that shows a part is not the whole.
func TestReadParts(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		is   func(*facts.Node) bool
	}{
		"of one device": {"[root@n1 ~]# ip route show dev eth0\ndefault via 10.0.0.254\n[root@n1 ~]# hostname\nn1\n", func(n *facts.Node) bool { return n.Routes.Status == facts.Absent }},
		"through grep":  {"[root@n1 ~]# iptables-save | grep KUBE\n-A X\n[root@n1 ~]# hostname\nn1\n", func(n *facts.Node) bool { return n.IPTablesNFT.Status == facts.Absent }},
		"without kinds": {"[root@n1 ~]# ip link\n2: eth0: <UP> mtu 1500 state UP\n    link/ether 52:54:00:00:00:01\n", func(n *facts.Node) bool {
			return n.Links.Status == facts.Absent && strings.Contains(n.Links.Reason, "ip -d link")
		}},
		"a few sysctls": {"[root@n1 ~]# sysctl -a\nnet.ipv4.ip_forward = 1\n", func(n *facts.Node) bool { return n.Sysctls.Status == facts.Absent }},
		"not found":     {"[root@n1 ~]# ip rule\nbash: ip: command not found\n", func(n *facts.Node) bool { return n.Rules.Status == facts.Failed }},
		"not allowed":   {"[root@n1 ~]# bridge fdb\nbridge: Operation not permitted\n", func(n *facts.Node) bool { return n.FDB.Status == facts.Denied }},
		"the main table alone": {"[root@n1 ~]# ip route\ndefault via 10.0.0.254 dev eth0\n", func(n *facts.Node) bool {
			return n.Routes.Status == facts.Read && strings.Contains(n.Routes.Reason, "main table")
		}},
		"and rules ask another": {"[root@n1 ~]# ip route\ndefault via 10.0.0.254 dev eth0\n[root@n1 ~]# ip rule\n0: from all lookup local\n5: from all lookup 100\n", func(n *facts.Node) bool { return n.Routes.Status == facts.Absent }},
		"a rule not understood": {"[root@n1 ~]# ip rule\n0: from all lookup local\n5: from all tun_id 7 lookup 100\n", func(n *facts.Node) bool { return n.Rules.Status != facts.Read }},
		"TCP alone":             {"[root@n1 ~]# ss -lnt\nState Recv-Q Send-Q Local Address:Port Peer Address:Port\nLISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n", func(n *facts.Node) bool { return strings.Contains(n.Listeners.Reason, "TCP alone") }},
	} {
		t.Run(name, func(t *testing.T) {
			n := read(t, onDisk(t, "x", []byte(c.text))).Nodes[0]
			if n.Name != "n1" || !c.is(n) {
				t.Errorf("%s: %+v %+v %+v %+v %+v", n.Name, n.Links.Meta, n.Routes.Meta, n.Rules.Meta, n.Listeners.Meta, n.Sysctls.Meta)
			}
		})
	}
}

// A file of prompts alone takes no more memory than its size warrants.
func TestReadManyPrompts(t *testing.T) {
	path := onDisk(t, "x", bytes.Repeat([]byte("[root@n1 ~]# ip route\ndefault via 10.0.0.254 dev eth0\n"), 100_000))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	snapshot, files, err := ReadFiles(t.Context(), []string{path}, Limits{})
	runtime.ReadMemStats(&after)
	if err != nil || snapshot.Nodes[0].Routes.Status != facts.Read {
		t.Fatal(err)
	}
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > allocatedMiB {
		t.Errorf("%d MiB were allocated", allocated)
	}
	if len(files) != 1 || files[0].FirstUnparsed == "" {
		t.Errorf("what was not read is not said: %+v", files)
	}
}

func FuzzReadText(f *testing.F) {
	for _, text := range []string{
		"[root@n1 ~]# ip a\n2: eth0: <UP> mtu 1500\n    inet 10.0.0.1/24 scope global eth0\n", "# Generated by iptables-save v1.8.9 (nf_tables) on x\n*nat\nCOMMIT\n",
		"apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  apiVersion: v1\n  metadata: {name: a}\n", `{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}},null]}`,
		"{\"apiVersion\":\"v1\",\"kind\":\"NodeList\",\"items\":[]}\n==== START logs for container a of pod b/c ====\nx\n==== END logs for container a of pod b/c ====\n{}",
		"[root@n1 ~]# head -v x\n==> /etc/cni/net.d/a <==\n{\n[root@n1 ~]# cat /etc/network/interfaces\nsource /etc/network/interfaces\n",
		`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"discovery.k8s.io/v1beta1","kind":"EndpointSlice","metadata":{"name":"a"},"endpoints":[{"topology":{}}]}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(readAnything)
}
