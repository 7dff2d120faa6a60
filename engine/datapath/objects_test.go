package datapath_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// routedNode is a node n with Pods as Calico makes them: a veth pair and a /32 route for each, the other node's Pods behind
// eth0. Nothing of a filter is there, and all of it was read.
func routedNode(n int, pods ...int) *facts.Node {
	node := &facts.Node{Name: fmt.Sprintf("n%d", n)}
	ns := &node.NetNS
	*ns = emptyNS(fmt.Sprintf("192.168.50.%d/24", n), "eth0", fmt.Sprintf("02:00:00:00:00:%02x", n))
	addRoutes(via(fmt.Sprintf("10.65.%d.0/24", 3-n), fmt.Sprintf("192.168.50.%d", 3-n), "eth0"), via("0.0.0.0/0", "192.168.50.254", "eth0"))(ns)
	for i, p := range pods {
		address := fmt.Sprintf("10.65.%d.%d", n, p)
		dev, mac, podMAC := fmt.Sprintf("cali%d", p), "ee:ee:ee:ee:ee:ee", fmt.Sprintf("02:00:00:01:%02x:%02x", n, p)
		zero := 0
		ns.Links.Value = append(ns.Links.Value, facts.Link{
			Ifindex: 10 + i, Ifname: dev, LinkType: "ether", Kind: "veth", MTU: 1500, Flags: []string{"UP", "LOWER_UP"}, Address: mac,
			LinkIndex: 2 + 100*p, LinkNetnsid: &zero,
		})
		addRoutes(route("unicast", address+"/32", dev))(ns)
		ns.Neighbours.Value = append(ns.Neighbours.Value, facts.Neighbour{Dst: netip.MustParseAddr(address), Dev: dev, Lladdr: podMAC, State: "PERMANENT"})
		for _, name := range []string{"rp_filter", "accept_local", "route_localnet", "send_redirects", "src_valid_mark"} {
			sysctl("net.ipv4.conf."+dev+"."+name, "0")(ns)
		}
		sysctl("net.ipv4.conf."+dev+".forwarding", "1")(ns)
		pod := &facts.Namespace{ID: fmt.Sprintf("pod%d", p), Pod: &facts.PodReference{Namespace: "default", Name: fmt.Sprintf("pod%d", p)}}
		pod.NetNS = emptyNS(address+"/32", "eth0", podMAC)
		l := &pod.Links.Value[1]
		l.Kind, l.Ifindex, l.LinkIndex, l.LinkNetnsid = "veth", 2+100*p, 10+i, &zero
		addRoutes(via("0.0.0.0/0", "169.254.1.1", "eth0"), route("unicast", "169.254.1.1/32", "eth0"))(&pod.NetNS)
		pod.Neighbours.Value = []facts.Neighbour{{Dst: netip.MustParseAddr("169.254.1.1"), Dev: "eth0", Lladdr: mac, State: "PERMANENT"}}
		pod.Listeners.Value = []facts.Listener{{Proto: "tcp", Local: netip.IPv4Unspecified(), Port: 8080}}
		node.Namespaces = append(node.Namespaces, pod)
	}
	return node
}

// emptyNS is a namespace with one device and its address, all read.
func emptyNS(address, dev, mac string) facts.NetNS {
	n := host()
	prefix := netip.MustParsePrefix(address)
	local := route("local", prefix.Addr().String()+"/32", dev)
	local.Table, local.Scope = facts.TableLocal, "host"
	n.Links.Value = append(n.Links.Value[:1:1], facts.Link{Ifindex: 2, Ifname: dev, LinkType: "ether", MTU: 1500, Flags: []string{"UP", "LOWER_UP"}, Address: mac})
	n.Addresses.Value = []facts.Address{{Dev: dev, Family: "inet", Local: prefix.Addr(), Prefixlen: prefix.Bits(), Scope: "global"}}
	n.Routes.Value = []facts.Route{local}
	if prefix.Bits() < 32 {
		connected := route("unicast", prefix.Masked().String(), dev)
		connected.Scope = "link"
		addRoutes(connected)(&n)
	}
	return n
}

