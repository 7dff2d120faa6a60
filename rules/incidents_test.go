package rules_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/rules"
)

// The Rego tests are written in JSON. These incidents are written in the types of the facts, so that a field of another
// name shows.

// compiled is the library, which takes longer to compile than to ask.
var compiled = sync.OnceValues(func() (*engine.Engine, error) { return engine.New(context.Background(), rules.FS) })

func diagnose(t *testing.T, snapshot *facts.Snapshot) *engine.Diagnosis {
	t.Helper()
	e, err := compiled()
	if err != nil {
		t.Fatalf("compile the library: %v", err)
	}
	d, err := e.Diagnose(t.Context(), snapshot)
	if err != nil {
		t.Fatalf("diagnose: %v", err)
	}
	for _, failed := range d.FailedRules {
		t.Errorf("rule %s failed on %s: %s", failed.ID, failed.Subject, failed.Error)
	}
	for _, f := range d.Findings {
		for _, e := range f.Evidence {
			if e.Fact == "" || e.Source == "" {
				t.Errorf("%s: evidence without a name or a source: %+v", f.ID, e)
			}
		}
	}
	return d
}

// chains are the chains of the root causes.
func chains(d *engine.Diagnosis) [][]string {
	list := [][]string{}
	for _, root := range d.RootCauses {
		list = append(list, root.Chain)
	}
	return list
}

func ruledOut(d *engine.Diagnosis, id, node string) bool {
	return slices.ContainsFunc(d.RuledOut, func(r engine.RuledOut) bool { return r.ID == id && r.Subject.Name == node })
}

const forever = facts.Forever

func permanent(dev, prefix string) facts.Address {
	p := netip.MustParsePrefix(prefix)
	return facts.Address{
		Source: facts.Source("ip -d address show dev " + dev), Dev: dev, Family: "inet", Local: p.Addr(), Prefixlen: p.Bits(),
		Scope: "global", ValidLifeTime: forever, PreferredLifeTime: forever,
	}
}

func leased(dev, prefix string) facts.Address {
	a := permanent(dev, prefix)
	a.Dynamic, a.ValidLifeTime, a.PreferredLifeTime = true, 86000, 86000
	return a
}

func link(name, kind string, mtu int) facts.Link {
	return facts.Link{
		Source: facts.Source("ip -d link show dev " + name), Ifname: name, Kind: kind, LinkType: "ether", MTU: mtu,
		Flags: []string{"UP", "LOWER_UP"},
	}
}

// podLink is the host's end of a Pod's veth pair.
func podLink(mtu int) facts.Link {
	l := link("veth1", "veth", mtu)
	l.LinkNetnsid = new(int)
	return l
}

func flannelLink(local string, mtu int) facts.Link {
	l := link("flannel.1", "vxlan", mtu)
	l.VXLAN = &facts.VXLAN{ID: 1, Local: netip.MustParseAddr(local), Port: 8472, Link: "eth0"}
	return l
}

func route(dst, via, dev string) facts.Route {
	return facts.Route{
		Source: "ip route show table all", Type: "unicast", Dst: netip.MustParsePrefix(dst), Family: "inet",
		Via: netip.MustParseAddr(via), Dev: dev, Table: facts.TableMain, Protocol: "boot",
	}
}

func nodeObject(name, address, cidr, publicIP string) facts.NodeObject {
	return facts.NodeObject{
		Source: "nodes.json",
		Metadata: facts.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/os": "linux"}, Annotations: map[string]string{
			"flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.alpha.coreos.com/public-ip": publicIP,
			"flannel.alpha.coreos.com/backend-data": backendData(name),
		}},
		Spec:   facts.NodeSpec{PodCIDR: cidr, PodCIDRs: []string{cidr}},
		Status: facts.NodeStatus{Addresses: []facts.NodeAddress{{Type: "InternalIP", Address: address}}},
	}
}

const serviceRules = `*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-SEP-B - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-SVC-A
-A KUBE-SVC-A -j KUBE-SEP-B
-A KUBE-SEP-B -p udp -m udp -j DNAT --to-destination 10.244.2.2:53
COMMIT
`

func listing(text string) facts.Group[facts.Listing] {
	g := facts.ReadGroup(facts.Listing{Format: "iptables-save"}, "iptables-save -c")
	g.Raw = []facts.Raw{{Name: "iptables-save_-c", Data: []byte(text)}}
	return g
}

