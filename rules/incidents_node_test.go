package rules_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/rules"
)

// vtepMAC is the hardware address of a node's tunnel device.
func vtepMAC(node string) string { return "4a:6f:5c:00:00:0" + strings.TrimPrefix(node, "n") }

func backendData(node string) string { return fmt.Sprintf(`{"VNI":1,"VtepMAC":%q}`, vtepMAC(node)) }

func sysctls(values map[string]string) facts.Group[map[string]facts.Sysctl] {
	group := map[string]facts.Sysctl{}
	for name, value := range values {
		group[name] = facts.Sysctl{Value: value, Source: facts.Source("sysctl " + name)}
	}
	return facts.ReadGroup(group, "sysctl -a")
}

// addKernelFacts gives a node of two what its kernel has to say: a bridge of the Pods, sysctls, policy rules, the tunnel's
// neighbour and forwarding entries.
func addKernelFacts(n *facts.Node, peerCIDR string) {
	peer, peerAddress, own := "n2", "192.0.2.2", "10.244.1.1/24"
	if n.Name == "n2" {
		peer, peerAddress, own = "n1", "192.0.2.1", "10.244.2.1/24"
	}
	n.Links.Value[1].Address = vtepMAC(n.Name)
	n.Links.Value[2].Master = "cni0"
	bridge := link("cni0", "bridge", n.Links.Value[2].MTU)
	bridge.Bridge = &facts.Bridge{}
	n.Links.Value = append(n.Links.Value, bridge)
	n.Addresses.Value = append(n.Addresses.Value, permanent("cni0", own))
	n.Routes.Value = append(n.Routes.Value, connected("192.0.2.0/24", "eth0"), connected(netip.MustParsePrefix(own).Masked().String(), "cni0"))
	n.Rules = facts.ReadGroup([]facts.RoutingRule{
		{Family: "inet", Priority: 0, Action: "lookup", Table: facts.TableLocal, SuppressPrefixlength: -1, Source: "ip rule"},
		{Family: "inet", Priority: 32766, Action: "lookup", Table: facts.TableMain, SuppressPrefixlength: -1, Source: "ip rule"},
		{Family: "inet", Priority: 32767, Action: "lookup", Table: facts.TableDefault, SuppressPrefixlength: -1, Source: "ip rule"},
	}, "ip rule")
	gateway := netip.MustParsePrefix(peerCIDR).Addr()
	n.Neighbours = facts.ReadGroup([]facts.Neighbour{{
		Source: "ip neighbour show dev flannel.1", Dst: gateway, Dev: "flannel.1", Lladdr: vtepMAC(peer), State: "PERMANENT",
	}}, "ip neighbour show nud all")
	n.FDB = facts.ReadGroup([]facts.FDBEntry{{
		Source: "bridge fdb show dev flannel.1", MAC: vtepMAC(peer), Dev: "flannel.1", Dst: netip.MustParseAddr(peerAddress),
		State: "permanent", Flags: []string{"self"},
	}}, "bridge fdb show")
	values := map[string]string{
		"net.ipv4.ip_forward": "1", "net.core.somaxconn": "4096", "net.bridge.bridge-nf-call-iptables": "1",
	}
	for _, dev := range []string{"all", "default", "lo", "eth0", "cni0", "flannel/1", "veth1"} {
		values["net.ipv4.conf."+dev+".forwarding"] = "1"
		values["net.ipv4.conf."+dev+".rp_filter"] = "0"
		values["net.ipv4.conf."+dev+".accept_local"] = "0"
		values["net.ipv4.conf."+dev+".send_redirects"] = "1"
		values["net.ipv4.conf."+dev+".src_valid_mark"] = "0"
	}
	n.Sysctls = sysctls(values)
	n.CNI = facts.ReadGroup(facts.CNI{Dir: "/etc/cni/net.d", Files: []facts.CNIFile{{
		File: "/etc/cni/net.d/10-flannel.conflist", Source: "/etc/cni/net.d/10-flannel.conflist", Name: "cbr0",
	}}}, "/etc/cni/net.d")
	n.IPSet = facts.ReadGroup(facts.Listing{Format: "ipset-save"}, "ipset save")
	n.KubeProxyConfig = facts.ReadGroup(facts.KubeProxyConfig{})
}

// connected is the kernel's own route to a device's network.
func connected(dst, dev string) facts.Route {
	r := route(dst, "0.0.0.0", dev)
	r.Via, r.Protocol, r.Scope = netip.Addr{}, "kernel", "link"
	return r
}