// noFilter says that no listing of the node was read.
func noFilter(n *facts.NetNS) {
	absent := facts.Unread[facts.Listing](facts.Absent, "the bundle has none")
	for _, g := range []*facts.Group[facts.Listing]{&n.IPTablesNFT, &n.IPTablesLegacy, &n.IP6TablesNFT, &n.IP6TablesLegacy, &n.NFTables, &n.IPSet, &n.IPVS} {
		*g = absent
	}
}

// world are nodes n1 with pod1 and pod2, and n2 with pod3 and pod4; Service default/web is pod2 and pod3 at port 8080.
func world(edit func(*facts.Snapshot)) *datapath.Model {
	s := &facts.Snapshot{Nodes: []*facts.Node{routedNode(1, 1, 2), routedNode(2, 3, 4)}, Cluster: &facts.Cluster{
		Pods: facts.ReadGroup([]facts.Pod{}), Nodes: facts.ReadGroup([]facts.NodeObject{}), NetworkPolicies: facts.ReadGroup([]facts.NetworkPolicy{}),
		DaemonSets: facts.ReadGroup([]facts.DaemonSet{{Metadata: facts.ObjectMeta{Namespace: "kube-system", Name: "calico-node"}}}),
		Namespaces: facts.ReadGroup([]facts.NamespaceObject{{Metadata: facts.ObjectMeta{Name: "default"}}}),
		Services: facts.ReadGroup([]facts.Service{{
			Source: "services.json", Metadata: facts.ObjectMeta{Namespace: "default", Name: "web"},
			Spec: facts.ServiceSpec{ClusterIP: "10.96.0.9", Ports: []facts.ServicePort{{Port: 80, NodePort: 30080}}},
		}}),
	}}
	slice := facts.EndpointSlice{
		Source: "slices.json", AddressType: "IPv4", Ports: []facts.EndpointPort{{Port: 8080}},
		Metadata: facts.ObjectMeta{Namespace: "default", Name: "web-1", Labels: map[string]string{"kubernetes.io/service-name": "web"}},
	}
	for i, node := range []string{"n1", "n1", "n2", "n2"} {
		name, address := fmt.Sprintf("pod%d", i+1), fmt.Sprintf("10.65.%c.%d", node[1], i+1)
		s.Cluster.Pods.Value = append(s.Cluster.Pods.Value, facts.Pod{
			Metadata: facts.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"pod": name}},
			Spec:     facts.PodSpec{NodeName: node}, Status: facts.PodStatus{Phase: "Running", PodIP: address, HostIP: "192.168.50." + node[1:]},
		})
		if i == 1 || i == 2 {
			slice.Endpoints = append(slice.Endpoints, facts.Endpoint{Addresses: []string{address}, NodeName: node})
		}
	}
	for i := range 2 {
		s.Cluster.Nodes.Value = append(s.Cluster.Nodes.Value, facts.NodeObject{
			Metadata: facts.ObjectMeta{Name: fmt.Sprintf("n%d", i+1)}, Spec: facts.NodeSpec{PodCIDR: fmt.Sprintf("10.65.%d.0/24", i+1)},
			Status: facts.NodeStatus{Addresses: []facts.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("192.168.50.%d", i+1)}}},
		})
	}
	s.Cluster.EndpointSlices = facts.ReadGroup([]facts.EndpointSlice{slice})
	if edit != nil {
		edit(s)
	}
	return datapath.New(s)
}

// outline is a trace in a line: its verdict, what is expected, and of each way the probability and where it ends.
func outline(t datapath.Trace) string {
	text := string(t.Verdict)
	if t.Expected != "" {
		text += " expected " + string(t.Expected)
	}
	for _, b := range t.Branches {
		step := b.Ends()
		text += fmt.Sprintf("; %.2f %s %s", b.Probability, step.Node, step.Stage)
	}
	return text
}