// flannelNode is a healthy node of a cluster with flannel and kube-proxy.
func flannelNode(name, address, peerCIDR string, mtu int) *facts.Node {
	n := &facts.Node{Name: name}
	n.Links = facts.ReadGroup([]facts.Link{link("eth0", "", 1500), flannelLink(address, 1450), podLink(mtu)})
	n.Addresses = facts.ReadGroup([]facts.Address{permanent("eth0", address+"/24")})
	cidr := netip.MustParsePrefix(peerCIDR)
	n.Routes = facts.ReadGroup([]facts.Route{route("0.0.0.0/0", "192.0.2.254", "eth0"), route(peerCIDR, cidr.Addr().String(), "flannel.1")})
	n.ConfigFiles = facts.ReadGroup(facts.ConfigFiles{})
	n.KubeletConfig = facts.ReadGroup(facts.KubeletConfig{
		File: "/var/lib/kubelet/config.yaml", Source: "/var/lib/kubelet/config.yaml", ClusterDNS: []string{"10.96.0.10"},
	})
	n.Processes = facts.ReadGroup([]facts.Process{{PID: 10, Comm: "kubelet", HostNetwork: true, Source: "ps -eo pid,args"}})
	n.IPTablesNFT, n.IPTablesLegacy = listing(serviceRules), listing("")
	n.NFTables = facts.ReadGroup(facts.Listing{Format: "nft-json"}, "nft -j list ruleset")
	addKernelFacts(n, peerCIDR)
	return n
}

func kubeProxyPod(node string, phase string) facts.Pod {
	return facts.Pod{
		Source: "pods.json",
		Metadata: facts.ObjectMeta{
			Name: "kube-proxy-" + node, Namespace: "kube-system",
			OwnerReferences: []facts.OwnerReference{{Kind: "DaemonSet", Name: "kube-proxy"}},
		},
		Spec:   facts.PodSpec{NodeName: node},
		Status: facts.PodStatus{Phase: phase},
	}
}

func healthy() *facts.Snapshot {
	return &facts.Snapshot{
		Nodes: []*facts.Node{
			flannelNode("n1", "192.0.2.1", "10.244.2.0/24", 1450),
			flannelNode("n2", "192.0.2.2", "10.244.1.0/24", 1450),
		},
		Cluster: &facts.Cluster{
			Nodes: facts.ReadGroup([]facts.NodeObject{
				nodeObject("n1", "192.0.2.1", "10.244.1.0/24", "192.0.2.1"),
				nodeObject("n2", "192.0.2.2", "10.244.2.0/24", "192.0.2.2"),
			}),
			Pods: facts.ReadGroup([]facts.Pod{kubeProxyPod("n1", "Running"), kubeProxyPod("n2", "Running")}),
			DaemonSets: facts.ReadGroup([]facts.DaemonSet{{
				Source:   "daemonsets.json",
				Metadata: facts.ObjectMeta{Name: "kube-proxy", Namespace: "kube-system"},
				Spec: facts.WorkloadSpec{Template: facts.PodTemplate{Spec: facts.PodSpec{
					NodeSelector: map[string]string{"kubernetes.io/os": "linux"},
					Tolerations:  []facts.Toleration{{Operator: "Exists"}},
				}}},
			}}),
			NetworkPolicies: facts.ReadGroup([]facts.NetworkPolicy{}),
			EndpointSlices: facts.ReadGroup([]facts.EndpointSlice{{
				Metadata: facts.ObjectMeta{
					Name: "kube-dns-a", Namespace: "kube-system", Labels: map[string]string{"kubernetes.io/service-name": "kube-dns"},
				},
				AddressType: "IPv4",
				Ports:       []facts.EndpointPort{{Name: "dns", Protocol: "UDP", Port: 53}},
				Endpoints:   []facts.Endpoint{{Addresses: []string{"10.244.2.2"}}},
			}}),
			Namespaces: facts.ReadGroup([]facts.NamespaceObject{
				{Metadata: facts.ObjectMeta{Name: "shop", Labels: map[string]string{"kubernetes.io/metadata.name": "shop"}}},
				{Metadata: facts.ObjectMeta{Name: "kube-system", Labels: map[string]string{"kubernetes.io/metadata.name": "kube-system"}}},
			}),
			Services: facts.ReadGroup([]facts.Service{{
				Source:   "services.json",
				Metadata: facts.ObjectMeta{Name: "kube-dns", Namespace: "kube-system"},
				Spec:     facts.ServiceSpec{ClusterIP: "10.96.0.10", Ports: []facts.ServicePort{{Name: "dns", Protocol: "UDP", Port: 53}}},
			}}),
		},
	}
}

