package ask

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func TestAskMSSClamps(t *testing.T) {
	const syn = "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS "
	nft := func(chain string) string {
		return "table inet f {\n\tchain clamp {\n" + chain + "\t\ttcp flags syn tcp option maxseg size set 1360\n\t}\n}\n"
	}
	for _, c := range []struct {
		name, save, nft string
		setMSS          int
		always          bool
	}{
		{name: "forward", save: "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD " + syn + "--clamp-mss-to-pmtu\nCOMMIT\n", always: true},
		{name: "number", save: "*mangle\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -o flannel.1 " + syn + "--set-mss 1360\nCOMMIT\n", setMSS: 1360, always: true},
		{name: "output alone", save: "*mangle\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT " + syn + "--clamp-mss-to-pmtu\nCOMMIT\n"},
		{name: "some addresses", save: "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -s 10.200.0.0/16 " + syn + "--clamp-mss-to-pmtu\nCOMMIT\n"},
		{name: "one port", save: "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -m tcp --dport 9999 --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu\nCOMMIT\n"},
		{name: "a chain that nothing jumps to", save: "*mangle\n:FORWARD ACCEPT [0:0]\n:DEAD - [0:0]\n-A DEAD " + syn + "--clamp-mss-to-pmtu\nCOMMIT\n"},
		{name: "a chain that forward jumps to", save: "*mangle\n:FORWARD ACCEPT [0:0]\n:CLAMP - [0:0]\n-A FORWARD -j CLAMP\n-A CLAMP " + syn + "--clamp-mss-to-pmtu\nCOMMIT\n", always: true},
		{name: "a jump for some", save: "*mangle\n:FORWARD ACCEPT [0:0]\n:CLAMP - [0:0]\n-A FORWARD -d 192.0.2.0/24 -j CLAMP\n-A CLAMP " + syn + "--clamp-mss-to-pmtu\nCOMMIT\n"},
		{name: "nft base chain", nft: nft("\t\ttype filter hook forward priority mangle; policy accept;\n"), setMSS: 1360, always: true},
		{name: "nft chain that nothing jumps to", nft: nft(""), setMSS: 1360},
	} {
		t.Run(c.name, func(t *testing.T) {
			node := &facts.Node{Name: "n1"}
			if c.save != "" {
				node.IPTablesNFT = listed(c.save, "iptables-nft-save -c")
			}
			if c.nft != "" {
				node.NFTables = listed(c.nft, "nft list ruleset")
			}
			got, err := askMSSClamps(NewIncident(&facts.Snapshot{Nodes: []*facts.Node{node}}), []any{"n1"})
			if err != nil {
				t.Fatal(err)
			}
			answers := got.([]mssClampAnswer)
			if len(answers) != 1 {
				t.Fatalf("answers: %+v", answers)
			}
			want := mssClampAnswer{answers[0].ruleAnswer, c.setMSS, c.always}
			if diff := cmp.Diff(want, answers[0], cmp.AllowUnexported(mssClampAnswer{})); diff != "" || answers[0].Source == "" {
				t.Errorf("clamp (-want +got):\n%s", diff)
			}
		})
	}
}