func TestServiceByObjects(t *testing.T) {
	unread := func(s *facts.Snapshot) { noFilter(&s.Nodes[0].NetNS) }
	pod1 := datapath.Sender{Node: "n1", Namespace: "pod1"}
	for _, x := range []struct {
		name string
		edit func(*facts.Snapshot)
		from datapath.Sender
		src  string
		to   string
		want string
		text string // of a step that is assumed, or of the last
	}{
		{"read, and without a rule for it", nil, pod1, "", "10.96.0.9:80", "unknown expected dropped; 1.00 n1 link", ""},
		{"not read", unread, pod1, "", "10.96.0.9:80", "unknown expected delivered; 0.50 n1 socket; 0.50 n2 socket", "10.96.0.9:80 becomes 10.65.1.2:8080"},
		{"from the node itself", unread, datapath.Sender{Node: "n1"}, "", "10.96.0.9:80", "unknown expected delivered; 0.50 n1 socket; 0.50 n2 socket", "by the cluster's objects Service default/web:80/TCP"},
		{
			"from outside to the node port, and back by the node", unread,
			datapath.Sender{Node: "n1", Dev: "eth0"},
			"192.168.50.100", "192.168.50.1:30080",
			"unknown expected delivered; 0.50 n1 socket; 0.50 n2 socket", "192.168.50.100:50000 becomes 192.168.50.1:50000",
		},
		{"an endpoint that nobody listens on", func(s *facts.Snapshot) {
			unread(s)
			s.Cluster.EndpointSlices.Value[0].Ports[0].Port = 81
		}, pod1, "", "10.96.0.9:80", "unknown expected rejected; 0.50 n1 socket; 0.50 n2 socket", "endpoint"},
		{"no endpoints", func(s *facts.Snapshot) {
			unread(s)
			s.Cluster.EndpointSlices.Value = nil
		}, pod1, "", "10.96.0.9:80", "unknown expected rejected; 1.00 n1 prerouting", "it has no endpoint"},
		{"no endpoint on the node", func(s *facts.Snapshot) {
			unread(s)
			s.Cluster.Services.Value[0].Spec.InternalTrafficPolicy = "Local"
			s.Cluster.EndpointSlices.Value[0].Endpoints = s.Cluster.EndpointSlices.Value[0].Endpoints[1:]
		}, pod1, "", "10.96.0.9:80", "unknown expected dropped; 1.00 n1 prerouting", "no endpoint is on node n1: they are on n2"},
		{"no such port", unread, pod1, "", "10.96.0.9:81", "unknown; 1.00 n1 prerouting", "not port 81/TCP"},
		{"not of a Service", unread, pod1, "", "10.65.1.2:8080", "unknown expected delivered; 1.00 n1 socket", ""},
		{"policy rules of the Pod not read", func(s *facts.Snapshot) {
			s.Nodes[0].Namespaces[0].Rules = facts.Unread[[]facts.RoutingRule](facts.Absent, "the bundle has none")
		}, pod1, "", "10.65.1.2:8080", "unknown expected delivered; 1.00 n1 socket", ""},
		{"and it has no route by the kernel's own", func(s *facts.Snapshot) {
			pod := &s.Nodes[0].Namespaces[0].NetNS
			pod.Rules = facts.Unread[[]facts.RoutingRule](facts.Absent, "the bundle has none")
			pod.Routes.Value = pod.Routes.Value[:1]
		}, pod1, "", "10.65.1.2:8080", "unknown expected rejected; 1.00 n1 route", ""},
		{"nobody knows of which Services there are", func(s *facts.Snapshot) { unread(s); s.Cluster.Services.Status = facts.Denied }, pod1, "", "10.65.1.2:8080", "unknown expected delivered; 1.00 n1 socket", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := tcpTo(x.to)
			if x.src != "" {
				p.Src = netip.MustParseAddr(x.src)
			}
			got := world(x.edit).Trace(x.from, p)
			assumed := ""
			for _, b := range got.Branches {
				for _, s := range b.Steps {
					if s.Assumed {
						assumed += s.Text + "\n"
					}
					if s.Assumed && (s.Verdict != datapath.Unknown || s.Missing == nil) {
						t.Errorf("an assumed step that is certain: %+v", s)
					}
				}
			}
			if o := outline(got); o != x.want || !strings.Contains(assumed, x.text) || (x.text == "") != (assumed == "") {
				t.Errorf("%s\nwant %s, and of what is assumed %q\n%s", o, x.want, x.text, show(got.Branches, ""))
			}
		})
	}
}