func TestHealthyClusterRulesEverythingOut(t *testing.T) {
	d := diagnose(t, healthy())
	if len(d.Findings)+len(d.NotExamined) > 0 {
		t.Errorf("findings %+v, not examined %+v", d.Findings, d.NotExamined)
	}
	seen := map[string]bool{}
	for _, r := range d.RuledOut {
		seen[r.ID] = true
	}
	for _, rule := range library(t).Rules() {
		if !seen[rule.ID] {
			t.Errorf("%s was not ruled out", rule.ID)
		}
	}
}

func TestPeersThatSendToAForeignSourceMakeItAWarning(t *testing.T) {
	for dst, want := range map[string]engine.Severity{"192.0.2.228": engine.Warning, "192.0.2.1": engine.Critical} {
		snapshot := healthy()
		snapshot.Nodes[0].Links.Value[1] = flannelLink("192.0.2.228", 1450)
		snapshot.Nodes[1].FDB = facts.ReadGroup([]facts.FDBEntry{{
			Source: "bridge -d fdb show", MAC: vtepMAC("n1"), Dev: "flannel.1", Dst: netip.MustParseAddr(dst), State: "permanent",
		}})
		d := diagnose(t, snapshot)
		if len(d.Findings) != 1 || d.Findings[0].ID != "tunnel-source-not-node-address" || d.Findings[0].Severity != want {
			t.Errorf("peer sends to %s: findings %+v, want one of severity %v", dst, d.Findings, want)
		}
	}
}

func TestStateOfACrashingKubeProxy(t *testing.T) {
	snapshot := healthy()
	pod := &snapshot.Cluster.Pods.Value[0]
	pod.Status.Conditions = []facts.Condition{{Type: "Ready", Status: "False"}}
	pod.Status.ContainerStatuses = []facts.ContainerStatus{{
		Name: "kube-proxy", RestartCount: 7,
		State:     facts.ContainerState{Waiting: &facts.ContainerStateReason{Reason: "CrashLoopBackOff"}},
		LastState: &facts.ContainerState{Terminated: &facts.ContainerStateReason{Reason: "Error", ExitCode: 1, Message: "unknown flag"}},
	}}
	const want = "The kube-proxy Pod on n1 does not work: Running but not Ready: CrashLoopBackOff, 7 restarts, last exit 1: unknown flag."
	d := diagnose(t, snapshot)
	if len(d.Findings) != 1 || d.Findings[0].Message != want {
		t.Errorf("findings %+v, want %q", d.Findings, want)
	}
}