func setSysctl(n *facts.Node, name, value string) {
	n.Sysctls.Value[name] = facts.Sysctl{Value: value, Source: facts.Source("sysctl " + name)}
}

func TestNodeIncidents(t *testing.T) {
	tests := []struct {
		name     string
		change   func(*facts.Snapshot)
		symptoms []string
		want     [][]string
	}{
		{
			name: "a restart of the network turned forwarding off",
			change: func(s *facts.Snapshot) {
				n1 := s.Nodes[0]
				for name := range n1.Sysctls.Value {
					if strings.HasSuffix(name, "forwarding") || name == "net.ipv4.ip_forward" {
						setSysctl(n1, name, "0")
					}
				}
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"ip-forward-disabled", "network-unreachable"}},
		},
		{
			name: "Docker sets the policy of FORWARD, and nothing accepts Pods",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].IPTablesNFT = listing(serviceRules + dockerForward + "COMMIT\n")
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"forward-chain-drops", "network-unreachable"}},
		},
		{
			name: "Docker sets the policy of FORWARD, and flannel accepts Pods",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].IPTablesNFT = listing(serviceRules + dockerForward +
					"-A FORWARD -s 10.244.0.0/16 -j ACCEPT\n-A FORWARD -d 10.244.0.0/16 -j ACCEPT\nCOMMIT\n")
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{},
		},
		{
			name: "INPUT drops what it does not know, the overlay among it",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].IPTablesNFT = listing(serviceRules + "*filter\n:INPUT DROP [9:900]\n" +
					"-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 6443 -j ACCEPT\nCOMMIT\n")
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"overlay-port-blocked", "network-unreachable"}},
		},
		{
			name: "INPUT drops what it does not know, and lets the overlay of the other nodes in",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].IPTablesNFT = listing(serviceRules + "*filter\n:INPUT DROP [9:900]\n" +
					"-A INPUT -s 192.0.2.0/24 -p udp -m udp --dport 8472 -j ACCEPT\nCOMMIT\n")
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{},
		},
		{
			name: "the way back to the other node is a second card, and the filter is strict",
			change: func(s *facts.Snapshot) {
				n1 := s.Nodes[0]
				n1.Links.Value = append(n1.Links.Value, link("eth1", "", 1500))
				n1.Addresses.Value = append(n1.Addresses.Value, permanent("eth1", "198.51.100.1/24"))
				n1.Routes.Value = append(n1.Routes.Value, route("192.0.2.2/32", "198.51.100.254", "eth1"))
				setSysctl(n1, "net.ipv4.conf.eth0.rp_filter", "1")
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"rp-filter-drops", "network-unreachable"}},
		},
		{
			name: "the way back to the other node is a second card, and the filter is loose",
			change: func(s *facts.Snapshot) {
				n1 := s.Nodes[0]
				n1.Links.Value = append(n1.Links.Value, link("eth1", "", 1500))
				n1.Addresses.Value = append(n1.Addresses.Value, permanent("eth1", "198.51.100.1/24"))
				n1.Routes.Value = append(n1.Routes.Value, route("192.0.2.2/32", "198.51.100.254", "eth1"))
				setSysctl(n1, "net.ipv4.conf.all.rp_filter", "1")
				setSysctl(n1, "net.ipv4.conf.eth0.rp_filter", "2")
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{},
		},
		{
			name: "the tunnel's forwarding entry leads to nobody",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].FDB.Value[0].Dst = netip.MustParseAddr("192.0.2.99")
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"vxlan-fdb-wrong", "network-unreachable"}},
		},
		{
			name:     "the tunnel's forwarding entry is gone",
			change:   func(s *facts.Snapshot) { s.Nodes[0].FDB.Value = nil },
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"vxlan-fdb-wrong", "network-unreachable"}},
		},
		{
			name: "the tunnel's neighbour has another hardware address",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].Neighbours.Value[0].Lladdr = "4a:6f:5c:00:00:99"
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"vxlan-neighbour-wrong", "network-unreachable"}},
		},
		{
			name: "a node came back with a new hardware address, and its peer missed it",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].Neighbours.Value[0].Lladdr = "4a:6f:5c:00:00:99"
				s.Nodes[0].FDB.Value[0].MAC = "4a:6f:5c:00:00:99"
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"vxlan-neighbour-wrong", "network-unreachable"}},
		},
		{
			name:     "one node alone was collected",
			change:   func(s *facts.Snapshot) { s.Nodes = s.Nodes[:1] },
			symptoms: []string{"network-unreachable"},
			want:     [][]string{},
		},
		{
			name: "the default route is gone",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].Routes.Value = s.Nodes[0].Routes.Value[1:]
			},
			symptoms: []string{"egress-failure"},
			want:     [][]string{{"default-route-missing", "egress-failure"}},
		},
		{
			name: "a rule rejects the port of a Service",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].IPTablesNFT = listing(serviceRules + "*filter\n:FORWARD ACCEPT [0:0]\n" +
					"-A FORWARD -p udp -m udp --dport 53 -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n")
			},
			symptoms: []string{"port-unreachable"},
			want:     [][]string{{"firewall-rejects-service-traffic", "port-unreachable"}},
		},
		{
			name: "a rule drops what goes to a Service's address, before it is translated",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].IPTablesNFT = listing(serviceRules + "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.96.0.10/32 -j DROP\nCOMMIT\n")
			},
			symptoms: []string{"port-unreachable"},
			want:     [][]string{{"firewall-rejects-service-traffic", "service-rules-missing-on-node", "port-unreachable"}},
		},
		{
			name: "a rule rejects a port that no Service has",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].IPTablesNFT = listing(serviceRules + "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -m tcp --dport 25 -j REJECT\nCOMMIT\n")
			},
			symptoms: []string{"port-unreachable"},
			want:     [][]string{},
		},
		{
			name:     "what a bridge forwards bypasses iptables",
			change:   func(s *facts.Snapshot) { setSysctl(s.Nodes[0], "net.bridge.bridge-nf-call-iptables", "0") },
			symptoms: []string{"dns-failure"},
			want:     [][]string{{"bridge-netfilter-off", "dns-failure"}},
		},
		{
			name: "rules of an earlier kube-proxy are left in the legacy tables",
			change: func(s *facts.Snapshot) {
				s.Nodes[0].IPTablesLegacy = listing(strings.ReplaceAll(serviceRules, "10.244.2.2:53", "10.244.2.77:53"))
			},
			symptoms: []string{"service-unreachable"},
			want:     [][]string{{"iptables-backends-mixed", "service-unreachable"}},
		},
		{
			name: "flannel takes the card of the hypervisor's NAT on every machine",
			change: func(s *facts.Snapshot) {
				for i, name := range []string{"n1", "n2"} {
					node := s.Nodes[i]
					own := node.Addresses.Value[0].Local.String()
					s.Cluster.Nodes.Value[i] = nodeObject(name, own, s.Cluster.Nodes.Value[i].Spec.PodCIDR, "10.0.2.15")
					node.Links.Value = append(node.Links.Value, link("eth1", "", 1500))
					node.Addresses.Value = append(node.Addresses.Value, permanent("eth1", "10.0.2.15/24"))
					address := node.Links.Value[1].Address
					node.Links.Value[1] = flannelLink("10.0.2.15", 1450)
					node.Links.Value[1].Address = address
					node.FDB.Value[0].Dst = netip.MustParseAddr("10.0.2.15")
				}
			},
			symptoms: []string{"network-unreachable"},
			want:     [][]string{{"flannel-wrong-interface", "tunnel-source-not-node-address", "network-unreachable"}},
		},
		{
			name: "the network plugin's file is gone, and its routes with it",
			change: func(s *facts.Snapshot) {
				n1 := s.Nodes[0]
				n1.CNI.Value.Files = []facts.CNIFile{}
				n1.Routes.Value = slices.Delete(n1.Routes.Value, 1, 2)
				s.Cluster.Nodes.Value[0].Status.Conditions = []facts.Condition{{
					Type: "Ready", Status: "False", Reason: "KubeletNotReady",
					Message: "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni config uninitialized",
				}}
			},
			symptoms: []string{"pod-not-networked"},
			want:     [][]string{{"cni-config-missing", "pod-network-route-missing", "pod-not-networked"}},
		},
	}
	compiled, err := engine.New(t.Context(), rules.FS)
	if err != nil {
		t.Fatalf("compile the library: %v", err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			snapshot := healthy()
			test.change(snapshot)
			snapshot.Symptoms = test.symptoms
			d, err := compiled.Diagnose(t.Context(), snapshot)
			if err != nil {
				t.Fatalf("diagnose: %v", err)
			}
			for _, failed := range d.FailedRules {
				t.Errorf("rule %s failed on %s: %s", failed.ID, failed.Subject, failed.Error)
			}
			if diff := cmp.Diff(test.want, chains(d)); diff != "" {
				t.Errorf("chains of the root causes (-want +got):\n%s", diff)
			}
		})
	}
}

// dockerForward is the beginning of the filter table of a machine with Docker.
const dockerForward = `*filter
:FORWARD DROP [320:26880]
:DOCKER-USER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-USER -j RETURN
`
