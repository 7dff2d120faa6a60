package ask

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/engine/facts"
)

func TestAskIPTablesBackends(t *testing.T) {
	old := strings.ReplaceAll(kubeProxySave, "10.233.65.46", "10.233.65.9")
	const empty = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-PROXY-CANARY - [0:0]\nCOMMIT\n"
	denied := facts.Unread[facts.Listing](facts.Denied, "needs CAP_NET_ADMIN")
	slices := facts.ReadGroup([]facts.EndpointSlice{{Endpoints: []facts.Endpoint{{Addresses: []string{"10.233.65.46"}}}}})
	const nft, legacy = "iptables-nf_tables", "iptables-legacy"
	for _, c := range []struct {
		name string
		ns   facts.NetNS
		want iptablesBackendsAnswer
	}{
		{
			"an earlier kube-proxy's rules are left in the other backend",
			facts.NetNS{IPTablesNFT: listed(kubeProxySave, "iptables-nft-save"), IPTablesLegacy: listed(old, "iptables-legacy-save")},
			iptablesBackendsAnswer{EndpointsKnown: true, Backends: []iptablesBackendAnswer{
				{Backend: nft, Services: 1, Reached: true, Targets: 1},
				{Backend: legacy, Services: 1, Reached: true, Targets: 1, Stale: 1},
			}},
		},
		{
			"the kubelet's canary alone",
			facts.NetNS{IPTablesNFT: listed(kubeProxySave, "iptables-nft-save"), IPTablesLegacy: listed(empty, "iptables-legacy-save")},
			iptablesBackendsAnswer{EndpointsKnown: true, Backends: []iptablesBackendAnswer{
				{Backend: nft, Services: 1, Reached: true, Targets: 1}, {Backend: legacy},
			}},
		},
		{
			"chains that nothing leads to",
			facts.NetNS{IPTablesNFT: listed(kubeProxySave, "iptables-nft-save"), IPTablesLegacy: listed(flushedSave, "iptables-legacy-save")},
			iptablesBackendsAnswer{EndpointsKnown: true, Backends: []iptablesBackendAnswer{
				{Backend: nft, Services: 1, Reached: true, Targets: 1}, {Backend: legacy, Services: 1},
			}},
		},
		{
			"one backend was not read",
			facts.NetNS{IPTablesNFT: listed(kubeProxySave, "iptables-nft-save"), IPTablesLegacy: denied},
			iptablesBackendsAnswer{Unread: []string{"iptables_legacy"}, EndpointsKnown: true, Backends: []iptablesBackendAnswer{
				{Backend: nft, Services: 1, Reached: true, Targets: 1},
			}},
		},
		{
			"Calico in both",
			facts.NetNS{
				IPTablesNFT:    listed("*filter\n:cali-FORWARD - [0:0]\n-A cali-FORWARD -j ACCEPT\nCOMMIT\n", "iptables-nft-save"),
				IPTablesLegacy: listed("*filter\n:cali-FORWARD - [0:0]\n-A cali-FORWARD -j DROP\nCOMMIT\n", "iptables-legacy-save"),
			},
			iptablesBackendsAnswer{EndpointsKnown: true, Backends: []iptablesBackendAnswer{{Backend: nft, Calico: 1}, {Backend: legacy, Calico: 1}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{{Name: "n1", NetNS: c.ns}}, Cluster: &facts.Cluster{EndpointSlices: slices}})
			got, err := askIPTablesBackends(in, []any{"n1"})
			if err != nil {
				t.Fatal(err)
			}
			ignored := cmpopts.IgnoreFields(iptablesBackendAnswer{}, "Evidence", "StaleEvidence", "CalicoEvidence")
			if diff := cmp.Diff(c.want, got, ignored, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