func TestIncidents(t *testing.T) {
	tests := []struct {
		name     string
		change   func(*facts.Snapshot)
		symptoms []string
		want     [][]string
		ruledOut []string // of n2
	}{
		{
			name: "the uplink leases an address beside its own, and flannel takes it",
			change: func(s *facts.Snapshot) {
				n1 := s.Nodes[0]
				n1.Addresses.Value = append(n1.Addresses.Value, leased("eth0", "192.0.2.228/24"))
				n1.Links.Value[1] = flannelLink("192.0.2.228", 1450)
				s.Cluster.Nodes.Value[0] = nodeObject("n1", "192.0.2.1", "10.244.1.0/24", "192.0.2.228")
				n1.ConfigFiles.Value.Interfaces = []facts.InterfaceConfig{{
					File: "/etc/sysconfig/network-scripts/ifcfg-eth0", Format: "ifcfg", Device: "eth0", OnBoot: true, NMControlled: true,
					DHCP4: &facts.Setting{Key: "BOOTPROTO", Value: "dhcp", Line: 4, Text: `BOOTPROTO="dhcp"`, Source: "ifcfg-eth0:4"},
					Addresses: []facts.ConfigAddress{{
						Local:   netip.MustParseAddr("192.0.2.1"),
						Setting: facts.Setting{Key: "IPADDR", Value: "192.0.2.1", Line: 10, Text: `IPADDR="192.0.2.1"`, Source: "ifcfg-eth0:10"},
					}},
				}}
			},
			symptoms: []string{"service-unreachable"},
			want:     [][]string{{"node-static-and-dhcp-address", "tunnel-source-not-node-address", "service-unreachable"}},
			ruledOut: []string{"node-static-and-dhcp-address", "tunnel-source-not-node-address", "service-rules-missing-on-node", "pod-network-route-missing"},
		},
		{
			name: "Pods are larger than the tunnel, and a client outside sends full packets",
			change: func(s *facts.Snapshot) {
				for _, node := range s.Nodes {
					node.Links.Value[2] = podLink(1500)
				}
				client := &facts.Node{Name: "client"}
				client.Links = facts.ReadGroup([]facts.Link{link("eth0", "", 1500)})
				client.Addresses = facts.ReadGroup([]facts.Address{permanent("eth0", "198.51.100.9/24")})
				client.Routes = facts.ReadGroup([]facts.Route{route("0.0.0.0/0", "198.51.100.1", "eth0")})
				client.Processes = facts.ReadGroup([]facts.Process{})
				s.Nodes = append(s.Nodes, client)
			},
			symptoms: []string{"large-packet-loss"},
			want:     [][]string{{"path-mtu-mismatch", "large-packet-loss"}},
			ruledOut: []string{"service-rules-missing-on-node", "kube-proxy-not-running-on-node"},
		},
		{
			name: "kube-proxy has no priority and was evicted",
			change: func(s *facts.Snapshot) {
				pod := kubeProxyPod("n1", "Failed")
				pod.Status.Reason = "Evicted"
				s.Cluster.Pods.Value[0] = pod
				s.Nodes[0].IPTablesNFT = listing("")
			},
			symptoms: []string{"dns-failure"},
			want: [][]string{{
				"kube-proxy-missing-priority-class", "kube-proxy-not-running-on-node", "service-rules-missing-on-node", "dns-failure",
			}},
			ruledOut: []string{"kube-proxy-not-running-on-node", "service-rules-missing-on-node"},
		},
		{
			name: "only the API server was asked, and kube-proxy waits for a place",
			change: func(s *facts.Snapshot) {
				pod := kubeProxyPod("n1", "Pending")
				pod.Spec.NodeName = ""
				pod.Spec.Affinity = &facts.Affinity{NodeAffinity: &facts.NodeAffinity{Required: &facts.NodeSelector{
					NodeSelectorTerms: []facts.NodeSelectorTerm{{MatchFields: []facts.SelectorRequirement{
						{Key: "metadata.name", Operator: "In", Values: []string{"n1"}},
					}}},
				}}}
				s.Cluster.Pods.Value[0] = pod
				s.Nodes = nil
			},
			symptoms: []string{"dns-failure"},
			want:     [][]string{{"kube-proxy-missing-priority-class", "kube-proxy-not-running-on-node", "dns-failure"}},
			ruledOut: []string{"kube-proxy-not-running-on-node", "tunnel-source-not-node-address"},
		},
		{
			name: "a route to the Pods of the other node is gone",
			change: func(s *facts.Snapshot) {
				n1 := s.Nodes[0]
				n1.Routes.Value = n1.Routes.Value[:1]
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"pod-network-route-missing", "network-unreachable"}},
			ruledOut: []string{"pod-network-route-missing"},
		},
		{
			name: "a firewall flushed the jumps to kube-proxy's chains",
			change: func(s *facts.Snapshot) {
				const jump = "-A PREROUTING -j KUBE-SERVICES\n"
				before, after, _ := strings.Cut(serviceRules, jump)
				s.Nodes[0].IPTablesNFT = listing(before + after)
			},
			symptoms: []string{"service-unreachable"},
			want:     [][]string{{"service-rules-missing-on-node", "service-unreachable"}},
			ruledOut: []string{"service-rules-missing-on-node"},
		},
		{
			name: "a card in the bridge below the tunnel is smaller than the bridge",
			change: func(s *facts.Snapshot) {
				n1 := s.Nodes[0]
				n1.Links.Value[0].Kind = "bridge"
				port := link("ens5", "", 1400)
				port.Master = "eth0"
				n1.Links.Value = append(n1.Links.Value, port)
			},
			symptoms: []string{"large-packet-loss"},
			want:     [][]string{{"path-mtu-mismatch", "large-packet-loss"}},
			ruledOut: []string{"pod-network-route-missing"},
		},
		{
			name: "a blackhole route stands where the way to the other node's Pods did",
			change: func(s *facts.Snapshot) {
				away := &s.Nodes[0].Routes.Value[1]
				away.Type, away.Via, away.Dev = "blackhole", netip.Addr{}, ""
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"pod-network-route-missing", "network-unreachable"}},
			ruledOut: []string{"pod-network-route-missing"},
		},
		{
			name: "Cilium runs where no kube-proxy is meant to",
			change: func(s *facts.Snapshot) {
				n1 := s.Nodes[0]
				n1.Processes.Value = append(n1.Processes.Value, facts.Process{PID: 11, Comm: "cilium-agent", HostNetwork: true, Source: "ps -eo pid,args"})
				n1.IPTablesNFT = listing("")
				s.Cluster.DaemonSets.Value = nil
				s.Cluster.Pods.Value = nil
			},
			symptoms: []string{"service-unreachable"},
			want:     [][]string{},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			snapshot := healthy()
			test.change(snapshot)
			snapshot.Symptoms = test.symptoms
			d := diagnose(t, snapshot)
			if diff := cmp.Diff(test.want, chains(d)); diff != "" {
				t.Errorf("chains of the root causes (-want +got):\n%s", diff)
			}
			for _, id := range test.ruledOut {
				if !ruledOut(d, id, "n2") {
					t.Errorf("%s was not ruled out on n2", id)
				}
			}
		})
	}
}

