package ask

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

// kubeProxySave is the nat table of a node with one Service of one endpoint, as kube-proxy v1.36.3 writes it.
const kubeProxySave = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SEP-BBBBBBBBBBBBBBBB - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.233.0.100/32 -p tcp -m comment --comment "default/registry cluster IP" -m tcp --dport 5000 -j KUBE-SVC-AAAAAAAAAAAAAAAA
-A KUBE-SVC-AAAAAAAAAAAAAAAA -m comment --comment "default/registry -> 10.233.65.46:5000" -j KUBE-SEP-BBBBBBBBBBBBBBBB
-A KUBE-SEP-BBBBBBBBBBBBBBBB -p tcp -m tcp -j DNAT --to-destination 10.233.65.46:5000
COMMIT
`

// flushedSave is the same after something flushed the base chains, as a reload of a firewall does.
const flushedSave = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]
-A KUBE-SERVICES -d 10.233.0.100/32 -p tcp -m tcp --dport 5000 -j KUBE-SVC-AAAAAAAAAAAAAAAA
COMMIT
`

func listed(text string, source facts.Source) facts.Group[facts.Listing] {
	g := facts.ReadGroup(facts.Listing{Format: "iptables-save"}, source)
	g.Raw = []facts.Raw{{Name: "listing", Data: []byte(text)}}
	return g
}

func TestAskKubeProxyRules(t *testing.T) {
	denied := facts.Unread[facts.Listing](facts.Denied, "needs CAP_NET_ADMIN")
	nft := facts.ReadGroup(facts.Listing{Format: "nft-json"}, "nft -j list ruleset")
	evidence := facts.Evidence{
		Fact:   "iptables-legacy KUBE-SERVICES",
		Value:  `-A KUBE-SERVICES -d 10.233.0.100/32 -p tcp -m comment --comment "default/registry cluster IP" -m tcp --dport 5000 -j KUBE-SVC-AAAAAAAAAAAAAAAA`,
		Source: "iptables-legacy-save -c, line 9",
	}
	for _, c := range []struct {
		name           string
		node           facts.NetNS
		modes, unknown []string
		evidence       *facts.Evidence
		detached       int
	}{
		{"nothing was read", facts.NetNS{}, nil, []string{"iptables_nft", "iptables_legacy", "nftables", "ipvs"}, nil, 0},
		{
			"the other backend was not read",
			facts.NetNS{IPTablesNFT: listed("", "iptables-nft-save -c"), IPTablesLegacy: denied, NFTables: nft},
			nil,
			[]string{"iptables_legacy"},
			nil, 0,
		},
		{
			"nft shows what iptables-nft would",
			facts.NetNS{IPTablesLegacy: listed("", "iptables-legacy-save -c"), NFTables: nft},
			nil, nil, nil, 0,
		},
		{
			"legacy",
			facts.NetNS{IPTablesLegacy: listed(kubeProxySave, "iptables-legacy-save -c")},
			[]string{"iptables-legacy"},
			[]string{"iptables_nft", "nftables", "ipvs"},
			&evidence, 0,
		},
		{
			"flushed",
			facts.NetNS{IPTablesNFT: listed(flushedSave, "iptables-nft-save -c")},
			nil,
			[]string{"iptables_legacy", "nftables"},
			nil, 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{{Name: "n1", NetNS: c.node}}})
			got, err := askKubeProxyRules(in, []any{"n1"})
			if err != nil {
				t.Fatal(err)
			}
			answer := got.(kubeProxyRulesAnswer)
			var modes []string
			for _, mode := range answer.Modes {
				modes = append(modes, mode.Mode)
				if diff := cmp.Diff(*c.evidence, mode.Evidence); diff != "" {
					t.Errorf("evidence (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff(c.modes, modes); diff != "" {
				t.Errorf("modes (-want +got):\n%s", diff)
			}
			if len(answer.Unknown)+len(c.unknown) > 0 {
				if diff := cmp.Diff(c.unknown, answer.Unknown); diff != "" {
					t.Errorf("unknown (-want +got):\n%s", diff)
				}
			}
			if len(answer.Detached) != c.detached {
				t.Errorf("detached: %v", answer.Detached)
			}
		})
	}
}

func TestAskServices(t *testing.T) {
	node := &facts.Node{Name: "n1"}
	node.IPTablesNFT = listed(kubeProxySave, "iptables-nft-save -c")
	service := func(name, address string, port int32) facts.Service {
		return facts.Service{
			Source:   facts.Source("kubectl get service " + name),
			Metadata: facts.ObjectMeta{Namespace: "default", Name: name},
			Spec:     facts.ServiceSpec{ClusterIP: address, Ports: []facts.ServicePort{{Port: port}}},
		}
	}
	in := NewIncident(&facts.Snapshot{
		Nodes: []*facts.Node{node},
		Cluster: &facts.Cluster{Services: facts.ReadGroup([]facts.Service{
			service("registry", "10.233.0.100", 5000), service("headless", "None", 80), service("other", "10.233.0.7", 80),
		})},
	})
	got, err := askServiceRules(in, []any{"n1"})
	if err != nil {
		t.Fatal(err)
	}
	answer := got.(serviceRulesAnswer)
	missing := []serviceMissing{{"default/other", "10.233.0.7", 80, "kubectl get service other"}}
	if diff := cmp.Diff(missing, answer.Missing); diff != "" || answer.Total != 2 || answer.Present != 1 {
		t.Errorf("%d of %d, missing (-want +got):\n%s", answer.Present, answer.Total, diff)
	}
	var way []string
	for _, e := range answer.Examples[0].Evidence {
		way = append(way, e.Fact+" "+string(e.Source))
	}
	want := []string{
		"iptables-nf_tables PREROUTING iptables-nft-save -c, line 7",
		"iptables-nf_tables KUBE-SERVICES iptables-nft-save -c, line 9",
		"iptables-nf_tables KUBE-SVC-AAAAAAAAAAAAAAAA iptables-nft-save -c, line 10",
		"iptables-nf_tables KUBE-SEP-BBBBBBBBBBBBBBBB iptables-nft-save -c, line 11",
	}
	if diff := cmp.Diff(want, way); diff != "" {
		t.Errorf("way (-want +got):\n%s", diff)
	}
	if got, want := answer.Examples[0].Way, "KUBE-SERVICES -> KUBE-SVC-AAAAAAAAAAAAAAAA -> KUBE-SEP-BBBBBBBBBBBBBBBB -> DNAT 10.233.65.46:5000"; got != want {
		t.Errorf("way %q, want %q", got, want)
	}
	path, err := askServicePath(in, []any{"n1", "10.233.0.100", "TCP", json.Number("5000")})
	if err != nil {
		t.Fatal(err)
	}
	if got := path.(servicePathAnswer); got.Status != "translated" || len(got.Endpoints) != 1 || got.Endpoints[0] != "10.233.65.46:5000" {
		t.Errorf("path: %+v", got)
	}
	rules, err := askChain(in, []any{"n1", "ip", "nat", "KUBE-SERVICES"})
	if err != nil {
		t.Fatal(err)
	}
	if got := rules.([]ruleAnswer); len(got) != 1 || got[0].Source != "iptables-nft-save -c, line 9" {
		t.Errorf("chain: %+v", got)
	}
}
