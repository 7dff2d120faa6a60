package ask

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

const dockerSave = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [320:26880]
:DOCKER-USER - [0:0]
[400:9000] -A FORWARD -j DOCKER-USER
[7:420] -A DOCKER-USER -s 10.244.9.0/24 -j DROP
[5:300] -A FORWARD -s 10.244.1.0/24 -i cni0 -j ACCEPT
[0:0] -A INPUT -p udp -m udp --dport 8472 -m string --string x --algo bm -j DROP
COMMIT
`

func TestAskTraverse(t *testing.T) {
	const source = "iptables-nft-save -c"
	nft := facts.ReadGroup(facts.Listing{Format: "nft-json"}, "nft -j list ruleset")
	empty := listed("", "iptables-legacy-save -c")
	whole := facts.NetNS{IPTablesNFT: listed(dockerSave, source), IPTablesLegacy: empty, NFTables: nft}
	half := facts.NetNS{IPTablesNFT: listed(dockerSave, source), NFTables: nft}
	count := func(n uint64) *uint64 { return &n }
	policy := &deciderAnswer{
		Backend: "iptables-nf_tables", Family: "ip", Table: "filter", Chain: "FORWARD", Rule: "policy DROP", Policy: true,
		Source: source + ", line 3", Packets: count(320), Owners: []string{"Docker"}, Way: []string{"FORWARD"},
	}
	rule := &deciderAnswer{
		Backend: "iptables-nf_tables", Family: "ip", Table: "filter", Chain: "DOCKER-USER", Rule: "-A DOCKER-USER -s 10.244.9.0/24 -j DROP",
		Source: source + ", line 6", Packets: count(7), Owners: []string{"Docker"}, Way: []string{"FORWARD", "DOCKER-USER"},
	}
	unmodelled := &deciderAnswer{
		Backend: "iptables-nf_tables", Family: "ip", Table: "filter", Chain: "INPUT",
		Rule:   "-A INPUT -p udp -m udp --dport 8472 -m string --string x --algo bm -j DROP",
		Source: "iptables-nft-save -c, line 8", Packets: count(0), Owners: []string{"Docker"}, Way: []string{"INPUT"},
	}
	packet := func(src, iif string) map[string]any {
		return map[string]any{"src": src, "dst": "10.244.2.2", "proto": "tcp", "dport": 80, "iif": iif, "oif": "flannel.1", "ctstate": "NEW"}
	}
	tunnel := map[string]any{"src": "192.0.2.2", "dst": "192.0.2.1", "proto": "udp", "dport": 8472, "ctstate": "NEW"}
	for _, c := range []struct {
		name   string
		ns     facts.NetNS
		hook   string
		packet map[string]any
		want   traverseAnswer
	}{
		{"policy", whole, "forward", packet("10.244.1.2", "eth7"), traverseAnswer{Verdict: "drop", Unread: []string{}, Rule: policy}},
		{"accepted before it", whole, "forward", packet("10.244.1.2", "cni0"), traverseAnswer{Verdict: "accept", Unread: []string{}}},
		{"rule of a chain", whole, "forward", packet("10.244.9.2", "cni0"), traverseAnswer{Verdict: "drop", Unread: []string{}, Rule: rule}},
		{
			"it depends on the device", whole, "forward", packet("10.244.1.2", ""),
			traverseAnswer{Verdict: "unknown", Unread: []string{}, Rule: policy, Detail: "it is dropped where "},
		},
		{
			"accepted, and legacy was not read", half, "forward", packet("10.244.1.2", "cni0"),
			traverseAnswer{Verdict: "unknown", Unread: []string{"iptables_legacy"}, Detail: "what was read lets it pass"},
		},
		{
			"dropped, whatever legacy says", half, "forward", packet("10.244.9.2", "cni0"),
			traverseAnswer{Verdict: "drop", Unread: []string{"iptables_legacy"}, Rule: rule},
		},
		{
			"a match that is not modelled", whole, "input", tunnel,
			traverseAnswer{Verdict: "unknown", Unread: []string{}, Detail: "it is dropped where `-m string", Rule: unmodelled},
		},
		{
			"nothing was read",
			facts.NetNS{},
			"input", tunnel,
			traverseAnswer{Verdict: "unknown", Unread: []string{"iptables_legacy", "iptables_nft", "nftables"}, Detail: "no listing of rules was read"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{{Name: "n1", NetNS: c.ns}}})
			got, err := askTraverse(in, []any{"n1", c.hook, c.packet})
			if err != nil {
				t.Fatal(err)
			}
			answer := got.(traverseAnswer)
			if !strings.HasPrefix(answer.Detail, c.want.Detail) || (answer.Detail == "") != (c.want.Detail == "") {
				t.Errorf("detail %q, want %q…", answer.Detail, c.want.Detail)
			}
			answer.Detail = c.want.Detail
			if diff := cmp.Diff(c.want, answer); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAskTraverseRefusesWhatIsNoQuestion(t *testing.T) {
	in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{{Name: "n1"}}})
	for _, args := range [][]any{
		{"n1", "ingress", map[string]any{}},
		{"n1", "input", map[string]any{"source": "192.0.2.1"}},
		{"n1", "input", map[string]any{"src": "nowhere"}},
		{"n1", "input", map[string]any{"dport": 70000}},
		{"n9", "input", map[string]any{}},
	} {
		if answer, err := askTraverse(in, args); err == nil {
			t.Errorf("%v: answer %+v, want an error", args, answer)
		}
	}
}

// Who a rule belongs to is told by chains of any of the programs' versions.
func TestOwners(t *testing.T) {
	for _, c := range []struct {
		save string
		want []string
	}{
		{":FORWARD DROP [0:0]\n:ufw-before-forward - [0:0]\n:DOCKER-FORWARD - [0:0]\n", []string{"Docker", "ufw"}},
		{":FORWARD DROP [0:0]\n", []string{}},
		{":FORWARD ACCEPT [0:0]\n:KUBE-FIREWALL - [0:0]\n-A FORWARD -j KUBE-FIREWALL\n-A KUBE-FIREWALL -j DROP\n", []string{"kubelet"}},
		{":FORWARD ACCEPT [0:0]\n:cali-FORWARD - [0:0]\n-A FORWARD -j cali-FORWARD\n-A cali-FORWARD -j DROP\n", []string{"Calico"}},
		{":FORWARD ACCEPT [0:0]\n:FORWARD_direct - [0:0]\n-A FORWARD -j FORWARD_direct\n-A FORWARD -j REJECT\n", []string{"firewalld"}},
		{":FORWARD ACCEPT [0:0]\n:ufw-reject-forward - [0:0]\n-A FORWARD -j ufw-reject-forward\n-A ufw-reject-forward -j REJECT\n", []string{"ufw"}},
	} {
		ns := facts.NetNS{IPTablesNFT: listed("*filter\n"+c.save+"COMMIT\n", "iptables-save"), IPTablesLegacy: listed("", "iptables-legacy-save")}
		in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{{Name: "n1", NetNS: ns}}})
		got, err := askTraverse(in, []any{"n1", "forward", map[string]any{"src": "192.0.2.1", "dst": "192.0.2.2", "proto": "tcp", "sport": 1, "dport": 2, "ctstate": "NEW"}})
		if err != nil {
			t.Fatal(err)
		}
		rule := got.(traverseAnswer).Rule
		if rule == nil {
			t.Errorf("%s: no rule: %+v", c.save, got)
			continue
		}
		if diff := cmp.Diff(c.want, rule.Owners); diff != "" {
			t.Errorf("%s: owners (-want +got):\n%s", c.save, diff)
		}
	}
}