// The policies are real ones, judged by the evaluator: not what a test says that it would answer.
func TestNetworkPolicyBlocksDNS(t *testing.T) {
	pod := func(namespace, name, node, address string) facts.Pod {
		return facts.Pod{
			Metadata: facts.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
			Spec:     facts.PodSpec{NodeName: node},
			Status:   facts.PodStatus{Phase: "Running", PodIP: address, PodIPs: []facts.PodIP{{IP: address}}},
		}
	}
	web := facts.NetworkPolicyRule{Ports: []facts.NetworkPolicyPort{{Protocol: "TCP", Port: float64(443)}}}
	dns := facts.NetworkPolicyRule{
		To: []facts.NetworkPolicyPeer{{NamespaceSelector: &facts.LabelSelector{
			MatchLabels: map[string]string{"kubernetes.io/metadata.name": "kube-system"},
		}}},
		Ports: []facts.NetworkPolicyPort{{Protocol: "UDP", Port: float64(53)}},
	}
	// Of another namespace, and of another plugin.
	elsewhere := []facts.PolicyReference{
		{APIGroup: "crd.projectcalico.org", Kind: "NetworkPolicy", Metadata: facts.ObjectMeta{Namespace: "calico-system", Name: "default-deny"}},
		{APIGroup: "cilium.io", Kind: "CiliumClusterwideNetworkPolicy", Metadata: facts.ObjectMeta{Name: "allow-dns"}},
	}
	global := []facts.PolicyReference{{APIGroup: "crd.projectcalico.org", Kind: "GlobalNetworkPolicy", Metadata: facts.ObjectMeta{Name: "allow-dns"}}}
	for _, c := range []struct {
		name    string
		egress  []facts.NetworkPolicyRule
		flannel bool
		others  []facts.PolicyReference
		want    []string
	}{
		{"web alone", []facts.NetworkPolicyRule{web}, false, elsewhere, []string{"network-policy-blocks-dns NetworkPolicy shop/web"}},
		{"DNS by namespace label", []facts.NetworkPolicyRule{web, dns}, false, elsewhere, nil},
		{"everything", []facts.NetworkPolicyRule{{}}, false, elsewhere, nil},
		{"flannel enforces nothing", []facts.NetworkPolicyRule{web}, true, elsewhere, nil},
		{"Calico's own policies may allow it", []facts.NetworkPolicyRule{web}, false, global, nil},
		{"Calico's own policies were not read", []facts.NetworkPolicyRule{web}, false, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := healthy()
			cluster := s.Cluster
			cluster.Pods.Value = append(cluster.Pods.Value, pod("shop", "web", "n1", "10.244.1.7"), pod("kube-system", "coredns", "n2", "10.244.2.2"))
			cluster.NetworkPolicies = facts.ReadGroup([]facts.NetworkPolicy{{
				Source:   "networkpolicies.json",
				Metadata: facts.ObjectMeta{Namespace: "shop", Name: "web"},
				Spec:     facts.NetworkPolicySpec{PolicyTypes: []string{"Egress"}, Egress: c.egress},
			}})
			if c.others != nil {
				cluster.OtherPolicies = facts.ReadGroup(c.others)
			}
			if !c.flannel {
				cluster.DaemonSets.Value = append(cluster.DaemonSets.Value, facts.DaemonSet{Metadata: facts.ObjectMeta{Name: "canal", Namespace: "kube-system"}})
			}
			e, err := engine.New(t.Context(), rules.FS)
			if err != nil {
				t.Fatal(err)
			}
			d, err := e.Diagnose(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, root := range d.RootCauses {
				got = append(got, root.ID+" "+root.Subject.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" || len(d.FailedRules) > 0 {
				t.Errorf("roots (-want +got), failed rules %v:\n%s", d.FailedRules, diff)
			}
		})
	}
}