// policy is one of namespace default for the Pods with a label pod.
func policy(name, pod string, edit func(*facts.NetworkPolicySpec)) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) {
		p := facts.NetworkPolicy{Source: facts.Source("policies.json:" + name), Metadata: facts.ObjectMeta{Namespace: "default", Name: name}}
		p.Spec.PodSelector.MatchLabels = map[string]string{"pod": pod}
		edit(&p.Spec)
		s.Cluster.NetworkPolicies.Value = append(s.Cluster.NetworkPolicies.Value, p)
	}
}

func all(edits ...func(*facts.Snapshot)) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) {
		for _, edit := range edits {
			edit(s)
		}
	}
}

func TestPolicies(t *testing.T) {
	noEgress := func(p *facts.NetworkPolicySpec) { p.PolicyTypes = []string{"Egress"} }
	noIngress := func(p *facts.NetworkPolicySpec) { p.PolicyTypes = []string{"Ingress"} }
	from := func(cidr string) func(*facts.NetworkPolicySpec) {
		return func(p *facts.NetworkPolicySpec) {
			p.PolicyTypes = []string{"Ingress"}
			p.Ingress = []facts.NetworkPolicyRule{{From: []facts.NetworkPolicyPeer{{IPBlock: &facts.IPBlock{CIDR: cidr}}}}}
		}
	}
	port := func(n float64) func(*facts.NetworkPolicySpec) {
		return func(p *facts.NetworkPolicySpec) {
			p.PolicyTypes = []string{"Egress"}
			p.Egress = []facts.NetworkPolicyRule{{Ports: []facts.NetworkPolicyPort{{Protocol: "TCP", Port: n}}}}
		}
	}
	flannel := func(s *facts.Snapshot) {
		s.Cluster.DaemonSets.Value = nil
		s.Cluster.Nodes.Value[0].Metadata.Annotations = map[string]string{"flannel.alpha.coreos.com/backend-type": "vxlan"}
	}
	service := func(s *facts.Snapshot) {
		text := "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n" +
			"-A PREROUTING -d 10.96.0.9/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.65.2.3:8080\n" +
			"-A PREROUTING -d 192.168.50.1/32 -p tcp -m tcp --dport 30080 -j DNAT --to-destination 10.65.1.2:8080\n" +
			"-A POSTROUTING -s 192.168.50.100/32 -j MASQUERADE\nCOMMIT\n"
		g := &s.Nodes[0].IPTablesNFT
		*g = facts.ReadGroup(facts.Listing{Format: "iptables-save"}, "iptables-nft-save -c")
		g.Raw = []facts.Raw{{Name: "iptables-nft-save_-c", Data: []byte(text)}}
	}
	noOwn := func(s *facts.Snapshot) { s.Nodes[1].Namespaces = nil }
	pod1, outside := datapath.Sender{Node: "n1", Namespace: "pod1"}, datapath.Sender{Node: "n1", Dev: "eth0"}
	for _, x := range []struct {
		name   string
		edit   func(*facts.Snapshot)
		from   datapath.Sender
		to     string
		want   string
		text   string
		source string
	}{
		{"none", nil, pod1, "10.65.2.3:8080", "delivered; 1.00 n2 socket", "", ""},
		{
			"egress", policy("shut", "pod1", noEgress), pod1, "10.65.2.3:8080", "dropped; 1.00 n1 policy",
			"egress: NetworkPolicy default/shut selects Pod default/pod1, and no egress rule allows it: it has no egress rules", "policies.json:shut",
		},
		{"ingress on the other node", policy("shut", "pod3", noIngress), pod1, "10.65.2.3:8080", "dropped; 1.00 n2 policy", "ingress: NetworkPolicy default/shut selects Pod default/pod3", "policies.json:shut"},
		{"ingress on the same node", policy("shut", "pod2", noIngress), pod1, "10.65.1.2:8080", "dropped; 1.00 n1 policy", "ingress: ", "policies.json:shut"},
		{"ingress to a Pod whose namespace was not read", all(policy("shut", "pod3", noIngress), noOwn), pod1, "10.65.2.3:8080", "dropped; 1.00 n2 policy", "ingress: ", "policies.json:shut"},
		{"the answer needs no permission", all(policy("a", "pod1", noIngress), policy("b", "pod3", noEgress)), pod1, "10.65.2.3:8080", "delivered; 1.00 n2 socket", "", ""},
		{"the port after translation is what counts", all(service, policy("eighty", "pod1", port(80))), pod1, "10.96.0.9:80", "dropped; 1.00 n1 policy", "port 8080/TCP is not among its ports: 80/TCP", "policies.json:eighty"},
		{"and it is allowed", all(service, policy("target", "pod1", port(8080))), pod1, "10.96.0.9:80", "delivered; 1.00 n2 socket", "egress[0] of NetworkPolicy default/target allows it", "policies.json:target"},
		{"the Pod's own node", policy("shut", "pod1", noIngress), datapath.Sender{Node: "n1"}, "10.65.1.1:8080", "delivered; 1.00 n1 socket", "is the node of Pod default/pod1", ""},
		{"another node", policy("shut", "pod3", noIngress), datapath.Sender{Node: "n1"}, "10.65.2.3:8080", "dropped; 1.00 n2 policy", "ingress: ", "policies.json:shut"},
		{"to its own node: plugins differ", policy("shut", "pod1", noEgress), pod1, "192.168.50.1:22", "rejected; 1.00 n1 socket", "plugins differ", ""},
		{"nothing enforces", all(flannel, policy("shut", "pod1", noEgress)), pod1, "10.65.2.3:8080", "delivered; 1.00 n2 socket", "", ""},
		{
			"whether anything enforces is not known", all(policy("shut", "pod1", noEgress), func(s *facts.Snapshot) { s.Cluster.DaemonSets.Status = facts.Denied }),
			pod1, "10.65.2.3:8080", "unknown expected delivered; 1.00 n2 socket", "whether anything in the cluster enforces policies is not known", "",
		},
		{"policies not read, and a plugin", func(s *facts.Snapshot) { s.Cluster.NetworkPolicies.Status = facts.Absent }, pod1, "10.65.2.3:8080", "unknown expected delivered; 1.00 n2 socket", "not all known", ""},
		{"from outside, which the block has", all(service, policy("block", "pod2", from("192.168.50.100/32"))), outside, "192.168.50.1:30080", "delivered; 1.00 n1 socket", "allows it", ""},
		{"from outside, which it has not, and the node's own address may count", all(service, policy("block", "pod2", from("198.51.100.0/24"))), outside, "192.168.50.1:30080", "unknown expected delivered; 1.00 n1 socket", "left to the network plugin", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := tcpTo(x.to)
			if x.from == outside {
				p.Src = netip.MustParseAddr("192.168.50.100")
			}
			got := world(x.edit).Trace(x.from, p)
			text, source := "", ""
			for _, s := range got.Branches[0].Steps {
				if s.Stage == datapath.StagePolicy {
					text += s.Text
					source = string(s.Source)
				}
			}
			if o := outline(got); o != x.want || !strings.Contains(text, x.text) || (x.text == "") != (text == "") || x.source != "" && source != x.source {
				t.Errorf("%s\nwant %s\npolicy %q [%s]\n%s", o, x.want, text, source, show(got.Branches, ""))
			}
		})
	}
}
